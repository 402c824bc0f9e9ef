//! The git repository that zone files live in: what the branch that counts holds, and commits that touch nothing else.
//!
//! git itself is run, not a library: it honours the user's hooks, signing, filters and credentials. Its environment is
//! freed from what would point it at another repository.

mod blob;
mod branch;
mod commit;
mod error;
mod flush;
mod follow;
mod history;
mod ledger;
mod locks;
mod mention;
mod merged;
mod proposal;
mod remote;
mod review;
mod scratch;
mod seal;
mod updates;
mod versions;

pub use branch::Counting;
pub use commit::{Change, Message, Outcome, Target};
pub use error::GitError;
pub use history::StepCommit;
pub use ledger::{LEDGER, Sealer};
pub use merged::{Entry, EntryKind, Merged};
pub use proposal::Proposal;
pub use remote::Site;
pub use review::{Built, Review, Standing};
pub use seal::{JOURNALS, Seal};
pub use versions::Version;

use crate::files::links;

use super::command::{CommandError, Finished, Invocation, said};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::iter;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long git may take: hooks run tests, signing asks for a card.
const DEADLINE: Duration = Duration::from_secs(300);

/// Variables that make git look at another repository, index or configuration than the one it runs in
/// (`git rev-parse --local-env-vars`), or ask on a terminal.
const UNSET: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// What holds for every git that is run, whatever the user's configuration says: what it writes survives a power cut, a
/// repository that lies in the working tree as plain files is none, a log is read as it was written, and nothing moves but
/// what is named.
const SETTINGS: [&str; 8] = [
    "core.fsync=all",
    "core.fsyncMethod=fsync",
    "safe.bareRepository=explicit",
    "log.showSignature=false",
    "i18n.logOutputEncoding=UTF-8",
    "trailer.separators=:",
    "merge.autoStash=false",
    "push.followTags=false",
];

/// A repository with a working tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    root: PathBuf,
}

/// What HEAD is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub commit: String,
    /// The branch that is checked out, without `refs/heads/`; none when HEAD is detached.
    pub branch: Option<String>,
}

impl Repository {
    /// The repository that `path`, a file or a directory, lies in.
    pub fn discover(path: &Path) -> Result<Self, GitError> {
        let directory = match path.parent() {
            Some(parent) if !path.is_dir() => parent,
            _ => path,
        };
        // A directory that only a branch holds need not be here.
        let mut above = directory.ancestors();
        let directory = above.find(|above| above.is_dir()).unwrap_or(directory);
        let arguments = ["rev-parse", "--is-bare-repository", "--show-toplevel"];
        let asked = git_in(directory, &arguments.map(OsString::from), Vec::new())?;
        let mut answers = asked.stdout.splitn(2, |&b| b == b'\n');
        if answers.next() == Some(b"true") {
            return Err(GitError::Bare {
                path: path.to_owned(),
            });
        }
        let root = answers
            .next()
            .map(<[u8]>::trim_ascii_end)
            .unwrap_or_default();
        if !asked.status.success() || root.is_empty() {
            return Err(no_repository(directory, path, said(&[], &asked.stderr)));
        }
        let root = PathBuf::from(OsString::from_vec(root.to_vec()));
        Ok(Self { root })
    }

    /// The working tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What HEAD is; a repository without a commit is an error.
    pub fn head(&self) -> Result<Head, GitError> {
        let branch = self.checked_out()?;
        let commit = match &branch {
            Some(branch) => self.tip(branch, Site::Here)?,
            None => self.resolve("HEAD")?,
        };
        Ok(Head { commit, branch })
    }

    /// The bytes of the file at `path` in HEAD; none when HEAD does not hold it. This is what *merged* means.
    pub fn head_file(&self, path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        let head = self.head()?;
        self.file_at(&head.commit, path)
    }

    /// Refuses a file that HEAD does not hold, or whose working copy or index differs from HEAD.
    pub fn require_clean(&self, path: &Path) -> Result<(), GitError> {
        let head = self.head()?;
        if self.file_at(&head.commit, path)?.is_none() {
            return Err(GitError::NotInHead {
                path: path.to_owned(),
                commit: head.commit,
            });
        }
        if self.status(path)?.is_empty() {
            return Ok(());
        }
        Err(GitError::Dirty {
            path: path.to_owned(),
        })
    }

    /// The two status letters of a file (git-status(1)); empty when it is as in HEAD, or in neither place.
    fn status(&self, path: &Path) -> Result<Vec<u8>, GitError> {
        let arguments = [
            "--no-optional-locks",
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=all",
            "--no-renames",
        ];
        let status = self.ask_about(arguments, &[&self.relative(path)?])?;
        let status = succeeded("tell what has changed", status)?;
        Ok(status.stdout.into_iter().take(2).collect())
    }

    /// The commit that `revision` names, if it names one. What is there and cannot be read is an error, and not absent.
    fn commit_of(&self, revision: &str) -> Result<Option<String>, GitError> {
        let peeled = format!("{revision}^{{commit}}");
        let asked = self.ask(["rev-parse", "-q", "--verify", "--end-of-options", &peeled])?;
        if asked.status.success() {
            return Ok(Some(line_of(&asked)));
        }
        let mut named =
            self.invocation(["rev-parse", "-q", "--verify", "--end-of-options", revision]);
        // What it says is read here.
        named.set.push(("LC_ALL".to_owned(), "C".into()));
        let named = named.run_to_end()?;
        if !named.status.success() {
            let said = String::from_utf8_lossy(&named.stderr);
            let is_broken = |line: &str| {
                line.contains("broken ref")
                    || line.starts_with("error: ")
                    || (line.starts_with("fatal: ") && !line.contains("Needed a single revision"))
            };
            return if said.lines().any(is_broken) {
                Err(self.corrupt(&named))
            } else {
                Ok(None)
            };
        }
        let object = line_of(&named);
        if object == revision {
            return Ok(None); // any name of that length stands for itself
        }
        let kind = self.ask(["cat-file", "-t", &object])?;
        if kind.status.success() {
            Ok(None)
        } else {
            Err(self.corrupt(&kind))
        }
    }

