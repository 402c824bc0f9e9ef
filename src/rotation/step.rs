//! The seven steps as an explicit machine: `apply` is the only transition table, live and on replay.
//!
//! The steps are those of RFC 7671 §8.1 and RFC 7672 §4 with their gates made explicit. A step's name states a fact
//! that has been established, an event is a fact in the past tense; what is merely wanted follows from the step
//! (see [`Rotation::requirement`]). When it is safe to move is not decided here but in `decide`.

use super::alarm::Risk;
use super::association::Association;
use super::before::TtlSource;
use super::emergency::Priority;
pub use super::event::Event;
use super::exposure::Chain;
use super::members;
pub use super::members::Left;
use super::observation::{Authority, Endpoint, TlsaName, ZoneName};
use super::reach::{self, Reach};
pub use super::requirement::Requirement;
use super::soak::Soak;
use super::table;
use super::timing::{Instant, Ttl};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Where a rotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Wanted; the key does not exist yet.
    Started,
    /// Step 1: a new key and certificate exist and are not deployed.
    Generated,
    /// Step 2: the associations of the incoming keys are known.
    Hashed,
    /// Step 3: it is decided that both keys' associations belong into the zone; not every server serves them.
    Prepublishing,
    /// Step 4: every authoritative server serves both; caches that lack the incoming one run out.
    Waiting,
    /// Step 5 may happen: no cache lacks the incoming association any more.
    SwapOpen,
    /// Step 6 runs: every host presents an incoming key; the soak is under way.
    Deployed,
    /// Step 6 is done: the soak was healthy.
    Verified,
    /// Step 7: it is decided that the old associations leave the zone; some server may still serve them.
    Retiring,
    /// Every authoritative server serves the incoming associations without the old ones. The end.
    Retired,
    /// Security goes first: hosts and zone change to the incoming key at once, whatever caches hold.
    Replacing,
    /// Every authoritative server serves the incoming associations alone; caches that lack them run out.
    Replaced,
    /// The old associations go back into the zone; hosts keep the incoming key until they are everywhere.
    Reinstating,
    /// Every authoritative server serves both again; caches that lack the old associations run out.
    Reinstated,
    /// An abort was asked for; hosts must present the old key again before anything leaves the zone.
    RollingBack,
    /// Every host presents the old key; the incoming associations leave the zone.
    Withdrawing,
    /// The rotation was given up safely. An end.
    Aborted,
}

