//! `--format`: each format that `--help` of a command offers is what it then prints, and any other is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, BRANCH, HOSTS, PROGRAM, Publish, Run, SIGNED, World, hours};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use tlsa_rotate::rotation::timing::Instant;

/// Where a command is run, each time in a copy.
#[derive(Clone, Copy)]
enum Place {
    /// Nothing has begun.
    Fresh,
    /// The records of the next key wait for review.
    Proposed,
    /// Every host presents the next key.
    Deployed,
    /// Taken back by `rollback`.
    Held,
    /// Like `Proposed`, and paused.
    Paused,
}

/// A command as it is called, its place, and the schema of its JSON. Other programs make the files that it names.
type Call = (&'static str, Place, &'static str);

#[rustfmt::skip]
const CALLS: &[Call] = &[
    ("init new", Place::Fresh, "init"),
    ("start mail", Place::Fresh, "start"),
    ("plan mail", Place::Fresh, "plan"),
    ("plan mail --emergency security", Place::Fresh, "plan"),
    ("simulate mail --senders 1000", Place::Fresh, "simulate"),
    ("advance", Place::Proposed, "advance"),
    ("propose --again", Place::Proposed, "advance"),
    ("status", Place::Proposed, "status"),
    ("check --resolver SERVER --trust-anchor anchor --timeout 20", Place::Fresh, "check"),
    ("check --merge --base HEAD --head BRANCH", Place::Proposed, "check-merge"),
    ("check --swap mail", Place::Proposed, "check-swap"),
    ("abort mail", Place::Proposed, "abort"),
    ("archive", Place::Proposed, "archive"),
    ("prune mail", Place::Fresh, "prune"),
    ("pause mail", Place::Proposed, "pause"),
    ("resume mail", Place::Paused, "resume"),
    ("adopt mail", Place::Fresh, "adopt"),
    ("enable mail --resolver SERVER --trust-anchor anchor --timeout 20", Place::Fresh, "enable"),
    ("disable mail", Place::Fresh, "disable"),
    ("repair", Place::Proposed, "repair"),
    ("rollback mail", Place::Deployed, "rollback"),
    ("deploy mail", Place::Held, "deploy"),
    ("forget mx2.example.com", Place::Held, "forget"),
    ("emergency mail --priority delivery", Place::Fresh, "emergency"),
    ("verify HOST:25 --resolve PLACE --resolver SERVER --trust-anchor anchor --timeout 20", Place::Fresh, "verify"),
    ("look LOOKED --connections 1", Place::Fresh, "look"),
    ("record CHAIN", Place::Fresh, "record"),
    ("dane verify --tlsa tlsa --chain CHAIN --host HOST", Place::Fresh, "dane-verify"),
    ("tlsrpt report.json", Place::Fresh, "tlsrpt"),
    ("zone check example.com.zone", Place::Fresh, "zone-check"),
    ("zone normalize example.com.zone", Place::Fresh, "zone-normalize"),
    ("zone diff example.com.zone other.zone", Place::Fresh, "zone-diff"),
    ("zone sign example.com.zone --keys keys --output signed", Place::Fresh, "zone-sign"),
    ("zone verify SIGNED", Place::Fresh, "zone-verify"),
    ("zone continue example.com --serial 2026120101", Place::Fresh, "zone-continue"),
    ("change make SIGNED other.signed", Place::Fresh, ""),
    ("change show proposal", Place::Fresh, "change-show"),
    ("change verify proposal --allowed-signers allowed", Place::Fresh, "change-verify"),
    ("change apply proposal --allowed-signers allowed --zone SIGNED --output applied", Place::Fresh, "change-apply"),
    ("key generate example.com --keys keys --role zsk", Place::Fresh, "key-generate"),
    ("key list example.com --keys keys", Place::Fresh, "key-list"),
    ("key ds example.com --keys keys", Place::Fresh, "key-ds"),
    ("serve --listen 127.0.0.1:0 --unsigned --zone example.com.=example.com.zone", Place::Fresh, "serve"),
    ("demo", Place::Fresh, ""),
    ("man pages", Place::Fresh, ""),
    ("report --html page.html", Place::Fresh, ""),
    ("completions bash", Place::Fresh, ""),
];

