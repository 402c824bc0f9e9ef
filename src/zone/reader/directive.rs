//! The directives of master files: `$ORIGIN`, `$TTL`, `$INCLUDE` and `$GENERATE` (RFC 1035 §5.1, RFC 2308 §4).

use super::Reader;
use super::{Inclusion, Kind};
use crate::zone::diagnostic::Source;
use crate::zone::form::{Form, argument, nothing_after, ttl_value, wrong};
use crate::zone::generate;
use crate::zone::lexer::{Lexer, Line, Token};
use crate::zone::name::Name;
use crate::zone::rdata::{RdataError, shown};
use crate::zone::records::Place;

/// How deep `$INCLUDE` may nest.
const DEEPEST: usize = 16;
/// How many `$INCLUDE`s one zone may hold: nesting alone would allow exponentially many.
const MOST_INCLUDES: usize = 1_000;

/// Refuses what is no time as `YYYYMMDDHHmmSS`.
fn date(token: Token, file: &[u8]) -> Result<(), RdataError> {
    let text = std::str::from_utf8(token.text(file)).ok();
    let time = text.and_then(|t| chrono::NaiveDateTime::parse_from_str(t, "%Y%m%d%H%M%S").ok());
    match time.filter(|_| !token.quoted && token.span().len() == 14) {
        Some(_) => Ok(()),
        None => Err(wrong(
            token.span(),
            format!(
                "expected a time as YYYYMMDDHHmmSS, found `{}`",
                shown(token.text(file))
            ),
        )),
    }
}

impl Reader<'_> {
    pub(super) fn directive(
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
            // Dumps of caches say when their TTLs began to run; those of zones do not run.
            b"$DATE" => {
                let (token, rest) = argument(*name, arguments, "a time as YYYYMMDDHHmmSS")?;
                nothing_after(rest, file)?;
                date(token, file)
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
        if token.quoted {
            return Err(RdataError {
                help: Some("leave the quotes out: no name server reads them here"),
                ..wrong(token.span(), "a name in quotes".to_owned())
            });
        }
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
        let length = line.end.saturating_sub(line.start);
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        let text = template.count().saturating_mul(length);
        self.generated_text = self.generated_text.saturating_add(text);
        if self.generated_text > generate::MOST_TEXT {
            return Err(wrong(
                template.range,
                format!(
                    "$GENERATE makes more than {} octets of text",
                    generate::MOST_TEXT
                ),
            ));
        }
        let owner_above = self.owner;
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
            let stored = self.store(owner, &form, &text, text.len(), place);
            if let Some(fault) = stored.map_err(at_template)? {
                let (severity, fault) = fault;
                self.say(source, Kind::Content, severity, at_template(fault));
            }
        }
        // Lines below take the owner from above the directive.
        self.owner = owner_above;
        Ok(())
    }
}
