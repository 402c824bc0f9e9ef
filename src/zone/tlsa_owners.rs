//! TLSA records that no sender asks for: their owners are not what clients look up (RFC 6698 §3, RFC 7672 §2.2, §3.1.3).
//!
//! All of it is a warning: the zone works, and mail is not protected as somebody means it to be.

use crate::zone::check::{Check, Part, text};
use crate::zone::diagnostic::Severity;
use crate::zone::name::split_name;
use crate::zone::order::is_below;
use crate::zone::record::Rtype;
use crate::zone::records::Stored;
use crate::zone::targets::{Contents, Found};
use std::collections::BTreeSet;

const ADDRESSES: &[Rtype] = &[Rtype::A, Rtype::AAAA];
const PROTOCOLS: [&[u8]; 4] = [b"tcp", b"udp", b"sctp", b"dccp"];
/// Services that are taken for ports.
const SERVICES: [(&[u8], u16); 9] = [
    (b"smtp", 25),
    (b"smtps", 465),
    (b"submissions", 465),
    (b"submission", 587),
    (b"imap", 143),
    (b"imaps", 993),
    (b"pop3", 110),
    (b"pop3s", 995),
    (b"https", 443),
];

/// Looks at every owner of TLSA records, and at the aliases that stand where TLSA records would.
pub(super) fn check(check: &mut Check<'_>, zone: &Contents<'_>) {
    doubled(check, zone);
    let records = zone.records;
    let matters = |r: &&Stored| matches!(r.rtype, Rtype::TLSA | Rtype::CNAME);
    let aliased: BTreeSet<Vec<u8>> = records
        .all()
        .iter()
        .filter(|r| r.rtype == Rtype::CNAME && has_underscore(records.owner(r)))
        .map(|r| records.data(r).to_ascii_lowercase())
        .collect();
    let mut last: Option<(&[u8], Rtype)> = None;
    for record in zone.in_order().filter(matters) {
        let owner = records.owner(record);
        let same = last.is_some_and(|(o, t)| t == record.rtype && o.eq_ignore_ascii_case(owner));
        last = Some((owner, record.rtype));
        let here = is_below(owner, zone.apex) && !zone.is_hidden(owner);
        if !here || is_doubled(owner, zone.apex) {
            continue;
        }
        let place = Place::of(owner);
        if record.rtype == Rtype::TLSA {
            if !same && !aliased.contains(&owner.to_ascii_lowercase()) {
                tlsa(check, zone, record, owner, &place);
            }
            unusable(check, record, &place);
        } else if let Place::Asked { host, .. } = place {
            leads(check, zone, record);
            host_of(check, zone, record, &place, host);
        }
    }
}

/// Where a name stands among those that clients ask for TLSA records.
pub(super) enum Place<'n> {
    /// `_25._tcp.host`, or `*._tcp.host`.
    Asked { port: &'n [u8], host: &'n [u8] },
    /// Nearly that: what it was meant to be, and what is wrong with it.
    Slip { meant: Vec<u8>, why: &'static str },
    /// Something else: a name that an alias may lead to.
    Other,
}

