//! The ledger behind the promise: which RRsets caches may still hold, and which keys hosts may present.
//!
//! RFC 7671 §8.4 extends the publisher's duty to "unexpired RRsets in client caches"; this file says which those are.

use super::association::Association;
use super::observation::{Endpoint, Observation, Seen, Source, TlsaName};
use super::promise;
use super::step::{Rotation, Step};
use super::timing::Instant;
use super::wait;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What validating senders may meet: any of these RRsets together with any of these keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// RRsets that a cache may hold, by owner name.
    pub caches: BTreeMap<TlsaName, BTreeMap<BTreeSet<Association>, Holder>>,
    /// Chains that a host may present, by the owner name of its TLSA RRset.
    pub hosts: BTreeMap<TlsaName, BTreeMap<Chain, Presenter>>,
}

/// A chain as RRsets are held against it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    /// The `3 1 1` association of the leaf's key.
    pub key: Association,
    /// Every association at hand that the chain satisfies, the key's among them.
    pub satisfies: BTreeSet<Association>,
}

/// Why a cache may hold an RRset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// It follows from the step: the rotation publishes or published it, and it has not run out.
    Step(Step),
    /// A server answered with it, though no step asked for it: caches drop it then, at the latest.
    Stray(Instant),
    /// This server was seen answering with it.
    Server(String),
    /// The zone holds it where it is kept: it is about to be served.
    Head(Source),
    /// It would, after a change that was not made yet.
    Change,
}

/// Why a host may present a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presenter {
    /// The step allows it.
    Step(Step),
    /// It was seen there.
    Host {
        /// Host and port.
        endpoint: Endpoint,
        /// The address it was seen on.
        address: String,
    },
}

impl Exposure {
    /// What caches may hold in this step at `now`, wherever the hosts are.
    pub fn of_caches(rotation: &Rotation, now: Instant) -> Self {
        let mut exposure = Self::default();
        for name in rotation.names() {
            for rrset in cacheable(rotation, name, now) {
                exposure.may_be_cached(name, rrset, || Holder::Step(rotation.step));
            }
        }
        exposure.with_strays(rotation, now)
    }

    /// Where nothing is under way: only what servers were seen to answer with, and that no key in use fits.
    pub(super) fn of_strays(at_rest: &Rotation, now: Instant) -> Self {
        Self::default().with_strays(at_rest, now)
    }

    fn with_strays(mut self, rotation: &Rotation, now: Instant) -> Self {
        for name in rotation.names() {
            for (rrset, stray) in rotation.strays.get(name).into_iter().flatten() {
                if stray.is_there(now) {
                    let holder = || Holder::Stray(stray.until.unwrap_or(now + stray.ttl.span()));
                    self.may_be_cached(name, Cow::Borrowed(rrset), holder);
                }
            }
        }
        self
    }

    /// The same with the keys that the step allows hosts to present.
    pub fn of_step(rotation: &Rotation, now: Instant) -> Self {
        let mut exposure = Self::of_caches(rotation, now);
        for name in rotation.names() {
            for chain in presentable(rotation, name) {
                exposure.may_be_presented(name, chain, Presenter::Step(rotation.step));
            }
        }
        exposure
    }

    /// The keys that hosts had when the rotation started, at every name.
    pub fn of_previous_keys(rotation: &Rotation) -> Self {
        Self::of_keys(rotation, |name| previous(rotation, name).into_owned())
    }

    /// These keys, at every name.
    pub(super) fn of_keys(
        rotation: &Rotation,
        keys: impl Fn(&TlsaName) -> BTreeSet<Association>,
    ) -> Self {
        let mut exposure = Self::default();
        for name in rotation.names() {
            for chain in rotation.chains(&keys(name)) {
                exposure.may_be_presented(name, chain, Presenter::Step(rotation.step));
            }
        }
        exposure
    }

    /// Adds what was seen of `rotation`'s names and endpoints; what is unknown adds nothing here, gates ask for it.
    #[must_use]
    pub fn with_seen(mut self, rotation: &Rotation, observation: &Observation) -> Self {
        for name in rotation.names() {
            for (authority, seen) in observation.served.get(name).into_iter().flatten() {
                if let Seen::Known(rrset) = seen {
                    let holder = || Holder::Server(authority.to_string());
                    self.may_be_cached(name, Cow::Borrowed(&rrset.associations), holder);
                }
            }
            if let Some(Seen::Known(rrset)) = observation.merged.get(name) {
                let holder = || Holder::Head(observation.source_of(name));
                self.may_be_cached(name, Cow::Borrowed(rrset), holder);
            }
        }
        for endpoint in rotation.endpoints.iter().chain(rotation.left.keys()) {
            for (address, offers) in observation.presented.get(endpoint).into_iter().flatten() {
                for seen in offers.values() {
                    let Seen::Known(offer) = seen else { continue };
                    for presented in offer.chains() {
                        let presenter = Presenter::Host {
                            endpoint: endpoint.clone(),
                            address: address.clone(),
                        };
                        let chain = Chain {
                            key: presented.key.clone(),
                            satisfies: presented.satisfies.clone(),
                        };
                        self.may_be_presented(&rotation.name_of(endpoint), chain, presenter);
                    }
                }
            }
        }
        self
    }

