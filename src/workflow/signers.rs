//! Who may write into the journals that runners share: whoever the list of allowed signers has, as the branch that counts holds
//! it. The ref of the journals is protected by no rule for branches, and one line there can move a deployment.
//!
//! The newest commit must be signed: it vouches for all that it is built on, which its runner has judged before. So a key can
//! be taken off the list without making what it once signed untrue. What this runner has taken over already it does not judge
//! again, and signs anew where nobody vouches for it any more: so signing begins in journals that are there already.

use super::WorkflowError;
use super::shared::Shared;
use crate::change::allowed_signers::AllowedSigners;
use crate::change::sshsig::Signature;
use crate::publish::git::{JOURNALS, LEDGER, Repository, Seal, Site};
use crate::publish::ssh_sign::{self, SigningError};
use crate::rotation::timing::Instant;
use crate::workspace::config::JournalConfig;
use std::fmt;

/// How far below an unknown commit one is looked for that somebody vouches for.
const FARTHEST: usize = 256;
/// How much of a commit's name is shown where it is named to people.
const SHORT: usize = 12;

/// A commit of the journals that nobody vouches for who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unvouched {
    /// The remote.
    pub remote: String,
    /// The list, as the configuration names it.
    pub list: String,
    /// The commit.
    pub commit: String,
    /// Who says that he made it.
    pub who: String,
    /// Why it does not count.
    pub why: String,
    /// The last commit that counts, where one is known.
    pub before: Option<String>,
}

impl fmt::Display for Unvouched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "nothing is taken over from the journals on `{}`: commit {} there, made as {}, is not by a runner in {}: {}",
            self.remote,
            self.commit.get(..SHORT).unwrap_or(&self.commit),
            self.who,
            self.list,
            self.why
        )
    }
}

impl Unvouched {
    /// The ways out, one line each.
    pub(super) fn hints(&self) -> Vec<String> {
        let (commit, remote) = (&self.commit, &self.remote);
        let mut hints = vec![format!(
            "find out who wrote it, and what: git show {commit}"
        )];
        if let Some(before) = &self.before {
            hints.push(format!(
                "if nobody should have, put back what was there: {}",
                put_back(remote, commit, before)
            ));
        }
        hints.push(format!(
            "if it is a runner's, put its key into {} on the branch that counts; what was written before entries were signed is signed by the next run of a runner that has it already",
            self.list
        ));
        hints
    }
}

/// The command that puts the journals back to an earlier commit, where nobody has moved them since.
pub(super) fn put_back(remote: &str, now: &str, before: &str) -> String {
    format!("git push --force-with-lease={LEDGER}:{now} {remote} {before}:{LEDGER}")
}

/// The list as the branch that counts holds it.
pub(super) struct Signers<'w> {
    journal: &'w JournalConfig,
    list: AllowedSigners,
    shown: String,
    now: Instant,
}

impl<'w> Signers<'w> {
    /// As it was fetched last; none where the configuration asks for no signatures.
    pub(super) fn of(shared: &Shared<'w>) -> Result<Option<Self>, WorkflowError> {
        let workspace = shared.workspace;
        let Some(journal) = &workspace.config.journal else {
            return Ok(None);
        };
        let shown = journal.signers.strip_prefix(&workspace.root);
        let shown = shown.unwrap_or(&journal.signers).display().to_string();
        let tip = base(shared)?;
        let octets = shared.repository.file_at(&tip, &journal.signers)?;
        let Some(octets) = octets else {
            return Err(WorkflowError::NoSigners {
                list: shown,
                commit: tip,
            });
        };
        Ok(Some(Self {
            journal,
            list: AllowedSigners::parse(&String::from_utf8_lossy(&octets)),
            shown,
            now: shared.now,
        }))
    }

    /// The lines of the list that allow nobody, since they cannot be read.
    pub(super) fn skipped(&self) -> impl Iterator<Item = String> {
        let skipped = self.list.skipped.iter();
        skipped.map(|one| format!("{}: {one}", self.shown))
    }

    /// Whether a key of the list made a seal; else why it does not count.
    fn judge(&self, seal: &Seal) -> Result<(), String> {
        let Some(armoured) = &seal.armoured else {
            return Err("it is not signed".to_owned());
        };
        self.judge_text(&seal.text, armoured)
    }

    fn judge_text(&self, text: &str, armoured: &str) -> Result<(), String> {
        let signature = Signature::parse(armoured).map_err(|why| why.to_string())?;
        if signature.namespace != JOURNALS {
            return Err(format!("it is signed for `{}`", signature.namespace));
        }
        let is_made = signature.verify(text.as_bytes());
        is_made.map_err(|why| why.to_string())?;
        let asked = (JOURNALS, None);
        let allowed = self.list.judge(&signature.key, asked, None, self.now);
        allowed.map(drop).map_err(|why| why.to_string())
    }

    /// Refuses a commit of the journals that nobody vouches for. `before` is the last one that was taken over, if any was.
    pub(super) fn vouch(
        &self,
        shared: &Shared<'_>,
        commit: &str,
        before: Option<&str>,
    ) -> Result<(), WorkflowError> {
        let seal = shared.repository.seal(commit)?;
        let Err(why) = self.judge(&seal) else {
            return Ok(());
        };
        let before = before.map(str::to_owned);
        let before = before.or_else(|| self.nearest(&shared.repository, commit));
        Err(WorkflowError::Unvouched(Box::new(Unvouched {
            remote: shared.remote.clone(),
            list: self.shown.clone(),
            commit: commit.to_owned(),
            who: seal.committer,
            why,
            before,
        })))
    }

    /// The nearest commit below that somebody vouches for.
    fn nearest(&self, repository: &Repository, commit: &str) -> Option<String> {
        let mut at = commit.to_owned();
        for _ in 0..FARTHEST {
            at = repository.ledger_before(&at).ok()??;
            if self.judge(&repository.seal(&at).ok()?).is_ok() {
                return Some(at);
            }
        }
        None
    }

    /// Signs with this runner's key. A signature that the others would refuse is not made: it would stop all of them.
    pub(super) fn sign(&self, text: &str) -> Result<String, SigningError> {
        let key = &self.journal.sign_with;
        let armoured = ssh_sign::sign(text, key, JOURNALS)?;
        let judged = self.judge_text(text, &armoured);
        judged.map_err(|why| SigningError::NotAllowed {
            key: key.clone(),
            list: self.shown.clone(),
            why,
        })?;
        Ok(armoured)
    }
}

/// The tip of the branch that counts, as it was fetched last, and when it says that it was made.
pub(super) fn dated_base(shared: &Shared<'_>) -> Result<Option<(String, u64)>, WorkflowError> {
    let config = &shared.workspace.config;
    let is_proposal = |branch: &str| config.is_proposal(branch);
    let site = Site::Remote(&shared.remote);
    let repository = &shared.repository;
    let branch = repository.counting(config.branch.as_deref(), site, is_proposal)?;
    Ok(repository.dated_tip(&branch.name, site)?)
}

/// The tip of the branch that counts, as it was fetched last.
pub(super) fn base(shared: &Shared<'_>) -> Result<String, WorkflowError> {
    let config = &shared.workspace.config;
    let is_proposal = |branch: &str| config.is_proposal(branch);
    let site = Site::Remote(&shared.remote);
    let repository = &shared.repository;
    let branch = repository.counting(config.branch.as_deref(), site, is_proposal)?;
    Ok(repository.tip(&branch.name, site)?)
}
