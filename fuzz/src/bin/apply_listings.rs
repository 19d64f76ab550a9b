//! Listings of rules in force: no panic, nothing is another than itself, and what is put together again is the same.
//!
//! Seeds: .nft .v4 .ipset
//! Dictionary: nft
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use surefoot_apply::{FlushWishes, RuleState, dialed_address, emptied_rules, frame_risks, is_written_by_hand};
use surefoot_host::RulesOrigin;

fn state_of(origin: RulesOrigin, text: &str) -> RuleState {
    RuleState::of_listings(&BTreeMap::from([(origin, text.to_owned())]))
}

fuzz_target!(|text: &str| {
    let ends = ("192.0.2.9:40000".parse().expect("an address"), "192.0.2.1:22".parse().expect("an address"));
    let _ = (is_written_by_hand(text), dialed_address(text, ends));
    for origin in [RulesOrigin::Nft, RulesOrigin::IptablesLegacy, RulesOrigin::IptablesNft, RulesOrigin::Ipset] {
        let state = state_of(origin, text);
        assert_eq!(state.changed_units(&state), []);
        let empty = RuleState::default();
        let keys = empty.changed_units(&state);
        assert_eq!(empty.with_units_of(&state, &keys).changed_units(&state), []);
        let _ = frame_risks(&empty, &state, &keys);
        for input in state.inputs() {
            let again = state_of(origin, &input.text);
            assert_eq!(again.changed_units(&state), [], "{origin:?}");
        }
        for wishes in [FlushWishes::default(), FlushWishes { accept: true, nat: true }] {
            let _ = emptied_rules(&state, wishes);
        }
    }
});
