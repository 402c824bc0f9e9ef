//! A master file with everything it includes: its text, entry by entry and byte for byte, and what it means (RFC 1035 §5).

use crate::zone::check;
use crate::zone::content::{Zone, write_nodes};
use crate::zone::diagnostic::{Counts, Diagnostic, Diagnostics, Source};
use crate::zone::include::{Files, Included};
use crate::zone::lexer::{Lexer, Token};
use crate::zone::name::Name;
use crate::zone::nodes::{self, NodeView};
use crate::zone::rdata::Soa;
use crate::zone::reader::{self, Inclusion, Reading};
use crate::zone::record::{Rdata, Rtype};
use crate::zone::records::{InOrder, Place, Records, Stored};
use crate::zone::sorted::Sorted;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// A master file as it was read. Reading never fails: what is wrong is in [`ZoneFile::diagnostics`].
#[derive(Clone, Debug)]
pub struct ZoneFile {
    sources: Vec<Source>,
    included: Vec<Inclusion>,
    origin: Option<Name>,
    apex: Option<Name>,
    records: Records,
    sorted: Sorted,
    diagnostics: Vec<Diagnostic>,
    counts: Counts,
    /// Whether a line could not be read.
    unreadable: bool,
}

/// Answers `$INCLUDE` with what an earlier reading got.
struct Remembered<'a> {
    sources: &'a [Source],
    included: &'a [Inclusion],
}

impl Files for Remembered<'_> {
    fn open(&self, including: &str, wanted: &str) -> Result<Included, String> {
        let known = self
            .included
            .iter()
            .find(|i| i.including == including && i.wanted == wanted);
        let source = known.and_then(|i| self.sources.iter().find(|s| s.path == i.path));
        let source = source.ok_or_else(|| format!("{wanted} was not read before"))?;
        Ok(Included {
            path: source.path.clone(),
            bytes: Arc::clone(&source.bytes),
        })
    }
}

/// What a logical line of a master file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Nothing, or a comment.
    Blank,
    /// `$ORIGIN`, `$TTL`, `$INCLUDE`, `$GENERATE`, or an unknown word that begins with `$`.
    Directive,
    /// A record, well-formed or not.
    Record,
}

/// One logical line: a record in parentheses is one entry, however many lines it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Where it stands; the spans of all entries, laid end to end, are the file.
    pub span: Range<usize>,
}

/// The entries of a file, in order.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    file: &'a [u8],
    lexer: Lexer<'a>,
    tokens: Vec<Token>,
}

/// The entries of the file with these bytes.
pub fn entries(file: &[u8]) -> Entries<'_> {
    Entries {
        file,
        lexer: Lexer::new(file),
        tokens: Vec::new(),
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let line = self.lexer.next_line(&mut self.tokens)?;
        let kind = match self.tokens.first() {
            None if line.fault.is_none() => EntryKind::Blank,
            Some(t) if !line.indented && !t.quoted && t.text(self.file).starts_with(b"$") => {
                EntryKind::Directive
            }
            _ => EntryKind::Record,
        };
        let span = line.start..line.end;
        Some(Entry { kind, span })
    }
}

impl ZoneFile {
    /// Reads the file `path` with the bytes `bytes` and, through `files`, what it includes.
    ///
    /// `origin` is the zone's name. Without it the file must name itself, by `$ORIGIN` or by an absolute owner of its SOA.
    pub fn read(path: &str, bytes: Vec<u8>, origin: Option<&Name>, files: &dyn Files) -> Self {
        Self::read_shared(path, Arc::new(bytes), origin, files)
    }

    fn read_shared(
        path: &str,
        bytes: Arc<Vec<u8>>,
        origin: Option<&Name>,
        files: &dyn Files,
    ) -> Self {
        let Reading {
            sources,
            included,
            records,
            mut findings,
        } = reader::read(path, bytes, origin, files);
        let soa = records.all().iter().find(|r| r.rtype == Rtype::SOA);
        let apex = origin.cloned();
        let apex = apex.or_else(|| soa.map(|r| Name::from_checked_wire(records.owner(r))));
        let mut sorted = Sorted::of(&records, apex.as_ref().map_or(&[], Name::wire));
        match &apex {
            Some(apex) => check::check(apex, &records, &sorted, &sources, &mut findings),
            // With lines that could not be read, what is missing may only be unread.
            None if findings.has_syntax_errors() => {}
            None => findings.push(check::no_apex()),
        }
        if let Some(apex) = &apex {
            sorted.drop_outsiders(&records, apex.wire());
        }
        let counts = findings.counts();
        let unreadable = findings.has_syntax_errors();
        let diagnostics = findings.resolve(&sources);
        Self {
            sources,
            included,
            origin: origin.cloned(),
            apex,
            records,
            sorted,
            diagnostics,
            counts,
            unreadable,
        }
    }

    /// What was found, in the order of the text; of very many findings the first of each severity.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How much was found in all.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether a finding is an error.
    pub fn has_errors(&self) -> bool {
        self.counts.errors > 0
    }

    /// The files that were read, the outermost first.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The name of the zone: the origin given, else the owner of the SOA record.
    pub fn apex(&self) -> Option<&Name> {
        self.apex.as_ref()
    }

    /// The origin that was given.
    pub fn origin(&self) -> Option<&Name> {
        self.origin.as_ref()
    }

