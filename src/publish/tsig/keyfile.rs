//! Files of TSIG keys: BIND's `key` statements, as `tsig-keygen` prints them, or lines `name:algorithm:secret`.
//!
//! Secrets come from files alone, which nobody else may read, and no message ever quotes one.

use super::key::{Algorithm, Keyring, TsigKey};
use crate::files::guard::{self, Unkept};
use crate::files::read;
use crate::zone::name::Name;
use data_encoding::BASE64;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The largest file read, in bytes.
const MAX_SIZE: u64 = 64 << 10;
/// The shortest secret taken, in octets.
const MIN_SECRET: usize = 16;

/// Why a file gives no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the TSIG keys in {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read it, or put another in its place.
    #[error("the TSIG keys are not used: {0}")]
    Unkept(#[from] Unkept),
    /// It says something else than keys.
    #[error("{}:{line}: {reason}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong; never a secret.
        reason: String,
    },
}

impl KeyFileError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Unreadable { path, .. } | Self::Wrong { path, .. } => vec![format!(
                "make a key: (umask 077; tsig-keygen -a hmac-sha256 NAME > {})",
                path.display()
            )],
            Self::Unkept(unkept) => unkept.hints(),
        }
    }
}

/// The keys in a file, at least one.
pub fn read_keys(path: &Path) -> Result<Keyring, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = read::open(path).map_err(unreadable)?;
    // Asked of the file that is open, not of whatever may have come into its place.
    guard::file(path, &file.metadata().map_err(unreadable)?)?;
    let mut bytes = Vec::new();
    file.take(MAX_SIZE.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let wrong = |(line, reason)| KeyFileError::Wrong {
        path: path.to_owned(),
        line,
        reason,
    };
    if bytes.len() as u64 > MAX_SIZE {
        return Err(wrong((
            1,
            format!("the file is larger than {MAX_SIZE} bytes"),
        )));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong((1, "this is not text".to_owned())))?;
    parse(&text).map_err(wrong)
}

type Wrong = (usize, String);

fn parse(text: &str) -> Result<Keyring, Wrong> {
    let words = words(text)?;
    let mut ring = Keyring::default();
    let mut rest = words.as_slice();
    while let Some((word, after)) = rest.split_first() {
        let (key, after) = if word.text.eq_ignore_ascii_case("key") {
            statement(word.line, after)?
        } else {
            (line(word)?, after)
        };
        if ring.get(key.name()).is_some() {
            return Err((word.line, "a key of this name is there twice".to_owned()));
        }
        ring.insert(key);
        rest = after;
    }
    if ring.is_empty() {
        return Err((1, "there is no key in it".to_owned()));
    }
    Ok(ring)
}

/// A word, a quoted string, or one of `{`, `}`, `;`.
struct Word {
    line: usize,
    text: String,
}

fn words(text: &str) -> Result<Vec<Word>, Wrong> {
    let mut words = Vec::new();
    let mut line = 1_usize;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => match rest.find("*/") {
                Some(end) => end.saturating_add(2),
                None => return Err((line, "a comment has no end".to_owned())),
            },
            '"' => {
                let after = rest.get(1..).unwrap_or_default();
                let Some(end) = after
                    .find(['"', '\n'])
                    .filter(|end| after.get(*end..).is_some_and(|r| r.starts_with('"')))
                else {
                    return Err((line, "a quoted string has no end".to_owned()));
                };
                let text = after.get(..end).unwrap_or_default().to_owned();
                words.push(Word { line, text });
                end.saturating_add(2)
            }
            '{' | '}' | ';' => {
                words.push(Word {
                    line,
                    text: first.to_string(),
                });
                1
            }
            c if c.is_whitespace() => c.len_utf8(),
            _ => {
                let ends = |c: char| c.is_whitespace() || "{};\"".contains(c);
                let end = rest.find(ends).unwrap_or(rest.len());
                let text = rest.get(..end).unwrap_or_default().to_owned();
                words.push(Word { line, text });
                end
            }
        };
        let (passed, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        line = line.saturating_add(passed.matches('\n').count());
        rest = after;
    }
    Ok(words)
}

/// `key "name" { algorithm …; secret …; };`
fn statement(line: usize, rest: &[Word]) -> Result<(TsigKey, &[Word]), Wrong> {
    let [name, open, rest @ ..] = rest else {
        return Err((line, "`key` must be followed by a name and `{`".to_owned()));
    };
    if open.text != "{" {
        return Err((
            open.line,
            "`{` is expected behind the name of the key".to_owned(),
        ));
    }
    let (mut algorithm, mut secret) = (None, None);
    let mut rest = rest;
    let rest = loop {
        match rest {
            [close, after @ ..] if close.text == "}" => {
                break match after {
                    [end, after @ ..] if end.text == ";" => after,
                    _ => return Err((close.line, "`;` is expected behind `}`".to_owned())),
                };
            }
            [what, value, end, after @ ..] if end.text == ";" => {
                let place = match &*what.text.to_ascii_lowercase() {
                    "algorithm" => &mut algorithm,
                    "secret" => &mut secret,
                    _ => {
                        return Err((
                            what.line,
                            "`algorithm …;` or `secret …;` is expected".to_owned(),
                        ));
                    }
                };
                if place.replace(value).is_some() {
                    return Err((what.line, format!("`{}` is there twice", what.text)));
                }
                rest = after;
            }
            _ => return Err((line, "the statement does not end with `};`".to_owned())),
        }
    };
    let (Some(algorithm), Some(secret)) = (algorithm, secret) else {
        return Err((line, "a key has an `algorithm` and a `secret`".to_owned()));
    };
    Ok((
        key(name.line, &name.text, &algorithm.text, &secret.text)?,
        rest,
    ))
}

