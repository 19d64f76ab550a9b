//! Unix sockets that are listened at, with the connections that wait there (`linux/unix_diag.h`).

use std::io;

use rustix::net::netlink::SOCK_DIAG;

use super::netlink::{attributes, dump, u8_at, u32_at};
use crate::Host;

/// A unix socket that is listened at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixListener {
    /// The number of the socket.
    pub inode: u64,
    /// Its name in the file system.
    pub path: String,
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// How many may wait.
    pub most: u32,
}

impl Host {
    /// Reads the unix sockets of this network that are listened at under a name in the file system.
    pub fn live_unix_listeners() -> io::Result<Vec<UnixListener>> {
        const BY_FAMILY: u16 = 20;
        const FAMILY: u8 = 1;
        const LISTEN: u32 = 1 << 10;
        // `UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN`
        const SHOW: u32 = 0x11;
        // `struct unix_diag_req`
        let mut request = [0; 24];
        request[0] = FAMILY;
        request[4..8].copy_from_slice(&LISTEN.to_ne_bytes());
        request[12..16].copy_from_slice(&SHOW.to_ne_bytes());
        let list = dump(Some(SOCK_DIAG), BY_FAMILY, &request, |kind, body| {
            (kind == BY_FAMILY).then(|| read_listener(body)).flatten()
        })?;
        Ok(list.items)
    }
}

/// `struct unix_diag_msg` with its attributes.
fn read_listener(body: &[u8]) -> Option<UnixListener> {
    const NAME: u16 = 0;
    const QUEUE: u16 = 4;
    const STREAM_IS_LISTENED_AT: u8 = 10;
    if u8_at(body, 2)? != STREAM_IS_LISTENED_AT {
        return None;
    }
    let mut found = UnixListener {
        inode: u64::from(u32_at(body, 4)?),
        path: String::new(),
        waiting: 0,
        most: 0,
    };
    for (kind, value) in attributes(body, 16) {
        match kind {
            NAME => {
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                found.path = String::from_utf8_lossy(name).into_owned();
            }
            QUEUE => {
                found.waiting = u32_at(value, 0)?;
                found.most = u32_at(value, 4)?;
            }
            _ => {}
        }
    }
    // One of the abstract names begins with a zero byte, and has no file.
    (!found.path.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_at_a_socket_is_counted() {
        let folder = std::env::temp_dir().join(format!("unix queue {}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a b.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let clients: Vec<_> = (0..3)
            .map(|_| std::os::unix::net::UnixStream::connect(&path).unwrap())
            .collect();
        let all = Host::live_unix_listeners().unwrap();
        let found = all.iter().find(|it| it.path == path.display().to_string());
        std::fs::remove_dir_all(&folder).unwrap();
        let found = found.expect("it is listed");
        assert_eq!(found.waiting, 3);
        assert!(found.most >= 3, "{found:?}");
        drop((listener, clients));
    }
}
