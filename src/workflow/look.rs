//! One look at the world for one rotation: what the branch that counts holds, what every server answers, what every host presents.
//!
//! Nothing here fails: what could not be looked at is `Unknown` with its reason, and a note for the user.

use super::behind_aliases;
use super::head::{self, Head, Heads};
use super::places::{self, Place, places};
use super::surroundings;
use super::vantages::{Aside, Vantages};
use super::zone_look::{self, Asked, Question, Serials};
use crate::dane::judge;
use crate::dnssec::keystore::{entry_points, load_keys};
use crate::observe::addresses::{self, AuthorityAddress};
use crate::observe::authorities::Trust;
use crate::observe::listing::Addresses;
use crate::observe::probe::{self, Sighting, Target};
use crate::observe::referral::Guide;
use crate::observe::servers::HostSeen;
use crate::observe::side_by_side::side_by_side;
use crate::rotation::association::Association;
use crate::rotation::blocker::Blocker;
use crate::rotation::decide::Decision;
use crate::rotation::observation::{
    Authority, Endpoint, Observation, Seen, ServedRrset, TlsaName, ZoneName,
};
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::config::{CertificateConfig, Signing, ZoneConfig};
use crate::zone::content::Zone;
use crate::zone::record::{Rdata, Rtype};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Zones of one rotation that are looked at at once.
const AT_ONCE: usize = 8;

/// What was seen, and what the user should know about the looking itself.
#[derive(Clone)]
pub(super) struct Sight {
    /// What was seen.
    pub(super) observation: Observation,
    /// Why something could not be looked at, one sentence each.
    pub(super) notes: Vec<String>,
    /// What could not be asked and holds nothing up: told where somebody asks, or something happened, not in each run.
    pub(super) asides: Vec<String>,
    /// The serials that servers answered with.
    pub(super) serials: Serials,
    /// The zones that every server refuses or refers away, with what the first of them answers.
    pub(super) denied: BTreeMap<ZoneName, String>,
}

impl Sight {
    /// Adds the zones that nobody serves to the reasons why a person is needed: before all others, since nothing else helps.
    pub(super) fn tell_denied(denied: BTreeMap<ZoneName, String>, decision: &mut Decision) {
        for (zone, why) in denied {
            decision
                .blockers
                .insert(0, Blocker::ZoneDenied { zone, why });
        }
    }
}

/// What was seen of hosts, and the vantages that did not help.
type Surveyed = (Vec<Sighting>, Vec<Aside>);

/// Where a rotation is looked at.
pub(super) struct View<'w> {
    certificate: &'w CertificateConfig,
    /// The rotation.
    pub(super) rotation: Rotation,
    /// The zones that its names and hosts lie in.
    pub(super) places: Vec<Place<'w>>,
    guide: Guide,
    /// From where its hosts are looked at.
    pub(super) vantages: Vantages<'w>,
    now: Instant,
    notes: Vec<String>,
}

/// Looks at everything that the rotation depends on.
pub(super) fn look<'w>(
    heads: &mut Heads<'w>,
    certificate: &'w CertificateConfig,
    rotation: &Rotation,
    now: Instant,
) -> Sight {
    let view = View::of(heads, certificate, rotation.clone(), now);
    // Where hosts are known to be, nobody need wait for the servers.
    let known = view.known_targets();
    let questions: Vec<Question<'_>> = view.questions().collect();
    let seen = crate::observe::wait_for(async {
        let asked = async {
            let mut all = Asked::default();
            for asked in side_by_side(&questions, AT_ONCE, |question| question.ask(now)).await {
                all.add(asked);
            }
            all
        };
        let (asked, mut surveyed) = tokio::join!(asked, view.survey(&known));
        let others = without(view.targets(&asked), &known);
        let more = view.survey(&others).await;
        surveyed.0.extend(more.0);
        surveyed.1.extend(more.1);
        (asked, surveyed)
    });
    match seen {
        Ok((asked, surveyed)) => view.sight(asked, Ok(surveyed)),
        Err(why) => view.sight(Asked::default(), Err(why.to_string())),
    }
}

