//! TLSA records as people have them at hand: bare `3 1 1 …` lines, or lines of a zone file (RFC 6698 §2.2, RFC 1035 §5.1).
//!
//! Unlike a zone, such a text needs neither SOA nor TTL, and its data may be wrong: judging that is the point.
//! Records of other types, `$TTL` and comments are passed over; anything else is an error.

use crate::files::secret;
use crate::rotation::association::Association;
use crate::zone::lexer::{Fault, Lexer, Token};
use crate::zone::name::Name;

/// One TLSA record of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsaLine {
    /// The line it begins on, counted from 1.
    pub number: usize,
    /// The owner; `None` for a bare line.
    pub owner: Option<Name>,
    /// What the record says.
    pub association: Association,
}

/// Why a text is not TLSA records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct NotRecords {
    line: usize,
    reason: String,
}

/// The TLSA records of `text`, in order.
pub fn read(text: &[u8]) -> Result<Vec<TlsaLine>, NotRecords> {
    if let Some(what) = secret::kind(text) {
        let reason = format!("{what} is in this file, where TLSA records are expected");
        return Err(NotRecords { line: 1, reason });
    }
    let mut found = Vec::new();
    let mut names = Names::default();
    let mut lexer = Lexer::new(text);
    let mut tokens: Vec<Token> = Vec::new();
    let (mut number, mut counted) = (1_usize, 0_usize);
    while let Some(line) = lexer.next_line(&mut tokens) {
        let start = tokens.first().map_or(line.start, |token| token.start);
        let ends = text.get(counted..start).unwrap_or_default();
        let lines = ends.split(|byte| *byte == b'\n').count();
        number = number.saturating_add(lines).saturating_sub(1);
        counted = start;
        let wrong = |reason: String| NotRecords {
            line: number,
            reason,
        };
        if let Some(fault) = line.fault {
            return Err(wrong(said(fault).to_owned()));
        }
        let whole = text.get(start..line.end).unwrap_or_default();
        if secret::may_be_in(whole) || secret::may_be_last_in(whole, text) {
            let reason = "no record, and it may be a line of a key: it is not shown";
            return Err(wrong(reason.to_owned()));
        }
        let words: Vec<String> = tokens
            .iter()
            .map(|token| String::from_utf8_lossy(token.text(text)).into_owned())
            .collect();
        if let Some((owner, association)) = names.record(&words, line.indented).map_err(wrong)? {
            found.push(TlsaLine {
                number,
                owner,
                association,
            });
        }
    }
    Ok(found)
}

fn said(fault: Fault) -> &'static str {
    match fault {
        Fault::OpenQuote(_) => "a quote that is never closed",
        Fault::OpenParenthesis(_) => "a parenthesis that is never closed",
        Fault::StrayParenthesis(_) => "a `)` without its `(`",
        Fault::TooManyWords(_) => "more words than any record has",
    }
}

/// What a line's names are relative to, and the owner that a line beginning with a blank goes on with.
#[derive(Default)]
struct Names {
    origin: Option<Name>,
    owner: Option<Name>,
}

impl Names {
    fn record(
        &mut self,
        words: &[String],
        indented: bool,
    ) -> Result<Option<(Option<Name>, Association)>, String> {
        let Some((first, rest)) = words.split_first() else {
            return Ok(None);
        };
        match (first.to_ascii_uppercase().as_str(), rest) {
            ("$ORIGIN", [name, ..]) => {
                self.origin = Some(self.absolute(name)?);
                return Ok(None);
            }
            ("$TTL", _) => return Ok(None),
            (directive, _) if directive.starts_with('$') => {
                return Err(format!("`{first}` is not read here"));
            }
            _ => {}
        }
        match words.join(" ").parse::<Association>() {
            Ok(association) => return Ok(Some((None, association))),
            // No record begins with three numbers: these were meant to be one.
            Err(why) if is_bare(words) => return Err(why.to_string()),
            Err(_) => {}
        }
        let after_owner = if indented {
            words
        } else {
            self.owner = Some(self.absolute(first)?);
            rest
        };
        let Some(rdata) = tlsa_rdata(after_owner)? else {
            return Ok(None);
        };
        let association = rdata.parse().map_err(|e| format!("{e}"))?;
        let owner = self.owner.clone().ok_or("a record without an owner")?;
        Ok(Some((Some(owner), association)))
    }

