//! The server is told to load its file again: when it has changed, and as it was judged.
//!
//! A reload that is owed is remembered on disk, so that one that failed or was interrupted is run again; so is one that no
//! server was seen to have taken. Where somebody else signs, the server reads the file of the working tree: it is held
//! against what was judged, octet for octet, before anybody is told to load it.

use super::WorkflowError;
use super::error::NotAsJudged;
use super::head::{self, Head};
use super::upstream::Upstream;
use crate::files::read;
use crate::publish::command::Invocation;
use crate::rotation::observation::{Observation, Seen};
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::config::{Publication, Signing, ZoneConfig};
use crate::workspace::durable::WriteError;
use crate::workspace::inside;
use crate::zone::name::Name;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a server may take to reload.
const RELOAD: Duration = Duration::from_secs(60);

/// How long servers may take from a reload to the first of them that answers with what is new.
const TAKEN: Span = Span::seconds(600);

/// What begins the line of a note that says which text was loaded, and that which says when.
const LOADED: &str = "loaded ";
const AT: &str = "at ";

/// Marks that git puts into a file in which two changes meet.
const CONFLICT: [&[u8]; 3] = [b"<<<<<<< ", b"=======", b">>>>>>> "];

/// The reload of a zone, and what there is to know of it.
pub(super) struct Reload<'a> {
    workspace: &'a Workspace,
    zone: &'a ZoneConfig,
    head: &'a Head,
    note: PathBuf,
    untaken: Option<Instant>,
    now: Instant,
}

impl<'a> Reload<'a> {
    /// Of this zone; `seen` is what was seen of its servers in this run.
    pub(super) fn of(
        workspace: &'a Workspace,
        (zone, head): (&'a ZoneConfig, &'a Head),
        seen: Option<&Observation>,
        now: Instant,
    ) -> Self {
        let note = workspace.state().join("reload").join(zone.name.to_string());
        let last = read::read_text_unlinked(&note, read::LIST)
            .ok()
            .and_then(|note| at(&note));
        let is_late = |at: &Instant| *at + TAKEN <= now;
        let by_nobody = |seen: &Observation| nobody_serves(workspace, zone, head, seen);
        let untaken = last.filter(is_late).filter(|_| seen.is_some_and(by_nobody));
        Self {
            workspace,
            zone,
            head,
            note,
            untaken,
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
        self.remember(format!("{first}\n{AT}{}\n", self.now.unix()).as_bytes())?;
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
