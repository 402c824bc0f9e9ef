//! Key files on disk: how they are kept where they are in use, and how they are copied to where a rotation has them.

use super::WorkflowError;
use super::admit::read_file;
use crate::dane::subject;
use crate::files::guard;
use crate::files::read;
use crate::workspace::config::CertificateConfig;
use crate::workspace::inside;
use std::path::Path;

/// What a person should know of the keys in use: others can read one, or put another in its place.
pub(super) fn exposed(certificate: &CertificateConfig) -> Vec<String> {
    let keys = certificate
        .live
        .iter()
        .filter_map(|live| live.key.as_deref());
    keys.filter_map(|key| {
        // One that is not at hand, or cannot be read here, is kept elsewhere.
        let open = read::open(key).ok()?.metadata().ok()?;
        let unkept = guard::brought(key, &open).err()?;
        Some(format!("the key in use of {}: {unkept}", certificate.name))
    })
    .collect()
}

/// Writes a file that is new, or is what is to be written.
pub(super) fn copy(octets: &[u8], to: &Path, mode: u32) -> Result<(), WorkflowError> {
    match inside::create(to, octets, mode) {
        Err(error) if error.is_already_there() => {
            if read_file(to)? != octets {
                return Err(WorkflowError::OtherKeyThere {
                    path: to.to_owned(),
                });
            }
            Ok(())
        }
        written => Ok(written?),
    }
}

/// Copies a private key, or finds that it is there.
pub(super) fn copy_key(from: &Path, to: &Path) -> Result<(), WorkflowError> {
    let key = |path: &Path| {
        let subjects = subject::read(&read_file(path)?).ok();
        let key = subjects.and_then(|all| all.first().map(subject::Subject::public_key));
        Ok::<_, WorkflowError>(key.and_then(Result::ok))
    };
    // The same key in another form (PKCS#8 or SEC1) is the same.
    if to.exists()
        && let (Some(one), Some(other)) = (key(from)?, key(to)?)
        && one.is(&other)
    {
        return Ok(());
    }
    copy(&read_file(from)?, to, 0o600)
}
