//! Who a request lets write into the journals that runners share, and who may no more: key by key, for whoever reviews it.

use super::Request;
use crate::change::allowed_signers::AllowedSigners;
use crate::workflow::WorkflowError;
use std::collections::BTreeSet;

/// What becomes of the list that the base's configuration names; nothing where the request leaves it alone.
pub(super) fn changed(request: &Request<'_>) -> Result<Vec<String>, WorkflowError> {
    let Some(journal) = &request.base.workspace.config.journal else {
        return Ok(Vec::new());
    };
    let path = &journal.signers;
    if !request.entries.iter().any(|entry| entry.path == *path) {
        return Ok(Vec::new());
    }
    let at = |commit: &str| -> Result<BTreeSet<String>, WorkflowError> {
        let octets = request.repository.file_at(commit, path)?;
        let text = octets.unwrap_or_default();
        let list = AllowedSigners::parse(&String::from_utf8_lossy(&text));
        Ok(list.told().collect())
    };
    let (before, after) = (at(&request.base.commit)?, at(&request.head.commit)?);
    let shown = request.shown(path).display().to_string();
    let of = |one: &BTreeSet<String>, other: &BTreeSet<String>, what: &str| {
        let new: Vec<&str> = one.difference(other).map(String::as_str).collect();
        (!new.is_empty()).then(|| {
            format!(
                "{shown}, by which runners are trusted, {what}: {}",
                new.join("; ")
            )
        })
    };
    let told = [
        of(&after, &before, "lets these write into the shared journals"),
        of(&before, &after, "lets these do so no more"),
    ];
    Ok(told.into_iter().flatten().collect())
}
