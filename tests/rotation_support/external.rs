//! A world whose zone somebody else signs: the file in the working tree is what that server loads.

use super::{BEGIN, Publish, SIGNED, World, ZONE_FILE};
use tlsa_rotate::rotation::timing::Instant;

/// What the server has loaded: the reload is a copy.
pub(crate) const LOADED: &str = "loaded";

/// A world that is signed elsewhere, with more lines for its zone in the configuration.
pub(crate) fn world(publish: Publish, lines: &str) -> World {
    let world = World::new(publish);
    let config = world.read("tlsa-rotate.toml");
    let external = format!("sign = \"external\"\nanchor = \"anchor\"\n{lines}");
    let signed_here = "sign = { keys = \"keys\" }";
    assert!(config.contains(signed_here));
    world.write("tlsa-rotate.toml", &config.replace(signed_here, &external));
    let ds = world
        .run(BEGIN, &["key", "ds", "example.com", "--keys", "keys"])
        .ends(0);
    world.write("anchor", &ds.stdout);
    let ignored = world.read(".gitignore");
    world.write(".gitignore", &format!("{ignored}{LOADED}\n"));
    world
}

/// The same, whose server copies the file when it is told to load it; nothing is loaded yet.
pub(crate) fn reloaded(publish: Publish) -> World {
    let reload = format!("reload = [\"cp\", \"{ZONE_FILE}\", \"{LOADED}\"]");
    let world = world(publish, &reload);
    world.git("add --all");
    world.git("commit --quiet --message external");
    world
}

/// Whoever signs the zone takes up what the file holds, under a serial of its own counting; both servers load it.
pub(crate) fn sign(world: &World, now: Instant) {
    let arguments = [
        "zone",
        "sign",
        ZONE_FILE,
        "--origin",
        "example.com",
        "--keys",
        "keys",
        "--previous",
        SIGNED,
        "--output",
        SIGNED,
        "--raise-serial",
    ];
    world.run(now, &arguments).ends(0);
    world.load();
}

/// Has the zone kept, and signed, by a provider behind the program `provider`, which the test brings.
pub(crate) fn keep_by_a_provider(world: &World) {
    let ds = world.run(BEGIN, &["key", "ds", "example.com", "--keys", "keys"]);
    world.write("anchors", &ds.ends(0).stdout);
    let mut config = String::new();
    for line in world.read("tlsa-rotate.toml").lines() {
        let line = match line.split('=').next().unwrap_or_default().trim() {
            "sign" => "sign = \"external\"\nanchor = \"anchors\"",
            "publish" => "publish = { command = [\"python3\", \"provider\"] }",
            "file" => continue,
            _ => line,
        };
        config.push_str(line);
        config.push('\n');
    }
    world.write("tlsa-rotate.toml", &config);
}
