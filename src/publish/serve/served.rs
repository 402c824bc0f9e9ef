//! A zone made ready to be served: checked once, so that no answer has to be (RFC 1034 §4.2, RFC 2308 §4).

use super::denial::Denial;
use crate::dnssec::audit::verify_zone;
use crate::dnssec::finding::Finding;
use crate::rotation::observation::SignatureWindow;
use crate::rotation::timing::{Instant, Span, Ttl};
use crate::zone::content::{Node, Rrset, Zone};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::ops::Bound::{Excluded, Unbounded};

/// A zone with its SOA, its serial and its chain of denial.
#[derive(Clone, Debug)]
pub struct ServedZone {
    zone: Zone,
    soa: Rrset,
    serial: u32,
    negative_ttl: Ttl,
    denial: Denial,
    records: usize,
    expiration: Option<Instant>,
}

/// Why a zone is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A zone begins with its SOA (RFC 1035 §5.2).
    #[error(
        "{apex} has no SOA record at its apex: this is not a zone, or the name given for it is wrong"
    )]
    NoSoa {
        /// The apex that was looked at.
        apex: Name,
    },
    /// More than one SOA, or one that cannot be read.
    #[error("{apex} must have exactly one SOA record with two names and five numbers")]
    BadSoa {
        /// The apex.
        apex: Name,
    },
    /// A zone begins at a cut, which its NS records make (RFC 1034 §4.2.1).
    #[error("{apex} has no NS record at its apex: no server could be found for it")]
    NoNs {
        /// The apex.
        apex: Name,
    },
    /// The signatures do not hold, or there are none.
    #[error("validators would reject this zone: {}", first(.faults))]
    Unproven {
        /// What the check found, at least one.
        faults: Vec<Finding>,
    },
    /// A name that is not the zone's.
    #[error("{owner} lies outside of the zone {apex}")]
    OutOfZone {
        /// The name.
        owner: Name,
        /// The apex.
        apex: Name,
    },
}

/// Faults that one error shows: all of them would be the zone over again.
const SHOWN: usize = 3;

fn first(faults: &[Finding]) -> String {
    let shown: Vec<String> = faults.iter().take(SHOWN).map(ToString::to_string).collect();
    let text = shown.join("; ");
    match faults.len().checked_sub(SHOWN) {
        None | Some(0) => text,
        Some(more) => format!("{text}; and {more} more"),
    }
}

impl Refused {
    /// Whether serving the zone unsigned would be a way out.
    pub fn is_about_signatures(&self) -> bool {
        matches!(self, Self::Unproven { .. })
    }
}

impl ServedZone {
    /// Makes a signed zone ready, if every signature in it holds at `now` and for `horizon` from then on, and its chain of
    /// denial is whole (RFC 4035 §2).
    pub fn verified(zone: Zone, now: Instant, horizon: Span) -> Result<Self, Refused> {
        match verify_zone(&zone, now, horizon, None) {
            Ok(summary) => Ok(Self {
                expiration: Some(summary.window.expiration),
                ..Self::unverified(zone)?
            }),
            Err(faults) => Err(Refused::Unproven { faults }),
        }
    }

    /// Makes a zone ready that was verified before, and whose signatures hold in `window`: verified anew where that is over at
    /// `now`, or `horizon` from then on, so that what is wrong is told.
    pub fn verified_before(
        zone: Zone,
        window: SignatureWindow,
        now: Instant,
        horizon: Span,
    ) -> Result<Self, Refused> {
        let is_open = window.inception <= now && now < window.expiration;
        if !is_open || window.ends_within(now, horizon) {
            return Self::verified(zone, now, horizon);
        }
        Ok(Self {
            expiration: Some(window.expiration),
            ..Self::unverified(zone)?
        })
    }

    /// Makes an unsigned zone ready, or one whose signatures somebody else has verified.
    pub fn unverified(zone: Zone) -> Result<Self, Refused> {
        let apex = || zone.apex.clone();
        let soa = zone
            .rrset(&zone.apex, Rtype::SOA)
            .ok_or_else(|| Refused::NoSoa { apex: apex() })?
            .clone();
        let fields = zone.soa().filter(|_| soa.rdatas.len() == 1);
        let fields = fields.ok_or_else(|| Refused::BadSoa { apex: apex() })?;
        if zone.rrset(&zone.apex, Rtype::NS).is_none() {
            return Err(Refused::NoNs { apex: apex() });
        }
        if let Some(owner) = zone.nodes.keys().find(|o| !o.is_at_or_below(&zone.apex)) {
            return Err(Refused::OutOfZone {
                owner: owner.clone(),
                apex: apex(),
            });
        }
        Ok(Self {
            denial: Denial::of(&zone),
            negative_ttl: soa.ttl.min(fields.minimum),
            serial: fields.serial,
            soa,
            records: zone
                .nodes
                .values()
                .flat_map(Node::values)
                .map(|rrset| rrset.rdatas.len())
                .sum(),
            zone,
            expiration: None,
        })
    }

    /// The apex.
    pub fn apex(&self) -> &Name {
        &self.zone.apex
    }

    /// The serial of the SOA.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Never: a zone has a SOA record.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// When the first of its signatures ends; none where nobody has verified them.
    pub fn expiration(&self) -> Option<Instant> {
        self.expiration
    }

    /// The records.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The SOA RRset: one record.
    pub(super) fn soa(&self) -> &Rrset {
        &self.soa
    }

    /// For how long an absence may be remembered (RFC 2308 §5).
    pub fn negative_ttl(&self) -> Ttl {
        self.negative_ttl
    }

    pub(super) fn denial(&self) -> &Denial {
        &self.denial
    }

    /// What stands at `name`, if anything does. Owners of NSEC3 records do not exist as names (RFC 5155 §7.2.8).
    pub(super) fn node(&self, name: &Name) -> Option<&Node> {
        let hashed = |node: &Node| {
            node.contains_key(&Rtype::NSEC3)
                && node
                    .keys()
                    .all(|t| matches!(*t, Rtype::NSEC3 | Rtype::RRSIG))
        };
        self.zone.nodes.get(name).filter(|node| !hashed(node))
    }

    /// Whether `name` is an empty non-terminal: nothing stands at it and something below it (RFC 4592 §2.2.2).
    pub(super) fn is_empty_non_terminal(&self, name: &Name) -> bool {
        let mut after = self
            .zone
            .nodes
            .range::<Name, _>((Excluded(name), Unbounded));
        after
            .next()
            .is_some_and(|(owner, _)| owner.is_at_or_below(name))
    }
}
