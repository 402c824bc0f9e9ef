//! Real zones cut, mixed and damaged: what is said of any bytes in `fuzz/src/zone.rs` holds for them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

#[path = "fuzz/src/zone.rs"]
mod zone;

use proptest::prelude::*;
use std::path::Path;

/// The text of every zone of the corpus, and of the example.
fn corpus() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries =
        ["tests/zones", "zones"].map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let files = entries.into_iter().flatten().map(|e| e.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|p| p.extension().is_some_and(|e| e == "zone"))
        .collect();
    files.sort();
    assert!(files.len() > 5, "{files:?}");
    files.iter().map(|p| std::fs::read(p).unwrap()).collect()
}

#[test]
fn the_properties_hold_for_whole_zones_and_their_prefixes() {
    for zone in corpus() {
        zone::hold(&zone);
        for end in (0..zone.len()).step_by(zone.len() / 40 + 1) {
            zone::hold(&zone[..end]);
        }
    }
}

/// A head that makes a zone sound, so that what follows is edited and not only read.
const HEAD: &str = "$TTL 1h\n@ SOA ns1 host 1 2 3 4 5\n NS ns1\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_properties_hold_for_mixed_lines_of_zones(picks in proptest::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..12)) {
        let corpus = corpus();
        let mut zone = HEAD.as_bytes().to_vec();
        for (file, line) in picks {
            let lines: Vec<&[u8]> = file.get(&corpus).split_inclusive(|b| *b == b'\n').collect();
            if let Some(line) = (!lines.is_empty()).then(|| line.get(&lines)) {
                zone.extend_from_slice(line);
            }
        }
        zone::hold(&zone);
    }

    #[test]
    fn the_properties_hold_for_zones_with_bytes_changed(pick: prop::sample::Index, changes in proptest::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b" \t\n\r();\"\\@$.*0a\0\xff".as_slice())), 1..4)) {
        let mut zone = pick.get(&corpus()).clone();
        for (at, byte) in changes {
            let at = at.index(zone.len());
            zone[at] = byte;
        }
        zone::hold(&zone);
    }
}
