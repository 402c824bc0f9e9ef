//! Records as values: owner, TTL, type and uncompressed RDATA octets (RFC 1035 §3.2, RFC 3597).
//!
//! Every type, known or not, is held as wire octets: one shape to compare, to sort, to sign and to serve.

use crate::rotation::timing::Ttl;
use crate::zone::name::{Name, write_name};
use crate::zone::rdata;
use std::fmt::{self, Write as _};

pub use crate::zone::rtype::{NotAType, Rtype};

/// RDATA: wire octets without compression, names inside in the case they were written in.
///
/// Text, canonical form and well-formedness of each type: [`crate::zone::rdata`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rdata(pub Box<[u8]>);

/// One record of class IN. Prints as one line of a master file with nothing left relative.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
        let (mut owner, mut line) = (String::new(), String::new());
        // Writing to a String cannot fail.
        let _ = write_name(self.owner.wire(), &mut owner);
        append_line(&owner, self.ttl, self.rtype, &self.rdata.0, &mut line);
        f.write_str(&line)
    }
}

/// Appends a record as one line of a master file, without its line end; `owner` is the owner as text.
pub(crate) fn append_line(owner: &str, ttl: Ttl, rtype: Rtype, data: &[u8], line: &mut String) {
    line.push_str(owner);
    // Writing to a String cannot fail.
    let _ = write!(line, " {ttl} IN {} ", rtype.in_zone());
    rdata::write_in_zone(rtype, data, line);
}
