//! RRSIG records: their fields, the octets they are made over, and their times (RFC 4034 §3.1, RFC 4035 §5.3.2, RFC 1982).

use crate::dnssec::dnskey::KeyId;
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::content::Rrset;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use crate::zone::serial;
use std::borrow::Cow;
use std::cmp::Ordering;

/// The fields of an RRSIG record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrsig<'a> {
    /// The type of the RRset it is made over.
    pub covered: Rtype,
    /// Algorithm and tag of the key.
    pub key: KeyId,
    /// Labels of the owner that were signed, the root and a leading `*` not counted.
    pub labels: u8,
    /// The TTL of the RRset in its zone.
    pub original_ttl: Ttl,
    /// When it ends.
    pub expiration: Timestamp,
    /// When it begins.
    pub inception: Timestamp,
    /// The zone whose key made it.
    pub signer: Name,
    /// The signature itself.
    pub signature: &'a [u8],
}

/// A point in time as signatures carry it: Unix seconds modulo 2^32, compared on a circle (RFC 4034 §3.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp(pub u32);

impl Timestamp {
    /// The timestamp of an instant.
    pub fn of(instant: Instant) -> Self {
        let [.., a, b, c, d] = instant.unix().to_be_bytes();
        Self(u32::from_be_bytes([a, b, c, d]))
    }

    /// The instant meant: the one that is nearest to `reference`.
    pub fn near(self, reference: Instant) -> Instant {
        let ahead = self.0.wrapping_sub(Self::of(reference).0);
        let unix = reference.unix();
        // The upper half of the circle lies behind.
        if ahead < 1 << 31 {
            Instant::from_unix(unix.saturating_add(u64::from(ahead)))
        } else {
            Instant::from_unix(unix.saturating_sub(u64::from(ahead.wrapping_neg())))
        }
    }

    /// Serial number arithmetic; `None` for points exactly opposite, whose order RFC 1982 §3.2 leaves open.
    pub fn order(self, other: Self) -> Option<Ordering> {
        serial::compare(self.0, other.0)
    }
}

/// RRSIG RDATA that ends early, or whose signer is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the RRSIG record is truncated or its signer is not a name")]
pub struct BadRrsig;

/// Octets in front of the signer's name.
const FIXED: usize = 18;

impl<'a> Rrsig<'a> {
    /// Reads the fields.
    pub fn parse(rdata: &'a Rdata) -> Result<Self, BadRrsig> {
        let (fixed, rest) = rdata.0.split_first_chunk::<FIXED>().ok_or(BadRrsig)?;
        let [
            c0,
            c1,
            algorithm,
            labels,
            t0,
            t1,
            t2,
            t3,
            e0,
            e1,
            e2,
            e3,
            i0,
            i1,
            i2,
            i3,
            k0,
            k1,
        ] = *fixed;
        let (signer, signature) = Name::split_wire(rest).map_err(|_| BadRrsig)?;
        if signature.is_empty() {
            return Err(BadRrsig);
        }
        Ok(Self {
            covered: Rtype(u16::from_be_bytes([c0, c1])),
            key: KeyId {
                algorithm,
                tag: u16::from_be_bytes([k0, k1]),
            },
            labels,
            original_ttl: Ttl(u32::from_be_bytes([t0, t1, t2, t3])),
            expiration: Timestamp(u32::from_be_bytes([e0, e1, e2, e3])),
            inception: Timestamp(u32::from_be_bytes([i0, i1, i2, i3])),
            signer,
            signature,
        })
    }

    /// Appends the RDATA without the signature, the signer in lower case: what a signature begins with (RFC 4034 §3.1.8.1).
    pub fn append_front(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.covered.0.to_be_bytes());
        out.extend_from_slice(&[self.key.algorithm, self.labels]);
        out.extend_from_slice(&self.original_ttl.0.to_be_bytes());
        out.extend_from_slice(&self.expiration.0.to_be_bytes());
        out.extend_from_slice(&self.inception.0.to_be_bytes());
        out.extend_from_slice(&self.key.tag.to_be_bytes());
        append_lower(self.signer.wire(), out);
    }

    /// The type that RRSIG RDATA covers, without reading the rest.
    pub fn covered_by(rdata: &Rdata) -> Option<Rtype> {
        let (first, _) = rdata.0.split_first_chunk::<2>()?;
        Some(Rtype(u16::from_be_bytes(*first)))
    }
}

/// An RRset in canonical form, ready to be signed or checked any number of times (RFC 4034 §6).
pub struct CanonicalRrset<'a> {
    rdatas: Vec<Cow<'a, [u8]>>,
}

