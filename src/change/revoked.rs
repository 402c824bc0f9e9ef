//! Keys that count no more: the list that `ssh-keygen -Y verify -r` reads, as public keys on lines or as a KRL (OpenSSH's
//! PROTOCOL.krl). Certificates are not followed here, so what a KRL says of them has no meaning.

use crate::change::ssh_key::{BadWire, PublicKey, Wire};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use std::collections::BTreeSet;

/// What a KRL begins with.
const MAGIC: &[u8] = b"SSHKRL\n\0";

/// The kinds of sections: whole keys, and the digests of keys.
const CERTIFICATES: u8 = 1;
const KEYS: u8 = 2;
const SHA1: u8 = 3;
const SIGNATURE: u8 = 4;
const SHA2: u8 = 5;
const EXTENSION: u8 = 255;

/// Revoked keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    keys: BTreeSet<Vec<u8>>,
    digests: BTreeSet<Vec<u8>>,
}

/// Why a list cannot be read: then it is not known what it revokes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAList {
    /// A line.
    #[error("line {0}: expected a public key as in a .pub file")]
    Line(usize),
    /// A KRL.
    #[error("it is not a revocation list that can be read here: {0}")]
    Form(&'static str),
}

impl Revoked {
    /// Reads a list. One that cannot be read whole is none.
    pub fn parse(octets: &[u8]) -> Result<Self, NotAList> {
        if let Some(rest) = octets.strip_prefix(MAGIC) {
            return Self::krl(rest);
        }
        let text = String::from_utf8_lossy(octets);
        let mut revoked = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_ascii_whitespace();
            let key = words.next().zip(words.next());
            let key = key.and_then(|(kind, blob)| PublicKey::from_words(kind, blob));
            let key = key.ok_or(NotAList::Line(number))?;
            revoked.keys.insert(key.blob().to_vec());
        }
        Ok(revoked)
    }

    /// Whether a key is in it.
    pub fn holds(&self, key: &PublicKey) -> bool {
        let of = |algorithm| digest(algorithm, key.blob()).as_ref().to_vec();
        self.keys.contains(key.blob())
            || self.digests.contains(&of(&SHA256))
            || self.digests.contains(&of(&SHA1_FOR_LEGACY_USE_ONLY))
    }

    fn krl(octets: &[u8]) -> Result<Self, NotAList> {
        let short = |BadWire| NotAList::Form("it ends early");
        // Version, number, date and flags of the list.
        let (version, rest) = octets.split_at_checked(4).ok_or(BadWire).map_err(short)?;
        if version != [0, 0, 0, 1] {
            return Err(NotAList::Form("its version is not 1"));
        }
        let (_, rest) = rest.split_at_checked(24).ok_or(BadWire).map_err(short)?;
        let mut rest = Wire(rest);
        rest.string().map_err(short)?;
        rest.string().map_err(short)?;
        let mut revoked = Self::default();
        while let Some((kind, after)) = rest.0.split_first() {
            rest = Wire(after);
            let section = rest.string().map_err(short)?;
            let into = match *kind {
                // What follows signs the list; nobody vouches for that key here, nor need anybody: the file is the operator's.
                SIGNATURE => break,
                CERTIFICATES | EXTENSION => continue,
                KEYS => &mut revoked.keys,
                SHA1 | SHA2 => &mut revoked.digests,
                _ => return Err(NotAList::Form("it has a section of an unknown kind")),
            };
            let mut section = Wire(section);
            while !section.0.is_empty() {
                into.insert(section.string().map_err(short)?.to_vec());
            }
        }
        Ok(revoked)
    }
}
