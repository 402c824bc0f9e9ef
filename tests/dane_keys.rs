//! Keys as the DANE room reads them: how strong one is and when two are one, private keys that contradict themselves, what files
//! are told apart by, and the parameters of an association.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;

use dane_support::Bench;
use tlsa_rotate::dane::association::{self, Parameters};
use tlsa_rotate::dane::certificate::Certificate;
use tlsa_rotate::dane::key::{KeyError, PublicKey, Strength};
use tlsa_rotate::dane::subject::{self, SubjectError};
use tlsa_rotate::rotation::association::{Association, Combination};
use tlsa_rotate::rotation::observation::KeyAlgorithm;

const HOST: &str = "mx1.example.com";

fn certificate(bench: &Bench, name: &str) -> Certificate {
    let chain = subject::read_chain(&bench.read(&format!("{name}.pem"))).unwrap();
    chain.into_iter().next().unwrap()
}

fn spki(bench: &Bench, key: &str, more: &str) -> Vec<u8> {
    bench.openssl(&format!("pkey -in {key}.key -pubout -outform DER{more}"))
}

#[test]
fn a_key_says_its_kind_and_strength_and_is_the_same_however_it_is_written() {
    use KeyAlgorithm::{Ecdsa, Rsa};
    let bench = Bench::new();
    for kind in ["rsa", "p256", "p384", "ed25519"] {
        bench.key(kind, kind);
    }
    bench.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out weak.key");
    bench.openssl("genpkey -algorithm X25519 -out x25519.key");
    bench.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.key");
    bench.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-224 -out p224.key");
    bench.openssl("genpkey -algorithm ED448 -out ed448.key");
    bench.openssl("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key");
    let table = [
        (
            "rsa",
            Some(Rsa),
            Strength::Rsa { bits: 2048 },
            "RSA 2048",
            true,
        ),
        (
            "weak",
            Some(Rsa),
            Strength::Rsa { bits: 1024 },
            "RSA 1024",
            false,
        ),
        ("p256", Some(Ecdsa), Strength::P256, "ECDSA P-256", true),
        ("p384", Some(Ecdsa), Strength::P384, "ECDSA P-384", true),
        ("ed25519", Some(Ecdsa), Strength::Ed25519, "Ed25519", true),
        ("p521", Some(Ecdsa), Strength::P521, "ECDSA P-521", true),
        ("ed448", Some(Ecdsa), Strength::Ed448, "Ed448", true),
        (
            "pss",
            Some(Rsa),
            Strength::Rsa { bits: 2048 },
            "RSA 2048",
            true,
        ),
        (
            "p224",
            Some(Ecdsa),
            Strength::Other,
            "of another algorithm",
            false,
        ),
        (
            "x25519",
            None,
            Strength::Other,
            "of another algorithm",
            false,
        ),
    ];
    for (name, algorithm, strength, shown, enough) in table {
        let octets = spki(&bench, name, "");
        let key = PublicKey::from_spki(&octets).unwrap();
        assert_eq!(
            (key.algorithm(), key.strength()),
            (algorithm, strength),
            "{name}"
        );
        assert_eq!(
            (strength.to_string().as_str(), strength.is_enough()),
            (shown, enough)
        );
        assert_eq!(key.spki(), octets);
        // What is verified with: the end of the SPKI, whatever the algorithm.
        let verified = key.verification_octets();
        assert!(octets.ends_with(&verified) && verified.len() > 30, "{name}");
    }
    assert!(!Strength::Rsa { bits: 2047 }.is_enough());
    for curve in ["p256", "p384", "p521"] {
        let plain = PublicKey::from_spki(&spki(&bench, curve, "")).unwrap();
        let short = " -ec_conv_form compressed";
        let short = PublicKey::from_spki(&spki(&bench, curve, short)).unwrap();
        let long = " -ec_param_enc explicit";
        let long = PublicKey::from_spki(&spki(&bench, curve, long)).unwrap();
        assert_ne!(plain.spki(), short.spki());
        assert_eq!(plain.verification_octets(), short.verification_octets());
        assert!(plain.is(&short) && plain.is(&long) && long.is(&plain));
    }
    let [rsa, p256] =
        ["rsa", "p256"].map(|name| PublicKey::from_spki(&spki(&bench, name, "")).unwrap());
    assert!(rsa.is(&rsa) && !rsa.is(&p256));
}

