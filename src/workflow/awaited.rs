//! Next keys whose certificates are still to come: an ACME client that keeps the next key ready (dehydrated's
//! `privkey.roll.pem`) orders its certificate at the swap. With selector 1 the key alone says the record.

use super::WorkflowError;
use super::admit::{self, Admitted};
use super::key_files;
use super::surroundings::Surroundings;
use crate::dane::key::PublicKey;
use crate::dane::subject::{self, Subject};
use crate::files::guard;
use crate::files::read;
use crate::workspace::Workspace;
use crate::workspace::inside;
use crate::workspace::journal::RotationId;
use crate::workspace::stand_in;
use std::fs;
use std::path::{Path, PathBuf};

/// What the name of a stand-in ends in.
pub(super) const ENDING: &str = ".awaited.pem";

/// The public key in the file at `path`: of a private key that nobody else can read, or as it stands.
pub(super) fn public_key(path: &Path) -> Result<(PublicKey, bool), WorkflowError> {
    let not_a_key = |reason: String| WorkflowError::NotAKey {
        path: path.to_owned(),
        reason,
    };
    let subjects = subject::read(&admit::read_file(path)?).map_err(|e| not_a_key(e.to_string()))?;
    let (key, is_private) = match subjects.as_slice() {
        [Subject::PrivateKey(key)] => (key.clone(), true),
        [Subject::PublicKey(key) | Subject::Request(key)] => (key.clone(), false),
        _ => {
            let why = "one private or public key, and nothing else, is expected here";
            return Err(not_a_key(why.to_owned()));
        }
    };
    if is_private {
        let open = read::open(path).and_then(|file| file.metadata());
        guard::brought(
            path,
            &open.map_err(|source| admit::unreadable(path, source))?,
        )?;
    }
    if !key.strength().is_enough() {
        return Err(WorkflowError::Weak {
            path: path.to_owned(),
            strength: key.strength().to_string(),
        });
    }
    Ok((key, is_private))
}

/// The stand-in for the certificate of the key at `path`, in PEM.
pub(super) fn stand_in(path: &Path, hosts: &[String]) -> Result<String, WorkflowError> {
    let (key, _) = public_key(path)?;
    Ok(stand_in::of(&key, hosts)?)
}

/// Copies the key at `path` into a rotation's directory, with a stand-in for its certificate; their files.
pub(super) fn take_over(
    directory: &Path,
    number: usize,
    path: &Path,
    hosts: &[String],
) -> Result<(PathBuf, PathBuf), WorkflowError> {
    let (public, is_private) = public_key(path)?;
    let (kind, mode) = if is_private {
        ("key", 0o600)
    } else {
        ("pub", 0o644)
    };
    let key = directory.join(format!("brought-{number}.{kind}.pem"));
    key_files::copy(&admit::read_file(path)?, &key, mode)?;
    let arrived = directory.join(format!("brought-{number}.cert.pem"));
    if arrived.exists() {
        return Ok((arrived, key));
    }
    let certificate = directory.join(format!("brought-{number}{ENDING}"));
    if certificate.exists() {
        if !admit::leaf(&certificate)?.belongs_to(&public) {
            return Err(WorkflowError::OtherKeyThere { path: certificate });
        }
    } else {
        let text = stand_in::of(&public, hosts)?;
        inside::create(&certificate, text.as_bytes(), 0o644)?;
    }
    Ok((certificate, key))
}

/// Refuses a key alone where a record of the whole certificate is to be replaced: its digest is not known.
pub(super) fn whole_certificate(
    admitted: &Admitted,
    found: &Surroundings,
) -> Result<(), WorkflowError> {
    let awaits = admitted.files.iter().any(|file| is_stand_in(file));
    match found.current.iter().find(|record| record.selector == 0) {
        Some(record) if awaits => Err(WorkflowError::CertificateNeeded {
            record: record.clone(),
        }),
        _ => Ok(()),
    }
}

/// Whether the file is a stand-in, by its name.
pub(super) fn is_stand_in(path: &Path) -> bool {
    path.to_string_lossy().ends_with(ENDING)
}

/// The stand-ins of a rotation whose certificates have not come.
pub(super) fn missing(workspace: &Workspace, id: &RotationId) -> Vec<PathBuf> {
    let directory = admit::directory(workspace, id);
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut missing: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| is_stand_in(path))
        .collect();
    missing.sort();
    missing
}

/// That certificates of a rotation are awaited, and how they are brought; nothing where none is.
pub(super) fn told(workspace: &Workspace, id: &RotationId) -> Option<String> {
    let missing = missing(workspace, id);
    if missing.is_empty() {
        return None;
    }
    let directory = admit::directory(workspace, id);
    Some(format!(
        "{id} has its next key and not its certificate: order it for the key in {} when the swap is open, then: tlsa-rotate hook renewed {} --certificate FILE --key FILE",
        directory.display(),
        id.certificate
    ))
}
