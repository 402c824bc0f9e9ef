//! Proofs that hold, and records that look like proofs.
#![allow(clippy::unwrap_used)]
use super::*;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

/// `owner next TYPE…`
fn record(text: &str) -> Nsec {
    let words: Vec<&str> = text.split(' ').collect();
    let (owner, rest) = words.split_first().unwrap();
    let (next, types) = rest.split_first().unwrap();
    Nsec {
        owner: name(owner),
        next: name(next),
        types: types.iter().map(|t| t.parse().unwrap()).collect(),
    }
}

#[test]
fn nsec_records_prove_what_they_prove_and_no_more() {
    let table: [(&[&str], &str, &str, &str); 10] = [
        (&["b.e. d.e. A"], "b.e.", "types", "the name itself"),
        (
            &["b.e. d.e. A", "e. b.e. SOA NS"],
            "c.e.",
            "none",
            "neither it nor *.e.",
        ),
        (&["b.e. d.e. A"], "c.e.", "error", "*.e. may exist"),
        (
            &["b.e. d.e. A"],
            "x.b.e.",
            "none",
            "one record spans x.b.e. and *.b.e.",
        ),
        (
            &["b.e. x.c.e. A"],
            "c.e.",
            "empty",
            "x.c.e. shows that c.e. exists",
        ),
        (
            &["b.e. d.e. A", "*.e. b.e. TXT"],
            "c.e.",
            "wildcard",
            "*.e. stands for it",
        ),
        (
            &["z.e. e. A", "e. b.e. SOA NS"],
            "zz.e.",
            "none",
            "the last record spans the end",
        ),
        (
            &["b.e. d.e. A", "e. b.e. SOA NS"],
            "e.e.",
            "error",
            "beyond the span",
        ),
        (
            &["b.e. d.e. NS", "e. b.e. SOA NS"],
            "x.b.e.",
            "error",
            "b.e. is delegated: RFC 6840 §4.1",
        ),
        (
            &["b.e. d.e. DNAME", "e. b.e. SOA NS"],
            "x.b.e.",
            "error",
            "b.e. is a DNAME: RFC 6840 §4.1",
        ),
    ];
    for (records, asked, expected, why) in table {
        let records: Vec<Nsec> = records.iter().map(|r| record(r)).collect();
        let found = match nsec_at(&records, &name(asked), &name("e.")) {
            Ok(Absence::Types(types)) if types.is_empty() => "empty",
            Ok(Absence::Types(_)) => "types",
            Ok(Absence::NoName {
                wildcard_types: None,
            }) => "none",
            Ok(Absence::NoName {
                wildcard_types: Some(_),
            }) => "wildcard",
            Ok(Absence::Open) => "open",
            Err(_) => "error",
        };
        assert_eq!(found, expected, "{asked}: {why}");
    }
}

#[test]
fn a_bitmap_that_holds_the_type_or_an_alias_or_a_cut_proves_no_absence() {
    let lacks = |types: &[Rtype]| lacks(types, Rtype::TLSA, &name("a.e."));
    assert_eq!(lacks(&[Rtype::A, Rtype::RRSIG]), Ok(()));
    assert_eq!(lacks(&[Rtype::NS, Rtype::SOA]), Ok(()), "the apex");
    for types in [[Rtype::TLSA], [Rtype::CNAME], [Rtype::NS]] {
        assert!(lacks(&types).is_err(), "{types:?}");
    }
}

#[test]
fn only_the_parent_proves_that_a_zone_has_no_ds() {
    let no_ds = |types: &[Rtype]| no_ds(types, &name("a.e."));
    assert_eq!(no_ds(&[Rtype::A, Rtype::RRSIG]), Ok(NoDs::NoCut));
    assert_eq!(no_ds(&[]), Ok(NoDs::NoCut), "an empty non-terminal");
    assert_eq!(no_ds(&[Rtype::NS, Rtype::RRSIG]), Ok(NoDs::Insecure));
    let apex = no_ds(&[Rtype::NS, Rtype::SOA]).unwrap_err();
    assert!(apex.contains("not from its parent"), "{apex}");
    let left_out = no_ds(&[Rtype::NS, Rtype::DS]).unwrap_err();
    assert!(left_out.contains("leaves out the DS"), "{left_out}");
}

#[test]
fn hashed_spans_are_open_and_the_last_one_goes_round() {
    let hashing = nsec3::Hashing {
        iterations: 0,
        salt: Vec::new(),
    };
    let hash = hashing.hash(&name("a.e."));
    let (before, after) = (vec![0; 20], vec![0xff; 20]);
    let spans = |owner: &Vec<u8>, next: &Vec<u8>| {
        let record = Nsec3 {
            hashing: hashing.clone(),
            opt_out: false,
            next: next.clone(),
        };
        let hashed = Hashed {
            hash: owner.clone(),
            record,
            types: Vec::new(),
        };
        hashed.spans(&name("a.e."))
    };
    assert!(spans(&before, &after));
    assert!(
        !spans(&hash, &after) && !spans(&before, &hash),
        "the ends exist"
    );
    assert!(!spans(&after, &before), "the span between last and first");
    let close = {
        let mut below = hash.clone();
        below.truncate(19);
        below
    };
    assert!(spans(&close, &before), "beyond the last");
}
