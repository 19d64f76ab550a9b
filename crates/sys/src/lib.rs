//! A safe API over the system calls that have none.
//!
//! All the `unsafe` of the workspace is here, each use argued. Nothing here decides anything.

mod memory;
mod namespace;
mod raw_socket;
mod tap;
mod xtables;

pub use memory::OrEnd;
pub use namespace::NetworkNamespace;
pub use raw_socket::RawSocket;
pub use tap::Tap;
pub use xtables::{Xtable, XtablesSocket};
