//! What this runner has taken over of the journals that runners share.

use super::WorkflowError;
use super::shared::Shared;
use super::signers;
use crate::files::read;
use crate::workspace::Workspace;
use crate::workspace::inside;
use std::path::PathBuf;

/// Which commit of the remote's journals this runner's own are at, and where the branch that counts was when it was last asked
/// whether somebody vouches for that.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<String>);

impl Seen {
    fn path(workspace: &Workspace) -> PathBuf {
        workspace.state().join("shared")
    }

    /// As it was kept last; nothing before the first time.
    pub(super) fn read(workspace: &Workspace) -> Self {
        let text = read::read_text_unlinked(&Self::path(workspace), read::LIST).unwrap_or_default();
        Self(text.lines().map(str::to_owned).collect())
    }

    /// Keeps it in mind.
    pub(super) fn write(shared: &Shared<'_>, ledger: &str) -> Result<(), WorkflowError> {
        let mut text = format!("{ledger}\n");
        if shared.workspace.config.journal.is_some() {
            text.push_str(&signers::base(shared)?);
            text.push('\n');
        }
        inside::replace(&Self::path(shared.workspace), text.as_bytes())?;
        Ok(())
    }

    /// The commit of the journals.
    pub(super) fn ledger(&self) -> Option<&str> {
        self.0
            .first()
            .map(|line| line.trim())
            .filter(|line| !line.is_empty())
    }

    /// That of the branch that counts.
    pub(super) fn base(&self) -> Option<&str> {
        self.0.get(1).map(|line| line.trim())
    }
}
