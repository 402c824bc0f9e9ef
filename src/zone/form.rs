//! The fields of one line: owner, TTL, class, type and data of a record, arguments of a directive (RFC 1035 §5.1).

use crate::zone::lexer::{Line, Token};
use crate::zone::rdata::{RdataError, shown};
use crate::zone::record::Rtype;
use crate::zone::ttl;
use std::ops::Range;

/// The largest TTL (RFC 2181 §8).
pub(super) const MAX_TTL: u32 = i32::MAX as u32;

/// The fields of a record line, before anything is known about their contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'t> {
    /// The owner field; `None` when the line begins with a blank.
    pub(crate) owner: Option<Token>,
    pub(crate) ttl: Option<Token>,
    pub(crate) class: Option<Token>,
    pub(crate) type_field: Token,
    pub(crate) rtype: Rtype,
    /// The tokens of the data.
    pub(crate) data: &'t [Token],
}

impl<'t> Form<'t> {
    /// Tells the fields of a record line apart; TTL and class may stand in either order.
    pub(crate) fn of(line: &Line, tokens: &'t [Token], file: &[u8]) -> Result<Self, RdataError> {
        let mut rest = tokens;
        let mut owner = None;
        if !line.indented {
            if let Some((first, after)) = rest.split_first() {
                owner = Some(*first);
                rest = after;
            }
        }
        let (mut ttl, mut class) = (None, None);
        while let Some((token, after)) = rest.split_first() {
            let text = token.text(file);
            if token.quoted {
                break;
            } else if ttl.is_none()
                && text.first().is_some_and(u8::is_ascii_digit)
                && ttl::seconds(text).is_some()
            {
                ttl = Some(*token);
            } else if class.is_none() && is_class(text) {
                class = Some(*token);
            } else {
                break;
            }
            rest = after;
        }
        let Some((type_field, data)) = rest.split_first() else {
            let end = tokens.last().map_or(line.end, |t| t.end);
            return Err(wrong(end..end, "the record type is missing"));
        };
        let text = type_field.text(file);
        let rtype = Rtype::parse(text).filter(|_| !type_field.quoted);
        let rtype = rtype.ok_or_else(|| {
            let found = shown(file.get(type_field.span()).unwrap_or_default());
            let mut error = wrong(
                type_field.span(),
                format!("expected a record type such as A or MX, found `{found}`"),
            );
            let owner_is_type = owner.is_some_and(|o| Rtype::parse(o.text(file)).is_some());
            if owner_is_type && ttl.is_none() && class.is_none() {
                error.help = Some("a line that continues the previous owner begins with a blank");
            }
            error
        })?;
        Ok(Self {
            owner,
            ttl,
            class,
            type_field: *type_field,
            rtype,
            data,
        })
    }
}

/// `IN` and the other classes by name, and `CLASSnn` (RFC 3597 §5).
fn is_class(text: &[u8]) -> bool {
    let known = [&b"IN"[..], b"CH", b"HS", b"CS", b"CHAOS", b"HESIOD"];
    known.iter().any(|k| text.eq_ignore_ascii_case(k)) || class_number(text).is_some()
}

pub(super) fn class_number(text: &[u8]) -> Option<u16> {
    let (word, digits) = text.split_at_checked(5)?;
    let plain = word.eq_ignore_ascii_case(b"CLASS") && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()?
        .parse()
        .ok()
        .filter(|_| plain)
}

pub(crate) fn wrong(span: Range<usize>, message: impl Into<String>) -> RdataError {
    RdataError {
        span,
        message: message.into(),
        help: None,
    }
}

/// A TTL field.
pub(super) fn ttl_value(token: Token, file: &[u8]) -> Result<u32, RdataError> {
    let text = token.text(file);
    match ttl::seconds(text).filter(|_| !token.quoted) {
        Some(ttl) if ttl <= MAX_TTL => Ok(ttl),
        Some(_) => Err(wrong(
            token.span(),
            format!("a TTL is at most {MAX_TTL} seconds (RFC 2181 §8)"),
        )),
        None => Err(wrong(
            token.span(),
            format!(
                "expected a time such as 3600 or 1h, found `{}`",
                shown(text)
            ),
        )),
    }
}

/// The first argument of a directive and those behind it.
pub(super) fn argument<'t>(
    name: Token,
    arguments: &'t [Token],
    expected: &str,
) -> Result<(Token, &'t [Token]), RdataError> {
    match arguments.split_first() {
        Some((first, rest)) => Ok((*first, rest)),
        None => Err(wrong(name.end..name.end, format!("{expected} is missing"))),
    }
}

pub(super) fn nothing_after(rest: &[Token], file: &[u8]) -> Result<(), RdataError> {
    match rest.first() {
        None => Ok(()),
        Some(token) => {
            let found = shown(file.get(token.span()).unwrap_or_default());
            Err(wrong(
                token.span(),
                format!("`{found}` is more than the directive takes"),
            ))
        }
    }
}
