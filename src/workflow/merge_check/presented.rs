//! A request by which a TLSA RRset loses a record, or a name gets its first one, is held against what the hosts present now
//! (RFC 7671 §8, RFC 7672 §2.2). Where nothing of that kind changes, nobody is asked.

use super::answer_finding::AnswerFinding;
use super::finding::Finding;
use super::{Request, Verdict};
use crate::dane::certificate::Certificate;
use crate::rotation::admissible;
use crate::rotation::association::Association;
use crate::rotation::blocker::Blocker;
use crate::rotation::observation::Endpoint;
use crate::rotation::step::Rotation;
use crate::workflow::admit;
use crate::workflow::at_rest::at_rest;
use crate::workflow::head::{Head, Heads};
use crate::workflow::look;
use crate::workspace::config::CertificateConfig;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which hosts are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Those that no rotation has taken in: the latest one looks at its own.
    AsConfigured,
    /// All: the records that they are led to are others.
    OtherRecords,
    /// All, where the request says that they are: what the files say of those that were there before does not count.
    OtherPlace,
}

pub(super) type Associations = BTreeSet<Association>;

/// Judges what one rotation's hosts present by the RRsets that the request leaves.
pub(super) fn judge(
    request: &Request<'_>,
    (id, state): (&RotationId, &Rotation),
    (before, after): (&BTreeMap<Name, Head>, &BTreeMap<Name, Head>),
    verdict: &mut Verdict,
) {
    let both = |name| {
        let was = request.base.rrset(before, name)?;
        Some((was, request.head.rrset(after, name)?))
    };
    let names = state.names().iter();
    let changes: Vec<_> = names
        .filter_map(|name| Some((name, both(name)?)))
        .filter(|(_, (was, becomes))| admissible::needs_a_look(state, (was, becomes)))
        .collect();
    if changes.is_empty() {
        return;
    }
    // By the base: what the request makes of the configuration takes no host out of it.
    let workspace = &request.base.workspace;
    let Some(certificate) = workspace.config.certificate(&id.certificate) else {
        verdict.notes.push(format!(
            "certificate {} is configured no more: nobody looked at what its hosts present",
            id.certificate
        ));
        return;
    };
    let mut heads = read(request, before);
    let sight = look::look(&mut heads, certificate, state, request.now);
    // What is over waits for no host that was taken out of the configuration since.
    let awaited: BTreeSet<String> = if state.is_over() {
        let configured = certificate.endpoints();
        configured.map(|endpoint| endpoint.to_string()).collect()
    } else {
        state.endpoints.iter().map(Endpoint::to_string).collect()
    };
    for (name, (was, becomes)) in changes {
        let observation = &sight.observation;
        let objections = admissible::objections(state, observation, name, (&was, &becomes));
        let (refused, mut unseen): (Vec<Blocker>, Vec<Blocker>) = objections
            .into_iter()
            .partition(|objection| matches!(objection, Blocker::WouldRefuse(_)));
        unseen.retain(|objection| match objection {
            Blocker::NothingObserved { what } => awaited.contains(what),
            Blocker::HostUnknown { endpoint, .. } => awaited.contains(&endpoint.to_string()),
            _ => true,
        });
        let refused = refused.into_iter();
        verdict
            .findings
            .extend(refused.map(|seen| Finding::Refused {
                id: id.clone(),
                seen: Box::new(seen),
            }));
        if !unseen.is_empty() {
            verdict.findings.push(Finding::Unseen {
                id: id.clone(),
                name: name.clone(),
                reasons: unseen,
            });
        }
    }
}

