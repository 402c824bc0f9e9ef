//! The journals of several runners: one story, kept in a git remote and moved there by compare-and-swap.
//!
//! A fact counts once the remote has it; only then is it written here, and only then do effects follow. So a runner's own
//! journal is never ahead, a killed run loses nothing that counted, and of two runners that conclude the same at once one
//! is refused, takes over what the other recorded, and decides anew.

use super::WorkflowError;
use super::refused;
use crate::files::read;
use crate::publish::git::{LEDGER, Repository};
use crate::rotation::step::Event;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::inside;
use crate::workspace::journal::Journal;
use crate::workspace::lock::WorkspaceLock;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How a journal's file is named in the remote and here.
const ENDING: &str = ".jsonl";

/// Where the journals of several runners are.
#[derive(Debug)]
pub(super) struct Shared {
    repository: Repository,
    remote: String,
}

impl Shared {
    /// The remote that the configuration names, in the repository that the configuration lies in; `None` without one.
    pub(super) fn of(workspace: &Workspace) -> Result<Option<Self>, WorkflowError> {
        let mut remotes = workspace
            .config
            .zones
            .iter()
            .filter_map(|z| z.remote.as_ref());
        let Some(remote) = remotes.next() else {
            return Ok(None);
        };
        Ok(Some(Self {
            repository: Repository::discover(&workspace.config_path)?,
            remote: remote.clone(),
        }))
    }

    /// Where the journals are, in words.
    pub(super) fn place(&self) -> String {
        format!("the journals on {}", self.remote)
    }

    /// Fetches what every remote holds that a zone of the configuration names: branches, and these journals.
    pub(super) fn fetch(&self, workspace: &Workspace) -> Result<(), WorkflowError> {
        self.repository.fetch(&self.remote)?;
        let mut done = vec![(self.repository.clone(), &self.remote)];
        for zone in &workspace.config.zones {
            let Some(remote) = &zone.remote else { continue };
            let place = (Repository::discover(&zone.file)?, remote);
            if !done.contains(&place) {
                place.0.fetch(remote)?;
                done.push(place);
            }
        }
        Ok(())
    }

    /// The journals as they were fetched last, read as strictly as any; `None` if there are none.
    pub(super) fn journals(&self) -> Result<Option<Vec<Journal<Event>>>, WorkflowError> {
        let Some(commit) = self.repository.ledger()? else {
            return Ok(None);
        };
        let files = self.repository.ledger_files(&commit)?;
        let objects: Vec<&str> = files.values().map(String::as_str).collect();
        let octets = self.repository.objects(&objects)?;
        let journals = files.keys().zip(octets);
        let journals = journals.map(|(file, octets)| self.parse(file, &octets));
        journals.collect::<Result<_, _>>().map(Some)
    }

    fn parse(&self, file: &str, octets: &[u8]) -> Result<Journal<Event>, WorkflowError> {
        let certificate = file.strip_suffix(ENDING).unwrap_or(file);
        let place = format!("{}:{file}", self.place());
        Ok(Journal::parse(Path::new(&place), certificate, octets)?)
    }

    /// Takes over what other runners recorded since `seen`, and gives them what only this one has.
    fn reconcile(&self, workspace: &Workspace) -> Result<(), WorkflowError> {
        let note = seen_last(workspace);
        let now = self.repository.ledger()?;
        let seen = read::read_text_unlinked(&note, read::LIST).ok();
        let seen = seen.as_deref().map(str::trim).filter(|s| !s.is_empty());
        if now.is_some() && seen == now.as_deref() {
            return Ok(());
        }
        let there = match &now {
            Some(commit) => self.repository.ledger_files(commit)?,
            None => BTreeMap::new(),
        };
        let known = match seen {
            // A commit that git has dropped meanwhile tells nothing; then every file is compared.
            Some(seen) => self.repository.ledger_files(seen).unwrap_or_default(),
            None => BTreeMap::new(),
        };
        let mut ahead = Vec::new();
        let is_new = |(file, object): &(&String, &String)| known.get(*file) != Some(*object);
        let new: Vec<(&String, &String)> = there.iter().filter(is_new).collect();
        let objects: Vec<&str> = new.iter().map(|(_, object)| object.as_str()).collect();
        let octets = self.repository.objects(&objects)?;
        for ((file, _), theirs) in new.into_iter().zip(octets) {
            ahead.extend(self.take_over(workspace, file, &theirs)?);
        }
        if seen.is_none() || now.is_none() {
            ahead.extend(only_here(workspace, &there)?);
        }
        let mut now = now;
        if !ahead.is_empty() {
            let what = "Take up the journals of a runner";
            now = Some(
                self.repository
                    .push_ledger(&self.remote, now.as_deref(), &ahead, what)?,
            );
        }
        if let Some(now) = now {
            inside::replace(&note, format!("{now}\n").as_bytes())?;
        }
        Ok(())
    }

