//! Signs a zone: DNSKEY RRset, denial chain, and an RRSIG by every key that must make one (RFC 4035 §2, RFC 6840 §5.11).
//!
//! Signatures of an earlier run are kept where they still fit, so that a small change stays a small change. What was
//! signed is judged elsewhere, by [`crate::dnssec::audit`], which takes no decision from here.

use crate::dnssec::authority::standings;
use crate::dnssec::denial::{self, Denial};
use crate::dnssec::hashed_denial::{self, Undeniable};
use crate::dnssec::key_records;
use crate::dnssec::keys::{CannotSign, SigningKey};
pub use crate::dnssec::reuse::Earlier;
use crate::dnssec::reuse::Pool;
use crate::dnssec::signers::{Signers, Unsignable};
use crate::dnssec::work::{self, Job};
use crate::rotation::timing::{Instant, Span, Ttl};
use crate::zone::content::{Node, Rrset, Zone};
use crate::zone::name::Name;
use crate::zone::rdata::{FOLDED_BY_SOME, Soa};
use crate::zone::record::{Rdata, Rtype};
use crate::zone::zonemd;
use std::num::NonZeroUsize;

/// When signatures begin and end, and how the work is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningPolicy {
    /// The present: decides which keys are published and active, and which signatures may be kept.
    pub now: Instant,
    /// Begin of new signatures; a little in the past, for clocks that are behind.
    pub inception: Instant,
    /// End of new signatures.
    pub expiration: Instant,
    /// A signature with this much time left, or less, is made anew.
    pub refresh: Span,
    /// Up to how much earlier than `expiration` signatures end, spread over the owners by a hash of their names, so
    /// that not all fall due at once. Zero: all end together.
    pub jitter: Span,
    /// How absence is proven.
    pub denial: Denial,
    /// Threads that make signatures.
    pub threads: NonZeroUsize,
}

