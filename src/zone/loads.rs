//! Data that one name server does not load though its RFC allows it, or though it never mattered: each is a warning with the
//! server's name, since others load the zone.

use crate::zone::check::{Check, Part};
use crate::zone::name::split_name;
use crate::zone::order::is_below;
use crate::zone::record::Rtype;
use crate::zone::servers::ServerKind;

/// Looks at all records of the zone.
pub(super) fn check(check: &mut Check<'_>) {
    let (records, apex) = (check.records, check.apex.wire());
    let matters = |rtype| {
        matches!(
            rtype,
            Rtype::NS
                | Rtype::SVCB
                | Rtype::HTTPS
                | Rtype::NAPTR
                | Rtype::IPSECKEY
                | Rtype::X25
                | Rtype::CAA
        )
    };
    for record in records.all().iter().filter(|r| matters(r.rtype)) {
        let owner = records.owner(record);
        let Some((part, message, help)) = refused(record.rtype, owner, records.data(record)) else {
            continue;
        };
        let servers: &[ServerKind] = match record.rtype {
            Rtype::CAA => &[ServerKind::Nsd],
            _ => &[ServerKind::Bind],
        };
        if is_below(owner, apex) {
            check.refused_by(servers, record, part, message.to_owned(), help);
        }
    }
}

/// What stands in the way, where, and the way out.
fn refused(rtype: Rtype, owner: &[u8], data: &[u8]) -> Option<(Part, &'static str, &'static str)> {
    match rtype {
        Rtype::NS if owner.starts_with(b"\x01*") => Some((
            Part::Owner,
            "BIND does not load the zone: a wildcard cannot be delegated",
            "delegate each name by itself (RFC 4592 §4.2)",
        )),
        Rtype::SVCB | Rtype::HTTPS if has_bad_path(data) => Some((
            Part::LastField,
            "BIND does not load the zone: `dohpath` is no path with the variable `dns`",
            "write it as `dohpath=/dns-query{?dns}` (RFC 9461 §5)",
        )),
        Rtype::NAPTR if !has_good_expression(data) => Some((
            Part::Field(4),
            "BIND does not load the zone: this is no substitution expression",
            "write it as `!expression!replacement!`, with no `\\\\N` beyond the groups (RFC 3402 §3.2)",
        )),
        Rtype::IPSECKEY if has_no_key(data) => Some((
            Part::LastField,
            "BIND and ldns do not load the zone: there is no key",
            "leave the record out, or give the key (RFC 4025 §2.4)",
        )),
        Rtype::X25 if data.len() < 5 || !data.iter().skip(1).all(u8::is_ascii_digit) => Some((
            Part::LastField,
            "BIND does not load the zone: an X25 address has four decimal digits or more",
            "correct the address, or leave the record out (RFC 1183 §3.1)",
        )),
        Rtype::CAA if tag(data).iter().any(u8::is_ascii_uppercase) => Some((
            Part::Field(1),
            "NSD does not load the zone: the tag has upper-case letters",
            "write the tag in lower case, which means the same (RFC 8659 §4.1)",
        )),
        _ => None,
    }
}

/// The tag of a CAA record, behind the flags and its length.
fn tag(data: &[u8]) -> &[u8] {
    let length = data.get(1).copied().map_or(0, usize::from);
    let tag = data.get(2..).and_then(|rest| rest.get(..length));
    tag.unwrap_or_default()
}

/// `dohpath` is 7 (RFC 9461 §5): a relative template with the variable `dns`.
fn has_bad_path(data: &[u8]) -> bool {
    const DOHPATH: [u8; 2] = [0, 7];
    let target = data.get(2..).map(split_name);
    let Some(Ok((_, mut rest))) = target else {
        return false;
    };
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let [key @ .., high, low] = *head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((value, next)) = after.split_at_checked(length) else {
            return false;
        };
        if key == DOHPATH {
            let has_variable = value.windows(6).any(|part| part == b"{?dns}");
            return !value.starts_with(b"/") || !has_variable;
        }
        rest = next;
    }
    false
}

/// Gateway type and algorithm say how much stands before the key (RFC 4025 §2.1).
fn has_no_key(data: &[u8]) -> bool {
    let Some(([_, gateway, _], rest)) = data.split_first_chunk::<3>() else {
        return false;
    };
    let key = match gateway {
        0 => Some(rest),
        1 => rest.get(4..),
        2 => rest.get(16..),
        _ => split_name(rest).ok().map(|(_, key)| key),
    };
    key.is_some_and(<[u8]>::is_empty)
}

/// The regular expression of NAPTR data, behind two numbers and two strings.
fn has_good_expression(data: &[u8]) -> bool {
    let string = |octets: &'_ [u8]| -> Option<(Vec<u8>, usize)> {
        let length = usize::from(*octets.first()?);
        let text = octets.get(1..)?.get(..length)?;
        Some((text.to_vec(), length.saturating_add(1)))
    };
    let expression = || {
        let rest = data.get(4..)?;
        let (_, flags) = string(rest)?;
        let rest = rest.get(flags..)?;
        let (_, services) = string(rest)?;
        string(rest.get(services..)?).map(|(text, _)| text)
    };
    expression().is_none_or(|text| text.is_empty() || is_substitution(&text))
}

/// `!expression!replacement!flags` (RFC 3402 §3.2), as strictly as BIND.
fn is_substitution(text: &[u8]) -> bool {
    let Some((&delimiter, mut rest)) = text.split_first() else {
        return false;
    };
    if delimiter.is_ascii_digit() || matches!(delimiter, b'\\' | b'i' | 0) || text.contains(&0) {
        return false;
    }
    let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet == delimiter && parts.len() < 3 {
            parts.push(Vec::new());
            continue;
        }
        let Some(part) = parts.last_mut() else {
            return false;
        };
        part.push(octet);
        if octet == b'\\' {
            let Some((&escaped, after)) = rest.split_first() else {
                return false;
            };
            part.push(escaped);
            rest = after;
        }
    }
    let [expression, replacement, flags] = parts.as_slice() else {
        return false;
    };
    let groups = groups(expression);
    let refers = replacement.windows(2).filter_map(|pair| match pair {
        [b'\\', digit] if digit.is_ascii_digit() => Some(usize::from(digit.saturating_sub(b'0'))),
        _ => None,
    });
    let mut refers = refers;
    groups.is_some_and(|groups| refers.all(|number| (1..=groups).contains(&number)))
        && flags.iter().all(|flag| *flag == b'i')
}

/// How many groups an extended regular expression has; `None` if its brackets do not match.
fn groups(expression: &[u8]) -> Option<usize> {
    let (mut open, mut groups) = (0_usize, 0_usize);
    let mut octets = expression.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => {
                octets.next()?;
            }
            b'[' => {
                let rest = octets.as_slice();
                let rest = rest.strip_prefix(b"^").unwrap_or(rest);
                // A bracket that stands first is one of the characters.
                let after = rest.get(1..)?;
                let end = after.iter().position(|octet| *octet == b']')?;
                octets = after.get(end.saturating_add(1)..)?.iter();
            }
            b'(' => {
                open = open.saturating_add(1);
                groups = groups.saturating_add(1);
            }
            b')' => open = open.checked_sub(1)?,
            _ => {}
        }
    }
    (open == 0 && !expression.is_empty()).then_some(groups)
}
