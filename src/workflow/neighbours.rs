//! Who hangs on one TLSA RRset by aliases (RFC 7671 §6): certificates whose hosts senders meet by it, of which two may
//! present one key that must neither come nor go for one alone, and hosts that no certificate has.

use super::head::{self, Heads};
use super::known::plain;
use super::{WorkflowError, admit, surroundings};
use crate::dane::certificate::Certificate;
use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, TlsaName};
use crate::rotation::step::Rotation;
use crate::workspace::config::CertificateConfig;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use crate::zone::{answers, mail};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Who hangs on the RRset at one name.
#[derive(Default)]
struct Hanging<'w> {
    /// The certificates of configured hosts.
    certificates: Vec<&'w CertificateConfig>,
    /// Aliases for hosts and ports that no certificate has, each with its host and port.
    strangers: BTreeMap<TlsaName, String>,
}

/// Who hangs on which RRset, and which RRsets lie beside those of the certificates.
#[derive(Default)]
pub(super) struct Neighbours<'w> {
    by_name: BTreeMap<TlsaName, Hanging<'w>>,
    /// The RRsets of hosts and ports that no certificate has.
    others: BTreeMap<Endpoint, BTreeSet<Association>>,
}

/// All of them, as the branch that counts has the zones now. A name that leads nowhere is said when its certificate has its turn.
pub(super) fn all<'w>(heads: &mut Heads<'w>) -> Neighbours<'w> {
    let mut all = Neighbours::default();
    let mut known = BTreeSet::new();
    for certificate in &heads.workspace.config.certificates {
        for endpoint in certificate.endpoints() {
            let own = endpoint.tlsa_name();
            if let Ok(found) = surroundings::find(heads, &own) {
                known.insert(found.name.clone());
                let there = all.by_name.entry(found.name).or_default();
                there.certificates.push(certificate);
            }
            known.insert(own);
        }
    }
    let mut strangers = aliases(heads);
    strangers.retain(|alias, _| !known.contains(alias));
    let exchanges = if strangers.is_empty() {
        BTreeSet::new()
    } else {
        exchanges(heads)
    };
    for (alias, (host, place)) in strangers {
        // Nobody connects to what has no address and takes no mail.
        if !exchanges.contains(&host) && !has_address(heads, &host) {
            continue;
        }
        if let Ok(found) = surroundings::find(heads, &alias) {
            let there = all.by_name.entry(found.name).or_default();
            there.strangers.insert(alias, place);
        }
    }
    all.others = others(heads, &known);
    all
}

/// The TLSA RRsets in the zones that stand where a sender looks for them, but for those at `known` names.
fn others(
    heads: &mut Heads<'_>,
    known: &BTreeSet<TlsaName>,
) -> BTreeMap<Endpoint, BTreeSet<Association>> {
    let mut others = BTreeMap::new();
    for zone in &heads.workspace.config.zones {
        let Ok(head) = heads.get(zone) else { continue };
        let nodes = head.content.nodes.iter();
        for (owner, _) in nodes.filter(|(_, node)| node.contains_key(&Rtype::TLSA)) {
            if !known.contains(&TlsaName::new(owner.to_string()))
                && let Some(endpoint) = endpoint_of(owner)
            {
                others.insert(endpoint, head::associations(&head.content, owner));
            }
        }
    }
    others
}

/// The host and port that a sender looks for records of at `owner`.
fn endpoint_of(owner: &Name) -> Option<Endpoint> {
    let (host, place) = host_and_port(owner)?;
    // Where any port is meant, mail comes to this one.
    let port = place.rsplit(':').next()?.parse().unwrap_or(25);
    Some(Endpoint {
        host: plain(&host),
        port,
    })
}

/// The hosts and ports that no certificate has and that senders hold to the RRset at one of `names`, or to an RRset of their own
/// that lists one of `keys`: whoever moves those keys may move theirs.
pub(super) fn unconfigured<'n>(
    heads: &mut Heads<'_>,
    names: impl IntoIterator<Item = &'n TlsaName>,
    keys: &BTreeSet<Association>,
) -> BTreeSet<Endpoint> {
    let neighbours = Rc::clone(heads.neighbours());
    let mut found = BTreeSet::new();
    for name in names {
        let there = neighbours.by_name.get(name).into_iter();
        let aliases = there.flat_map(|there| there.strangers.keys());
        found.extend(aliases.filter_map(|alias| {
            let owner = Name::parse(alias.as_str().as_bytes(), None).ok()?;
            endpoint_of(&owner)
        }));
    }
    let shares = |(_, rrset): &(&Endpoint, &BTreeSet<Association>)| !rrset.is_disjoint(keys);
    let others = neighbours.others.iter().filter(shares);
    found.extend(others.map(|(endpoint, _)| endpoint.clone()));
    found
}

/// The other ports of a rotation's hosts whose own records list a key that it replaces, and no next one. One that a person let
/// go is not among them.
pub(super) fn beside(heads: &mut Heads<'_>, rotation: &Rotation) -> BTreeSet<Endpoint> {
    let neighbours = Rc::clone(heads.neighbours());
    let hosts: BTreeSet<&str> = rotation.endpoints.iter().map(|one| &*one.host).collect();
    let was_let_go = |one: &Endpoint| rotation.left.get(one).is_some_and(|left| left.asked);
    let is_unready = |(one, rrset): &(&Endpoint, &BTreeSet<Association>)| {
        hosts.contains(&*one.host)
            && !rotation.endpoints.contains(*one)
            && !was_let_go(one)
            && !rrset.is_disjoint(&rotation.current)
            && rrset.is_disjoint(&rotation.incoming)
    };
    let unready = neighbours.others.iter().filter(is_unready);
    unready.map(|(endpoint, _)| endpoint.clone()).collect()
}

