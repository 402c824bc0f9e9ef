//! Records as values: owner, TTL, type and uncompressed RDATA octets (RFC 1035 §3.2, RFC 3597).
//!
//! Every type, known or not, is held as wire octets: one shape to compare, to sort, to sign and to serve.

use crate::rotation::timing::Ttl;
use crate::zone::name::Name;

/// A record type by number; prints and parses as its mnemonic or as `TYPE65280` (RFC 3597 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rtype(pub u16);

/// RDATA: wire octets without compression, names inside in the case they were written in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rdata(pub Box<[u8]>);

/// One record of class IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The absolute owner name.
    pub owner: Name,
    /// Time to live.
    pub ttl: Ttl,
    /// Type.
    pub rtype: Rtype,
    /// Data.
    pub rdata: Rdata,
}
