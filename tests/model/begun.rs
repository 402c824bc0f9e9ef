//! The rotation with which a search begins, and the names of what takes part.

use crate::around::{Around, Change, WAY_TTL_BEFORE};
use crate::machine::{FAR, endpoint, now, rrset};
use crate::mutants::Mutant;
use crate::setting::Setting;
use crate::world::{PLACES, Records};
use std::collections::{BTreeMap, BTreeSet};
use tlsa_rotate::rotation::observation::{Authority, Endpoint, TlsaName, ZoneName};
use tlsa_rotate::rotation::step::{Event, Rotation, apply};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};

impl Setting {
    /// The name that a host's TLSA name is an alias of, if it is one.
    pub(crate) fn aliases(&self, host: &Endpoint) -> BTreeMap<TlsaName, TlsaName> {
        let target = self.aliased.then(|| TlsaName::new("tlsa.example.com."));
        target
            .map(|name| (host.tlsa_name(), name))
            .into_iter()
            .collect()
    }

    pub(crate) fn units(&self, count: u8) -> Span {
        Span::seconds(u64::from(count) * u64::from(self.unit))
    }

    pub(crate) fn ttl_of(&self, count: u8) -> Ttl {
        Ttl(u32::from(count) * self.unit)
    }
}

pub(crate) fn zone() -> ZoneName {
    ZoneName::new("example.com.")
}

pub(crate) fn server(number: usize) -> Authority {
    Authority(format!("ns{number}"))
}

pub(crate) fn address(number: usize) -> String {
    format!("192.0.2.{}", 25 + number)
}

/// The rotation after steps 1 and 2.
pub(crate) fn begun(setting: &Setting, mutant: Mutant) -> Rotation {
    let Records { old, new, staying } = setting.records;
    let around = Around::beginning(setting);
    let hosts = (0..PLACES).filter(|host| around.listed & (1 << host) != 0);
    let endpoints: BTreeSet<_> = hosts.map(|host| endpoint(setting.host_of(host))).collect();
    let owners: BTreeSet<_> = endpoints.iter().map(Endpoint::tlsa_name).collect();
    let aliases: BTreeMap<_, _> = endpoints
        .iter()
        .flat_map(|one| setting.aliases(one))
        .collect();
    let lies_at = |owner: &TlsaName| aliases.get(owner).unwrap_or(owner).clone();
    let names: BTreeSet<_> = owners.iter().map(lies_at).collect();
    let with_staying = rrset(old | staying);
    let base: BTreeMap<_, _> = names
        .iter()
        .map(|n| (n.clone(), with_staying.clone()))
        .collect();
    let before = match mutant {
        Mutant::TtlBeforeIsNotStated => 0,
        _ => setting.ttl_before,
    };
    let ttl = setting.ttl_of(setting.ttl.max(before));
    let started = Event::Started {
        endpoints,
        current: rrset(old),
        base: base.clone(),
        ttl: names.iter().map(|n| (n.clone(), ttl)).collect(),
        ttl_sources: BTreeMap::new(),
    };
    let mut rotation = apply(None, now(), &started).unwrap();
    let mut facts = vec![
        Event::KeyAdmitted {
            not_after: Instant::from_unix(FAR),
            made_by: None,
        },
        Event::AssociationsComputed {
            incoming: rrset(new),
        },
    ];
    if staying != 0 || setting.aliased {
        facts.push(Event::SurroundingsFound {
            aliases,
            base,
            staying: rrset(staying),
            satisfied: BTreeMap::new(),
        });
    }
    if setting.base().ns != 0b11 && mutant != Mutant::WhoHadLeftIsNotStated {
        let until = BTreeMap::from([(server(1), now() + setting.units(WAY_TTL_BEFORE))]);
        facts.push(Event::ServersHadLeft {
            zone: zone(),
            until,
        });
    }
    if setting.change == Change::Others {
        facts.push(Event::HostsLeft {
            endpoints: vec![(endpoint(1), now())],
            asked: None,
        });
    }
    for event in facts {
        rotation = apply(Some(&rotation), now(), &event).unwrap();
    }
    rotation
}
