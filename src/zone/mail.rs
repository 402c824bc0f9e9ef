//! What a zone says about mail: who takes it, and what its TXT records say (RFC 5321 §5.1, RFC 1035 §3.3.9, §3.3.14).

use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::collections::BTreeMap;

/// The MX hosts of each domain in the zone, with their preference, most preferred first. A null MX (RFC 7505) is none.
pub fn exchanges(zone: &Zone) -> BTreeMap<Name, Vec<(u16, Name)>> {
    let mut domains = BTreeMap::new();
    for (domain, node) in &zone.nodes {
        let Some(rrset) = node.get(&Rtype::MX) else {
            continue;
        };
        let mut hosts: Vec<(u16, Name)> = rrset.rdatas.iter().filter_map(exchange).collect();
        hosts.retain(|(_, host)| *host != Name::root());
        hosts.sort();
        domains.insert(domain.clone(), hosts);
    }
    domains
}

fn exchange(rdata: &Rdata) -> Option<(u16, Name)> {
    let (preference, host) = rdata.0.split_first_chunk::<2>()?;
    let (host, _) = Name::split_wire(host).ok()?;
    Some((u16::from_be_bytes(*preference), host))
}

/// The TXT records at `owner`, each as its strings joined.
pub fn texts(zone: &Zone, owner: &Name) -> Vec<Vec<u8>> {
    let rrset = zone.rrset(owner, Rtype::TXT);
    let rdatas = rrset.map(|rrset| rrset.rdatas.as_slice());
    rdatas.unwrap_or_default().iter().map(joined).collect()
}

/// The strings of a TXT record, joined.
pub fn joined(rdata: &Rdata) -> Vec<u8> {
    let mut rest: &[u8] = &rdata.0;
    let mut text = Vec::new();
    while let Some((length, after)) = rest.split_first() {
        let (string, after) = after
            .split_at_checked(usize::from(*length))
            .unwrap_or((after, &[]));
        text.extend_from_slice(string);
        rest = after;
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn exchanges_and_texts() {
        let text = "$ORIGIN e.\n$TTL 60\n@ SOA n h 1 2 3 4 5\n@ NS n\nn A 192.0.2.1\n@ MX 20 b\n@ MX 10 A\nnone MX 0 .\nt TXT \"a b\" c\n";
        let zone = Zone::parse(text.as_bytes(), None).unwrap();
        let shown: Vec<String> = exchanges(&zone)
            .iter()
            .map(|(domain, hosts)| format!("{domain}{hosts:?}"))
            .collect();
        assert_eq!(shown.len(), 2);
        let name = |text: &str| Name::parse(text.as_bytes(), None).unwrap();
        let of = |domain| exchanges(&zone).get(&name(domain)).cloned().unwrap();
        assert_eq!(of("e."), [(10, name("a.e.")), (20, name("b.e."))]);
        assert_eq!(of("none.e."), [], "a null MX takes no mail");
        assert_eq!(texts(&zone, &name("t.e.")), [b"a bc".to_vec()]);
    }
}
