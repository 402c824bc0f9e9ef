//! Step 5: which hosts may be deployed now, which go back, and what holds a deployment (a rollback, a standby key that
//! rests, other hosts whose turn it is).

use super::blocker::Blocker;
use super::decide::{Action, Answer, Question};
use super::due::Rest;
use super::exposure::Exposure;
use super::gate::{self, Wanted};
use super::observation::{Endpoint, Seen, TlsaName};
use super::promise::{self, Breach};
use super::step::Event;
use super::timing::Span;
use super::wait::{Binding, TimeGate};
use super::witness;
use std::collections::BTreeSet;

impl Question<'_> {
    /// Deployment is asked for only in a run that saw every server serve both (step 5's gate, re-observed).
    pub(super) fn deployment(&self) -> Vec<Action> {
        let mut actions: Vec<Action> = self.change().into_iter().collect();
        if self.rotation.held.is_some() {
            actions.extend(self.roll_back());
        } else if !self.rests()
            && self.as_demanded(self.policy.soak).is_empty()
            && self
                .unless_hurried(witness::before_swap(self.observation))
                .is_empty()
        {
            actions.extend(self.deploy());
        }
        actions
    }

    /// Whether the next key is to rest, published, until it is due.
    fn rests(&self) -> bool {
        self.policy.rest != Rest::No && !self.rotation.released
    }

    /// The hosts that may get the incoming key now, as many as go at a time: those that cannot be seen, or have it in part,
    /// before those that plainly have the old one, so that no other host is touched while one may be down. One that did not
    /// answer before anybody had the key is down for reasons of its own, and goes last.
    pub(super) fn deploy(&self) -> Option<Action> {
        let mut lacking = gate::not_presenting(self.rotation, self.observation, Wanted::Incoming);
        let unsettled = gate::not_presenting(self.rotation, self.observation, Wanted::Current);
        // One that cannot be seen may be down all the same: no other is touched then.
        lacking.retain(|endpoint| !self.joins(endpoint) || unsettled.contains(endpoint));
        let is_unsettled = |host: &&str| unsettled.iter().any(|e| e.host == *host);
        let was_dead = |host: &&str| {
            let mut of_it = lacking.iter().filter(|e| e.host == **host);
            of_it.all(|e| self.was_silent(e) && self.is_silent(e))
        };
        let all: BTreeSet<&str> = lacking.iter().map(|e| e.host.as_str()).collect();
        let (last, all): (Vec<&str>, Vec<&str>) = all.into_iter().partition(was_dead);
        let (first, then): (Vec<&str>, Vec<&str>) = all.into_iter().partition(is_unsettled);
        let most = self.policy.concurrent.and_then(|n| usize::try_from(n).ok());
        let hosts: Vec<&str> = first
            .into_iter()
            .chain(then)
            .chain(last)
            .take(most.unwrap_or(usize::MAX))
            .collect();
        let now: BTreeSet<Endpoint> = lacking
            .iter()
            .filter(|endpoint| hosts.contains(&endpoint.host.as_str()) && !self.joins(endpoint))
            .cloned()
            .collect();
        (!now.is_empty()).then_some(Action::Deploy(now))
    }

    /// A host whose own name is not waited for yet must not have the key.
    fn joins(&self, endpoint: &Endpoint) -> bool {
        let name = self.rotation.name_of(endpoint);
        self.rotation.joining.contains_key(&name)
    }

    /// What keeps hosts from being deployed: until its own name is waited for, one that joined keeps the key in use. Where it
    /// has the next key before its time, that is an alarm as long as a cache may lack it, and no reason afterwards.
    fn not_deployed(&self) -> Vec<Blocker> {
        let (rotation, seen) = (self.rotation, self.observation);
        let there = |one: &Endpoint| !self.joins(one);
        let joins = |one: &Endpoint| self.joins(one);
        let is_early = |blocker: &Blocker| match blocker {
            Blocker::WrongKey { presents, .. } => rotation.incoming.contains(presents),
            _ => false,
        };
        let mut kept = gate::presented_where(rotation, seen, Wanted::Current, joins);
        kept.retain(|blocker| !is_early(blocker));
        let mut blockers = gate::presented_where(rotation, seen, Wanted::Incoming, there);
        blockers.extend(kept);
        blockers
    }

    /// Whether a host only has the key still that it had.
    fn is_as_before(&self, blocker: &Blocker) -> bool {
        match blocker {
            Blocker::WrongKey { presents, .. } => self.rotation.current.contains(presents),
            _ => false,
        }
    }

    fn was_silent(&self, endpoint: &Endpoint) -> bool {
        self.rotation.silent_at_swap.contains(endpoint)
    }

    /// Whether nothing at all was heard of it in this run.
    fn is_silent(&self, endpoint: &Endpoint) -> bool {
        let offers = self.observation.presented.get(endpoint);
        let mut seen = offers.into_iter().flatten().flat_map(|(_, by)| by.values());
        seen.all(|seen| matches!(seen, Seen::Unknown(_)))
    }

    /// The hosts that do not answer in the run that first opens the swap, if it is this one. Who is heard later and falls
    /// silent again may do so for the incoming certificate: it counts no more, not even where the swap opens once more.
    pub(super) fn silent_at_swap(&self) -> Option<Event> {
        let known = &self.rotation.silent_at_swap;
        let asked = match self.rotation.opened {
            Some(opened) if opened == self.now => &self.rotation.endpoints,
            Some(_) => known,
            None => return None,
        };
        let silent = asked.iter().filter(|endpoint| self.is_silent(endpoint));
        let endpoints: BTreeSet<Endpoint> = silent.cloned().collect();
        let is_news = endpoints != *known;
        is_news.then_some(Event::HostsWereSilent { endpoints })
    }

    /// The previous key is asked for only where no cache may lack its record, and no server, nor the branch that counts, was
    /// seen without it. A host that had a key of its own before is given no other on the way back until all caches list that.
    pub(super) fn roll_back(&self) -> Option<Action> {
        let rotation = self.rotation;
        let caches = Exposure::of_caches(rotation, self.now);
        let mut would_meet = caches.with_seen(rotation, self.observation);
        would_meet.hosts = Exposure::of_keys(rotation, |_| rotation.current.clone()).hosts;
        let breaches = promise::breaches(&would_meet).into_iter();
        let refused: BTreeSet<TlsaName> = breaches
            .filter(Breach::refuses_mail)
            .map(|breach| breach.name)
            .collect();
        let mut hosts = gate::not_presenting(rotation, self.observation, Wanted::Current);
        hosts.retain(|host| !refused.contains(&rotation.name_of(host)));
        (!hosts.is_empty()).then_some(Action::RollBack(hosts))
    }

    /// What keeps the hosts from having the previous key alone. Where one is not to be put back yet, what keeps that from being
    /// asked for is the reason, not the key that it has.
    pub(super) fn not_rolled_back(&self) -> Vec<Blocker> {
        let asked = match self.roll_back() {
            Some(Action::RollBack(asked)) => asked,
            _ => BTreeSet::new(),
        };
        let hosts = self.presented(Wanted::Current);
        let mut blockers = self.with_failed(hosts, Wanted::Current);
        let all = blockers.len();
        blockers.retain(|blocker| match blocker {
            Blocker::WrongKey {
                endpoint, presents, ..
            } => asked.contains(endpoint) || !self.rotation.incoming.contains(presents),
            _ => true,
        });
        if blockers.len() < all {
            blockers.extend(self.as_demanded(Span::ZERO));
            let strays = self.rotation.strays.values().flatten();
            let until = strays.map(|(_, stray)| stray.until.unwrap_or(self.now + stray.ttl.span()));
            let until = until.max();
            blockers.extend(until.filter(|until| self.now < *until).map(|until| {
                Blocker::CachesMayLackOld(TimeGate {
                    protocol: until,
                    opens: until,
                    binds: Binding::OneTtl,
                })
            }));
        }
        blockers
    }

    /// The same blockers after the commands that failed for hosts without the key that is wanted.
    fn with_failed(&self, mut blockers: Vec<Blocker>, wanted: Wanted) -> Vec<Blocker> {
        if !self.rotation.tried.is_empty() {
            let lacking = gate::not_presenting(self.rotation, self.observation, wanted);
            blockers.splice(0..0, self.rotation.failed_for(lacking.iter()));
        }
        blockers
    }

    pub(super) fn deployed(&self) -> Answer {
        if let Some(reason) = self.rotation.held.clone() {
            let hosts = self.presented(Wanted::Current);
            let mut blockers = self.with_failed(hosts, Wanted::Current);
            blockers.push(Blocker::Held { reason });
            return Err(blockers);
        }
        let hosts = self.not_deployed();
        let places = self.as_demanded(self.policy.soak);
        if hosts.is_empty() && places.is_empty() && self.rotation.joining.is_empty() {
            return Ok(Some(Event::HostsPresentedIncoming));
        }
        match self.policy.rest {
            Rest::Until(Some(due)) if self.rests() && self.now >= due.at => {
                return Ok(Some(Event::DeploymentReleased { why: due.why }));
            }
            Rest::Until(due) if self.rests() => {
                return Err([vec![Blocker::Resting { due }], places].concat());
            }
            Rest::No | Rest::Until(_) => {}
        }
        if self.policy.concurrent == Some(0) {
            return Err(vec![Blocker::Paced]);
        }
        let objections = self.unless_hurried(witness::before_swap(self.observation));
        let mut hosts = self.with_failed(hosts, Wanted::Incoming);
        // That a host has the key in use is a reason only where it is its turn to have the next one.
        let turn = match self.deploy() {
            Some(Action::Deploy(turn)) if places.is_empty() && objections.is_empty() => turn,
            _ => BTreeSet::new(),
        };
        hosts.retain(|blocker| match blocker {
            Blocker::WrongKey { endpoint, .. } => {
                !self.is_as_before(blocker) || turn.contains(endpoint)
            }
            _ => true,
        });
        Err([hosts, places, objections].concat())
    }
}
