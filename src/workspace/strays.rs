//! Answers that refused a key of a host while no rotation looked after it: kept in mind until caches have dropped them (RFC 2181
//! §5.2). That the servers answer well again does not end it.
//!
//! One small JSON file in the state directory, there only as long as something is kept.

use super::durable::WriteError;
use super::inside;
use crate::files::read;
use crate::rotation::observation::TlsaName;
use crate::rotation::reach::Reachable;
use crate::rotation::stray::{Stray, Strays};
use crate::rotation::timing::Instant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The form of the file.
const VERSION: u32 = 1;

/// What is kept, by certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    of: BTreeMap<String, Strays>,
    is_changed: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    strays: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    certificate: String,
    name: TlsaName,
    answered: Stray,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Instant>,
}

fn path(state: &Path) -> PathBuf {
    state.join("strays")
}

impl Kept {
    /// Reads it; nothing, where it is not there.
    pub fn read(state: &Path) -> io::Result<Self> {
        let text = match read::read_text_unlinked(&path(state), read::STATE) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            read => read?,
        };
        let damaged = |why: &str| io::Error::new(ErrorKind::InvalidData, why.to_owned());
        let text: Text = serde_json::from_str(&text).map_err(|_| damaged("it is damaged"))?;
        if text.version != VERSION {
            return Err(damaged("it has a form that this program does not know"));
        }
        let mut kept = Self::default();
        for entry in text.strays {
            let of = kept.of.entry(entry.certificate).or_default();
            let (ttl, until) = (entry.answered.ttl, entry.until);
            let of_name = of.entry(entry.name).or_default();
            of_name.insert(entry.answered.rrset, Reachable { ttl, until });
        }
        Ok(kept)
    }

    /// What is kept of the hosts of a certificate.
    pub fn of(&self, certificate: &str) -> Strays {
        self.of.get(certificate).cloned().unwrap_or_default()
    }

    /// Takes in what there is of it now.
    pub fn note(&mut self, certificate: &str, strays: &Strays) {
        let before = if strays.is_empty() {
            self.of.remove(certificate)
        } else {
            self.of.insert(certificate.to_owned(), strays.clone())
        };
        self.is_changed |= before.unwrap_or_default() != *strays;
    }

    /// Writes it, where something has changed since it was read.
    pub fn write(&mut self, state: &Path) -> Result<(), WriteError> {
        if !std::mem::take(&mut self.is_changed) {
            return Ok(());
        }
        if self.of.is_empty() {
            return inside::remove(&path(state));
        }
        let all = self.of.iter().flat_map(|(certificate, of)| {
            let of = of.iter();
            of.flat_map(move |(name, of_name)| {
                of_name.iter().map(move |(rrset, known)| Entry {
                    certificate: certificate.clone(),
                    name: name.clone(),
                    answered: Stray {
                        rrset: rrset.clone(),
                        ttl: known.ttl,
                    },
                    until: known.until,
                })
            })
        });
        let text = Text {
            version: VERSION,
            strays: all.collect(),
        };
        let mut text = serde_json::to_vec(&text).unwrap_or_default();
        text.push(b'\n');
        inside::create_directory(state, 0o777)?;
        inside::replace(&path(state), &text).map(|_| ())
    }
}
