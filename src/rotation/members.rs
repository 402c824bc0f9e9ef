//! Who takes part in a rotation: the hosts and ports that present the certificate, those that join and leave while it runs,
//! and the names that their RRsets lie at (RFC 6698 §3, RFC 7671 §6).

use super::association::Association;
use super::before::TtlSource;
use super::observation::{Authority, Endpoint, TlsaName};
use super::reach::Reachable;
use super::step::{Published, Rotation, Step};
use super::timing::{Instant, Ttl};
use std::collections::{BTreeMap, BTreeSet};

/// A host and port that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Left {
    /// Until when senders may still come there.
    pub until: Instant,
    /// A person let it go: it does not join again by being configured still.
    pub asked: bool,
}

impl Rotation {
    /// The names that the TLSA RRsets of the rotation lie at: one for each endpoint (RFC 6698 §3), less where several are
    /// aliases of one (RFC 7671 §6).
    pub fn names(&self) -> &BTreeSet<TlsaName> {
        &self.names
    }

    /// The name that the TLSA RRset of one endpoint lies at.
    pub fn name_of(&self, endpoint: &Endpoint) -> TlsaName {
        let own = endpoint.tlsa_name();
        let aliased = self.aliases.get(&own);
        let aliased = aliased.or_else(|| self.former_aliases.get(&own));
        aliased.cloned().unwrap_or(own)
    }

    pub(super) fn join(
        &mut self,
        endpoints: &BTreeSet<Endpoint>,
        aliases: &BTreeMap<TlsaName, TlsaName>,
        base: &BTreeMap<TlsaName, BTreeSet<Association>>,
        (ttl, ttl_sources): (&BTreeMap<TlsaName, Ttl>, &BTreeMap<TlsaName, TtlSource>),
    ) {
        let moves = moves(self, endpoints, aliases);
        self.endpoints.extend(endpoints.iter().cloned());
        self.left
            .retain(|endpoint, _| !endpoints.contains(endpoint));
        for own in endpoints.iter().map(Endpoint::tlsa_name) {
            self.former_aliases.remove(&own);
            // What it was an alias of before, it may not be any more.
            self.aliases.remove(&own);
        }
        let aliases = aliases
            .iter()
            .map(|(one, other)| (one.clone(), other.clone()));
        self.aliases.extend(aliases);
        let before = std::mem::take(&mut self.names);
        self.names = names_of(&self.endpoints, &self.aliases);
        // Records that were corrected before they were published.
        let is_unpublished = |name: &&TlsaName| matches!(self.joining.get(*name), Some(None));
        let found = base.keys().filter(is_unpublished);
        let mut new: BTreeSet<TlsaName> = self.names.difference(&before).cloned().collect();
        new.extend(found.cloned());
        for name in &new {
            let found = base.get(name).cloned().unwrap_or_default();
            self.base.insert(name.clone(), found);
            let mark = self.ttl_old.entry(name.clone()).or_default();
            *mark = (*mark).max(ttl.get(name).copied().unwrap_or_default());
            if let Some(source) = ttl_sources.get(name) {
                self.ttl_sources.insert(name.clone(), *source);
            }
        }
        // Caches may lead to what the name before held, as long as they may hold that.
        for (from, to) in &moves {
            let former = self.ttl_old.get(from).copied().unwrap_or_default();
            let mark = self.ttl_old.entry(to.clone()).or_default();
            *mark = (*mark).max(former);
            new.insert(to.clone());
        }
        if !moves.is_empty() {
            let names = &self.names;
            self.aliases.retain(|_, target| names.contains(target));
            self.joining.retain(|name, _| names.contains(name));
            self.ttl_old.retain(|name, _| names.contains(name));
        }
        self.begin_publication(new, !moves.is_empty());
        // Who had let the deployment go, or had it done, has not asked for another rest.
        self.released |= self.step == Step::SwapOpen && self.soak.is_some();
    }

    /// Names that joined, or that hosts moved to, go through their own publication; where there is no other, it is the whole's.
    fn begin_publication(&mut self, names: BTreeSet<TlsaName>, is_move: bool) {
        let is_whole = is_move && self.settled_names().all(|name| names.contains(name));
        match self.step {
            Step::Reinstating | Step::Replacing if is_move => self.published = None,
            step if step.lets_join() && is_whole => {
                self.joining.clear();
                self.published = None;
            }
            // Once the others are proposed, none of them waits for who comes later.
            step if step.lets_join() || step >= Step::Prepublishing && !is_move => {
                let names = names.into_iter().map(|name| (name, None));
                self.joining.extend(names);
            }
            _ => {}
        }
    }

    /// Whether a host that left is waited for no longer at `at`: a person let it go, or no sender comes there any more.
    pub(super) fn is_let_go(&self, endpoint: &Endpoint, at: Instant) -> bool {
        let left = self.left.get(endpoint);
        left.is_some_and(|left| left.asked || at >= left.until)
    }

    pub(super) fn leave(&mut self, endpoints: &[(Endpoint, Instant)], asked: bool) {
        for (endpoint, until) in endpoints {
            self.endpoints.remove(endpoint);
            let until = *until;
            self.left.insert(endpoint.clone(), Left { until, asked });
            let own = endpoint.tlsa_name();
            if let Some(name) = self.aliases.remove(&own) {
                self.former_aliases.insert(own, name);
            }
        }
        self.names = names_of(&self.endpoints, &self.aliases);
        let names = &self.names;
        self.joining.retain(|name, _| names.contains(name));
        // What no host needs holds nobody up.
        self.ttl_old.retain(|name, _| names.contains(name));
    }

