//! The lens of a configuration (ini): no panic, extents in order, printing gives back what was parsed.
//!
//! Seeds: .ini
//! Dictionary: config_lenses
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_bisect::ConfigLens;

#[path = "../../../crates/bisect/tests/lens_check/mod.rs"]
mod lens_check;

fuzz_target!(|text: &[u8]| lens_check::check_lens(ConfigLens::Ini, text));
