//! Steps 1 and 2: the next keys exist, belong to their certificates, are strong enough and new; their associations follow.

use super::WorkflowError;
use super::awaited;
use super::case::Case;
use super::key_files;
use super::start::Offered;
use super::surroundings::Presentable;
use super::was_in_zone;
use crate::dane::certificate::Certificate;
use crate::dane::subject::{self, MAX_OCTETS};
use crate::files::guard::{self, Unkept};
use crate::files::links;
use crate::files::read;
use crate::rotation::association::Association;
use crate::rotation::observation::KeyAlgorithm;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, GeneratedKey, NextKey};
use crate::workspace::inside;
use crate::workspace::journal::RotationId;
use crate::workspace::tls_key::{self, KeyFiles, KeyKind};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the names of the certificate files of a rotation end in.
pub(super) const CHAIN: &str = ".cert.pem";

/// The next keys, admitted.
#[derive(Debug)]
pub(super) struct Admitted {
    /// The chain of each.
    pub(super) chains: Vec<Presentable>,
    /// The earliest end of validity among their certificates.
    pub(super) not_after: Instant,
    /// Certificates and keys, for deployment.
    pub(super) files: Vec<PathBuf>,
}

/// The directory that the next keys of a rotation lie in.
pub(super) fn directory(workspace: &Workspace, id: &RotationId) -> PathBuf {
    workspace.tls_keys(id)
}

/// The chains in use, from the live certificate files.
pub(super) fn in_use(certificate: &CertificateConfig) -> Result<Vec<Presentable>, WorkflowError> {
    let live = certificate.live.iter();
    live.map(|live| chain(&live.certificate)).collect()
}

/// The next chains as they are offered or configured, before anything is made or copied; none where they are generated.
pub(super) fn on_offer(
    certificate: &CertificateConfig,
    offered: Option<&Offered>,
) -> Result<Vec<Presentable>, WorkflowError> {
    match (offered, &certificate.next) {
        (Some(offered), _) => Ok(vec![chain(&offered.certificate)?]),
        (None, NextKey::Files(pairs)) => {
            let each = pairs.iter().map(|pair| {
                if let Some(path) = &pair.certificate {
                    return chain(path);
                }
                let made = awaited::stand_in(&pair.key, &certificate.hosts)?;
                chain_in(&pair.key, made.as_bytes())
            });
            each.collect()
        }
        (None, NextKey::Generate(_)) => Ok(Vec::new()),
    }
}

/// The algorithms of the next keys: of those on offer, or of those that are generated.
pub(super) fn next_algorithms(
    certificate: &CertificateConfig,
    on_offer: &[Presentable],
) -> BTreeSet<KeyAlgorithm> {
    match &certificate.next {
        NextKey::Generate(kinds) if on_offer.is_empty() => {
            let algorithm = |kind: &GeneratedKey| match kind {
                GeneratedKey::EcdsaP256 => KeyAlgorithm::Ecdsa,
                GeneratedKey::Rsa2048 => KeyAlgorithm::Rsa,
            };
            kinds.iter().map(algorithm).collect()
        }
        _ => algorithms(on_offer),
    }
}

