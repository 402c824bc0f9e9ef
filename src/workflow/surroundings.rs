//! What a rotation finds when it begins: the RRsets on the branch that counts behind their aliases (RFC 7671 §6), which keys
//! are replaced and which stay, and what each chain satisfies of the records at hand (RFC 7671 §8).

use super::WorkflowError;
use super::head::{self, Head, Heads};
use crate::dane::association;
use crate::dane::certificate::Certificate;
use crate::dane::judge;
use crate::rotation::association::{Association, Combination};
use crate::rotation::before::TtlSource;
use crate::rotation::observation::{Endpoint, KeyAlgorithm, TlsaName};
use crate::rotation::step::{Event, IllegalEvent, Rotation, apply};
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, ZoneConfig};
use crate::zone::answers::{self, Answer};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};

/// More links than any name needs; resolvers follow about as many.
const MOST_LINKS: usize = 8;

/// A certificate with those behind it, leaf first, as a server presents them.
pub(super) type Presentable = Vec<Certificate>;

/// Whether a record is of a certificate of these chains, whatever its usage.
pub(super) fn is_of(chains: &[Presentable], record: &Association) -> bool {
    let mut certificates = chains.iter().flatten();
    certificates.any(|certificate| {
        association::of_certificate(record.parameters(), certificate).as_ref() == Some(record)
    })
}

/// The RRset of one endpoint on the branch that counts.
#[derive(Debug)]
pub(super) struct Found {
    /// The owner names that are aliases, in the order in which they are followed.
    pub(super) links: Vec<TlsaName>,
    /// Where the RRset lies.
    pub(super) name: TlsaName,
    /// What it holds.
    pub(super) rrset: BTreeSet<Association>,
    /// The largest TTL of the RRset, or of its absence (RFC 2308 §5), and of the aliases before it.
    pub(super) ttl: Ttl,
}

/// Where the keys of a certificate stand when a rotation begins.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) endpoints: BTreeSet<Endpoint>,
    pub(super) aliases: BTreeMap<TlsaName, TlsaName>,
    pub(super) base: BTreeMap<TlsaName, BTreeSet<Association>>,
    pub(super) ttl: BTreeMap<TlsaName, Ttl>,
    /// How those of the TTLs are known that were not seen.
    pub(super) ttl_sources: BTreeMap<TlsaName, TtlSource>,
    /// Name servers and addresses that had left before, as facts.
    pub(super) left: Vec<Event>,
    pub(super) current: BTreeSet<Association>,
    pub(super) staying: BTreeSet<Association>,
    pub(super) incoming: BTreeSet<Association>,
    pub(super) satisfied: BTreeMap<Association, BTreeSet<Association>>,
}

/// Follows the aliases from a TLSA owner name through the configured zones as the branch that counts has them.
pub(super) fn find(heads: &mut Heads<'_>, tlsa: &TlsaName) -> Result<Found, WorkflowError> {
    let (mut links, mut at, mut ttl) = (Vec::new(), tlsa.clone(), Ttl(0));
    loop {
        let (zone, name) = zone_of(heads.workspace, &links, &at)?;
        let head = heads.get(zone)?;
        let head = &*head;
        if delegated_at(head, &name).is_some() {
            return Err(elsewhere(&links, &at));
        }
        ttl = ttl.max(ttl_at(head, &name));
        let Some(target) = alias(head, &name) else {
            return Ok(Found {
                links,
                rrset: head::associations(&head.content, &name),
                name: at,
                ttl,
            });
        };
        links.push(at);
        if links.contains(&target) || links.len() > MOST_LINKS {
            return Err(WorkflowError::AliasLoop { name: tlsa.clone() });
        }
        at = target;
    }
}

