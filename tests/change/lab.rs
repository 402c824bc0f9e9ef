//! A directory with a signed zone, the next version of it, and SSH keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub(crate) const ZONE: &str = include_str!("../dnssec/example.com.zone");
pub(crate) const NOW: &str = "2026-11-24T08:00:00Z";
/// A TLSA record more, an address and a DS record changed, a TTL lowered.
pub(crate) const EDITS: [(&str, &str); 5] = [
    ("2026112301", "2026112302"),
    (
        "_25._tcp.mx2 IN CNAME",
        "_25._tcp.mx1 300 IN TLSA 3 1 1 5ad7bcda23ac7cd24400a2b3f07e86d9e1ae1d1ddd4bbbbde5d2bb7e7c5e6ba1\n_25._tcp.mx2 IN CNAME",
    ),
    ("192.0.2.80", "192.0.2.81"),
    ("12345 13 2 e1ae", "777 13 2 f2ae"),
    ("Mx1     600", "Mx1     300"),
];

pub(crate) struct Lab {
    directory: TempDir,
}

impl Lab {
    /// `old` and `new` are signed, `op` is an SSH key, `allowed` the list with it, `proposal` the signed change.
    pub(crate) fn new() -> Self {
        let lab = Self::unsigned();
        lab.ours(&["key", "generate", "example.com", "--keys", "keys"]);
        lab.sign("zone", "old", &[]);
        lab.write("zone2", &edited(&EDITS));
        lab.sign("zone2", "new", &["--previous", "old"]);
        lab.ssh_key("op", &["-t", "ed25519"]);
        lab.allow(
            "allowed",
            &format!("alice@example.com {}\n", lab.public("op")),
        );
        lab.make("old", "new", "proposal", &[]);
        lab
    }

    /// Only the unsigned zone, and a directory for keys.
    pub(crate) fn unsigned() -> Self {
        let lab = Self {
            directory: TempDir::new().unwrap(),
        };
        fs::create_dir(lab.path("keys")).unwrap();
        lab.write("zone", ZONE);
        // What is done here is done at a time that is named.
        lab.write("tlsa-rotate.toml", "rehearsal = true\n");
        lab
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn allow(&self, name: &str, lines: &str) {
        self.write(name, lines);
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(program)
            .args(arguments)
            .current_dir(self.directory())
            .env_remove("SSH_AUTH_SOCK")
            .output()
            .unwrap_or_else(|e| panic!("{program} must be installed for this test: {e}"))
    }

    /// Runs a program that must succeed; gives its standard output.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program, arguments);
        let told = told(&output);
        assert!(output.status.success(), "{program} {arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Our program at [`NOW`]: exit code and everything it said.
    pub(crate) fn attempt(&self, arguments: &[&str]) -> (i32, String) {
        let mut all = arguments.to_vec();
        if !arguments.contains(&"--now") {
            all.extend(["--now", NOW]);
        }
        let output = self.command(env!("CARGO_BIN_EXE_tlsa-rotate"), &all);
        (output.status.code().unwrap(), told(&output))
    }

    /// Our program at [`NOW`], which must succeed; gives its standard output.
    pub(crate) fn ours(&self, arguments: &[&str]) -> String {
        let program = env!("CARGO_BIN_EXE_tlsa-rotate");
        self.run(program, &[arguments, &["--now", NOW]].concat())
    }

    pub(crate) fn sign(&self, zone: &str, output: &str, more: &[&str]) {
        let plain = [
            "zone",
            "sign",
            zone,
            "--origin",
            "example.com",
            "--keys",
            "keys",
            "--output",
            output,
        ];
        self.ours(&[&plain[..], more].concat());
    }

    pub(crate) fn make(&self, old: &str, new: &str, output: &str, more: &[&str]) {
        let plain = [
            "change",
            "make",
            old,
            new,
            "--sign-with",
            "op",
            "--rotation",
            "mail.1",
            "--step",
            "publish",
            "--output",
            output,
        ];
        self.ours(&[&plain[..], more].concat());
    }

    /// Makes the key `name` and `name.pub`.
    pub(crate) fn ssh_key(&self, name: &str, kind: &[&str]) {
        let rest = ["-q", "-N", "", "-C", "test", "-f", name];
        self.run("ssh-keygen", &[kind, &rest].concat());
    }

    /// `type base64` of a key.
    pub(crate) fn public(&self, name: &str) -> String {
        let text = self.read(&format!("{name}.pub"));
        let words: Vec<&str> = text.split(' ').take(2).collect();
        words.join(" ")
    }
}

/// The zone with these texts replaced.
pub(crate) fn edited(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(ZONE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

pub(crate) fn told(output: &Output) -> String {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