impl Default for SigningPolicy {
    /// Every choice but the times, which are all the epoch: a policy without times signs nothing.
    fn default() -> Self {
        let epoch = Instant::from_unix(0);
        Self {
            now: epoch,
            inception: epoch,
            expiration: epoch,
            refresh: Span::ZERO,
            jitter: Span::ZERO,
            denial: Denial::default(),
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// The longest that is left when signatures are made anew, if nothing is said: more than a week, so that none runs out
/// where the program runs once a week.
const USUAL_REFRESH: Span = Span::days(8);

/// How much is left of signatures when they are made anew, if nothing is said: 8 days, and of signatures that hold for less
/// than 14 days the same share of it, four parts of seven.
pub fn usual_refresh(validity: Span) -> Span {
    let share = validity.as_seconds().saturating_mul(4) / 7;
    USUAL_REFRESH.min(Span::seconds(share))
}

/// Long enough for signatures to fall due in several nights, short enough to matter little to how long they hold.
const USUAL_JITTER: Span = Span::hours(12);

/// The jitter to take if nothing is said, for signatures that hold for `validity` from now and are made anew when
/// `refresh` or less is left: 12 hours, but at most half of the time until new ones are due.
pub fn usual_jitter(validity: Span, refresh: Span) -> Span {
    let until_due = validity.as_seconds().saturating_sub(refresh.as_seconds());
    USUAL_JITTER.min(Span::seconds(until_due / 2))
}

/// A signed zone, and what was done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The zone with DNSKEY, NSEC or NSEC3, and RRSIG records.
    pub zone: Zone,
    /// Owner and covered type of every signature that was made, one entry for each, in canonical order.
    pub made: Vec<(Name, Rtype)>,
    /// How many earlier signatures were kept.
    pub kept: usize,
}

/// Why a zone cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Not exactly one SOA at the apex.
    #[error("{0} has no SOA record, or several: this is not a zone")]
    Soa(Name),
    /// An owner that is not in the zone.
    #[error("{owner} is not in the zone {apex}")]
    OutOfZone {
        /// The stray owner.
        owner: Name,
        /// The apex.
        apex: Name,
    },
    /// DS where nothing is delegated: resolvers would look for it in another zone.
    #[error("DS records at {0}, which is not a delegation: the DS of a zone belongs in its parent")]
    StrayDs(Name),
    /// The keys do not fit the zone.
    #[error(transparent)]
    Keys(#[from] Unsignable),
    /// A validity that no validator would accept now.
    #[error(
        "the validity from {inception} to {expiration} does not hold at {now}, or is longer than 68 years"
    )]
    Validity {
        /// Begin.
        inception: Instant,
        /// End.
        expiration: Instant,
        /// The present.
        now: Instant,
    },
    /// New signatures that would be due at once.
    #[error(
        "with a jitter of {jitter} some signatures hold for {shortest} only, but they are made anew when {refresh} or \
         less is left: every run would make them again; use less jitter, a shorter refresh, or a later expiration"
    )]
    Jitter {
        /// The spread asked for.
        jitter: Span,
        /// How long the first signatures to end would hold.
        shortest: Span,
        /// When signatures are due.
        refresh: Span,
    },
    /// NSEC3 as asked for cannot be.
    #[error(transparent)]
    Denial(#[from] Undeniable),
    /// A key failed.
    #[error(transparent)]
    Failed(#[from] CannotSign),
}

/// Signs `unsigned` with those of `keys` that are active, keeping what fits of `earlier`.
///
/// RRSIG, NSEC, NSEC3 and NSEC3PARAM records in the input are replaced; DNSKEY, CDS and CDNSKEY records in it stay,
/// beside those that the times of the keys ask for. The serial is left as it is. The result is the same, byte for byte, for the same input, except
/// that ECDSA signatures never repeat.
pub fn sign(
    unsigned: &Zone,
    keys: &[SigningKey],
    earlier: Earlier<'_>,
    policy: &SigningPolicy,
) -> Result<Signed, SignError> {
    sign_in_place(unsigned.clone(), keys, earlier, policy)
}

/// The same of a zone that is not needed unsigned any more: a large one takes its time to copy.
pub fn sign_in_place(
    unsigned: Zone,
    keys: &[SigningKey],
    earlier: Earlier<'_>,
    policy: &SigningPolicy,
) -> Result<Signed, SignError> {
    check_validity(policy)?;
    let mut zone = without_signatures(unsigned)?;
    let negative_ttl = add_key_records(&mut zone, keys, policy.now)?;
    let signers = Signers::choose(&zone, keys, policy.now)?;
    let apex = zone.apex.clone();
    match &policy.denial {
        // The last name points back at the first, the apex (RFC 4034 §4.1.1).
        Denial::Nsec => denial::link_nsec(&mut zone, &apex, negative_ttl),
        Denial::Nsec3 { hashing, opt_out } => {
            hashed_denial::add_nsec3_chain(&mut zone, hashing, *opt_out, negative_ttl)?;
        }
    }
    // The digest is of all that is signed, and signed after it (RFC 8976 §3.1).
    let digests = zone
        .nodes
        .get_mut(&apex)
        .and_then(|node| node.remove(&Rtype::ZONEMD));
    let mut signed = sign_linked(zone, &signers, &earlier, policy)?;
    if let Some(digests) = digests {
        add_digests(&mut signed, digests, &signers, &earlier, policy)?;
    }
    Ok(signed)
}

/// Puts the digests in of a zone that is signed but for them, and signs them.
fn add_digests(
    signed: &mut Signed,
    digests: Rrset,
    signers: &Signers<'_>,
    earlier: &Earlier<'_>,
    policy: &SigningPolicy,
) -> Result<(), SignError> {
    let apex = signed.zone.apex.clone();
    let put = |zone: &mut Zone, rrset: Rrset| {
        let node = zone.nodes.entry(apex.clone()).or_default();
        node.insert(Rtype::ZONEMD, rrset);
    };
    let ttl = digests.ttl;
    put(&mut signed.zone, digests);
    let rdatas = zonemd::renewed(&signed.zone).unwrap_or_default();
    let rrset = Rrset { ttl, rdatas };
    put(&mut signed.zone, rrset.clone());
    let mut alone = Zone::empty(apex.clone());
    put(&mut alone, rrset);
    let mut alone = sign_linked(alone, signers, earlier, policy)?;
    let made = alone.zone.nodes.remove(&apex);
    let made = made.and_then(|mut node| node.remove(&Rtype::RRSIG));
    let node = signed.zone.nodes.entry(apex).or_default();
    if let (Some(made), Some(rrsigs)) = (made, node.get_mut(&Rtype::RRSIG)) {
        rrsigs.rdatas.extend(made.rdatas);
        rrsigs.rdatas.sort();
    }
    signed.made.extend(alone.made);
    signed.made.sort();
    signed.kept = signed.kept.saturating_add(alone.kept);
    Ok(())
}

/// Signs a zone, or a part of one without the names above it, that has its DNSKEY and denial records already.
pub(super) fn sign_linked(
    zone: Zone,
    signers: &Signers<'_>,
    earlier: &Earlier<'_>,
    policy: &SigningPolicy,
) -> Result<Signed, SignError> {
    let (signatures, counts) = {
        let pool = Pool::new(earlier);
        let (jobs, counts) = jobs(&zone, signers, &pool)?;
        (work::run(&zone.apex, &jobs, policy)?, counts)
    };
    Ok(with_signatures(zone, signatures, &counts))
}

/// Whether records of this type are made by signing, and replaced by it.
pub(super) fn is_made(rtype: Rtype) -> bool {
    matches!(
        rtype,
        Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::NSEC3PARAM
    )
}

/// What signing needs to know of the SOA.
struct SoaTimes {
    ttl: Ttl,
    minimum: Ttl,
}

#[allow(clippy::arithmetic_side_effects)] // instants and spans saturate
pub(super) fn check_validity(policy: &SigningPolicy) -> Result<(), SignError> {
    let length = policy.expiration.since(policy.inception);
    let lasting = policy.inception <= policy.now
        && policy.now < policy.expiration - policy.jitter
        && length.as_seconds() < 1 << 31;
    if !lasting {
        return Err(SignError::Validity {
            inception: policy.inception,
            expiration: policy.expiration,
            now: policy.now,
        });
    }
    let shortest = (policy.expiration - policy.jitter).since(policy.now);
    if policy.jitter > Span::ZERO && shortest <= policy.refresh {
        return Err(SignError::Jitter {
            jitter: policy.jitter,
            shortest,
            refresh: policy.refresh,
        });
    }
    Ok(())
}

/// The zone without what signing makes, and without owners that held nothing else.
pub fn without_signatures(mut unsigned: Zone) -> Result<Zone, SignError> {
    let apex = &unsigned.apex;
    if let Some(stray) = unsigned.nodes.keys().find(|o| !o.is_at_or_below(apex)) {
        return Err(SignError::OutOfZone {
            owner: stray.clone(),
            apex: apex.clone(),
        });
    }
    unsigned.nodes.retain(|_, node| {
        node.retain(|rtype, _| !is_made(*rtype));
        for rtype in FOLDED_BY_SOME {
            if let Some(rrset) = node.get_mut(&rtype) {
                fold(rtype, rrset);
            }
        }
        !node.is_empty()
    });
    Ok(unsigned)
}

/// What is written in lower case is signed and digested alike by all.
fn fold(rtype: Rtype, rrset: &mut Rrset) {
    for rdata in &mut rrset.rdatas {
        *rdata = Rdata(rdata.canonical(rtype).into_owned().into());
    }
    rrset.rdatas.sort();
    rrset.rdatas.dedup();
}

/// What is refused of a zone whatever the keys: for those who have none.
pub fn signable(zone: &Zone) -> Result<(), SignError> {
    soa(zone)?;
    let mut nodes = zone.nodes.iter();
    let stray = nodes
        .find(|(owner, node)| node.contains_key(&Rtype::DS) && is_stray(owner, node, &zone.apex));
    match stray {
        Some((owner, _)) => Err(SignError::StrayDs(owner.clone())),
        None => Ok(()),
    }
}

/// Whether DS records of an owner stand where nothing is delegated.
fn is_stray(owner: &Name, node: &Node, apex: &Name) -> bool {
    !node.contains_key(&Rtype::NS) || owner == apex
}

fn soa(zone: &Zone) -> Result<SoaTimes, SignError> {
    let rrset = zone.rrset(&zone.apex, Rtype::SOA);
    rrset
        .filter(|rrset| rrset.rdatas.len() == 1)
        .and_then(|rrset| {
            let soa = Soa::from_rdata(rrset.rdatas.first()?)?;
            Some(SoaTimes {
                ttl: rrset.ttl,
                minimum: soa.minimum,
            })
        })
        .ok_or_else(|| SignError::Soa(zone.apex.clone()))
}

/// Puts in what the times of the keys ask for, DNSKEYs first of all; returns the negative TTL (RFC 2308 §5).
pub(super) fn add_key_records(
    zone: &mut Zone,
    keys: &[SigningKey],
    now: Instant,
) -> Result<Ttl, SignError> {
    let soa = soa(zone)?;
    key_records::add(zone, keys, soa.ttl, now);
    negative_ttl(zone)
}

/// How long an absence may be cached (RFC 2308 §5, RFC 9077 §3).
pub(super) fn negative_ttl(zone: &Zone) -> Result<Ttl, SignError> {
    let soa = soa(zone)?;
    Ok(soa.minimum.min(soa.ttl))
}

/// One job for each RRset that the zone signs, in canonical order, and how many there are at each owner.
fn jobs<'a>(
    zone: &'a Zone,
    signers: &'a Signers<'a>,
    pool: &'a Pool<'a>,
) -> Result<(Vec<Job<'a>>, Vec<usize>), SignError> {
    let mut candidates = pool.walk();
    let mut counts = Vec::with_capacity(zone.nodes.len());
    let mut jobs = Vec::with_capacity(zone.nodes.len().saturating_mul(2));
    for (owner, node, standing) in standings(zone) {
        let candidates = candidates.at(owner);
        let before = jobs.len();
        for (&rtype, rrset) in node {
            if rtype == Rtype::DS && is_stray(owner, node, &zone.apex) {
                return Err(SignError::StrayDs(owner.clone()));
            }
            if standing.signs(rtype) {
                jobs.push(Job {
                    owner,
                    rtype,
                    rrset,
                    keys: signers.of(rtype),
                    candidates,
                });
            }
        }
        counts.push(jobs.len().saturating_sub(before));
    }
    Ok((jobs, counts))
}

