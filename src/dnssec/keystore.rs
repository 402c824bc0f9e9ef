//! A directory of BIND key files: every key of a zone read and checked, and what the files of a new key hold.
//!
//! Nothing is written here: whoever asks for a key creates its files, exclusively and with the modes given.

use crate::dnssec::algorithm::Algorithm;
use crate::dnssec::dnskey::{SEP, ZONE};
use crate::dnssec::generate;
use crate::dnssec::key_timing::Timing;
use crate::dnssec::keyfile::{KeyTextError, PrivateText, file_prefix, private_text, public_text};
use crate::dnssec::keys::SigningKey;
use crate::dnssec::line::RecordLine;
use crate::files::guard::{self, Unkept};
use crate::files::read;
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// Key files are a few hundred octets; whatever is larger is something else.
const LARGEST_FILE: u64 = 64 * 1024;

/// How often a new key is drawn until its tag is free. With a handful of keys the first is free nearly always.
const DRAWS: usize = 32;

/// What a key is for. A KSK that has no ZSK of its algorithm beside it signs everything, and is then called a CSK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Signs everything; the parent's DS points at it. What a small zone wants.
    Csk,
    /// Signs the DNSKEY RRset; the parent's DS points at it.
    Ksk,
    /// Signs everything else.
    Zsk,
}

/// Why keys could not be loaded or made. Never shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file or directory could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Other users can read the secret, or put another in its place.
    #[error("{0}; {way_out}", way_out = .0.hints().join("; "))]
    Unkept(#[from] Unkept),
    /// The text is not that of a key file.
    #[error("{}: {fault}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Where and why.
        fault: KeyTextError,
    },
    /// The public file holds no single DNSKEY record of the zone.
    #[error("{}: {what}", path.display())]
    PublicFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// One of the two files is missing.
    #[error("{}: its other half {} is missing; restore it, or move this file out of the directory", present.display(), missing.display())]
    Half {
        /// The file that is there.
        present: PathBuf,
        /// The file that is not.
        missing: PathBuf,
    },
    /// Secret and public half do not belong together, or the secret is damaged.
    #[error("{}: {why}", path.display())]
    Unusable {
        /// The private file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// No free key tag, or no randomness.
    #[error("a key for {zone} could not be made: {why}")]
    NotMade {
        /// The zone.
        zone: Name,
        /// What went wrong.
        why: &'static str,
    },
}

/// Loads every key of `zone` in `directory`, ordered by algorithm and tag. None at all is not an error here.
///
/// Fails closed: one file that cannot be used fails the whole, because a zone signed without it might be bogus.
pub fn load_keys(directory: &Path, zone: &Name) -> Result<Vec<SigningKey>, KeyError> {
    guard::directory(directory)?;
    let prefix = file_prefix(zone);
    let mut stems = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|e| io_error(directory, e))? {
        let name = entry.map_err(|e| io_error(directory, e))?.file_name();
        // A name that is not UTF-8 is not one that anybody gave a key of this zone.
        let Some(name) = name.to_str() else { continue };
        let stem = name
            .strip_suffix(".key")
            .or_else(|| name.strip_suffix(".private"));
        if let Some(stem) = stem.filter(|s| s.starts_with(&prefix)) {
            stems.push(stem.to_owned());
        }
    }
    stems.sort_unstable();
    stems.dedup();
    let load = |stem: &String| load_key(directory, zone, stem);
    let mut keys = stems.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    keys.sort_by_key(SigningKey::id);
    Ok(keys)
}

fn load_key(directory: &Path, zone: &Name, stem: &str) -> Result<SigningKey, KeyError> {
    let public = directory.join(format!("{stem}.key"));
    let private = directory.join(format!("{stem}.private"));
    for (present, missing) in [(&private, &public), (&public, &private)] {
        if !missing.try_exists().map_err(|e| io_error(missing, e))? {
            return Err(KeyError::Half {
                present: present.clone(),
                missing: missing.clone(),
            });
        }
    }
    let (dnskey, ttl) = read_public(&public, zone)?;
    let text = read_private(&private)?;
    let fields = PrivateText::parse(&text).map_err(|fault| KeyError::Text {
        path: private.clone(),
        fault,
    })?;
    let key = SigningKey::assemble(zone.clone(), dnskey, ttl, &fields)
        .map_err(|why| KeyError::Unusable { path: private, why })?;
    if key.file_stem() != stem {
        return Err(KeyError::PublicFile {
            what: format!("the key in it belongs in {}.key", key.file_stem()),
            path: public,
        });
    }
    Ok(key)
}

