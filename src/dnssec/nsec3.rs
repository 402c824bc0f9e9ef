//! Hashed denial of existence: the hash, its parameters and the fields of NSEC3 records (RFC 5155 §3, §4, §5).

use crate::zone::name::Name;
use crate::zone::rdata::write_base32hex;
use crate::zone::record::Rdata;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

/// The one hash algorithm there is: SHA-1 (RFC 5155 §11).
const SHA1: u8 = 1;
const OPT_OUT: u8 = 1;

/// More additional iterations than this, and validators answer SERVFAIL or take the zone for unsigned (RFC 9276 §3.2).
pub const MOST_ITERATIONS: u16 = 50;

/// A hash: the octets of a SHA-1 digest.
pub type Hash = [u8; 20];

/// How names of a zone are hashed. The default is what RFC 9276 §3.1 wants: no additional iterations, no salt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashing {
    /// Additional iterations.
    pub iterations: u16,
    /// Salt.
    pub salt: Vec<u8>,
}

/// An NSEC3 record without its type bitmap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nsec3 {
    /// How it was hashed.
    pub hashing: Hashing,
    /// Whether unsigned delegations may lie within its span (RFC 5155 §6).
    pub opt_out: bool,
    /// The hash that ends its span.
    pub next: Vec<u8>,
}

impl Hashing {
    /// The hash of a name (RFC 5155 §5).
    pub fn hash(&self, name: &Name) -> Vec<u8> {
        self.hash_canonical(&name.canonical()).to_vec()
    }

    /// The hash of a name in canonical wire form.
    pub fn hash_canonical(&self, wire: &[u8]) -> Hash {
        let once = |octets: &[u8]| {
            let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
            context.update(octets);
            context.update(&self.salt);
            let digest = context.finish();
            // A SHA-1 digest has these 20 octets.
            digest.as_ref().first_chunk().copied().unwrap_or_default()
        };
        (0..self.iterations).fold(once(wire), |hash: Hash, _| once(&hash))
    }

    /// The NSEC3PARAM data that says so (RFC 5155 §4.2).
    pub fn to_nsec3param(&self) -> Rdata {
        let mut octets = Vec::new();
        self.append_front(0, &mut octets);
        Rdata(octets.into())
    }

    /// What NSEC3 and NSEC3PARAM begin with. A salt is at most 255 octets long.
    fn append_front(&self, flags: u8, out: &mut Vec<u8>) {
        out.extend([SHA1, flags]);
        out.extend(self.iterations.to_be_bytes());
        out.push(u8::try_from(self.salt.len()).unwrap_or(u8::MAX));
        out.extend(self.salt.iter().take(usize::from(u8::MAX)));
    }

    /// From NSEC3PARAM data; `None` if it is malformed, of another algorithm, or not in force (RFC 5155 §4.1.2).
    pub fn from_nsec3param(rdata: &Rdata) -> Option<Self> {
        let (flags, hashing, rest) = front(&rdata.0)?;
        (flags == 0 && rest.is_empty()).then_some(hashing)
    }
}

impl Nsec3 {
    /// The fields and the type bitmap; `None` if the octets are malformed or of another algorithm.
    pub fn parse(rdata: &Rdata) -> Option<(Self, &[u8])> {
        let (flags, hashing, rest) = front(&rdata.0)?;
        let (length, rest) = rest.split_first()?;
        let (next, bitmap) = rest.split_at_checked(usize::from(*length))?;
        let fields = Self {
            hashing,
            opt_out: flags & OPT_OUT != 0,
            next: next.to_vec(),
        };
        Some((fields, bitmap))
    }

    /// Appends the data up to the type bitmap (RFC 5155 §3.2).
    pub fn append_front(&self, out: &mut Vec<u8>) {
        let flags = if self.opt_out { OPT_OUT } else { 0 };
        self.hashing.append_front(flags, out);
        out.push(u8::try_from(self.next.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(&self.next);
    }
}

/// The label that stands for a hash in the owner of an NSEC3 record (RFC 5155 §3.3).
pub fn label_of_hash(hash: &Hash) -> String {
    let mut label = String::with_capacity(32);
    write_base32hex(hash, &mut label);
    label
}

/// What NSEC3 and NSEC3PARAM begin with, and what follows it.
fn front(octets: &[u8]) -> Option<(u8, Hashing, &[u8])> {
    let [SHA1, flags, high, low, length, rest @ ..] = octets else {
        return None;
    };
    let (salt, rest) = rest.split_at_checked(usize::from(*length))?;
    let hashing = Hashing {
        iterations: u16::from_be_bytes([*high, *low]),
        salt: salt.to_vec(),
    };
    Some((*flags, hashing, rest))
}

/// The hash that the first label of an NSEC3 owner stands for (RFC 4648 §7, without padding).
pub fn hash_of_owner(owner: &Name) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut octets) = (0_u32, 0_u32, Vec::new());
    for character in owner.labels().next()? {
        let value = char::from(*character).to_digit(32)?;
        // At most seven bits are left over from before.
        bits = (bits << 5 | value) & 0xfff;
        count = count.saturating_add(5);
        if count >= 8 {
            count = count.saturating_sub(8);
            octets.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), None).unwrap()
    }

    #[test]
    fn hashes_are_those_of_rfc_5155_appendix_a() {
        let hashing = Hashing {
            iterations: 12,
            salt: vec![0xaa, 0xbb, 0xcc, 0xdd],
        };
        let table = [
            ("example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example."),
            ("a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl.example."),
            ("*.w.EXAMPLE.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en.example."),
        ];
        for (plain, owner) in table {
            assert_eq!(
                Some(hashing.hash(&name(plain))),
                hash_of_owner(&name(owner)),
                "{plain}"
            );
        }
        assert_eq!(hash_of_owner(&name("w.example.")), None);
        let (plain, owner) = table[2];
        let hash = hashing.hash_canonical(&name(plain).canonical());
        let label = label_of_hash(&hash);
        assert!(owner.starts_with(&label.to_ascii_lowercase()), "{label}");
    }

    #[test]
    fn fields_are_read_and_short_or_foreign_octets_are_not() {
        let octets = b"\x01\x01\x00\x0c\x02\xaa\xbb\x03abc\x00\x01\x40";
        let rdata = Rdata(octets.as_slice().into());
        let (fields, bitmap) = Nsec3::parse(&rdata).unwrap();
        assert_eq!(fields.hashing.iterations, 12);
        assert_eq!(fields.hashing.salt, [0xaa, 0xbb]);
        assert_eq!(
            (fields.opt_out, fields.next.as_slice()),
            (true, b"abc".as_slice())
        );
        assert_eq!(bitmap, b"\x00\x01\x40");
        let mut written = Vec::new();
        fields.append_front(&mut written);
        assert_eq!([&written, bitmap].concat(), octets);
        let hashing = Some(fields.hashing);
        let param = hashing.as_ref().map(Hashing::to_nsec3param);
        assert_eq!(param.as_ref().and_then(Hashing::from_nsec3param), hashing);
        for end in 0..11 {
            let cut = Rdata(octets.get(..end).unwrap().into());
            assert_eq!(Nsec3::parse(&cut), None, "{end} octets");
        }
        let param = |octets: &[u8]| Hashing::from_nsec3param(&Rdata(octets.into()));
        assert!(param(b"\x01\x00\x00\x00\x00").is_some());
        assert_eq!(param(b"\x02\x00\x00\x00\x00"), None, "another algorithm");
        assert_eq!(param(b"\x01\x01\x00\x00\x00"), None, "not in force");
    }
}
