//! Why not now, and who acts: every refusal of the machine as a value with a way out.

use super::association::Association;
use super::combination::Lost;
use super::doubt::Doubt;
use super::due::Due;
use super::observation::{Authority, Endpoint, KeyAlgorithm, Source, TlsaName, ZoneName};
use super::promise::Breach;
use super::timing::{Instant, Span};
use super::wait::TimeGate;
use super::witness::Objection;
use std::fmt;

/// Who must act for a blocker to go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The operator.
    You,
    /// Time alone.
    Clock,
    /// A server or host that may come right by itself.
    World,
}

/// One reason why the next step is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// The next key does not exist yet.
    KeyMissing,
    /// The branch that counts, or wherever the zone is kept, does not hold what the step demands.
    NotMerged {
        /// Which RRset.
        name: TlsaName,
        /// Where its zone is kept.
        source: Source,
        /// What it lacks.
        missing: Vec<Association>,
        /// What must leave it.
        unwanted: Vec<Association>,
    },
    /// A name has no record any more, and nobody said that it leaves DANE.
    DaneGone {
        /// Which RRset.
        name: TlsaName,
        /// Where its zone is kept.
        source: Source,
        /// The certificate whose hosts are behind it.
        certificate: String,
    },
    /// What is held there cannot be told.
    MergedUnknown {
        /// Which RRset.
        name: TlsaName,
        /// Where its zone is kept.
        source: Source,
        /// Why.
        why: String,
    },
    /// A server does not serve what the step demands.
    NotServed {
        /// Which RRset.
        name: TlsaName,
        /// Which server.
        authority: Authority,
        /// What it lacks.
        missing: Vec<Association>,
        /// What must leave it.
        unwanted: Vec<Association>,
    },
    /// What a server serves cannot be told.
    ServerUnknown {
        /// Which RRset.
        name: TlsaName,
        /// Which server.
        authority: Authority,
        /// Why.
        why: String,
    },
    /// Who serves a zone cannot be told, though those who are known to do serve what the step demands.
    ServersUnknown {
        /// Which zone.
        zone: ZoneName,
        /// Why.
        why: String,
    },
    /// Every server of a zone refuses it, or refers elsewhere.
    ZoneDenied {
        /// Which zone.
        zone: ZoneName,
        /// What they answer.
        why: String,
    },
    /// A server that has left may still be asked, and does not serve what the step demands, as far as is known.
    ServerLeaves {
        /// Which RRset.
        name: TlsaName,
        /// Which server.
        authority: Authority,
        /// Until when some resolver may ask it.
        until: Instant,
        /// What was seen of it.
        why: String,
    },
    /// A name that joined goes through its own wait.
    Joins {
        /// Which RRset.
        name: TlsaName,
        /// When the new key may go to its hosts.
        gate: TimeGate,
    },
    /// Senders may still come to an address that a host has left, and not find there what they accept.
    AddressLeaves {
        /// Which host and port.
        endpoint: Endpoint,
        /// Which address.
        address: String,
        /// Until when senders may still come there.
        until: Instant,
        /// What was seen there.
        why: String,
    },
    /// Several servers behind one address presented different keys a while ago.
    SeveralKeys {
        /// Which host and port.
        endpoint: Endpoint,
        /// Which address.
        address: String,
        /// Until when the other key is taken to be there.
        until: Instant,
    },
    /// A change would make senders refuse a host as it was seen.
    WouldRefuse(Breach),
    /// A signature does not last, or does not hold yet.
    SignatureWindow {
        /// Which RRset.
        name: TlsaName,
        /// Which server.
        authority: Authority,
        /// From when it holds.
        inception: Instant,
        /// Until when it holds.
        expiration: Instant,
        /// Until when it would have to hold.
        needed_until: Instant,
    },
    /// Nobody was asked.
    NothingObserved {
        /// Which RRset, or which host and port.
        what: String,
    },
    /// Caches may still lack the incoming association.
    CachesMayLackIt(TimeGate),
    /// The soak is under way.
    Soaking(TimeGate),
    /// The soak begins anew again and again, because runs are further apart than it may go without a look.
    LooksTooSeldom {
        /// When it began last.
        from: Instant,
        /// How far apart runs may be.
        apart: Span,
    },
    /// A host presents a key other than the ones wanted now.
    WrongKey {
        /// Which host and port.
        endpoint: Endpoint,
        /// Which address.
        address: String,
        /// Asked for which algorithm.
        algorithm: KeyAlgorithm,
        /// What it presents.
        presents: Association,
        /// Whether the incoming key is wanted (or, on the way back, the old one).
        incoming_wanted: bool,
    },
    /// What a host presents cannot be told.
    HostUnknown {
        /// Which host and port.
        endpoint: Endpoint,
        /// Which address.
        address: String,
        /// Asked for which algorithm.
        algorithm: KeyAlgorithm,
        /// Why.
        why: String,
    },
    /// An address presents no certificate of any algorithm.
    NoCertificate {
        /// Which host and port.
        endpoint: Endpoint,
        /// Which address.
        address: String,
    },
    /// An address presents only keys that are not replaced.
    OnlyStayingKey {
        /// Which host and port.
        endpoint: Endpoint,
        /// Which address.
        address: String,
    },
    /// An address presents the next key in a certificate other than the one that records were made of.
    OtherCertificate {
        /// Which host and port.
        endpoint: Endpoint,
        /// Which address.
        address: String,
        /// What it presents.
        presents: Association,
    },
    /// A combination of usage, selector and matching type would be left without a matching record.
    CombinationLost(Lost),
    /// The incoming certificate ends before the rotation could.
    ExpiresTooSoon {
        /// Its end.
        not_after: Instant,
        /// When the rotation would end at the earliest.
        needed_until: Instant,
    },
    /// The move would break the promise.
    Unsafe(Breach),
    /// Senders report failures, or the Web PKI would refuse the next certificate.
    Objected(Objection),
    /// A rollback holds the deployment.
    Held {
        /// Why it was asked for.
        reason: String,
    },
    /// The next key is published and rests until it is due.
    Resting {
        /// When it is due, where the policy says so.
        due: Option<Due>,
    },
    /// The command that brings a host to its key failed.
    DeploymentFailed {
        /// Which host.
        host: String,
        /// When.
        at: Instant,
        /// How it ended.
        why: String,
        /// When it is run again.
        again: Instant,
    },
    /// Other hosts of the same MX set are being deployed.
    Paced,
    /// Caches may still lack the old association.
    CachesMayLackOld(TimeGate),
    /// An emergency put security first, and caches may still hold the old RRset.
    OutageRuns(TimeGate),
    /// What time it is cannot be told.
    Clock(Doubt),
    /// Others have kept the rotation waiting for longer than policy `patience`.
    OthersTakeLong {
        /// Since when.
        since: Instant,
        /// For how long.
        lasted: Span,
        /// The first of what they keep it waiting with.
        first: Box<Blocker>,
    },
}

