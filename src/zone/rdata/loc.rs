//! Locations: latitude, longitude, altitude and their precision (RFC 1876 §2, §3).

use super::RdataError;
use super::words::Words;
use crate::zone::lexer::Token;
use std::fmt::Write as _;

/// The equator and the prime meridian in thousandths of an arc second.
const MIDDLE: u32 = 1 << 31;
/// The altitude that zero stands for lies 100 km under the reference spheroid; in centimetres.
const DEEPEST: i64 = 10_000_000;
/// Size, horizontal and vertical precision when not given: 1 m, 10 km, 10 m.
const PRECISIONS: [u8; 3] = [0x12, 0x16, 0x13];

/// Version 0, precisions with digits up to nine, coordinates on the globe.
pub(super) fn is_well_formed(octets: &[u8]) -> bool {
    let [version, size, horizontal, vertical, coordinates @ ..] = octets else {
        return false;
    };
    // What a later version means is not known here (RFC 1876 §2).
    if *version != 0 {
        return true;
    }
    let digits = |p: &u8| {
        let (mantissa, exponent) = (p >> 4, p & 15);
        mantissa <= 9 && exponent <= 9 && (mantissa != 0 || exponent == 0)
    };
    let precise = [size, horizontal, vertical].into_iter().all(digits);
    let Some((latitude, rest)) = coordinates.split_first_chunk::<4>() else {
        return false;
    };
    let Some((longitude, altitude)) = rest.split_first_chunk::<4>() else {
        return false;
    };
    let within = |angle: &[u8; 4], degrees: u32| {
        u32::from_be_bytes(*angle).abs_diff(MIDDLE) <= degrees.saturating_mul(3_600_000)
    };
    precise && within(latitude, 90) && within(longitude, 180) && altitude.len() == 4
}

/// Reads `d [m [s]] N|S d [m [s]] E|W altitude [size [horizontal [vertical]]]`.
pub(super) fn read(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    const EXPECTED: &str = "a size or precision from 0 to 90000000.00m";
    let latitude = angle(words, b'N', b'S', 90, "a latitude such as 51 30 12.748 N")?;
    let longitude = angle(words, b'E', b'W', 180, "a longitude such as 0 7 39.611 W")?;
    let (token, text) = words.word("an altitude such as 24.00m")?;
    let altitude = centimetres(text)
        .and_then(|cm| u32::try_from(cm.checked_add(DEEPEST)?).ok())
        .ok_or_else(|| words.refuse(token, "an altitude from -100000.00m to 42849672.95m"))?;
    let mut precisions = PRECISIONS;
    for slot in &mut precisions {
        if words.is_empty() {
            break;
        }
        let (token, text) = words.word(EXPECTED)?;
        *slot = precision(text).ok_or_else(|| words.refuse(token, EXPECTED))?;
    }
    out.push(0);
    out.extend(precisions);
    for number in [latitude, longitude, altitude] {
        out.extend(number.to_be_bytes());
    }
    Ok(())
}

/// One coordinate with its hemisphere.
fn angle(
    words: &mut Words<'_>,
    plus: u8,
    minus: u8,
    most: u32,
    expected: &str,
) -> Result<u32, RdataError> {
    let mut total = 0_u32;
    let mut last: Option<Token> = None;
    // Degrees, minutes, seconds, of which the latter may be absent; then the hemisphere.
    for (unit, limit) in [
        (3_600_000_u32, most.saturating_add(1)),
        (60_000, 60),
        (1_000, 60),
        (0, 0),
    ] {
        let (token, text) = words.word(expected)?;
        if let ([letter], Some(_)) = (text, last) {
            let letter = letter.to_ascii_uppercase();
            if letter == plus || letter == minus {
                if total > most.saturating_mul(3_600_000) {
                    return Err(words.refuse(last.unwrap_or(token), expected));
                }
                let signed = if letter == plus {
                    MIDDLE.checked_add(total)
                } else {
                    MIDDLE.checked_sub(total)
                };
                return signed.ok_or_else(|| words.refuse(token, expected));
            }
        }
        let value = part(text, unit, limit).ok_or_else(|| words.refuse(token, expected))?;
        total = total.saturating_add(value);
        last = Some(token);
    }
    Err(words.missing_here(&format!("expected {expected}")))
}

