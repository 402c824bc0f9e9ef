//! Git at a distance: what the remote holds counts as merged, every push is a compare-and-swap, and several runners on one
//! remote take each step once. Real program, real git, bare repositories on disk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // a rotation is a story
    missing_docs
)]

mod rotation_support;

use rotation_support::far::{Far, git, hook};
use rotation_support::{
    BEGIN, BRANCH, HOSTS, JOURNAL, Publish, Run, WHOLE, World, ZONE_FILE, hours, live_key, resealed,
};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tlsa_rotate::rotation::step::Event;
use tlsa_rotate::rotation::timing::Instant;
use tlsa_rotate::workspace::journal::Journal;
use tlsa_rotate::workspace::tls_key::KeyFiles;

/// What several processes that run at once said.
fn at_once(runners: &[&World], now: Instant, arguments: &[&str]) -> Vec<Run> {
    let children: Vec<_> = runners
        .iter()
        .map(|world| {
            let mut command = world.command(now, arguments);
            command.stdin(Stdio::null()).stdout(Stdio::piped());
            command.stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ended = |child: std::process::Child| Run::from(child.wait_with_output().unwrap());
    children.into_iter().map(ended).collect()
}

#[test]
fn a_whole_rotation_that_is_reviewed_at_a_distance() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    let (head, tree) = (world.git("rev-parse HEAD"), world.read(ZONE_FILE));
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    assert_eq!(far.commits(), 1);
    assert_eq!(
        world.git("branch --list"),
        "* main",
        "the branch is there, not here"
    );
    // What a person pushes meanwhile is not lost: where it has to do with the zone, the proposal is made anew.
    far.work(ZONE_FILE, "more IN A 192.0.2.77\n");
    let rebuilt = world.advance(BEGIN).ends(3);
    assert!(rebuilt.stderr.contains("rebuilt mail.1"), "{rebuilt:#?}");
    far.work("notes", "hello\n");
    let quiet = world.advance(BEGIN).ends(3);
    assert!(quiet.stderr.contains("waits for review"), "{quiet:#?}");
    assert!(far.merge());
    world.advance(hours(1)).ends(0);
    world.load();
    world.advance(hours(2)).ends(0);
    assert_eq!(
        world.step(hours(2)),
        "Waiting",
        "merged is what the remote holds"
    );
    world.advance(hours(27)).ends(3);
    for host in 0..HOSTS.len() {
        world.deploy(host);
    }
    world.advance(hours(28)).ends(0);
    world.watch(28, 52);
    world.advance(hours(52)).ends(3);
    assert!(far.merge());
    world.advance(hours(53)).ends(0);
    world.load();
    // Somebody has looked at it here, too.
    world.git("branch --quiet tlsa-rotate/mail.1 refs/remotes/origin/tlsa-rotate/mail.1");
    let ended = world.advance(hours(54)).ends(0);
    let told = "deleted branch tlsa-rotate/mail.1: mail.1 is over, and the branch is merged";
    assert_eq!(ended.stderr.matches(told).count(), 1, "{ended:#?}");
    assert_eq!(world.git("ls-remote origin *tlsa-rotate/mail.1"), "");
    assert_eq!(world.git("branch --list"), "* main");
    let archived = world.run(hours(54), &["archive"]).ends(1);
    archived.complains_of("are not archived: every runner compares its own journal");
    assert_eq!(world.facts(), WHOLE);
    for host in HOSTS {
        assert_eq!(far.tlsa(host), 1);
    }
    assert_eq!(
        world.git("rev-parse HEAD"),
        head,
        "the clone is the user's to pull"
    );
    assert_eq!(world.read(ZONE_FILE), tree);
    assert_eq!(far.there("main", "notes"), "hello\n");
    assert_eq!(
        far.there("refs/tlsa-rotate/journal", "mail.jsonl"),
        world.read(JOURNAL)
    );
    world.is_tidy();
}

#[test]
fn without_review_commits_are_pushed_forward_only() {
    let far = Far::new(Publish::Current);
    let world = &far.runner;
    world.git("config push.followTags true");
    world.git("tag --annotate mine --message mine");
    world.start(BEGIN).ends(0);
    // Somebody pushes between our fetch and our push, once: git runs this before it pushes a branch.
    let person = far.person().display().to_string();
    let script = format!(
        "grep -q refs/heads/ || exit 0\n[ -e {person}/../done ] && exit 0\ntouch {person}/../done\ncd {person} && \
         unset $(git rev-parse --local-env-vars) && git commit -q --allow-empty -m between && git push -q origin HEAD:main"
    );
    hook(&world.path(".git/hooks"), "pre-push", &script);
    let run = world.advance(BEGIN).ends(0);
    assert!(run.stderr.contains("somebody was faster"), "{run:#?}");
    assert!(far.home.path().join("done").exists(), "the hook ran");
    let log = git(&far.bare(), "log --format=%s main");
    assert!(
        log.lines().next().unwrap().starts_with("mail.1: publish") && log.contains("between"),
        "{log}"
    );
    assert_eq!(far.commits(), 1);
    assert_eq!(far.tlsa(HOSTS[0]), 2);
    world.advance(BEGIN).ends(0);
    assert_eq!(git(&far.bare(), "tag"), "", "nothing else is pushed");
    assert_eq!(far.commits(), 1, "once");
    assert_eq!(world.facts(), WHOLE[..4]);
}

#[test]
fn what_was_pushed_before_the_remote_is_asked_is_not_overwritten() {
    let far = Far::new(Publish::Current);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    // A hook before the push comes too late: by then git was told where the branch is, and even a forced push holds the
    // remote to that. Here somebody is faster than the telling: only what we saw when we fetched stands against it.
    let home = far.home.path().display().to_string();
    let script = format!(
        "if [ $(cat {home}/done 2>/dev/null | wc -l) -lt 3 ]; then\n(cd {home}/person && unset $(git rev-parse \
         --local-env-vars) && git fetch -q origin && git reset -q --hard origin/main && git commit -q --allow-empty \
         -m between && git push -q origin HEAD:main && echo once >>{home}/done) >/dev/null 2>&1\nfi\nexec git-receive-pack \"$@\""
    );
    hook(far.home.path(), "receive", &script);
    world.git(&format!("config remote.origin.receivepack {home}/receive"));
    world.advance(BEGIN);
    world.git("config --unset remote.origin.receivepack");
    world.advance(BEGIN).ends(0);
    let faster = fs::read_to_string(far.home.path().join("done")).unwrap();
    let log = git(&far.bare(), "log --format=%s main");
    let kept = log.lines().filter(|line| *line == "between").count();
    assert_eq!(kept, faster.lines().count(), "{log}");
    assert_eq!(far.commits(), 1);
    assert_eq!(far.tlsa(HOSTS[0]), 2);
}

#[test]
fn a_push_that_is_always_overtaken_is_left_to_the_next_run() {
    let far = Far::new(Publish::Current);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    let person = far.person().display().to_string();
    let script = format!(
        "grep -q refs/heads/ || exit 0\ncd {person} && unset $(git rev-parse --local-env-vars) && \
         git commit -q --allow-empty -m between && git push -q origin HEAD:main"
    );
    hook(&world.path(".git/hooks"), "pre-push", &script);
    let run = world.advance(BEGIN).ends(3);
    run.complains_of("somebody else has moved it meanwhile");
    let log = git(&far.bare(), "log --format=%s main");
    assert_eq!(log.matches("between").count(), 3, "bounded: {log}");
    assert_eq!(far.commits(), 0);
    fs::remove_file(world.path(".git/hooks/pre-push")).unwrap();
    world.advance(BEGIN).ends(0);
    assert_eq!(far.commits(), 1);
    world.is_tidy();
}

#[test]
fn a_remote_that_refuses_is_a_blocker_for_a_person() {
    let far = Far::new(Publish::Current);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    far.hook(
        "update",
        "case $1 in refs/heads/main) echo main is protected >&2; exit 1;; esac",
    );
    for _ in 0..2 {
        let run = world.advance(BEGIN).ends(3);
        run.complains_of("`origin` refused refs/heads/main");
        assert!(run.stderr.contains("main is protected"), "{run:#?}");
        assert!(run.stderr.contains("review"), "{run:#?}");
        assert_eq!(far.commits(), 0);
    }
    // Where the journal cannot be kept nothing is recorded, and nothing follows.
    let far = Far::new(Publish::Branch);
    far.hook(
        "update",
        "case $1 in refs/tlsa-rotate/*) echo no such refs >&2; exit 1;; esac",
    );
    let world = &far.runner;
    let run = world.start(BEGIN).ends(3);
    run.complains_of("refs/tlsa-rotate/journal");
    assert!(
        run.stderr
            .contains("refs/heads/tlsa-rotate/* and refs/tlsa-rotate/*"),
        "{run:#?}"
    );
    assert!(!world.path(JOURNAL).exists());
    assert!(
        !world.path("keys/tls/mail.1").exists(),
        "no key without a rotation"
    );
    // It is told until it is mended, by runs that have nothing to push, too.
    for command in ["advance", "status"] {
        let run = world.run(hours(1), &[command]).ends(3);
        run.complains_of("`origin` refused refs/tlsa-rotate/journal at");
    }
    fs::remove_file(far.bare().join("hooks/update")).unwrap();
    world.start(hours(2)).ends(0);
    let run = world.advance(hours(2)).ends(3);
    assert!(!run.stderr.contains("refused"), "{run:#?}");
    world.is_tidy();
}

/// Whoever asks whether the next key may be installed hears what another runner recorded, before any run takes it over.
#[test]
fn what_another_runner_gave_up_is_not_installed() {
    let far = Far::new(Publish::Current);
    let a = &far.runner;
    a.start(BEGIN).ends(0);
    a.advance(BEGIN).ends(0);
    a.load();
    a.advance(hours(1)).ends(0);
    a.advance(hours(27)).ends(3);
    assert_eq!(a.step(hours(27)), "SwapOpen");
    let swap = ["check", "--swap", "mail"];
    let b = a.copy();
    a.run(hours(27), &swap).ends(0);
    b.run(hours(27), &["abort", "mail"]);
    let held = a.run(hours(27), &swap).ends(3);
    assert!(
        held.stderr
            .contains("another runner recorded more than is known here"),
        "{held:#?}"
    );
    // Where nobody can be asked it is not known.
    fs::rename(far.bare(), far.bare().with_extension("away")).unwrap();
    let dark = b.run(hours(27), &swap).ends(3);
    assert!(dark.stderr.contains("is not known"), "{dark:#?}");
}

#[test]
fn a_journal_that_time_forbids_opens_nothing() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    far.merge();
    world.advance(hours(1)).ends(0);
    world.load();
    world.advance(hours(2)).ends(0);
    assert_eq!(world.step(hours(2)), "Waiting");
    // Whoever may push the ref writes a line more.
    let mut journal = Journal::<Event>::read(&world.path(JOURNAL), "mail").unwrap();
    let id = "mail.1".parse().unwrap();
    journal.add(hours(3), &id, Event::SwapOpened).unwrap();
    let forged = String::from_utf8(journal.octets().unwrap()).unwrap();
    world.write(JOURNAL, &forged);
    let run = world.run(hours(3), &["check", "--swap", "mail"]);
    assert_ne!(run.code, Some(0), "{run:#?}");
    assert!(run.stderr.contains("cannot be true"), "{run:#?}");
}

