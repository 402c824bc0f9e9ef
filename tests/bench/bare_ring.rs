//! The floor under signing and verifying a zone: ring alone, on one thread, over the messages that the zone's signatures cover.
//!
//! `bare_ring SIGNED_ZONE` makes one ECDSA P-256 signature for each RRSIG of the file, and checks one; it prints the CPU
//! seconds of either. What is measured is the arithmetic and the hash, nothing else: messages are laid out before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use tlsa_rotate::dnssec::rrsig::{CanonicalRrset, Rrsig};
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::record::Rtype;

fn main() {
    let file = std::env::args()
        .nth(1)
        .expect("usage: bare_ring SIGNED_ZONE");
    let text = std::fs::read(file).expect("the signed zone cannot be read");
    let zone = Zone::parse(&text, None).expect("this is not a zone");
    let messages = messages(&zone);

    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let secret = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, secret.as_ref(), &random).unwrap();
    let before = cpu_seconds();
    let sign = |message: &Vec<u8>| pair.sign(&random, message).unwrap();
    let signatures: Vec<_> = messages.iter().map(sign).collect();
    let signed = cpu_seconds();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key());
    for (message, signature) in messages.iter().zip(&signatures) {
        key.verify(message, signature.as_ref()).unwrap();
    }
    let verified = cpu_seconds();
    let count = messages.len();
    println!("{count} signatures made: {:.3} CPU s", signed - before);
    println!("{count} signatures checked: {:.3} CPU s", verified - signed);
}

/// What every RRSIG of the zone was made over (RFC 4034 §3.1.8.1).
fn messages(zone: &Zone) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for (owner, node) in &zone.nodes {
        for rdata in node.get(&Rtype::RRSIG).into_iter().flat_map(|r| &r.rdatas) {
            let rrsig = Rrsig::parse(rdata).unwrap();
            let (covered, ttl) = (rrsig.covered, rrsig.original_ttl);
            let mut message = Vec::new();
            rrsig.append_front(&mut message);
            let rrset = CanonicalRrset::new(covered, node.get(&covered).unwrap());
            rrset.append_records(&owner.canonical(), covered, ttl, &mut message);
            messages.push(message);
        }
    }
    messages
}

/// What this thread has had of the processor. Linux only, as the peers' figures are.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}
