//! SSH public keys and the signatures they check, in the wire form that OpenSSH gives them (RFC 4251 §5, RFC 4253 §6.6,
//! RFC 5656 §3.1, RFC 8332, RFC 8709, OpenSSH's PROTOCOL.u2f).
//!
//! Keys: Ed25519, ECDSA on P-256 and P-384, RSA of 2048 bits and more, and both kinds that live on a FIDO token. Only
//! checking is done here: no private key is ever read by this program (`ssh-keygen` signs).

use crate::dnssec::algorithm::without_zeros;
use data_encoding::{BASE64, BASE64_NOPAD};
use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use std::fmt;

/// A public key as it stands in `.pub` files, signatures and lists of signers. Equal when the octets are.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    blob: Vec<u8>,
    kind: String,
}

/// Octets that are no SSH public key or signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it ends early, or something is left over")]
pub struct BadWire;

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// A kind of key or signature that is not checked here.
    #[error(
        "keys of type {0} cannot be checked here; use ssh-ed25519, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ssh-rsa, or a token's sk-ssh-ed25519 or sk-ecdsa-sha2-nistp256"
    )]
    Unsupported(String),
    /// Malformed, or not the form that goes with the key.
    #[error("the signature is malformed")]
    Malformed,
    /// The token was not touched.
    #[error("the security token did not ask for a touch, so nobody is known to have been there")]
    NotTouched,
    /// The arithmetic says no.
    #[error("the signature does not fit the text: one of them was changed")]
    DoesNotFit,
}

/// Reads SSH wire data from the front.
pub(super) struct Wire<'a>(pub(super) &'a [u8]);

impl<'a> Wire<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], BadWire> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(BadWire)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn number(&mut self) -> Result<u32, BadWire> {
        let octets = self.take(4)?.try_into().map_err(|_| BadWire)?;
        Ok(u32::from_be_bytes(octets))
    }

    /// A string: its length, then its octets (RFC 4251 §5).
    pub(super) fn string(&mut self) -> Result<&'a [u8], BadWire> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| BadWire)?)
    }

    pub(super) fn end(self) -> Result<(), BadWire> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(BadWire)
        }
    }
}

/// Appends a string in wire form.
pub(super) fn put_string(out: &mut Vec<u8>, octets: &[u8]) {
    // Everything that is hashed or signed here is far shorter than 4 GiB.
    let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(octets);
}

impl PublicKey {
    /// Reads the octets of a key: its type, then what the type demands, which is looked at when it is used.
    pub fn from_blob(blob: &[u8]) -> Result<Self, BadWire> {
        let kind = Wire(blob).string()?;
        let kind = std::str::from_utf8(kind).map_err(|_| BadWire)?;
        if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(BadWire);
        }
        Ok(Self {
            kind: kind.to_owned(),
            blob: blob.to_vec(),
        })
    }

    /// Reads the two words `type base64` of a `.pub` file; `None` if they are no key or contradict each other.
    pub fn from_words(kind: &str, base64: &str) -> Option<Self> {
        let blob = BASE64.decode(base64.as_bytes()).ok()?;
        let key = Self::from_blob(&blob).ok()?;
        (key.kind == kind).then_some(key)
    }

    /// The octets.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The type, such as `ssh-ed25519`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The fingerprint as `ssh-keygen -l` prints it: `SHA256:` and Base64 without padding.
    pub fn fingerprint(&self) -> String {
        let hash = digest(&SHA256, &self.blob);
        format!("SHA256:{}", BASE64_NOPAD.encode(hash.as_ref()))
    }

    /// Checks a signature, in wire form with its type in front, over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let malformed = |BadWire| BadSignature::Malformed;
        let mut key = Wire(&self.blob);
        key.string().map_err(malformed)?;
        let mut wire = Wire(signature);
        let form = wire.string().map_err(malformed)?;
        let octets = wire.string().map_err(malformed)?;
        let right_form = |wanted: &str| {
            let right = form == wanted.as_bytes();
            right.then_some(()).ok_or(BadSignature::Malformed)
        };
        match &*self.kind {
            "ssh-rsa" => {
                wire.end().map_err(malformed)?;
                rsa(key, form, message, octets)
            }
            "ssh-ed25519" => {
                right_form(&self.kind)?;
                wire.end().map_err(malformed)?;
                ed25519(key, message, octets)
            }
            "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" => {
                right_form(&self.kind)?;
                wire.end().map_err(malformed)?;
                ecdsa(&self.kind, key, message, octets)
            }
            "sk-ssh-ed25519@openssh.com" | "sk-ecdsa-sha2-nistp256@openssh.com" => {
                right_form(&self.kind)?;
                self.token(key, message, octets, wire)
            }
            _ => Err(BadSignature::Unsupported(self.kind.clone())),
        }
    }

    /// A FIDO token signs hashes of the application and of the message, its flags and its counter (PROTOCOL.u2f).
    fn token(
        &self,
        mut key: Wire<'_>,
        message: &[u8],
        octets: &[u8],
        mut rest: Wire<'_>,
    ) -> Result<(), BadSignature> {
        const TOUCHED: u8 = 1;
        let malformed = |BadWire| BadSignature::Malformed;
        let flags_and_counter = rest.take(5).map_err(malformed)?;
        rest.end().map_err(malformed)?;
        // The application is the last string of the key.
        let front = key.0;
        let strings = if self.kind.starts_with("sk-ecdsa") {
            2
        } else {
            1
        };
        for _ in 0..strings {
            key.string().map_err(malformed)?;
        }
        let plain = front
            .get(..front.len().saturating_sub(key.0.len()))
            .unwrap_or_default();
        let application = key.string().map_err(malformed)?;
        key.end().map_err(malformed)?;
        let mut signed = digest(&SHA256, application).as_ref().to_vec();
        signed.extend_from_slice(flags_and_counter);
        signed.extend_from_slice(digest(&SHA256, message).as_ref());
        if strings == 2 {
            ecdsa("ecdsa-sha2-nistp256", Wire(plain), &signed, octets)?;
        } else {
            ed25519(Wire(plain), &signed, octets)?;
        }
        match flags_and_counter.first() {
            Some(flags) if flags & TOUCHED != 0 => Ok(()),
            _ => Err(BadSignature::NotTouched),
        }
    }
}