/// Every alias in the zones where a sender looks for TLSA records (RFC 6698 §3), by a CNAME or by a DNAME record above it, with
/// the host and how people name host and port. Zones that cannot be read are told where they are needed.
fn aliases(heads: &mut Heads<'_>) -> BTreeMap<TlsaName, (Name, String)> {
    let mut aliases = BTreeMap::new();
    for zone in &heads.workspace.config.zones {
        let Ok(head) = heads.get(zone) else { continue };
        let nodes = head.content.nodes.iter();
        for (owner, node) in nodes {
            let alias = if node.contains_key(&Rtype::CNAME) {
                host_and_port(owner).map(|(host, place)| (owner.clone(), host, place))
            } else if node.contains_key(&Rtype::DNAME) {
                redirected(owner)
            } else {
                None
            };
            if let Some((alias, host, place)) = alias {
                aliases.insert(TlsaName::new(alias.to_string()), (host, place));
            }
        }
    }
    aliases
}

/// Where senders look for the records of a host at or above whose names a DNAME record stands: at `_tcp` of it, or at itself.
fn redirected(owner: &Name) -> Option<(Name, Name, String)> {
    let is_tcp = owner
        .labels()
        .next()
        .is_some_and(|label| label.eq_ignore_ascii_case(b"_tcp"));
    let host = if is_tcp {
        owner.parent()?
    } else {
        owner.clone()
    };
    let alias = host.child(b"_tcp").and_then(|tcp| tcp.child(b"_25")).ok()?;
    let place = format!("{}:25", plain(&host));
    Some((alias, host, place))
}

/// The host and port of `_25._tcp.host`; of `*._tcp.host` the host with any port.
fn host_and_port(owner: &Name) -> Option<(Name, String)> {
    let mut labels = owner.labels();
    let (port, protocol) = (labels.next()?, labels.next()?);
    let port = match port.strip_prefix(b"_") {
        Some(digits) => str::from_utf8(digits)
            .ok()?
            .parse::<u16>()
            .ok()?
            .to_string(),
        None if port == b"*" => "any port".to_owned(),
        None => return None,
    };
    let host = owner.parent()?.parent()?;
    let place = format!("{}:{port}", plain(&host));
    protocol
        .eq_ignore_ascii_case(b"_tcp")
        .then_some((host, place))
}

/// The hosts that take mail for a domain in the zones at hand.
fn exchanges(heads: &mut Heads<'_>) -> BTreeSet<Name> {
    let mut hosts = BTreeSet::new();
    for zone in &heads.workspace.config.zones {
        let Ok(head) = heads.get(zone) else { continue };
        let all = mail::exchanges(&head.content).into_values().flatten();
        hosts.extend(all.map(|(_, host)| host));
    }
    hosts
}

/// Whether the zones at hand give a host an address, or an alias that may have one.
fn has_address(heads: &mut Heads<'_>, host: &Name) -> bool {
    let home = heads.workspace.config.zone_of(host);
    home.and_then(|zone| heads.get(zone).ok())
        .is_some_and(|head| {
            let found = |rtype| !answers::answer(&head.content, host, rtype).is_nothing();
            found(Rtype::A) || found(Rtype::AAAA)
        })
}

/// Refuses that one of `moved` keys comes to these names, or goes, while hosts of another certificate present it by the same
/// RRset: taken out for one, it would be missing for the other. Keys that differ disturb nobody. What a host presents that
/// no certificate has is not known, so none may hang on the RRset, but for those that `is_known` tells: hosts that left.
pub(super) fn keep_their_keys<'n>(
    heads: &mut Heads<'_>,
    certificate: &CertificateConfig,
    names: impl IntoIterator<Item = &'n TlsaName>,
    moved: &BTreeSet<Association>,
    is_known: impl Fn(&TlsaName) -> bool,
) -> Result<(), WorkflowError> {
    if moved.is_empty() {
        return Ok(());
    }
    let neighbours = Rc::clone(heads.neighbours());
    for name in names {
        let Some(there) = neighbours.by_name.get(name) else {
            continue;
        };
        let mut aliases = there.strangers.clone();
        aliases.retain(|alias, _| !is_known(alias));
        if !aliases.is_empty() {
            return Err(WorkflowError::HangsOn {
                certificate: certificate.name.clone(),
                aliases,
                name: name.clone(),
            });
        }
        let others = there.certificates.iter();
        for other in others.filter(|other| other.name != certificate.name) {
            let chains = admit::in_use(other)?;
            let leaves = chains.iter().filter_map(|chain| chain.first());
            let mut keys = leaves.map(Certificate::spki_association);
            if let Some(key) = keys.find(|key| moved.contains(key)) {
                return Err(WorkflowError::SharedKey {
                    certificates: (certificate.name.clone(), other.name.clone()),
                    key,
                    name: name.clone(),
                });
            }
        }
    }
    Ok(())
}
