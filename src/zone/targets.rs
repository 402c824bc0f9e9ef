//! Where NS, MX and SRV records point, and what delegations and DNAME records hide (RFC 1912 §2.4, RFC 2181 §10.3, RFC 6672 §2.4).
//!
//! What `named-checkzone` refuses is an error here, what it complains of is a warning. Names of other zones are not looked up.

use crate::zone::check::{Check, Part, text};
use crate::zone::diagnostic::Severity;
use crate::zone::order::{compare_wire, is_below};
use crate::zone::record::Rtype;
use crate::zone::records::{Records, Stored};
use crate::zone::sorted::Sorted;
use crate::zone::{slips, tlsa_owners};
use std::net::IpAddr;

/// What a zone has at a name that a record points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Addresses, or a delegation that has them elsewhere.
    Address,
    /// The name lies in a delegated zone, and there is no glue.
    NoGlue,
    /// No addresses.
    Nothing,
    /// A CNAME record.
    Alias,
    /// A DNAME record further up.
    BelowDname,
}

/// What was found for the targets looked at last, each with whether it was looked for as glue.
#[derive(Default)]
struct Known<'z>([Option<(&'z [u8], bool, Found)>; 2]);

impl<'z> Known<'z> {
    fn or_look(&mut self, target: &'z [u8], glue: bool, look: impl FnOnce() -> Found) -> Found {
        let mut known = self.0.iter().flatten();
        if let Some((.., found)) = known.find(|k| k.1 == glue && k.0 == target) {
            return *found;
        }
        let found = look();
        let [last, before] = &mut self.0;
        *before = last.replace((target, glue, found));
        found
    }
}

/// Looks at every record that points somewhere and is served from here.
pub(super) fn check(check: &mut Check<'_>, sorted: &Sorted) {
    let zone = Contents {
        apex: check.apex.wire(),
        records: check.records,
        sorted,
        has_cuts: has_cuts(check.records, check.apex.wire()),
    };
    // Delegations to the same two servers follow one another in many zones; hosts of mail mostly differ.
    let mut known = Known::default();
    // The owner that hides what lies below it, and the type that does.
    let mut cut: Option<(&[u8], Rtype)> = None;
    for number in sorted.numbers() {
        let Some(record) = zone.records.get(*number) else {
            continue;
        };
        let matters = matches!(
            record.rtype,
            Rtype::NS | Rtype::DNAME | Rtype::CNAME | Rtype::MX | Rtype::SRV
        );
        if cut.is_none() && !matters {
            continue;
        }
        let owner = zone.records.owner(record);
        if !is_below(owner, zone.apex) {
            continue;
        }
        if let Some((top, by)) = cut {
            if owner.len() > top.len() && is_below(owner, top) {
                hidden(check, record, top, by);
                continue;
            } else if owner.len() != top.len() || !owner.eq_ignore_ascii_case(top) {
                // What a name hides follows it at once.
                cut = None;
            }
        }
        let at_apex = record.rtype == Rtype::NS && owner.eq_ignore_ascii_case(zone.apex);
        match record.rtype {
            Rtype::NS if !at_apex => cut = Some((owner, Rtype::NS)),
            Rtype::DNAME if cut.is_none() => cut = Some((owner, Rtype::DNAME)),
            _ => {}
        }
        let data = zone.records.data(record);
        if let Some(address) = named_address(record.rtype, data, zone.apex) {
            let led_astray = target_of(record.rtype, data)
                .is_none_or(|target| !matches!(zone.find(target), Found::Address));
            is_address(check, record, at_apex && led_astray, &address);
            continue;
        }
        let Some(target) = target_of(record.rtype, data) else {
            if record.rtype == Rtype::MX {
                null_exchange(check, &zone, record, owner);
            }
            continue;
        };
        if is_below(target, zone.apex) {
            let own_glue = record.rtype == Rtype::NS && !at_apex && is_below(target, owner);
            let found = known.or_look(target, own_glue, || {
                if own_glue {
                    zone.glue(target)
                } else {
                    zone.find(target)
                }
            });
            pointed(check, record, at_apex, target, found);
        }
    }
    tlsa_owners::check(check, &zone);
    slips::check(check, &zone);
}

/// The address that stands where a name belongs, as in `MX 10 192.0.2.1`: as a name, it is one below the zone or the root.
pub(super) fn named_address(rtype: Rtype, data: &[u8], apex: &[u8]) -> Option<IpAddr> {
    let target = match rtype {
        Rtype::CNAME => Some(data),
        rtype => target_of(rtype, data),
    }?;
    let length = target.len().saturating_sub(apex.len());
    let relative = target.get(..length).filter(|_| is_below(target, apex));
    [
        relative.map(|labels| [labels, &[0]].concat()).as_deref(),
        Some(target),
    ]
    .into_iter()
    .flatten()
    .find_map(|name| {
        let shown = text(name).replace('\\', "");
        let bare = shown.strip_suffix('.')?;
        let bare = bare
            .strip_prefix('[')
            .map_or(bare, |b| b.trim_end_matches(']'));
        bare.parse().ok()
    })
}

