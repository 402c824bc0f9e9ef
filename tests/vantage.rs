//! Hosts that the runner cannot reach are seen from a vantage; what a vantage may say, and what it may not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, HOSTS, PROGRAM, Publish, Run, World, hours};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use tlsa_rotate::workflow::demo::mail_host::{KeyedChain, MailHost};
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

/// What starts the program as a vantage.
const LOOK: &str = "\"$PROGRAM\" look";

/// A world with a host of which the runner knows an address that nobody answers at.
struct Dark {
    world: World,
    /// Where the first host is, and where the runner looks for it.
    real: SocketAddr,
    known: SocketAddr,
    // Holds the address, without listening there.
    _held: TcpSocket,
}

impl Dark {
    fn new(publish: Publish) -> Self {
        let held = TcpSocket::new_v4().unwrap();
        held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let known = held.local_addr().unwrap();
        let world = World::new(publish);
        let real = world.hosts()[0];
        let config = world.read("tlsa-rotate.toml");
        assert!(config.contains(&real.to_string()));
        let config = config.replace(&real.to_string(), &known.to_string());
        world.write("tlsa-rotate.toml", &config);
        let dark = Self {
            world,
            real,
            known,
            _held: held,
        };
        dark.commit();
        dark
    }

    fn commit(&self) {
        if self.world.publish != Publish::File {
            self.world.git("add --all");
            self.world
                .git("commit --quiet --allow-empty --message configuration");
        }
    }

    /// A vantage for which the first host is where it really is.
    fn with_vantage(self) -> Self {
        self.vantage(&self.translated(LOOK), "60s");
        self
    }

    /// `command` with the address translated on the way there and back.
    fn translated(&self, command: &str) -> String {
        let (known, real) = (self.known, self.real);
        format!("sed 's/{known}/{real}/g' | {command} | sed 's/{real}/{known}/g'")
    }

    /// Sets the only vantage: a piece of shell.
    fn vantage(&self, script: &str, timeout: &str) {
        vantage(&self.world, script, timeout);
        self.commit();
    }

    fn without_vantage(&self) {
        let config = self.world.read("tlsa-rotate.toml");
        let (config, _) = config.split_once("[[vantage]]").unwrap();
        self.world.write("tlsa-rotate.toml", config);
        self.commit();
    }
}

