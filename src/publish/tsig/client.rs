//! The client's side: a request signed, and the one answer to it checked (RFC 8945 §5.1, §5.4).

use super::error::{BADKEY, BADSIG, BADTIME};
use super::key::TsigKey;
use super::record::{TsigRecord, find, length};
use crate::rotation::timing::{Instant, Span};
use std::sync::Arc;

/// A request that was signed, and what its answer is checked by.
#[derive(Debug)]
pub struct Chain {
    key: Arc<TsigKey>,
    mac: Vec<u8>,
}

/// Why an answer cannot be believed, or why the server did not believe us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthentic {
    /// No TSIG record where there must be one.
    #[error("the answer is not signed")]
    Unsigned,
    /// A TSIG record that is none.
    #[error("the TSIG record of the answer is malformed")]
    Malformed,
    /// Signed with another key, or not by who has it.
    #[error("the signature of the answer does not hold")]
    Forged,
    /// Signed too long ago, or in the future.
    #[error("the answer was signed at {signed}, it is {now} here")]
    Time {
        /// When the server says it signed.
        signed: Instant,
        /// Our time.
        now: Instant,
    },
    /// The server does not know the key.
    #[error("the server does not know the key {key} with this algorithm (BADKEY)")]
    UnknownKey {
        /// Its name.
        key: String,
    },
    /// The server has another secret.
    #[error("the server has another secret for the key {key} (BADSIG)")]
    OtherSecret {
        /// Its name.
        key: String,
    },
    /// The clocks differ.
    #[error("the server's clock says {theirs}, ours {now} (BADTIME)")]
    Clocks {
        /// The server's time.
        theirs: Instant,
        /// Our time.
        now: Instant,
    },
    /// Another error of RFC 8945.
    #[error("the server refused the signature (TSIG error {0})")]
    Other(u16),
}

impl NotAuthentic {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::UnknownKey { .. } | Self::OtherSecret { .. } => {
                vec!["give both sides the same key: name, algorithm and secret".to_owned()]
            }
            Self::Clocks { .. } | Self::Time { .. } => {
                vec!["set the clocks of both machines".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

impl Chain {
    /// Signs a request.
    pub fn sign(key: &Arc<TsigKey>, message: &mut Vec<u8>, now: Instant) -> Self {
        let id = message
            .first_chunk()
            .map_or(0, |id| u16::from_be_bytes(*id));
        let mut record = TsigRecord::unsigned(key, now.unix(), id);
        record.mac = key.mac(&[message, &record.variables()], key.algorithm().length());
        record.append(message);
        Self {
            key: Arc::clone(key),
            mac: record.mac,
        }
    }

    /// Checks the answer to it.
    pub fn check(&self, message: &[u8], now: Instant) -> Result<(), NotAuthentic> {
        let record = find(message).map_err(|_| NotAuthentic::Malformed)?;
        let record = record.ok_or(NotAuthentic::Unsigned)?;
        let key = || self.key.name().to_string();
        // These two come unsigned: they can only make us give up, and say why.
        match record.error {
            BADKEY => return Err(NotAuthentic::UnknownKey { key: key() }),
            BADSIG => return Err(NotAuthentic::OtherSecret { key: key() }),
            _ => {}
        }
        let named =
            record.key == *self.key.name() && record.algorithm == self.key.algorithm().name();
        let (header, rest) = record.without(message).ok_or(NotAuthentic::Malformed)?;
        let before = length(&self.mac);
        let parts: [&[u8]; 5] = [&before, &self.mac, &header, rest, &record.variables()];
        let long_enough = record.mac.len() >= self.key.algorithm().length();
        if !named || !long_enough || !self.key.agrees(&parts, &record.mac) {
            return Err(NotAuthentic::Forged);
        }
        match record.error {
            0 => {}
            BADTIME => {
                let theirs = record
                    .other
                    .iter()
                    .fold(0, |n: u64, b| n << 8 | u64::from(*b));
                let theirs = Instant::from_unix(theirs);
                return Err(NotAuthentic::Clocks { theirs, now });
            }
            other => return Err(NotAuthentic::Other(other)),
        }
        let signed = Instant::from_unix(record.time);
        let apart = now.since(signed).max(signed.since(now));
        if apart > Span::seconds(record.fudge.into()) {
            return Err(NotAuthentic::Time { signed, now });
        }
        Ok(())
    }
}
