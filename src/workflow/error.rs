//! Why a use case could not be carried out: one type, each with its ways out.

use crate::change::proposal::Unsealed;
use crate::publish::command::CommandError;
use crate::publish::git::GitError;
use crate::publish::primary::PrimaryError;
use crate::publish::provider::ProviderError;
use crate::publish::ssh_sign::SigningError;
use crate::publish::tsig::KeyFileError;
use crate::rotation::association::Association;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::{IllegalEvent, Step};
use crate::workspace::durable::WriteError;
use crate::workspace::journal::{JournalError, RotationId};
use crate::workspace::lock::LockError;
use crate::workspace::tls_key::TlsKeyError;
use crate::zone::name::Name;
use std::io;
use std::path::PathBuf;

/// Why a use case could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    /// Not in the configuration.
    #[error("there is no certificate `{name}` in the configuration")]
    NoSuchCertificate {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A second rotation of one certificate.
    #[error("rotation {id} is under way ({step})")]
    UnderWay {
        /// Which.
        id: RotationId,
        /// Where it stands.
        step: Step,
    },
    /// Nothing to act on.
    #[error("no rotation of `{name}` is under way")]
    NothingUnderWay {
        /// The certificate.
        name: String,
    },
    /// Nowhere to publish.
    #[error("{name} lies in no configured zone")]
    NoZone {
        /// The owner name.
        name: TlsaName,
    },
    /// A form that the machine does not rotate.
    #[error("{name} holds `{association}`: only RRsets of `3 1 1` records are rotated")]
    OtherForm {
        /// The owner name.
        name: TlsaName,
        /// The record.
        association: Association,
    },
    /// The journal tells a story that cannot be.
    #[error("{}: entry {entry}: {illegal}", path.display())]
    IllegalHistory {
        /// The journal.
        path: PathBuf,
        /// Which entry.
        entry: u64,
        /// What is wrong.
        illegal: IllegalEvent,
    },
    /// A fact that does not fit the step.
    #[error(transparent)]
    Illegal(IllegalEvent),
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a certificate.
    #[error("{}: {reason}", path.display())]
    NotACertificate {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Not a private key.
    #[error("{}: {reason}", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Certificate and key are of two pairs.
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    Mismatched {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// A key that is too weak.
    #[error("{} is too weak: {strength}", path.display())]
    Weak {
        /// Which file.
        path: PathBuf,
        /// What it is.
        strength: String,
    },
    /// A private key that others can read.
    #[error("{} can be read by others (mode {mode:04o})", path.display())]
    KeyExposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A key that was in use before.
    #[error("the key of {} ({}) has been in use before", path.display(), association.short())]
    KeyUsedBefore {
        /// Its certificate.
        path: PathBuf,
        /// Its association.
        association: Association,
    },
    /// The live certificate of the configuration is not the one that hosts have.
    #[error("the live certificate has the key {} that {id} retired", association.short())]
    StaleLive {
        /// The key.
        association: Association,
        /// The rotation that retired it.
        id: RotationId,
    },
    /// Another key is in the place of this one.
    #[error("{} is there already and is another key", path.display())]
    OtherKeyThere {
        /// Which file.
        path: PathBuf,
    },
    /// A proposal that could not be signed.
    #[error("the proposed change cannot be signed: {0}")]
    Proposal(#[from] SigningError),
    /// A signature that does not fit the proposal.
    #[error("the proposed change cannot be signed: {0}")]
    Unsealed(#[from] Unsealed),
    /// A zone file that HEAD does not hold.
    #[error("{} is not committed: git HEAD does not hold it", path.display())]
    NotCommitted {
        /// Which file.
        path: PathBuf,
    },
    /// A trust anchor that cannot be used.
    #[error("{}: {reason}", path.display())]
    NotAnAnchor {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A zone file that cannot be used; the findings name their places.
    #[error("{0}")]
    Zone(String),
    /// A zone that cannot be edited without guessing.
    #[error("{zone}: {reason}")]
    Edit {
        /// The zone.
        zone: Name,
        /// Why not.
        reason: String,
    },
    /// A zone that cannot be signed.
    #[error("{zone} cannot be signed: {reason}")]
    Sign {
        /// The zone.
        zone: Name,
        /// Why not.
        reason: String,
    },
    /// The signed zone on disk is damaged.
    #[error("the signed zone {} cannot be read:\n{findings}", path.display())]
    SignedUnreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        findings: String,
    },
    /// The zone as signed does not verify; it was not written.
    #[error("{zone} as signed does not verify, so it was not written:\n{findings}")]
    Unverified {
        /// The zone.
        zone: Name,
        /// What is wrong.
        findings: String,
    },
    /// A lock that was not got.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A journal that cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file that could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A next key that could not be made.
    #[error(transparent)]
    Key(#[from] TlsKeyError),
    /// What git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A primary that could not be asked or changed.
    #[error(transparent)]
    Primary(#[from] PrimaryError),
    /// A provider's program that could not be used.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A TSIG key that cannot be read.
    #[error(transparent)]
    TsigKey(#[from] KeyFileError),
    /// Which of several keys is meant.
    #[error("{} has several TSIG keys: which one is meant?", path.display())]
    SeveralKeys {
        /// Which file.
        path: PathBuf,
    },
    /// A command that failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl WorkflowError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoSuchCertificate { known, .. } => vec![format!("there is: {}", known.join(", "))],
            Self::UnderWay { id, .. } => vec![
                format!("`tlsa-rotate status {}` says where it stands", id.certificate),
                format!("`tlsa-rotate abort {}` gives it up safely", id.certificate),
            ],
            Self::NothingUnderWay { name } => vec![format!("`tlsa-rotate start {name}` begins one")],
            Self::NoZone { .. } => vec!["add a [[zone]] that the host lies in".to_owned()],
            Self::OtherForm { name, .. } => {
                vec![format!("bring {name} to `3 1 1` records first (RFC 7671 §8.1)")]
            }
            Self::IllegalHistory { .. } => {
                vec!["the journal was edited or mixed up: restore it from a backup".to_owned()]
            }
            Self::Weak { .. } => vec!["use ECDSA P-256, or RSA with 2048 bits or more".to_owned()],
            Self::KeyExposed { path, .. } => vec![format!(
                "make a new key; if nobody can have read it: chmod 600 {}",
                path.display()
            )],
            Self::KeyUsedBefore { .. } => vec![
                "with selector 1 a renewal that keeps its key needs no rotation; for a rotation make a new key".to_owned(),
            ],
            Self::StaleLive { id, .. } => vec![format!(
                "put the certificate that {id} brought to the hosts where `live` in the configuration points"
            )],
            Self::OtherKeyThere { path } => vec![format!(
                "if it is not needed any more, move {} and its neighbours away",
                path.display()
            )],
            Self::SignedUnreadable { path, .. } => vec![format!(
                "move {} away; it is signed anew from git HEAD, with the serial that the zone file has there",
                path.display()
            )],
            Self::NotCommitted { path } => vec![format!(
                "git add {0} && git commit {0}",
                path.display()
            )],
            Self::Lock(error) => error.hints(),
            Self::Journal(error) => error.hints(),
            Self::Write(error) => error.hints(),
            Self::Git(error) => error.hints(),
            Self::Proposal(error) => error.hints(),
            Self::Unsealed(_) => {
                vec!["see that `sign_with` in tlsa-rotate.toml names your own key, and that `ssh-keygen` is OpenSSH's".to_owned()]
            }
            Self::Command(error) => error.hints(),
            Self::Primary(error) => error.hints(),
            Self::Provider(error) => error.hints(),
            Self::TsigKey(error) => error.hints(),
            Self::SeveralKeys { .. } => {
                vec!["put the key for updates into a file of its own".to_owned()]
            }
            Self::Unreadable { path, source } => vec![match source.kind() {
                io::ErrorKind::NotFound => format!(
                    "put the file back, or correct its path in tlsa-rotate.toml: {}",
                    path.display()
                ),
                _ => format!("make it readable: ls -ld {}", path.display()),
            }],
            Self::NotACertificate { .. } => {
                vec!["name a PEM file with the certificate first in tlsa-rotate.toml or with --certificate".to_owned()]
            }
            Self::NotAKey { .. } | Self::Mismatched { .. } => {
                vec!["name the PEM file of the certificate's own private key".to_owned()]
            }
            Self::NotAnAnchor { .. } => {
                vec!["put the DS lines of the parent zone into it: dig +short DS ZONE".to_owned()]
            }
            Self::Zone(_) => vec![
                "correct the zone file, commit it where it is in git, and run again; `tlsa-rotate zone check` shows every finding".to_owned(),
            ],
            Self::Edit { .. } => {
                vec!["change the zone file as said, commit it where it is in git, and run again".to_owned()]
            }
            Self::Sign { zone, .. } => vec![format!(
                "see which keys there are: tlsa-rotate key list {zone} --keys DIRECTORY; nothing was written"
            )],
            Self::Unverified { .. } => {
                vec!["the signed zone is as it was; correct the keys or the zone and run again".to_owned()]
            }
            Self::Illegal(_) => {
                vec!["nothing was recorded; `tlsa-rotate status` says where the rotation stands".to_owned()]
            }
            Self::Key(_) => vec![],
        }
    }
}
