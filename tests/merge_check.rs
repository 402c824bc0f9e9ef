//! The pre-merge gate (review rule R1) through the real program and real git: what may be merged, and what never.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // one table
    missing_docs
)]

mod rotation_support;

use rotation_support::{
    BEGIN, BRANCH, HOSTS, JOURNAL, PROGRAM, Publish, Run, World, ZONE_FILE, hours, without_tlsa,
};
use std::fs;
use std::process::Command;
use tlsa_rotate::rotation::timing::Instant;

/// A rotation whose first proposal waits for review.
fn proposed() -> World {
    let world = World::new(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    world
}

/// The same, merged and served; the hour is 2.
fn published() -> World {
    let world = proposed();
    world.merge();
    world.advance(hours(1)).ends(0);
    world.load();
    world.advance(hours(2)).ends(0);
    world
}

/// A rotation whose last proposal waits for review; the hour is 52.
fn retiring() -> World {
    let world = published();
    world.advance(hours(27)).ends(3);
    for host in 0..HOSTS.len() {
        world.deploy(host);
    }
    world.advance(hours(28)).ends(0);
    world.watch(28, 52);
    world.advance(hours(52)).ends(3);
    world
}

/// Commits `edit` of the zone file, as a person would, on a branch named `pr` that starts at `from`.
fn pull_request(world: &World, from: &str, edit: impl Fn(&str) -> String) {
    on_branch(world, "pr", from, || {
        let before = world.read(ZONE_FILE);
        let after = edit(&before);
        assert_ne!(before, after, "the edit does nothing");
        world.write(ZONE_FILE, &after);
    });
}

fn on_branch(world: &World, name: &str, from: &str, work: impl Fn()) {
    world.git(&format!("checkout --quiet -B {name} {from}"));
    work();
    world.git("add --all");
    world.git("commit --quiet --message work");
    world.git("checkout --quiet main");
}

fn judged(world: &World, now: Instant, head: &str) -> Run {
    let run = world.run(now, &["check", "--merge", "--head", head]);
    let again = world.run(now, &["check", "--merge", "--head", head]);
    assert_eq!(run.stdout, again.stdout, "the same twice");
    run
}

#[track_caller]
fn refused(run: Run, code: i32, why: &[&str]) {
    let run = run.ends(code);
    assert!(run.stdout.contains("it must not be merged"), "{run:#?}");
    for part in why {
        assert!(run.stdout.contains(part), "no `{part}`: {run:#?}");
    }
    assert!(run.stdout.contains("way out: "), "{run:#?}");
}

#[track_caller]
fn allowed(run: Run) -> String {
    let run = run.ends(0);
    assert!(run.stdout.contains("it may be merged"), "{run:#?}");
    run.stdout
}

fn without_tlsa_of(zone: &str, host: &str) -> String {
    without_tlsa(zone, &format!("_25._tcp.{host}"))
}

/// The zone with another serial.
fn with_serial(zone: &str, serial: &str) -> String {
    let old = zone
        .split_whitespace()
        .find(|word| word.len() == 10 && word.starts_with("202") && word.parse::<u32>().is_ok())
        .unwrap()
        .to_owned();
    zone.replacen(&old, serial, 1)
}

#[test]
fn a_proposal_may_be_merged_as_it_was_made() {
    let world = proposed();
    allowed(judged(&world, hours(1), BRANCH));
    let world = retiring();
    let told = allowed(judged(&world, hours(53), BRANCH));
    assert!(told.contains("asked mail.1 (Retiring)"), "{told}");
}

#[test]
fn a_proposal_that_a_person_touched_may_not() {
    let world = proposed();
    // One digit of the incoming digest: it parses, it adds a record, and it is of no key.
    on_branch(&world, "pr", BRANCH, || {
        let zone = world.read(ZONE_FILE);
        let added = world.git(&format!("diff main {BRANCH} -- {ZONE_FILE}"));
        let line = added
            .lines()
            .find(|l| l.starts_with('+') && l.ends_with(" )"))
            .unwrap()
            .trim_start_matches('+');
        let at = line.len() - " )".len() - 1;
        let flipped = if line[at..].starts_with('0') {
            "1"
        } else {
            "0"
        };
        let changed = format!("{}{flipped} )", &line[..at]);
        world.write(ZONE_FILE, &zone.replacen(line, &changed, 1));
    });
    let why = "example.com.zone is not what mail.1/publish proposes: line ";
    refused(judged(&world, hours(1), "pr"), 3, &[why]);
    // The same folded into the one commit, as `git commit --amend` does.
    world.git("checkout --quiet pr");
    world.git("reset --quiet --soft HEAD~1");
    world.git("commit --quiet --amend --no-edit");
    world.git("checkout --quiet main");
    refused(judged(&world, hours(1), "pr"), 3, &[why]);
    // Another file beside it.
    on_branch(&world, "pr", BRANCH, || world.write("other", "other\n"));
    world.git("checkout --quiet pr");
    world.git("reset --quiet --soft HEAD~1");
    world.git("commit --quiet --amend --no-edit");
    world.git("checkout --quiet main");
    refused(
        judged(&world, hours(1), "pr"),
        3,
        &["the proposal mail.1/publish also changes other"],
    );
}

#[test]
fn what_a_proposal_generated_is_compared_too() {
    let world = proposed();
    for (file, broken, why) in [
        (
            "changes/mail.1/publish.example.com.diff",
            "nothing\n",
            "line 1 should be",
        ),
        (
            "changes/mail.1/publish.example.com.delta",
            "; nothing\n",
            "line 1: expected",
        ),
    ] {
        world.git(&format!("checkout --quiet -B pr {BRANCH}"));
        world.write(file, broken);
        world.git("add --all");
        world.git("commit --quiet --amend --no-edit");
        world.git("checkout --quiet main");
        refused(judged(&world, hours(1), "pr"), 3, &[file, why]);
    }
    // A delta of the right form that says something else: records taken out of it.
    world.git(&format!("checkout --quiet -B pr {BRANCH}"));
    let file = "changes/mail.1/publish.example.com.delta";
    let delta = world.read(file);
    let without: Vec<&str> = delta
        .lines()
        .filter(|line| !line.contains(" TLSA "))
        .collect();
    world.write(file, &(without.join("\n") + "\n"));
    world.git("add --all");
    world.git("commit --quiet --amend --no-edit");
    world.git("checkout --quiet main");
    refused(
        judged(&world, hours(1), "pr"),
        3,
        &["say something else than the zone"],
    );
}

#[test]
fn an_outdated_base_asks_for_a_rebuild_and_gets_it() {
    let world = proposed();
    pull_request(&world, "main", |zone| {
        with_serial(zone, "2026120177") + "ftp 3600 IN A 192.0.2.77\n"
    });
    let told = allowed(judged(&world, hours(1), "pr"));
    assert!(
        told.contains("as it did before"),
        "what is not merged yet is a note: {told}"
    );
    world.git("merge --quiet --ff-only pr");
    refused(
        judged(&world, hours(1), BRANCH),
        3,
        &[
            "both changed the same of example.com.zone",
            "`tlsa-rotate advance`",
        ],
    );
    let rebuilt = world.advance(hours(1)).ends(3);
    assert!(rebuilt.stderr.contains("rebuilt mail.1"), "{rebuilt:#?}");
    allowed(judged(&world, hours(1), BRANCH));
    // What changes no zone need not be on the tip.
    on_branch(&world, "pr", "main~1", || world.write("notes", "hello\n"));
    allowed(judged(&world, hours(1), "pr"));
}

#[test]
fn a_required_record_stays() {
    for (world, hour) in [(proposed(), 1), (published(), 3), (retiring(), 53)] {
        pull_request(&world, "main", |zone| {
            with_serial(&without_tlsa_of(zone, "mx2"), "2026120188")
        });
        refused(
            judged(&world, hours(hour), "pr"),
            4,
            &[
                "_25._tcp.mx2.example.com. TLSA, which mail.1 (",
                "senders could refuse mail",
            ],
        );
    }
}

#[test]
fn a_revert_of_either_proposal_is_caught() {
    let world = published();
    world.git("checkout --quiet -b pr");
    world.git("revert --no-edit HEAD");
    world.git("checkout --quiet main");
    refused(
        judged(&world, hours(3), "pr"),
        4,
        &["which mail.1 (Waiting) requires", "goes back"],
    );
    let world = retiring();
    world.merge();
    world.git("checkout --quiet -b pr");
    world.git("revert --no-edit HEAD");
    world.git("checkout --quiet main");
    refused(
        judged(&world, hours(54), "pr"),
        3,
        &[
            "it brings 3 1 1 ",
            "from where mail.1 (Retiring) has taken it",
        ],
    );
    world.advance(hours(54)).ends(0);
    world.load();
    world.advance(hours(55)).ends(0);
    assert_eq!(world.step(hours(55)), "Retired");
    refused(
        judged(&world, hours(56), "pr"),
        3,
        &["from where mail.1 (Retired) has taken it"],
    );
}

#[test]
fn an_old_proposal_is_over() {
    let world = proposed();
    world.git(&format!("branch old {BRANCH}"));
    world.run(hours(1), &["abort", "mail"]);
    world.advance(hours(1));
    assert_eq!(world.step(hours(1)), "Aborted");
    refused(
        judged(&world, hours(2), "old"),
        3,
        &[
            "the proposal mail.1/publish is over: the rotation stands at Aborted",
            "it brings 3 1 1 ",
        ],
    );
    // Squashed into the base, so that the branch itself never became part of it; and forgotten until the end.
    let world = proposed();
    world.git(&format!("branch old {BRANCH}"));
    world.git(&format!("merge --quiet --squash {BRANCH}"));
    world.git("commit --quiet --message squashed");
    let nothing = "it changes nothing that the base does not have already";
    assert!(allowed(judged(&world, hours(1), "old")).contains(nothing));
    world.advance(hours(1)).ends(0);
    world.load();
    world.advance(hours(2)).ends(0);
    assert!(allowed(judged(&world, hours(2), "old")).contains(nothing));
    world.advance(hours(27)).ends(3);
    for host in 0..HOSTS.len() {
        world.deploy(host);
    }
    world.advance(hours(28)).ends(0);
    world.watch(28, 52);
    world.advance(hours(52)).ends(3);
    assert!(allowed(judged(&world, hours(53), "old")).contains(nothing));
    world.merge();
    let both = "both changed the same of example.com.zone";
    refused(judged(&world, hours(54), "old"), 3, &[both]);
}

#[test]
fn a_serial_never_goes_back_and_a_zone_stays_a_zone() {
    let world = proposed();
    pull_request(&world, "main", |zone| {
        with_serial(zone, "2020010100") + "ftp 3600 IN A 192.0.2.77\n"
    });
    refused(
        judged(&world, hours(1), "pr"),
        3,
        &["goes back from 20", " to 2020010100"],
    );
    pull_request(&world, "main", |zone| {
        zone.to_owned() + "ftp 3600 IN A nonsense\n"
    });
    refused(
        judged(&world, hours(1), "pr"),
        1,
        &["zone example.com. cannot be read", "zone check"],
    );
    // Without a move of the serial it may be merged, and the reviewer is told.
    pull_request(&world, "main", |zone| {
        zone.to_owned() + "ftp 3600 IN A 192.0.2.77\n"
    });
    let told = allowed(judged(&world, hours(1), "pr"));
    assert!(told.contains("under the same serial"), "{told}");
}

#[test]
fn the_configuration_of_a_request_hides_nothing() {
    let world = published();
    let moved = |to: &str| {
        world
            .read("tlsa-rotate.toml")
            .replace("file = \"example.com.zone\"", to)
    };
    on_branch(&world, "pr", "main", || {
        world.write("tlsa-rotate.toml", &moved("file = \"other.zone\""));
    });
    refused(
        judged(&world, hours(3), "pr"),
        4,
        &["it leaves _25._tcp.mx1.example.com."],
    );
    // Moving the file is no harm, as long as everything is in it.
    on_branch(&world, "pr", "main", || {
        world.write("tlsa-rotate.toml", &moved("file = \"other.zone\""));
        fs::rename(world.path(ZONE_FILE), world.path("other.zone")).unwrap();
    });
    allowed(judged(&world, hours(3), "pr"));
    on_branch(&world, "pr", "main", || {
        world.write("tlsa-rotate.toml", &moved("file = \"other.zone\""));
        let zone = world.read(ZONE_FILE);
        fs::remove_file(world.path(ZONE_FILE)).unwrap();
        world.write("other.zone", &without_tlsa_of(&zone, "mx1"));
    });
    refused(
        judged(&world, hours(3), "pr"),
        4,
        &["_25._tcp.mx1.example.com."],
    );
    // Neither does a journal that somebody put into the request.
    on_branch(&world, "pr", "main", || {
        let zone = world.read(ZONE_FILE);
        world.write(
            ZONE_FILE,
            &with_serial(&without_tlsa_of(&zone, "mx1"), "2026120199"),
        );
        let journal = world.read(JOURNAL);
        let directory = world.path("journal");
        fs::create_dir_all(&directory).unwrap();
        fs::write(
            directory.join("mail.jsonl"),
            journal.lines().next().unwrap(),
        )
        .unwrap();
    });
    refused(
        judged(&world, hours(3), "pr"),
        4,
        &["_25._tcp.mx1.example.com."],
    );
}

#[test]
fn without_journals_nothing_can_be_told() {
    let world = published();
    world.git("rm -r --quiet changes");
    world.git("commit --quiet --message tidy");
    fs::rename(world.path(".tlsa-rotate"), world.path("moved")).unwrap();
    let run = judged(&world, hours(3), "main").ends(1);
    run.complains_of("there are no journals in ");
    assert_eq!(run.stdout, "");
    // That of one certificate alone.
    fs::rename(world.path("moved"), world.path(".tlsa-rotate")).unwrap();
    fs::remove_file(world.path(JOURNAL)).unwrap();
    let run = judged(&world, hours(3), "main").ends(3);
    assert!(run.stderr.contains("git knows of mail.1"), "{run:#?}");
    assert_eq!(run.stdout, "");
}

#[test]
fn before_the_first_rotation_the_configured_hosts_are_protected() {
    let world = World::new(Publish::Branch);
    assert!(!world.path(".tlsa-rotate/journal").exists());
    pull_request(&world, "main", |zone| {
        zone.to_owned() + "www IN A 192.0.2.80\n"
    });
    let told = allowed(judged(&world, BEGIN, "pr"));
    assert!(told.contains("none has begun yet"), "{told}");
    pull_request(&world, "main", |zone| {
        zone.replacen("3 1 1 ( ; mx1", "3 0 1 ( ; mx1", 1)
    });
    refused(judged(&world, BEGIN, "pr"), 4, &["mx1.example.com"]);
}

#[test]
fn that_git_shows_no_step_is_believed_only_where_it_would_show_one() {
    let world = published();
    // Whoever merged wrote a message of his own, and tidied up.
    let world = world.copy();
    world.git("checkout --quiet --detach HEAD");
    let tree = world.git("rev-parse main^{tree}");
    let first = world.git("rev-list --max-parents=0 main");
    let squashed = world.git(&format!("commit-tree -p {first} -m merged {tree}"));
    world.git(&format!("branch --quiet --force main {squashed}"));
    world.git("checkout --quiet main");
    for name in world
        .git("for-each-ref --format=%(refname) refs/tlsa-rotate refs/heads/tlsa-rotate")
        .lines()
    {
        world.git(&format!("update-ref -d {name}"));
    }
    fs::remove_dir_all(world.path(".tlsa-rotate")).unwrap();
    let run = judged(&world, hours(3), "main").ends(1);
    run.complains_of("there are no journals in ");
    // Nor where the history is cut off.
    let world = published();
    world.git("rm -r --quiet changes");
    world.git("commit --quiet --message tidy");
    let clone = world.path("clone");
    let from = format!("file://{}", world.path("").display());
    world.git(&format!(
        "clone --quiet --depth 1 --branch main {from} clone"
    ));
    let mut check = Command::new(PROGRAM);
    check.current_dir(&clone);
    check.args(["--now", &hours(3).to_string()]);
    check.args(["check", "--merge", "--base", "main", "--head", "main"]);
    let run = Run::from(check.output().unwrap()).ends(1);
    run.complains_of("there are no journals in ");
    assert!(run.stderr.contains("--unshallow"), "{run:#?}");
}

#[test]
fn two_rotations_in_one_zone_take_turns() {
    let world = World::with(Publish::Branch, |config| {
        let hosts = "hosts = [\"mx1.example.com\", \"mx2.example.com\"]";
        let (front, certificate) = config.split_once("[[certificate]]").unwrap();
        let of = |name: &str, host: &str| {
            certificate
                .replace("name = \"mail\"", &format!("name = \"{name}\""))
                .replace(hosts, &format!("hosts = [\"{host}\"]"))
                .lines()
                .map(|line| {
                    if line.starts_with("addresses") {
                        let at = line.find(&format!("\"{host}\" = ")).unwrap();
                        let end = at + line[at..].find(']').unwrap();
                        format!("addresses = {{ {}] }}", &line[at..end])
                    } else {
                        line.to_owned()
                    }
                })
                .collect::<Vec<_>>()
                .join("\n")
        };
        format!(
            "{front}[[certificate]]{}\n[[certificate]]{}\n",
            of("mail", HOSTS[0]),
            of("spare", HOSTS[1])
        )
    });
    world.start(BEGIN).ends(0);
    world.run(BEGIN, &["start", "spare"]).ends(0);
    world.advance(BEGIN).ends(3);
    let other = "tlsa-rotate/spare.1";
    allowed(judged(&world, hours(1), BRANCH));
    allowed(judged(&world, hours(1), other));
    world.merge();
    // One merge does not make the other proposal stale; that both have one serial is said.
    let told = allowed(judged(&world, hours(1), other));
    assert!(told.contains("under the same serial"), "{told}");
    let both = world.copy();
    both.git(&format!("merge --quiet --no-edit {other}"));
    both.advance(hours(1)).ends(0);
    for host in HOSTS {
        assert_eq!(both.tlsa(host).len(), 2, "{host}");
    }
    both.load();
    both.advance(hours(2)).ends(0);
    assert_eq!(both.step(hours(2)), "Waiting");
    world.advance(hours(1)).ends(3);
    allowed(judged(&world, hours(1), other));
    // Each requires its own: the second rotation's request cannot take away what the first one brought.
    pull_request(&world, other, |zone| without_tlsa_of(zone, "mx1"));
    refused(
        judged(&world, hours(1), "pr"),
        4,
        &["_25._tcp.mx1.example.com. TLSA, which mail.1"],
    );
    world.git(&format!("merge --quiet --ff-only {other}"));
    world.advance(hours(2)).ends(0);
    for host in HOSTS {
        assert_eq!(world.tlsa(host).len(), 2, "{host}");
    }
}

#[test]
fn programs_and_reviewers_are_told_in_their_form() {
    let world = published();
    pull_request(&world, "main", |zone| {
        with_serial(&without_tlsa_of(zone, "mx2"), "2026120188")
    });
    let json = ["check", "--merge", "--head", "pr", "--format", "json"];
    let run = world.run(hours(3), &json).ends(4);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(told["schema"], "tlsa-rotate/check-merge/v1");
    assert_eq!(told["may_be_merged"], false);
    assert_eq!(told["findings"][0]["kind"], "lost");
    assert_eq!(told["findings"][0]["severity"], "delivery-at-risk");
    let markdown = ["check", "--merge", "--head", "pr", "--format", "markdown"];
    let run = world.run(hours(3), &markdown).ends(4);
    assert!(run.stdout.starts_with("**tlsa-rotate**: "), "{run:#?}");
    assert!(run.stdout.contains("| why not | way out |"), "{run:#?}");
    world
        .run(hours(3), &["check", "--merge", "--swap", "mail"])
        .ends(2);
    world
        .run(hours(3), &["check", "--merge", "--head", "nowhere"])
        .ends(1)
        .complains_of("`nowhere` names no commit");
    world
        .run(hours(3), &["check", "--merge"])
        .ends(1)
        .complains_of("`origin/HEAD` names no commit");
}

#[test]
fn the_swap_gate_opens_in_its_step_only_and_only_where_every_server_agrees() {
    let world = proposed();
    let swap = |hour| world.run(hours(hour), &["check", "--swap", "mail"]);
    swap(1).ends(3);
    world.merge();
    world.advance(hours(1)).ends(0);
    world.load();
    world.advance(hours(2)).ends(0);
    let waiting = swap(28).ends(3);
    assert!(waiting.stderr.contains("stands at Waiting"), "{waiting:#?}");
    let before = world.read("example.com.zone.signed");
    world.advance(hours(28)).ends(3);
    let open = swap(28).ends(0).stdout;
    assert!(
        open.starts_with("mail: deploy now on mx1.example.com:25 (SwapOpen)\n  key    3 1 1 ")
            && open.ends_with("/keys/tls/mail.1\n"),
        "{open}"
    );
    // Another key in the place of the next one is not to be installed.
    let swapped = world.copy();
    let next = swapped.path("keys/tls/mail.1");
    let other = fs::read(swapped.path("live/fullchain.pem")).unwrap();
    for file in fs::read_dir(&next)
        .unwrap()
        .map(|file| file.unwrap().path())
    {
        if file.to_string_lossy().ends_with(".cert.pem") {
            fs::write(file, &other).unwrap();
        }
    }
    let run = swapped.run(hours(28), &["check", "--swap", "mail"]).ends(3);
    assert!(run.stderr.contains("install none from there"), "{run:#?}");
    let run = swapped.advance(hours(28));
    assert!(run.stderr.contains("install none from there"), "{run:#?}");
    // A server that goes back closes it, whatever the journal says.
    let old = world.git("show HEAD~1:example.com.zone");
    let new = world.read(ZONE_FILE);
    world.write(ZONE_FILE, &(with_serial(&old, "2026120199") + "\n"));
    world.git("commit --quiet --all --message back");
    let run = swap(28);
    assert!(matches!(run.code, Some(3 | 4)), "{run:#?}");
    assert!(run.stdout.contains("do not deploy"), "{run:#?}");
    world.write(ZONE_FILE, &new);
    world.git("commit --quiet --all --message again");
    swap(28).ends(0);
    for host in 0..HOSTS.len() {
        world.deploy(host);
    }
    world.advance(hours(29)).ends(0);
    swap(29).ends(3);
    assert_eq!(before, world.read("example.com.zone.signed"));
    world.run(hours(29), &["check", "--swap", "nobody"]).ends(1);
}
