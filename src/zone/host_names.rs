//! Names that BIND's `check-names` refuses (RFC 952, RFC 1123 §2.1): a primary with its defaults does not load the zone.
//!
//! Other name servers load it, and BIND does where the option says so: each is a warning. Which types BIND looks at, and
//! which names, follows BIND; a differential test holds both together.

use crate::zone::check::{Check, Part, text};
use crate::zone::name::split_name;
use crate::zone::order::is_below;
use crate::zone::record::Rtype;
use crate::zone::records::Stored;
use crate::zone::servers::ServerKind;
use crate::zone::targets;

const WAY_OUT: &str = "rename it: letters, digits and hyphens are fine, an IDN is written as `xn--…` (RFC 1123 §2.1); or say `check-names ignore;` for this zone on every server that runs BIND; where none does, say that by `servers_run` in the configuration";

const BIND: &[ServerKind] = &[ServerKind::Bind];

/// Below these, PTR records name hosts.
const REVERSE: [&[u8]; 3] = [
    b"\x07in-addr\x04arpa\x00",
    b"\x03ip6\x04arpa\x00",
    b"\x03ip6\x03int\x00",
];

/// Global catalogues of Active Directory: BIND lets their addresses be.
const CATALOGUE: &[u8] = b"\x02gc\x06_msdcs";

/// What a name in data has to be.
#[derive(Clone, Copy)]
enum Kind {
    Host,
    Mailbox,
}

/// Looks at the owners and the data of all records of the zone.
pub(super) fn check(check: &mut Check<'_>) {
    let (records, apex) = (check.records, check.apex.wire());
    let mut last: (&[u8], Rtype) = (&[], Rtype(0));
    let matters = |rtype| has_host(rtype) || has_name(rtype);
    for record in records.all().iter().filter(|r| matters(r.rtype)) {
        let owner = records.owner(record);
        let rtype = record.rtype;
        let again = last.1 == rtype && last.0 == owner;
        if !again && has_host(rtype) && !is_host_owner(rtype, owner) && is_below(owner, apex) {
            let message = format!(
                "BIND as a primary does not load the zone by default: {} has {rtype} records and is no host name",
                text(owner)
            );
            check.refused_by(BIND, record, Part::Owner, message, WAY_OUT);
        }
        last = (owner, rtype);
        data(check, record, owner);
    }
}

/// The names in a record's data.
fn data(check: &mut Check<'_>, record: &Stored, owner: &[u8]) {
    let rtype = record.rtype;
    let data = check.records.data(record);
    let Some((at, field, kind)) = first_name(rtype, data, owner) else {
        return;
    };
    let Some(Ok((first, rest))) = data.get(at..).map(split_name) else {
        return;
    };
    // SOA and MINFO have a mailbox behind the first name.
    let second = match rtype {
        Rtype::SOA | Rtype::MINFO => split_name(rest).ok(),
        _ => None,
    };
    let second = second.map(|(name, _)| (name, field.saturating_add(1), Kind::Mailbox));
    for (name, field, kind) in [Some((first, field, kind)), second].into_iter().flatten() {
        let (fits, what) = match kind {
            Kind::Host => (is_host(name), "host name"),
            Kind::Mailbox => (is_mailbox(name), "mailbox"),
        };
        let elsewhere = !is_below(owner, check.apex.wire());
        if fits || elsewhere || is_address(check, record) {
            continue;
        }
        let message = format!(
            "BIND as a primary does not load the zone by default: {} is no {what}, which {rtype} needs",
            text(name)
        );
        check.refused_by(BIND, record, Part::Field(field), message, WAY_OUT);
    }
}

/// An address where a name belongs is told as that.
fn is_address(check: &Check<'_>, record: &Stored) -> bool {
    let data = check.records.data(record);
    targets::named_address(record.rtype, data, check.apex.wire()).is_some()
}

/// Types whose owners are hosts, to BIND.
fn has_host(rtype: Rtype) -> bool {
    matches!(
        rtype,
        Rtype::A | Rtype::AAAA | Rtype::MX | Rtype::A6 | Rtype::WKS
    )
}

/// Types in whose data BIND looks at a name.
fn has_name(rtype: Rtype) -> bool {
    matches!(
        rtype,
        Rtype::NS
            | Rtype::SOA
            | Rtype::RT
            | Rtype::AFSDB
            | Rtype::SVCB
            | Rtype::HTTPS
            | Rtype::SRV
            | Rtype::DSYNC
            | Rtype::MINFO
            | Rtype::RP
            | Rtype::PTR
    )
}

/// Where the first name stands in the data that BIND looks at, in octets and in fields, and what it has to be.
fn first_name(rtype: Rtype, data: &[u8], owner: &[u8]) -> Option<(usize, usize, Kind)> {
    Some(match rtype {
        Rtype::NS | Rtype::SOA => (0, 0, Kind::Host),
        Rtype::MX | Rtype::RT | Rtype::AFSDB => (2, 1, Kind::Host),
        // An alias (priority 0) may have any name.
        Rtype::SVCB | Rtype::HTTPS if data.get(..2) != Some(&[0, 0]) => (2, 1, Kind::Host),
        Rtype::SRV => (6, 3, Kind::Host),
        Rtype::DSYNC => (5, 3, Kind::Host),
        Rtype::MINFO | Rtype::RP => (0, 0, Kind::Mailbox),
        Rtype::PTR if REVERSE.iter().any(|top| is_below(owner, top)) => (0, 0, Kind::Host),
        Rtype::A6 => {
            // The bits of the address that do not come from elsewhere stand in front of the name (RFC 2874 §3.1).
            let prefix = data.first().filter(|prefix| **prefix > 0)?;
            let suffix = 128_usize.saturating_sub(usize::from(*prefix)).div_ceil(8);
            (suffix.saturating_add(1), 2, Kind::Host)
        }
        _ => return None,
    })
}

/// A wildcard stands for hosts, too.
fn is_host_owner(rtype: Rtype, owner: &[u8]) -> bool {
    let name = owner.strip_prefix(b"\x01*").unwrap_or(owner);
    let catalogue = || {
        let (front, rest) = owner.split_at_checked(CATALOGUE.len())?;
        Some(front.eq_ignore_ascii_case(CATALOGUE) && is_host(rest))
    };
    is_host(name) || (matches!(rtype, Rtype::A | Rtype::AAAA) && catalogue().unwrap_or(false))
}

/// Whether each label is of letters, digits and hyphens, none of them at its ends.
fn is_host(name: &[u8]) -> bool {
    let mut rest = name;
    while let Some((length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let Some((label, above)) = after.split_at_checked(usize::from(*length)) else {
            return false;
        };
        let ends = [label.first(), label.last()];
        let good = label
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-');
        if !good || ends.contains(&Some(&b'-')) {
            return false;
        }
        rest = above;
    }
    true
}

/// A local part of printable characters, and a host (RFC 1035 §3.3.13).
fn is_mailbox(name: &[u8]) -> bool {
    let length = usize::from(name.first().copied().unwrap_or(0));
    let (local, host) = name
        .get(1..)
        .and_then(|rest| rest.split_at_checked(length))
        .unwrap_or_default();
    local.iter().all(u8::is_ascii_graphic) && is_host(host)
}
