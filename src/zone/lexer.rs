//! Master file text as logical lines of words and quoted strings, with the place of each (RFC 1035 §5.1).
//!
//! Nothing is copied: a token is a span of the file's bytes. What lies between tokens (blanks, parentheses, comments) belongs
//! to the line's own span, so the lines laid end to end are the file again, byte for byte.

use std::fmt;
use std::ops::Range;

/// A word or a quoted string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Offset of the first byte (the opening quote of a quoted string).
    pub start: usize,
    /// Offset behind the last byte (behind the closing quote).
    pub end: usize,
    /// Whether it stands in double quotes.
    pub quoted: bool,
}

impl Token {
    /// The bytes that the token covers, quotes included.
    pub fn span(self) -> Range<usize> {
        self.start..self.end
    }

    /// The text of the token in its file, without quotes, escapes as written.
    pub fn text(self, file: &[u8]) -> &[u8] {
        let quote = usize::from(self.quoted);
        let inside = self.start.saturating_add(quote)..self.end.saturating_sub(quote);
        file.get(inside).unwrap_or_default()
    }
}

/// One logical line: up to the line end that is in no parenthesis, that line end included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
    /// Whether the line begins with a blank: a record there takes the previous owner.
    pub indented: bool,
    /// What is wrong with the line as text; its tokens are then not to be trusted.
    pub fault: Option<Fault>,
}

/// Why a logical line is not well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `"` at this offset has no partner on its line.
    OpenQuote(usize),
    /// `(` at this offset has no partner in the file.
    OpenParenthesis(usize),
    /// `)` at this offset has no partner before it.
    StrayParenthesis(usize),
    /// The word at this offset is one more than [`MOST_WORDS`].
    TooManyWords(usize),
}

impl Fault {
    /// The offset it names.
    pub fn at(self) -> usize {
        match self {
            Self::OpenQuote(at)
            | Self::OpenParenthesis(at)
            | Self::StrayParenthesis(at)
            | Self::TooManyWords(at) => at,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenQuote(_) => f.write_str("this quote is not closed on its line"),
            Self::OpenParenthesis(_) => f.write_str("this parenthesis is never closed"),
            Self::StrayParenthesis(_) => {
                f.write_str("nothing was opened that this parenthesis could close")
            }
            Self::TooManyWords(_) => {
                write!(
                    f,
                    "no record has more than {MOST_WORDS} words, this is one more"
                )
            }
        }
    }
}

/// How many words one line may have. 65,535 octets of data, one hexadecimal digit a word, are half as many.
pub const MOST_WORDS: usize = 1 << 18;

/// What a byte begins or ends, outside of quotes. In quotes only those from `Quote` on mean anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Plain,
    Blank,
    Comment,
    Open,
    Close,
    Quote,
    Escape,
    LineEnd,
}

/// The class of every byte: asked for each byte of a file, where a table is three times as fast as a `match`.
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut slots: &mut [Class] = &mut classes;
    let mut byte = 0_u8;
    while let Some((slot, rest)) = slots.split_first_mut() {
        *slot = match byte {
            b' ' | b'\t' => Class::Blank,
            b';' => Class::Comment,
            b'(' => Class::Open,
            b')' => Class::Close,
            b'"' => Class::Quote,
            b'\\' => Class::Escape,
            b'\n' | b'\r' => Class::LineEnd,
            _ => Class::Plain,
        };
        byte = byte.wrapping_add(1);
        slots = rest;
    }
    classes
};

fn class(byte: u8) -> Class {
    let class = CLASSES.get(usize::from(byte));
    class.copied().unwrap_or(Class::Plain)
}

