//! The working tree follows a remote's branch: forward only, and only where that branch is checked out.

use super::{GitError, Repository, Site, said};

impl Repository {
    /// Brings the branch that is checked out, and its files, forward to where `branch` of `remote` is.
    pub fn follow(&self, remote: &str, branch: &str) -> Result<(), GitError> {
        let not_followed = |why: String| GitError::NotFollowed {
            root: self.root.clone(),
            remote: remote.to_owned(),
            branch: branch.to_owned(),
            why,
        };
        let tip = self.tip(branch, Site::Remote(remote))?;
        match self.checked_out()? {
            Some(there) if there == branch => {}
            Some(there) => return Err(not_followed(format!("branch {there} is checked out"))),
            None => return Err(not_followed("no branch is checked out".to_owned())),
        }
        let head = self.head()?.commit;
        if !self.is_ancestor(&head, &tip)? {
            let why = "the branch here has commits that the remote does not have";
            return Err(not_followed(why.to_owned()));
        }
        self.recover()?;
        self.ready()?;
        let merged = self
            .deed(["merge", "--quiet", "--ff-only", &tip])
            .run_to_end()?;
        if !merged.status.success() {
            return Err(not_followed(said(&merged.stdout, &merged.stderr)));
        }
        self.flush_objects()?;
        self.flush_names()
    }
}
