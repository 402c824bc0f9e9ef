//! The types present at a name, as windows of bits (RFC 4034 §4.1.2).

use super::words::Words;
use super::{RdataError, schema::Field};
use crate::zone::record::Rtype;

/// Whether windows ascend, are not empty and end in a set bit.
pub(super) fn is_well_formed(octets: &[u8]) -> bool {
    windows(octets).is_some()
}

/// Appends the windows of `types`, in any order and with repetitions.
pub(crate) fn append(types: &mut [u16], out: &mut Vec<u8>) {
    types.sort_unstable();
    for window in types.chunk_by(|a, b| a >> 8 == b >> 8) {
        let mut bits = [0_u8; 32];
        let mut length = 0_u8;
        for low in window.iter().map(|t| t.to_be_bytes()[1]) {
            if let Some(octet) = bits.get_mut(usize::from(low >> 3)) {
                *octet |= 0x80 >> (low & 7);
            }
            length = (low >> 3).saturating_add(1);
        }
        let number = window.first().map_or(0, |t| t.to_be_bytes()[0]);
        out.extend([number, length]);
        out.extend(bits.iter().take(usize::from(length)));
    }
}

/// The types of a bitmap in ascending order; `None` when it is not well-formed.
pub(crate) fn types(octets: &[u8]) -> Option<Vec<Rtype>> {
    let mut types = Vec::new();
    for (number, bits) in windows(octets)? {
        for (at, octet) in (0_u8..).zip(bits) {
            for bit in (0..8_u8).filter(|bit| octet & (0x80 >> bit) != 0) {
                types.push(Rtype(u16::from_be_bytes([number, at << 3 | bit])));
            }
        }
    }
    Some(types)
}

fn windows(mut octets: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut windows: Vec<(u8, &[u8])> = Vec::new();
    while let [number, length @ 1..=32, rest @ ..] = octets {
        let (bits, rest) = rest.split_at_checked(usize::from(*length))?;
        let ascends = windows.last().is_none_or(|(last, _)| last < number);
        if !ascends || bits.last() == Some(&0) {
            return None;
        }
        windows.push((*number, bits));
        octets = rest;
    }
    octets.is_empty().then_some(windows)
}

/// Reads type mnemonics to the end.
pub(super) fn read(
    field: Field,
    words: &mut Words<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let mut types = Vec::new();
    if field == Field::Types && words.is_empty() {
        return Err(words.missing_here("the list of types is missing"));
    }
    while !words.is_empty() {
        let (token, text) = words.word("a record type")?;
        let rtype = Rtype::parse(text).ok_or_else(|| words.refuse(token, "a record type"))?;
        types.push(rtype.0);
    }
    append(&mut types, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_of_rfc_4034_4_3() {
        let mut octets = Vec::new();
        append(&mut [15, 1, 47, 46, 1234, 46], &mut octets);
        let mut expected = vec![0, 6, 0x40, 1, 0, 0, 0, 3, 4, 27];
        expected.extend([0; 26]);
        expected.push(0x20);
        assert_eq!(octets, expected);
        assert_eq!(
            types(&octets),
            Some(vec![
                Rtype::A,
                Rtype::MX,
                Rtype::RRSIG,
                Rtype::NSEC,
                Rtype(1234)
            ])
        );
    }

    #[test]
    fn windows_out_of_order_or_padded_are_refused() {
        for octets in [
            &[0, 1][..],
            &[0, 0],
            &[0, 1, 0],
            &[1, 1, 1, 0, 1, 1],
            &[0, 33, 1],
            &[0],
        ] {
            assert!(!is_well_formed(octets), "{octets:?}");
        }
    }
}
