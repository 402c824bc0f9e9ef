//! Lists of address prefixes (RFC 3123).

use super::RdataError;
use super::words::Words;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One item: family, prefix length, negation, address octets without trailing zeros.
struct Item<'a> {
    family: u16,
    prefix: u8,
    negated: bool,
    address: &'a [u8],
}

/// Whether the octets are items of known families.
pub(super) fn is_well_formed(octets: &[u8]) -> bool {
    items(octets).is_some()
}

fn items(mut octets: &[u8]) -> Option<Vec<Item<'_>>> {
    let mut items = Vec::new();
    while let [high, low, prefix, length, rest @ ..] = octets {
        let (address, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        let family = u16::from_be_bytes([*high, *low]);
        let (bits, longest) = match family {
            1 => (32, 4),
            2 => (128, 16),
            _ => return None,
        };
        if *prefix > bits || address.len() > longest || address.last() == Some(&0) {
            return None;
        }
        items.push(Item {
            family,
            prefix: *prefix,
            negated: length & 0x80 != 0,
            address,
        });
        octets = rest;
    }
    octets.is_empty().then_some(items)
}

/// Reads items such as `1:192.0.2.0/24 !2:2001:db8::/32`.
pub(super) fn read(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    const EXPECTED: &str = "an address prefix such as 1:192.0.2.0/24 or !2:2001:db8::/32";
    while !words.is_empty() {
        let (token, text) = words.word(EXPECTED)?;
        item(text, out).ok_or_else(|| words.refuse(token, EXPECTED))?;
    }
    Ok(())
}

fn item(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let text = std::str::from_utf8(text).ok()?;
    let (negated, text) = text.strip_prefix('!').map_or((false, text), |t| (true, t));
    let (family, text) = text.split_once(':')?;
    let (address, prefix) = text.split_once('/')?;
    let prefix: u8 = prefix.parse().ok()?;
    let (octets, bits): (Vec<u8>, u8) = match family {
        "1" => (address.parse::<Ipv4Addr>().ok()?.octets().to_vec(), 32),
        "2" => (address.parse::<Ipv6Addr>().ok()?.octets().to_vec(), 128),
        _ => return None,
    };
    if prefix > bits {
        return None;
    }
    let significant = octets.iter().rposition(|o| *o != 0);
    let kept = octets.get(..significant.map_or(0, |last| last.saturating_add(1)))?;
    let length = u8::try_from(kept.len()).ok()?;
    out.extend([0, family.parse().ok()?, prefix]);
    out.push(length | if negated { 0x80 } else { 0 });
    out.extend_from_slice(kept);
    Some(())
}

/// Prints the items.
pub(super) fn write(octets: &[u8], out: &mut String) -> Option<()> {
    for (at, item) in items(octets)?.iter().enumerate() {
        let space = if at > 0 { " " } else { "" };
        let negation = if item.negated { "!" } else { "" };
        let mut full = [0; 16];
        full.get_mut(..item.address.len())?
            .copy_from_slice(item.address);
        let address = match item.family {
            1 => IpAddr::from(*full.first_chunk::<4>()?),
            _ => IpAddr::from(full),
        };
        let (family, prefix) = (item.family, item.prefix);
        let _ = write!(out, "{space}{negation}{family}:{address}/{prefix}");
    }
    Some(())
}