#[test]
fn whoever_was_slower_with_a_start_keeps_no_key() {
    let far = Far::new(Publish::Branch);
    let (a, b) = (&far.runner, &far.runner.copy());
    // The first has begun between the fetch of the second and its push.
    let other = a.path("").display().to_string();
    let program = rotation_support::PROGRAM;
    let script = format!(
        "grep -q refs/tlsa-rotate/journal || exit 0\n[ -e {other}/../{0}.done ] && exit 0\n: > {other}/../{0}.done\ncd {other} && \
         env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE -u GIT_PREFIX {program} --now {BEGIN} start mail >/dev/null 2>&1; exit 0",
        std::process::id()
    );
    hook(&b.path(".git/hooks"), "pre-push", &script);
    b.start(BEGIN).ends(3);
    let done = a.path("").join(format!("../{}.done", std::process::id()));
    assert!(done.exists(), "the hook ran");
    fs::remove_file(done).unwrap();
    assert!(a.path(JOURNAL).exists(), "the first has begun");
    let run = b.advance(BEGIN).ends(3);
    assert!(
        run.stderr.contains("another runner was faster with mail.1"),
        "{run:#?}"
    );
    assert!(!b.path("keys/tls/mail.1").exists());
}

#[test]
fn a_runner_behind_the_others_dates_nothing_of_any_certificate() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    let config = world.read("tlsa-rotate.toml");
    let (_, certificate) = config.split_once("[[certificate]]").unwrap();
    let other = certificate
        .replace("\"mail\"", "\"other\"")
        .replace("ports = [25]", "ports = [465]");
    world.write(
        "tlsa-rotate.toml",
        &format!("{config}\n[[certificate]]{other}"),
    );
    world.git("commit --quiet --all --message other");
    world.git("push --quiet origin main");
    world.start(hours(26)).ends(0);
    // The other certificate has no fact, and gets none from a day before.
    let run = world.run(BEGIN, &["start", "other"]);
    assert_ne!(run.code, Some(0), "{run:#?}");
    assert!(run.stderr.contains("in the future"), "{run:#?}");
    assert!(!world.path(".tlsa-rotate/journal/other.jsonl").exists());
}

