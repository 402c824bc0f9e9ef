//! What was ever handed out of a zone that is signed here: its latest serial and its keys (RFC 1982 §3, RFC 6781 §4.1.2).
//!
//! One small JSON file for each zone in the state directory. The serial of a version is written before it is put in its
//! place: whoever loses the signed file goes on from here, and whoever loses both from what the servers say.

use super::durable::{Operation, WriteError};
use super::inside;
use crate::dnssec::succession::{KnownKey, Succession};
use crate::files::read;
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::name::Name;
use crate::zone::record::Rdata;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The form of the file.
const VERSION: u32 = 1;

/// What was handed out of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandedOut {
    /// The latest serial.
    pub serial: Option<u32>,
    /// The serial of a version that is being put in its place: it has been handed out if it is there, or if nothing is.
    pub upcoming: Option<u32>,
    /// The keys.
    pub keys: Succession,
    /// Whether a person has said that the next version may have other keys than the servers have.
    pub keys_anew: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    serial: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upcoming: Option<u32>,
    #[serde(default)]
    dnskey_ttl: Ttl,
    #[serde(default)]
    keys: Vec<KeyText>,
    #[serde(default)]
    keys_anew: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    dnskey: String,
    published: Instant,
    signs_keys: bool,
    signs_data: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vouched: Option<Instant>,
}

/// Where it is kept, below the state directory.
pub fn path(state: &Path, zone: &Name) -> PathBuf {
    state.join("handed-out").join(zone.to_string())
}

impl HandedOut {
    /// Reads it; `None` if nothing was handed out yet. What cannot be read is an error: it would be signed below it.
    pub fn read(state: &Path, zone: &Name) -> io::Result<Option<Self>> {
        let text = match read::read_text_unlinked(&path(state, zone), read::STATE) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let damaged = || io::Error::new(ErrorKind::InvalidData, "it is damaged");
        let text: Text = serde_json::from_str(&text).map_err(|_| damaged())?;
        if text.version != VERSION {
            let other = format!(
                "it has the form {}, this program knows {VERSION}",
                text.version
            );
            return Err(io::Error::new(ErrorKind::InvalidData, other));
        }
        let key = |key: KeyText| {
            let octets = BASE64
                .decode(key.dnskey.as_bytes())
                .map_err(|_| damaged())?;
            Ok(KnownKey {
                dnskey: Rdata(octets.into()),
                published: key.published,
                signs_keys: key.signs_keys,
                signs_data: key.signs_data,
                signed: key.signed,
                vouched: key.vouched,
            })
        };
        Ok(Some(Self {
            serial: text.serial,
            upcoming: text.upcoming,
            keys: Succession {
                keys: text.keys.into_iter().map(key).collect::<io::Result<_>>()?,
                ttl: text.dnskey_ttl,
            },
            keys_anew: text.keys_anew,
        }))
    }

    /// Writes it.
    pub fn write(&self, state: &Path, zone: &Name) -> Result<(), WriteError> {
        let path = path(state, zone);
        if let Some(directory) = path.parent() {
            inside::create_directory(directory, 0o777)?;
        }
        let key = |known: &KnownKey| KeyText {
            dnskey: BASE64.encode(&known.dnskey.0),
            published: known.published,
            signs_keys: known.signs_keys,
            signs_data: known.signs_data,
            signed: known.signed,
            vouched: known.vouched,
        };
        let text = Text {
            version: VERSION,
            serial: self.serial,
            upcoming: self.upcoming,
            dnskey_ttl: self.keys.ttl,
            keys: self.keys.keys.iter().map(key).collect(),
            keys_anew: self.keys_anew,
        };
        let mut text = serde_json::to_string_pretty(&text).map_err(|e| WriteError {
            operation: Operation::Replace,
            path: path.clone(),
            source: e.into(),
        })?;
        text.push('\n');
        inside::replace(&path, text.as_bytes()).map(|_| ())
    }
}
