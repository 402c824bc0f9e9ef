//! Mail at risk is told before the work of a run that has many certificates: that may take minutes, and whoever can act need
//! not wait for it.

use super::known::Known;
use super::look_ahead::Seen;
use crate::rotation::alarm::Alarm;
use crate::rotation::settle::take_in;
use crate::workspace::journal::RotationId;
use std::collections::BTreeMap;

/// A rotation whose mail is at risk, as a run saw it at its begin. What is to be done is told at the end.
#[derive(Clone, Debug)]
pub struct AtRisk {
    /// The rotation.
    pub id: RotationId,
    /// What is wrong.
    pub alarms: Vec<Alarm>,
}

/// With so few the end of the run is as near.
const FEW: usize = 3;

/// Who is told of each.
pub type Early<'e> = &'e mut dyn FnMut(&AtRisk);

/// Tells of each of them by what was seen ahead. While the clock is in doubt nothing is told by it.
pub(super) fn tell(known: &mut Known<'_>, sights: &BTreeMap<String, Seen>, early: Early<'_>) {
    if known.doubt.is_some() || sights.len() <= FEW {
        return;
    }
    let (workspace, now) = (known.workspace, known.now);
    for (name, seen) in sights {
        let Some(policy) = workspace.config.certificate(name).map(|one| one.policy) else {
            continue;
        };
        let Some((id, state)) = known.rotation(name) else {
            continue;
        };
        let Some(observation) = seen.observation_of(state) else {
            continue;
        };
        let Ok(settled) = take_in(state, now, observation, |_| policy) else {
            continue; // told in its turn
        };
        let alarms = settled.decision.alarms;
        if !alarms.is_empty() {
            let id = id.clone();
            early(&AtRisk { id, alarms });
        }
    }
}
