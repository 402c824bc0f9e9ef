//! BIND's *raw* format: wire octets, so that nothing of a comparison goes through our own printing or reading.

use super::Rows;
use tlsa_rotate::zone::name::Name;

fn take<'a>(octets: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = octets.split_at(count);
    *octets = rest;
    taken
}

fn number(octets: &mut &[u8], count: usize) -> u32 {
    take(octets, count)
        .iter()
        .fold(0, |sum, o| sum << 8 | u32::from(*o))
}

/// The records of BIND's raw format, version 1.
pub(crate) fn raw_rows(mut octets: &[u8]) -> Rows {
    assert_eq!(
        (number(&mut octets, 4), number(&mut octets, 4)),
        (2, 1),
        "raw format, version 1"
    );
    take(&mut octets, 16);
    let mut rows = Rows::new();
    while !octets.is_empty() {
        let length = number(&mut octets, 4) as usize;
        let mut set = take(&mut octets, length - 4);
        let (_class, rtype, _covers) = (
            number(&mut set, 2),
            number(&mut set, 2),
            number(&mut set, 2),
        );
        let (ttl, count, owner) = (
            number(&mut set, 4),
            number(&mut set, 4),
            number(&mut set, 2),
        );
        let (owner, rest) = Name::split_wire(take(&mut set, owner as usize)).unwrap();
        assert!(rest.is_empty());
        for _ in 0..count {
            let length = number(&mut set, 2) as usize;
            let data = take(&mut set, length).to_vec();
            rows.insert((
                owner.to_string().to_lowercase(),
                u16::try_from(rtype).unwrap(),
                ttl,
                data,
            ));
        }
        assert!(set.is_empty());
    }
    rows
}
