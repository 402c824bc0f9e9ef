//! The labour of signing: one job for each RRset, shared among threads, each with buffers of its own.

use crate::dnssec::keys::{CannotSign, SigningKey};
use crate::dnssec::reuse::Candidates;
use crate::dnssec::rrsig::{CanonicalRrset, Rrsig, Timestamp, labels_field};
use crate::dnssec::share::in_blocks;
use crate::dnssec::sign::SigningPolicy;
use crate::rotation::timing::{Instant, Span, Ttl};
use crate::zone::content::Rrset;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use ring::digest::{SHA256, digest};

/// Jobs that a thread takes at a time: enough that taking costs nothing, few enough that all end together.
const BLOCK: usize = 32;

/// An RRset to be signed.
pub(super) struct Job<'a> {
    pub(super) owner: &'a Name,
    pub(super) rtype: Rtype,
    pub(super) rrset: &'a Rrset,
    pub(super) keys: &'a [&'a SigningKey],
    pub(super) candidates: Candidates<'a>,
}

/// The signatures over one RRset.
pub(super) struct Outcome {
    pub(super) rtype: Rtype,
    pub(super) ttl: Ttl,
    pub(super) rrsigs: Vec<Rdata>,
    pub(super) made: usize,
    pub(super) kept: usize,
}

/// Does all jobs; the outcomes are in the order of the jobs, however many threads there are.
pub(super) fn run(
    apex: &Name,
    jobs: &[Job<'_>],
    policy: &SigningPolicy,
) -> Result<Vec<Outcome>, CannotSign> {
    let blocks = in_blocks(jobs, BLOCK, policy.threads, || {
        let mut bench = Bench::new(apex, policy);
        move |block: &[Job<'_>]| -> Result<Vec<Outcome>, CannotSign> {
            block.iter().map(|job| bench.work(job)).collect()
        }
    });
    let mut outcomes = Vec::with_capacity(jobs.len());
    for block in blocks {
        outcomes.extend(block?);
    }
    Ok(outcomes)
}

/// One thread's place of work: buffers that are used again for every RRset.
struct Bench<'a> {
    apex: &'a Name,
    policy: &'a SigningPolicy,
    /// The octets to be signed: the front of the RRSIG, whose length never changes, then the records.
    message: Vec<u8>,
    front: Vec<u8>,
    /// When new signatures over the RRset under way end.
    expiration: Timestamp,
}

impl<'a> Bench<'a> {
    fn new(apex: &'a Name, policy: &'a SigningPolicy) -> Self {
        Self {
            apex,
            policy,
            message: Vec::with_capacity(1024),
            front: Vec::with_capacity(Name::MAX),
            expiration: Timestamp::of(policy.expiration),
        }
    }

    fn work(&mut self, job: &Job<'_>) -> Result<Outcome, CannotSign> {
        let mut outcome = Outcome {
            rtype: job.rtype,
            ttl: job.rrset.ttl,
            rrsigs: Vec::with_capacity(job.keys.len()),
            made: 0,
            kept: 0,
        };
        // The records are laid out when the first signature needs them; often none does.
        self.message.clear();
        self.expiration = Timestamp::of(self.expiration(job.owner));
        for key in job.keys {
            let rrsig = if let Some(kept) = self.keep(job, key) {
                outcome.kept = outcome.kept.saturating_add(1);
                kept
            } else {
                outcome.made = outcome.made.saturating_add(1);
                self.make(job, key)?
            };
            outcome.rrsigs.push(rrsig);
        }
        Ok(outcome)
    }

    /// The earlier signature by `key` that lasts longest, if one fits.
    fn keep(&mut self, job: &Job<'_>, key: &SigningKey) -> Option<Rdata> {
        let now = self.policy.now;
        let template = self.template(job, key);
        let mut fitting: Vec<_> = job
            .candidates
            .over(job.rtype)
            .filter(|(_, rrsig)| is_same_but_for_times(rrsig, &template))
            .filter(|(_, rrsig)| {
                let left = rrsig.expiration.near(now).since(now);
                rrsig.inception.near(now) <= now && left > self.policy.refresh
            })
            .collect();
        fitting.sort_by_key(|(rdata, rrsig)| (rrsig.expiration.near(now), *rdata));
        let holds = |(rdata, rrsig): &(&Rdata, Rrsig<'_>)| {
            job.candidates.vouches_for(rdata, job.rtype, job.rrset)
                || key.verifies(self.message(job, rrsig), rrsig.signature)
        };
        let last = fitting.into_iter().rev().find(holds);
        last.map(|(rdata, _)| rdata.clone())
    }

    fn make(&mut self, job: &Job<'_>, key: &SigningKey) -> Result<Rdata, CannotSign> {
        let template = self.template(job, key);
        self.message(job, &template);
        let mut rdata = Vec::with_capacity(self.front.len().saturating_add(64));
        rdata.extend_from_slice(&self.front);
        key.sign(&self.message, &mut rdata)?;
        Ok(Rdata(rdata.into()))
    }

    /// The RRSIG that we would make.
    fn template(&self, job: &Job<'_>, key: &SigningKey) -> Rrsig<'static> {
        Rrsig {
            covered: job.rtype,
            key: key.id(),
            labels: labels_field(job.owner),
            original_ttl: job.rrset.ttl,
            expiration: self.expiration,
            inception: Timestamp::of(self.policy.inception),
            signer: self.apex.clone(),
            signature: &[],
        }
    }

    /// The end of signatures at `owner`: all of one owner end together, and always at the same distance.
    #[allow(clippy::arithmetic_side_effects)] // instants and spans saturate
    fn expiration(&self, owner: &Name) -> Instant {
        let Some(modulus) = self.policy.jitter.as_seconds().checked_add(1) else {
            return self.policy.expiration;
        };
        if modulus == 1 {
            return self.policy.expiration;
        }
        let hash = digest(&SHA256, &owner.canonical());
        let number = hash.as_ref().first_chunk().copied().map(u64::from_be_bytes);
        let earlier = number.and_then(|n| n.checked_rem(modulus)).unwrap_or(0);
        self.policy.expiration - Span::seconds(earlier)
    }

    /// The octets that `rrsig` is a signature over.
    fn message(&mut self, job: &Job<'_>, rrsig: &Rrsig<'_>) -> &[u8] {
        self.front.clear();
        rrsig.append_front(&mut self.front);
        if self.message.is_empty() {
            self.message.extend_from_slice(&self.front);
            let owner = job.owner.canonical();
            CanonicalRrset::new(job.rtype, job.rrset).append_records(
                &owner,
                job.rtype,
                job.rrset.ttl,
                &mut self.message,
            );
        } else if let Some(front) = self.message.get_mut(..self.front.len()) {
            front.copy_from_slice(&self.front);
        }
        &self.message
    }
}

fn is_same_but_for_times(a: &Rrsig<'_>, b: &Rrsig<'_>) -> bool {
    (a.covered, a.key, a.labels, a.original_ttl, &a.signer)
        == (b.covered, b.key, b.labels, b.original_ttl, &b.signer)
}