#[test]
fn a_remote_that_is_silent_stops_everything_but_the_alarm() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    far.merge();
    let away = far.home.path().join("away.git");
    fs::rename(far.bare(), &away).unwrap();
    let journal = world.read(JOURNAL);
    let run = world.advance(hours(1)).ends(1);
    run.complains_of("could not fetch from `origin`");
    world.deploy(0);
    let run = world.advance(hours(1)).ends(4);
    run.complains_of("could not fetch from `origin`");
    assert!(run.stdout.contains("DELIVERY AT RISK"), "{run:#?}");
    world.run(hours(1), &["abort", "mail"]).ends(1);
    assert_eq!(world.read(JOURNAL), journal);
    fs::rename(&away, far.bare()).unwrap();
    world.put_back(0);
    world.advance(hours(1)).ends(0);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn two_runners_take_each_step_once() {
    for publish in [Publish::Branch, Publish::Current] {
        let far = Far::new(publish);
        let (a, b) = (&far.runner, &far.runner.copy());
        // Both begin at once: one does, the other is told who did.
        let runs = at_once(&[a, b], BEGIN, &["start", "mail"]);
        let begun = runs.iter().filter(|run| run.code == Some(0)).count();
        assert_eq!(begun, 1, "{runs:#?}");
        let told = runs.iter().find(|run| run.code != Some(0)).unwrap();
        assert!(
            told.stderr.contains("somebody else has moved it meanwhile")
                || told.stderr.contains("rotation mail.1 is under way"),
            "{told:#?}"
        );
        let mut now = BEGIN;
        for round in 0..40 {
            let runs = at_once(&[a, b], now, &["advance"]);
            for run in &runs {
                assert!(
                    matches!(run.code, Some(0 | 3)),
                    "{publish:?} {round}: {run:#?}"
                );
            }
            // They meet in the journal, whatever each of them saw.
            a.advance(now);
            b.advance(now);
            assert_eq!(a.read(JOURNAL), b.read(JOURNAL), "{publish:?} {round}");
            far.merge();
            a.advance(now);
            a.load();
            if runs.iter().any(|run| run.stdout.contains("SwapOpen")) {
                // The keys are with the runner that made them.
                for host in 0..HOSTS.len() {
                    maker(a, b).deploy(host);
                }
            }
            if runs.iter().all(|run| run.stdout.contains("it is over")) {
                break;
            }
            now = now + tlsa_rotate::rotation::timing::Span::hours(6);
        }
        assert_eq!(a.facts(), WHOLE, "{publish:?}");
        assert_eq!(far.commits(), 2, "{publish:?}: one proposal for each step");
        for host in HOSTS {
            assert_eq!(far.tlsa(host), 1);
        }
        a.is_tidy();
        b.is_tidy();
    }
}

