//! The digest of what a zone means, whatever its text looks like (RFC 8976 §3: scheme SIMPLE, hash SHA-384).
//!
//! A ZONEMD record at the apex and the signatures over it are left out, as the RFC demands: the digest is the one that
//! such a record would carry, and that `ldns-signzone -z` or Knot computes too.

use crate::dnssec::rrsig::Rrsig;
use crate::zone::content::{Zone, ttl_in};
use crate::zone::record::{Rdata, Rtype};
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA384};
use std::fmt;

/// Octets of SHA-384.
const LENGTH: usize = 48;

/// What a zone means, in 384 bits. Prints in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneDigest([u8; LENGTH]);

impl ZoneDigest {
    /// The digest of a zone.
    pub fn of(zone: &Zone) -> Self {
        let mut context = Context::new(&SHA384);
        let mut octets = Vec::with_capacity(512);
        for (owner, node) in &zone.nodes {
            let apex = *owner == zone.apex;
            let canonical = owner.canonical();
            for (rtype, rrset) in node {
                for rdata in &rrset.rdatas {
                    if apex && is_left_out(*rtype, rdata) {
                        continue;
                    }
                    let data = rdata.canonical(*rtype);
                    let ttl = ttl_in(node, *rtype, rdata).unwrap_or_default();
                    octets.clear();
                    octets.extend_from_slice(&canonical);
                    octets.extend_from_slice(&rtype.0.to_be_bytes());
                    octets.extend_from_slice(&[0, 1]);
                    octets.extend_from_slice(&ttl.0.to_be_bytes());
                    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
                    octets.extend_from_slice(&length.to_be_bytes());
                    octets.extend_from_slice(&data);
                    context.update(&octets);
                }
            }
        }
        let mut digest = [0; LENGTH];
        for (to, from) in digest.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(digest)
    }

    /// Reads the hexadecimal digits, in lower case as they are printed.
    pub fn parse(text: &str) -> Option<Self> {
        let octets = HEXLOWER.decode(text.as_bytes()).ok()?;
        octets.try_into().ok().map(Self)
    }
}

fn is_left_out(rtype: Rtype, rdata: &Rdata) -> bool {
    rtype == Rtype::ZONEMD
        || rtype == Rtype::RRSIG && Rrsig::covered_by(rdata) == Some(Rtype::ZONEMD)
}

impl fmt::Display for ZoneDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}
