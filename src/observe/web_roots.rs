//! The roots that the Web PKI is trusted by: a file of PEM certificates, or the system's own store.

use crate::dane::certificate::Certificate;
use crate::dane::subject::{self, SubjectError};
use crate::files::read;
use std::io;
use std::path::{Path, PathBuf};

/// Why there are no roots.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds no certificates.
    #[error("{}: {source}", path.display())]
    NotCertificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SubjectError,
    },
    /// The system has none.
    #[error("this system has no store of trusted root certificates{0}")]
    NoStore(String),
}

impl RootsError {
    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::NotCertificates { .. } => {
                "give a file of PEM certificates, such as /etc/ssl/certs/ca-certificates.crt"
            }
            Self::NoStore(_) => "install the package ca-certificates, or name a file of roots",
        }
    }
}

/// The certificates of `file`, or those that the system trusts.
pub fn roots(file: Option<&Path>) -> Result<Vec<Certificate>, RootsError> {
    match file {
        Some(path) => of_file(path),
        None => of_system(),
    }
}

fn of_file(path: &Path) -> Result<Vec<Certificate>, RootsError> {
    let read = read::beginning(path, subject::MAX_OCTETS);
    let octets = read.map_err(|source| RootsError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    subject::read_chain(&octets).map_err(|source| RootsError::NotCertificates {
        path: path.to_owned(),
        source,
    })
}

/// A root that this program cannot read is one that it does not trust; the others count.
fn of_system() -> Result<Vec<Certificate>, RootsError> {
    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<Certificate> = found
        .certs
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}"));
        return Err(RootsError::NoStore(why.unwrap_or_default()));
    }
    Ok(roots)
}