/// The runner whose key directory holds the key that the journal names.
fn maker<'w>(a: &'w World, b: &'w World) -> &'w World {
    let journal = a.read(JOURNAL);
    let of = |world: &World| {
        let file = world.path("keys/tls/mail.1/ecdsa-p256.cert.pem");
        file.exists().then(|| {
            let run = world.run(BEGIN, &["record", "keys/tls/mail.1/ecdsa-p256.cert.pem"]);
            run.stdout.split_whitespace().last().unwrap().to_lowercase()
        })
    };
    let named =
        |data: Option<String>| data.is_some_and(|data| journal.to_lowercase().contains(&data));
    if named(of(a)) {
        a
    } else {
        assert!(named(of(b)), "one of them made the key");
        b
    }
}

/// The configuration without its second host.
fn without_the_second(config: &str) -> String {
    let (front, address) = config.split_once(", \"mx2.example.com\" = [").unwrap();
    let (_, back) = address.split_once(']').unwrap();
    format!("{front}{back}").replace(", \"mx2.example.com\"]", "]")
}

#[test]
fn runners_go_by_the_configuration_that_was_merged_whatever_they_have_checked_out() {
    // By their records the hosts are at places that refuse at once.
    let near = |text: String, _: &[KeyFiles]| {
        let text = text.replace("198.51.100.25", "127.0.0.1");
        text.replace("2001:db8:1::25", "::1")
    };
    let live = |root: &Path| vec![live_key(root)];
    let far = Far::of(World::shaped(Publish::Current, |config| config, live, near));
    let (a, b) = (&far.runner, &far.runner.copy());
    a.start(BEGIN).ends(0);
    a.advance(BEGIN).ends(0);
    a.load();
    a.advance(hours(1)).ends(0);
    let config = a.read("tlsa-rotate.toml");
    let person = far.person();
    git(&person, "fetch --quiet origin");
    git(&person, "reset --quiet --hard origin/main");
    fs::write(person.join("tlsa-rotate.toml"), without_the_second(&config)).unwrap();
    git(&person, "commit --quiet --all --message leaves");
    git(&person, "push --quiet origin HEAD:main");
    let left = a.advance(hours(2)).ends(0);
    assert!(
        left.stderr.contains("mx2.example.com:25 left mail.1"),
        "{left:#?}"
    );
    for hour in 3..6 {
        for runner in [b, a] {
            let run = runner.advance(hours(hour));
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(
                !told.contains("joined") && !told.contains("left"),
                "{run:#?}"
            );
            assert!(
                !told.contains("differs from that of"),
                "only behind: {run:#?}"
            );
        }
    }
    assert_eq!(a.read(JOURNAL), b.read(JOURNAL));
    assert_eq!(b.read("tlsa-rotate.toml"), config, "nobody writes there");
    // A draft counts for nobody, and its author learns that.
    let draft = format!("# a draft\n{config}");
    b.write("tlsa-rotate.toml", &draft);
    let run = b.advance(hours(7));
    assert!(
        run.stderr
            .contains("differs from that of branch main at origin, which counts"),
        "{run:#?}"
    );
    assert!(!run.stderr.contains("left"), "{run:#?}");
    // One that nobody can read stops what would be done by it, and says where it is.
    fs::write(person.join("tlsa-rotate.toml"), "hosts = 7\n").unwrap();
    git(&person, "commit --quiet --all --message broken");
    git(&person, "push --quiet origin HEAD:main");
    let broken = a.advance(hours(8));
    assert_ne!(broken.code, Some(0), "{broken:#?}");
    assert!(broken.stderr.contains("tlsa-rotate.toml"), "{broken:#?}");
}

