//! The seal of the shared journals: a signature in the message of a commit, over what the commit holds and what it is built on.
//!
//! It stands in the namespace [`JOURNALS`]: what a person signs otherwise, a merge that a stranger has proposed, a change of a
//! zone, can be taken for none. Whose it is, is not judged here.

use super::{GitError, Repository, succeeded};
use crate::change::sshsig;
use std::fmt::Write as _;

/// What the signatures are made for (OpenSSH's PROTOCOL.sshsig, namespace).
pub const JOURNALS: &str = "tlsa-rotate-journal@tlsa-rotate";

/// What a commit of the journals says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// What must be signed: the files, and what they are built on.
    pub text: String,
    /// The signature in its armour, where there is one.
    pub armoured: Option<String>,
    /// Who says that he made the commit, as git prints it.
    pub committer: String,
}

/// What is signed of a commit of these files, built on another one.
pub(super) fn sealed_text<'p>(tree: &str, parents: impl IntoIterator<Item = &'p str>) -> String {
    let mut text = format!("tlsa-rotate journals\ntree {tree}\n");
    for parent in parents {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "parent {parent}");
    }
    text
}

impl Repository {
    /// The seal of a commit of the journals.
    pub fn seal(&self, commit: &str) -> Result<Seal, GitError> {
        let read = self.ask(["cat-file", "commit", commit])?;
        let read = succeeded("read a commit of the journals", read)?;
        let text = String::from_utf8_lossy(&read.stdout).into_owned();
        let (headers, message) = text.split_once("\n\n").unwrap_or((&text, ""));
        let all = |name: &str| {
            let lines = headers.lines().map(str::to_owned);
            let name = format!("{name} ");
            lines.filter_map(move |line| line.strip_prefix(&name).map(str::to_owned))
        };
        let parents: Vec<String> = all("parent").collect();
        let tree = all("tree").next().unwrap_or_default();
        let begins = message.find(sshsig::BEGIN);
        let armoured = begins.and_then(|at| message.get(at..)).map(str::to_owned);
        let committer = all("committer").next().unwrap_or_default();
        let who = committer.split_once('>').map(|(who, _)| format!("{who}>"));
        Ok(Seal {
            text: sealed_text(&tree, parents.iter().map(String::as_str)),
            armoured,
            committer: who.unwrap_or(committer),
        })
    }

    /// What the commits of the journals up to `now` say that they are: those after `seen`, or all.
    pub fn ledger_subjects(&self, seen: Option<&str>, now: &str) -> Result<Vec<String>, GitError> {
        let range = seen.map_or_else(|| now.to_owned(), |seen| format!("{seen}..{now}"));
        let listed = self.ask(["log", "--format=%s", "--end-of-options", &range, "--"])?;
        let listed = succeeded("list the commits of the journals", listed)?;
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The commit below one of the journals: what stood there before.
    pub fn ledger_before(&self, commit: &str) -> Result<Option<String>, GitError> {
        self.commit_of(&format!("{commit}^"))
    }
}
