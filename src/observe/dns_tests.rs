//! Replies as octets: what is accepted, what is refused and why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::*;

const ID: u16 = 0xbeef;

fn asked() -> Name {
    Name::parse(b"a.example.", None).unwrap()
}

fn read(octets: &[u8]) -> Result<Reply, Silence> {
    decode(
        octets,
        &Expected {
            id: ID,
            name: &asked(),
            rtype: Rtype(6),
        },
    )
}

/// A response header, the question, and `rest`.
fn reply(flags: [u8; 2], counts: [u16; 4], rest: &[u8]) -> Vec<u8> {
    let mut octets = ID.to_be_bytes().to_vec();
    octets.extend(flags);
    octets.extend(counts.iter().flat_map(|n| n.to_be_bytes()));
    octets.extend(asked().wire());
    octets.extend([0, 6, 0, 1]);
    octets.extend(rest);
    octets
}

/// `a.example. 300 IN SOA ns.a.example. h.a.example. 1 2 3 4 5`, names compressed against the question.
fn compressed_soa() -> Vec<u8> {
    let mut record = vec![0xc0, 12, 0, 6, 0, 1, 0, 0, 1, 44];
    let mut rdata = b"\x02ns\xc0\x0c\x01h\xc0\x0c".to_vec();
    for n in 1_u32..=5 {
        rdata.extend(n.to_be_bytes());
    }
    record.extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
    record.extend(rdata);
    record
}

#[test]
fn compressed_names_in_rdata_come_back_whole() {
    let read = read(&reply([0x84, 0], [1, 1, 0, 0], &compressed_soa())).unwrap();
    assert!(read.authoritative && !read.truncated);
    let mut expected = b"\x02ns\x01a\x07example\0\x01h\x01a\x07example\0".to_vec();
    expected.extend((1_u32..=5).flat_map(u32::to_be_bytes));
    assert_eq!(read.answers[0].rdata.0.as_ref(), expected);
    assert_eq!(read.answers[0].ttl, Ttl(300));
}

#[test]
fn unknown_types_survive_and_a_negative_ttl_is_zero() {
    let unknown = b"\xc0\x0c\xff\x00\x00\x01\xff\xff\xff\xff\x00\x03\xc0\x0c\x99";
    let read = read(&reply([0x84, 0], [1, 1, 0, 0], unknown)).unwrap();
    assert_eq!(read.answers[0].rdata.0.as_ref(), b"\xc0\x0c\x99");
    assert_eq!(read.answers[0].rtype, Rtype(0xff00));
    assert_eq!(read.answers[0].ttl, Ttl(0), "RFC 2181 §8");
}

#[test]
fn edns_gives_the_whole_rcode_and_the_explanation() {
    let mut opt = vec![0, 0, 41, 4, 208, 1, 0, 0x80, 0];
    let option = b"\x00\x0f\x00\x0c\x00\x12not\x07 you!!";
    opt.extend(u16::try_from(option.len()).unwrap().to_be_bytes());
    opt.extend(option);
    let read = read(&reply([0x84, 0], [1, 0, 0, 1], &opt)).unwrap();
    assert_eq!(read.rcode, 16, "BADVERS is 1 in OPT and 0 in the header");
    assert_eq!(
        read.explanation.map(|why| why.to_string()).as_deref(),
        Some("extended error 18: not you!!")
    );
    assert!(read.additionals.is_empty());
}

#[test]
fn what_does_not_answer_the_question_is_refused() {
    let good = reply([0x84, 0], [1, 1, 0, 0], &compressed_soa());
    let with = |at: usize, octet: u8| {
        let mut octets = good.clone();
        octets[at] = octet;
        octets
    };
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "shorter than a DNS header"),
        ("another id", with(0, 0), "another message id"),
        ("a query", with(2, 0x04), "not a response"),
        ("an update", with(2, 0xac), "not a response"),
        ("no question", with(5, 0), "does not repeat"),
        ("another name", with(13, b'b'), "repeats another question"),
        ("another type", with(24, 5), "repeats another question"),
        ("class CH", with(26, 3), "repeats another question"),
        ("more records than octets", with(6, 0xff), "cannot be read"),
        ("RDATA beyond the end", with(38, 0xff), "ends within"),
        ("a pointer to itself", with(28, 27), "cannot be read"),
    ];
    for (situation, octets, expected) in table {
        let why = read(&octets).expect_err(situation).to_string();
        assert!(why.contains(expected), "{situation}: {why}");
    }
}

#[test]
fn no_prefix_and_no_flipped_octet_panics() {
    let good = reply([0x84, 0], [1, 1, 0, 0], &compressed_soa());
    for end in 0..good.len() {
        assert!(
            read(&good[..end]).is_err(),
            "{end} octets are not the whole"
        );
    }
    for at in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut octets = good.clone();
            octets[at] ^= flip;
            let _ = read(&octets);
        }
    }
}

#[test]
fn an_error_without_the_question_still_counts() {
    let mut octets = ID.to_be_bytes().to_vec();
    octets.extend([0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(rcode_name(read(&octets).unwrap().rcode), "FORMERR");
}
