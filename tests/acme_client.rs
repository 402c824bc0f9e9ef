//! Real ACME clients with the script that `hook install` writes: certbot and dehydrated before Pebble, which asks them for proof
//! over HTTP.
//!
//! Its first certificate has a key of its own: a rotation begins, and the certificate goes live when caches know the key.
//! A renewal keeps the key and is installed at once; one that comes before that is kept, and used.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod engine_support;
mod hook_support;
mod rotation_support;
mod serve_support;

use engine_support::{at, ports};
use hook_support::install;
use rotation_support::{BEGIN, HOSTS, JOURNAL, PROGRAM, Publish, Run, World, hours};
use serve_support::{Peer, stdout_of, until};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tlsa_rotate::rotation::timing::Instant;

const NEEDED: &str = "certbot, dehydrated and pebble (Debian packages) are needed for this test";

/// A certification authority on loopback, and the resolver by which it finds every host here.
struct Authority {
    directory: TempDir,
    port: u16,
    /// Where it asks for the proof.
    http: u16,
    _peers: [Peer; 2],
}

impl Authority {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let [port, management, dns, dns_management, http] = ports(5)[..] else {
            unreachable!("five ports")
        };
        let (key, certificate) = (path("key.pem"), path("cert.pem"));
        let files = [
            "-keyout",
            key.to_str().unwrap(),
            "-out",
            certificate.to_str().unwrap(),
        ];
        let kind = [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ];
        let names = [
            "-subj",
            "/CN=pebble",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ];
        stdout_of("openssl", &[kind.as_slice(), &names, &files].concat());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": at(port), "managementListenAddress": at(management),
            "certificate": certificate, "privateKey": key, "httpPort": http, "tlsPort": 0,
        }});
        fs::write(path("pebble.json"), config.to_string()).unwrap();
        let log = |name: &str| fs::File::create(path(name)).unwrap();
        let start = |mut command: Command, name: &str| {
            // Not every client asks again where a nonce is refused at random.
            command.env("PEBBLE_WFE_NONCEREJECT", "0");
            command.env("PEBBLE_VA_NOSLEEP", "1").stdin(Stdio::null());
            let child = command.stdout(log(name)).stderr(log("errors")).spawn();
            Peer {
                child: child.unwrap_or_else(|e| panic!("{NEEDED}: {e}")),
            }
        };
        let mut resolver = Command::new("pebble-challtestsrv");
        resolver.args([
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-defaultIPv6",
            "",
        ]);
        resolver.args([
            "-dns01",
            &at(dns).to_string(),
            "-management",
            &at(dns_management).to_string(),
        ]);
        let mut pebble = Command::new("pebble");
        pebble.arg("-config").arg(path("pebble.json"));
        pebble.args(["-strict", "-dnsserver", &at(dns).to_string()]);
        let peers = [start(resolver, "resolver"), start(pebble, "pebble")];
        until("the authority and its resolver listen", || {
            [port, dns]
                .iter()
                .all(|port| TcpStream::connect(at(*port)).is_ok())
        });
        Self {
            directory,
            port,
            http,
            _peers: peers,
        }
    }

    /// certbot in the environment that hooks need, as the operator of `world` runs it at `now`.
    fn certbot(&self, world: &World, now: Instant, arguments: &[&str]) -> Run {
        let home = |name: &str| self.directory.path().join(name);
        let mut command = hook_support::command(world, Path::new("certbot"), now);
        command.args(arguments).arg("--non-interactive");
        for kind in ["config", "work", "logs"] {
            command.arg(format!("--{kind}-dir")).arg(home(kind));
        }
        command.env("REQUESTS_CA_BUNDLE", home("cert.pem"));
        let output = command.output();
        output.unwrap_or_else(|e| panic!("{NEEDED}: {e}")).into()
    }

    /// dehydrated, as the operator of `world` runs it at `now`, with this hook; the proofs that it leaves are served meanwhile.
    fn dehydrated(&self, world: &World, hook: &Path, now: Instant, arguments: &[&str]) -> Run {
        let home = self.directory.path().join("dehydrated");
        let proofs = home.join("www/.well-known/acme-challenge");
        fs::create_dir_all(&proofs).unwrap();
        let trusted = self.directory.path().join("cert.pem");
        let config = format!(
            "CA=https://{}/dir\nBASEDIR={home}\nWELLKNOWN={}\nCURL_OPTS=\"--cacert {}\"\nHOOK={}\n\
             KEY_ALGO=prime256v1\nPRIVATE_KEY_RENEW=no\n",
            at(self.port),
            proofs.display(),
            trusted.display(),
            hook.display(),
            home = home.display()
        );
        fs::write(home.join("config"), config).unwrap();
        let mut server = Command::new("python3");
        server.args(["-m", "http.server", "--bind", "127.0.0.1"]);
        server
            .arg(self.http.to_string())
            .current_dir(home.join("www"));
        let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let _server = Peer {
            child: server.unwrap(),
        };
        until("the proofs are served", || {
            TcpStream::connect(at(self.http)).is_ok()
        });
        let mut command = hook_support::command(world, Path::new("dehydrated"), now);
        command
            .args(arguments)
            .arg("--config")
            .arg(home.join("config"));
        let output = command.output();
        output.unwrap_or_else(|e| panic!("{NEEDED}: {e}")).into()
    }

    fn lineage(&self, file: &str) -> PathBuf {
        self.directory
            .path()
            .join("config/live")
            .join(HOSTS[0])
            .join(file)
    }
}

