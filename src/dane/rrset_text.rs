//! TLSA records as people have them at hand: bare `3 1 1 …` lines, or lines of a zone file (RFC 6698 §2.2, RFC 1035 §5.1).
//!
//! Reads TLSA records only: other record types, `$TTL` and comments are passed over, anything else is an error.

use crate::rotation::association::Association;

/// One TLSA record of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line it begins on, counted from 1.
    pub number: usize,
    /// The absolute owner name with its final dot, lower case; `None` for a bare line.
    pub owner: Option<String>,
    /// What the record says.
    pub association: Association,
}

/// Why a text is not TLSA records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct NotRecords {
    /// The line.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// The TLSA records of `text`, in order.
pub fn read(text: &str) -> Result<Vec<Line>, NotRecords> {
    let mut found = Vec::new();
    let mut origin: Option<String> = None;
    let mut owner: Option<String> = None;
    for (number, entry) in entries(text)? {
        let wrong = |reason: String| NotRecords {
            line: number,
            reason,
        };
        let mut words: Vec<&str> = entry.split_ascii_whitespace().collect();
        match words.as_slice() {
            [] => continue,
            [directive, name, ..] if directive.eq_ignore_ascii_case("$ORIGIN") => {
                origin = Some(absolute(name, origin.as_deref()).map_err(wrong)?);
                continue;
            }
            [directive, ..] if directive.eq_ignore_ascii_case("$TTL") => continue,
            [directive, ..] if directive.starts_with('$') => {
                return Err(wrong(format!("`{directive}` is not read here")));
            }
            _ => {}
        }
        if let Ok(association) = entry.parse::<Association>() {
            found.push(Line {
                number,
                owner: None,
                association,
            });
            continue;
        }
        if !entry.starts_with([' ', '\t']) {
            owner = Some(absolute(words.remove(0), origin.as_deref()).map_err(wrong)?);
        }
        if let Some(rdata) = tlsa_rdata(&words).map_err(wrong)? {
            let association = rdata.parse().map_err(|e| wrong(format!("{e}")))?;
            let of_none = || wrong("a record without an owner".to_owned());
            found.push(Line {
                number,
                owner: Some(owner.clone().ok_or_else(of_none)?),
                association,
            });
        }
    }
    Ok(found)
}

/// Lines without their comments, those within parentheses joined, each with the number of its first.
fn entries(text: &str) -> Result<Vec<(usize, String)>, NotRecords> {
    let mut entries: Vec<(usize, String)> = Vec::new();
    let mut open: Option<usize> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split(';').next().unwrap_or_default();
        let was_open = open;
        for byte in line.bytes() {
            let nested = matches!((byte, open), (b'(', Some(_)) | (b')', None));
            if nested {
                return Err(NotRecords {
                    line: number,
                    reason: "parentheses that do not pair".to_owned(),
                });
            }
            match byte {
                b'(' => open = Some(number),
                b')' => open = None,
                _ => {}
            }
        }
        let plain = line.replace(['(', ')'], " ");
        match entries.last_mut() {
            Some((_, entry)) if was_open.is_some() => {
                entry.push(' ');
                entry.push_str(&plain);
            }
            _ => entries.push((number, plain)),
        }
    }
    match open {
        Some(line) => Err(NotRecords {
            line,
            reason: "a parenthesis that is never closed".to_owned(),
        }),
        None => Ok(entries),
    }
}

/// What follows the type, if that is TLSA; `None` for a record of another type.
fn tlsa_rdata(after_owner: &[&str]) -> Result<Option<String>, String> {
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

fn absolute(name: &str, origin: Option<&str>) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    match origin {
        _ if name.ends_with('.') => Ok(name),
        Some(origin) if name == "@" => Ok(origin.to_owned()),
        Some(".") => Ok(format!("{name}.")),
        Some(origin) => Ok(format!("{name}.{origin}")),
        None => Err(format!(
            "the name `{name}` is relative: end it with a dot, or put `$ORIGIN` in front"
        )),
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
        let read: Vec<(usize, Option<String>, String)> = read(text)
            .unwrap()
            .into_iter()
            .map(|l| (l.number, l.owner, l.association.to_string()))
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
            ("\n3 1 1", "line 2: the name `3` is relative", "no data"),
            ("3 1 1 0", "line 1: the name `3`", "half an octet"),
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
                "line 1: parentheses that do not pair",
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
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{why}: {error}");
        }
    }
}