impl<'n> Place<'n> {
    pub(super) fn of(owner: &'n [u8]) -> Self {
        let (first, rest) = label(owner);
        let (second, host) = label(rest);
        let mail_elsewhere = first == b"_25" && bare(second) != b"tcp";
        if (is_port(first) || first == b"*") && is_protocol(second) && !mail_elsewhere {
            return Self::Asked { port: first, host };
        }
        let slip = |port: &[u8], protocol: &[u8], host: &[u8], why| Self::Slip {
            meant: owner_for(port, protocol, host),
            why,
        };
        let (plain_one, plain_two) = (plain(first), plain(second));
        let is_plain = plain_one == first && plain_two == second;
        if !is_plain && is_port(&plain_one) && is_protocol(&plain_two) {
            let why = if first.is_ascii() && second.is_ascii() {
                "one `_` stands in front of port and protocol each"
            } else {
                "its digits, letters or `_` are full-width characters"
            };
            return slip(&bare(&plain_one), &bare(&plain_two), host, why);
        }
        let (one, two) = (bare(first), bare(second));
        if one == b"25" && is_port(first) && is_protocol(second) && two != b"tcp" {
            return slip(&one, b"tcp", host, "mail is sent over `_tcp`");
        }
        if is_number(&one) && is_bare_protocol(&two) {
            let why = if first.first() != Some(&b'_') || second.first() != Some(&b'_') {
                "port and protocol begin with `_` each"
            } else {
                "the port is a number up to 65535 without zeros in front"
            };
            return slip(&one, &two, host, why);
        }
        if is_bare_protocol(&one) && is_number(&two) {
            return slip(&two, &one, host, "the port stands in front of the protocol");
        }
        if let Some((_, port)) = SERVICES.iter().find(|(name, _)| *name == one)
            && is_bare_protocol(&two)
        {
            let port = port.to_string();
            return slip(
                port.as_bytes(),
                &two,
                host,
                "the port is a number, not a name",
            );
        }
        if let Some((port, protocol)) = glued(first) {
            return slip(&port, &protocol, rest, "port and protocol are two labels");
        }
        if is_protocol(first) {
            return slip(
                b"25",
                &one,
                rest,
                "the port is missing in front of the protocol",
            );
        }
        if is_port(first) {
            let (host, why) = if second.first() == Some(&b'_') {
                (host, "the protocol is none: mail is sent over `_tcp`")
            } else {
                (rest, "the protocol is missing behind the port")
            };
            return slip(&one, b"tcp", host, why);
        }
        behind(owner).unwrap_or(Self::Other)
    }
}

/// `mx1._25._tcp.example.com`: port and protocol stand behind the host.
fn behind(owner: &[u8]) -> Option<Place<'_>> {
    let mut front = Vec::new();
    let mut rest = owner;
    while rest.len() > 1 {
        let (first, after) = label(rest);
        let (second, domain) = label(after);
        if !front.is_empty() && is_port(first) && is_protocol(second) {
            let host = [front.as_slice(), domain].concat();
            return Some(Place::Slip {
                meant: owner_for(&bare(first), &bare(second), &host),
                why: "port and protocol stand in front of the host",
            });
        }
        front.extend_from_slice(
            rest.get(..first.len().saturating_add(1))
                .unwrap_or_default(),
        );
        rest = after;
    }
    None
}

/// An owner of TLSA records that is no target of an alias.
fn tlsa(
    check: &mut Check<'_>,
    zone: &Contents<'_>,
    record: &Stored,
    owner: &[u8],
    place: &Place<'_>,
) {
    match place {
        Place::Asked { host, .. } => host_of(check, zone, record, place, host),
        Place::Slip { meant, why } => {
            let message = format!("nobody asks for TLSA records of {}: {why}", text(owner));
            let help = format!("write {} (RFC 6698 §3)", text(meant));
            check.say(record, Part::Owner, Severity::Warning, message, Some(&help));
        }
        Place::Other => {
            let (first, parent) = label(owner);
            let below_host = first.first() == Some(&b'_')
                && parent.len() > zone.apex.len()
                && zone.has(parent, ADDRESSES);
            let host = if below_host { parent } else { owner };
            if below_host || zone.has(owner, &[Rtype::A, Rtype::AAAA, Rtype::MX]) {
                let message = format!("nobody asks for TLSA records of {}", text(owner));
                let meant = text(&owner_for(b"25", b"tcp", host));
                let help = format!("for mail to this host write {meant} (RFC 6698 §3)");
                check.say(record, Part::Owner, Severity::Warning, message, Some(&help));
            }
        }
    }
}

