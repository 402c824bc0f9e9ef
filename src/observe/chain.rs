//! DNSSEC validation from a trust anchor down to one RRset or to the proof of its absence (RFC 4035 §4.3 and §5,
//! RFC 5155 §8, RFC 6672 §5.3, RFC 6840, RFC 9276 §3.2).
//!
//! Whoever answers is not trusted: answers come from a [`Source`], and every signature, delegation and denial is checked
//! here, at an instant that is an argument. The chain is built from the name that signed upwards, as validators do; an
//! answer that nobody signed counts only if a proof without DS stands somewhere above it.

use super::alias::alias;
use super::anchors::Anchors;
pub use super::answer::{Alias, Answer, Content, NoAnswer, Security, Source};
use super::answer::{blind, worst};
use super::cut::{Cut, Stop, bogus, checkable, secured};
use super::denial::{self, NoDs};
use super::dns::Reply;
use super::extended_error::{ExtendedError, Flaw};
use super::proof::{self, Judge, Keys, Trust};
use crate::rotation::timing::Instant;
use crate::zone::content::Rrset;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Aliases that are followed from one name, as resolvers do.
const ALIASES: usize = 16;
/// Names that one RRset may be signed in: one, and a stranger's that must not hide it.
const SIGNERS: usize = 3;
const NXDOMAIN: u16 = 3;
const REFUSED: u16 = 5;

/// A validator at one instant. What it learns of zones it keeps for as long as it lives: one run.
pub struct Validator<S> {
    source: S,
    anchors: Anchors,
    now: Instant,
    cuts: Mutex<HashMap<Name, FoundOnce>>,
}

type FoundOnce = Arc<OnceCell<Result<Cut, Stop>>>;

/// Whose word counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// That of any zone at or above the name.
    Any,
    /// That of the zones above it alone: what there is of delegation is the parent's (RFC 4035 §2.4). So is each step of
    /// the way to a zone's keys, which therefore ends.
    Parent,
}

impl Side {
    fn of(rtype: Rtype) -> Self {
        if rtype == Rtype::DS {
            Self::Parent
        } else {
            Self::Any
        }
    }
}

