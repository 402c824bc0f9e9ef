//! How secrets are kept: out of git, and away from others.

use super::finding::Finding;
use crate::workflow::{WorkflowError, key_files, tracked};
use crate::workspace::Workspace;

/// Secrets that git tracks, and keys in use that others can read or exchange.
pub(super) fn kept(workspace: &Workspace) -> Result<Vec<Finding>, WorkflowError> {
    let mut findings = Vec::new();
    if let Err(error) = tracked::judge(workspace) {
        let check = match &error {
            WorkflowError::SecretInGit { .. } => "secret-in-git",
            WorkflowError::KeyUnkept(_) => "key-kept",
            _ => return Err(error),
        };
        let place = workspace.root.display();
        let finding = Finding::new(check, place, error.to_string());
        findings.push(finding.remedy(error.hints().join("; ")));
    }
    for certificate in &workspace.config.certificates {
        findings.extend(key_files::exposed(certificate).into_iter().map(|what| {
            Finding::new("key-kept", &certificate.name, what).remedy(
                "if nobody else can have had it: chmod 600 the file, chmod go-w its directory; otherwise rotate: tlsa-rotate start",
            )
        }));
    }
    Ok(findings)
}
