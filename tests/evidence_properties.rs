//! What comes from name servers, mail hosts and senders of reports, whole, cut off and damaged: what is said of any bytes
//! in `fuzz/src/evidence.rs` holds for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;
#[path = "fuzz/src/evidence.rs"]
mod evidence;

use dane_support::Bench;
use proptest::prelude::*;
use std::process::Command;

/// A reader of bytes, and bytes that it reads to their end.
type Target = (Reader, Vec<Vec<u8>>);

/// It panics where a property does not hold.
type Reader = fn(&[u8]);

/// What the fuzzer starts from, made anew.
fn targets() -> Vec<Target> {
    let bench = Bench::new();
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/seeds");
    let copy = bench.path("seeds");
    std::fs::copy(seeds, &copy).unwrap();
    assert!(Command::new(&copy).status().unwrap().success());
    let readers: [(&str, Reader); 6] = [
        ("dns", evidence::dns),
        ("smtp", evidence::smtp),
        ("tls", evidence::tls),
        ("chain", evidence::chain),
        ("tlsa", evidence::tlsa),
        ("report", evidence::report),
    ];
    let found = |(name, reader): (&str, Reader)| {
        let files = std::fs::read_dir(bench.path(&format!("corpus/{name}"))).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        let texts = files.iter().map(|file| std::fs::read(file).unwrap());
        (reader, texts.collect())
    };
    readers.into_iter().map(found).collect()
}

#[test]
fn the_properties_hold_for_whole_texts_and_their_prefixes() {
    for (reader, texts) in targets() {
        for text in texts {
            reader(&text);
            for end in (0..text.len()).step_by(text.len() / 50 + 1) {
                reader(&text[..end]);
            }
        }
    }
}

#[test]
fn the_properties_hold_for_damaged_texts() {
    let targets = targets();
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    let changes = prop::collection::vec(change, 1..8);
    let picks = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        changes,
    );
    let config = ProptestConfig {
        cases: 3_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |((target, text, changes) in picks)| {
        let (reader, texts) = target.get(&targets);
        let mut octets = match texts.as_slice() {
            [] => Vec::new(),
            texts => text.get(texts).clone(),
        };
        for (at, octet, how) in changes {
            let at = at.index(octets.len() + 1);
            match how {
                0 if at < octets.len() => octets[at] = octet,
                1 => drop(octets.drain(at..(at + usize::from(octet)).min(octets.len()))),
                2 => octets.insert(at, octet),
                _ => {
                    let piece = octets[at..(at + usize::from(octet)).min(octets.len())].to_vec();
                    octets.splice(at..at, piece);
                }
            }
        }
        reader(&octets);
    });
}
