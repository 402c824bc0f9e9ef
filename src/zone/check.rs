//! What a zone may not hold although its text is well-formed (RFC 1034 §3.6.2, RFC 1035 §5.2, RFC 2181 §5.2, §10.1, RFC 6672 §2.4).

use crate::zone::content::Zone;
use crate::zone::diagnostic::{Finding, Findings, Kind, Severity, Source};
use crate::zone::form::Form;
use crate::zone::lexer::Lexer;
use crate::zone::name::{Name, write_name};
use crate::zone::order::is_below;
use crate::zone::plain::{has_inner_wildcard, is_hashed, is_plain};
use crate::zone::rdata;
use crate::zone::record::Rtype;
use crate::zone::records::{Records, Run, Stored};
use crate::zone::servers::ServerKind;
use crate::zone::sorted::Sorted;
use crate::zone::{host_names, limits, loads, nodes, parent, targets, zonemd};
use std::ops::Range;

/// Checks records, given in canonical order by number, against the rules of a zone at `apex`.
pub(crate) fn check(
    apex: &Name,
    records: &Records,
    sorted: &Sorted,
    sources: &[Source],
    findings: &mut Findings,
) {
    let mut check = Check {
        apex,
        records,
        sources,
        findings,
    };
    let outsiders = sorted.has_outsiders(apex.wire());
    for node in sorted.nodes() {
        if outsiders || !is_plain(node, records) {
            check.node(node);
        }
    }
    if check.findings.has_syntax_errors() {
        // What is missing may only be unread.
        return;
    }
    targets::check(&mut check, sorted);
    host_names::check(&mut check);
    loads::check(&mut check);
    limits::check(&mut check, sorted);
    digests(&mut check, sorted);
    let at_apex = sorted.find(records, apex.wire()).iter();
    let apex_types: Vec<Rtype> = at_apex
        .filter_map(|n| Some(records.get(*n)?.rtype))
        .collect();
    if !apex_types.contains(&Rtype::SOA) {
        check.nowhere(
            format!("the zone {apex} has no SOA record"),
            "every zone has exactly one, at its apex",
        );
    }
    if !apex_types.contains(&Rtype::NS) {
        check.nowhere(
            format!("the zone {apex} has no NS record at its apex"),
            "name its authoritative servers: `@ NS ns1`",
        );
    }
}

/// The digests of the whole zone at its apex, where nothing else is wrong (RFC 8976 §4).
fn digests(check: &mut Check<'_>, sorted: &Sorted) {
    let records = check.records;
    let at_apex = sorted.find(records, check.apex.wire()).iter();
    let at_apex = at_apex.filter_map(|number| records.get(*number));
    let stored: Vec<&Stored> = at_apex.filter(|r| r.rtype == Rtype::ZONEMD).collect();
    if stored.is_empty() || check.findings.counts().errors > 0 {
        return;
    }
    let nodes = nodes::nodes(records, sorted).map(|n| (n.to_owner(), n.to_node()));
    let zone = Zone {
        apex: check.apex.clone(),
        nodes: nodes.collect(),
    };
    for (rdata, fault) in zonemd::faults(&zone) {
        if let Some(record) = stored.iter().find(|r| records.data(r) == &*rdata.0) {
            let message = fault.to_string();
            let help = "a server that checks it refuses the zone; it is made anew whenever this program edits or signs the zone";
            check.say(
                record,
                Part::LastField,
                Severity::Warning,
                message,
                Some(help),
            );
        }
    }
}

/// The finding for a file that does not say which zone it is.
pub(crate) fn no_apex() -> Finding {
    Finding {
        source: 0,
        span: 0..0,
        severity: Severity::Error,
        kind: Kind::Content,
        message: "no SOA record says which zone this is".to_owned(),
        help: Some("give the zone's name with --origin, and the zone a SOA record".to_owned()),
        refused_by: &[],
    }
}

/// What a finding about a record points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The owner field, or the type where the owner is left out.
    Owner,
    /// The last field of the data.
    LastField,
    /// This field of the data, or the last where it is written otherwise.
    Field(usize),
}

/// A check under way.
pub(super) struct Check<'a> {
    pub(super) apex: &'a Name,
    pub(super) records: &'a Records,
    sources: &'a [Source],
    findings: &'a mut Findings,
}

