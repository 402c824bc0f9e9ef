//! A whole rotation by the real program, on every way of publishing; and what it must not do on the way.
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

use rotation_support::{
    BEGIN, BRANCH, HOSTS, Publish, Run, SIGNED, WHOLE, World, ZONE_FILE, hours, make_key,
};
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use tlsa_rotate::workspace::tls_key::{KeyFiles, KeyKind};

/// A world whose rotation has come to `step`; the hour of the last run. Hosts have what the step says they have.
fn brought_to(publish: Publish, step: &str) -> (World, u64) {
    let world = World::new(publish);
    let mut hour = 0;
    world.start(BEGIN).ends(0);
    let way: &[(u64, &dyn Fn())] = &[
        (0, &|| ()),
        (1, &|| {
            world.merge();
        }),
        (2, &|| world.load()),
        (27, &|| ()),
        (28, &|| {
            for host in 0..HOSTS.len() {
                world.deploy(host);
            }
        }),
    ];
    for (at, deed) in way {
        if world.step(hours(hour)) == step {
            return (world, hour);
        }
        deed();
        hour = *at;
        world.advance(hours(hour));
    }
    assert_eq!(world.step(hours(hour)), step);
    (world, hour)
}

/// The records that an output's lines name, for comparing what was said with what is.
fn line<'r>(run: &'r Run, beginning: &str) -> &'r str {
    let found = run
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with(beginning));
    found.unwrap_or_else(|| panic!("no line `{beginning}…`: {}", run.stdout))
}

#[test]
fn a_whole_rotation_with_review() {
    let world = World::new(Publish::Branch);
    assert!(
        world
            .advance(BEGIN)
            .ends(0)
            .stdout
            .contains("`tlsa-rotate start mail` begins one")
    );
    let old = world.tlsa(HOSTS[0]);
    let started = world.start(BEGIN).ends(0);
    assert_eq!(line(&started, "mail.1"), "mail.1: Hashed");
    assert_eq!(
        line(&started, "in use"),
        format!("  in use   3 1 1 {}", old[0])
    );
    let next = line(&started, "next")
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(world.tlsa(HOSTS[0]), old, "a start publishes nothing");

    let proposed = world.advance(BEGIN).ends(3);
    assert!(
        proposed
            .stdout
            .starts_with("mail.1: Prepublishing (PrepublishDecided); next: you: _25._tcp.mx1")
    );
    assert_eq!(world.tlsa(HOSTS[0]), old, "a proposal is not merged");
    let changed = world.git(&format!("diff --name-only main {BRANCH}"));
    let expected = [
        "changes/mail.1/publish.example.com.delta",
        "changes/mail.1/publish.example.com.diff",
        ZONE_FILE,
    ];
    assert_eq!(changed.lines().collect::<Vec<_>>(), expected);
    let message = world.git(&format!("log -1 --format=%B {BRANCH}"));
    for part in [
        "What changes:\n  + _25._tcp.mx1",
        "Why it is safe now:\n",
        "What happens next:\n",
        "How to undo:\n",
        "\nTlsa-Rotate-Step: mail.1/publish",
    ] {
        assert!(message.contains(part), "no `{part}` in {message}");
    }
    assert!(message.starts_with("mail.1: publish the next key beside the old one (step 3 of 7)\n\nZone example.com, presented by"));

    assert!(world.merge());
    let signed = world.advance(hours(1)).ends(0);
    assert!(
        signed
            .stdout
            .contains("mail.1: Prepublishing; next: others: "),
        "{signed:#?}"
    );
    world.load_into(0);
    world.advance(hours(2)).ends(0);
    assert_eq!(world.step(hours(2)), "Prepublishing", "one server lags");
    world.load_into(1);
    assert!(
        world
            .advance(hours(3))
            .ends(0)
            .stdout
            .contains("Waiting (PrepublishServed); next: wait until 2026-12-02T12:00:00Z")
    );
    assert!(
        world
            .advance(hours(27))
            .ends(0)
            .stdout
            .contains("mail.1: Waiting; ")
    );
    let open = world.advance(hours(28)).ends(3);
    assert!(
        open.stdout
            .contains("SwapOpen (SwapOpened); next: you: mx1.example.com:25")
    );
    world.deploy(0);
    assert!(
        world
            .advance(hours(29))
            .ends(3)
            .stdout
            .contains("SwapOpen; next: you: mx2.example.com:25")
    );
    world.deploy(1);
    world.advance(hours(30)).ends(0);
    world.watch(30, 53);
    world.advance(hours(53)).ends(0);
    assert_eq!(world.tlsa(HOSTS[1]).len(), 2);
    let retiring = world.advance(hours(54)).ends(3);
    assert!(
        retiring
            .stdout
            .contains("Retiring (SoakPassed, RetireDecided)"),
        "{retiring:#?}"
    );
    world.merge();
    world.advance(hours(55)).ends(0);
    world.load();
    assert!(
        world
            .advance(hours(56))
            .ends(0)
            .stdout
            .contains("Retired (RetireServed); next: nothing, it is over")
    );
    assert!(
        world
            .run(hours(57), &["status"])
            .ends(0)
            .stdout
            .contains("mail.1: Retired since 2026-12-03T16:00:00Z")
    );
    world.advance(hours(58)).ends(0);
    assert_eq!(world.facts(), WHOLE);
    for host in HOSTS {
        assert_eq!(world.tlsa(host), [next.as_str()]);
    }
    assert_eq!(world.commits(), 2);
    assert!(
        world
            .git("log -1 --format=%B")
            .contains("Tlsa-Rotate-Step: mail.1/retire")
    );
    world.is_tidy();
}

