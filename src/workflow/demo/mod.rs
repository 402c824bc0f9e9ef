//! A whole rotation on loopback under a clock that jumps: real DNS, real SMTP with STARTTLS, real git, the real machine.
//!
//! Two authoritative servers (one lags by three hours), a mail host for each MX, a reviewer who merges after two hours, an
//! operator who deploys when told to (or, without the wait, as soon as one server answers with both), and senders that
//! validate, cache, and judge by RFC 7672 with no knowledge of the machine.

pub mod delivery;
pub mod mail_host;
pub mod sender;
mod stage;

use super::advance::{self, Mode};
use super::present::Present;
use super::start;
use crate::rotation::blocker::Who;
use crate::rotation::decide::Decision;
use crate::rotation::step::{Event, Rotation, Step};
use crate::rotation::timing::{Instant, Span};
use crate::workspace::journal::RotationId;
use delivery::Outcome;
use sender::Sender;
use stage::{HOSTS, Stage};
use std::collections::BTreeMap;
use std::fmt;

/// The zone on the stage.
const ZONE: &str = "example.com.";
/// The certificate in the configuration.
const CERTIFICATE: &str = "mail";
/// When the demo begins: any day will do; the same one every time makes runs comparable.
const BEGIN: Instant = Instant::from_unix(1_796_112_000); // 2026-12-01T08:00:00Z
/// How far the clock jumps between two rounds of mail.
const TICK: Span = Span::minutes(20);
/// How often cron runs `advance`, in ticks.
const CRON: u64 = 3;
/// How long the reviewer takes.
const REVIEW: Span = Span::hours(2);
/// How long the operator takes to deploy on one host after the other.
const DEPLOYMENT: Span = Span::hours(1);
/// How many senders there are.
const SENDERS: usize = 8;
/// When the demo gives up: far beyond what a rotation takes.
const END: Span = Span::days(10);

/// What a viewer is told while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, on the demo's clock.
    pub at: Instant,
    /// Who did something.
    pub who: &'static str,
    /// What.
    pub what: String,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Mails sent.
    pub sent: u64,
    /// Mails refused because the host did not match what a sender's cache demanded.
    pub refused: u64,
    /// Mails that failed for another reason.
    pub failed: u64,
    /// Runs of the machine that said that delivery is at risk.
    pub warned: u64,
    /// Every step with the instant it was reached at.
    pub timeline: Vec<(Instant, Step)>,
    /// How long the rotation took on the demo's clock.
    pub took: Span,
}

/// Why the demo could not go on.
#[derive(Debug, thiserror::Error)]
#[error("the demo could not {what}: {why}")]
pub struct DemoError {
    what: String,
    why: String,
}

impl DemoError {
    fn new(what: &str, why: &dyn fmt::Display) -> Self {
        Self {
            what: what.to_owned(),
            why: why.to_string(),
        }
    }
}

struct Demo<'t> {
    stage: Stage,
    senders: Vec<Sender>,
    now: Instant,
    skip_wait: bool,
    tell: &'t mut dyn FnMut(&Line),
    report: Report,
    id: RotationId,
    state: Rotation,
    /// The branch's commit that the reviewer has seen, and since when.
    in_review: Option<(String, Instant)>,
    /// When the next host gets its certificate.
    deploy_at: Option<Instant>,
    deployed: usize,
    last_word: String,
}

/// Stages a rotation; `skip_wait` makes the operator deploy as soon as the first server serves both records. Tells what happens.
pub fn run(skip_wait: bool, tell: &mut dyn FnMut(&Line)) -> Result<Report, DemoError> {
    let mut stage = Stage::set(BEGIN)?;
    let first = advance::advance(&stage.workspace, &[], &Present::named(BEGIN), Mode::Act);
    first.map_err(|e| DemoError::new("sign the zone", &e))?;
    stage.load(BEGIN)?;
    let present = Present::named(BEGIN);
    let started = start::start(&stage.workspace, CERTIFICATE, None, None, false, &present)
        .map_err(|e| DemoError::new("start the rotation", &e))?;
    let senders = senders(&stage);
    let mut demo = Demo {
        stage,
        senders,
        now: BEGIN,
        skip_wait,
        tell,
        report: Report::default(),
        id: started.id,
        state: started.state,
        in_review: None,
        deploy_at: None,
        deployed: 0,
        last_word: String::new(),
    };
    demo.play()
}

fn senders(stage: &Stage) -> Vec<Sender> {
    let hosts: BTreeMap<_, _> = HOSTS
        .iter()
        .zip(&stage.hosts)
        .map(|(name, host)| ((*name).to_owned(), host.address()))
        .collect();
    (0..SENDERS)
        .map(|number| {
            Sender::new(
                format!("sender{number}.example.net"),
                stage.apex.clone(),
                stage.anchor.clone(),
                stage.servers(),
                hosts.clone(),
                number,
            )
        })
        .collect()
}

