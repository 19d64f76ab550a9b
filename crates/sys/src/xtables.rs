//! The tables of `iptables-legacy` as the kernel holds them.
//!
//! One system call gives all rules of a table with their counters, where `iptables-legacy-save`
//! costs a process.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};

/// `IPT_SO_GET_INFO` and `IP6T_SO_GET_INFO`.
const GET_INFO: libc::c_int = 64;
/// `IPT_SO_GET_ENTRIES` and `IP6T_SO_GET_ENTRIES`.
const GET_ENTRIES: libc::c_int = 65;
/// `XT_TABLE_MAXNAMELEN`.
const NAME: usize = 32;
/// Where the entries begin in `struct ipt_get_entries`.
const HEADER: usize = 40;

/// `struct ipt_getinfo`, which `struct ip6t_getinfo` equals.
#[repr(C)]
#[derive(Default)]
struct Info {
    name: [u8; NAME],
    valid_hooks: u32,
    hook_entry: [u32; 5],
    underflow: [u32; 5],
    entries: u32,
    size: u32,
}

/// Asks the kernel for tables.
#[derive(Debug)]
pub struct XtablesSocket {
    socket: OwnedFd,
    v6: bool,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xtable {
    /// For each hook (prerouting, input, forward, output, postrouting) that the table sees: the
    /// offset of its chain's first entry and that of its policy.
    pub hooks: [Option<(usize, usize)>; 5],
    /// All entries: `struct ipt_entry` or `struct ip6t_entry`, one behind the other.
    pub entries: Vec<u8>,
}

impl XtablesSocket {
    /// Opens one for the tables of IPv4 or IPv6 in the calling thread's namespace.
    pub fn new(v6: bool) -> io::Result<Self> {
        let family = if v6 {
            AddressFamily::INET6
        } else {
            AddressFamily::INET
        };
        let socket = rustix::net::socket_with(
            family,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(ipproto::RAW),
        )?;
        Ok(Self { socket, v6 })
    }

    /// A table by its name. Asking for one that was not loaded loads it.
    pub fn table(&self, name: &str) -> io::Result<Xtable> {
        let mut info = Info::default();
        if name.len() >= NAME {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        info.name[..name.len()].copy_from_slice(name.as_bytes());
        // SAFETY: `info` is plain numbers with the layout of `struct ipt_getinfo`, of which the
        // kernel writes at most the size that `get` passes.
        unsafe { self.get(GET_INFO, (&raw mut info).cast(), size_of::<Info>()) }?;
        let size = usize::try_from(info.size).map_err(io::Error::other)?;
        let mut answer = vec![0_u8; HEADER + size];
        answer[..NAME].copy_from_slice(&info.name);
        answer[NAME..NAME + 4].copy_from_slice(&info.size.to_ne_bytes());
        // SAFETY: the buffer holds `struct ipt_get_entries` with room for `size` bytes of entries,
        // and the kernel refuses if that is not the table's size.
        unsafe { self.get(GET_ENTRIES, answer.as_mut_ptr().cast(), HEADER + size) }?;
        answer.drain(..HEADER);
        let mut hooks = [None; 5];
        for (at, hook) in hooks.iter_mut().enumerate() {
            if info.valid_hooks >> at & 1 == 1 {
                let offset = |number| usize::try_from(number).map_err(io::Error::other);
                *hook = Some((offset(info.hook_entry[at])?, offset(info.underflow[at])?));
            }
        }
        Ok(Xtable {
            hooks,
            entries: answer,
        })
    }

    /// # Safety
    /// `buffer` must be valid for reads and writes of `size` bytes.
    unsafe fn get(
        &self,
        option: libc::c_int,
        buffer: *mut libc::c_void,
        size: usize,
    ) -> io::Result<()> {
        let level = if self.v6 {
            libc::IPPROTO_IPV6
        } else {
            libc::IPPROTO_IP
        };
        let mut length = libc::socklen_t::try_from(size).map_err(io::Error::other)?;
        // SAFETY: the caller vouches for `buffer`; `length` lives until the call is over.
        let done = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                level,
                option,
                buffer,
                &raw mut length,
            )
        };
        if done < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}
