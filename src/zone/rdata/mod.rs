//! RDATA of every type: text, wire and canonical form from one table of fields (RFC 1035 §3.3 and the RFC of each type).
//!
//! `schema` says which fields a type has; reading, printing, checking and lower-casing follow from it. A type that
//! is not in the table is read and printed in the generic form of RFC 3597 only.

mod address;
mod apl;
pub(crate) mod bitmap;
mod codec;
mod gateway;
mod hip;
mod historic;
mod loc;
mod mnemonics;
mod nsap;
mod read;
mod schema;
mod soa;
mod svcb;
mod tlsa;
mod wks;
mod words;
mod write;

pub(crate) use codec::write_base32hex;
pub use soa::Soa;
pub use tlsa::TlsaFault;
pub(crate) use tlsa::fault as tlsa_fault;
pub(crate) use words::{Words, shown};

use crate::zone::lexer::Lexer;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use schema::Field;
use std::borrow::Cow;
use std::ops::Range;

/// Why a text is not RDATA of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RdataError {
    /// Where in the text, in bytes. Empty where something is missing.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// The way out, where there is one to name.
    pub help: Option<&'static str>,
}

/// The octets are not RDATA of this type (too short, too long, or a field out of bounds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the octets are not well-formed {0} data")]
pub struct Malformed(pub Rtype);

impl Rdata {
    /// Reads the text form as it stands in a master file behind the type; names may be relative to `origin`.
    ///
    /// ```
    /// use tlsa_rotate::zone::record::{Rdata, Rtype};
    /// let mx = Rdata::from_text(Rtype::MX, b"10 mx1.example.com.", None).unwrap();
    /// assert_eq!(mx.to_text(Rtype::MX), "10 mx1.example.com.");
    /// ```
    pub fn from_text(rtype: Rtype, text: &[u8], origin: Option<&Name>) -> Result<Self, RdataError> {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        let line = lexer.next_line(&mut tokens);
        let whole = |message: &str| RdataError {
            span: 0..text.len(),
            message: message.to_owned(),
            help: None,
        };
        if line.as_ref().is_some_and(|l| l.fault.is_some()) {
            return Err(whole("a quote or a parenthesis has no partner"));
        }
        if line.is_some_and(|l| l.end != text.len()) {
            return Err(whole("RDATA is one logical line, this is several"));
        }
        let mut octets = Vec::new();
        let mut words = Words::new(text, &tokens, origin.map(Name::wire), text.len());
        encode(rtype, &mut words, &mut octets)?;
        Ok(Self(octets.into()))
    }

    /// The text form on one line, names absolute; octets that are not well-formed come out as `\# length hex`.
    pub fn to_text(&self, rtype: Rtype) -> String {
        let mut text = String::new();
        write_text(rtype, &self.0, &mut text);
        text
    }

    /// The canonical form: embedded names in lower case for the types of RFC 4034 §6.2 as updated by RFC 6840 §5.1.
    pub fn canonical(&self, rtype: Rtype) -> Cow<'_, [u8]> {
        canonical(rtype, &self.0)
    }

    /// Whether the octets are well-formed for the type; types without a table entry always are.
    pub fn check(&self, rtype: Rtype) -> Result<(), Malformed> {
        check(rtype, &self.0)
    }
}

/// Reads the RDATA that `words` hold and appends its octets to `out`.
pub(crate) fn encode(
    rtype: Rtype,
    words: &mut Words<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    if words.is_generic(rtype) {
        return read::generic(rtype, words, out);
    }
    let Some(fields) = schema::fields(rtype) else {
        return Err(words.missing_here(
            "this type has no text form here; write it as `\\# length hex` (RFC 3597)",
        ));
    };
    let start = out.len();
    let whole = words.clone();
    for (number, field) in fields.iter().enumerate() {
        read::field(*field, words, out).map_err(|mut error| {
            if rtype == Rtype::MX && number == 0 && error.help.is_none() {
                error.help = Some("the preference stands in front of the host: `MX 10 mx1`");
            }
            error
        })?;
    }
    words.finish()?;
    let length = out.len().saturating_sub(start);
    if length > usize::from(u16::MAX) {
        return Err(whole.whole("the data is longer than 65535 octets"));
    }
    if rtype == Rtype::KEY {
        key_fits(out.get(start..).unwrap_or_default()).map_err(|why| whole.whole(why))?;
    }
    match schema::digest_lengths(rtype, out.get(start..).unwrap_or_default()) {
        Some((wanted, found)) if wanted != found => Err(whole.whole(&format!(
            "the digest has {found} octets, one of its type has {wanted}"
        ))),
        _ => Ok(()),
    }
}

