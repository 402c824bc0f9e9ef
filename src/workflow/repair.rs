//! Use case `repair`: a person says that the clock is right now. Facts that were recorded by one that was not are set aside, or
//! get another time, by a line of the journal that says so; what depended on them begins anew.

use super::WorkflowError;
use super::apart;
use super::clock;
use super::present::Present;
use super::run::Run;
use crate::rotation::repair::{self, done_in_its_name};
use crate::rotation::step::{Event, Rotation};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::clock::Noted;
use crate::workspace::journal::RotationId;
use crate::workspace::memory::Memory;

/// What became of the facts of one certificate.
#[derive(Debug)]
pub struct Repaired {
    /// The certificate's name in the configuration.
    pub certificate: String,
    /// The facts that count for nothing any more.
    pub set_aside: Vec<SetAside>,
    /// How many count with another time.
    pub redated: usize,
    /// The latest rotation, as it stands afterwards.
    pub rotation: Option<(RotationId, Rotation)>,
}

impl Repaired {
    /// Whether nothing was to be done.
    pub fn is_as_it_was(&self) -> bool {
        self.set_aside.is_empty() && self.redated == 0
    }
}

/// A fact that counts for nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Its number in the journal.
    pub entry: u64,
    /// When it is said to have been.
    pub at: Instant,
    /// Its name in one word.
    pub fact: &'static str,
    /// What may have been done in its name.
    pub done: Option<&'static str>,
}

/// Repairs every journal, and takes the clock to be right from now on; or only tells what would be done.
pub fn repair(workspace: &Workspace, present: &Present) -> Result<Vec<Repaired>, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let state = workspace.state();
    let early = clock::too_early(workspace, present);
    let mut all = Vec::new();
    for certificate in &workspace.config.certificates {
        let mut case = run.open_as_it_is(&certificate.name)?;
        let repair = repair::repair(&case.recorded(), run.now, early);
        let set_aside = case
            .facts()
            .filter(|fact| repair.set_aside.contains(&fact.seq));
        let set_aside = set_aside.map(|fact| SetAside {
            entry: fact.seq,
            at: fact.at,
            fact: fact.event.name(),
            done: done_in_its_name(&fact.event),
        });
        let set_aside: Vec<SetAside> = set_aside.collect();
        let redated = repair.redated.len();
        if !repair.is_empty() {
            let event: Event = repair.into_event();
            case.repair(run.now, event)?;
            run.keep(&mut case)?;
        }
        all.push(Repaired {
            certificate: certificate.name.clone(),
            set_aside,
            redated,
            rotation: case.rotation,
        });
    }
    // Only then: until the journals are right, the doubt must stay.
    if run.lock().is_some() {
        for zone in &workspace.config.zones {
            if let Ok(Some(mut memory)) = Memory::read(&state, &zone.name)
                && memory.bring_back_to(run.now)
            {
                memory.write(&state, &zone.name)?;
            }
        }
        apart::settled(workspace)?;
        if let Some(reading) = &present.reading {
            Noted::right(reading).write(&state)?;
        }
    }
    Ok(all)
}
