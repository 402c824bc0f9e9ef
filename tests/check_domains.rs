//! `check` of mail domains that somebody else keeps and whose mail our hosts take: looked up and judged as senders do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, Publish, Run, World, hours};
use tlsa_rotate::zone::content::Zone;

/// A world whose certificate's hosts take mail for a domain of a customer's.
fn world() -> World {
    let named = |config: String| {
        config.replace(
            "[[certificate]]",
            "[[certificate]]\ndomains = [\"customer.test\"]",
        )
    };
    let world = World::with(Publish::File, named);
    for directory in ["theirs", "others"] {
        let key = ["key", "generate", "customer.test", "--keys", directory];
        world.run(BEGIN, &key).ends(0);
    }
    let ds = |zone, keys| {
        let ds = world.run(BEGIN, &["key", "ds", zone, "--keys", keys]);
        ds.ends(0).stdout
    };
    let anchors = ds("example.com", "keys") + &ds("customer.test", "theirs");
    world.write("anchors", &anchors);
    world.write("ours", &ds("example.com", "keys"));
    world
}

/// Makes the customer's zone what these records are, with the keys in a directory or without signatures.
fn keep(world: &World, records: &str, keys: Option<&str>) {
    let front = "$ORIGIN customer.test.\n$TTL 3600\n@ SOA ns h 1 7200 3600 604800 300\n@ NS ns\nns A 192.0.2.1\n";
    world.write("customer", &format!("{front}{records}"));
    let served = if let Some(keys) = keys {
        let sign = [
            "zone", "sign", "customer", "--keys", keys, "--output", "c.signed",
        ];
        world.run(BEGIN, &sign).ends(0);
        "c.signed"
    } else {
        "customer"
    };
    world.serve(0, Zone::parse(world.read(served).as_bytes(), None).unwrap());
}

fn check(world: &World, anchors: &str) -> Run {
    let resolver = world.server(0);
    let arguments = ["check", "--resolver", &resolver, "--trust-anchor", anchors];
    world.run(hours(1), &arguments)
}

/// Records, the keys that sign them, the exit code, what is said, and why.
type Row = (
    &'static str,
    Option<&'static str>,
    i32,
    &'static [&'static str],
    &'static str,
);

#[test]
fn a_domain_kept_elsewhere_is_judged_as_senders_do() {
    let world = world();
    #[rustfmt::skip]
    let table: [Row; 6] = [
        ("@ MX 10 mx1.example.com.\n", Some("theirs"), 0,
            &["nothing to do, 1 to consider (1 zone, 2 mail domains, 2 hosts)"], "all is well"),
        ("@ MX 10 mx1.example.com.\n", None, 0,
            &["advice   customer.test MX: the MX RRset is not secure", "ask whoever keeps the domain to sign it"], "not signed: theirs to do"),
        ("@ MX 10 mx1.example.com.\n", Some("others"), 4,
            &["AT RISK  customer.test MX: "], "a DS of other keys: senders defer"),
        ("@ MX 10 mx.old.test.\n", Some("theirs"), 3,
            &["you      customer.test MX: its mail goes to mx.old.test, and to none of the hosts here",
              "or take it out of `domains`"], "the mail goes elsewhere"),
        ("@ A 192.0.2.9\n", Some("theirs"), 3,
            &["you      customer.test MX: its mail goes to customer.test, and to none"], "no MX"),
        ("@ MX 0 .\n", Some("theirs"), 3,
            &["you      customer.test MX: its mail goes to nobody, and to none"], "a null MX"),
    ];
    for (records, keys, code, expected, why) in table {
        keep(&world, records, keys);
        // Without an anchor or a DS, what is not signed is nobody's fault.
        let anchors = if keys.is_some() { "anchors" } else { "ours" };
        let run = check(&world, anchors);
        assert_eq!(run.code, Some(code), "{why}: {run:#?}");
        for text in expected {
            assert!(run.stdout.contains(text), "{why}: {text}: {run:#?}");
        }
        // Whose mail does not come here has hosts that are none of our business.
        assert!(!run.stdout.contains("mx.old.test:25"), "{why}: {run:#?}");
        assert_eq!(
            run.stdout.contains("customer.test"),
            code + i32::from(keys.is_none()) > 0,
            "{why}: {run:#?}"
        );
    }
}

/// A host that only the customer's domain leads to is spoken to as well.
#[test]
fn the_other_hosts_of_the_domain_are_looked_at() {
    let world = world();
    let records = "@ MX 10 mx1.example.com.\n@ MX 20 spare\nspare A 127.9.9.9\n";
    keep(&world, records, Some("theirs"));
    let run = check(&world, "anchors").ends(3);
    let bare = "you      spare.customer.test:25";
    assert!(run.stdout.contains(bare), "{run:#?}");
}
