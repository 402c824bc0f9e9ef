//! `prune` by the real program: records that no host needs leave, proposed and reviewed as a rotation's, and nothing leaves by
//! silence.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod rotation_support;

use rotation_support::external::keep_by_a_provider;
use rotation_support::far::{Far, git};
use rotation_support::{BEGIN, JOURNAL, Publish, Run, SIGNED, World, ZONE_FILE, hours, live_key};
use std::fs;
use tlsa_rotate::workspace::config::Publication;

const BRANCH: &str = "tlsa-rotate/mail.prune";

/// The digest of a key that nobody has.
fn old() -> String {
    "ab".repeat(32)
}

/// A world whose first host has a record more than it needs.
fn with_leftover(publish: Publish) -> World {
    World::shaped(
        publish,
        |config| config,
        |root| vec![live_key(root)],
        |text, _| format!("{text}_25._tcp.mx1 IN TLSA 3 1 1 {}\n", old()),
    )
}

fn prune(world: &World, hour: u64, more: &[&str]) -> Run {
    world.run(hours(hour), &[&["prune", "mail"], more].concat())
}

fn refs(world: &World) -> String {
    match world.publish {
        Publish::File => String::new(),
        _ => world.git("for-each-ref"),
    }
}

#[test]
fn a_record_that_nobody_needs_is_proposed_merged_and_gone() {
    let world = with_leftover(Publish::Branch);
    assert_eq!(world.tlsa("mx1.example.com").len(), 2);
    // Looking changes nothing.
    let (files, before) = (world.files(), refs(&world));
    let run = prune(&world, 1, &["--dry-run"]).ends(0);
    let leaving = format!("- _25._tcp.mx1.example.com. TLSA 3 1 1 {}", old());
    assert!(run.stdout.contains(&leaving), "{run:#?}");
    assert!(
        run.stdout.contains("-_25._tcp.mx1 IN TLSA"),
        "the diff: {run:#?}"
    );
    assert!(
        run.stdout
            .contains("is presented by mx1.example.com:25 at 127.0.0.1"),
        "{run:#?}"
    );
    assert!(run.stderr.contains("nothing was changed"), "{run:#?}");
    assert!(world.files() == files && refs(&world) == before);
    // Proposed, with a message that a reviewer can decide by.
    let run = prune(&world, 1, &[]).ends(3);
    assert!(run.stdout.contains(BRANCH), "{run:#?}");
    for word in [
        "git diff main...tlsa-rotate/mail.prune",
        "git merge",
        "--undo",
    ] {
        assert!(run.stderr.contains(word), "{word}: {run:#?}");
    }
    let message = world.git(&format!("log -1 --format=%B {BRANCH}"));
    for part in [
        "mail: take out records",
        "Why it is safe now",
        "How to undo",
        "Tlsa-Rotate-Step: mail/prune",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    world.git(&format!(
        "cat-file -e {BRANCH}:changes/mail/prune.example.com.diff"
    ));
    // Asked again, and by every run, it stands as it is.
    let stands = world.git(&format!("rev-parse {BRANCH}"));
    prune(&world, 2, &[]).ends(3);
    let run = world.advance(hours(2)).ends(3);
    assert!(
        run.stderr.contains("`prune` waits for review on branch"),
        "{run:#?}"
    );
    assert_eq!(world.git(&format!("rev-parse {BRANCH}")), stands);
    let status = world.run(hours(2), &["status", "mail"]).ends(3);
    assert!(
        status.stderr.contains("`prune` waits for review"),
        "{status:#?}"
    );
    let gate = world.run(hours(2), &["check", "--merge", "--head", BRANCH]);
    assert_eq!(gate.code, Some(0), "{gate:#?}");
    world.git(&format!("merge --quiet --ff-only {BRANCH}"));
    let run = world.advance(hours(3)).ends(0);
    assert!(
        run.stderr.contains("waits for the name servers"),
        "{run:#?}"
    );
    world.load();
    let run = world.advance(hours(3)).ends(0);
    assert!(run.stderr.contains("`prune` is done"), "{run:#?}");
    assert_eq!(world.tlsa("mx1.example.com").len(), 1);
    assert_eq!(
        world.git(&format!("branch --list {BRANCH}")),
        "",
        "merged branches go"
    );
    let run = world.advance(hours(4)).ends(0);
    assert!(!run.stderr.contains("prune"), "{run:#?}");
    // Nothing is left to take out.
    let run = prune(&world, 5, &[]).ends(0);
    assert!(run.stdout.contains("nothing to prune"), "{run:#?}");
    // A rotation begins after it as ever.
    let run = world.start(hours(6)).ends(0);
    assert!(run.stdout.starts_with("mail.1"), "{run:#?}");
    world.is_tidy();
}

#[test]
fn silence_is_a_no_before_it_is_proposed_and_before_it_is_handed_on() {
    let world = with_leftover(Publish::Branch);
    world.silence(1);
    let before = refs(&world);
    let run = prune(&world, 1, &[]).ends(3);
    assert!(run.stderr.contains("mx2.example.com:25"), "{run:#?}");
    assert!(run.stderr.contains("hint: "), "{run:#?}");
    assert_eq!(refs(&world), before);
    world.wake(1);
    prune(&world, 1, &[]).ends(3);
    world.git(&format!("merge --quiet --ff-only {BRANCH}"));
    // The first host alone has the record; it must be seen.
    world.silence(0);
    let signed = world.read(SIGNED);
    let run = world.advance(hours(2)).ends(3);
    assert!(
        run.stderr.contains("was not handed to its name servers"),
        "{run:#?}"
    );
    assert!(run.stderr.contains("mx1.example.com:25"), "{run:#?}");
    assert_eq!(world.read(SIGNED), signed);
    world.wake(0);
    world.advance(hours(3)).ends(0);
    assert_ne!(world.read(SIGNED), signed);
}

#[test]
fn a_key_that_is_seen_again_takes_the_proposal_back() {
    let world = World::new(Publish::Branch);
    world.renew_elsewhere(1);
    let other = world
        .run(hours(1), &["record", "elsewhere/cert.pem"])
        .ends(0);
    let digest = other
        .stdout
        .split_whitespace()
        .find(|word| word.len() == 64);
    let digest = digest.unwrap().to_owned();
    world.put_back(1);
    let zone = world.read(ZONE_FILE);
    world.write(
        ZONE_FILE,
        &format!("{zone}_25._tcp.mx1 IN TLSA 3 1 1 {digest}\n"),
    );
    world.git("commit --quiet --all --message more");
    world.advance(hours(1));
    world.load();
    prune(&world, 2, &[]).ends(3);
    world.renew_elsewhere(0);
    let run = world.advance(hours(3));
    assert!(run.stderr.contains("`prune` was given up"), "{run:#?}");
    assert_eq!(world.git(&format!("branch --list {BRANCH}")), "");
    let run = prune(&world, 4, &[]).ends(0);
    assert!(run.stdout.contains("nothing to prune"), "{run:#?}");
}

#[test]
fn a_server_that_lags_is_a_no_and_a_rotations_keys_are_its_own() {
    let world = with_leftover(Publish::Branch);
    let behind = world.signed();
    let zone = world.read(ZONE_FILE);
    world.write(
        ZONE_FILE,
        &format!("{zone}_25._tcp.mx2 IN TLSA 3 1 1 {}\n", old()),
    );
    world.git("commit --quiet --all --message more");
    world.advance(hours(1)).ends(0);
    world.load_into(0);
    world.serve(1, behind);
    let run = prune(&world, 1, &[]).ends(3);
    assert!(run.stderr.contains("otherwise than"), "{run:#?}");
    world.load();
    // While a rotation is under way, its next key stays, though no host has it yet.
    world.start(hours(2)).ends(0);
    world.advance(hours(2)).ends(3);
    world.merge();
    world.advance(hours(3)).ends(0);
    world.load();
    world.advance(hours(3)).ends(0);
    prune(&world, 4, &[]).ends(3);
    world.git(&format!("merge --quiet --ff-only {BRANCH}"));
    for host in ["mx1.example.com", "mx2.example.com"] {
        let records = world.tlsa(host);
        assert!(
            records.len() == 2 && !records.contains(&old()),
            "{records:?}"
        );
    }
}

#[test]
fn what_a_lost_journal_left_behind_is_taken_out() {
    let world = World::new(Publish::Branch);
    world.start(hours(1)).ends(0);
    world.advance(hours(1)).ends(3);
    world.merge();
    world.advance(hours(2)).ends(0);
    world.load();
    fs::remove_file(world.path(JOURNAL)).unwrap();
    prune(&world, 3, &[])
        .ends(3)
        .complains_of("git knows of mail.1");
    let run = world
        .run(hours(3), &["start", "mail", "--journal-lost"])
        .ends(0);
    assert!(
        run.stderr.contains("tlsa-rotate prune mail"),
        "the way out is named: {run:#?}"
    );
    let run = prune(&world, 4, &[]).ends(3);
    assert!(
        run.stdout.contains("- _25._tcp.mx2.example.com. TLSA"),
        "{run:#?}"
    );
    world.git(&format!("merge --quiet --ff-only {BRANCH}"));
    assert_eq!(world.tlsa("mx1.example.com").len(), 1);
    let run = world.advance(hours(5));
    assert!(matches!(run.code, Some(0 | 3)), "{run:#?}");
    world.load();
    world.advance(hours(5));
    assert_eq!(world.step(hours(5)), "Prepublishing");
}

#[test]
fn other_ways_to_publish_and_back_again() {
    for publish in [Publish::Current, Publish::File] {
        let world = with_leftover(publish);
        let run = prune(&world, 1, &[]).ends(0);
        assert!(
            run.stderr.contains("waits for the name servers"),
            "{run:#?}"
        );
        assert_eq!(world.tlsa("mx1.example.com").len(), 1);
        world.load();
        let run = world.advance(hours(2)).ends(0);
        assert!(run.stderr.contains("`prune` is done"), "{run:#?}");
    }
    let world = with_leftover(Publish::Branch);
    let before = refs(&world);
    prune(&world, 1, &[]).ends(3);
    prune(&world, 2, &["--undo", "--dry-run"]).ends(0);
    assert_ne!(refs(&world), before);
    prune(&world, 2, &["--undo"]).ends(0);
    assert_eq!(refs(&world), before);
    world.advance(hours(3)).ends(0);
    prune(&world, 3, &["--undo"])
        .ends(3)
        .complains_of("none is open");
    // Where somebody deletes the branch, a run says so, and the command proposes it again.
    prune(&world, 4, &[]).ends(3);
    world.git(&format!("branch --quiet -D {BRANCH}"));
    let run = world.advance(hours(5)).ends(3);
    assert!(run.stderr.contains("is gone"), "{run:#?}");
    prune(&world, 5, &[]).ends(3);
    assert_ne!(world.git(&format!("branch --list {BRANCH}")), "");
}

#[test]
fn records_that_a_chain_satisfies_in_another_form_stay() {
    let world = World::shaped(
        Publish::Current,
        |config| config,
        |root| vec![live_key(root)],
        |text, live| {
            let octets = fs::read(&live[0].certificate).unwrap();
            let chain = tlsa_rotate::dane::subject::read_chain(&octets).unwrap();
            let der = ring::digest::digest(&ring::digest::SHA256, chain[0].der());
            let whole = data_encoding::HEXLOWER.encode(der.as_ref());
            format!(
                "{text}_25._tcp.mx1 IN TLSA 3 0 1 {whole}\n_25._tcp.mx1 IN TLSA 2 1 1 {}\n_25._tcp.mx2 IN TLSA 1 1 1 {}\n",
                old(),
                old()
            )
        },
    );
    let run = prune(&world, 1, &["--format", "json", "--dry-run"]).ends(0);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let leaves = document["leaves"].as_array().unwrap();
    let leaves: Vec<&str> = leaves
        .iter()
        .map(|one| one["record"].as_str().unwrap())
        .collect();
    assert_eq!(
        leaves,
        [format!("1 1 1 {}", old()), format!("2 1 1 {}", old())]
    );
}

#[test]
fn after_a_rotation_too_silence_keeps_the_servers_as_they_are() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Retiring");
    world.merge();
    world.advance(hours(hour + 1));
    world.load();
    world.advance(hours(hour + 1)).ends(0);
    assert_eq!(world.step(hours(hour + 1)), "Retired");
    let zone = world.read(ZONE_FILE);
    world.write(
        ZONE_FILE,
        &format!("{zone}_25._tcp.mx1 IN TLSA 3 1 1 {}\n", old()),
    );
    world.git("commit --quiet --all --message more");
    world.advance(hours(hour + 2)).ends(0);
    world.load();
    prune(&world, hour + 3, &[]).ends(3);
    world.git(&format!("merge --quiet --ff-only {BRANCH}"));
    world.silence(0);
    let signed = world.read(SIGNED);
    let run = world.advance(hours(hour + 4)).ends(3);
    assert!(
        run.stderr.contains("was not handed to its name servers"),
        "{run:#?}"
    );
    assert_eq!(world.read(SIGNED), signed);
    // What the rotation brought is its own, and is never left over.
    assert_eq!(world.tlsa("mx1.example.com").len(), 1);
}

