//! The file that a mail server reads its keys from: for each algorithm the key, then its chain, all replaced at once, so that
//! key and certificate never disagree (Postfix: `smtpd_tls_chain_files`).
//!
//! Beside it lies one file for each algorithm, for servers that want one pair in a file (Dovecot: `ssl_cert`, `ssl_alt_cert`).

use super::durable::{self, WriteError};
use super::output::{Output, OutputError, Refused};
use crate::dane::subject::{self, Subject, SubjectError};
use crate::files::guard::{self, Unkept};
use crate::files::read;
use crate::rotation::association::Association;
use crate::rotation::observation::KeyAlgorithm;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// A key and its chain, as they stand in the file.
#[derive(Clone)]
struct Pair {
    key: Association,
    text: Vec<u8>,
}

/// What the server reads.
#[derive(Clone, Default)]
pub struct Installed {
    pairs: BTreeMap<KeyAlgorithm, Pair>,
}

/// Why a file is not one that a server could read its keys from.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not kept as a secret is.
    #[error(transparent)]
    Unkept(#[from] Unkept),
    /// It holds something else.
    #[error("{}: {why}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It may not be written.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl From<OutputError> for InstallError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Refused(refused) => refused.into(),
            OutputError::Write(write) => write.into(),
        }
    }
}

impl InstallError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Unreadable { .. } => {
                vec!["nothing was installed; run as the user who owns it".to_owned()]
            }
            Self::Unkept(unkept) => unkept.hints(),
            Self::Content { path, .. } => vec![format!(
                "nothing was installed; {} must hold the key first, then its chain, and so for each algorithm",
                path.display()
            )],
            Self::Write(error) => error.hints(),
            Self::Refused(refused) => refused.hints(),
        }
    }
}

impl Installed {
    /// Reads the file at `path`, where it may be written; none if it is not there yet.
    pub fn read(path: &Path) -> Result<Option<Self>, InstallError> {
        Output::known(path)?;
        let unreadable = |source| InstallError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = match read::open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(unreadable)?,
        };
        guard::brought(path, &file.metadata().map_err(unreadable)?)?;
        let limit = u64::try_from(subject::MAX_OCTETS).unwrap_or(u64::MAX);
        let text = read::bounded(&file, limit).map_err(unreadable)?;
        let content = |why: String| InstallError::Content {
            path: path.to_owned(),
            why,
        };
        let mut installed = Self::default();
        for section in
            sections(&text).ok_or_else(|| content("it does not begin with a key".to_owned()))?
        {
            let (algorithm, pair) = pair(section).map_err(content)?;
            if installed.pairs.insert(algorithm, pair).is_some() {
                return Err(content("two keys of one algorithm are in it".to_owned()));
            }
        }
        Ok(Some(installed))
    }

    /// The key in it of each algorithm.
    pub fn keys(&self) -> BTreeMap<KeyAlgorithm, Association> {
        let pairs = self.pairs.iter();
        pairs
            .map(|(algorithm, pair)| (*algorithm, pair.key.clone()))
            .collect()
    }

    /// Puts a key and its chain in the place of those of their algorithm.
    pub fn put(&mut self, key: &[u8], chain: &[u8]) -> Result<(), SubjectError> {
        let mut text = Vec::new();
        for part in [key, chain] {
            text.extend(part.trim_ascii());
            text.push(b'\n');
        }
        let (algorithm, pair) = pair(&text).map_err(SubjectError::OtherPem)?;
        self.pairs.insert(algorithm, pair);
        Ok(())
    }

    /// Writes the file, and with `each` one beside it for each algorithm: `live.pem`, `live.ecdsa.pem`. Their mode is 0600
    /// where they are new. The files that were written.
    pub fn write(&self, path: &Path, each: bool) -> Result<Vec<PathBuf>, InstallError> {
        let mut written = Vec::new();
        if each {
            for (algorithm, pair) in &self.pairs {
                let name = match algorithm {
                    KeyAlgorithm::Rsa => "rsa.pem",
                    KeyAlgorithm::Ecdsa => "ecdsa.pem",
                };
                let beside = path.with_extension(name);
                // What is no such file is somebody else's, and may be the only copy of a key.
                Self::read(&beside)?;
                put(&beside, &pair.text)?;
                written.push(beside);
            }
        }
        let texts: Vec<u8> = self
            .pairs
            .values()
            .flat_map(|pair| pair.text.clone())
            .collect();
        put(path, &texts)?;
        written.push(path.to_owned());
        Ok(written)
    }
}

fn put(path: &Path, text: &[u8]) -> Result<(), InstallError> {
    let output = Output::known(path)?;
    // A new one is born unreadable for others; one that is there keeps its mode and owner.
    match durable::create(path, text, 0o600) {
        Err(error) if error.is_already_there() => {
            output.replace(text)?;
            Ok(())
        }
        created => Ok(created?),
    }
}

/// The text from each private key to the next. None if something else comes first.
fn sections(text: &[u8]) -> Option<Vec<&[u8]>> {
    let is_key = |line: &[u8]| {
        line.starts_with(b"-----BEGIN ") && line.trim_ascii_end().ends_with(b"PRIVATE KEY-----")
    };
    let mut starts = Vec::new();
    let mut at = 0_usize;
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        if is_key(line) {
            starts.push(at);
        } else if starts.is_empty() && line.starts_with(b"-----BEGIN ") {
            return None;
        }
        at = at.saturating_add(line.len());
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let sections = starts
        .iter()
        .zip(ends)
        .map(|(from, to)| text.get(*from..to));
    sections
        .collect::<Option<Vec<_>>>()
        .filter(|all| !all.is_empty())
}

/// One key and the one chain behind it, which belong together.
fn pair(text: &[u8]) -> Result<(KeyAlgorithm, Pair), String> {
    let subjects = subject::read(text).map_err(|e| e.to_string())?;
    // The key of a chain in the same file stands for nothing of its own; one of no chain is an error above, or left alone.
    let [Subject::Certificate(leaf)] = subjects.as_slice() else {
        return Err("a key must be followed by its one chain, leaf first".to_owned());
    };
    let algorithm = leaf
        .key_algorithm()
        .ok_or("its key is neither RSA nor ECDSA")?;
    let key = leaf.spki_association();
    let text = text.to_vec();
    Ok((algorithm, Pair { key, text }))
}