    /// How many records were read, repetitions included.
    pub fn record_count(&self) -> usize {
        self.records.all().len()
    }

    /// The data of the zone's SOA record.
    pub fn soa(&self) -> Option<Soa> {
        Soa::from_rdata(&Rdata(self.records.data(self.soa_records().next()?).into()))
    }

    /// Every copy of the zone's SOA record, in the order of the text: what a transfer prints has two.
    pub(crate) fn soa_records(&self) -> impl Iterator<Item = &Stored> {
        let apex = self.apex.as_ref().map_or(&[][..], Name::wire);
        let at_apex = |r: &&Stored| self.records.owner(r).eq_ignore_ascii_case(apex);
        let all = self.records.all().iter();
        all.filter(|r| r.rtype == Rtype::SOA).filter(at_apex)
    }

    /// The serial of the zone's SOA record.
    pub fn serial(&self) -> Option<u32> {
        Some(self.soa()?.serial)
    }

    pub(crate) fn records(&self) -> &Records {
        &self.records
    }

    /// Where the text of a record stands.
    pub(crate) fn place(&self, record: &Stored) -> Place {
        self.records.place(record)
    }

    /// The records in canonical order, repetitions included.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = InOrder<'_>> {
        let numbers = self.sorted.numbers().iter();
        let sorted = numbers.filter_map(|number| self.records.get(*number));
        sorted.map(|record| InOrder::new(&self.records, record))
    }

    /// The same files with other text, read again without opening anything.
    pub(crate) fn read_again(&self, sources: &[Source]) -> Self {
        let Some(first) = sources.first().cloned() else {
            return self.clone();
        };
        let remembered = Remembered {
            sources,
            included: &self.included,
        };
        Self::read_shared(&first.path, first.bytes, self.origin.as_ref(), &remembered)
    }

    /// What the file means; when it has errors, all findings.
    pub fn zone(&self) -> Result<Zone, Diagnostics> {
        Ok(self.content(self.sound()?))
    }

    /// The same, for who needs nothing else: the text is let go of before the zone is made, so both are never there, and
    /// what an `earlier` version holds likewise is shared with it.
    pub fn into_zone(mut self, earlier: Option<&Zone>) -> Result<Zone, Diagnostics> {
        let apex = self.sound()?.clone();
        self.sources.clear();
        let nodes = self.nodes().map(|n| {
            let (owner, node) = (n.to_owner(), n.to_node());
            let same = earlier.and_then(|zone| zone.nodes.get_key_value(&owner));
            match same.filter(|(name, same)| name.wire() == owner.wire() && **same == node) {
                Some((name, same)) => (name.clone(), same.clone()),
                None => (owner, node),
            }
        });
        let nodes = nodes.collect();
        Ok(Zone { apex, nodes })
    }

    /// What the records mean, whatever a whole zone would have to hold besides; `None` if a line cannot be read.
    pub(crate) fn part_of(&self, apex: &Name) -> Option<Zone> {
        (!self.unreadable).then(|| self.content(apex))
    }

    fn content(&self, apex: &Name) -> Zone {
        let nodes = self.nodes().map(|n| (n.to_owner(), n.to_node()));
        Zone {
            apex: apex.clone(),
            nodes: nodes.collect(),
        }
    }

    /// Writes what [`ZoneFile::zone`] prints, without making it: what a file with errors holds, as far as it was read.
    pub fn write_to(&self, out: &mut impl io::Write) -> io::Result<()> {
        write_nodes(self.nodes().map(|n| (n.to_owner(), n.to_node())), out)
    }

    /// The apex of a zone without errors; else all findings.
    pub(crate) fn sound(&self) -> Result<&Name, Diagnostics> {
        match &self.apex {
            Some(apex) if !self.has_errors() => Ok(apex),
            _ => Err(Diagnostics(self.diagnostics.clone())),
        }
    }

    /// The owners in canonical order with their RRsets: what [`ZoneFile::zone`] gives where there are no errors, not copied.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeView<'_>> {
        nodes::nodes(&self.records, &self.sorted)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::zone::include::NoFiles;

    #[test]
    fn a_zone_that_shares_with_an_earlier_one_is_as_its_own_text_says() {
        let read = |lines: &str| {
            let text = format!("e. 60 IN SOA n. h. 1 2 3 4 5\ne. 60 IN NS n.\n{lines}");
            ZoneFile::read("zone", text.into_bytes(), None, &NoFiles)
        };
        let earlier =
            read("a.e. 60 IN A 192.0.2.1\nb.e. 60 IN CNAME c.e.\nd.e. 60 IN A 192.0.2.4\n");
        let earlier = earlier.into_zone(None).unwrap();
        for lines in [
            "a.e. 60 IN A 192.0.2.1\n",
            "a.e. 61 IN A 192.0.2.1\nb.e. 60 IN CNAME c.e.\n",
            "A.e. 60 IN A 192.0.2.1\nb.e. 60 IN CNAME C.e.\nd.e. 60 IN A 192.0.2.5\n",
        ] {
            let file = read(lines);
            let (apart, text) = (file.zone().unwrap(), file.zone().unwrap().to_string());
            let shared = file.into_zone(Some(&earlier)).unwrap();
            assert_eq!(shared, apart, "{lines}");
            assert_eq!(shared.to_string(), text, "in the case of its text: {lines}");
        }
    }
}
