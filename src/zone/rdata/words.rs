//! The words of one record's RDATA, taken one after the other, each refusal with its place (RFC 1035 §5.1).

use super::RdataError;
use crate::zone::lexer::Token;
use crate::zone::name::{append_wire, unescape};
use crate::zone::record::Rtype;

/// What is left to read of a record's RDATA.
#[derive(Clone, Debug)]
pub(crate) struct Words<'a> {
    file: &'a [u8],
    tokens: &'a [Token],
    /// The origin in wire form.
    origin: Option<&'a [u8]>,
    /// Where what is missing is reported.
    end: usize,
}

impl<'a> Words<'a> {
    /// Words that stand in `file`; `end` is where the record ends.
    pub(crate) fn new(
        file: &'a [u8],
        tokens: &'a [Token],
        origin: Option<&'a [u8]>,
        end: usize,
    ) -> Self {
        let end = tokens.last().map_or(end, |t| t.end);
        Self {
            file,
            tokens,
            origin,
            end,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether the data is written in the generic form (RFC 3597 §5).
    ///
    /// In TXT `\#` is also a way to write `#`: there a number must follow, as in BIND.
    pub(super) fn is_generic(&self, rtype: Rtype) -> bool {
        let generic = |t: &Token| !t.quoted && t.text(self.file) == b"\\#";
        let number = |t: &Token| !t.quoted && t.text(self.file).iter().all(u8::is_ascii_digit);
        self.tokens.first().is_some_and(generic)
            && (rtype != Rtype::TXT || self.tokens.get(1).is_some_and(number))
    }

    /// The next token without taking it.
    pub(super) fn peek(&self) -> Option<Token> {
        self.tokens.first().copied()
    }

    /// Takes the next token, quoted or not.
    pub(super) fn token(&mut self, expected: &str) -> Result<Token, RdataError> {
        match self.tokens.split_first() {
            Some((token, rest)) => {
                self.tokens = rest;
                Ok(*token)
            }
            None => Err(self.missing_here(&format!("{expected} is missing"))),
        }
    }

    /// Takes the next token, which must not be quoted, and its text.
    pub(super) fn word(&mut self, expected: &str) -> Result<(Token, &'a [u8]), RdataError> {
        let token = self.token(expected)?;
        if token.quoted {
            let mut error = self.refuse(token, &format!("{expected} without quotes"));
            error.help = Some(NO_QUOTES);
            return Err(error);
        }
        Ok((token, token.text(self.file)))
    }

    /// The text of a token of these words, without quotes, escapes as written.
    pub(super) fn text(&self, token: Token) -> &'a [u8] {
        token.text(self.file)
    }

    /// Takes a name and appends its wire form; `@` is the origin.
    pub(super) fn name(&mut self, expected: &str, out: &mut Vec<u8>) -> Result<(), RdataError> {
        let (token, text) = self.word(expected)?;
        let appended = match (text, self.origin) {
            (b"@", Some(origin)) => {
                out.extend_from_slice(origin);
                Ok(())
            }
            (b"@", None) => Err(crate::zone::name::NameError::NoOrigin),
            _ => append_wire(text, self.origin, out),
        };
        appended.map_err(|error| RdataError {
            span: token.span(),
            message: error.to_string(),
            help: None,
        })
    }

    /// Appends a token's octets with escapes undone (RFC 1035 §5.1).
    pub(super) fn octets(&self, token: Token, out: &mut Vec<u8>) -> Result<(), RdataError> {
        let mut rest = token.text(self.file);
        while let Some(at) = rest.iter().position(|b| *b == b'\\') {
            let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            out.extend_from_slice(plain);
            let after = escape.get(1..).unwrap_or_default();
            let (octet, after) = unescape(after).map_err(|error| RdataError {
                span: token.span(),
                message: error.to_string(),
                help: None,
            })?;
            out.push(octet);
            rest = after;
        }
        out.extend_from_slice(rest);
        Ok(())
    }

    /// Takes a character-string and appends it with its length in front (RFC 1035 §3.3).
    pub(super) fn string(&mut self, expected: &str, out: &mut Vec<u8>) -> Result<(), RdataError> {
        let token = self.token(expected)?;
        let length_at = out.len();
        out.push(0);
        self.octets(token, out)?;
        let length = out.len().saturating_sub(length_at).saturating_sub(1);
        let (Ok(length), Some(octet)) = (u8::try_from(length), out.get_mut(length_at)) else {
            return Err(RdataError {
                span: token.span(),
                message: format!(
                    "this string has {length} octets, a character-string holds at most 255"
                ),
                help: Some("split it into several quoted strings: \"…\" \"…\""),
            });
        };
        *octet = length;
        Ok(())
    }

    /// Takes all words that are left, as one run of characters cut anywhere by blanks.
    pub(super) fn run(&mut self) -> Run<'a> {
        let tokens = std::mem::take(&mut self.tokens);
        Run {
            file: self.file,
            tokens,
        }
    }

