//! The journals of several runners: one story, kept in a git remote and moved there by compare-and-swap.
//!
//! A fact counts once the remote has it; only then is it written here, and only then do effects follow. So a runner's own
//! journal is never ahead, a killed run loses nothing that counted, and of two runners that conclude the same at once one
//! is refused, takes over what the other recorded, and decides anew.

use super::WorkflowError;
use super::apart;
use super::refused;
use super::replay::replay;
use super::seen::Seen;
use super::signers::{self, Signers};
use crate::publish::git::{LEDGER, Repository, Sealer};
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

/// What a commit says by which a runner gives what only it has to the others.
const TAKE_UP: &str = "Take up the journals of a runner";

/// How a journal's file is named in the remote and here.
const ENDING: &str = ".jsonl";

/// Where the journals of several runners are.
#[derive(Debug)]
pub(super) struct Shared<'w> {
    pub(super) workspace: &'w Workspace,
    pub(super) repository: Repository,
    pub(super) remote: String,
    pub(super) now: Instant,
}

impl<'w> Shared<'w> {
    /// The remote that the configuration names, in the repository that the configuration lies in; `None` without one.
    pub(super) fn of(
        workspace: &'w Workspace,
        now: Instant,
    ) -> Result<Option<Self>, WorkflowError> {
        let mut remotes = workspace
            .config
            .zones
            .iter()
            .filter_map(|z| z.remote.as_ref());
        let Some(remote) = remotes.next() else {
            return Ok(None);
        };
        Ok(Some(Self {
            workspace,
            now,
            repository: Repository::discover(&workspace.config_path)?,
            remote: remote.clone(),
        }))
    }

    /// Where the journals are, in words.
    pub(super) fn place(&self) -> String {
        format!("the journals on {}", self.remote)
    }

    /// Fetches what every remote holds that a zone of the configuration names: branches, and these journals.
    pub(super) fn fetch(&self) -> Result<(), WorkflowError> {
        self.repository.fetch(&self.remote)?;
        let mut done = vec![(self.repository.clone(), &self.remote)];
        for zone in &self.workspace.config.zones {
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
        let Some(commit) = self.vouched()? else {
            return Ok(None);
        };
        let files = self.repository.ledger_files(&commit)?;
        let objects: Vec<&str> = files.values().map(String::as_str).collect();
        let octets = self.repository.objects(&objects)?;
        let journals = files.keys().zip(octets);
        let journals = journals.map(|(file, octets)| self.parse(file, &octets));
        journals.collect::<Result<_, _>>().map(Some)
    }

    /// The last commit of the journals as it was fetched, which somebody vouches for who may, or which was taken over before.
    pub(super) fn vouched(&self) -> Result<Option<String>, WorkflowError> {
        let now = self.repository.ledger()?;
        let seen = Seen::read(self.workspace);
        if let Some(now) = now.as_deref().filter(|now| seen.ledger() != Some(now))
            && let Some(signers) = Signers::of(self)?
        {
            signers.vouch(self, now, seen.ledger())?;
        }
        Ok(now)
    }

    /// Puts `files` into the journals there, signed where entries are.
    fn push(
        &self,
        was: Option<&str>,
        files: &[(String, Vec<u8>)],
        what: &str,
    ) -> Result<String, WorkflowError> {
        let signers = Signers::of(self)?;
        let sign = |text: &str| match &signers {
            Some(signers) => signers.sign(text),
            None => Ok(String::new()),
        };
        let sealer: Option<Sealer<'_>> = signers.as_ref().map(|_| &sign as Sealer<'_>);
        let remote = &self.remote;
        let repository = &self.repository;
        Ok(repository.push_ledger(remote, was, files, (what, sealer))?)
    }

    /// The command that puts back what was there when it was last taken over.
    fn back(&self) -> Result<String, WorkflowError> {
        let now = self.repository.ledger()?.unwrap_or_default();
        let seen = Seen::read(self.workspace);
        let before = seen.ledger().map(str::to_owned);
        let before = before.unwrap_or_else(|| format!("{now}^"));
        Ok(signers::put_back(&self.remote, &now, &before))
    }

    fn parse(&self, file: &str, octets: &[u8]) -> Result<Journal<Event>, WorkflowError> {
        let certificate = file.strip_suffix(ENDING).unwrap_or(file);
        let place = format!("{}:{file}", self.place());
        Ok(Journal::parse(Path::new(&place), certificate, octets)?)
    }

