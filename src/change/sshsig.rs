//! Signatures over texts in OpenSSH's SSHSIG form, as `ssh-keygen -Y sign` makes them (OpenSSH's PROTOCOL.sshsig).
//!
//! A signature carries its public key and the namespace it was made for; who may sign is told elsewhere
//! ([`crate::change::allowed_signers`]).

use crate::change::ssh_key::{BadSignature, PublicKey, Wire, put_string};
use data_encoding::BASE64;
use ring::digest::{SHA256, SHA512, digest};

/// The line in front of a signature.
pub const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
/// The line behind it.
pub const END: &str = "-----END SSH SIGNATURE-----";

/// What the octets of a signature, and those that are signed, begin with.
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
/// Octets on a line of the armour, as OpenSSH breaks them.
const LINE: usize = 70;

/// A signature of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The key that made it; nothing vouches for it here.
    pub key: PublicKey,
    /// What it was made for.
    pub namespace: String,
    reserved: Vec<u8>,
    hash: Hash,
    octets: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha512,
}

/// Why a text is not a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASignature {
    /// The lines around it are not there, or other lines are.
    #[error("expected `{BEGIN}`, lines of Base64 of {LINE} letters, and `{END}`")]
    Armour,
    /// The octets are not of this form.
    #[error("the signature is not in the form of SSHSIG version {VERSION}")]
    Form,
}

impl Signature {
    /// Reads a signature in its armour: exactly as `ssh-keygen` writes it, with nothing before or behind.
    pub fn parse(armoured: &str) -> Result<Self, NotASignature> {
        let inner = armoured
            .strip_prefix(BEGIN)
            .and_then(|rest| rest.strip_prefix('\n'))
            .and_then(|rest| rest.strip_suffix('\n'))
            .and_then(|rest| rest.strip_suffix(END))
            .ok_or(NotASignature::Armour)?;
        let base64: String = inner.lines().collect();
        let octets = BASE64
            .decode(base64.as_bytes())
            .map_err(|_| NotASignature::Armour)?;
        let signature = Self::from_octets(&octets).ok_or(NotASignature::Form)?;
        // One spelling only: what is checked is what is read.
        if signature.armoured() == armoured {
            Ok(signature)
        } else {
            Err(NotASignature::Armour)
        }
    }

    fn from_octets(octets: &[u8]) -> Option<Self> {
        let mut wire = Wire(octets.strip_prefix(MAGIC)?);
        if wire.number().ok()? != VERSION {
            return None;
        }
        let key = PublicKey::from_blob(wire.string().ok()?).ok()?;
        let namespace = std::str::from_utf8(wire.string().ok()?).ok()?;
        let reserved = wire.string().ok()?;
        let hash = match wire.string().ok()? {
            b"sha256" => Hash::Sha256,
            b"sha512" => Hash::Sha512,
            _ => return None,
        };
        let signature = wire.string().ok()?;
        wire.end().ok()?;
        Some(Self {
            key,
            namespace: namespace.to_owned(),
            reserved: reserved.to_vec(),
            hash,
            octets: signature.to_vec(),
        })
    }

    /// The signature in its armour.
    pub fn armoured(&self) -> String {
        let mut octets = MAGIC.to_vec();
        octets.extend_from_slice(&VERSION.to_be_bytes());
        put_string(&mut octets, self.key.blob());
        for field in [
            self.namespace.as_bytes(),
            &self.reserved,
            self.hash.name(),
            &self.octets,
        ] {
            put_string(&mut octets, field);
        }
        let base64 = BASE64.encode(&octets);
        let mut text = format!("{BEGIN}\n");
        for line in base64.as_bytes().chunks(LINE) {
            text.extend(line.iter().map(|octet| char::from(*octet)));
            text.push('\n');
        }
        text.push_str(END);
        text.push('\n');
        text
    }

    /// Checks that the key in the signature made it over exactly this text. Says nothing of whose key it is.
    pub fn verify(&self, text: &[u8]) -> Result<(), BadSignature> {
        let mut signed = MAGIC.to_vec();
        put_string(&mut signed, self.namespace.as_bytes());
        put_string(&mut signed, &self.reserved);
        put_string(&mut signed, self.hash.name());
        let hashed = match self.hash {
            Hash::Sha256 => digest(&SHA256, text),
            Hash::Sha512 => digest(&SHA512, text),
        };
        put_string(&mut signed, hashed.as_ref());
        self.key.verify(&signed, &self.octets)
    }
}

impl Hash {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"sha256",
            Self::Sha512 => b"sha512",
        }
    }
}