    /// Where the publication of one name stands: with the others, or on its own way after it joined.
    pub fn phase(&self, name: &TlsaName) -> (Step, Option<Published>) {
        match self.joining.get(name) {
            None => (self.step, self.published),
            Some(None) => (Step::Prepublishing, None),
            Some(Some(published)) => (Step::Waiting, Some(*published)),
        }
    }

    /// The names that are published and waited for together.
    pub fn settled_names(&self) -> impl Iterator<Item = &TlsaName> {
        let joining = |name: &&TlsaName| self.joining.contains_key(*name);
        self.names.iter().filter(move |name| !joining(name))
    }

    /// The hosts and ports that count where they are seen: those that take part, and those that left and share an RRset with
    /// them.
    pub fn places_to_look_at(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().chain(self.left_sharing())
    }

    /// Those that left and share an RRset with others.
    pub(super) fn left_sharing(&self) -> impl Iterator<Item = &Endpoint> {
        let shares = |one: &&Endpoint| self.names.contains(&self.name_of(one));
        self.left.keys().filter(shares)
    }

    /// The servers that some resolver may still ask for `name` at `at`, as far as any were seen.
    pub fn servers_of(
        &self,
        name: &TlsaName,
        at: Instant,
    ) -> impl Iterator<Item = (&Authority, &Reachable)> {
        let zones = self.servers.iter().filter(|(zone, _)| zone.holds(name));
        let closest = zones.max_by_key(|(zone, _)| zone.as_str().len());
        let servers = closest.into_iter().flat_map(|(_, servers)| servers);
        servers.filter(move |(_, server)| server.is_there(at))
    }
}

/// Without any host there is nothing to rotate; on the way back the last one may go.
pub(super) fn fits_as_leaving(
    rotation: &Rotation,
    leaving: &[(Endpoint, Instant)],
) -> Result<(), &'static str> {
    let counts = |one: &Endpoint| {
        // One that left by the configuration can still be let go.
        let left = rotation.left.get(one);
        rotation.endpoints.contains(one) || left.is_some_and(|left| !left.asked)
    };
    if !leaving.iter().any(|(one, _)| counts(one)) {
        return Err("it is no host of the rotation");
    }
    let leaves = |one: &Endpoint| leaving.iter().any(|(leaving, _)| leaving == one);
    let is_last = rotation.endpoints.iter().all(leaves);
    if is_last && !matches!(rotation.step, Step::RollingBack | Step::Withdrawing) {
        return Err("no host would be left: the rotation is to be aborted first");
    }
    Ok(())
}

/// Whether all RRsets of these hosts are among those of the rotation.
pub(super) fn adds_no_name(
    rotation: &Rotation,
    joining: &BTreeSet<Endpoint>,
    aliases: &BTreeMap<TlsaName, TlsaName>,
) -> bool {
    let known = |one: &Endpoint| {
        let own = one.tlsa_name();
        let name = aliases.get(&own).or_else(|| rotation.aliases.get(&own));
        rotation.names.contains(name.unwrap_or(&own))
    };
    joining.iter().all(known)
}

/// The hosts among these that take part already and whose RRset is to lie elsewhere: from which name to which.
fn moves(
    rotation: &Rotation,
    joining: &BTreeSet<Endpoint>,
    aliases: &BTreeMap<TlsaName, TlsaName>,
) -> BTreeSet<(TlsaName, TlsaName)> {
    let present = joining
        .iter()
        .filter(|one| rotation.endpoints.contains(*one));
    present
        .map(|one| (rotation.name_of(one), name_of(one, aliases)))
        .filter(|(from, to)| from != to)
        .collect()
}

/// Where hosts move that take part already, and nobody else joins: the step that follows. What was seen everywhere was so of
/// other names, where no name is left that it was seen of.
pub(super) fn after_moving(
    rotation: &Rotation,
    joining: &BTreeSet<Endpoint>,
    aliases: &BTreeMap<TlsaName, TlsaName>,
) -> Option<Step> {
    let moves = moves(rotation, joining, aliases);
    if moves.is_empty() || !joining.is_subset(&rotation.endpoints) {
        return None;
    }
    let stays = |name: &TlsaName| {
        let mut others = rotation.endpoints.difference(joining);
        let is_target = moves.iter().any(|(_, to)| to == name);
        others.any(|one| rotation.name_of(one) == *name) && !is_target
    };
    let is_whole = !rotation.settled_names().any(stays);
    Some(match rotation.step {
        Step::Waiting | Step::SwapOpen | Step::Deployed | Step::Verified if is_whole => {
            Step::Prepublishing
        }
        Step::Deployed | Step::Verified => Step::SwapOpen,
        Step::Reinstated => Step::Reinstating,
        Step::Replaced => Step::Replacing,
        step => step,
    })
}

pub(super) fn names_of(
    endpoints: &BTreeSet<Endpoint>,
    aliases: &BTreeMap<TlsaName, TlsaName>,
) -> BTreeSet<TlsaName> {
    endpoints.iter().map(|one| name_of(one, aliases)).collect()
}

fn name_of(endpoint: &Endpoint, aliases: &BTreeMap<TlsaName, TlsaName>) -> TlsaName {
    let own = endpoint.tlsa_name();
    aliases.get(&own).cloned().unwrap_or(own)
}