#[test]
fn without_review_a_run_publishes_by_itself() {
    for publish in [Publish::Current, Publish::File] {
        let world = World::new(publish);
        let old = world.tlsa(HOSTS[0]);
        world.start(BEGIN).ends(0);
        let run = world.advance(BEGIN).ends(0);
        // Where no history tells who served the zone before, resolvers may ask such a server for its NS records' TTL.
        let next = match publish {
            Publish::File => "wait until 2026-12-01T09:00:00Z",
            _ => "others: ",
        };
        let told = format!("Prepublishing (PrepublishDecided); next: {next}");
        assert!(run.stdout.contains(&told), "{run:#?}");
        assert_eq!(world.tlsa(HOSTS[0]).len(), 2);
        world.load();
        world.advance(hours(1)).ends(0);
        world.advance(hours(26)).ends(3);
        world.deploy(0);
        world.deploy(1);
        world.advance(hours(27)).ends(0);
        world.watch(27, 51);
        world.advance(hours(51)).ends(0);
        world.load();
        world.advance(hours(52)).ends(0);
        assert_eq!(world.facts(), WHOLE, "{publish:?}");
        assert_eq!(world.tlsa(HOSTS[0]).len(), 1);
        assert_ne!(world.tlsa(HOSTS[0]), old);
        if publish == Publish::Current {
            assert_eq!(world.commits(), 2);
            let changed = world.git("diff --name-only HEAD~1 HEAD");
            let expected = [
                "changes/mail.1/retire.example.com.delta",
                "changes/mail.1/retire.example.com.diff",
                ZONE_FILE,
            ];
            assert_eq!(changed.lines().collect::<Vec<_>>(), expected);
        }
        world.is_tidy();
    }
}