/// What of `targets` is not among `known`.
fn without(mut targets: Vec<Target>, known: &[Target]) -> Vec<Target> {
    for target in &mut targets {
        let same = known.iter().filter(|k| k.endpoint == target.endpoint);
        let there: BTreeSet<&SocketAddr> = same.flat_map(|k| &k.addresses).collect();
        target.addresses.retain(|address| !there.contains(address));
    }
    targets
}

/// How often each place is asked: what takes a key out of the zone must not rest on one connection, behind which there may
/// be another server the next time.
fn connections(step: Step) -> u8 {
    const SEVERAL: u8 = 3;
    match step {
        Step::SwapOpen
        | Step::Deployed
        | Step::Verified
        | Step::Retiring
        | Step::Replacing
        | Step::RollingBack
        | Step::Withdrawing => SEVERAL,
        _ => 1,
    }
}

impl<'w> View<'w> {
    /// Of a rotation as it stands.
    pub(super) fn of(
        heads: &mut Heads<'w>,
        certificate: &'w CertificateConfig,
        rotation: Rotation,
        now: Instant,
    ) -> Self {
        let mut notes = Vec::new();
        let places = places(heads, &rotation, &mut notes);
        Self {
            certificate,
            rotation,
            places,
            guide: heads.guide.clone(),
            vantages: heads.vantages.clone(),
            now,
            notes,
        }
    }

