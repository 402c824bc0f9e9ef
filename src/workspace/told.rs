//! What somebody was told of each certificate and zone, kept between two runs that a timer made.
//!
//! One file in the state directory. It only saves people from reading the same twice: where it cannot be read, they are told anew.

use super::durable::WriteError;
use super::inside;
use crate::files::read;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

fn path(state: &Path) -> PathBuf {
    state.join("told")
}

/// What was told, or as if nothing was.
pub fn read<T: DeserializeOwned + Default>(state: &Path) -> T {
    let text = read::read_text_unlinked(&path(state), read::LIST);
    let told = text.ok().and_then(|text| serde_json::from_str(&text).ok());
    told.unwrap_or_default()
}

/// Keeps what was told.
pub fn keep<T: Serialize>(state: &Path, told: &T) -> Result<(), WriteError> {
    let mut text = serde_json::to_vec(told).unwrap_or_default();
    text.push(b'\n');
    inside::create_directory(state, 0o777)?;
    inside::replace(&path(state), &text).map(|_| ())
}
