//! Files that are whole or absent, and the lock, against a real file system: full, read-only, shared and interrupted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    missing_docs
)]

use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use tlsa_rotate::workspace::durable::{self, Replaced};
use tlsa_rotate::workspace::lock::{LockError, WorkspaceLock};

const STAGE: &str = "TLSA_ROTATE_TEST_STAGE";
const PLACE: &str = "TLSA_ROTATE_TEST_PLACE";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_replaced_file_keeps_its_mode_and_owner_and_says_whether_it_changed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("example.com.zone");
    assert_eq!(
        durable::replace(&file, b"one\n").unwrap(),
        Replaced::Changed
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        std::os::unix::fs::chown(&file, Some(1234), Some(4321)).unwrap();
    }
    assert_eq!(
        durable::replace(&file, b"one\n").unwrap(),
        Replaced::Unchanged
    );
    assert_eq!(
        durable::replace(&file, b"two\n").unwrap(),
        Replaced::Changed
    );
    assert_eq!(fs::read(&file).unwrap(), b"two\n");
    let now = fs::metadata(&file).unwrap();
    assert_eq!(now.mode() & 0o7777, 0o640);
    if is_root {
        assert_eq!((now.uid(), now.gid()), (1234, 4321));
    }
    assert_eq!(names(home.path()), ["example.com.zone"]);
}

#[test]
fn a_symbolic_link_is_written_through_even_when_it_dangles() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("real")).unwrap();
    let link = home.path().join("link");
    symlink("second", &link).unwrap();
    symlink("real/file", home.path().join("second")).unwrap();
    durable::replace(&link, b"through").unwrap();
    assert_eq!(fs::read(home.path().join("real/file")).unwrap(), b"through");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(&home.path().join("real")), ["file"]);

    symlink("loop", home.path().join("loop")).unwrap();
    let error = durable::replace(&home.path().join("loop"), b"").unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("its symbolic links form a loop"),
        "{error}"
    );
}

#[test]
fn only_regular_files_are_replaced() {
    let home = tempfile::tempdir().unwrap();
    let error = durable::replace(home.path(), b"x").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot write {}: it is not a regular file",
            home.path().display()
        )
    );
    let error = durable::replace(Path::new("/dev/full"), b"x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write /dev/full: it is not a regular file"
    );
}

#[test]
fn creation_is_exclusive_with_exactly_the_mode_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("key.pem");
    durable::create(&key, b"secret", 0o600).unwrap();
    assert_eq!(mode(&key), 0o600);
    let error = durable::create(&key, b"other", 0o600).unwrap_err();
    assert!(error.is_already_there());
    assert_eq!(fs::read(&key).unwrap(), b"secret");
    let dangling = home.path().join("dangling");
    symlink("nowhere", &dangling).unwrap();
    assert!(
        durable::create(&dangling, b"", 0o644)
            .unwrap_err()
            .is_already_there()
    );
    assert!(!home.path().join("nowhere").exists());
}

#[test]
fn leftovers_of_killed_writers_are_swept_and_those_of_living_ones_are_not() {
    let home = tempfile::tempdir().unwrap();
    let (dead, alive, other) = (
        home.path().join(".zone.AAAAAA.tlsa-rotate-tmp"),
        home.path().join(".zone.BBBBBB.tlsa-rotate-tmp"),
        home.path().join(".zone2.CCCCCC.tlsa-rotate-tmp"),
    );
    for leftover in [&dead, &alive, &other] {
        fs::write(leftover, "half").unwrap();
    }
    let held = File::open(&alive).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    durable::replace(&home.path().join("zone"), b"whole").unwrap();
    assert!(!dead.exists(), "nobody holds it");
    assert!(alive.exists(), "its writer lives");
    assert!(
        other.exists(),
        "another file's, swept when that file is written"
    );
    drop(held);
    durable::replace(&home.path().join("zone"), b"again").unwrap();
    assert!(!alive.exists());
}

#[test]
fn appending_refuses_a_file_that_somebody_else_has_changed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("journal");
    fs::write(&file, "one\n").unwrap();
    durable::append(&file, 4, b"two\n").unwrap();
    let error = durable::append(&file, 4, b"three\n").unwrap_err();
    assert!(
        error.to_string().contains("somebody else has written"),
        "{error}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"one\ntwo\n");
}

#[test]
fn concurrent_writers_of_one_file_leave_one_whole_file_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("zone");
    let texts: Vec<Vec<u8>> = (0..8u8).map(|n| vec![b'a' + n; 5000]).collect();
    std::thread::scope(|scope| {
        for text in &texts {
            scope.spawn(|| (0..20).for_each(|_| assert!(durable::replace(&file, text).is_ok())));
        }
    });
    assert!(texts.contains(&fs::read(&file).unwrap()));
    assert_eq!(names(home.path()), ["zone"]);
}

/// Runs `stage` of this program in a mount namespace of its own, where `place` is a tmpfs with `options`.
fn in_tmpfs(stage: &str, prepare: &str, options: &str) -> String {
    let place = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k tmpfs \"${PLACE}\" && {prepare} && {options} && exec \"$0\" --ignored --exact --nocapture stage"
    );
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(STAGE, stage)
        .env(PLACE, place.path())
        .output()
        .expect("unshare (util-linux)");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.replace(place.path().to_str().unwrap(), "PLACE")
}