/// Something that was looked at, and what signed it.
struct Judged<T> {
    value: T,
    security: Security,
    zone: Option<Name>,
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<S: Source + Send + Sync> Validator<S> {
    /// A validator that asks `source`, trusts `anchors` and judges signatures by `now`.
    pub fn new(source: S, anchors: Anchors, now: Instant) -> Self {
        Self {
            source,
            anchors,
            now,
            cuts: Mutex::new(HashMap::new()),
        }
    }

    /// The RRset of `rtype` at `name`, or at what `name` is an alias for, or the proof that there is none.
    pub async fn lookup(&self, name: &Name, rtype: Rtype) -> Result<Answer, NoAnswer> {
        let mut aliases: Vec<Alias> = Vec::new();
        let mut at = name.clone();
        loop {
            let reply = self.ask(&at, rtype).await?;
            let Some((signed, target)) = alias(&reply, &at, rtype)? else {
                let end = self.end(&reply, &at, rtype).await?;
                let links = aliases.iter().map(|alias| &alias.security);
                let security = worst(links.chain([&end.security]));
                return Ok(Answer {
                    name: at,
                    content: end.value,
                    security,
                    zone: end.zone,
                    aliases,
                });
            };
            let link = self
                .rrset(&reply, &signed.owner, signed.rtype, Side::Any)
                .await?;
            let seen = aliases.iter().any(|a| a.from == target) || target == at;
            if seen || aliases.len() >= ALIASES {
                let reason = format!(
                    "{name} is an alias that leads nowhere (a loop, or longer than {ALIASES})"
                );
                return Err(NoAnswer::Failed(Flaw::new(ExtendedError::Other, reason)));
            }
            aliases.push(Alias {
                from: at,
                to: target.clone(),
                security: link.security,
            });
            at = target;
        }
    }

    async fn ask(&self, name: &Name, rtype: Rtype) -> Result<Reply, NoAnswer> {
        let failed = |error, reason: String| {
            let reason = format!("{name} {rtype}: {reason}");
            NoAnswer::Failed(Flaw::new(error, reason))
        };
        let reply = self.source.ask(name, rtype).await;
        let reply = reply.map_err(|why| failed(ExtendedError::NetworkError, why))?;
        // A resolver that refuses speaks of who asks it, not of the zone.
        let error = match reply.rcode {
            REFUSED => ExtendedError::NetworkError,
            _ => ExtendedError::NoReachableAuthority,
        };
        proof::is_an_answer(&reply).map_err(|why| failed(error, why))?;
        Ok(reply)
    }

    /// What the answer says of `name` itself: its records, or that there are none.
    async fn end(
        &self,
        reply: &Reply,
        name: &Name,
        rtype: Rtype,
    ) -> Result<Judged<Content>, NoAnswer> {
        if proof::rrset(&reply.answers, name, rtype).is_some() {
            let judged = self.rrset(reply, name, rtype, Side::of(rtype)).await?;
            return Ok(Judged {
                value: Content::Records(judged.value),
                security: judged.security,
                zone: judged.zone,
            });
        }
        let absent = if reply.rcode == NXDOMAIN {
            Content::NoName
        } else {
            Content::NoData
        };
        let (security, zone) = self.absence(reply, name, rtype).await?;
        Ok(Judged {
            value: absent,
            security,
            zone,
        })
    }

    /// The RRset at `owner`, which is in the answer, with what it is worth.
    async fn rrset(
        &self,
        reply: &Reply,
        owner: &Name,
        rtype: Rtype,
        side: Side,
    ) -> Result<Judged<Rrset>, NoAnswer> {
        let signers = proof::signers(&reply.answers, owner, rtype);
        let unverified = |security| {
            let rrset = proof::rrset(&reply.answers, owner, rtype);
            let value = rrset.unwrap_or(Rrset {
                ttl: crate::rotation::timing::Ttl(0),
                rdatas: Vec::new(),
            });
            Judged {
                value,
                security,
                zone: None,
            }
        };
        let judge = |apex: &Name, keys: &Keys| {
            let judge = Judge {
                apex,
                keys,
                at: self.now,
            };
            let missing = || Flaw::from(format!("no {rtype} RRset at {owner}"));
            let signed = judge
                .signed(&reply.answers, owner, rtype)?
                .ok_or_else(missing)?;
            let closer = match &signed.wildcard {
                Some(wildcard) => Some(denial::of_closer_match(reply, owner, wildcard, judge)?),
                None => None,
            };
            let open = closer.is_some_and(|denied| denied.opt_out);
            let ttl = signed.original_ttl;
            Ok((
                Rrset {
                    ttl,
                    ..signed.rrset
                },
                open,
            ))
        };
        match self.by_signer(&signers, owner, side, judge).await {
            Ok((zone, (value, open))) => Ok(Judged {
                value,
                security: if open {
                    opted_out(owner)
                } else {
                    Security::Secure
                },
                zone: Some(zone),
            }),
            Err(stop) => stop.security().map(unverified),
        }
    }

    /// What a negative answer is worth.
    async fn absence(
        &self,
        reply: &Reply,
        name: &Name,
        rtype: Rtype,
    ) -> Result<(Security, Option<Name>), NoAnswer> {
        let judge = |apex: &Name, keys: &Keys| {
            let judge = Judge {
                apex,
                keys,
                at: self.now,
            };
            if rtype == Rtype::DS {
                let no_ds = denial::of_ds(reply, name, judge)?;
                return Ok(no_ds == NoDs::Insecure);
            }
            Ok(denial::of_type(reply, name, rtype, judge)?.opt_out)
        };
        let signers = deniers(reply);
        match self.by_signer(&signers, name, Side::of(rtype), judge).await {
            Ok((zone, true)) if rtype != Rtype::DS => Ok((opted_out(name), Some(zone))),
            Ok((zone, _)) => Ok((Security::Secure, Some(zone))),
            Err(stop) => stop.security().map(|security| (security, None)),
        }
    }

    /// Judges something about `name` with the keys of the zones that it is signed by, the deepest first.
    ///
    /// What nobody signed is judged by the delegations above it.
    async fn by_signer<T>(
        &self,
        signers: &[Name],
        name: &Name,
        side: Side,
        judge: impl Fn(&Name, &Keys) -> Result<T, Flaw>,
    ) -> Result<(Name, T), Stop> {
        let Some(anchor) = self.anchors.above(name) else {
            let reason = format!("no trust anchor lies at or above {name}");
            let flaw = Flaw::new(ExtendedError::DnssecIndeterminate, reason);
            return Err(Stop::Indeterminate(flaw));
        };
        let may_sign = |signer: &&Name| {
            name.is_at_or_below(signer)
                && signer.is_at_or_below(anchor)
                && !(side == Side::Parent && *signer == name)
        };
        let mut signers: Vec<&Name> = signers.iter().filter(may_sign).collect();
        signers.sort_by_key(|signer| std::cmp::Reverse(signer.label_count()));
        let mut refusal = None;
        for signer in signers.into_iter().take(SIGNERS) {
            let stop = match self.cut(signer).await {
                Ok(Cut::Zone(keys)) => match judge(signer, &keys) {
                    Ok(value) => return Ok((signer.clone(), value)),
                    Err(flaw) if flaw.error == ExtendedError::UnsupportedNsec3Iterations => {
                        Stop::Insecure(flaw)
                    }
                    Err(flaw) => bogus(flaw),
                },
                Ok(Cut::None) => {
                    bogus(format!("signed in the name of {signer}, which is not a zone").into())
                }
                Err(stop) => stop,
            };
            refusal = refusal.or(Some(stop));
        }
        match refusal {
            Some(stop) => Err(stop),
            None => Err(self.unsigned(name, side, anchor).await),
        }
    }

    /// What an unsigned answer about `name` is: insecure if a delegation without DS stands above it, else bogus.
    async fn unsigned(&self, name: &Name, side: Side, anchor: &Name) -> Stop {
        let mut above: Vec<Name> = Vec::new();
        let mut at = Some(name.clone());
        while let Some(candidate) = at.filter(|candidate| candidate.is_at_or_below(anchor)) {
            at = candidate.parent();
            if side == Side::Any || candidate != *name {
                above.push(candidate);
            }
        }
        let mut zone = anchor.clone();
        for candidate in above.into_iter().rev() {
            match self.cut(&candidate).await {
                Ok(Cut::Zone(_)) => zone = candidate,
                Ok(Cut::None) => {}
                Err(stop) => return stop,
            }
        }
        let reason = format!("the answer about {name} is not signed, though the zone {zone} is");
        bogus(Flaw::new(ExtendedError::RrsigsMissing, reason))
    }

    /// What lies at `name`, found out once.
    fn cut<'a>(&'a self, name: &'a Name) -> Boxed<'a, Result<Cut, Stop>> {
        let cell = {
            let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cuts.entry(name.clone()).or_default())
        };
        Box::pin(async move { cell.get_or_init(|| self.find_cut(name)).await.clone() })
    }

