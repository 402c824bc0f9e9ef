//! The server's side: a request judged, and its answers signed, one or many (RFC 8945 §5.2, §5.3).

use super::error::{BADKEY, BADSIG, BADTIME, BADTRUNC};
use super::key::{Keyring, TsigKey};
use super::record::{TsigRecord, find, length, u48};
use crate::rotation::timing::Instant;
use crate::zone::name::Name;
use std::sync::Arc;

/// What the TSIG record of a request says about who sent it.
#[derive(Debug)]
pub(in crate::publish) enum Judged {
    /// There is none.
    Unsigned,
    /// It holds: the answers are signed in this session.
    Signed(Session),
    /// It does not: the answer is NOTAUTH, with this session's record.
    Refused(Session),
    /// It is no TSIG record: FORMERR.
    Malformed,
}

/// One signed request and the answers to it.
#[derive(Debug)]
pub(in crate::publish) struct Session {
    /// The key that the answers are signed with; none where the request's is not known, or not proven to be theirs.
    key: Option<Arc<TsigKey>>,
    /// The record that goes with the next answer, without its time and MAC.
    record: TsigRecord,
    /// The MAC of what went before: of the request, then of each answer.
    before: Vec<u8>,
    /// Octets of the MACs of answers: no fewer than those of the request's (RFC 8945 §5.2.2.1).
    length: usize,
    first: bool,
}

/// Judges a request: key, MAC, time, truncation, in this order (RFC 8945 §5.2).
pub(in crate::publish) fn judge(message: &[u8], keys: &Keyring, now: Instant) -> Judged {
    let Ok(found) = find(message) else {
        return Judged::Malformed;
    };
    let Some(record) = found else {
        return Judged::Unsigned;
    };
    let key = keys
        .get(&record.key)
        .filter(|key| key.algorithm().name() == record.algorithm);
    let Some(key) = key else {
        return Judged::Refused(Session::refusing(record, BADKEY, None, now));
    };
    let whole = key.algorithm().whole();
    if record.mac.len() > whole || record.mac.len() < whole / 2 {
        return Judged::Malformed;
    }
    let Some((header, rest)) = record.without(message) else {
        return Judged::Malformed;
    };
    if !key.agrees(&[&header, rest, &record.variables()], &record.mac) {
        return Judged::Refused(Session::refusing(record, BADSIG, None, now));
    }
    if now.unix().abs_diff(record.time) > u64::from(record.fudge) {
        return Judged::Refused(Session::refusing(record, BADTIME, Some(key), now));
    }
    if record.mac.len() < key.algorithm().length() {
        return Judged::Refused(Session::refusing(record, BADTRUNC, Some(key), now));
    }
    Judged::Signed(Session::answering(record, key))
}

impl Session {
    fn answering(request: TsigRecord, key: &Arc<TsigKey>) -> Self {
        Self {
            key: Some(Arc::clone(key)),
            record: TsigRecord::unsigned(key, request.time, request.original_id),
            length: request.mac.len().max(key.algorithm().length()),
            before: request.mac,
            first: true,
        }
    }

    /// Errors are signed where the request proved that its sender has the key (RFC 8945 §5.3.2).
    fn refusing(request: TsigRecord, error: u16, key: Option<&Arc<TsigKey>>, now: Instant) -> Self {
        let other = match error {
            // Their time is in its place; ours is told beside it (RFC 8945 §5.2.3).
            BADTIME => u48(now.unix()).to_vec(),
            _ => Vec::new(),
        };
        Self {
            key: key.map(Arc::clone),
            length: key.map_or(0, |key| key.algorithm().length()),
            before: request.mac,
            first: true,
            record: TsigRecord {
                mac: Vec::new(),
                error,
                other,
                fudge: super::FUDGE,
                ..request
            },
        }
    }

    /// The name of the key that the request was signed with.
    pub(in crate::publish) fn key(&self) -> &Name {
        &self.record.key
    }

    /// How many octets each answer grows by when it is signed.
    pub(in crate::publish) fn size(&self) -> usize {
        self.record.size(self.length)
    }

    /// Signs the next answer.
    pub(in crate::publish) fn sign(&mut self, message: &mut Vec<u8>, now: Instant) {
        if self.record.error != BADTIME {
            self.record.time = now.unix();
        }
        if let Some(key) = &self.key {
            let before = length(&self.before);
            let variables = if self.first {
                self.record.variables()
            } else {
                self.record.timers()
            };
            let rest = message.get(2..).unwrap_or_default();
            // Answers carry the ID of the request, which is the original one unless somebody forwarded it.
            let id = self.record.original_id.to_be_bytes();
            let mac = key.mac(&[&before, &self.before, &id, rest, &variables], self.length);
            self.record.mac.clone_from(&mac);
            self.before = mac;
        }
        self.first = false;
        self.record.append(message);
    }
}