/// Commands whose text is nothing: what they did stands in a file, and is told on standard error.
const SILENT: [&str; 4] = ["zone sign", "change apply", "man", "report"];

const EVERY: [&str; 9] = [
    "text",
    "json",
    "markdown",
    "html",
    "ics",
    "nsupdate",
    "delta",
    "nagios",
    "prometheus",
];

/// `--help` of a command.
fn help(path: &[String]) -> String {
    let output = Command::new(PROGRAM).args(path).arg("--help").output();
    Run::from(output.unwrap()).ends(0).stdout
}

/// Every command that has none below it, and the formats that its help offers.
fn leaves(path: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let told = help(path);
    if let Some((_, commands)) = told.split_once("\nCommands:\n") {
        let commands = commands.split("\n\n").next().unwrap();
        for line in commands.lines() {
            // A line that goes on is indented further.
            let word = line.strip_prefix("  ").unwrap().split(' ').next().unwrap();
            if !word.is_empty() && word != "help" {
                leaves(&[path, &[word.to_owned()]].concat(), found);
            }
        }
        return;
    }
    let (_, option) = told.split_once("\n      --format ").unwrap();
    let option = option.split("\n      --").next().unwrap();
    let offered = option.lines().filter_map(|line| {
        let (name, _) = line.trim().strip_prefix("- ")?.split_once(':')?;
        Some(name.to_owned())
    });
    found.push((path.join(" "), offered.collect()));
}

fn is_json_of(schema: &str, text: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    document["schema"] == format!("tlsa-rotate/{schema}/v1")
}

/// What makes a text this format and no other.
fn is(format: &str, schema: &str, text: &str) -> bool {
    let lines = || text.lines();
    match format {
        "json" => is_json_of(schema, text),
        "markdown" => ["# ", "**", "Zone `"]
            .iter()
            .any(|front| text.starts_with(front)),
        "html" => text.starts_with("<!doctype html>\n") && text.ends_with("</html>\n"),
        "ics" => {
            text.starts_with("BEGIN:VCALENDAR\r\n")
                && text.contains("\r\nBEGIN:VEVENT\r\n")
                && text.ends_with("END:VCALENDAR\r\n")
        }
        "nagios" => {
            let words = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];
            let begins = |word| {
                let fronts = ["DANE", "TLSA"].map(|what| format!("{what} {word} - "));
                fronts.iter().any(|front| text.starts_with(front))
            };
            lines().count() == 1 && words.into_iter().any(begins)
        }
        "prometheus" => text.starts_with("# HELP tlsa_rotate_"),
        "nsupdate" => text.contains("\nupdate ") && text.contains("\nsend\n"),
        "delta" => {
            text.starts_with("; tlsa-rotate delta 1\n")
                && lines().all(|line| line.starts_with([';', '-', '+']))
        }
        "text" => {
            let others = EVERY.iter().filter(|other| **other != "text");
            !text.is_empty() && others.into_iter().all(|other| !is(other, schema, text))
        }
        other => panic!("{other} is a new format: what makes it?"),
    }
}

struct Worlds {
    fresh: World,
    proposed: World,
    deployed: World,
    held: World,
}

impl Worlds {
    fn new() -> Self {
        let fresh = World::new(Publish::Branch);
        let proposed = fresh.copy();
        proposed.start(BEGIN).ends(0);
        proposed.advance(BEGIN);
        let (deployed, hour) = World::new(Publish::Branch).brought_to("Deployed");
        assert_eq!(hour, AFTER);
        let held = deployed.copy();
        held.run(hours(hour), &["rollback", "mail"]).ends(3);
        Self {
            fresh: furnished(fresh),
            proposed,
            deployed,
            held,
        }
    }

