//! A zone, its keys and its signatures by BIND's own tools; our server and its peers as processes that end with the test.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test file uses its part

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub const APEX: &str = "example.com.";

/// A zone with one of everything that answers differ by.
pub const ZONE: &str = r#"$TTL 3600
@               SOA   ns1 hostmaster 2026112301 7200 900 1209600 300
                NS    ns1
                NS    ns2
                MX    10 mx1
ns1             A     127.0.0.1
ns2             A     127.0.0.1
mx1             A     192.0.2.25
                AAAA  2001:db8::25
_25._tcp.mx1    TLSA  3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
                TLSA  3 1 1 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
_25._tcp.mx2    CNAME _25._tcp.mx1
mx3             A     192.0.2.27
www             CNAME mx1
dangling        CNAME nowhere
outside         CNAME www.example.net.
loop            CNAME loop2
loop2           CNAME loop
*.wild          TXT   "wild"
_25._tcp.*.wild TXT   "an ordinary name that holds an asterisk"
*.tlsa          TLSA  3 1 1 cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
a.b.ent         A     192.0.2.9
secure          NS    ns.secure
                DS    12345 13 2 dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
ns.secure       A     192.0.2.53
insecure        NS    ns.insecure
                NS    ns1
ns.insecure     A     192.0.2.54
                AAAA  2001:db8::54
old             DNAME ent
big             TXT   ( "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" )
unknown         TYPE65280 \# 4 c00cc00c
"#;

pub fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("`{program}` is needed for this test: {e}"))
}

pub fn stdout_of(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{program} {arguments:?} failed:\n{out}\n{err}"
    );
    out.into_owned()
}

/// Keys of example.com in a directory that goes with the value.
pub struct Keys {
    pub directory: tempfile::TempDir,
    pub ksk: String,
    pub zsk: String,
}

impl Keys {
    pub fn generate() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let generate = |more: &[&str]| {
            let path = directory.path().to_str().unwrap();
            let mut arguments = vec!["-q", "-K", path, "-a", "ECDSAP256SHA256"];
            arguments.extend(more);
            arguments.push(APEX);
            stdout_of("dnssec-keygen", &arguments).trim().to_owned()
        };
        let (ksk, zsk) = (generate(&["-f", "KSK"]), generate(&[]));
        Self {
            directory,
            ksk,
            zsk,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The DNSKEY record of the key-signing key, as a line.
    pub fn anchor(&self) -> String {
        let text = fs::read_to_string(self.path(&format!("{}.key", self.ksk))).unwrap();
        let line = text.lines().find(|l| !l.starts_with(';')).unwrap();
        line.to_owned()
    }

    /// A file of anchors for `delv -a`.
    pub fn delv_anchors(&self) -> PathBuf {
        let anchor = self.anchor();
        let fields: Vec<&str> = anchor.split_whitespace().collect();
        let at = fields.iter().position(|f| *f == "DNSKEY").unwrap();
        let (numbers, key) = (fields[at + 1..at + 4].join(" "), fields[at + 4..].concat());
        let path = self.path("delv.anchors");
        let text = format!("trust-anchors {{ {APEX} static-key {numbers} \"{key}\"; }};\n");
        fs::write(&path, text).unwrap();
        path
    }

    /// Signs `zone` with BIND's signer; `more` are its options.
    pub fn sign(&self, zone: &str, more: &[&str]) -> PathBuf {
        let unsigned = self.path("zone");
        fs::write(&unsigned, zone).unwrap();
        let signed = self.path(&format!(
            "signed-{}",
            fs::read_dir(&self.directory).unwrap().count()
        ));
        let keys = self.directory.path().to_str().unwrap();
        let mut arguments = vec![
            "-q", "-S", "-P", "-K", keys, "-d", keys, "-o", APEX, "-O", "full",
        ];
        arguments.extend(more);
        arguments.extend(["-f", signed.to_str().unwrap(), unsigned.to_str().unwrap()]);
        stdout_of("dnssec-signzone", &arguments);
        signed
    }

    /// Signs `zone` with our signer; `more` are its options.
    pub fn sign_ourselves(&self, zone: &str, more: &[&str]) -> PathBuf {
        let (unsigned, signed) = (self.path("zone"), self.path("signed-by-us"));
        fs::write(&unsigned, zone).unwrap();
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let (keys, from, to) = (path(self.directory.path()), path(&unsigned), path(&signed));
        let plain = [
            "zone", "sign", &from, "--origin", APEX, "--keys", &keys, "--output", &to,
        ];
        stdout_of(env!("CARGO_BIN_EXE_tlsa-rotate"), &[&plain, more].concat());
        signed
    }
}

impl Keys {
    /// The next version: as much as holds of `previous`, the rest signed by our signer.
    pub fn sign_again(&self, zone: &str, previous: &Path) -> PathBuf {
        let previous = previous.to_str().unwrap();
        let made = self.sign_ourselves(zone, &["--previous", previous]);
        let signed = self.path("signed-again");
        fs::rename(made, &signed).unwrap();
        signed
    }
}

/// A process that is killed with the value, and what it says on stderr.
pub struct Peer {
    pub child: Child,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    pub fn start(program: &str, arguments: &[&str], log: &Path) -> Self {
        let log = fs::File::create(log).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("`{program}` is needed for this test: {e}"));
        Self { child }
    }
}

