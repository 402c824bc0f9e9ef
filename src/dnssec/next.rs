//! The next signed version of a zone, decided in one place: serial, times, which signatures stay, verification (RFC 1982 §3,
//! RFC 4035 §2.2, RFC 6781 §4.4.2).
//!
//! Whoever signs calls [`next`], and has nothing left to do but to write what it gives. It reads no file beyond what the
//! seal of the present version speaks for, and no clock. The rules, and why they are so:
//!
//! - **Serial** ([`Numbering::Raised`]): that of the unsigned zone where it is ahead of every serial handed out so far.
//!   Otherwise the present one as long as nothing changes, and then the one that [`serial::next`] gives in the style of the
//!   zone: secondaries and people see one way of counting, whatever made the version. 0 is passed over (RFC 1982 allows it,
//!   some software takes it to mean "none").
//! - **Times**: signatures begin [`BACKDATED`] ago, for validators whose clocks are behind, hold for [`VALIDITY`], and are
//!   made anew when [`usual_refresh`](crate::dnssec::sign::usual_refresh) is left, unless somebody says otherwise.
//! - **Which stay**: a signature that fits and has more than `refresh` left. Once a version has to be made, all that falls
//!   due within the next day is made anew with it ([`TOGETHER`]): one version instead of one for each hour in which some
//!   signature happens to end.
//! - **Verified**: nothing that [`judge`] finds a fault in becomes a version.

use crate::dnssec::audit::{Expectation, Summary, judge_zone};
use crate::dnssec::carry::{Carried, Intact, NotCarried, Serials, SignerIds, resign};
use crate::dnssec::delta::{Delta, NoDelta};
use crate::dnssec::finding::Finding;
use crate::dnssec::keys::SigningKey;
use crate::dnssec::reuse::Earlier;
use crate::dnssec::rrsig::Rrsig;
use crate::dnssec::sign::{SignError, Signed, SigningPolicy, sign, sign_in_place};
use crate::dnssec::signers::signers_of;
use crate::rotation::observation::SignatureWindow;
use crate::rotation::timing::{Instant, Span};
use crate::zone::content::{Rrset, Zone};
use crate::zone::diagnostic::Diagnostics;
use crate::zone::file::ZoneFile;
use crate::zone::record::{Rdata, Rtype};
use crate::zone::serial;
use std::cmp::Ordering;
use std::io;
use std::num::NonZeroUsize;

/// How long signatures hold if nothing else is said.
pub const VALIDITY: Span = Span::days(14);

/// New signatures begin a little in the past, for validators whose clocks are behind.
pub const BACKDATED: Span = Span::hours(1);

/// What falls due within this time is made anew together.
pub const TOGETHER: Span = Span::days(1);

/// How a signed zone gets its serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// It has that of the unsigned zone; a change under a serial that does not advance is refused.
    AsWritten,
    /// It is raised whenever something changes and the unsigned zone does not do it.
    Raised {
        /// The latest serial that was ever handed out, as far as it is known from elsewhere than the present version.
        handed_out: Option<u32>,
    },
}

impl Numbering {
    fn serials(self, written: Option<u32>, present: Option<u32>, now: Instant) -> Serials {
        let Self::Raised { handed_out } = self else {
            return Serials::default();
        };
        let Some(latest) = later(present, handed_out) else {
            return Serials::default();
        };
        if written.is_some_and(|written| is_later(written, latest)) {
            return Serials::default();
        }
        let next = Some(serial::next(latest, now).to);
        Serials {
            // Where the servers have had more than what lies here, it moves even if nothing changes.
            instead: present.filter(|present| *present == latest).or(next),
            if_stuck: next,
        }
    }
}

/// Whether `one` is ahead of `other` (RFC 1982 §3.2).
fn is_later(one: u32, other: u32) -> bool {
    serial::compare(one, other) == Some(Ordering::Greater)
}

