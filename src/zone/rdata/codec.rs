//! Octets as hexadecimal, base64 and base32hex, and back (RFC 4648 §4, §7, §8).

use super::RdataError;
use super::words::{NO_QUOTES, Run, quotes, shown};
use crate::zone::lexer::Token;

/// Reads hexadecimal digits that blanks may cut anywhere.
pub(super) fn hex(run: &Run<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut high: Option<u8> = None;
    let mut last = None;
    for (token, text) in run.parts() {
        last = Some(token);
        let digit = |character: u8| {
            let digit = hex_digit(character).filter(|_| !token.quoted);
            digit.ok_or_else(|| {
                let is_digit = |c| hex_digit(c).is_some();
                refused(token, text, "hexadecimal digits", is_digit)
            })
        };
        let mut rest = text;
        if let (Some(begun), Some((first, after))) = (high, text.split_first()) {
            out.push(begun << 4 | digit(*first)?);
            (high, rest) = (None, after);
        }
        let (pairs, odd) = rest.as_chunks();
        for [first, second] in pairs {
            out.push(digit(*first)? << 4 | digit(*second)?);
        }
        if let [begun] = odd {
            high = Some(digit(*begun)?);
        }
    }
    match (high, last) {
        (Some(_), Some(token)) => Err(RdataError {
            span: token.span(),
            message: "an odd number of hexadecimal digits: one is missing or too many".to_owned(),
            help: None,
        }),
        _ => Ok(()),
    }
}

/// The value of a hexadecimal digit in any case.
pub(super) fn hex_digit(character: u8) -> Option<u8> {
    digit_in(&HEX_VALUES, character)
}

/// What no digit is worth: the tables below hold it for characters that are none.
const NO_DIGIT: u8 = 0xff;
const HEX_VALUES: [u8; 256] = values(b"0123456789abcdef", b"0123456789ABCDEF");
const BASE64_DIGITS: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_VALUES: [u8; 256] = values(BASE64_DIGITS, BASE64_DIGITS);

fn digit_in(values: &[u8; 256], character: u8) -> Option<u8> {
    let value = values.get(usize::from(character)).copied();
    value.filter(|value| *value != NO_DIGIT)
}

/// For each byte the place it has in one of the two lists of digits.
const fn values(digits: &[u8], or: &[u8]) -> [u8; 256] {
    const fn place(byte: u8, mut digits: &[u8]) -> u8 {
        let mut place = 0_u8;
        while let [digit, rest @ ..] = digits {
            if *digit == byte {
                return place;
            }
            place = place.wrapping_add(1);
            digits = rest;
        }
        NO_DIGIT
    }
    let mut table = [NO_DIGIT; 256];
    let mut slots: &mut [u8] = &mut table;
    let mut byte = 0_u8;
    while let Some((slot, rest)) = slots.split_first_mut() {
        *slot = match place(byte, digits) {
            NO_DIGIT => place(byte, or),
            place => place,
        };
        byte = byte.wrapping_add(1);
        slots = rest;
    }
    table
}

/// What is wrong with a word that should hold digits: its quotes, one character, or all of it.
fn refused(token: Token, text: &[u8], expected: &str, is_digit: impl Fn(u8) -> bool) -> RdataError {
    if token.quoted {
        return RdataError {
            span: token.span(),
            message: format!("{expected} stand without quotes, these are quoted"),
            help: Some(NO_QUOTES),
        };
    }
    let at = text.iter().position(|c| !is_digit(*c)).unwrap_or(0);
    let rest = text.get(at..).unwrap_or_default();
    let chunk = rest.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let length = chunk.chars().next().map_or(1, char::len_utf8);
    // A word that begins wrongly is mostly another one.
    let (start, found) = match rest.get(..length).filter(|_| at > 0) {
        Some(character) => (at, character),
        None => (0, text),
    };
    let start = token.start.saturating_add(start);
    RdataError {
        span: start..start.saturating_add(found.len()),
        message: format!("expected {expected}, found `{}`", shown(found)),
        help: quotes(text).or(match found {
            b":" => Some("write the digits without colons"),
            b"x" | b"X" => Some("write the digits without `0x` in front"),
            _ => None,
        }),
    }
}

/// Reads base64 that blanks may cut anywhere; padding is required.
pub(super) fn base64(run: &Run<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let (mut held, mut bits, mut padding) = (0_u32, 0_u32, 0_u32);
    let mut last = None;
    for (token, text) in run.parts() {
        last = Some(token);
        let whole = if bits == 0 && padding == 0 && !token.quoted {
            base64_quads(text, out)
        } else {
            0
        };
        for &character in text.get(whole..).unwrap_or_default() {
            if character == b'=' {
                padding = padding.saturating_add(1);
                continue;
            }
            let value = digit_in(&BASE64_VALUES, character)
                .filter(|_| padding == 0 && !token.quoted)
                .ok_or_else(|| {
                    let is_digit = |c| digit_in(&BASE64_VALUES, c).is_some();
                    refused(token, text, "base64", is_digit)
                })?;
            held = held << 6 | u32::from(value);
            bits = bits.saturating_add(6);
            if bits >= 8 {
                bits = bits.saturating_sub(8);
                out.push((held >> bits).to_be_bytes()[3]);
                held &= below(bits);
            }
        }
    }
    // 6 bits left belong to no octet; 4 or 2 must be zero and be padded by two or one `=`.
    let complete = matches!((bits, padding), (0, 0) | (4, 2) | (2, 1)) && held == 0;
    match last {
        Some(token) if !complete => Err(RdataError {
            span: token.span(),
            message: "the base64 is cut short or wrongly padded".to_owned(),
            help: None,
        }),
        _ => Ok(()),
    }
}

