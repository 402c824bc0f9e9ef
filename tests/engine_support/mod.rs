//! BIND, Knot, NSD and PowerDNS as secondaries: each with a key, on a port of its own, gone with the test.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test file uses its part

use super::serve_support::{APEX, Peer, run, stdout_of};
use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

pub const SECRET: &str = "dGhpcnR5LXR3byBvY3RldHMgb2YgYSBzZWNyZXQhIQ==";
pub const OTHER_SECRET: &str = "YW5vdGhlciB0aGlydHktdHdvIG9jdGV0cyBzZWNyZXQ=";

/// A key file as `tsig-keygen` prints it, with the mode it must have.
pub fn key_file(path: &Path, name: &str, algorithm: &str, secret: &str) -> PathBuf {
    let text =
        format!("key \"{name}\" {{\n\talgorithm {algorithm};\n\tsecret \"{secret}\";\n}};\n");
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_owned()
}

/// Ports that are free for UDP and TCP on 127.0.0.1 and different from each other.
pub fn ports(count: usize) -> Vec<u16> {
    let mut port = 15_000 + (std::process::id() % 1_500) as u16 * 10;
    let mut found = Vec::new();
    while found.len() < count {
        port += 1;
        let tcp = TcpListener::bind(("127.0.0.1", port));
        if tcp.is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            found.push(port);
        }
    }
    found
}

pub fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Bind,
    Knot,
    Nsd,
    PowerDns,
}

pub const ENGINES: [Engine; 4] = [Engine::Bind, Engine::Knot, Engine::Nsd, Engine::PowerDns];

/// A running engine.
pub struct Secondary {
    pub engine: Engine,
    pub peer: Peer,
    pub address: SocketAddr,
    pub directory: tempfile::TempDir,
}