/// Judges what the hosts of a certificate present that no rotation has taken in, those included that the request itself adds,
/// where their records change. What takes a record away, or is the first, needs the host to be seen, or to be known.
pub(super) fn judge_at_rest(
    request: &Request<'_>,
    after: &BTreeMap<Name, Head>,
    certificate: &CertificateConfig,
    (changed, seen): (&[(Endpoint, Associations, Associations)], Seen),
    verdict: &mut Verdict,
) {
    if changed.is_empty() {
        return;
    }
    let mut rotations = verdict.upheld.iter();
    let state = rotations.find(|(id, _)| *id.certificate == *certificate.name);
    let state = state.map(|(_, state)| state);
    let state = state.filter(|_| seen == Seen::AsConfigured);
    let mut heads = read(request, after);
    let Some(outside) = at_rest(&mut heads, certificate, state, request.now) else {
        return;
    };
    let mut changed: Vec<_> = changed
        .iter()
        .filter(|(endpoint, was, becomes)| {
            let is_out = outside.endpoints.contains(endpoint);
            is_out && admissible::needs_a_look(&outside, (was, becomes))
        })
        .map(|(endpoint, was, becomes)| (outside.name_of(endpoint), was, becomes))
        .collect();
    changed.sort();
    changed.dedup();
    if changed.is_empty() {
        return;
    }
    let keys = keys_in_use(certificate);
    let sight = look::look(&mut heads, certificate, &outside, request.now);
    for (name, was, becomes) in changed {
        let sets = (was, becomes);
        let objections = admissible::objections(&outside, &sight.observation, &name, sets);
        let (refused, reasons): (Vec<Blocker>, Vec<Blocker>) = objections
            .into_iter()
            .partition(|objection| matches!(objection, Blocker::WouldRefuse(_)));
        let is_refused = !refused.is_empty();
        let refused = refused.into_iter().map(|seen| Finding::RefusedAtRest {
            certificate: certificate.name.clone(),
            seen: Box::new(seen),
        });
        verdict.findings.extend(refused);
        let is_known = seen != Seen::OtherPlace
            && !keys.is_empty()
            && keys.iter().all(|key| becomes.contains(key));
        if !is_refused && !reasons.is_empty() && !is_known {
            verdict.object(AnswerFinding::Unseen {
                certificate: certificate.name.clone(),
                name,
                reasons,
            });
        }
    }
}

/// The keys of the certificates that the configuration says are in use, where they can be read here.
fn keys_in_use(certificate: &CertificateConfig) -> Associations {
    let chains = admit::in_use(certificate).unwrap_or_default();
    let leaves = chains.iter().filter_map(|chain| chain.first());
    leaves.map(Certificate::spki_association).collect()
}

/// The certificates of both sides: those of the base, each with the hosts and ports that the request adds to it, and those
/// that it brings. It takes none out, and changes no address of a host that the base has.
pub(super) fn configured(request: &Request<'_>) -> Vec<CertificateConfig> {
    let mut all = request.base.workspace.config.certificates.clone();
    for theirs in &request.head.workspace.config.certificates {
        let Some(ours) = all.iter_mut().find(|ours| ours.name == theirs.name) else {
            all.push(theirs.clone());
            continue;
        };
        let hosts: Vec<String> = theirs
            .hosts
            .iter()
            .filter(|host| !ours.hosts.contains(host))
            .cloned()
            .collect();
        let ports = theirs
            .ports
            .iter()
            .filter(|port| !ours.ports.contains(port));
        let ports: Vec<u16> = ports.copied().collect();
        for host in &hosts {
            let addresses = theirs.addresses.get_key_value(host);
            ours.addresses
                .extend(addresses.map(|(host, there)| (host.clone(), there.clone())));
        }
        ours.hosts.extend(hosts);
        ours.ports.extend(ports);
    }
    all
}

/// The zones of one side of the request, as they are there.
fn read<'q>(request: &'q Request<'_>, side: &BTreeMap<Name, Head>) -> Heads<'q> {
    let zones = side.iter();
    let zones = zones.map(|(zone, head)| (zone.clone(), Arc::new(head.clone())));
    Heads::of(&request.base.workspace, request.now).with(zones.collect())
}
