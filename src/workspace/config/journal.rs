//! `[journal]`: who may write into the journals that runners share, on a ref that no rule for branches protects.

use super::document::{Findings, Section};
use super::zone::{ZoneConfig, inside};
use std::path::{Path, PathBuf};

pub(super) const JOURNAL: &[&str] = &["sign_with", "signers"];

/// How entries of the shared journals are signed, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalConfig {
    /// The SSH key that this runner signs with: a private key, or the public one of a key that an agent holds.
    pub sign_with: PathBuf,
    /// The list of allowed signers (ssh-keygen(1)). What the branch that counts has of it counts, and not what lies here.
    pub signers: PathBuf,
}

pub(super) fn read<'t>(
    mut section: Section<'t>,
    root: &Path,
    zones: &[(usize, ZoneConfig)],
    findings: &mut Findings<'t>,
) -> Option<JournalConfig> {
    let line = section.line;
    let example = "sign_with = \"/etc/tlsa-rotate/runner\" (each runner has a key of its own there: `ssh-keygen -t ed25519 -f …`)";
    let key = section.required_text("sign_with", example, findings);
    let example = "signers = \"allowed_signers\" (a file in git: a line `runner1 ssh-ed25519 AAAA…` for each)";
    let signers = section
        .required_text("signers", example, findings)
        .and_then(|named| inside(root, "signers", &named, findings));
    if zones.iter().all(|(_, zone)| zone.remote.is_none()) {
        findings.wrong(
            line,
            "[journal] goes with publish = { git = { …, remote = \"origin\" } }: no journal is shared otherwise",
        );
    }
    Some(JournalConfig {
        sign_with: root.join(key?.value),
        signers: signers?,
    })
}
