//! RDATA from text, field by field.

use super::mnemonics::{ALGORITHMS, CERTIFICATES, DIGESTS, SCHEMES, number};
use super::schema::Field;
use super::words::Words;
use super::{
    RdataError, address, apl, bitmap, check, codec, gateway, hip, historic, loc, nsap, svcb, wks,
};
use crate::zone::lexer::Token;
use crate::zone::record::Rtype;
use crate::zone::ttl;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Reads one field and appends its octets.
pub(super) fn field(
    field: Field,
    words: &mut Words<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    match field {
        Field::NameMaybe | Field::TextMaybe if words.is_empty() => {}
        Field::Name | Field::NameAsIs | Field::NameMaybe => words.name("a name", out)?,
        Field::U8 => out.push(u8(words, "a number up to 255")?),
        Field::U16 => out.extend(u16(words, "a number up to 65535")?.to_be_bytes()),
        Field::U32 => out.extend(u32(words, "a number up to 4294967295")?.to_be_bytes()),
        Field::Seconds => out.extend(seconds(words)?.to_be_bytes()),
        Field::Time => out.extend(time(words)?.to_be_bytes()),
        Field::Algorithm => out.push(named(words, ALGORITHMS, "a DNSSEC algorithm")?),
        Field::Digest => out.push(named(words, DIGESTS, "a digest type")?),
        Field::Scheme => out.push(named(words, SCHEMES, "a scheme such as NOTIFY")?),
        Field::CertType => {
            out.extend(named(words, CERTIFICATES, "a certificate type")?.to_be_bytes());
        }
        Field::Type => {
            let rtype = parsed(words, "a record type", Rtype::parse_or_number)?;
            out.extend(rtype.0.to_be_bytes());
        }
        Field::Ipv4 => out.extend(ipv4(words)?.octets()),
        Field::Ipv6 => out.extend(ipv6(words)?.octets()),
        Field::Eui(length) => groups(
            words,
            length,
            1,
            b'-',
            "octets such as 00-00-5e-00-53-2a",
            out,
        )?,
        Field::Locator => groups(words, 4, 2, b':', "64 bits such as 2001:db8:1:2", out)?,
        Field::Text | Field::TextMaybe => words.string("a string", out)?,
        Field::Texts => {
            words.string("a string", out)?;
            while !words.is_empty() {
                words.string("a string", out)?;
            }
        }
        Field::Tag => tag(words, out)?,
        Field::Value => {
            let token = words.token("a value")?;
            words.octets(token, out)?;
        }
        Field::Target => target(words, out)?,
        Field::Hex => some(words, "hexadecimal digits", codec::hex, out)?,
        Field::Base64 => some(words, "base64 digits", codec::base64, out)?,
        Field::Base64Maybe => codec::base64(&words.run(), out)?,
        Field::Salt => salt(words, out)?,
        Field::HashedOwner => hashed_owner(words, out)?,
        Field::Types | Field::TypesMaybe => bitmap::read(field, words, out)?,
        Field::Location => loc::read(words, out)?,
        Field::Prefixes => apl::read(words, out)?,
        Field::Services => svcb::read(words, out)?,
        Field::Ports => wks::read(words, out)?,
        Field::Nsap => nsap::read(words, out)?,
        Field::HostIdentity => hip::read(words, out)?,
        Field::IpsecKey => gateway::read_ipseckey(words, out)?,
        Field::Relay => gateway::read_amtrelay(words, out)?,
        Field::Suffix => historic::read_suffix(words, out)?,
        Field::EarlyTypes => historic::read_early_types(words, out)?,
        Field::AtmAddress => historic::read_atm_address(words, out)?,
    }
    Ok(())
}

/// Reads `\# length hex` (RFC 3597 §5); data of a known type must be well-formed all the same.
pub(super) fn generic(
    rtype: Rtype,
    words: &mut Words<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let start = out.len();
    words.word("`\\#`")?;
    let everything = words.clone();
    let length = u16(words, "the number of octets")?;
    codec::hex(&words.run(), out)?;
    let octets = out.get(start..).unwrap_or_default();
    if octets.len() != usize::from(length) {
        let found = octets.len();
        return Err(everything.whole(&format!("{length} octets are announced, {found} follow")));
    }
    check(rtype, octets).map_err(|malformed| everything.whole(&malformed.to_string()))
}

/// A number of at most 32 bits in decimal digits.
fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    text.iter().try_fold(0_u32, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))?;
        sum.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

