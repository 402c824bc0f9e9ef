//! A world to rotate in: a workspace in git, two authoritative servers and two mail hosts on loopback, and the real program.
//!
//! What people and other programs do (merge, transfer the zone, deploy) happens only when the test says so, and `--now`
//! moves the clock.
#![allow(dead_code)]

pub(crate) mod aliased;
pub(crate) mod external;
pub(crate) mod far;
pub(crate) mod interrupted;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tlsa_rotate::dane::subject;
use tlsa_rotate::publish::serve::served::ServedZone;
use tlsa_rotate::publish::serve::server::{Server, Settings};
use tlsa_rotate::rotation::step::Event;
use tlsa_rotate::rotation::timing::{Instant, Span};
use tlsa_rotate::workflow::demo::mail_host::{KeyedChain, MailHost};
use tlsa_rotate::workspace::journal::Journal;
use tlsa_rotate::workspace::tls_key::{self, KeyFiles, KeyKind};
use tlsa_rotate::zone::content::{Node, Zone};
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::Rtype;
use tokio::runtime::Runtime;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tlsa-rotate");
pub(crate) const HOSTS: [&str; 2] = ["mx1.example.com", "mx2.example.com"];
pub(crate) const ZONE_FILE: &str = "example.com.zone";
pub(crate) const SIGNED: &str = "example.com.zone.signed";
pub(crate) const JOURNAL: &str = ".tlsa-rotate/journal/mail.jsonl";
pub(crate) const BRANCH: &str = "tlsa-rotate/mail.1";
/// 2026-12-01T08:00:00Z.
pub(crate) const BEGIN: Instant = Instant::from_unix(1_796_112_000);
/// The facts of an undisturbed rotation.
pub(crate) const WHOLE: [&str; 10] = [
    "Started",
    "KeyAdmitted",
    "AssociationsComputed",
    "PrepublishDecided",
    "PrepublishServed",
    "SwapOpened",
    "HostsPresentedIncoming",
    "SoakPassed",
    "RetireDecided",
    "RetireServed",
];

const ZONE_TEXT: &str = include_str!("../../zones/example.com.zone");
const CONFIG_TEXT: &str = include_str!("../../zones/tlsa-rotate.toml");
const REVIEWED: &str = "publish = { git = { branch = \"tlsa-rotate/{rotation}\" } }";

/// How a change of the zone gets into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publish {
    /// On a branch that is reviewed and merged.
    Branch,
    /// On the branch that is checked out.
    Current,
    /// Into the file, without git.
    File,
}

/// The servers and hosts; several worlds can look at the same.
pub(crate) struct Net {
    servers: Vec<Server>,
    hosts: Mutex<Vec<Place>>,
    // Dropped last: the servers and hosts run on it.
    runtime: Runtime,
}

/// Where a mail host is, while it answers and while it does not.
struct Place {
    name: String,
    address: SocketAddr,
    host: Option<MailHost>,
}

impl Net {
    fn present(&self, host: usize, chains: Vec<KeyedChain>) {
        let hosts = self.hosts.lock().unwrap();
        hosts[host].host.as_ref().unwrap().present(chains);
    }
}

pub(crate) struct World {
    pub(crate) net: Arc<Net>,
    pub(crate) publish: Publish,
    directory: TempDir,
}

/// What a run of the program said.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    /// The run, if it ended with `code`.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts that the first error names `what`, and that it says what to do: in a `hint:` line of its own, or by a
    /// command that it quotes.
    #[track_caller]
    pub(crate) fn complains_of(&self, what: &str) {
        let lines = self
            .stderr
            .lines()
            .skip_while(|l| !l.starts_with("error: "));
        let (hints, error): (Vec<&str>, Vec<&str>) = lines.partition(|l| l.starts_with("hint: "));
        let error = error.join("\n");
        assert!(error.contains(what), "no error about {what}: {self:#?}");
        assert!(
            !hints.is_empty() || error.contains("run `"),
            "no way out: {self:#?}"
        );
    }
}

/// Something that is done to a world.
type Deed<'d> = &'d dyn Fn(&World);

impl World {
    pub(crate) fn new(publish: Publish) -> Self {
        Self::with(publish, |config| config)
    }

    /// A workspace with its live key, whose zone is signed and served; no rotation is under way.
    pub(crate) fn with(publish: Publish, change: impl Fn(String) -> String) -> Self {
        Self::shaped(publish, change, |root| vec![live_key(root)], |text, _| text)
    }