#[test]
fn a_proposal_is_signed_where_a_key_is_configured() {
    let world = World::with(Publish::Branch, |config| {
        let publish = "publish = {";
        assert!(config.contains(publish), "{config}");
        config.replacen(
            publish,
            "proposals = { sign_with = \"op\" }\npublish = {",
            1,
        )
    });
    let ssh_keygen = |arguments: &[&str]| {
        let run = std::process::Command::new("ssh-keygen")
            .args(arguments)
            .current_dir(world.path(""))
            .status();
        assert!(run.unwrap().success());
    };
    world.run(BEGIN, &["start", "mail"]).ends(0);
    let refused = world.run(BEGIN, &["advance"]);
    refused.complains_of("there is no key");
    ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-f", "op"]);
    world.run(BEGIN, &["advance"]).ends(3);
    let file = "changes/mail.1/publish.example.com.proposal";
    let proposal = world.git(&format!("show {BRANCH}:{file}"));
    fs::write(world.path("proposal"), proposal + "\n").unwrap();
    let key = fs::read_to_string(world.path("op.pub")).unwrap();
    fs::write(world.path("allowed"), format!("me {key}")).unwrap();
    let verify = [
        "change",
        "verify",
        "proposal",
        "--allowed-signers",
        "allowed",
        "--base",
        SIGNED,
    ];
    let verified = world.run(BEGIN, &verify).ends(0);
    assert!(
        verified.stdout.starts_with("signed by me with SHA256:"),
        "{verified:#?}"
    );
    let files = world.git(&format!("ls-tree -r --name-only {BRANCH}"));
    assert!(!files.lines().any(|file| file == "op"), "{files}");
}

#[test]
fn the_plan_says_what_follows_in_three_forms() {
    let world = World::new(Publish::Branch);
    let before = world.run(BEGIN, &["plan"]).ends(0);
    assert!(
        before.stdout.starts_with("Rotation mail.1: "),
        "{before:#?}"
    );
    assert_eq!(world.start(BEGIN).ends(0).code, Some(0));
    let text = world.run(BEGIN, &["plan"]).ends(0).stdout;
    for essential in [
        "\n1 MAKE THE KEY ",
        "\n2 COMPUTE THE RECORD ",
        "\n3 PUBLISH IT BESIDE THE OLD ",
        "\n4 WAIT FOR CACHES ",
        "\n5 INSTALL ",
        "\n6 WATCH ",
        "\n7 REMOVE THE OLD RECORD ",
        "+_25._tcp.mx1",
        "2026120101",
        "dig +dnssec",
    ] {
        assert!(text.contains(essential), "no `{essential}` in {text}");
    }
    let markdown = world
        .run(BEGIN, &["plan", "--format", "markdown"])
        .ends(0)
        .stdout;
    assert!(markdown.starts_with("# "), "{markdown}");
    assert!(markdown.contains("```diff"), "{markdown}");
    let json = world
        .run(BEGIN, &["plan", "--format", "json"])
        .ends(0)
        .stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], "tlsa-rotate/plan/v1");
    assert_eq!(json["rotations"].as_array().unwrap().len(), 1);
    assert_eq!(world.run(BEGIN, &["plan"]).stdout, text, "the same twice");

    // Beside each date what the protocols ask for, what the policy asks for, and which binds.
    for said in [
        "5 INSTALL from Wed 2 Dec 2026 09:00 UTC",
        "because policy min_wait binds protocol 2026-12-01T10:00:00Z: 2 × TTL after every server was seen",
        "policy 2026-12-02T09:00:00Z: min_wait 1d and safety_margin 1h",
        ": the next certificate ends; before that the rotation is over (2026-12-03T09:00:00Z, ",
        "a signature over the TLSA records in example.com. ends; before that the swap opens",
        "openssl s_client -starttls smtp -connect mx1.example.com:25 -servername mx1.example.com -dane_tlsa_domain mx1.example.com -dane_tlsa_rrdata '3 1 1 ",
        "posttls-finger -c -l dane-only \"[mx1.example.com]:25\"",
        "openssl x509 -in keys/tls/mail.1/ecdsa-p256.cert.pem -noout -pubkey",
        " undo ",
    ] {
        let flat = text.replace(" \\\n", " ");
        let flat = flat.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            flat.contains(said.trim_start()) || text.contains(said),
            "no `{said}` in {text}"
        );
    }
    assert!(markdown.contains("```mermaid\ngantt"), "{markdown}");
    assert!(markdown.contains("\n## Deadlines\n\n- 20"), "{markdown}");
    let rotation = &json["rotations"][0];
    assert_eq!(rotation["steps"][4]["policy"], "2026-12-02T09:00:00Z");
    assert_eq!(rotation["deadlines"].as_array().unwrap().len(), 3);
    assert_eq!(rotation["deadlines"][0]["met"], true);

    let calendar = world
        .run(BEGIN, &["plan", "--format", "ics"])
        .ends(0)
        .stdout;
    assert!(
        calendar.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"),
        "{calendar}"
    );
    assert!(calendar.ends_with("END:VCALENDAR\r\n"), "{calendar}");
    assert!(
        calendar
            .split("\r\n")
            .all(|line| line.len() <= 75 && !line.contains('\n'))
    );
    let unfolded = calendar.replace("\r\n ", "");
    for said in [
        "UID:mail.1-5-deploy@tlsa-rotate.invalid\r\nDTSTAMP:20261201T080000Z\r\nDTSTART:20261202T090000Z\r\n",
        "UID:mail.1-4-wait@tlsa-rotate.invalid\r\nDTSTAMP:20261201T080000Z\r\nDTSTART:20261201T080000Z\r\nDTEND:20261202T090000Z\r\n",
        "\r\nSUMMARY:mail.1: the next certificate ends\r\n",
    ] {
        assert!(unfolded.contains(said), "no `{said}` in {unfolded}");
    }
    world.run(BEGIN, &["status", "--format", "ics"]).ends(2);
}