/// The key algorithms of these chains.
pub(super) fn algorithms(chains: &[Presentable]) -> BTreeSet<KeyAlgorithm> {
    let leaves = chains.iter().filter_map(|chain| chain.first());
    leaves.filter_map(Certificate::key_algorithm).collect()
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
    inside::create_directory(&directory, 0o700)?;
    guard::directory(&directory)?;
    let pairs = match offered {
        Some(offered) => vec![take_over(
            case,
            &directory,
            0,
            &offered.certificate,
            &offered.key,
        )?],
        None => configured(&directory, case, now)?,
    };
    let (mut chains, mut not_after, mut files) = (Vec::new(), None, Vec::new());
    for pair in pairs {
        let leaf = belongs_together(&pair.certificate, &pair.key)?;
        is_new(case, &pair.certificate, &leaf)?;
        if awaited::is_stand_in(&pair.certificate) {
            was_never_taken_out(case, &pair.certificate, &leaf)?;
        }
        let end = leaf.not_after();
        not_after = Some(not_after.map_or(end, |earliest: Instant| earliest.min(end)));
        chains.push(chain(&pair.certificate)?);
        files.extend([pair.certificate, pair.key]);
    }
    let nothing = || WorkflowError::NothingUnderWay {
        name: case.certificate.name.clone(),
    };
    Ok(Admitted {
        chains,
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
        if path.to_string_lossy().ends_with(CHAIN) {
            held.insert(leaf(&path)?.spki_association());
        }
    }
    Ok(incoming.is_subset(&held))
}

/// The directory of an earlier rotation that holds the certificates of all the keys in use, if one still does: what a host is
/// put back to.
pub(super) fn directory_of_previous(
    workspace: &Workspace,
    id: &RotationId,
    current: &BTreeSet<Association>,
) -> Option<PathBuf> {
    let mut earlier = (1..id.number).rev().map(|number| RotationId {
        certificate: id.certificate.clone(),
        number,
    });
    let found = earlier.find(|one| holds(workspace, one, current).is_ok_and(|holds| holds))?;
    Some(directory(workspace, &found))
}

struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

fn configured(directory: &Path, case: &Case<'_>, now: Instant) -> Result<Vec<Pair>, WorkflowError> {
    // What `start --certificate` brought, before a crash, goes before the configuration.
    let brought = names(directory, 0);
    if brought.certificate.exists() {
        return Ok(vec![brought]);
    }
    let certificate = case.certificate;
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
            .map(|(pair, number)| {
                if let Some(chain) = &pair.certificate {
                    return take_over(case, directory, number, chain, &pair.key);
                }
                let hosts = &certificate.hosts;
                let (certificate, key) = awaited::take_over(directory, number, &pair.key, hosts)?;
                Ok(Pair { certificate, key })
            })
            .collect(),
    }
}

fn names(directory: &Path, number: usize) -> Pair {
    Pair {
        certificate: directory.join(format!("brought-{number}.cert.pem")),
        key: directory.join(format!("brought-{number}.key.pem")),
    }
}

/// Refuses a file that a link inside of the workspace leads to: a merged change can bring one. Elsewhere clients have theirs
/// (certbot's `live`).
pub(super) fn unlinked<'p>(
    workspace: &Workspace,
    files: impl IntoIterator<Item = &'p Path>,
) -> Result<(), WorkflowError> {
    for path in files {
        let path = std::path::absolute(path).map_err(|source| unreadable(path, source))?;
        links::none_below(&workspace.root, &path).map_err(Unkept::Link)?;
    }
    Ok(())
}

/// Copies a pair that somebody else made into the rotation's directory, so that a renewal there cannot change it here.
/// A pair that could not be admitted is not copied: the next start would adopt it.
fn take_over(
    case: &Case<'_>,
    directory: &Path,
    number: usize,
    certificate: &Path,
    key: &Path,
) -> Result<Pair, WorkflowError> {
    unlinked(case.workspace(), [certificate, key])?;
    let leaf = belongs_together(certificate, key)?;
    is_new(case, certificate, &leaf)?;
    was_never_taken_out(case, certificate, &leaf)?;
    let pair = names(directory, number);
    for (from, to, mode) in [
        (key, &pair.key, 0o600),
        (certificate, &pair.certificate, 0o644),
    ] {
        key_files::copy(&read_file(from)?, to, mode)?;
    }
    Ok(pair)
}

/// A key that was in use before is refused. One of several that are in use may come again, in its renewal: it stays.
fn is_new(case: &Case<'_>, path: &Path, leaf: &Certificate) -> Result<(), WorkflowError> {
    let association = leaf.spki_association();
    if let Some((id, compromised)) = case.gone_for_good(&association)? {
        return Err(WorkflowError::KeyGoneForGood {
            path: path.to_owned(),
            association,
            id,
            compromised,
        });
    }
    if !case.has_used(&association)? {
        return Ok(());
    }
    if is_in_use(case, &association)? {
        return Ok(());
    }
    Err(WorkflowError::KeyUsedBefore {
        path: path.to_owned(),
        association,
    })
}

