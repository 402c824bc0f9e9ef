//! Types that have left use and that old zones still hold: A6 (RFC 2874), NXT (RFC 2535 §5.2), ATMA (ATM Forum af-dans-0152).

use super::codec::write_hex;
use super::read;
use super::schema::split_name_maybe;
use super::words::Words;
use super::{RdataError, write};
use crate::zone::record::Rtype;
use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// The prefix length of an A6 record and the octets of its suffix, and what follows.
///
/// The suffix takes the octets behind the prefix; a name follows exactly when there is a prefix.
pub(super) fn split_suffix(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let prefix = octets.first().copied().filter(|p| *p <= 128)?;
    let (suffix, rest) = octets.split_at_checked(suffix_length(prefix).saturating_add(1))?;
    let (_, behind_name) = split_name_maybe(rest)?;
    let first = suffix.get(1).copied().unwrap_or(0);
    let fits = behind_name.is_empty() && (prefix == 0) == rest.is_empty();
    (fits && first == first & mask(prefix)).then_some((suffix, rest))
}

/// Octets that hold what is behind a prefix of so many bits.
fn suffix_length(prefix: u8) -> usize {
    16_usize.saturating_sub(usize::from(prefix / 8))
}

/// The bits of the suffix's first octet that are not the prefix's.
fn mask(prefix: u8) -> u8 {
    0xff >> (prefix % 8)
}

/// Reads `prefix-length suffix`, the suffix left out when the prefix is the whole address.
pub(super) fn read_suffix(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let length = |text: &[u8]| {
        std::str::from_utf8(text)
            .ok()?
            .parse()
            .ok()
            .filter(|p| *p <= 128)
    };
    let prefix: u8 = read::parsed(words, "a prefix length up to 128", length)?;
    out.push(prefix);
    if prefix < 128 {
        let address = read::ipv6(words)?.octets();
        let suffix = address.get(usize::from(prefix / 8)..).unwrap_or_default();
        let (first, rest) = suffix.split_first().unwrap_or((&0, &[]));
        out.push(first & mask(prefix));
        out.extend_from_slice(rest);
    }
    match (prefix, words.is_empty()) {
        (0, false) => words.finish(),
        (1.., true) => Err(words.missing_here("the name of the prefix is missing")),
        _ => Ok(()),
    }
}

/// Prints `prefix-length suffix`.
pub(super) fn write_suffix(octets: &[u8], out: &mut String) -> Option<()> {
    let (prefix, suffix) = octets.split_first()?;
    let _ = write!(out, "{prefix}");
    if !suffix.is_empty() {
        let mut address = [0_u8; 16];
        let start = 16_usize.checked_sub(suffix.len())?;
        address.get_mut(start..)?.copy_from_slice(suffix);
        let _ = write!(out, " {}", Ipv6Addr::from(address));
    }
    Some(())
}

/// Whether NXT's bits, one for each type up to 127, end in an octet that is not zero.
pub(super) fn are_early_types(octets: &[u8]) -> bool {
    let ends = octets.last().is_none_or(|last| *last != 0);
    ends && octets.len() <= 16 && octets.first().is_none_or(|first| first & 0x80 == 0)
}

/// Reads the types of NXT, 1 to 127, possibly none.
pub(super) fn read_early_types(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut bits = [0_u8; 16];
    let mut length = 0;
    while !words.is_empty() {
        let rtype = read::parsed(words, "a record type from 1 to 127", |text| {
            Rtype::parse_or_number(text).filter(|t| (1..=127).contains(&t.0))
        })?;
        let at = usize::from(rtype.0 / 8);
        if let Some(octet) = bits.get_mut(at) {
            *octet |= 0x80 >> (rtype.0 % 8);
        }
        length = length.max(at.saturating_add(1));
    }
    out.extend(bits.iter().take(length));
    Ok(())
}

/// Prints the types of NXT.
pub(super) fn write_early_types(octets: &[u8], out: &mut String) {
    let set = (0_u16..).zip(octets).flat_map(|(at, octet)| {
        let here = (0..8_u16).filter(move |bit| octet & (0x80 >> bit) != 0);
        here.map(move |bit| Rtype(at.saturating_mul(8).saturating_add(bit)).to_string())
    });
    write::joined(set, " ", out);
}

/// Whether the octets are an ATM address: a format (0 end system, 1 telephone number) and what it holds.
pub(super) fn is_atm_address(octets: &[u8]) -> bool {
    match octets {
        [1, digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        [0, address @ ..] => !address.is_empty(),
        _ => false,
    }
}

/// Reads an address in hexadecimal or a telephone number behind `+`, dots anywhere between.
pub(super) fn read_atm_address(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let address = read::parsed(words, "an ATM address such as 47.0005 or +1.555", |text| {
        let dots_lead_nowhere = text.split(|b| *b == b'.').any(<[u8]>::is_empty);
        let plain = |text: &[u8]| text.iter().copied().filter(|b| *b != b'.').collect();
        let address = match text.strip_prefix(b"+") {
            Some(number) => [vec![1], plain(number)].concat(),
            None => end_system_address(plain(text))?,
        };
        (!dots_lead_nowhere && is_atm_address(&address)).then_some(address)
    })?;
    out.extend(address);
    Ok(())
}

/// Format 0 and the octets of hexadecimal digits.
fn end_system_address(digits: Vec<u8>) -> Option<Vec<u8>> {
    let nibbles: Option<Vec<u8>> = digits.into_iter().map(hex_value).collect();
    let nibbles = nibbles.filter(|n| n.len().is_multiple_of(2))?;
    let octets = nibbles.chunks_exact(2).map(|pair| match pair {
        [high, low] => high << 4 | low,
        _ => 0,
    });
    Some([0].into_iter().chain(octets).collect())
}

fn hex_value(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

/// Prints an ATM address.
pub(super) fn write_atm_address(octets: &[u8], out: &mut String) -> Option<()> {
    match octets.split_first()? {
        (0, address) => write_hex(address, out),
        (1, digits) => {
            out.push('+');
            out.push_str(std::str::from_utf8(digits).ok()?);
        }
        _ => return None,
    }
    Some(())
}
