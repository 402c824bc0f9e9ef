//! What a name server answers from a zone, without signatures, and for which names two versions of a zone differ in it
//! (RFC 1034 §4.3.2, RFC 4592 §3.3, RFC 6672 §3.2).
//!
//! A record changes more than its own name: a name that comes to exist is no longer answered for by a wildcard, and one that
//! exists no more is answered for by it again (RFC 4592 §2.2.2).

use crate::zone::content::{Node, Rrset, Zone};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use crate::zone::targets;
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::ops::Bound;

/// What is answered for a name and a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'z> {
    /// The records of that type, of the name or of the wildcard that stands for it.
    Records(&'z Rrset),
    /// The CNAME record of the name, or of the wildcard that stands for it.
    Alias(&'z Rrset),
    /// The DNAME record of a name above it.
    Redirection(Name, &'z Rrset),
    /// The NS records of a delegation at the name or above it.
    Referral(Name, &'z Rrset),
    /// There is the name, or a wildcard that stands for it, and nothing of that type.
    NoData,
    /// There is no such name.
    NoName,
}

/// A name and type for which two versions of a zone differ in what they answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The name.
    pub name: Name,
    /// The type.
    pub rtype: Rtype,
    /// What the earlier version answers, for people.
    pub before: String,
    /// What the later one answers.
    pub after: String,
}

/// Where a name leads to in a zone.
enum Place<'z> {
    /// A delegation at the name or above it.
    Cut(Name, &'z Node),
    /// A DNAME record above the name.
    Redirected(Name, &'z Node),
    /// The name itself; without records where only names below it have some (RFC 4592 §2.2.2).
    Here(Option<&'z Node>),
    /// The wildcard at the closest encloser (RFC 4592 §3.3.1).
    Wildcard(&'z Node),
    /// No such name, or one outside of the zone.
    Nowhere,
}

/// What a name server answers from `zone` for a name and a type.
pub fn answer<'z>(zone: &'z Zone, name: &Name, rtype: Rtype) -> Answer<'z> {
    let node = match place(zone, name) {
        // The zone above a cut answers for its DS records, and for nothing else there (RFC 4035 §3.1.4.1).
        Place::Cut(cut, node) if cut == *name && rtype == Rtype::DS => Some(node),
        Place::Cut(cut, node) => {
            return match node.get(&Rtype::NS) {
                Some(ns) => Answer::Referral(cut, ns),
                None => Answer::NoData,
            };
        }
        Place::Redirected(owner, node) => {
            return match node.get(&Rtype::DNAME) {
                Some(dname) => Answer::Redirection(owner, dname),
                None => Answer::NoData,
            };
        }
        Place::Here(node) => node,
        Place::Wildcard(node) => Some(node),
        Place::Nowhere => return Answer::NoName,
    };
    let of = |rtype| node.and_then(|node| node.get(&rtype));
    match (of(rtype), of(Rtype::CNAME)) {
        (Some(rrset), _) => Answer::Records(rrset),
        (None, Some(alias)) => Answer::Alias(alias),
        (None, None) => Answer::NoData,
    }
}

fn place<'z>(zone: &'z Zone, name: &Name) -> Place<'z> {
    if !name.is_at_or_below(&zone.apex) {
        return Place::Nowhere;
    }
    let mut path = vec![name.clone()];
    while let Some(above) = path.last().filter(|n| **n != zone.apex)
        && let Some(parent) = above.parent()
    {
        path.push(parent);
    }
    let mut encloser = zone.apex.clone();
    let mut found = None;
    for step in path.into_iter().rev() {
        found = zone.nodes.get(&step);
        match found {
            Some(node) if step != zone.apex && node.contains_key(&Rtype::NS) => {
                return Place::Cut(step, node);
            }
            Some(node) if step != *name && node.contains_key(&Rtype::DNAME) => {
                return Place::Redirected(step, node);
            }
            None if !has_below(zone, &step) => {
                let wildcard = encloser.child(b"*").ok();
                let node = wildcard.and_then(|wildcard| zone.nodes.get(&wildcard));
                return node.map_or(Place::Nowhere, Place::Wildcard);
            }
            _ => encloser = step,
        }
    }
    Place::Here(found)
}

/// Whether a name below this one has records. In canonical order they follow it at once.
fn has_below(zone: &Zone, name: &Name) -> bool {
    let after = (Bound::Excluded(name), Bound::Unbounded);
    let mut following = zone.nodes.range::<Name, _>(after);
    following
        .next()
        .is_some_and(|(owner, _)| owner.is_at_or_below(name))
}

/// The types of which an answer for a name tells something.
fn types(zone: &Zone, name: &Name) -> Vec<Rtype> {
    let of = |node: &Node| node.keys().copied().collect();
    match place(zone, name) {
        Place::Cut(cut, _) if cut == *name => vec![Rtype::NS, Rtype::DS],
        Place::Cut(..) => vec![Rtype::NS],
        Place::Redirected(..) => vec![Rtype::DNAME],
        Place::Here(Some(node)) | Place::Wildcard(node) => of(node),
        Place::Here(None) | Place::Nowhere => Vec::new(),
    }
}

/// The names for which two versions of one zone differ in what they answer: among those that have records in either, the
/// names above them, those that MX, NS and SRV records point at, and the names in `also`. That a name without records comes
/// to exist or not is no difference, nor is the SOA record.
pub fn differences(before: &Zone, after: &Zone, also: &BTreeSet<Name>) -> Vec<Difference> {
    let mut names = concerned(before, after);
    names.extend(pointed_at(before));
    names.extend(also.iter().cloned());
    let mut differences = Vec::new();
    for name in names {
        let mut asked: BTreeSet<Rtype> = types(before, &name).into_iter().collect();
        asked.extend(types(after, &name));
        for rtype in asked.into_iter().filter(|rtype| is_content(*rtype)) {
            let (was, becomes) = (answer(before, &name, rtype), answer(after, &name, rtype));
            if was != becomes && !(was.is_nothing() && becomes.is_nothing()) {
                differences.push(Difference {
                    name: name.clone(),
                    rtype,
                    before: was.told(rtype),
                    after: becomes.told(rtype),
                });
            }
        }
    }
    differences
}

/// Not what signing and each new version bring.
fn is_content(rtype: Rtype) -> bool {
    !matches!(
        rtype,
        Rtype::SOA | Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3
    )
}

/// The names whose answers may differ because of what owners hold: each owner that differs, what lies below it, and the
/// names above it.
fn concerned(before: &Zone, after: &Zone) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    let apex = &before.apex;
    let content = |node: &Node| -> Vec<(Rtype, Rrset)> {
        let told = node.iter().filter(|(rtype, _)| is_content(**rtype));
        told.map(|(rtype, rrset)| (*rtype, rrset.clone())).collect()
    };
    let changed = before.nodes.iter().filter(|(owner, node)| {
        let becomes = after.nodes.get(*owner);
        becomes.is_none_or(|becomes| becomes != *node && content(becomes) != content(node))
    });
    let new = after.nodes.iter();
    let new = new.filter(|(owner, _)| !before.nodes.contains_key(*owner));
    for (owner, _) in changed.chain(new) {
        for zone in [before, after] {
            let from = (Bound::Included(owner), Bound::Unbounded);
            let below = zone.nodes.range::<Name, _>(from);
            let below = below.take_while(|(one, _)| one.is_at_or_below(owner));
            names.extend(below.map(|(one, _)| one.clone()));
        }
        let mut at = Some(owner.clone());
        while let Some(name) = at.filter(|name| name.is_at_or_below(apex)) {
            at = name.parent();
            names.insert(name);
        }
    }
    names
}

