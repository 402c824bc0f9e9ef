//! Words that files of a branch have, or had once (git-log(1), `-G`).

use super::{GitError, Repository, line_of, succeeded};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The most files that are named to git at once.
const MOST_NAMED: usize = 1_000;

impl Repository {
    /// Those of these files whose text in a commit or tree has any of these words, whatever their case.
    pub fn files_with(
        &self,
        revision: &str,
        files: &[&Path],
        words: &[&str],
    ) -> Result<Vec<PathBuf>, GitError> {
        // More would not fit on a command line: then the whole tree is searched.
        let asked: &[&Path] = if files.len() > MOST_NAMED { &[] } else { files };
        let each = words.iter().flat_map(|word| ["-e", *word]);
        let grep = ["grep", "-l", "-z", "-i", "-F", "--full-name"].into_iter();
        let found = self.ask_about(grep.chain(each).chain([revision]), asked)?;
        if !self.yes_or_no(&found)? {
            return Ok(Vec::new());
        }
        let prefix = format!("{revision}:");
        let names = found.stdout.split(|octet| *octet == 0);
        let names = names.filter_map(|name| name.strip_prefix(prefix.as_bytes()));
        let paths = names.map(|name| self.root.join(OsStr::from_bytes(name)));
        Ok(paths
            .filter(|path| files.contains(&path.as_path()))
            .collect())
    }

    /// The last commit that `tip` descends from in which a line of these files came or went that matches the extended regular
    /// expression, if `tip` has no such line any more.
    pub fn last_with(
        &self,
        tip: &str,
        files: &[&Path],
        pattern: &str,
    ) -> Result<Option<String>, GitError> {
        let touching = format!("-G{pattern}");
        let log = ["log", "-1", "--format=%H", "-i", &touching, tip];
        let log = self.ask_about(log, files)?;
        let commit = line_of(&succeeded("search its history", log)?);
        if commit.is_empty() {
            return Ok(None);
        }
        let there = ["grep", "-q", "-i", "-E", "-e", pattern, tip];
        let there = self.ask_about(there, files)?;
        let is_there = self.yes_or_no(&there)?;
        Ok((!is_there).then_some(commit))
    }
}
