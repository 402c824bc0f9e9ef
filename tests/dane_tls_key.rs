//! The next TLS key on disk: made once, adopted when whole, completed when a crash left a part out, never overwritten.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;

use dane_support::{Bench, program, stdout};
use ring::rand::SystemRandom;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use tlsa_rotate::dane::key::Strength;
use tlsa_rotate::dane::subject;
use tlsa_rotate::rotation::timing::Instant;
use tlsa_rotate::workspace::tls_key::{self, KeyFiles, KeyKind, TlsKeyError, VALIDITY};

const NOW: Instant = Instant::from_unix(1_795_478_399);

fn files(bench: &Bench) -> KeyFiles {
    KeyFiles {
        key: bench.path("next.key"),
        certificate: bench.path("next.pem"),
        request: bench.path("next.csr"),
    }
}

fn hosts() -> Vec<String> {
    vec!["mx1.example.com".to_owned(), "mx2.example.com".to_owned()]
}

fn ensure(bench: &Bench, kind: KeyKind) -> Result<tls_key::NextKey, TlsKeyError> {
    tls_key::ensure(&files(bench), kind, &hosts(), NOW, &SystemRandom::new())
}

#[test]
fn both_kinds_are_made_as_openssl_wants_them() {
    for (kind, strength) in [
        (KeyKind::EcdsaP256, Strength::P256),
        (KeyKind::Rsa2048, Strength::Rsa { bits: 2048 }),
    ] {
        let bench = Bench::new();
        let made = ensure(&bench, kind).unwrap();
        assert!(!made.adopted);
        let permissions = fs::metadata(bench.path("next.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(permissions & 0o7777, 0o600);
        let certificate = &made.certificate;
        assert_eq!(certificate.dns_names(), hosts());
        assert_eq!(certificate.common_name(), Some("mx1.example.com"));
        assert_eq!(
            (certificate.not_before(), certificate.not_after()),
            (NOW, NOW + VALIDITY)
        );
        assert_eq!(certificate.public_key().unwrap().strength(), strength);
        assert!(strength.is_enough() && !certificate.is_ca());
        let key = subject::read(&bench.read("next.key")).unwrap()[0]
            .public_key()
            .unwrap();
        assert!(certificate.belongs_to(&key));

        let text = bench.openssl("x509 -in next.pem -noout -text");
        let text = String::from_utf8(text).unwrap();
        for part in [
            "CA:FALSE",
            "TLS Web Server Authentication",
            "DNS:mx2.example.com",
        ] {
            assert!(text.contains(part), "{text}");
        }
        bench.openssl("verify -CAfile next.pem -attime 1795478400 next.pem");
        bench.openssl("req -in next.csr -noout -verify");
        assert!(
            bench
                .read("next.key")
                .starts_with(b"-----BEGIN PRIVATE KEY-----")
        );
        bench.openssl("pkey -in next.key -check -noout");
        let lines = stdout(&program(
            bench.dir.path(),
            &["record", "next.pem", "next.key", "next.csr"],
        ));
        assert_eq!(
            lines,
            format!("{}\n", certificate.spki_association()).repeat(3)
        );
    }
}

#[test]
fn what_is_there_is_adopted_and_what_a_crash_left_out_is_made_from_the_key() {
    let bench = Bench::new();
    let first = ensure(&bench, KeyKind::EcdsaP256).unwrap();
    let before = ["next.key", "next.pem", "next.csr"].map(|f| bench.read(f));
    let again = ensure(&bench, KeyKind::EcdsaP256).unwrap();
    assert!(again.adopted);
    assert_eq!(
        before,
        ["next.key", "next.pem", "next.csr"].map(|f| bench.read(f))
    );
    for missing in [&["next.pem"][..], &["next.csr"], &["next.pem", "next.csr"]] {
        for file in missing {
            fs::remove_file(bench.path(file)).unwrap();
        }
        let made = ensure(&bench, KeyKind::EcdsaP256).unwrap();
        assert!(made.adopted, "{missing:?}");
        assert_eq!(made.certificate.spki(), first.certificate.spki());
        assert_eq!(bench.read("next.key"), before[0]);
    }
    let names: Vec<String> = fs::read_dir(bench.dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 3, "nothing is left beside them: {names:?}");
}

/// Spoils one of the three files.
type Spoil = fn(&Bench);

#[test]
fn what_does_not_fit_is_refused_and_left_alone() {
    let spoil: [(&str, Spoil, &str); 7] = [
        (
            "readable key",
            |b| {
                fs::set_permissions(b.path("next.key"), fs::Permissions::from_mode(0o640)).unwrap();
            },
            "can be read by others (mode 0640)",
        ),
        (
            "another key",
            |b| {
                b.key("other", "p256");
                fs::copy(b.path("other.key"), b.path("next.key")).unwrap();
            },
            "does not belong to",
        ),
        (
            "another kind",
            |b| {
                b.key("other", "rsa");
                fs::copy(b.path("other.key"), b.path("next.key")).unwrap();
            },
            "holds a key that is RSA 2048, and ecdsa-p256 is asked for",
        ),
        (
            "torn key",
            |b| drop(b.write("next.key", "-----BEGIN PRIVATE KEY-----\nMIGH")),
            "truncated?",
        ),
        (
            "empty certificate",
            |b| drop(b.write("next.pem", "")),
            "next.pem: empty",
        ),
        (
            "other hosts",
            |b| {
                b.openssl("req -x509 -key next.key -out next.pem -subj /CN=x -addext subjectAltName=DNS:mx1.example.com");
            },
            "it is not for mx2.example.com",
        ),
        (
            "another's request",
            |b| {
                b.key("other", "p256");
                b.openssl("req -new -key other.key -subj /CN=x -out next.csr");
            },
            "it is not one request of this key",
        ),
    ];
    for (why, spoil, expected) in spoil {
        let bench = Bench::new();
        ensure(&bench, KeyKind::EcdsaP256).unwrap();
        spoil(&bench);
        let before = ["next.key", "next.pem", "next.csr"].map(|f| bench.read(f));
        let error = ensure(&bench, KeyKind::EcdsaP256).unwrap_err().to_string();
        assert!(error.contains(expected), "{why}: {error}");
        assert!(!error.contains("BEGIN PRIVATE"), "{why}: {error}");
        assert_eq!(
            before,
            ["next.key", "next.pem", "next.csr"].map(|f| bench.read(f)),
            "{why}"
        );
    }
}

#[test]
fn hosts_and_times_that_cannot_be_written_are_refused_before_anything_is() {
    let bench = Bench::new();
    let random = SystemRandom::new();
    let far = Instant::from_unix(u64::MAX);
    for (hosts, now) in [
        (vec![], NOW),
        (vec!["müller.example".to_owned()], NOW),
        (hosts(), far),
    ] {
        let made = tls_key::ensure(&files(&bench), KeyKind::EcdsaP256, &hosts, now, &random);
        assert!(made.is_err(), "{hosts:?}");
        assert!(!bench.path("next.key").exists());
    }
}
