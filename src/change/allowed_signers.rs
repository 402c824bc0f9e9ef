//! Who may sign: the list that `ssh-keygen -Y verify -f` reads (ssh-keygen(1), ALLOWED SIGNERS), judged as it judges.
//!
//! A line that cannot be read allows nobody, and is told; the others count. Stricter in two points, each of which fails
//! closed: times must be in UTC (a `Z` behind them), since those without mean whatever the machine
//! thinks its time zone is; and certificates are not followed, so lines with `cert-authority` allow nobody.

use crate::change::ssh_key::PublicKey;
use crate::rotation::timing::Instant;
use chrono::{NaiveDate, NaiveDateTime};

/// The lines of a list, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedSigners {
    lines: Vec<Signer>,
    /// The lines that cannot be read: they allow nobody.
    pub skipped: Vec<ListError>,
}

/// One line: whose key, and what it may sign when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Patterns of identities, separated by commas, such as `alice@example.com`.
    pub principals: String,
    /// The key.
    pub key: PublicKey,
    authority: bool,
    namespaces: Option<String>,
    valid_after: Option<Instant>,
    valid_before: Option<Instant>,
}

/// Why a list is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ListError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and what is expected.
    pub what: String,
}

/// Why the list does not allow a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The key is not in the list, or not under the identity asked for.
    #[error("its key {key} is not in the list of allowed signers{}", under(identity.as_deref()))]
    Unknown {
        /// The fingerprint of the key.
        key: String,
        /// Who should have signed, if somebody was named.
        identity: Option<String>,
    },
    /// The line restricts what the key may sign.
    #[error("the list allows the key of {0} to sign for {1} only, not for `{2}`")]
    Namespace(String, String, String),
    /// Too early.
    #[error("the list allows the key of {0} from {1} on")]
    NotYet(String, Instant),
    /// Too late.
    #[error("the list allowed the key of {0} until {1}")]
    NoLonger(String, Instant),
}

fn under(identity: Option<&str>) -> String {
    identity.map_or(String::new(), |identity| {
        format!(" under the name {identity}")
    })
}

impl AllowedSigners {
    /// Reads the list.
    pub fn parse(text: &str) -> Self {
        let mut list = Self::default();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim_matches([' ', '\t', '\r']);
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            match Signer::parse(content) {
                Ok(signer) => list.lines.push(signer),
                Err(what) => list.skipped.push(ListError { line, what }),
            }
        }
        list
    }

    /// Each line that allows somebody anything, in words: whose key, and what restricts it.
    pub fn told(&self) -> impl Iterator<Item = String> + '_ {
        let allowing = self.lines.iter().filter(|line| !line.authority);
        allowing.map(|line| {
            let mut text = format!("{} ({})", line.principals, line.key.fingerprint());
            let namespaces = line.namespaces.iter();
            text.extend(namespaces.map(|list| format!(", for {list}")));
            text.extend(line.valid_after.iter().map(|at| format!(", from {at} on")));
            text.extend(line.valid_before.iter().map(|at| format!(", until {at}")));
            text
        })
    }

    /// The first line that allows `key` to sign for `namespace` at an instant, as `identity` if one is asked for. A line whose
    /// namespaces have a zone behind a colon allows to sign for that zone alone.
    ///
    /// Otherwise the reason of the first line that has the key.
    pub fn judge(
        &self,
        key: &PublicKey,
        namespace: (&str, Option<&str>),
        identity: Option<&str>,
        at: Instant,
    ) -> Result<&Signer, NotAllowed> {
        let of_key = self.lines.iter().filter(|line| {
            let asked_for = identity.is_none_or(|who| matches_list(&line.principals, who));
            asked_for && !line.authority && line.key == *key
        });
        let mut reason = None;
        for line in of_key {
            match line.allows(namespace, at) {
                Ok(()) => return Ok(line),
                Err(why) => reason = reason.or(Some(why)),
            }
        }
        Err(reason.unwrap_or_else(|| NotAllowed::Unknown {
            key: key.fingerprint(),
            identity: identity.map(str::to_owned),
        }))
    }
}

impl Signer {
    /// `principals [options] type base64 [comment]`, blanks trimmed.
    fn parse(line: &str) -> Result<Self, String> {
        let (principals, rest) = split_principals(line)?;
        let signer = |key| Self {
            principals: principals.to_owned(),
            key,
            authority: false,
            namespaces: None,
            valid_after: None,
            valid_before: None,
        };
        if let Some(key) = key_in_front(rest) {
            return Ok(signer(key));
        }
        let (options, after) = split_options(rest)?;
        let key = key_in_front(after)
            .ok_or("expected `principals [options] type base64`, the last two as in a .pub file")?;
        let mut signer = signer(key);
        signer.read_options(options)?;
        Ok(signer)
    }