/// KEY says by its flags whether a key follows (RFC 2535 §3.1.2).
fn key_fits(octets: &[u8]) -> Result<(), &'static str> {
    let no_key = octets.first().is_some_and(|flags| flags & 0xc0 == 0xc0);
    match (no_key, octets.len() > KEY_FIELDS) {
        (true, true) => Err("a key follows, although the flags say that there is none"),
        (false, false) => Err("the key is missing"),
        _ => Ok(()),
    }
}

/// Prints RDATA as every server reads it that is in use: in the generic form where one does not know the type, or not data
/// of it that lacks its last field.
pub(crate) fn write_in_zone(rtype: Rtype, octets: &[u8], out: &mut String) {
    let lacks_key = match rtype {
        Rtype::KEY => octets.len() == KEY_FIELDS,
        // Algorithm 0: no key (RFC 4025 §2.4).
        Rtype::IPSECKEY => octets.get(2) == Some(&0),
        Rtype::CSYNC => octets.len() == CSYNC_FIELDS,
        _ => false,
    };
    if rtype.is_known_everywhere() && !lacks_key {
        write_text(rtype, octets, out);
    } else {
        write::generic(octets, out);
    }
}

/// Octets in front of the key of KEY and DNSKEY (RFC 4034 §2.1).
const KEY_FIELDS: usize = 4;
/// Octets in front of the types of CSYNC (RFC 7477 §2.1).
const CSYNC_FIELDS: usize = 6;

/// Prints RDATA; falls back to the generic form of RFC 3597 §5.
pub(crate) fn write_text(rtype: Rtype, octets: &[u8], out: &mut String) {
    let start = out.len();
    if write::known(rtype, octets, out).is_none() {
        out.truncate(start);
        write::generic(octets, out);
    }
}

/// Checks that octets are well-formed for the type.
pub(crate) fn check(rtype: Rtype, octets: &[u8]) -> Result<(), Malformed> {
    let Some(fields) = schema::fields(rtype) else {
        return Ok(());
    };
    let mut rest = octets;
    for field in fields {
        (_, rest) = schema::split(*field, rest).ok_or(Malformed(rtype))?;
    }
    let digest_fits =
        schema::digest_lengths(rtype, octets).is_none_or(|(wanted, found)| wanted == found);
    let key_fits = rtype != Rtype::KEY || key_fits(octets).is_ok();
    if rest.is_empty() && digest_fits && key_fits {
        Ok(())
    } else {
        Err(Malformed(rtype))
    }
}

/// See [`Rdata::canonical`].
pub(crate) fn canonical(rtype: Rtype, octets: &[u8]) -> Cow<'_, [u8]> {
    let fields = schema::fields(rtype).unwrap_or_default();
    let folds = |f: &Field| matches!(f, Field::Name | Field::NameMaybe);
    if !fields.iter().any(folds) || !octets.iter().any(u8::is_ascii_uppercase) {
        return Cow::Borrowed(octets);
    }
    let mut folded = Vec::with_capacity(octets.len());
    let mut rest = octets;
    for field in fields {
        let Some((part, after)) = schema::split(*field, rest) else {
            break;
        };
        rest = after;
        if folds(field) {
            folded.extend(part.iter().map(u8::to_ascii_lowercase));
        } else {
            folded.extend_from_slice(part);
        }
    }
    folded.extend_from_slice(rest);
    Cow::Owned(folded)
}

/// Types whose names some implementations put in lower case before they sign and check, and others leave as they are: A6 is
/// in the list of RFC 4034 §6.2 and unknown to Knot and ldns, NSAP-PTR is not in it and folded by BIND.
pub(crate) const FOLDED_BY_SOME: [Rtype; 2] = [Rtype::A6, Rtype::NSAP_PTR];

/// Whether two data of one type are the same record (RFC 2181 §5, RFC 4034 §6.2).
pub(crate) fn same(rtype: Rtype, a: &[u8], b: &[u8]) -> bool {
    a == b || (a.eq_ignore_ascii_case(b) && canonical(rtype, a) == canonical(rtype, b))
}

/// For types that end in hexadecimal digits: how many words stand before them.
pub(crate) fn words_before_hex(rtype: Rtype) -> Option<usize> {
    match schema::fields(rtype)?.split_last()? {
        (Field::Hex, before) => Some(before.len()),
        _ => None,
    }
}
