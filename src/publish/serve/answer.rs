//! What an authoritative server answers, without a socket (RFC 1034 §4.3.2, RFC 4035 §3.1, RFC 4592, RFC 6672, RFC 8482).
//!
//! The work depends on the labels of the name asked for, not on the size of the zone.

use super::denial::Proof;
use super::served::ServedZone;
use crate::rotation::timing::Ttl;
use crate::zone::content::{Node, Rrset};
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};

/// How many aliases are followed within one answer; the resolver follows the rest.
const ALIASES: usize = 8;

/// The RCODEs an answer from a zone can carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rcode {
    /// There is such a name.
    #[default]
    NoError,
    /// There is none.
    NxDomain,
    /// The zone is not ours.
    Refused,
    /// A DNAME led to a name that is too long (RFC 6672 §2.2).
    YxDomain,
}

/// An answer: what goes into which section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The RCODE.
    pub rcode: Rcode,
    /// Whether the zone speaks for the name (AA).
    pub authoritative: bool,
    /// Answer section.
    pub answers: Vec<Record>,
    /// Authority section.
    pub authorities: Vec<Record>,
    /// Additional section, without OPT.
    pub additionals: Vec<Record>,
}

/// Answers `qname` and `qtype` from `zone`; `dnssec_ok` adds signatures and proofs of absence (RFC 4035 §3.1).
pub fn answer(zone: &ServedZone, qname: &Name, qtype: Rtype, dnssec_ok: bool) -> Answer {
    if !qname.is_at_or_below(zone.apex()) {
        return Answer {
            rcode: Rcode::Refused,
            ..Answer::default()
        };
    }
    let mut writer = Writer {
        zone,
        dnssec_ok,
        answer: Answer::default(),
    };
    let mut name = qname.clone();
    let mut seen = Vec::new();
    while let Some(target) = writer.answer_one(&name, qtype) {
        seen.push(name);
        let here = target.is_at_or_below(zone.apex()) && !seen.contains(&target);
        if !here || seen.len() > ALIASES {
            break;
        }
        name = target;
    }
    writer.answer
}

/// Where the walk from the apex down to a name ends.
enum Place<'z> {
    /// A cut at or above the name: somebody else's.
    Cut(Name, &'z Node),
    /// A DNAME above the name.
    Redirected(Name, &'z Node),
    /// The name, and what stands there: nothing at an empty non-terminal.
    Here(Option<&'z Node>),
    /// No such name; the closest encloser (RFC 4592 §3.3.1).
    Nowhere(Name),
}

fn find<'z>(zone: &'z ServedZone, name: &Name, qtype: Rtype) -> Place<'z> {
    let mut path = vec![name.clone()];
    while let Some(parent) = path
        .last()
        .filter(|n| *n != zone.apex())
        .and_then(Name::parent)
    {
        path.push(parent);
    }
    let mut encloser = zone.apex().clone();
    let mut found = None;
    for step in path.into_iter().rev() {
        found = zone.node(&step);
        if let Some(node) = found {
            // The parent side of a cut answers for DS, and only for DS (RFC 4035 §3.1.4.1).
            let ours = step == *zone.apex() || (step == *name && qtype == Rtype::DS);
            if node.contains_key(&Rtype::NS) && !ours {
                return Place::Cut(step, node);
            }
            if node.contains_key(&Rtype::DNAME) && step != *name {
                return Place::Redirected(step, node);
            }
        } else if !zone.is_empty_non_terminal(&step) {
            return Place::Nowhere(encloser);
        }
        encloser = step;
    }
    Place::Here(found)
}

struct Writer<'z> {
    zone: &'z ServedZone,
    dnssec_ok: bool,
    answer: Answer,
}

