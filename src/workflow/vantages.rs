//! Looks at hosts from here and, at the same time, from every vantage of the configuration, and takes the sightings
//! together.
//!
//! How far a vantage is trusted stands in [`vantage`].

use crate::observe::probe::{self, Bounds, Sighting, Target};
use crate::observe::side_by_side::side_by_side;
use crate::observe::smtp::Caller;
use crate::observe::vantage::{self, LARGEST_ANSWER, Place, Request, one_line};
use crate::publish::command::{CommandError, Invocation};
use crate::rotation::observation::Endpoint;
use crate::workspace::Workspace;
use crate::workspace::config::VantageConfig;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Vantages that are asked at once.
const AT_ONCE: usize = 16;
/// Of the time that a vantage has, the part in which it looks; the rest is for getting there and back.
const LOOKING: (u32, u32) = (3, 4);

/// Where hosts are looked at from beside here.
#[derive(Clone)]
pub(super) struct Vantages<'w> {
    all: &'w [VantageConfig],
    directory: &'w Path,
    /// How long a conversation with a host may take.
    conversation: Duration,
    /// Those set aside in this run, by name, with the reason: what failed once is not waited for again.
    aside: Arc<Mutex<BTreeMap<String, String>>>,
}

/// A vantage whose answer does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Aside {
    /// The vantage.
    pub(super) name: String,
    /// Why not.
    pub(super) why: String,
}

impl<'w> Vantages<'w> {
    /// Those of the configuration; none has been asked.
    pub(super) fn of(workspace: &'w Workspace) -> Self {
        Self {
            all: &workspace.config.vantages,
            conversation: Duration::from_secs(workspace.config.conversation.as_seconds()),
            directory: &workspace.root,
            aside: Arc::default(),
        }
    }

    /// The same, with no more time for a conversation than a person gave.
    pub(super) fn within(self, patience: Duration) -> Self {
        Self {
            conversation: self.conversation.min(patience),
            ..self
        }
    }

    /// What is seen of all targets, from here and elsewhere; and who could not be asked or believed.
    ///
    /// `connections` says how often each place is asked, from wherever.
    pub(super) async fn survey(
        &self,
        targets: &[Target],
        connections: impl Fn(&Endpoint, &SocketAddr) -> u8,
    ) -> (Vec<Sighting>, Vec<Aside>) {
        let caller = Caller::within(self.conversation);
        let bounds = Bounds {
            overall: self.conversation,
            ..Bounds::default()
        };
        let places = Place::of(targets, &connections);
        let here = probe::survey(targets, &caller, bounds, &connections);
        let asked = if places.is_empty() { &[] } else { self.all };
        let elsewhere = side_by_side(asked, AT_ONCE, |vantage| self.ask(vantage, &places));
        let (here, elsewhere) = tokio::join!(here, elsewhere);
        let (mut seen, mut aside) = (Vec::new(), Vec::new());
        for (vantage, answer) in asked.iter().zip(elsewhere) {
            let name = vantage.name.clone();
            match answer {
                Ok(sightings) => seen.push((name, sightings)),
                Err(why) => aside.push(Aside { name, why }),
            }
        }
        (vantage::together(here, &seen), aside)
    }

    async fn ask(
        &self,
        vantage: &VantageConfig,
        places: &[Place],
    ) -> Result<Vec<Sighting>, String> {
        if let Some(why) = self.set_aside().get(&vantage.name) {
            return Err(why.clone());
        }
        let answer = self.answer(vantage, places).await;
        if let Err(why) = &answer {
            self.set_aside().insert(vantage.name.clone(), why.clone());
        }
        answer
    }

    fn set_aside(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(
        &self,
        vantage: &VantageConfig,
        places: &[Place],
    ) -> Result<Vec<Sighting>, String> {
        let timeout = Duration::from_secs(vantage.timeout.as_seconds());
        let (part, whole) = LOOKING;
        let within = timeout.saturating_mul(part).checked_div(whole);
        let request = Request::new(nonce()?, within.unwrap_or(timeout), places.to_vec());
        let invocation = Invocation {
            input: serde_json::to_vec(&request).map_err(|e| e.to_string())?,
            limit: LARGEST_ANSWER,
            ..Invocation::new(&vantage.command, self.directory, timeout)
        };
        let run = tokio::task::spawn_blocking(move || invocation.run()).await;
        let finished = run.map_err(|e| e.to_string())?.map_err(|e| told(&e))?;
        if finished.truncated {
            let most = LARGEST_ANSWER >> 20;
            return Err(format!(
                "its answer does not end, or is larger than {most} MiB"
            ));
        }
        vantage::read_answer(&finished.stdout, &request).map_err(|misfit| misfit.to_string())
    }
}

fn told(error: &CommandError) -> String {
    one_line(&error.to_string())
}

fn nonce() -> Result<String, String> {
    let mut octets = [0; 16];
    let random = SystemRandom::new().fill(&mut octets);
    random.map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(data_encoding::HEXLOWER.encode(&octets))
}

impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vantage {} is set aside: {}", self.name, self.why)
    }
}
