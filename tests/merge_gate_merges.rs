//! The pre-merge gate before requests that come in many merges, from many bases, with many messages.
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

use gate_support::{Row, append, judge_all, proposed};
use rotation_support::{BRANCH, Publish, World, hours};
use std::fs;

/// What the merge makes is judged, not in how many commits and merges it comes, nor what their messages say.
#[test]
fn what_comes_of_a_merge() {
    let world = proposed(Publish::Branch);
    let ftp = |w: &World, zone: &str| {
        let text = gate_support::with_lines(&w.read(zone), "ftp IN A 192.0.2.77\n");
        w.write(zone, &text);
    };
    let commit = |w: &World, message: &str| {
        w.git("add --all");
        let path = w.path(".git/message");
        fs::write(&path, message).unwrap();
        w.git(&format!("commit --quiet --file {}", path.display()));
    };
    let moved = move |w: &World| {
        w.git("checkout --quiet main");
        ftp(w, "example.net.zone");
        commit(w, "another zone");
    };
    let on = |w: &World, from: &str| {
        w.git(&format!("checkout --quiet -B pr {from}"));
    };
    let trailer = "About proposals\n\nTlsa-Rotate-Step: mail.1/publish\n";
    let digest = |w: &World| {
        let zone = w.read("example.com.zone");
        let mut lines = zone.lines();
        let line = lines
            .find(|line| line.ends_with(" )") && line.len() > 20)
            .unwrap();
        let at = line.len() - " )".len() - 1;
        let other = if line[at..].starts_with('0') {
            "1"
        } else {
            "0"
        };
        let changed = format!("{}{other} )", &line[..at]);
        w.write("example.com.zone", &zone.replacen(line, &changed, 1));
    };
    let rows = vec![
        Row::branch("nothing", move |w| on(w, "main"), 0, "it changes nothing"),
        Row::branch("a proposal as it was made", move |w| on(w, BRANCH), 0, ""),
        Row::branch(
            "another zone was merged since",
            move |w| {
                moved(w);
                on(w, BRANCH);
            },
            0,
            "",
        ),
        Row::branch(
            "a comment in the configuration since",
            move |w| {
                append(w, "tlsa-rotate.toml", "# hello\n");
                commit(w, "comment");
                on(w, BRANCH);
            },
            0,
            "",
        ),
        Row::branch(
            "the button that updates the branch",
            move |w| {
                moved(w);
                on(w, BRANCH);
                w.git("merge --quiet --no-edit main");
            },
            0,
            "",
        ),
        Row::branch(
            "a merge by which a digest changes",
            move |w| {
                moved(w);
                on(w, BRANCH);
                w.git("merge --quiet --no-commit --no-ff main");
                digest(w);
                commit(w, "Merge branch 'main'");
            },
            4,
            "is not what mail.1/publish proposes",
        ),
        Row::branch(
            "an octopus",
            move |w| {
                for name in ["one", "two"] {
                    w.git(&format!("checkout --quiet -B {name} main"));
                    w.write(name, "hello\n");
                    commit(w, name);
                }
                on(w, "main");
                w.git(&format!("merge --quiet --no-edit one two {BRANCH}"));
            },
            0,
            "",
        ),
        Row::branch(
            "documents on top of a proposal",
            move |w| {
                on(w, BRANCH);
                w.write("notes", "hello\n");
                commit(w, "notes");
            },
            0,
            "",
        ),
        Row::branch(
            "another record on top of a proposal",
            move |w| {
                on(w, BRANCH);
                ftp(w, "example.com.zone");
                commit(w, "ftp");
            },
            0,
            "changes in more than what mail.1/publish proposes",
        ),
        Row::branch(
            "a record taken out on top of a proposal",
            move |w| {
                on(w, BRANCH);
                let zone = w.read("example.com.zone");
                w.write(
                    "example.com.zone",
                    &rotation_support::without_tlsa(&zone, "_25._tcp.mx2"),
                );
                commit(w, "less");
            },
            4,
            "_25._tcp.mx2.example.com.",
        ),
        Row::branch(
            "another file in the commit of a proposal",
            move |w| {
                on(w, BRANCH);
                w.write("notes", "hello\n");
                w.git("add --all");
                w.git("commit --quiet --amend --no-edit");
            },
            3,
            "also changes notes",
        ),
        Row::branch(
            "a message that quotes a trailer",
            move |w| {
                on(w, "main");
                w.write("notes", "hello\n");
                commit(w, trailer);
            },
            0,
            "",
        ),
        Row::branch(
            "a change of the zone that quotes a trailer",
            move |w| {
                on(w, "main");
                ftp(w, "example.com.zone");
                commit(w, trailer);
            },
            0,
            "",
        ),
        Row::branch(
            "a merge that cannot be made",
            move |w| {
                let text = gate_support::next_serial(&w.read("example.com.zone"));
                w.write("example.com.zone", &text);
                commit(w, "serial");
                on(w, BRANCH);
            },
            3,
            "both changed the same of example.com.zone",
        ),
        Row::branch(
            "another history",
            move |w| {
                w.git("checkout --quiet --orphan pr-orphan");
                commit(w, "anew");
                w.git("branch --quiet --force pr pr-orphan");
                w.git("checkout --quiet --force main");
                w.git("branch --quiet -D pr-orphan");
            },
            3,
            "no history in common",
        ),
        Row::branch(
            "a request of before the last merge",
            move |w| {
                let old = w.git("rev-parse main");
                moved(w);
                on(w, &old);
                ftp(w, "example.com.zone");
                commit(w, "ftp");
            },
            0,
            "",
        ),
        Row::branch(
            "a request of before a proposal was merged",
            move |w| {
                let old = w.git("rev-parse main");
                w.git(&format!("merge --quiet --ff-only {BRANCH}"));
                on(w, &old);
                ftp(w, "example.com.zone");
                commit(w, "ftp");
            },
            0,
            "",
        ),
        Row::branch(
            "a proposal of a step that is none",
            move |w| {
                on(w, "main");
                fs::create_dir_all(w.path("changes/mail.7")).unwrap();
                w.write("changes/mail.7/publish.example.com.diff", "hello\n");
                commit(w, "seven");
            },
            3,
            "mail.7/publish",
        ),
        Row::branch(
            "a base that cannot be read, and other files",
            move |w| {
                append(w, "example.com.zone", "$INCLUDE nowhere\n");
                commit(w, "broken");
                on(w, "main");
                w.write("notes", "hello\n");
                commit(w, "notes");
            },
            0,
            "cannot be read, and could not before",
        ),
        Row::branch(
            "a base that cannot be read, and as bad",
            move |w| {
                append(w, "example.com.zone", "$INCLUDE nowhere\n");
                commit(w, "broken");
                on(w, "main");
                ftp(w, "example.com.zone");
                commit(w, "ftp");
            },
            1,
            "zone example.com. cannot be read",
        ),
        Row::branch(
            "a base that cannot be read, mended",
            move |w| {
                let sound = w.read("example.com.zone");
                append(w, "example.com.zone", "$INCLUDE nowhere\n");
                commit(w, "broken");
                on(w, BRANCH);
                let zone = w.read("example.com.zone");
                w.git("checkout --quiet -B pr main");
                assert_ne!(zone, sound);
                w.write("example.com.zone", &zone);
                commit(w, "sound");
            },
            0,
            "",
        ),
        Row::branch(
            "a base that cannot be read, mended with less",
            move |w| {
                let sound = w.read("example.com.zone");
                append(w, "example.com.zone", "$INCLUDE nowhere\n");
                commit(w, "broken");
                on(w, "main");
                w.write(
                    "example.com.zone",
                    &rotation_support::without_tlsa(&sound, "_25._tcp.mx2"),
                );
                commit(w, "less");
            },
            4,
            "_25._tcp.mx2.example.com.",
        ),
    ];
    judge_all(&world, hours(1), rows);
}