impl Check<'_> {
    /// All records of one owner.
    fn node(&mut self, node: &[u32]) {
        let records = self.records;
        let stored: Vec<(u32, &Stored)> = node
            .iter()
            .filter_map(|n| Some((*n, records.get(*n)?)))
            .collect();
        let Some((_, first)) = stored.first() else {
            return;
        };
        let owner = records.owner(first);
        let at_apex = owner.eq_ignore_ascii_case(self.apex.wire());
        if !at_apex && !is_below(owner, self.apex.wire()) {
            for (_, record) in &stored {
                let message = format!(
                    "{} lies outside of the zone {}: name servers leave this record out, or refuse the file",
                    text(owner),
                    self.apex
                );
                self.say(record, Part::Owner, Severity::Warning, message, Some("is a dot missing or one too many at the end of the name, or is $ORIGIN wrong?"));
            }
            return;
        }
        let runs = records.runs(node);
        for rrset in stored.chunk_by(|(_, a), (_, b)| a.rtype == b.rtype) {
            self.rrset(&runs, rrset, owner, at_apex);
        }
        self.alone(&stored, owner);
        if !at_apex {
            self.delegated_once(&stored, owner);
        }
        if !runs.is_empty() {
            self.signatures(&runs, &stored);
        }
        if at_apex {
            parent::check(self, &stored);
        }
        self.name(&stored, owner);
    }

    /// An RRSIG has the TTL of what it signs (RFC 4034 §3).
    fn signatures(&mut self, runs: &[Run], stored: &[(u32, &Stored)]) {
        for (_, record) in stored.iter().filter(|(_, r)| r.rtype == Rtype::RRSIG) {
            let covered = self.records.data(record).first_chunk().copied();
            let covered = Rtype(covered.map_or(0, u16::from_be_bytes));
            let signed = stored.iter().filter(|(_, r)| r.rtype == covered);
            let mut signed = signed.map(|(number, _)| *number).peekable();
            if signed.peek().is_none() {
                continue;
            }
            let ttl = self.records.ttl_of(runs, signed);
            if record.ttl != ttl {
                let message = format!(
                    "the TTL {} is not used: the {covered} records that this signs have {ttl}",
                    record.ttl
                );
                let help = "a signature has the TTL of what it signs (RFC 4034 §3)";
                self.say(record, Part::Owner, Severity::Warning, message, Some(help));
            }
        }
    }

    /// Owners that cannot mean what they seem to.
    fn name(&mut self, stored: &[(u32, &Stored)], owner: &[u8]) {
        let hashed = stored.iter().find(|(_, r)| r.rtype == Rtype::NSEC3);
        if let Some((_, record)) = hashed.filter(|_| !is_hashed(owner)) {
            let message = format!("{} is no hashed name", text(owner));
            let help = "the first label of an NSEC3 record is a hash in base32hex without padding (RFC 5155 §3)";
            self.say(record, Part::Owner, Severity::Error, message, Some(help));
        }
        if has_inner_wildcard(owner)
            && let Some((_, record)) = stored.first()
        {
            let message = format!("the `*` within {} stands for itself only", text(owner));
            let help = "a wildcard is the first label of a name (RFC 4592 §2.1.1)";
            self.say(record, Part::Owner, Severity::Warning, message, Some(help));
        }
    }

    /// One RRset: types of which there is one, and TTLs that differ.
    fn rrset(&mut self, runs: &[Run], rrset: &[(u32, &Stored)], owner: &[u8], at_apex: bool) {
        let Some((_, earliest)) = rrset.iter().min_by_key(|(number, _)| *number) else {
            return;
        };
        let rtype = earliest.rtype;
        if rtype == Rtype::SOA && !at_apex {
            let message = format!(
                "the SOA record of {} stands in the zone {}",
                text(owner),
                self.apex
            );
            self.say(
                earliest,
                Part::Owner,
                Severity::Error,
                message,
                Some("a SOA record belongs to the apex only"),
            );
        }
        let mut in_text: Vec<&(u32, &Stored)> = rrset.iter().collect();
        in_text.sort_by_key(|(number, _)| *number);
        let ttl = self.records.ttl_of(runs, rrset.iter().map(|(n, _)| *n));
        for (_, record) in in_text {
            let singleton = matches!(rtype, Rtype::SOA | Rtype::CNAME | Rtype::DNAME);
            let (data, first) = (self.records.data(record), self.records.data(earliest));
            let repeated = rdata::same(rtype, data, first);
            if singleton && !repeated {
                let message = format!("{} has a second {rtype} record", text(owner));
                self.say(record, Part::Owner, Severity::Error, message, None);
            } else if record.ttl != ttl && !matches!(rtype, Rtype::RRSIG | Rtype::SIG) {
                let message = format!(
                    "the TTL {} is not used: {} {rtype} has {ttl} in another line",
                    record.ttl,
                    text(owner)
                );
                let help = "the records of one owner and type share one TTL (RFC 2181 §5.2)";
                self.say(record, Part::Owner, Severity::Warning, message, Some(help));
            }
        }
    }

    /// Below the apex, names go elsewhere by NS or by DNAME, not by both (RFC 6672 §2.4). BIND loads it all the same.
    fn delegated_once(&mut self, stored: &[(u32, &Stored)], owner: &[u8]) {
        let has = |rtype: Rtype| stored.iter().any(|(_, r)| r.rtype == rtype);
        if !has(Rtype::NS) {
            return;
        }
        for (_, record) in stored.iter().filter(|(_, r)| r.rtype == Rtype::DNAME) {
            let message = format!(
                "{} has NS records, and DNAME beside them: it is never served, and Knot does not load the zone",
                text(owner)
            );
            let help = "remove one of the two (RFC 6672 §2.4)";
            self.say(record, Part::Owner, Severity::Warning, message, Some(help));
        }
    }

    /// A CNAME shares its owner with nothing but what DNSSEC adds (RFC 2181 §10.1, RFC 4034 §3).
    fn alone(&mut self, stored: &[(u32, &Stored)], owner: &[u8]) {
        if !stored.iter().any(|(_, r)| r.rtype == Rtype::CNAME) {
            return;
        }
        let allowed = |t: Rtype| {
            matches!(
                t,
                Rtype::CNAME | Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::KEY | Rtype::SIG
            )
        };
        for (_, record) in stored.iter().filter(|(_, r)| !allowed(r.rtype)) {
            let message = format!(
                "{} has a CNAME record and cannot have {} beside it",
                text(owner),
                record.rtype
            );
            self.say(
                record,
                Part::Owner,
                Severity::Error,
                message,
                Some("remove one of the two (RFC 2181 §10.1)"),
            );
        }
    }

    pub(super) fn say(
        &mut self,
        record: &Stored,
        part: Part,
        severity: Severity,
        message: String,
        help: Option<&str>,
    ) {
        self.push(record, part, severity, (message, help), &[]);
    }

    /// A warning that these servers do not load the zone for a record, which is sound.
    pub(super) fn refused_by(
        &mut self,
        servers: &'static [ServerKind],
        record: &Stored,
        part: Part,
        message: String,
        help: &str,
    ) {
        let said = (message, Some(help));
        self.push(record, part, Severity::Warning, said, servers);
    }

    fn push(
        &mut self,
        record: &Stored,
        part: Part,
        severity: Severity,
        (message, help): (String, Option<&str>),
        refused_by: &'static [ServerKind],
    ) {
        // Looking for the place reads the line again, which may be one `$GENERATE` for a million records.
        let span = if self.findings.keeps(severity) {
            self.span(record, part)
        } else {
            0..0
        };
        self.findings.push(Finding {
            source: self.records.place(record).source,
            span,
            severity,
            kind: Kind::Content,
            message,
            help: help.map(str::to_owned),
            refused_by,
        });
    }

    /// A finding about what is not there points at the start of the file.
    fn nowhere(&mut self, message: String, help: &str) {
        self.findings.push(Finding {
            source: 0,
            span: 0..0,
            severity: Severity::Error,
            kind: Kind::Content,
            message,
            help: Some(help.to_owned()),
            refused_by: &[],
        });
    }

    /// Where a part of a record stands.
    fn span(&self, record: &Stored, part: Part) -> Range<usize> {
        let place = self.records.place(record);
        let Some(source) = self.sources.get(place.source) else {
            return place.line..place.line;
        };
        let mut tokens = Vec::new();
        let Some(line) = Lexer::at(&source.bytes, place.line).next_line(&mut tokens) else {
            return place.line..place.line;
        };
        match (Form::of(&line, &tokens, &source.bytes), tokens.first()) {
            (Ok(form), _) if part != Part::Owner && !form.data.is_empty() => {
                let field = match part {
                    Part::Field(at) => form.data.get(at),
                    _ => None,
                };
                field.or(form.data.last()).map_or(0..0, |t| t.span())
            }
            (Ok(form), _) if form.owner.is_none() => form.type_field.span(),
            (_, Some(first)) => first.span(),
            _ => place.line..place.line,
        }
    }
}

/// A wire name as messages show it.
pub(super) fn text(owner: &[u8]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_name(owner, &mut text);
    text
}
