//! Whether the NSEC or NSEC3 records of an answer prove an absence (RFC 4035 §5.4, RFC 5155 §8, RFC 6840 §4, RFC 9276 §3.2).

use super::dns::Reply;
use super::extended_error::{ExtendedError, Flaw};
use super::proof::{Judge, signers};
use crate::dnssec::nsec3::{self, Nsec3};
use crate::rotation::observation::SignatureWindow;
use crate::zone::name::Name;
use crate::zone::rdata::bitmap;
use crate::zone::record::{Record, Rtype};

/// Records of denial that are looked at; an answer needs at most four.
const RECORDS: usize = 8;
/// Hash iterations that validators still take for secure (RFC 9276 §3.2).
const ITERATIONS: u16 = 100;
const NXDOMAIN: u16 = 3;

/// A proven absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Denied {
    /// How long the signatures over the proof hold.
    pub(super) window: SignatureWindow,
    /// A span with opt-out was needed: an unsigned delegation may stand there all the same (RFC 5155 §6).
    pub(super) opt_out: bool,
}

/// What the parent's side says of a name that has no DS records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoDs {
    /// It is delegated without DS, or may be: what lies below is not signed as far as anyone can tell.
    Insecure,
    /// It is not delegated, or does not exist: the parent's zone goes on.
    NoCut,
}

/// Proves that `name` has no RRset of `rtype`: that it lacks the type, or does not exist at all.
pub(super) fn of_type(
    reply: &Reply,
    name: &Name,
    rtype: Rtype,
    judge: Judge<'_>,
) -> Result<Denied, Flaw> {
    let (chain, window) = Chain::of(reply, judge)?;
    let found = chain.at(name, judge.apex)?;
    if reply.rcode == NXDOMAIN
        && !matches!(
            found,
            Absence::NoName {
                wildcard_types: None
            } | Absence::Open
        )
    {
        let reason = format!(
            "the server answers NXDOMAIN and proves that {name}, or a wildcard for it, exists"
        );
        return Err(reason.into());
    }
    let opt_out = matches!(found, Absence::Open);
    match found {
        Absence::Open
        | Absence::NoName {
            wildcard_types: None,
        } => {}
        Absence::Types(types)
        | Absence::NoName {
            wildcard_types: Some(types),
        } => {
            lacks(&types, rtype, name)?;
        }
    }
    Ok(Denied { window, opt_out })
}

/// Proves that the parent's zone, which `judge` speaks of, has no DS RRset at `name` (RFC 4035 §5.2, RFC 6840 §4.4).
pub(super) fn of_ds(reply: &Reply, name: &Name, judge: Judge<'_>) -> Result<NoDs, Flaw> {
    let (chain, _) = Chain::of(reply, judge)?;
    let types = match chain.at(name, judge.apex)? {
        Absence::Open => return Ok(NoDs::Insecure),
        Absence::NoName { .. } => return Ok(NoDs::NoCut),
        Absence::Types(types) => types,
    };
    Ok(no_ds(&types, name)?)
}

/// What the types at a name say of a delegation there (RFC 4035 §5.2, RFC 6840 §4.4).
fn no_ds(types: &[Rtype], name: &Name) -> Result<NoDs, String> {
    let has = |t| types.contains(&t);
    if has(Rtype::DS) {
        return Err(format!(
            "the answer leaves out the DS records that its own proof of absence says are at {name}"
        ));
    }
    if has(Rtype::SOA) {
        return Err(format!(
            "the proof that {name} has no DS comes from {name} itself, not from its parent"
        ));
    }
    Ok(if has(Rtype::NS) {
        NoDs::Insecure
    } else {
        NoDs::NoCut
    })
}

/// Proves that nothing closer to `name` than the wildcard that stood for it exists (RFC 4035 §5.3.4, RFC 5155 §8.8).
pub(super) fn of_closer_match(
    reply: &Reply,
    name: &Name,
    wildcard: &Name,
    judge: Judge<'_>,
) -> Result<Denied, Flaw> {
    let (chain, window) = Chain::of(reply, judge)?;
    let mut closer = name.clone();
    while closer.label_count() > wildcard.label_count()
        && let Some(parent) = closer.parent()
    {
        closer = parent;
    }
    if let Some(opt_out) = chain.denies(&closer, judge.apex) {
        return Ok(Denied { window, opt_out });
    }
    let reason = format!(
        "the answer was made from the wildcard {wildcard}, and nothing proves that {closer} does not exist"
    );
    Err(Flaw::new(ExtendedError::NsecMissing, reason))
}

