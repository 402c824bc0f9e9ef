//! Reports inside mail: the attachments of a `multipart/report` message, and of those forwarded within it
//! (RFC 8460 §5.3, RFC 2045).

use super::archive::is_gzip;
use super::wrapping::may_be_report;
use mail_parser::{Encoding, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};
use std::borrow::Cow;
use std::path::Path;

/// No message is longer.
pub const MAX_OCTETS: usize = 16 * 1024 * 1024;
/// Parts of one message that are looked at.
const PARTS: usize = 256;
/// Messages within messages that are opened.
const DEPTH: usize = 3;

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it holds; nothing where a message says that it brings a report, and brings none.
    pub octets: Vec<u8>,
    /// Whether its media type, its name or its message says that it is a report.
    pub is_named: bool,
}

/// The parts of a message that are, or may be, reports: their octets with the transfer encoding undone.
///
/// `None` if the octets are no message at all.
pub fn attachments(octets: &[u8]) -> Option<Vec<Part>> {
    // The parser asserts what holds of well-formed mail only: octets on which it gives up are no mail.
    let parsed = std::panic::catch_unwind(|| MessageParser::new().parse(octets));
    let message = parsed.ok().flatten()?;
    // The parser makes a message of anything; one without any of these fields is none.
    let is_mail = message.headers().iter().any(|header| {
        ["content-type", "from", "received", "subject"]
            .contains(&&*header.name().to_ascii_lowercase())
    });
    if !is_mail {
        return None;
    }
    let mut found = Vec::new();
    collect(&message, DEPTH, &mut found);
    if found.is_empty() && says_it_reports(&message) {
        // It says that it brings one, and what it brings is none.
        found.push(Part {
            octets: Vec::new(),
            is_named: true,
        });
    }
    Some(found)
}

/// Whether a message says that it is a report's (RFC 8460 §5.3).
fn says_it_reports(message: &Message<'_>) -> bool {
    let kind = message
        .content_type()
        .and_then(|media| media.attribute("report-type"));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("tlsrpt"))
        || message
            .headers()
            .iter()
            .any(|header| header.name().eq_ignore_ascii_case("tls-report-domain"))
}

fn collect(message: &Message<'_>, depth: usize, found: &mut Vec<Part>) {
    let all_are_named = says_it_reports(message);
    for part in message.parts.iter().take(PARTS) {
        if found.len() >= PARTS {
            return;
        }
        match &part.body {
            PartType::Message(inner) if depth > 0 => {
                collect(inner, depth.saturating_sub(1), found);
            }
            PartType::Multipart(_) | PartType::Message(_) => {}
            _ => {
                let octets = octets(message, part);
                let is_named = is_named(part);
                if is_named || looks_like_one(part, &octets) {
                    found.push(Part {
                        octets: octets.into_owned(),
                        is_named: is_named || all_are_named,
                    });
                }
            }
        }
    }
}

/// A part with its transfer encoding undone. What is said to be text, and is an archive, is no text: a gateway has named it so.
fn octets<'m>(message: &'m Message<'_>, part: &'m MessagePart<'_>) -> Cow<'m, [u8]> {
    let (from, to) = (part.raw_body_offset(), part.raw_end_offset());
    let raw = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let raw = raw.and_then(|(from, to)| message.raw_message.get(from..to));
    let raw = raw.unwrap_or_default();
    let archive = match part.encoding {
        Encoding::Base64 => {
            let digits: Vec<u8> = raw
                .iter()
                .copied()
                .filter(|d| !d.is_ascii_whitespace())
                .collect();
            data_encoding::BASE64.decode(&digits).map(Cow::Owned).ok()
        }
        Encoding::None => Some(Cow::Borrowed(raw)),
        Encoding::QuotedPrintable => None,
    };
    match archive.filter(|octets| part.is_text() && is_gzip(octets)) {
        Some(octets) => octets,
        None => Cow::Borrowed(part.contents()),
    }
}

/// Whether a part says that it is a report, by media type (RFC 8460 §6.4, §6.5) or by name: senders get either wrong.
fn is_named(part: &MessagePart<'_>) -> bool {
    let media = part.content_type().map(|media| {
        let subtype = media.subtype().unwrap_or_default();
        format!("{}/{subtype}", media.ctype()).to_ascii_lowercase()
    });
    let by_media = media.is_some_and(|media| media.starts_with("application/tlsrpt+"));
    let name = part.attachment_name().map(str::to_ascii_lowercase);
    by_media
        || name.is_some_and(|name| {
            let name = name.strip_suffix(".gz").unwrap_or(&name);
            Path::new(name).extension() == Some("json".as_ref())
        })
}

/// Whether a part begins as reports do. Text without a name is the body of a mail, unless it has what every report has.
fn looks_like_one(part: &MessagePart<'_>, octets: &[u8]) -> bool {
    may_be_report(octets)
        && (part.attachment_name().is_some() || is_gzip(octets) || memmem(octets, b"\"policies\""))
}

fn memmem(octets: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(octets, wanted).is_some()
}

/// The same without the empty lines in front, as editors and exports leave them.
pub fn without_blank_lines(octets: &[u8]) -> &[u8] {
    let start = octets
        .iter()
        .position(|octet| !matches!(octet, b'\r' | b'\n'));
    start
        .and_then(|start| octets.get(start..))
        .unwrap_or(octets)
}

/// Whether a file is an mbox: it begins with the line that parts messages (RFC 4155).
pub fn is_mbox(octets: &[u8]) -> bool {
    octets.starts_with(b"From ")
}

/// The messages of an mbox, one by one: each begins with `From ` behind an empty line; `>From ` is put back.
pub fn mbox(octets: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        // The `From ` line itself is no part of the message.
        let body = memchr::memchr(b'\n', rest).and_then(|at| rest.get(at.saturating_add(1)..));
        let body = body.unwrap_or_default();
        let ends = memchr::memmem::find_iter(body, b"\nFrom ").find(|at| {
            let before = body.get(..*at).unwrap_or_default();
            before.is_empty() || before.ends_with(b"\n") || before.ends_with(b"\r")
        });
        let (message, after) = match ends {
            Some(at) => body.split_at_checked(at.saturating_add(1))?,
            None => (body, &[][..]),
        };
        rest = after;
        Some(unquoted(message))
    })
}

/// Lines that begin with `>`s and `From ` lose one `>`, which was put there so that they part no messages.
fn unquoted(message: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(message, b"\n>From ").is_none() {
        return Cow::Borrowed(message);
    }
    let mut plain = Vec::with_capacity(message.len());
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        let quoted = line.iter().take_while(|octet| **octet == b'>').count();
        let is_from = line.get(quoted..).is_some_and(|l| l.starts_with(b"From "));
        let from = usize::from(quoted > 0 && is_from);
        plain.extend_from_slice(line.get(from..).unwrap_or_default());
    }
    Cow::Owned(plain)
}
