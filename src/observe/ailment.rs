//! What can be wrong with one authoritative server, told apart: who is silent, lame, behind, or serves what no validator
//! takes (RFC 1912 §2.8, RFC 1982, RFC 4035 §5.3, RFC 7766 §5).

use super::dns::Silence;
use super::extended_error::{ExtendedError, Flaw};
use crate::rotation::observation::{Authority, Seen};
use crate::zone::serial;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// Kinds of trouble; of two at once the later one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ailment {
    /// It answers nothing, or nothing usable in time.
    Silent,
    /// Its answer ends early, and TCP brings no more.
    Truncated,
    /// It does not speak for the zone: AA is missing, or it refuses.
    Lame,
    /// It refers to the servers of a zone below its own, in which the name lies.
    Delegated,
    /// Neither it nor anybody else speaks for the zone, and all know it all the same: somebody answers in their place.
    Intercepted,
    /// It answers other questions at a name, and drops or refuses those for TLSA records (RFC 7672 §2.1.2).
    NoTlsa,
    /// It answers something that is not so: another question, octets that are no message, two things over two transports.
    Wrong,
    /// It serves the zone without signatures, or without the proofs that must be there.
    Unsigned,
    /// It serves signatures that have expired.
    Expired,
    /// Its signatures or proofs do not hold for another reason.
    Bogus,
    /// Its serial lies behind that of another server.
    Stale,
    /// It serves no more what it was known to serve.
    Regressed,
}

/// Something wrong with one server at one address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Which one.
    pub authority: Authority,
    /// What kind.
    pub ailment: Ailment,
    /// What was seen, for people.
    pub reason: String,
}

/// The same, before it is known whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) ailment: Ailment,
    pub(super) reason: String,
}

impl Trouble {
    pub(super) fn new(ailment: Ailment, reason: impl Into<String>) -> Self {
        Self {
            ailment,
            reason: reason.into(),
        }
    }

    pub(super) fn saying(self, how: impl FnOnce(&str) -> String) -> Self {
        Self {
            ailment: self.ailment,
            reason: how(&self.reason),
        }
    }

    pub(super) fn at(&self, authority: &Authority) -> Finding {
        Finding {
            authority: authority.clone(),
            ailment: self.ailment,
            reason: self.reason.clone(),
        }
    }
}

impl From<&Silence> for Trouble {
    fn from(silence: &Silence) -> Self {
        let ailment = match silence {
            Silence::Garbage(_) => Ailment::Wrong,
            _ => Ailment::Silent,
        };
        Self::new(ailment, silence.to_string())
    }
}

impl From<Flaw> for Trouble {
    fn from(flaw: Flaw) -> Self {
        let ailment = match flaw.error {
            ExtendedError::NoReachableAuthority => Ailment::Lame,
            ExtendedError::NotAuthoritative => Ailment::Delegated,
            ExtendedError::RrsigsMissing | ExtendedError::NsecMissing => Ailment::Unsigned,
            ExtendedError::SignatureExpired => Ailment::Expired,
            ExtendedError::Other => Ailment::Wrong,
            _ => Ailment::Bogus,
        };
        Self::new(ailment, flaw.reason)
    }
}

/// Who is behind the newest serial of all (RFC 1982 §3.2). Serials that cannot be ordered are nobody's fault.
pub(super) fn stale(serials: &BTreeMap<Authority, Seen<u32>>) -> Vec<Finding> {
    let known = || {
        serials.iter().filter_map(|(authority, seen)| match seen {
            Seen::Known(serial) => Some((authority, *serial)),
            Seen::Unknown(_) => None,
        })
    };
    let newest = known().map(|(_, serial)| serial).reduce(|newest, other| {
        if is_newer(other, newest) {
            other
        } else {
            newest
        }
    });
    let Some(newest) = newest else {
        return Vec::new();
    };
    known()
        .filter(|(_, serial)| is_newer(newest, *serial))
        .map(|(authority, serial)| Finding {
            authority: authority.clone(),
            ailment: Ailment::Stale,
            reason: format!("serial {serial}, while another server has {newest}"),
        })
        .collect()
}

fn is_newer(one: u32, other: u32) -> bool {
    serial::compare(one, other) == Some(Ordering::Greater)
}

impl Ailment {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Silent => {
                "start it, let port 53 through over UDP and TCP, or take it out of the NS RRset"
            }
            Self::Truncated => "let port 53 through over TCP",
            Self::Lame => "configure the zone there, or take the server out of the NS RRset",
            Self::Delegated => {
                "take the NS records of that zone out, if the name is to lie in yours; else configure that zone as well, as a \
                 [[zone]]"
            }
            Self::Intercepted => {
                "look from a network that lets port 53 through (a `[[vantage]]` for mail hosts, another machine for this \
                 program), or correct `servers`: a resolver is no server of a zone"
            }
            Self::NoTlsa => {
                "update its software, or the firewall in front of it: it must answer for every type, with NODATA where there \
                 is nothing"
            }
            Self::Wrong => "look for a middlebox, or for two machines behind one address",
            Self::Unsigned => {
                "load the signed zone there; a secondary must transfer the signatures too"
            }
            Self::Expired => "sign the zone again, and let every server load it",
            Self::Bogus => {
                "compare the zone there with what was signed, and the DS at the parent with its keys"
            }
            Self::Stale => "let it transfer the zone: check NOTIFY, TSIG and its log",
            Self::Regressed => "find out who loaded an older zone there",
        }
    }

    /// Where the rule is written that it breaks.
    pub fn rfc(self) -> &'static str {
        match self {
            Self::Silent => "RFC 1034 §4.1",
            Self::Truncated => "RFC 7766 §5",
            Self::Lame => "RFC 1912 §2.8",
            Self::Delegated => "RFC 1034 §4.2",
            Self::Intercepted => "RFC 1034 §6.2",
            Self::NoTlsa => "RFC 7672 §2.1.2",
            Self::Wrong => "RFC 1035 §7.3",
            Self::Unsigned => "RFC 4035 §3.1",
            Self::Expired => "RFC 4035 §5.3.1",
            Self::Bogus => "RFC 4035 §5.3",
            Self::Stale => "RFC 1034 §4.3.5",
            Self::Regressed => "RFC 7671 §8.1",
        }
    }
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "silent",
            Self::Truncated => "truncated",
            Self::Lame => "lame",
            Self::Delegated => "refers elsewhere",
            Self::Intercepted => "port 53 is intercepted",
            Self::NoTlsa => "drops TLSA",
            Self::Wrong => "wrong answer",
            Self::Unsigned => "unsigned",
            Self::Expired => "expired",
            Self::Bogus => "bogus",
            Self::Stale => "stale",
            Self::Regressed => "regressed",
        })
    }
}
