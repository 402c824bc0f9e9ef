//! A signed zone file and its seal on disk.
//!
//! The seal is put in its place first, then the file: whoever sees the new file, as a server that waits for it does at
//! once, finds its seal there. Whoever is interrupted in between leaves a seal that does not fit the file, and the next
//! run verifies the whole zone again.

use crate::dnssec::carry::{BLOCK, Carried, Seal, Sealed, write_pieces, write_sealed};
use crate::dnssec::keys::SigningKey;
use crate::files::read;
use crate::rotation::timing::Instant;
use crate::workspace::durable::{self, WriteError};
use crate::zone::content::Zone;
use crate::zone::name::Name;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// A signed zone file that was verified when it was written.
#[derive(Debug)]
pub struct SignedFile {
    file: File,
    seal: Seal,
}

impl SignedFile {
    /// Opens the file at `path`, whose seal is at `seal`; `None` if there is no file, or no seal that can be read.
    pub fn open(path: &Path, seal: &Path) -> io::Result<Option<Self>> {
        let text = match read::read_text(seal, read::STATE) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
                return Ok(None);
            }
            read => read?,
        };
        let Ok(seal) = Seal::parse(&text) else {
            return Ok(None);
        };
        match read::open(path) {
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

    /// Makes the file at `path` the next version of this one, and that at `seal` its seal.
    pub fn write_next(&self, path: &Path, seal: &Path, next: &Carried) -> Result<(), WriteError> {
        durable::replace_with(path, |out| {
            write_pieces(next, &self.file, out)?;
            seal_first(seal, &next.seal)
        })
    }
}

/// Makes the file at `path` hold `zone`, which has been verified at `now`, and that at `seal` its seal.
pub fn write_verified(
    path: &Path,
    seal: &Path,
    zone: &Zone,
    keys: &[SigningKey],
    now: Instant,
) -> Result<(), WriteError> {
    durable::replace_with(path, |out| {
        let mut out = BufWriter::with_capacity(1 << 20, out);
        let made = write_sealed(zone, keys, BLOCK, now, &mut out)?;
        out.flush()?;
        seal_first(seal, &made)
    })
}

/// Writes the seal of a file that is written, but does not have its name yet.
fn seal_first(path: &Path, seal: &Seal) -> io::Result<()> {
    write_seal(path, seal).map_err(|e| io::Error::new(e.source.kind(), e.to_string()))
}

/// Seals the file at `path`, which holds `zone`, verified at `now`; writes it anew if its text is not as it is written here.
pub fn seal_verified(
    path: &Path,
    seal: &Path,
    zone: &Zone,
    keys: &[SigningKey],
    now: Instant,
) -> Result<(), WriteError> {
    let made = write_sealed(zone, keys, BLOCK, now, &mut io::sink());
    let intact = made.ok().zip(read::open(path).ok()).filter(|(made, file)| {
        let sealed = Sealed { file, seal: made };
        sealed.intact().is_ok()
    });
    match intact {
        Some((made, _)) => write_seal(seal, &made),
        None => write_verified(path, seal, zone, keys, now),
    }
}

/// Where the seal of a file lies if it lies beside it: `example.com.signed.seal`.
pub fn seal_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".seal");
    name.into()
}

/// Where the seal of a zone's signed file lies in the state directory of a workspace.
pub fn seal_of(state: &Path, zone: &Name) -> PathBuf {
    state.join("seals").join(zone.to_string())
}

fn write_seal(path: &Path, seal: &Seal) -> Result<(), WriteError> {
    durable::replace(path, seal.to_string().as_bytes()).map(|_| ())
}