fn ed25519(mut key: Wire<'_>, message: &[u8], octets: &[u8]) -> Result<(), BadSignature> {
    let point = key.string().map_err(|_| BadSignature::Malformed)?;
    key.end().map_err(|_| BadSignature::Malformed)?;
    UnparsedPublicKey::new(&ED25519, point)
        .verify(message, octets)
        .map_err(|_| BadSignature::DoesNotFit)
}

/// The key is the name of its curve and a point; the signature two numbers, which ring wants at full width.
fn ecdsa(kind: &str, mut key: Wire<'_>, message: &[u8], octets: &[u8]) -> Result<(), BadSignature> {
    let malformed = |BadWire| BadSignature::Malformed;
    let (curve, width, algorithm): (_, usize, _) = match kind {
        "ecdsa-sha2-nistp384" => ("nistp384", 48, &ECDSA_P384_SHA384_FIXED),
        _ => ("nistp256", 32, &ECDSA_P256_SHA256_FIXED),
    };
    if key.string().map_err(malformed)? != curve.as_bytes() {
        return Err(BadSignature::Malformed);
    }
    let point = key.string().map_err(malformed)?;
    key.end().map_err(malformed)?;
    let mut numbers = Wire(octets);
    let mut fixed = Vec::new();
    for _ in 0..2 {
        let number = without_zeros(numbers.string().map_err(malformed)?);
        let zeros = width.checked_sub(number.len());
        fixed.resize(
            fixed
                .len()
                .saturating_add(zeros.ok_or(BadSignature::Malformed)?),
            0,
        );
        fixed.extend_from_slice(number);
    }
    numbers.end().map_err(malformed)?;
    UnparsedPublicKey::new(algorithm, point)
        .verify(message, &fixed)
        .map_err(|_| BadSignature::DoesNotFit)
}

/// RFC 8332: the signature names its hash. SHA-1 (`ssh-rsa`) does not count.
fn rsa(mut key: Wire<'_>, form: &[u8], message: &[u8], octets: &[u8]) -> Result<(), BadSignature> {
    let malformed = |BadWire| BadSignature::Malformed;
    let algorithm = match form {
        b"rsa-sha2-512" => &RSA_PKCS1_2048_8192_SHA512,
        b"rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(BadSignature::Malformed),
    };
    let e = without_zeros(key.string().map_err(malformed)?);
    let n = without_zeros(key.string().map_err(malformed)?);
    key.end().map_err(malformed)?;
    // A signature with zeros in front may have been written without them.
    let mut wide = vec![0; n.len().saturating_sub(octets.len())];
    wide.extend_from_slice(octets);
    RsaPublicKeyComponents { n, e }
        .verify(algorithm, message, &wide)
        .map_err(|_| BadSignature::DoesNotFit)
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PublicKey {
    /// `type base64`, as in a `.pub` file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, BASE64.encode(&self.blob))
    }
}
