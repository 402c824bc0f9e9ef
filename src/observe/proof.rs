//! Whether an authoritative answer proves what it says: TLSA records, or their absence (RFC 4035 §5, RFC 6840 §4).
//!
//! Pure: octets and an instant in, a value or a reason for people out.

use super::alias::{AliasRecord, alias};
use super::answer::NoAnswer;
use super::denial;
use super::dns::{Reply, rcode_name};
use super::extended_error::{ExtendedError, Flaw};
use super::served_answer::{Answer, ServedAlias, Told};
use crate::dnssec::dnskey::{DigestType, Dnskey};
use crate::dnssec::rrsig::Rrsig;
use crate::dnssec::verify::{Invalid, NoChain, verify_dnskeys, verify_rrset};
use crate::rotation::observation::{ServedRrset, SignatureWindow, TlsaName};
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::content::Rrset;
use crate::zone::name::Name;
use crate::zone::rdata::Soa;
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::BTreeSet;

/// Signatures over one RRset that are tried: one per algorithm, two while a key is exchanged (CVE-2023-50387).
const SIGNATURES: usize = 8;

/// What the zone's keys are measured by: DS records of the zone, from configuration or key files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    ds: Vec<Rdata>,
}

impl Trust {
    /// Trust in DS records, and in DNSKEY records as if each had a DS. RDATA that are neither are worth nothing.
    pub fn new(apex: &Name, ds: Vec<Rdata>, dnskeys: &[Rdata]) -> Self {
        let mut ds = ds;
        let keys = dnskeys.iter().filter_map(Dnskey::parse);
        ds.extend(keys.map(|key| key.ds(apex, DigestType::Sha256)));
        Self { ds }
    }
}

/// The keys of a zone as one server serves them, checked against the trust anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    dnskeys: Vec<Rdata>,
    /// How long the signature over them holds: nothing that they sign holds longer.
    window: SignatureWindow,
}

impl Keys {
    /// What counts when UDP and TCP show the same keys.
    pub(super) fn one_of_both(udp: &Self, tcp: &Self) -> Option<Self> {
        (udp.dnskeys == tcp.dnskeys).then(|| Self {
            dnskeys: tcp.dnskeys.clone(),
            window: udp.window.both(tcp.window),
        })
    }
}

impl Told for Keys {
    fn told(&self) -> String {
        let tags = self
            .dnskeys
            .iter()
            .filter_map(Dnskey::parse)
            .map(|key| key.id().to_string());
        format!("keys {}", tags.collect::<Vec<_>>().join(", "))
    }
}

/// An RRset with a signature that holds.
pub(super) struct Signed {
    pub(super) rrset: Rrset,
    pub(super) window: SignatureWindow,
    /// The latest expiration among its own signatures.
    pub(super) last: Instant,
    /// The TTL that was signed; what a cache answers counts down (RFC 4035 §5.3.3).
    pub(super) original_ttl: Ttl,
    /// The wildcard it was made from.
    pub(super) wildcard: Option<Name>,
}

/// The view from one zone at one instant.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) apex: &'a Name,
    pub(super) keys: &'a Keys,
    pub(super) at: Instant,
}

/// The SOA serial.
pub(super) fn serial(reply: &Reply, apex: &Name) -> Result<u32, Flaw> {
    speaks_for_the_zone(reply)?;
    let soa = rrset(&reply.answers, apex, Rtype::SOA);
    soa.and_then(|rrset| Soa::from_rdata(rrset.rdatas.first()?).map(|soa| soa.serial))
        .ok_or_else(|| {
            let reason = format!("no SOA record of {apex} in the answer");
            Flaw::new(ExtendedError::Other, reason)
        })
}

/// The DNSKEY RRset, if a key that the trust anchor names has signed it.
pub(super) fn keys(reply: &Reply, apex: &Name, trust: &Trust, at: Instant) -> Result<Keys, Flaw> {
    speaks_for_the_zone(reply)?;
    if rrset(&reply.answers, apex, Rtype::DNSKEY).is_none() {
        let reason = format!("{apex} has no DNSKEY records there: the zone is served unsigned");
        return Err(Flaw::new(ExtendedError::RrsigsMissing, reason));
    }
    trusted_keys(reply, apex, trust, at)
}

