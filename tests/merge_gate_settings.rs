//! The pre-merge gate before requests that change the configuration, or what stands where files of ours lie.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // tables
    missing_docs
)]

mod gate_support;
mod rotation_support;

use gate_support::{Row, append, config, estate, judge_all, proposed};
use rotation_support::{BRANCH, Publish, World, hours};
use std::fs;
use std::os::unix::fs::symlink;

/// Requests that change the configuration, or what stands where files of ours lie: the base judges, and what is weaker is told.
#[test]
fn what_a_request_makes_of_the_configuration() {
    let (world, hour) = estate(Publish::Branch);
    let servers = [world.server(0), world.server(1)];
    let hosts = world.hosts();
    let both = format!("[\"{}\", \"{}\"]", servers[0], servers[1]);
    let one = format!("[\"{}\"]", servers[0]);
    let (second, first) = (format!("[\"{}\"]", hosts[1]), format!("[\"{}\"]", hosts[0]));
    let mail = "deploy = { manual = true }\n";
    let net = "net.zone";
    let new_zone = |name: &str, parent: &'static str| {
        let name = name.to_owned();
        move |world: &World| {
            append(
                world,
                "tlsa-rotate.toml",
                &format!(
                    "\n[[zone]]\nname = \"{name}\"\nfile = \"new.zone\"\nsign = {{ keys = \"keys\" }}\n"
                ),
            );
            world.write(
                "new.zone",
                "$TTL 3600\n@ IN SOA ns1.example.com. host.example.com. 1 2 3 4 5\n@ IN NS ns1.example.com.\n",
            );
            let zone = world.read("example.com.zone");
            if !parent.is_empty() {
                let zone = gate_support::with_lines(&zone, parent);
                world.write("example.com.zone", &gate_support::next_serial(&zone));
            }
        }
    };
    let _ = net;
    let rows = vec![
        Row::work(
            "a comment",
            |w| append(w, "tlsa-rotate.toml", "# hello\n"),
            0,
            "it may be merged",
        ),
        config(
            "a shorter wait",
            "min_wait = \"24h\"",
            "min_wait = \"1h\"",
            3,
            "min_wait goes from 1d to 1h",
        ),
        config(
            "a longer wait",
            "min_wait = \"24h\"",
            "min_wait = \"48h\"",
            0,
            "",
        ),
        config(
            "no soak",
            "soak = \"24h\"",
            "soak = \"0s\"",
            3,
            "soak goes from 1d to 0s",
        ),
        config(
            "no margin",
            "safety_margin = \"1h\"",
            "safety_margin = \"0s\"",
            3,
            "safety_margin goes from 1h to 0s",
        ),
        config("fewer servers", &both, &one, 3, "servers lacks"),
        Row::work(
            "one host less that rotates",
            gate_support::less("mx2.example.com"),
            3,
            "hosts lacks mx2.example.com",
        ),
        Row::work(
            "one host less that rests",
            gate_support::less("wild.example.net"),
            0,
            "hosts lacks wild.example.net",
        ),
        config(
            "another address",
            &format!("\"mx2.example.com\" = {second}"),
            &format!("\"mx2.example.com\" = {first}"),
            3,
            "addresses of mx2.example.com",
        ),
        config(
            "another way to deploy",
            mail,
            "deploy = { command = [\"/bin/true\"] }\n",
            3,
            "deploy is another",
        ),
        config(
            "other keys that sign",
            "keys = \"keys\"",
            "keys = \"other\"",
            3,
            "sign.keys",
        ),
        config(
            "a shorter validity",
            "keys = \"keys\" }",
            "keys = \"keys\", validity = \"3d\" }",
            3,
            "sign.validity",
        ),
        config(
            "nobody reviews",
            "publish = { git = { branch = \"tlsa-rotate/{rotation}\" } }",
            "publish = { git = {} }",
            3,
            "publish is another",
        ),
        config(
            "a zone out of git",
            "publish = { git = { branch = \"tlsa-rotate/{rotation}\" } }",
            "publish = { file = true }",
            4,
            "publish is another",
        ),
        config(
            "another branch counts",
            "branch = \"main\"",
            "branch = \"mine\"",
            3,
            "branch is another",
        ),
        config(
            "a larger step",
            "[policy]",
            "[policy]\nconcurrent = 2",
            3,
            "concurrent goes from 1 to 2",
        ),
        config(
            "a later alarm",
            "[policy]",
            "[policy]\npatience = \"30d\"",
            3,
            "patience goes from",
        ),
        Row::work(
            "the configuration gone",
            |w| fs::remove_file(w.path("tlsa-rotate.toml")).unwrap(),
            3,
            "takes the configuration",
        ),
        Row::work(
            "a certificate at rest gone",
            |w| {
                let text = w.read("tlsa-rotate.toml");
                let at = text.find("[[certificate]]\nname = \"net\"").unwrap();
                w.write("tlsa-rotate.toml", &text[..at]);
            },
            0,
            "certificate net is configured no more",
        ),
        Row::work(
            "a zone and its certificate gone",
            |w| {
                let text = w.read("tlsa-rotate.toml");
                let at = text.find("\n[[zone]]\n").unwrap();
                let at = at + 1 + text[at + 1..].find("\n[[zone]]\n").unwrap();
                w.write("tlsa-rotate.toml", &text[..at]);
            },
            4,
            "zone example.net. is configured no more",
        ),
        Row::work(
            "a journal in the request",
            |w| {
                w.write(".tlsa-rotate/journal/other.jsonl", "");
                w.git("add --force .tlsa-rotate/journal/other.jsonl");
            },
            4,
            "a file that only runs write",
        ),
        Row::work(
            "a zone file that is a link",
            |w| {
                fs::remove_file(w.path("example.net.zone")).unwrap();
                symlink("example.com.zone", w.path("example.net.zone")).unwrap();
            },
            3,
            "example.net.zone becomes a symbolic link",
        ),
        Row::work(
            "a zone file that is a directory",
            |w| {
                fs::remove_file(w.path("example.net.zone")).unwrap();
                fs::create_dir(w.path("example.net.zone")).unwrap();
                w.write("example.net.zone/file", "hello\n");
            },
            3,
            "example.net.zone becomes a directory",
        ),
        Row::index(
            "a zone file that is a submodule",
            "160000",
            "example.net.zone",
            3,
            "example.net.zone becomes a submodule",
        ),
        Row::work(
            "the zone file gone",
            |w| fs::remove_file(w.path("example.net.zone")).unwrap(),
            4,
            "would be nowhere after the merge",
        ),
        Row::work(
            "a link among the files for review",
            |w| symlink("/tmp", w.path("changes/there")).unwrap(),
            3,
            "changes/there becomes a symbolic link",
        ),
        Row::index(
            "the state is a link",
            "120000",
            ".tlsa-rotate",
            4,
            "a file that only runs write",
        ),
        Row::index(
            "the directory of keys is a link",
            "120000",
            "keys",
            3,
            "keys becomes a symbolic link",
        ),
        Row::index(
            "the configuration is a link",
            "120000",
            "tlsa-rotate.toml",
            3,
            "tlsa-rotate.toml becomes a symbolic link",
        ),
        Row::work(
            "line ends by attributes",
            |w| w.write(".gitattributes", "*.zone text eol=crlf\n"),
            3,
            "eol=crlf",
        ),
        Row::work(
            "a filter by attributes",
            |w| w.write(".gitattributes", "*.zone filter=mine\n"),
            3,
            "filter=mine",
        ),
        Row::work(
            "attributes of other files",
            |w| w.write(".gitattributes", "*.md text\n"),
            0,
            "",
        ),
        Row::work(
            "a new zone that nobody delegates",
            new_zone("mx1.example.com", ""),
            4,
            "is not delegated by zone example.com.",
        ),
        Row::work(
            "a new zone that is delegated",
            new_zone("new.example.com", "new IN NS ns1\n"),
            0,
            "zone new.example.com. is new",
        ),
        Row::work(
            "a new zone that cannot be read",
            move |w| {
                new_zone("new.example.com", "new IN NS ns1\n")(w);
                w.write("new.zone", "$INCLUDE nowhere\n");
            },
            1,
            "zone new.example.com. cannot be read",
        ),
    ];
    judge_all(&world, hours(hour + 1), rows);
}

