//! The services of SVCB and HTTPS: keys with values (RFC 9460 §2.1, §2.2, appendix A; `dohpath` RFC 9461, `ohttp` RFC 9540).

use super::RdataError;
use super::codec;
use super::words::Words;
use super::write::joined;
use crate::zone::lexer::Token;
use crate::zone::name::unescape;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const OHTTP: u16 = 8;
const INVALID: u16 = 65_535;

/// The last key that RFC 9460 itself names.
const OLDEST: u16 = 6;
const NAMES: [&str; 9] = [
    "mandatory",
    "alpn",
    "no-default-alpn",
    "port",
    "ipv4hint",
    "ech",
    "ipv6hint",
    "dohpath",
    "ohttp",
];

/// Whether keys ascend and the values of known keys are well-formed.
pub(super) fn is_well_formed(octets: &[u8]) -> bool {
    let Some(services) = services(octets) else {
        return false;
    };
    let ascends = services.is_sorted_by(|a, b| a.0 < b.0);
    let keys: Vec<u16> = services.iter().map(|(key, _)| *key).collect();
    let automatic_default = !keys.contains(&NO_DEFAULT_ALPN) || keys.contains(&ALPN);
    ascends && automatic_default && services.iter().all(|(key, value)| fits(*key, value, &keys))
}

/// Keys and values in the order of the octets.
fn services(mut octets: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut services = Vec::new();
    while let [k1, k2, l1, l2, rest @ ..] = octets {
        let length = usize::from(u16::from_be_bytes([*l1, *l2]));
        let (value, rest) = rest.split_at_checked(length)?;
        services.push((u16::from_be_bytes([*k1, *k2]), value));
        octets = rest;
    }
    octets.is_empty().then_some(services)
}

fn fits(key: u16, value: &[u8], keys: &[u16]) -> bool {
    match key {
        MANDATORY => {
            let named: Vec<u16> = value
                .chunks(2)
                .map(|k| {
                    u16::from_be_bytes([
                        k.first().copied().unwrap_or(0),
                        k.get(1).copied().unwrap_or(0),
                    ])
                })
                .collect();
            let whole = !value.is_empty() && value.len().is_multiple_of(2);
            // Ascending, present, and not `mandatory` itself (RFC 9460 §8).
            let known = named.iter().all(|k| *k != MANDATORY && keys.contains(k));
            whole && known && named.is_sorted_by(|a, b| a < b)
        }
        ALPN => {
            let mut rest = value;
            while let Some((length, after)) = rest.split_first() {
                match after.get(usize::from(*length)..) {
                    Some(after) if *length > 0 => rest = after,
                    _ => return false,
                }
            }
            !value.is_empty()
        }
        NO_DEFAULT_ALPN | OHTTP => value.is_empty(),
        PORT => value.len() == 2,
        IPV4HINT => !value.is_empty() && value.len().is_multiple_of(4),
        IPV6HINT => !value.is_empty() && value.len().is_multiple_of(16),
        INVALID => false,
        _ => true,
    }
}

/// Reads `key=value` words in any order and appends them in ascending order of keys.
pub(super) fn read(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let whole = words.clone();
    let mut services: Vec<(u16, Vec<u8>)> = Vec::new();
    while !words.is_empty() {
        let (token, text) = words.word("a service parameter such as alpn=h2")?;
        let (name, mut value) = match text.iter().position(|b| *b == b'=') {
            Some(at) => (
                text.get(..at).unwrap_or_default(),
                text.get(at.saturating_add(1)..),
            ),
            None => (text, None),
        };
        // `key="value"`: the lexer ends the word at the quote; the quoted string follows without a blank.
        let quoted = words
            .peek()
            .filter(|next| next.quoted && next.start == token.end);
        if let (Some(quoted), Some(b"")) = (quoted, value) {
            words.token("a value")?;
            value = Some(words.text(quoted));
        }
        let key = key(name)
            .ok_or_else(|| words.refuse(token, "a service key such as alpn, port or key65280"))?;
        if services.iter().any(|(other, _)| *other == key) {
            return Err(words.refuse(token, "each service key once"));
        }
        let octets = parse_value(key, value).ok_or_else(|| refuse_value(words, token, key))?;
        services.push((key, octets));
    }
    services.sort();
    let start = out.len();
    for (key, value) in services {
        let length = u16::try_from(value.len())
            .map_err(|_| whole.whole("a value is longer than 65535 octets"))?;
        out.extend(key.to_be_bytes());
        out.extend(length.to_be_bytes());
        out.extend(value);
    }
    if is_well_formed(out.get(start..).unwrap_or_default()) {
        Ok(())
    } else {
        Err(whole.whole("`mandatory` must name other keys that are present, and `no-default-alpn` needs `alpn` (RFC 9460 §7.1.1, §8)"))
    }
}

fn refuse_value(words: &Words<'_>, token: Token, key: u16) -> RdataError {
    let expected = match key {
        MANDATORY => "a list of keys such as mandatory=alpn,port",
        ALPN => "a list of protocols such as alpn=h2,h3",
        NO_DEFAULT_ALPN => "no-default-alpn without a value",
        PORT => "a port such as port=443",
        IPV4HINT => "IPv4 addresses such as ipv4hint=192.0.2.1,192.0.2.2",
        ECH => "base64 such as ech=AEj+DQ…",
        IPV6HINT => "IPv6 addresses such as ipv6hint=2001:db8::1",
        OHTTP => "ohttp without a value",
        _ => "a value",
    };
    words.refuse(token, expected)
}