/// `tlsa-rotate serve` on a free port.
pub struct Ours {
    pub peer: Peer,
    pub address: SocketAddr,
    pub log: PathBuf,
}

pub fn serve(signed: &Path, more: &[&str]) -> Ours {
    let log = signed.with_extension("log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
        .args(["serve", "--listen", "127.0.0.1:0", "--zone"])
        .arg(format!("{APEX}={}", signed.display()))
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let peer = Peer { child };
    let address = line
        .trim()
        .strip_prefix("listening on ")
        .and_then(|a| a.parse().ok());
    let address = address.unwrap_or_else(|| {
        panic!(
            "no address in {line:?}: {}",
            fs::read_to_string(&log).unwrap()
        )
    });
    Ours { peer, address, log }
}

/// Waits for `condition`, at most half a minute: machines that run tests are busy.
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    within(Duration::from_secs(30), what, condition);
}

/// Waits for `condition`, at most for `limit`.
pub fn within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A port that is free for UDP and TCP on 127.0.0.1, below those that the kernel hands out to others.
pub fn free_port() -> u16 {
    let mut port = 15_000 + (std::process::id() % 1_500) as u16 * 10;
    loop {
        port += 1;
        let tcp = TcpListener::bind(("127.0.0.1", port));
        if tcp.is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub fn dig(server: SocketAddr, more: &[&str]) -> String {
    let at = format!("@{}", server.ip());
    let port = server.port().to_string();
    let mut arguments = vec![at.as_str(), "-p", &port, "+norec", "+time=5", "+tries=2"];
    arguments.extend(more);
    stdout_of("dig", &arguments)
}

/// What delv says of one name and type, with the anchor of the zone as its root.
pub fn delv(server: SocketAddr, keys: &Keys, name: &str, rtype: &str) -> String {
    let (at, port) = (format!("@{}", server.ip()), server.port().to_string());
    let anchors = keys.delv_anchors();
    let arguments = [
        at.as_str(),
        "-p",
        &port,
        "-a",
        anchors.to_str().unwrap(),
        "+root=example.com",
        name,
        rtype,
    ];
    let output = run("delv", &arguments);
    let both = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// NSD with one zone: `zone_options` are lines of its `zone:` clause.
pub fn nsd(directory: &Path, zone_options: &str) -> (Peer, SocketAddr) {
    let port = free_port();
    let d = directory.display();
    let config = directory.join("nsd.conf");
    let text = format!(
        "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n chroot: \"\"\n zonesdir: {d}\n pidfile: {d}/nsd.pid\n \
         database: \"\"\n xfrdfile: {d}/xfrd.state\n xfrdir: {d}\n zonelistfile: {d}/zone.list\n server-count: 1\n verbosity: 2\n\
         remote-control:\n control-enable: no\n\
         zone:\n name: example.com\n {zone_options}\n"
    );
    fs::write(&config, text).unwrap();
    let peer = Peer::start(
        "nsd",
        &["-d", "-c", config.to_str().unwrap()],
        &directory.join("nsd.log"),
    );
    (peer, SocketAddr::from(([127, 0, 0, 1], port)))
}

/// BIND with one zone.
pub fn named(directory: &Path, signed: &Path) -> (Peer, SocketAddr) {
    let port = free_port();
    let (d, z) = (directory.display(), signed.display());
    let config = directory.join("named.conf");
    let text = format!(
        "options {{ directory \"{d}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
         pid-file \"{d}/named.pid\"; session-keyfile \"{d}/session.key\"; recursion no; notify no; minimal-responses yes; \
         allow-transfer {{ any; }}; }};\ncontrols {{ }};\n\
         zone \"example.com\" {{ type primary; file \"{z}\"; check-names ignore; }};\n"
    );
    fs::write(&config, text).unwrap();
    let peer = Peer::start(
        "named",
        &["-g", "-c", config.to_str().unwrap()],
        &directory.join("named.log"),
    );
    (peer, SocketAddr::from(([127, 0, 0, 1], port)))
}
