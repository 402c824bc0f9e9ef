//! Records as values: owner, TTL, type and uncompressed RDATA octets (RFC 1035 §3.2, RFC 3597).
//!
//! Every type, known or not, is held as wire octets: one shape to compare, to sort, to sign and to serve.

use crate::rotation::timing::Ttl;
use crate::zone::name::Name;
use std::fmt;

pub use crate::zone::rtype::{NotAType, Rtype};

/// RDATA: wire octets without compression, names inside in the case they were written in.
///
/// Text, canonical form and well-formedness of each type: [`crate::zone::rdata`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rdata(pub Box<[u8]>);

/// One record of class IN. Prints as one line of a master file with nothing left relative.
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

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.rdata.to_text(self.rtype);
        write!(f, "{} {} IN {} {data}", self.owner, self.ttl, self.rtype)
    }
}
