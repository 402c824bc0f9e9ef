//! Why git was not asked, or refused, with the way out.

use crate::publish::command::CommandError;
use crate::publish::ssh_sign::SigningError;
use crate::workspace::durable::WriteError;
use std::io;
use std::path::PathBuf;

/// Why something could not be read from or committed to a git repository.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// git could not be run, or took too long.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// What is recorded could not be signed; nothing was recorded.
    #[error("what is recorded for all runners must be signed: {0}")]
    NotSigned(SigningError),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No git repository around a path, or one that git does not trust.
    #[error("git finds no repository around {}: {said}", path.display())]
    NotARepository {
        /// Where it looked.
        path: PathBuf,
        /// What git said.
        said: String,
    },
    /// A repository without a working tree.
    #[error("{} is a bare git repository: there is no working tree to keep zone files in", path.display())]
    Bare {
        /// The repository.
        path: PathBuf,
    },
    /// No commit yet.
    #[error("the git repository {} has no commit yet", root.display())]
    Unborn {
        /// The working tree.
        root: PathBuf,
    },
    /// A repository that git does not trust, because another user owns it.
    #[error("git does not trust the repository {}: another user owns it:\n{said}", root.display())]
    NotTrusted {
        /// The working tree.
        root: PathBuf,
        /// What git said.
        said: String,
    },
    /// A repository that git cannot read.
    #[error("the git repository {} is damaged: what it holds is not known{}", root.display(), told(said))]
    Corrupt {
        /// The working tree.
        root: PathBuf,
        /// What git said.
        said: String,
    },
    /// A branch that had commits, and is gone.
    #[error("the git repository {} has lost its branch {branch}, which was at {commit}", root.display())]
    BranchLost {
        /// The working tree.
        root: PathBuf,
        /// The branch.
        branch: String,
        /// Where it was last.
        commit: String,
    },
    /// The branch that the configuration names is not there.
    #[error("the git repository {} has no branch {branch}, which is the one that counts", root.display())]
    NoBranch {
        /// The working tree.
        root: PathBuf,
        /// The branch.
        branch: String,
    },
    /// Nothing tells which branch counts.
    #[error("nothing tells which branch of {} counts as merged", remote.as_ref().map_or_else(|| root.display().to_string(), |remote| format!("`{remote}`")))]
    BranchNotTold {
        /// The working tree.
        root: PathBuf,
        /// The remote, if the branch is to be there.
        remote: Option<String>,
    },
    /// A merge, rebase, revert or the like waits for its end.
    #[error("a {what} is under way in {}", root.display())]
    InProgress {
        /// The working tree.
        root: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Another git has the index or a branch, or one that was killed had it.
    #[error("{} exists: another git is at work in the repository, or one was killed", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Nobody to make the commit.
    #[error("git does not know who makes the commit: {said}")]
    NoIdentity {
        /// What git said.
        said: String,
    },
    /// A file has changes that nobody has committed.
    #[error("{} has changes that are not committed", path.display())]
    Dirty {
        /// The file.
        path: PathBuf,
    },
    /// A file is not in the last commit.
    #[error("{} is not in git yet: the commit {} does not hold it", path.display(), commit)]
    NotInHead {
        /// The file.
        path: PathBuf,
        /// The commit that was looked at.
        commit: String,
    },
    /// A path that is no plain file for git.
    #[error("{} is {what} for git, not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file outside the repository.
    #[error("{} lies outside the git repository {}", path.display(), root.display())]
    Outside {
        /// The file.
        path: PathBuf,
        /// The working tree.
        root: PathBuf,
    },
    /// A file larger than any zone.
    #[error("{} holds more than {limit} bytes in git", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: usize,
    },
    /// `git commit` did not make the commit: a hook, a signature.
    #[error("git refused the commit (a hook, or signing):\n{said}")]
    Refused {
        /// What git and its hooks said.
        said: String,
    },
    /// A hook or filter changed what was committed.
    #[error("commit {commit} does not hold {} as it was written: a hook or filter of the repository changes it", path.display())]
    CommittedOtherwise {
        /// The file.
        path: PathBuf,
        /// The commit.
        commit: String,
    },
    /// Somebody has worked on the branch.
    #[error("branch {branch} holds commits that a person made or changed (its tip is {tip})")]
    BranchEdited {
        /// The branch.
        branch: String,
        /// Its tip.
        tip: String,
    },
    /// Somebody has deleted the branch without merging it.
    #[error("branch {branch} was deleted before its proposal was merged")]
    BranchDeleted {
        /// The branch.
        branch: String,
        /// The remote, if it was there.
        remote: Option<String>,
    },
    /// A working tree has the branch checked out.
    #[error(
        "branch {branch} is checked out in {place}: moving it would pull the ground from under that working tree"
    )]
    BranchCheckedOut {
        /// The branch.
        branch: String,
        /// The working tree.
        place: String,
    },
    /// The branch was moved by somebody else meanwhile, or cannot exist.
    #[error("branch {branch} could not be moved from where it was seen:\n{said}")]
    BranchMoved {
        /// The branch.
        branch: String,
        /// What git said.
        said: String,
    },
    /// Somebody committed while a change was being prepared.
    #[error("the branch is at {head} now, and no longer at {base}, from which the change was made")]
    HeadMoved {
        /// The commit that the change was made from.
        base: String,
        /// What HEAD is.
        head: String,
    },
    /// No commit of that name.
    #[error("`{revision}` names no commit")]
    NoCommit {
        /// What was asked for.
        revision: String,
    },
    /// The remote did not answer.
    #[error("git could not fetch from `{remote}`, so what is merged there is not known:\n{said}")]
    NotFetched {
        /// The remote.
        remote: String,
        /// What git said.
        said: String,
    },
    /// The working tree cannot go on to what the remote holds.
    #[error("the working tree {} does not follow branch {branch} of `{remote}`: {why}", root.display())]
    NotFollowed {
        /// The working tree.
        root: PathBuf,
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// Why not.
        why: String,
    },
    /// The remote has no branch of that name.
    #[error("`{remote}` has no branch `{branch}`, which is what would count as merged")]
    NoUpstream {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
    },
    /// The remote refused a push: nothing of it was done.
    #[error("`{remote}` refused {}{}:\n{said}", places.join(" and "), if *moved { ": somebody else has moved it meanwhile" } else { "" })]
    PushRefused {
        /// The remote.
        remote: String,
        /// The refs that were to move.
        places: Vec<String>,
        /// Whether they were not where they had been seen any more.
        moved: bool,
        /// Whether the remote said that all of them are where they were.
        untouched: bool,
        /// What git said.
        said: String,
    },
    /// Anything else that git refuses.
    #[error("git could not {doing}:\n{said}")]
    Git {
        /// What it was to do.
        doing: &'static str,
        /// What it said.
        said: String,
    },
}