    fn absolute(&self, name: &str) -> Result<Name, String> {
        if let (Some(origin), "@") = (&self.origin, name) {
            return Ok(origin.clone());
        }
        Name::parse(name.as_bytes(), self.origin.as_ref())
            .map_err(|e| format!("`{name}`: {e}; end it with a dot, or put `$ORIGIN` in front"))
    }
}

fn is_bare(words: &[String]) -> bool {
    let fields = words.get(..3).unwrap_or_default();
    !fields.is_empty() && fields.iter().all(|word| word.parse::<u8>().is_ok())
}

/// What follows the type, if that is TLSA; `None` for a record of another type.
fn tlsa_rdata(after_owner: &[String]) -> Result<Option<String>, String> {
    let mut words = after_owner;
    while let Some((word, rest)) = words.split_first() {
        let is_ttl = word.starts_with(|c: char| c.is_ascii_digit());
        let is_class = word.eq_ignore_ascii_case("IN");
        if !(is_ttl || is_class) {
            break;
        }
        words = rest;
    }
    let skipped = after_owner.len().saturating_sub(words.len());
    match words.split_first() {
        Some((rtype, rdata)) if rtype.eq_ignore_ascii_case("TLSA") => Ok(Some(rdata.join(" "))),
        Some((rtype, [_, ..]))
            if skipped <= 2 && rtype.chars().all(|c| c.is_ascii_alphanumeric()) =>
        {
            Ok(None)
        }
        _ => Err("neither `usage selector matching hex` nor a record of a zone file".to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bare_lines_and_zone_lines_are_read() {
        let text = "; what we publish\n3 1 1 AA bb ; old\n\n$TTL 3600\n$ORIGIN example.com.\n\
                    _25._tcp.MX1 IN 3600 TLSA 3 1 1 (\n  cc ; first half\n  dd )\n\tTLSA 2 1 1 ee\n\
                    mx1 IN A 192.0.2.1\n_25._tcp.mx1.example.com. 60 IN RRSIG TLSA 13 5 60 x\n";
        let read: Vec<(usize, Option<String>, String)> = read(text.as_bytes())
            .unwrap()
            .into_iter()
            .map(|l| {
                (
                    l.number,
                    l.owner.map(|o| o.to_string().to_ascii_lowercase()),
                    l.association.to_string(),
                )
            })
            .collect();
        let owner = Some("_25._tcp.mx1.example.com.".to_owned());
        assert_eq!(
            read,
            [
                (2, None, "3 1 1 aabb".to_owned()),
                (6, owner.clone(), "3 1 1 ccdd".to_owned()),
                (9, owner, "2 1 1 ee".to_owned()),
            ]
        );
    }

    #[test]
    fn anything_else_is_refused_with_its_line() {
        let table = [
            ("\n3 1 1", "line 2: `3 1 1` is not TLSA data", "no data"),
            (
                "3 1 1 0",
                "line 1: `3 1 1 0` is not TLSA data",
                "half an octet",
            ),
            ("3 1 1 zz", "line 1: `3 1 1 zz` is not TLSA data", "no hex"),
            (
                "3 60 IN TLSA 3 1 1 00",
                "line 1: `3`: the name is relative",
                "an owner that is a number",
            ),
            (
                "_25._tcp.a. TLSA 3 1 1 xx",
                "line 1: `3 1 1 xx` is not TLSA data",
                "not hex",
            ),
            (
                "\t TLSA 3 1 1 00",
                "line 1: a record without an owner",
                "no owner before",
            ),
            (
                "a. TLSA ( 3 1 1 00",
                "line 1: a parenthesis that is never closed",
                "open",
            ),
            (
                "a. TLSA 3 1 1 00 )",
                "line 1: a `)` without its `(`",
                "closed twice",
            ),
            (
                "$INCLUDE x",
                "line 1: `$INCLUDE` is not read here",
                "another file",
            ),
            ("hello.", "line 1: neither", "prose"),
        ];
        for (text, expected, why) in table {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{why}: {error}");
        }
    }
}
