//! Branches of proposals that a forge brought up to date: merges of the base, in which nobody changed anything.

use super::{GitError, Merged, Repository, line_of, succeeded};

/// How often a branch is brought up to date by others before nobody looks below it any more.
const MOST_UPDATES: usize = 64;

impl Repository {
    /// The proposal of ours that stands below merges of the base alone, as the button of a forge makes them that brings a branch
    /// up to date: merges that come to what git itself makes of the two sides. None where a person's work is on it.
    pub(super) fn below_updates(
        &self,
        tip: &str,
        set: Option<&str>,
        base: &str,
    ) -> Result<Option<String>, GitError> {
        let mut at = tip.to_owned();
        for _ in 0..MOST_UPDATES {
            if set == Some(&*at) || (set.is_none() && self.is_one_step(&at, base)?) {
                return Ok(Some(at));
            }
            let listed = self.ask(["rev-list", "--parents", "--max-count=1", &at])?;
            let listed = line_of(&succeeded("name the parents of a commit", listed)?);
            let [_, first, second] = listed.split(' ').collect::<Vec<_>>()[..] else {
                return Ok(None);
            };
            let tree = self.ask(["rev-parse", &format!("{at}^{{tree}}")])?;
            let tree = line_of(&succeeded("name the tree of a commit", tree)?);
            if self.merged(first, second)? != Merged::Tree(tree) {
                return Ok(None);
            }
            let below = match (
                self.is_ancestor(first, base)?,
                self.is_ancestor(second, base)?,
            ) {
                (false, true) => first,
                (true, false) => second,
                _ => return Ok(None),
            };
            below.clone_into(&mut at);
        }
        Ok(None)
    }

    /// Whether a commit says that it is a step of ours, and stands on a commit of the base.
    fn is_one_step(&self, commit: &str, base: &str) -> Result<bool, GitError> {
        if self.step_of(commit)?.is_empty() {
            return Ok(false);
        }
        match self.commit_of(&format!("{commit}^"))? {
            Some(parent) => self.is_ancestor(&parent, base),
            None => Ok(false),
        }
    }
}
