//! A whole rotation on each way into the real DNS, by the real program before real engines, with one secondary held back,
//! while a real Postfix delivers by DANE.
//!
//! Needs root, for networks of its own.
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

use engine_support::{
    Engine, PrimaryPlan, Secondary, at, bind_primary, knot_primary, knot_with, ports,
    powerdns_primary, powerdns_primary_with, serial, tell,
};
use path_support::World;
use path_support::mail::in_a_network_of_its_own;
use serve_support::{Peer, until};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

/// A prompt secondary and one that is held back, both of the primary at `port`.
fn secondaries(prompt: (Engine, u16), held: (Engine, u16), port: u16) -> [Secondary; 2] {
    [prompt, held].map(|(engine, own)| Secondary::start(engine, own, at(port)))
}

/// A world, and a primary of it with two secondaries: their ports in this order, and one to spare.
struct Stage {
    world: World,
    ports: Vec<u16>,
    directory: tempfile::TempDir,
    zone: String,
}

impl Stage {
    fn new() -> Self {
        let world = World::delivering();
        let zone = world.zone();
        let directory = tempfile::tempdir().unwrap();
        Self {
            world,
            ports: ports(4),
            directory,
            zone,
        }
    }

    /// Where the primary keeps `file`.
    fn path(&self, file: &str) -> String {
        self.directory.path().join(file).display().to_string()
    }

    /// The primary finds a file of the workspace under this name.
    fn links(&self, file: &str, name: &str) {
        std::os::unix::fs::symlink(self.world.path(file), self.path(name)).unwrap();
    }

