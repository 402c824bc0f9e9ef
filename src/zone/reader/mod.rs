//! The meaning of master file lines: owner, TTL, class, type and data, and the directives between them (RFC 1035 §5, RFC 2308 §4).
//!
//! Where the RFCs leave room (which TTL a record without one has, how far `$TTL` and `$ORIGIN` of an included file reach),
//! this follows BIND, whose files these mostly are.

mod directive;

use crate::rotation::timing::Ttl;
use crate::zone::diagnostic::{Finding, Findings, Kind, Severity, Source};
use crate::zone::form::{Form, MAX_TTL, class_number, ttl_value, wrong};
use crate::zone::include::Files;
use crate::zone::invisible;
use crate::zone::lexer::{Lexer, Line, Token};
use crate::zone::name::{Name, append_wire, split_name};
use crate::zone::rdata::{self, RdataError, Soa, Words, shown};
use crate::zone::record::{Rdata, Rtype};
use crate::zone::records::{MOST_OCTETS, Place, Records};
use std::sync::Arc;

/// What a reading of one file and all it includes gives.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) sources: Vec<Source>,
    pub(crate) included: Vec<Inclusion>,
    pub(crate) records: Records,
    pub(crate) findings: Findings,
}

/// One `$INCLUDE` and the file it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inclusion {
    pub(crate) including: String,
    pub(crate) wanted: String,
    pub(crate) path: String,
}

/// Reads the file `path` with the bytes `bytes`; relative names are relative to `origin`.
pub(crate) fn read(
    path: &str,
    bytes: Arc<Vec<u8>>,
    origin: Option<&Name>,
    files: &dyn Files,
) -> Reading {
    read_at_most(MOST_OCTETS, path, bytes, origin, files)
}

/// The same with another limit of what is read: octets of one file, and octets that the records take.
fn read_at_most(
    most_octets: usize,
    path: &str,
    bytes: Arc<Vec<u8>>,
    origin: Option<&Name>,
    files: &dyn Files,
) -> Reading {
    let mut reader = Reader {
        files,
        most_octets,
        full: false,
        sources: Vec::new(),
        included: Vec::new(),
        records: Records::default(),
        findings: Findings::default(),
        owner: None,
        origin: origin.cloned(),
        origin_number: usize::MAX,
        default_ttl: None,
        last_ttl: None,
        open: Vec::new(),
        includes: 0,
        generated: 0,
        generated_text: 0,
    };
    if let Some(origin) = origin {
        reader.origin_number = reader.records.add_origin(origin);
    }
    reader.sources.push(Source {
        path: path.to_owned(),
        bytes,
    });
    reader.file(0);
    Reading {
        sources: reader.sources,
        included: reader.included,
        records: reader.records,
        findings: reader.findings,
    }
}

struct Reader<'f> {
    files: &'f dyn Files,
    most_octets: usize,
    /// Whether the records take as much as they may: nothing more is read then.
    full: bool,
    sources: Vec<Source>,
    included: Vec<Inclusion>,
    records: Records,
    findings: Findings,
    /// Where the octets of the last owner begin in the records' buffer.
    owner: Option<usize>,
    origin: Option<Name>,
    origin_number: usize,
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
    /// The files being read, outermost first.
    open: Vec<usize>,
    includes: usize,
    /// How many records `$GENERATE` made.
    generated: u64,
    /// How many octets of text those records are made of, about.
    generated_text: u64,
}

