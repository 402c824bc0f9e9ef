//! Breadth-first model check of the real `apply` and `decide`: people merge, revert and delay, servers lag and regress, hosts
//! change one chain at a time and go back, runs are missed and killed between writes, and no sender may ever refuse mail.
//!
//! `world` is what there is, `setting` what may happen, `machine` the machine under test, `judge` decides what is a refusal
//! and what is true, `faults` what the machine owes when an assumption does not hold, `explore` searches, `mutants` are the
//! weakened machines that must be caught, and `assumptions` what all this rests on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    missing_docs
)]

mod assumptions;
mod explore;
mod faults;
mod judge;
mod machine;
mod mutants;
mod setting;
mod sight;
mod world;

use explore::{Checked, check};
use mutants::{Mutant, Proof};
use setting::Setting;
use tlsa_rotate::rotation::step::Step;

/// Searches a setting: no story, no state without a way to an end, and exactly so many states.
#[track_caller]
fn holds(setting: Setting, states: usize) -> Checked {
    let begun = std::time::Instant::now();
    let checked = check(setting, Mutant::None, Proof::Untruth);
    println!(
        "{}: {} states of the world and the machine ({} of the machine alone), {} moves, {:.1} s\n  {:?}",
        setting.name,
        checked.states,
        checked.machine_states,
        checked.moves,
        begun.elapsed().as_secs_f32(),
        checked.reached
    );
    if let Some(story) = &checked.story {
        panic!(
            "{}: counter-example:\n  {}",
            setting.name,
            story.join("\n  ")
        );
    }
    if let Some(stuck) = &checked.stuck {
        panic!(
            "{}: no end from here:\n  {}",
            setting.name,
            stuck.join("\n  ")
        );
    }
    for end in [Step::Retired, Step::Aborted] {
        let may = end == Step::Retired || setting.ways_back;
        assert_eq!(
            checked.reached.contains_key(&end),
            may,
            "{}: {end}",
            setting.name
        );
    }
    assert_eq!(
        checked.states, states,
        "{}: a change of the machine shows here; explain it",
        setting.name
    );
    checked
}

#[test]
fn no_order_of_events_makes_a_sender_refuse_mail() {
    for line in assumptions::told() {
        println!("{line}");
    }
    holds(Setting::WHOLE, 26_061);
}

#[test]
fn a_key_on_standby_rests_and_is_safe() {
    holds(Setting::STANDBY, 6_008);
}

#[test]
fn no_gate_opens_on_a_signature_that_ends() {
    holds(Setting::SIGNATURES, 1_093);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn an_emergency_with_delivery_first_refuses_nothing() {
    holds(Setting::DELIVERY, 10_261);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn an_emergency_with_security_first_refuses_for_one_ttl_at_most() {
    let checked = holds(Setting::SECURITY, 25_493);
    assert!(checked.reached.contains_key(&Step::Replaced));
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn however_many_places_are_silent_nobody_is_refused() {
    holds(Setting::SILENCE, 14_293);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_ttl_that_is_raised_or_lowered_on_the_way_refuses_nothing() {
    holds(Setting::TTLS, 28_550);
}

#[test]
fn a_key_that_stays_keeps_its_record() {
    holds(Setting::STAYING, 4_736);
}

#[test]
fn one_certificate_in_two_zones_waits_for_both() {
    holds(Setting::ZONES, 3_655);
}

#[test]
fn what_others_object_holds_and_opens_nothing() {
    holds(Setting::OBJECTIONS, 5_388);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn what_cannot_be_prevented_is_said_and_made_no_worse() {
    holds(Setting::FAULTS, 49_464);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn every_weakened_machine_is_caught() {
    // The stories are shown when the test fails, or with --no-capture.
    let mut survivors = Vec::new();
    for (mutant, setting, proof) in mutants::ALL {
        let checked = check(*setting, *mutant, *proof);
        let story = checked.story.unwrap_or_default();
        println!(
            "{mutant:?} ({} states of {}):\n  {}",
            checked.states,
            setting.name,
            story.join("\n  ")
        );
        if story.is_empty() {
            survivors.push(*mutant);
        }
    }
    assert_eq!(survivors, [], "no counter-example was found");
}
