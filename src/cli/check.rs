//! `check`: health of what is rotated, and gates for other programs: `--merge` for the CI of the zone repository, `--swap`
//! for hooks of ACME clients.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::Format;
use super::{Global, nagios};
use crate::rotation::blocker::Blocker;
use crate::rotation::decide::Action;
use crate::rotation::gate::{self, Wanted};
use crate::rotation::observation::Endpoint;
use crate::rotation::step::{Event, Step};
use crate::workflow::advance::{self, Mode, Tick};
use crate::workflow::deploy::next_files;
use crate::workflow::others_recorded;
use crate::workspace::Workspace;
use crate::workspace::config::CertificateConfig;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::io::Write as _;

/// Prerequisites and health of what is rotated. With --merge or --swap, a gate that other programs ask before they go
/// on: exit code 0 is the only yes.
#[derive(Debug, Args)]
#[command(after_help = super::check_health::HELP)]
#[command(group(clap::ArgGroup::new("gate").args(["merge", "swap"])))]
pub(crate) struct Check {
    #[command(flatten)]
    health: super::check_health::Health,
    /// Whether a pull request of the zone repository may be merged: nothing that a rotation requires gets lost, no host's
    /// mail is refused or led away, and a proposal is what would be proposed again now
    #[arg(long)]
    merge: bool,
    /// What it is merged into [default: origin/HEAD; HEAD where --head is given]
    #[arg(long, value_name = "REV", requires = "merge", conflicts_with = "swap")]
    pub(super) base: Option<String>,
    /// Its last commit [default: HEAD]
    #[arg(long, value_name = "REV", requires = "merge", conflicts_with = "swap")]
    pub(super) head: Option<String>,
    /// Whether the next certificate of NAME may be deployed now: the swap is open, and every server was seen to serve
    /// both records in this very run
    #[arg(long, value_name = "NAME")]
    swap: Option<String>,
    /// With --swap: ask for this host alone, where not all may have it yet or they take turns
    #[arg(long, value_name = "HOST", requires = "swap")]
    host: Option<String>,
    #[command(flatten)]
    pub(super) format: Format<CheckFormat>,
}

/// What `check` prints, health and gates alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    /// For people.
    Text,
    /// For programs; carries a `schema` key.
    Json,
    /// For a comment on a request.
    Markdown,
    /// One line and an exit code for Nagios and its kin.
    Nagios,
}

impl CheckFormat {
    /// The exit code that readers of this format expect.
    pub(super) fn exit(self, exit: Exit) -> Exit {
        match self {
            Self::Nagios => nagios::exit(exit),
            _ => exit,
        }
    }
}

/// Text from files stands in a table's cell, in which neither a backtick nor a bar can end anything.
pub(super) fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

pub(super) fn code(text: &str) -> String {
    text.replace('`', "'").replace('\n', " ")
}

pub(crate) fn run(args: &Check, global: &Global) -> Result<Exit, Failure> {
    match &args.swap {
        Some(name) => swap((name, args.host.as_deref()), args.format.0, global),
        None if args.merge => super::check_merge::run(args, global),
        None => super::check_health::run(&args.health, args.format.0, global),
    }
}