fn key(name: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(name).ok()?;
    let known = (0_u16..)
        .zip(NAMES)
        .find(|(_, n)| *n == text)
        .map(|(k, _)| k);
    known.or_else(|| {
        let digits = text.strip_prefix("key")?;
        let plain = digits.bytes().all(|b| b.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        digits.parse().ok().filter(|key| plain && *key != INVALID)
    })
}

fn parse_value(key: u16, text: Option<&[u8]>) -> Option<Vec<u8>> {
    let plain = unescaped(text.unwrap_or_default())?;
    let mut octets = Vec::new();
    match key {
        NO_DEFAULT_ALPN | OHTTP => return text.is_none_or(<[u8]>::is_empty).then(Vec::new),
        MANDATORY => {
            let mut keys = plain
                .split(|b| *b == b',')
                .map(self::key)
                .collect::<Option<Vec<u16>>>()?;
            keys.sort_unstable();
            octets.extend(keys.iter().flat_map(|k| k.to_be_bytes()));
        }
        ALPN => {
            for protocol in listed(&plain)? {
                octets.push(u8::try_from(protocol.len()).ok().filter(|l| *l > 0)?);
                octets.extend(protocol);
            }
        }
        PORT => octets.extend(
            std::str::from_utf8(&plain)
                .ok()?
                .parse::<u16>()
                .ok()?
                .to_be_bytes(),
        ),
        IPV4HINT => {
            for address in std::str::from_utf8(&plain).ok()?.split(',') {
                octets.extend(address.parse::<Ipv4Addr>().ok()?.octets());
            }
        }
        IPV6HINT => {
            for address in std::str::from_utf8(&plain).ok()?.split(',') {
                octets.extend(address.parse::<Ipv6Addr>().ok()?.octets());
            }
        }
        ECH => {
            let token = Token {
                start: 0,
                end: plain.len(),
                quoted: false,
            };
            let tokens = [token];
            let mut words = Words::new(&plain, &tokens, None, plain.len());
            codec::base64(&words.run(), &mut octets).ok()?;
            if octets.is_empty() {
                return None;
            }
        }
        _ => octets = plain,
    }
    Some(octets)
}

fn unescaped(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    while let Some((byte, rest)) = text.split_first() {
        if *byte == b'\\' {
            let (octet, rest) = unescape(rest).ok()?;
            octets.push(octet);
            text = rest;
        } else {
            octets.push(*byte);
            text = rest;
        }
    }
    Some(octets)
}

/// The items of a comma-separated list, in which `\,` and `\\` are escapes of their own (RFC 9460 appendix A.1).
fn listed(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut items = vec![Vec::new()];
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b',' => items.push(Vec::new()),
            b'\\' => items
                .last_mut()?
                .push(*bytes.next().filter(|b| matches!(b, b',' | b'\\'))?),
            _ => items.last_mut()?.push(*byte),
        }
    }
    Some(items)
}

/// A key by the name that every server reads, which those of RFC 9460 have; the others by number.
fn key_text(key: u16) -> Cow<'static, str> {
    match NAMES.get(usize::from(key)) {
        Some(name) if key <= OLDEST => Cow::Borrowed(name),
        _ => Cow::Owned(format!("key{key}")),
    }
}

/// Prints services as `key=value` words; values that need it in quotes.
pub(super) fn write(octets: &[u8], out: &mut String) -> Option<()> {
    for (at, (key, value)) in services(octets)?.into_iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(&key_text(key));
        if !value.is_empty() {
            out.push('=');
            write_value(key, value, out)?;
        }
    }
    Some(())
}

fn write_value(key: u16, value: &[u8], out: &mut String) -> Option<()> {
    match key {
        MANDATORY => {
            let name = |k: &[u8]| {
                let key = k
                    .iter()
                    .fold(0_u16, |sum, octet| sum << 8 | u16::from(*octet));
                key_text(key).into_owned()
            };
            joined(value.chunks(2).map(name), ",", out);
        }
        ALPN => {
            let mut list = Vec::new();
            let mut rest = value;
            while let Some((length, after)) = rest.split_first() {
                let (protocol, after) = after.split_at_checked(usize::from(*length))?;
                if !list.is_empty() {
                    list.push(b',');
                }
                for octet in protocol {
                    if matches!(octet, b',' | b'\\') {
                        list.push(b'\\');
                    }
                    list.push(*octet);
                }
                rest = after;
            }
            write_plain(&list, out);
        }
        PORT => {
            let _ = write!(out, "{}", u16::from_be_bytes(value.try_into().ok()?));
        }
        IPV4HINT => {
            let address = |a: &[u8]| {
                <[u8; 4]>::try_from(a).map_or(String::new(), |a| Ipv4Addr::from(a).to_string())
            };
            joined(value.chunks(4).map(address), ",", out);
        }
        IPV6HINT => {
            let address = |a: &[u8]| {
                <[u8; 16]>::try_from(a).map_or(String::new(), |a| Ipv6Addr::from(a).to_string())
            };
            joined(value.chunks(16).map(address), ",", out);
        }
        ECH => codec::write_base64(value, out),
        _ => write_plain(value, out),
    }
    Some(())
}

/// A value as a bare word when it can be one, else in quotes.
fn write_plain(value: &[u8], out: &mut String) {
    let bare = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b';' | b'(' | b')');
    if value.iter().all(bare) {
        out.extend(value.iter().map(|b| char::from(*b)));
    } else {
        super::write::quoted(value, out);
    }
}