/// Cuts bytes into logical lines. Any bytes can be cut; faults are values.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    /// A lexer at the first byte of `file`.
    pub fn new(file: &'a [u8]) -> Self {
        Self { file, at: 0 }
    }

    /// A lexer at the logical line that begins at offset `at`.
    pub(crate) fn at(file: &'a [u8], at: usize) -> Self {
        Self { file, at }
    }

    fn peek(&self) -> Option<u8> {
        self.file.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// Reads the next logical line and replaces `tokens` by its tokens; `None` at the end of the file.
    pub fn next_line(&mut self, tokens: &mut Vec<Token>) -> Option<Line> {
        tokens.clear();
        let start = self.at;
        let indented = matches!(self.peek()?, b' ' | b'\t');
        let mut fault = None;
        let mut open: Option<(usize, usize)> = None;
        while let Some(byte) = self.peek() {
            let token = match class(byte) {
                Class::Blank => {
                    self.step();
                    continue;
                }
                Class::Plain | Class::Escape => self.word(),
                Class::LineEnd => {
                    self.line_end();
                    if open.is_none() {
                        return Some(self.line(start, indented, fault));
                    }
                    continue;
                }
                Class::Quote => match self.quoted() {
                    Ok(token) => token,
                    Err(at) => {
                        fault = fault.or(Some(Fault::OpenQuote(at)));
                        continue;
                    }
                },
                Class::Comment => {
                    self.skip_comment();
                    continue;
                }
                Class::Open => {
                    open = Some(open.map_or((self.at, 1), |(at, n)| (at, n.saturating_add(1))));
                    self.step();
                    continue;
                }
                Class::Close => {
                    match open {
                        None => fault = fault.or(Some(Fault::StrayParenthesis(self.at))),
                        Some((_, 1)) => open = None,
                        Some((at, n)) => open = Some((at, n.saturating_sub(1))),
                    }
                    self.step();
                    continue;
                }
            };
            if tokens.len() < MOST_WORDS {
                tokens.push(token);
            } else {
                fault = fault.or(Some(Fault::TooManyWords(token.start)));
            }
        }
        let fault = fault.or(open.map(|(at, _)| Fault::OpenParenthesis(at)));
        Some(self.line(start, indented, fault))
    }

    fn line(&self, start: usize, indented: bool, fault: Option<Fault>) -> Line {
        let end = self.at;
        Line {
            start,
            end,
            indented,
            fault,
        }
    }

    /// LF, CR LF, or a CR alone.
    fn line_end(&mut self) {
        let carriage_return = self.peek() == Some(b'\r');
        self.step();
        if carriage_return && self.peek() == Some(b'\n') {
            self.step();
        }
    }

    fn skip_comment(&mut self) {
        let rest = self.file.get(self.at..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        // A CR before the LF belongs to the line end.
        let comment = rest.get(..length).unwrap_or_default();
        let length = length.saturating_sub(usize::from(comment.ends_with(b"\r")));
        self.at = self.at.saturating_add(length);
    }

    fn word(&mut self) -> Token {
        let start = self.at;
        while self.run_to(|class| class != Class::Plain) == Some(Class::Escape) {
            self.escape();
        }
        Token {
            start,
            end: self.at,
            quoted: false,
        }
    }

    /// The quoted string that begins here, or the offset of its quote when it does not end on its line.
    fn quoted(&mut self) -> Result<Token, usize> {
        let start = self.at;
        self.step();
        loop {
            match self.run_to(|class| class >= Class::Quote) {
                Some(Class::Escape) => self.escape(),
                Some(Class::Quote) => break,
                _ => return Err(start),
            }
        }
        self.step();
        Ok(Token {
            start,
            end: self.at,
            quoted: true,
        })
    }

    /// Goes on to the next byte of a class that `stops`; says which, `None` at the end of the file.
    fn run_to(&mut self, stops: impl Fn(Class) -> bool) -> Option<Class> {
        let rest = self.file.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|b| stops(class(*b)));
        let length = length.unwrap_or(rest.len());
        self.at = self.at.saturating_add(length);
        rest.get(length).map(|b| class(*b))
    }

    /// Passes a backslash and the byte behind it, unless that ends the line.
    fn escape(&mut self) {
        self.step();
        if self.peek().is_some_and(|b| class(b) != Class::LineEnd) {
            self.step();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )]
    use super::*;
    use proptest::prelude::*;

    fn words(file: &str) -> Vec<Vec<String>> {
        let mut lexer = Lexer::new(file.as_bytes());
        let mut tokens = Vec::new();
        let mut lines = Vec::new();
        while lexer.next_line(&mut tokens).is_some() {
            let text = |t: &Token| String::from_utf8_lossy(t.text(file.as_bytes())).into_owned();
            lines.push(tokens.iter().map(text).collect());
        }
        lines
    }

    #[test]
    fn lines_and_words_are_those_of_rfc_1035_5_1() {
        let table: &[(&str, &[&[&str]], &str)] = &[
            ("a b\tc\n", &[&["a", "b", "c"]], "blanks separate"),
            ("a b", &[&["a", "b"]], "no final newline"),
            ("a\r\nb\r\n", &[&["a"], &["b"]], "CR LF"),
            (
                "a (b ; x )\n c)\nd\n",
                &[&["a", "b", "c"], &["d"]],
                "parentheses span lines, not in comments",
            ),
            (
                "a ((b)\n c) d\n",
                &[&["a", "b", "c", "d"]],
                "parentheses nest",
            ),
            (
                "\"a b\" \"c;d\"",
                &[&["a b", "c;d"]],
                "quotes keep blanks and semicolons",
            ),
            (r#"a\ b\;c "d\"e""#, &[&[r"a\ b\;c", r#"d\"e"#]], "escapes"),
            ("k=\"v\"", &[&["k=", "v"]], "a quote ends a word"),
            ("a(b)c", &[&["a", "b", "c"]], "parentheses end a word"),
            ("; only\n\n", &[&[], &[]], "comments and empty lines"),
            (
                "a\\\nb",
                &[&["a\\"], &["b"]],
                "a backslash does not join lines",
            ),
        ];
        for (file, expected, why) in table {
            assert_eq!(words(file), *expected, "{why}");
        }
    }

    #[test]
    fn faults_say_where() {
        let table = [
            ("a \"b\nc", Fault::OpenQuote(2), 5),
            ("a ( b\nc", Fault::OpenParenthesis(2), 7),
            ("a b )\nc", Fault::StrayParenthesis(4), 6),
        ];
        for (file, fault, end) in table {
            let line = Lexer::new(file.as_bytes())
                .next_line(&mut Vec::new())
                .unwrap();
            assert_eq!((line.fault, line.end), (Some(fault), end), "{file:?}");
        }
    }

    proptest! {
        #[test]
        fn lines_laid_end_to_end_are_the_file(file in proptest::collection::vec(
            prop_oneof![Just(b'('), Just(b')'), Just(b'"'), Just(b'\\'), Just(b'\n'), Just(b'\r'), Just(b';'), any::<u8>()], 0..200)) {
            let mut lexer = Lexer::new(&file);
            let mut tokens = Vec::new();
            let mut end = 0;
            while let Some(line) = lexer.next_line(&mut tokens) {
                prop_assert_eq!(line.start, end);
                prop_assert!(line.end > line.start);
                for token in &tokens {
                    prop_assert!(line.start <= token.start && token.start < token.end && token.end <= line.end);
                }
                end = line.end;
            }
            prop_assert_eq!(end, file.len());
        }
    }
}