/// The names in the zone that its MX, NS and SRV records point at.
fn pointed_at(zone: &Zone) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for (rtype, rrset) in zone.nodes.values().flat_map(Node::iter) {
        let targets = rrset
            .rdatas
            .iter()
            .filter_map(|rdata| targets::target_of(*rtype, &rdata.0));
        let targets = targets.filter_map(|wire| Name::split_wire(wire).ok());
        names.extend(
            targets
                .map(|(name, _)| name)
                .filter(|name| name.is_at_or_below(&zone.apex)),
        );
    }
    names
}

impl Answer<'_> {
    /// Whether there is nothing in it.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::NoData | Self::NoName)
    }

    fn told(&self, rtype: Rtype) -> String {
        let data = |rrset: &Rrset, rtype| {
            let texts = rrset.rdatas.iter().map(|rdata| rdata.to_text(rtype));
            texts.collect::<Vec<_>>().join(", ")
        };
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Records(rrset) => write!(text, "{}", data(rrset, rtype)),
            Self::Alias(rrset) => write!(text, "an alias of {}", data(rrset, Rtype::CNAME)),
            Self::Redirection(owner, rrset) => {
                write!(
                    text,
                    "sent on by {owner} DNAME {}",
                    data(rrset, Rtype::DNAME)
                )
            }
            Self::Referral(owner, rrset) => {
                write!(
                    text,
                    "referred to the servers of {owner}, {}",
                    data(rrset, Rtype::NS)
                )
            }
            Self::NoData | Self::NoName => write!(text, "nothing"),
        };
        text
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            rtype,
            before,
            after,
        } = self;
        write!(f, "{name} {rtype} is {before} now, and {after} afterwards")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), Some(&Name::parse(b"e.", None).unwrap())).unwrap()
    }

    fn zone(records: &str) -> Zone {
        let text =
            format!("$ORIGIN e.\n$TTL 60\n@ SOA n h 1 2 3 4 5\n@ NS n\nn A 192.0.2.1\n{records}");
        Zone::parse(text.as_bytes(), Some(&name("e."))).unwrap()
    }

    #[test]
    fn answers_are_those_of_a_name_server() {
        let zone = zone(
            "* A 192.0.2.9\n* MX 10 x\na A 192.0.2.2\nb CNAME a\nx.y TXT t\nsub NS n.sub\nn.sub A 192.0.2.3\nsub DS 1 13 2 \
             0000000000000000000000000000000000000000000000000000000000000000\nd DNAME a\nd TXT d\nunder.d A 192.0.2.4\n\
             *.w CNAME a\n",
        );
        let table = [
            ("a", Rtype::A, "192.0.2.2"),
            ("A", Rtype::MX, "nothing"),
            ("nobody", Rtype::A, "192.0.2.9"),
            ("deep.nobody", Rtype::A, "192.0.2.9"),
            ("nobody", Rtype::TLSA, "nothing"),
            ("*", Rtype::A, "192.0.2.9"),
            // The closest encloser exists, so the wildcard above it does not stand for what lies below.
            ("below.a", Rtype::A, "nothing"),
            ("y", Rtype::A, "nothing"),
            ("z.y", Rtype::A, "nothing"),
            ("b", Rtype::A, "an alias of a.e."),
            ("b", Rtype::CNAME, "a.e."),
            ("any.w", Rtype::TLSA, "an alias of a.e."),
            ("w", Rtype::A, "nothing"),
            (
                "sub",
                Rtype::A,
                "referred to the servers of sub.e., n.sub.e.",
            ),
            (
                "x.sub",
                Rtype::TLSA,
                "referred to the servers of sub.e., n.sub.e.",
            ),
            ("d", Rtype::TXT, "\"d\""),
            ("under.d", Rtype::A, "sent on by d.e. DNAME a.e."),
            ("other.d", Rtype::A, "sent on by d.e. DNAME a.e."),
            ("other.net.", Rtype::A, "nothing"),
        ];
        for (owner, rtype, expected) in table {
            let told = answer(&zone, &name(owner), rtype).told(rtype);
            assert_eq!(told, expected, "{owner} {rtype}");
        }
        let ds = answer(&zone, &name("sub"), Rtype::DS);
        assert!(matches!(ds, Answer::Records(_)), "{ds:?}");
        assert_eq!(answer(&zone, &name("y"), Rtype::A), Answer::NoData);
        assert_eq!(answer(&zone, &name("below.a"), Rtype::A), Answer::NoName);
    }

    #[test]
    fn two_versions_differ_where_a_resolver_would_notice() {
        let record = "_25._tcp.m TLSA 3 1 1 \
                      0000000000000000000000000000000000000000000000000000000000000000\n";
        let table: [(&str, &str, &str, &[&str], &str); 9] = [
            ("an own address", "m A 192.0.2.2\n", "", &[], ""),
            ("a name that nobody has", "", "", &[], ""),
            (
                "an address from a wildcard",
                "@ MX 10 m\n* A 192.0.2.9\n",
                "",
                &[],
                "m.e. A is 192.0.2.9 now, and nothing afterwards",
            ),
            (
                "another type of the wildcard",
                "m A 192.0.2.2\n*.m TXT t\n",
                "",
                &[],
                "_tcp.m.e. TXT is \"t\" now, and nothing afterwards",
            ),
            (
                "another port that lived from the wildcard",
                "m A 192.0.2.2\n*._tcp.m CNAME x\n",
                "",
                &["_465._tcp.m"],
                "",
            ),
            (
                "a name that is asked for only",
                "*.o A 192.0.2.9\nx.m.o A 192.0.2.2\n",
                "y.m.o A 192.0.2.3\n",
                &["z.m.o", "n.o"],
                "",
            ),
            (
                "a wildcard that comes",
                "m A 192.0.2.2\n",
                "* A 192.0.2.9\n",
                &["n2"],
                "n2.e. A is nothing now, and 192.0.2.9 afterwards",
            ),
            (
                "a delegation that comes",
                "m A 192.0.2.2\n",
                "m NS n\n",
                &[],
                "m.e. A is 192.0.2.2 now, and referred to the servers of m.e., n.e. afterwards",
            ),
            ("below a redirection", "m DNAME n\n", "", &[], ""),
        ];
        let meant = name("_25._tcp.m");
        for (what, before, more, also, expected) in table {
            let also = also.iter().map(|one| name(one)).collect();
            let after = zone(&format!("{before}{more}{record}"));
            let found = differences(&zone(before), &after, &also);
            let others = found.iter().filter(|one| one.name != meant);
            let told: Vec<String> = others.map(ToString::to_string).collect();
            assert!(
                told.len() >= usize::from(!expected.is_empty()),
                "{what}: {told:?}"
            );
            if expected.is_empty() {
                let come: Vec<&String> = told
                    .iter()
                    .filter(|one| !one.starts_with("y.m.o."))
                    .collect();
                assert!(come.is_empty(), "{what}: {told:?}");
            } else {
                assert!(told.iter().any(|one| one == expected), "{what}: {told:?}");
            }
            // What comes back when the record goes: the same, the other way round.
            let back = differences(&after, &zone(before), &also);
            assert_eq!(back.len(), found.len(), "{what}: {back:?}");
        }
    }
}
