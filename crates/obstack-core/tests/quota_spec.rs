//! `spec.quota`: what it is read as, and the words for what cannot be read.

#![cfg(test)]

mod common;

use obstack_api::{Preflight, Reason};
use obstack_core::{quantity::Amount, quota::Room, validate::validate};

fn room(cpu: &str, memory: &str, storage: &str) -> Room {
    let read = |text| Amount::parse(text).unwrap();
    Room { cpu: read(cpu), memory: read(memory), storage: read(storage) }
}

#[test]
fn a_silent_spec_warns_and_asks_for_whole_numbers_with_a_fifth_free() {
    let wish = common::valid(&common::small_with("")).quota;
    assert_eq!((wish.preflight, wish.headroom_percent), (Preflight::Warn, 20));
    assert_eq!((wish.round_up_to, wish.reserved), (room("1", "1Gi", "1Gi"), None));
}

#[test]
fn what_is_written_is_read_and_reserves_add_up() {
    let overlay = "spec: {quota: {preflight: Enforce, headroomPercent: 0, roundUpTo: {cpu: 2000m, storage: 32Gi}, \
                   reserve: [{name: a, cpu: 950m, memory: 3.3Gi}, {name: b, cpu: 1, storage: 2Gi}]}}";
    let wish = common::valid(&common::small_with(overlay)).quota;
    assert_eq!((wish.preflight, wish.headroom_percent), (Preflight::Enforce, 0));
    assert_eq!(wish.round_up_to, room("2", "1Gi", "32Gi"));
    assert_eq!(wish.reserved, Some(room("1950m", "3.3Gi", "2Gi")));
}

#[test]
fn what_cannot_be_read_is_named_by_field() {
    let check = |overlay: &str, reason: Reason, field: &str, words: &str| {
        let stack = common::small_with(&format!("spec: {{quota: {overlay}}}"));
        let faults = validate(&stack, &common::facts(&stack)).unwrap_err();
        let [fault] = faults.as_slice() else { panic!("{overlay}: {faults:#?}") };
        assert_eq!((fault.reason, fault.field.as_str()), (reason, field));
        assert!(fault.message.contains(words), "{}", fault.message);
    };
    let at = "spec.quota.reserve[1].memory";
    check("{reserve: [{name: a}, {name: b, memory: 3gb}]}", Reason::InvalidQuantity, at, "3gb");
    check("{roundUpTo: {cpu: many}}", Reason::InvalidQuantity, "spec.quota.roundUpTo.cpu", "many");
    check("{roundUpTo: {storage: 0}}", Reason::InvalidQuantity, "spec.quota.roundUpTo.storage", "is 0");
    check("{headroomPercent: 91}", Reason::InvalidSpec, "spec.quota.headroomPercent", "0 to 90");
    check("{headroomPercent: -1}", Reason::InvalidSpec, "spec.quota.headroomPercent", "0 to 90");
}

#[test]
fn the_samples_hold_everything_until_it_fits() {
    for environment in ["dev", "test", "prod"] {
        let wish = common::valid(&common::with(&common::sample(environment), "")).quota;
        assert_eq!(wish.preflight, Preflight::Enforce, "{environment}");
        assert_eq!(wish.reserved.is_some(), environment == "prod");
    }
}
