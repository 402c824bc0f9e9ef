//! Nobody else is hurt: an edit towards a rotation's requirement leaves the answers for all other names as they are
//! (RFC 4592 §2.2.2, RFC 6672 §2.4), and brings no new finding of `zone check`.

use super::WorkflowError;
use super::head::Head;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, ZoneConfig};
use crate::zone::answers::differences;
use crate::zone::content::Zone;
use crate::zone::diagnostic::Severity;
use crate::zone::file::ZoneFile;
use crate::zone::name::Name;
use crate::zone::servers::ServerKind;
use std::collections::{BTreeMap, BTreeSet};

/// Refuses an edit of the RRsets at `names` by which another name would get another answer, or that `zone check` would have
/// something new to say about.
pub(super) fn are_left_alone(
    workspace: &Workspace,
    zone: &ZoneConfig,
    head: &Head,
    edited: (&ZoneFile, &Zone),
    names: &[Name],
) -> Result<(), WorkflowError> {
    let (file, content) = edited;
    let mut found = differences(&head.content, content, &configured(workspace)).into_iter();
    if let Some(difference) = found.find(|difference| !names.contains(&difference.name)) {
        return Err(WorkflowError::ChangesAnswer {
            zone: zone.name.clone(),
            difference: Box::new(difference),
        });
    }
    if let Some(finding) = new_finding(&head.file, file, &zone.servers_run) {
        return Err(WorkflowError::NewFinding {
            zone: zone.name.clone(),
            finding,
        });
    }
    Ok(())
}

/// The hosts of all certificates, and where their TLSA records are looked for: a wildcard may answer for them.
fn configured(workspace: &Workspace) -> BTreeSet<Name> {
    let certificates = &workspace.config.certificates;
    let endpoints = certificates.iter().flat_map(CertificateConfig::endpoints);
    let texts = endpoints.flat_map(|endpoint| {
        let owner = endpoint.tlsa_name().as_str().to_owned();
        [owner, format!("{}.", endpoint.host)]
    });
    texts
        .filter_map(|text| Name::parse(text.as_bytes(), None).ok())
        .collect()
}

/// A finding of the later file that the earlier one has not, or not as often, and that matters to the servers of the zone.
pub(super) fn new_finding(
    before: &ZoneFile,
    after: &ZoneFile,
    servers_run: &[ServerKind],
) -> Option<String> {
    let mut known: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
    for finding in before.diagnostics() {
        let count = known.entry((finding.severity, finding.message.as_str()));
        let count = count.or_default();
        *count = count.saturating_add(1);
    }
    let after = after.diagnostics().iter();
    for finding in after.filter(|finding| finding.matters_to(servers_run)) {
        let count = known.entry((finding.severity, finding.message.as_str()));
        let count = count.or_default();
        match count.checked_sub(1) {
            Some(rest) => *count = rest,
            None => return Some(finding.message.clone()),
        }
    }
    None
}
