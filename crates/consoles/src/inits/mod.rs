//! One module an init system: which login prompts its files set up, and how they are changed.

pub(crate) mod busybox;
pub(crate) mod event_d;
pub(crate) mod inittab;
pub(crate) mod logind;
pub(crate) mod openrc;
pub(crate) mod runit;
pub(crate) mod sysconfig;
pub(crate) mod systemd;
pub(crate) mod sysvinit;
pub(crate) mod unit_files;
pub(crate) mod upstart;