    /// What the servers of each zone are asked for it.
    pub(super) fn questions(&self) -> impl Iterator<Item = Question<'w>> {
        self.places.iter().map(|place| Question {
            zone: place.zone,
            kept: place.kept.clone(),
            names: place.names.iter().cloned().collect(),
            hosts: place.hosts_at_home().collect(),
            earlier: zone_look::earlier(&self.rotation, place.zone, self.now),
            guide: self.guide.through(&place.zone.resolvers),
            parent_was_read: place.parent_was_read,
        })
    }

    /// Where every host may be reached: as configured, else at its A and AAAA, as the zone is kept and as its servers were
    /// seen to serve it; and where a cache may still lead.
    fn targets(&self, asked: &Asked) -> Vec<Target> {
        let endpoints = self.rotation.places_to_look_at();
        let target = |endpoint: &Endpoint| {
            let (host, port) = (&endpoint.host, endpoint.port);
            let configured = self.certificate.addresses.get(host);
            let mut addresses: Vec<SocketAddr> = if let Some(configured) = configured {
                let configured: Vec<SocketAddr> =
                    configured.iter().map(|a| a.socket(port)).collect();
                let hidden = self.hidden(host, &configured, asked).into_keys();
                let hidden: Vec<SocketAddr> = hidden.map(|ip| SocketAddr::new(ip, port)).collect();
                [configured, hidden].concat()
            } else {
                let known = self.addresses_known(host, asked).into_keys();
                known.map(|ip| SocketAddr::new(ip, port)).collect()
            };
            let earlier = self.rotation.addresses.get(host).into_iter().flatten();
            for (text, _) in earlier.filter(|(_, known)| known.is_there(self.now)) {
                let address = text.parse().map(|ip| SocketAddr::new(ip, port));
                let address = address.or_else(|_| text.parse()).ok();
                addresses.extend(address.filter(|address| !addresses.contains(address)));
            }
            Target {
                endpoint: endpoint.clone(),
                addresses,
            }
        };
        endpoints.map(target).collect()
    }

    /// The A and AAAA of a host that the configuration leaves out though it names others of them: senders come there all the
    /// same. Where it names none of them, it says where the host is for who runs this, behind a translation of addresses.
    fn hidden(&self, host: &str, configured: &[SocketAddr], asked: &Asked) -> Addresses {
        let mut known = self.addresses_known(host, asked);
        let all = known.len();
        known.retain(|ip, _| configured.iter().all(|at| at.ip() != *ip));
        if known.len() == all {
            known.clear();
        }
        known
    }

    /// The A and AAAA of a host, as its zone is kept and as its servers were seen to serve it.
    fn addresses_known(&self, host: &str, asked: &Asked) -> Addresses {
        let mut known = HostSeen::default();
        let kept = self.places.iter().flat_map(Place::hosts_at_home);
        for (_, (_, kept)) in kept.filter(|(one, _)| one == host) {
            known.add_known(&kept);
        }
        if let Some(seen) = asked.hosts.get(host) {
            known.add_known(&seen.known);
        }
        known.known
    }

    /// Where each host may be reached now, as it is told in the keys of what it presents.
    fn addresses(&self, asked: &Asked) -> BTreeMap<String, Seen<BTreeMap<String, Ttl>>> {
        let mut all: BTreeMap<String, Seen<BTreeMap<String, Ttl>>> = BTreeMap::new();
        for endpoint in self.rotation.places_to_look_at() {
            let (host, port) = (&endpoint.host, endpoint.port);
            let known = self.addresses_known(host, asked);
            let told: BTreeMap<String, Ttl> =
                if let Some(configured) = self.certificate.addresses.get(host) {
                    let ttl = known.values().max().copied().unwrap_or_default();
                    let configured: Vec<SocketAddr> =
                        configured.iter().map(|a| a.socket(port)).collect();
                    let hidden = self.hidden(host, &configured, asked).into_keys();
                    let told = configured
                        .iter()
                        .map(|at| (probe::address_text(endpoint, *at), ttl));
                    told.chain(hidden.map(|ip| (ip.to_string(), ttl))).collect()
                } else {
                    match asked.hosts.get(host).map(|seen| &seen.missing) {
                        None => continue,
                        Some(Some(why)) => {
                            all.insert(host.clone(), Seen::Unknown(why.clone()));
                            continue;
                        }
                        Some(None) => known
                            .iter()
                            .map(|(ip, ttl)| (ip.to_string(), *ttl))
                            .collect(),
                    }
                };
            let entry = all.entry(host.clone());
            if let Seen::Known(all) = entry.or_insert_with(|| Seen::Known(BTreeMap::new())) {
                all.extend(told);
            }
        }
        all
    }

    /// Where every host may be reached, as far as nobody need be asked for it.
    pub(super) fn known_targets(&self) -> Vec<Target> {
        self.targets(&Asked::default())
    }

    async fn survey(&self, targets: &[Target]) -> Surveyed {
        let usual = connections(self.rotation.step);
        let connections = |endpoint: &Endpoint, address: &SocketAddr| {
            let place = (endpoint.clone(), probe::address_text(endpoint, *address));
            if self.rotation.several.contains_key(&place) {
                probe::WHERE_KEYS_DIFFER
            } else {
                usual
            }
        };
        self.vantages.survey(targets, connections).await
    }

    /// Looks at the hosts, and puts it beside what the servers were seen to serve.
    pub(super) fn look_at_hosts(&self, asked: Asked) -> Sight {
        let targets = self.targets(&asked);
        let surveyed = crate::observe::wait_for(self.survey(&targets));
        self.sight(asked, surveyed.map_err(|why| why.to_string()))
    }

    fn sight(&self, asked: Asked, surveyed: Result<Surveyed, String>) -> Sight {
        let (rotation, now) = (&self.rotation, self.now);
        let mut notes = self.notes.clone();
        let asides = asked.notes.clone();
        let (sightings, set_aside) = surveyed.unwrap_or_else(|why| {
            notes.push(format!("nothing could be asked over the network: {why}"));
            Surveyed::default()
        });
        for one in set_aside.iter().map(ToString::to_string) {
            if !notes.contains(&one) {
                notes.push(one);
            }
        }
        let targets = self.targets(&asked);
        let addresses = self.addresses(&asked);
        notes.extend(
            targets
                .iter()
                .filter_map(|target| nowhere(target, &addresses)),
        );
        let merged = behind_aliases::merged(rotation, &self.places, merged(&self.places));
        let served = behind_aliases::served(rotation, asked.served);
        let satisfied = |endpoint: &Endpoint, chain: &[Vec<u8>]| {
            let chain = judge::presented(chain).unwrap_or_default();
            let candidates = at_hand(rotation, &rotation.name_of(endpoint), &merged, &served);
            judge::satisfied(&candidates, &chain, &[&endpoint.host], now)
        };
        let presented = probe::offers(&targets, sightings, satisfied);
        Sight {
            observation: Observation {
                at: now,
                merged,
                sources: places::sources(&self.places),
                served,
                presented,
                servers: asked.servers,
                addresses,
                ..Observation::nothing(now)
            },
            notes,
            asides,
            serials: asked.serials,
            denied: asked.denied,
        }
    }
}

