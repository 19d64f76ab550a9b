//! What `surefoot diagnose` reads of targets, environments, programs, units and logs of packages: no panic, and a URL is printed as it is read.
//!
//! Seeds: .env
//! Dictionary: diagnose_texts
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_diagnose::discover::{
    PackageLog, WrittenAddress, addresses_in_program, dsn_of_variables, dsn_of_word,
    read_journald_line, read_package_log, read_unit, read_unit_states, variables_of_text,
};
use surefoot_diagnose::{AskedTarget, HopAddress, parse_target};

fuzz_target!(|text: &str| {
    if let Ok(AskedTarget::Url(url)) = parse_target(text) {
        assert_eq!(parse_target(&url.text()), Ok(AskedTarget::Url(url)));
    }
    let _ = WrittenAddress::read(text, Some(80));
    let _ = dsn_of_word(text);
    let _ = dsn_of_variables(&variables_of_text(text));
    let _ = addresses_in_program(text);
    let _ = read_journald_line(text);
    let _ = read_unit_states(text);
    for log in [
        PackageLog::Dpkg,
        PackageLog::Dnf,
        PackageLog::Pacman,
        PackageLog::Zypper,
    ] {
        let _ = read_package_log(log, text, 1_795_773_603);
    }
    let unit = read_unit("a@b.service", &[("f".to_owned(), text.to_owned())]);
    let environment = unit.environment(&[text.to_owned()]);
    let _ = unit.line_for(&HopAddress::Tcp(([127, 0, 0, 1], 80).into()), &environment);
});
