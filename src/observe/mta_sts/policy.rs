//! The `_mta-sts` record and the policy file as values (RFC 8461 §3.1, §3.2, §4.1).

use crate::rotation::timing::Span;
use std::fmt;

/// The largest `max_age` (RFC 8461 §3.2): a year.
const LONGEST: u64 = 31_557_600;
/// MX patterns that are kept.
const PATTERNS: usize = 1_000;

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What a sender does with it.
    pub mode: Mode,
    /// How long a sender may keep it.
    pub max_age: Span,
    /// The MX names, lower case; `*.example.com` stands for one label more.
    pub mx: Vec<String>,
}

/// What a sender does when a host does not meet the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does not deliver there.
    Enforce,
    /// It delivers, and reports.
    Testing,
    /// It does not look.
    None,
}

/// Why there is no policy in a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPolicy {
    /// Not text.
    #[error("it is not UTF-8")]
    NotText,
    /// Without `version: STSv1`.
    #[error("it does not say `version: STSv1`")]
    Version,
    /// A field that must be there.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// A field with a value that it cannot have.
    #[error("line {line}: `{field}: {value}` {wanted}")]
    Value {
        /// Where.
        line: usize,
        /// Which field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it should say.
        wanted: &'static str,
    },
}

/// What the TXT records at `_mta-sts.<domain>` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// There is none that counts: no policy.
    Absent,
    /// There is a policy with this id.
    Policy(String),
    /// Senders take it for absent, and its author did not mean that.
    Wrong(&'static str),
}

/// Reads the TXT records, each as its joined strings: exactly one may begin with `v=STSv1` (RFC 8461 §3.1).
pub fn signal<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Signal {
    let is_ours = |text: &&[u8]| text.starts_with(b"v=STSv1");
    let ours: Vec<&[u8]> = texts.into_iter().filter(is_ours).collect();
    let text = match ours.as_slice() {
        [] => return Signal::Absent,
        [one] => String::from_utf8_lossy(one).into_owned(),
        _ => return Signal::Wrong("there is more than one `v=STSv1` record"),
    };
    let mut fields = text.split(';').map(str::trim);
    if fields.next() != Some("v=STSv1") {
        return Signal::Wrong("its first field is not `v=STSv1;`");
    }
    let id = fields.find_map(|field| field.strip_prefix("id="));
    let good = |id: &&str| {
        (1..=32).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric())
    };
    match id {
        Some(id) if good(&id) => Signal::Policy(id.to_owned()),
        Some(_) => Signal::Wrong("its `id` is not 1 to 32 letters and digits"),
        None => Signal::Wrong("it has no `id`"),
    }
}

impl Policy {
    /// Reads a policy file: `key: value` lines, of which unknown ones are passed over and the first of each key counts.
    pub fn parse(octets: &[u8]) -> Result<Self, NotPolicy> {
        let text = std::str::from_utf8(octets).map_err(|_| NotPolicy::NotText)?;
        let (mut version, mut mode, mut max_age) = (None, None, None);
        let mut mx = Vec::new();
        for (line, number) in text.lines().zip(1_usize..) {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match key.trim() {
                "version" => {
                    version.get_or_insert(value);
                }
                "mode" if mode.is_none() => mode = Some(Mode::parse(number, value)?),
                "max_age" if max_age.is_none() => max_age = Some(age(number, value)?),
                "mx" if mx.len() < PATTERNS => mx.push(pattern(number, value)?),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err(NotPolicy::Version);
        }
        let mode = mode.ok_or(NotPolicy::Missing("mode"))?;
        if mx.is_empty() && mode != Mode::None {
            return Err(NotPolicy::Missing("mx"));
        }
        Ok(Self {
            mode,
            max_age: max_age.ok_or(NotPolicy::Missing("max_age"))?,
            mx,
        })
    }

    /// Whether the policy lists this MX host (RFC 8461 §4.1).
    pub fn lists(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx
            .iter()
            .any(|pattern| match pattern.strip_prefix("*.") {
                None => *pattern == host,
                Some(domain) => host
                    .split_once('.')
                    .is_some_and(|(label, rest)| !label.is_empty() && rest == domain),
            })
    }
}

impl Mode {
    fn parse(line: usize, value: &str) -> Result<Self, NotPolicy> {
        match value {
            "enforce" => Ok(Self::Enforce),
            "testing" => Ok(Self::Testing),
            "none" => Ok(Self::None),
            _ => Err(NotPolicy::Value {
                line,
                field: "mode",
                value: shown(value),
                wanted: "must be enforce, testing or none",
            }),
        }
    }
}

fn age(line: usize, value: &str) -> Result<Span, NotPolicy> {
    let digits = !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit());
    let seconds = value.parse().ok().filter(|seconds| *seconds <= LONGEST);
    seconds
        .filter(|_| digits)
        .map(Span::seconds)
        .ok_or_else(|| NotPolicy::Value {
            line,
            field: "max_age",
            value: shown(value),
            wanted: "must be seconds, at most 31557600",
        })
}

