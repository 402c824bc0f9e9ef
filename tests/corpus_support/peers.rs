//! The other readers: how each is asked about a file, and what it answers.

use super::files::Sample;
use super::raw::raw_rows;
use super::{Rows, rows};
use std::path::Path;
use std::process::{Command, Output};
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Rtype};

/// Another reader of master files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// `named-compilezone`, all checks beyond the format off.
    Bind,
    /// `named-checkzone` as it comes, names of other zones not looked up.
    BindCheck,
    /// `ldns-read-zone`.
    Ldns,
    /// `kzonecheck` without its DNSSEC checks; it says yes or no.
    Knot,
    /// `nsd-checkzone -p`.
    Nsd,
}

pub(crate) const PEERS: [Peer; 5] = [
    Peer::Bind,
    Peer::BindCheck,
    Peer::Ldns,
    Peer::Knot,
    Peer::Nsd,
];

/// What a peer makes of a file.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A zone; with its records where the peer prints them.
    Zone(Option<Rows>),
    /// Not a zone, for this reason.
    Refused(String),
}

impl Peer {
    pub(crate) fn ask(self, sample: &Sample) -> Answer {
        let origin = sample.origin.to_string();
        match self {
            Self::Bind => compiled(&sample.path, &origin),
            Self::BindCheck => {
                let run = run(
                    &sample.path,
                    &[
                        "named-checkzone",
                        "-i",
                        "local",
                        &origin,
                        name(&sample.path),
                    ],
                );
                answer(&run, |_| None)
            }
            Self::Ldns => {
                // It takes no origin.
                let mut text = format!("$ORIGIN {origin}\n").into_bytes();
                text.extend(&sample.bytes);
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), text).unwrap();
                let run = run(
                    &sample.path,
                    &["ldns-read-zone", file.path().to_str().unwrap()],
                );
                answer(&run, |out| Some(printed(out, &sample.origin)))
            }
            Self::Knot => {
                let run = run(
                    &sample.path,
                    &[
                        "kzonecheck",
                        "-v",
                        "-d",
                        "off",
                        "-o",
                        &origin,
                        name(&sample.path),
                    ],
                );
                answer(&run, |_| None)
            }
            Self::Nsd => {
                let run = run(
                    &sample.path,
                    &["nsd-checkzone", "-p", &origin, name(&sample.path)],
                );
                answer(&run, |out| Some(printed(out, &sample.origin)))
            }
        }
    }

    /// The records as the peer can tell them apart: NSD prints names in data in lower case.
    pub(crate) fn sees(self, rows: &Rows) -> Rows {
        let folded = |data: &[u8], rtype| Rdata(data.into()).canonical(Rtype(rtype)).into_owned();
        rows.iter()
            .cloned()
            .map(|(owner, rtype, ttl, data)| match self {
                Self::Nsd => (owner, rtype, ttl, folded(&data, rtype)),
                _ => (owner, rtype, ttl, data),
            })
            .collect()
    }
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Runs a command beside the file; no peer may take longer than ten seconds.
fn run(path: &Path, command: &[&str]) -> Output {
    Command::new("timeout")
        .arg("10")
        .args(command)
        .current_dir(path.parent().unwrap())
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|e| panic!("{command:?} must be installed: {e}"))
}

fn answer(run: &Output, read: impl Fn(&[u8]) -> Option<Rows>) -> Answer {
    if run.status.success() {
        return Answer::Zone(read(&run.stdout));
    }
    let code = run.status.code();
    let said = [&run.stderr[..], &run.stdout[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Answer::Refused(if code == Some(124) {
        "took too long".to_owned()
    } else {
        said
    })
}

/// `named-compilezone` with every check off that can be off.
pub(crate) const LAX: &str =
    "-i none -k ignore -n ignore -m ignore -M ignore -r ignore -S ignore -T ignore -W ignore";

/// Asks `named-compilezone` for the records of a file.
pub(crate) fn compiled(path: &Path, origin: &str) -> Answer {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("raw");
    let mut command = vec!["named-compilezone"];
    command.extend(LAX.split(' '));
    command.extend(["-F", "raw", "-o", out.to_str().unwrap(), origin, name(path)]);
    let run = run(path, &command);
    answer(&run, |_| Some(raw_rows(&std::fs::read(&out).unwrap())))
}

/// The records of the text that a peer prints, one a line.
fn printed(text: &[u8], origin: &Name) -> Rows {
    match Zone::parse(text, Some(origin)) {
        Ok(zone) => rows(&zone),
        Err(found) => Rows::from([(format!("its output: {found}"), 0, 0, Vec::new())]),
    }
}
