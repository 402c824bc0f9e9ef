//! The server is told to load its file again: when it has changed, and as it was judged.
//!
//! A reload that is owed is remembered on disk, so that one that failed or was interrupted is run again; so is one that no
//! server was seen to have taken. Where somebody else signs, the server reads the file of the working tree: it is held
//! against what was judged, octet for octet, before anybody is told to load it.

use super::WorkflowError;
use super::error::NotAsJudged;
use super::head::{self, Head};
use super::sign;
use super::upstream::Upstream;
use crate::files::read;
use crate::publish::command::Invocation;
use crate::rotation::observation::{Authority, Observation, Seen};
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::config::{Publication, Signing, ZoneConfig};
use crate::workspace::durable::WriteError;
use crate::workspace::inside;
use crate::zone::name::Name;
use crate::zone::serial;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a server may take to reload.
const RELOAD: Duration = Duration::from_secs(60);

/// How long servers may take from a reload to the first of them that answers with what is new.
const TAKEN: Span = Span::seconds(600);

/// What begins the line of a note that says which text was loaded, when, under which serial, and which ones servers had before.
const LOADED: &str = "loaded ";
const AT: &str = "at ";
const SERIAL: &str = "serial ";
const WAS: &str = "was ";

/// That the serial is one that servers must come to have, where somebody else counts.
const RAISED: &str = "raised";

/// What was seen of the servers of a zone in this run, and their serials.
pub(super) type Served<'s> = (&'s Observation, BTreeMap<Authority, Seen<u32>>);

/// Marks that git puts into a file in which two changes meet.
const CONFLICT: [&[u8]; 3] = [b"<<<<<<< ", b"=======", b">>>>>>> "];

/// The reload of a zone, and what there is to know of it.
pub(super) struct Reload<'a> {
    workspace: &'a Workspace,
    zone: &'a ZoneConfig,
    head: &'a Head,
    note: PathBuf,
    untaken: Option<Instant>,
    /// The serials that servers have now.
    serials: BTreeSet<u32>,
    now: Instant,
}

impl<'a> Reload<'a> {
    /// Of this zone; `seen` is what was seen of its servers in this run.
    pub(super) fn of(
        workspace: &'a Workspace,
        (zone, head): (&'a ZoneConfig, &'a Head),
        seen: Option<Served<'_>>,
        now: Instant,
    ) -> Self {
        let note = workspace.state().join("reload").join(zone.name.to_string());
        let told = read::read_text_unlinked(&note, read::LIST).unwrap_or_default();
        let is_late = |at: &Instant| *at + TAKEN <= now;
        let serials = seen.iter().flat_map(|(_, serials)| serials.values());
        let serials: BTreeSet<u32> = serials.filter_map(known).collect();
        let by_nobody = seen.is_some_and(|(seen, _)| {
            nobody_serves(workspace, zone, head, seen) || nobody_counts(zone, &told, &serials)
        });
        let untaken = at(&told).filter(is_late).filter(|_| by_nobody);
        Self {
            workspace,
            zone,
            head,
            note,
            untaken,
            serials,
            now,
        }
    }

    /// Remembers that the file is about to change, and that the server must be told.
    pub(super) fn owe(&self) -> Result<(), WriteError> {
        match self.zone.reload {
            Some(_) => self.remember(b""),
            None => Ok(()),
        }
    }

    /// Tells the server, if that is owed or was not taken; says what was done. What somebody else signs is handed over
    /// here, so that it is asked before whether it may be.
    pub(super) fn run(
        &self,
        ask: impl FnOnce() -> Result<(), WorkflowError>,
    ) -> Result<Option<String>, WorkflowError> {
        let external = matches!(self.zone.signing, Signing::External { .. });
        let loaded = if external {
            digest(self.head)
        } else {
            Vec::new()
        };
        let note = read::read_text_unlinked(&self.note, read::LIST).ok();
        let last = note
            .as_deref()
            .map(|note| note.lines().next().unwrap_or(""));
        let is_owed = match (external, last) {
            (true, last) => last.map(str::as_bytes) != Some(&*loaded),
            (false, last) => last == Some(""),
        };
        let Some(command) = self.zone.reload.as_ref() else {
            return Ok(None);
        };
        if !is_owed && self.untaken.is_none() {
            return Ok(None);
        }
        if external {
            ask()?;
            self.is_as_judged()?;
        }
        Invocation::new(command, &self.workspace.root, RELOAD).run()?;
        let loaded = String::from_utf8_lossy(&loaded).into_owned();
        let first = if external { loaded } else { LOADED.to_owned() };
        let counted = self.counted(note.as_deref())?;
        let told = format!("{first}\n{AT}{}\n{counted}", self.now.unix());
        self.remember(told.as_bytes())?;
        let ran = format!("ran {}", command.join(" "));
        Ok(Some(match self.untaken.filter(|_| !is_owed) {
            None => ran,
            Some(at) => format!(
                "{ran} again: no server answers with what {} holds of {} since it was loaded at {at}; see what the server says of it",
                self.holder(),
                self.zone.name
            ),
        }))
    }

