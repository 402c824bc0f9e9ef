//! A whole rotation on each way into the real DNS, by the real program before real engines, with one secondary held back.
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
    Engine, PrimaryPlan, Secondary, at, bind_primary, knot_primary, ports, powerdns_primary, tell,
};
use path_support::World;
use serve_support::Peer;
use std::fs;
use std::process::{Command, Stdio};

const UPDATED: &str = "sign = \"external\"\nanchor = \"anchor\"\n";

/// A prompt secondary and one that is held back, both of the primary at `port`.
fn secondaries(prompt: (Engine, u16), held: (Engine, u16), port: u16) -> [Secondary; 2] {
    [prompt, held].map(|(engine, own)| Secondary::start(engine, own, at(port)))
}

/// A rotation where a primary takes updates and signs.
fn by_updates(start: impl Fn(&PrimaryPlan<'_>) -> Peer, prompt: Engine, held: Engine) {
    let mut world = World::new();
    let ports = ports(3);
    let directory = tempfile::tempdir().unwrap();
    let zone = world.zone();
    let plan = PrimaryPlan {
        directory: directory.path(),
        port: ports[0],
        zone: &zone,
        notify: Some(ports[1]),
    };
    let _primary = start(&plan);
    world.anchor(ports[0]);
    let _secondaries = secondaries((prompt, ports[1]), (held, ports[2]), ports[0]);
    let publish = format!(
        "publish = {{ update = {{ server = \"{}\", tsig = \"update.tsig\" }} }}\n",
        at(ports[0])
    );
    world.configure(&format!("{UPDATED}{publish}"), &ports);
    world.rotate(&ports, ports[2], || tell(ports[2]));
}

#[test]
fn updates_to_knot_with_bind_and_nsd_behind_it() {
    by_updates(knot_primary, Engine::Bind, Engine::Nsd);
}

#[test]
fn updates_to_bind_with_knot_and_nsd_behind_it() {
    by_updates(|plan| bind_primary(plan, None), Engine::Knot, Engine::Nsd);
}

#[test]
fn updates_to_powerdns_with_nsd_and_bind_behind_it() {
    by_updates(powerdns_primary, Engine::Nsd, Engine::Bind);
}

#[test]
fn a_file_and_rndc_reload_of_a_bind_that_signs_inline() {
    let mut world = World::new();
    let ports = ports(4);
    let directory = tempfile::tempdir().unwrap();
    let zone = world.zone();
    fs::write(world.path("example.com.zone"), &zone).unwrap();
    std::os::unix::fs::symlink(
        world.path("example.com.zone"),
        directory.path().join("zone"),
    )
    .unwrap();
    let plan = PrimaryPlan {
        directory: directory.path(),
        port: ports[0],
        zone: &zone,
        notify: Some(ports[1]),
    };
    let _primary = bind_primary(&plan, Some(ports[3]));
    world.anchor(ports[0]);
    let servers = &ports[..3];
    let _secondaries = secondaries((Engine::Knot, ports[1]), (Engine::Nsd, ports[2]), ports[0]);
    let rndc = directory.path().join("rndc.conf");
    let reload = format!(
        "file = \"example.com.zone\"\npublish = {{ file = true }}\nreload = [\"rndc\", \"-c\", \"{}\", \"reload\", \"example.com\"]\n",
        rndc.display()
    );
    world.configure(&format!("{UPDATED}{reload}"), servers);
    world.rotate(servers, ports[2], || tell(ports[2]));
}

#[test]
fn our_own_hidden_primary_with_bind_and_nsd_behind_it() {
    let mut world = World::new();
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
}