/// One rotation of one certificate: the fold of its events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rotation {
    /// Where it stands.
    pub step: Step,
    /// When it came there.
    pub since: Instant,
    /// When it was started.
    pub started: Instant,
    /// Every host and port that presents the certificate.
    pub endpoints: BTreeSet<Endpoint>,
    /// What [`Self::names`] says: it follows from `endpoints` and `aliases`, and every gate asks for it.
    pub(super) names: BTreeSet<TlsaName>,
    /// The TLSA RRset of each name as the rotation found it.
    pub base: BTreeMap<TlsaName, BTreeSet<Association>>,
    /// The high-water mark of the TTL of each name's RRset without the incoming associations (`TTL_old`).
    pub ttl_old: BTreeMap<TlsaName, Ttl>,
    /// How those of them are known that were not seen; see [`Self::ttl_source`].
    pub ttl_sources: BTreeMap<TlsaName, TtlSource>,
    /// The associations of the keys in use when it started.
    pub current: BTreeSet<Association>,
    /// The associations of the keys that replace them.
    pub incoming: BTreeSet<Association>,
    /// The associations of keys in use that are not replaced.
    pub staying: BTreeSet<Association>,
    /// By the `3 1 1` association of a key: what else its chain satisfies, where RRsets hold other forms.
    pub satisfied: BTreeMap<Association, BTreeSet<Association>>,
    /// TLSA owner names that are aliases (RFC 7671 §6), each with the name that the RRset lies at.
    pub aliases: BTreeMap<TlsaName, TlsaName>,
    /// The earliest end of validity among the incoming certificates.
    pub not_after: Option<Instant>,
    /// `T_all` and the TTL of the set that the step demands, while every server serves it.
    pub published: Option<Published>,
    /// Why it was given up, where it was.
    pub abort_reason: Option<String>,
    /// Why hosts must keep, or go back to, the previous key although the swap may be open: a rollback.
    pub held: Option<String>,
    /// The deployment was let go: the rotation no longer rests with its next key published.
    pub released: bool,
    /// What goes first, if it is an emergency.
    pub emergency: Option<Priority>,
    /// The latest expiration seen of any signature over an RRset that holds a key in use, or less than a day after it (RFC
    /// 7671 §13: until then it can be replayed).
    pub signed_until: Option<Instant>,
    /// The risks to delivery that were seen in the last run, each since when.
    pub risks: BTreeMap<Risk, Instant>,
    /// Since when others keep it from going on, in this step and without a break.
    pub others_since: Option<Instant>,
    /// No rotation begins by itself after this one: a person asked for that.
    pub cadence_held: bool,
    /// By zone: every server that some resolver may still ask.
    pub servers: BTreeMap<ZoneName, Reach<Authority>>,
    /// By host: every address that some sender may still connect to.
    pub addresses: BTreeMap<String, Reach<String>>,
    /// The names that joined after the others were published, each with its own `T_all` once it has one.
    pub joining: BTreeMap<TlsaName, Option<Published>>,
    /// The hosts and ports that no longer present the certificate.
    pub left: BTreeMap<Endpoint, Left>,
    /// The soak that runs.
    pub soak: Option<Soak>,
    /// The addresses that were seen with several keys of one algorithm, each when last.
    pub several: BTreeMap<(Endpoint, String), Instant>,
    /// What is known of who signs an RRset, where its signatures end before the next gate.
    pub signers: BTreeMap<TlsaName, Signer>,
    /// The swap was open at some time: hosts may have an incoming key.
    pub opened: bool,
    /// The names left DANE: since when nothing is promised of them.
    pub dane_left: Option<Instant>,
}

/// What was seen of a signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signer {
    /// When the newest signature began that was seen first.
    pub inception: Instant,
    /// A newer one was seen since.
    pub renews: bool,
}

/// The set that the step demands is served everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Published {
    /// `T_all`: when all authoritative servers were first seen serving it in one run.
    pub t_all: Instant,
    /// The largest TTL under which it is served (`TTL_new`).
    pub ttl_new: Ttl,
}

/// An event that the table does not allow in this step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IllegalEvent {
    /// The step; `None` before the start.
    pub step: Option<Step>,
    /// The event's name.
    pub event: &'static str,
    /// Why it does not fit.
    pub why: &'static str,
}

/// The next state, or why the event cannot have happened in this one. `None` is the state before the start.
pub fn apply(
    rotation: Option<&Rotation>,
    at: Instant,
    event: &Event,
) -> Result<Rotation, IllegalEvent> {
    let Some(rotation) = rotation else {
        return begin(at, event).map_err(|why| IllegalEvent {
            step: None,
            event: event.name(),
            why,
        });
    };
    let mut after = rotation.clone();
    after.follow(at, event)?;
    Ok(after)
}

impl Rotation {
    /// Goes on to the next state, as a replay does; where the event cannot have happened, it stays as it was.
    pub fn follow(&mut self, at: Instant, event: &Event) -> Result<(), IllegalEvent> {
        let refuse = |why| IllegalEvent {
            step: Some(self.step),
            event: event.name(),
            why,
        };
        if at < self.since {
            return Err(refuse("it is dated before the event that precedes it"));
        }
        let next = table::successor(self, event).ok_or_else(|| refuse("no such transition"))?;
        fits(self, event).map_err(refuse)?;
        let was = self.step;
        if next != was {
            self.step = next;
            self.since = at;
            self.others_since = None;
        }
        self.note(at, event);
        if next != was {
            self.arrive(was);
        }
        Ok(())
    }

