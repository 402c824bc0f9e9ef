//! What was seen of the world in one run: a value, in which `Unknown` never counts as yes.
//!
//! Three facts are kept apart: what the branch that counts holds (*merged*), what every authoritative server answers (*served*),
//! and which key every host presents (*presented*).

use super::association::Association;
use super::doubt::Doubt;
use super::timing::{Instant, Span, Ttl};
use super::witness::Witness;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something looked at: what it was, or why it could not be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// Looked at, and this is what it was.
    Known(T),
    /// Unreachable, timed out, unparsable, contradictory: the reason, for people.
    Unknown(String),
}

/// The owner name of a TLSA RRset, absolute and in lower case: `_25._tcp.mx1.example.com.`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TlsaName(String);

/// The apex of a zone, absolute and in lower case: `example.com.`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ZoneName(String);

/// One address of one authoritative server, as a person would name it: `ns1.example.com. 192.0.2.53:53`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Authority(pub String);

/// A host and port that mail senders connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host name without a final dot, lower case.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// The public-key algorithm of a certificate, asked for separately because a server may hold one chain of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    /// RSA.
    Rsa,
    /// ECDSA (and Ed25519, which senders offer in the same breath).
    Ecdsa,
}

/// From when until when the valid RRSIGs over an RRset hold (RFC 4034 §3.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureWindow {
    /// Latest inception among the valid signatures that are needed.
    pub inception: Instant,
    /// Earliest expiration among them.
    pub expiration: Instant,
}

impl SignatureWindow {
    /// Whether it is over within `horizon` from `at` on, or before.
    pub fn ends_within(self, at: Instant, horizon: Span) -> bool {
        self.expiration.since(at) < horizon
    }

    /// The time in which both windows are open.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self {
            inception: self.inception.max(other.inception),
            expiration: self.expiration.min(other.expiration),
        }
    }
}

/// The TLSA RRset that one authoritative server answers with; an empty set is a proven absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedRrset {
    /// The associations in it.
    pub associations: BTreeSet<Association>,
    /// The TTL it may be cached for; of a negative answer, the negative TTL (RFC 2308 §5).
    pub ttl: Ttl,
    /// The window of its verified signature. An unsigned or wrongly signed answer is `Unknown`, never a set without one.
    pub signature: SignatureWindow,
    /// Latest expiration among the valid signatures over the RRset alone: whoever keeps it can replay it until then, whatever
    /// else has ended (RFC 7671 §13).
    pub replayable_until: Instant,
}

/// The chain that a host presents, as far as the machine asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The `3 1 1` association of the leaf's own SPKI octets.
    pub key: Association,
    /// Every association at hand that the chain satisfies, [`key`](Self::key) among them: of its leaf, its certificate,
    /// its issuers (RFC 6698 §2.1).
    pub satisfies: BTreeSet<Association>,
    /// End of the leaf's validity.
    pub not_after: Instant,
}

/// What a host answers when it is asked for a chain of one algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It presents this key.
    Key(Presented),
    /// Several connections met different keys of this algorithm: there is more than one server behind the address.
    Several(Vec<Presented>),
    /// Some connections met these chains, others of the same question were not answered: the chains are there, and whether
    /// they are all that is there is not known.
    InPart {
        /// What was met.
        met: Vec<Presented>,
        /// What became of the others, for people.
        unanswered: String,
    },
    /// It said, by a TLS alert, that it has none of this algorithm.
    NotOffered,
}

/// What each address of an endpoint presents, by algorithm.
pub type Offers = BTreeMap<String, BTreeMap<KeyAlgorithm, Seen<Offer>>>;

/// Where a zone is kept: what it holds there counts as merged, and is about to be served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// In a git repository that people review.
    #[default]
    GitHead,
    /// In a file without git.
    File,
    /// At a primary that takes dynamic updates (RFC 2136): its address.
    Primary(String),
    /// With a provider that a program speaks to.
    Provider,
}

/// Everything seen in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When the run looked.
    pub at: Instant,
    /// The TLSA RRsets of the branch that counts, or of wherever else the zone is kept.
    pub merged: BTreeMap<TlsaName, Seen<BTreeSet<Association>>>,
    /// Where the zone of a name is kept, if not in git.
    pub sources: BTreeMap<TlsaName, Source>,
    /// The TLSA RRsets of every address of every authoritative server.
    pub served: BTreeMap<TlsaName, BTreeMap<Authority, Seen<ServedRrset>>>,
    /// The keys that every address of every host presents.
    pub presented: BTreeMap<Endpoint, Offers>,
    /// What others say: senders that report, and the Web PKI.
    pub witness: Witness,
    /// By zone: every server that a resolver may be referred to now, by the zone, by one of these servers or by the parent,
    /// each with the largest TTL of the NS and address records that lead to it (RFC 2181 §5.4.1).
    pub servers: BTreeMap<ZoneName, Seen<BTreeMap<Authority, Ttl>>>,
    /// By host: every address at which senders may look for it now, as in [`Offers`], each with the largest TTL of the
    /// records that lead to it.
    pub addresses: BTreeMap<String, Seen<BTreeMap<String, Ttl>>>,
    /// Why the time of the look itself cannot be told, if so.
    pub doubt: Option<Doubt>,
}

