//! The digest of a whole zone in its ZONEMD records: made, and held against what is there (RFC 8976 §3, §4).
//!
//! Scheme SIMPLE with SHA-384 or SHA-512. Other schemes and algorithms are left as they are: nobody checks them (RFC 8976 §4).

use crate::zone::content::{Node, Zone, ttl_in};
use crate::zone::name::Name;
use crate::zone::rdata::canonical;
use crate::zone::record::{Rdata, Rtype};
use ring::digest::{Algorithm, Context, SHA384, SHA512};

const SIMPLE: u8 = 1;
const CLASS_IN: [u8; 2] = [0, 1];
/// Serial, scheme and hash algorithm.
pub(crate) const FRONT: usize = 6;

/// Why a digest does not vouch for the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It was made for another serial.
    #[error("the digest was made for serial {found}, the zone has {expected}")]
    Serial {
        /// In the record.
        found: u32,
        /// In the SOA.
        expected: u32,
    },
    /// The zone is another one than the digest was made of.
    #[error("the digest is not that of this zone: something was changed since it was made")]
    Differs,
    /// Two records of one scheme and algorithm: neither may be used (RFC 8976 §4).
    #[error("there are two digests of one scheme and algorithm, and verifiers use neither")]
    Twice,
}

/// The zone with digests of what it holds now, of each kind that its ZONEMD records at the apex have.
pub(crate) fn renewed(zone: &Zone) -> Option<Vec<Rdata>> {
    let serial = zone.soa()?.serial.to_be_bytes();
    let rdatas = &zone.rrset(&zone.apex, Rtype::ZONEMD)?.rdatas;
    let renew = |rdata: &Rdata| match algorithm(rdata) {
        None => rdata.clone(),
        Some((front, algorithm)) => {
            let digest = digest(&zone.apex, zone.nodes.iter(), algorithm);
            Rdata([&serial, front, &*digest].concat().into())
        }
    };
    let mut renewed: Vec<Rdata> = rdatas.iter().map(renew).collect();
    renewed.sort();
    renewed.dedup();
    Some(renewed)
}

/// What is wrong with each of the zone's digests at its apex. None that can be used is no fault.
pub(crate) fn faults(zone: &Zone) -> Vec<(Rdata, Fault)> {
    let Some(serial) = zone.soa().map(|soa| soa.serial) else {
        return Vec::new();
    };
    let rrset = zone.rrset(&zone.apex, Rtype::ZONEMD);
    let rdatas = rrset.map_or(&[][..], |rrset| &rrset.rdatas);
    let kind = |rdata: &Rdata| rdata.0.get(4..FRONT).map(<[u8]>::to_vec);
    let fault = |rdata: &Rdata| {
        let (front, algorithm) = algorithm(rdata)?;
        let found = u32::from_be_bytes(rdata.0.first_chunk().copied()?);
        let alike = rdatas.iter().filter(|r| kind(r).as_deref() == Some(front));
        if alike.count() > 1 {
            return Some(Fault::Twice);
        }
        if found != serial {
            let expected = serial;
            return Some(Fault::Serial { found, expected });
        }
        let digest = digest(&zone.apex, zone.nodes.iter(), algorithm);
        (rdata.0.get(FRONT..) != Some(&*digest)).then_some(Fault::Differs)
    };
    let faults = rdatas.iter().filter_map(|r| Some((r.clone(), fault(r)?)));
    faults.collect()
}

/// Scheme and hash algorithm of a record, if they can be made here.
fn algorithm(rdata: &Rdata) -> Option<(&[u8], &'static Algorithm)> {
    let front = rdata.0.get(4..FRONT)?;
    match front {
        [SIMPLE, 1] => Some((front, &SHA384)),
        [SIMPLE, 2] => Some((front, &SHA512)),
        _ => None,
    }
}

