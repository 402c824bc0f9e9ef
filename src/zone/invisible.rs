//! Characters in a master file that nobody sees, or takes for others: what pages and editors put into text that is copied.

use crate::zone::diagnostic::{Finding, Kind, Severity};
use crate::zone::lexer::{Line, Token};
use std::ops::Range;

/// What a file begins with that an editor marked as UTF-8.
const UTF_8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// What files begin with that are taken for zones and are no text, what each is, and how it becomes one.
const NO_TEXT: &[(&[u8], &str, &str)] = &[
    (
        &[0, 0, 0, 2],
        "the file is a zone in BIND's raw format, as its secondaries keep them",
        "make text of it: `named-compilezone -f raw -F text -o TEXT ZONE FILE`",
    ),
    (
        b";BIND LOG V9",
        "the file is BIND's journal of a zone, not the zone",
        "let BIND write the zone into its file (`rndc sync ZONE`) and name that",
    ),
    (
        &[0x1f, 0x8b],
        "the file is a gzip archive",
        "unpack it: `gunzip --keep FILE`",
    ),
];

/// How many octets in front of the text are no text, and what is to be said of them.
pub(super) fn mark(file: &[u8], source: usize) -> Option<(usize, Finding)> {
    let (length, message, help) = if file.starts_with(UTF_8_MARK) {
        (
            UTF_8_MARK.len(),
            "the file begins with a byte order mark (U+FEFF), which name servers read as part of the first word",
            "save it as UTF-8 without BOM, or take the mark away: `sed -i '1s/^\\xef\\xbb\\xbf//' FILE`",
        )
    } else if file.starts_with(&[0xff, 0xfe]) || file.starts_with(&[0xfe, 0xff]) {
        (
            file.len(),
            "the file is UTF-16, which no name server reads",
            "save it as ASCII or as UTF-8 without BOM: `iconv -f UTF-16 -t UTF-8 FILE`",
        )
    } else if let Some((_, what, help)) = NO_TEXT.iter().find(|one| file.starts_with(one.0)) {
        (file.len(), *what, *help)
    } else {
        return None;
    };
    let finding = Finding {
        source,
        span: 0..length.min(UTF_8_MARK.len()),
        severity: Severity::Error,
        kind: Kind::Syntax,
        message: message.to_owned(),
        help: Some(help.to_owned()),
        refused_by: &[],
    };
    Some((length, finding))
}

/// A finding for each word of a line that holds such a character. Quoted text may: only records that begin with `v=`
/// (SPF, DMARC, MTA-STS, TLSRPT) are read by programs that take none.
pub(super) fn findings(
    file: &[u8],
    source: usize,
    line: &Line,
    tokens: &[Token],
) -> impl Iterator<Item = Finding> {
    let plain = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e);
    let whole = file.get(line.start..line.end).unwrap_or_default();
    // Nearly all lines of nearly all zones end here.
    let tokens = if whole.iter().all(plain) { &[] } else { tokens };
    let owner = |token: &Token| token.start == line.start;
    let machines = |token: &Token| token.text(file).to_ascii_lowercase().starts_with(b"v=");
    let ends = |token: &Token| token.text(file).contains(&0);
    let matters =
        move |token: &&Token| !token.quoted || owner(token) || machines(token) || ends(token);
    let seen = tokens.iter().filter(matters).filter_map(move |token| {
        let (at, character) = first(token.text(file))?;
        let quote = usize::from(token.quoted);
        let start = token.start.saturating_add(quote);
        let span = start.saturating_add(at.start)..start.saturating_add(at.end);
        // BIND and Knot read no further there; in a quoted string BIND does.
        let stops = file.get(span.start) == Some(&0) && !token.quoted;
        let severity = if stops {
            Severity::Error
        } else {
            Severity::Warning
        };
        Some((span, severity, character))
    });
    seen.map(move |(span, severity, (what, way_out))| Finding {
        source,
        span,
        severity,
        kind: Kind::Content,
        message: format!("{what} stands here, and counts as part of the word"),
        help: Some(way_out.to_owned()),
        refused_by: &[],
    })
}

