//! Who can write into the journals that runners share, and whether this runner can.

use super::finding::Finding;
use crate::rotation::timing::Instant;
use crate::workflow::WorkflowError;
use crate::workflow::shared::Shared;
use crate::workflow::signers::Signers;
use crate::workspace::Workspace;

const CHECK: &str = "shared-journals";

/// What of them wants a person. They are looked at as they were fetched last.
pub(super) fn writers(workspace: &Workspace, now: Instant) -> Result<Vec<Finding>, WorkflowError> {
    let Some(shared) = Shared::of(workspace, now)? else {
        return Ok(Vec::new());
    };
    let finding = |what: String| Finding::new(CHECK, &shared.remote, what);
    let wrong = |error: WorkflowError| finding(error.to_string()).remedy(error.hints().join("; "));
    let signers = match Signers::of(&shared) {
        Ok(Some(signers)) => signers,
        Ok(None) => {
            let what = "what runners record there (refs/tlsa-rotate/journal) is not signed: whoever may push there can open a swap";
            let remedy = "set up [journal] in tlsa-rotate.toml, with `sign_with` and `signers`";
            return Ok(vec![finding(what.to_owned()).advice().remedy(remedy)]);
        }
        Err(error) => return Ok(vec![wrong(error)]),
    };
    let mut findings: Vec<Finding> = shared.vouched().err().map(wrong).into_iter().collect();
    if let Err(error) = signers.sign("tlsa-rotate check\n") {
        let what = format!("this runner can record nothing: {error}");
        findings.push(finding(what).remedy(error.hints().join("; ")));
    }
    findings.extend(signers.skipped().map(|line| {
        finding(format!("{line}; this line allows nobody"))
            .remedy("correct it: `runner1 ssh-ed25519 AAAA…`")
    }));
    Ok(findings)
}
