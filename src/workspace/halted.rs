//! A zone whose provider did something else than it was asked for: nothing more is asked of it until a person says that its
//! program was mended.
//!
//! One small file for each zone in the state directory, with what happened as text.

use super::durable::WriteError;
use super::inside;
use crate::files::read;
use crate::zone::name::Name;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Where it is kept, below the state directory.
pub fn path(state: &Path, zone: &Name) -> PathBuf {
    state.join("halted").join(zone.to_string())
}

/// What happened, if changes of the zone are halted.
pub fn read(state: &Path, zone: &Name) -> io::Result<Option<String>> {
    match read::read_text_unlinked(&path(state, zone), read::LIST) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(|text| Some(text.trim_end().to_owned())),
    }
}

/// Halts the changes of a zone.
pub fn halt(state: &Path, zone: &Name, why: &str) -> Result<(), WriteError> {
    let path = path(state, zone);
    if let Some(directory) = path.parent() {
        inside::create_directory(directory, 0o777)?;
    }
    inside::replace(&path, format!("{why}\n").as_bytes()).map(|_| ())
}

/// Lets them go on; whether they were halted.
pub fn go_on(state: &Path, zone: &Name) -> Result<bool, WriteError> {
    let path = path(state, zone);
    let is_there = path.symlink_metadata().is_ok();
    if is_there {
        inside::remove(&path)?;
    }
    Ok(is_there)
}
