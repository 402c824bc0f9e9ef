//! The fields of a SOA record (RFC 1035 §3.3.13; the minimum as negative TTL RFC 2308 §4).

use crate::rotation::timing::Ttl;
use crate::zone::name::Name;
use crate::zone::record::Rdata;

/// SOA data as values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    /// The primary server.
    pub primary: Name,
    /// The mailbox of the person responsible, as a name.
    pub mailbox: Name,
    /// The version of the zone (RFC 1982 arithmetic).
    pub serial: u32,
    /// Seconds between a secondary's checks.
    pub refresh: u32,
    /// Seconds before a failed check is repeated.
    pub retry: u32,
    /// Seconds after which a secondary stops answering.
    pub expire: u32,
    /// How long negative answers are cached at most (RFC 2308 §4).
    pub minimum: Ttl,
}

impl Soa {
    /// Reads SOA data; `None` when the octets are not well-formed.
    pub fn from_rdata(rdata: &Rdata) -> Option<Self> {
        let (primary, rest) = Name::split_wire(&rdata.0).ok()?;
        let (mailbox, rest) = Name::split_wire(rest).ok()?;
        let numbers: &[u8; 20] = rest.try_into().ok()?;
        let number = |at: usize| {
            let octets = numbers.get(at..)?.first_chunk::<4>()?;
            Some(u32::from_be_bytes(*octets))
        };
        Some(Self {
            primary,
            mailbox,
            serial: number(0)?,
            refresh: number(4)?,
            retry: number(8)?,
            expire: number(12)?,
            minimum: Ttl(number(16)?),
        })
    }

    /// The data as RDATA.
    pub fn to_rdata(&self) -> Rdata {
        let mut octets = [self.primary.wire(), self.mailbox.wire()].concat();
        let times = [self.refresh, self.retry, self.expire, self.minimum.0];
        for number in [self.serial].into_iter().chain(times) {
            octets.extend(number.to_be_bytes());
        }
        Rdata(octets.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::zone::record::Rtype;

    #[test]
    fn fields_are_those_of_the_text_and_come_back() {
        let text = b"ns1.example. host.example. 2026112301 1h 600 1w 300";
        let rdata = Rdata::from_text(Rtype::SOA, text, None).unwrap();
        let soa = Soa::from_rdata(&rdata).unwrap();
        assert_eq!(
            (soa.serial, soa.refresh, soa.minimum),
            (2_026_112_301, 3600, Ttl(300))
        );
        assert_eq!(soa.to_rdata(), rdata);
        assert_eq!(Soa::from_rdata(&Rdata(Box::new([0, 0, 1]))), None);
    }
}