/// The same, from whomever.
pub(super) fn trusted_keys(
    reply: &Reply,
    apex: &Name,
    trust: &Trust,
    at: Instant,
) -> Result<Keys, Flaw> {
    let mut keys = rrset(&reply.answers, apex, Rtype::DNSKEY).ok_or_else(|| {
        Flaw::new(
            ExtendedError::DnskeyMissing,
            format!("{apex} has no DNSKEY records"),
        )
    })?;
    let signatures = signatures(&reply.answers, apex, Rtype::DNSKEY);
    let verified = verify_dnskeys(apex, &keys, &signatures, &trust.ds, at).map_err(|why| {
        let error = match &why {
            NoChain::NoKeyForDs => ExtendedError::DnskeyMissing,
            NoChain::Unsigned => ExtendedError::RrsigsMissing,
            NoChain::Invalid(invalid) => extended_error(invalid),
        };
        let reason = format!("the zone's keys are not those trusted: {why}");
        Flaw::new(error, reason)
    })?;
    keys.rdatas.sort();
    Ok(Keys {
        dnskeys: keys.rdatas,
        window: verified.window,
    })
}

/// The TLSA RRset at `name`, the alias there, or the proof that there is neither.
pub(super) fn tlsa(reply: &Reply, name: &Name, judge: Judge<'_>) -> Result<Answer, Flaw> {
    if let Some(cut) = referred_to(reply, name, judge.apex) {
        let reason =
            format!("the server refers to the servers of {cut}: the name lies in that zone");
        return Err(Flaw::new(ExtendedError::NotAuthoritative, reason));
    }
    speaks_for_the_zone(reply)?;
    if let Some((signed, at, target)) = link(reply, name, judge)? {
        return Ok(Answer::Alias(ServedAlias {
            behind: behind(reply, &target, judge),
            target: TlsaName::new(target.to_string()),
            ttl: signed.rrset.ttl,
            signature: window_of(&signed, reply, &at, judge)?,
        }));
    }
    match records(reply, name, judge)? {
        Some(rrset) => Ok(Answer::Rrset(rrset)),
        None => absent(reply, name, judge).map(Answer::Rrset),
    }
}

/// The signed TLSA RRset where the aliases from `name` on end, as far as the answer itself has them.
fn behind(reply: &Reply, name: &Name, judge: Judge<'_>) -> Option<ServedRrset> {
    const MOST_LINKS: usize = 8;
    let mut at = name.clone();
    for _ in 0..MOST_LINKS {
        let Some((_, _, target)) = link(reply, &at, judge).ok()? else {
            return records(reply, &at, judge).ok()?;
        };
        at = target;
    }
    None
}

/// The signed record that makes `name` an alias, where it stands, and the name that it leads to.
fn link(
    reply: &Reply,
    name: &Name,
    judge: Judge<'_>,
) -> Result<Option<(Signed, Name, Name)>, Flaw> {
    let found = alias(reply, name, Rtype::TLSA);
    let found = found.map_err(|(NoAnswer::Bogus(flaw) | NoAnswer::Failed(flaw))| flaw)?;
    let Some((AliasRecord { owner, rtype }, target)) = found else {
        return Ok(None);
    };
    let signed = judge.signed(&reply.answers, &owner, rtype)?;
    let signed = signed.ok_or_else(|| format!("the alias at {name} cannot be read"))?;
    let at = if rtype == Rtype::CNAME {
        name.clone()
    } else {
        owner
    };
    Ok(Some((signed, at, target)))
}

