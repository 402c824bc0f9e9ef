//! Whether a signed proposal may be applied: signature, signer, time, base, result; in this order, the first no is told.
//!
//! Takes part in nothing that made the proposal: the result is proven by its digest and by the independent check of the
//! whole signed zone ([`crate::dnssec::next::judge`]).

use crate::change::allowed_signers::{AllowedSigners, NotAllowed, Signer};
use crate::change::digest::ZoneDigest;
use crate::change::proposal::{NAMESPACE, Proposal, Signed};
use crate::change::revoked::Revoked;
use crate::change::ssh_key::BadSignature;
use crate::dnssec::audit::{Summary, has_common_entry};
use crate::dnssec::delta::Mismatch;
use crate::dnssec::finding::Finding;
use crate::dnssec::next::judge;
use crate::rotation::timing::{Instant, Span};
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::serial;
use std::cmp::Ordering;

/// Why a proposal is not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Signed for another purpose.
    #[error("it is signed for `{0}`, not as a change (`{NAMESPACE}`)")]
    Namespace(String),
    /// The signature does not hold.
    #[error("{0}")]
    Signature(#[from] BadSignature),
    /// Not by somebody who may.
    #[error("{0}")]
    Signer(#[from] NotAllowed),
    /// Made in the future.
    #[error("it was created at {created}, which has not come yet: it is {now}")]
    NotYet {
        /// When it was made.
        created: Instant,
        /// The present.
        now: Instant,
    },
    /// Too old.
    #[error("it expired at {expires}: it is {now}")]
    Expired {
        /// Until when it could be applied.
        expires: Instant,
        /// The present.
        now: Instant,
    },
    /// For another zone.
    #[error("it is for the zone {wanted}, this is {found}")]
    OtherZone {
        /// The proposal's.
        wanted: Name,
        /// The one given.
        found: Name,
    },
    /// The zone has no serial.
    #[error("the zone has no SOA record")]
    NoSoa,
    /// The zone is the target.
    #[error("it is applied already: the zone is at serial {0} and means what the change leads to")]
    Applied(u32),
    /// The zone is at or past the target's serial, with other contents.
    #[error("its time is over: it leads to serial {target}, the zone is at {found} already")]
    Passed {
        /// The proposal's target.
        target: u32,
        /// The zone's.
        found: u32,
    },
    /// The zone is at another serial that is not past the target's.
    #[error("it starts from serial {base}, the zone is at {found}")]
    OtherSerial {
        /// The proposal's base.
        base: u32,
        /// The zone's.
        found: u32,
    },
    /// The serial is right, the contents are not.
    #[error("the zone has serial {0}, but not the contents that the change was made from")]
    OtherBase(u32),
    /// The records do not fit.
    #[error("{0}")]
    Records(#[from] Mismatch),
    /// The records lead elsewhere.
    #[error("its records lead to another zone than the one it names by its digest")]
    OtherTarget,
    /// Nothing that validators trust today vouches for the keys that come out.
    #[error(
        "no key of the zone as it is signs the keys of the zone that comes out: whoever trusts the one would trust nobody there"
    )]
    OtherKeys,
    /// It may be applied for longer than anybody should be able to.
    #[error("it could be applied for {0}, and no proposal may for more than {1}")]
    TooLong(Span, Span),
    /// Its signer's key was revoked.
    #[error("its key {0} is revoked")]
    Revoked(String),
    /// What comes out would not validate.
    #[error("the zone that comes out is not validly signed:\n{}", lines(.0))]
    NotSound(Vec<Finding>),
}

fn lines(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings
        .iter()
        .map(|finding| format!("  {finding}"))
        .collect();
    lines.join("\n")
}

impl Refusal {
    /// Whether somebody must make, and review, a new proposal; otherwise what was given is wrong, or there is nothing to do.
    pub const fn needs_review(&self) -> bool {
        matches!(
            self,
            Self::Expired { .. }
                | Self::OtherSerial { .. }
                | Self::OtherBase(_)
                | Self::NotSound(_)
                | Self::TooLong(..)
        )
    }