impl Blocker {
    /// Who must act.
    pub fn who(&self) -> Who {
        match self {
            Self::Objected(objection) => objection.who(),
            Self::Clock(doubt) if doubt.until().is_none() => Who::You,
            Self::Clock(_)
            | Self::CachesMayLackIt(_)
            | Self::CachesMayLackOld(_)
            | Self::OutageRuns(_)
            | Self::Soaking(_)
            | Self::ServerLeaves { .. }
            | Self::Joins { .. }
            | Self::SeveralKeys { .. }
            | Self::AddressLeaves { .. }
            | Self::Resting { .. } => Who::Clock,
            Self::Paced
            | Self::NotServed { .. }
            | Self::ServerUnknown { .. }
            | Self::ServersUnknown { .. }
            | Self::HostUnknown { .. } => Who::World,
            Self::KeyMissing
            | Self::NotMerged { .. }
            | Self::ZoneDenied { .. }
            | Self::DaneGone { .. }
            | Self::DeploymentFailed { .. }
            | Self::MergedUnknown { .. }
            | Self::SignatureWindow { .. }
            | Self::NothingObserved { .. }
            | Self::WrongKey { .. }
            | Self::NoCertificate { .. }
            | Self::OnlyStayingKey { .. }
            | Self::OtherCertificate { .. }
            | Self::CombinationLost(_)
            | Self::ExpiresTooSoon { .. }
            | Self::Held { .. }
            | Self::WouldRefuse(_)
            | Self::LooksTooSeldom { .. }
            | Self::OthersTakeLong { .. }
            | Self::Unsafe(_) => Who::You,
        }
    }

    /// When looking again is worth while, if time alone decides.
    pub fn until(&self) -> Option<Instant> {
        match self {
            Self::CachesMayLackIt(gate)
            | Self::CachesMayLackOld(gate)
            | Self::OutageRuns(gate)
            | Self::Joins { gate, .. }
            | Self::Soaking(gate) => Some(gate.opens),
            Self::ServerLeaves { until, .. }
            | Self::AddressLeaves { until, .. }
            | Self::SeveralKeys { until, .. } => Some(*until),
            Self::Resting { due } => due.map(|due| due.at),
            Self::Clock(doubt) => doubt.until(),
            _ => None,
        }
    }
}

impl Who {
    /// As programs know it since the first version.
    pub const fn name(self) -> &'static str {
        match self {
            Self::You => "you",
            Self::Clock => "the clock",
            Self::World => "the world",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::You => "you",
            Self::Clock => "wait",
            Self::World => "others",
        })
    }
}