/// What a character is, and what to do about it.
type Told = (String, &'static str);

/// The first such character of a word and where in it that stands.
fn first(word: &[u8]) -> Option<(Range<usize>, Told)> {
    let mut at = 0_usize;
    for chunk in word.utf8_chunks() {
        for character in chunk.valid().chars() {
            let end = at.saturating_add(character.len_utf8());
            if let Some((name, way_out)) = name(character) {
                let number = u32::from(character);
                return Some((at..end, (format!("{name} (U+{number:04X})"), way_out)));
            }
            at = end;
        }
        for octet in chunk.invalid() {
            let end = at.saturating_add(1);
            // Latin-1, as old editors and panels write it.
            if let Some((name, way_out)) = name(char::from(*octet)) {
                return Some((
                    at..end,
                    (format!("{name} (octet {octet:02X} of Latin-1)"), way_out),
                ));
            }
            at = end;
        }
    }
    None
}

/// What a character is called that is not seen, or not as what it is.
fn name(character: char) -> Option<(&'static str, &'static str)> {
    const DELETE: &str = "delete it: it came with text that was copied, and nobody sees it";
    const SPACE: &str = "type a space, or delete it: it came with text that was copied";
    const TYPE: &str = "type the plain character: this one came with text that was copied";
    Some(match character {
        '\u{a0}' | '\u{202f}' => ("a no-break space", SPACE),
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' | '\u{3000}' => {
            ("a space that is not the plain one", SPACE)
        }
        '\u{2028}' | '\u{2029}' | '\u{85}' => ("a line separator", "type a line end instead"),
        '\u{ad}' => ("a soft hyphen", DELETE),
        '\u{200b}' => ("a zero width space", DELETE),
        '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{180e}' => ("an invisible joiner", DELETE),
        '\u{feff}' => ("a byte order mark", DELETE),
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            ("an invisible mark for the direction of writing", DELETE)
        }
        '\u{2010}'..='\u{2015}' | '\u{2212}' => ("a dash that is not `-`", TYPE),
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => ("a typographic quote", TYPE),
        '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{2024}' => ("a dot that is not `.`", TYPE),
        '\0'..='\u{1f}' | '\u{7f}' => ("a control character", DELETE),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word, and where in it which character is named.
    type Case<'t> = (&'t [u8], Option<(usize, usize, &'t str)>);

    #[test]
    fn what_nobody_sees_is_named_and_found() {
        let table: &[Case<'_>] = &[
            (b"mx1", None),
            (
                "mx1\u{a0}".as_bytes(),
                Some((3, 5, "a no-break space (U+00A0)")),
            ),
            (
                "m\u{200b}x".as_bytes(),
                Some((1, 4, "a zero width space (U+200B)")),
            ),
            (
                "\u{feff}a".as_bytes(),
                Some((0, 3, "a byte order mark (U+FEFF)")),
            ),
            (
                b"mx1\xa0",
                Some((3, 4, "a no-break space (octet A0 of Latin-1)")),
            ),
            (
                "\u{201c}ab".as_bytes(),
                Some((0, 3, "a typographic quote (U+201C)")),
            ),
            (
                "mx\u{2011}1".as_bytes(),
                Some((2, 5, "a dash that is not `-` (U+2011)")),
            ),
            ("m\u{fc}nchen".as_bytes(), None),
            (b"a\x0bb", Some((1, 2, "a control character (U+000B)"))),
        ];
        for (word, expected) in table {
            let found = first(word).map(|(at, told)| (at.start, at.end, told.0));
            let expected = expected.map(|(start, end, what)| (start, end, what.to_owned()));
            assert_eq!(found, expected, "{word:?}");
        }
    }
}
