//! What was merged all the same: a zone that is about to be handed to its servers is held against what they have, by the
//! judgement that the gate makes of a request. Only what it says of hosts that no rotation is under way with: of the others the
//! machine itself judges.

use super::answered::{self, Both};
use super::finding::Finding;
use super::{AnswerFinding, Side, Verdict};
use crate::rotation::step::Rotation;
use crate::workflow::head::Head;
use crate::workspace::config::Config;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};

/// What senders would be answered by `after`, and were not by `before`, that is no good: a host that is led out of the zones,
/// that has no usable record left, that becomes an alias, or has no address.
pub(in crate::workflow) fn objections(
    config: &Config,
    (before, after): (&BTreeMap<Name, Head>, &BTreeMap<Name, Head>),
    rotations: &BTreeMap<String, (RotationId, Rotation)>,
) -> Vec<AnswerFinding> {
    let broken = BTreeMap::new();
    let side = |zones| Side {
        zones,
        config,
        broken: &broken,
    };
    let both = Both {
        before: side(before),
        after: side(after),
    };
    let mut verdict = Verdict {
        base: String::new(),
        head: String::new(),
        source: String::new(),
        upheld: Vec::new(),
        at_hand: BTreeSet::new(),
        open: Vec::new(),
        findings: Vec::new(),
        notes: Vec::new(),
    };
    for certificate in &config.certificates {
        let rotation = rotations.get(&certificate.name);
        // Who said that DANE was left needs no records.
        if rotation.is_none_or(|(_, state)| state.is_over() && state.dane_left.is_none()) {
            answered::judge_answers(certificate, both, &mut verdict);
        }
    }
    let answers = verdict.findings.into_iter();
    answers
        .filter_map(|finding| match finding {
            Finding::Answers(finding) => Some(*finding),
            _ => None,
        })
        .collect()
}
