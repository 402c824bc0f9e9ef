//! Hostile octets are refused, and what does not fit is not sent.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::*;
use hickory_proto::op::{MessageType, OpCode};

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

#[test]
fn hostile_names_are_refused() {
    let longest = [
        [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4),
        vec![0],
    ]
    .concat();
    let table: [(&str, &[u8]); 9] = [
        ("points at itself", b"\xc0\x0c"),
        ("points forward", b"\xc0\x0e\x00"),
        ("points into the header", b"\xc0\x04"),
        (
            "points at a place that points into the header",
            b"\xc0\x0e\xc0\x04",
        ),
        ("ends in a label", b"\x05ab"),
        ("ends", b"\x01a"),
        ("reserved bits", b"\x80\x00"),
        ("two that point at each other", b"\x01a\xc0\x0c"),
        ("longer than 255 octets", &longest),
    ];
    for (why, octets) in table {
        let message = [&[0; HEADER], octets].concat();
        let read = Reader::new(&message).name();
        assert_eq!(
            read.map(|name| name.to_string()),
            Err(Unreadable::Name),
            "{why}"
        );
    }
    // By way of an earlier place: a name at 12 that is whole, and at 14 a pointer to a pointer into the header.
    let message = [&[0; HEADER], b"\xc0\x04\xc0\x0c".as_slice()].concat();
    let mut reader = Reader::new(&message);
    reader.take(2).unwrap();
    assert_eq!(reader.name(), Err(Unreadable::Name));
}

#[test]
fn octets_that_end_within_the_header_hold_nothing() {
    for length in 0..HEADER {
        let message = vec![0; length];
        assert!(header(&message).is_none(), "{length}");
        let mut reader = Reader::new(&message);
        assert_eq!(reader.u16(), Err(Unreadable::CutShort), "{length}");
        assert!(
            reader.name().is_err() && reader.record().is_err(),
            "{length}"
        );
    }
}

#[test]
fn a_message_is_written_whole_or_not_at_all() {
    let mut message = Message::new(7, MessageType::Query, OpCode::Update);
    let owner = name("example.com.");
    message.add_query(question(&owner, Rtype::SOA).unwrap());
    for number in 0..20_u8 {
        let data = [number; 35];
        let comes = record(&owner, Rtype::TLSA, DNSClass::IN, 60, &data).unwrap();
        message.authorities.push(comes);
    }
    let whole = octets(&message, u16::MAX).unwrap();
    let length = u16::try_from(whole.len()).unwrap();
    assert_eq!(octets(&message, length).as_ref(), Ok(&whole));
    for short in [length - 1, length / 2, 30, 12, 3] {
        assert_eq!(
            octets(&message, short),
            Err(Unwritable::TooLarge),
            "{short}"
        );
    }
    let mut reader = Reader::new(&whole);
    assert_eq!(reader.name().unwrap(), owner);
    reader.take(4).unwrap();
    for number in 0..20_u8 {
        let mut read = reader.record().unwrap();
        assert_eq!(
            (read.owner, read.rtype, read.class, read.ttl),
            (owner.clone(), Rtype::TLSA, 1, 60)
        );
        assert_eq!(read.data.take(read.length).unwrap(), [number; 35]);
    }
    assert_eq!(reader.at(), whole.len());
}

#[test]
fn data_of_every_type_are_sent_as_they_are() {
    // A name in data that could be compressed, in the case it was written in.
    let owner = name("Example.com.");
    let mut message = Message::new(7, MessageType::Query, OpCode::Update);
    message.add_query(question(&owner, Rtype::SOA).unwrap());
    for rtype in [
        Rtype::NS,
        Rtype::MX,
        Rtype::SOA,
        Rtype::TLSA,
        Rtype(65_280),
        Rtype::CNAME,
    ] {
        let same = record(&owner, rtype, DNSClass::NONE, 0, owner.wire()).unwrap();
        message.answers.push(same);
        message
            .answers
            .push(record(&owner, rtype, DNSClass::NONE, 0, &[]).unwrap());
    }
    let octets = octets(&message, u16::MAX).unwrap();
    let mut reader = Reader::new(&octets);
    reader.name().unwrap();
    reader.take(4).unwrap();
    for rtype in [
        Rtype::NS,
        Rtype::MX,
        Rtype::SOA,
        Rtype::TLSA,
        Rtype(65_280),
        Rtype::CNAME,
    ] {
        for data in [owner.wire(), &[]] {
            let mut read = reader.record().unwrap();
            assert_eq!((read.rtype, read.class, read.ttl), (rtype, 254, 0));
            assert_eq!(read.owner.wire(), owner.wire(), "in its case");
            assert_eq!(read.data.take(read.length).unwrap(), data);
        }
    }
}