    fn corrupt(&self, asked: &Finished) -> GitError {
        GitError::Corrupt {
            root: self.root.clone(),
            said: said(&asked.stdout, &asked.stderr),
        }
    }

    /// The paths of files of git's own, such as `index.lock`.
    fn git_paths(&self, names: &[&str]) -> Result<Vec<PathBuf>, GitError> {
        let each = names.iter().flat_map(|name| ["--git-path", *name]);
        let asked = self.ask(iter::once("rev-parse").chain(each))?;
        let asked = succeeded("name its own files", asked)?;
        let paths = asked.stdout.split(|octet| *octet == b'\n');
        let paths = paths.filter(|path| !path.is_empty());
        let paths = paths.map(|path| self.root.join(OsStr::from_bytes(path)));
        Ok(paths.collect())
    }

    /// `path` relative to the working tree; a link in its own place, or on the way from there, is refused. Links that lead to
    /// the working tree are resolved.
    fn relative(&self, path: &Path) -> Result<PathBuf, GitError> {
        let outside = || GitError::Outside {
            path: path.to_owned(),
            root: self.root.clone(),
        };
        let name = path.file_name().ok_or_else(outside)?;
        let linked = |path: PathBuf| GitError::NotAFile {
            path,
            what: "a symbolic link",
        };
        if fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink()) {
            return Err(linked(path.to_owned()));
        }
        links::none_below(&self.root, path).map_err(|link| linked(link.0))?;
        let directory = path.parent().ok_or_else(outside)?;
        // The directory of a file that only a branch holds need not exist here.
        let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
        let root = fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        let inside = directory.strip_prefix(root).map_err(|_| outside())?;
        Ok(inside.join(name))
    }

    fn ask<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Finished, CommandError> {
        self.invocation(arguments).run_to_end()
    }

    /// Asks about some files, named exactly (no pathspec magic).
    fn ask_about<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        files: &[&Path],
    ) -> Result<Finished, CommandError> {
        about(self.invocation(arguments), files).run_to_end()
    }

    /// git that changes something, and may run hooks for it: what they print is for people, and may be cut.
    fn deed<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Invocation {
        Invocation {
            whole: false,
            ..self.invocation(arguments)
        }
    }

    fn invocation<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Invocation {
        let arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
        invocation(&self.root, &arguments, Vec::new())
    }
}

/// Adds `-- files` to an invocation.
fn about(mut invocation: Invocation, files: &[&Path]) -> Invocation {
    invocation.arguments.push("--".into());
    invocation
        .arguments
        .extend(files.iter().map(|f| f.as_os_str().to_owned()));
    invocation
}

/// Why git finds no repository: there is none, or it does not trust or cannot read the one that is there.
fn no_repository(directory: &Path, path: &Path, said: String) -> GitError {
    let path = path.to_owned();
    if said.contains("safe.bareRepository") {
        return GitError::Bare { path };
    }
    let mut above = directory.ancestors();
    let there = above.find(|above| above.join(".git").exists());
    let Some(root) = there.map(Path::to_owned) else {
        return GitError::NotARepository { path, said };
    };
    // The name of the setting is the same in every language.
    if said.contains("safe.directory") {
        GitError::NotTrusted { root, said }
    } else {
        GitError::Corrupt { root, said }
    }
}

fn git_in(
    directory: &Path,
    arguments: &[OsString],
    input: Vec<u8>,
) -> Result<Finished, CommandError> {
    invocation(directory, arguments, input).run_to_end()
}

fn invocation(directory: &Path, arguments: &[OsString], input: Vec<u8>) -> Invocation {
    let git = [OsString::from("git"), "--literal-pathspecs".into()];
    let settings = SETTINGS.iter().flat_map(|one| ["-c".into(), one.into()]);
    let mut invocation = Invocation::new(
        git.into_iter()
            .chain(settings)
            .chain(arguments.iter().cloned()),
        directory,
        DEADLINE,
    );
    invocation.input = input;
    invocation.unset = UNSET;
    invocation.set = vec![("GIT_TERMINAL_PROMPT".to_owned(), "0".into())];
    // Ctrl-C must reach git and its hooks, and a signing key's passphrase must be askable.
    invocation.own_group = false;
    // Lists of files, commits and refs are as long as they are, and what is missing in one would be taken for gone.
    invocation.limit = blob::LARGEST;
    invocation.whole = true;
    invocation
}

fn succeeded(doing: &'static str, finished: Finished) -> Result<Finished, GitError> {
    if finished.status.success() {
        return Ok(finished);
    }
    Err(GitError::Git {
        doing,
        said: said(&finished.stdout, &finished.stderr),
    })
}

fn line_of(finished: &Finished) -> String {
    String::from_utf8_lossy(finished.stdout.trim_ascii_end()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{CommandError, invocation};
    use std::path::Path;

    #[test]
    fn a_part_of_an_answer_is_an_error() {
        let mut asked = invocation(Path::new("/"), &["--version".into()], Vec::new());
        assert!(asked.run_to_end().is_ok_and(|told| !told.truncated));
        asked.limit = 3;
        let cut = asked.run_to_end();
        assert!(
            matches!(cut, Err(CommandError::Cut { limit: 3, .. })),
            "{cut:?}"
        );
        asked.whole = false; // what a hook prints is for people
        assert!(asked.run_to_end().is_ok_and(|told| told.truncated));
    }
}