impl Presented {
    /// A chain about which only its leaf's key is known or asked.
    pub fn of_key(key: Association, not_after: Instant) -> Self {
        Self {
            satisfies: BTreeSet::from([key.clone()]),
            key,
            not_after,
        }
    }

    /// Whether this chain is one that `records` were made of: it satisfies one of each of their combinations (RFC 7671 §8).
    pub fn is_of(&self, records: &BTreeSet<Association>) -> bool {
        let satisfied: BTreeSet<_> = records
            .intersection(&self.satisfies)
            .map(Association::parameters)
            .collect();
        !records.is_empty()
            && records
                .iter()
                .all(|record| satisfied.contains(&record.parameters()))
    }
}

impl Source {
    /// With its preposition: `on the branch that counts`, `at the primary 192.0.2.53:53`.
    pub fn located(&self) -> String {
        match self {
            Self::GitHead => format!("on {self}"),
            Self::File => format!("in {self}"),
            Self::Primary(_) | Self::Provider => format!("at {self}"),
        }
    }
}

impl Offer {
    /// The chains that were met; none where none of this algorithm is offered.
    pub fn chains(&self) -> &[Presented] {
        match self {
            Self::Key(presented) => std::slice::from_ref(presented),
            Self::Several(presented) => presented,
            Self::InPart { met, .. } => met,
            Self::NotOffered => &[],
        }
    }

    /// Why this is not all that may be there, where it is not.
    pub fn unanswered(&self) -> Option<&str> {
        match self {
            Self::InPart { unanswered, .. } => Some(unanswered),
            Self::Key(_) | Self::Several(_) | Self::NotOffered => None,
        }
    }
}

impl ZoneName {
    /// From an absolute name as text; lower-cased.
    pub fn new(absolute: impl Into<String>) -> Self {
        let mut name = absolute.into();
        name.make_ascii_lowercase();
        Self(name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a TLSA name lies in this zone, or in one below it.
    pub fn holds(&self, name: &TlsaName) -> bool {
        let Some(above) = name.as_str().strip_suffix(&self.0) else {
            return false;
        };
        self.0 == "." || above.ends_with('.')
    }
}

impl Observation {
    /// Of a run that has seen nothing yet.
    pub fn nothing(at: Instant) -> Self {
        Self {
            at,
            merged: BTreeMap::new(),
            sources: BTreeMap::new(),
            served: BTreeMap::new(),
            presented: BTreeMap::new(),
            witness: Witness::default(),
            servers: BTreeMap::new(),
            addresses: BTreeMap::new(),
            doubt: None,
        }
    }

    /// Every key that was seen, wherever.
    pub fn keys_presented(&self) -> impl Iterator<Item = &Association> {
        let places = self
            .presented
            .values()
            .flat_map(|addresses| addresses.values());
        let offers = places.flat_map(|offers| offers.values());
        let chains = offers.flat_map(|seen| match seen {
            Seen::Known(offer) => offer.chains(),
            Seen::Unknown(_) => &[],
        });
        chains.map(|presented| &presented.key)
    }

    /// Where the zone of `name` is kept.
    pub fn source_of(&self, name: &TlsaName) -> Source {
        self.sources.get(name).cloned().unwrap_or_default()
    }
}

impl TlsaName {
    /// From an absolute owner name as text; lower-cased.
    pub fn new(absolute: impl Into<String>) -> Self {
        let mut name = absolute.into();
        name.make_ascii_lowercase();
        Self(name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Endpoint {
    /// The owner name of the TLSA RRset of this endpoint over TCP (RFC 6698 §3): `_25._tcp.<host>.`
    pub fn tlsa_name(&self) -> TlsaName {
        // Asked for at every look: written without the machinery of formats.
        let labels = ["_", &self.port.to_string(), "._tcp.", &self.host, "."];
        TlsaName::new(labels.concat())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GitHead => f.write_str("the branch that counts"),
            Self::File => f.write_str("the zone file"),
            Self::Primary(address) => write!(f, "the primary {address}"),
            Self::Provider => f.write_str("the provider"),
        }
    }
}

impl fmt::Display for TlsaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Authority {
    /// Whether it is known where it is asked; of a server that left before anybody looked it is not.
    pub fn has_address(&self) -> bool {
        let last = self.0.rsplit(' ').next();
        let port = last.and_then(|last| last.rsplit_once(':'));
        port.is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::Ecdsa => "ECDSA",
        })
    }
}