impl Secondary {
    /// An engine that transfers example.com from `primary` with the key `xfr`, and gives it to everybody.
    pub fn start(engine: Engine, port: u16, primary: SocketAddr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let start = match engine {
            Engine::Bind => bind,
            Engine::Knot => knot,
            Engine::Nsd => nsd,
            Engine::PowerDns => powerdns,
        };
        let peer = start(directory.path(), port, primary);
        Self {
            engine,
            peer,
            address: at(port),
            directory,
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub fn serial(&self) -> Option<u32> {
        serial(self.address)
    }
}

/// The serial that a server answers with, if it does.
pub fn serial(server: SocketAddr) -> Option<u32> {
    let port = server.port().to_string();
    let at = format!("@{}", server.ip());
    let asked = [
        "-p", &port, "+time=1", "+tries=1", "+short", "+norec", APEX, "SOA",
    ];
    let output = run("dig", &[&[at.as_str()], asked.as_slice()].concat());
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    answer.split_whitespace().nth(2)?.parse().ok()
}

fn bind(directory: &Path, port: u16, primary: SocketAddr) -> Peer {
    let d = directory.display();
    let config = directory.join("named.conf");
    let text = format!(
        "options {{ directory \"{d}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
         pid-file \"{d}/named.pid\"; session-keyfile \"{d}/session.key\"; recursion no; notify no; \
         allow-transfer {{ any; }}; minimal-responses yes; }};\ncontrols {{ }};\n\
         key \"xfr\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
         zone \"example.com\" {{ type secondary; file \"{d}/copy\"; primaries {{ {} port {} key \"xfr\"; }}; }};\n",
        primary.ip(),
        primary.port()
    );
    fs::write(&config, text).unwrap();
    let arguments = ["-g", "-c", config.to_str().unwrap()];
    Peer::start("named", &arguments, &directory.join("log"))
}

fn knot(directory: &Path, port: u16, primary: SocketAddr) -> Peer {
    let d = directory.display();
    let config = directory.join("knot.conf");
    let text = format!(
        "server:\n  listen: 127.0.0.1@{port}\n  rundir: {d}\nlog:\n- target: stderr\n  any: info\n\
         database:\n  storage: {d}\n\
         key:\n- id: xfr\n  algorithm: hmac-sha256\n  secret: {SECRET}\n\
         remote:\n- id: primary\n  address: {}@{}\n  key: xfr\n\
         acl:\n- id: notify\n  address: 127.0.0.1\n  key: xfr\n  action: notify\n\
         - id: give\n  address: 127.0.0.1\n  action: [transfer, notify]\n\
         zone:\n- domain: example.com\n  storage: {d}\n  file: copy\n  master: primary\n  acl: [notify, give]\n",
        primary.ip(),
        primary.port()
    );
    fs::write(&config, text).unwrap();
    let arguments = ["-c", config.to_str().unwrap()];
    Peer::start("knotd", &arguments, &directory.join("log"))
}

fn nsd(directory: &Path, port: u16, primary: SocketAddr) -> Peer {
    let d = directory.display();
    let config = directory.join("nsd.conf");
    let (ip, at) = (primary.ip(), primary.port());
    let text = format!(
        "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n chroot: \"\"\n zonesdir: {d}\n pidfile: {d}/nsd.pid\n \
         database: \"\"\n xfrdfile: {d}/xfrd.state\n xfrdir: {d}\n zonelistfile: {d}/zone.list\n server-count: 1\n verbosity: 2\n\
         remote-control:\n control-enable: no\n\
         key:\n name: xfr\n algorithm: hmac-sha256\n secret: \"{SECRET}\"\n\
         zone:\n name: example.com\n zonefile: copy\n request-xfr: {ip}@{at} xfr\n allow-notify: 127.0.0.1 xfr\n allow-notify: 127.0.0.1 NOKEY\n \
         provide-xfr: 127.0.0.1 NOKEY\n"
    );
    fs::write(&config, text).unwrap();
    let arguments = ["-d", "-c", config.to_str().unwrap()];
    Peer::start("nsd", &arguments, &directory.join("log"))
}

const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// A configuration and an empty database of PowerDNS; `more` are lines of the configuration.
pub fn powerdns_prepared(directory: &Path, port: u16, more: &str) {
    let d = directory.display();
    let database = directory.join("pdns.db");
    stdout_of(
        "sqlite3",
        &[database.to_str().unwrap(), &format!(".read {SCHEMA}")],
    );
    let text = format!(
        "launch=gsqlite3\ngsqlite3-database={d}/pdns.db\ngsqlite3-dnssec=yes\ngsqlite3-pragma-synchronous=0\n\
         local-address=127.0.0.1\nlocal-port={port}\nsocket-dir={d}\nguardian=no\ndaemon=no\ndisable-syslog=yes\n\
         write-pid=no\nquery-cache-ttl=0\ncache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\nsecurity-poll-suffix=\n{more}\n"
    );
    fs::write(directory.join("pdns.conf"), text).unwrap();
}

pub fn pdnsutil(directory: &Path, arguments: &[&str]) -> String {
    let config = format!("--config-dir={}", directory.display());
    stdout_of("pdnsutil", &[&[config.as_str()], arguments].concat())
}

/// The database of the bind backend.
pub fn pdnsutil_database(directory: &Path) {
    let database = directory.join("bind.db");
    stdout_of(
        "pdnsutil",
        &[
            "--config-dir",
            directory.to_str().unwrap(),
            "create-bind-db",
            database.to_str().unwrap(),
        ],
    );
}

pub fn powerdns_started(directory: &Path) -> Peer {
    let config = format!("--config-dir={}", directory.display());
    Peer::start("pdns_server", &[&config], &directory.join("log"))
}

fn powerdns(directory: &Path, port: u16, primary: SocketAddr) -> Peer {
    let more = "secondary=yes\nxfr-cycle-interval=1\nallow-axfr-ips=127.0.0.0/8\nallow-notify-from=127.0.0.0/8";
    powerdns_prepared(directory, port, more);
    pdnsutil(
        directory,
        &["create-secondary-zone", "example.com", &primary.to_string()],
    );
    pdnsutil(
        directory,
        &["import-tsig-key", "xfr", "hmac-sha256", SECRET],
    );
    pdnsutil(
        directory,
        &["activate-tsig-key", "example.com", "xfr", "secondary"],
    );
    pdnsutil(directory, &["set-meta", "example.com", "IXFR", "1"]);
    powerdns_started(directory)
}

/// What a primary engine needs to know.
pub struct PrimaryPlan<'a> {
    pub directory: &'a Path,
    pub port: u16,
    /// The unsigned zone; a copy of it becomes the engine's own.
    pub zone: &'a str,
    /// The secondary that is told of changes, if any; others find out when somebody tells them.
    pub notify: Option<u16>,
}

fn notified(plan: &PrimaryPlan<'_>, format: impl Fn(u16) -> String) -> String {
    plan.notify.map(format).unwrap_or_default()
}

/// Knot with a dynamic zone that it signs itself; the key `update` changes it, `xfr` transfers it.
pub fn knot_primary(plan: &PrimaryPlan<'_>) -> Peer {
    fs::write(plan.directory.join("zone"), plan.zone).unwrap();
    knot_with(plan, "difference")
}

/// The same of the file `zone` that is there already, which says how it is loaded: `zonefile-load` of knot.conf(5).
pub fn knot_with(plan: &PrimaryPlan<'_>, load: &str) -> Peer {
    let (directory, port) = (plan.directory, plan.port);
    let d = directory.display();
    let remote = notified(plan, |port| {
        format!("remote:\n- id: prompt\n  address: 127.0.0.1@{port}\n  key: xfr\n")
    });
    let notify = notified(plan, |_| "  notify: prompt\n".to_owned());
    let config = directory.join("knot.conf");
    let text = format!(
        "server:\n  listen: 127.0.0.1@{port}\n  rundir: {d}\nlog:\n- target: stderr\n  any: info\n\
         database:\n  storage: {d}\n\
         key:\n- id: xfr\n  algorithm: hmac-sha256\n  secret: {SECRET}\n\
         - id: update\n  algorithm: hmac-sha256\n  secret: {SECRET}\n\
         {remote}\
         acl:\n- id: give\n  key: xfr\n  action: transfer\n- id: change\n  key: update\n  action: [update, transfer]\n\
         policy:\n- id: fast\n  algorithm: ecdsap256sha256\n  single-type-signing: on\n\
         zone:\n- domain: example.com\n  storage: {d}\n  file: zone\n  zonefile-sync: -1\n  zonefile-load: {load}\n  \
         journal-content: all\n  dnssec-signing: on\n  dnssec-policy: fast\n  acl: [give, change]\n{notify}"
    );
    fs::write(&config, text).unwrap();
    Peer::start(
        "knotd",
        &["-c", config.to_str().unwrap()],
        &directory.join("log"),
    )
}

/// BIND with a zone that it signs by a policy of its own: changed by the key `update`, or by its file and `rndc reload`.
pub fn bind_primary(plan: &PrimaryPlan<'_>, control: Option<u16>) -> Peer {
    let (directory, port) = (plan.directory, plan.port);
    let d = directory.display();
    fs::create_dir_all(directory.join("keys")).unwrap();
    let notify = notified(plan, |port| {
        format!("notify explicit; also-notify {{ 127.0.0.1 port {port} key \"xfr\"; }};")
    });
    #[allow(clippy::single_match_else)] // two ways, side by side
    let (controls, change) = match control {
        Some(control) => {
            key_file(&directory.join("rndc.key"), "rndc", "hmac-sha256", SECRET);
            let conf = format!(
                "include \"{d}/rndc.key\";\noptions {{ default-server 127.0.0.1; default-port {control}; default-key \"rndc\"; }};\n"
            );
            fs::write(directory.join("rndc.conf"), conf).unwrap();
            let controls = format!(
                "include \"{d}/rndc.key\";\ncontrols {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ \"rndc\"; }}; }};\n"
            );
            (controls, "inline-signing yes;".to_owned())
        }
        None => {
            fs::write(directory.join("zone"), plan.zone).unwrap();
            (
                "controls { };\n".to_owned(),
                "inline-signing no; update-policy { grant update zonesub TLSA; };".to_owned(),
            )
        }
    };
    let config = directory.join("named.conf");
    let text = format!(
        "options {{ directory \"{d}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
         pid-file \"{d}/named.pid\"; session-keyfile \"{d}/session.key\"; recursion no; notify no; minimal-responses yes; \
         key-directory \"{d}/keys\"; allow-transfer {{ key \"xfr\"; }}; }};\n{controls}\
         key \"xfr\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
         key \"update\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
         zone \"example.com\" {{ type primary; file \"{d}/zone\"; dnssec-policy default; {change} {notify} }};\n"
    );
    fs::write(&config, text).unwrap();
    Peer::start(
        "named",
        &["-g", "-c", config.to_str().unwrap()],
        &directory.join("log"),
    )
}

/// `PowerDNS` that signs answers as it gives them; the key `update` changes the zone, `xfr` transfers it.
pub fn powerdns_primary(plan: &PrimaryPlan<'_>) -> Peer {
    powerdns_primary_with(plan, "")
}

/// The same with `more` lines of configuration.
pub fn powerdns_primary_with(plan: &PrimaryPlan<'_>, more: &str) -> Peer {
    let directory = plan.directory;
    let file = directory.join("zone");
    fs::write(&file, plan.zone).unwrap();
    let notify = notified(plan, |port| {
        format!("also-notify=127.0.0.1:{port}\nonly-notify=\n")
    });
    powerdns_prepared(
        directory,
        plan.port,
        &format!(
            "primary=yes\ndnsupdate=yes\nallow-axfr-ips=127.0.0.0/8\ndefault-soa-edit=\n{notify}{more}"
        ),
    );
    pdnsutil(
        directory,
        &["load-zone", "example.com", file.to_str().unwrap()],
    );
    pdnsutil(directory, &["set-kind", "example.com", "primary"]);
    pdnsutil(directory, &["secure-zone", "example.com"]);
    for key in ["xfr", "update"] {
        pdnsutil(directory, &["import-tsig-key", key, "hmac-sha256", SECRET]);
    }
    pdnsutil(
        directory,
        &["activate-tsig-key", "example.com", "xfr", "primary"],
    );
    pdnsutil(
        directory,
        &["set-meta", "example.com", "TSIG-ALLOW-DNSUPDATE", "update"],
    );
    pdnsutil(
        directory,
        &[
            "set-meta",
            "example.com",
            "ALLOW-DNSUPDATE-FROM",
            "127.0.0.0/8",
        ],
    );
    pdnsutil(
        directory,
        &["set-meta", "example.com", "SOA-EDIT-DNSUPDATE", "INCREASE"],
    );
    pdnsutil(
        directory,
        &["set-meta", "example.com", "SOA-EDIT-API", "INCREASE"],
    );
    pdnsutil(
        directory,
        &["set-meta", "example.com", "NOTIFY-DNSUPDATE", "1"],
    );
    powerdns_started(directory)
}

/// Tells a secondary that there is a new version, as its primary would.
pub fn tell(secondary: u16) {
    let notify =
        b"\xbe\xef\x24\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x06\x00\x01";
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(notify, at(secondary)).unwrap();
}