/// The host that an owner is for: it has addresses, and for mail it is what MX records name.
fn host_of(
    check: &mut Check<'_>,
    zone: &Contents<'_>,
    record: &Stored,
    place: &Place<'_>,
    host: &[u8],
) {
    let Place::Asked { port, .. } = place else {
        return;
    };
    if !is_below(host, zone.apex) {
        return;
    }
    let exchanges = zone.exchanges(host);
    let found = zone.find(host);
    let (message, help) = if *port == b"_25"
        && !exchanges.is_empty()
        && !exchanges.iter().any(|e| e.eq_ignore_ascii_case(host))
    {
        let first = exchanges.first().copied().unwrap_or_default();
        let others = if exchanges.len() > 1 {
            " and others"
        } else {
            ""
        };
        (
            format!(
                "mail for {} goes to {}{others}: senders ask for TLSA records of the hosts in MX records",
                text(host),
                text(first)
            ),
            format!(
                "write {} (RFC 7672 §2.2)",
                text(&owner_for(b"25", b"tcp", first))
            ),
        )
    } else if found == Found::Nothing {
        (
            format!(
                "{} has no A or AAAA record, so nobody asks for its TLSA records",
                text(host)
            ),
            "correct the host, or add its addresses".to_owned(),
        )
    } else {
        return;
    };
    check.say(record, Part::Owner, Severity::Warning, message, Some(&help));
}

/// An alias where TLSA records would stand leads to some.
fn leads(check: &mut Check<'_>, zone: &Contents<'_>, record: &Stored) {
    let target = zone.records.data(record);
    let elsewhere = !is_below(target, zone.apex) || zone.is_hidden(target);
    if elsewhere
        || zone.has(target, &[Rtype::TLSA, Rtype::CNAME])
        || zone.find(target) == Found::Alias
    {
        return;
    }
    let message = format!(
        "{} has no TLSA record, and this alias leads there",
        text(target)
    );
    let help = "add the TLSA record, or correct the name: is a dot missing at its end?";
    check.say(
        record,
        Part::LastField,
        Severity::Warning,
        message,
        Some(help),
    );
}

/// Certificate usages 0 and 1 are for clients with CAs of their own; senders of mail take them for unusable.
fn unusable(check: &mut Check<'_>, record: &Stored, place: &Place<'_>) {
    let usage = check.records.data(record).first().copied();
    let mail = matches!(place, Place::Asked { port, .. } if *port == b"_25");
    if let (true, Some(usage @ 0..=1)) = (mail, usage) {
        let message = format!("senders of mail cannot use a TLSA record of usage {usage}");
        let help = "publish the host's key: `tlsa-rotate record CERTIFICATE` prints `3 1 1 …` (RFC 7672 §3.1.3)";
        check.say(
            record,
            Part::LastField,
            Severity::Warning,
            message,
            Some(help),
        );
    }
}

/// Owners in which the zone's name stands twice, because a final dot is missing.
fn doubled(check: &mut Check<'_>, zone: &Contents<'_>) {
    let records = zone.records;
    let mut last: &[u8] = &[];
    for record in zone.below(&again(zone.apex)) {
        let owner = records.owner(record);
        let denial = matches!(record.rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3);
        // Below a zone of one label, such a name is no slip by itself.
        let short = label(label(zone.apex).1).0.is_empty() && record.rtype != Rtype::TLSA;
        if denial || short || owner.eq_ignore_ascii_case(last) {
            continue;
        }
        last = owner;
        let length = owner.len().saturating_sub(zone.apex.len());
        let front = owner.get(..length).unwrap_or_default();
        let meant = [front, &[0]].concat();
        let message = format!("{} has the zone's name twice", text(owner));
        let help = format!("end the owner with a dot: {}", text(&meant));
        check.say(record, Part::Owner, Severity::Warning, message, Some(&help));
    }
}

/// Whether the zone's name stands twice in a name.
pub(super) fn is_doubled(owner: &[u8], apex: &[u8]) -> bool {
    apex.len() > 1 && is_below(owner, &again(apex))
}

