//! Whether the program of a provider does what it is asked for, before a rotation depends on it: it is asked for what is there.

use super::finding::Finding;
use crate::rotation::observation::Endpoint;
use crate::workflow::advance::Mode;
use crate::workflow::case::Case;
use crate::workflow::elsewhere;
use crate::workflow::present::Present;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, Publication, ZoneConfig};
use crate::zone::name::Name;
use crate::zone::record::Rtype;

/// What comes of asking each provider for the TLSA RRsets that it has, unchanged. Where a rotation was begun, its own changes
/// show that; at a time that a person named nobody is asked for a change.
pub(super) fn rehearsed(
    workspace: &Workspace,
    names: &[String],
    present: &Present,
) -> Vec<Finding> {
    if !matches!(present.mode(workspace), Ok(Mode::Act)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for zone in &workspace.config.zones {
        if !matches!(zone.publication, Publication::Command(_)) {
            continue;
        }
        if let Err(error) = elsewhere::may_change(workspace, zone) {
            let finding = Finding::new("provider", &zone.name, error.to_string());
            findings.push(finding.remedy(error.hints().join("; ")));
            continue;
        }
        let rrsets = before_the_first(workspace, zone, names, present);
        if rrsets.is_empty() {
            continue;
        }
        if let Err(error) = elsewhere::rehearse(workspace, zone, &rrsets, present.now) {
            let what = format!(
                "asked to leave the TLSA records as they are, the provider's program did not: {error}"
            );
            findings
                .push(Finding::new("provider", &zone.name, what).remedy(error.hints().join("; ")));
        }
    }
    findings
}

/// The TLSA RRsets in the zone of hosts of which no rotation was begun yet.
fn before_the_first(
    workspace: &Workspace,
    zone: &ZoneConfig,
    names: &[String],
    present: &Present,
) -> Vec<(Name, Rtype)> {
    let names = workspace.config.named_or_all(names);
    let configured = names
        .iter()
        .filter_map(|name| workspace.config.certificate(name));
    let is_new = |certificate: &&CertificateConfig| {
        let case = Case::open(workspace, &certificate.name, present.now);
        case.is_ok_and(|case| case.rotation.is_none())
    };
    let endpoints = configured
        .filter(is_new)
        .flat_map(CertificateConfig::endpoints);
    let owner = |endpoint: Endpoint| {
        let tlsa = endpoint.tlsa_name();
        Name::parse(tlsa.as_str().as_bytes(), None).ok()
    };
    endpoints
        .filter_map(owner)
        .filter(|name| elsewhere::lies_in(workspace, zone, name))
        .map(|name| (name, Rtype::TLSA))
        .collect()
}
