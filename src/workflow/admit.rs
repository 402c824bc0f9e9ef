//! Steps 1 and 2: the next keys exist, belong to their certificates, are strong enough and new; their associations follow.

use super::WorkflowError;
use super::case::Case;
use super::start::Offered;
use crate::dane::certificate::Certificate;
use crate::dane::subject::{self, MAX_OCTETS};
use crate::rotation::association::Association;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, GeneratedKey, NextKey};
use crate::workspace::durable;
use crate::workspace::journal::RotationId;
use crate::workspace::tls_key::{self, KeyFiles, KeyKind};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The next keys, admitted.
#[derive(Debug)]
pub(super) struct Admitted {
    /// One `3 1 1` association for each.
    pub(super) associations: BTreeSet<Association>,
    /// The earliest end of validity among their certificates.
    pub(super) not_after: Instant,
    /// Certificates and keys, for deployment.
    pub(super) files: Vec<PathBuf>,
}

/// The directory that the next keys of a rotation lie in.
pub(super) fn directory(workspace: &Workspace, id: &RotationId) -> PathBuf {
    workspace.tls_keys(id)
}

/// The associations of the keys in use, from the live certificate files.
pub(super) fn in_use(
    certificate: &CertificateConfig,
) -> Result<BTreeSet<Association>, WorkflowError> {
    let leaves = live_leaves(certificate)?;
    Ok(leaves.iter().map(Certificate::spki_association).collect())
}

/// The leaves of the live certificate files.
pub(super) fn live_leaves(
    certificate: &CertificateConfig,
) -> Result<Vec<Certificate>, WorkflowError> {
    let live = certificate.live.iter();
    live.map(|live| leaf(&live.certificate)).collect()
}

/// Sees to it that the next keys of rotation `id` are in its directory; what an earlier run left there is adopted.
pub(super) fn admit(
    workspace: &Workspace,
    case: &Case<'_>,
    id: &RotationId,
    offered: Option<&Offered>,
    now: Instant,
) -> Result<Admitted, WorkflowError> {
    let directory = directory(workspace, id);
    durable::create_directory(&directory, 0o700)?;
    let pairs = match offered {
        Some(offered) => vec![take_over(
            &directory,
            0,
            &offered.certificate,
            &offered.key,
        )?],
        None => configured(&directory, case.certificate, now)?,
    };
    let (mut associations, mut not_after, mut files) = (BTreeSet::new(), None, Vec::new());
    for pair in pairs {
        let certificate = belongs_together(&pair.certificate, &pair.key)?;
        let association = certificate.spki_association();
        if case.has_used(&association) {
            return Err(WorkflowError::KeyUsedBefore {
                path: pair.certificate,
                association,
            });
        }
        let end = certificate.not_after();
        not_after = Some(not_after.map_or(end, |earliest: Instant| earliest.min(end)));
        associations.insert(association);
        files.extend([pair.certificate, pair.key]);
    }
    let nothing = || WorkflowError::NothingUnderWay {
        name: case.certificate.name.clone(),
    };
    Ok(Admitted {
        associations,
        not_after: not_after.ok_or_else(nothing)?,
        files,
    })
}

/// Whether the directory of a rotation holds the certificates of all its incoming keys.
pub(super) fn holds(
    workspace: &Workspace,
    id: &RotationId,
    incoming: &BTreeSet<Association>,
) -> Result<bool, WorkflowError> {
    let directory = directory(workspace, id);
    let entries = match fs::read_dir(&directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries.map_err(|source| unreadable(&directory, source))?,
    };
    let mut held = BTreeSet::new();
    for entry in entries {
        let path = entry
            .map_err(|source| unreadable(&directory, source))?
            .path();
        if path.to_string_lossy().ends_with(".cert.pem") {
            held.insert(leaf(&path)?.spki_association());
        }
    }
    Ok(incoming.is_subset(&held))
}

struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