fn lacks(types: &[Rtype], rtype: Rtype, name: &Name) -> Result<(), String> {
    let has = |t| types.contains(&t);
    if has(rtype) || has(Rtype::CNAME) {
        return Err(format!(
            "the server leaves out records that its own proof of absence says are at {name}"
        ));
    }
    // The parent's side of a cut speaks for DS alone (RFC 6840 §4.1).
    if has(Rtype::NS) && !has(Rtype::SOA) {
        return Err(format!(
            "{name} is delegated away: the servers of the zone do not speak for it"
        ));
    }
    Ok(())
}

/// What is absent.
enum Absence {
    /// The name exists with these types; with none it is an empty non-terminal.
    Types(Vec<Rtype>),
    /// The name does not exist; a wildcard that stands for it has these types, if there is one.
    NoName { wildcard_types: Option<Vec<Rtype>> },
    /// A span with opt-out covers it: an unsigned delegation may stand there.
    Open,
}

/// The verified records of denial in an answer.
enum Chain {
    Nsec(Vec<Nsec>),
    Nsec3(Vec<Hashed>),
}

struct Nsec {
    owner: Name,
    next: Name,
    types: Vec<Rtype>,
}

struct Hashed {
    hash: Vec<u8>,
    record: Nsec3,
    types: Vec<Rtype>,
}

impl Chain {
    fn of(reply: &Reply, judge: Judge<'_>) -> Result<(Self, SignatureWindow), Flaw> {
        let section = &reply.authorities;
        let of = |rtype| -> Vec<&Record> {
            // An answer through an alias may carry the proofs of several zones: each judges its own.
            let ours = |r: &Record| {
                let signers = signers(section, &r.owner, rtype);
                signers.is_empty() || signers.contains(judge.apex)
            };
            section
                .iter()
                .filter(|r| r.rtype == rtype && ours(r))
                .take(RECORDS)
                .collect()
        };
        let (nsec, nsec3) = (of(Rtype::NSEC), of(Rtype::NSEC3));
        let mut window: Option<SignatureWindow> = None;
        for record in nsec.iter().chain(&nsec3) {
            let signed = judge.signed(section, &record.owner, record.rtype)?;
            // A record of denial made from a wildcard would speak for names that it was not signed for.
            let Some(signed) = signed.filter(|s| s.wildcard.is_none() && s.rrset.rdatas.len() == 1)
            else {
                let (rtype, owner) = (record.rtype, &record.owner);
                return Err(format!("the {rtype} record at {owner} proves nothing").into());
            };
            window = Some(window.map_or(signed.window, |w| w.both(signed.window)));
        }
        let window = window.ok_or_else(|| {
            let reason = "a negative answer without proof (no NSEC or NSEC3 records)";
            Flaw::new(ExtendedError::NsecMissing, reason)
        })?;
        let chain = if nsec.is_empty() {
            let read = |r: &&Record| Hashed::read(r);
            Self::Nsec3(nsec3.iter().map(read).collect::<Result<_, _>>()?)
        } else {
            let read = |r: &&Record| Nsec::read(r).ok_or_else(|| unreadable(r));
            Self::Nsec(nsec.iter().map(read).collect::<Result<_, _>>()?)
        };
        Ok((chain, window))
    }

    /// What the records prove about `name`.
    fn at(&self, name: &Name, apex: &Name) -> Result<Absence, String> {
        match self {
            Self::Nsec(records) => nsec_at(records, name, apex),
            Self::Nsec3(records) => nsec3_at(records, name, apex),
        }
    }

    /// Whether a record spans `name`, so that nothing stands at it or below it; if so, whether with opt-out.
    fn denies(&self, name: &Name, apex: &Name) -> Option<bool> {
        match self {
            Self::Nsec(records) => {
                let spans = |r: &Nsec| r.spans(name, apex) && !r.next.is_at_or_below(name);
                records.iter().any(spans).then_some(false)
            }
            Self::Nsec3(records) => {
                let spanning = records.iter().find(|r| r.spans(name))?;
                Some(spanning.record.opt_out)
            }
        }
    }
}

fn unreadable(record: &Record) -> String {
    format!(
        "the {} record at {} cannot be read",
        record.rtype, record.owner
    )
}

fn nsec_at(records: &[Nsec], name: &Name, apex: &Name) -> Result<Absence, String> {
    if let Some(record) = records.iter().find(|r| r.owner == *name) {
        return Ok(Absence::Types(record.types.clone()));
    }
    let unproven = || format!("no NSEC record of the answer spans {name}");
    let spanning = records
        .iter()
        .find(|r| r.spans(name, apex))
        .ok_or_else(unproven)?;
    if spanning.next.is_at_or_below(name) {
        return Ok(Absence::Types(Vec::new()));
    }
    // The names at both ends exist: the deepest name above this one that is above either of them exists too.
    let mut encloser = name.clone();
    while !(spanning.owner.is_at_or_below(&encloser) || spanning.next.is_at_or_below(&encloser)) {
        encloser = encloser.parent().ok_or_else(unproven)?;
    }
    let Ok(wildcard) = encloser.child(b"*") else {
        return Ok(Absence::NoName {
            wildcard_types: None,
        });
    };
    if let Some(record) = records.iter().find(|r| r.owner == wildcard) {
        let wildcard_types = Some(record.types.clone());
        return Ok(Absence::NoName { wildcard_types });
    }
    if records.iter().any(|r| r.spans(&wildcard, apex)) {
        return Ok(Absence::NoName {
            wildcard_types: None,
        });
    }
    Err(format!(
        "the answer does not prove that the wildcard {wildcard} does not exist"
    ))
}

