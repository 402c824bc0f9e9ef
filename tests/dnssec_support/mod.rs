//! A directory with an unsigned zone and keys, in which our program and its peers sign and judge.
//!
//! The peers are the real programs (Debian: bind9-dnsutils, bind9-utils, ldnsutils, knot-dnsutils, knot-dnssecutils). One
//! that is missing fails the test.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test file uses its part

pub mod signed;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

pub const ZONE: &str = include_str!("../dnssec/example.com.zone");

/// A directory of its own with the unsigned zone in it.
pub struct Lab {
    directory: TempDir,
}

impl Lab {
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let lab = Self { directory };
        fs::create_dir(lab.path().join("keys")).unwrap();
        lab.write("zone", ZONE);
        // Some of what is done here is done at a time that is named.
        lab.write("tlsa-rotate.toml", "rehearsal = true\n");
        lab
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub fn command(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(program)
            .args(arguments)
            .current_dir(self.path())
            .env_remove("TLSA_ROTATE_CONFIG")
            .output()
            .unwrap_or_else(|e| panic!("{program} must be installed for this test: {e}"))
    }

    /// Runs a program that must succeed; gives its standard output.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program, arguments);
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}",
            told(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn ours(&self, arguments: &[&str]) -> String {
        self.run(env!("CARGO_BIN_EXE_tlsa-rotate"), arguments)
    }

    /// Runs our program, which must refuse with exit code 1; gives what it said.
    pub fn ours_refuses(&self, arguments: &[&str]) -> String {
        let output = self.command(env!("CARGO_BIN_EXE_tlsa-rotate"), arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{arguments:?}: {}",
            told(&output)
        );
        told(&output)
    }

    pub fn generate(&self, algorithm: &str, role: &str) -> String {
        let arguments = [
            "key",
            "generate",
            "example.com",
            "--keys",
            "keys",
            "--algorithm",
            algorithm,
            "--role",
            role,
        ];
        self.ours(&arguments).trim().to_owned()
    }

    pub fn sign(&self, output: &str, more: &[&str]) {
        let plain = [
            "zone",
            "sign",
            "zone",
            "--origin",
            "example.com",
            "--keys",
            "keys",
            "--output",
            output,
        ];
        self.ours(&[&plain[..], more].concat());
    }

    pub fn verify(&self, file: &str, more: &[&str]) -> String {
        let plain = ["zone", "verify", file, "--origin", "example.com"];
        self.ours(&[&plain[..], more].concat())
    }

    /// The zone in `file` passes all three peers. `-z`: BIND is told not to insist on a KSK apart from the ZSK.
    pub fn peers_accept(&self, file: &str) {
        self.run("dnssec-verify", &["-z", "-o", "example.com", file]);
        self.run("ldns-verify-zone", &[file]);
        self.run("kzonecheck", &["-d", "on", "-o", "example.com", file]);
    }

    pub fn keys(&self, ending: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path().join("keys")).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(ending).map(|stem| format!("keys/{stem}")))
            .collect();
        names.sort();
        names
    }
}

pub fn told(output: &Output) -> String {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    format!(
        "{}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// (number, our name, BIND's name)
pub const ALGORITHMS: [(&str, &str, &str); 5] = [
    ("013", "ecdsap256sha256", "ECDSAP256SHA256"),
    ("015", "ed25519", "ED25519"),
    ("008", "rsasha256", "RSASHA256"),
    ("014", "ecdsap384sha384", "ECDSAP384SHA384"),
    ("010", "rsasha512", "RSASHA512"),
];
