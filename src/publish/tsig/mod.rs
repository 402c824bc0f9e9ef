//! Transaction signatures: who asks or answers is one who holds a shared secret (RFC 8945).
//!
//! HMAC with SHA-256, SHA-384 and SHA-512. MD5 and SHA-1 are refused, in key files and on the wire: every peer of today
//! knows better ones, and a key is shared by two parties who can choose. GSS-TSIG (RFC 3645) is not spoken.

mod client;
pub mod key;
mod keyfile;
mod record;
mod server;

pub use client::{Chain, NotAuthentic};
pub use key::{Algorithm, Keyring, TsigKey};
pub use keyfile::{KeyFileError, read_keys};
pub(super) use server::{Judged, Session, judge};

/// How far apart the clocks of two parties may be, in seconds (RFC 8945 §10).
const FUDGE: u16 = 300;

/// TSIG error codes (RFC 8945 §3).
mod error {
    pub(super) const BADSIG: u16 = 16;
    pub(super) const BADKEY: u16 = 17;
    pub(super) const BADTIME: u16 = 18;
    pub(super) const BADTRUNC: u16 = 22;
}
