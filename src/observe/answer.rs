//! What a validated lookup gives: records or their absence, the aliases on the way, and what all of it is worth
//! (RFC 4035 §4.3, RFC 7672 §2.1).

use super::dns::Reply;
use super::extended_error::{ExtendedError, Flaw};
use super::proof;
use crate::zone::content::Rrset;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::fmt;

/// Somebody who answers questions.
pub trait Source {
    /// The answer to one question; otherwise why there is none, for people.
    fn ask(&self, name: &Name, rtype: Rtype) -> impl Future<Output = Result<Reply, String>> + Send;
}

/// How far an answer can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Every link from a trust anchor to it holds.
    Secure,
    /// A link proves that what lies below it is not signed: the answer may be anybody's.
    Insecure(Flaw),
    /// No trust anchor lies above it. Senders treat it as insecure (RFC 7672 §2.1.1).
    Indeterminate(Flaw),
}

/// What is at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These records, with the TTL that the zone gives them if they are signed.
    Records(Rrset),
    /// The name has none of the type, or is only a part of longer names.
    NoData,
    /// The name does not exist.
    NoName,
}

/// One alias that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name that is an alias, or lies below one (DNAME).
    pub from: Name,
    /// What it stands for.
    pub to: Name,
    /// How far the alias itself can be trusted.
    pub security: Security,
}

/// An answer that may be used, with what it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The aliases on the way, in order.
    pub aliases: Vec<Alias>,
    /// The name at their end.
    pub name: Name,
    /// What is there.
    pub content: Content,
    /// The worst of all links, aliases included.
    pub security: Security,
    /// The zone that signed it, where one did.
    pub zone: Option<Name>,
}

/// Why there is no answer that may be used. For a sender both are the same: it must not go on as if there were no
/// record (RFC 7672 §2.1.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// A signature or a proof that must be there is missing or wrong.
    #[error("{0}")]
    Bogus(Flaw),
    /// Nobody answers, or only with an error.
    #[error("{0}")]
    Failed(Flaw),
}

/// Why nothing can be validated through whoever gave this answer about the root's keys: the root has them and signs them,
/// so that they are missing says nothing about what senders see.
pub(super) fn blind(root_keys: &Reply) -> Option<NoAnswer> {
    let root = Name::root();
    let keys = proof::rrset(&root_keys.answers, &root, Rtype::DNSKEY);
    if keys.is_some() && !proof::signers(&root_keys.answers, &root, Rtype::DNSKEY).is_empty() {
        return None;
    }
    Some(NoAnswer::Failed(Flaw::new(
        ExtendedError::NetworkError,
        "the resolver passes no DNSSEC records on: it knows no signed keys of the root",
    )))
}

impl Security {
    /// Whether every link holds.
    pub fn is_secure(&self) -> bool {
        *self == Self::Secure
    }

    /// What keeps it from being secure.
    pub fn flaw(&self) -> Option<&Flaw> {
        match self {
            Self::Secure => None,
            Self::Insecure(flaw) | Self::Indeterminate(flaw) => Some(flaw),
        }
    }
}

/// The first that is not secure, or secure.
pub(super) fn worst<'a>(links: impl IntoIterator<Item = &'a Security>) -> Security {
    let mut links = links.into_iter();
    let weak = links.find(|security| !security.is_secure());
    weak.cloned().unwrap_or(Security::Secure)
}

impl Answer {
    /// The RDATA there, if any.
    pub fn rdatas(&self) -> &[Rdata] {
        match &self.content {
            Content::Records(rrset) => &rrset.rdatas,
            Content::NoData | Content::NoName => &[],
        }
    }
}

impl NoAnswer {
    /// What is wrong.
    pub fn flaw(&self) -> &Flaw {
        match self {
            Self::Bogus(flaw) | Self::Failed(flaw) => flaw,
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secure => "secure",
            Self::Insecure(_) => "insecure",
            Self::Indeterminate(_) => "indeterminate",
        })
    }
}