#[test]
fn a_program_that_runs_execute_and_a_secret_are_told() {
    let world = World::with(Publish::Branch, |config| {
        config.replace(
            "deploy = { manual = true }",
            "deploy = { command = [\"sh\", \"-c\", \"exec ./scripts/deploy.sh mail\"], rollback = [\"scripts/back\"] }",
        )
    });
    fs::create_dir(world.path("scripts")).unwrap();
    for file in ["scripts/deploy.sh", "scripts/back", "scripts/other"] {
        world.write(file, "exit 1\n");
    }
    world.git("add --all");
    world.git("commit --quiet --message scripts");
    let (key, secret) = (
        world.read("live/privkey.pem"),
        "algorithm hmac-sha256; secret \"q83vASNFZ4mrze8BI0VniavN7wE=\";",
    );
    let rows = |code: i32| {
        let key = key.clone();
        vec![
            Row::work(
                "a script that deploys",
                |w| w.write("scripts/deploy.sh", "exit 0\n"),
                code,
                "scripts/deploy.sh, which `deploy` runs, is another (certificate mail)",
            ),
            Row::work(
                "a script that is gone",
                |w| fs::remove_file(w.path("scripts/back")).unwrap(),
                code,
                "scripts/back, which `rollback` runs, is gone (certificate mail)",
            ),
            Row::work(
                "another script",
                |w| w.write("scripts/other", "exit 0\n"),
                0,
                "it may be merged",
            ),
            Row::work(
                "a key under another name",
                move |w| w.write("notes", &key),
                3,
                "it brings notes, which holds a private key",
            ),
            Row::work(
                "a TSIG key",
                move |w| w.write("named.conf", &format!("key xfr {{ {secret} }};\n")),
                3,
                "it brings named.conf, which holds a TSIG key",
            ),
            Row::work(
                "words about keys",
                |w| w.write("notes", "-----BEGIN PRIVATE KEY-----\nis how one begins\n"),
                0,
                "it may be merged",
            ),
        ]
    };
    // Before a rotation it is for whoever reviews it; while one goes by it, it is refused.
    judge_all(&world, hours(1), rows(0));
    world.start(hours(1)).ends(0);
    judge_all(&world, hours(1), rows(3));
}

#[test]
fn a_journal_that_holds_nothing_says_nothing_of_what_is_required() {
    let world = proposed(Publish::Branch);
    let journal = world.read(rotation_support::JOURNAL);
    world.write(rotation_support::JOURNAL, "");
    let run = gate_support::judged(&world, hours(1), BRANCH).ends(3);
    // Git knows what it should hold; where git knows nothing, it is the journal that is told.
    assert!(
        run.stderr.contains("the journal of mail is missing"),
        "{run:#?}"
    );
    world.write(rotation_support::JOURNAL, &journal);
    gate_support::judged(&world, hours(1), BRANCH).ends(0);
}