    /// The same with other chains in use, made by `live` (the first is that of the zone's records), and another zone text.
    pub(crate) fn shaped(
        publish: Publish,
        change: impl Fn(String) -> String,
        live: impl Fn(&Path) -> Vec<KeyFiles>,
        zone: impl Fn(String, &[KeyFiles]) -> String,
    ) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("rotation-")
            .tempdir()
            .unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        let live = live(&root);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (servers, hosts) = runtime.block_on(async {
            let mut servers = Vec::new();
            let mut hosts = Vec::new();
            for name in HOSTS {
                servers.push(Server::start(loopback, Settings::default()).await.unwrap());
                let chains = live
                    .iter()
                    .map(|files| keyed_chain(&files.certificate, &files.key));
                let host = MailHost::start(name, loopback, chains.collect());
                let host = host.await.unwrap();
                hosts.push(Place {
                    name: name.to_owned(),
                    address: host.address(),
                    host: Some(host),
                });
            }
            (servers, hosts)
        });
        let net = Arc::new(Net {
            servers,
            hosts: Mutex::new(hosts),
            runtime,
        });
        let world = Self {
            net,
            publish,
            directory,
        };
        world.write("tlsa-rotate.toml", &change(world.config()));
        world.write(ZONE_FILE, &zone(zone_text(&live[0]), &live));
        world.write(
            ".gitignore",
            "*.private\nkeys/tls/\nlive/\nother/\n.tlsa-rotate/\n*.signed\n",
        );
        let keys = ["key", "generate", "example.com", "--keys", "keys"];
        world.run(BEGIN, &keys).ends(0);
        if publish != Publish::File {
            world.git("init --quiet --initial-branch=main");
            world.git("config user.name Ada");
            world.git("config user.email ada@example.com");
            // Housekeeping in the background would change files under our eyes.
            world.git("config gc.auto 0");
            world.git("config maintenance.auto false");
            world.git("add --all");
            world.git_at(
                BEGIN - Span::days(30),
                &["commit", "--quiet", "--message", "first"],
            );
        }
        world.advance(BEGIN).ends(0);
        world.load();
        world
    }

    fn config(&self) -> String {
        let servers: Vec<String> = self
            .net
            .servers
            .iter()
            .map(|server| format!("\"{}\"", server.local_addr()))
            .collect();
        let places: Vec<String> = HOSTS
            .iter()
            .zip(self.hosts())
            .map(|(name, address)| format!("\"{name}\" = [\"{address}\"]"))
            .collect();
        let publish = match self.publish {
            Publish::Branch => REVIEWED,
            Publish::Current => "publish = { git = {} }",
            Publish::File => "publish = { file = true }",
        };
        // Without git nothing tells what the TTL was before.
        let stated = match self.publish {
            Publish::File => "ttl_before = \"1h\"\n",
            Publish::Branch | Publish::Current => "",
        };
        assert!(CONFIG_TEXT.contains(REVIEWED));
        let config = CONFIG_TEXT
            .replace(REVIEWED, publish)
            .replace(
                "[[zone]]",
                &format!("[[zone]]\nservers = [{}]", servers.join(", ")),
            )
            .replace(
                "[[certificate]]",
                &format!(
                    "[[certificate]]\n{stated}addresses = {{ {} }}",
                    places.join(", ")
                ),
            );
        // Nobody waits long for a host that is nowhere.
        format!("conversation = \"5s\"\n{config}")
    }

    /// The same workspace in another directory, before the same servers and hosts.
    pub(crate) fn copy(&self) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("rotation-")
            .tempdir()
            .unwrap();
        let copied = Command::new("cp")
            .arg("-a")
            .arg(self.path("."))
            .arg(directory.path())
            .status();
        assert!(copied.unwrap().success());
        Self {
            net: Arc::clone(&self.net),
            publish: self.publish,
            directory,
        }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        fs::canonicalize(self.directory.path())
            .unwrap()
            .join(relative)
    }

    pub(crate) fn read(&self, relative: &str) -> String {
        let path = self.path(relative);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Writes a file; where git tracks it and it is the configuration, somebody commits it, too: before, it does not count.
    pub(crate) fn write(&self, relative: &str, text: &str) {
        fs::write(self.path(relative), text).unwrap();
        if relative == "tlsa-rotate.toml" && self.path(".git").exists() {
            let words = ["commit", "--quiet", "--message", "configuration", "--"];
            let mut git = Command::new("git");
            git.current_dir(self.directory.path()).args(words);
            let date = format!("@{} +0000", (BEGIN - Span::days(20)).unix());
            git.env("GIT_AUTHOR_DATE", &date)
                .env("GIT_COMMITTER_DATE", &date);
            // Where it is as it was, nothing is to be committed.
            git.arg("tlsa-rotate.toml").output().unwrap();
        }
    }

    /// The program in the workspace, at `now`, ready to run.
    pub(crate) fn command(&self, now: Instant, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.directory.path());
        command.args(["--now", &now.to_string()]).args(arguments);
        command
    }

    pub(crate) fn run(&self, now: Instant, arguments: &[&str]) -> Run {
        self.command(now, arguments).output().unwrap().into()
    }

    /// A run in which every call of git runs a piece of shell first; in it, `git` is the real one.
    pub(crate) fn run_through(&self, now: Instant, arguments: &[&str], script: &str) -> Run {
        let mut command = self.command_through(now, arguments, script);
        Run::from(command.output().unwrap())
    }

    /// The same, ready to run.
    pub(crate) fn command_through(
        &self,
        now: Instant,
        arguments: &[&str],
        script: &str,
    ) -> Command {
        let bin = self.path(".tlsa-rotate/bin");
        fs::create_dir_all(&bin).unwrap();
        let script = format!("#!/bin/sh\nPATH=${{PATH#*:}}\n{script}\nexec git \"$@\"\n");
        fs::write(bin.join("git"), script).unwrap();
        fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut command = self.command(now, arguments);
        command.env("PATH", path);
        command
    }

    pub(crate) fn advance(&self, now: Instant) -> Run {
        self.run(now, &["advance"])
    }

    pub(crate) fn start(&self, now: Instant) -> Run {
        self.run(now, &["start", "mail"])
    }

    /// Runs git as a person would; what it printed.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &str) -> String {
        let output = Command::new("git")
            .current_dir(self.directory.path())
            .args(arguments.split(' '))
            .output()
            .unwrap();
        let run = Run::from(output);
        // The configuration is committed as soon as it is written.
        let is_done = arguments.starts_with("commit ")
            && ["nothing to commit", "nothing added to commit"]
                .iter()
                .any(|said| run.stdout.contains(said));
        assert!(run.code == Some(0) || is_done, "git {arguments}: {run:#?}");
        run.stdout.trim().to_owned()
    }

    /// Runs git as a person would have at `when`.
    #[track_caller]
    pub(crate) fn git_at(&self, when: Instant, arguments: &[&str]) {
        let date = format!("@{} +0000", when.unix());
        let run = Command::new("git")
            .current_dir(self.directory.path())
            .args(arguments)
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .output()
            .unwrap();
        assert!(run.status.success(), "git {arguments:?}: {run:?}");
    }

    /// Merges what waits for review; whether anything did. Where nothing is reviewed there is nothing to do.
    pub(crate) fn merge(&self) -> bool {
        if self.publish != Publish::Branch
            || self.git(&format!("branch --list {BRANCH}")).is_empty()
        {
            return false;
        }
        let before = self.git("rev-parse HEAD");
        self.git(&format!("merge --quiet --ff-only {BRANCH}"));
        before != self.git("rev-parse HEAD")
    }

    /// Makes both servers load the signed zone.
    pub(crate) fn load(&self) {
        self.load_into(0);
        self.load_into(1);
    }

    pub(crate) fn load_into(&self, server: usize) {
        let zone = self.signed();
        self.net.servers[server].publish(Arc::new(ServedZone::unverified(zone).unwrap()));
    }

    /// Makes a server answer with another zone.
    pub(crate) fn serve(&self, server: usize, zone: Zone) {
        self.net.servers[server].publish(Arc::new(ServedZone::unverified(zone).unwrap()));
    }

    /// The address of a server.
    pub(crate) fn server(&self, server: usize) -> String {
        self.net.servers[server].local_addr().to_string()
    }

    /// One server more, at any port of this address; it answers with a zone as it is now.
    pub(crate) fn one_more_server(&self, address: Ipv4Addr, zone: Zone) -> Server {
        let started = Server::start(SocketAddr::from((address, 0)), Settings::default());
        let server = self.net.runtime.block_on(started).unwrap();
        server.publish(Arc::new(ServedZone::unverified(zone).unwrap()));
        server
    }

    /// Where the hosts are.
    pub(crate) fn hosts(&self) -> Vec<SocketAddr> {
        let hosts = self.net.hosts.lock().unwrap();
        hosts.iter().map(|place| place.address).collect()
    }

    /// One host more, which presents the certificate in use; its number.
    pub(crate) fn one_more_host(&self, name: &str) -> usize {
        let mut hosts = self.net.hosts.lock().unwrap();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let started = MailHost::start(name, loopback, vec![self.chain_in_use()]);
        let host = self.net.runtime.block_on(started).unwrap();
        hosts.push(Place {
            name: name.to_owned(),
            address: host.address(),
            host: Some(host),
        });
        hosts.len() - 1
    }

    /// A host does not answer any more.
    pub(crate) fn silence(&self, host: usize) {
        let address = self.hosts()[host];
        drop(self.net.hosts.lock().unwrap()[host].host.take());
        let is_silent = || TcpStream::connect(address).is_err();
        let ended = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !is_silent() {
            assert!(std::time::Instant::now() < ended, "{address} still answers");
            std::thread::yield_now();
        }
    }

    /// A host that did not answer does again, with the certificate that was in use before.
    pub(crate) fn wake(&self, host: usize) {
        let place = &mut self.net.hosts.lock().unwrap()[host];
        let started = MailHost::start(&place.name, place.address, vec![self.chain_in_use()]);
        place.host = Some(self.net.runtime.block_on(started).unwrap());
    }

    /// Makes a server load another signed zone.
    pub(crate) fn load_other(&self, server: usize, signed: &str, apex: &str) {
        let apex = Name::parse(apex.as_bytes(), None).unwrap();
        let zone = Zone::parse(self.read(signed).as_bytes(), Some(&apex)).unwrap();
        self.net.servers[server].publish(Arc::new(ServedZone::unverified(zone).unwrap()));
    }

    pub(crate) fn signed(&self) -> Zone {
        Zone::parse(self.read(SIGNED).as_bytes(), Some(&apex())).unwrap()
    }

    /// Puts these chains (certificate and key files in the workspace) on a host.
    pub(crate) fn present(&self, host: usize, chains: &[(&str, &str)]) {
        let chains = chains
            .iter()
            .map(|(certificate, key)| keyed_chain(&self.path(certificate), &self.path(key)));
        self.net.present(host, chains.collect());
    }

    /// Puts the incoming certificate on a host.
    pub(crate) fn deploy(&self, host: usize) {
        let directory = self.path("keys/tls/mail.1");
        let certificate = directory.join("ecdsa-p256.cert.pem");
        let chain = keyed_chain(&certificate, &directory.join("ecdsa-p256.key.pem"));
        self.net.present(host, vec![chain]);
    }

    /// Puts the certificate that was in use before back on a host.
    pub(crate) fn put_back(&self, host: usize) {
        self.net.present(host, vec![self.chain_in_use()]);
    }

    fn chain_in_use(&self) -> KeyedChain {
        keyed_chain(
            &self.path("live/fullchain.pem"),
            &self.path("live/privkey.pem"),
        )
    }

    /// Somebody else gives a host a certificate with a key of their own.
    pub(crate) fn renew_elsewhere(&self, host: usize) {
        let directory = self.path("elsewhere");
        fs::create_dir_all(&directory).unwrap();
        let files = KeyFiles {
            key: directory.join("key.pem"),
            certificate: directory.join("cert.pem"),
            request: directory.join("request.pem"),
        };
        let random = ring::rand::SystemRandom::new();
        let hosts = HOSTS.map(str::to_owned);
        tls_key::ensure(&files, KeyKind::EcdsaP256, &hosts, BEGIN, &random).unwrap();
        let chain = keyed_chain(&files.certificate, &files.key);
        self.net.present(host, vec![chain]);
    }

    /// A world whose rotation has come to `step`, and the hour of the last run. Zone, servers and hosts are as the step says.
    pub(crate) fn brought_to(self, step: &str) -> (Self, u64) {
        self.start(BEGIN).ends(0);
        let both = |world: &Self| {
            world.deploy(0);
            world.deploy(1);
        };
        let way: &[(u64, Deed<'_>)] = &[
            (0, &|_| ()),
            (1, &|world| {
                world.merge();
            }),
            (2, &|world| world.load()),
            (27, &|_| ()),
            (28, &both),
            (34, &|_| ()),
            (40, &|_| ()),
            (46, &|_| ()),
            (52, &|_| ()),
        ];
        let mut hour = 0;
        for (at, deed) in way {
            if self.step(hours(hour)) == step {
                return (self, hour);
            }
            deed(&self);
            hour = *at;
            self.advance(hours(hour));
        }
        assert_eq!(self.step(hours(hour)), step);
        (self, hour)
    }

    /// Runs as a timer does during a soak that began at `from`, up to its end, exclusive.
    pub(crate) fn watch(&self, from: u64, to: u64) {
        for hour in (from..to).step_by(6).skip(1) {
            self.advance(hours(hour));
        }
    }

    /// The step of the rotation, as `status` tells it.
    pub(crate) fn step(&self, now: Instant) -> String {
        let run = self.run(now, &["status", "--format", "json"]);
        let status: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let step = &status["rotations"][0]["rotation"]["step"];
        step.as_str()
            .unwrap_or_else(|| panic!("{status:#}"))
            .to_owned()
    }

    /// The names of the facts in the journal that move a rotation (not those only remembered for reports). The journal is
    /// read as strictly as the program reads it and must be whole.
    #[track_caller]
    pub(crate) fn facts(&self) -> Vec<&'static str> {
        let journal = Journal::<Event>::read(&self.path(JOURNAL), "mail").unwrap();
        assert_eq!(journal.torn(), None);
        journal
            .entries()
            .iter()
            .filter(|entry| !entry.event.is_kept_in_mind())
            .map(|entry| entry.event.name())
            .collect()
    }

    /// The zone that counts, without its serial, record by record.
    pub(crate) fn zone(&self) -> Vec<String> {
        let text = match self.publish {
            Publish::File => self.read(ZONE_FILE),
            Publish::Branch | Publish::Current => {
                self.git(&format!("show HEAD:{ZONE_FILE}")) + "\n"
            }
        };
        let zone = Zone::parse(text.as_bytes(), Some(&apex())).unwrap();
        let lines = zone.to_string();
        lines
            .lines()
            .filter(|line| !line.contains("\tSOA\t") && !line.contains(" SOA "))
            .map(str::to_owned)
            .collect()
    }

    /// The association data of the TLSA records of a host in the zone that counts, in upper-case or lower-case as printed.
    pub(crate) fn tlsa(&self, host: &str) -> Vec<String> {
        let owner = format!("_25._tcp.{host}.");
        let mut found: Vec<String> = self
            .zone()
            .iter()
            .filter(|line| line.to_lowercase().starts_with(&owner))
            .map(|line| line.split_whitespace().last().unwrap().to_lowercase())
            .collect();
        found.sort();
        found
    }

    /// How many signatures the signed zone holds, with their bytes.
    pub(crate) fn signatures(&self) -> Vec<String> {
        let zone = self.signed();
        let of = |node: &Node| node.contains_key(&Rtype::RRSIG);
        assert!(zone.nodes.values().any(of));
        let text = self.read(SIGNED);
        text.lines()
            .filter(|line| line.contains(" IN RRSIG "))
            .map(str::to_owned)
            .collect()
    }

    /// Every file below the workspace, git's own too, with its mode and contents.
    pub(crate) fn everything(&self) -> BTreeMap<String, (u32, Vec<u8>)> {
        let mut files = BTreeMap::new();
        collect(&self.path(""), "", &mut files);
        files
    }

    /// The same, except for what git and the lock note for themselves.
    pub(crate) fn files(&self) -> BTreeMap<String, (u32, Vec<u8>)> {
        let mut files = self.everything();
        files.retain(|name, _| {
            !name.starts_with(".git/") || name.starts_with(".git/refs/") || name == ".git/HEAD"
        });
        files.remove(".tlsa-rotate/lock");
        // How far git was read, which may be lost.
        files.remove(".tlsa-rotate/steps");
        // What runs note of a zone moves with time.
        files.retain(|name, _| !name.starts_with(".tlsa-rotate/seen"));
        files
    }

    /// What a killed run must not leave behind for good: temporary files, open private keys, working trees, a held lock.
    #[track_caller]
    pub(crate) fn is_tidy(&self) {
        for (name, (mode, _)) in self.files() {
            assert!(!name.ends_with(".tlsa-rotate-tmp"), "left over: {name}");
            assert!(
                !name.starts_with(".tlsa-rotate/worktree"),
                "left over: {name}"
            );
            if name.ends_with(".private") || name.ends_with("key.pem") {
                assert_eq!(mode & 0o777, 0o600, "{name}");
            }
        }
        if self.publish != Publish::File {
            assert_eq!(
                self.git("status --porcelain"),
                "",
                "the working tree is clean"
            );
            assert_eq!(self.git("worktree list").lines().count(), 1);
            assert!(!self.path(".git/index.lock").exists());
        }
        assert_eq!(self.read(".tlsa-rotate/lock"), "", "nobody holds the lock");
    }

    /// How many commits of the program there are, on any branch.
    pub(crate) fn commits(&self) -> usize {
        let log = self.git("log --all --format=%(trailers:key=Tlsa-Rotate-Step,valueonly)");
        log.lines().filter(|line| !line.trim().is_empty()).count()
    }
}