/// The later of two serials.
pub fn later(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if is_later(other, one) { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// What a version is made of.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The unsigned zone.
    pub file: &'a ZoneFile,
    /// The zone's keys.
    pub keys: &'a [SigningKey],
    /// Times, and how absence is proven.
    pub policy: &'a SigningPolicy,
    /// Which serial it gets.
    pub numbering: Numbering,
    /// Whether it is given out without being verified, for bulk work that is verified elsewhere.
    pub unverified: bool,
}

/// The next signed version of a zone.
#[derive(Clone, Debug)]
pub enum Next {
    /// Most of it lies in the file of the present version.
    Carried(Box<Carried>),
    /// All of it.
    Whole {
        /// It, and what was done.
        signed: Signed,
        /// What changes; `None` if nothing does, or if there was none before.
        delta: Option<Delta>,
        /// Whether there was none before.
        is_first: bool,
    },
}

impl Next {
    /// What changes; `None` if nothing does, or if there was no version before.
    pub fn delta(&self) -> Option<&Delta> {
        match self {
            Self::Carried(carried) => carried.delta.as_ref(),
            Self::Whole { delta, .. } => delta.as_ref(),
        }
    }

    /// Whether it is another version than the present one.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::Whole { is_first: true, .. }) || self.delta().is_some()
    }

    /// Its serial.
    pub fn serial(&self) -> u32 {
        match self {
            Self::Carried(carried) => carried.serial,
            Self::Whole { signed, .. } => signed.zone.soa().map_or(0, |soa| soa.serial),
        }
    }

    /// Its DNSKEY RRset.
    pub fn dnskeys(&self) -> Option<&Rrset> {
        match self {
            Self::Carried(carried) => Some(&carried.dnskeys),
            Self::Whole { signed, .. } => signed.zone.rrset(&signed.zone.apex, Rtype::DNSKEY),
        }
    }

    /// The keys that sign it.
    pub fn signers(&self) -> SignerIds {
        match self {
            Self::Carried(carried) => carried.seal.signers.clone(),
            Self::Whole { signed, .. } => signers_of(&signed.zone),
        }
    }

    /// How many signatures were made for it.
    pub fn made(&self) -> usize {
        match self {
            Self::Carried(carried) => carried.made.len(),
            Self::Whole { signed, .. } => signed.made.len(),
        }
    }

    /// How many signatures are those of the present version.
    pub fn kept(&self) -> u64 {
        match self {
            Self::Carried(carried) => carried.kept,
            Self::Whole { signed, .. } => signed.kept as u64,
        }
    }
}