impl Writer<'_> {
    /// Answers one name; the target of an alias, if that is what stands there.
    fn answer_one(&mut self, name: &Name, qtype: Rtype) -> Option<Name> {
        match find(self.zone, name, qtype) {
            Place::Cut(cut, node) => {
                self.refer(&cut, node);
                None
            }
            Place::Redirected(owner, node) => self.redirect(name, &owner, node),
            Place::Here(node) => {
                self.answer.authoritative = true;
                let alias = node.and_then(|node| self.data(name, node, qtype));
                match alias {
                    Some(Found::Alias(target)) => return Some(target),
                    Some(Found::Data) => {}
                    None => self.deny(Rcode::NoError, self.zone.denial().of_type(name)),
                }
                None
            }
            Place::Nowhere(encloser) => {
                self.answer.authoritative = true;
                self.synthesise(name, &encloser, qtype)
            }
        }
    }

    /// RFC 4592 §3.3: the wildcard at the closest encloser, and no other, stands for the name.
    fn synthesise(&mut self, name: &Name, encloser: &Name, qtype: Rtype) -> Option<Name> {
        let denial = self.zone.denial();
        let wildcard = encloser.child(b"*").ok();
        let Some((wildcard, node)) = wildcard.and_then(|w| Some((w.clone(), self.zone.node(&w)?)))
        else {
            self.deny(Rcode::NxDomain, denial.of_name(name, encloser));
            return None;
        };
        let Some(found) = self.data(name, node, qtype) else {
            let proof = denial.of_type_at_wildcard(name, &wildcard);
            self.deny(Rcode::NoError, proof);
            return None;
        };
        self.prove(denial.of_closer_match(name, encloser));
        match found {
            Found::Alias(target) => Some(target),
            Found::Data => None,
        }
    }

    /// Adds what `node` holds of `qtype` under the name `owner`; nothing if it holds nothing.
    fn data(&mut self, owner: &Name, node: &Node, qtype: Rtype) -> Option<Found> {
        let of_its_own = matches!(qtype, Rtype::CNAME | Rtype::RRSIG | Rtype::NSEC);
        if let Some(alias) = node.get(&Rtype::CNAME).filter(|_| !of_its_own) {
            self.put(Section::Answer, owner, Rtype::CNAME, node);
            let target = alias
                .rdatas
                .first()
                .and_then(|rdata| Name::split_wire(&rdata.0).ok());
            return match target {
                Some((target, _)) if qtype != Rtype::ANY => Some(Found::Alias(target)),
                _ => Some(Found::Data),
            };
        }
        let rtype = if qtype == Rtype::ANY {
            // RFC 8482 §4.1: one RRset of those there are is enough.
            let plain = |t: &&Rtype| !matches!(**t, Rtype::RRSIG | Rtype::NSEC);
            *node.keys().find(plain).or_else(|| node.keys().next())?
        } else {
            qtype
        };
        node.contains_key(&rtype).then(|| {
            self.put(Section::Answer, owner, rtype, node);
            Found::Data
        })
    }

    /// RFC 6672 §3.2: the DNAME, and the CNAME it makes for this name.
    fn redirect(&mut self, name: &Name, owner: &Name, node: &Node) -> Option<Name> {
        self.answer.authoritative = true;
        self.put(Section::Answer, owner, Rtype::DNAME, node);
        let dname = node.get(&Rtype::DNAME)?;
        let (to, _) = Name::split_wire(&dname.rdatas.first()?.0).ok()?;
        let kept = name.label_count().saturating_sub(owner.label_count());
        let labels: Vec<&[u8]> = name.labels().take(kept).collect();
        let target = labels
            .iter()
            .rev()
            .try_fold(to, |below, label| below.child(label));
        let Ok(target) = target else {
            self.answer.rcode = Rcode::YxDomain;
            return None;
        };
        self.answer.answers.push(Record {
            owner: name.clone(),
            ttl: dname.ttl,
            rtype: Rtype::CNAME,
            rdata: Rdata(target.wire().into()),
        });
        Some(target)
    }

    /// A referral: the child's NS, the DS or the proof that there is none, and glue (RFC 4035 §3.1.4, RFC 9471).
    fn refer(&mut self, cut: &Name, node: &Node) {
        // Behind an alias the first owner is still ours: AA speaks of that one (RFC 1035 §4.1.1).
        self.answer.authoritative = !self.answer.answers.is_empty();
        self.put_unsigned(cut, Rtype::NS, node);
        if self.dnssec_ok {
            if node.contains_key(&Rtype::DS) {
                self.put(Section::Authority, cut, Rtype::DS, node);
            } else {
                self.prove(self.zone.denial().of_type(cut));
            }
        }
        let servers = node
            .get(&Rtype::NS)
            .map(|ns| ns.rdatas.as_slice())
            .unwrap_or_default();
        for rdata in servers {
            let Ok((server, _)) = Name::split_wire(&rdata.0) else {
                continue;
            };
            if let Some(glue) = self.zone.node(&server) {
                for rtype in [Rtype::A, Rtype::AAAA] {
                    if let Some(rrset) = glue.get(&rtype) {
                        push(
                            &mut self.answer.additionals,
                            &server,
                            rtype,
                            rrset,
                            rrset.ttl,
                        );
                    }
                }
            }
        }
    }

    /// No such name, or no such type: the SOA and the proof (RFC 2308 §3).
    fn deny(&mut self, rcode: Rcode, proof: Proof) {
        self.answer.rcode = rcode;
        let soa_ttl = self.zone.negative_ttl();
        let apex = self.zone.apex();
        if let Some(node) = self.zone.node(apex) {
            push(
                &mut self.answer.authorities,
                apex,
                Rtype::SOA,
                self.zone.soa(),
                soa_ttl,
            );
            if self.dnssec_ok {
                signatures(
                    &mut self.answer.authorities,
                    apex,
                    Rtype::SOA,
                    node,
                    soa_ttl,
                );
            }
        }
        self.prove(proof);
    }

    fn prove(&mut self, proof: Proof) {
        if !self.dnssec_ok {
            return;
        }
        let rtype = self.zone.denial().rtype();
        for owner in proof {
            // Along a chain of aliases two proofs may need the same record.
            let there = |r: &Record| r.rtype == rtype && r.owner == owner;
            if let Some(node) = self.zone.zone().nodes.get(&owner)
                && !self.answer.authorities.iter().any(there)
            {
                self.put(Section::Authority, &owner, rtype, node);
            }
        }
    }

    fn put(&mut self, section: Section, owner: &Name, rtype: Rtype, node: &Node) {
        let dnssec_ok = self.dnssec_ok;
        let records = match section {
            Section::Answer => &mut self.answer.answers,
            Section::Authority => &mut self.answer.authorities,
        };
        if let Some(rrset) = node.get(&rtype) {
            push(records, owner, rtype, rrset, rrset.ttl);
            if dnssec_ok {
                signatures(records, owner, rtype, node, rrset.ttl);
            }
        }
    }

    fn put_unsigned(&mut self, owner: &Name, rtype: Rtype, node: &Node) {
        if let Some(rrset) = node.get(&rtype) {
            push(&mut self.answer.authorities, owner, rtype, rrset, rrset.ttl);
        }
    }
}

enum Found {
    Data,
    Alias(Name),
}

#[derive(Clone, Copy)]
enum Section {
    Answer,
    Authority,
}

fn push(records: &mut Vec<Record>, owner: &Name, rtype: Rtype, rrset: &Rrset, ttl: Ttl) {
    records.extend(rrset.rdatas.iter().map(|rdata| Record {
        owner: owner.clone(),
        ttl,
        rtype,
        rdata: rdata.clone(),
    }));
}

/// The signatures over `rtype`, under the TTL of what they cover (RFC 4034 §3).
fn signatures(records: &mut Vec<Record>, owner: &Name, rtype: Rtype, node: &Node, ttl: Ttl) {
    let all = node.get(&Rtype::RRSIG).map(|rrset| rrset.rdatas.as_slice());
    let over = |rdata: &&Rdata| rdata.0.starts_with(&rtype.0.to_be_bytes());
    records.extend(
        all.unwrap_or_default()
            .iter()
            .filter(over)
            .map(|rdata| Record {
                owner: owner.clone(),
                ttl,
                rtype: Rtype::RRSIG,
                rdata: rdata.clone(),
            }),
    );
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
