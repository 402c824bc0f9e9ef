//! `--dry-run`: what a command that writes would do, at the present time, without doing it.

use super::Global;
use crate::workflow::present::Present;
use crate::workspace::Workspace;
use clap::Args;

/// The option of every command that writes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DryRun {
    /// Say what would be done; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl DryRun {
    /// The present, at which nothing is changed where that is asked for.
    pub(super) fn present(self, global: &Global, workspace: &Workspace) -> Present {
        global.present(workspace).only_told(self.dry_run)
    }

    /// Whether nothing is changed, for this or another reason.
    pub(super) fn changes_nothing(self, global: &Global, workspace: &Workspace) -> bool {
        self.dry_run || global.rehearses_in(workspace)
    }

    /// Says so at the end of a command.
    pub(super) fn tell(self, global: &Global, workspace: &Workspace) {
        if self.changes_nothing(global, workspace) {
            eprintln!("{}", super::REHEARSED);
        }
    }
}