/// Why there is no next version.
#[derive(Debug, thiserror::Error)]
pub enum NotNext {
    /// The unsigned zone has errors.
    #[error("{0}")]
    Zone(Diagnostics),
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The change cannot be handed on.
    #[error(transparent)]
    Delta(#[from] NoDelta),
    /// What was signed does not verify.
    #[error("what was signed does not verify")]
    Unverified(Vec<Finding>),
    /// The present version cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The next version of a zone, after the one whose file is `intact`; `None` where there is no file with a seal. If that is
/// of no use, `whole` is asked for the present version; it is told why, and gives `None` if there is none.
pub fn next<E: From<NotNext>>(
    order: &Order<'_>,
    intact: Option<Result<Intact<'_>, NotCarried>>,
    whole: impl FnOnce(Option<&NotCarried>) -> Result<Option<Zone>, E>,
) -> Result<Next, E> {
    let why = match intact {
        None => None,
        Some(intact) => match intact.and_then(|intact| carried(order, intact)) {
            Ok(carried) => return Ok(Next::Carried(Box::new(carried))),
            Err(why) if why.wants_the_whole() => Some(why),
            Err(why) => return Err(not_next(why).into()),
        },
    };
    let present = whole(why.as_ref())?;
    Ok(signed_whole(order, present.as_ref())?)
}

fn not_next(why: NotCarried) -> NotNext {
    match why {
        NotCarried::Io(error) => NotNext::Io(error),
        NotCarried::Sign(error) => NotNext::Sign(error),
        NotCarried::Delta(error) => NotNext::Delta(error),
        NotCarried::Unverified(findings) => NotNext::Unverified(findings),
        // These are asked for the whole before.
        why @ (NotCarried::Foreign | NotCarried::Whole(_)) => {
            NotNext::Io(io::Error::other(why.to_string()))
        }
    }
}

/// The policy by which all that falls due within the next day is made anew, if there is room for it: signatures that are
/// made now must not be among them.
fn together(policy: &SigningPolicy) -> Option<SigningPolicy> {
    let shortest = policy.expiration.since(policy.now + policy.jitter);
    let room = shortest
        .as_seconds()
        .saturating_sub(policy.refresh.as_seconds());
    let ahead = TOGETHER.min(Span::seconds(room / 2));
    (ahead > Span::ZERO).then(|| SigningPolicy {
        refresh: policy.refresh + ahead,
        ..policy.clone()
    })
}

fn carried(order: &Order<'_>, intact: Intact<'_>) -> Result<Carried, NotCarried> {
    let Order {
        file, keys, policy, ..
    } = *order;
    let present = Some(intact.seal().serial);
    let serials = order.numbering.serials(file.serial(), present, policy.now);
    let carried = resign(intact, file, keys, policy, serials)?;
    let Some(wider) = together(policy).filter(|_| carried.delta.is_some()) else {
        return Ok(carried);
    };
    let due = |window: SignatureWindow| window.expiration.since(policy.now) <= wider.refresh;
    if carried.seal.window().is_some_and(due) {
        return resign(intact, file, keys, &wider, serials);
    }
    Ok(carried)
}

fn signed_whole(order: &Order<'_>, present: Option<&Zone>) -> Result<Next, NotNext> {
    let mut unsigned = order.file.zone().map_err(NotNext::Zone)?;
    let Order { keys, policy, .. } = *order;
    let Some(present) = present else {
        let serials = order
            .numbering
            .serials(order.file.serial(), None, policy.now);
        if let Some(serial) = serials.instead {
            unsigned.set_serial(serial);
        }
        let signed = sign_in_place(unsigned, keys, Earlier::default(), policy)?;
        verified(order, &signed.zone)?;
        return Ok(Next::Whole {
            signed,
            delta: None,
            is_first: true,
        });
    };
    let attempt = |trusted| {
        let (signed, delta) = after(order, &unsigned, present, trusted)?;
        verified(order, &signed.zone).map(|()| (signed, delta))
    };
    // What is kept is checked by the verification, and need not be checked before. Only if something in it does not hold is
    // each signature checked before it is kept.
    let attempted = match attempt(!order.unverified) {
        Err(NotNext::Unverified(_)) if !order.unverified => attempt(false),
        attempted => attempted,
    };
    attempted.map(|(signed, delta)| Next::Whole {
        signed,
        delta,
        is_first: false,
    })
}

/// The whole zone signed after `present`, and what changes.
fn after(
    order: &Order<'_>,
    unsigned: &Zone,
    present: &Zone,
    trusted: bool,
) -> Result<(Signed, Option<Delta>), NotNext> {
    let Order { keys, policy, .. } = *order;
    let before = present.soa().map(|soa| soa.serial);
    let written = order.file.serial();
    let serials = order.numbering.serials(written, before, policy.now);
    let numbered = |serial: Option<u32>| {
        let mut zone = unsigned.clone();
        if let Some(serial) = serial {
            zone.set_serial(serial);
        }
        zone
    };
    let earlier = Earlier {
        zone: Some(present),
        trusted,
        extra: &[],
    };
    let signed = match serials.instead {
        None => sign(unsigned, keys, earlier, policy)?,
        instead => sign_in_place(numbered(instead), keys, earlier, policy)?,
    };
    let (serial, delta) = match Delta::between(present, &signed.zone) {
        Ok(None) => return Ok((signed, None)),
        Err(NoDelta::Serial { .. }) if serials.if_stuck.is_some() => (serials.if_stuck, None),
        delta => (serials.instead, delta?),
    };
    let wider = together(policy).filter(|wider| falls_due(&signed.zone, wider));
    if delta.is_some() && wider.is_none() {
        return Ok((signed, delta));
    }
    // What was just made need not be made, or checked, again.
    let earlier = Earlier {
        zone: Some(&signed.zone),
        trusted: true,
        extra: &[],
    };
    let policy = wider.as_ref().unwrap_or(policy);
    let again = sign_in_place(numbered(serial), keys, earlier, policy)?;
    let delta = Delta::between(present, &again.zone)?;
    Ok((counted(again.zone, present), delta))
}

/// Whether some signature is to be made anew by this policy.
fn falls_due(zone: &Zone, policy: &SigningPolicy) -> bool {
    let rrsigs = zone
        .nodes
        .values()
        .filter_map(|node| node.get(&Rtype::RRSIG));
    let ends_soon = |rdata: &Rdata| {
        Rrsig::parse(rdata).is_ok_and(|rrsig| {
            rrsig.expiration.near(policy.now).since(policy.now) <= policy.refresh
        })
    };
    rrsigs.flat_map(|rrset| &rrset.rdatas).any(ends_soon)
}

/// A zone that was signed in several steps, and what they come to.
fn counted(zone: Zone, present: &Zone) -> Signed {
    let (mut made, mut kept) = (Vec::new(), 0_usize);
    for (owner, node) in &zone.nodes {
        let Some(rrsigs) = node.get(&Rtype::RRSIG) else {
            continue;
        };
        let before = present.rrset(owner, Rtype::RRSIG);
        for rdata in &rrsigs.rdatas {
            if before.is_some_and(|before| before.rdatas.contains(rdata)) {
                kept = kept.saturating_add(1);
            } else if let Some(covered) = Rrsig::covered_by(rdata) {
                made.push((owner.clone(), covered));
            }
        }
    }
    made.sort();
    Signed { zone, made, kept }
}

fn verified(order: &Order<'_>, zone: &Zone) -> Result<(), NotNext> {
    if order.unverified {
        return Ok(());
    }
    let judged = judge(zone, order.policy.now, Some(order.policy.threads));
    judged.map(|_| ()).map_err(NotNext::Unverified)
}

/// What every next version must stand up to before it takes the place of the present one, whoever made it.
/// It is checked by `threads` threads, or by one for each processor.
pub fn judge(
    zone: &Zone,
    at: Instant,
    threads: Option<NonZeroUsize>,
) -> Result<Summary, Vec<Finding>> {
    let usual = Expectation::at(at);
    let expectation = Expectation {
        threads: threads.unwrap_or(usual.threads),
        ..usual
    };
    judge_zone(zone, &expectation)
}

#[cfg(test)]
mod tests;
