//! A sender's library behind a small C program of our own, one process for all trees.

use crate::tree::{AT, Tree};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) struct Peer {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    _directory: tempfile::TempDir,
}

impl Peer {
    /// Compiles `NAME.c` beside this file and starts it.
    pub(crate) fn start(name: &str, libraries: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join(name);
        let source = format!("{}/tests/dane_trees/{name}.c", env!("CARGO_MANIFEST_DIR"));
        let compiled = Command::new("cc")
            .args(["-O1", "-o"])
            .arg(&program)
            .arg(source)
            .args(libraries)
            .status()
            .expect("a C compiler must be installed");
        assert!(compiled.success(), "{name}.c needs its library's headers");
        let mut child = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            to: child.stdin.take(),
            from: BufReader::new(child.stdout.take().unwrap()),
            child,
            _directory: directory,
        }
    }

    pub(crate) fn judge(&mut self, tree: &Tree) -> String {
        let records: Vec<String> = tree
            .records
            .iter()
            .map(|(usage, selector, matching, data)| {
                format!("{usage:02x}{selector:02x}{matching:02x}{}", hex(data))
            })
            .collect();
        let chain: Vec<String> = tree.chain.iter().map(|der| hex(der)).collect();
        let (hosts, records, chain) = (tree.hosts.join(","), records.join(","), chain.join(","));
        let to = self.to.as_mut().unwrap();
        writeln!(to, "{AT} {hosts} {records} {chain}").unwrap();
        to.flush().unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "the judge ended at {}", tree.told);
        answer.trim().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.to.take());
        let _ = self.child.wait();
    }
}

fn hex(octets: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(octets)
}