    /// Takes over what other runners recorded since `seen`, and gives them what only this one has.
    fn reconcile(&self) -> Result<(), WorkflowError> {
        let workspace = self.workspace;
        let seen = Seen::read(workspace);
        let now = self.vouched()?;
        if let Some(now) = now.as_deref().filter(|now| seen.ledger() == Some(now)) {
            return self.sign_anew(&seen, now);
        }
        let seen = seen.ledger();
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
            now = Some(self.push(now.as_deref(), &ahead, TAKE_UP)?);
        }
        match now {
            Some(now) => Seen::write(self, &now),
            None => Ok(()),
        }
    }

    /// Signs what this runner took over before, where nobody on the list vouches for it any more: it was there before entries
    /// were signed, or its signer's key was taken off the list. Without it a new runner would take nothing over.
    fn sign_anew(&self, seen: &Seen, now: &str) -> Result<(), WorkflowError> {
        if self.workspace.config.journal.is_none()
            || seen.base() == signers::base(self).ok().as_deref()
        {
            return Ok(());
        }
        let Some(signers) = Signers::of(self)? else {
            return Ok(());
        };
        if signers.vouch(self, now, None).is_ok() {
            return Seen::write(self, now);
        }
        // Where this runner has no key, or another one is faster, its next fact or that one's will do.
        match self.push(Some(now), &[], "Sign the journals as they are") {
            Ok(signed) => Seen::write(self, &signed),
            Err(_) => Ok(()),
        }
    }

    /// Whether somebody has given journals of long ago to the others since this runner last took theirs over.
    fn was_taken_up(&self) -> bool {
        let seen = Seen::read(self.workspace);
        let Ok(Some(now)) = self.repository.ledger() else {
            return true;
        };
        let subjects = self.repository.ledger_subjects(seen.ledger(), &now);
        subjects.map_or(true, |subjects| subjects.iter().any(|one| one == TAKE_UP))
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
        // What time forbids is not even taken over: what is here would be given to the others again.
        let parsed = self.parse(file, theirs)?;
        if let Err(WorkflowError::TooSoon {
            path, entry, what, ..
        }) = replay(&parsed)
        {
            return Err(WorkflowError::TooSoon {
                path,
                entry,
                what,
                back: Some(self.back()?.into()),
            });
        }
        let path = workspace.journal(certificate);
        let here = Journal::<Event>::read(&path, certificate)?;
        let last = here.entries().last().map(|entry| entry.seq);
        let ours = here.octets()?;
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
        if last.is_some() || !self.was_taken_up() {
            let come = parsed
                .entries()
                .iter()
                .filter(|entry| Some(entry.seq) > last);
            apart::compare(self.workspace, come, self.now)?;
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
    now: Instant,
) -> Result<(), WorkflowError> {
    let Some(shared) = Shared::of(workspace, now)? else {
        return Ok(());
    };
    shared.fetch()?;
    shared.reconcile()?;
    apart::note(workspace, now)
}

/// Writes what was added to a journal, once the remote has it: from then on it counts.
pub(super) fn keep(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    journal: &mut Journal<Event>,
    (what, now): (&str, Instant),
) -> Result<(), WorkflowError> {
    keep_all(workspace, lock, &mut [journal], (what, now))
}

/// The same for several journals, in one commit: all of it counts, or nothing.
pub(super) fn keep_all(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    journals: &mut [&mut Journal<Event>],
    (what, now): (&str, Instant),
) -> Result<(), WorkflowError> {
    let shared = Shared::of(workspace, now)?;
    let Some(shared) = shared.filter(|_| !journals.is_empty()) else {
        let mut journals = journals.iter_mut();
        return Ok(journals.try_for_each(|journal| journal.write(lock))?);
    };
    let mut files = Vec::new();
    for journal in journals.iter() {
        let file = journal.path().file_name().unwrap_or_default();
        files.push((file.to_string_lossy().into_owned(), journal.octets()?));
    }
    // What was fetched since, and refused, is built on as little as it is taken over.
    let was = shared.vouched()?;
    let pushed = shared.push(was.as_deref(), &files, what);
    let pushed = pushed.inspect_err(|error| refused::note(workspace, error, now))?;
    refused::mended(workspace, [LEDGER]);
    for journal in journals.iter_mut() {
        journal.write(lock)?;
    }
    Seen::write(&shared, &pushed)
}

/// Whether runners share their journals.
pub(super) fn is_shared(workspace: &Workspace) -> bool {
    let mut zones = workspace.config.zones.iter();
    zones.any(|zone| zone.remote.is_some())
}

/// What other runners recorded of a certificate and this one has not taken over, where they are asked now; that they cannot be is
/// no answer either. None where nobody else is.
pub fn others_recorded(workspace: &Workspace, certificate: &str, now: Instant) -> Option<String> {
    let asked = Shared::of(workspace, now).and_then(|shared| match shared {
        Some(shared) => shared
            .fetch()
            .map(|()| fetched(workspace, certificate, now)),
        None => Ok(Ok(None)),
    });
    let theirs = match asked.and_then(|fetched| fetched) {
        Ok(theirs) => theirs?,
        Err(error) => {
            return Some(format!(
                "what the other runners recorded is not known: {error}"
            ));
        }
    };
    let path = workspace.journal(certificate);
    let ours = Journal::<Event>::read(&path, certificate).ok();
    let known = ours.map_or(0, |journal| journal.entries().len());
    (theirs.entries().len() > known).then(|| {
        "another runner recorded more than is known here: `tlsa-rotate advance` takes it over"
            .to_owned()
    })
}

/// The journal of a certificate as it was fetched last; for looking only, what is written was taken over before.
pub(super) fn fetched(
    workspace: &Workspace,
    certificate: &str,
    now: Instant,
) -> Result<Option<Journal<Event>>, WorkflowError> {
    let Some(shared) = Shared::of(workspace, now)? else {
        return Ok(None);
    };
    let file = format!("{certificate}{ENDING}");
    let Some(commit) = shared.vouched()? else {
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