/// Takes a word that `parse` understands.
pub(super) fn parsed<T>(
    words: &mut Words<'_>,
    expected: &str,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, RdataError> {
    let (token, text) = words.word(expected)?;
    parse(text).ok_or_else(|| words.refuse(token, expected))
}

pub(super) fn u8(words: &mut Words<'_>, expected: &str) -> Result<u8, RdataError> {
    parsed(words, expected, |text| u8::try_from(decimal(text)?).ok())
}

pub(super) fn u16(words: &mut Words<'_>, expected: &str) -> Result<u16, RdataError> {
    parsed(words, expected, |text| u16::try_from(decimal(text)?).ok())
}

fn u32(words: &mut Words<'_>, expected: &str) -> Result<u32, RdataError> {
    parsed(words, expected, decimal)
}

fn seconds(words: &mut Words<'_>) -> Result<u32, RdataError> {
    parsed(words, "seconds, or a time such as 1h30m", ttl::seconds)
}

fn named<N: Copy + TryFrom<u32>>(
    words: &mut Words<'_>,
    table: &[(N, &str)],
    expected: &str,
) -> Result<N, RdataError> {
    parsed(words, expected, |text| {
        let plain = decimal(text).and_then(|n| N::try_from(n).ok());
        plain.or_else(|| number(table, text))
    })
}

pub(super) fn ipv4(words: &mut Words<'_>) -> Result<Ipv4Addr, RdataError> {
    parsed(words, "an IPv4 address such as 192.0.2.1", address::ipv4)
}

pub(super) fn ipv6(words: &mut Words<'_>) -> Result<Ipv6Addr, RdataError> {
    parsed(words, "an IPv6 address such as 2001:db8::1", address::ipv6)
}

/// `YYYYMMDDHHmmSS`, or seconds since 1970 (RFC 4034 §3.2); both modulo 2^32.
fn time(words: &mut Words<'_>) -> Result<u32, RdataError> {
    parsed(words, "a time as YYYYMMDDHHmmSS or in seconds", |text| {
        if text.len() != 14 {
            return decimal(text);
        }
        let digits = |range: std::ops::Range<usize>| decimal(text.get(range)?);
        let year = i32::try_from(digits(0..4)?).ok()?;
        let date = chrono::NaiveDate::from_ymd_opt(year, digits(4..6)?, digits(6..8)?)?;
        // A leap second has no number of its own: it is the second before it.
        let second = digits(12..14).filter(|s| *s <= 60)?.min(59);
        let time = date.and_hms_opt(digits(8..10)?, digits(10..12)?, second)?;
        u32::try_from(time.and_utc().timestamp().rem_euclid(1 << 32)).ok()
    })
}

/// Takes all that is left, which must be something.
fn some(
    words: &mut Words<'_>,
    expected: &str,
    read: impl Fn(&super::words::Run<'_>, &mut Vec<u8>) -> Result<(), RdataError>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let start = out.len();
    let missing = words.missing_here(&format!("{expected} are missing"));
    read(&words.run(), out)?;
    if out.len() == start {
        Err(missing)
    } else {
        Ok(())
    }
}

/// `count` hexadecimal groups of at most (EUI: exactly) `octets` octets each, between separators.
fn groups(
    words: &mut Words<'_>,
    count: u8,
    octets: usize,
    separator: u8,
    expected: &str,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let (token, text) = words.word(expected)?;
    let refused = || words.refuse(token, expected);
    let mut found = 0_u8;
    for group in text.split(|b| *b == separator) {
        let digits = std::str::from_utf8(group).map_err(|_| refused())?;
        let longest = octets.saturating_mul(2);
        let fits = digits.len() <= longest && (octets > 1 || digits.len() == longest);
        let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u16::from_str_radix(digits, 16).map_err(|_| refused())?;
        if !(fits && plain) {
            return Err(refused());
        }
        let skip = 2_usize.saturating_sub(octets);
        out.extend(value.to_be_bytes().into_iter().skip(skip));
        found = found.saturating_add(1);
    }
    if found == count {
        Ok(())
    } else {
        Err(refused())
    }
}

fn tag(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    const EXPECTED: &str = "a CAA tag of letters and digits, such as issue";
    let Some(token) = words.peek() else {
        return Err(words.missing_here(&format!("{EXPECTED} is missing")));
    };
    let text = words.text(token);
    if text.is_empty() || !text.iter().all(u8::is_ascii_alphanumeric) {
        return Err(words.refuse(token, EXPECTED));
    }
    words.string(EXPECTED, out)
}

fn target(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let token: Token = words.token("a quoted URI")?;
    let start = out.len();
    words.octets(token, out)?;
    if out.len() == start {
        return Err(words.refuse(token, "a URI that is not empty"));
    }
    Ok(())
}

fn salt(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    const EXPECTED: &str = "a salt of at most 255 octets in hexadecimal, or `-` for none";
    let Some(token) = words.peek() else {
        return Err(words.missing_here(&format!("{EXPECTED} is missing")));
    };
    if words.text(token) == b"-" {
        words.word(EXPECTED)?;
        out.push(0);
        return Ok(());
    }
    let length_at = out.len();
    out.push(0);
    codec::hex(&words.one(EXPECTED)?, out)?;
    let length = out.len().saturating_sub(length_at).saturating_sub(1);
    let (Ok(length @ 1..), Some(octet)) = (u8::try_from(length), out.get_mut(length_at)) else {
        return Err(words.refuse(token, EXPECTED));
    };
    *octet = length;
    Ok(())
}

fn hashed_owner(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut hash = Vec::new();
    let (token, text) = words.word("a hashed owner name in base32hex")?;
    let read = codec::base32hex(text, &mut hash);
    match (read, u8::try_from(hash.len())) {
        (Some(()), Ok(length @ 1..)) => {
            out.push(length);
            out.append(&mut hash);
            Ok(())
        }
        _ => Err(words.refuse(token, "a hashed owner name in base32hex")),
    }
}
