//! A team with many zones in one repository: what is due in a zone or at all goes to one branch, merging one leaves the other
//! proposals as they are, and the git that a run needs does not grow with every rotation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr, // what a day costs is for people
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // a rotation is a story
    missing_docs
)]

mod rotation_support;

use rotation_support::far::{Far, git};
use rotation_support::{BEGIN, Publish, Run, World, ZONE_FILE, hours, live_key};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use tlsa_rotate::rotation::timing::Instant;

/// Zones beside that of the world, each with some certificates of a host of its own, which is one machine.
struct Team {
    far: Far,
    zones: usize,
    each: usize,
}

impl Team {
    /// With `template` as the name of branches.
    fn new(template: &str, zones: usize, each: usize) -> Self {
        let world = World::shaped(
            Publish::Branch,
            |config| config,
            |root| vec![live_key(root)],
            |text, _| text,
        );
        // The world's own certificate and its zone are those of nobody here.
        let far = Far::of(world);
        let team = Self { far, zones, each };
        let world = team.world();
        let config = world.read("tlsa-rotate.toml");
        let (front, rest) = config.split_once("[[zone]]").unwrap();
        let (zone, certificate) = rest.split_once("[[certificate]]").unwrap();
        let address = world.hosts()[0];
        let mut text = front.replace("[policy]", "[policy]\nstandby = true");
        for number in 0..zones {
            let zone = zone.replace("example.com", &format!("z{number}.test"));
            let zone = zone.replace("tlsa-rotate/{rotation}", template);
            let _ = write!(text, "[[zone]]{zone}");
        }
        for number in 0..zones {
            for nth in 0..each {
                let host = format!("mx{nth}.z{number}.test");
                let one =
                    certificate.replace("name = \"mail\"", &format!("name = \"c{number}-{nth}\""));
                let one = one
                    .lines()
                    .filter(|line| !line.starts_with("addresses") && !line.starts_with("hosts"));
                let one: Vec<&str> = one.collect();
                let _ = writeln!(
                    text,
                    "[[certificate]]{}\nhosts = [\"{host}\"]\naddresses = {{ \"{host}\" = [\"{address}\"] }}",
                    one.join("\n")
                );
            }
        }
        world.write("tlsa-rotate.toml", &text);
        let live = world.read(ZONE_FILE);
        let live = live.split_once("_25._tcp.mx1").unwrap().1;
        let live = live.split_once(" TLSA ").unwrap().1;
        let live = live.split_once(')').unwrap().0;
        for number in 0..zones {
            let apex = format!("z{number}.test");
            let mut zone = format!(
                "$ORIGIN {apex}.\n$TTL 3600\n@ IN SOA ns hostmaster 2026112301 7200 3600 604800 300\n@ IN NS ns\nns IN A 127.0.0.1\n"
            );
            for nth in 0..each {
                let _ = write!(
                    zone,
                    "@ IN MX 10 mx{nth}\nmx{nth} IN A 127.0.0.1\n_25._tcp.mx{nth} IN TLSA {live})\n"
                );
            }
            world.write(&format!("{apex}.zone"), &zone);
            world
                .run(BEGIN, &["key", "generate", &apex, "--keys", "keys"])
                .ends(0);
        }
        world.git("add --all");
        world.git("commit --quiet --message team");
        world.git("push --quiet origin main");
        team.sign_first();
        team
    }

    fn world(&self) -> &World {
        &self.far.runner
    }

    /// Signs every zone as it is, and loads it: before any rotation.
    fn sign_first(&self) {
        let world = self.world();
        for number in 0..self.zones {
            let apex = format!("z{number}.test");
            let (file, signed) = (format!("{apex}.zone"), format!("{apex}.zone.signed"));
            let arguments = [
                "zone", "sign", &file, "--origin", &apex, "--keys", "keys", "--output", &signed,
            ];
            world.run(BEGIN, &arguments).ends(0);
        }
        self.load();
    }

    /// Both servers load what is signed.
    fn load(&self) {
        for number in 0..self.zones {
            for server in 0..2 {
                let (signed, apex) = (
                    format!("z{number}.test.zone.signed"),
                    format!("z{number}.test."),
                );
                self.world().load_other(server, &signed, &apex);
            }
        }
    }

    /// A run, and the calls of git that it made.
    fn counted(&self, now: Instant, arguments: &[&str]) -> (Run, Vec<String>) {
        let world = self.world();
        let count = world.path(".tlsa-rotate/count");
        let _ = fs::remove_file(&count);
        // What stands before the command are settings.
        let script = format!(
            "echo \"$@\" | sed 's/^--literal-pathspecs//; s/-c [^ ]*//g' >>{}",
            count.display()
        );
        let run = world.run_through(now, arguments, &script);
        let calls = fs::read_to_string(&count).unwrap_or_default();
        (
            run,
            calls.lines().map(|line| line.trim().to_owned()).collect(),
        )
    }