#[test]
fn a_runner_without_the_keys_does_not_deploy() {
    let far = Far::new(Publish::Current);
    let config = far.runner.read("tlsa-rotate.toml");
    let deploy = "deploy = { command = [\"touch\", \"deployed\"] }";
    far.runner.write(
        "tlsa-rotate.toml",
        &config.replace("deploy = { manual = true }", deploy),
    );
    far.runner.git("commit --quiet --all --message deploy");
    far.runner.git("push --quiet origin main");
    let (a, b) = (&far.runner, &far.runner.copy());
    a.start(BEGIN).ends(0);
    a.advance(BEGIN).ends(0);
    a.load();
    a.advance(hours(1)).ends(0);
    let run = b.advance(hours(27));
    assert!(matches!(run.code, Some(0 | 3)), "{run:#?}");
    assert_eq!(b.step(hours(27)), "SwapOpen");
    assert!(
        run.stderr.contains("does not hold the next keys"),
        "{run:#?}"
    );
    assert!(!b.path("deployed").exists());
    // Whoever is asked to install it there is told which runner has it.
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let host = host.trim();
    for (arguments, told) in [
        (
            &["advance"][..],
            format!("{host} made them, and deploys them"),
        ),
        (
            &["check", "--swap", "mail"],
            format!("install none from there. It lies on {host}, where a runner made it"),
        ),
        (
            &["status", "mail"],
            format!("install none from there. It lies on {host}, where a runner made it"),
        ),
        (
            &["hook", "deploy", "mail"],
            format!("It lies on {host}, where a runner made it"),
        ),
    ] {
        let run = b.run(hours(27), arguments);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains(&told), "{arguments:?}: {run:#?}");
        let run = a.run(hours(2), arguments);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains(host), "{arguments:?}: {run:#?}");
    }
    // Another key in that place is not the incoming one either.
    fs::create_dir_all(b.path("keys/tls/mail.1")).unwrap();
    fs::copy(
        b.path("live/fullchain.pem"),
        b.path("keys/tls/mail.1/ecdsa-p256.cert.pem"),
    )
    .unwrap();
    b.advance(hours(27));
    assert!(!b.path("deployed").exists());
    a.advance(hours(27));
    assert!(a.path("deployed").exists());
}