/// The TTL under which the RRset at a name, its alias or its absence is cached.
pub(super) fn ttl_at(head: &Head, name: &Name) -> Ttl {
    match answers::answer(&head.content, name, Rtype::TLSA) {
        Answer::Records(rrset) | Answer::Alias(rrset) | Answer::Redirection(_, rrset) => rrset.ttl,
        _ => head.negative_ttl(),
    }
}

/// The name that a name, or the wildcard that stands for it, is an alias of, on the branch that counts: by a CNAME record, or by
/// a DNAME above it.
pub(super) fn alias(head: &Head, name: &Name) -> Option<TlsaName> {
    let target = match answers::answer(&head.content, name, Rtype::TLSA) {
        Answer::Alias(cname) => Name::split_wire(&cname.rdatas.first()?.0).ok()?.0,
        Answer::Redirection(owner, dname) => {
            let (target, _) = Name::split_wire(&dname.rdatas.first()?.0).ok()?;
            name.redirected(&owner, &target)?
        }
        _ => return None,
    };
    Some(TlsaName::new(target.to_string()))
}

fn zone_of<'w>(
    workspace: &'w Workspace,
    links: &[TlsaName],
    at: &TlsaName,
) -> Result<(&'w ZoneConfig, Name), WorkflowError> {
    let name = Name::parse(at.as_str().as_bytes(), None).map_err(|_| elsewhere(links, at))?;
    let zone = workspace.config.zone_of(&name);
    zone.map(|zone| (zone, name))
        .ok_or_else(|| elsewhere(links, at))
}

/// The name at which the zone hands this one on to servers of their own (RFC 1034 §4.2).
pub(super) fn delegated_at(head: &Head, name: &Name) -> Option<Name> {
    match answers::answer(&head.content, name, Rtype::TLSA) {
        Answer::Referral(cut, _) => Some(cut),
        _ => None,
    }
}

fn elsewhere(links: &[TlsaName], at: &TlsaName) -> WorkflowError {
    match links.last() {
        None => WorkflowError::NoZone { name: at.clone() },
        Some(alias) => WorkflowError::AliasElsewhere {
            alias: alias.clone(),
            target: at.clone(),
        },
    }
}

impl Surroundings {
    /// The keys of a rotation under way, without any host.
    pub(super) fn of_keys(state: &Rotation) -> Self {
        Self {
            endpoints: BTreeSet::new(),
            aliases: BTreeMap::new(),
            base: BTreeMap::new(),
            ttl: BTreeMap::new(),
            ttl_sources: BTreeMap::new(),
            current: state.current.clone(),
            staying: state.staying.clone(),
            incoming: state.incoming.clone(),
            satisfied: state.satisfied.clone(),
            left: Vec::new(),
        }
    }

