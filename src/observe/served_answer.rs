//! What one authoritative server says at a TLSA name, in values and in words, and what of it counts when UDP and TCP were
//! both asked (RFC 6698 §2, RFC 7671 §6).

use crate::rotation::association::Association;
use crate::rotation::observation::{ServedRrset, SignatureWindow, TlsaName};
use crate::rotation::timing::Ttl;

/// The alias (CNAME, RFC 7671 §6) that one authoritative server answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedAlias {
    /// The name that it is an alias of.
    pub target: TlsaName,
    /// How long it may be cached.
    pub ttl: Ttl,
    /// The window of its verified signature.
    pub signature: SignatureWindow,
    /// What the same answer holds where the aliases end, if that is in the zone: what a resolver gets for the name.
    pub behind: Option<ServedRrset>,
}

/// What stands at a TLSA owner name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The RRset itself, or its proven absence.
    Rrset(ServedRrset),
    /// An alias of another name.
    Alias(ServedAlias),
}

impl Answer {
    /// What counts when UDP and TCP say the same: the narrower of the two windows, for signatures may be made on the fly. What
    /// can be replayed is what lasts longer.
    pub(super) fn one_of_both(udp: &Self, tcp: &Self) -> Option<Self> {
        match (udp, tcp) {
            (Self::Rrset(udp), Self::Rrset(tcp)) => {
                (udp.associations == tcp.associations && udp.ttl == tcp.ttl).then(|| {
                    Self::Rrset(ServedRrset {
                        signature: udp.signature.both(tcp.signature),
                        replayable_until: udp.replayable_until.max(tcp.replayable_until),
                        ..tcp.clone()
                    })
                })
            }
            (Self::Alias(udp), Self::Alias(tcp)) => {
                (udp.target == tcp.target && udp.ttl == tcp.ttl).then(|| {
                    Self::Alias(ServedAlias {
                        signature: udp.signature.both(tcp.signature),
                        ..tcp.clone()
                    })
                })
            }
            _ => None,
        }
    }
}

/// An answer in words, for people who must find out which of two to believe.
pub(super) trait Told {
    /// The words.
    fn told(&self) -> String;
}

impl Told for u32 {
    fn told(&self) -> String {
        format!("serial {self}")
    }
}

impl Told for Answer {
    fn told(&self) -> String {
        match self {
            Self::Rrset(rrset) => rrset.told(),
            Self::Alias(alias) => format!("an alias of {} with TTL {}", alias.target, alias.ttl),
        }
    }
}

impl Told for ServedRrset {
    fn told(&self) -> String {
        let records: Vec<String> = self.associations.iter().map(Association::short).collect();
        let records = if records.is_empty() {
            "no record".to_owned()
        } else {
            records.join(", ")
        };
        format!("{records} with TTL {}", self.ttl)
    }
}
