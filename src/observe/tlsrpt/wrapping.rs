//! What stands around a report that is whole: marks of its encoding, blanks and zeros, quotes of JSON, base64 that nobody undid.

use super::archive::is_gzip;
use std::borrow::Cow;

const UTF_8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
/// What gzip and an object of JSON begin with in base64.
const BASE64: [&[u8]; 5] = [b"H4sI", b"eyJ", b"eyA", b"ewo", b"ew0"];

/// Whether octets can be a report as it travels, whatever stands around it.
pub(super) fn may_be_report(octets: &[u8]) -> bool {
    let inner = unwrapped(octets);
    is_gzip(&inner) || begins_as_json(&inner)
}

/// The octets without what stands around them: a gzip archive, or text that begins with its first character.
pub(super) fn unwrapped(octets: &[u8]) -> Cow<'_, [u8]> {
    let plain = stripped(octets);
    if let Some(text) = utf_16(octets) {
        return Cow::Owned(text);
    }
    if BASE64.iter().any(|begin| plain.starts_with(begin)) {
        let digits: Vec<u8> = plain
            .iter()
            .copied()
            .filter(|octet| !octet.is_ascii_whitespace() && *octet != 0)
            .collect();
        if let Ok(decoded) = data_encoding::BASE64.decode(&digits) {
            return Cow::Owned(stripped(&decoded).to_vec());
        }
    }
    Cow::Borrowed(plain)
}

/// Whether octets are XML or HTML: reports of other kinds (DMARC, RFC 7489 §7.2) come to the same mailboxes.
pub(super) fn is_markup(octets: &[u8]) -> bool {
    unwrapped(octets).starts_with(b"<")
}

fn begins_as_json(octets: &[u8]) -> bool {
    matches!(octets.first(), Some(b'{' | b'[')) || octets.starts_with(b"\"{")
}

/// Without a mark, blanks and zeros in front of it, and without those behind it where it is text.
fn stripped(octets: &[u8]) -> &[u8] {
    let filler = |octet: &u8| octet.is_ascii_whitespace() || matches!(octet, 0 | 0x1a);
    let mut rest = octets;
    loop {
        let start = rest.iter().position(|octet| !filler(octet));
        rest = rest.get(start.unwrap_or(rest.len())..).unwrap_or_default();
        let Some(unmarked) = rest.strip_prefix(UTF_8_MARK) else {
            break;
        };
        rest = unmarked;
    }
    if is_gzip(rest) {
        return rest;
    }
    let end = rest.iter().rposition(|octet| !filler(octet));
    let end = end.map_or(0, |at| at.saturating_add(1));
    let rest = rest.get(..end).unwrap_or_default();
    rest.strip_suffix(UTF_8_MARK).unwrap_or(rest)
}

/// Text of two octets for each character, by its mark or by the zeros of its first character, as UTF-8.
fn utf_16(octets: &[u8]) -> Option<Vec<u8>> {
    let (little, body) = match octets {
        [0xff, 0xfe, body @ ..] => (true, body),
        [0xfe, 0xff, body @ ..] => (false, body),
        [b'{' | b'[', 0, ..] => (true, octets),
        [0, b'{' | b'[', ..] => (false, octets),
        _ => return None,
    };
    let (pairs, _) = body.as_chunks::<2>();
    let unit = |pair: &[u8; 2]| {
        if little {
            u16::from_le_bytes(*pair)
        } else {
            u16::from_be_bytes(*pair)
        }
    };
    let text = char::decode_utf16(pairs.iter().map(unit));
    let text: String = text.collect::<Result<_, _>>().ok()?;
    Some(stripped(text.as_bytes()).to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_stands_around_a_report_is_no_part_of_it() {
        let wide = |little: bool, mark: bool| {
            let text = if mark {
                "\u{feff}{\"a\":1}"
            } else {
                "{\"a\":1}"
            };
            let octets = |unit: u16| {
                if little {
                    unit.to_le_bytes()
                } else {
                    unit.to_be_bytes()
                }
            };
            text.encode_utf16().flat_map(octets).collect::<Vec<u8>>()
        };
        let inner: &[u8] = b"{\"a\":1}";
        let around = [
            inner.to_vec(),
            [UTF_8_MARK, inner].concat(),
            [b"\r\n \0", UTF_8_MARK, b"\n", inner, b"\r\n\0\0\x1a"].concat(),
            wide(true, true),
            wide(false, true),
            wide(true, false),
            wide(false, false),
            b"eyJhIjox\r\nfQ==\r\n".to_vec(),
        ];
        for octets in around {
            assert_eq!(&*unwrapped(&octets), inner, "{octets:?}");
            assert!(may_be_report(&octets), "{octets:?}");
        }
        for octets in [&b"From me"[..], b"", b"\0", b"Subject: {\n", b"eyes only"] {
            assert!(!may_be_report(octets), "{octets:?}");
        }
    }
}