    /// As the branch that counts and these chains have it. `incoming` is empty where the next keys are not there yet; `next`
    /// says of which algorithms they will be.
    pub(super) fn of(
        heads: &mut Heads<'_>,
        certificate: &CertificateConfig,
        live: &[Presentable],
        incoming: &[Presentable],
        next: &BTreeSet<KeyAlgorithm>,
    ) -> Result<Self, WorkflowError> {
        let endpoints: BTreeSet<Endpoint> = certificate.endpoints().collect();
        let (mut aliases, mut base) = (BTreeMap::new(), BTreeMap::new());
        let mut ttl: BTreeMap<TlsaName, Ttl> = BTreeMap::new();
        for tlsa in endpoints.iter().map(Endpoint::tlsa_name) {
            let found = find(heads, &tlsa)?;
            for link in found.links {
                aliases.insert(link, found.name.clone());
            }
            let mark = ttl.entry(found.name.clone()).or_default();
            *mark = (*mark).max(found.ttl);
            base.insert(found.name, found.rrset);
        }
        let at_hand: BTreeSet<Association> = base.values().flatten().cloned().collect();
        let coming: BTreeSet<Association> = incoming.iter().filter_map(leaf_key).collect();
        let (staying, replaced): (Vec<&Presentable>, Vec<&Presentable>) =
            live.iter().partition(|chain| stays(chain, &coming, next));
        // A change of algorithm replaces what there is.
        let (staying, replaced) = match replaced.as_slice() {
            [] => (replaced, staying),
            _ => (staying, replaced),
        };
        let current = of_leaves(&replaced, &at_hand);
        let staying = of_leaves(&staying, &at_hand);
        let forms: BTreeSet<Combination> = current.iter().map(Association::parameters).collect();
        let incoming_records: BTreeSet<Association> = incoming
            .iter()
            .filter(|chain| leaf_key(chain).is_some_and(|key| !staying.contains(&key)))
            .filter_map(|chain| chain.first())
            .flat_map(|leaf| {
                forms
                    .iter()
                    .filter_map(|form| association::of_certificate(*form, leaf))
            })
            .collect();
        let mut surroundings = Self {
            endpoints,
            aliases,
            base,
            ttl,
            ttl_sources: BTreeMap::new(),
            left: Vec::new(),
            current,
            staying,
            incoming: incoming_records,
            satisfied: BTreeMap::new(),
        };
        if surroundings.other_forms() {
            let hosts: Vec<&str> = certificate.hosts.iter().map(String::as_str).collect();
            for chain in live.iter().chain(incoming) {
                surroundings.judge(chain, &hosts, heads.now);
            }
        }
        Ok(surroundings)
    }

    /// The state that a start would begin with.
    pub(super) fn before_the_start(&self, now: Instant) -> Result<Rotation, IllegalEvent> {
        let state = apply(None, now, &self.started())?;
        let mut facts = self.left.iter().cloned().chain(self.found());
        facts.try_fold(state, |state, fact| apply(Some(&state), now, &fact))
    }

    /// The fact that begins a rotation.
    pub(super) fn started(&self) -> Event {
        Event::Started {
            endpoints: self.endpoints.clone(),
            current: self.current.clone(),
            base: self.base.clone(),
            ttl: self.ttl.clone(),
            ttl_sources: self.ttl_sources.clone(),
        }
    }

    /// What there is beside `3 1 1` records of keys that are all replaced; `None` where there is nothing.
    pub(super) fn found(&self) -> Option<Event> {
        let plain = self.aliases.is_empty() && self.staying.is_empty() && !self.other_forms();
        (!plain).then(|| self.facts())
    }

    fn facts(&self) -> Event {
        Event::SurroundingsFound {
            aliases: self.aliases.clone(),
            base: self.base.clone(),
            staying: self.staying.clone(),
            satisfied: self.satisfied.clone(),
        }
    }

    /// What has changed since a rotation found them, as far as it looks further than `3 1 1` records.
    pub(super) fn changed_since(&self, state: &Rotation) -> Option<Event> {
        let was_plain =
            state.aliases.is_empty() && state.staying.is_empty() && state.satisfied.is_empty();
        if was_plain && self.found().is_none() {
            return None;
        }
        let same = self.aliases == state.aliases
            && self.base == state.base
            && self.staying == state.staying
            && self.satisfied == state.satisfied;
        (!same).then(|| self.facts())
    }

    fn other_forms(&self) -> bool {
        !self.at_hand().iter().all(Association::is_3_1_1)
    }

    fn at_hand(&self) -> BTreeSet<Association> {
        let published = self.base.values().flatten();
        let of_keys = self.current.iter().chain(&self.staying);
        published
            .chain(of_keys)
            .chain(&self.incoming)
            .cloned()
            .collect()
    }