    /// The serial of the file that is loaded, whether it is another than that of the note, and what servers have before that.
    fn counted(&self, before: Option<&str>) -> Result<String, WorkflowError> {
        let Some(serial) = self.serial()? else {
            return Ok(String::new());
        };
        let mut told = format!("{SERIAL}{serial}\n");
        let last = before.and_then(|before| numbers(before, SERIAL).next());
        let is_raised = |last| match serial::compare(serial, last) {
            Some(Ordering::Greater) => true,
            // It is loaded once more.
            Some(Ordering::Equal) => before.is_some_and(raised),
            _ => false,
        };
        if last.is_some_and(is_raised) {
            told.push_str(RAISED);
            told.push('\n');
        }
        for was in &self.serials {
            let _ = writeln!(told, "{WAS}{was}");
        }
        Ok(told)
    }

    /// The serial of the file that the server reads, where it has one.
    fn serial(&self) -> Result<Option<u32>, WorkflowError> {
        match self.zone.signing {
            Signing::Here { .. } => sign::serial(self.zone),
            // What is included has none, and whoever keeps the master file counts.
            Signing::External { .. } if self.zone.included.is_some() => Ok(None),
            Signing::External { .. } => Ok(self.head.content.soa().map(|soa| soa.serial)),
        }
    }

    /// Where what counts is, in words.
    fn holder(&self) -> String {
        match Upstream::of(self.workspace, self.zone) {
            Ok(upstream) if self.head.commit.is_some() => format!("branch {}", upstream.branch),
            _ => "the zone file".to_owned(),
        }
    }

    fn remember(&self, what: &[u8]) -> Result<(), WriteError> {
        if let Some(directory) = self.note.parent() {
            inside::create_directory(directory, 0o777)?;
        }
        inside::replace(&self.note, what).map(drop)
    }

    /// Refuses to hand over files that are not what was judged; a working tree that is only behind its remote follows first.
    fn is_as_judged(&self) -> Result<(), WorkflowError> {
        if self.zone.publication == Publication::File {
            return self.first_other().map_or(Ok(()), |(path, how)| {
                Err(self.not_as_judged(path, how, None))
            });
        }
        if self.first_other().is_none() {
            return Ok(());
        }
        let upstream = Upstream::of(self.workspace, self.zone)?;
        if let Some(remote) = &upstream.remote {
            upstream.repository.follow(remote, &upstream.branch)?;
        }
        let Some((path, how)) = self.first_other() else {
            return Ok(());
        };
        Err(self.not_as_judged(path, how, Some(upstream)))
    }

    /// The first file of the zone that is not what was judged, and in what.
    fn first_other(&self) -> Option<(PathBuf, String)> {
        let mut sources = self.head.file.sources().iter();
        sources.find_map(|source| {
            let path = Path::new(&source.path);
            let how = match read::read_unlinked(path, read::ZONE) {
                Ok(there) if there == *source.bytes => return None,
                Ok(there) if has_conflict(&there) => "it holds the marks of a conflict".to_owned(),
                Ok(there) => first_line_that_differs(&source.bytes, &there),
                Err(error) => error.to_string(),
            };
            Some((path.to_owned(), how))
        })
    }

