//! `serve` on disks that are full or fail while it keeps what changed: it serves the new version, says what it could not do,
//! and what it knows of changes is right, before and after it is started again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod engine_support;
mod path_support;
mod serve_support;
mod workspace_support;

use engine_support::{at, ports, serial};
use path_support::World;
use serve_support::{APEX, Peer, dig, until};
use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use workspace_support::traced::{attached, calls};
use workspace_support::versions::{Versions, assert_whole};
use workspace_support::{KEPT, PROGRAM, edit, log, serve, serve_by, workspace};

const WARNING: &str =
    "warning: after a restart, secondaries of example.com. are sent the whole zone: ";

fn takes_up(world: &World, port: u16, next: u32) {
    edit(world, next);
    until("the next version is served", || {
        let said = format!("serving {APEX} serial {next} ");
        serial(at(port)) == Some(next) && log(world).contains(&said)
    });
}

/// Whether who asks for what changed since `serial` is sent the changes alone.
fn is_sent_changes(port: u16, serial: u32) -> bool {
    !dig(at(port), &["+tcp", APEX, &format!("IXFR={serial}")]).contains("IN\tMX\t")
}

/// A mount namespace in which changes are kept on a disk of two pages, for as long as the value lives.
struct SmallDisk {
    holder: Peer,
    place: PathBuf,
}

impl SmallDisk {
    fn mounted(world: &World) -> Self {
        let place = world.path(".tlsa-rotate/served");
        fs::create_dir_all(&place).unwrap();
        let script = "mount -t tmpfs -o size=8k tmpfs \"$0\" && echo && exec cat";
        let mut child = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", script])
            .arg(&place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare (util-linux)");
        let mut ready = [0];
        let said = child.stdout.take().unwrap().read_exact(&mut ready);
        said.expect("a tmpfs in a namespace of its own");
        Self {
            holder: Peer { child },
            place,
        }
    }

    fn serve(&self, world: &World, port: u16) -> Peer {
        let mut command = Command::new("nsenter");
        let holder = self.holder.child.id().to_string();
        command.args([
            "--target",
            &holder,
            "--user",
            "--mount",
            "--preserve-credentials",
        ]);
        command.arg(PROGRAM);
        serve_by(command, world, port)
    }

    /// A file on it, as it is seen from here.
    fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.child.id()));
        let below = self.place.strip_prefix("/").unwrap();
        root.join(below).join("example.com.").join(name)
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_full_disk_costs_the_changes_that_it_cannot_keep_and_nothing_else() {
    let world = workspace("");
    let port = ports(1)[0];
    let disk = SmallDisk::mounted(&world);
    let mut versions = Versions::new();
    let mut ours = disk.serve(&world, port);
    until("the first version", || serial(at(port)) == Some(1));
    assert_whole(&world, at(port), &mut versions, "at first");
    for next in 2..=3 {
        takes_up(&world, port, next);
        assert_whole(&world, at(port), &mut versions, "there is room");
    }
    assert!(!log(&world).contains("warning: "), "{}", log(&world));
    for next in 4..=5 {
        takes_up(&world, port, next);
        assert_whole(&world, at(port), &mut versions, "full");
        let told = log(&world).matches(WARNING).count();
        assert_eq!(told, next as usize - 3, "{}", log(&world));
    }
    assert!(
        log(&world).contains("No space left on device"),
        "{}",
        log(&world)
    );
    assert!(
        is_sent_changes(port, 1),
        "what is not on disk is known all the same"
    );
    assert_eq!(fs::read_dir(disk.path("")).unwrap().count(), 2, "no litter");

    for (next, changes) in [(6, false), (7, true)] {
        ours.child.kill().unwrap();
        ours.child.wait().unwrap();
        ours = disk.serve(&world, port);
        until("it is back", || serial(at(port)) == Some(next - 1));
        assert_whole(&world, at(port), &mut versions, "started again");
        assert_eq!(
            is_sent_changes(port, next - 2),
            changes,
            "since {}",
            next - 2
        );
        assert!(
            !is_sent_changes(port, 4),
            "of what was lost nothing is made up"
        );
        // There is room again.
        fs::remove_file(disk.path(if next == 6 { "1-2.delta" } else { "2-3.delta" })).unwrap();
        takes_up(&world, port, next);
        assert_whole(&world, at(port), &mut versions, "there is room again");
    }
    assert_eq!(log(&world).matches(WARNING).count(), 2, "{}", log(&world));
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_disk_that_fails_at_any_write_costs_no_answer() {
    let world = workspace("");
    let port = ports(1)[0];
    let mut versions = Versions::new();
    let mut ours = serve(&world, port);
    until("the first version", || serial(at(port)) == Some(1));
    assert_whole(&world, at(port), &mut versions, "at first");
    takes_up(&world, port, 2);
    let all = calls(&world, &ours, 3, port);
    let writes = all.iter().filter(|(call, _, shown)| match call.as_str() {
        "openat" => shown.contains("O_CREAT"),
        "fsync" | "renameat" => true,
        _ => false,
    });
    let mut tried = Vec::new();
    for ((call, number, shown), next) in writes.zip(4..) {
        assert!(shown.contains(KEPT), "{shown}");
        let (error, words) = match call.as_str() {
            "fsync" => ("EIO", "Input/output error"),
            "renameat" => ("EROFS", "Read-only file system"),
            _ => ("ENOSPC", "No space left on device"),
        };
        let inject = format!("inject={call}:error={error}:when={number}");
        let trace = format!("trace={call}");
        let options = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        let tracer = attached(ours.child.id(), &options);
        let before = log(&world).len();
        takes_up(&world, port, next);
        let said = log(&world)[before..].to_owned();
        assert!(
            said.contains(WARNING) && said.contains(words),
            "{shown}: {said}"
        );
        drop(tracer);
        assert_whole(&world, at(port), &mut versions, shown);
        ours.child.kill().unwrap();
        ours.child.wait().unwrap();
        ours = serve(&world, port);
        until("it is back", || serial(at(port)) == Some(next));
        assert_whole(&world, at(port), &mut versions, shown);
        tried.push(call.as_str());
    }
    assert_eq!(tried, ["openat", "fsync", "renameat", "fsync"]);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn what_it_says_on_a_full_disk_is_lost_and_nothing_else() {
    let world = workspace("");
    let port = ports(1)[0];
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" 2>/dev/full", PROGRAM]);
    let mut ours = serve_by(command, &world, port);
    for next in 1..=3 {
        if next > 1 {
            edit(&world, next);
        }
        until("the next version", || serial(at(port)) == Some(next));
    }
    assert_eq!(ours.child.try_wait().unwrap(), None, "it runs");
    assert_eq!(log(&world), "");
}
