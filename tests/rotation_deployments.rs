//! A deployment is remembered: when it ran, for whom, and how it ended. One that fails is run again at growing intervals, and a
//! person is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{JOURNAL, PROGRAM, Publish, Run, World, hours};
use std::process::Command;
use tlsa_rotate::rotation::timing::{Instant, Span};

/// The hosts are deployed by a program that notes its runs in `ran` and ends with what `outcome` says.
fn world() -> World {
    let command = |what: &str| {
        let script = format!(
            "echo {what} $TLSA_ROTATE_HOSTS ${{TLSA_ROTATE_DIRECTORY-none}} >> ran; echo s3cret >&2; exit $(cat outcome)"
        );
        format!("[\"sh\", \"-c\", {script:?}]")
    };
    let commands = format!(
        "deploy = {{ command = {}, rollback = {} }}",
        command("deploy"),
        command("rollback")
    );
    let world = World::with(Publish::Current, |config| {
        config.replace("deploy = { manual = true }", &commands)
    });
    world.write("outcome", "1");
    world
}

fn ran(world: &World) -> Vec<String> {
    let ran = std::fs::read_to_string(world.path("ran")).unwrap_or_default();
    ran.lines().map(str::to_owned).collect()
}

fn minutes(hour: u64, minutes: u64) -> Instant {
    hours(hour) + Span::minutes(minutes)
}

#[test]
fn a_deployment_that_fails_is_told_and_run_again_at_growing_intervals() {
    let (world, hour) = world().brought_to("SwapOpen");
    assert_eq!(ran(&world).len(), 1, "{:?}", ran(&world));
    assert!(ran(&world)[0].starts_with("deploy mx1.example.com "));
    // Minutes after the first attempt, and how often it had been run by then
    for (at, times) in [
        (1, 1),
        (4, 1),
        (5, 2),
        (14, 2),
        (15, 3),
        (34, 3),
        (35, 4),
        (75, 5),
        (134, 5),
        (135, 6),
    ] {
        let run = world.advance(minutes(hour, at)).ends(3);
        assert_eq!(ran(&world).len(), times, "after {at} minutes: {run:#?}");
        let status = world.run(minutes(hour, at), &["status"]).ends(3).stdout;
        assert!(
            status.contains("the command for mx1.example.com failed on ")
                && status.contains("exit code 1")
                && status.contains("it is run again on "),
            "{status}"
        );
        assert_eq!(ran(&world).len(), times, "status runs nothing");
    }
    assert!(!world.read(JOURNAL).contains("s3cret"));
    // A person need not wait.
    world.run(minutes(hour, 136), &["deploy", "mail"]).ends(3);
    assert_eq!(ran(&world).len(), 7);
    // It works, and takes its time: no failure is told, and it is not run at each look.
    world.write("outcome", "0");
    world.run(minutes(hour, 137), &["deploy", "mail"]);
    assert_eq!(ran(&world).len(), 8);
    let run = world.advance(minutes(hour, 138));
    assert_eq!(ran(&world).len(), 8, "{run:#?}");
    let status = world.run(minutes(hour, 138), &["status"]).stdout;
    assert!(!status.contains("failed on"), "{status}");
    world.deploy(0);
    world.deploy(1);
    world.advance(minutes(hour, 139)).ends(0);
    assert_eq!(world.step(minutes(hour, 139)), "Deployed");
    assert_eq!(ran(&world).len(), 8);
}

/// The certificate is the one that was published; the key beside it is not its own.
#[test]
fn nothing_is_deployed_with_a_private_key_that_is_not_the_certificates_own() {
    let (world, hour) = world().brought_to("Waiting");
    let key = "keys/tls/mail.1/ecdsa-p256.key.pem";
    let right = world.read(key);
    world.write(key, &world.read("live/privkey.pem"));
    let run = world.advance(minutes(hour + 25, 0));
    assert_eq!(world.step(minutes(hour + 25, 0)), "SwapOpen");
    assert_ne!(run.code, Some(0), "{run:#?}");
    assert!(run.stderr.contains("ecdsa-p256"), "{run:#?}");
    assert_eq!(ran(&world), Vec::<String>::new());
    world.write(key, &right);
    world.advance(minutes(hour + 25, 1));
    assert_eq!(ran(&world).len(), 1);
}

/// What the next key lies in must not be what hosts are put back to.
#[test]
fn a_rollback_is_given_the_directory_of_the_previous_key_or_none() {
    let (world, hour) = world().brought_to("SwapOpen");
    let directory = "keys/tls/mail.1";
    assert!(ran(&world)[0].ends_with(directory), "{:?}", ran(&world));
    world.deploy(0);
    world.run(minutes(hour, 1), &["rollback", "mail", "--reason", "slow"]);
    let last = ran(&world).pop().unwrap();
    assert!(last.starts_with("rollback mx1.example.com "), "{last}");
    assert!(last.ends_with(" none"), "{last}");
    // The same fact for who goes back: it is told, and run again later.
    let status = world.run(minutes(hour, 2), &["status"]).ends(3).stdout;
    assert!(
        status.contains("the command for mx1.example.com failed on "),
        "{status}"
    );
    let runs = ran(&world).len();
    world.advance(minutes(hour, 3));
    assert_eq!(ran(&world).len(), runs);
    world.advance(minutes(hour, 7));
    assert_eq!(ran(&world).len(), runs + 1);
}

#[test]
fn what_cannot_be_noted_is_not_run_and_what_was_not_recorded_is_not_run_at_each_tick() {
    let (world, hour) = world().brought_to("Waiting");
    let then = hour + 26;
    // The disk on which it would be noted is full.
    std::fs::create_dir_all(world.path(".tlsa-rotate/deploying")).unwrap();
    let script = "mount -t tmpfs -o size=4k tmpfs .tlsa-rotate/deploying
        head -c 4096 /dev/zero > .tlsa-rotate/deploying/full
        exec \"$0\" \"$@\"";
    let run = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, PROGRAM])
        .args(["--now", &hours(then).to_string(), "advance"])
        .current_dir(world.path("."))
        .output();
    let run = Run::from(run.unwrap()).ends(1);
    run.complains_of("the disk is full: cannot write");
    assert_eq!(ran(&world), Vec::<String>::new());
    // A run that was killed, or whose disk was full, before it could record how a deployment ended.
    for (note, after) in [("mail.1 mx1.example.com mx2.example.com\n", 10), ("", 20)] {
        std::fs::create_dir_all(world.path(".tlsa-rotate/deploying")).unwrap();
        world.write(".tlsa-rotate/deploying/mail", note);
        for later in [0, 1, 4] {
            world.advance(minutes(then, after + later)).ends(3);
        }
        let status = world.run(minutes(then, after + 4), &["status"]).ends(3);
        assert!(
            status.stdout.contains("how it ended is not known"),
            "{status:#?}"
        );
        assert_eq!(ran(&world), Vec::<String>::new());
        assert!(!world.path(".tlsa-rotate/deploying/mail").exists());
    }
    // Of another rotation it says nothing.
    world.write("outcome", "0");
    world.write(".tlsa-rotate/deploying/mail", "mail.7 mx1.example.com\n");
    world.advance(minutes(then + 2, 0)).ends(3);
    assert_eq!(ran(&world).len(), 1);
    assert!(!world.path(".tlsa-rotate/deploying/mail").exists());
}
