//! The look that a job rests on: every host of the certificate at every address, for every algorithm, and every server, in one
//! run. Silence is no yes.

use super::{Kind, Refusal};
use crate::rotation::admissible;
use crate::rotation::association::Association;
use crate::rotation::blocker::Blocker;
use crate::rotation::exposure::{Holder, Presenter};
use crate::rotation::observation::{Endpoint, Observation, Seen, TlsaName};
use crate::rotation::promise::Breach;
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timing::Ttl;
use crate::workflow::case::Case;
use crate::workflow::head::Heads;
use crate::workflow::surroundings::{self, Surroundings};
use crate::workflow::{WorkflowError, admit, before, look, neighbours};
use std::collections::{BTreeMap, BTreeSet};

/// What was looked at, and what was seen.
pub(in crate::workflow) struct Looked {
    /// The hosts, names and records, in the machine's terms; no rotation is meant by it.
    pub(in crate::workflow) state: Rotation,
    certificate: String,
    /// What was seen.
    pub(in crate::workflow) observation: Observation,
    /// Why something could not be looked at.
    pub(in crate::workflow) notes: Vec<String>,
}

/// Looks at all hosts and servers of a certificate.
pub(in crate::workflow) fn look<'w>(
    heads: &mut Heads<'w>,
    case: &Case<'w>,
    kind: Kind,
) -> Result<Looked, WorkflowError> {
    let state = state(heads, case, kind)?;
    let sight = look::look(heads, case.certificate, &state, heads.now);
    Ok(Looked {
        certificate: case.certificate.name.clone(),
        state,
        observation: sight.observation,
        notes: sight.notes,
    })
}

/// The hosts of a certificate with their records: those that are configured, those that a rotation still knows, and those of
/// others that hang on the same records by an alias.
fn state<'w>(
    heads: &mut Heads<'w>,
    case: &Case<'w>,
    kind: Kind,
) -> Result<Rotation, WorkflowError> {
    let (certificate, now) = (case.certificate, heads.now);
    let live = admit::in_use(certificate).unwrap_or_default();
    let mut found = Surroundings::of(heads, certificate, &live, &[], &BTreeSet::new())?;
    if found.current.is_empty() {
        found.current = found.base.values().flatten().cloned().collect();
    }
    if found.current.is_empty() {
        return Err(Refusal::new(kind, &certificate.name)
            .because(
                "no record is published, and no certificate in use is configured",
                "name the certificate that the hosts present: live = { certificate = \"…\" }",
            )
            .into());
    }
    let rotation = case.rotation.as_ref().map(|(_, state)| state);
    for endpoint in others(heads, &found, rotation) {
        let Ok(at) = surroundings::find(heads, &endpoint.tlsa_name()) else {
            continue;
        };
        // Records of their own are none of this job's.
        if found.base.contains_key(&at.name) {
            let links = at.links.into_iter();
            found
                .aliases
                .extend(links.map(|link| (link, at.name.clone())));
            found.endpoints.insert(endpoint);
        }
    }
    before::ask_servers(heads, certificate, &mut found, now);
    before::remember(heads, certificate, &mut found, certificate.ttl_before, now);
    let mut state = found
        .before_the_start(now)
        .map_err(WorkflowError::Illegal)?;
    // As closely as before a record leaves: a balancer may stand before several servers.
    state.step = Step::Retiring;
    if let Some(rotation) = rotation {
        state.servers.extend(rotation.servers.clone());
        state.addresses.extend(rotation.addresses.clone());
        state.several.clone_from(&rotation.several);
        for (name, ttl) in &rotation.ttl_old {
            if let Some(known) = state.ttl_old.get_mut(name) {
                *known = (*known).max(*ttl);
            }
        }
    }
    Ok(state)
}

/// Hosts beside those that are configured.
fn others(
    heads: &mut Heads<'_>,
    found: &Surroundings,
    rotation: Option<&Rotation>,
) -> BTreeSet<Endpoint> {
    let mut others = neighbours::unconfigured(heads, found.base.keys(), &BTreeSet::new());
    if let Some(rotation) = rotation {
        let left = rotation.left.iter().filter(|(_, left)| !left.asked);
        let known = rotation.endpoints.iter().chain(left.map(|(one, _)| one));
        others.extend(known.cloned());
    }
    others.retain(|one| !found.endpoints.contains(one));
    others
}

impl Looked {
    /// Where the RRsets lie, with what the branch that counts has there.
    pub(in crate::workflow) fn rrsets(&self) -> &BTreeMap<TlsaName, BTreeSet<Association>> {
        &self.state.base
    }

    /// The certificate's name.
    pub(in crate::workflow) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The ports for which the records at a name are.
    pub(in crate::workflow) fn ports_at(&self, name: &TlsaName) -> impl Iterator<Item = u16> {
        let endpoints = self.state.endpoints.iter();
        endpoints
            .filter(move |one| self.state.name_of(one) == *name)
            .map(|one| one.port)
    }

