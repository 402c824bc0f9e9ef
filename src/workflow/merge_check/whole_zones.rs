//! What is new of whole zones: what `zone check` and the signer say of them, and whether anybody is led to them (RFC 1034 §4.2.2).

use super::answer_finding::AnswerFinding;
use super::answered::Both;
use super::way::Side;
use super::{Request, Verdict};
use crate::dnssec::sign;
use crate::workflow::head::Head;
use crate::workflow::others;
use crate::workspace::config::Signing;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::BTreeSet;

/// What is new of each zone: findings, and whether it is delegated by the one above.
pub(super) fn judge(request: &Request<'_>, both: Both<'_>, verdict: &mut Verdict) {
    for (zone, after) in both.after.zones {
        let before = both.before.zones.get(zone);
        if let Some(finding) = unsignable(request, before, (zone, after)) {
            let zone = zone.clone();
            verdict.object(AnswerFinding::NewFinding { zone, finding });
        }
        // The configuration that counts says what the servers run, not the request.
        let mut base = request.base.workspace.config.zones.iter();
        let base = base.find(|one| one.name == *zone);
        let run = base.map_or(&[][..], |one| &one.servers_run);
        if let Some(before) = before
            && let Some(finding) = others::new_finding(&before.file, &after.file, run)
        {
            let zone = zone.clone();
            verdict.object(AnswerFinding::NewFinding { zone, finding });
        }
        let above = |side: Side<'_>| {
            let above = zone
                .parent()
                .and_then(|parent| side.config.zone_of(&parent));
            let above = above.and_then(|above| side.zones.get(&above.name));
            above.map(|head| {
                let is_cut = head.content.rrset(zone, Rtype::NS).is_some();
                (head.content.apex.clone(), is_cut)
            })
        };
        let was_cut = before.and_then(|_| above(both.before));
        if let Some((name, false)) = above(both.after)
            && !matches!(was_cut, Some((_, false)))
        {
            verdict.object(AnswerFinding::NotDelegated {
                zone: zone.clone(),
                above: name,
            });
        }
    }
}

/// What the signer would refuse of a zone that it signs, and did not before.
fn unsignable(
    request: &Request<'_>,
    before: Option<&Head>,
    (zone, after): (&Name, &Head),
) -> Option<String> {
    let mut zones = request.base.workspace.config.zones.iter();
    let Signing::Here { keys, .. } = &zones.find(|one| one.name == *zone)?.signing else {
        return None;
    };
    let refused = |head: &Head| sign::signable(&head.content).err();
    if let Some(error) = refused(after)
        && before.is_none_or(|before| refused(before).is_none())
    {
        return Some(error.to_string());
    }
    // Which keys there are is told by their names (`Kexample.com.+013+12345.key`), wherever the private ones lie.
    let files = request.repository.files_below(&request.base.commit, keys);
    let files = files.unwrap_or_default();
    let front = format!("K{zone}+");
    let names = files.iter().filter_map(|file| file.file_name()?.to_str());
    let algorithms = names.filter_map(|name| name.strip_prefix(&*front)?.get(..3)?.parse().ok());
    let algorithms: BTreeSet<u8> = algorithms.collect();
    let used = |head: &Head| -> BTreeSet<u8> {
        let dnskeys = head.content.rrset(zone, Rtype::DNSKEY);
        let rdatas = dnskeys.into_iter().flat_map(|rrset| &rrset.rdatas);
        rdatas.filter_map(|rdata| rdata.0.get(3).copied()).collect()
    };
    let known = before.map(used).unwrap_or_default();
    let mut new = used(after).into_iter().filter(|one| !known.contains(one));
    let foreign = new.find(|one| !algorithms.is_empty() && !algorithms.contains(one))?;
    Some(format!(
        "its text holds a DNSKEY record of algorithm {foreign}, and there is no key of that algorithm to sign with: nothing could be signed"
    ))
}
