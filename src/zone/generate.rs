//! `$GENERATE`: one line that stands for many records, as BIND defines it (no RFC does).
//!
//! `$GENERATE start-stop[/step] owner [ttl] [class] type data`: `$` in owner and data becomes the number, `${offset,width,base}`
//! the number plus `offset`, padded to `width`, in base d, o, x, X, n or N (nibbles, lowest first).

use crate::zone::form::wrong;
use crate::zone::lexer::Token;
use crate::zone::rdata::{RdataError, shown};
use std::ops::Range;

/// How many records `$GENERATE` may make in one zone.
pub(crate) const MOST: u64 = 1_000_000;

/// How much text `$GENERATE` may make in one zone, in octets.
pub(crate) const MOST_TEXT: u64 = 1 << 28;

/// A `$GENERATE` line, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Template<'t> {
    first: u32,
    last: u32,
    step: u32,
    /// Where the range stands.
    pub(crate) range: Range<usize>,
    /// Owner, then TTL, class, type and data.
    fields: &'t [Token],
}

impl<'t> Template<'t> {
    /// Takes the arguments of the directive apart.
    pub(crate) fn of(name: Token, arguments: &'t [Token], file: &[u8]) -> Result<Self, RdataError> {
        let Some((range, fields)) = arguments.split_first() else {
            return Err(wrong(name.end..name.end, "a range such as 1-10 is missing"));
        };
        let text = range.text(file);
        let (first, last, step) = std::str::from_utf8(text)
            .ok()
            .and_then(parse_range)
            .ok_or_else(|| {
                let found = shown(text);
                wrong(
                    range.span(),
                    format!("expected a range such as 1-10 or 0-30/2, found `{found}`"),
                )
            })?;
        if fields.len() < 3 {
            let end = fields.last().map_or(range.end, |t| t.end);
            return Err(wrong(
                end..end,
                "owner, type and data must follow the range",
            ));
        }
        Ok(Self {
            first,
            last,
            step,
            range: range.span(),
            fields,
        })
    }

    /// How many records the line stands for.
    pub(crate) fn count(&self) -> u64 {
        let last = u64::from(self.last.saturating_sub(self.first));
        last.checked_div(u64::from(self.step))
            .unwrap_or(0)
            .saturating_add(1)
    }

    /// The numbers.
    pub(crate) fn values(&self) -> impl Iterator<Item = u32> + use<> {
        (self.first..=self.last).step_by(usize::try_from(self.step).unwrap_or(usize::MAX).max(1))
    }

    /// The record line for one number.
    pub(crate) fn line(&self, value: u32, file: &[u8]) -> Result<Vec<u8>, RdataError> {
        let mut line = Vec::new();
        for (at, token) in self.fields.iter().enumerate() {
            if at > 0 {
                line.push(b' ');
            }
            let refused = |message: &str| wrong(token.span(), message);
            // A last field in quotes holds several words of data, as in `MX "10 mx$"`.
            substitute(token.text(file), value, &mut line).map_err(refused)?;
        }
        Ok(line)
    }
}

/// How wide a number may be padded; BIND has room for no more.
const WIDEST: usize = 127;

fn parse_range(text: &str) -> Option<(u32, u32, u32)> {
    let number = |text: &str| {
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>()
            .ok()
            .filter(|n| plain && i32::try_from(*n).is_ok())
    };
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, number(step).filter(|s| *s > 0)?),
        None => (text, 1),
    };
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last, step))
}

fn substitute(mut text: &[u8], value: u32, line: &mut Vec<u8>) -> Result<(), &'static str> {
    while let Some((byte, rest)) = text.split_first() {
        text = rest;
        match (byte, rest) {
            // `\$` and `$$` are a `$`; what else is escaped stays as it is.
            (b'\\' | b'$', [b'$', after @ ..]) => {
                line.extend_from_slice(b"\\$");
                text = after;
            }
            (b'\\', [escaped, after @ ..]) => {
                line.extend_from_slice(&[b'\\', *escaped]);
                text = after;
            }
            (b'$', [b'{', after @ ..]) => {
                let end = after
                    .iter()
                    .position(|b| *b == b'}')
                    .ok_or("`${` is not closed by `}`")?;
                let (modifier, after) = after.split_at_checked(end).unwrap_or_default();
                formatted(modifier, value, line)
                    .ok_or("expected `${offset}`, `${offset,width}` or `${offset,width,base}`")?;
                text = after.get(1..).unwrap_or_default();
            }
            (b'$', _) => line.extend(value.to_string().bytes()),
            _ => line.push(*byte),
        }
    }
    Ok(())
}

/// Appends the number as a modifier says.
fn formatted(modifier: &[u8], value: u32, line: &mut Vec<u8>) -> Option<()> {
    let modifier = std::str::from_utf8(modifier).ok()?;
    let mut parts = modifier.split(',');
    let offset: i32 = parts.next()?.parse().ok()?;
    let width: usize = parts.next().map_or(Some(0), |w| w.parse().ok())?;
    let base = parts.next().unwrap_or("d");
    if parts.next().is_some() || width > WIDEST {
        return None;
    }
    let signed = i32::try_from(value).ok()?.checked_add(offset)?;
    // Below zero only decimal has a sign; in the other bases it is the number modulo 2^32.
    let number = signed.cast_unsigned();
    let text = match base {
        "d" => format!("{signed:0width$}"),
        "o" => format!("{number:0width$o}"),
        "x" => format!("{number:0width$x}"),
        "X" => format!("{number:0width$X}"),
        "n" => nibbles(&format!("{number:x}"), width),
        "N" => nibbles(&format!("{number:X}"), width),
        _ => return None,
    };
    line.extend(text.bytes());
    Some(())
}

/// Hexadecimal digits, lowest first, each dot counted by `width` like a digit; an even width ends in a dot, as in BIND.
fn nibbles(digits: &str, width: usize) -> String {
    let mut text = String::new();
    let mut rest = digits.chars().rev().peekable();
    while rest.peek().is_some() || text.len() < width {
        text.push(rest.next().unwrap_or('0'));
        if rest.peek().is_some() || text.len() < width {
            text.push('.');
        }
    }
    text
}
