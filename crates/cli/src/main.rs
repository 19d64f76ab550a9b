//! `surefoot`: change a Linux server without slipping.

fn main() {}