impl Demo<'_> {
    fn play(&mut self) -> Result<Report, DemoError> {
        self.say(
            "operator",
            &format!("starts {}: a new key is made, and not deployed", self.id),
        );
        let mut tick: u64 = 0;
        let mut rounds_after_the_end: u64 = 0;
        while self.now < BEGIN + END && rounds_after_the_end < 2 * CRON {
            for loaded in self.stage.load(self.now)? {
                self.say("dns", &loaded);
            }
            self.review()?;
            if tick.is_multiple_of(CRON) {
                self.cron()?;
            }
            self.operate()?;
            self.mail();
            if self.state.is_over() {
                rounds_after_the_end = rounds_after_the_end.saturating_add(1);
            }
            tick = tick.saturating_add(1);
            self.now = self.now + TICK;
        }
        self.report.took = self
            .report
            .timeline
            .last()
            .map_or(Span::ZERO, |(at, _)| at.since(BEGIN));
        Ok(std::mem::take(&mut self.report))
    }

    fn say(&mut self, who: &'static str, what: &str) {
        (self.tell)(&Line {
            at: self.now,
            who,
            what: what.to_owned(),
        });
    }

    /// One run of the machine, as cron would start it.
    fn cron(&mut self) -> Result<(), DemoError> {
        let present = Present::named(self.now);
        let ticks = advance::advance(&self.stage.workspace, &[], &present, Mode::Act);
        let tick = ticks.map_err(|e| DemoError::new("advance", &e))?.pop();
        let Some(tick) = tick else { return Ok(()) };
        if let Some(failed) = &tick.failed {
            return Err(DemoError::new("advance", failed));
        }
        let Some((_, state)) = tick.rotation else {
            return Ok(());
        };
        let before = self.state.step;
        self.state = state;
        for event in &tick.events {
            self.tell_event(event);
        }
        for deed in &tick.deeds {
            self.say("machine", deed);
        }
        let Some(decision) = &tick.decision else {
            return Ok(());
        };
        self.tell_of(decision, before);
        Ok(())
    }

    /// A fact, told as the step that it reaches.
    fn tell_event(&mut self, event: &Event) {
        let reached = match event {
            Event::PrepublishDecided => Step::Prepublishing,
            Event::PrepublishServed { .. } => Step::Waiting,
            Event::SwapOpened => Step::SwapOpen,
            Event::HostsPresentedIncoming => Step::Deployed,
            Event::SoakPassed => Step::Verified,
            Event::RetireDecided => Step::Retiring,
            Event::RetireServed => Step::Retired,
            other => return self.say("machine", other.name()),
        };
        self.report.timeline.push((self.now, reached));
        self.say("machine", &format!("{reached}: {}", reached.sentence()));
    }

    /// Why it goes no further, if that has changed; and every warning.
    fn tell_of(&mut self, decision: &Decision, before: Step) {
        if !decision.alarms.is_empty() {
            self.report.warned = self.report.warned.saturating_add(1);
            if self.report.warned == 1 {
                for breach in &decision.alarms {
                    self.say("AT RISK", &breach.to_string());
                }
            }
        }
        let word = decision
            .blockers
            .first()
            .map(|blocker| match blocker.who() {
                Who::Clock => format!("waits: {blocker}"),
                who => format!("waits for {who}: {blocker}"),
            });
        let word = word.unwrap_or_default();
        if !word.is_empty() && (word != self.last_word || before != self.state.step) {
            self.say("machine", &word);
        }
        self.last_word = word;
    }

    /// The reviewer merges a proposal two hours after first seeing it.
    fn review(&mut self) -> Result<(), DemoError> {
        let branch = format!("tlsa-rotate/{}", self.id);
        let range = format!("main..{branch}");
        let known = self.stage.git(&["branch", "--list", &branch])?;
        if known.is_empty() {
            return Ok(());
        }
        let waiting = self.stage.git(&["log", "--format=%H", &range])?;
        if waiting.is_empty() {
            return Ok(());
        }
        match &self.in_review {
            Some((commit, since)) if *commit == waiting => {
                if self.now >= *since + REVIEW {
                    self.stage
                        .git(&["merge", "--quiet", "--ff-only", &branch])?;
                    let subject = self.stage.git(&["log", "-1", "--format=%s"])?;
                    self.say("reviewer", &format!("merges «{subject}»"));
                }
            }
            _ => self.in_review = Some((waiting, self.now)),
        }
        Ok(())
    }

    /// The operator deploys one host after the other once the swap is open; without the wait, once one server has both.
    fn operate(&mut self) -> Result<(), DemoError> {
        let may = match self.state.step {
            Step::SwapOpen => true,
            Step::Prepublishing | Step::Waiting => {
                self.skip_wait && self.stage.is_served_by_first(&self.state.incoming)
            }
            _ => false,
        };
        if !may || self.deployed >= HOSTS.len() {
            return Ok(());
        }
        let due = *self.deploy_at.get_or_insert(
            self.now
                + if self.skip_wait {
                    Span::ZERO
                } else {
                    DEPLOYMENT
                },
        );
        if self.now < due {
            return Ok(());
        }
        let directory = self.stage.workspace.tls_keys(&self.id);
        self.stage.deploy(self.deployed, &directory)?;
        let host = HOSTS.get(self.deployed).copied().unwrap_or_default();
        self.say(
            "operator",
            &format!("deploys the new certificate on {host}"),
        );
        self.deployed = self.deployed.saturating_add(1);
        self.deploy_at = Some(
            self.now
                + if self.skip_wait {
                    Span::ZERO
                } else {
                    DEPLOYMENT
                },
        );
        Ok(())
    }

    /// Every sender sends one mail.
    fn mail(&mut self) {
        let now = self.now;
        let mut outcomes = Vec::new();
        for sender in &mut self.senders {
            let outcome = self.stage.runtime.block_on(sender.send(now));
            outcomes.push((sender.name.clone(), outcome));
        }
        for (name, outcome) in outcomes {
            self.report.sent = self.report.sent.saturating_add(1);
            match outcome {
                Outcome::Delivered(_) => {}
                Outcome::RefusedByDane(why) => {
                    self.report.refused = self.report.refused.saturating_add(1);
                    if self.report.refused <= 3 {
                        self.say("REFUSED", &format!("{name}: {why}"));
                    }
                }
                other => {
                    self.report.failed = self.report.failed.saturating_add(1);
                    self.say("FAILED", &format!("{name}: {other:?}"));
                }
            }
        }
    }
}