#[test]
fn a_persons_work_on_the_remote_is_never_overwritten() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    let person = far.person();
    git(&person, "fetch --quiet origin");
    git(
        &person,
        &format!("checkout --quiet -B review origin/{BRANCH}"),
    );
    fs::write(person.join("remark"), "hm\n").unwrap();
    git(&person, "add --all");
    git(&person, "commit --quiet --message remark");
    git(&person, &format!("push --quiet origin HEAD:{BRANCH}"));
    let tip = git(&person, "rev-parse HEAD");
    git(&person, "checkout --quiet main");
    far.work("notes", "the base moves\n");
    // Also for a runner that has never seen the branch: the memory of where it was set is shared.
    for runner in [world, &world.copy()] {
        let run = runner.advance(BEGIN).ends(1);
        run.complains_of("holds commits that a person made");
        assert_eq!(git(&far.bare(), &format!("rev-parse {BRANCH}")), tip);
    }
    // An abort leaves it there, too.
    world.run(BEGIN, &["abort", "mail"]);
    assert_eq!(git(&far.bare(), &format!("rev-parse {BRANCH}")), tip);
}

#[test]
fn an_abort_takes_the_proposal_back_on_the_remote() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    let run = world.run(BEGIN, &["abort", "mail"]);
    assert!(
        run.stderr.contains("deleted branch")
            || run.stdout.contains("deleted branch")
            || run.code == Some(0),
        "{run:#?}"
    );
    assert_eq!(git(&far.bare(), "branch --list tlsa-rotate/*"), "");
    assert_eq!(world.step(BEGIN), "Aborted");
}

#[test]
fn the_shared_journal_is_read_as_strictly_as_any() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    let put = |contents: &str| {
        let person = far.person();
        fs::write(person.join("journal"), contents).unwrap();
        let blob = git(&person, "hash-object -w journal");
        let listed = person.join("listed");
        fs::write(&listed, format!("100644 blob {blob}\tmail.jsonl\n")).unwrap();
        let tree = Command::new("git")
            .current_dir(&person)
            .arg("mktree")
            .stdin(fs::File::open(&listed).unwrap())
            .output()
            .unwrap();
        let tree = String::from_utf8(tree.stdout).unwrap();
        let commit = git(&person, &format!("commit-tree {} -m bad", tree.trim()));
        git(
            &person,
            &format!("push --quiet --force origin {commit}:refs/tlsa-rotate/journal"),
        );
    };
    let journal = world.read(JOURNAL);
    let lines: Vec<&str> = journal.lines().collect();
    for (contents, why) in [
        ("{}\n".to_owned(), "the journal is corrupt"),
        (
            journal.replace("mx1.example.com", "mx9.example.com"),
            "its `digest` is not that of the line",
        ),
        // Whole in itself, and another story.
        (
            resealed(&lines[0].replace("\"port\":25", "\"port\":26")) + "\n",
            "different stories from this line on",
        ),
    ] {
        put(&contents);
        let run = world.advance(BEGIN).ends(1);
        run.complains_of(why);
        assert_eq!(world.read(JOURNAL), journal, "{why}");
    }
    // A remote that lost its last entries, as after a restore, gets them again.
    put(&(lines[..2].join("\n") + "\n"));
    world.advance(BEGIN).ends(3);
    let there = far.there("refs/tlsa-rotate/journal", "mail.jsonl");
    assert_eq!(there, world.read(JOURNAL));
    assert!(there.starts_with(&journal) && there.len() > journal.len());
    // A runner that lost its state, or is new, takes it over.
    fs::remove_dir_all(world.path(".tlsa-rotate")).unwrap();
    world.advance(BEGIN).ends(3);
    assert_eq!(there, world.read(JOURNAL));
}

