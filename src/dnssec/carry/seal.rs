//! What is known of a signed zone file since it was verified: block by block, what it reads, what it was made from, how long it holds.
//!
//! The text form is a digest of the rest on the first line, then JSON. It is no secret and protects against damage and
//! foreign edits of the signed file, not against somebody who may write both files.

use crate::dnssec::denial::Denial;
use crate::dnssec::dnskey::KeyId;
use crate::dnssec::nsec3::Hashing;
use crate::rotation::observation::SignatureWindow;
use crate::rotation::timing::Instant;
use crate::zone::name::Name;
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256, digest};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};

/// The first word of the text form; a number for a form that can change.
const MAGIC: &str = "tlsa-rotate-seal-2";

/// A verified signed zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The zone.
    pub zone: Name,
    /// Its serial.
    pub serial: u32,
    /// Which keys made its signatures.
    pub signers: SignerIds,
    /// How it proves absence.
    pub denial: Denial,
    /// How many octets a block has at least, but for the last.
    pub block: u64,
    /// Its blocks; laid end to end they are the file.
    pub blocks: Vec<Block>,
}

/// The keys that sign, by what they sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerIds {
    /// Those of the DNSKEY, CDS and CDNSKEY RRsets.
    pub key_set: Vec<KeyId>,
    /// Those of everything else.
    pub data: Vec<KeyId>,
}

/// A run of whole owners. Its first owner is the zone's own: what lies below a delegation is in the block of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The first owner.
    pub first: Name,
    /// Length of its text.
    pub octets: u64,
    /// How many signatures it holds.
    pub signatures: u64,
    /// Digest of its text.
    pub text: Digest,
    /// Digest of what was signed: its records without those that signing makes.
    pub content: Digest,
    /// Latest inception and earliest expiration of its signatures.
    pub window: SignatureWindow,
}

/// A SHA-256 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

/// Why a text is not a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the seal is damaged, or of another version")]
pub struct BadSeal;

impl Digest {
    /// The digest of some octets.
    pub fn of(octets: &[u8]) -> Self {
        Self::from_ring(&digest(&SHA256, octets))
    }

    /// What a running digest has come to.
    pub(super) fn end(context: Context) -> Self {
        Self::from_ring(&context.finish())
    }

    fn from_ring(digest: &ring::digest::Digest) -> Self {
        let mut octets = [0; 32];
        octets.copy_from_slice(digest.as_ref());
        Self(octets)
    }