fn vantage(world: &World, script: &str, timeout: &str) {
    let file = world.path(".tlsa-rotate/probe");
    fs::write(&file, format!("#!/bin/sh\nPROGRAM='{PROGRAM}'\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let config = world.read("tlsa-rotate.toml");
    let before = config.split("[[vantage]]").next().unwrap();
    let command = file.display();
    world.write(
        "tlsa-rotate.toml",
        &format!("{before}[[vantage]]\nname = \"probe1\"\ncommand = [\"{command}\"]\ntimeout = \"{timeout}\"\n"),
    );
}

fn aside(run: &Run) -> Vec<&str> {
    let lines = run.stderr.lines();
    lines
        .filter(|line| line.contains("vantage probe1 is set aside"))
        .collect()
}

#[test]
fn a_host_that_only_the_vantage_reaches_goes_through_the_soak() {
    let dark = Dark::new(Publish::Branch).with_vantage();
    let (dark, hour) = {
        let (world, hour) = dark.world.brought_to("Retiring");
        (Dark { world, ..dark }, hour)
    };
    let world = &dark.world;
    assert!(world.merge());
    world.advance(hours(hour + 1)).ends(0);
    world.load();
    let run = world.advance(hours(hour + 2)).ends(0);
    assert!(aside(&run).is_empty(), "{run:#?}");
    assert_eq!(world.step(hours(hour + 2)), "Retired");
    assert_eq!(world.tlsa(HOSTS[0]).len(), 1);
    world.is_tidy();
}

#[test]
fn what_begins_is_told_which_places_nobody_reaches() {
    let dark = Dark::new(Publish::File);
    let world = &dark.world;
    let place = format!("nobody reaches mx1.example.com:25 at {}", dark.known);
    let told = |run: &Run| {
        let lines = run.stderr.lines().filter(|line| line.contains(&place));
        let lines: Vec<&str> = lines.collect();
        for line in &lines {
            for part in [
                "Connection refused",
                "stop at step 5 of 7",
                "[[vantage]]",
                "`addresses`",
            ] {
                assert!(line.contains(part), "no {part}: {line}");
            }
        }
        assert!(!run.stderr.contains("nobody reaches mx2"), "{run:#?}");
        lines.len()
    };
    let ds = world.run(BEGIN, &["key", "ds", "example.com", "--keys", "keys"]);
    world.write("anchor", &ds.ends(0).stdout);
    let server = world.server(0);
    let check = || {
        let known = ["check", "--resolver", &server, "--trust-anchor", "anchor"];
        let run = world.run(BEGIN, &[&known[..], &["--format", "json"]].concat());
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        let findings = document["findings"].as_array().unwrap().iter();
        let pressing = findings.filter(|finding| finding["severity"] != "advice");
        let told = pressing.map(|f| format!("{} {}", f["check"], f["place"]));
        (run.code, told.collect::<Vec<String>>())
    };
    assert_eq!(told(&world.run(BEGIN, &["plan", "mail"]).ends(0)), 1);
    let finding = format!("\"unreached\" \"mx1.example.com:25 {}\"", dark.known);
    assert_eq!(check(), (Some(3), vec![finding]));

    // A vantage that reaches it: nothing is left to say, and what it presents is judged as if it were seen from here.
    dark.vantage(&dark.translated(LOOK), "60s");
    assert_eq!(told(&world.run(BEGIN, &["plan", "mail"]).ends(0)), 0);
    assert_eq!(check(), (Some(0), vec![]));
    world.renew_elsewhere(0);
    let (code, found) = check();
    assert_eq!(code, Some(4));
    let refused = format!("\"refused\" \"mx1.example.com:25 {} ECDSA\"", dark.known);
    assert_eq!(found, [refused]);
    // One that does not help is said by itself.
    dark.vantage("echo no route >&2; exit 255", "60s");
    let (code, found) = check();
    assert_eq!(code, Some(3));
    assert!(
        found.contains(&"\"vantage\" \"vantage probe1\"".to_owned()),
        "{found:?}"
    );

    let started = world.start(BEGIN).ends(0);
    assert_eq!(told(&started), 1, "{started:#?}");
    assert_eq!(aside(&started).len(), 1, "{started:#?}");
}

#[test]
fn an_answer_that_is_not_one_is_set_aside_and_said_and_silence_is_no_yes() {
    let dark = Dark::new(Publish::Current);
    let (world, hour) = dark.world.brought_to("SwapOpen");
    let dark = Dark { world, ..dark };
    let world = &dark.world;
    world.deploy(0);
    world.deploy(1);
    let known = dark.known;
    let good = dark.translated(LOOK);
    let kept = world.path(".tlsa-rotate/kept");
    let kept = kept.display();
    // An answer of an earlier time, for the one that is kept.
    dark.vantage(&format!("exec > {kept}\n{good}"), "60s");
    world.advance(hours(hour));
    #[rustfmt::skip]
    let table = [
        ("echo hello".to_owned(), "60s", "is not what `tlsa-rotate look` prints"),
        (format!("cat > /dev/null; cat {kept}"), "60s", "the nonce of another request"),
        (format!("{good} | sed 's/mx1/mx3/g'"), "60s", "tells of mx3.example.com:25 at"),
        (format!("sed 's/\"connections\":[0-9]*/\"connections\":1/g; s/{known}/{}/g' | {LOOK} | sed 's/{}/{known}/g'", dark.real, dark.real), "60s", "tells of 1 connections to"),
        ("head -c 17000000 /dev/zero".to_owned(), "60s", "is larger than 16 MiB"),
        (format!("{good}; exit 7"), "60s", "exit code 7"),
        ("echo Permission denied >&2; exit 255".to_owned(), "60s", "Permission denied"),
        (format!("{good}; exec sleep 600"), "5s", "did not end within 5 seconds"),
        ("exec /nowhere/tlsa-rotate look".to_owned(), "60s", "not found"),
    ];
    let mut wrong = Vec::new();
    for (script, timeout, expected) in table {
        dark.vantage(&script, timeout);
        let run = world.advance(hours(hour));
        let notes = aside(&run);
        let step = world.step(hours(hour));
        if notes.len() != 1 || !notes[0].contains(expected) || step != "SwapOpen" {
            wrong.push(format!("{script}: {step} {run:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // One that says nothing of the place, and one that does not reach it: no misdeed, and no yes.
    let silent = format!("{good} | sed 's/\"places\":.*/\"places\":[]}}/'");
    for script in [silent.as_str(), LOOK] {
        dark.vantage(script, "60s");
        let run = world.advance(hours(hour));
        assert!(aside(&run).is_empty(), "{script}: {run:#?}");
        assert_eq!(world.step(hours(hour)), "SwapOpen", "{script}");
    }
    // None at all.
    dark.without_vantage();
    world.advance(hours(hour));
    assert_eq!(world.step(hours(hour)), "SwapOpen");
    // And the one that all this was about.
    dark.vantage(&good, "60s");
    world.advance(hours(hour)).ends(0);
    assert_eq!(world.step(hours(hour)), "Deployed");
}

#[test]
fn a_vantage_that_failed_is_not_waited_for_again_in_a_run() {
    let world = World::new(Publish::File);
    world.start(BEGIN).ends(0);
    let count = world.path(".tlsa-rotate/count");
    vantage(
        &world,
        &format!("echo run >> {}; exit 1", count.display()),
        "60s",
    );
    // It publishes, and looks again afterwards.
    let run = world.advance(BEGIN);
    assert_eq!(world.step(BEGIN), "Prepublishing");
    assert_eq!(aside(&run).len(), 1, "{run:#?}");
    // `status` has looked, too.
    assert_eq!(fs::read_to_string(&count).unwrap(), "run\nrun\n");
}

#[test]
fn a_key_that_only_the_vantage_meets_counts_as_well() {
    let (world, hour) = World::new(Publish::Current).brought_to("SwapOpen");
    world.deploy(0);
    world.deploy(1);
    let alone = world.copy();
    // Behind the first host's address there is another server, as far as the vantage sees: it has the old key.
    let runtime = Runtime::new().unwrap();
    let bytes = |file: &str| fs::read(world.path(file)).unwrap();
    let (certificate, key) = (bytes("live/fullchain.pem"), bytes("live/privkey.pem"));
    let chain = KeyedChain::from_pem(&certificate, &key).unwrap();
    let loopback = "127.0.0.1:0".parse().unwrap();
    let other = runtime.block_on(MailHost::start(HOSTS[0], loopback, vec![chain]));
    let other = other.unwrap();
    let (listed, behind) = (world.hosts()[0], other.address());
    let script = format!("sed 's/{listed}/{behind}/g' | {LOOK} | sed 's/{behind}/{listed}/g'");
    vantage(&world, &script, "60s");
    let run = world.advance(hours(hour));
    assert!(aside(&run).is_empty(), "{run:#?}");
    assert_eq!(world.step(hours(hour)), "SwapOpen", "{run:#?}");
    alone.advance(hours(hour)).ends(0);
    assert_eq!(alone.step(hours(hour)), "Deployed");
}

#[test]
fn look_prints_what_it_sees_and_answers_what_it_is_asked() {
    let world = World::new(Publish::File);
    let directory = tempfile::tempdir().unwrap();
    let look = |arguments: &[&str], input: &str| {
        let mut child = Command::new(PROGRAM)
            .current_dir(directory.path())
            .arg("look")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may have ended before it was written to.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Run::from(child.wait_with_output().unwrap())
    };
    let place = format!("mx1.example.com:25@{}", world.hosts()[0]);
    let text = look(&[&place, "--connections", "2"], "").ends(0).stdout;
    let key = &world.tlsa(HOSTS[0])[0];
    assert!(
        text.contains(&format!("ECDSA 2 × 3 1 1 {key} until ")),
        "{text}"
    );
    assert!(text.contains("RSA   2 × not offered"), "{text}");

    let json = look(&[&place, "--format", "json"], "").ends(0).stdout;
    let document: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["schema"], "tlsa-rotate/look/v1");
    assert_eq!(document["nonce"], Value::Null);
    let places = document["places"].as_array().unwrap();
    assert_eq!(places.len(), 2);
    assert_eq!(places[0]["connections"][0], "not-offered");
    assert!(
        places[1]["connections"][2]["chain"][0].is_string(),
        "{json}"
    );

    let request = format!(
        r#"{{"schema":"tlsa-rotate/look-request/v1","nonce":"7f","seconds":30,"places":[{{"endpoint":{{"host":"mx1.example.com","port":25}},"address":"{}","connections":1}}]}}"#,
        world.hosts()[0]
    );
    let answer = look(&[], &request).ends(0).stdout;
    let document: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(document["nonce"], "7f");
    assert_eq!(
        document["places"][1]["connections"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for (input, expected) in [
        ("", "this is no request"),
        ("{}", "this is no request"),
        (&*"x".repeat(2 << 20), "longer than"),
    ] {
        look(&[], input).ends(1).complains_of(expected);
    }
}