    fn at(&self, place: Place) -> (World, Instant) {
        match place {
            Place::Fresh => (self.fresh.copy(), BEGIN),
            Place::Proposed => (self.proposed.copy(), BEGIN),
            Place::Deployed => (self.deployed.copy(), hours(AFTER)),
            Place::Held => (self.held.copy(), hours(AFTER)),
            Place::Paused => {
                let world = self.proposed.copy();
                world.run(BEGIN, &["pause", "mail"]).ends(0);
                (world, BEGIN)
            }
        }
    }
}

/// The hour in which every host presents the next key.
const AFTER: u64 = 28;

const REPORT: &str = r#"{"organization-name": "other", "report-id": "1", "contact-info": "x@other.example",
  "date-range": {"start-datetime": "2026-12-01T00:00:00Z", "end-datetime": "2026-12-01T23:59:59Z"},
  "policies": [{"policy": {"policy-type": "tlsa", "policy-domain": "example.com", "policy-string": [], "mx-host": []},
    "summary": {"total-successful-session-count": 3, "total-failure-session-count": 0}}]}"#;

/// The files that calls name.
fn furnished(world: World) -> World {
    let run = |line: &str| world.run(BEGIN, &words(&world, line)).ends(0).stdout;
    world.write(
        "anchor",
        &run("key ds example.com --keys keys --format text"),
    );
    world.write("tlsa", &run("record CHAIN"));
    world.write("report.json", REPORT);
    let zone = world.read("example.com.zone");
    world.write("other.zone", &format!("{zone}other 600 IN A 192.0.2.7\n"));
    run("zone sign other.zone --keys keys --previous SIGNED --raise-serial --output other.signed");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-t", "ed25519", "-f"])
        .arg(world.path("op"))
        .status();
    assert!(made.unwrap().success());
    world.write(
        "allowed",
        &format!("alice@example.com {}", world.read("op.pub")),
    );
    run("change make SIGNED other.signed --sign-with op --output proposal");
    world
}

/// A call as arguments, with what only this world knows in it.
fn words(world: &World, call: &str) -> Vec<&'static str> {
    let known = |word: &str| match word {
        "SERVER" => world.server(0),
        "HOST" => HOSTS[0].to_owned(),
        "HOST:25" => format!("{}:25", HOSTS[0]),
        "PLACE" => format!("{}={}", HOSTS[0], world.hosts()[0]),
        "LOOKED" => format!("{}:25@{}", HOSTS[0], world.hosts()[0]),
        "BRANCH" => BRANCH.to_owned(),
        "SIGNED" => SIGNED.to_owned(),
        "CHAIN" => chain(world),
        other => other.to_owned(),
    };
    call.split(' ').map(|word| &*known(word).leak()).collect()
}

/// The certificate in use.
fn chain(world: &World) -> String {
    let files = rotation_support::live_key(&world.path("."));
    files.certificate.display().to_string()
}

