//! The steps of a runbook as what people do: who, the commands to type, what is seen when it went right, and how to undo it.

use super::{By, Runbook};
use crate::report::by_hand;
use crate::rotation::guide::{AT_ONCE, CHAPTERS, Chapter, WAY_BACK};
use crate::rotation::step::Step;
use crate::rotation::timing::Instant;
use crate::rotation::wait::TimeGate;
use crate::workspace::ways::{Copied, How, Install, ZoneWay};

/// Where one step stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    /// Evidence says that it is done.
    Done,
    /// It has begun.
    UnderWay(Instant),
    /// The earliest time, and the gate of time before it.
    From(Instant, Option<TimeGate>),
    /// Something stops the rotation before it.
    Stopped,
}

/// One step.
pub(super) struct Block<'r> {
    pub(super) chapter: &'static Chapter,
    pub(super) standing: Standing,
    pub(super) who: By,
    /// What to type, or to do where a line begins with `#`.
    pub(super) commands: Vec<String>,
    /// What is seen when it went right.
    pub(super) right_when: String,
    /// Commands of other people's tools that show the same.
    pub(super) looks: Vec<String>,
    pub(super) undo: String,
    pub(super) diff: &'r str,
}

impl Runbook<'_> {
    /// The steps of the way that the rotation is on: those of the way back from where it is, where it was given up.
    pub(super) fn blocks(&self) -> Vec<Block<'_>> {
        for way in [&WAY_BACK[..], &AT_ONCE[..]] {
            let ahead = way.iter().skip_while(|(step, _)| *step != self.state.step);
            let blocks = ahead.map(|(step, chapter)| self.aside(*step, chapter));
            let blocks: Vec<Block<'_>> = blocks.collect();
            if !blocks.is_empty() {
                return blocks;
            }
        }
        CHAPTERS
            .iter()
            .map(|chapter| self.forward(chapter))
            .collect()
    }

    fn forward(&self, chapter: &'static Chapter) -> Block<'_> {
        let name = &self.ways.certificate;
        let standing = match self.when(chapter) {
            Some(when) => Standing::From(when.at, when.gate),
            None if self.is_under_way(chapter) => Standing::UnderWay(self.state.since),
            None if self.is_done(chapter) => Standing::Done,
            None => Standing::Stopped,
        };
        let (who, commands, right_when) = match chapter.number {
            1 => (
                By::You,
                vec![format!("tlsa-rotate start {name}")],
                "it prints the record of the next key, and where key and certificate lie"
                    .to_owned(),
            ),
            2 => (
                By::Program,
                vec![format!("# done by `tlsa-rotate start {name}`")],
                "the digest of the public key is the one in the record".to_owned(),
            ),
            3 => self.of_zones("publish", "every name server answers with both records"),
            4 => (
                By::Wait,
                vec![format!("tlsa-rotate check --swap {name}")],
                "it says yes; until then it says until when to wait".to_owned(),
            ),
            5 => self.installing(),
            6 => (
                By::Wait,
                vec![format!("tlsa-rotate status {name}")],
                "no run says that a person is needed (exit 3) or that mail is at risk (exit 4)"
                    .to_owned(),
            ),
            _ => self.of_zones(
                "retire",
                "every name server answers with the new record alone",
            ),
        };
        self.block(chapter, standing, (who, commands, right_when))
    }

    /// A step of the way back, or of an emergency.
    fn aside(&self, step: Step, chapter: &'static Chapter) -> Block<'_> {
        let standing = if step == self.state.step {
            Standing::UnderWay(self.state.since)
        } else {
            let reached = self.timeline.reaches(step);
            reached.map_or(Standing::Stopped, |at| Standing::From(at, None))
        };
        let said = match step {
            Step::Reinstating => {
                self.of_zones("reinstate", "every name server answers with both records")
            }
            Step::Reinstated => (
                By::Wait,
                vec![format!("tlsa-rotate status {}", self.ways.certificate)],
                "it asks for the previous key on the hosts".to_owned(),
            ),
            Step::RollingBack => self.returning(),
            Step::Replacing => self.at_once(),
            Step::Replaced => (
                By::Wait,
                vec![format!("tlsa-rotate status {}", self.ways.certificate)],
                "it says that the rotation is over".to_owned(),
            ),
            _ => self.of_zones(
                "withdraw",
                "every name server answers with the old record alone",
            ),
        };
        self.block(chapter, standing, said)
    }

    fn block(
        &self,
        chapter: &'static Chapter,
        standing: Standing,
        (who, commands, right_when): (By, Vec<String>, String),
    ) -> Block<'_> {
        let is_forward = CHAPTERS.iter().any(|one| one == chapter);
        let name = &self.ways.certificate;
        let mut undo = chapter.undo.to_owned();
        for command in ["abort", "rollback", "deploy", "start"] {
            let bare = format!("`tlsa-rotate {command}`");
            undo = undo.replace(&bare, &format!("`tlsa-rotate {command} {name}`"));
        }
        Block {
            chapter,
            standing,
            who,
            commands,
            right_when,
            looks: if is_forward {
                self.checks(chapter)
            } else {
                Vec::new()
            },
            undo,
            diff: if is_forward {
                self.diff_of(chapter)
            } else {
                ""
            },
        }
    }

    /// A change of the zones: proposed and merged, or made by the program.
    fn of_zones(&self, what: &str, right_when: &str) -> (By, Vec<String>, String) {
        let mut who = By::Program;
        let mut commands = vec!["tlsa-rotate advance".to_owned()];
        let mut told: Vec<&How> = Vec::new();
        for ZoneWay { zone, how } in &self.ways.zones {
            if told.contains(&how) {
                continue; // zones that share a branch are merged together
            }
            told.push(how);
            match how {
                How::Review {
                    branch,
                    base,
                    remote,
                } => {
                    who = By::Reviewer;
                    commands.extend(review(branch, base, remote.as_deref()));
                }
                How::Commit { base } => {
                    commands.push(format!("# it commits the change of {zone} to {base}"));
                }
                How::File => commands.push(format!("# it writes the zone file of {zone}")),
                How::Update(server) => {
                    commands.push(format!(
                        "# it sends the change of {zone} to {server} (RFC 2136)"
                    ));
                }
                How::Provider(program) => {
                    commands.push(format!(
                        "# it has `{program}` change {zone} at its provider"
                    ));
                }
            }
        }
        if who == By::Reviewer {
            commands.push("tlsa-rotate advance".to_owned());
        }
        let right_when = format!(
            "{right_when}; `tlsa-rotate status` says that `{what}` was merged and is served"
        );
        (who, commands, right_when)
    }

    fn installing(&self) -> (By, Vec<String>, String) {
        let name = &self.ways.certificate;
        let mut commands = vec![format!("tlsa-rotate check --swap {name}")];
        let who = match &self.ways.install {
            Install::Command(command) => {
                commands.push("tlsa-rotate advance".to_owned());
                commands.push(format!("# it runs `{command}`, host by host"));
                By::Program
            }
            Install::ByHand(files) => {
                commands.push(format!(
                    "# on each host, one after the other: {}; the paths are those of this machine",
                    self.host_names()
                ));
                commands.extend(files.iter().filter_map(kept));
                commands.extend(files.iter().map(copy));
                commands.push(
                    "# then make the mail server read them, such as: postfix reload".to_owned(),
                );
                By::You
            }
        };
        let hosts = self.state.endpoints.iter();
        commands.extend(hosts.map(|endpoint| format!("tlsa-rotate verify {endpoint}")));
        let right_when = "`check --swap` said yes right before, and `verify` says \"verified\" for each address and key type";
        (who, commands, right_when.to_owned())
    }

    /// Zones and hosts change together: nobody waits for the other.
    fn at_once(&self) -> (By, Vec<String>, String) {
        let right_when =
            "every name server answers with the new record alone, and every host presents its key";
        let (_, mut commands, _) = self.of_zones("replace", right_when);
        let (who, install, _) = self.installing();
        commands.extend(install);
        (who, commands, right_when.to_owned())
    }

    fn returning(&self) -> (By, Vec<String>, String) {
        let name = &self.ways.certificate;
        let mut commands = Vec::new();
        let who = if self.ways.puts_back {
            commands.push("tlsa-rotate advance".to_owned());
            By::Program
        } else {
            commands.push(format!(
                "# put the previous certificate and key back (the files .before) on each host: {}",
                self.host_names()
            ));
            By::You
        };
        commands.push(format!("tlsa-rotate status {name}"));
        (
            who,
            commands,
            "no host is named any more that lacks the previous key".to_owned(),
        )
    }

    fn host_names(&self) -> String {
        let mut hosts: Vec<&str> = self.state.endpoints.iter().map(|one| &*one.host).collect();
        hosts.dedup();
        hosts.join(", ")
    }

    /// Commands of other people's tools that show the same fact.
    pub(super) fn checks(&self, chapter: &Chapter) -> Vec<String> {
        let subject = by_hand::Subject {
            state: self.state,
            authorities: self.authorities,
            certificates: self.certificates,
        };
        subject.commands(chapter.number)
    }
}