/// The digest over all records in canonical order, but for those of the digest itself (RFC 8976 §3.3).
fn digest<'z>(
    apex: &Name,
    nodes: impl Iterator<Item = (&'z Name, &'z Node)>,
    algorithm: &'static Algorithm,
) -> Vec<u8> {
    let mut context = Context::new(algorithm);
    let mut record = Vec::new();
    for (owner, node) in nodes.filter(|(owner, _)| owner.is_at_or_below(apex)) {
        let at_apex = owner == apex;
        let name = owner.canonical();
        for (&rtype, rrset) in node {
            if at_apex && rtype == Rtype::ZONEMD {
                continue;
            }
            let mut rdatas: Vec<_> = rrset
                .rdatas
                .iter()
                .filter(|rdata| !(at_apex && covers_digest(rtype, rdata)))
                .map(|rdata| (canonical(rtype, &rdata.0), ttl_in(node, rtype, rdata)))
                .collect();
            rdatas.sort();
            for (data, ttl) in rdatas {
                // Data is at most 65,535 octets long.
                let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
                record.clear();
                record.extend_from_slice(&name);
                record.extend(rtype.0.to_be_bytes());
                record.extend(CLASS_IN);
                record.extend(ttl.unwrap_or(rrset.ttl).0.to_be_bytes());
                record.extend(length.to_be_bytes());
                record.extend_from_slice(&data);
                context.update(&record);
            }
        }
    }
    context.finish().as_ref().to_vec()
}

/// Whether this is the signature over the digest, which cannot be part of what is digested.
fn covers_digest(rtype: Rtype, rdata: &Rdata) -> bool {
    let covered = rdata.0.first_chunk().copied().map(u16::from_be_bytes);
    rtype == Rtype::RRSIG && covered == Some(Rtype::ZONEMD.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 8976 appendix A.1.
    const SIMPLE_EXAMPLE: &str = "\
example. 86400 IN SOA ns1 admin 2018031900 1800 900 604800 86400
example. 86400 IN NS ns1
example. 86400 IN NS ns2
example. 86400 IN ZONEMD 2018031900 1 1 c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c
ns1 3600 IN A 203.0.113.63
ns2 3600 IN AAAA 2001:db8::63
";

    fn zone(text: &str) -> Zone {
        let apex = Name::parse(b"example.", None).unwrap();
        Zone::parse(text.as_bytes(), Some(&apex)).unwrap()
    }

    fn told(text: &str) -> Vec<Fault> {
        let faults = faults(&zone(text)).into_iter();
        faults.map(|(_, fault)| fault).collect()
    }

    #[test]
    fn the_example_of_the_rfc_is_vouched_for_and_every_change_is_noticed() {
        let example = SIMPLE_EXAMPLE.replace(" ns1 admin", " ns1.example. admin.example.");
        assert_eq!(told(&example), []);
        assert_eq!(told(&example.replace("::63", "::64")), [Fault::Differs]);
        assert_eq!(
            told(&example.replace("3600 IN A ", "60 IN A ")),
            [Fault::Differs]
        );
        assert_eq!(told(&example.replace("ns2 3600", "NS2 3600")), []);
        let later = example.replacen("2018031900", "2018031901", 1);
        let (found, expected) = (2_018_031_900, 2_018_031_901);
        assert_eq!(told(&later), [Fault::Serial { found, expected }]);
        let other = example.replace("c68090d9", "00000000");
        let both: String = [&example, other.lines().nth(3).unwrap(), "\n"].concat();
        assert_eq!(told(&both), [Fault::Twice, Fault::Twice]);
        assert_eq!(
            told(&example.replace(" 1 1 c6", " 240 1 c6")),
            [],
            "nobody checks it"
        );
    }

    #[test]
    fn a_digest_made_anew_vouches_for_the_zone_as_it_is() {
        let changed = SIMPLE_EXAMPLE.replace("2018031900 1800", "7 1800");
        let mut zone = zone(&changed);
        let renewed = renewed(&zone).unwrap();
        let apex = zone.apex.clone();
        let node = zone.nodes.get_mut(&apex).unwrap();
        node.get_mut(&Rtype::ZONEMD).unwrap().rdatas = renewed;
        assert_eq!(faults(&zone), []);
    }
}