#[test]
fn a_remote_gets_the_proposal_and_a_branch_that_rotations_share_is_left_alone() {
    let far = Far::of(with_leftover(Publish::Branch));
    let world = &far.runner;
    prune(world, 1, &[]).ends(3);
    let person = far.person();
    git(&person, "fetch --quiet origin");
    git(&person, "reset --quiet --hard origin/main");
    git(&person, &format!("merge --quiet origin/{BRANCH}"));
    git(&person, "push --quiet origin HEAD:main");
    world.advance(hours(2)).ends(0);
    world.load();
    let run = world.advance(hours(3)).ends(0);
    assert!(run.stderr.contains("`prune` is done"), "{run:#?}");
    git(&person, "fetch --quiet --prune origin");
    assert_eq!(
        git(&person, &format!("branch --remotes --list origin/{BRANCH}")),
        ""
    );
    // One branch for all that is due in a zone: the job has its own beside it.
    let world = World::shaped(
        Publish::Branch,
        |config| config.replace("tlsa-rotate/{rotation}", "tlsa-rotate/{zone}"),
        |root| vec![live_key(root)],
        |text, _| format!("{text}_25._tcp.mx1 IN TLSA 3 1 1 {}\n", old()),
    );
    prune(&world, 1, &[]).ends(3);
    world.start(hours(1)).ends(0);
    world.advance(hours(1)).ends(3);
    let branches = world.git("branch --list --format=%(refname:short) tlsa-rotate/*");
    let branches: Vec<&str> = branches.lines().collect();
    let expected = [
        "tlsa-rotate/example.com",
        "tlsa-rotate/example.com-mail.prune",
    ];
    assert_eq!(branches, expected);
}