/// A DER element.
fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut octets = vec![tag];
    if length < 0x80 {
        octets.push(length.try_into().unwrap());
    } else {
        octets.push(0x82);
        octets.extend(u16::try_from(length).unwrap().to_be_bytes());
    }
    octets.extend_from_slice(contents);
    octets
}

#[test]
fn a_private_key_that_contradicts_itself_or_cannot_be_computed_with_is_refused() {
    let bench = Bench::new();
    for kind in ["p256", "p384", "ed25519", "rsa"] {
        bench.key(kind, kind);
        bench.openssl(&format!("pkey -in {kind}.key -outform DER -out {kind}.der"));
    }
    let of = |der: &[u8]| PublicKey::from_private(der).map(|key| key.spki().to_vec());
    bench.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.key");
    bench.openssl("genpkey -algorithm ED448 -out ed448.key");
    bench.openssl("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key");
    for kind in ["p521", "ed448", "pss"] {
        bench.openssl(&format!("pkey -in {kind}.key -outform DER -out {kind}.der"));
    }
    for kind in ["p256", "p384", "p521", "ed25519", "ed448", "rsa", "pss"] {
        assert_eq!(
            of(&bench.read(&format!("{kind}.der"))),
            Ok(spki(&bench, kind, "")),
            "{kind}"
        );
    }
    // The point at the end of a PKCS#8 EC key is changed: it is another's, or none.
    for (kind, point_octets) in [("p256", 65), ("p384", 97), ("p521", 133)] {
        bench.openssl(&format!("ec -in {kind}.key -outform DER -out {kind}.sec1"));
        bench.key(&format!("{kind}x"), kind);
        let (own, other) = (
            spki(&bench, kind, ""),
            spki(&bench, &format!("{kind}x"), ""),
        );
        let point = |spki: &[u8]| spki[spki.len() - point_octets..].to_vec();
        let der = bench.read(&format!("{kind}.sec1"));
        let at = der
            .windows(point(&own).len())
            .position(|w| w == point(&own))
            .unwrap();
        let swapped = [&der[..at], &point(&other), &der[at + point(&own).len()..]].concat();
        assert_eq!(of(&swapped), Err(KeyError::Contradiction), "{kind}");
    }
    let seed = &bench.read("ed25519.der")[16..48];
    let algorithm = element(0x30, &element(0x06, &[0x2b, 0x65, 0x70]));
    let pkcs8 = |seed: &[u8], more: &[u8]| {
        let private = element(0x04, &element(0x04, seed));
        element(0x30, &[&[2, 1, 1], &algorithm[..], &private, more].concat())
    };
    let public = spki(&bench, "ed25519", "")[12..].to_vec();
    let written = |public: &[u8]| element(0x81, &[&[0], public].concat());
    let expected = Ok(spki(&bench, "ed25519", ""));
    assert_eq!(of(&pkcs8(seed, &[])), expected);
    assert_eq!(of(&pkcs8(seed, &written(&public))), expected);
    assert_eq!(
        of(&pkcs8(seed, &element(0xa0, &[]))),
        expected,
        "attributes"
    );
    let other = Err(KeyError::Contradiction);
    assert_eq!(of(&pkcs8(seed, &written(&[7; 32]))), other);
    let damaged = of(&pkcs8(&seed[1..], &[])).unwrap_err();
    assert!(matches!(damaged, KeyError::Damaged(_)), "{damaged}");

    // RSA: numbers that do not fit, more than two primes, and moduli that would hold the program up.
    let numbers = |version: u8, bits: usize| {
        let mut modulus = vec![0xff; bits / 8];
        modulus.insert(0, u8::from(!bits.is_multiple_of(8)));
        let rest = [3_u8; 6].map(|n| element(2, &[n])).concat();
        element(
            0x30,
            &[
                element(2, &[version]),
                element(2, &modulus),
                element(2, &[3]),
                rest,
            ]
            .concat(),
        )
    };
    let why = |version, bits| of(&numbers(version, bits)).unwrap_err().to_string();
    assert!(why(0, 2048).contains("do not fit together"));
    assert!(why(0, 8192).contains("do not fit together"));
    assert!(why(0, 8193).contains("above 8192 bits are not read"));
    assert!(why(1, 2048).contains("more than two primes"));
}