#[test]
fn a_full_disk_leaves_the_old_file_and_no_litter() {
    let said = in_tmpfs(
        "full",
        "printf 'one\\n' >\"$TLSA_ROTATE_TEST_PLACE/file\"",
        "true",
    );
    for wanted in [
        "cannot write PLACE/file: No space left on device (os error 28)",
        "hint: free some space on the file system of PLACE, then run the command again; nothing was changed",
        "cannot append to PLACE/file: ",
        "cannot create PLACE/new: No space left on device (os error 28)",
    ] {
        assert!(said.contains(wanted), "{wanted}\n--- in ---\n{said}");
    }
}

#[test]
fn a_read_only_file_system_is_said_as_such() {
    let said = in_tmpfs(
        "read-only",
        "printf 'one\\n' >\"$TLSA_ROTATE_TEST_PLACE/file\"",
        "mount -o remount,ro \"$TLSA_ROTATE_TEST_PLACE\"",
    );
    for wanted in [
        "cannot write PLACE/file: Read-only file system (os error 30)",
        "hint: PLACE lies on a read-only file system: remount it writable, or keep the workspace elsewhere",
        "cannot append to PLACE/file: Read-only file system",
        "cannot create the directory PLACE/a/b: Read-only file system",
        "cannot create the directory PLACE/state: Read-only file system",
    ] {
        assert!(said.contains(wanted), "{wanted}\n--- in ---\n{said}");
    }
}

#[test]
fn the_lock_is_held_by_one_process_and_dies_with_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("state/lock");
    let (mut child, _stdin) = holder_process(&path);
    let Err(error) = WorkspaceLock::acquire(&path) else {
        panic!("two processes hold the lock");
    };
    assert_eq!(
        error.to_string(),
        format!(
            "another run (process {}) holds the lock {}",
            child.id(),
            path.display()
        )
    );
    assert!(error.hints()[0].starts_with("nothing was changed"));
    child.kill().unwrap();
    child.wait().unwrap();
    let lock = WorkspaceLock::acquire(&path).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("{}\n", std::process::id())
    );
    assert!(
        matches!(WorkspaceLock::acquire(&path), Err(LockError::Held { holder: Some(id), .. }) if id == std::process::id()),
        "not even the same process gets it twice"
    );
    drop(lock);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "",
        "a released lock names nobody"
    );
    WorkspaceLock::acquire(&path).unwrap();
}

fn holder_process(lock: &Path) -> (Child, ChildStdin) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "stage"])
        .env(STAGE, "hold")
        .env(PLACE, lock)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.map(Result::unwrap).any(|line| line == "held"));
    (child, stdin)
}

/// The second process of the tests above; they run it with a stage and a place, and check what it prints.
#[test]
#[ignore = "run by the other tests in a process of its own"]
fn stage() {
    let place = std::env::var_os(PLACE).expect("run by another test");
    let place = Path::new(&place);
    let tell = |error: durable::WriteError| {
        println!("{error}");
        error
            .hints()
            .iter()
            .for_each(|hint| println!("hint: {hint}"));
    };
    let file = place.join("file");
    match std::env::var(STAGE).unwrap().as_str() {
        "full" => {
            let big = vec![b'x'; 100_000];
            tell(durable::replace(&file, &big).unwrap_err());
            tell(durable::append(&file, 4, &big).unwrap_err());
            assert_eq!(fs::read(&file).unwrap(), b"one\n");
            tell(durable::create(&place.join("new"), &big, 0o600).unwrap_err());
            assert_eq!(names(place), ["file"]);
        }
        "read-only" => {
            tell(durable::replace(&file, b"two").unwrap_err());
            tell(durable::append(&file, 4, b"two").unwrap_err());
            tell(durable::create_directory(&place.join("a/b"), 0o755).unwrap_err());
            println!(
                "{}",
                WorkspaceLock::acquire(&place.join("state/lock")).unwrap_err()
            );
            assert_eq!(fs::read(&file).unwrap(), b"one\n");
        }
        "replace" => assert!(durable::replace(&file, b"one\n").is_ok()),
        "create" => durable::create(&place.join("key"), b"key", 0o600).unwrap(),
        "append" => durable::append(&file, 4, b"two\n").unwrap(),
        "truncate" => durable::truncate(&file, 8, 4).unwrap(),
        "directories" => durable::create_directory(&place.join("a/b"), 0o755).unwrap(),
        "hold" => {
            let _lock = WorkspaceLock::acquire(place).unwrap();
            println!("\nheld");
            let _ = std::io::stdin().read(&mut [0]).unwrap();
        }
        other => panic!("no stage {other}"),
    }
}