/// Somebody may have given the name that looks like an address an address of its own: then it works, as BIND says too.
fn is_address(check: &mut Check<'_>, record: &Stored, nobody_answers: bool, address: &IpAddr) {
    let severity = if nobody_answers {
        Severity::Error
    } else {
        Severity::Warning
    };
    let rtype = record.rtype;
    let message = format!("{address} is an address, where {rtype} needs the name of a host");
    let help = "give the address a name (`mx1 A …` or `mx1 AAAA …`), and write that name here";
    check.say(record, Part::LastField, severity, message, Some(help));
}

/// `MX 0 .` says that a domain takes no mail, and stands alone (RFC 7505 §3).
fn null_exchange(check: &mut Check<'_>, zone: &Contents<'_>, record: &Stored, owner: &[u8]) {
    if zone.exchanges(owner).is_empty() {
        return;
    }
    let message = "this record says that nobody takes mail here, and another one names a host";
    let help = "remove one of the two (RFC 7505 §3)";
    check.say(
        record,
        Part::LastField,
        Severity::Warning,
        message.to_owned(),
        Some(help),
    );
}

/// The name that a record points at; `None` for `.`, which means that there is no such service.
pub(super) fn target_of(rtype: Rtype, data: &[u8]) -> Option<&[u8]> {
    let before = match rtype {
        Rtype::NS => 0,
        Rtype::MX => 2,
        Rtype::SRV => 6,
        _ => return None,
    };
    data.get(before..).filter(|name| *name != [0])
}

fn pointed(check: &mut Check<'_>, record: &Stored, at_apex: bool, target: &[u8], found: Found) {
    let own_servers = at_apex;
    let name = text(target);
    let (message, help) = match found {
        Found::Address => return,
        // Who asks for a name in a delegated zone is led there; only the delegation itself needs glue.
        Found::NoGlue if record.rtype != Rtype::NS || own_servers => return,
        Found::NoGlue => (
            format!("{name} has no A or AAAA record here, and nobody can find it without"),
            "add its addresses as glue: the delegation leads to it only through them",
        ),
        Found::Nothing if tlsa_owners::is_doubled(target, check.apex.wire()) => (
            format!("{name} has the zone's name twice, and no A or AAAA record"),
            "end the name with a dot",
        ),
        Found::Nothing => (
            format!("{name} has no A or AAAA record"),
            "add its addresses, or correct the name: is a dot missing at its end?",
        ),
        Found::Alias => (
            format!(
                "{name} is an alias (CNAME), where {} needs a name with addresses",
                record.rtype
            ),
            "name the host that the alias leads to (RFC 2181 §10.3)",
        ),
        Found::BelowDname => (
            format!("{name} lies below a DNAME record, which sends everything there elsewhere"),
            "name a host that has addresses of its own (RFC 6672 §2.4)",
        ),
    };
    let severity = if own_servers {
        Severity::Error
    } else {
        Severity::Warning
    };
    check.say(record, Part::LastField, severity, message, Some(help));
}

/// A record that no query reaches, because the names there are served elsewhere.
fn hidden(check: &mut Check<'_>, record: &Stored, top: &[u8], by: Rtype) {
    let glue = matches!(record.rtype, Rtype::A | Rtype::AAAA);
    let denial = matches!(record.rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3);
    if denial || (by == Rtype::NS && glue) {
        return;
    }
    let (rtype, top) = (record.rtype, text(top));
    let (message, help) = if by == Rtype::NS {
        (
            format!("this {rtype} record is never served: {top} is delegated by its NS records"),
            "put it in the zone that is served there, or remove the delegation",
        )
    } else {
        (
            format!(
                "this {rtype} record is never served: {top} has a DNAME record, and Knot and NSD do not load the zone"
            ),
            "put it where the DNAME leads, or remove the DNAME (RFC 6672 §2.4)",
        )
    };
    check.say(record, Part::Owner, Severity::Warning, message, Some(help));
}

/// Whether something in the zone hides what lies below it.
fn has_cuts(records: &Records, apex: &[u8]) -> bool {
    records.all().iter().any(|r| match r.rtype {
        Rtype::DNAME => true,
        Rtype::NS => !records.owner(r).eq_ignore_ascii_case(apex),
        _ => false,
    })
}