    /// Brings the journal here to what it is there. If this runner has more, that is returned, to be given to the others.
    fn take_over(
        &self,
        workspace: &Workspace,
        file: &str,
        theirs: &[u8],
    ) -> Result<Option<(String, Vec<u8>)>, WorkflowError> {
        let Some(certificate) = certificate_of(file) else {
            return Ok(None);
        };
        self.parse(file, theirs)?;
        let path = workspace.journal(certificate);
        let ours = Journal::<Event>::read(&path, certificate)?.octets()?;
        if ours == theirs {
            return Ok(None);
        }
        if ours.starts_with(theirs) {
            return Ok(Some((file.to_owned(), ours)));
        }
        if !theirs.starts_with(&ours) {
            let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b);
            let line = same.filter(|(octet, _)| **octet == b'\n').count();
            return Err(WorkflowError::JournalsDiffer {
                path,
                remote: self.remote.clone(),
                line: line.saturating_add(1),
            });
        }
        if let Some(directory) = path.parent() {
            inside::create_directory(directory, 0o777)?;
        }
        inside::replace(&path, theirs)?;
        Ok(None)
    }
}

/// Fetches, and brings the journals here to what they are in the remote. To be done before anything is read or decided.
/// Without a remote there is nothing to do.
pub(super) fn synchronise(
    workspace: &Workspace,
    _lock: &WorkspaceLock,
) -> Result<(), WorkflowError> {
    let Some(shared) = Shared::of(workspace)? else {
        return Ok(());
    };
    shared.fetch(workspace)?;
    shared.reconcile(workspace)
}

/// Writes what was added to a journal, once the remote has it: from then on it counts.
pub(super) fn keep(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    journal: &mut Journal<Event>,
    what: &str,
) -> Result<(), WorkflowError> {
    keep_all(workspace, lock, &mut [journal], what)
}

/// The same for several journals, in one commit: all of it counts, or nothing.
pub(super) fn keep_all(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    journals: &mut [&mut Journal<Event>],
    what: &str,
) -> Result<(), WorkflowError> {
    let shared = Shared::of(workspace)?;
    let Some(shared) = shared.filter(|_| !journals.is_empty()) else {
        let mut journals = journals.iter_mut();
        return Ok(journals.try_for_each(|journal| journal.write(lock))?);
    };
    let mut files = Vec::new();
    for journal in journals.iter() {
        let file = journal.path().file_name().unwrap_or_default();
        files.push((file.to_string_lossy().into_owned(), journal.octets()?));
    }
    let was = shared.repository.ledger()?;
    let pushed = shared
        .repository
        .push_ledger(&shared.remote, was.as_deref(), &files, what);
    let now = pushed.map_err(WorkflowError::from).inspect_err(|error| {
        let latest = journals.iter().filter_map(|one| one.entries().last());
        let latest = latest.map(|entry| entry.at).max();
        refused::note(workspace, error, latest.unwrap_or(Instant::from_unix(0)));
    })?;
    refused::mended(workspace, [LEDGER]);
    for journal in journals.iter_mut() {
        journal.write(lock)?;
    }
    inside::replace(&seen_last(workspace), format!("{now}\n").as_bytes())?;
    Ok(())
}

/// Whether runners share their journals.
pub(super) fn is_shared(workspace: &Workspace) -> bool {
    let mut zones = workspace.config.zones.iter();
    zones.any(|zone| zone.remote.is_some())
}

/// The file that says which state of the remote's journals this runner's own are at.
fn seen_last(workspace: &Workspace) -> PathBuf {
    workspace.state().join("shared")
}

/// The journal of a certificate as it was fetched last; for looking only, what is written was taken over before.
pub(super) fn fetched(
    workspace: &Workspace,
    certificate: &str,
) -> Result<Option<Journal<Event>>, WorkflowError> {
    let Some(shared) = Shared::of(workspace)? else {
        return Ok(None);
    };
    let file = format!("{certificate}{ENDING}");
    let Some(commit) = shared.repository.ledger()? else {
        return Ok(None);
    };
    match shared.repository.ledger_files(&commit)?.get(&file) {
        Some(object) => Ok(Some(
            shared.parse(&file, &shared.repository.object(object)?)?,
        )),
        None => Ok(None),
    }
}

/// The certificate whose journal a file is; `None` for what this program would never have put there.
fn certificate_of(file: &str) -> Option<&str> {
    let certificate = file.strip_suffix(ENDING)?;
    let is_plain = !certificate.is_empty() && !certificate.starts_with('.');
    (is_plain && !certificate.contains(['/', '\\', '\0'])).then_some(certificate)
}

/// The journals that the remote does not have.
fn only_here(
    workspace: &Workspace,
    there: &BTreeMap<String, String>,
) -> Result<Vec<(String, Vec<u8>)>, WorkflowError> {
    let mut ours = Vec::new();
    for certificate in names(workspace)? {
        let file = format!("{certificate}{ENDING}");
        if !there.contains_key(&file) {
            let path = workspace.journal(&certificate);
            let journal = Journal::<Event>::read(&path, &certificate)?;
            ours.push((file, journal.octets()?));
        }
    }
    Ok(ours)
}

/// The certificates that have a journal here, in order.
pub(super) fn names(workspace: &Workspace) -> Result<Vec<String>, WorkflowError> {
    let directory: PathBuf = workspace.journals();
    let unreadable = |source| WorkflowError::Unreadable {
        path: directory.clone(),
        source,
    };
    let entries = match fs::read_dir(&directory) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let file = entry.map_err(unreadable)?.file_name();
        names.extend(file.to_str().and_then(certificate_of).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}