    fn read_options(&mut self, options: &str) -> Result<(), String> {
        let mut rest = options;
        loop {
            if let Some(after) = strip_word(rest, "cert-authority") {
                self.authority = true;
                rest = after;
            } else if let Some(after) = strip_word(rest, "namespaces=") {
                let (value, after) = quoted(after)?;
                once("namespaces", &mut self.namespaces, value)?;
                rest = after;
            } else if let Some(after) = strip_word(rest, "valid-after=") {
                let (value, after) = quoted(after)?;
                once("valid-after", &mut self.valid_after, time(&value)?)?;
                rest = after;
            } else if let Some(after) = strip_word(rest, "valid-before=") {
                let (value, after) = quoted(after)?;
                once("valid-before", &mut self.valid_before, time(&value)?)?;
                rest = after;
            }
            rest = match rest.strip_prefix(',') {
                Some(more) if !more.is_empty() => more,
                None if rest.is_empty() => break,
                _ => {
                    return Err(format!(
                        "unknown option at `{rest}`; there are cert-authority, namespaces, valid-after and valid-before"
                    ));
                }
            };
        }
        match self.valid_after.zip(self.valid_before) {
            Some((after, before)) if before <= after => {
                Err("valid-before is not after valid-after".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Both ends of the time belong to it.
    fn allows(
        &self,
        (namespace, zone): (&str, Option<&str>),
        at: Instant,
    ) -> Result<(), NotAllowed> {
        let who = || self.principals.clone();
        let of_zone = zone.map(|zone| format!("{namespace}:{zone}"));
        if let Some(list) = &self.namespaces {
            let is_for_it = |one: &String| matches_list(list, one);
            if !matches_list(list, namespace) && !of_zone.as_ref().is_some_and(is_for_it) {
                let asked = of_zone.unwrap_or_else(|| namespace.to_owned());
                return Err(NotAllowed::Namespace(who(), list.clone(), asked));
            }
        }
        match (self.valid_after, self.valid_before) {
            (Some(after), _) if at < after => Err(NotAllowed::NotYet(who(), after)),
            (_, Some(before)) if at > before => Err(NotAllowed::NoLonger(who(), before)),
            _ => Ok(()),
        }
    }
}

/// The identities in front of a line, which may be quoted, and what follows them.
fn split_principals(line: &str) -> Result<(&str, &str), String> {
    let (principals, rest) = match line.strip_prefix('"') {
        Some(inner) => inner.split_once('"').ok_or("a quote has no partner")?,
        None => line
            .split_once([' ', '\t'])
            .ok_or("expected `principals [options] type base64`")?,
    };
    Ok((principals, rest.trim_start_matches([' ', '\t'])))
}

/// The key in the next two words, if they are one. A comment may follow.
fn key_in_front(text: &str) -> Option<PublicKey> {
    let mut words = text.split_ascii_whitespace();
    let kind = words.next()?;
    PublicKey::from_words(kind, words.next()?)
}

/// The options end at the first blank that is not quoted.
fn split_options(text: &str) -> Result<(&str, &str), String> {
    let (mut in_quotes, mut escaped) = (false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            ' ' | '\t' if !in_quotes => {
                return text
                    .split_at_checked(at)
                    .ok_or_else(|| "no text".to_owned());
            }
            '"' if !escaped => in_quotes = !in_quotes,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    Err("expected a public key behind the options".to_owned())
}

/// What follows a word, which may be in any case.
fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (front, rest) = text.split_at_checked(word.len())?;
    front.eq_ignore_ascii_case(word).then_some(rest)
}

/// A value in quotes, and what follows it. `\"` stands for a quote within.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let inner = text
        .strip_prefix('"')
        .ok_or("the value of an option must be in double quotes")?;
    let mut value = String::new();
    let mut letters = inner.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => {
                let rest = inner.get(at.saturating_add(1)..).unwrap_or_default();
                return Ok((value, rest));
            }
            '\\' if letters.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            other => value.push(other),
        }
    }
    Err("a quote has no partner".to_owned())
}

fn once<T>(option: &str, slot: &mut Option<T>, value: T) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{option} is there twice")),
    }
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, and `Z`.
fn time(text: &str) -> Result<Instant, String> {
    let local = || {
        format!(
            "the time `{text}` must be YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS with a Z behind it for UTC: without it, it would mean the time zone of whatever machine reads it"
        )
    };
    let digits = text.strip_suffix(['Z', 'z']).ok_or_else(local)?;
    if !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(local());
    }
    let time = match digits.len() {
        8 => NaiveDate::parse_from_str(digits, "%Y%m%d")
            .ok()
            .and_then(|date| date.and_hms_opt(0, 0, 0)),
        12 => NaiveDateTime::parse_from_str(&format!("{digits}00"), "%Y%m%d%H%M%S").ok(),
        14 => NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok(),
        _ => None,
    };
    time.and_then(|time| u64::try_from(time.and_utc().timestamp()).ok())
        .filter(|seconds| *seconds > 0)
        .map(Instant::from_unix)
        .ok_or_else(local)
}

/// Whether one of the patterns, separated by commas, matches and none that begins with `!` does (the PATTERNS of `ssh_config`).
fn matches_list(patterns: &str, subject: &str) -> bool {
    let mut matched = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(excluded) if matches(excluded, subject) => return false,
            Some(_) => {}
            None => matched |= matches(pattern, subject),
        }
    }
    matched
}

/// `*` stands for any letters, `?` for one.
fn matches(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.as_bytes(), subject.as_bytes());
    // Where to go on when what follows the last star turns out not to fit: the star takes one letter more.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, subject) {
            ([b'*', rest @ ..], _) => {
                star = Some((rest, subject));
                pattern = rest;
            }
            ([p, p_rest @ ..], [s, s_rest @ ..]) if *p == b'?' || p == s => {
                (pattern, subject) = (p_rest, s_rest);
            }
            ([], []) => return true,
            _ => match star {
                Some((after, [_, taken @ ..])) => {
                    star = Some((after, taken));
                    (pattern, subject) = (after, taken);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests;