/// The zone as somebody asks it for a name.
pub(super) struct Contents<'a> {
    pub(super) apex: &'a [u8],
    pub(super) records: &'a Records,
    sorted: &'a Sorted,
    has_cuts: bool,
}

impl Contents<'_> {
    pub(super) fn has(&self, name: &[u8], wanted: &[Rtype]) -> bool {
        let mut here = self.sorted.find(self.records, name).iter();
        here.any(|number| {
            self.records
                .get(*number)
                .is_some_and(|r| wanted.contains(&r.rtype))
        })
    }

    /// Where a name leads by its CNAME record, if it has one.
    pub(super) fn alias(&self, name: &[u8]) -> Option<&[u8]> {
        let mut here = self.sorted.find(self.records, name).iter();
        let found = here.find_map(|number| {
            let record = self.records.get(*number)?;
            (record.rtype == Rtype::CNAME).then_some(record)
        })?;
        Some(self.records.data(found))
    }

    /// Whether the name or one below it has records.
    fn exists(&self, name: &[u8]) -> bool {
        self.below(name).next().is_some()
    }

    /// The records of a name and of all names below it, in canonical order.
    pub(super) fn below(&self, name: &[u8]) -> impl Iterator<Item = &Stored> {
        let numbers = self.sorted.numbers();
        let owner = |number: &u32| self.records.get(*number).map(|r| self.records.owner(r));
        let before = |number: &u32| owner(number).is_some_and(|o| compare_wire(o, name).is_lt());
        let rest = numbers.get(numbers.partition_point(before)..);
        let stored = rest.unwrap_or_default().iter();
        let stored = stored.filter_map(|number| self.records.get(*number));
        stored.take_while(move |r| is_below(self.records.owner(r), name))
    }

    /// All records in canonical order.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Stored> {
        let numbers = self.sorted.numbers().iter();
        numbers.filter_map(|number| self.records.get(*number))
    }

    /// The hosts that take the mail of a name, most preferred first, a null MX left out.
    pub(super) fn exchanges(&self, name: &[u8]) -> Vec<&[u8]> {
        let here = self.sorted.find(self.records, name).iter();
        let here = here.filter_map(|number| self.records.get(*number));
        here.filter(|r| r.rtype == Rtype::MX)
            .filter_map(|r| target_of(Rtype::MX, self.records.data(r)))
            .collect()
    }

    /// Whether the names at this place are served elsewhere: below a delegation, or below a DNAME record.
    pub(super) fn is_hidden(&self, name: &[u8]) -> bool {
        if !self.has_cuts {
            return false;
        }
        let mut rest = name;
        while rest.len() > self.apex.len() {
            let own = rest.len() == name.len();
            if self.has(rest, &[Rtype::NS]) || (!own && self.has(rest, &[Rtype::DNAME])) {
                return true;
            }
            let label = usize::from(rest.first().copied().unwrap_or(0)).saturating_add(1);
            rest = rest.get(label..).unwrap_or_default();
        }
        false
    }

    /// What a query for the addresses of a name at or below the apex gets.
    pub(super) fn find(&self, name: &[u8]) -> Found {
        const ADDRESSES: &[Rtype] = &[Rtype::A, Rtype::AAAA];
        // What nearly every name is found by.
        if !self.has_cuts && self.has(name, ADDRESSES) {
            return Found::Address;
        }
        let mut ancestors = Vec::new();
        let mut rest = name;
        while rest.len() > self.apex.len() {
            let label = usize::from(rest.first().copied().unwrap_or(0)).saturating_add(1);
            rest = rest.get(label..).unwrap_or_default();
            ancestors.push(rest);
        }
        let delegated = |n: &[u8]| n.len() > self.apex.len() && self.has(n, &[Rtype::NS]);
        for above in ancestors.iter().rev() {
            if delegated(above) {
                return self.glue(name);
            } else if self.has(above, &[Rtype::DNAME]) {
                return Found::BelowDname;
            }
        }
        if delegated(name) {
            return self.glue(name);
        }
        let mut answer = name.to_vec();
        if !self.exists(name) {
            // The wildcard below the closest name that exists answers (RFC 4592 §3.3.1).
            let encloser = ancestors.iter().find(|a| self.exists(a)).copied();
            answer = [b"\x01*", encloser.unwrap_or(self.apex)].concat();
        }
        if self.has(&answer, ADDRESSES) {
            Found::Address
        } else if self.has(&answer, &[Rtype::CNAME]) {
            Found::Alias
        } else {
            Found::Nothing
        }
    }

    fn glue(&self, name: &[u8]) -> Found {
        if self.has(name, &[Rtype::A, Rtype::AAAA]) {
            Found::Address
        } else {
            Found::NoGlue
        }
    }
}
