//! DNSSEC signing and its independent check (RFC 4033 to 4035, 5155, 9364).
//!
//! Data meets these modules in this order: [`keystore`] loads [`keys`], [`sign`] makes a signed zone with a denial
//! chain ([`denial`]), [`audit`] judges the result on its own with [`verify`], and [`delta`] says what changed. For a small
//! change to a large zone [`carry`] does all of that to a few blocks of the file and leaves the rest as it lies. [`next`]
//! decides what the next version of a signed zone is, for everybody who signs.
//! [`dnskey`], [`rrsig`] and [`algorithm`] are the records and the arithmetic that both sides need.

pub mod algorithm;
pub mod audit;
mod audit_chain;
mod audit_hashed;
mod audit_keys;
mod audit_passage;
mod audit_place;
mod authority;
pub mod carry;
pub mod delta;
pub mod denial;
pub mod dnskey;
pub mod finding;
mod generate;
mod hashed_denial;
mod key_records;
pub mod key_timing;
pub mod keyfile;
pub mod keys;
pub mod keystore;
mod line;
pub mod next;
pub mod nsec3;
pub mod print;
pub mod randomness;
mod reuse;
pub mod rrsig;
pub(crate) mod share;
pub mod sign;
mod signers;
pub mod succession;
pub mod verify;
mod work;

pub use hashed_denial::Undeniable;
pub use line::{DsTextError, LineError, read_ds};
pub use reuse::Earlier;
pub use signers::{Unsignable, signers_of};