impl<'a> CanonicalRrset<'a> {
    /// Lower-cases the names in the data, sorts, and drops duplicates.
    pub fn new(rtype: Rtype, rrset: &'a Rrset) -> Self {
        Self::sorted(rrset.rdatas.iter().map(|r| r.canonical(rtype)).collect())
    }

    /// The same with the names in the data as they are.
    pub fn as_written(rrset: &'a Rrset) -> Self {
        let rdatas = rrset.rdatas.iter();
        Self::sorted(rdatas.map(|r| Cow::Borrowed(&*r.0)).collect())
    }

    fn sorted(mut rdatas: Vec<Cow<'a, [u8]>>) -> Self {
        if !rdatas.is_sorted_by(|a, b| a < b) {
            rdatas.sort_unstable();
            rdatas.dedup();
        }
        Self { rdatas }
    }

    /// Whether both hold the same data.
    pub fn same_data(&self, other: &Self) -> bool {
        self.rdatas == other.rdatas
    }

    /// Appends the records as they are signed: `owner` (already canonical), type, class IN, `ttl`, length, data.
    pub fn append_records(&self, owner: &[u8], rtype: Rtype, ttl: Ttl, out: &mut Vec<u8>) {
        for rdata in &self.rdatas {
            out.extend_from_slice(owner);
            out.extend_from_slice(&rtype.0.to_be_bytes());
            out.extend_from_slice(&[0, 1]);
            out.extend_from_slice(&ttl.0.to_be_bytes());
            // RDATA longer than its length field cannot be on the wire: such a signature verifies nowhere.
            let length = u16::try_from(rdata.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(rdata);
        }
    }
}

/// The labels field for records at `owner` (RFC 4034 §3.1.3).
pub fn labels_field(owner: &Name) -> u8 {
    let labels = owner.label_count();
    let counted = labels.saturating_sub(usize::from(owner.is_wildcard()));
    // A name of 255 octets has at most 127 labels.
    u8::try_from(counted).unwrap_or(u8::MAX)
}

fn append_lower(wire: &[u8], out: &mut Vec<u8>) {
    out.extend(wire.iter().map(u8::to_ascii_lowercase));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_live_on_a_circle() {
        let table = [
            (1, 0, Some(Ordering::Greater)),
            (0, 1, Some(Ordering::Less)),
            (7, 7, Some(Ordering::Equal)),
            (0, u32::MAX, Some(Ordering::Greater)),
            (u32::MAX, 0, Some(Ordering::Less)),
            (0x7fff_ffff, 0, Some(Ordering::Greater)),
            (0x8000_0000, 0, None),
            (0x8000_0001, 0, Some(Ordering::Less)),
        ];
        for (a, b, expected) in table {
            assert_eq!(Timestamp(a).order(Timestamp(b)), expected, "{a} {b}");
        }
        // Beyond 2106 the 32 bits have wrapped; the nearest reading is the one meant.
        let late = Instant::from_unix((1 << 32) + 100);
        assert_eq!(Timestamp(50).near(late), Instant::from_unix((1 << 32) + 50));
        assert_eq!(
            Timestamp(u32::MAX).near(late),
            Instant::from_unix((1 << 32) - 1)
        );
        assert_eq!(Timestamp::of(late), Timestamp(100));
    }

    #[test]
    fn fields_are_read_and_written_back() {
        let signer = Name::parse(b"Example.COM.", None).unwrap();
        let fields = Rrsig {
            covered: Rtype(52),
            key: KeyId {
                algorithm: 13,
                tag: 4711,
            },
            labels: 4,
            original_ttl: Ttl(3600),
            expiration: Timestamp(20),
            inception: Timestamp(10),
            signer,
            signature: b"sig",
        };
        let mut octets = Vec::new();
        fields.append_front(&mut octets);
        octets.extend_from_slice(b"sig");
        let rdata = Rdata(octets.clone().into());
        assert_eq!(Rrsig::parse(&rdata), Ok(fields));
        assert!(octets.windows(7).any(|w| w == b"example"), "lower case");
        for shorter in 0..octets.len() - 2 {
            let cut = Rdata(octets[..shorter].into());
            assert_eq!(Rrsig::parse(&cut), Err(BadRrsig), "{shorter}");
        }
    }

    #[test]
    fn a_leading_asterisk_does_not_count() {
        let table = [
            (".", 0),
            ("com.", 1),
            ("*.example.com.", 2),
            ("a.*.example.com.", 4),
        ];
        for (owner, labels) in table {
            let owner = Name::parse(owner.as_bytes(), None).unwrap();
            assert_eq!(labels_field(&owner), labels, "{owner}");
        }
    }
}
