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
use super::fold::{begin, fits};
pub use super::members::Left;
use super::observation::{Authority, Endpoint, TlsaName, ZoneName};
use super::patience::Delay;
use super::reach::Reach;
pub use super::requirement::Requirement;
use super::soak::Soak;
use super::stray::Strays;
use super::table;
use super::timing::{Instant, Ttl};
use super::tried::Attempts;
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
    /// Step 2: the associations of the next keys are known.
    Hashed,
    /// Step 3: it is decided that both keys' associations belong into the zone; not every server serves them.
    Prepublishing,
    /// Step 4: every authoritative server serves both; caches that lack the incoming one run out.
    Waiting,
    /// Step 5 may happen: no cache lacks the incoming association any more.
    SwapOpen,
    /// Step 6 runs: every host presents the next key; the soak is under way.
    Deployed,
    /// Step 6 is done: the soak was healthy.
    Verified,
    /// Step 7: it is decided that the old records leave the zone; some server may still serve them.
    Retiring,
    /// Every authoritative server serves the incoming associations without the old ones. The end.
    Retired,
    /// Security goes first: hosts and zone change to the next key at once, whatever caches hold.
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
    /// The same of hosts that left: nothing is asked of those aliases any more.
    pub former_aliases: BTreeMap<TlsaName, TlsaName>,
    /// The earliest end of validity among the incoming certificates.
    pub not_after: Option<Instant>,
    /// The runner that has the incoming keys, by the name of its machine, where several share the journal.
    pub made_by: Option<String>,
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
    /// What others keep it waiting with in this step, and since when.
    pub delay: Option<(Delay, Instant)>,
    /// The TLS reports that cannot be read and that a person looked at, each by its SHA-256.
    pub set_aside: BTreeSet<String>,
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
    /// The hosts and ports that did not answer when the swap first opened, nor at any time since.
    pub silent_at_swap: BTreeSet<Endpoint>,
    /// The commands that were run for hosts that do not have their key yet.
    pub tried: Attempts,
    /// The soak that runs.
    pub soak: Option<Soak>,
    /// The addresses that were seen with several keys of one algorithm, each when last.
    pub several: BTreeMap<(Endpoint, String), Instant>,
    /// What is known of who signs an RRset, where its signatures end before the next gate.
    pub signers: BTreeMap<TlsaName, Signer>,
    /// What servers answered with that no step asked for.
    pub strays: Strays,
    /// When the swap first opened: hosts may have the next key since then.
    pub opened: Option<Instant>,
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
        // What a person says counts whenever the facts before it are said to have been.
        if at < self.since && !event.is_a_persons_word() {
            return Err(refuse("it is dated before the event that precedes it"));
        }
        let next = table::successor(self, event).ok_or_else(|| refuse("no such transition"))?;
        fits(self, event).map_err(refuse)?;
        let was = self.step;
        if next != was {
            self.step = next;
            self.since = at;
            self.delay = None;
        }
        self.note(at, event);
        if next != was {
            self.arrive(was);
        }
        Ok(())
    }
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