    /// What a step leaves behind on arrival, whatever led to it.
    fn arrive(&mut self, was: Step) {
        match self.step {
            // The incoming associations leave: what was waited for counts no more.
            Step::Withdrawing => self.published = None,
            Step::SwapOpen | Step::Replacing => self.opened = true,
            Step::Deployed => self.soak = Some(Soak::begun(self.since)),
            _ => {}
        }
        if self.step != Step::Deployed {
            self.soak = None;
        }
        // Elsewhere every name is published, or left, together; on the way back the wait goes on that forward again needs.
        if !self.step.lets_join() {
            self.joining.clear();
        }
        if matches!(was, Step::Withdrawing | Step::Aborted) && !self.is_over() {
            self.published = None;
            self.opened = self.step == Step::Replacing;
        }
    }

    /// What an event leaves behind in the state, beside the step.
    fn note(&mut self, at: Instant, event: &Event) {
        match event {
            Event::KeyAdmitted { not_after } => self.not_after = Some(*not_after),
            Event::AssociationsComputed { incoming } => self.incoming.clone_from(incoming),
            Event::SurroundingsFound {
                aliases,
                base,
                staying,
                satisfied,
            } => {
                self.aliases.clone_from(aliases);
                self.base.clone_from(base);
                self.staying.clone_from(staying);
                self.satisfied.clone_from(satisfied);
                self.names = members::names_of(&self.endpoints, &self.aliases);
            }
            Event::HigherTtlSeen { name, ttl } => {
                let mark = self.ttl_old.entry(name.clone()).or_default();
                *mark = (*mark).max(*ttl);
                self.ttl_sources.remove(name);
            }
            Event::PrepublishServed { ttl }
            | Event::ReplacementServed { ttl }
            | Event::ReinstatementServed { ttl } => {
                self.published = Some(Published {
                    t_all: at,
                    ttl_new: *ttl,
                });
            }
            Event::MergeReverted { .. }
            | Event::ServerRegressed { .. }
            | Event::OldWithdrawn { .. } => self.published = None,
            Event::AbortRequested { reason } => {
                self.abort_reason = Some(reason.clone());
                if self.step == Step::Reinstating {
                    self.published = None;
                }
            }
            Event::ForwardRequested { .. } => self.go_forward(),
            Event::DaneLeft { reason } => {
                self.abort_reason = Some(reason.clone());
                self.dane_left = Some(at);
            }
            Event::RollbackRequested { reason } => {
                self.held = Some(reason.clone());
                self.released = false;
            }
            Event::DeploymentReleased { .. } => {
                self.held = None;
                self.released = true;
            }
            Event::EmergencyDeclared { priority, .. } => {
                self.emergency = Some(*priority);
                self.go_forward();
                if self.step == Step::Replacing {
                    // What was begun with security first is ended so.
                    self.emergency = Some(Priority::Security);
                    self.published = None;
                }
            }
            Event::SignatureSeen { until } => {
                self.signed_until = self.signed_until.max(Some(*until));
            }
            Event::HostsJoined {
                endpoints,
                aliases,
                base,
                ttl,
            } => self.join(endpoints, aliases, base, ttl),
            Event::HostsLeft { endpoints, asked } => self.leave(endpoints, asked.is_some()),
            Event::JoinServed { name, ttl } => {
                let published = Published {
                    t_all: at,
                    ttl_new: *ttl,
                };
                self.joining.insert(name.clone(), Some(published));
            }
            Event::JoinRegressed { name } => drop(self.joining.insert(name.clone(), None)),
            Event::JoinOpened { name } => drop(self.joining.remove(name)),
            Event::SoakSeen => {
                let soak = Soak::of(self);
                self.soak = Some(Soak { last: at, ..soak });
            }
            Event::SoakInterrupted => self.soak = Some(Soak::begun(at)),
            Event::SeveralKeysSeen { endpoint, address } => {
                self.several.insert((endpoint.clone(), address.clone()), at);
            }
            Event::SignatureBegan { name, inception } => {
                let signer = Signer {
                    inception: *inception,
                    renews: false,
                };
                self.signers.insert(name.clone(), signer);
            }
            Event::SignerRenewed { name } => {
                if let Some(signer) = self.signers.get_mut(name) {
                    signer.renews = true;
                }
            }
            Event::ServersSeen { zone, servers } => {
                reach::see(self.servers.entry(zone.clone()).or_default(), servers, at);
            }
            Event::ServersHadLeft { zone, until } => {
                reach::had_left(self.servers.entry(zone.clone()).or_default(), until, at);
            }
            Event::AddressesSeen { host, addresses } => {
                let reach = self.addresses.entry(host.clone()).or_default();
                reach::see(reach, addresses, at);
            }
            Event::AddressesHadLeft { host, until } => {
                let reach = self.addresses.entry(host.clone()).or_default();
                reach::had_left(reach, until, at);
            }
            Event::RisksSeen { risks } => {
                let since = |risk: &Risk| self.risks.get(risk).copied().unwrap_or(at);
                self.risks = risks.iter().map(|r| (r.clone(), since(r))).collect();
            }
            Event::OthersAwaited => self.others_since = self.others_since.or(Some(at)),
            Event::OthersReady => self.others_since = None,
            Event::CadenceHeld => self.cadence_held = true,
            _ => {}
        }
    }
}