/// The first line of a server that is then ended.
fn first_line(world: &World, now: Instant, arguments: &[&str]) -> Run {
    let mut child = world
        .command(now, arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = String::new();
    let read = BufReader::new(child.stdout.take().unwrap()).read_line(&mut stdout);
    child.kill().unwrap();
    child.wait().unwrap();
    read.unwrap();
    Run {
        code: Some(0),
        stdout,
        stderr: String::new(),
    }
}

fn command_of(call: &str) -> String {
    let whole: Vec<&str> = call.split(' ').collect();
    let grouped = ["zone", "change", "key", "dane"].contains(&whole[0]);
    whole[..=usize::from(grouped)].join(" ")
}

#[test]
fn each_format_that_help_offers_is_what_the_command_prints() {
    let worlds = Worlds::new();
    let mut commands = Vec::new();
    leaves(&[], &mut commands);
    let called: BTreeSet<String> = CALLS.iter().map(|(call, ..)| command_of(call)).collect();
    // Hooks speak to ACME clients, which read no format.
    let is_asked = |path: &&String| !path.starts_with("hook ");
    let paths = commands.iter().map(|(path, _)| path);
    let offered: BTreeSet<String> = paths.filter(is_asked).cloned().collect();
    assert_eq!(called, offered, "every command is called here");
    let mut wrong = Vec::new();
    for (call, place, schema) in CALLS {
        let command = command_of(call);
        let (_, formats) = commands.iter().find(|(path, _)| *path == command).unwrap();
        assert!(
            formats.contains(&"text".to_owned()),
            "{command}: {formats:?}"
        );
        for format in formats {
            let (world, now) = worlds.at(*place);
            let arguments = [&words(&world, call)[..], &["--format", format]].concat();
            let run = if command == "serve" {
                first_line(&world, now, &arguments)
            } else {
                world.run(now, &arguments)
            };
            let is_usage_error = run.code == Some(2) && format != "nagios";
            let silent = format == "text" && SILENT.contains(&&*command);
            let as_said = if silent {
                run.stdout.is_empty() && run.code == Some(0)
            } else {
                is(format, schema, &run.stdout)
            };
            if is_usage_error || !as_said {
                wrong.push(format!("{call} --format {format}: {run:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Before the command's name, too, a format is the command's own: what it does not print is an error of usage.
#[test]
fn a_format_that_a_command_does_not_offer_is_refused_wherever_it_stands() {
    let mut commands = Vec::new();
    leaves(&[], &mut commands);
    let nowhere = tempfile::tempdir().unwrap();
    for (call, ..) in CALLS {
        let command = command_of(call);
        let (_, offered) = commands.iter().find(|(path, _)| *path == command).unwrap();
        let others = EVERY.iter().filter(|f| !offered.iter().any(|o| o == *f));
        for format in others {
            let option = ["--format", *format];
            // Clap reads the values of options first: those that are addresses must be some.
            let call = call.replace("SERVER", "127.0.0.1");
            let call = call.replace("PLACE", "mx1.example.com=127.0.0.1");
            let call = call.replace("LOOKED", "mx1.example.com:25");
            let words: Vec<&str> = call.split(' ').collect();
            for arguments in [
                [&words, &option[..]].concat(),
                [&option[..], &words].concat(),
            ] {
                let output = Command::new(PROGRAM)
                    .current_dir(nowhere.path())
                    .args(&arguments)
                    .output()
                    .unwrap();
                let run = Run::from(output);
                let told = format!("invalid value '{format}' for '--format <FORMAT>'");
                let names = offered.join(", ");
                assert!(
                    run.code == Some(2)
                        && run.stdout.is_empty()
                        && run.stderr.contains(&told)
                        && run.stderr.contains(&names),
                    "{arguments:?}: {run:#?}"
                );
            }
        }
    }
}

#[test]
fn a_format_before_the_commands_name_counts_and_the_last_one_wins() {
    let zone = concat!(env!("CARGO_MANIFEST_DIR"), "/zones/example.com.zone");
    for (arguments, is_json) in [
        (["--format", "json", "zone", "check", zone].to_vec(), true),
        (["zone", "--format", "json", "check", zone].to_vec(), true),
        (["zone", "check", zone, "--format", "json"].to_vec(), true),
        (["zone", "check", zone].to_vec(), false),
        (
            [
                "--format", "json", "zone", "check", zone, "--format", "text",
            ]
            .to_vec(),
            false,
        ),
    ] {
        let output = Command::new(PROGRAM).args(&arguments).output().unwrap();
        let run = Run::from(output).ends(0);
        assert_eq!(
            is_json_of("zone-check", &run.stdout),
            is_json,
            "{arguments:?}"
        );
    }
}
