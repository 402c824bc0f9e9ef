//! What the DANE tests share: the real openssl, and the program under test.
#![allow(dead_code)] // each test file uses its part

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A directory that openssl makes things in.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, octets: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, octets).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs openssl in the directory; it must succeed.
    pub(crate) fn openssl(&self, arguments: &str) -> Vec<u8> {
        let words: Vec<&str> = arguments.split(' ').collect();
        let output = Command::new("openssl")
            .args(&words)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .expect("openssl must be installed");
        assert!(
            output.status.success(),
            "openssl {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// Makes `name.key`: rsa, p256, p384 or ed25519.
    pub(crate) fn key(&self, name: &str, kind: &str) {
        let how = match kind {
            "rsa" => "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
            "p256" => "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            "p384" => "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
            "p521" => "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
            "ed25519" => "-algorithm ED25519",
            "ed448" => "-algorithm ED448",
            "pss" => "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048",
            "small" => "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
            other => panic!("{other}"),
        };
        self.openssl(&format!("genpkey {how} -out {name}.key"));
    }

    /// Makes `name.key` and a self-signed `name.pem` for `host`.
    pub(crate) fn self_signed(&self, name: &str, kind: &str, host: &str) {
        self.key(name, kind);
        self.openssl(&format!(
            "req -x509 -key {name}.key -out {name}.pem -days 30 -subj /CN={host} \
             -addext subjectAltName=DNS:{host} -addext basicConstraints=critical,CA:FALSE"
        ));
    }

    /// Makes a root `name.pem`.
    pub(crate) fn root(&self, name: &str) {
        self.key(name, "p256");
        let extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                          subjectKeyIdentifier=hash\n";
        self.certify(name, name, None, extensions, "300");
    }

    /// Makes `name.pem` with a new key, issued by `issuer`, with these extension lines, valid for `days`.
    pub(crate) fn issued(
        &self,
        name: &str,
        subject: &str,
        issuer: &str,
        extensions: &str,
        days: &str,
    ) {
        self.key(name, "p256");
        self.certify(name, subject, Some(issuer), extensions, days);
    }

    /// Certifies `name.key`, by itself where there is no issuer, until so many days from now (less than none: long ago). It begins at a fixed day long
    /// ago: tests that have a time of their own are not to depend on the day on which they run.
    fn certify(
        &self,
        name: &str,
        subject: &str,
        issuer: Option<&str>,
        extensions: &str,
        days: &str,
    ) {
        self.openssl(&format!(
            "req -new -key {name}.key -out {name}.csr -subj /CN={subject}"
        ));
        self.write(&format!("{name}.ext"), extensions);
        self.write("ca.index", "");
        self.write(
            "ca.cnf",
            "[ca]\ndefault_ca = here\n[here]\ndatabase = ca.index\nserial = ca.serial\nnew_certs_dir = .\n\
             default_md = sha256\npolicy = names\nunique_subject = no\n[names]\ncommonName = supplied\n",
        );
        let end = match days.strip_prefix('-') {
            None => format!("-days {days}"),
            Some(_) => "-enddate 20260201000000Z".to_owned(),
        };
        let by = match issuer {
            Some(issuer) => format!("-cert {issuer}.pem -keyfile {issuer}.key"),
            None => format!("-selfsign -keyfile {name}.key"),
        };
        self.openssl(&format!(
            "ca -batch -notext -config ca.cnf -create_serial {by} -in {name}.csr -out {name}.pem \
             -startdate 20260101000000Z {end} -extfile {name}.ext"
        ));
    }

    /// Puts files one behind the other.
    pub(crate) fn concat(&self, name: &str, parts: &[&str]) -> PathBuf {
        let octets: Vec<u8> = parts.iter().flat_map(|part| self.read(part)).collect();
        self.write(name, octets)
    }

    /// `openssl dgst` or the octets themselves, in hex.
    pub(crate) fn matched(&self, matching: u8, octets: &[u8]) -> String {
        self.write("digested", octets);
        let raw = match matching {
            1 => self.openssl("dgst -sha256 -binary digested"),
            2 => self.openssl("dgst -sha512 -binary digested"),
            _ => octets.to_vec(),
        };
        hex(&raw)
    }
}

pub(crate) fn hex(octets: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(octets)
}

/// Runs the program in `dir`.
pub(crate) fn program(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// An RSA certificate whose `AlgorithmIdentifier` lacks the NULL that RFC 3279 §2.3.1 asks for: some issuers write it so.
pub(crate) fn rsa_spki_without_null(certificate: &[u8]) -> Vec<u8> {
    const WITH: &[u8] = &[
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    const WITHOUT: &[u8] = &[
        0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
    ];
    let at = certificate
        .windows(WITH.len())
        .position(|w| w == WITH)
        .unwrap();
    let mut odd = certificate[..at].to_vec();
    odd.extend_from_slice(WITHOUT);
    odd.extend_from_slice(&certificate[at + WITH.len()..]);
    // Three lengths around it shrink by two: Certificate, TBSCertificate, SubjectPublicKeyInfo.
    for start in [0, 4, at - 4] {
        assert_eq!(odd[start..start + 2], [0x30, 0x82]);
        let length = u16::from_be_bytes([odd[start + 2], odd[start + 3]]) - 2;
        odd[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
    }
    odd
}
