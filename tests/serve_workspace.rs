//! `serve` in a workspace: new versions taken up by themselves, changes that outlive it, versions it must not serve, and
//! sockets that a supervisor hands over.
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
use rustix::io::{FdFlags, fcntl_setfd};
use serve_support::{APEX, Peer, dig, stdout_of, until};
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;
use workspace_support::{edit, log, serve, workspace};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tlsa-rotate");

#[test]
fn a_new_version_is_taken_up_and_its_changes_outlive_the_server() {
    let world = workspace("");
    let port = ports(1)[0];
    let mut ours = serve(&world, port);
    until("the first version", || serial(at(port)) == Some(1));
    for next in 2..=3 {
        edit(&world, next);
        until("the next version, without being told", || {
            serial(at(port)) == Some(next)
        });
    }
    let changes = || dig(at(port), &[APEX, "IXFR=1"]);
    let before = changes();
    assert!(
        before.contains("127.0.0.2") && before.contains("127.0.0.3"),
        "the changes one by one: {before}"
    );
    assert!(!before.contains("IN\tMX\t"), "the changes alone: {before}");
    until("both changes are kept", || {
        fs::read_dir(world.path(".tlsa-rotate/served/example.com."))
            .is_ok_and(|files| files.count() == 2)
    });

    // Killed, as by a loss of power; and one of its files is torn.
    ours.child.kill().unwrap();
    ours.child.wait().unwrap();
    fs::write(
        world.path(".tlsa-rotate/served/example.com./3-4.delta"),
        "; tlsa-rotate delta 1\n-exam",
    )
    .unwrap();
    let _again = serve(&world, port);
    until("it is back", || serial(at(port)) == Some(3));
    let records = |said: &str| {
        let mut lines: Vec<String> = said
            .lines()
            .filter(|l| !l.starts_with(';'))
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(
        records(&changes()),
        records(&before),
        "and knows what changed"
    );
    let unknown = dig(at(port), &[APEX, "IXFR=0"]);
    assert!(
        unknown.contains("IN\tMX\t"),
        "from a version that never was, all of it: {unknown}"
    );
    let over_udp = dig(at(port), &["+notcp", APEX, "IXFR=2"]);
    assert!(
        over_udp.contains("127.0.0.3") && over_udp.contains("(UDP)"),
        "few changes fit a datagram: {over_udp}"
    );
}

#[test]
fn a_version_that_must_not_be_served_leaves_the_one_before_in_its_place() {
    let world = workspace("horizon = \"10d\"");
    let port = ports(1)[0];
    let _ours = serve(&world, port);
    until("the first version", || serial(at(port)) == Some(1));
    let signed = world.path("example.com.zone.signed");
    let good = fs::read_to_string(&signed).unwrap();
    let tampered = good.replace("A 127.0.0.1", "A 127.0.0.9");
    assert_ne!(good, tampered);
    let keys = world.path("keys");
    let zone = world.path("example.com.zone");
    let short = world.path("short");
    let sign = |validity: &str, to: &std::path::Path| {
        stdout_of(
            PROGRAM,
            &[
                "zone",
                "sign",
                zone.to_str().unwrap(),
                "--origin",
                APEX,
                "--keys",
                keys.to_str().unwrap(),
                "--output",
                to.to_str().unwrap(),
                "--expiration",
                validity,
            ],
        );
    };
    let soon = chrono::Utc::now() + chrono::TimeDelta::days(9);
    sign(&soon.format("%Y-%m-%dT%H:%M:%SZ").to_string(), &short);
    let short = fs::read_to_string(short).unwrap();
    let cases = [
        ("tampered with", tampered),
        ("ends too soon", short),
        ("half written", good[..good.len() / 2].to_owned()),
    ];
    for (n, (situation, text)) in cases.into_iter().enumerate() {
        fs::write(world.path("new"), text).unwrap();
        fs::rename(world.path("new"), &signed).unwrap();
        until(situation, || {
            log(&world)
                .matches("keeping serial 1 of example.com.")
                .count()
                == n + 1
        });
        assert!(log(&world).contains("error: "), "{situation}");
        assert_eq!(serial(at(port)), Some(1), "{situation}");
        let said = dig(at(port), &["+short", "mx1.example.com", "A"]);
        assert_eq!(said.trim(), "127.0.0.1", "{situation}");
    }
    fs::write(&signed, good).unwrap();
    until("the good one again", || {
        log(&world).contains("serial 1 (as before")
    });
}

#[test]
fn a_hang_up_brings_the_configuration_that_is_there_and_keeps_the_old_one_where_it_is_wrong() {
    let world = workspace("");
    let port = ports(1)[0];
    let ours = serve(&world, port);
    until("the first version", || serial(at(port)) == Some(1));
    let transfers = || dig(at(port), &["+tcp", APEX, "AXFR"]).contains("IN\tMX\t");
    assert!(transfers(), "this machine may, where nothing is said");
    let before = fs::read_to_string(world.path("tlsa-rotate.toml")).unwrap();
    let hang_up = |config: &str| {
        fs::write(world.path("tlsa-rotate.toml"), config).unwrap();
        stdout_of("kill", &["-HUP", &ours.child.id().to_string()]);
    };
    let other = before.replace("serve = {", "serve = { transfer = [\"192.0.2.7\"],");
    assert_ne!(other, before);
    hang_up(&other);
    until("as it is configured", || {
        log(&world).contains("serving as it is configured now")
    });
    assert!(!transfers(), "{}", log(&world));
    assert_eq!(serial(at(port)), Some(1), "it answers");
    hang_up("[[zone]\n");
    until("as it was", || {
        log(&world).contains("serving as it was configured before")
    });
    assert!(log(&world).contains("error: "), "{}", log(&world));
    assert_eq!(serial(at(port)), Some(1));
    assert!(!transfers());
    hang_up(&before);
    until("as at first", transfers);
}

/// The files that a command put in their places, in order, by the names at their ends.
fn put_in_place(world: &World, arguments: &[&str]) -> Vec<String> {
    let trace = world.path("trace");
    let done = Command::new("strace")
        .args(["-f", "-e", "trace=/^rename", "-o"])
        .arg(&trace)
        .arg(PROGRAM)
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let told = fs::read_to_string(trace).unwrap();
    // The name that a file gets is the last text of its line.
    let got = told.lines().filter_map(|line| line.rsplit('"').nth(1));
    got.map(|path| path.rsplit('/').next().unwrap().to_owned())
        .collect()
}

/// A server that waits for the file looks at once when it is there; with no seal yet it would verify all of it.
#[test]
fn a_seal_is_there_before_the_file_that_it_speaks_for() {
    let world = workspace("");
    let path = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let (zone, keys, out) = (path("example.com.zone"), path("keys"), path("other.signed"));
    let whole = [
        "zone", "sign", &zone, "--origin", APEX, "--keys", &keys, "--output", &out,
    ];
    let next = [&whole[..], &["--previous", &out]].concat();
    for arguments in [&whole[..], &next] {
        let put = put_in_place(&world, arguments);
        assert_eq!(put, ["other.signed.seal", "other.signed"], "{arguments:?}");
        edit(&world, 2);
    }
}

#[test]
fn a_seal_speaks_for_the_file_that_it_was_made_for_and_for_as_long_as_its_signatures_last() {
    let world = workspace("");
    let (zone, signed) = (world.path("example.com.zone"), world.path("other.signed"));
    let soon = chrono::Utc::now() + chrono::TimeDelta::days(9);
    let end = soon.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let keys = world.path("keys");
    let sign = ["zone", "sign", "--origin", APEX, "--expiration", &end];
    let done = Command::new(PROGRAM)
        .args(sign)
        .arg(&zone)
        .arg("--keys")
        .arg(&keys)
        .arg("--output")
        .arg(&signed)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(world.path("other.signed.seal").exists());
    // What is refused ends by itself; what is served would go on for ever.
    let refused = |horizon: &str| {
        let said = Command::new("timeout")
            .args(["20", PROGRAM, "serve", "--listen", "127.0.0.1:0"])
            .args(["--horizon", horizon, "--zone"])
            .arg(format!("{APEX}={}", signed.display()))
            .output()
            .unwrap();
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        String::from_utf8(said.stderr).unwrap()
    };
    assert!(
        refused("10d").contains("expires soon"),
        "{}",
        refused("10d")
    );
    let good = fs::read_to_string(&signed).unwrap();
    for tampered in [
        good.replace("A 127.0.0.1", "A 127.0.0.9"),
        good.clone() + "new.example.com. 60 IN A 127.0.0.9\n",
    ] {
        assert_ne!(tampered, good);
        fs::write(&signed, tampered).unwrap();
        assert!(
            refused("1d").contains("validators would reject"),
            "{}",
            refused("1d")
        );
    }
}

#[test]
fn sockets_are_taken_over_from_a_supervisor_who_is_told_when_all_is_ready() {
    let world = workspace("");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    let Ok(tcp) = TcpListener::bind(address) else {
        return;
    };
    let supervisor = UnixDatagram::bind(world.path("notify")).unwrap();
    supervisor
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    for socket in [udp.as_raw_fd(), tcp.as_raw_fd()] {
        assert!(socket > 4, "descriptors 3 and 4 are for the program");
    }
    fcntl_setfd(&udp, FdFlags::empty()).unwrap();
    fcntl_setfd(&tcp, FdFlags::empty()).unwrap();
    let script = format!(
        "export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$0\" serve --config \"$1\" 3<&{} 4<&{}",
        udp.as_raw_fd(),
        tcp.as_raw_fd()
    );
    let child = Command::new("bash")
        .args(["-c", &script, PROGRAM])
        .arg(world.path("tlsa-rotate.toml"))
        .env("NOTIFY_SOCKET", world.path("notify"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(world.path("serve.log")).unwrap())
        .spawn();
    let mut ours = Peer {
        child: child.unwrap(),
    };
    drop((udp, tcp));
    let mut told = [0; 64];
    let length = supervisor
        .recv(&mut told)
        .unwrap_or_else(|e| panic!("{e}: {}", log(&world)));
    assert_eq!(&told[..length], b"READY=1");
    assert_eq!(serial(address), Some(1));
    let over_tcp = dig(address, &["+tcp", APEX, "SOA"]);
    assert!(over_tcp.contains("status: NOERROR"), "{over_tcp}");
    stdout_of("kill", &["-TERM", &ours.child.id().to_string()]);
    assert!(ours.child.wait().unwrap().success(), "{}", log(&world));
    let length = supervisor.recv(&mut told).unwrap();
    assert_eq!(&told[..length], b"STOPPING=1");
}
