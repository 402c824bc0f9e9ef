//! The commit message of a change for several rotations: one table, and what holds for each kind of step, said once.
//!
//! It says of each what a reviewer decides by; the full records are in the files for review beside the zones.

use super::message::{OUTDATED_DIGEST, Purpose, Subject, indented};
use crate::rotation::association::Association;
use crate::rotation::observation::Endpoint;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// More hosts of one rotation than these are counted.
const MOST_HOSTS: usize = 4;

/// The whole message, without trailers. What is most pressing stands first.
pub fn message(subjects: &[(Purpose, Subject<'_>)]) -> String {
    let mut by_purpose: BTreeMap<usize, Vec<&(Purpose, Subject<'_>)>> = BTreeMap::new();
    for one in subjects {
        by_purpose.entry(rank(one.0)).or_default().push(one);
    }
    let mut text = format!("{}\n\n", title(subjects, &by_purpose));
    text.push_str("| rotation | step | zone | what changes | presented by |\n");
    text.push_str("| --- | --- | --- | --- | --- |\n");
    for (purpose, subject) in by_purpose.values().flatten() {
        text.push_str(&row(*purpose, subject));
    }
    text.push('\n');
    tell_zones(&mut text, subjects);
    for of_one in by_purpose.values() {
        let Some((purpose, first)) = of_one.first() else {
            continue;
        };
        let _ = writeln!(text, "{purpose}: {}", purpose.headline());
        let _ = writeln!(text, "{}", indented(purpose.safe_because()));
        let next = purpose.next(first);
        let is_same = of_one.iter().all(|(_, other)| purpose.next(other) == next);
        if is_same {
            let _ = writeln!(text, "{}", indented(&next));
        } else {
            let told = "Once this is merged and every authoritative server serves it, each waits as its own policy and TTL say:\n`tlsa-rotate plan NAME` has the times.";
            let _ = writeln!(text, "{}", indented(told));
        }
        let _ = writeln!(text, "  How to undo:\n{}\n", indented(purpose.undo()));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What a reviewer looks at first stands first.
fn rank(purpose: Purpose) -> usize {
    match purpose {
        Purpose::Replace => 0,
        Purpose::Withdraw => 1,
        Purpose::Reinstate => 2,
        Purpose::Retire => 3,
        Purpose::Publish => 4,
        Purpose::Adopt => 5,
        Purpose::Enable => 6,
        Purpose::Prune => 7,
        Purpose::Disable => 8,
    }
}

fn title(
    subjects: &[(Purpose, Subject<'_>)],
    by_purpose: &BTreeMap<usize, Vec<&(Purpose, Subject<'_>)>>,
) -> String {
    let zones: BTreeSet<&str> = subjects
        .iter()
        .flat_map(|(_, subject)| subject.zones.iter().map(|(zone, _)| &**zone))
        .collect();
    let place = match zones.first() {
        Some(zone) if zones.len() == 1 => format!("zone {zone}"),
        _ => format!("{} zones", zones.len()),
    };
    let kinds = by_purpose.values().filter_map(|of_one| {
        let (purpose, _) = of_one.first()?;
        Some(format!("{purpose} {}", of_one.len()))
    });
    let kinds: Vec<String> = kinds.collect();
    format!(
        "{} rotations in {place}: {}",
        subjects.len(),
        kinds.join(", ")
    )
}

fn row(purpose: Purpose, subject: &Subject<'_>) -> String {
    let zones: Vec<&str> = subject.zones.iter().map(|(zone, _)| &**zone).collect();
    let hosts = subject.state.endpoints.iter().map(Endpoint::to_string);
    let mut hosts: Vec<String> = hosts.collect();
    if hosts.len() > MOST_HOSTS {
        let more = hosts.len().saturating_sub(MOST_HOSTS);
        hosts.truncate(MOST_HOSTS);
        hosts.push(format!("{more} more"));
    }
    let rrsets = subject.now.values();
    let added: BTreeSet<String> = rrsets
        .clone()
        .flat_map(|rrset| {
            subject
                .requirement
                .missing_in(rrset)
                .map(Association::short)
        })
        .collect();
    let leaves = |one: &&Association| subject.requirement.absent.contains(*one);
    let removed = rrsets.clone().flatten().filter(leaves);
    let removed: BTreeSet<String> = removed.map(Association::short).collect();
    let stays = rrsets.flatten().filter(|one| !leaves(one));
    let stays: BTreeSet<String> = stays.map(Association::short).collect();
    let kinds = [("+ ", added), ("- ", removed), ("beside ", stays)];
    let what = kinds.into_iter().filter(|(_, which)| !which.is_empty());
    let what = what.map(|(sign, which)| {
        let which: Vec<String> = which.into_iter().collect();
        format!("{sign}{}", which.join(", "))
    });
    let what: Vec<String> = what.collect();
    format!(
        "| {} | {purpose} | {} | {} | {} |\n",
        subject.rotation,
        zones.join(", "),
        what.join("; "),
        hosts.join(", ")
    )
}

/// The serials, which a zone raises once, and the digests that somebody else has to make anew.
fn tell_zones(text: &mut String, subjects: &[(Purpose, Subject<'_>)]) {
    let mut serials = BTreeMap::new();
    let mut digests = BTreeSet::new();
    for (_, subject) in subjects {
        let raised = subject.zones.iter();
        serials.extend(raised.filter_map(|(zone, serials)| Some((zone, (*serials)?))));
        digests.extend(&subject.digests);
    }
    for (zone, (before, after)) in &serials {
        let _ = writeln!(text, "~ {zone}. SOA serial {before} -> {after}");
    }
    for zone in &digests {
        let _ = writeln!(text, "! {zone}. ZONEMD: {OUTDATED_DIGEST}");
    }
    if !serials.is_empty() || !digests.is_empty() {
        text.push('\n');
    }
}