/// A program that keeps the zone in `held`, and puts there what it is asked to.
const PROVIDER: &str = r"
import json, sys
asked = json.load(sys.stdin)
rows = [line.split(None, 4) for line in open('held')]
key = lambda r: (r['name'].lower(), r['type'])
held = lambda k: [row[4].strip() for row in rows if (row[0].lower(), row[3]) == k]
if asked['action'] == 'change':
    for r in asked['rrsets']:
        if sorted(held(key(r))) != sorted(r['before']):
            sys.exit(3)
    for r in asked['rrsets']:
        rows = [row for row in rows if (row[0].lower(), row[3]) != key(r)]
        rows += [[r['name'], str(r['ttl']), 'IN', r['type'], data] for data in r['after']]
    open('held', 'w').writelines(' '.join(row).strip() + '\n' for row in rows)
found = []
for r in asked['rrsets']:
    ttls = [int(row[1]) for row in rows if (row[0].lower(), row[3]) == key(r)]
    if ttls:
        found.append({'name': r['name'], 'type': r['type'], 'ttl': ttls[0], 'records': held(key(r))})
print(json.dumps({'rrsets': found}))
";

#[test]
fn a_provider_is_asked_only_after_every_host_was_seen() {
    let world = with_leftover(Publish::File);
    world.advance(BEGIN);
    world.load();
    let plain = world.run(BEGIN, &["zone", "normalize", ZONE_FILE]);
    world.write("held", &plain.ends(0).stdout);
    world.write("provider", PROVIDER);
    keep_by_a_provider(&world);
    let before = world.read("held");
    world.silence(0);
    prune(&world, 1, &[]).ends(3);
    assert_eq!(world.read("held"), before);
    world.wake(0);
    prune(&world, 1, &["--dry-run"]).ends(0);
    assert_eq!(world.read("held"), before);
    let run = prune(&world, 1, &[]);
    assert!(run.stdout.contains("changed zone example.com."), "{run:#?}");
    let after = world.read("held");
    assert!(before.contains(&old()) && !after.to_lowercase().contains(&old()));
    assert_eq!(before.lines().count(), after.lines().count() + 1);
}

