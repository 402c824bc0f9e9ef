//! A workspace whose zone lives on real engines, a mail host, and the real program on the way through a whole rotation.
#![allow(dead_code)] // each test file uses its part
#![allow(clippy::print_stdout)] // how many mails were sent, for who runs it with --no-capture

pub(crate) mod mail;

use super::engine_support::{SECRET, at, key_file, serial};
use super::serve_support::{dig, until};
use mail::Mail;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tlsa_rotate::dane::subject;
use tlsa_rotate::rotation::step::Event;
use tlsa_rotate::rotation::timing::Instant;
use tlsa_rotate::workflow::demo::mail_host::{KeyedChain, MailHost};
use tlsa_rotate::workspace::journal::Journal;
use tlsa_rotate::workspace::tls_key::{self, KeyFiles, KeyKind};
use tokio::runtime::Runtime;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tlsa-rotate");
const HOST: &str = "mx1.example.com";
pub(crate) const TLSA: &str = "_25._tcp.mx1.example.com";

/// Who presents the key.
enum Host {
    /// A mail host of the demo, on a port of its own: nobody sends to it.
    Alone(MailHost, #[allow(dead_code)] Runtime),
    /// A Postfix at port 25.
    Postfix(Mail),
}

pub(crate) struct World {
    directory: TempDir,
    host: Host,
}

fn chain(certificate: &Path, key: &Path) -> KeyedChain {
    KeyedChain::from_pem(&fs::read(certificate).unwrap(), &fs::read(key).unwrap()).unwrap()
}

fn clock() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Instant::from_unix(since.unwrap().as_secs())
}