#[test]
fn commits_are_signed_where_the_users_git_signs() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    let key = far.home.path().join("signing");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let allowed = far.home.path().join("allowed");
    fs::write(&allowed, format!("ada@example.com {public}")).unwrap();
    world.git("config gpg.format ssh");
    world.git(&format!("config user.signingkey {}", key.display()));
    world.git("config commit.gpgsign true");
    world.git(&format!(
        "config gpg.ssh.allowedSignersFile {}",
        allowed.display()
    ));
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    world.git(&format!("verify-commit origin/{BRANCH}"));
    // A key that is not there any more is an error that says so, and nothing is pushed.
    far.work(ZONE_FILE, "more IN A 192.0.2.77\n");
    fs::remove_file(&key).unwrap();
    let tip = git(&far.bare(), &format!("rev-parse {BRANCH}"));
    world
        .advance(BEGIN)
        .ends(1)
        .complains_of("git refused the commit");
    assert_eq!(git(&far.bare(), &format!("rev-parse {BRANCH}")), tip);
    world.is_tidy();
}

#[test]
fn a_pipeline_that_has_only_a_clone_can_judge() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    let pipeline = |branch: &str| {
        let clone = far.home.path().join("pipeline");
        let _ = fs::remove_dir_all(&clone);
        let (bare, place) = (
            far.bare().display().to_string(),
            clone.display().to_string(),
        );
        git(
            far.home.path(),
            &format!("clone --quiet --branch {branch} {bare} {place}"),
        );
        let output = Command::new(rotation_support::PROGRAM)
            .current_dir(&clone)
            .args(["check", "--merge", "--base", "origin/main"])
            .args(["--now", &hours(1).to_string()])
            .output();
        Run::from(output.unwrap())
    };
    // No rotation was ever recorded, and that is known: the remote was asked.
    let run = pipeline("main").ends(0);
    assert!(
        run.stdout.contains("no rotation in the journals on origin"),
        "{run:#?}"
    );
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    let run = pipeline(BRANCH).ends(0);
    assert!(
        run.stdout.contains("asked mail.1 (Prepublishing)"),
        "{run:#?}"
    );
    far.merge();
    let person = far.person();
    git(&person, "checkout --quiet -B revert");
    git(&person, "revert --no-edit HEAD");
    git(&person, "push --quiet origin revert");
    git(&person, "checkout --quiet main");
    let run = pipeline("revert").ends(4);
    assert!(
        run.stdout.contains("which mail.1 (Prepublishing) requires"),
        "{run:#?}"
    );
}

#[test]
fn a_request_says_neither_where_the_journals_are_nor_brings_its_own() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    far.merge();
    world.advance(hours(1)).ends(0);
    // It takes the record out again, and says that no rotation wants it: the journals are those beside the zones.
    let person = far.person();
    git(&person, "fetch --quiet origin");
    git(&person, "checkout --quiet -B attack origin/main");
    git(&person, "revert --no-edit HEAD");
    let config = fs::read_to_string(person.join("tlsa-rotate.toml")).unwrap();
    let config = config.replace(", remote = \"origin\"", "");
    fs::write(person.join("tlsa-rotate.toml"), config).unwrap();
    fs::create_dir_all(person.join(".tlsa-rotate/journal")).unwrap();
    fs::write(person.join(".tlsa-rotate/journal/none"), "").unwrap();
    git(&person, "add --all --force");
    git(&person, "commit --quiet --message attack");
    let judge = |base: &str| {
        let output = Command::new(rotation_support::PROGRAM)
            .current_dir(&person)
            .args(["check", "--merge", "--base", base])
            .args(["--now", &hours(1).to_string()])
            .output();
        Run::from(output.unwrap())
    };
    let run = judge("origin/main").ends(4);
    for told in [
        "by the journals on origin",
        "no longer be shared by way of remote origin",
        "it brings .tlsa-rotate/journal/none, a file that only runs write",
    ] {
        assert!(run.stdout.contains(told), "no `{told}`: {run:#?}");
    }
    // Where the base has no configuration, that of the request is not taken for the operator's.
    git(&person, "checkout --quiet -B without origin/main");
    git(&person, "rm --quiet tlsa-rotate.toml");
    git(&person, "commit --quiet --message without");
    git(&person, "checkout --quiet attack");
    let run = judge("without").ends(1);
    run.complains_of("the request brings it along");
}