/// Reads groups of four digits as far as they go; says how many characters they are.
fn base64_quads(text: &[u8], out: &mut Vec<u8>) -> usize {
    let (quads, _) = text.as_chunks::<4>();
    let mut read = 0_usize;
    for quad in quads {
        let mut bits = 0_u32;
        let mut digits = 0_u8;
        for value in quad.map(|c| digit_in(&BASE64_VALUES, c).unwrap_or(NO_DIGIT)) {
            bits = bits << 6 | u32::from(value & 63);
            digits |= value;
        }
        if digits == NO_DIGIT {
            break;
        }
        let [_, octets @ ..] = bits.to_be_bytes();
        out.extend_from_slice(&octets);
        read = read.saturating_add(4);
    }
    read
}

/// Reads one word of base32hex without padding; `None` when it is not.
pub(super) fn base32hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (mut held, mut bits) = (0_u32, 0_u32);
    for &character in text {
        let value = match character.to_ascii_uppercase() {
            digit @ b'0'..=b'9' => digit.wrapping_sub(b'0'),
            letter @ b'A'..=b'V' => letter.wrapping_sub(b'A').wrapping_add(10),
            _ => return None,
        };
        held = held << 5 | u32::from(value);
        bits = bits.saturating_add(5);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            out.push((held >> bits).to_be_bytes()[3]);
            held &= below(bits);
        }
    }
    (bits < 5 && held == 0).then_some(())
}

/// Prints lower-case hexadecimal.
pub(super) fn write_hex(octets: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit =
        |value: u8| char::from(DIGITS.get(usize::from(value & 15)).copied().unwrap_or(b'0'));
    out.reserve(octets.len().saturating_mul(2));
    for octet in octets {
        out.push(digit(octet >> 4));
        out.push(digit(*octet));
    }
}

/// Prints base64 with padding.
pub(super) fn write_base64(octets: &[u8], out: &mut String) {
    let digit = |bits: u32| {
        let digit = BASE64_DIGITS.get((bits & 63) as usize).copied();
        char::from(digit.unwrap_or(b'='))
    };
    out.reserve(octets.len().div_ceil(3).saturating_mul(4));
    let (groups, rest) = octets.as_chunks();
    for [a, b, c] in groups {
        let bits = u32::from_be_bytes([0, *a, *b, *c]);
        out.extend([18, 12, 6, 0].map(|shift| digit(bits >> shift)));
    }
    match rest {
        [a] => {
            let bits = u32::from_be_bytes([0, *a, 0, 0]);
            out.extend([digit(bits >> 18), digit(bits >> 12), '=', '=']);
        }
        [a, b] => {
            let bits = u32::from_be_bytes([0, *a, *b, 0]);
            out.extend([digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), '=']);
        }
        _ => {}
    }
}

/// Prints base32hex without padding, in upper case as the examples of RFC 5155 are.
pub(crate) fn write_base32hex(octets: &[u8], out: &mut String) {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    let (mut held, mut bits) = (0_u32, 0_u32);
    let mut digit = |value: u32| {
        let digit = DIGITS.get((value & 31) as usize).copied().unwrap_or(b'0');
        out.push(char::from(digit));
    };
    for octet in octets {
        held = held << 8 | u32::from(*octet);
        bits = bits.saturating_add(8);
        while bits >= 5 {
            bits = bits.saturating_sub(5);
            digit(held >> bits);
        }
        held &= below(bits);
    }
    if bits > 0 {
        digit(held << 5_u32.saturating_sub(bits));
    }
}

/// A mask of the lowest `bits` bits.
fn below(bits: u32) -> u32 {
    (1_u32 << bits).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use crate::zone::record::{Rdata, Rtype};

    #[test]
    fn digits_may_be_cut_anywhere_but_not_be_odd() {
        let read = |text: &str| Rdata::from_text(Rtype::SSHFP, text.as_bytes(), None);
        for text in [
            "1 9 abcdef",
            "1 9 a bcde f",
            "1 9 a b c D E F",
            "1 9 abc def",
        ] {
            let octets: &[u8] = &[1, 9, 0xab, 0xcd, 0xef];
            assert_eq!(read(text).unwrap().0.as_ref(), octets, "{text}");
        }
        for text in [
            "1 9 abc",
            "1 9 a b c",
            "1 9 a",
            "1 9 ag",
            "1 9 ga",
            "1 9 a g",
            "1 9 \"ab\"",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