    /// A whole rotation where this primary signs, and the zone is configured by these lines.
    fn rotates(
        &self,
        start: impl Fn(&PrimaryPlan<'_>) -> Peer,
        (prompt, held): (Engine, Engine),
        lines: &str,
    ) {
        let plan = PrimaryPlan {
            directory: self.directory.path(),
            port: self.ports[0],
            zone: &self.zone,
            notify: Some(self.ports[1]),
        };
        let _primary = start(&plan);
        self.world.anchor(self.ports[0]);
        let servers = &self.ports[..3];
        let _secondaries = secondaries((prompt, servers[1]), (held, servers[2]), servers[0]);
        let text = format!("sign = \"external\"\nanchor = \"anchor\"\n{lines}");
        self.world.configure(&text, servers);
        self.world.rotate(servers, servers[2], || tell(servers[2]));
    }
}

/// A rotation where a primary takes updates and signs.
fn by_updates(start: impl Fn(&PrimaryPlan<'_>) -> Peer, behind: (Engine, Engine)) {
    let stage = Stage::new();
    let publish = format!(
        "publish = {{ update = {{ server = \"{}\", tsig = \"update.tsig\" }} }}\n",
        at(stage.ports[0])
    );
    stage.rotates(start, behind, &publish);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn updates_to_knot_with_bind_and_nsd_behind_it() {
    in_a_network_of_its_own("updates_to_knot_with_bind_and_nsd_behind_it", || {
        by_updates(knot_primary, (Engine::Bind, Engine::Nsd));
    });
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn updates_to_bind_with_knot_and_nsd_behind_it() {
    in_a_network_of_its_own("updates_to_bind_with_knot_and_nsd_behind_it", || {
        by_updates(|plan| bind_primary(plan, None), (Engine::Knot, Engine::Nsd));
    });
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn updates_to_powerdns_with_nsd_and_bind_behind_it() {
    in_a_network_of_its_own("updates_to_powerdns_with_nsd_and_bind_behind_it", || {
        by_updates(powerdns_primary, (Engine::Nsd, Engine::Bind));
    });
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_file_and_rndc_reload_of_a_bind_that_signs_inline() {
    in_a_network_of_its_own("a_file_and_rndc_reload_of_a_bind_that_signs_inline", || {
        let stage = Stage::new();
        fs::write(stage.world.path("example.com.zone"), &stage.zone).unwrap();
        stage.links("example.com.zone", "zone");
        let lines = format!(
            "file = \"example.com.zone\"\npublish = {{ file = true }}\n\
             reload = [\"rndc\", \"-c\", \"{}\", \"reload\", \"example.com\"]\n",
            stage.path("rndc.conf")
        );
        let control = stage.ports[3];
        let bind = |plan: &PrimaryPlan<'_>| bind_primary(plan, Some(control));
        stage.rotates(bind, (Engine::Knot, Engine::Nsd), &lines);
    });
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn an_included_file_alone_and_knotc_reload_of_a_knot_that_signs_and_counts_serials() {
    let test = "an_included_file_alone_and_knotc_reload_of_a_knot_that_signs_and_counts_serials";
    in_a_network_of_its_own(test, || {
        let stage = Stage::new();
        let (kept, ours) = stage.zone.split_at(stage.zone.find("_25._tcp").unwrap());
        let kept = format!("{kept}$INCLUDE tlsa.inc\n");
        for (file, text, name) in [
            ("example.com.zone", &*kept, "zone"),
            ("tlsa.inc", ours, "tlsa.inc"),
        ] {
            fs::write(stage.world.path(file), text).unwrap();
            stage.links(file, name);
        }
        let lines = format!(
            "file = \"example.com.zone\"\ninclude = \"tlsa.inc\"\npublish = {{ file = true }}\n\
             reload = [\"knotc\", \"-s\", \"{}\", \"zone-reload\", \"example.com\"]\n",
            stage.path("knot.sock")
        );
        let knot = |plan: &PrimaryPlan<'_>| knot_with(plan, "difference-no-serial");
        stage.rotates(knot, (Engine::Bind, Engine::Nsd), &lines);
        assert_eq!(
            fs::read_to_string(stage.world.path("example.com.zone")).unwrap(),
            kept,
            "whoever keeps the zone file finds it untouched"
        );
        let included = fs::read_to_string(stage.world.path("tlsa.inc")).unwrap();
        assert_eq!(included.lines().count(), 1);
        assert_ne!(included, ours);
    });
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn our_own_hidden_primary_with_bind_and_nsd_behind_it() {
    in_a_network_of_its_own("our_own_hidden_primary_with_bind_and_nsd_behind_it", || {
        let world = World::delivering();
        let ports = ports(3);
        fs::write(world.path("example.com.zone"), world.zone()).unwrap();
        let serve = format!(
            "file = \"example.com.zone\"\nsign = {{ keys = \"keys\" }}\npublish = {{ file = true, serve = {{ keys = [\"xfr.tsig\"], \
         secondaries = [\"{},key:xfr\"], transfer = [\"key:xfr\"] }} }}\n",
            at(ports[1])
        );
        let servers = &ports[..];
        world.configure(&serve, servers);
        let (code, said) = world.run(&["key", "generate", "example.com", "--keys", "keys"]);
        assert_eq!(code, 0, "{said}");
        world.advance();
        let (code, ds) = world.run(&["key", "ds", "example.com", "--keys", "keys"]);
        assert_eq!(code, 0, "{ds}");
        fs::write(world.path("anchor"), ds).unwrap();
        let program = Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
            .args(["serve", "--listen", &at(ports[0]).to_string(), "--config"])
            .arg(world.path("tlsa-rotate.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(world.path("serve.log")).unwrap())
            .spawn();
        let _ours = Peer {
            child: program.unwrap(),
        };
        let _secondaries = secondaries((Engine::Bind, ports[1]), (Engine::Nsd, ports[2]), ports[0]);
        world.rotate(servers, ports[2], || tell(ports[2]));
        let log = fs::read_to_string(world.path("serve.log")).unwrap();
        assert!(
            log.contains("told 127.0.0.1") && log.contains(": the changes since"),
            "{log}"
        );
    });
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_program_that_speaks_to_the_http_api_of_powerdns() {
    in_a_network_of_its_own("a_program_that_speaks_to_the_http_api_of_powerdns", || {
        let stage = Stage::new();
        let port = stage.ports[3];
        let api = format!(
            "api=yes\napi-key=known to two\nwebserver=yes\nwebserver-address=127.0.0.1\nwebserver-port={port}\n"
        );
        let key = stage.world.path("api.key");
        fs::write(&key, "known to two\n").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/provider-powerdns");
        let publish = format!(
            "publish = {{ command = [\"{program}\", \"http://127.0.0.1:{port}\", \"api.key\"] }}\n"
        );
        let powerdns = |plan: &PrimaryPlan<'_>| powerdns_primary_with(plan, &api);
        stage.rotates(powerdns, (Engine::Knot, Engine::Bind), &publish);
    });
}

/// A running engine, and the command that makes it load its files again.
type Loaded = (Peer, Vec<String>);

/// An engine that loads the zone we sign, from its file, and is told to by a command of its own.
struct Loader {
    name: &'static str,
    start: fn(&World, &std::path::Path, &[u16]) -> Loaded,
}

fn knot_loads(world: &World, directory: &std::path::Path, ports: &[u16]) -> Loaded {
    let d = directory.display();
    let signed = world.path("example.com.zone.signed");
    let config = directory.join("knot.conf").display().to_string();
    let text = format!(
        "server:\n  listen: 127.0.0.1@{}\n  rundir: {d}\nlog:\n- target: stderr\n  any: info\ndatabase:\n  storage: {d}\n\
         control:\n  listen: {d}/knot.sock\nzone:\n- domain: example.com\n  file: {}\n  zonefile-sync: -1\n  journal-content: none\n",
        ports[0],
        signed.display()
    );
    fs::write(&config, text).unwrap();
    let peer = Peer::start("knotd", &["-c", &config], &directory.join("log"));
    let reload = ["knotc", "-c", &config, "zone-reload", "example.com"];
    (peer, reload.map(str::to_owned).into())
}

fn nsd_loads(world: &World, directory: &std::path::Path, ports: &[u16]) -> Loaded {
    let d = directory.display();
    let config = directory.join("nsd.conf").display().to_string();
    let text = format!(
        "server:\n ip-address: 127.0.0.1@{}\n username: \"\"\n chroot: \"\"\n zonesdir: {d}\n pidfile: {d}/nsd.pid\n database: \"\"\n \
         xfrdfile: {d}/xfrd.state\n xfrdir: {d}\n zonelistfile: {d}/zone.list\n server-count: 1\n\
         remote-control:\n control-enable: yes\n control-interface: {d}/nsd.sock\n\
         zone:\n name: example.com\n zonefile: {}\n",
        ports[0],
        world.path("example.com.zone.signed").display()
    );
    fs::write(&config, text).unwrap();
    let peer = Peer::start("nsd", &["-d", "-c", &config], &directory.join("log"));
    (
        peer,
        ["nsd-control", "-c", &config, "reload", "example.com"]
            .map(str::to_owned)
            .into(),
    )
}

fn powerdns_loads(world: &World, directory: &std::path::Path, ports: &[u16]) -> Loaded {
    let d = directory.display();
    let zone = world.path("example.com.zone.signed");
    fs::write(
        directory.join("bind.conf"),
        format!(
            "zone \"example.com\" {{ type native; file \"{}\"; }};\n",
            zone.display()
        ),
    )
    .unwrap();
    engine_support::pdnsutil_database(directory);
    let text = format!(
        "launch=bind\nbind-config={d}/bind.conf\nbind-dnssec-db={d}/bind.db\nlocal-address=127.0.0.1\nlocal-port={}\nsocket-dir={d}\n\
         guardian=no\ndaemon=no\ndisable-syslog=yes\nwrite-pid=no\nquery-cache-ttl=0\ncache-ttl=0\nnegquery-cache-ttl=0\nsecurity-poll-suffix=\n",
        ports[0]
    );
    fs::write(directory.join("pdns.conf"), text).unwrap();
    engine_support::pdnsutil(directory, &["set-presigned", "example.com"]);
    let peer = engine_support::powerdns_started(directory);
    let config = format!("--config-dir={d}");
    (
        peer,
        ["pdns_control", &config, "bind-reload-now", "example.com"]
            .map(str::to_owned)
            .into(),
    )
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn the_zone_we_sign_is_loaded_from_its_file_by_the_command_of_each_engine() {
    let loaders = [
        Loader {
            name: "Knot",
            start: knot_loads,
        },
        Loader {
            name: "NSD",
            start: nsd_loads,
        },
        Loader {
            name: "PowerDNS",
            start: powerdns_loads,
        },
    ];
    for Loader { name, start } in loaders {
        let world = World::new();
        let ports = ports(1);
        fs::write(world.path("example.com.zone"), world.zone()).unwrap();
        let lines = |reload: &[String]| {
            format!(
                "file = \"example.com.zone\"\nsign = {{ keys = \"keys\" }}\npublish = {{ file = true }}\nreload = {reload:?}\n"
            )
        };
        world.configure(&lines(&["true".to_owned()]), &ports);
        assert_eq!(
            world
                .run(&["key", "generate", "example.com", "--keys", "keys"])
                .0,
            0
        );
        world.advance();
        let directory = tempfile::tempdir().unwrap();
        let (_peer, reload) = start(&world, directory.path(), &ports);
        until(&format!("{name} answers"), || {
            serial(at(ports[0])).is_some()
        });
        // A command that fails is said with its output, and run again until it succeeds.
        let broken = ["sh", "-c", "echo the server is not there >&2; exit 7"].map(str::to_owned);
        world.configure(&lines(&broken), &ports);
        assert_eq!(world.run(&["start", "mail"]).0, 0);
        let (code, said) = world.run(&["advance"]);
        assert_eq!(code, 1, "{said}");
        assert!(
            said.contains("failed (exit code 7)") && said.contains("the server is not there"),
            "{said}"
        );
        world.configure(&lines(&reload), &ports);
        world.advance_to("PrepublishServed");
    }
}