    /// The way out.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Namespace(_) => "ask for one made by `tlsa-rotate change make`",
            Self::Signature(BadSignature::Unsupported(_)) => "have it signed with another key",
            Self::Signature(_) => {
                "do not trust this copy: fetch the file again from where it was made"
            }
            Self::Signer(NotAllowed::Unknown { .. }) => {
                "if you know and trust this key, add it to the list of allowed signers; otherwise do not apply this"
            }
            Self::Signer(_) => {
                "have it signed with a key that may sign now, or change the line of the key in the list of allowed signers"
            }
            Self::NotYet { .. } => "compare the clocks of this machine and of the one that made it",
            Self::Expired { .. } | Self::NotSound(_) => {
                "make a new one from the zone as it is now (`tlsa-rotate change make`), and have it reviewed"
            }
            Self::OtherZone { .. } => "name the file of that zone",
            Self::NoSoa => "give a whole zone",
            Self::Applied(_) => "there is nothing to do",
            Self::Passed { .. } => {
                "if it is still wanted, make a new one from the zone as it is now, and have it reviewed"
            }
            Self::OtherSerial { .. } | Self::OtherBase(_) => {
                "somebody has changed the zone meanwhile: make a new one from the zone as it is now, and have it reviewed"
            }
            Self::OtherKeys => {
                "do not trust who made it, unless all keys are exchanged on purpose: then do that with the signer, one key at a time (RFC 6781 §4.1.2)"
            }
            Self::TooLong(..) => {
                "make a new one that ends earlier (`--expires`); who applies may allow more with `--longest`"
            }
            Self::Revoked(_) => "do not apply it; have what is wanted made and signed anew",
            Self::Records(_) | Self::OtherTarget => {
                "it contradicts itself: do not trust who made it"
            }
        }
    }
}

/// By what a signature is judged.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Who must have signed, if somebody was named.
    pub identity: Option<&'a str>,
    /// The keys that count no more, whatever the list says.
    pub revoked: &'a Revoked,
    /// For how long a proposal may be applied at most.
    pub longest: Span,
    /// The present.
    pub now: Instant,
}

/// Who signed a proposal, if the signature holds, its key may sign now for this zone, and the proposal is neither early nor
/// late.
pub fn authenticate<'s>(
    signed: &Signed,
    allowed: &'s AllowedSigners,
    terms: Terms<'_>,
) -> Result<&'s Signer, Refusal> {
    let now = terms.now;
    let signature = &signed.signature;
    if signature.namespace != NAMESPACE {
        return Err(Refusal::Namespace(signature.namespace.clone()));
    }
    signature.verify(signed.proposal.to_string().as_bytes())?;
    if terms.revoked.holds(&signature.key) {
        return Err(Refusal::Revoked(signature.key.fingerprint()));
    }
    let zone = signed.proposal.delta.apex().to_string();
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    let who = allowed.judge(
        &signature.key,
        (NAMESPACE, Some(&zone)),
        terms.identity,
        now,
    )?;
    let Proposal {
        created, expires, ..
    } = signed.proposal;
    if expires.since(created) > terms.longest {
        return Err(Refusal::TooLong(expires.since(created), terms.longest));
    }
    if now < created {
        return Err(Refusal::NotYet { created, now });
    }
    if now > expires {
        return Err(Refusal::Expired { expires, now });
    }
    Ok(who)
}

/// The zone that comes out, and what its independent check found. Asks nothing of the signature.
pub fn applied(proposal: &Proposal, base: Zone, now: Instant) -> Result<(Zone, Summary), Refusal> {
    let delta = &proposal.delta;
    if base.apex != *delta.apex() {
        return Err(Refusal::OtherZone {
            wanted: delta.apex().clone(),
            found: base.apex,
        });
    }
    let found = base.soa().ok_or(Refusal::NoSoa)?.serial;
    let (from, target) = (delta.old_serial(), delta.new_serial());
    let digest = ZoneDigest::of(&base);
    if found != from {
        let reached = serial::compare(found, target);
        return Err(match reached {
            Some(Ordering::Equal) if digest == proposal.target => Refusal::Applied(found),
            Some(Ordering::Equal | Ordering::Greater) => Refusal::Passed { target, found },
            _ => Refusal::OtherSerial { base: from, found },
        });
    }
    if digest != proposal.base {
        return Err(Refusal::OtherBase(found));
    }
    let mut zone = base.clone();
    delta.apply_to(&mut zone)?;
    if ZoneDigest::of(&zone) != proposal.target {
        return Err(Refusal::OtherTarget);
    }
    match judge(&zone, now, None) {
        Ok(_) if !has_common_entry(&base, &zone, now) => Err(Refusal::OtherKeys),
        Ok(summary) => Ok((zone, summary)),
        Err(findings) => Err(Refusal::NotSound(findings)),
    }
}
