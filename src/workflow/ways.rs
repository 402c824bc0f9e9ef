//! How the changes of one rotation get into its zones, and its keys onto hosts: the configuration and git asked for what a
//! runbook names.

use super::admit::{self, CHAIN};
use super::head;
use super::upstream::Upstream;
use crate::rotation::step::Rotation;
use crate::workspace::Workspace;
use crate::workspace::config::{
    CertificateConfig, Deploy, GeneratedKey, NextKey, Publication, ZoneConfig,
};
use crate::workspace::journal::RotationId;
use crate::workspace::tls_key::KeyKind;
use crate::workspace::ways::{Copied, How, Install, Ways, ZoneWay};
use std::path::Path;

/// Of a rotation, or of the one that would begin. `certificates` are the files of its next certificates, as far as there are any.
pub(super) fn ways(
    workspace: &Workspace,
    certificate: &CertificateConfig,
    (id, state): (&RotationId, &Rotation),
    certificates: &[String],
) -> Ways {
    let zones = head::zones_of(workspace, state.names()).into_iter();
    let zones = zones.map(|zone| ZoneWay {
        zone: zone.name.to_string(),
        how: how(workspace, zone, id),
    });
    Ways {
        certificate: certificate.name.clone(),
        zones: zones.collect(),
        install: match &certificate.deploy {
            Deploy::Command(command) => Install::Command(command.join(" ")),
            Deploy::Manual => Install::ByHand(copied(workspace, certificate, id, certificates)),
        },
        puts_back: certificate.rollback.is_some(),
    }
}

fn how(workspace: &Workspace, zone: &ZoneConfig, id: &RotationId) -> How {
    let base = || {
        // Where git cannot say it, the plan fails at the zone itself.
        let upstream = Upstream::of(workspace, zone).ok();
        upstream.map_or_else(|| "main".to_owned(), |upstream| upstream.branch)
    };
    match &zone.publication {
        Publication::GitBranch { .. } => How::Review {
            branch: zone
                .publication
                .branch(&id.to_string(), &zone.name)
                .unwrap_or_default(),
            base: base(),
            remote: zone.remote.clone(),
        },
        Publication::GitDirect => How::Commit { base: base() },
        Publication::File => How::File,
        Publication::Update { server, .. } => How::Update(server.to_string()),
        Publication::Command(command) => How::Provider(command.join(" ")),
    }
}

/// The files that a person puts in place. With several chains in use it is not said which goes where.
fn copied(
    workspace: &Workspace,
    certificate: &CertificateConfig,
    id: &RotationId,
    certificates: &[String],
) -> Vec<Copied> {
    let shown = |path: &Path| {
        let inside = path.strip_prefix(&workspace.root).unwrap_or(path);
        inside.display().to_string()
    };
    let directory = shown(&admit::directory(workspace, id));
    let chains: Vec<String> = match (&certificate.next, certificates) {
        (NextKey::Generate(kinds), []) => {
            let kinds = kinds.iter().map(|kind| match kind {
                GeneratedKey::EcdsaP256 => KeyKind::EcdsaP256,
                GeneratedKey::Rsa2048 => KeyKind::Rsa2048,
            });
            kinds
                .map(|kind| format!("{directory}/{kind}{CHAIN}"))
                .collect()
        }
        (NextKey::Files(pairs), []) => {
            let numbers = (1..).take(pairs.len());
            numbers
                .map(|number: usize| format!("{directory}/brought-{number}{CHAIN}"))
                .collect()
        }
        (_, there) => there
            .iter()
            .filter(|file| file.ends_with(CHAIN))
            .cloned()
            .collect(),
    };
    let only = match certificate.live.as_slice() {
        [live] if chains.len() == 1 => Some(live),
        _ => None,
    };
    let of_chain = |chain: String| {
        let key = format!("{}.key.pem", chain.trim_end_matches(CHAIN));
        let to_key = only.and_then(|live| live.key.as_deref()).map(shown);
        [
            Copied {
                from: chain,
                to: only.map(|live| shown(&live.certificate)),
                is_key: false,
            },
            Copied {
                from: key,
                to: to_key,
                is_key: true,
            },
        ]
    };
    chains.into_iter().flat_map(of_chain).collect()
}