    /// The largest TTL under which caches may hold one of the RRsets.
    pub(in crate::workflow) fn ttl(&self) -> Ttl {
        self.state
            .ttl_old
            .values()
            .max()
            .copied()
            .unwrap_or_default()
    }

    /// Every record that some chain that was seen satisfies, and every key that was seen.
    pub(in crate::workflow) fn needed(&self) -> BTreeSet<Association> {
        let offers = self.observation.presented.values();
        let offers = offers.flat_map(|by_address| by_address.values());
        let seen = offers.flat_map(|by_algorithm| by_algorithm.values());
        let chains = seen.flat_map(|seen| match seen {
            Seen::Known(offer) => offer.chains(),
            Seen::Unknown(_) => &[],
        });
        chains
            .flat_map(|chain| chain.satisfies.iter().chain([&chain.key]))
            .cloned()
            .collect()
    }

    /// The servers that did not answer, or not with what the branch that counts has.
    pub(in crate::workflow) fn disagreeing(&self, mut refusal: Refusal) -> Refusal {
        let observation = &self.observation;
        for name in self.rrsets().keys() {
            let place = observation.source_of(name);
            let kept = match observation.merged.get(name) {
                Some(Seen::Known(kept)) => kept,
                _ => &self.rrsets()[name],
            };
            let servers = observation.served.get(name);
            let Some(servers) = servers.filter(|servers| !servers.is_empty()) else {
                refusal = refusal.because(
                    format!("no server could be asked for {name}"),
                    "name the servers of the zone in the configuration: servers = [\"192.0.2.53\", …]",
                );
                continue;
            };
            for (server, seen) in servers {
                refusal = match seen {
                    Seen::Known(rrset) if rrset.associations == *kept => refusal,
                    Seen::Known(_) => refusal.because(
                        format!("{server} answers {name} otherwise than {place} has it"),
                        "let `tlsa-rotate advance` bring the zone to its servers, and run this again when all of them have it",
                    ),
                    Seen::Unknown(why) => refusal.because(
                        format!("{server} did not answer for {name}: {why}"),
                        "run this again when every server answers",
                    ),
                };
            }
        }
        refusal
    }

    /// The places that were not seen, or not with a key that `after` lists, at each name; by the rule that every removal of a
    /// rotation goes by. Also where nothing leaves: who is silent may have any key.
    pub(in crate::workflow) fn unmatched(
        &self,
        after: impl Fn(&BTreeSet<Association>) -> BTreeSet<Association>,
    ) -> Vec<Blocker> {
        let mut blockers: Vec<Blocker> = Vec::new();
        for (name, before) in self.rrsets() {
            let after = after(before);
            let objections = admissible::unmatched(&self.state, &self.observation, name, &after);
            for objection in objections {
                if !blockers.contains(&objection) {
                    blockers.push(objection);
                }
            }
        }
        blockers
    }

    /// What each host presents, a line for each key; and how much was looked at.
    pub(in crate::workflow) fn told(&self) -> Vec<String> {
        let mut by_key: BTreeMap<&Association, BTreeSet<String>> = BTreeMap::new();
        let (mut hosts, mut addresses) = (BTreeSet::new(), 0_usize);
        for (endpoint, offers) in &self.observation.presented {
            hosts.insert(endpoint);
            addresses = addresses.saturating_add(offers.len());
            let seen = offers.iter().flat_map(|(address, by_algorithm)| {
                by_algorithm.values().map(move |seen| (address, seen))
            });
            for (address, seen) in seen {
                if let Seen::Known(offer) = seen {
                    for chain in offer.chains() {
                        let places = by_key.entry(&chain.key).or_default();
                        places.insert(format!("{endpoint} at {address}"));
                    }
                }
            }
        }
        let servers = self.observation.served.values().flat_map(BTreeMap::keys);
        let servers: BTreeSet<_> = servers.collect();
        let mut told = self.notes.clone();
        told.extend(by_key.into_iter().map(|(key, places)| {
            let places: Vec<String> = places.into_iter().collect();
            format!("{key} is presented by {}", places.join(", "))
        }));
        told.push(format!(
            "asked: {}, {}, {}",
            counted(hosts.len(), "host and port", "hosts and ports"),
            counted(addresses, "address", "addresses"),
            counted(servers.len(), "name server", "name servers"),
        ));
        told
    }
}

fn counted(count: usize, one: &str, more: &str) -> String {
    let what = if count == 1 { one } else { more };
    format!("{count} {what}")
}

/// A reason in the words of a job: what is not there is not called a change of a rotation.
pub(in crate::workflow) fn reason(blocker: &Blocker, certificate: &str) -> (String, String) {
    match blocker {
        Blocker::WouldRefuse(Breach {
            holder: Holder::Change,
            presenter: Presenter::Host { endpoint, address },
            key,
            ..
        }) => (
            format!("{endpoint} presents {} at {address}, which the records would not list", key.short()),
            format!("put the key on {endpoint} that its records list, or publish the one that it has: tlsa-rotate adopt {certificate}"),
        ),
        blocker => (blocker.to_string(), "run this again when every host answers at every address; a host that is gone for good goes out of the MX records and `hosts` first".to_owned()),
    }
}
