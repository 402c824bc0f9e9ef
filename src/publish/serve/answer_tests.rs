//! Situations and the sections they lead to. The signatures are octets that say what they cover: nothing here verifies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::*;
use crate::zone::content::Zone;
use std::fmt::Write as _;

const TEXT: &str = "$ORIGIN e.\n$TTL 60\n\
    e. SOA n h 1 2 3 4 30\ne. NS n\ne. NSEC d NS SOA\ne. RRSIG SOA 13 1 60 20300101000000 20200101000000 1 e. AAAA\n\
    d CNAME a.w\nd NSEC n CNAME\n\
    n A 192.0.2.1\nn NSEC s A\nn RRSIG A 13 2 60 20300101000000 20200101000000 1 e. AAAA\n\
    s NS x.s\ns NS n\ns NSEC x.t NS\nx.s A 192.0.2.2\n\
    x.t A 192.0.2.3\nx.t NSEC *.w A\n\
    *.w A 192.0.2.4\n*.w NSEC z A\n\
    z DNAME t\nz NSEC e. DNAME\n";

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn served() -> ServedZone {
    ServedZone::unverified(Zone::parse(TEXT.as_bytes(), Some(&name("e."))).unwrap()).unwrap()
}

/// `NOERROR aa | owner TYPE, … | owner TYPE, … | …`
fn shape(answer: &Answer) -> String {
    let section = |records: &[Record]| {
        let shown = |r: &Record| {
            let owner = r.owner.to_string();
            format!("{owner} {}", r.rtype)
        };
        records.iter().map(shown).collect::<Vec<_>>().join(", ")
    };
    let mut shape = format!("{:?}", answer.rcode);
    if answer.authoritative {
        shape.push_str(" aa");
    }
    for records in [&answer.answers, &answer.authorities, &answer.additionals] {
        write!(shape, " | {}", section(records)).unwrap();
    }
    shape.trim_end_matches([' ', '|']).to_owned()
}

#[test]
fn each_situation_has_its_sections() {
    let zone = served();
    let soa = "e. SOA, e. RRSIG";
    let table = [
        (
            "n.e.",
            Rtype::A,
            "NoError aa | n.e. A, n.e. RRSIG".to_owned(),
            "there",
        ),
        (
            "n.e.",
            Rtype::TLSA,
            format!("NoError aa |  | {soa}, n.e. NSEC"),
            "no such type",
        ),
        (
            "t.e.",
            Rtype::A,
            format!("NoError aa |  | {soa}, s.e. NSEC"),
            "an empty non-terminal: RFC 4592 §2.2.2",
        ),
        (
            "f.e.",
            Rtype::A,
            format!("NxDomain aa |  | {soa}, d.e. NSEC, e. NSEC"),
            "the name and the wildcard *.e.",
        ),
        (
            "a.b.f.e.",
            Rtype::A,
            format!("NxDomain aa |  | {soa}, d.e. NSEC, e. NSEC"),
            "deeper: the same encloser",
        ),
        (
            "x.n.e.",
            Rtype::A,
            format!("NxDomain aa |  | {soa}, n.e. NSEC"),
            "one NSEC spans both: said once",
        ),
        (
            "a.b.w.e.",
            Rtype::A,
            "NoError aa | a.b.w.e. A | *.w.e. NSEC".to_owned(),
            "made from the wildcard",
        ),
        (
            "a.w.e.",
            Rtype::NS,
            format!("NoError aa |  | {soa}, *.w.e. NSEC"),
            "the wildcard lacks the type",
        ),
        (
            "d.e.",
            Rtype::A,
            "NoError aa | d.e. CNAME, a.w.e. A | *.w.e. NSEC".to_owned(),
            "an alias to a wildcard",
        ),
        (
            "d.e.",
            Rtype::CNAME,
            "NoError aa | d.e. CNAME".to_owned(),
            "the alias itself",
        ),
        (
            "q.s.e.",
            Rtype::A,
            "NoError |  | s.e. NS, s.e. NS, s.e. NSEC | n.e. A, x.s.e. A".to_owned(),
            "a referral",
        ),
        (
            "s.e.",
            Rtype::DS,
            format!("NoError aa |  | {soa}, s.e. NSEC"),
            "DS: the parent answers",
        ),
        (
            "x.z.e.",
            Rtype::A,
            "NoError aa | z.e. DNAME, x.z.e. CNAME, x.t.e. A".to_owned(),
            "RFC 6672",
        ),
        (
            "n.e.",
            Rtype::ANY,
            "NoError aa | n.e. A, n.e. RRSIG".to_owned(),
            "RFC 8482",
        ),
        ("x.", Rtype::A, "Refused".to_owned(), "not our zone"),
        (
            "xe.",
            Rtype::A,
            "Refused".to_owned(),
            "a name that only ends alike",
        ),
    ];
    for (qname, qtype, expected, why) in table {
        let answer = answer(&zone, &name(qname), qtype, true);
        assert_eq!(shape(&answer), expected, "{qname} {qtype}: {why}");
    }
}

#[test]
fn without_do_nothing_of_dnssec_is_said_unless_asked_for() {
    let zone = served();
    for qname in ["n.e.", "f.e.", "q.s.e.", "a.w.e.", "d.e.", "x.z.e."] {
        let shape = shape(&answer(&zone, &name(qname), Rtype::TLSA, false));
        assert!(
            !shape.contains("NSEC") && !shape.contains("RRSIG"),
            "{qname}: {shape}"
        );
    }
    let asked = answer(&zone, &name("n.e."), Rtype::NSEC, false);
    assert_eq!(shape(&asked), "NoError aa | n.e. NSEC");
}

#[test]
fn an_absence_is_remembered_for_the_shorter_of_soa_ttl_and_minimum() {
    let answer = answer(&served(), &name("f.e."), Rtype::A, true);
    let soa = answer
        .authorities
        .iter()
        .find(|r| r.rtype == Rtype::SOA)
        .unwrap();
    assert_eq!(soa.ttl, Ttl(30), "RFC 2308 §3");
}

#[test]
fn a_dname_that_makes_a_name_too_long_says_so() {
    let long = format!(
        "{}.z.e.",
        [
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(57)
        ]
        .join(".")
    );
    let text = TEXT.replace("z DNAME t", "z DNAME longer.t");
    let zone = Zone::parse(text.as_bytes(), Some(&name("e."))).unwrap();
    let zone = ServedZone::unverified(zone).unwrap();
    assert_eq!(
        answer(&zone, &name(&long), Rtype::A, true).rcode,
        Rcode::YxDomain
    );
}

#[test]
fn what_is_no_zone_is_refused() {
    use crate::publish::serve::served::Refused;
    let bare = |zone: Zone| ServedZone::unverified(zone).expect_err("refused");
    assert!(matches!(
        bare(Zone::empty(name("e."))),
        Refused::NoSoa { .. }
    ));
    let mut zone = Zone::parse(TEXT.as_bytes(), Some(&name("e."))).unwrap();
    zone.nodes.get_mut(&name("e.")).unwrap().remove(&Rtype::NS);
    assert!(matches!(bare(zone.clone()), Refused::NoNs { .. }));
    zone.apex = name("n.e.");
    assert!(matches!(bare(zone), Refused::NoSoa { .. }));
    let mut zone = Zone::parse(TEXT.as_bytes(), Some(&name("e."))).unwrap();
    let node = zone.nodes[&name("n.e.")].clone();
    zone.nodes.insert(name("n.f."), node);
    assert!(matches!(bare(zone), Refused::OutOfZone { .. }));
}
