//! The meaning of master file lines: owner, TTL, class, type and data, and the directives between them (RFC 1035 §5, RFC 2308 §4).
//!
//! Where the RFCs leave room (which TTL a record without one has, how far `$TTL` and `$ORIGIN` of an included file reach),
//! this follows BIND, whose files these mostly are.

use crate::rotation::timing::Ttl;
use crate::zone::diagnostic::{Finding, Findings, Kind, Severity, Source};
use crate::zone::generate;
use crate::zone::include::Files;
use crate::zone::lexer::{Fault, Lexer, Line, Token};
use crate::zone::name::{Name, append_wire};
use crate::zone::rdata::{self, RdataError, Soa, Words, shown};
use crate::zone::record::{Rdata, Rtype};
use crate::zone::records::{Place, Records};
use crate::zone::ttl;
use std::ops::Range;
use std::sync::Arc;

/// How deep `$INCLUDE` may nest.
const DEEPEST: usize = 16;
/// How many `$INCLUDE`s one zone may hold: nesting alone would allow exponentially many.
const MOST_INCLUDES: usize = 1_000;
/// The largest TTL (RFC 2181 §8).
const MAX_TTL: u32 = i32::MAX as u32;

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
    let mut reader = Reader {
        files,
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

/// The fields of a record line, before anything is known about their contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'t> {
    /// The owner field; `None` when the line begins with a blank.
    pub(crate) owner: Option<Token>,
    pub(crate) ttl: Option<Token>,
    pub(crate) class: Option<Token>,
    pub(crate) type_field: Token,
    pub(crate) rtype: Rtype,
    /// The tokens of the data.
    pub(crate) data: &'t [Token],
}

impl<'t> Form<'t> {
    /// Tells the fields of a record line apart; TTL and class may stand in either order.
    pub(crate) fn of(line: &Line, tokens: &'t [Token], file: &[u8]) -> Result<Self, RdataError> {
        let mut rest = tokens;
        let mut owner = None;
        if !line.indented {
            if let Some((first, after)) = rest.split_first() {
                owner = Some(*first);
                rest = after;
            }
        }
        let (mut ttl, mut class) = (None, None);
        while let Some((token, after)) = rest.split_first() {
            let text = token.text(file);
            if token.quoted {
                break;
            } else if ttl.is_none()
                && text.first().is_some_and(u8::is_ascii_digit)
                && ttl::seconds(text).is_some()
            {
                ttl = Some(*token);
            } else if class.is_none() && is_class(text) {
                class = Some(*token);
            } else {
                break;
            }
            rest = after;
        }
        let Some((type_field, data)) = rest.split_first() else {
            let end = tokens.last().map_or(line.end, |t| t.end);
            return Err(wrong(end..end, "the record type is missing"));
        };
        let text = type_field.text(file);
        let rtype = Rtype::parse(text).filter(|_| !type_field.quoted);
        let rtype = rtype.ok_or_else(|| {
            let found = shown(file.get(type_field.span()).unwrap_or_default());
            let mut error = wrong(
                type_field.span(),
                format!("expected a record type such as A or MX, found `{found}`"),
            );
            let owner_is_type = owner.is_some_and(|o| Rtype::parse(o.text(file)).is_some());
            if owner_is_type && ttl.is_none() && class.is_none() {
                error.help = Some("a line that continues the previous owner begins with a blank");
            }
            error
        })?;
        Ok(Self {
            owner,
            ttl,
            class,
            type_field: *type_field,
            rtype,
            data,
        })
    }
}

/// `IN` and the other classes by name, and `CLASSnn` (RFC 3597 §5).
fn is_class(text: &[u8]) -> bool {
    let known = [&b"IN"[..], b"CH", b"HS", b"CS", b"CHAOS", b"HESIOD"];
    known.iter().any(|k| text.eq_ignore_ascii_case(k)) || class_number(text).is_some()
}

fn class_number(text: &[u8]) -> Option<u16> {
    let (word, digits) = text.split_at_checked(5)?;
    let plain = word.eq_ignore_ascii_case(b"CLASS") && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()?
        .parse()
        .ok()
        .filter(|_| plain)
}

pub(crate) fn wrong(span: Range<usize>, message: impl Into<String>) -> RdataError {
    RdataError {
        span,
        message: message.into(),
        help: None,
    }
}

struct Reader<'f> {
    files: &'f dyn Files,
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
}