    /// The branches of proposals at the remote.
    fn branches(&self) -> Vec<String> {
        let listed = git(
            &self.far.bare(),
            "for-each-ref --format=%(refname:short) refs/heads/tlsa-rotate",
        );
        listed.lines().map(str::to_owned).collect()
    }

    fn tip(&self, branch: &str) -> String {
        git(&self.far.bare(), &format!("rev-parse refs/heads/{branch}"))
    }

    /// A person merges a branch there.
    fn merge(&self, branch: &str) {
        let person = self.far.person();
        git(&person, "fetch --quiet --prune origin");
        git(&person, "reset --quiet --hard origin/main");
        git(&person, &format!("merge --quiet --no-ff origin/{branch}"));
        git(&person, "push --quiet origin HEAD:main");
    }

    /// What the gate says of a branch.
    fn gate(&self, now: Instant, branch: &str) -> Run {
        let world = self.world();
        world.git("fetch --quiet origin");
        let head = format!("origin/{branch}");
        world.run(
            now,
            &["check", "--merge", "--base", "origin/main", "--head", &head],
        )
    }
}

fn pushes(calls: &[String]) -> usize {
    calls.iter().filter(|call| call.starts_with("push")).count()
}

#[test]
fn one_branch_for_what_is_due_in_a_zone_and_merging_one_leaves_the_others() {
    let team = Team::new("tlsa-rotate/{zone}", 3, 2);
    let run = team.world().advance(BEGIN).ends(3);
    let branches = [
        "tlsa-rotate/z0.test",
        "tlsa-rotate/z1.test",
        "tlsa-rotate/z2.test",
    ];
    assert_eq!(team.branches(), branches, "{run:#?}");
    let message = git(&team.far.bare(), "log -1 --format=%B tlsa-rotate/z0.test");
    assert!(
        message.starts_with("2 rotations in zone z0.test: publish 2\n"),
        "{message}"
    );
    for told in [
        "| c0-0.1 | publish | z0.test | + 3 1 1 ",
        "| c0-1.1 | publish | z0.test | + 3 1 1 ",
        "~ z0.test. SOA serial 2026112301 -> 2026120101",
        "Tlsa-Rotate-Step: c0-0.1/publish\nTlsa-Rotate-Step: c0-1.1/publish",
    ] {
        assert!(message.contains(told), "no `{told}`: {message}");
    }
    for branch in branches {
        let gate = team.gate(BEGIN, branch).ends(0);
        assert!(!gate.stdout.contains("changes in more than"), "{gate:#?}");
    }
    // Nothing is made anew by a run, nor by the merge of another one.
    let tips = || branches.map(|branch| team.tip(branch));
    let before = tips();
    let quiet = team.world().advance(hours(1)).ends(3);
    assert!(
        quiet.stderr.contains(
            "c1-0.1 in zone z1.test. (publish) waits for review on branch tlsa-rotate/z1.test"
        ),
        "{quiet:#?}"
    );
    team.merge(branches[0]);
    let run = team.world().advance(hours(2)).ends(3);
    assert_eq!(tips(), before, "{run:#?}");
    assert!(!run.stderr.contains("rebuilt"), "{run:#?}");
    // Those that stand can be merged: the gate judges what becomes of the base.
    team.gate(hours(2), branches[1]).ends(0);
    // One of the two is given up: the other stays on the branch, and a run for one alone takes nothing from it.
    team.world()
        .run(hours(2), &["abort", "c1-0", "--reason", "test"])
        .ends(0);
    let message = git(&team.far.bare(), "log -1 --format=%B tlsa-rotate/z1.test");
    assert!(
        message.starts_with("c1-1.1: publish the next key"),
        "{message}"
    );
    team.gate(hours(2), branches[1]).ends(0);
    team.world()
        .run(hours(2), &["abort", "c1-1", "--reason", "test"]);
    assert_eq!(team.branches(), [branches[0], branches[2]]);
    // What a person has put on a branch stays.
    let person = team.far.person();
    git(&person, "fetch --quiet origin");
    git(
        &person,
        "checkout --quiet -B mine origin/tlsa-rotate/z2.test",
    );
    fs::write(person.join("mine"), "mine\n").unwrap();
    git(&person, "add mine");
    git(&person, "commit --quiet --message mine");
    git(&person, "push --quiet origin mine:tlsa-rotate/z2.test");
    git(&person, "checkout --quiet main");
    let tip = team.tip(branches[2]);
    team.far.work("z2.test.zone", "more IN A 127.0.0.1\n");
    let run = team.world().advance(hours(3)).ends(3);
    run.complains_of("tlsa-rotate/z2.test");
    assert_eq!(team.tip(branches[2]), tip);
}

