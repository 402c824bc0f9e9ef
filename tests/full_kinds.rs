//! What stands where a file is expected, what a program that hangs leaves behind, and what a full disk is called.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod hook_support;
mod rotation_support;

use hook_support::executable;
use rotation_support::{BEGIN, JOURNAL, PROGRAM, Publish, Run, World, ZONE_FILE};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tlsa_rotate::publish::command::{CommandError, Invocation};

/// How long a run may take that meets something else than a file: it waits for nothing.
const BOUND: Duration = Duration::from_secs(20);

/// How much memory it may ask for, in KiB.
const MEMORY: u64 = 2 << 20;

/// Something that is no file, or has no end.
const KINDS: [(&str, &str); 4] = [
    ("fifo", "a FIFO"),
    ("directory", "directory"),
    ("device", "a device"),
    ("sparse", ""),
];

fn put(kind: &str, path: &Path) {
    let _ = fs::remove_file(path);
    match kind {
        "fifo" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "directory" => fs::create_dir(path).unwrap(),
        "device" => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        _ => fs::File::create(path).unwrap().set_len(10 << 30).unwrap(),
    }
}

/// Runs the program with little memory; it must end by itself, and soon.
fn bounded(directory: &Path, arguments: &[&str]) -> Run {
    let script = format!(
        "ulimit -v {MEMORY}; exec timeout {} \"$0\" \"$@\"",
        BOUND.as_secs()
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script, PROGRAM]).args(arguments);
    let output = command.current_dir(directory).stdin(Stdio::null()).output();
    output.unwrap().into()
}

#[test]
fn where_a_file_is_expected_nothing_else_is_waited_for_or_read_without_end() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    let tlsa = "3 1 1 0000000000000000000000000000000000000000000000000000000000000000\n";
    fs::write(root.join("tlsa"), tlsa).unwrap();
    for (kind, why) in KINDS {
        let path = root.join("it");
        put(kind, &path);
        let runs: [&[&str]; 10] = [
            &["--config", "it", "check"],
            &["zone", "check", "it", "--origin", "example.com"],
            &["zone", "verify", "it", "--origin", "example.com"],
            &["record", "it"],
            &[
                "dane", "verify", "--tlsa", "it", "--chain", "it", "--host", "mx",
            ],
            &[
                "dane", "verify", "--tlsa", "tlsa", "--chain", "it", "--host", "mx",
            ],
            &["change", "show", "it"],
            &[
                "serve",
                "--zone",
                "example.com=it",
                "--listen",
                "127.0.0.1:0",
            ],
            &[
                "verify",
                "example.com",
                "--trust-anchor",
                "it",
                "--resolver",
                "127.0.0.1:1",
            ],
            &["tlsrpt", "it"],
        ];
        for arguments in runs {
            // A directory of reports is one.
            if arguments[0] == "tlsrpt" && kind == "directory" {
                continue;
            }
            let said = bounded(root, arguments).ends(1);
            assert!(
                said.stderr.contains(why),
                "{kind}: {arguments:?}: {said:#?}"
            );
        }
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
    }
}

#[test]
fn the_files_of_a_workspace_are_read_to_a_bound_too() {
    let world = World::new(Publish::File);
    world.start(BEGIN).ends(0);
    let keys = fs::read_dir(world.path("keys")).unwrap();
    let mut keys = keys.map(|entry| format!("keys/{}", entry.unwrap().file_name().display()));
    let key = keys.find(|name| name.ends_with(".private")).unwrap();
    let files = [ZONE_FILE, "live/fullchain.pem", JOURNAL, &key];
    for file in files {
        let path = world.path(".").join(file);
        let aside = world.path("aside");
        fs::rename(&path, &aside).unwrap();
        for (kind, _) in KINDS {
            put(kind, &path);
            let now = BEGIN.to_string();
            for command in [
                &["advance"][..],
                &["check", "--swap", "mail"],
                &["plan", "mail"],
            ] {
                let mut arguments = vec!["--now", &now];
                arguments.extend(command);
                let said = bounded(&world.path("."), &arguments);
                assert_ne!(
                    said.code,
                    Some(124),
                    "{file}: {kind}: {command:?}: {said:#?}"
                );
                assert!(
                    said.code.is_some(),
                    "{file}: {kind}: {command:?}: {said:#?}"
                );
            }
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
        }
        fs::rename(&aside, &path).unwrap();
    }
}

/// Whether a process is there and runs.
fn runs(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_program_that_hangs_leaves_nobody_behind() {
    let home = tempfile::tempdir().unwrap();
    let program = home.path().join("hangs");
    // One child in its group, one that leaves it, one that ends when it is asked to and starts another first.
    executable(
        &program,
        "cd \"$(dirname \"$0\")\"\n\
         sleep 1000 & echo $! >> processes\n\
         setsid sleep 1000 & echo $! >> processes\n\
         sh -c 'trap \"sleep 1000 & echo \\$! >> processes; wait\" TERM; echo $$ >> processes; while :; do sleep 1000 & wait; done' &\n\
         while [ \"$(wc -l < processes)\" -lt 3 ]; do sleep 0.05; done; touch ready; wait",
    );
    for own_group in [true, false] {
        let processes = home.path().join("processes");
        let _ = fs::remove_file(&processes);
        let mut invocation = Invocation::new([&program], home.path(), Duration::from_secs(3));
        invocation.own_group = own_group;
        let error = invocation.run().unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
        assert!(
            home.path().join("ready").exists(),
            "the machine is too slow for this test"
        );
        let ended = Instant::now() + Duration::from_secs(20);
        let started = fs::read_to_string(&processes).unwrap();
        assert!(started.lines().count() >= 3, "{started}");
        while started.lines().any(runs) {
            let left: Vec<&str> = started.lines().filter(|process| runs(process)).collect();
            assert!(
                Instant::now() < ended,
                "{left:?} are left, own_group: {own_group}"
            );
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_full_disk_is_called_one_whoever_meets_it() {
    let world = World::new(Publish::Current);
    world.start(BEGIN).ends(0);
    let hook = world.path(".git/hooks/pre-commit");
    executable(
        &hook,
        "echo 'cannot write: No space left on device' >&2; exit 1",
    );
    let said = world.advance(BEGIN).ends(1);
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(all.contains("the disk is full"), "{said:#?}");
    assert!(all.contains("free some space"), "{said:#?}");
    assert!(!all.contains("hook make"), "{said:#?}");
    fs::remove_file(hook).unwrap();
    world.advance(BEGIN).ends(0);
    assert_eq!(world.step(BEGIN), "Prepublishing");
}
