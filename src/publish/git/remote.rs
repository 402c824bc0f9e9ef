//! A repository at a distance: what its branches hold is fetched before, what is made is pushed after, each ref only from
//! where it was seen (compare-and-swap), all of a push or nothing of it. Nothing is ever forced.

use super::{GitError, Repository, said, succeeded};

/// Where branches of proposals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site<'a> {
    /// In this repository.
    Here,
    /// In the remote of this name.
    Remote(&'a str),
}

impl Site<'_> {
    /// The ref that tells here where `branch` is.
    pub(super) fn place(self, branch: &str) -> String {
        match self {
            Self::Here => format!("refs/heads/{branch}"),
            Self::Remote(remote) => format!("refs/remotes/{remote}/{branch}"),
        }
    }
}

/// A ref of a remote that shall move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// The whole name there, such as `refs/heads/main`.
    pub(super) place: String,
    /// Where it was seen; none: it must not exist.
    pub(super) from: Option<String>,
    /// Where it shall be; none: it shall be deleted.
    pub(super) to: Option<String>,
}

/// Where the refs of a push are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    /// Where they were to go.
    Moved,
    /// Where they were before.
    Untouched,
    /// Anywhere else.
    Elsewhere,
}

impl Repository {
    /// Fetches every branch of `remote`, and what this program keeps there of its own.
    pub fn fetch(&self, remote: &str) -> Result<(), GitError> {
        let heads = format!("+refs/heads/*:refs/remotes/{remote}/*");
        let arguments = [
            "fetch",
            "--quiet",
            "--prune",
            "--no-tags",
            "--no-write-fetch-head",
            "--end-of-options",
            remote,
            &heads,
            "+refs/tlsa-rotate/*:refs/tlsa-rotate/*",
        ];
        let fetched = self.ask(arguments)?;
        if fetched.status.success() {
            return Ok(());
        }
        Err(GitError::NotFetched {
            remote: remote.to_owned(),
            said: said(&fetched.stdout, &fetched.stderr),
        })
    }

    /// Puts `commit`, made on `base`, onto a branch of `remote` whose tip is `base`.
    pub(super) fn push_onto(
        &self,
        remote: &str,
        branch: &str,
        (base, commit): (&str, &str),
    ) -> Result<(), GitError> {
        let there = Move {
            place: format!("refs/heads/{branch}"),
            from: Some(base.to_owned()),
            to: Some(commit.to_owned()),
        };
        self.push(remote, &[there])
    }

    /// Moves refs of `remote`, each only if it still is where it was seen, all or none; then notes here where they are.
    pub(super) fn push(&self, remote: &str, moves: &[Move]) -> Result<(), GitError> {
        let mut arguments = vec!["push".to_owned(), "--porcelain".into(), "--atomic".into()];
        for Move { place, from, .. } in moves {
            let from = from.as_deref().unwrap_or_default();
            arguments.push(format!("--force-with-lease={place}:{from}"));
        }
        arguments.extend(["--end-of-options".to_owned(), remote.to_owned()]);
        for Move { place, to, .. } in moves {
            arguments.push(format!("{}:{place}", to.as_deref().unwrap_or_default()));
        }
        let pushed = self
            .deed(arguments.iter().map(String::as_str))
            .run_to_end()?;
        if !pushed.status.success() {
            let there = self.there(remote, moves);
            // It came through, and only the answer was lost.
            if there == Some(There::Moved) {
                return self.note(remote, moves);
            }
            return Err(GitError::PushRefused {
                remote: remote.to_owned(),
                places: moves.iter().map(|m| m.place.clone()).collect(),
                moved: there == Some(There::Elsewhere),
                untouched: there == Some(There::Untouched),
                said: said(&pushed.stdout, &pushed.stderr),
            });
        }
        self.note(remote, moves)
    }

    /// Where refs are after a push that failed. The remote is asked: what a refusal says differs from server to server. Where
    /// it does not answer, nothing is known.
    fn there(&self, remote: &str, moves: &[Move]) -> Option<There> {
        let mut ask = vec!["ls-remote", "--end-of-options", remote];
        ask.extend(moves.iter().map(|m| &*m.place));
        let told = self.ask(ask).ok().filter(|told| told.status.success())?;
        let text = String::from_utf8_lossy(&told.stdout);
        let at = |place: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once('\t'));
            lines.find(|(_, name)| *name == place).map(|(at, _)| at)
        };
        let are_all = |wanted: fn(&Move) -> &Option<String>| {
            moves.iter().all(|m| at(&m.place) == wanted(m).as_deref())
        };
        Some(if are_all(|m| &m.to) {
            There::Moved
        } else if are_all(|m| &m.from) {
            There::Untouched
        } else {
            There::Elsewhere
        })
    }

    /// Notes where refs of the remote are now; git does it by itself only where the clone's configuration says so.
    fn note(&self, remote: &str, moves: &[Move]) -> Result<(), GitError> {
        let mut update = self.deed(["update-ref", "-m", "tlsa-rotate: push", "--stdin"]);
        for Move { place, to, .. } in moves {
            let here = match place.strip_prefix("refs/heads/") {
                Some(branch) => Site::Remote(remote).place(branch),
                None => place.clone(),
            };
            let line = match to {
                Some(commit) => format!("update {here} {commit}\n"),
                None => format!("delete {here}\n"),
            };
            update.input.extend(line.into_bytes());
        }
        succeeded("note what was pushed", update.run_to_end()?)?;
        Ok(())
    }
}