/// The digest of a certificate's key, as the zone has it.
fn association(file: &Path) -> String {
    let said = stdout_of(PROGRAM, &["record", file.to_str().unwrap()]);
    let first = said.lines().next().unwrap();
    first.split_whitespace().last().unwrap().to_lowercase()
}

fn is_reloaded(world: &World) -> bool {
    hook_support::told(world) == "postfix reload\n"
}

/// The authority certifies by the clock of the machine, and what is not valid yet is not installed: the world's time goes on
/// from there, in hours after its beginning.
struct Clock(u64);

impl Clock {
    fn of(world: &World) -> Self {
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = Instant::from_unix(unix.unwrap().as_secs());
        let passed = now.since(BEGIN).as_seconds().div_ceil(3600);
        // An hour for what the test itself takes; signatures that ended meanwhile are made anew.
        let begin = passed + 1;
        world.advance(hours(begin));
        world.load();
        Self(begin)
    }

    fn at(&self, hour: u64) -> Instant {
        hours(self.0 + hour)
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn what_certbot_issues_is_rotated_to_and_what_it_renews_is_installed() {
    let authority = Authority::start();
    let world = World::new(Publish::Current);
    let live = world.path("live/live.pem");
    let in_use = world.read("live/privkey.pem") + &world.read("live/fullchain.pem");
    hook_support::serve_with_the_key_in_use(&world);
    let clock = Clock::of(&world);
    let old = association(&live);

    let (server, http) = (
        format!("https://{}/dir", at(authority.port)),
        authority.http.to_string(),
    );
    let deploy = install(&world, "certbot", clock.at(0), &[])
        .display()
        .to_string();
    let mut arguments = vec!["certonly", "--standalone", "--http-01-address", "127.0.0.1"];
    arguments.extend(["--http-01-port", &http, "--server", &server, "--reuse-key"]);
    arguments.extend(["--agree-tos", "--register-unsafely-without-email"]);
    arguments.extend(["-d", HOSTS[0], "-d", HOSTS[1], "--deploy-hook", &deploy]);
    let said = authority.certbot(&world, clock.at(0), &arguments).ends(0);
    assert!(
        !said.stderr.contains("error code"),
        "the hook failed: {said:#?}"
    );
    let new = association(&authority.lineage("fullchain.pem"));
    assert_ne!(new, old);
    assert_eq!(world.step(clock.at(0)), "Prepublishing", "{said:#?}");
    let mut both = vec![new.clone(), old];
    both.sort();
    for host in HOSTS {
        assert_eq!(world.tlsa(host), both, "{host}: {said:#?}");
    }
    assert_eq!(fs::read_to_string(&live).unwrap(), in_use, "not yet");
    assert!(!is_reloaded(&world));

    world.load();
    world.advance(clock.at(1)).ends(0);
    world.advance(clock.at(26)).ends(3);
    assert_eq!(world.step(clock.at(26)), "SwapOpen");
    let script = install(&world, "deploy", clock.at(0), &[]);
    hook_support::run(&world, &script, clock.at(26), &[], &[]).ends(0);
    let issued = |file: &str| fs::read_to_string(authority.lineage(file)).unwrap();
    let first = issued("fullchain.pem");
    let key = issued("privkey.pem");
    assert_eq!(fs::read_to_string(&live).unwrap(), key.clone() + &first);
    assert!(is_reloaded(&world));
    let live = live.to_str().unwrap();
    (0..HOSTS.len()).for_each(|host| world.present(host, &[(live, live)]));
    world.advance(clock.at(28)).ends(0);
    world.watch(clock.0 + 28, clock.0 + 52);
    world.advance(clock.at(52)).ends(0);
    world.load();
    world.advance(clock.at(53)).ends(0);
    assert_eq!(world.step(clock.at(53)), "Retired");

    // The hook and what it was asked to keep are in certbot's own notes.
    let before = (world.zone(), world.read(JOURNAL));
    let renew = ["renew", "--force-renewal", "--no-random-sleep-on-renew"];
    let said = authority.certbot(&world, clock.at(60), &renew).ends(0);
    let second = issued("fullchain.pem");
    assert_ne!(second, first, "{said:#?}");
    assert_eq!(issued("privkey.pem"), key);
    assert_eq!(
        fs::read_to_string(live).unwrap(),
        key + &second,
        "{said:#?}"
    );
    assert!(is_reloaded(&world));
    assert_eq!(
        (world.zone(), world.read(JOURNAL)),
        before,
        "nothing to rotate"
    );
    for host in HOSTS {
        assert_eq!(world.tlsa(host), [new.as_str()], "{host}");
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn what_dehydrated_renews_during_a_rotation_is_what_is_installed() {
    let authority = Authority::start();
    let world = World::new(Publish::Current);
    let live = world.path("live/live.pem");
    hook_support::serve_with_the_key_in_use(&world);
    let clock = Clock::of(&world);
    let hook = install(&world, "dehydrated", clock.at(0), &[]);
    let register = ["--register", "--accept-terms"];
    authority
        .dehydrated(&world, &hook, clock.at(0), &register)
        .ends(0);
    let order = ["--cron", "--domain", HOSTS[0], "--alias", "mail", "--force"];
    let said = authority
        .dehydrated(&world, &hook, clock.at(0), &order)
        .ends(0);
    assert_eq!(world.step(clock.at(0)), "Prepublishing", "{said:#?}");
    let issued = |file: &str| {
        let certs = authority.directory.path().join("dehydrated/certs/mail");
        fs::read_to_string(certs.join(file)).unwrap()
    };
    let (first, key) = (issued("fullchain.pem"), issued("privkey.pem"));
    assert!(!is_reloaded(&world), "not yet");

    world.load();
    let said = authority
        .dehydrated(&world, &hook, clock.at(1), &order)
        .ends(0);
    let second = issued("fullchain.pem");
    assert!(second != first && issued("privkey.pem") == key, "{said:#?}");
    assert!(said.stderr.contains("it goes with mail.1"), "{said:#?}");
    assert!(!is_reloaded(&world), "nor is the second");
    world.advance(clock.at(26)).ends(3);
    let script = install(&world, "deploy", clock.at(0), &[]);
    hook_support::run(&world, &script, clock.at(26), &[], &[]).ends(0);
    assert_eq!(fs::read_to_string(&live).unwrap(), key + &second);
    assert!(is_reloaded(&world));
}
