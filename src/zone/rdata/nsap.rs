//! OSI addresses in text: `0x` and hexadecimal digits, dots anywhere between octets (RFC 1706 §7).

use super::RdataError;
use super::words::Words;

/// Reads an address.
pub(super) fn read(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    const EXPECTED: &str = "an NSAP address such as 0x47.0005.80.005a00";
    let (token, text) = words.word(EXPECTED)?;
    let octets = octets(text).ok_or_else(|| words.refuse(token, EXPECTED))?;
    out.extend(octets);
    Ok(())
}

fn octets(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text
        .strip_prefix(b"0x")
        .or_else(|| text.strip_prefix(b"0X"))?;
    let mut octets = Vec::new();
    let mut high = None;
    for character in digits.iter().filter(|c| **c != b'.') {
        let digit = u8::try_from(char::from(*character).to_digit(16)?).ok()?;
        high = match high {
            None => Some(digit),
            Some(high) => {
                octets.push(high << 4 | digit);
                None
            }
        };
    }
    (high.is_none() && !octets.is_empty()).then_some(octets)
}
