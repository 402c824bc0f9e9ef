//! A request by which a TLSA RRset loses a record, or a name gets its first one, is held against what the hosts present now
//! (RFC 7671 §8, RFC 7672 §2.2). Where nothing of that kind changes, nobody is asked.

use super::finding::Finding;
use super::{Request, Verdict};
use crate::rotation::admissible;
use crate::rotation::blocker::Blocker;
use crate::rotation::observation::Endpoint;
use crate::rotation::step::Rotation;
use crate::workflow::head::{Head, Heads};
use crate::workflow::look;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    let zones = before.iter();
    let zones = zones.map(|(zone, head)| (zone.clone(), Arc::new(head.clone())));
    let mut heads = Heads::of(workspace, request.now).with(zones.collect());
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