impl World {
    /// A workspace with its live key on a mail host; there is no configuration yet.
    pub(crate) fn new() -> Self {
        Self::with_host(|_, live| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let first = vec![chain(&live.certificate, &live.key)];
            let host = runtime
                .block_on(MailHost::start(HOST, here, first))
                .unwrap();
            Host::Alone(host, runtime)
        })
    }

    /// The same on a Postfix, to which mail is sent while the rotation goes on; in a network of its own.
    pub(crate) fn delivering() -> Self {
        Self::with_host(|directory, live| {
            let mail = Mail::start(&directory.join("postfix"));
            mail.present(&live.key, &live.certificate);
            Host::Postfix(mail)
        })
    }

    fn with_host(host: impl FnOnce(&Path, &KeyFiles) -> Host) -> Self {
        let directory = tempfile::Builder::new().prefix("path-").tempdir().unwrap();
        let live = directory.path().join("live");
        fs::create_dir(&live).unwrap();
        let files = KeyFiles {
            key: live.join("privkey.pem"),
            certificate: live.join("fullchain.pem"),
            request: live.join("request.pem"),
        };
        let random = ring::rand::SystemRandom::new();
        tls_key::ensure(
            &files,
            KeyKind::EcdsaP256,
            &[HOST.to_owned()],
            clock(),
            &random,
        )
        .unwrap();
        let host = host(directory.path(), &files);
        key_file(
            &directory.path().join("update.tsig"),
            "update",
            "hmac-sha256",
            SECRET,
        );
        key_file(
            &directory.path().join("xfr.tsig"),
            "xfr",
            "hmac-sha256",
            SECRET,
        );
        Self { directory, host }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        fs::canonicalize(self.directory.path())
            .unwrap()
            .join(relative)
    }

    /// The zone with the association of the live key.
    pub(crate) fn zone(&self) -> String {
        let certificate = fs::read(self.path("live/fullchain.pem")).unwrap();
        let association = subject::read_chain(&certificate).unwrap()[0]
            .spki_association()
            .to_string();
        // The resolver is not asked to wait longer for us than this test may take.
        let (ttl, address) = match &self.host {
            Host::Alone(..) => (5, "127.0.0.1"),
            Host::Postfix(_) => (1, mail::MX),
        };
        format!(
            "$ORIGIN example.com.\n$TTL {ttl}\n@ SOA ns1.example.net. host.example.net. 1 7200 3600 1209600 {ttl}\n\
             @ NS ns1.example.net.\n@ MX 10 mx1\nmx1 A {address}\n_25._tcp.mx1 TLSA {association}\n"
        )
    }

    /// `zone` are the lines of the zone's table but its name and servers.
    pub(crate) fn configure(&self, zone: &str, servers: &[u16]) {
        let servers: Vec<String> = servers
            .iter()
            .map(|port| format!("\"{}\"", at(*port)))
            .collect();
        // With real caches nothing but time makes the wait pass: twice the TTL, and what rounding up takes. Each smtp(8) of
        // Postfix keeps an association for two seconds more than the resolver does, in whole seconds like the resolver's.
        let (policy, address) = match &self.host {
            Host::Alone(host, _) => (
                "min_wait = \"20s\"\nsoak = \"20s\"\nsafety_margin = \"0s\"",
                host.address().to_string(),
            ),
            Host::Postfix(_) => (
                "min_wait = \"2s\"\nsoak = \"12s\"\nsafety_margin = \"4s\"",
                format!("{}:25", mail::MX),
            ),
        };
        let text = format!(
            "[policy]\n{policy}\n\n\
             [[zone]]\nname = \"example.com\"\nservers = [{}]\n{zone}\n\
             [[certificate]]\nname = \"mail\"\nhosts = [\"{HOST}\"]\naddresses = {{ \"{HOST}\" = [\"{}\"] }}\n\
             ttl_before = \"5s\"\nlive = {{ certificate = \"live/fullchain.pem\", key = \"live/privkey.pem\" }}\n\
             next = {{ generate = \"ecdsa-p256\" }}\ndeploy = {{ manual = true }}\n",
            servers.join(", "),
            address
        );
        fs::write(self.path("tlsa-rotate.toml"), text).unwrap();
    }

    /// The zone's keys as its server has them, for what trusts nobody.
    pub(crate) fn anchor(&self, server: u16) {
        let file = self.path("anchor");
        until("the primary answers", || serial(at(server)).is_some());
        until("the zone is signed", || {
            let keys = dig(at(server), &["+noall", "+answer", "example.com", "DNSKEY"]);
            let entry: Vec<&str> = keys
                .lines()
                .filter(|line| line.contains("DNSKEY\t257"))
                .collect();
            fs::write(&file, entry.join("\n") + "\n").unwrap();
            !entry.is_empty()
        });
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(PROGRAM)
            .current_dir(self.directory.path())
            .args(arguments)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(said).unwrap(),
        )
    }

    /// One tick, in which delivery must never be at risk.
    pub(crate) fn advance(&self) -> String {
        let (code, said) = self.run(&["advance"]);
        assert_ne!(code, 4, "delivery at risk: {said}");
        said
    }

    pub(crate) fn facts(&self) -> Vec<&'static str> {
        let journal =
            Journal::<Event>::read(&self.path(".tlsa-rotate/journal/mail.jsonl"), "mail").unwrap();
        journal
            .entries()
            .iter()
            .map(|entry| entry.event.name())
            .collect()
    }

    /// Ticks until `fact` is in the journal.
    pub(crate) fn advance_to(&self, fact: &str) {
        let mut said = String::new();
        let reached = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(fact, || {
                said = self.advance();
                self.facts().contains(&fact)
            });
        }));
        assert!(reached.is_ok(), "no {fact}: {:?}\n{said}", self.facts());
    }

    fn deploy(&self) {
        let directory = self.path("keys/tls/mail.1");
        let certificate = directory.join("ecdsa-p256.cert.pem");
        let key = directory.join("ecdsa-p256.key.pem");
        match &self.host {
            Host::Alone(host, _) => host.present(vec![chain(&certificate, &key)]),
            Host::Postfix(mail) => mail.present(&key, &certificate),
        }
    }

    /// The digests of the TLSA RRset as a server answers it.
    fn served(server: u16) -> Vec<String> {
        let said = dig(at(server), &["+short", TLSA, "TLSA"]);
        let mut digests: Vec<String> = said
            .lines()
            .map(|line| line[6..].replace(' ', "").to_lowercase())
            .collect();
        digests.sort();
        digests
    }

    /// A whole rotation, twice held back by the server at `held` until `release` lets it catch up. Mail is delivered all the
    /// while; and once the rotation is over, a host with the old key gets none.
    pub(crate) fn rotate(&self, servers: &[u16], held: u16, release: impl Fn()) {
        for server in servers {
            until("every server serves the zone", || {
                serial(at(*server)).is_some()
            });
        }
        let Host::Postfix(mail) = &self.host else {
            panic!("a mail host to which mail is sent")
        };
        // The hidden primary is the first.
        let public: Vec<SocketAddr> = servers.iter().skip(1).map(|port| at(*port)).collect();
        let _resolver = mail.open(&public, &self.path("anchor"));
        mail.delivers(|| self.rotated(servers, held, release));
        let live = self.path("live");
        mail.present(&live.join("privkey.pem"), &live.join("fullchain.pem"));
        mail.refuses();
    }

    fn rotated(&self, servers: &[u16], held: u16, release: impl Fn()) {
        let before = Self::served(held);
        assert_eq!(before.len(), 1);
        let (code, said) = self.run(&["start", "mail"]);
        assert_eq!(code, 0, "{said}");
        self.wait_for_held(servers, held, "lacks", "PrepublishServed");
        assert_eq!(Self::served(held), before, "held back");
        release();
        self.advance_to("SwapOpened");
        self.deploy();
        self.advance_to("RetireDecided");
        self.wait_for_held(servers, held, "still holds", "RetireServed");
        release();
        self.advance_to("RetireServed");
        let after = Self::served(held);
        assert!(after.len() == 1 && after != before, "{after:?}");
        for server in servers {
            assert_eq!(Self::served(*server), after, "{server}");
        }
        let (code, said) = self.run(&["status"]);
        assert_eq!(code, 0, "{said}");
    }

    /// Ticks until the one server that is behind is all that is waited for; it is named, and the machine has not gone on.
    fn wait_for_held(&self, servers: &[u16], held: u16, differs: &str, fact: &str) {
        let mut said = String::new();
        let reached = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until("only the server that is held back is behind", || {
                self.advance();
                said = self.run(&["status"]).1;
                let behind = |port: u16| {
                    let server = format!("TLSA on {} {differs}", at(port));
                    said.contains(&server)
                };
                behind(held)
                    && servers
                        .iter()
                        .all(|server| *server == held || !behind(*server))
            });
        }));
        assert!(reached.is_ok(), "{said}");
        assert!(!self.facts().contains(&fact), "{said}");
    }
}
