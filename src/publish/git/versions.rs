//! Which versions of files the branch that counts held, and until when: by the dates of commits, and by what this
//! repository saw of the branch.
//!
//! The date of a commit is when it was made, not when it was merged; where a branch was moved on to an older commit, only
//! the record that git keeps of its moves (the reflog) tells when.

use super::{GitError, Repository, Site, about, line_of, succeeded};
use std::path::{Path, PathBuf};

/// A version of files that the branch held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The commit that has it.
    pub commit: String,
    /// When it was made, or the branch came to it, in seconds since 1970.
    pub made: u64,
    /// When another took its place, in seconds since 1970; `None` for the present one.
    pub until: Option<u64>,
}

impl Repository {
    /// The versions of `files` along the first parents of `tip`, newest first, at most `most`.
    pub fn versions(
        &self,
        tip: &str,
        files: &[PathBuf],
        most: usize,
    ) -> Result<Vec<Version>, GitError> {
        let most = format!("--max-count={most}");
        let arguments = ["log", "--first-parent", "-m", "--format=%H %ct", &most, tip];
        let relative: Vec<PathBuf> = files
            .iter()
            .map(|file| self.relative(file))
            .collect::<Result<_, _>>()?;
        let relative: Vec<&Path> = relative.iter().map(PathBuf::as_path).collect();
        let asked = about(self.invocation(arguments), &relative).run_to_end()?;
        let listed = succeeded("list the commits of a file", asked)?;
        let mut newest_first = Vec::new();
        for line in String::from_utf8_lossy(&listed.stdout).lines() {
            newest_first.extend(line.split_once(' ').and_then(|(commit, date)| {
                Some((commit.to_owned(), date.trim().parse::<u64>().ok()?))
            }));
        }
        Ok(replaced(newest_first))
    }

    /// The last commit of a branch, and when it says that it was made, in seconds since 1970.
    pub fn dated_tip(
        &self,
        branch: &str,
        site: Site<'_>,
    ) -> Result<Option<(String, u64)>, GitError> {
        let place = site.place(branch);
        let asked = self.ask(["log", "-1", "--format=%H %ct", &place, "--"])?;
        let listed = line_of(&succeeded("date the last commit", asked)?);
        let (commit, date) = listed.split_once(' ').unwrap_or_default();
        Ok(date.parse().ok().map(|date| (commit.to_owned(), date)))
    }

    /// The commits that a branch was seen at here, newest first, at most `most`; none where git keeps no reflog.
    pub fn moves_of(
        &self,
        branch: &str,
        site: Site<'_>,
        most: usize,
    ) -> Result<Vec<Version>, GitError> {
        let (most, place) = (format!("--max-count={most}"), site.place(branch));
        let arguments = [
            "log",
            "--walk-reflogs",
            "--date=unix",
            "--format=%H %gd",
            &most,
            &place,
        ];
        let asked = self.ask(arguments)?;
        if !asked.status.success() {
            return Ok(Vec::new());
        }
        let mut newest_first = Vec::new();
        for line in line_of(&asked).lines() {
            newest_first.extend(line.split_once(' ').and_then(|(commit, selector)| {
                let date = selector.rsplit_once("@{")?.1.strip_suffix('}')?;
                Some((commit.to_owned(), date.parse::<u64>().ok()?))
            }));
        }
        Ok(replaced(newest_first))
    }
}

/// Each was held until the one after it came; by clocks that differ never before it was made itself.
fn replaced(newest_first: Vec<(String, u64)>) -> Vec<Version> {
    let mut follower: Option<u64> = None;
    let mut versions = Vec::with_capacity(newest_first.len());
    for (commit, made) in newest_first {
        let until = follower.map(|follower| follower.max(made));
        versions.push(Version {
            commit,
            made,
            until,
        });
        follower = Some(made);
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_was_held_until_the_next_one_came() {
        let named = |(name, date): (&str, u64)| (name.to_owned(), date);
        let versions = replaced([("c", 30), ("b", 40), ("a", 10)].map(named).to_vec());
        let until: Vec<Option<u64>> = versions.iter().map(|version| version.until).collect();
        assert_eq!(until, [None, Some(40), Some(40)], "b is dated after c");
    }
}