fn configured(
    directory: &Path,
    certificate: &CertificateConfig,
    now: Instant,
) -> Result<Vec<Pair>, WorkflowError> {
    // What `start --certificate` brought, before a crash, goes before the configuration.
    let brought = names(directory, 0);
    if brought.certificate.exists() {
        return Ok(vec![brought]);
    }
    match &certificate.next {
        NextKey::Generate(kinds) => {
            let random = ring::rand::SystemRandom::new();
            kinds
                .iter()
                .map(|kind| {
                    let kind = match kind {
                        GeneratedKey::EcdsaP256 => KeyKind::EcdsaP256,
                        GeneratedKey::Rsa2048 => KeyKind::Rsa2048,
                    };
                    let files = KeyFiles {
                        key: directory.join(format!("{kind}.key.pem")),
                        certificate: directory.join(format!("{kind}.cert.pem")),
                        request: directory.join(format!("{kind}.csr.pem")),
                    };
                    tls_key::ensure(&files, kind, &certificate.hosts, now, &random)?;
                    Ok(Pair {
                        certificate: files.certificate,
                        key: files.key,
                    })
                })
                .collect()
        }
        NextKey::Files(pairs) => pairs
            .iter()
            .zip(1..)
            .map(|(pair, number)| take_over(directory, number, &pair.certificate, &pair.key))
            .collect(),
    }
}

fn names(directory: &Path, number: usize) -> Pair {
    Pair {
        certificate: directory.join(format!("brought-{number}.cert.pem")),
        key: directory.join(format!("brought-{number}.key.pem")),
    }
}

/// Copies a pair that somebody else made into the rotation's directory, so that a renewal there cannot change it here.
fn take_over(
    directory: &Path,
    number: usize,
    certificate: &Path,
    key: &Path,
) -> Result<Pair, WorkflowError> {
    belongs_together(certificate, key)?;
    let pair = names(directory, number);
    for (from, to, mode) in [
        (key, &pair.key, 0o600),
        (certificate, &pair.certificate, 0o644),
    ] {
        let octets = read(from)?;
        match durable::create(to, &octets, mode) {
            Err(error) if error.is_already_there() => {
                if read(to)? != octets {
                    return Err(WorkflowError::OtherKeyThere { path: to.clone() });
                }
            }
            written => written?,
        }
    }
    Ok(pair)
}

/// The gate of step 1: the private key is this certificate's, is strong enough, and others cannot read it.
fn belongs_together(certificate: &Path, key: &Path) -> Result<Certificate, WorkflowError> {
    let mode = fs::metadata(key)
        .map_err(|source| unreadable(key, source))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(WorkflowError::KeyExposed {
            path: key.to_owned(),
            mode: mode & 0o7777,
        });
    }
    let leaf = leaf(certificate)?;
    let not_a_key = |reason| WorkflowError::NotAKey {
        path: key.to_owned(),
        reason,
    };
    let subjects = subject::read(&read(key)?).map_err(|e| not_a_key(e.to_string()))?;
    let public = subjects
        .iter()
        .find(|subject| matches!(subject, subject::Subject::PrivateKey(_)))
        .ok_or_else(|| not_a_key("there is no private key in it".to_owned()))?
        .public_key()
        .map_err(|e| not_a_key(e.to_string()))?;
    if !leaf.belongs_to(&public) {
        return Err(WorkflowError::Mismatched {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        });
    }
    if !public.strength().is_enough() {
        return Err(WorkflowError::Weak {
            path: key.to_owned(),
            strength: public.strength().to_string(),
        });
    }
    Ok(leaf)
}

fn leaf(path: &Path) -> Result<Certificate, WorkflowError> {
    let wrong = |reason: String| WorkflowError::NotACertificate {
        path: path.to_owned(),
        reason,
    };
    let chain = subject::read_chain(&read(path)?).map_err(|e| wrong(e.to_string()))?;
    chain
        .into_iter()
        .next()
        .ok_or_else(|| wrong("there is no certificate in it".to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, WorkflowError> {
    let mut octets = Vec::new();
    let limit = MAX_OCTETS.saturating_add(1) as u64;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut octets));
    read.map_err(|source| unreadable(path, source))?;
    Ok(octets)
}

fn unreadable(path: &Path, source: io::Error) -> WorkflowError {
    WorkflowError::Unreadable {
        path: path.to_owned(),
        source,
    }
}