#[test]
fn branches_that_the_configuration_names_no_more_go_once_what_stood_there_stands_elsewhere() {
    let team = Team::new("tlsa-rotate/{zone}", 2, 2);
    let world = team.world();
    world.advance(BEGIN).ends(3);
    let before = ["tlsa-rotate/z0.test", "tlsa-rotate/z1.test"];
    assert_eq!(team.branches(), before);
    // What a person has put on one stays, and so does what is open there alone.
    let person = team.far.person();
    git(&person, "fetch --quiet origin");
    git(
        &person,
        "checkout --quiet -B mine origin/tlsa-rotate/z1.test",
    );
    fs::write(person.join("mine"), "mine\n").unwrap();
    git(&person, "add mine");
    git(&person, "commit --quiet --message mine");
    git(&person, "push --quiet origin mine:tlsa-rotate/z1.test");
    git(&person, "checkout --quiet main");
    git(&person, "reset --quiet --hard origin/main");
    let config = world.read("tlsa-rotate.toml");
    fs::write(
        person.join("tlsa-rotate.toml"),
        config.replace("{zone}", "{run}"),
    )
    .unwrap();
    git(&person, "commit --quiet --all --message run");
    git(&person, "push --quiet origin HEAD:main");
    // A run for one: the other rotation of the zone stands on the old branch alone.
    world.run(hours(1), &["advance", "c0-0"]).ends(3);
    assert_eq!(team.branches(), ["tlsa-rotate/due", before[0], before[1]]);
    let (run, calls) = team.counted(hours(2), &["advance"]);
    let run = run.ends(3);
    assert_eq!(team.branches(), ["tlsa-rotate/due", before[1]], "{run:#?}");
    let told = "deleted branch tlsa-rotate/z0.test: the configuration names other branches for what was proposed there";
    assert_eq!(run.stderr.matches(told).count(), 1, "{run:#?}");
    assert!(pushes(&calls) <= 3, "{calls:#?}");
    let quiet = world.advance(hours(3)).ends(3);
    assert!(!quiet.stderr.contains("deleted"), "{quiet:#?}");
    assert_eq!(team.branches(), ["tlsa-rotate/due", before[1]]);
    team.merge("tlsa-rotate/due");
    world.advance(hours(4));
}

#[test]
fn mail_at_risk_is_told_before_the_work_begins() {
    let team = Team::new("tlsa-rotate/{zone}", 2, 2);
    let world = team.world();
    world.advance(BEGIN).ends(3);
    world.renew_elsewhere(0);
    for number in 0..2 {
        let file = format!("z{number}.test.zone");
        team.far.work(&file, "more IN A 127.0.0.1\n");
    }
    // What had been told when the first push began.
    let (said, at_push) = (
        world.path(".tlsa-rotate/said"),
        world.path(".tlsa-rotate/at-push"),
    );
    let script = format!(
        "case \"$*\" in *' push '*) [ -e {1} ] || cp {0} {1};; esac",
        said.display(),
        at_push.display()
    );
    let mut command = world.command_through(hours(1), &["advance"], &script);
    let code = command.stderr(fs::File::create(&said).unwrap()).output();
    assert_eq!(code.unwrap().status.code(), Some(4));
    let early = fs::read_to_string(&at_push).unwrap();
    for id in ["c0-0.1", "c0-1.1", "c1-0.1", "c1-1.1"] {
        let told = format!("{id}: DELIVERY AT RISK: ");
        assert_eq!(early.matches(&told).count(), 1, "{early}");
    }
}

/// Calls of git in each kind of run, and what it took.
fn measured(team: &Team, now: Instant, what: &str, arguments: &[&str]) -> (Run, Vec<String>) {
    let began = std::time::Instant::now();
    let (run, calls) = team.counted(now, arguments);
    eprintln!(
        "{what:<24} {:>7.2} s  git {:>5}  pushes {:>3}  exit {:?}",
        began.elapsed().as_secs_f64(),
        calls.len(),
        pushes(&calls),
        run.code
    );
    (run, calls)
}

/// What a team's runs cost: begin and propose all, nothing new, another base, merged, the swap opening, `plan`, `status`.
fn day(team: &Team) -> Vec<(&'static str, Run, Vec<String>)> {
    let mut all = Vec::new();
    let mut take = |what: &'static str, now: Instant, arguments: &[&str]| {
        let (run, calls) = measured(team, now, what, arguments);
        all.push((what, run, calls));
    };
    take("propose", BEGIN, &["advance"]);
    take("again", hours(1), &["advance"]);
    take("status", hours(1), &["status"]);
    take("plan", hours(1), &["plan"]);
    take("plan of one", hours(1), &["plan", "c0-0"]);
    for number in 0..team.zones {
        team.far
            .work(&format!("z{number}.test.zone"), "more IN A 127.0.0.1\n");
    }
    take("rebuild", hours(2), &["advance"]);
    for branch in team.branches() {
        team.merge(&branch);
    }
    take("merged", hours(3), &["advance"]);
    team.load();
    take("served", hours(4), &["advance"]);
    take("swap", hours(60), &["advance"]);
    all
}

