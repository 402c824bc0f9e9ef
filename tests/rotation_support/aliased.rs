//! A world whose hosts' TLSA names are aliases of one RRset in another zone (RFC 7671 §6).

use super::{Publish, World, live_key, zone_key};
use std::fs;
use std::path::Path;
use tlsa_rotate::dane::subject;
use tlsa_rotate::workspace::tls_key::KeyFiles;

/// The other zone, as people edit it and as it is served.
pub(crate) const OTHER: &str = "example.net.zone";
pub(crate) const OTHER_SIGNED: &str = "example.net.zone.signed";

/// Both hosts' TLSA names are aliases, over a link in another zone of ours, of one RRset there.
pub(crate) fn aliased() -> World {
    let live = |root: &Path| {
        let live = live_key(root);
        let chain = subject::read_chain(&fs::read(&live.certificate).unwrap()).unwrap();
        let data = chain[0].spki_association();
        let soa = "@ 3600 IN SOA ns hostmaster 2026112301 7200 3600 1209600 300";
        let text = format!(
            "$ORIGIN example.net.\n$TTL 3600\n{soa}\n@ IN NS ns\nns IN A 192.0.2.53\n\
             mail IN CNAME _dane.mail\n_dane.mail IN TLSA {data}\n"
        );
        fs::write(root.join(OTHER), text).unwrap();
        zone_key(root, "example.net");
        vec![live]
    };
    let config = |config: String| {
        let start = config.find("[[zone]]").unwrap();
        let end = config.find("[[certificate]]").unwrap();
        let other = config[start..end].replace("example.com", "example.net");
        format!("{}{other}{}", &config[..end], &config[end..])
    };
    let zone = |text: String, _: &[KeyFiles]| {
        let start = text.find("_25._tcp.mx1").unwrap();
        let end = text.find("; A delegation").unwrap();
        let aliases = "_25._tcp.mx1 86400 IN CNAME mail.example.net.\n\
                       _25._tcp.mx2 IN CNAME mail.example.net.\n";
        format!("{}{aliases}{}", &text[..start], &text[end..])
    };
    let world = World::shaped(Publish::Branch, config, live, zone);
    load_both(&world);
    world
}

/// Makes both servers load both zones.
pub(crate) fn load_both(world: &World) {
    world.load();
    for server in 0..2 {
        world.load_other(server, OTHER_SIGNED, "example.net.");
    }
}