#[test]
fn parameters_are_those_that_are_assigned_and_a_digest_of_nothing_is_known() {
    let bench = Bench::new();
    bench.self_signed("one", "p256", HOST);
    let subject = &subject::read(&bench.read("one.pem")).unwrap()[0];
    for (usage, selector, matching) in [(4, 1, 1), (3, 2, 1), (3, 1, 3)] {
        assert!(Parameters::new(usage, selector, matching).is_err());
    }
    let whole = Parameters::new(2, 0, 0).unwrap();
    assert_eq!(whole.usage(), 2);
    let record = whole.associate(subject).unwrap();
    assert_eq!(record.data, certificate(&bench, "one").der());
    let form = |selector, matching| Combination {
        usage: 3,
        selector,
        matching,
    };
    let made = |form| association::of_certificate(form, &certificate(&bench, "one")).is_some();
    assert!(made(form(0, 2)) && !made(form(2, 1)) && !made(form(1, 3)));
    let nothing = |matching: u8, of: &[u8]| {
        let hex = bench.matched(matching, of);
        let record: Association = format!("3 1 {matching} {hex}").parse().unwrap();
        association::is_digest_of_nothing(&record)
    };
    assert!(nothing(1, b"") && nothing(2, b""));
    assert!(!nothing(1, b"x") && !nothing(0, b"x"));
}

#[test]
fn files_are_told_apart_by_what_they_begin_with() {
    let bench = Bench::new();
    bench.self_signed("one", "p256", HOST);
    bench.root("stranger");
    let refused = |octets: &[u8]| subject::read(octets).unwrap_err();
    // The largest file that is read, and one octet more.
    let mut padded = bench.read("one.pem");
    padded.resize(subject::MAX_OCTETS, b'\n');
    assert_eq!(subject::read(&padded).unwrap().len(), 1);
    padded.push(b'\n');
    assert_eq!(refused(&padded), SubjectError::TooLarge);
    // Text that begins as a DER sequence does is no certificate that was cut off.
    assert_eq!(refused(b"0 is no certificate"), SubjectError::Garbage);
    let cut = &bench.openssl("x509 -in one.pem -outform DER")[..100];
    assert!(matches!(refused(cut), SubjectError::Truncated { .. }));
    let versioned = |version| element(0x30, &[element(2, &[version]), element(0x30, &[])].concat());
    assert_eq!(refused(&versioned(3)), SubjectError::Pkcs12);
    assert_eq!(refused(&versioned(1)), SubjectError::OtherDer);
    let pkcs7 = bench.openssl("crl2pkcs7 -nocrl -certfile one.pem -outform DER");
    assert_eq!(refused(&pkcs7), SubjectError::Pkcs7);
    let trusted = bench.openssl("x509 -in one.pem -trustout -addtrust serverAuth");
    assert!(trusted.starts_with(b"-----BEGIN TRUSTED CERTIFICATE-----"));
    let read = subject::read_chain(&trusted).unwrap();
    assert_eq!(read[0].der(), certificate(&bench, "one").der());
    // A CA's certificate behind a leaf that it has not issued begins a chain of its own.
    let both = [bench.read("one.pem"), bench.read("stranger.pem")].concat();
    assert_eq!(subject::read(&both).unwrap().len(), 2);
}