/// The system calls that matter for durability, in order, each with the file name it was made on.
fn traced(home: &Path, stage: &str) -> Vec<String> {
    let trace = home.join("trace");
    let status = Command::new("strace")
        .args([
            "-f",
            "-y",
            "-qq",
            "-e",
            "trace=fsync,rename,renameat,renameat2,write,mkdir,ftruncate",
            "-o",
        ])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "stage"])
        .env(STAGE, stage)
        .env(PLACE, home.join("place"))
        .stdout(Stdio::null())
        .status()
        .expect("strace");
    assert!(status.success());
    let place = fs::canonicalize(home).unwrap().join("place");
    let place = place.to_str().unwrap();
    let calls = fs::read_to_string(&trace).unwrap();
    let calls = calls
        .lines()
        .filter(|call| call.contains(place))
        .map(|call| {
            let call = call
                .split_whitespace()
                .skip(1)
                .collect::<Vec<_>>()
                .join(" ");
            let name = call.split('(').next().unwrap();
            let on = call.split(place).nth(1).unwrap();
            let on = on.split(['>', '"']).next().unwrap();
            let on = if on.contains("tlsa-rotate-tmp") {
                "temporary"
            } else {
                on
            };
            // Which of the calls that rename is used is the C library's business.
            let name = if name == "renameat" { "rename" } else { name };
            format!("{name} {on}")
        });
    calls.collect()
}

#[test]
fn bytes_are_flushed_before_they_get_a_name_and_the_name_before_we_go_on() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("place")).unwrap();
    let replaced = [
        "write temporary",
        "fsync temporary",
        "rename temporary",
        "fsync ",
    ];
    assert_eq!(traced(home.path(), "replace"), replaced, "a new file");
    let unchanged = ["fsync /file", "fsync "];
    assert_eq!(
        traced(home.path(), "replace"),
        unchanged,
        "the same again: flushed, since a killed run may not have been"
    );
    let created = [
        "write temporary",
        "fsync temporary",
        "renameat2 temporary",
        "fsync ",
    ];
    assert_eq!(traced(home.path(), "create"), created);
    assert_eq!(
        traced(home.path(), "append"),
        ["write /file", "fsync /file"]
    );
    assert_eq!(
        traced(home.path(), "truncate"),
        ["ftruncate /file", "fsync /file"]
    );
    let directories = ["mkdir /a", "fsync ", "mkdir /a/b", "fsync /a"];
    assert_eq!(traced(home.path(), "directories"), directories);
}

/// Every system call with which a file comes, changes or goes.
const WRITING: &[&str] = &[
    "openat",
    "write",
    "fsync",
    "fchmod",
    "flock",
    "rename",
    "renameat",
    "renameat2",
    "linkat",
    "unlink",
    "ftruncate",
];

/// Runs `stage` again and again, killed at its first, second, third … use of each system call that writes, until one
/// run ends by itself. After each, `check` looks at what is left. Returns how many runs were killed.
fn killed_everywhere(home: &Path, stage: &str, prepare: &dyn Fn(), check: &dyn Fn()) -> usize {
    let mut killed = 0;
    for call in WRITING {
        for at in 1.. {
            assert!(at < 200, "{stage} never ends");
            prepare();
            let status = Command::new("strace")
                .args([
                    "-f",
                    "-qq",
                    "-o",
                    "/dev/null",
                    "-e",
                    &format!("trace={call}"),
                    "-e",
                ])
                .arg(format!("inject={call}:signal=KILL:when={at}"))
                .arg(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "--test-threads=1", "stage"])
                .env(STAGE, stage)
                .env(PLACE, home)
                .stdout(Stdio::null())
                .status()
                .expect("strace");
            if status.success() {
                break;
            }
            killed += 1;
            check();
        }
    }
    killed
}

#[test]
fn killed_at_any_system_call_a_file_is_the_old_or_the_new_one_and_the_next_run_cleans_up() {
    let home = tempfile::tempdir().unwrap();
    let (place, file, key) = (
        home.path(),
        home.path().join("file"),
        home.path().join("key"),
    );
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let reset = || fs::write(&file, "old\n").unwrap();
    let killed = killed_everywhere(place, "replace", &reset, &|| {
        let now = fs::read_to_string(&file).unwrap();
        assert!(now == "old\n" || now == "one\n", "{now:?}");
        let left = if names(place).len() > 1 {
            "temporary"
        } else {
            "clean"
        };
        seen.borrow_mut().insert((now, left));
        durable::replace(&file, b"next").unwrap();
        assert_eq!(names(place), ["file"]);
    });
    assert!(killed > 10);
    let seen = seen.into_inner();
    for state in [
        ("old\n", "clean"),
        ("old\n", "temporary"),
        ("one\n", "clean"),
    ] {
        assert!(
            seen.contains(&(state.0.to_owned(), state.1)),
            "no kill led to {state:?}"
        );
    }
    let absent = || drop(fs::remove_file(&key));
    let killed = killed_everywhere(place, "create", &absent, &|| {
        if key.exists() {
            assert_eq!(fs::read(&key).unwrap(), b"key");
            assert_eq!(mode(&key), 0o600);
            fs::remove_file(&key).unwrap();
        }
        durable::create(&key, b"other", 0o600).unwrap();
        assert_eq!(names(place), ["file", "key"]);
    });
    assert!(killed > 10);
}