#[test]
fn a_branch_of_a_job_is_none_that_counts() {
    let zone = rotation_support::apex();
    for (template, branch) in [
        ("tlsa-rotate/{rotation}", "tlsa-rotate/mail.prune"),
        ("tlsa-rotate/{zone}", "tlsa-rotate/example.com-mail.prune"),
        ("tlsa-rotate/{run}", "tlsa-rotate/due-mail.prune"),
    ] {
        let template = template.to_owned();
        let publication = Publication::GitBranch { template };
        let own = publication.job_branch("mail", "prune", &zone);
        assert_eq!(own.as_deref(), Some(branch));
        assert!(publication.is_proposal(branch, &zone), "{branch}");
        assert!(!publication.is_proposal("mail.prune", &zone));
        assert!(!publication.is_proposal("tlsa-rotate/mail.other", &zone));
    }
}

#[test]
fn a_note_without_its_change_is_told_and_one_that_cannot_be_read_lets_nothing_leave() {
    let note = ".tlsa-rotate/jobs/mail.json";
    let world = with_leftover(Publish::Current);
    let killed = world.copy();
    prune(&world, 1, &[]).ends(0);
    // A run that was killed before it changed the zone.
    fs::create_dir_all(killed.path(".tlsa-rotate/jobs")).unwrap();
    killed.write(note, &world.read(note));
    let run = killed.advance(hours(2)).ends(0);
    assert!(run.stderr.contains("is not in the zone"), "{run:#?}");
    assert!(!killed.path(note).exists());
    prune(&killed, 3, &[]).ends(0);
    assert_eq!(killed.tlsa("mx1.example.com").len(), 1);
    // What cannot be read may be of a removal.
    let world = with_leftover(Publish::Current);
    fs::create_dir_all(world.path(".tlsa-rotate/jobs")).unwrap();
    world.write(note, "{\"version\": 9}\n");
    world
        .advance(hours(1))
        .ends(1)
        .complains_of("jobs/mail.json");
    let zone = world.read(ZONE_FILE);
    let lines = zone.lines().filter(|line| !line.contains(&old()));
    let lines: Vec<&str> = lines.collect();
    world.write(ZONE_FILE, &(lines.join("\n") + "\n"));
    world.git("commit --quiet --all --message less");
    world.silence(0);
    let signed = world.read(SIGNED);
    world.advance(hours(2));
    assert_eq!(world.read(SIGNED), signed);
    fs::remove_file(world.path(note)).unwrap();
    world.advance(hours(3)).ends(0);
    assert_ne!(world.read(SIGNED), signed);
}