    fn parse(text: &str) -> Option<Self> {
        let octets = HEXLOWER.decode(text.as_bytes()).ok()?;
        octets.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    zone: String,
    serial: u32,
    /// Pairs of algorithm and tag.
    key_set: Vec<(u8, u16)>,
    data: Vec<(u8, u16)>,
    /// Iterations, salt in hexadecimal, and opt-out.
    nsec3: Option<(u16, String, bool)>,
    block: u64,
    blocks: Vec<BlockText>,
}

/// First owner, octets, signatures, digest of the text, digest of the content, inception, expiration in Unix seconds.
type BlockText = (String, u64, u64, String, String, u64, u64);

impl Seal {
    /// Latest inception and earliest expiration of all signatures; `None` if there are none.
    pub fn window(&self) -> Option<SignatureWindow> {
        let signed = self.blocks.iter().filter(|block| block.signatures > 0);
        signed
            .map(|block| block.window)
            .reduce(SignatureWindow::both)
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, BadSeal> {
        let (head, body) = text.split_once('\n').ok_or(BadSeal)?;
        let stated = head.strip_prefix(MAGIC).and_then(|d| d.strip_prefix(' '));
        let stated = stated.and_then(Digest::parse).ok_or(BadSeal)?;
        if stated != Digest::of(body.as_bytes()) {
            return Err(BadSeal);
        }
        let text: Text = serde_json::from_str(body).map_err(|_| BadSeal)?;
        let ids = |pairs: Vec<(u8, u16)>| {
            let id = |(algorithm, tag)| KeyId { algorithm, tag };
            pairs.into_iter().map(id).collect()
        };
        Ok(Self {
            zone: name(&text.zone)?,
            serial: text.serial,
            signers: SignerIds {
                key_set: ids(text.key_set),
                data: ids(text.data),
            },
            denial: text
                .nsec3
                .map_or(Ok(Denial::Nsec), |nsec3| hashed(&nsec3))?,
            block: text.block,
            blocks: text
                .blocks
                .into_iter()
                .map(Block::read)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Display for Seal {
    /// One block a line, so that a damaged one can be found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = |ids: &[KeyId]| ids.iter().map(|id| (id.algorithm, id.tag)).collect();
        let text = Text {
            zone: self.zone.to_string(),
            serial: self.serial,
            key_set: pairs(&self.signers.key_set),
            data: pairs(&self.signers.data),
            nsec3: match &self.denial {
                Denial::Nsec => None,
                Denial::Nsec3 { hashing, opt_out } => {
                    let salt = HEXLOWER.encode(&hashing.salt);
                    Some((hashing.iterations, salt, *opt_out))
                }
            },
            block: self.block,
            blocks: Vec::new(),
        };
        let mut body = serde_json::to_string(&text).map_err(|_| fmt::Error)?;
        let end = body.rfind(']').ok_or(fmt::Error)?;
        let tail = body.split_off(end);
        for (number, block) in self.blocks.iter().enumerate() {
            let line = serde_json::to_string(&block.write()).map_err(|_| fmt::Error)?;
            write!(body, "{}\n{line}", if number == 0 { "" } else { "," })?;
        }
        body.push_str(&tail);
        body.push('\n');
        write!(f, "{MAGIC} {}\n{body}", Digest::of(body.as_bytes()))
    }
}

impl Block {
    /// The window of a block without signatures.
    pub(super) const EVER: SignatureWindow = SignatureWindow {
        inception: Instant::from_unix(0),
        expiration: Instant::from_unix(u64::MAX),
    };

    fn read(text: BlockText) -> Result<Self, BadSeal> {
        let (first, octets, signatures, signed, content, inception, expiration) = text;
        Ok(Self {
            first: name(&first)?,
            octets,
            signatures,
            text: Digest::parse(&signed).ok_or(BadSeal)?,
            content: Digest::parse(&content).ok_or(BadSeal)?,
            window: SignatureWindow {
                inception: Instant::from_unix(inception),
                expiration: Instant::from_unix(expiration),
            },
        })
    }

    fn write(&self) -> BlockText {
        (
            self.first.to_string(),
            self.octets,
            self.signatures,
            self.text.to_string(),
            self.content.to_string(),
            self.window.inception.unix(),
            self.window.expiration.unix(),
        )
    }
}

fn hashed((iterations, salt, opt_out): &(u16, String, bool)) -> Result<Denial, BadSeal> {
    let hashing = Hashing {
        iterations: *iterations,
        salt: HEXLOWER.decode(salt.as_bytes()).map_err(|_| BadSeal)?,
    };
    let opt_out = *opt_out;
    Ok(Denial::Nsec3 { hashing, opt_out })
}

fn name(text: &str) -> Result<Name, BadSeal> {
    Name::parse(text.as_bytes(), None).map_err(|_| BadSeal)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seal(blocks: u64) -> Seal {
        let block = |number: u64| Block {
            first: name(&format!("\\042{number}.example.com.")).unwrap(),
            octets: number,
            signatures: 3,
            text: Digest::of(b"text"),
            content: Digest::of(b"content"),
            window: SignatureWindow {
                inception: Instant::from_unix(number),
                expiration: Instant::from_unix(number << 1),
            },
        };
        Seal {
            zone: name("example.com.").unwrap(),
            serial: 7,
            signers: SignerIds {
                key_set: vec![KeyId {
                    algorithm: 13,
                    tag: 1,
                }],
                data: Vec::new(),
            },
            denial: Denial::Nsec3 {
                hashing: Hashing {
                    iterations: 1,
                    salt: vec![0xab, 0xcd],
                },
                opt_out: true,
            },
            block: 9,
            blocks: (0..blocks).map(block).collect(),
        }
    }

    #[test]
    fn a_seal_reads_back_and_one_with_any_octet_changed_does_not() {
        for blocks in [0, 1, 3] {
            let seal = seal(blocks);
            let text = seal.to_string();
            assert_eq!(Seal::parse(&text), Ok(seal), "{text}");
            for at in 0..text.len() {
                let mut broken = text.clone().into_bytes();
                broken.get_mut(at).into_iter().for_each(|b| *b ^= 1);
                let broken = String::from_utf8(broken).unwrap();
                assert_eq!(Seal::parse(&broken), Err(BadSeal), "{at}: {broken}");
                assert_eq!(Seal::parse(text.get(..at).unwrap()), Err(BadSeal), "{at}");
            }
        }
    }
}