    /// Notes what a chain satisfies: of the records at hand, and of its issuers in the combinations at hand.
    fn judge(&mut self, chain: &[Certificate], hosts: &[&str], now: Instant) {
        let (Some(leaf), issuers) = (chain.first(), chain.get(1..).unwrap_or_default()) else {
            return;
        };
        let mut candidates = self.at_hand();
        let forms: BTreeSet<Combination> = candidates
            .iter()
            .map(Association::parameters)
            .filter(|form| form.usage == 2)
            .collect();
        candidates.extend(issuers.iter().flat_map(|issuer| {
            forms
                .iter()
                .filter_map(|form| association::of_certificate(*form, issuer))
        }));
        let satisfied = judge::satisfied(&candidates, chain, hosts, now);
        let all = self.satisfied.entry(leaf.spki_association()).or_default();
        all.extend(satisfied);
    }

    /// What is odd about the RRsets, one sentence each.
    pub(super) fn notes(&self, certificate: &str) -> Vec<String> {
        let mut notes = Vec::new();
        for (alias, name) in &self.aliases {
            notes.push(format!(
                "{alias} is an alias: the RRset to change lies at {name}"
            ));
        }
        for key in self.staying.iter().filter(|key| key.is_3_1_1()) {
            notes.push(format!(
                "{} stays: no key of its algorithm is replaced",
                key.short()
            ));
        }
        for (name, rrset) in &self.base {
            if rrset.is_empty() {
                notes.push(format!(
                    "{name} has no TLSA record yet: the key in use is published beside the next one"
                ));
                continue;
            }
            let known = &self.current | &self.staying;
            for key in known.difference(rrset) {
                notes.push(format!(
                    "{name} lacks {}, the key in use: it is published beside the next one",
                    key.short()
                ));
            }
            for stray in rrset.difference(&known) {
                notes.push(self.stray(name, stray, certificate));
            }
        }
        notes
    }

    fn stray(&self, name: &TlsaName, record: &Association, certificate: &str) -> String {
        let short = record.short();
        if !record.is_usable_for_smtp() {
            return format!(
                "{name} holds {short}, which mail senders do not look at; it is left alone"
            );
        }
        let satisfied = |keys: &BTreeSet<Association>| {
            let mut chains = keys.iter().filter(|key| key.is_3_1_1());
            chains.any(|key| self.satisfied.get(key).is_some_and(|s| s.contains(record)))
        };
        let in_use = satisfied(&self.current) || satisfied(&self.staying);
        match (in_use, self.incoming.is_empty(), satisfied(&self.incoming)) {
            (false, _, false) => {
                format!(
                    "{name} holds {short}, which is of no key in use; it is left alone (`tlsa-rotate prune {certificate}` takes it out if no host needs it)"
                )
            }
            (true, false, false) => format!(
                "{name} holds {short}, which the chain in use satisfies and the next one does not; it is left alone"
            ),
            _ => format!("{name} holds {short}, which goes on matching; it is left alone"),
        }
    }
}

fn leaf_key(chain: &Presentable) -> Option<Association> {
    chain.first().map(Certificate::spki_association)
}

/// A key stays if it comes again (a renewal under the same key), or if none of its algorithm comes.
fn stays(
    chain: &Presentable,
    coming: &BTreeSet<Association>,
    next: &BTreeSet<KeyAlgorithm>,
) -> bool {
    let comes_again = leaf_key(chain).is_some_and(|key| coming.contains(&key));
    let algorithm = chain.first().and_then(Certificate::key_algorithm);
    comes_again || !algorithm.is_some_and(|algorithm| next.contains(&algorithm))
}

/// The `3 1 1` association of each leaf, and the published records of usage 3 that are of one.
fn of_leaves(chains: &[&Presentable], at_hand: &BTreeSet<Association>) -> BTreeSet<Association> {
    let leaves = || chains.iter().filter_map(|chain| chain.first());
    let mut records: BTreeSet<Association> = leaves().map(Certificate::spki_association).collect();
    records.extend(
        at_hand
            .iter()
            .filter(|record| record.is_dane_ee())
            .filter(|record| {
                leaves().any(|leaf| {
                    association::of_certificate(record.parameters(), leaf).as_ref() == Some(record)
                })
            })
            .cloned(),
    );
    records
}