impl Reader<'_> {
    fn file(&mut self, source: usize) {
        let Some(bytes) = self.sources.get(source).map(|s| Arc::clone(&s.bytes)) else {
            return;
        };
        if bytes.len() > self.most_octets {
            let (length, most) = (bytes.len(), self.most_octets);
            let message =
                format!("the file has {length} octets; one of more than {most} is not read");
            self.refuse(source, Kind::Syntax, wrong(0..0, message));
            return;
        }
        self.open.push(source);
        let marked = invisible::mark(&bytes, source);
        let mut lexer = Lexer::at(&bytes, marked.as_ref().map_or(0, |(length, _)| *length));
        if let Some((_, finding)) = marked {
            self.findings.push(finding);
        }
        let mut tokens = Vec::new();
        while !self.full
            && let Some(line) = lexer.next_line(&mut tokens)
        {
            if let Err(error) = self.line(source, &bytes, &line, &tokens) {
                self.refuse(source, Kind::Syntax, error);
            }
        }
        self.open.pop();
    }

    fn refuse(&mut self, source: usize, kind: Kind, error: RdataError) {
        self.say(source, kind, Severity::Error, error);
    }

    fn say(&mut self, source: usize, kind: Kind, severity: Severity, error: RdataError) {
        self.findings.push(Finding {
            source,
            span: error.span,
            severity,
            kind,
            message: error.message,
            help: error.help.map(str::to_owned),
            refused_by: &[],
        });
    }

    fn line(
        &mut self,
        source: usize,
        file: &[u8],
        line: &Line,
        tokens: &[Token],
    ) -> Result<(), RdataError> {
        if let Some(fault) = line.fault {
            let at = fault.at();
            return Err(wrong(at..at.saturating_add(1), fault.to_string()));
        }
        let Some(first) = tokens.first() else {
            return Ok(());
        };
        for finding in invisible::findings(file, source, line, tokens) {
            self.findings.push(finding);
        }
        if !line.indented && !first.quoted && first.text(file).starts_with(b"$") {
            return self.directive(source, file, line, tokens);
        }
        self.record(source, file, line, tokens)
    }

    fn record(
        &mut self,
        source: usize,
        file: &[u8],
        line: &Line,
        tokens: &[Token],
    ) -> Result<(), RdataError> {
        // The owner holds for the lines below even when the rest of this line is wrong.
        let owner = match tokens.first() {
            Some(first) if !line.indented => self.owner_field(*first, file)?,
            _ => {
                let first = tokens.first().map_or(line.start..line.start, |t| t.span());
                self.owner.ok_or_else(|| RdataError {
                    span: first,
                    message: "the line begins with a blank, and there is no record above whose owner it could take".to_owned(),
                    help: Some("write the owner, or `@` for the zone itself, at the very start of the line"),
                })?
            }
        };
        self.owner = Some(owner);
        let form = Form::of(line, tokens, file)?;
        let place = Place {
            source,
            line: line.start,
            origin: self.origin_number,
            generated: false,
        };
        if let Some((severity, fault)) = self.store(owner, &form, file, line.end, place)? {
            self.say(source, Kind::Content, severity, fault);
        }
        Ok(())
    }

    /// The place of the owner's octets in the buffer.
    fn owner_field(&mut self, token: Token, file: &[u8]) -> Result<usize, RdataError> {
        let text = token.text(file);
        // BIND takes such a word for a directive, NSD for an owner, and others for neither.
        if token.quoted && text.starts_with(b"$") {
            let mut error = wrong(
                token.span(),
                "in quotes, some servers take this word for a directive and some for an owner",
            );
            error.help =
                Some("a directive has no quotes; an owner that begins with `$` is written `\\$`");
            return Err(error);
        }
        let start = self.records.filled();
        let origin = self.origin.as_ref().map(Name::wire);
        let buffer = self.records.buffer();
        let appended = match (text, origin) {
            (b"@", Some(origin)) => {
                buffer.extend_from_slice(origin);
                Ok(())
            }
            (b"@", None) => Err(crate::zone::name::NameError::NoOrigin),
            _ => append_wire(text, origin, buffer),
        };
        if let Err(error) = appended {
            self.records.truncate(start);
            self.owner = None;
            let mut error = wrong(token.span(), error.to_string());
            if self.origin.is_none() {
                error.help =
                    Some("give the zone's name with --origin, or write $ORIGIN as the first line");
            }
            return Err(error);
        }
        // The same owner again, as in one RRset: keep one copy.
        if let Some(last) = self.owner {
            let (before, now) = self.records.buffer().split_at(start);
            let same = before.get(last..).is_some_and(|b| b.starts_with(now));
            if same {
                self.records.truncate(start);
                return Ok(last);
            }
        }
        Ok(start)
    }

    /// Adds a record whose owner is in the buffer already; a fault of its content does not keep it out.
    fn store(
        &mut self,
        owner: usize,
        form: &Form<'_>,
        file: &[u8],
        end: usize,
        place: Place,
    ) -> Result<Option<(Severity, RdataError)>, RdataError> {
        if let Some(class) = form.class {
            let text = class.text(file);
            if !text.eq_ignore_ascii_case(b"IN") && class_number(text) != Some(1) {
                return Err(wrong(
                    class.span(),
                    format!("class {} is not supported, only IN is", shown(text)),
                ));
            }
        }
        if form.rtype.is_meta() {
            return Err(wrong(
                form.type_field.span(),
                format!(
                    "{} exists in messages only and cannot be zone data",
                    form.rtype
                ),
            ));
        }
        if matches!(form.rtype, Rtype::MD | Rtype::MF) {
            return Err(RdataError {
                span: form.type_field.span(),
                message: format!("{} is obsolete and no longer served", form.rtype),
                help: Some("mail goes where MX records say (RFC 973)"),
            });
        }
        let explicit = match form.ttl {
            Some(token) => Some(ttl_value(token, file)?),
            None => None,
        };
        let data = self.records.filled();
        let origin = self.origin.as_ref().map(Name::wire);
        let end = form
            .data
            .last()
            .map_or(form.type_field.end, |t| t.end)
            .min(end);
        let mut words = Words::new(file, form.data, origin, end);
        if let Err(error) = rdata::encode(form.rtype, &mut words, self.records.buffer()) {
            self.records.truncate(data);
            return Err(error);
        }
        if self.records.size() > self.most_octets {
            self.records.truncate(data);
            self.full = true;
            let message = format!(
                "the records up to here take {} octets of memory; what follows is not read",
                self.most_octets
            );
            return Err(wrong(form.type_field.span(), message));
        }
        if self.is_too_long(owner, data) {
            self.records.truncate(data);
            let message =
                "the record is too long for any DNS message (65535 octets, RFC 1035 §4.2.2)";
            return Err(wrong(form.type_field.start..end, message));
        }
        let ttl = self.ttl_of(explicit, form, data)?;
        self.last_ttl = Some(ttl);
        let fault = self.tlsa_fault(form, data);
        self.records.push(owner, data, form.rtype, Ttl(ttl), place);
        Ok(fault)
    }

    /// Whether header, owner, fixed fields and data exceed a message.
    fn is_too_long(&mut self, owner: usize, data: usize) -> bool {
        const HEADER_AND_FIELDS: usize = 12 + 10;
        let length = self.records.filled().saturating_sub(data);
        let room = usize::from(u16::MAX).saturating_sub(HEADER_AND_FIELDS);
        if length.saturating_add(Name::MAX) <= room {
            return false;
        }
        let rest = self.records.buffer().get(owner..).unwrap_or_default();
        let owner = split_name(rest).map_or(0, |(name, _)| name.len());
        length.saturating_add(owner) > room
    }

    /// The TTL written, else `$TTL`, else the SOA's minimum, else that of the record before (RFC 1035 §5.1, RFC 2308 §4).
    fn ttl_of(
        &mut self,
        explicit: Option<u32>,
        form: &Form<'_>,
        data: usize,
    ) -> Result<u32, RdataError> {
        if let Some(ttl) = explicit.or(self.default_ttl).or(self.last_ttl) {
            return Ok(ttl);
        }
        if form.rtype == Rtype::SOA {
            let octets = self.records.buffer().get(data..).unwrap_or_default();
            let soa = Soa::from_rdata(&Rdata(octets.into()));
            let minimum = soa.map_or(0, |s| s.minimum.0.min(MAX_TTL));
            self.default_ttl = Some(minimum);
            return Ok(minimum);
        }
        self.records.truncate(data);
        Err(RdataError {
            span: form.type_field.span(),
            message: "the record has no TTL, and neither $TTL nor a record above gives one"
                .to_owned(),
            help: Some("write `$TTL 3600` at the top of the file"),
        })
    }

    /// What makes the data appended last match nothing (TLSA and SMIMEA only).
    fn tlsa_fault(&mut self, form: &Form<'_>, data: usize) -> Option<(Severity, RdataError)> {
        if !matches!(form.rtype, Rtype::TLSA | Rtype::SMIMEA) {
            return None;
        }
        let octets = self.records.buffer().get(data..)?;
        let fault = rdata::tlsa_fault(octets)?;
        let (first, last) = form.data.first().zip(form.data.last())?;
        let severity = if fault.is_unassigned() {
            Severity::Warning
        } else {
            Severity::Error
        };
        Some((severity, wrong(first.start..last.end, fault.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::include::NoFiles;

    #[test]
    fn what_is_too_long_is_refused_at_the_line_and_nothing_more_is_read() {
        let mut file = b"$ORIGIN example.\n$TTL 1\n".to_vec();
        for number in 0..100 {
            file.extend(format!("h{number} TXT a-text-of-some-length\n").bytes());
        }
        let read = |most: usize| {
            let reading = read_at_most(most, "z", Arc::new(file.clone()), None, &NoFiles);
            let findings = reading.findings.resolve(&reading.sources);
            let first = findings.first().map(|d| (d.line, d.message.clone()));
            (reading.records.all().len(), findings.len(), first)
        };
        assert_eq!(read(1 << 20), (100, 0, None));
        let (records, findings, first) = read(file.len());
        let refusal = format!(
            "the records up to here take {} octets of memory; what follows is not read",
            file.len()
        );
        assert!((20..80).contains(&records), "{records}");
        assert_eq!((findings, first), (1, Some((records + 3, refusal))));
        let (records, findings, first) = read(file.len() - 1);
        let refusal = format!(
            "the file has {} octets; one of more than {} is not read",
            file.len(),
            file.len() - 1
        );
        assert_eq!((records, findings, first), (0, 1, Some((1, refusal))));
    }
}
