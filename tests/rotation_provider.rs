//! A provider whose program does something else than it was asked for: what it took away is put back at once, and nothing more
//! is asked of it until a person says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::external::keep_by_a_provider;
use rotation_support::{BEGIN, Publish, World, hours};

/// The program: it keeps the zone in `held`, and does what `mode` says with each RRset that it is asked to change.
const PROVIDER: &str = r"
import json, sys
asked = json.load(sys.stdin)
mode = open('mode').read().strip()
rows = [line.split(None, 4) for line in open('held')]
key = lambda r: (r['name'].lower(), r['type'])
held = lambda k: [row[4].strip() for row in rows if (row[0].lower(), row[3]) == k]
if asked['action'] == 'change':
    for r in asked['rrsets']:
        if sorted(held(key(r))) != sorted(r['before']):
            sys.exit(3)
    if mode != 'deaf':
        for r in asked['rrsets']:
            after = r['after'][-1:] if mode == 'last' else [] if mode == 'none' else r['after']
            rows = [row for row in rows if (row[0].lower(), row[3]) != key(r)]
            rows += [[r['name'], str(r['ttl']), 'IN', r['type'], data] for data in after]
        open('held', 'w').writelines(' '.join(row).strip() + '\n' for row in rows)
found = []
for r in asked['rrsets']:
    ttls = [int(row[1]) for row in rows if (row[0].lower(), row[3]) == key(r)]
    if ttls:
        found.append({'name': r['name'], 'type': r['type'], 'ttl': ttls[0], 'records': held(key(r))})
print(json.dumps({'rrsets': found}))
";

/// A world whose zone a provider keeps and signs; its servers answer with what it was signed as at the beginning.
fn world(mode: &str) -> World {
    let world = World::new(Publish::File);
    world.advance(BEGIN);
    world.load();
    let plain = world.run(BEGIN, &["zone", "normalize", "example.com.zone"]);
    world.write("held", &plain.ends(0).stdout);
    world.write("provider", PROVIDER);
    world.write("mode", mode);
    keep_by_a_provider(&world);
    world
}

/// The TLSA records that the provider holds of a host.
fn held(world: &World, host: &str) -> Vec<String> {
    let owner = format!("_25._tcp.{host}.example.com. ");
    let text = world.read("held");
    let lines = text.lines().map(|line| line.replace('\t', " "));
    let mut held: Vec<String> = lines.filter(|line| line.starts_with(&owner)).collect();
    held.sort();
    held
}

#[test]
fn what_a_provider_took_away_is_put_back_and_nothing_more_is_asked_until_a_person_says_so() {
    let world = world("last");
    let before = [held(&world, "mx1"), held(&world, "mx2")];
    assert_eq!(before[0].len(), 1, "{before:?}");
    world.start(BEGIN).ends(0);
    let run = world.advance(BEGIN).ends(4);
    run.complains_of("what was there before was put back");
    assert_eq!([held(&world, "mx1"), held(&world, "mx2")], before);
    let text = world.read("held");
    for hour in 1..4 {
        for arguments in [&["advance"][..], &["status"]] {
            let run = world.run(hours(hour), arguments).ends(3);
            run.complains_of("the provider of example.com. is asked for no change any more");
            run.complains_of("put back");
            assert!(
                run.stderr
                    .contains("tlsa-rotate zone continue example.com. --provider"),
                "{run:#?}"
            );
        }
        assert_eq!(world.read("held"), text, "nobody was asked");
    }
    world.write("mode", "right");
    let go_on = ["zone", "continue", "example.com", "--provider"];
    let said = world.run(hours(4), &go_on).ends(0);
    assert_eq!(said.stdout, "example.com. may be changed again\n");
    world.run(hours(4), &["advance"]);
    for host in ["mx1", "mx2"] {
        assert_eq!(held(&world, host).len(), 2);
    }
    let twice = world.run(hours(4), &go_on).ends(0);
    assert_eq!(
        twice.stdout,
        "example.com. was not halted: nothing is changed\n"
    );
}

#[test]
fn what_cannot_be_put_back_is_told_with_the_records_that_are_missing() {
    let world = world("none");
    let before = held(&world, "mx1");
    world.start(BEGIN).ends(0);
    let run = world.advance(BEGIN).ends(4);
    run.complains_of("could not be put back");
    let record = before[0].split_once(" TLSA ").unwrap().1;
    assert!(
        run.stderr
            .contains(&format!("put these records back by hand now: {record}")),
        "{run:#?}"
    );
}

#[test]
fn a_change_that_was_not_made_is_not_asked_for_again_and_again() {
    let world = world("deaf");
    world.start(BEGIN).ends(0);
    world
        .advance(BEGIN)
        .ends(3)
        .complains_of("was asked for _25._tcp.mx1.example.com. TLSA");
    world
        .advance(hours(1))
        .ends(3)
        .complains_of("is asked for no change any more");
}

#[test]
fn before_the_first_rotation_check_asks_a_provider_for_what_is_there() {
    let check = ["check", "mail"];
    let told = |world: &World| {
        let run = world.run(BEGIN, &check);
        run.stdout
            .lines()
            .any(|line| line.contains("the provider's program did not"))
    };
    let right = world("right");
    let text = right.read("held");
    assert!(!told(&right));
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(|l| l.replace('\t', " ")).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&right.read("held")), lines(&text));
    let wrong = world("none");
    assert!(told(&wrong));
    let again = wrong.run(BEGIN, &check);
    assert!(
        again.stdout.contains("is asked for no change any more"),
        "as long as nobody says that it was mended: {again:#?}"
    );
    // At a time that somebody named nobody is asked.
    let rehearsed = world("none");
    let config = rehearsed.read("tlsa-rotate.toml");
    rehearsed.write(
        "tlsa-rotate.toml",
        &config.replace("rehearsal = true", "rehearsal = false"),
    );
    assert!(!told(&rehearsed));
}
