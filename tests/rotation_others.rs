//! Nobody else is hurt by a rotation, by the real program: names that live from a wildcard, records that nobody would be
//! served, and hosts that hang on the RRset by an alias without being in the configuration.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use std::fs;
use tlsa_rotate::dane::subject;
use tlsa_rotate::workspace::tls_key::KeyFiles;

use rotation_support::{BEGIN, HOSTS, Publish, World, ZONE_FILE, hours, live_key, without_tlsa};

/// A world whose zone text was changed.
fn shaped(publish: Publish, change: impl Fn(String) -> String) -> World {
    let zone = |text: String, _: &[_]| change(text);
    World::shaped(publish, |c| c, |root| vec![live_key(root)], zone)
}

/// The zone's text without mx1's TLSA records and addresses.
fn without_mx1(text: &str) -> String {
    let own = "mx1             IN A    192.0.2.25\n                IN AAAA 2001:db8::25\n";
    assert!(text.contains(own), "{text}");
    without_tlsa(&text.replace(own, ""), "_25._tcp.mx1")
}

#[test]
fn a_first_record_that_would_hurt_another_name_is_refused_before_a_key_is_made() {
    type Change = fn(String) -> String;
    let table: [(Change, &str); 3] = [
        (
            |text| without_mx1(&text) + "* IN A 192.0.2.25\n",
            "the change would hurt another name: mx1.example.com. A is 192.0.2.25 now, and nothing afterwards",
        ),
        (
            |text| without_tlsa(&text, "_25._tcp.mx1") + "*.mx1 IN TXT \"t\"\n",
            "the change would hurt another name: _tcp.mx1.example.com. TXT is \"t\" now, and nothing afterwards",
        ),
        (
            |text| without_tlsa(&text, "_25._tcp.mx1") + "mx1 IN DNAME elsewhere.example.net.\n",
            "_25._tcp.mx1.example.com. is an alias of _25._tcp.elsewhere.example.net., which lies in no configured zone",
        ),
    ];
    for (change, expected) in table {
        for publish in [Publish::Branch, Publish::File] {
            let world = shaped(publish, change);
            let before = world.files();
            for command in ["plan", "start"] {
                let refused = world.run(BEGIN, &[command, "mail"]).ends(1);
                refused.complains_of(expected);
            }
            assert!(before == world.files(), "nothing was made");
        }
    }
}

#[test]
fn with_an_address_of_its_own_the_host_gets_its_first_record() {
    let world = shaped(Publish::Current, |text| {
        without_mx1(&text) + "* IN A 192.0.2.25\n"
    });
    world.start(BEGIN).ends(1);
    let own = world.read(ZONE_FILE) + "mx1 IN A 192.0.2.25\n";
    world.write(ZONE_FILE, &own);
    world.git("commit --quiet --all --message own");
    world.start(BEGIN).ends(0);

    // Before it is published, somebody thinks that the wildcard does as well.
    world.write(ZONE_FILE, &own.replace("mx1 IN A 192.0.2.25\n", ""));
    world.git("commit --quiet --all --message lean");
    let refused = world.advance(BEGIN).ends(1);
    refused.complains_of("mx1.example.com. A is 192.0.2.25 now, and nothing afterwards");
    assert_eq!(world.tlsa(HOSTS[0]), Vec::<String>::new());

    world.write(ZONE_FILE, &own);
    world.git("commit --quiet --all --message own");
    world.advance(BEGIN).ends(0);
    assert_eq!(world.tlsa(HOSTS[0]).len(), 2);
    let address = "mx1.example.com. 3600 IN A 192.0.2.25";
    assert!(world.zone().iter().any(|line| line == address));
}

