//! What lies between two commits: who descends from whom, which files differ, which of our steps are among them.

use super::commit::{STOOD, TRAILER};
use super::ledger::LEDGER;
use super::{Finished, GitError, Repository, line_of, succeeded};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// A commit and the step in its trailer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepCommit {
    /// The commit.
    pub commit: String,
    /// The step, such as `mail.1/publish`; none in a person's commit.
    pub step: Option<String>,
    /// Where the journal of its rotation stood, such as `7 3fa9c1d2e4b5a697`, if it says so.
    pub journal: Option<String>,
}

impl Repository {
    /// The commit that `revision` names.
    pub fn resolve(&self, revision: &str) -> Result<String, GitError> {
        self.commit_of(revision)?.ok_or_else(|| GitError::NoCommit {
            revision: revision.to_owned(),
        })
    }

    /// Whether every commit has the parents that it was made with, all of them here: in a shallow clone, and where objects are
    /// replaced, history is as somebody has set it.
    pub fn tells_all(&self) -> Result<bool, GitError> {
        let asked = self.ask(["rev-parse", "--is-shallow-repository"])?;
        let shallow = line_of(&succeeded("say whether its history is whole", asked)?);
        let asked = self.ask(["for-each-ref", "--count=1", "refs/replace"])?;
        let replaced = succeeded("list replaced objects", asked)?.stdout;
        let mut grafts = self.git_paths(&["info/grafts"])?.into_iter();
        Ok(shallow == "false" && replaced.is_empty() && !grafts.any(|path| path.exists()))
    }

    /// Whether `of` is `commit` or descends from it.
    pub fn is_ancestor(&self, commit: &str, of: &str) -> Result<bool, GitError> {
        let asked = self.ask(["merge-base", "--is-ancestor", commit, of])?;
        self.yes_or_no(&asked)
    }

    /// The best common ancestor of two commits; none where they share no history.
    pub fn merge_base(&self, a: &str, b: &str) -> Result<Option<String>, GitError> {
        let asked = self.ask(["merge-base", a, b])?;
        let is_there = self.yes_or_no(&asked)?;
        Ok(is_there.then(|| line_of(&asked)))
    }

    /// Exit code 0 is a yes, 1 a no; anything else is that git could not tell.
    pub(super) fn yes_or_no(&self, asked: &Finished) -> Result<bool, GitError> {
        match asked.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(self.corrupt(asked)),
        }
    }

    /// The files that differ between two commits; a renamed one counts twice.
    pub fn differing(&self, a: &str, b: &str) -> Result<Vec<PathBuf>, GitError> {
        let differing = self.ask(["diff", "--name-only", "--no-renames", "-z", a, b])?;
        let differing = succeeded("compare two commits", differing)?.stdout;
        let names = differing.split(|&b| b == 0).filter(|name| !name.is_empty());
        Ok(names
            .map(|name| self.root.join(OsStr::from_bytes(name)))
            .collect())
    }

    /// The files that a commit changes.
    pub fn touched(&self, commit: &str) -> Result<Vec<PathBuf>, GitError> {
        let list = ["diff-tree", "-r", "-m", "--root", "--no-commit-id"];
        let how = ["--name-only", "--no-renames", "-z", commit];
        let touched = self.ask(list.into_iter().chain(how))?;
        let touched = succeeded("list what a commit changes", touched)?.stdout;
        let names = touched.split(|&b| b == 0).filter(|name| !name.is_empty());
        Ok(names
            .map(|name| self.root.join(OsStr::from_bytes(name)))
            .collect())
    }

    /// The commits that `head` has and `base` has not, newest first.
    pub fn between(&self, base: &str, head: &str) -> Result<Vec<StepCommit>, GitError> {
        let format = format_of_steps();
        let range = format!("{base}..{head}");
        let log = self.ask(["log", "-z", &format, &range])?;
        let log = succeeded("read the log", log)?;
        Ok(step_commits(&log.stdout))
    }

    /// The commits of our steps, newest first, on any branch, tag or remote branch here, but for those that the commit `known`
    /// descends from.
    pub fn steps_made(&self, known: Option<&str>) -> Result<Vec<StepCommit>, GitError> {
        // The journals of runners have no steps in their messages, and a commit for every fact.
        let journals = format!("--exclude={LEDGER}");
        let mut which = vec![&*journals, "--all"];
        which.extend(known.into_iter().flat_map(|known| ["--not", known]));
        self.steps_among(&which)
    }

    /// The commits of our steps, newest first, that `tip` descends from and the commit `known` does not.
    pub fn steps_up_to(&self, tip: &str, known: Option<&str>) -> Result<Vec<StepCommit>, GitError> {
        let mut which = vec![tip];
        which.extend(known.into_iter().flat_map(|known| ["--not", known]));
        self.steps_among(&which)
    }

    fn steps_among(&self, which: &[&str]) -> Result<Vec<StepCommit>, GitError> {
        let format = format_of_steps();
        let trailer = format!("--grep={TRAILER}: ");
        let how = ["log", "-z", "--fixed-strings", &trailer, &format];
        let log = self.ask(how.into_iter().chain(which.iter().copied()))?;
        let mut commits = step_commits(&succeeded("read the log", log)?.stdout);
        // A person's text may quote a trailer.
        commits.retain(|commit| commit.step.is_some());
        Ok(commits)
    }

    /// Whether a proposal was merged into `base`, as it was or squashed: `base` has it, or what it generated.
    pub(super) fn was_merged(
        &self,
        proposal: &str,
        base: &str,
        generated: &[PathBuf],
    ) -> Result<bool, GitError> {
        if self.is_ancestor(proposal, base)? {
            return Ok(true);
        }
        self.has_touched(&format!("{proposal}^..{base}"), generated)
    }

    /// Whether a commit of a range has to do with one of these files.
    pub(super) fn has_touched(&self, range: &str, files: &[PathBuf]) -> Result<bool, GitError> {
        if files.is_empty() {
            return Ok(false);
        }
        let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
        let log = self.ask_about(["log", "-1", "--format=%H", range], &files)?;
        let log = succeeded("read the log", log)?;
        Ok(!log.stdout.trim_ascii().is_empty())
    }
}

/// One line for each commit: itself, its step, and where the journal stood, with a comma after each of the last two.
fn format_of_steps() -> String {
    let trailer = |key| format!("%(trailers:key={key},valueonly,separator=%x3B)");
    format!("--format=%H,{},{}", trailer(TRAILER), trailer(STOOD))
}

/// The commits of such a log, whose lines are ended by NUL.
fn step_commits(log: &[u8]) -> Vec<StepCommit> {
    let text = String::from_utf8_lossy(log).into_owned();
    let commits = text.split('\0').filter(|line| !line.trim().is_empty());
    let commits = commits.map(|line| {
        let mut fields = line.split(',').map(str::trim);
        let mut next = || fields.next().unwrap_or_default().to_owned();
        let (commit, step, journal) = (next(), next(), next());
        StepCommit {
            commit,
            step: (!step.is_empty()).then_some(step),
            journal: (!journal.is_empty()).then_some(journal),
        }
    });
    commits.collect()
}