    /// Takes one word as a run.
    pub(super) fn one(&mut self, expected: &str) -> Result<Run<'a>, RdataError> {
        let tokens = self.tokens;
        self.word(expected)?;
        Ok(Run {
            file: self.file,
            tokens: tokens.get(..1).unwrap_or_default(),
        })
    }

    /// Refuses words that are left over.
    pub(super) fn finish(&self) -> Result<(), RdataError> {
        match self.tokens.first() {
            None => Ok(()),
            Some(token) => Err(RdataError {
                span: token.span(),
                message: format!(
                    "`{}` is more than this type has room for",
                    self.shown(*token)
                ),
                help: None,
            }),
        }
    }

    /// Something is missing where the words end.
    pub(super) fn missing_here(&self, message: &str) -> RdataError {
        RdataError {
            span: self.end..self.end,
            message: message.to_owned(),
            help: None,
        }
    }

    /// The data as a whole is wrong.
    pub(super) fn whole(&self, message: &str) -> RdataError {
        let start = self.tokens.first().map_or(self.end, |t| t.start);
        RdataError {
            span: start..self.end.max(start),
            message: message.to_owned(),
            help: None,
        }
    }

    /// A token that is not what should stand there.
    pub(super) fn refuse(&self, token: Token, expected: &str) -> RdataError {
        RdataError {
            span: token.span(),
            message: format!("expected {expected}, found `{}`", self.shown(token)),
            help: quotes(self.text(token)),
        }
    }

    fn shown(&self, token: Token) -> String {
        shown(self.file.get(token.span()).unwrap_or_default())
    }
}

/// The way out where quotes stand around what is not text.
pub(super) const NO_QUOTES: &str = "take the quotes away: only text, as in TXT, stands in quotes";

/// What to do about quotes of another kind around a word.
pub(super) fn quotes(text: &[u8]) -> Option<&'static str> {
    let marks = [
        "'", "`", "\u{2018}", "\u{2019}", "\u{201a}", "\u{201c}", "\u{201d}", "\u{201e}", "\u{ab}",
    ];
    let found = marks.iter().any(|mark| text.starts_with(mark.as_bytes()));
    found.then_some(NO_QUOTES)
}

/// A text as a message can show it: printable, and not endless.
pub(crate) fn shown(text: &[u8]) -> String {
    const ENOUGH: usize = 40;
    let mut shown = text
        .get(..ENOUGH)
        .unwrap_or(text)
        .escape_ascii()
        .to_string();
    // `escape_ascii` doubles backslashes and quotes, which a reader knows from the file as they are.
    shown = shown
        .replace("\\\\", "\\")
        .replace("\\\"", "\"")
        .replace("\\'", "'");
    if text.len() > ENOUGH {
        shown.push('…');
    }
    shown
}

/// Characters that may be cut by blanks anywhere, such as hex digits.
#[derive(Clone, Debug)]
pub(super) struct Run<'a> {
    file: &'a [u8],
    tokens: &'a [Token],
}

impl<'a> Run<'a> {
    /// Each token with its text.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Token, &'a [u8])> + '_ {
        self.tokens.iter().map(|t| (*t, t.text(self.file)))
    }
}
