//! What `advance` begins and holds back by itself: standby keys, keys that are due, and hosts of one MX set in turn.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, Publish, Run, World, hours, live_key};
use std::fs;
use std::path::Path;

fn with_policy(line: &str) -> World {
    World::with(Publish::Current, |config| {
        config.replacen("[policy]\n", &format!("[policy]\n{line}\n"), 1)
    })
}

/// The line of the last run for a certificate.
fn line<'r>(run: &'r Run, beginning: &str) -> &'r str {
    let mut lines = run.stdout.lines();
    lines
        .find(|l| l.starts_with(beginning))
        .unwrap_or_else(|| panic!("{run:#?}"))
}

#[test]
fn a_standby_key_is_published_always_and_rests_until_it_is_let_go() {
    let world = with_policy("standby = true");
    assert_eq!(world.step(BEGIN), "Prepublishing", "the first run began it");
    world.load();
    world.advance(hours(1)).ends(0);
    let rests = world.advance(hours(26)).ends(0);
    assert_eq!(
        line(&rests, "mail.1"),
        "mail.1: SwapOpen (SwapOpened); next: wait: the next key is published and rests until a person lets it go"
    );
    world.advance(hours(5000));
    world.load();
    world.advance(hours(5000)).ends(0);
    assert_eq!(world.step(hours(5000)), "SwapOpen", "for months");
    world
        .start(hours(5000))
        .ends(1)
        .complains_of("is under way");
    let go = world.run(hours(5000), &["deploy", "mail"]).ends(3);
    assert!(
        go.stdout.contains("install the next certificate"),
        "{go:#?}"
    );
    world.deploy(0);
    world.deploy(1);
    for hour in (5001..=5026).step_by(5) {
        world.advance(hours(hour)).ends(0);
    }
    world.load();
    world.advance(hours(5027)).ends(0);
    assert_eq!(world.step(hours(5027)), "Retired");
    // The live files are still those of the retired key: said, and nothing is begun with them.
    world
        .advance(hours(5028))
        .ends(1)
        .complains_of("that mail.1 retired");
    fs::copy(
        world.path("keys/tls/mail.1/ecdsa-p256.cert.pem"),
        world.path("live/fullchain.pem"),
    )
    .unwrap();
    let next = world.advance(hours(5029)).ends(0);
    assert!(
        next.stderr
            .contains("began mail.2: policy standby keeps the next key published"),
        "{next:#?}"
    );
    assert!(
        line(&next, "mail.2").starts_with("mail.2: Prepublishing"),
        "{next:#?}"
    );
    assert_eq!(world.tlsa("mx1.example.com").len(), 2);
}

#[test]
fn a_standby_key_goes_when_the_live_one_is_due() {
    // The live certificate of the world is made at the beginning, so that is when its key came into use.
    let world = with_policy("standby = true\nmax_age = \"10d\"");
    world.load();
    world.advance(hours(1)).ends(0);
    let rests = world.advance(hours(26)).ends(0);
    assert!(
        line(&rests, "mail.1").ends_with("next: wait until 2026-12-11T08:00:00Z"),
        "{rests:#?}"
    );
    let plan = world.run(hours(26), &["plan"]).ends(0).stdout;
    assert!(
        plan.contains("\n6 WATCH                        from Fri 11 Dec 2026 08:00 UTC"),
        "{plan}"
    );
    world.advance(hours(239)).ends(0);
    let due = world.advance(hours(240)).ends(3);
    assert!(
        line(&due, "mail.1").starts_with("mail.1: SwapOpen (DeploymentReleased); next: you: mx1"),
        "{due:#?}"
    );
}