fn is_in_use(case: &Case<'_>, key: &Association) -> Result<bool, WorkflowError> {
    let live = in_use(case.certificate)?;
    let mut in_use = live.iter().filter_map(|chain| chain.first());
    Ok(in_use.any(|live| live.spki_association() == *key))
}

/// The same of one that others made, by what git remembers beyond the journal.
fn was_never_taken_out(
    case: &Case<'_>,
    path: &Path,
    leaf: &Certificate,
) -> Result<(), WorkflowError> {
    if is_in_use(case, &leaf.spki_association())? {
        return Ok(());
    }
    was_in_zone::refuse(case.workspace(), case.certificate, (path, leaf))
}

/// The chains that lie in a rotation's directory, in the order of their file names.
pub(super) fn in_directory(directory: &Path) -> Result<Vec<Presentable>, WorkflowError> {
    let paths = chain_files(directory)?;
    paths.iter().map(|path| chain(path)).collect()
}

/// Their files, stand-ins for those that are awaited included.
pub(super) fn chain_files(directory: &Path) -> Result<Vec<PathBuf>, WorkflowError> {
    let entries = fs::read_dir(directory).map_err(|source| unreadable(directory, source))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(CHAIN) || awaited::is_stand_in(path))
        .collect();
    paths.sort();
    Ok(paths)
}

/// The certificate files of a rotation relative to the workspace, as far as they are there.
pub(super) fn certificates(workspace: &Workspace, id: &RotationId) -> Vec<String> {
    let entries = fs::read_dir(directory(workspace, id)).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut names: Vec<String> = paths
        .map(|path| {
            let inside = path.strip_prefix(&workspace.root).unwrap_or(&path);
            inside.display().to_string()
        })
        .filter(|name| name.ends_with(CHAIN) || name.ends_with(awaited::ENDING))
        .collect();
    names.sort();
    names
}

/// The gate of step 1: the private key is this certificate's, is strong enough, and others cannot read it.
pub(super) fn belongs_together(
    certificate: &Path,
    key: &Path,
) -> Result<Certificate, WorkflowError> {
    if !key.to_string_lossy().ends_with(".pub.pem") {
        let open = read::open(key).and_then(|file| file.metadata());
        guard::brought(key, &open.map_err(|source| unreadable(key, source))?)?;
    }
    let leaf = leaf(certificate)?;
    let not_a_key = |reason| WorkflowError::NotAKey {
        path: key.to_owned(),
        reason,
    };
    let subjects = subject::read(&read_file(key)?).map_err(|e| not_a_key(e.to_string()))?;
    let of_its_own = |subject: &&subject::Subject| match subject {
        subject::Subject::PrivateKey(_) => true,
        // Until its certificate comes, the private half can lie elsewhere.
        _ => awaited::is_stand_in(certificate),
    };
    let public = subjects
        .iter()
        .find(of_its_own)
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

pub(super) fn leaf(path: &Path) -> Result<Certificate, WorkflowError> {
    let leaf = chain(path)?.into_iter().next();
    leaf.ok_or_else(|| WorkflowError::NotACertificate {
        path: path.to_owned(),
        reason: "there is no certificate in it".to_owned(),
    })
}

pub(super) fn chain(path: &Path) -> Result<Presentable, WorkflowError> {
    chain_in(path, &read_file(path)?)
}

fn chain_in(path: &Path, octets: &[u8]) -> Result<Presentable, WorkflowError> {
    subject::read_chain(octets).map_err(|e| WorkflowError::NotACertificate {
        path: path.to_owned(),
        reason: e.to_string(),
    })
}

/// A file of keys or certificates, to the size that one can have.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, WorkflowError> {
    read::beginning(path, MAX_OCTETS).map_err(|source| unreadable(path, source))
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> WorkflowError {
    WorkflowError::Unreadable {
        path: path.to_owned(),
        source,
    }
}
