//! The text of BIND key files: `K<zone>+<alg>+<tag>.private` ("Private-key-format" 1.3) and its `.key` twin.
//!
//! Text only: no file is opened here. Values are secrets, so nothing here prints or derives `Debug`.

use crate::dnssec::algorithm::Algorithm;
use crate::dnssec::dnskey::KeyId;
use crate::dnssec::key_timing::Timing;
use crate::rotation::timing::Instant;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use chrono::NaiveDateTime;
use std::fmt::Write as _;

/// What a private key file holds.
pub(super) struct PrivateText {
    pub(super) algorithm: u8,
    pub(super) timing: Timing,
    fields: Vec<(String, Vec<u8>)>,
}

/// Where and why a key file's text is wrong. Never quotes a value: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct KeyTextError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl PrivateText {
    /// Reads a private key file. Fields that we do not know are kept and mean nothing.
    pub(super) fn parse(text: &str) -> Result<Self, KeyTextError> {
        let mut parsed = Self {
            algorithm: 0,
            timing: Timing::default(),
            fields: Vec::new(),
        };
        let mut lines = (1..).zip(text.lines());
        let wrong = |line, what| KeyTextError { line, what };
        let format = lines
            .next()
            .and_then(|(_, l)| l.strip_prefix("Private-key-format: v1."));
        if format.is_none_or(|minor| minor.trim().parse::<u32>().is_err()) {
            return Err(wrong(1, "expected `Private-key-format: v1.3`"));
        }
        for (line, content) in lines.filter(|(_, l)| !l.trim().is_empty()) {
            let (name, value) = content
                .split_once(':')
                .ok_or(wrong(line, "expected `Name: value`"))?;
            parsed
                .take(name.trim(), value.trim())
                .map_err(|what| wrong(line, what))?;
        }
        Ok(parsed)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        let timing = &mut self.timing;
        let time = match name {
            "Algorithm" => {
                let number = value.split_ascii_whitespace().next().unwrap_or_default();
                self.algorithm = number
                    .parse()
                    .map_err(|_| "the algorithm is not a number up to 255")?;
                return Ok(());
            }
            "Created" => &mut timing.created,
            "Publish" => &mut timing.publish,
            "Activate" => &mut timing.activate,
            "Inactive" => &mut timing.inactive,
            "Delete" => &mut timing.delete,
            "Revoke" => &mut timing.revoke,
            "SyncPublish" => &mut timing.sync_publish,
            "SyncDelete" => &mut timing.sync_delete,
            // When the parent's DS was seen changes nothing here; the successor is a tag.
            "DSPublish" | "DSDelete" | "Predecessor" | "Successor" => return Ok(()),
            secret => {
                let octets = from_base64(value).ok_or("the value is not base64")?;
                self.fields.push((secret.to_owned(), octets));
                return Ok(());
            }
        };
        *time = Some(parse_time(value).ok_or("expected a time as YYYYMMDDHHMMSS")?);
        Ok(())
    }

    /// The value of a field of the secret key.
    pub(super) fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| &**value)
    }
}

/// The text of a private key file.
pub(super) fn private_text(
    algorithm: Algorithm,
    fields: &[(&str, Vec<u8>)],
    timing: &Timing,
) -> String {
    let mut text = format!(
        "Private-key-format: v1.3\nAlgorithm: {} ({algorithm})\n",
        algorithm.number()
    );
    for (name, value) in fields {
        let _ = writeln!(text, "{name}: {}", to_base64(value));
    }
    for (name, at) in times(timing) {
        let _ = writeln!(text, "{name}: {}", compact(at));
    }
    text
}

/// The text of a public key file.
pub(super) fn public_text(zone: &Name, dnskey: &Rdata, kind: &str, timing: &Timing) -> String {
    let tag = crate::dnssec::dnskey::key_tag(&dnskey.0);
    let mut text = format!("; This is a {kind} key, keyid {tag}, for {zone}\n");
    for (name, at) in times(timing) {
        let _ = writeln!(text, "; {name}: {} ({at})", compact(at));
    }
    let _ = writeln!(text, "{zone} IN DNSKEY {}", dnskey.to_text(Rtype::DNSKEY));
    text
}

