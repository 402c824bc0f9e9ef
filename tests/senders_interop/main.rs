//! `verify` beside `posttls-finger`, on real authorities, a real resolver and real mail servers, situation by situation.
//!
//! Needs root, for a network namespace of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::format_push_string,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs
)]

mod authorities;
mod mail;
mod pki;
mod rotation;
mod scenarios;
mod world;

use authorities::{BIND, EXPIRED, LAME, MailZone, NSD, OURS, RESOLVER, Signer, UNSIGNED, ZONES};
use mail::{POSTFIX, SPLIT, at};
use pki::Pki;
use scenarios::{FORGED, OTHER, Peer, SHORT, Scenario, Verdict};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use world::{World, both};

/// What one judge said, with its words.
struct Said {
    verdict: Verdict,
    words: String,
}

fn ours(world: &World, target: &str) -> Said {
    let args = ["verify", target, "--trust-anchor", "anchor"];
    let done = world.command(&world::ours(), &args).output().unwrap();
    let words = both(&done);
    let summary = words.lines().last().unwrap_or_default().to_owned();
    let verdict = match done.status.code() {
        Some(0) => Verdict::Verified,
        Some(4) => Verdict::AtRisk,
        Some(1) if summary.contains("not protected") => Verdict::Unprotected,
        Some(1)
            if ["could not tell", "takes no mail"]
                .iter()
                .any(|t| summary.contains(t)) =>
        {
            Verdict::Unknown
        }
        other => panic!("{target}: exit code {other:?}: {words}"),
    };
    Said { verdict, words }
}

fn finger(world: &World, target: &str) -> Said {
    let (name, port) = target.split_once(':').unwrap_or((target, ""));
    let wrapped = format!("[{name}]:{port}");
    let mut args = vec![
        "-c",
        "-v",
        "-l",
        "dane",
        "-L",
        "summary,certmatch",
        "-t",
        "5",
        "-T",
        "10",
    ];
    match port {
        "" => args.push(name),
        _ => args.extend(["-w", &wrapped]),
    }
    let mut command = world.command("posttls-finger", &args);
    let done = command
        .env("MAIL_CONFIG", world.path("postfix/etc"))
        .output()
        .unwrap();
    let words = both(&done);
    let has = |text: &str| words.contains(text);
    // It connects where a sender would not, and then says what it made of the certificate.
    let without_dane = has("resorting to \"secure\"") || has("all TLSA records unusable");
    let verdict = if has("Verified TLS connection established") {
        Verdict::Verified
    } else if has(": Trusted TLS connection established") {
        // Authenticated, but found by an MX that nobody authenticates.
        Verdict::Unprotected
    } else if has("TLS connection established") && without_dane {
        Verdict::Unprotected
    } else {
        Verdict::AtRisk
    };
    Said { verdict, words }
}

/// Our own signer takes no zone with a TLSA record that nobody can use.
fn content(zone: &MailZone, records: &str) -> String {
    let signs = |line: &&str| zone.signer != Signer::Ours || !line.contains(SHORT);
    let lines: Vec<&str> = records.lines().filter(signs).collect();
    lines.join("\n") + "\n"
}

