//! Whether the record of a key stood in a zone once and was taken out: git remembers what a journal that is lost does not.

use super::WorkflowError;
use super::upstream::Upstream;
use crate::dane::certificate::Certificate;
use crate::workspace::Workspace;
use crate::workspace::config::CertificateConfig;
use crate::zone::name::Name;
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, SHA512, digest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// So many octets of a digest tell it from every other; blanks may stand between any two of its digits.
const ENOUGH: usize = 10;

/// Refuses a key whose record stood in the zones of a certificate's hosts, and does not any more: it was taken out of use. As
/// far as git has the zones.
pub(super) fn refuse(
    workspace: &Workspace,
    certificate: &CertificateConfig,
    (path, leaf): (&Path, &Certificate),
) -> Result<(), WorkflowError> {
    let hosts = certificate.hosts.iter();
    let names = hosts.filter_map(|host| Name::parse(host.as_bytes(), Some(&Name::root())).ok());
    let zones = names.filter_map(|name| workspace.config.zone_of(&name));
    let zones: BTreeMap<&PathBuf, _> = zones
        .filter(|zone| zone.publication.is_git())
        .map(|zone| (&zone.file, zone))
        .collect();
    let pattern = [&SHA256, &SHA512].map(|by| {
        let octets = digest(by, leaf.spki());
        let digits = HEXLOWER.encode(octets.as_ref().get(..ENOUGH).unwrap_or_default());
        let digits: Vec<String> = digits.chars().map(String::from).collect();
        digits.join("[[:blank:]]*")
    });
    let pattern = pattern.join("|");
    for zone in zones.into_values() {
        let upstream = Upstream::of(workspace, zone)?;
        let files: Vec<&Path> = zone
            .included
            .iter()
            .chain([&zone.file])
            .map(PathBuf::as_path)
            .collect();
        let found = upstream
            .repository
            .last_with(&upstream.tip()?, &files, &pattern)?;
        if let Some(commit) = found {
            return Err(WorkflowError::KeyTakenOut {
                path: path.to_owned(),
                association: leaf.spki_association(),
                commit,
            });
        }
    }
    Ok(())
}