/// Each kind of run pushes as often for many rotations as for few: the journals, the proposals, and the begin of all.
fn is_thrifty(team: &Team, days: &[(&'static str, Run, Vec<String>)]) {
    for (what, run, calls) in days {
        assert!(pushes(calls) <= 3, "{what}: {} pushes", pushes(calls));
        assert!(matches!(run.code, Some(0 | 3)), "{what}: {run:#?}");
        let rotations = team.zones * team.each;
        let (each, all) = match *what {
            // Its key, and the history of its zone, which tells the TTL of before.
            "propose" => (13, 40 * team.zones),
            "rebuild" => (1, 40 * team.zones),
            _ => (0, 10 * team.zones),
        };
        let most = 100 + all + each * rotations;
        assert!(
            calls.len() <= most,
            "{what}: {} calls of git, {most} allowed",
            calls.len()
        );
    }
}

/// A server that refuses every question, over UDP and TCP; its address.
fn refusing() -> String {
    let (udp, tcp) = std::iter::repeat_with(|| UdpSocket::bind("127.0.0.1:0").unwrap())
        .find_map(|udp| Some((TcpListener::bind(udp.local_addr().unwrap()).ok()?, udp)))
        .map(|(tcp, udp)| (udp, tcp))
        .unwrap();
    let address = udp.local_addr().unwrap().to_string();
    let refusal = |question: &[u8]| {
        let mut answer = question.to_vec();
        answer[2] |= 0x80;
        answer[3] = 5;
        answer
    };
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let _ = udp.send_to(&refusal(&buffer[..length]), from);
        }
    });
    std::thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut question).unwrap();
                let _ = stream.write_all(&[&length[..], &refusal(&question)].concat());
            }
        }
    });
    address
}

#[test]
fn a_zone_that_every_server_refuses_is_for_a_person_at_once() {
    let world = World::new(Publish::Current);
    world.run(BEGIN, &["start", "mail"]).ends(0);
    world.advance(BEGIN).ends(0);
    world.load();
    world.advance(hours(1)).ends(0);
    // One that is refused by one server alone may be on its way there.
    let config = world.read("tlsa-rotate.toml");
    for (of, code) in [(&[0][..], 0), (&[0, 1], 3)] {
        let mut changed = config.clone();
        for server in of {
            changed = changed.replacen(&world.server(*server), &refusing(), 1);
        }
        world.write("tlsa-rotate.toml", &changed);
        world.git("commit --quiet --all --message servers");
        for command in ["status", "advance"] {
            let run = world.run(hours(2), &[command]).ends(code);
            let told = "no server of example.com. serves it: each refuses it or refers elsewhere";
            assert_eq!(run.stdout.contains(told), code == 3, "{run:#?}");
        }
    }
}

#[test]
fn a_run_pushes_as_often_for_many_rotations_as_for_few() {
    let team = Team::new("tlsa-rotate/{run}", 3, 3);
    let days = day(&team);
    is_thrifty(&team, &days);
    assert!(
        days[1].1.stderr.contains(
            "c2-2.1 in zone z2.test. (publish) waits for review on branch tlsa-rotate/due"
        )
    );
    // What is due in a zone, and what is due at all.
    let world = team.world();
    let zone = world
        .run(hours(60), &["status", "--zone", "z1.test"])
        .ends(0);
    assert_eq!(
        zone.stdout.matches(": SwapOpen since").count(),
        3,
        "{zone:#?}"
    );
    assert_eq!(zone.stdout.matches("c1-").count(), 3, "{zone:#?}");
    // They rest on standby: nobody has to do anything.
    let due = world.run(hours(60), &["status", "--due"]).ends(0);
    assert_eq!(due.stdout, "");
    let none = ["status", "--zone", "z9.test"];
    world.run(hours(60), &none).ends(1);
    let swap = &days.last().unwrap().1;
    assert_eq!(
        swap.stdout.matches("SwapOpen (SwapOpened)").count(),
        9,
        "{swap:#?}"
    );
    let log = git(&team.far.bare(), "log --format=%s refs/tlsa-rotate/journal");
    assert!(log.lines().count() <= 8, "{log}");
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_team_of_two_hundred_rotations_is_no_work_of_minutes() {
    let team = Team::new("tlsa-rotate/{zone}", 40, 5);
    let days = day(&team);
    is_thrifty(&team, &days);
    let first = git(&team.far.bare(), "log -1 --format=%B tlsa-rotate/z0.test");
    assert!(first.len() < 65_536);
}
