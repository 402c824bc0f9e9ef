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

mod ages;
mod around;
mod assumptions;
mod begun;
mod changes;
mod ends;
mod explore;
mod faults;
mod judge;
mod machine;
mod moves;
mod mutants;
mod setting;
mod settings;
mod sight;
mod weakened;
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
        let may = end == Step::Retired || setting.may_give_up();
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
    holds(Setting::WHOLE, 31_600);
}

#[test]
fn a_key_on_standby_rests_and_is_safe() {
    holds(Setting::STANDBY, 7_800);
}

#[test]
fn no_gate_opens_on_a_signature_that_ends() {
    holds(Setting::SIGNATURES, 7_708);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn an_emergency_with_delivery_first_refuses_nothing() {
    holds(Setting::DELIVERY, 13_664);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn an_emergency_with_security_first_refuses_for_one_ttl_at_most() {
    let checked = holds(Setting::SECURITY, 41_968);
    assert!(checked.reached.contains_key(&Step::Replaced));
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn however_many_places_are_silent_nobody_is_refused() {
    holds(Setting::SILENCE, 19_544);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_ttl_that_is_raised_or_lowered_on_the_way_refuses_nothing() {
    holds(Setting::TTLS, 39_537);
}

#[test]
fn a_key_that_stays_keeps_its_record() {
    holds(Setting::STAYING, 6_506);
}

#[test]
fn one_certificate_in_two_zones_waits_for_both() {
    holds(Setting::ZONES, 4_898);
}

#[test]
fn what_others_object_holds_and_opens_nothing() {
    holds(Setting::OBJECTIONS, 7_648);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn what_cannot_be_prevented_is_said_and_made_no_worse() {
    holds(Setting::FAULTS, 75_060);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn what_servers_answered_with_is_said_until_caches_have_dropped_it() {
    holds(Setting::STRAYS, 118_584);
}

#[test]
fn servers_come_and_go() {
    holds(Setting::SERVERS, 12_978);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn servers_come_and_go_on_the_way_back() {
    holds(Setting::SERVERS_BACK, 19_911);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_server_that_had_left_before_is_waited_for() {
    holds(Setting::SERVER_HAD_LEFT, 24_244);
}

#[test]
fn a_host_that_joins_waits_for_itself_and_one_that_leaves_holds_nothing_up() {
    holds(Setting::JOINS, 12_718);
}

#[test]
fn a_first_rrset_is_published_only_where_its_host_matches_it() {
    holds(Setting::STRANGERS, 3_492);
}

#[test]
fn a_host_that_shares_an_rrset_counts_until_no_mail_goes_there() {
    holds(Setting::SHARED, 7_472);
}

#[test]
fn a_host_that_joins_the_rrset_of_others_counts_at_once() {
    holds(Setting::SHARED_JOINS, 8_676);
}

#[test]
fn a_host_of_another_certificate_keeps_the_record_it_needs() {
    holds(Setting::OTHERS, 445);
}

#[test]
fn whoever_dies_and_whichever_key_is_lost_there_is_an_end() {
    holds(Setting::LOSSES, 8_625);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn whoever_dies_in_an_emergency_there_is_an_end() {
    holds(Setting::LOSSES_SECURITY, 55_509);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn whatever_hosts_do_there_is_an_end_and_nobody_is_refused() {
    holds(Setting::ALL_HOSTS, 23_965);
}

#[test]
fn an_address_counts_until_it_has_run_out() {
    holds(Setting::ADDRESSES, 8_576);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn an_address_counts_until_it_has_run_out_and_silence_is_no_yes() {
    holds(Setting::ADDRESSES_SILENT, 25_872);
}

#[test]
fn a_ttl_from_before_is_waited_for() {
    holds(Setting::TTL_BEFORE, 185);
}

#[test]
fn servers_behind_one_address_all_count() {
    holds(Setting::BALANCED, 1_085);
}

#[test]
fn a_host_that_goes_back_at_the_last_moment_keeps_its_record() {
    holds(Setting::RESTORES, 950);
}

#[test]
fn a_soak_that_nobody_saw_is_none() {
    holds(Setting::LOOKS, 3_348);
}

#[test]
fn signatures_of_a_day_serve_where_they_are_renewed() {
    holds(Setting::DAY, 5_870);
}

#[test]
fn names_leave_dane_from_anywhere() {
    holds(Setting::LEAVING, 633);
}

#[test]
fn every_weakened_machine_of_a_changing_world_is_caught() {
    all_are_caught(mutants::CHANGING);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn every_weakened_machine_is_caught() {
    all_are_caught(mutants::ALL);
}

fn all_are_caught(mutants: &[(Mutant, Setting, Proof)]) {
    // The stories are shown when the test fails, or with --no-capture.
    let mut survivors = Vec::new();
    for (mutant, setting, proof) in mutants {
        let checked = check(*setting, *mutant, *proof);
        let story = checked.story.or(checked.stuck).unwrap_or_default();
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