fn collect(directory: &Path, prefix: &str, files: &mut BTreeMap<String, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if metadata.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else {
            let contents = fs::read(&path).unwrap_or_default();
            files.insert(name, (metadata.permissions().mode(), contents));
        }
    }
}

pub(crate) fn apex() -> Name {
    Name::parse(b"example.com.", None).unwrap()
}

/// A line of a journal, changed by hand, with the digest that it should have.
pub(crate) fn resealed(line: &str) -> String {
    let fields = &line[..line.rfind(",\"digest\":").unwrap()];
    let digest = ring::digest::digest(&ring::digest::SHA256, fields.as_bytes());
    let hex = data_encoding::HEXLOWER.encode(digest.as_ref());
    format!("{fields},\"digest\":\"{hex}\"}}")
}

/// A zone file in pieces that are records: lines belong together while a parenthesis is open.
pub(crate) fn pieces(zone: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut open = 0;
    for line in zone.split_inclusive('\n') {
        let text = line.split(';').next().unwrap();
        open += text.matches('(').count();
        open -= text.matches(')').count();
        pieces.last_mut().unwrap().push_str(line);
        if open == 0 {
            pieces.push(String::new());
        }
    }
    pieces
}

/// The zone file without the TLSA records that name `owner`.
pub(crate) fn without_tlsa(zone: &str, owner: &str) -> String {
    let mut pieces = pieces(zone);
    pieces.retain(|piece| !piece.contains("TLSA") || !piece.contains(owner));
    pieces.concat()
}

