//! Records that are well-formed and cannot be what somebody meant: TLSA data in the wrong place or of the wrong kind, aliases
//! that lead in a circle, mail for `localhost` (RFC 6698 §2.1, RFC 1034 §3.6.2, RFC 6761 §6.3).

use crate::zone::check::{Check, Part, text};
use crate::zone::diagnostic::Severity;
use crate::zone::mail;
use crate::zone::order::is_below;
use crate::zone::record::{Rdata, Rtype};
use crate::zone::records::Stored;
use crate::zone::targets::{Contents, target_of};
use crate::zone::tlsa_owners::Place;

/// Aliases that are followed from one to the next, as resolvers do.
const LONGEST: usize = 16;

/// Names that lead to no mail host of anybody's: each sender's own machine, its own network, nothing.
const NOWHERE: [&[u8]; 4] = [
    b"\x09localhost\x00",
    b"\x0blocaldomain\x00",
    b"\x05local\x00",
    b"\x07invalid\x00",
];

/// Looks at all records that are served from here.
pub(super) fn check(check: &mut Check<'_>, zone: &Contents<'_>) {
    let records = zone.records;
    let matters = |rtype| matches!(rtype, Rtype::TLSA | Rtype::TXT | Rtype::MX | Rtype::CNAME);
    for record in records.all().iter().filter(|r| matters(r.rtype)) {
        let owner = records.owner(record);
        let data = records.data(record);
        let found = match record.rtype {
            Rtype::TLSA => of_data(data).map(|found| (Part::LastField, found)),
            Rtype::TXT => of_text(owner, data).map(|found| (Part::LastField, found)),
            Rtype::MX => of_exchange(data).map(|found| (Part::LastField, found)),
            Rtype::CNAME => of_alias(zone, owner, data).map(|found| (Part::Owner, found)),
            _ => continue,
        };
        if let Some((part, found)) = found
            && is_below(owner, zone.apex)
            && !zone.is_hidden(owner)
        {
            say(check, record, part, found);
        }
    }
}

/// What is wrong, and the way out.
type Found = (String, String);

fn say(check: &mut Check<'_>, record: &Stored, part: Part, (message, help): Found) {
    check.say(record, part, Severity::Warning, message, Some(&help));
}

/// A digest where the data itself belongs, and digests that nobody computed.
fn of_data(data: &[u8]) -> Option<Found> {
    let ([usage, selector, matching], data) = data.split_first_chunk::<3>()?;
    let digest = match data.len() {
        32 => Some(("SHA-256", 1)),
        64 => Some(("SHA-512", 2)),
        _ => None,
    };
    if let (0, Some((name, number))) = (*matching, digest) {
        return Some((
            format!(
                "matching type 0 is the certificate or key itself, and {} octets are as long as a {name} digest",
                data.len()
            ),
            format!("write `{usage} {selector} {number} …` if it is one (RFC 6698 §2.1.3)"),
        ));
    }
    let first = data.first()?;
    let is_filled =
        matches!(first, 0 | 0xff) && data.len() > 1 && data.iter().all(|octet| octet == first);
    is_filled.then(|| {
        (
            "this digest is one octet again and again: it stands for another that was to be put in"
                .to_owned(),
            "write the digest of the key: `tlsa-rotate record CERTIFICATE` prints the record"
                .to_owned(),
        )
    })
}

/// TLSA data in a TXT record.
fn of_text(owner: &[u8], data: &[u8]) -> Option<Found> {
    let text = mail::joined(&Rdata(data.into()));
    let text = std::str::from_utf8(&text).ok()?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let named = words
        .iter()
        .position(|word| word.eq_ignore_ascii_case("TLSA"));
    let rest = words.get(named.map_or(0, |at| at.saturating_add(1))..)?;
    let [usage, selector, matching, digits @ ..] = rest else {
        return None;
    };
    let number = |word: &str, most: u8| word.parse::<u8>().is_ok_and(|number| number <= most);
    let digits = digits.concat();
    let is_data = number(usage, 3)
        && number(selector, 1)
        && number(matching, 2)
        && digits.len() >= 64
        && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_asked = matches!(Place::of(owner), Place::Asked { .. });
    (is_data && (is_asked || named.is_some())).then(|| {
        (
            "this is text, not a TLSA record: no sender reads it".to_owned(),
            format!("write `TLSA {usage} {selector} {matching} …` without quotes (RFC 6698 §2.2)"),
        )
    })
}

/// Mail for each sender's own machine.
fn of_exchange(data: &[u8]) -> Option<Found> {
    let target = target_of(Rtype::MX, data)?;
    let top = NOWHERE.iter().find(|top| is_below(target, top))?;
    Some((
        format!(
            "mail goes to {}, and names below {} lead to no mail host of yours",
            text(target),
            text(top)
        ),
        "name the host that takes mail, or write `MX 0 .` if none does (RFC 7505)".to_owned(),
    ))
}

/// An alias that leads back to where it was.
fn of_alias(zone: &Contents<'_>, owner: &[u8], data: &[u8]) -> Option<Found> {
    let mut name = data;
    for _ in 0..LONGEST {
        if name.eq_ignore_ascii_case(owner) {
            let what = match Place::of(owner) {
                Place::Asked { .. } => {
                    "who asks for TLSA records here gets a failure, and defers mail"
                }
                _ => "nobody finds anything here",
            };
            return Some((
                format!("the alias of {} leads back to itself: {what}", text(owner)),
                "name the record that is meant (RFC 1034 §3.6.2)".to_owned(),
            ));
        }
        name = zone.alias(name)?;
    }
    None
}