/// Looks as `status` does and changes nothing; the machine asks for a deployment only in a run that saw it to be safe.
pub(super) fn swap(
    (name, host): (&str, Option<&str>),
    format: CheckFormat,
    global: &Global,
) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let names = [name.to_owned()];
    // What a run would establish counts, too: a server that went back, a host that joined.
    let ticks = advance::advance(
        &workspace,
        &names,
        &global.present(&workspace),
        Mode::Rehearse,
    )?;
    let Some(mut tick) = ticks.into_iter().next() else {
        return Err(Failure::wrong("nothing was looked at"));
    };
    let mut waits = held_back(&workspace, &mut tick, (name, host), global)?;
    let is_open = is_open(&tick, host) && waits.is_empty();
    if waits.is_empty() && !is_open && step_of(&tick).is_some_and(lets_deploy) {
        waits.extend(host.and_then(|host| turn(&tick, host)));
    }
    let step = step_of(&tick);
    let turn = host.map_or_else(|| turns(&tick).join(", "), ToOwned::to_owned);
    let key = tick.rotation.as_ref().map(|(id, state)| {
        let keys: Vec<String> = state.incoming.iter().map(ToString::to_string).collect();
        let files = next_files(&workspace, id, state);
        (keys, files.directory)
    });
    let decision = tick.decision.unwrap_or_default();
    let alarms = decision.alarms.iter().map(ToString::to_string);
    // That a host has the key in use is no reason to leave it there.
    let against = |blocker: &&Blocker| {
        let Blocker::WrongKey {
            incoming_wanted, ..
        } = blocker
        else {
            return true;
        };
        !incoming_wanted
    };
    let blockers = decision.blockers.iter().filter(against);
    let blockers = blockers.map(ToString::to_string);
    let reasons: Vec<String> = alarms.chain(waits).chain(blockers).collect();
    let mut out = super::stdout();
    let stands = step.map_or("no rotation".to_owned(), |step| step.to_string());
    let exit = match (is_open, decision.alarms.is_empty()) {
        (true, _) => Exit::Done,
        (false, true) => Exit::PersonNeeded,
        (false, false) => Exit::DeliveryAtRisk,
    };
    let answer = if is_open {
        format!("{name}: deploy now on {turn} ({stands})")
    } else {
        format!("{name}: do not deploy ({stands})")
    };
    match format {
        CheckFormat::Text => {
            writeln!(out, "{answer}")?;
            if let Some((keys, directory)) = key.filter(|_| is_open) {
                writeln!(out, "  key    {}", keys.join(", "))?;
                writeln!(out, "  files  {}", directory.display())?;
            }
        }
        CheckFormat::Json => {
            let (keys, directory) = key.unzip();
            let body = json!({
                "certificate": name,
                "keys": keys,
                "files": directory,
                "step": step.map(Step::name),
                "may_be_deployed": is_open,
                "reasons": if is_open { Vec::new() } else { reasons.clone() },
            });
            Schema::CheckSwap.write(&mut out, body)?;
        }
        CheckFormat::Markdown => writeln!(out, "**tlsa-rotate**: {}.", code(&answer))?,
        CheckFormat::Nagios => writeln!(out, "{}", nagios::line(exit, &answer))?,
    }
    out.flush()?;
    if is_open {
        return Ok(exit);
    }
    for reason in &reasons {
        eprintln!("because: {reason}");
    }
    if !step.is_some_and(lets_deploy) {
        eprintln!(
            "because: the next certificate may be deployed in the step SwapOpen only, and the rotation stands at {stands}"
        );
    }
    Ok(format.exit(exit))
}

/// What keeps the next key from being installed, whatever the step.
fn held_back(
    workspace: &Workspace,
    tick: &mut Tick,
    (name, host): (&str, Option<&str>),
    global: &Global,
) -> Result<Vec<String>, Failure> {
    let mut waits = waits(workspace, tick, host);
    match tick.failed.take() {
        Some(error) if error.is_of_handing_on() => waits.push(error.to_string()),
        // That a job waits for a review is no answer to this question.
        Some(error) if error.is_of_a_job() => eprintln!("note: {error}"),
        Some(error) => return Err(error.into()),
        None => {}
    }
    if !global.rehearses_in(workspace) {
        waits.extend(others_recorded(workspace, name, global.now()));
    }
    if tick.rests {
        waits.push(format!(
            "{name} is paused: nothing is deployed before `tlsa-rotate resume {name}`"
        ));
    }
    if global.rehearses_in(workspace) {
        waits.push(
            "--now asks for another time, and by that nothing is deployed: this is a rehearsal"
                .to_owned(),
        );
    }
    Ok(waits)
}