/// How a person reviews and merges a proposal.
fn review(branch: &str, base: &str, remote: Option<&str>) -> Vec<String> {
    match remote {
        None => vec![
            format!("git diff {base}...{branch}"),
            format!("tlsa-rotate check --merge --base {base} --head {branch}"),
            format!("git switch {base} && git merge --no-edit {branch}"),
        ],
        Some(remote) => vec![
            format!("git fetch {remote}"),
            format!("git diff {remote}/{base}...{remote}/{branch}"),
            format!("tlsa-rotate check --merge --base {remote}/{base} --head {remote}/{branch}"),
            format!("# merge {branch} into {base} on your forge, or:"),
            format!(
                "git switch {base} && git pull --ff-only {remote} {base} && git merge --no-edit {remote}/{branch} && git push {remote} {base}"
            ),
        ],
    }
}

/// The way back needs what was there before.
fn kept(file: &Copied) -> Option<String> {
    let to = file.to.as_deref()?;
    Some(format!("cp -p {to} {to}.before"))
}

fn copy(file: &Copied) -> String {
    let Copied { from, to, is_key } = file;
    let mode = if *is_key { "600" } else { "644" };
    match to {
        Some(to) => format!("install -m {mode} {from} {to}"),
        None => format!("# put {from} where the mail server reads it (mode {mode})"),
    }
}