/// The signed TLSA RRset at `name` itself, if the answer has one.
fn records(reply: &Reply, name: &Name, judge: Judge<'_>) -> Result<Option<ServedRrset>, Flaw> {
    let Some(signed) = judge.signed(&reply.answers, name, Rtype::TLSA)? else {
        return Ok(None);
    };
    let read = |rdata: &Rdata| {
        let short = || format!("a TLSA record at {name} is too short");
        rdata.association().ok_or_else(short)
    };
    let signature = window_of(&signed, reply, name, judge)?;
    let rdatas = signed.rrset.rdatas.iter();
    Ok(Some(ServedRrset {
        associations: rdatas.map(read).collect::<Result<_, _>>()?,
        ttl: signed.rrset.ttl,
        signature,
        replayable_until: signed.last,
    }))
}

/// How long a signed answer holds: if it was made from a wildcard, with the proof that nothing closer exists.
pub(super) fn window_of(
    signed: &Signed,
    reply: &Reply,
    name: &Name,
    judge: Judge<'_>,
) -> Result<SignatureWindow, Flaw> {
    Ok(match &signed.wildcard {
        Some(wildcard) => {
            let closer = denial::of_closer_match(reply, name, wildcard, judge)?;
            signed.window.both(closer.window)
        }
        None => signed.window,
    })
}

/// A negative answer counts only with its SOA and a proof, all signed (RFC 2308 §5, RFC 4035 §5.4).
fn absent(reply: &Reply, name: &Name, judge: Judge<'_>) -> Result<ServedRrset, Flaw> {
    let soa = judge
        .signed(&reply.authorities, judge.apex, Rtype::SOA)?
        .ok_or_else(|| format!("neither TLSA records at {name} nor a negative answer with SOA"))?;
    let fields = soa.rrset.rdatas.first().and_then(Soa::from_rdata);
    let fields = fields.ok_or("the SOA record of the negative answer cannot be read")?;
    let proof = denial::of_type(reply, name, Rtype::TLSA, judge)?;
    if proof.opt_out {
        return Err(opt_out(name).into());
    }
    Ok(ServedRrset {
        associations: BTreeSet::new(),
        ttl: soa.rrset.ttl.min(fields.minimum),
        signature: soa.window.both(proof.window),
        // An absence replayed is no RRset.
        replayable_until: soa.last,
    })
}

/// Why an absence that a span with opt-out covers proves nothing (RFC 5155 §6).
pub(super) fn opt_out(name: &Name) -> String {
    format!("opt-out: the proof leaves open whether {name} exists unsigned")
}

fn extended_error(invalid: &Invalid) -> ExtendedError {
    match invalid {
        Invalid::Expired(_) => ExtendedError::SignatureExpired,
        Invalid::NotYet(_) => ExtendedError::SignatureNotYetValid,
        Invalid::Unsupported(_) => ExtendedError::UnsupportedDnskeyAlgorithm,
        Invalid::NoSuchKey(_) => ExtendedError::DnskeyMissing,
        Invalid::NotAZoneKey(_) => ExtendedError::NoZoneKeyBitSet,
        _ => ExtendedError::DnssecBogus,
    }
}

/// An RCODE that is neither "here it is" nor "there is none" is no answer.
pub(super) fn is_an_answer(reply: &Reply) -> Result<(), String> {
    if matches!(reply.rcode, 0 | 3) {
        return Ok(());
    }
    let name = rcode_name(reply.rcode);
    Err(match &reply.explanation {
        Some(explanation) => format!("the server answers {name} ({explanation})"),
        None => format!("the server answers {name}"),
    })
}

/// Whether the server serves the zone at all; who does not is lame.
pub(super) fn speaks_for_the_zone(reply: &Reply) -> Result<(), Flaw> {
    let lame = |reason: String| Flaw::new(ExtendedError::NoReachableAuthority, reason);
    is_an_answer(reply).map_err(lame)?;
    if reply.authoritative {
        return Ok(());
    }
    let reason =
        "the answer is not authoritative (AA is missing): the server does not serve the zone";
    Err(lame(reason.to_owned()))
}