    fn not_as_judged(
        &self,
        path: PathBuf,
        how: String,
        upstream: Option<Upstream>,
    ) -> WorkflowError {
        let repository = upstream.as_ref().map(|upstream| &upstream.repository);
        let checked_out = repository.and_then(|repository| repository.checked_out().ok());
        WorkflowError::NotAsJudged(Box::new(NotAsJudged {
            zone: self.zone.name.clone(),
            path,
            how,
            root: repository.map(|repository| repository.root().to_owned()),
            elsewhere: match (&upstream, checked_out) {
                (Some(upstream), Some(there)) => there.as_ref() != Some(&upstream.branch),
                _ => false,
            },
            branch: upstream.map(|upstream| upstream.branch),
        }))
    }
}

/// What tells one text of a zone from another, as it is written beside the reload that it was given to.
fn digest(head: &Head) -> Vec<u8> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for source in head.file.sources() {
        context.update(&source.bytes);
    }
    let digest = data_encoding::HEXLOWER.encode(context.finish().as_ref());
    format!("{LOADED}{digest}").into_bytes()
}

/// When the reload was run, as a note says.
fn at(note: &str) -> Option<Instant> {
    let mut lines = note.lines();
    let at = lines.find_map(|line| line.strip_prefix(AT))?;
    at.parse().ok().map(Instant::from_unix)
}

fn raised(note: &str) -> bool {
    note.lines().any(|line| line == RAISED)
}

fn known(seen: &Seen<u32>) -> Option<u32> {
    match seen {
        Seen::Known(serial) => Some(*serial),
        Seen::Unknown(_) => None,
    }
}

/// The numbers that a note tells in lines that begin so.
fn numbers<'n>(note: &'n str, beginning: &'n str) -> impl Iterator<Item = u32> + 'n {
    let lines = note.lines();
    let lines = lines.filter_map(move |line| line.strip_prefix(beginning));
    lines.filter_map(|number| number.parse().ok())
}

/// Whether servers of a zone told their serials, and none has that of the file that was loaded, or a later one. Where somebody
/// else counts, the file may have raised its own, and any other than those before the reload will do.
fn nobody_counts(zone: &ZoneConfig, note: &str, served: &BTreeSet<u32>) -> bool {
    let Some(loaded) = numbers(note, SERIAL).next() else {
        return false;
    };
    let is_theirs = matches!(zone.signing, Signing::External { .. });
    if served.is_empty() || (is_theirs && !raised(note)) {
        return false;
    }
    let is_behind = |serial: u32| serial::compare(serial, loaded) == Some(Ordering::Less);
    let is_as_before = |serial: u32| numbers(note, WAS).any(|was| was == serial);
    served
        .iter()
        .all(|serial| is_behind(*serial) && (!is_theirs || is_as_before(*serial)))
}

/// Whether servers of a zone answered, and none of them with the TLSA RRsets that are merged.
fn nobody_serves(
    workspace: &Workspace,
    zone: &ZoneConfig,
    head: &Head,
    seen: &Observation,
) -> bool {
    let of_zone = seen.served.iter().filter_map(|(tlsa, answers)| {
        let name = Name::parse(tlsa.as_str().as_bytes(), None).ok()?;
        let home = workspace.config.zone_of(&name)?;
        (home.name == zone.name).then_some((name, answers))
    });
    of_zone.into_iter().any(|(name, answers)| {
        let merged = head::associations(&head.content, &name);
        let mut known = answers.values().filter_map(|answer| match answer {
            Seen::Known(served) => Some(served.associations == merged),
            Seen::Unknown(_) => None,
        });
        let first = known.next();
        first == Some(false) && !known.any(|has_it| has_it)
    })
}

fn has_conflict(octets: &[u8]) -> bool {
    let has = |mark: &&[u8]| {
        octets
            .split(|&b| b == b'\n')
            .any(|line| line.starts_with(mark))
    };
    CONFLICT.iter().all(has)
}

fn first_line_that_differs(wanted: &[u8], there: &[u8]) -> String {
    let lines = |octets: &[u8]| -> Vec<Vec<u8>> {
        octets.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect()
    };
    let (wanted, there) = (lines(wanted), lines(there));
    let same = wanted
        .iter()
        .zip(&there)
        .take_while(|(a, b)| a == b)
        .count();
    format!("it differs from line {} on", same.saturating_add(1))
}