#[test]
fn without_standby_a_rotation_begins_when_the_key_is_due() {
    for (policy, hour, why) in [
        (
            "max_age = \"10d\"",
            240,
            "the key in use has reached policy max_age",
        ),
        (
            "renew_before = \"100d\"",
            24 * 1000, // the certificate lasts three years
            "the certificate in use is within policy renew_before of its end",
        ),
    ] {
        let world = with_policy(policy);
        world.advance(hours(239)).ends(0);
        assert_eq!(world.facts(), [""; 0], "{policy}");
        let rehearsed = world.run(hours(hour), &["advance", "--dry-run"]);
        assert!(
            rehearsed
                .stderr
                .contains(&format!("would begin mail.1: {why}")),
            "{rehearsed:#?}"
        );
        assert_eq!(world.facts(), [""; 0], "{policy}");
        let begun = world.advance(hours(hour));
        assert!(
            begun.stderr.contains(&format!("began mail.1: {why}")),
            "{begun:#?}"
        );
        // What was given up is not begun again at once, and not left for ever: the day of the next is told.
        world.run(hours(hour), &["abort", "mail"]);
        world.load();
        world.advance(hours(hour + 1));
        let given_up = world.run(hours(hour + 2), &["status", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&given_up.stdout).unwrap();
        let since = &json["rotations"][0]["rotation"]["since"];
        let mut close = hour..hour + 3;
        let aborted = close.find(|at| hours(*at).to_string() == *since).unwrap();
        let again = aborted + 24;
        let told = world.run(hours(hour + 2), &["status", "mail"]).stdout;
        let next = format!(
            "the next rotation begins by itself on {}: {why}",
            hours(again)
        );
        assert!(told.contains(&next), "{told}");
        world.advance(hours(again - 1));
        assert_eq!(world.step(hours(again - 1)), "Aborted", "{policy}");
        let begun = world.advance(hours(again));
        assert!(
            begun.stderr.contains(&format!("began mail.2: {why}")),
            "{begun:#?}"
        );
        // Where a person says so, it is left.
        let held = world.run(hours(hour + 26), &["abort", "mail", "--hold"]);
        assert_eq!(held.code.unwrap() & !3, 0, "{held:#?}");
        world.load();
        world.advance(hours(hour + 27));
        world.advance(hours(hour + 900));
        let held = world.run(hours(hour + 900), &["status", "mail"]);
        assert!(
            held.stdout
                .contains("no rotation begins by itself: the last was given up with `--hold`"),
            "{held:#?}"
        );
        assert_eq!(world.step(hours(hour + 900)), "Aborted", "{policy}");
        world.start(hours(hour + 901)).ends(0);
    }
}

#[test]
fn an_abort_can_hold_the_cadence_afterwards_too() {
    let world = with_policy("standby = true\nretry_after_abort = \"2d\"");
    world.advance(BEGIN);
    world.run(hours(1), &["abort", "mail"]);
    world.load();
    world.advance(hours(2));
    let next = format!(
        "the next rotation begins by itself on {}: policy standby keeps the next key published",
        hours(50)
    );
    let told = world.run(hours(3), &["status", "mail"]);
    assert!(told.stdout.contains(&next), "{told:#?}");
    let json = world.run(hours(3), &["status", "--format", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rotations"][0]["begins"]["at"], hours(50).to_string());
    let held = world.run(hours(4), &["abort", "mail", "--hold"]).ends(0);
    assert!(held.stdout.contains("given up with `--hold`"), "{held:#?}");
    world.advance(hours(51)).ends(0);
    assert_eq!(world.step(hours(51)), "Aborted");
    world.run(hours(52), &["abort", "mail"]).ends(1);
}

/// The certificate in use lasts three years. A standby key whose installation was forgotten is told while there is time.
#[test]
fn a_standby_key_that_nobody_installs_is_told_before_the_certificate_ends() {
    let world = with_policy("standby = true\ndeadline_notice = \"10d\"");
    world.advance(BEGIN);
    world.load();
    world.advance(hours(1)).ends(0);
    world.advance(hours(26)).ends(0);
    let status = world.run(hours(26), &["status", "mail"]).ends(0);
    let told = "  deadline   install by 20";
    assert!(status.stdout.contains(told), "{status:#?}");
    let end = 24 * 3 * 365;
    world.advance(hours(end - 24 * 11)).ends(0);
    world.load();
    let near = world.run(hours(end - 24 * 9), &["status", "mail"]).ends(3);
    assert!(
        near.stdout.contains("(soon)") && near.stdout.contains("RFC 7671 §5.1"),
        "{near:#?}"
    );
    let asked = world.advance(hours(end - 24 * 9)).ends(3);
    assert!(
        line(&asked, "mail.1").contains("; install by 20"),
        "{asked:#?}"
    );
}

/// Two hosts with a certificate each, and this line in both tables; both rotations are ready to swap at hour 30.
fn two_certificates(line: &str, zone: impl Fn(String) -> String) -> World {
    let config = |config: String| {
        let (front, certificate) = config.split_once("[[certificate]]").unwrap();
        let (first, second) = ("[\"mx1.example.com\"]", "[\"mx2.example.com\"]");
        let both = "[\"mx1.example.com\", \"mx2.example.com\"]";
        assert!(certificate.contains(both));
        let addresses = certificate
            .lines()
            .find(|l| l.starts_with("addresses"))
            .unwrap();
        let certificate = certificate.replace(addresses, "");
        let (one, two) = addresses
            .trim_start_matches("addresses = {")
            .trim_end_matches('}')
            .split_once(", ")
            .unwrap();
        let table = |name: &str, hosts: &str, address: &str| {
            let command = format!(
                "deploy = {{ command = [\"sh\", \"-c\", \"echo {name} $TLSA_ROTATE_HOSTS >> ran\"] }}"
            );
            let table = certificate
                .replace("name = \"mail\"", &format!("name = \"{name}\""))
                .replace(both, hosts)
                .replace("deploy = { manual = true }", &command);
            format!("[[certificate]]\n{line}\naddresses = {{ {address} }}{table}\n")
        };
        format!(
            "{front}{}{}",
            table("mail", first, one),
            table("other", second, two)
        )
    };
    let in_use = |root: &Path| vec![live_key(root)];
    let world = World::shaped(Publish::Current, config, in_use, |text, _| zone(text));
    world.start(BEGIN).ends(0);
    world.run(BEGIN, &["start", "other"]).ends(0);
    for hour in [0, 1, 2] {
        world.advance(hours(hour));
        world.load();
    }
    world
}

#[test]
fn two_certificates_of_one_mx_set_take_turns() {
    let without_mx = |text: String| {
        let lines = text.lines().filter(|line| !line.contains("IN MX"));
        lines.fold(String::new(), |text, line| text + line + "\n")
    };
    in_turns(&two_certificates("", |text| text));
    // Of a domain that somebody else keeps, the configuration alone says whose hosts it uses.
    let customer = "domains = [\"customer.test\"]";
    in_turns(&two_certificates(customer, without_mx));
    let apart = two_certificates("", without_mx);
    apart.advance(hours(30)).ends(3);
    let both = "mail mx1.example.com\nother mx2.example.com\n";
    assert_eq!(apart.read("ran"), both, "no mail depends on both");
}

fn in_turns(world: &World) {
    let open = world.advance(hours(30)).ends(3);
    assert_eq!(world.read("ran"), "mail mx1.example.com\n", "{open:#?}");
    assert!(
        line(&open, "other.1")
            .contains("next: others: other hosts of the same MX set are being deployed"),
        "{open:#?}"
    );
    assert!(
        open.stderr.contains(
            "note: other: hosts of the same MX set are being deployed by the rotation of mail"
        ),
        "{open:#?}"
    );
    world.deploy(0);
    world.advance(hours(31)).ends(3);
    assert_eq!(
        world.read("ran"),
        "mail mx1.example.com\nother mx2.example.com\n"
    );
}