impl Rotation {
    /// Nothing holds the way forward any more.
    fn go_forward(&mut self) {
        self.abort_reason = None;
        self.held = None;
        self.released = true;
    }
}

/// Whether what an event says of keys fits what is known of others.
fn fits(rotation: &Rotation, event: &Event) -> Result<(), &'static str> {
    match event {
        Event::AssociationsComputed { incoming } => fits_as_incoming(rotation, incoming),
        Event::SurroundingsFound { staying, .. } => fits_as_staying(rotation, staying),
        Event::HostsJoined { endpoints, .. } if endpoints.is_empty() => Err("nobody joins"),
        Event::HostsLeft { endpoints, .. } => members::fits_as_leaving(rotation, endpoints),
        Event::JoinServed { name, .. }
        | Event::JoinRegressed { name }
        | Event::JoinOpened { name }
            if !rotation.joining.contains_key(name) =>
        {
            Err("the name does not join")
        }
        _ => Ok(()),
    }
}

fn begin(at: Instant, event: &Event) -> Result<Rotation, &'static str> {
    let Event::Started {
        endpoints,
        current,
        base,
        ttl,
        ttl_sources,
    } = event
    else {
        return Err("a rotation begins with its start");
    };
    if endpoints.is_empty() {
        return Err("no host and port present the certificate");
    }
    if current.is_empty() {
        return Err("no key is in use");
    }
    are_of_keys(current)?;
    Ok(Rotation {
        step: Step::Started,
        since: at,
        started: at,
        endpoints: endpoints.clone(),
        names: members::names_of(endpoints, &BTreeMap::new()),
        base: base.clone(),
        ttl_old: ttl.clone(),
        ttl_sources: ttl_sources.clone(),
        current: current.clone(),
        incoming: BTreeSet::new(),
        staying: BTreeSet::new(),
        satisfied: BTreeMap::new(),
        aliases: BTreeMap::new(),
        not_after: None,
        published: None,
        abort_reason: None,
        held: None,
        released: false,
        emergency: None,
        signed_until: None,
        risks: BTreeMap::new(),
        others_since: None,
        cadence_held: false,
        servers: BTreeMap::new(),
        addresses: BTreeMap::new(),
        joining: BTreeMap::new(),
        left: BTreeMap::new(),
        soak: None,
        several: BTreeMap::new(),
        signers: BTreeMap::new(),
        opened: false,
        dane_left: None,
    })
}

