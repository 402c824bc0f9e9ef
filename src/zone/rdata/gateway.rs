//! Gateways that are an address, a name or nothing: IPSECKEY (RFC 4025 §2) and AMTRELAY (RFC 8777 §4).

use super::codec;
use super::read;
use super::words::Words;
use super::{RdataError, schema};
use crate::zone::name::write_name;
use schema::Field;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The gateway of type `kind` at the front, and what follows.
fn split_gateway(kind: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    match kind {
        0 => Some((&[], octets)),
        1 => octets.split_at_checked(4),
        2 => octets.split_at_checked(16),
        3 => schema::split(Field::NameAsIs, octets),
        _ => None,
    }
}

fn read_gateway(kind: u8, words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    match kind {
        0 => {
            let dot = |text: &[u8]| (text == b".").then_some(());
            read::parsed(words, "`.`, for no gateway", dot)?;
        }
        1 => out.extend(read::ipv4(words)?.octets()),
        2 => out.extend(read::ipv6(words)?.octets()),
        _ => words.name("the name of a gateway", out)?,
    }
    Ok(())
}

fn write_gateway(kind: u8, gateway: &[u8], out: &mut String) -> Option<()> {
    let _ = match kind {
        0 => out.write_str("."),
        1 => write!(
            out,
            "{}",
            Ipv4Addr::from(<[u8; 4]>::try_from(gateway).ok()?)
        ),
        2 => write!(
            out,
            "{}",
            Ipv6Addr::from(<[u8; 16]>::try_from(gateway).ok()?)
        ),
        _ => write_name(gateway, out),
    };
    Some(())
}

/// Takes a gateway type of 0 to 3.
fn kind(words: &mut Words<'_>) -> Result<u8, RdataError> {
    let known = |text: &[u8]| match text {
        [digit @ b'0'..=b'3'] => Some(digit.wrapping_sub(b'0')),
        _ => None,
    };
    read::parsed(words, "a gateway type from 0 to 3", known)
}

/// Precedence, gateway type, algorithm, gateway and key.
type IpsecKey<'a> = (u8, u8, u8, &'a [u8], &'a [u8]);

fn ipseckey(octets: &[u8]) -> Option<IpsecKey<'_>> {
    let [precedence, kind, algorithm, rest @ ..] = octets else {
        return None;
    };
    let (gateway, key) = split_gateway(*kind, rest)?;
    // Without an algorithm there is no key (RFC 4025 §2.4).
    let key_fits = (*algorithm == 0) == key.is_empty();
    key_fits.then_some((*precedence, *kind, *algorithm, gateway, key))
}

/// Whether the octets are IPSECKEY data.
pub(super) fn is_ipseckey(octets: &[u8]) -> bool {
    ipseckey(octets).is_some()
}

/// Reads `precedence gateway-type algorithm gateway key`.
pub(super) fn read_ipseckey(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let whole = words.clone();
    let start = out.len();
    out.push(read::u8(words, "a precedence up to 255")?);
    let kind = kind(words)?;
    let algorithm = read::u8(words, "an algorithm number")?;
    out.extend([kind, algorithm]);
    read_gateway(kind, words, out)?;
    codec::base64(&words.run(), out)?;
    if is_ipseckey(out.get(start..).unwrap_or_default()) {
        Ok(())
    } else {
        Err(whole.whole("a key must follow exactly when the algorithm is not 0"))
    }
}

/// Prints IPSECKEY data.
pub(super) fn write_ipseckey(octets: &[u8], out: &mut String) -> Option<()> {
    let (precedence, kind, algorithm, gateway, key) = ipseckey(octets)?;
    let _ = write!(out, "{precedence} {kind} {algorithm} ");
    write_gateway(kind, gateway, out)?;
    if !key.is_empty() {
        out.push(' ');
        codec::write_base64(key, out);
    }
    Some(())
}

fn amtrelay(octets: &[u8]) -> Option<(u8, u8, u8, &[u8])> {
    let [precedence, discovery_and_kind, rest @ ..] = octets else {
        return None;
    };
    let (discovery, kind) = (discovery_and_kind >> 7, discovery_and_kind & 0x7f);
    // What a relay of a type yet to come looks like, nobody knows (RFC 8777 §4.2.3).
    let (relay, rest) = if kind > 3 {
        (rest, &[][..])
    } else {
        split_gateway(kind, rest)?
    };
    rest.is_empty()
        .then_some((*precedence, discovery, kind, relay))
}

/// Whether the octets are AMTRELAY data.
pub(super) fn is_amtrelay(octets: &[u8]) -> bool {
    amtrelay(octets).is_some()
}

/// Reads `precedence discovery-optional type relay`.
pub(super) fn read_amtrelay(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    out.push(read::u8(words, "a precedence up to 255")?);
    let bit = |text: &[u8]| match text {
        b"0" => Some(0),
        b"1" => Some(0x80),
        _ => None,
    };
    let discovery: u8 = read::parsed(words, "0 or 1, whether discovery is optional", bit)?;
    let kind = kind(words)?;
    out.push(discovery | kind);
    read_gateway(kind, words, out)
}

/// Prints AMTRELAY data.
pub(super) fn write_amtrelay(octets: &[u8], out: &mut String) -> Option<()> {
    let (precedence, discovery, kind, relay) =
        amtrelay(octets).filter(|(_, _, kind, _)| *kind <= 3)?;
    let _ = write!(out, "{precedence} {discovery} {kind} ");
    write_gateway(kind, relay, out)
}