/// The zone below `apex` whose servers a reply names instead of an answer (RFC 1034 §4.3.2).
fn referred_to<'r>(reply: &'r Reply, name: &Name, apex: &Name) -> Option<&'r Name> {
    let is_referral = reply.rcode == 0 && !reply.authoritative && reply.answers.is_empty();
    let mut cuts = reply.authorities.iter().filter(|record| {
        let (owner, is_ns) = (&record.owner, record.rtype == Rtype::NS);
        is_ns && owner != apex && owner.is_at_or_below(apex) && name.is_at_or_below(owner)
    });
    cuts.next()
        .filter(|_| is_referral)
        .map(|record| &record.owner)
}

impl Judge<'_> {
    /// The RRset at `owner` with a signature that holds; `None` if there is no such RRset.
    pub(super) fn signed(
        self,
        section: &[Record],
        owner: &Name,
        rtype: Rtype,
    ) -> Result<Option<Signed>, Flaw> {
        let Some(rrset) = rrset(section, owner, rtype) else {
            return Ok(None);
        };
        let signatures = signatures(section, owner, rtype);
        let mut refusals = BTreeSet::new();
        let mut error = None;
        let mut signed: Option<Signed> = None;
        for signature in signatures.iter().take(SIGNATURES) {
            match verify_rrset(
                owner,
                rtype,
                &rrset,
                signature,
                &self.keys.dnskeys,
                self.apex,
                self.at,
            ) {
                Ok(verified) => {
                    let end = verified.window.expiration;
                    let last = signed.as_ref().map_or(end, |s| s.last.max(end));
                    let so_far = signed.map_or(self.keys.window, |s| s.window);
                    let window = so_far.both(verified.window);
                    signed = Some(Signed {
                        rrset: rrset.clone(),
                        window,
                        last,
                        original_ttl: verified.original_ttl,
                        wildcard: verified.wildcard,
                    });
                }
                Err(invalid) => {
                    error = error.or(Some(extended_error(&invalid)));
                    refusals.insert(invalid.to_string());
                }
            }
        }
        if signed.is_some() {
            return Ok(signed);
        }
        let Some(error) = error else {
            let reason = format!("the {rtype} RRset at {owner} is not signed");
            return Err(Flaw::new(ExtendedError::RrsigsMissing, reason));
        };
        let refusals: Vec<String> = refusals.into_iter().collect();
        let reason = format!(
            "no valid signature over the {rtype} RRset at {owner}: {}",
            refusals.join("; ")
        );
        Err(Flaw::new(error, reason))
    }
}

/// The records of one owner and type in a section; the TTL is the largest that any of them carries.
pub(super) fn rrset(section: &[Record], owner: &Name, rtype: Rtype) -> Option<Rrset> {
    let mut rdatas = Vec::new();
    let mut ttl = Ttl(0);
    for record in section
        .iter()
        .filter(|r| r.rtype == rtype && r.owner == *owner)
    {
        ttl = ttl.max(record.ttl);
        if !rdatas.contains(&record.rdata) {
            rdatas.push(record.rdata.clone());
        }
    }
    (!rdatas.is_empty()).then_some(Rrset { ttl, rdatas })
}

fn signatures(section: &[Record], owner: &Name, covered: Rtype) -> Vec<Rdata> {
    let over = |r: &&Record| {
        r.rtype == Rtype::RRSIG
            && r.owner == *owner
            && r.rdata.0.starts_with(&covered.0.to_be_bytes())
    };
    section
        .iter()
        .filter(over)
        .map(|r| r.rdata.clone())
        .collect()
}

/// In whose names the RRset of `owner` and `covered` is signed, each once. Nothing of it is verified.
pub(super) fn signers(section: &[Record], owner: &Name, covered: Rtype) -> Vec<Name> {
    let mut signers = Vec::new();
    for rdata in signatures(section, owner, covered).iter().take(SIGNATURES) {
        if let Ok(rrsig) = Rrsig::parse(rdata)
            && !signers.contains(&rrsig.signer)
        {
            signers.push(rrsig.signer);
        }
    }
    signers
}