/// One number of a coordinate in thousandths of an arc second; only seconds have decimals.
fn part(text: &[u8], unit: u32, limit: u32) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) if unit == 1_000 => (whole, decimals),
        Some(_) => return None,
        None => (text, ""),
    };
    let value = digits(whole)?;
    (value < u64::from(limit)).then_some(())?;
    let thousandths = fraction(decimals, 3)?;
    u32::try_from(value)
        .ok()?
        .checked_mul(unit)?
        .checked_add(thousandths)
}

/// Decimal digits only, at least one.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
    text.parse().ok()
}

/// Up to `places` decimals as a whole number of the smallest unit.
fn fraction(decimals: &str, places: usize) -> Option<u32> {
    if decimals.len() > places || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{decimals:0<places$}").parse().ok()
}

/// A length in centimetres from metres with up to two decimals and an optional `m`.
fn centimetres(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_suffix(['m', 'M']).unwrap_or(text);
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |t| (true, t));
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let metres = i64::try_from(digits(whole)?).ok()?;
    let length = metres
        .checked_mul(100)?
        .checked_add(i64::from(fraction(decimals, 2)?))?;
    Some(if negative {
        length.saturating_neg()
    } else {
        length
    })
}

/// A precision as digit and power of ten, in centimetres (RFC 1876 §2), rounded down.
/// The largest size in centimetres: nine and nine zeros (RFC 1876 §2).
const LARGEST: u64 = 9_000_000_000;

fn precision(text: &[u8]) -> Option<u8> {
    let mut mantissa = u64::try_from(centimetres(text)?).ok()?;
    (mantissa <= LARGEST).then_some(())?;
    let mut exponent = 0_u8;
    while mantissa > 9 {
        mantissa /= 10;
        exponent = exponent.saturating_add(1);
    }
    let mantissa = u8::try_from(mantissa).ok()?;
    (exponent <= 9).then_some(mantissa << 4 | exponent)
}

/// Prints a location in the form of RFC 1876 §3.
pub(super) fn write(octets: &[u8], out: &mut String) -> Option<()> {
    let [0, size, horizontal, vertical, rest @ ..] = octets else {
        return None;
    };
    let (latitude, rest) = rest.split_first_chunk::<4>()?;
    let (longitude, altitude) = rest.split_first_chunk::<4>()?;
    write_angle(u32::from_be_bytes(*latitude), 'N', 'S', out);
    write_angle(u32::from_be_bytes(*longitude), 'E', 'W', out);
    let above = i64::from(u32::from_be_bytes(altitude.try_into().ok()?)).checked_sub(DEEPEST)?;
    let sign = if above < 0 { "-" } else { "" };
    let above = above.unsigned_abs();
    let _ = write!(out, "{sign}{}.{:02}m", above / 100, above % 100);
    for octet in [size, horizontal, vertical] {
        let length =
            u64::from(octet >> 4).checked_mul(10_u64.checked_pow(u32::from(octet & 15))?)?;
        let _ = match length % 100 {
            0 => write!(out, " {}m", length / 100),
            centimetres => write!(out, " {}.{centimetres:02}m", length / 100),
        };
    }
    Some(())
}

fn write_angle(angle: u32, plus: char, minus: char, out: &mut String) {
    let letter = if angle < MIDDLE { minus } else { plus };
    let angle = angle.abs_diff(MIDDLE);
    let (degrees, minutes) = (angle / 3_600_000, angle / 60_000 % 60);
    let (seconds, thousandths) = (angle / 1_000 % 60, angle % 1_000);
    let _ = write!(
        out,
        "{degrees} {minutes} {seconds}.{thousandths:03} {letter} "
    );
}