#[test]
fn hosts_that_hang_on_the_rrset_by_an_alias_are_named_before_a_key_is_made() {
    let address = "mx3 IN A 192.0.2.26\n";
    let table = [
        (
            "_25._tcp.mx3 IN CNAME _25._tcp.mx1\n",
            address,
            "mx3.example.com:25",
        ),
        (
            "_25._tcp.mx3 IN CNAME l\nl IN CNAME _25._tcp.mx1\n",
            address,
            "mx3.example.com:25",
        ),
        (
            "_25._tcp.mx3 IN CNAME _25._tcp.mx1\n",
            "@ IN MX 30 mx3\n",
            "mx3.example.com:25",
        ),
        (
            "_465._tcp.mx1 IN CNAME _25._tcp.mx1\n",
            "",
            "mx1.example.com:465",
        ),
        (
            "*._tcp.mx3 IN CNAME _25._tcp.mx1\n",
            address,
            "mx3.example.com:any port",
        ),
        ("_25._tcp.mx3 IN CNAME _25._tcp.mx1\n", "", ""),
        ("_25._tcp.mx3 IN CNAME www\n", address, ""),
        ("_25._udp.mx3 IN CNAME _25._tcp.mx1\n", address, ""),
        ("named.mx3 IN CNAME _25._tcp.mx1\n", address, ""),
    ];
    for (alias, more, place) in table {
        let world = shaped(Publish::Current, |text| format!("{text}{alias}{more}"));
        let before = world.files();
        if place.is_empty() {
            world.start(BEGIN).ends(0);
            continue;
        }
        let owner = alias.split(' ').next().unwrap();
        for command in ["plan", "start"] {
            let refused = world.run(BEGIN, &[command, "mail"]).ends(3);
            refused.complains_of(&format!(
                "{owner}.example.com. is an alias of the TLSA RRset at _25._tcp.mx1.example.com., where the keys of mail come and go, and mail does not have {place} among its hosts and ports"
            ));
        }
        assert!(before == world.files(), "nothing was made: {alias}");
    }
}

#[test]
fn a_key_stays_while_a_stranger_hangs_on_the_rrset() {
    let world = World::new(Publish::Current);
    let old = world.tlsa(HOSTS[0]);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(0);
    world.load();
    world.advance(hours(1)).ends(0);
    world.advance(hours(30)).ends(3);
    world.deploy(0);
    world.deploy(1);
    world.advance(hours(31)).ends(0);
    let text = world.read(ZONE_FILE);
    let alias = "mx3 IN A 192.0.2.26\n_25._tcp.mx3 IN CNAME _25._tcp.mx1\n";
    world.write(ZONE_FILE, &format!("{text}{alias}"));
    world.git("commit --quiet --all --message alias");
    let mut hour = 31;
    let refused = loop {
        hour += 4;
        let run = world.advance(hours(hour));
        world.load();
        if run.stderr.contains("is an alias of the TLSA RRset") {
            assert_eq!(run.code, Some(3), "{run:#?}");
            // What `status` says is what the run says.
            world.run(hours(hour), &["status"]).ends(3);
            break run;
        }
        assert!(hour < 120, "{run:#?}");
    };
    refused.complains_of("_25._tcp.mx3.example.com. is an alias of the TLSA RRset at");
    assert!(old.iter().all(|key| world.tlsa(HOSTS[0]).contains(key)));
    world.write(ZONE_FILE, &text);
    world.git("commit --quiet --all --message own");
    world.advance(hours(hour + 1));
    assert!(!old.iter().any(|key| world.tlsa(HOSTS[0]).contains(key)));
}

/// Another port of a host, which no certificate has, has records of the key in use alone: that key is not replaced until they
/// are ready or gone.
#[test]
fn another_port_of_a_host_that_is_not_ready_holds_the_swap() {
    let other = |text: String, live: &[KeyFiles]| {
        let chain = subject::read_chain(&fs::read(&live[0].certificate).unwrap()).unwrap();
        text + &format!("_465._tcp.mx1 IN TLSA {}\n", chain[0].spki_association())
    };
    let world = World::shaped(Publish::Branch, |c| c, |root| vec![live_key(root)], other);
    let (world, hour) = world.brought_to("Waiting");
    let later = hours(hour + 26);
    for arguments in [&["advance"][..], &["status"]] {
        let held = world.run(later, arguments).ends(3);
        let told = "mx1.example.com:465 has records of its own that list a key in use and not the next one";
        assert!(held.stdout.contains(told), "{held:#?}");
    }
    world.run(later, &["check", "--swap", "mail"]).ends(3);
    world.write(
        ZONE_FILE,
        &without_tlsa(&world.read(ZONE_FILE), "_465._tcp.mx1"),
    );
    world.git("commit --quiet --all --message gone");
    world.advance(later);
    world.load();
    world.advance(later);
    assert_eq!(world.step(later), "SwapOpen");
}