// The data of an OPENPGPKEY record is nothing but base64 (RFC 7929 §2.3): its text form serves for key files too.

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let rdata = Rdata::from_text(Rtype::OPENPGPKEY, text.as_bytes(), None).ok()?;
    Some(rdata.0.into_vec())
}

fn to_base64(octets: &[u8]) -> String {
    Rdata(octets.into()).to_text(Rtype::OPENPGPKEY)
}

fn times(timing: &Timing) -> impl Iterator<Item = (&'static str, Instant)> {
    [
        ("Created", timing.created),
        ("Publish", timing.publish),
        ("Activate", timing.activate),
        ("Inactive", timing.inactive),
        ("Delete", timing.delete),
        ("Revoke", timing.revoke),
        ("SyncPublish", timing.sync_publish),
        ("SyncDelete", timing.sync_delete),
    ]
    .into_iter()
    .filter_map(|(name, at)| Some((name, at?)))
}

/// `YYYYMMDDHHMMSS`, in UTC.
fn compact(at: Instant) -> String {
    at.to_string()
        .chars()
        .filter(char::is_ascii_digit)
        .collect()
}

fn parse_time(text: &str) -> Option<Instant> {
    if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let at = NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%S").ok()?;
    u64::try_from(at.and_utc().timestamp())
        .ok()
        .map(Instant::from_unix)
}

/// The file name without its ending: `Kexample.com.+013+12345`.
pub(super) fn file_stem(zone: &Name, id: KeyId) -> String {
    format!("{}{:03}+{:05}", file_prefix(zone), id.algorithm, id.tag)
}

/// What the names of all key files of a zone begin with: `Kexample.com.+`.
///
/// Octets that could mean something to a file system are written `%XX`, as BIND does.
pub(super) fn file_prefix(zone: &Name) -> String {
    let mut text = String::from("K");
    for label in zone.labels() {
        for octet in label.to_ascii_lowercase() {
            match octet {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => text.push(char::from(octet)),
                _ => {
                    let _ = write!(text, "%{octet:02X}");
                }
            }
        }
        text.push('.');
    }
    if zone.label_count() == 0 {
        text.push('.');
    }
    text.push('+');
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<Instant> {
        parse_time(text)
    }

    #[test]
    fn times_read_back_as_written() {
        for text in ["19700101000000", "20260228235959", "21001231000000"] {
            assert_eq!(compact(at(text).unwrap()), text);
        }
        for text in [
            "",
            "20260230000000",
            "2026",
            "2026022823595 ",
            "20260228245959",
            "-0260228235959",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn private_text_reads_back_and_broken_text_is_refused_without_quoting_it() {
        let timing = Timing {
            created: at("20260101000000"),
            activate: at("20260102000000"),
            ..Timing::default()
        };
        let fields = [("PrivateKey", vec![1, 2, 3])];
        let text = private_text(Algorithm::Ed25519, &fields, &timing);
        let read = PrivateText::parse(&text).ok().unwrap();
        assert_eq!(read.algorithm, 15);
        assert_eq!(read.timing, timing);
        assert_eq!(read.field("PrivateKey"), Some(&[1, 2, 3][..]));
        let broken = [
            ("", 1),
            ("Private-key-format: v2.0\n", 1),
            ("Private-key-format: v1.3\nAlgorithm: x\n", 2),
            ("Private-key-format: v1.3\n\nPrivateKey\n", 3),
            ("Private-key-format: v1.3\nPrivateKey: s*cret\n", 2),
            ("Private-key-format: v1.3\nActivate: soon\n", 2),
        ];
        for (text, line) in broken {
            let error = PrivateText::parse(text).err().unwrap();
            assert_eq!(error.line, line, "{text}");
            assert!(!error.to_string().contains("s*cret"));
        }
    }

    #[test]
    fn file_names_are_those_of_bind() {
        let id = KeyId {
            algorithm: 8,
            tag: 7,
        };
        let table = [
            ("Example.COM.", "Kexample.com.+008+00007"),
            (
                "0/25.2.0.192.in-addr.arpa.",
                "K0%2F25.2.0.192.in-addr.arpa.+008+00007",
            ),
            (".", "K.+008+00007"),
        ];
        for (zone, stem) in table {
            let zone = Name::parse(zone.as_bytes(), None).unwrap();
            assert_eq!(file_stem(&zone, id), stem);
        }
    }
}