pub(crate) fn hours(count: u64) -> Instant {
    BEGIN + Span::hours(count)
}

/// Makes the key of another zone, as old as the world is, whenever the test runs; the configuration proper comes later.
pub(crate) fn zone_key(root: &Path, zone: &str) {
    fs::write(root.join("tlsa-rotate.toml"), "rehearsal = true\n").unwrap();
    let made = Command::new(PROGRAM)
        .current_dir(root)
        .args(["key", "generate", zone, "--keys", "keys"])
        .args(["--now", &BEGIN.to_string()])
        .output();
    assert!(made.unwrap().status.success());
}

pub(crate) fn live_key(root: &Path) -> KeyFiles {
    let live = root.join("live");
    fs::create_dir_all(&live).unwrap();
    let files = KeyFiles {
        key: live.join("privkey.pem"),
        certificate: live.join("fullchain.pem"),
        request: live.join("request.pem"),
    };
    make_key(&files, KeyKind::EcdsaP256);
    files
}

/// Makes a key and its self-signed certificate for all hosts.
pub(crate) fn make_key(files: &KeyFiles, kind: KeyKind) {
    let random = ring::rand::SystemRandom::new();
    let hosts = HOSTS.map(str::to_owned);
    tls_key::ensure(files, kind, &hosts, BEGIN, &random).unwrap();
}

fn keyed_chain(certificate: &Path, key: &Path) -> KeyedChain {
    KeyedChain::from_pem(&fs::read(certificate).unwrap(), &fs::read(key).unwrap()).unwrap()
}

/// The zone with the live key's association data in place of what stands in it.
fn zone_text(live: &KeyFiles) -> String {
    let chain = subject::read_chain(&fs::read(&live.certificate).unwrap()).unwrap();
    let association = chain[0].spki_association().to_string();
    let data = association.split(' ').next_back().unwrap();
    let (front, back) = data.split_at(48);
    let text = ZONE_TEXT
        .replace("d8b7c0ad6c6f2b0fb1b6b9f5d1a5b1d1c0f8c2a9e37e5f46", front)
        .replace("0a9e4d1f7b3c5a28", back)
        .replace("4f1e9c02a7d358b6e60d7fb92c81a345de90174b3f6ac8d2", front)
        .replace("95b07e1d6c24fa83", back);
    assert_eq!(text.matches(front).count(), 2);
    assert_eq!(text.matches(back).count(), 2);
    text
}