impl Reader<'_> {
    fn file(&mut self, source: usize) {
        let Some(bytes) = self.sources.get(source).map(|s| Arc::clone(&s.bytes)) else {
            return;
        };
        self.open.push(source);
        let mut lexer = Lexer::new(&bytes);
        let mut tokens = Vec::new();
        while let Some(line) = lexer.next_line(&mut tokens) {
            if let Err(error) = self.line(source, &bytes, &line, &tokens) {
                self.refuse(source, Severity::Error, Kind::Syntax, error);
            }
        }
        self.open.pop();
    }

    fn refuse(&mut self, source: usize, severity: Severity, kind: Kind, error: RdataError) {
        self.findings.push(Finding {
            source,
            span: error.span,
            severity,
            kind,
            message: error.message,
            help: error.help.map(str::to_owned),
        });
    }

    fn line(
        &mut self,
        source: usize,
        file: &[u8],
        line: &Line,
        tokens: &[Token],
    ) -> Result<(), RdataError> {
        match line.fault {
            None => {}
            Some(Fault::OpenQuote(at)) => {
                return Err(wrong(
                    at..at.saturating_add(1),
                    "this quote is not closed on its line",
                ));
            }
            Some(Fault::OpenParenthesis(at)) => {
                return Err(wrong(
                    at..at.saturating_add(1),
                    "this parenthesis is never closed",
                ));
            }
            Some(Fault::StrayParenthesis(at)) => {
                return Err(wrong(
                    at..at.saturating_add(1),
                    "nothing was opened that this parenthesis could close",
                ));
            }
        }
        let Some(first) = tokens.first() else {
            return Ok(());
        };
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
                let at = tokens.first().map_or(line.start, |t| t.start);
                self.owner.ok_or_else(|| RdataError {
                    span: at..at,
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
        self.store(owner, &form, file, line.end, place)
    }

    /// The place of the owner's octets in the buffer.
    fn owner_field(&mut self, token: Token, file: &[u8]) -> Result<usize, RdataError> {
        let text = token.text(file);
        if token.quoted {
            return Err(wrong(
                token.span(),
                "an owner name is expected, this is a quoted string",
            ));
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

    fn store(
        &mut self,
        owner: usize,
        form: &Form<'_>,
        file: &[u8],
        end: usize,
        place: Place,
    ) -> Result<(), RdataError> {
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
        let ttl = self.ttl_of(explicit, form, data)?;
        self.last_ttl = Some(ttl);
        self.check_tlsa(form, data, place.source);
        self.records.push(owner, data, form.rtype, Ttl(ttl), place);
        Ok(())
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

    fn check_tlsa(&mut self, form: &Form<'_>, data: usize, source: usize) {
        if !matches!(form.rtype, Rtype::TLSA | Rtype::SMIMEA) {
            return;
        }
        let octets = self.records.buffer().get(data..).unwrap_or_default();
        if let (Some(fault), Some(first), Some(last)) = (
            rdata::tlsa_fault(octets),
            form.data.first(),
            form.data.last(),
        ) {
            let error = wrong(first.start..last.end, fault.to_string());
            self.refuse(source, Severity::Error, Kind::Content, error);
        }
    }

    fn directive(
        &mut self,
        source: usize,
        file: &[u8],
        line: &Line,
        tokens: &[Token],
    ) -> Result<(), RdataError> {
        let Some((name, arguments)) = tokens.split_first() else {
            return Ok(());
        };
        match name.text(file).to_ascii_uppercase().as_slice() {
            b"$ORIGIN" => {
                let (token, rest) = argument(*name, arguments, "a name")?;
                nothing_after(rest, file)?;
                let origin = self.name_argument(token, file)?;
                self.set_origin(Some(origin));
                Ok(())
            }
            b"$TTL" => {
                let (token, rest) = argument(*name, arguments, "a time such as 3600 or 1h")?;
                nothing_after(rest, file)?;
                self.default_ttl = Some(ttl_value(token, file)?);
                Ok(())
            }
            b"$INCLUDE" => self.include(source, file, *name, arguments),
            b"$GENERATE" => self.generate(source, file, line, *name, arguments),
            other => Err(RdataError {
                span: name.span(),
                message: format!("`{}` is not a directive", shown(other)),
                help: Some(
                    "there are $ORIGIN, $TTL, $INCLUDE and $GENERATE; an owner that begins with `$` is written `\\$`",
                ),
            }),
        }
    }

    fn set_origin(&mut self, origin: Option<Name>) {
        self.origin_number = origin
            .as_ref()
            .map_or(usize::MAX, |o| self.records.add_origin(o));
        self.origin = origin;
    }

    fn name_argument(&self, token: Token, file: &[u8]) -> Result<Name, RdataError> {
        match (token.text(file), &self.origin) {
            (b"@", Some(origin)) => Ok(origin.clone()),
            (text, origin) => {
                Name::parse(text, origin.as_ref()).map_err(|e| wrong(token.span(), e.to_string()))
            }
        }
    }

    fn include(
        &mut self,
        source: usize,
        file: &[u8],
        name: Token,
        arguments: &[Token],
    ) -> Result<(), RdataError> {
        let (token, rest) = argument(name, arguments, "a file name")?;
        let inner = match rest.split_first() {
            Some((origin, rest)) => {
                nothing_after(rest, file)?;
                Some(self.name_argument(*origin, file)?)
            }
            None => None,
        };
        let refused = |message: String| wrong(token.span(), message);
        let wanted = std::str::from_utf8(token.text(file))
            .map_err(|_| refused("the file name is not UTF-8".to_owned()))?;
        if self.open.len() > DEEPEST {
            return Err(refused(format!(
                "$INCLUDE nests deeper than {DEEPEST} files"
            )));
        }
        self.includes = self.includes.saturating_add(1);
        if self.includes > MOST_INCLUDES {
            return Err(refused(format!(
                "more than {MOST_INCLUDES} $INCLUDE in one zone"
            )));
        }
        let including = self
            .sources
            .get(source)
            .map_or(String::new(), |s| s.path.clone());
        let included = self.files.open(&including, wanted).map_err(refused)?;
        let known = self.sources.iter().position(|s| s.path == included.path);
        if known.is_some_and(|number| self.open.contains(&number)) {
            return Err(refused(format!(
                "{} includes itself, by way of the files between",
                included.path
            )));
        }
        self.included.push(Inclusion {
            including,
            wanted: wanted.to_owned(),
            path: included.path.clone(),
        });
        let number = known.unwrap_or_else(|| {
            self.sources.push(Source {
                path: included.path,
                bytes: included.bytes,
            });
            self.sources.len().saturating_sub(1)
        });
        // Origin and owner come back after the included file (RFC 1035 §5.1); `$TTL` stays, as in BIND.
        let (origin, owner) = (self.origin.clone(), self.owner);
        if inner.is_some() {
            self.set_origin(inner);
        }
        self.file(number);
        self.set_origin(origin);
        self.owner = owner;
        Ok(())
    }

    fn generate(
        &mut self,
        source: usize,
        file: &[u8],
        line: &Line,
        name: Token,
        arguments: &[Token],
    ) -> Result<(), RdataError> {
        let template = generate::Template::of(name, arguments, file)?;
        let place = Place {
            source,
            line: line.start,
            origin: self.origin_number,
            generated: true,
        };
        self.generated = self.generated.saturating_add(template.count());
        if self.generated > generate::MOST {
            return Err(wrong(
                template.range,
                format!("$GENERATE makes more than {} records", generate::MOST),
            ));
        }
        for value in template.values() {
            let text = template.line(value, file)?;
            let mut tokens = Vec::new();
            let made = Lexer::new(&text).next_line(&mut tokens);
            let made = made.filter(|l| l.fault.is_none() && l.end == text.len());
            // A refusal speaks of the template's line: the generated text stands in no file.
            let at_template = |error: RdataError| RdataError {
                span: name.start..arguments.last().map_or(name.end, |t| t.end),
                message: format!("$GENERATE makes `{}`: {}", shown(&text), error.message),
                help: error.help,
            };
            let Some(made) = made else {
                return Err(at_template(wrong(0..0, "this is not one record")));
            };
            let Some(first) = tokens.first() else {
                return Err(at_template(wrong(0..0, "this is not a record")));
            };
            let owner = self.owner_field(*first, &text).map_err(at_template)?;
            let form = Form::of(&made, &tokens, &text).map_err(at_template)?;
            self.store(owner, &form, &text, text.len(), place)
                .map_err(at_template)?;
            self.owner = Some(owner);
        }
        Ok(())
    }
}

/// A TTL field.
fn ttl_value(token: Token, file: &[u8]) -> Result<u32, RdataError> {
    let text = token.text(file);
    match ttl::seconds(text).filter(|_| !token.quoted) {
        Some(ttl) if ttl <= MAX_TTL => Ok(ttl),
        Some(_) => Err(wrong(
            token.span(),
            format!("a TTL is at most {MAX_TTL} seconds (RFC 2181 §8)"),
        )),
        None => Err(wrong(
            token.span(),
            format!(
                "expected a time such as 3600 or 1h, found `{}`",
                shown(text)
            ),
        )),
    }
}

/// The first argument of a directive and those behind it.
fn argument<'t>(
    name: Token,
    arguments: &'t [Token],
    expected: &str,
) -> Result<(Token, &'t [Token]), RdataError> {
    match arguments.split_first() {
        Some((first, rest)) => Ok((*first, rest)),
        None => Err(wrong(name.end..name.end, format!("{expected} is missing"))),
    }
}

fn nothing_after(rest: &[Token], file: &[u8]) -> Result<(), RdataError> {
    match rest.first() {
        None => Ok(()),
        Some(token) => {
            let found = shown(file.get(token.span()).unwrap_or_default());
            Err(wrong(
                token.span(),
                format!("`{found}` is more than the directive takes"),
            ))
        }
    }
}