fn pattern(line: usize, value: &str) -> Result<String, NotPolicy> {
    let name = value.trim_end_matches('.').to_ascii_lowercase();
    let plain = name.strip_prefix("*.").unwrap_or(&name);
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
    };
    if plain.len() <= 253 && plain.split('.').all(good) {
        return Ok(name);
    }
    Err(NotPolicy::Value {
        line,
        field: "mx",
        value: shown(value),
        wanted: "must be a host name, perhaps with `*.` in front",
    })
}

fn shown(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).take(80).collect()
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn records_signal_a_policy_or_are_as_if_absent() {
        let wrong = |why| Signal::Wrong(why);
        let table: [(&[&str], Signal, &str); 8] = [
            (&[], Signal::Absent, "none"),
            (&["v=spf1 -all"], Signal::Absent, "another record"),
            (
                &["v=STSv1; id=20261130T00;"],
                Signal::Policy("20261130T00".into()),
                "the RFC's example",
            ),
            (
                &["v=STSv1;id=1", "x"],
                Signal::Policy("1".into()),
                "others are passed over",
            ),
            (
                &["v=STSv1; id=1", "v=STSv1; id=2"],
                wrong("there is more than one `v=STSv1` record"),
                "two",
            ),
            (
                &["v=STSv1; id=a-b"],
                wrong("its `id` is not 1 to 32 letters and digits"),
                "a hyphen",
            ),
            (&["v=STSv1"], wrong("it has no `id`"), "no id"),
            (
                &["v=STSv1 id=1"],
                wrong("its first field is not `v=STSv1;`"),
                "no semicolon",
            ),
        ];
        for (texts, expected, why) in table {
            assert_eq!(
                signal(texts.iter().map(|t| t.as_bytes())),
                expected,
                "{why}"
            );
        }
    }

    #[test]
    fn policies_are_read_as_senders_read_them() {
        let good = Policy::parse(
            b"version: STSv1\r\nmode: enforce\r\nmx: MX1.example.com.\r\nmx: *.example.net\r\nfuture: x\r\nmode: none\r\nmax_age: 604800\r\n",
        )
        .unwrap();
        assert_eq!(
            (good.mode, good.max_age),
            (Mode::Enforce, Span::days(7)),
            "the first of a key counts"
        );
        for (host, expected, why) in [
            ("mx1.example.com", true, "by name"),
            ("MX1.EXAMPLE.COM.", true, "case and dot"),
            ("mx2.example.com", false, "another"),
            ("a.example.net", true, "one label"),
            ("example.net", false, "no label"),
            ("a.b.example.net", false, "two labels"),
            (".example.net", false, "an empty label"),
        ] {
            assert_eq!(good.lists(host), expected, "{why}");
        }
        let table = [
            ("", "it does not say `version: STSv1`"),
            (
                "version: STSv2\nmode: none\nmax_age: 1\n",
                "it does not say `version: STSv1`",
            ),
            (
                "version: STSv1\nmode: strict\n",
                "line 2: `mode: strict` must be enforce, testing or none",
            ),
            (
                "version: STSv1\nmode: enforce\nmax_age: 1\n",
                "it has no `mx`",
            ),
            ("version: STSv1\nmode: none\n", "it has no `max_age`"),
            (
                "version: STSv1\nmode: none\nmax_age: 31557601\n",
                "line 3: `max_age: 31557601` must be seconds, at most 31557600",
            ),
            (
                "version: STSv1\nmode: none\nmax_age: +1\n",
                "line 3: `max_age: +1` must be seconds, at most 31557600",
            ),
            (
                "version: STSv1\nmx: a..b\n",
                "line 2: `mx: a..b` must be a host name, perhaps with `*.` in front",
            ),
            (
                "version: STSv1\nmx: m*.b\n",
                "line 2: `mx: m*.b` must be a host name, perhaps with `*.` in front",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(
                Policy::parse(text.as_bytes()).unwrap_err().to_string(),
                expected
            );
        }
        assert!(
            Policy::parse(b"version: STSv1\nmode: none\nmax_age: 0\n").is_ok(),
            "none needs no mx"
        );
        assert_eq!(Policy::parse(b"\xff"), Err(NotPolicy::NotText));
    }
}