fn fits_as_incoming(
    rotation: &Rotation,
    incoming: &BTreeSet<Association>,
) -> Result<(), &'static str> {
    if incoming.is_empty() {
        return Err("no incoming key");
    }
    are_of_keys(incoming)?;
    if !incoming.is_disjoint(&rotation.current) || !incoming.is_disjoint(&rotation.staying) {
        return Err("an incoming key is already in use: with selector 1 nothing changes");
    }
    Ok(())
}

/// Keys are known by their `3 1 1` association; other forms of usage 3 go with it.
fn are_of_keys(associations: &BTreeSet<Association>) -> Result<(), &'static str> {
    if !associations.iter().all(Association::is_dane_ee) {
        return Err("only associations of usage 3 are rotated");
    }
    if !associations.iter().any(Association::is_3_1_1) {
        return Err("there is no `3 1 1` association of a key");
    }
    Ok(())
}

fn fits_as_staying(
    rotation: &Rotation,
    staying: &BTreeSet<Association>,
) -> Result<(), &'static str> {
    if !staying.is_disjoint(&rotation.current) || !staying.is_disjoint(&rotation.incoming) {
        return Err("a key cannot stay and be replaced");
    }
    Ok(())
}

impl Rotation {
    /// How the `TTL_old` of a name is known.
    pub fn ttl_source(&self, name: &TlsaName) -> TtlSource {
        self.ttl_sources.get(name).copied().unwrap_or_default()
    }

    /// The chains of the keys among these associations, with all that each is known to satisfy.
    pub fn chains(&self, associations: &BTreeSet<Association>) -> Vec<Chain> {
        let keys = associations.iter().filter(|one| one.is_3_1_1());
        keys.map(|key| {
            let mut satisfies = self.satisfied.get(key).cloned().unwrap_or_default();
            satisfies.insert(key.clone());
            Chain {
                key: key.clone(),
                satisfies,
            }
        })
        .collect()
    }

    /// What the present step demands of every TLSA RRset (review rule R2: both until retired or aborted).
    pub fn requirement(&self) -> Requirement {
        self.requirement_in(self.step)
    }

    /// What `step` demands, wherever the rotation is.
    pub fn requirement_in(&self, step: Step) -> Requirement {
        let (current, incoming, staying) = (&self.current, &self.incoming, &self.staying);
        let with_staying = |keys: &BTreeSet<Association>| keys.union(staying).cloned().collect();
        let all = || {
            let keys = current.iter().chain(incoming).chain(staying);
            keys.cloned().collect()
        };
        match step {
            Step::Started | Step::Generated | Step::Hashed => Requirement {
                present: with_staying(current),
                absent: BTreeSet::new(),
            },
            Step::Prepublishing
            | Step::Waiting
            | Step::SwapOpen
            | Step::Deployed
            | Step::Verified
            | Step::Reinstating
            | Step::Reinstated
            | Step::RollingBack => Requirement {
                present: all(),
                absent: BTreeSet::new(),
            },
            Step::Retiring | Step::Retired | Step::Replacing | Step::Replaced => Requirement {
                present: with_staying(incoming),
                absent: current.clone(),
            },
            Step::Withdrawing | Step::Aborted => Requirement {
                present: with_staying(current),
                absent: incoming.clone(),
            },
        }
    }

    /// Whether the rotation has ended, well or given up.
    pub fn is_over(&self) -> bool {
        self.step.is_the_end()
    }
}

impl fmt::Display for IllegalEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step.map_or("before the start", Step::name);
        write!(f, "`{}` cannot follow {step}: {}", self.event, self.why)
    }
}

impl std::error::Error for IllegalEvent {}
