//! Octets as hexadecimal, base64 and base32hex, and back (RFC 4648 §4, §7, §8).

use super::RdataError;
use super::words::{Run, shown};
use crate::zone::lexer::Token;
use std::fmt::Write as _;

/// Reads hexadecimal digits that blanks may cut anywhere.
pub(super) fn hex(run: &Run<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut high: Option<u8> = None;
    let mut last = None;
    for (token, text) in run.parts() {
        last = Some(token);
        for &character in text {
            let digit = hex_digit(character)
                .filter(|_| !token.quoted)
                .ok_or_else(|| refused(token, text, "hexadecimal digits"))?;
            high = match high {
                None => Some(digit),
                Some(high) => {
                    out.push(high << 4 | digit);
                    None
                }
            };
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

fn hex_digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(character.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(character.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

fn refused(token: Token, text: &[u8], expected: &str) -> RdataError {
    RdataError {
        span: token.span(),
        message: format!("expected {expected}, found `{}`", shown(text)),
        help: None,
    }
}

/// Reads base64 that blanks may cut anywhere; padding is required.
pub(super) fn base64(run: &Run<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let (mut held, mut bits, mut padding) = (0_u32, 0_u32, 0_u32);
    let mut last = None;
    for (token, text) in run.parts() {
        last = Some(token);
        for &character in text {
            if character == b'=' {
                padding = padding.saturating_add(1);
                continue;
            }
            let value = base64_value(character)
                .filter(|_| padding == 0 && !token.quoted)
                .ok_or_else(|| refused(token, text, "base64"))?;
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

fn base64_value(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character.wrapping_sub(b'A')),
        b'a'..=b'z' => Some(character.wrapping_sub(b'a').wrapping_add(26)),
        b'0'..=b'9' => Some(character.wrapping_sub(b'0').wrapping_add(52)),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
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
    for octet in octets {
        // Writing to a String cannot fail.
        let _ = write!(out, "{octet:02x}");
    }
}

/// Prints base64 with padding.
pub(super) fn write_base64(octets: &[u8], out: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in octets.chunks(3) {
        let octet = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = DIGITS.get((bits >> shift & 63) as usize).copied();
            let digit = digit.filter(|_| at <= group.len()).unwrap_or(b'=');
            out.push(char::from(digit));
        }
    }
}

/// Prints base32hex without padding, in upper case as the examples of RFC 5155 are.
pub(super) fn write_base32hex(octets: &[u8], out: &mut String) {
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
