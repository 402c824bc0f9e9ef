//! A signed zone file and its seal beside it: `example.com.signed` and `example.com.signed.seal`.
//!
//! The file is written first. Whoever is interrupted in between leaves a seal that does not fit the file, and the next
//! run verifies the whole zone again.

use crate::dnssec::carry::{BLOCK, Carried, Seal, Sealed, write_pieces, write_sealed};
use crate::dnssec::keys::SigningKey;
use crate::rotation::timing::Instant;
use crate::workspace::durable::{self, WriteError};
use crate::zone::content::Zone;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// A signed zone file that was verified when it was written.
#[derive(Debug)]
pub struct SignedFile {
    file: File,
    seal: Seal,
}

impl SignedFile {
    /// Opens the file at `path`; `None` if there is no file, or no seal of it that can be read.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(seal_path(path)) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
                return Ok(None);
            }
            read => read?,
        };
        let Ok(seal) = Seal::parse(&text) else {
            return Ok(None);
        };
        match File::open(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            opened => Ok(Some(Self {
                file: opened?,
                seal,
            })),
        }
    }

    /// The file and what it is known to hold.
    pub fn sealed(&self) -> Sealed<'_> {
        Sealed {
            file: &self.file,
            seal: &self.seal,
        }
    }

    /// Makes the file at `path` the next version of this one.
    pub fn write_next(&self, path: &Path, next: &Carried) -> Result<(), WriteError> {
        durable::replace_with(path, |out| write_pieces(next, &self.file, out))?;
        write_seal(path, &next.seal)
    }
}

/// Makes the file at `path` hold `zone`, which has been verified at `now`, and seals it.
pub fn write_verified(
    path: &Path,
    zone: &Zone,
    keys: &[SigningKey],
    now: Instant,
) -> Result<(), WriteError> {
    let mut seal = None;
    durable::replace_with(path, |out| {
        let mut out = BufWriter::with_capacity(1 << 20, out);
        seal = Some(write_sealed(zone, keys, BLOCK, now, &mut out)?);
        out.flush()
    })?;
    seal.map_or(Ok(()), |seal| write_seal(path, &seal))
}

fn write_seal(path: &Path, seal: &Seal) -> Result<(), WriteError> {
    durable::replace(&seal_path(path), seal.to_string().as_bytes()).map(|_| ())
}

fn seal_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".seal");
    name.into()
}