/// The DNSKEYs that the parent's DS should point at now: the published SEP keys, or all where none is marked.
pub fn entry_points(keys: &[SigningKey], now: Instant) -> Vec<&SigningKey> {
    let published = keys.iter().filter(|key| key.is_published(now));
    let (marked, plain): (Vec<_>, Vec<_>) = published.partition(|key| key.is_secure_entry_point());
    if marked.is_empty() { plain } else { marked }
}

fn read_public(path: &Path, zone: &Name) -> Result<(Rdata, Option<Ttl>), KeyError> {
    let wrong = |what: String| KeyError::PublicFile {
        path: path.to_owned(),
        what,
    };
    let text = read_key_file(path, |_| Ok(()))?;
    let lines = text.lines();
    let record: Vec<&str> = lines
        .filter(|line| !line.trim_start().starts_with(';'))
        .collect();
    let line = RecordLine::parse(record.join("\n").trim()).map_err(|e| wrong(e.to_string()))?;
    if line.owner != *zone || line.rtype != Rtype::DNSKEY {
        return Err(wrong(format!("expected one DNSKEY record of {zone}")));
    }
    Ok((line.rdata, line.ttl))
}

fn read_private(path: &Path) -> Result<String, KeyError> {
    // Asked of the open file, not of the path: what is judged is what is read.
    read_key_file(path, |open| guard::file(path, open))
}

fn read_key_file(
    path: &Path,
    judge: impl FnOnce(&Metadata) -> Result<(), Unkept>,
) -> Result<String, KeyError> {
    let file = read::open_unlinked(path).map_err(|e| io_error(path, e))?;
    judge(&file.metadata().map_err(|e| io_error(path, e))?)?;
    let octets = read::bounded(&file, LARGEST_FILE).map_err(|e| io_error(path, e))?;
    let not_text = |_| io_error(path, io::Error::other("it is no text, and so no key file"));
    String::from_utf8(octets).map_err(not_text)
}

/// A key that is on no disk yet, and its two files.
#[derive(Debug)]
pub struct NewKey {
    /// The key.
    pub key: SigningKey,
    /// The files, in the order in which they must be created: the private one first, so that a public file without its
    /// private one never stands there.
    pub files: [KeyFile; 2],
}

/// A file to be created. Not printable: it may be the secret.
pub struct KeyFile {
    /// Its name, without a directory.
    pub name: String,
    /// Its permission bits.
    pub mode: u32,
    /// What it holds.
    pub contents: String,
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFile({})", self.name)
    }
}

/// Draws a key for `zone` whose tag none of `others` has, made at `created`. It is in use from `from` on.
pub fn new_key(
    zone: &Name,
    algorithm: Algorithm,
    role: Role,
    others: &[SigningKey],
    (created, from): (Instant, Instant),
) -> Result<NewKey, KeyError> {
    let not_made = |why| KeyError::NotMade {
        zone: zone.clone(),
        why,
    };
    let timing = Timing {
        created: Some(created),
        publish: Some(from),
        activate: Some(from),
        ..Timing::default()
    };
    for _ in 0..DRAWS {
        let drawn = generate::draw(algorithm).map_err(not_made)?;
        let mut dnskey = role.flags().to_be_bytes().to_vec();
        dnskey.extend_from_slice(&[3, algorithm.number()]);
        dnskey.extend_from_slice(&drawn.public_key);
        let dnskey = Rdata(dnskey.into());
        let private = private_text(algorithm, &drawn.fields, &timing);
        let public = public_text(zone, &dnskey, role.kind(), &timing);
        // Read back as a stranger would: what is written can be loaded.
        let fields = PrivateText::parse(&private).map_err(|_| not_made("it did not read back"))?;
        let key = SigningKey::assemble(zone.clone(), dnskey, None, &fields).map_err(not_made)?;
        // Tags are not unique by construction, but people and tools take them to be.
        if others.iter().all(|other| other.id().tag != key.id().tag) {
            let file = |ending, mode, contents| KeyFile {
                name: format!("{}.{ending}", key.file_stem()),
                mode,
                contents,
            };
            let files = [file("private", 0o600, private), file("key", 0o644, public)];
            return Ok(NewKey { key, files });
        }
    }
    Err(not_made("every key drawn had a tag that is taken"))
}

fn io_error(path: &Path, source: io::Error) -> KeyError {
    KeyError::Io {
        path: path.to_owned(),
        source,
    }
}

impl Role {
    const fn flags(self) -> u16 {
        match self {
            Self::Csk | Self::Ksk => ZONE | SEP,
            Self::Zsk => ZONE,
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Csk | Self::Ksk => "key-signing",
            Self::Zsk => "zone-signing",
        }
    }
}