impl GitError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Command(error) => return error.hints(),
            Self::Write(error) => return error.hints(),
            Self::NotSigned(error) => {
                let mut hints = error.hints();
                hints.push("`sign_with` of [journal] in tlsa-rotate.toml is this runner's own key: nothing was recorded or done without it".to_owned());
                return hints;
            }
            Self::NotARepository { .. } => "`git init` makes one; `publish = { file = true }` works without git".to_owned(),
            Self::Bare { .. } => "keep the workspace in a clone that has a working tree".to_owned(),
            Self::Unborn { root } => format!("review the files and commit them: git -C {0} add . && git -C {0} commit", root.display()),
            Self::NotTrusted { root, .. } => format!("run as the user who owns it, or trust it: git config --global --add safe.directory {} (--system where it runs without HOME)", root.display()),
            Self::Corrupt { root, .. } => format!("see what is damaged: git -C {} fsck --full; take the repository from another clone or a backup, and keep {} as it is", root.display(), crate::workspace::STATE),
            Self::BranchLost { root, branch, commit } => format!("put it back: git -C {} update-ref refs/heads/{branch} {commit}", root.display()),
            Self::NoBranch { root, branch } => format!("make it (git -C {} branch {branch} COMMIT), or name the one that counts: `branch = \"…\"` at the top of tlsa-rotate.toml", root.display()),
            Self::BranchNotTold { .. } => "name it at the top of tlsa-rotate.toml: branch = \"main\"".to_owned(),
            Self::InProgress { what, .. } => format!("finish it (git {what} --continue) or give it up (git {what} --abort), then run again"),
            Self::Locked { path } => format!("wait for the other git; if none runs, delete the file: rm {}", path.display()),
            Self::NoIdentity { .. } => "set one for this repository: git config user.name \"…\" && git config user.email \"…\"".to_owned(),
            Self::Dirty { path } => format!("commit them, put them aside (git stash) or drop them (git checkout -- {})", path.display()),
            Self::NotInHead { path, .. } => format!("review it and commit it: git add {0} && git commit {0}", path.display()),
            Self::NotAFile { .. } => "name the real file in the configuration".to_owned(),
            Self::Outside { .. } => "keep the zone files in the repository of the workspace".to_owned(),
            Self::Refused { .. } => "nothing was changed; make the hook content, or see what it says: git commit".to_owned(),
            Self::CommittedOtherwise { .. } => "exempt the file from it: in .gitattributes `*.zone -text -filter`, in the hook by its path".to_owned(),
            Self::BranchEdited { branch, .. } => format!(
                "merge it or delete it (git branch -D {branch}); a person's work is never overwritten, and a proposal need not be edited: change the zone on the main branch and it is rebuilt"
            ),
            Self::BranchDeleted { branch, remote } => {
                let forget = match remote {
                    None => format!("git update-ref -d refs/tlsa-rotate/{branch}"),
                    Some(remote) => format!("git push {remote} --delete refs/tlsa-rotate/{branch}"),
                };
                return vec![
                    "it is proposed again a day after a run first saw that; at once: tlsa-rotate propose --again".to_owned(),
                    format!("the same by hand, to have it proposed again: {forget}; to give the rotation up: tlsa-rotate abort"),
                ];
            }
            Self::BranchCheckedOut { .. } => "check out another branch there, then run again".to_owned(),
            Self::BranchMoved { .. } => "run again: the proposal is built on what is there now".to_owned(),
            Self::HeadMoved { .. } => "run again: the change is made from what is there now".to_owned(),
            Self::NoCommit { .. } => "fetch it first, and name a branch, a tag or a commit".to_owned(),
            Self::NotFetched { remote, .. } => format!("see that git reaches it without asking anything: git fetch {remote}"),
            Self::NotFollowed { root, remote, branch, .. } => {
                let at = root.display();
                return vec![
                    format!("see what is there: git -C {at} status"),
                    format!("then bring it forward: git -C {at} switch {branch} && git -C {at} merge --ff-only {remote}/{branch}"),
                ];
            }
            Self::NoUpstream { remote, branch } => format!("push it once (git push {remote} {branch}), or name the branch that changes are merged into: `branch = \"…\"` at the top of tlsa-rotate.toml"),
            Self::PushRefused { moved: true, .. } => "nothing was changed there; run again: it is built on what is there now".to_owned(),
            Self::PushRefused { .. } => "nothing was changed there; see what the remote says: runners must be allowed to push refs/heads/tlsa-rotate/* and refs/tlsa-rotate/*; a protected branch wants `branch = \"tlsa-rotate/{rotation}\"` and a review, a rule or a missing right wants its owner".to_owned(),
            Self::Git { said, .. } if said.contains("index file") => {
                "make the index anew, which changes no file: rm .git/index && git reset".to_owned()
            }
            Self::Git { said, .. } if is_damage(said) => {
                "see what is damaged: git fsck --full; take it from another clone or a backup".to_owned()
            }
            Self::Unreadable { .. } | Self::TooLarge { .. } | Self::Git { .. } => return Vec::new(),
        };
        vec![hint]
    }

    /// Whether another run or person was faster, so that looking again is worth while.
    pub const fn is_overtaken(&self) -> bool {
        matches!(
            self,
            Self::PushRefused { moved: true, .. }
                | Self::BranchMoved { .. }
                | Self::HeadMoved { .. }
        )
    }

    /// Whether only a person can change it.
    pub const fn wants_a_person(&self) -> bool {
        matches!(
            self,
            Self::PushRefused { .. }
                | Self::NotSigned(_)
                | Self::NotFollowed { .. }
                | Self::BranchNotTold { .. }
                | Self::NoBranch { .. }
                | Self::BranchLost { .. }
        )
    }
}

/// Whether git speaks of an object that is not what its name says.
fn is_damage(said: &str) -> bool {
    let signs = [
        "corrupt",
        "not a tree object",
        "could not get object",
        "is empty",
        "bad object",
        "unable to read",
        "missing",
    ];
    signs.iter().any(|sign| said.contains(sign))
}

fn told(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(":\n{said}")
    }
}
