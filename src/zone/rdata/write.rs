//! RDATA as text on one line, field by field; what it prints reads back to the same octets.

use super::schema::{self, Field};
use super::{apl, bitmap, codec, gateway, hip, historic, loc, svcb, wks};
use crate::zone::name::write_name;
use crate::zone::record::Rtype;
use chrono::{Datelike as _, Timelike as _};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Prints data of a type in the table; `None` when there is no entry or the octets are not well-formed.
pub(super) fn known(rtype: Rtype, octets: &[u8], out: &mut String) -> Option<()> {
    let start = out.len();
    let mut rest = octets;
    for field in schema::fields(rtype)? {
        let (part, after) = schema::split(*field, rest)?;
        rest = after;
        let before = out.len();
        if before > start && !out.ends_with(' ') {
            out.push(' ');
        }
        write(*field, part, out)?;
    }
    if out.len() > start && out.ends_with(' ') {
        out.pop();
    }
    rest.is_empty().then_some(())
}

/// Prints `\# length hex` (RFC 3597 §5).
pub(super) fn generic(octets: &[u8], out: &mut String) {
    let _ = write!(out, "\\# {}", octets.len());
    if !octets.is_empty() {
        out.push(' ');
        codec::write_hex(octets, out);
    }
}

// Writing to a String cannot fail: the results of `write!` below are dropped for that reason.
fn write(field: Field, octets: &[u8], out: &mut String) -> Option<()> {
    match field {
        Field::NameMaybe | Field::TextMaybe if octets.is_empty() => {}
        Field::Name | Field::NameAsIs | Field::NameMaybe => {
            let _ = write_name(octets, out);
        }
        Field::U8
        | Field::U16
        | Field::U32
        | Field::Seconds
        | Field::Algorithm
        | Field::Digest
        | Field::Scheme
        | Field::CertType => {
            let _ = write!(out, "{}", number(octets));
        }
        Field::Time => time(number(octets), out),
        Field::Type => {
            let _ = write!(
                out,
                "{}",
                Rtype(u16::from_be_bytes(octets.try_into().ok()?)).in_zone()
            );
        }
        Field::Ipv4 => {
            let _ = write!(out, "{}", Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?));
        }
        Field::Ipv6 => {
            let _ = write!(
                out,
                "{}",
                Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)
            );
        }
        Field::Eui(_) => joined(octets.iter().map(|o| format!("{o:02x}")), "-", out),
        Field::Locator => {
            let groups = octets.chunks(2).map(number);
            joined(groups.map(|group| format!("{group:04x}")), ":", out);
        }
        Field::Text | Field::TextMaybe => quoted(octets.get(1..)?, out),
        Field::Texts => texts(octets, out)?,
        Field::Tag => out.push_str(std::str::from_utf8(octets.get(1..)?).ok()?),
        Field::Value | Field::Target => quoted(octets, out),
        Field::Hex => codec::write_hex(octets, out),
        Field::Base64 | Field::Base64Maybe => codec::write_base64(octets, out),
        Field::Salt => match octets {
            [0] => out.push('-'),
            _ => codec::write_hex(octets.get(1..)?, out),
        },
        Field::HashedOwner => codec::write_base32hex(octets.get(1..)?, out),
        Field::Types | Field::TypesMaybe => {
            let types = bitmap::types(octets)?;
            for (at, rtype) in types.iter().enumerate() {
                let between = if at > 0 { " " } else { "" };
                let _ = write!(out, "{between}{}", rtype.in_zone());
            }
        }
        Field::Location => loc::write(octets, out)?,
        Field::Prefixes => apl::write(octets, out)?,
        Field::Services => svcb::write(octets, out)?,
        Field::Ports => wks::write(octets, out)?,
        Field::Nsap => {
            out.push_str("0x");
            codec::write_hex(octets, out);
        }
        Field::HostIdentity => hip::write(octets, out)?,
        Field::IpsecKey => gateway::write_ipseckey(octets, out)?,
        Field::Relay => gateway::write_amtrelay(octets, out)?,
        Field::Suffix => historic::write_suffix(octets, out)?,
        Field::EarlyTypes => historic::write_early_types(octets, out),
        Field::AtmAddress => historic::write_atm_address(octets, out)?,
    }
    Some(())
}

/// A big-endian number of up to four octets.
fn number(octets: &[u8]) -> u32 {
    octets
        .iter()
        .fold(0, |sum, octet| sum << 8 | u32::from(*octet))
}

pub(super) fn joined(items: impl Iterator<Item = String>, between: &str, out: &mut String) {
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        out.push_str(&item);
    }
}

fn time(seconds: u32, out: &mut String) {
    let Some(time) = chrono::DateTime::from_timestamp(i64::from(seconds), 0) else {
        return;
    };
    // 32 bits of seconds end in 2106.
    let (_, year) = time.year_ce();
    for pair in [
        year / 100,
        year % 100,
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
    ] {
        for digit in [pair / 10, pair % 10] {
            out.push(char::from_digit(digit, 10).unwrap_or('0'));
        }
    }
}

fn texts(mut octets: &[u8], out: &mut String) -> Option<()> {
    let mut first = true;
    while !octets.is_empty() {
        let (string, rest) = schema::split_counted(octets)?;
        if !first {
            out.push(' ');
        }
        first = false;
        quoted(string.get(1..)?, out);
        octets = rest;
    }
    Some(())
}

/// A string in quotes (RFC 1035 §5.1).
pub(super) fn quoted(octets: &[u8], out: &mut String) {
    out.push('"');
    for chunk in octets.chunk_by(|a, b| is_plain(*a) && is_plain(*b)) {
        match (chunk, std::str::from_utf8(chunk)) {
            ([octet], _) if !is_plain(*octet) => {
                let escaped = matches!(octet, b'"' | b'\\');
                let _ = if escaped {
                    write!(out, "\\{}", char::from(*octet))
                } else {
                    write!(out, "\\{octet:03}")
                };
            }
            (_, Ok(plain)) => out.push_str(plain),
            _ => {}
        }
    }
    out.push('"');
}

/// Whether an octet stands for itself within quotes.
fn is_plain(octet: u8) -> bool {
    matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\')
}