/// Puts the signatures into the zone; they come in the order of the jobs, `counts` of them at each owner.
fn with_signatures(mut zone: Zone, signatures: Vec<work::Outcome>, counts: &[usize]) -> Signed {
    let (mut made, mut kept) = (Vec::with_capacity(signatures.len()), 0_usize);
    let mut signatures = signatures.into_iter();
    for ((owner, node), count) in zone.nodes.iter_mut().zip(counts) {
        let mut rrsigs: Vec<(Rdata, Ttl)> = Vec::with_capacity(*count);
        for outcome in signatures.by_ref().take(*count) {
            kept = kept.saturating_add(outcome.kept);
            let each_made = || (owner.clone(), outcome.rtype);
            made.extend(std::iter::repeat_with(each_made).take(outcome.made));
            rrsigs.extend(outcome.rrsigs.into_iter().map(|rrsig| (rrsig, outcome.ttl)));
        }
        rrsigs.sort_unstable();
        // Each RRSIG has the TTL of what it covers (RFC 4034 §3); the first speaks for the set, as when it is read.
        if let Some((_, ttl)) = rrsigs.first() {
            let ttl = *ttl;
            let rdatas = rrsigs.into_iter().map(|(rrsig, _)| rrsig).collect();
            node.insert(Rtype::RRSIG, Rrset { ttl, rdatas });
        }
    }
    Signed { zone, made, kept }
}