    /// Most sightings are of what the step expects: those cost no copy.
    fn may_be_cached(
        &mut self,
        name: &TlsaName,
        rrset: Cow<'_, BTreeSet<Association>>,
        holder: impl FnOnce() -> Holder,
    ) {
        if let Some(rrsets) = self.caches.get_mut(name) {
            match rrsets.get_mut(&*rrset) {
                // That it is answered with now says more.
                Some(known @ Holder::Stray(_)) => *known = holder(),
                Some(_) => {}
                None => drop(rrsets.insert(rrset.into_owned(), holder())),
            }
        } else {
            let rrsets = BTreeMap::from([(rrset.into_owned(), holder())]);
            self.caches.insert(name.clone(), rrsets);
        }
    }

    fn may_be_presented(&mut self, name: &TlsaName, chain: Chain, presenter: Presenter) {
        // A sighting says more than a permission, so it replaces one.
        let chains = self.hosts.entry(name.clone()).or_default();
        match presenter {
            Presenter::Host { .. } => drop(chains.insert(chain, presenter)),
            Presenter::Step(_) => drop(chains.entry(chain).or_insert(presenter)),
        }
    }
}

/// The RRset of a name that had none.
static EMPTY: BTreeSet<Association> = BTreeSet::new();

/// The versions of one RRset that a cache may hold in this step.
fn cacheable<'r>(
    rotation: &'r Rotation,
    name: &TlsaName,
    now: Instant,
) -> Vec<Cow<'r, BTreeSet<Association>>> {
    let base = rotation.base.get(name).unwrap_or(&EMPTY);
    let (step, published) = rotation.phase(name);
    let before = || Cow::Borrowed(base);
    let both = || {
        let kept = base.iter().chain(&rotation.current);
        let all = kept.chain(&rotation.staying).chain(&rotation.incoming);
        Cow::Owned(all.cloned().collect())
    };
    let wanted = || Cow::Owned(rotation.requirement().applied_to(&both()));
    let without_old = || Cow::Owned(both().difference(&rotation.current).cloned().collect());
    // Each name by its own TTL: another's may be larger.
    let ttl = rotation.ttl_old.get(name).copied().unwrap_or_default();
    let ran_out = published.is_some_and(|published| now >= published.t_all + ttl.span());
    if let Some(since) = rotation.dane_left {
        // What was there runs out, and whatever is published after it is nobody's promise.
        let is_about = now < since + wait::ttl_old(rotation).span();
        return if is_about { vec![both()] } else { vec![] };
    }
    match step {
        Step::Started | Step::Generated | Step::Hashed => vec![before()],
        Step::Prepublishing => vec![before(), both()],
        Step::Waiting | Step::SwapOpen | Step::Deployed | Step::Verified | Step::RollingBack => {
            if ran_out {
                vec![both()]
            } else {
                vec![before(), both()]
            }
        }
        Step::Reinstated if ran_out => vec![both()],
        Step::Reinstating | Step::Reinstated => vec![both(), without_old()],
        Step::Replaced if ran_out => vec![wanted()],
        // Who gave up within a TTL of the publication has caches that hold what was there before, too.
        Step::Replacing | Step::Replaced | Step::Withdrawing => vec![before(), both(), wanted()],
        Step::Retiring | Step::Retired | Step::Aborted => vec![both(), wanted()],
    }
}

/// The keys that the hosts of a name had when the rotation started: those in use, or, where its RRset listed others alone,
/// those. Who had no RRset may have had any.
fn previous<'r>(rotation: &'r Rotation, name: &TlsaName) -> Cow<'r, BTreeSet<Association>> {
    let in_use = Cow::Borrowed(&rotation.current);
    let Some(base) = rotation.base.get(name).filter(|base| !base.is_empty()) else {
        return in_use;
    };
    let mut chains = rotation.chains(&rotation.current).into_iter();
    if chains.any(|chain| promise::mismatches(base, &chain.satisfies).is_empty()) {
        return in_use;
    }
    Cow::Borrowed(base)
}

/// The chains that hosts of a name may present now. A key that stays may be presented in every step.
fn presentable(rotation: &Rotation, name: &TlsaName) -> Vec<Chain> {
    let (current, incoming) = match rotation.phase(name).0 {
        Step::Started
        | Step::Generated
        | Step::Hashed
        | Step::Prepublishing
        | Step::Waiting
        | Step::Withdrawing
        | Step::Aborted => (true, false),
        Step::SwapOpen | Step::Deployed | Step::Verified | Step::RollingBack | Step::Replacing => {
            (true, true)
        }
        Step::Retiring | Step::Retired | Step::Reinstating | Step::Reinstated | Step::Replaced => {
            (false, true)
        }
    };
    let mut chains = rotation.chains(&rotation.staying);
    if current {
        chains.extend(rotation.chains(&previous(rotation, name)));
    }
    if incoming {
        chains.extend(rotation.chains(&rotation.incoming));
    }
    chains
}

impl Holder {
    /// Who holds it, as a person would name them.
    pub fn place(&self) -> String {
        match self {
            Self::Step(_) | Self::Stray(_) => "a cache".to_owned(),
            Self::Server(server) => server.clone(),
            Self::Head(source) => source.to_string(),
            Self::Change => "the change".to_owned(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => write!(f, "caches may hold it in step {step}"),
            Self::Stray(until) => write!(
                f,
                "a server answered with it, and caches may hold it until {until}"
            ),
            Self::Server(server) => write!(f, "{server} answers with it"),
            Self::Head(source) => write!(f, "{source} holds it"),
            Self::Change => f.write_str("the change brings it"),
        }
    }
}

impl fmt::Display for Presenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => write!(f, "a host may present it in step {step}"),
            Self::Host { endpoint, address } => write!(f, "{endpoint} presents it on {address}"),
        }
    }
}