/// The zone's name below itself.
fn again(apex: &[u8]) -> Vec<u8> {
    let labels = apex.get(..apex.len().saturating_sub(1));
    [labels.unwrap_or_default(), apex].concat()
}

/// The first label of a wire name, and the name above it.
fn label(name: &[u8]) -> (&[u8], &[u8]) {
    let length = usize::from(name.first().copied().unwrap_or(0));
    let end = length.saturating_add(1);
    let first = name.get(1..end).unwrap_or_default();
    let rest = name.get(end..).filter(|rest| split_name(rest).is_ok());
    (first, rest.unwrap_or(&[0]))
}

/// Whether a label of a name begins with `_`, as where clients ask for TLSA records, or with `*`, which may stand for that.
fn has_underscore(owner: &[u8]) -> bool {
    let mut rest = owner;
    while rest.len() > 1 {
        let (first, above) = label(rest);
        if matches!(first.first(), Some(b'_' | b'*')) {
            return true;
        }
        rest = above;
    }
    false
}

/// A label with the ASCII characters in place of full-width ones (U+FF01 to U+FF5E), and one `_` in place of several in front.
fn plain(label: &[u8]) -> Vec<u8> {
    let narrow = |c: char| match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide.saturating_sub(0xfee0)).unwrap_or(c),
        _ => c,
    };
    let narrowed: String = String::from_utf8_lossy(label).chars().map(narrow).collect();
    let rest = narrowed.trim_start_matches('_');
    let front = if rest.len() < narrowed.len() { "_" } else { "" };
    [front, rest].concat().into_bytes()
}

/// A label without `_` in front, or the `-` that was meant as one, in lower case.
fn bare(label: &[u8]) -> Vec<u8> {
    let rest = label.strip_prefix(b"_").or(label.strip_prefix(b"-"));
    rest.unwrap_or(label).to_ascii_lowercase()
}

/// `_25`: a port in decimal digits without zeros in front.
fn is_port(label: &[u8]) -> bool {
    let digits = label
        .strip_prefix(b"_")
        .and_then(|d| std::str::from_utf8(d).ok());
    digits.is_some_and(|d| {
        let number = d.parse::<u16>().ok();
        number.is_some_and(|n| n.to_string() == d)
    })
}

fn is_number(label: &[u8]) -> bool {
    !label.is_empty() && label.iter().all(u8::is_ascii_digit)
}

fn is_protocol(label: &[u8]) -> bool {
    label.first() == Some(&b'_') && is_bare_protocol(&bare(label))
}

fn is_bare_protocol(label: &[u8]) -> bool {
    PROTOCOLS.contains(&label)
}

/// `_25_tcp`, `25tcp` or `_25-_tcp`, taken apart.
fn glued(label: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let label = bare(label);
    let digits = label.iter().take_while(|b| b.is_ascii_digit()).count();
    let (port, rest) = label.split_at_checked(digits)?;
    let letters = rest.iter().position(u8::is_ascii_alphanumeric)?;
    let protocol = rest.get(letters..)?;
    let fits = !port.is_empty() && is_bare_protocol(protocol);
    fits.then(|| (port.to_vec(), protocol.to_vec()))
}

/// The owner of the TLSA records of a port of a host.
fn owner_for(port: &[u8], protocol: &[u8], host: &[u8]) -> Vec<u8> {
    let port = std::str::from_utf8(port)
        .ok()
        .and_then(|p| p.parse::<u16>().ok());
    let port = format!("_{}", port.unwrap_or(25));
    let protocol = [b"_", protocol].concat();
    let mut owner = Vec::new();
    for label in [port.as_bytes(), &protocol] {
        owner.push(u8::try_from(label.len()).unwrap_or(0));
        owner.extend_from_slice(label);
    }
    owner.extend_from_slice(host);
    owner
}