#[test]
fn looking_changes_nothing() {
    for step in ["Hashed", "Prepublishing", "Waiting", "SwapOpen", "Deployed"] {
        let (world, hour) = brought_to(Publish::Branch, step);
        let before = world.everything();
        // Far enough that a run would take the next step, so that not taking it shows.
        let later = hours(hour + 30);
        for looking in [
            &["advance", "--dry-run"][..],
            &["status"],
            &["plan"],
            &["status", "--format", "json"],
            &["plan", "--format", "markdown"],
        ] {
            let run = world.run(later, looking);
            assert_ne!(run.code, Some(1), "{looking:?}: {run:#?}");
            assert!(
                before == world.everything(),
                "{step}: {looking:?} changes something"
            );
        }
        let rehearsed = world.run(later, &["advance", "--dry-run"]).stdout;
        world.advance(later);
        assert!(
            before != world.everything() || ["Prepublishing", "SwapOpen"].contains(&step),
            "{step}: the run that was rehearsed does nothing: {rehearsed}"
        );
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn an_abort_leads_back_to_the_old_record_from_every_step() {
    for publish in [Publish::Branch, Publish::Current] {
        for step in ["Hashed", "Prepublishing", "Waiting", "SwapOpen", "Deployed"] {
            let (world, hour) = brought_to(publish, step);
            let told = format!("{publish:?} {step}");
            let old = World::zone(&world).len();
            let aborted = world.run(
                hours(hour),
                &["abort", "mail", "--reason", "a change of mind"],
            );
            assert_ne!(aborted.code, Some(1), "{told}: {aborted:#?}");
            if step == "Deployed" {
                assert_eq!(aborted.code, Some(3), "{told}: {aborted:#?}");
                world.advance(hours(hour + 1)).ends(3);
                assert_eq!(world.step(hours(hour + 1)), "RollingBack", "hosts first");
                assert_eq!(
                    world.zone().len(),
                    old,
                    "nothing leaves the zone before that"
                );
                world.put_back(0);
                world.advance(hours(hour + 1)).ends(3);
                assert_eq!(world.step(hours(hour + 1)), "RollingBack", "every host");
                world.put_back(1);
            }
            for later in 2..6 {
                world.advance(hours(hour + later));
                world.merge();
                world.advance(hours(hour + later));
                world.load();
            }
            assert_eq!(
                world.step(hours(hour + 6)),
                "Aborted",
                "{told}: {aborted:#?}"
            );
            let live = world
                .run(BEGIN, &["record", "live/fullchain.pem"])
                .ends(0)
                .stdout;
            for host in HOSTS {
                let left = world.tlsa(host);
                assert_eq!(left.len(), 1, "{told}");
                assert!(live.to_lowercase().contains(&left[0]), "{told}");
            }
            let over = world.run(hours(hour + 6), &["abort", "mail"]).ends(1);
            over.complains_of("no rotation of `mail` is under way");
            world.is_tidy();
        }
    }
}

#[test]
fn deployed_too_early_is_said_loudly_and_names_the_host() {
    for step in ["Hashed", "Prepublishing", "Waiting"] {
        let (world, hour) = brought_to(Publish::Branch, step);
        world.deploy(1);
        let run = world.advance(hours(hour)).ends(4);
        assert!(run.stdout.contains("DELIVERY AT RISK"), "{step}: {run:#?}");
        let status = world.run(hours(hour), &["status"]).ends(4);
        let risk = line(&status, "AT RISK");
        assert!(risk.contains("mx2.example.com"), "{step}: {risk}");
        assert!(
            !status.stdout.contains("AT RISK    mx1.example.com"),
            "{step}: {status:#?}"
        );
        assert!(
            status
                .stdout
                .contains("put the previous certificate and key back on mx2.example.com:25")
        );
        world.put_back(1);
        assert_ne!(world.advance(hours(hour)).code, Some(4), "{step}");
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_silent_server_opens_no_gate() {
    // A port that is free for both: who listens and never answers is silent, who does not listen is refused at once.
    let (udp, _tcp) = std::iter::repeat_with(|| UdpSocket::bind("127.0.0.1:0").unwrap())
        .find_map(|udp| {
            let tcp = TcpListener::bind(udp.local_addr().unwrap()).ok()?;
            Some((udp, tcp))
        })
        .unwrap();
    let silent = udp.local_addr().unwrap();
    // In Prepublishing the next gate is `served`, in Waiting it is `swap open`.
    for step in ["Prepublishing", "Waiting"] {
        let (world, hour) = brought_to(Publish::Branch, step);
        world.merge();
        world.advance(hours(hour));
        world.load();
        let config = world.read("tlsa-rotate.toml");
        let second = config
            .lines()
            .find(|line| line.starts_with("servers = "))
            .unwrap();
        let second = second.rsplit('"').nth(1).unwrap();
        world.write(
            "tlsa-rotate.toml",
            &config.replace(second, &silent.to_string()),
        );
        let run = world.advance(hours(hour + 90));
        assert!(
            run.stdout.contains(&format!("mail.1: {step}; ")),
            "{run:#?}"
        );
        assert!(
            run.stdout.contains(&silent.to_string()),
            "the silent one is named: {run:#?}"
        );
        world.write("tlsa-rotate.toml", &config);
        // The silent one has left now, and is waited for until no cache leads there.
        world.advance(hours(hour + 91));
        let run = world.advance(hours(hour + 93));
        assert!(
            !run.stdout.contains(&format!("mail.1: {step}; ")),
            "{run:#?}"
        );
    }
}

#[test]
fn a_second_start_is_refused_and_an_unknown_name_too() {
    let world = World::new(Publish::Branch);
    world.start(BEGIN).ends(0);
    let before = world.everything();
    let run = world.start(BEGIN).ends(1);
    run.complains_of("rotation mail.1 is under way (Hashed)");
    let run = world.run(BEGIN, &["advance", "web"]).ends(1);
    run.complains_of("there is no certificate `web` in the configuration");
    let after = world.everything();
    assert!(before == after);
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let world = World::new(Publish::Branch);
    let offered = |ending: &str| world.path(&format!("keys/tls/offered{ending}.pem"));
    let key = offered("");
    fs::create_dir_all(key.parent().unwrap()).unwrap();
    let files = KeyFiles {
        key: key.clone(),
        certificate: offered(".cert"),
        request: offered(".csr"),
    };
    make_key(&files, KeyKind::EcdsaP256);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let offer = [
        "start",
        "mail",
        "--certificate",
        "keys/tls/offered.cert.pem",
        "--key",
        "keys/tls/offered.pem",
    ];
    world
        .run(BEGIN, &offer)
        .ends(1)
        .complains_of("keys/tls/offered.pem can be read by others (mode 0640)");
    assert!(
        !world.path("keys/tls/mail.1/brought-0.key.pem").exists(),
        "what was refused is not kept for the next start"
    );

    let (world, hour) = brought_to(Publish::Branch, "Prepublishing");
    world.merge();
    let signed = world.read(SIGNED);
    let private = world
        .files()
        .into_keys()
        .find(|name| name.ends_with(".private"))
        .unwrap();
    fs::set_permissions(world.path(&private), fs::Permissions::from_mode(0o644)).unwrap();
    let run = world.advance(hours(hour)).ends(1);
    run.complains_of(&private);
    assert_eq!(world.read(SIGNED), signed, "nothing is signed with it");
}

#[test]
fn the_deployment_runs_once_a_run_when_the_swap_is_open_and_not_before() {
    let command = r#"deploy = { command = ["sh", "-c", "echo $TLSA_ROTATE_ROTATION $TLSA_ROTATE_HOSTS $TLSA_ROTATE_DIRECTORY >> deployments"] }"#;
    let world = World::with(Publish::Current, |config| {
        assert!(config.contains("deploy = { manual = true }"));
        config.replace("deploy = { manual = true }", command)
    });
    world.start(BEGIN).ends(0);
    world.advance(BEGIN);
    world.load();
    world.advance(hours(1)).ends(0);
    world.advance(hours(25)).ends(0);
    assert!(!world.path("deployments").exists(), "the wait is not over");
    world.advance(hours(27)).ends(3);
    let directory = world.path("keys/tls/mail.1");
    let line = format!("mail.1 mx1.example.com {}\n", directory.display());
    assert_eq!(world.read("deployments"), line);
    world.advance(hours(28)).ends(3);
    assert_eq!(
        world.read("deployments"),
        line.repeat(2),
        "asked again until the hosts have it"
    );
    world.deploy(0);
    world.advance(hours(28)).ends(3);
    let second = line.replace("mx1", "mx2");
    let so_far = line.repeat(2) + &second;
    assert_eq!(
        world.read("deployments"),
        so_far,
        "the other host once the first is seen with its key"
    );
    world.deploy(1);
    world.advance(hours(29)).ends(0);
    assert_eq!(world.read("deployments"), so_far);
    assert_eq!(world.step(hours(29)), "Deployed");
}

#[test]
fn a_live_certificate_whose_key_was_retired_is_no_key_in_use() {
    let (world, hour) = brought_to(Publish::Current, "Deployed");
    world.watch(hour, hour + 25);
    world.advance(hours(hour + 25));
    world.load();
    world.advance(hours(hour + 26)).ends(0);
    assert_eq!(world.step(hours(hour + 26)), "Retired");
    let again = world.start(hours(hour + 27)).ends(1);
    again.complains_of("that mail.1 retired");
    fs::copy(
        world.path("keys/tls/mail.1/ecdsa-p256.cert.pem"),
        world.path("live/fullchain.pem"),
    )
    .unwrap();
    let next = world.start(hours(hour + 27)).ends(0);
    assert_eq!(line(&next, "mail.2"), "mail.2: Hashed");
}
