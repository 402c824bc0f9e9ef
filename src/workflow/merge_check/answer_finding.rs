//! What a request would make of the answers that senders are led to, where that is no good.

use super::finding::Severity;
use crate::rotation::blocker::Blocker;
use crate::rotation::observation::{Endpoint, TlsaName};
use crate::rotation::timing::Ttl;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::fmt;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerFinding {
    /// The question for a host's records leads out of the zones, or round in circles.
    LedAway {
        /// Whose host.
        certificate: String,
        /// The host and port.
        endpoint: Endpoint,
        /// Where to, in words.
        how: String,
    },
    /// A host has no record any more that senders look at.
    DaneLost {
        /// Whose host.
        certificate: String,
        /// The host and port.
        endpoint: Endpoint,
        /// Where the records were.
        name: Name,
    },
    /// The records of a host that rotates are found at another name.
    OtherWay {
        /// Which rotation.
        id: RotationId,
        /// The host and port.
        endpoint: Endpoint,
        /// Where they were.
        from: Name,
        /// Where they would be.
        to: Name,
    },
    /// A host becomes an alias: mail for it goes to another.
    HostAlias {
        /// Whose host.
        certificate: String,
        /// The host and port.
        endpoint: Endpoint,
        /// What it is an alias of.
        target: Name,
    },
    /// Another host's question is led to the records of one of ours.
    Stranger {
        /// The alias.
        alias: Name,
        /// How people name the other host and port.
        host: String,
        /// Where the records are.
        name: Name,
        /// Whose they are.
        certificate: String,
    },
    /// The records of a rotation would be cached for longer.
    TtlRaised {
        /// Which.
        id: RotationId,
        /// Of which name.
        name: TlsaName,
        /// The base's.
        from: Ttl,
        /// The request's.
        to: Ttl,
    },
    /// A host that takes mail has no address any more.
    NoAddress {
        /// Whose host.
        certificate: String,
        /// The host.
        host: String,
    },
    /// `zone check` would have something new to say.
    NewFinding {
        /// Of which zone.
        zone: Name,
        /// What.
        finding: String,
    },
    /// The zone above does not delegate it: whoever asks from above never comes there.
    NotDelegated {
        /// Which zone.
        zone: Name,
        /// The zone above.
        above: Name,
    },
    /// Records are taken from a host, or are its first, and it was not seen.
    Unseen {
        /// Whose host.
        certificate: String,
        /// Of which name.
        name: TlsaName,
        /// Why not, for each place.
        reasons: Vec<Blocker>,
    },
}

impl AnswerFinding {
    /// How grave it is.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::LedAway { .. } | Self::NotDelegated { .. } => Severity::DeliveryAtRisk,
            _ => Severity::PersonNeeded,
        }
    }

    /// One word for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::LedAway { .. } => "led-away",
            Self::DaneLost { .. } => "dane-lost",
            Self::OtherWay { .. } => "other-way",
            Self::HostAlias { .. } => "host-alias",
            Self::Stranger { .. } => "stranger",
            Self::TtlRaised { .. } => "ttl-raised",
            Self::NoAddress { .. } => "no-address",
            Self::NewFinding { .. } => "new-finding",
            Self::NotDelegated { .. } => "not-delegated",
            Self::Unseen { .. } => "unseen",
        }
    }

    /// The way out, as one sentence.
    pub fn way_out(&self) -> String {
        match self {
            Self::LedAway { .. } => {
                "leave the TLSA name of the host, and every name above it, in the zone that has it now; a host that moves away is taken out of the configuration first, in a request of its own".into()
            }
            Self::DaneLost { .. } => {
                "keep a record of the key in use; to give DANE up for the host, take it out of the configuration first, in a request of its own".into()
            }
            Self::OtherWay { id, .. } => format!(
                "change aliases when the rotation is over, or give it up first: tlsa-rotate abort {}",
                id.certificate
            ),
            Self::HostAlias { .. } => {
                "give the host its own address, or let MX name the other host (no MX may name an alias, RFC 5321 §5.1)".into()
            }
            Self::Stranger { certificate, .. } => format!(
                "give that host TLSA records of its own; if it presents the same key, add it to `hosts` of certificate {certificate} in a request of its own"
            ),
            Self::TtlRaised { id, .. } => format!(
                "keep the TTL until {id} is over: it would have to wait anew, for as long as the larger TTL says"
            ),
            Self::NoAddress { .. } => {
                "keep an address, or take the host out of MX in the same request".into()
            }
            Self::NewFinding { .. } => {
                "correct the zone file; `tlsa-rotate zone check` shows the place".into()
            }
            Self::NotDelegated { zone, above } => format!(
                "delegate {zone} in zone {above} (NS, and DS where it is signed), or keep its records there"
            ),
            Self::Unseen { reasons, .. } => {
                let mut ways: Vec<String> = reasons.iter().map(Blocker::way_out).collect();
                ways.dedup();
                format!(
                    "run this check where the host can be reached (many pipelines may not connect to port 25), or keep the records that are there; {}",
                    ways.join("; ")
                )
            }
        }
    }
}

impl fmt::Display for AnswerFinding {
    /// What was expected, what was found, and where.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LedAway {
                certificate,
                endpoint,
                how,
            } => write!(
                f,
                "senders would not find the TLSA records of {endpoint} ({certificate}): {how}"
            ),
            Self::DaneLost {
                certificate,
                endpoint,
                name,
            } => write!(
                f,
                "{name} would have no usable TLSA record any more: mail to {endpoint} ({certificate}) would be sent without DANE"
            ),
            Self::OtherWay {
                id,
                endpoint,
                from,
                to,
            } => write!(
                f,
                "the TLSA records of {endpoint} would be found at {to}, and {id} rotates those at {from}"
            ),
            Self::HostAlias {
                certificate,
                endpoint,
                target,
            } => write!(
                f,
                "the host of {endpoint} ({certificate}) becomes an alias of {target}: mail would go there, and nobody has seen which key is presented"
            ),
            Self::Stranger {
                alias,
                host,
                name,
                certificate,
            } => write!(
                f,
                "{alias} would be led to the TLSA records at {name} (certificate {certificate}), and {host} is no configured host: what it presents is not known"
            ),
            Self::TtlRaised { id, name, from, to } => write!(
                f,
                "the TTL of {name} goes from {from} to {to} while {id} is under way"
            ),
            Self::NoAddress { certificate, host } => write!(
                f,
                "{host} ({certificate}) would have no address any more, and an MX record names it"
            ),
            Self::NewFinding { zone, finding } => {
                write!(f, "zone {zone} has a new finding: {finding}")
            }
            Self::NotDelegated { zone, above } => write!(
                f,
                "zone {zone} is not delegated by zone {above}: nobody who asks from above gets its records"
            ),
            Self::Unseen {
                certificate,
                name,
                reasons,
            } => {
                let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "nobody has seen whether the hosts of {certificate} present what {name} TLSA would then list: {}",
                    reasons.join("; ")
                )
            }
        }
    }
}