    async fn find_cut(&self, name: &Name) -> Result<Cut, Stop> {
        if let Some(trust) = self.anchors.of(name) {
            return self.zone(name, trust).await;
        }
        let reply = self.ask(name, Rtype::DS).await.map_err(Stop::No)?;
        if proof::rrset(&reply.answers, name, Rtype::DS).is_some() {
            let ds = self
                .rrset(&reply, name, Rtype::DS, Side::Parent)
                .await
                .map_err(Stop::No)?;
            secured(ds.security)?;
            return self.zone(name, &checkable(name, ds.value.rdatas)?).await;
        }
        if proof::rrset(&reply.answers, name, Rtype::CNAME).is_some() {
            let alias = self
                .rrset(&reply, name, Rtype::CNAME, Side::Parent)
                .await
                .map_err(Stop::No)?;
            // An alias has no other data: nothing is delegated there.
            return secured(alias.security).map(|()| Cut::None);
        }
        let judge = |apex: &Name, keys: &Keys| {
            let judge = Judge {
                apex,
                keys,
                at: self.now,
            };
            denial::of_ds(&reply, name, judge)
        };
        match self
            .by_signer(&deniers(&reply), name, Side::Parent, judge)
            .await?
        {
            (_, NoDs::NoCut) => Ok(Cut::None),
            (parent, NoDs::Insecure) => {
                let reason =
                    format!("{name} is delegated without DS by {parent}: it is not signed");
                Err(Stop::Insecure(Flaw::new(ExtendedError::Other, reason)))
            }
        }
    }

    async fn zone(&self, apex: &Name, trust: &Trust) -> Result<Cut, Stop> {
        let reply = self.ask(apex, Rtype::DNSKEY).await.map_err(Stop::No)?;
        if *apex == Name::root()
            && let Some(blind) = blind(&reply)
        {
            return Err(Stop::No(blind));
        }
        let keys = proof::trusted_keys(&reply, apex, trust, self.now);
        let keys = keys.map_err(|flaw| bogus(flaw.of(&format!("the keys of {apex}"))))?;
        Ok(Cut::Zone(Arc::new(keys)))
    }
}

/// The zones that signed the proofs of a negative answer.
fn deniers(reply: &Reply) -> Vec<Name> {
    let mut deniers: Vec<Name> = Vec::new();
    for record in &reply.authorities {
        if matches!(record.rtype, Rtype::NSEC | Rtype::NSEC3) && deniers.len() < SIGNERS {
            let signers = proof::signers(&reply.authorities, &record.owner, record.rtype);
            let new = signers.into_iter().filter(|s| !deniers.contains(s));
            deniers.extend(new.collect::<Vec<_>>());
        }
    }
    deniers
}

fn opted_out(name: &Name) -> Security {
    Security::Insecure(proof::opt_out(name).into())
}