/// `name:algorithm:secret`, or with the first two the other way round, as `kdig` and `nsupdate` write it.
fn line(word: &Word) -> Result<TsigKey, Wrong> {
    let parts: Vec<&str> = word.text.splitn(3, ':').collect();
    let [first, second, secret] = parts.as_slice() else {
        return Err((
            word.line,
            "expected `key \"name\" { algorithm hmac-sha256; secret \"…\"; };` or `name:algorithm:secret`".to_owned(),
        ));
    };
    let (name, algorithm) = if Algorithm::parse(first).is_ok() {
        (second, first)
    } else {
        (first, second)
    };
    key(word.line, name, algorithm, secret)
}

fn key(line: usize, name: &str, algorithm: &str, secret: &str) -> Result<TsigKey, Wrong> {
    let name = Name::parse(name.as_bytes(), Some(&Name::root()))
        .map_err(|e| (line, format!("the name of the key: {e}")))?;
    // No name is shown: where the three parts stand in another order, it is the secret.
    let algorithm = Algorithm::parse(algorithm).map_err(|why| (line, format!("the key: {why}")))?;
    let secret = BASE64
        .decode(secret.as_bytes())
        .map_err(|_| (line, "the secret of the key is not base64".to_owned()))?;
    if secret.len() < MIN_SECRET {
        let message = format!(
            "the key: a secret of {} octets can be guessed; it must have {MIN_SECRET}",
            secret.len()
        );
        return Err((line, message));
    }
    Ok(TsigKey::new(name, algorithm, &secret))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECRET: &str = "c2l4dGVlbiBvY3RldHMgb3IgbW9yZQ==";

    #[test]
    fn keys_are_read_in_either_form() {
        let table = [
            format!("key \"xfr\" {{\n\talgorithm hmac-sha256;\n\tsecret \"{SECRET}\";\n}};\n"),
            format!(
                "key xfr. {{ secret {SECRET}; algorithm \"hmac-sha256\"; }}; // bare words, the other order"
            ),
            format!("# a comment\n/* two\n lines */ xfr:hmac-sha256:{SECRET}\n"),
            format!("hmac-sha256:xfr:{SECRET}"),
        ];
        for text in table {
            let ring = parse(&text).unwrap();
            let shown: Vec<String> = ring.keys().map(|k| format!("{k:?}")).collect();
            assert_eq!(shown, ["TsigKey(xfr. hmac-sha256)"], "{text}");
        }
        let two = format!(
            "a:hmac-sha256:{SECRET}\nkey b {{ algorithm hmac-sha512-256; secret \"{SECRET}\"; }};"
        );
        assert_eq!(parse(&two).unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_key_is_said_by_line_and_without_the_secret() {
        let table = [
            (String::new(), 1, "no key"),
            ("key a {".to_owned(), 1, "does not end"),
            (
                format!("\nkey a {{ secret \"{SECRET}\"; }};"),
                2,
                "`algorithm`",
            ),
            (format!("a:hmac-md5:{SECRET}"), 1, "not accepted"),
            (format!("a:hmac-sha1:{SECRET}"), 1, "not accepted"),
            ("a:hmac-sha256:c2hvcnQ=".to_owned(), 1, "can be guessed"),
            ("a:hmac-sha256:%%%".to_owned(), 1, "not base64"),
            (
                format!("a..b:hmac-sha256:{SECRET}"),
                1,
                "the name of the key",
            ),
            (
                format!("a:hmac-sha256:{SECRET}\n\nA.:hmac-sha256:{SECRET}"),
                3,
                "twice",
            ),
            ("key \"a".to_owned(), 1, "no end"),
            ("/* key".to_owned(), 1, "no end"),
            (SECRET.to_owned(), 1, "expected"),
            (
                format!("key a {{ algorithm hmac-sha256; secret {SECRET}; }}"),
                1,
                "`;`",
            ),
        ];
        for (text, line, expected) in table {
            let (at, why) = parse(&text).unwrap_err();
            assert_eq!(at, line, "{text}: {why}");
            assert!(why.contains(expected), "{text}: {why}");
            assert!(!why.contains(SECRET), "{why}");
        }
    }
}
