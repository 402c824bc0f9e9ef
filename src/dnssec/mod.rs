//! DNSSEC signing and its independent check (RFC 4033 to 4035, 5155, 9364).
//!
//! Data meets these modules in this order: [`keystore`] loads [`keys`], [`sign`] makes a signed zone with a denial
//! chain ([`denial`]), [`audit`] judges the result on its own with [`verify`], and [`delta`] says what changed.
//! [`dnskey`], [`rrsig`] and [`algorithm`] are the records and the arithmetic that both sides need.

pub mod algorithm;
pub mod audit;
mod audit_chain;
mod audit_keys;
mod audit_passage;
mod authority;
pub mod carry;
pub mod delta;
pub mod denial;
pub mod dnskey;
pub mod finding;
mod generate;
pub mod key_timing;
pub mod keyfile;
pub mod keys;
pub mod keystore;
mod line;
pub mod nsec3;
pub mod randomness;
mod reuse;
pub mod rrsig;
pub mod sign;
mod signers;
pub mod verify;
mod work;

pub use line::{DsTextError, LineError, read_ds};
pub use reuse::Earlier;
pub use signers::Unsignable;
