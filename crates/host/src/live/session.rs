//! The connection over which this program was started.

use std::net::SocketAddr;

use crate::{Host, SocketKind};

/// More ancestors than this no login has.
const DEEPEST: usize = 64;

impl Host {
    /// Finds the nearest ancestor that is an ssh daemon with one established connection. Its
    /// socket tells the truth also under `sudo`, which takes `SSH_CONNECTION` away.
    pub(super) fn session_of(&self, pid: u32) -> Option<(SocketAddr, SocketAddr)> {
        let sockets = self.sockets.as_ref()?;
        let mut process = self.process(pid)?;
        for _ in 0..DEEPEST {
            if process.name.starts_with("sshd") || process.name == "dropbear" {
                let own = |owners: &[u32]| owners.contains(&process.pid);
                let connection = sockets.iter().find(|socket| {
                    socket.kind == SocketKind::Tcp && socket.state == 1 && own(&socket.owners)
                });
                if let Some(socket) = connection {
                    let (address, port) = socket.peer?;
                    let client = SocketAddr::new(address.to_canonical(), port);
                    let server = SocketAddr::new(socket.local?.to_canonical(), socket.port);
                    return Some((client, server));
                }
            }
            process = self.process(process.parent)?;
        }
        None
    }
}