/// That a host has no address, which its zone's servers agree on.
fn nowhere(
    target: &Target,
    addresses: &BTreeMap<String, Seen<BTreeMap<String, Ttl>>>,
) -> Option<String> {
    let endpoint = &target.endpoint;
    let known = addresses.get(&endpoint.host)?;
    let is_nowhere = target.addresses.is_empty() && *known == Seen::Known(BTreeMap::new());
    is_nowhere.then(|| {
        format!(
            "{endpoint} has no address: no sender comes to it, and no other host waits for it. Give it a certificate that its \
             records list before it gets an address; if it is not to get one, take it out of `hosts`"
        )
    })
}

/// Every association that a chain at `name` may be held against.
fn at_hand(
    rotation: &Rotation,
    name: &TlsaName,
    merged: &BTreeMap<TlsaName, Seen<BTreeSet<Association>>>,
    served: &BTreeMap<TlsaName, BTreeMap<Authority, Seen<ServedRrset>>>,
) -> BTreeSet<Association> {
    let mut at_hand = &(&rotation.current | &rotation.incoming) | &rotation.staying;
    at_hand.extend(rotation.base.get(name).into_iter().flatten().cloned());
    if let Some(Seen::Known(rrset)) = merged.get(name) {
        at_hand.extend(rrset.iter().cloned());
    }
    for seen in served.get(name).into_iter().flat_map(BTreeMap::values) {
        if let Seen::Known(rrset) = seen {
            at_hand.extend(rrset.associations.iter().cloned());
        }
    }
    at_hand
}

fn merged(places: &[Place<'_>]) -> BTreeMap<TlsaName, Seen<BTreeSet<Association>>> {
    let mut merged = BTreeMap::new();
    for place in places {
        for (tlsa, name) in &place.names {
            let seen = match &place.head {
                Ok(head) => match surroundings::delegated_at(head, name) {
                    None => Seen::Known(head::associations(&head.content, name)),
                    Some(cut) => Seen::Unknown(format!(
                        "{cut} is delegated by its NS records: its records lie in a zone of its own"
                    )),
                },
                Err(why) => Seen::Unknown(why.clone()),
            };
            merged.insert(tlsa.clone(), seen);
        }
    }
    merged
}

/// Every address of every authoritative server: as configured, else as the zone on the branch that counts gives them.
pub(super) fn servers(
    zone: &ZoneConfig,
    head: Option<&Head>,
) -> Result<Vec<AuthorityAddress>, String> {
    let empty = Zone::empty(zone.name.clone());
    let content = head.map_or(&empty, |head| &head.content);
    addresses::addresses(content, &zone.servers).map_err(|e| e.to_string())
}

/// What the zone's keys are measured by: our own key files, or the anchor the operator gave.
pub(super) fn trust(zone: &ZoneConfig, now: Instant) -> Result<Trust, String> {
    match &zone.signing {
        Signing::Here { keys, .. } => {
            let keys = load_keys(keys, &zone.name).map_err(|e| e.to_string())?;
            let trusted = entry_points(&keys, now).into_iter();
            let dnskeys: Vec<Rdata> = trusted.map(|key| key.dnskey().clone()).collect();
            Ok(Trust::new(&zone.name, Vec::new(), &dnskeys))
        }
        Signing::External { anchor } => {
            let records = head::anchor_records(anchor, &zone.name);
            // A reason is all that is told of it: the way out belongs into it.
            let records = records.map_err(|e| {
                format!("{e} ({})", e.hints().join("; ")).replace("ZONE", &zone.name.to_string())
            })?;
            let of = |rtype| {
                let wanted = records.iter().filter(move |r| r.rtype == rtype);
                wanted.map(|r| r.rdata.clone()).collect::<Vec<_>>()
            };
            Ok(Trust::new(&zone.name, of(Rtype::DS), &of(Rtype::DNSKEY)))
        }
    }
}