impl Nsec {
    fn read(record: &Record) -> Option<Self> {
        let (next, types) = Name::split_wire(&record.rdata.0).ok()?;
        Some(Self {
            owner: record.owner.clone(),
            next,
            types: bitmap::types(types)?,
        })
    }

    /// Whether `name` lies between owner and next, and the owner may speak of what lies below it (RFC 6840 §4.1).
    fn spans(&self, name: &Name, apex: &Name) -> bool {
        let last = self.next == *apex;
        let between = self.owner < *name && (last || *name < self.next);
        between && !(name.is_at_or_below(&self.owner) && is_left(&self.types))
    }
}

/// Whether what lies below an owner with these types is somebody else's: a cut or a DNAME.
fn is_left(types: &[Rtype]) -> bool {
    let has = |t| types.contains(&t);
    (has(Rtype::NS) && !has(Rtype::SOA)) || has(Rtype::DNAME)
}

fn nsec3_at(records: &[Hashed], name: &Name, apex: &Name) -> Result<Absence, String> {
    if let Some(record) = matching(records, name) {
        return Ok(Absence::Types(record.types.clone()));
    }
    let (encloser, spanning) = closest_encloser(records, name, apex)?;
    if spanning.record.opt_out {
        return Ok(Absence::Open);
    }
    let Ok(wildcard) = encloser.child(b"*") else {
        return Ok(Absence::NoName {
            wildcard_types: None,
        });
    };
    if let Some(record) = matching(records, &wildcard) {
        let wildcard_types = Some(record.types.clone());
        return Ok(Absence::NoName { wildcard_types });
    }
    if records.iter().any(|r| r.spans(&wildcard)) {
        return Ok(Absence::NoName {
            wildcard_types: None,
        });
    }
    Err(format!(
        "the answer does not prove that the wildcard {wildcard} does not exist"
    ))
}

fn matching<'r>(records: &'r [Hashed], name: &Name) -> Option<&'r Hashed> {
    records
        .iter()
        .find(|r| r.hash == r.record.hashing.hash(name))
}

/// The deepest existing name above `name`, and the record that spans the next closer one (RFC 5155 §8.3).
fn closest_encloser<'r>(
    records: &'r [Hashed],
    name: &Name,
    apex: &Name,
) -> Result<(Name, &'r Hashed), String> {
    let mut closer = name.clone();
    while closer != *apex
        && let Some(encloser) = closer.parent()
    {
        if let Some(record) = matching(records, &encloser) {
            let spanning = records.iter().find(|r| r.spans(&closer));
            return match spanning {
                Some(spanning) if !is_left(&record.types) => Ok((encloser, spanning)),
                _ => break,
            };
        }
        closer = encloser;
    }
    Err(format!(
        "the NSEC3 records of the answer do not prove that {name} does not exist"
    ))
}

impl Hashed {
    fn read(record: &Record) -> Result<Self, Flaw> {
        let (fields, types) = Nsec3::parse(&record.rdata).ok_or_else(|| unreadable(record))?;
        if fields.hashing.iterations > ITERATIONS {
            let reason = format!(
                "the NSEC3 record at {} has {} hash iterations; more than {ITERATIONS} are not taken for secure",
                record.owner, fields.hashing.iterations
            );
            return Err(Flaw::new(ExtendedError::UnsupportedNsec3Iterations, reason));
        }
        Ok(Self {
            hash: nsec3::hash_of_owner(&record.owner).ok_or_else(|| unreadable(record))?,
            record: fields,
            types: bitmap::types(types).ok_or_else(|| unreadable(record))?,
        })
    }

    fn spans(&self, name: &Name) -> bool {
        let hash = self.record.hashing.hash(name);
        let (owner, next) = (self.hash.as_slice(), self.record.next.as_slice());
        if owner < next {
            owner < hash.as_slice() && hash.as_slice() < next
        } else {
            // The last one spans the end and the beginning.
            owner < hash.as_slice() || hash.as_slice() < next
        }
    }
}

#[cfg(test)]
#[path = "denial_tests.rs"]
mod tests;