fn build() -> (World, Vec<Scenario>) {
    let mut world = World::new(RESOLVER);
    let names: Vec<String> = ZONES
        .iter()
        .flat_map(|zone| scenarios::certified(zone.apex))
        .collect();
    let pki = Pki::make(&world, &names);
    let all = scenarios::all(&pki);
    let host = at(&POSTFIX, "A");
    let tlsa = format!("mx A {host}\n_25._tcp.mx TLSA 3 1 1 {}\n", pki.a);
    let mut unsigned = tlsa.clone();
    for zone in &ZONES {
        unsigned.push_str(&format!("to-{0} MX 10 mx.right.{0}.\n", zone.apex));
    }
    let records: String = all
        .iter()
        .map(|scenario| scenario.records.as_str())
        .collect();
    let expired = format!("domain MX 10 mx\n{tlsa}");
    let forged = FORGED.replace("f0", "e1");
    authorities::serve(
        &mut world,
        |zone| content(zone, &records),
        &expired,
        &unsigned,
        (&forged, FORGED),
    );
    mail::postfix(&mut world, "interop.test");
    mail::exim(&mut world);
    mail::split(&mut world);
    (world, all)
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn every_verdict_is_that_of_posttls_finger_or_the_one_that_the_rfc_demands() {
    assert_eq!((EXPIRED, UNSIGNED), ("expired.com", "unsigned.com"));
    let (world, all) = build();
    let cases: Vec<(&Scenario, &str)> = ZONES
        .iter()
        .flat_map(|zone| all.iter().map(move |scenario| (scenario, zone.apex)))
        .collect();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((scenario, apex)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let target = scenario.target.replace("{}", apex);
                    let row = (ours(&world, &target), finger(&world, &target));
                    rows.lock().unwrap().push((*scenario, *apex, target, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|(scenario, apex, ..)| {
        let at = all.iter().position(|other| other.name == scenario.name);
        (at, ZONES.iter().position(|zone| zone.apex == *apex))
    });
    let mut wrong = String::new();
    let mut table = "scenario zone verify posttls-finger why\n".replace(' ', "\t");
    for (scenario, apex, target, (ours, finger)) in &rows {
        let (mine, theirs) = (ours.verdict, finger.verdict);
        let judged = scenario.peer != Peer::DoesNotJudge;
        let shown = if judged {
            format!("{theirs:?}")
        } else {
            "(no judge)".to_owned()
        };
        table.push_str(&format!(
            "{}\t{apex}\t{mine:?}\t{shown}\t{}\n",
            scenario.name, scenario.why
        ));
        let expected_of_peer = match scenario.peer {
            Peer::Same => scenario.expected,
            Peer::DoesNotJudge => theirs,
        };
        if mine != scenario.expected || theirs != expected_of_peer {
            wrong.push_str(&format!(
                "\n{target}: expected {:?} and of the peer {expected_of_peer:?} ({}), got {mine:?} and {theirs:?}\n{}---\n{}",
                scenario.expected, scenario.why, ours.words, finger.words
            ));
        }
    }
    // For the reader of the run, and for whoever wants to keep it.
    println!("{table}");
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/senders.tsv"), table).unwrap();
    assert!(wrong.is_empty(), "{wrong}\n{}", world.logs());
    assert_eq!(rows.len(), all.len() * ZONES.len());
    exim_delivers_where_verify_says_so(&world);
    every_server_is_named_with_what_is_wrong_with_it(&world);
    the_chain_of_the_older_protocol_is_named(&world);
    records_of_another_operator_are_not_ours_to_rotate(&world);
    a_server_that_only_the_parent_names_is_found_by_check(&world);
}

/// Exim judges the odd chains as `verify` says of those who are of another mind than OpenSSL.
fn exim_delivers_where_verify_says_so(world: &World) {
    let apex = ZONES[0].apex;
    let names = scenarios::ODD_VERDICTS.iter().map(|(name, ..)| *name);
    let others = [
        "issuer",
        "issuer-not-sent",
        "issuer-whole",
        "wrong",
        "right",
    ];
    for name in names.chain(others) {
        let domain = format!("{name}.{apex}");
        let args = [
            "verify",
            &domain,
            "--trust-anchor",
            "anchor",
            "--format",
            "json",
        ];
        let done = world.command(&world::ours(), &args).output().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        let lines = told["targets"][0]["hosts"][0]["addresses"].as_array();
        let line = lines
            .into_iter()
            .flatten()
            .find(|line| line["verdict"] != "not-offered");
        let line = line.unwrap_or_else(|| panic!("{told}"));
        let dissents = !line["dissent"].is_null();
        let expected = (line["verdict"] == "verified") != dissents;
        let (delivers, log) = mail::exim_delivers(world, &domain);
        println!(
            "{name}\texim {delivers}\tverify {} {}",
            line["verdict"], line["dissent"]
        );
        assert_eq!(delivers, expected, "{domain}: {line}\n{log}");
    }
}

/// `verify --authorities`: the servers at parent and child, the lame and the expired ones by name.
fn every_server_is_named_with_what_is_wrong_with_it(world: &World) {
    let said = |target: &str| {
        let args = [
            "verify",
            target,
            "--trust-anchor",
            "anchor",
            "--authorities",
        ];
        both(&world.command(&world::ours(), &args).output().unwrap())
    };
    for zone in &ZONES {
        let (apex, server) = (zone.apex, zone.server);
        let words = said(&format!("right.{apex}"));
        let line = format!("serves       ns.{apex}. {server}:53 serial 1");
        assert!(words.contains(&line), "no `{line}`: {words}");
        let lame = words.contains(&format!(
            "lame         {LAME}. {BIND}:53 the server answers REFUSED"
        ));
        let difference =
            words.contains("is delegated to by the parent of ours.com., the zone does not name it");
        assert_eq!(
            (lame, difference),
            (server == OURS, server == OURS),
            "{words}"
        );
    }
    for (apex, hidden) in [("ldns.com", true), ("bind.com", false)] {
        let words = said(&format!("right.{apex}"));
        let note = format!(
            "note         what the parent delegates to cannot be seen: ns.com. serves {apex}. as well"
        );
        assert_eq!(words.contains(&note), hidden, "`{note}`: {words}");
        let target = format!("right.{apex}");
        let args = [
            "verify",
            &target,
            "--trust-anchor",
            "anchor",
            "--authorities",
            "--format",
            "json",
        ];
        let told: serde_json::Value =
            serde_json::from_str(&world.run(&world::ours(), &args)).unwrap();
        assert_eq!(
            told["authorities"][0]["parent_unknown"].is_string(),
            hidden,
            "{told}"
        );
    }
    let words = said(&format!("domain.{EXPIRED}"));
    let line = format!("expired      ns.{EXPIRED}. {NSD}:53 ");
    assert!(words.contains(&line), "no `{line}`: {words}");
}

/// A sender with TLS 1.2 meets another key than one with TLS 1.3.
fn the_chain_of_the_older_protocol_is_named(world: &World) {
    for zone in &ZONES {
        let said = ours(world, &format!("older-wrong.{}", zone.apex));
        let about: Vec<&str> = said.words.lines().filter(|l| l.contains(SPLIT)).collect();
        let starts = |line: &&str, word: &str| line.trim_start().starts_with(word);
        assert!(
            about
                .iter()
                .any(|l| starts(l, "verified") && !l.contains("TLS 1.2")),
            "{}",
            said.words
        );
        let refused: Vec<&&str> = about.iter().filter(|l| starts(l, "REFUSED")).collect();
        assert!(
            refused.len() == 1 && refused[0].contains("TLS 1.2"),
            "{}",
            said.words
        );
    }
}

/// What a sender finds there counts, and it is said whose it is.
fn records_of_another_operator_are_not_ours_to_rotate(world: &World) {
    for zone in &ZONES {
        let said = ours(world, &format!("other-operator.{}", zone.apex));
        let theirs = format!("in the zone {OTHER}, whose operator rotates them");
        assert_eq!(
            said.words.contains(&theirs),
            zone.apex != OTHER,
            "{}",
            said.words
        );
    }
}

/// `check`: com delegates ours.com to a server that the zone does not name and no rotation would wait for.
fn a_server_that_only_the_parent_names_is_found_by_check(world: &World) {
    world.write("ws/live.pem", world.read("pki/A.crt"));
    world.write("ws/ours.zone", world.read("zones/ours.com"));
    world.write(
        "ws/tlsa-rotate.toml",
        format!(
            "[[zone]]\nname = \"ours.com\"\nfile = \"ours.zone\"\nsign = {{ keys = \"{}\" }}\n\
             publish = {{ file = true }}\nservers = [\"{OURS}\"]\n\n[[certificate]]\nname = \"mail\"\n\
             hosts = [\"mx.right.ours.com\"]\nlive = {{ certificate = \"live.pem\" }}\n\
             next = {{ generate = \"ecdsa-p256\" }}\n",
            world.at("keys")
        ),
    );
    let args = ["check", "--trust-anchor", "../anchor", "--format", "json"];
    let mut command = world.command(&world::ours(), &args);
    let done = command.current_dir(world.path("ws")).output().unwrap();
    let document: serde_json::Value =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|why| panic!("{why}: {}", both(&done)));
    let findings = document["findings"].as_array().unwrap().iter();
    let about: Vec<(&str, &str)> = findings
        .filter(|finding| finding["check"] == "delegation")
        .map(|finding| {
            (
                finding["severity"].as_str().unwrap(),
                finding["what"].as_str().unwrap(),
            )
        })
        .collect();
    let named = |severity: &str, words: &str| {
        let mut all = about.iter();
        all.any(|(how, what)| *how == severity && what.contains(words))
    };
    let lame = format!("{LAME}. is delegated to by the parent of ours.com.");
    let unasked = format!("resolvers are led to {LAME}. {BIND}:53, which no rotation asks");
    assert!(named("person-needed", &lame), "{}", both(&done));
    assert!(named("advice", &unasked), "{}", both(&done));
    assert_eq!(about.len(), 2, "{}", both(&done));
}