/// The steps in which hosts are given the next certificate; where security goes first, as soon as it is published.
fn lets_deploy(step: Step) -> bool {
    matches!(step, Step::SwapOpen | Step::Replacing | Step::Replaced)
}

/// Whether the swap is open, as it was recorded and as it is seen in this run; with `host`, whether it is that host's turn.
fn is_open(tick: &Tick, host: Option<&str>) -> bool {
    let at_it = step_of(tick).is_some_and(lets_deploy);
    let is_asked = |action: &Action| match (action, host) {
        (Action::Deploy(_), None) => true,
        (Action::Deploy(endpoints), Some(host)) => {
            endpoints.iter().any(|endpoint| endpoint.host == host)
        }
        _ => false,
    };
    let decision = tick.decision.as_ref();
    at_it && decision.is_some_and(|decision| decision.actions.iter().any(is_asked))
}

/// Why not this host now, where others may have the next key.
fn turn(tick: &Tick, host: &str) -> Option<String> {
    let (_, state) = tick.rotation.as_ref()?;
    let lacks = gate::not_presenting(state, tick.observation.as_ref()?, Wanted::Incoming);
    if !lacks.iter().any(|endpoint| endpoint.host == host) {
        return Some(format!(
            "{host} presents the next key already, or is no host of it"
        ));
    }
    let turn = turns(tick);
    (!turn.is_empty()).then(|| format!("it is the turn of {} (policy concurrent)", turn.join(", ")))
}

/// The hosts that are to get the next key now.
fn turns(tick: &Tick) -> Vec<String> {
    let actions = tick.decision.iter().flat_map(|decision| &decision.actions);
    let turn = actions.filter_map(|action| match action {
        Action::Deploy(endpoints) => Some(endpoints),
        _ => None,
    });
    turn.flatten().map(ToString::to_string).collect()
}

/// Where the rotation stands: an opening that no run has recorded yet opens nothing.
fn step_of(tick: &Tick) -> Option<Step> {
    let (_, state) = tick.rotation.as_ref()?;
    Some(if tick.events.contains(&Event::SwapOpened) {
        Step::Waiting
    } else {
        state.step
    })
}

/// The hosts that must not have the next key yet, though others may: who asks for the certificate as a whole is told no.
fn waits(workspace: &Workspace, tick: &Tick, host: Option<&str>) -> Vec<String> {
    let Some((id, state)) = &tick.rotation else {
        return Vec::new();
    };
    let configured = workspace.config.certificate(&tick.certificate);
    let endpoints = configured
        .into_iter()
        .flat_map(CertificateConfig::endpoints);
    let is_meant = |endpoint: &Endpoint| host.is_none_or(|host| endpoint.host == host);
    let mut waits = Vec::new();
    let files = next_files(workspace, id, state);
    if !files.are_right {
        waits.push(files.to_string());
    }
    if tick.events.contains(&Event::SwapOpened) {
        waits.push("the wait is over, and no run has recorded it yet: `tlsa-rotate advance` opens the swap".to_owned());
    }
    for endpoint in endpoints.filter(is_meant) {
        if state.left.get(&endpoint).is_some_and(|left| left.asked) {
            waits.push(format!(
                "{endpoint} was let go (`tlsa-rotate forget`): {id} goes on without it, and the next rotation takes it in again (`--host` asks for the others)"
            ));
        } else if !state.endpoints.contains(&endpoint) {
            let when = if state.step <= Step::Verified {
                "`tlsa-rotate advance` takes it in"
            } else {
                "the next rotation takes it in"
            };
            waits.push(format!(
                "{endpoint} is configured and not part of {id}: {when}"
            ));
        } else if state.joining.contains_key(&state.name_of(&endpoint)) {
            waits.push(format!(
                "{endpoint} joined later: its own wait is not over (`--host` asks for the others)"
            ));
        }
    }
    waits
}
