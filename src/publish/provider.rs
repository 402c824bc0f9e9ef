//! A provider of DNS behind a program of the operator's: what is there and what shall be, as JSON (RFC 1035 §5.1 for records).
//!
//! The program reads one request from its standard input and writes one answer to its standard output:
//!
//! - `{"schema": "tlsa-rotate/provider/v1", "action": "show", "zone": "example.com.", "rrsets": [{"name": …, "type": …}, …]}`
//!   asks for RRsets as the provider itself holds them;
//! - `{…, "action": "change", "rrsets": [{"name": …, "type": …, "before": […], "ttl": 3600, "after": […]}, …]}` asks to put
//!   `after` where exactly `before` is; an empty list is no RRset. If something else is there, it changes nothing and ends
//!   with exit code 3.
//!
//! The answer to both is `{"rrsets": [{"name": …, "type": …, "ttl": 3600, "records": ["3 1 1 …"]}, …]}`: the RRsets that were
//! named, as they are then; those that do not exist may be left out. Exit code 0 says that it was done.

use super::command::{CommandError, Finished, Invocation, said};
use super::primary::RrsetChange;
use crate::files::secret;
use crate::rotation::timing::Ttl;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// How long a provider may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest answer read, in bytes.
const MAX_ANSWER: usize = 4 << 20;
const SCHEMA: &str = "tlsa-rotate/provider/v1";
/// "Something else is there."
const CHANGED: i32 = 3;

/// Why a provider's program could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It did not run to its end.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// It says that something else is there.
    #[error(
        "{zone} was not changed: someone else has changed the records meanwhile{}",
        told(said)
    )]
    Changed {
        /// The zone.
        zone: Name,
        /// What the program wrote on its standard error.
        said: String,
    },
    /// What is there after a change is not what was asked for.
    #[error(transparent)]
    NotAsAsked(Box<NotAsAsked>),
    /// Its answer is none.
    #[error("the answer of `{program}` cannot be used: {why}")]
    Answer {
        /// The program.
        program: String,
        /// What is wrong.
        why: String,
    },
}

/// What a provider made of a change instead of what was asked for.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{program}` was asked for {owner} {rtype} {} and answers that it is {} now{}",
    listed(asked),
    listed(there),
    self.aftermath()
)]
pub struct NotAsAsked {
    /// The program.
    program: String,
    /// Whose records.
    owner: Name,
    /// Of which type.
    rtype: Rtype,
    /// What it was asked for.
    asked: Vec<String>,
    /// What is there.
    there: Vec<String>,
    /// What was there before, was to stay, and is gone.
    lost: Vec<String>,
    /// Why what was there before could not be put back, if that was tried.
    put_back: Option<ProviderError>,
}

impl NotAsAsked {
    fn aftermath(&self) -> String {
        match &self.put_back {
            _ if self.lost.is_empty() => String::new(),
            None => ": what was there before was put back".to_owned(),
            Some(why) => format!(
                ": what was there before could not be put back ({why}), and senders refuse a host whose key is missing there"
            ),
        }
    }

    fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        if !self.lost.is_empty() && self.put_back.is_some() {
            hints.push(format!(
                "put these records back by hand now: {}",
                self.lost.join("; ")
            ));
        }
        hints.push("the program must replace the whole RRset by all the records of `after`, not by one of them; scripts/provider-powerdns shows how".to_owned());
        hints
    }
}

fn told(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(":\n{said}")
    }
}

fn listed(records: &[String]) -> String {
    if records.is_empty() {
        "without a record".to_owned()
    } else {
        format!("({})", records.join("; "))
    }
}

impl ProviderError {
    /// Whether the zone is not as it was asked to be, by the provider's own word.
    pub fn is_not_as_asked(&self) -> bool {
        matches!(self, Self::NotAsAsked(_))
    }

    /// Whether records are missing now that hosts may need.
    pub fn has_lost(&self) -> bool {
        matches!(self, Self::NotAsAsked(what) if !what.lost.is_empty())
    }

    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Command(error) => error.hints(),
            Self::NotAsAsked(what) => what.hints(),
            Self::Changed { .. } => vec![
                "nothing was changed; run again: the change is made anew from what is there now"
                    .to_owned(),
            ],
            Self::Answer { .. } => vec![
                "scripts/provider-powerdns shows what the program reads and what it must write"
                    .to_owned(),
            ],
        }
    }
}

#[derive(Serialize)]
struct Request<'a, T> {
    schema: &'static str,
    action: &'static str,
    zone: String,
    rrsets: &'a [T],
}

#[derive(Serialize)]
struct Wanted {
    name: String,
    r#type: String,
}

#[derive(Serialize)]
struct Change {
    name: String,
    r#type: String,
    before: Vec<String>,
    ttl: u32,
    after: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    rrsets: Vec<Shown>,
}

#[derive(Deserialize)]
struct Shown {
    name: String,
    r#type: String,
    ttl: u32,
    records: Vec<String>,
}

/// A provider, by the program that speaks for it.
#[derive(Clone, Copy, Debug)]
pub struct Provider<'a> {
    /// The program and its arguments.
    pub command: &'a [String],
    /// Where it runs.
    pub directory: &'a Path,
}

impl Provider<'_> {
    /// The RRsets of `zone` that are named, as the provider holds them.
    pub fn show(
        &self,
        zone: &Name,
        wanted: &[(Name, Rtype)],
    ) -> Result<Vec<Record>, ProviderError> {
        let rrsets: Vec<Wanted> = wanted
            .iter()
            .map(|(name, rtype)| Wanted {
                name: name.to_string(),
                r#type: rtype.to_string(),
            })
            .collect();
        let finished = self.run("show", zone, &rrsets)?;
        self.records(&finished)
    }

    /// Changes RRsets, each of which must be as it was before; what is there then must be what was asked for.
    ///
    /// Where a record is gone that was to stay, what was there before is put back at once.
    pub fn change(&self, zone: &Name, changes: &[RrsetChange]) -> Result<(), ProviderError> {
        let rrsets: Vec<Change> = changes.iter().map(to_change).collect();
        let finished = self.run("change", zone, &rrsets)?;
        let there = self.records(&finished)?;
        let mut wrong = None;
        let mut backwards = Vec::new();
        for (change, wanted) in changes.iter().zip(&rrsets) {
            let held = of_rrset(&there, change);
            let mut texts: Vec<String> = held.iter().map(|r| r.to_text(change.rtype)).collect();
            let mut after = wanted.after.clone();
            texts.sort();
            after.sort();
            if texts == after {
                continue;
            }
            let lost = wanted
                .before
                .iter()
                .filter(|record| after.contains(record) && !texts.contains(record));
            let lost: Vec<String> = lost.cloned().collect();
            if !lost.is_empty() {
                backwards.push(to_change(&back(change, held)));
            }
            wrong.get_or_insert_with(|| NotAsAsked {
                program: self.command.join(" "),
                owner: change.owner.clone(),
                rtype: change.rtype,
                asked: after,
                there: texts,
                lost,
                put_back: None,
            });
        }
        let Some(mut wrong) = wrong else {
            return Ok(());
        };
        if !backwards.is_empty() {
            wrong.put_back = self.put_back(zone, &backwards).err();
        }
        Err(ProviderError::NotAsAsked(Box::new(wrong)))
    }

    /// Brings RRsets back to what they were.
    fn put_back(&self, zone: &Name, changes: &[Change]) -> Result<(), ProviderError> {
        let finished = self.run("change", zone, changes)?;
        let there = self.records(&finished)?;
        for change in changes {
            let held: Vec<String> = there
                .iter()
                .filter(|r| {
                    r.owner.to_string() == change.name && r.rtype.to_string() == change.r#type
                })
                .map(|r| r.rdata.to_text(r.rtype))
                .collect();
            if let Some(missing) = change.after.iter().find(|record| !held.contains(record)) {
                return Err(self.wrong(&format!(
                    "{} {} still lacks {missing}",
                    change.name, change.r#type
                )));
            }
        }
        Ok(())
    }

    fn run<T: Serialize>(
        &self,
        action: &'static str,
        zone: &Name,
        rrsets: &[T],
    ) -> Result<Finished, ProviderError> {
        let request = Request {
            schema: SCHEMA,
            action,
            zone: zone.to_string(),
            rrsets,
        };
        let mut invocation = Invocation::new(self.command, self.directory, PATIENCE);
        invocation.input = serde_json::to_vec(&request).map_err(|e| self.wrong(&e.to_string()))?;
        invocation.limit = MAX_ANSWER;
        let finished = invocation.run_to_end()?;
        match finished.status.code() {
            Some(0) => Ok(finished),
            Some(CHANGED) if action == "change" => Err(ProviderError::Changed {
                zone: zone.clone(),
                said: said(&[], &finished.stderr),
            }),
            _ => Err(ProviderError::Command(CommandError::Failed {
                command: self.command.join(" "),
                status: finished.status,
                said: said(&finished.stdout, &finished.stderr),
            })),
        }
    }

    fn records(&self, finished: &Finished) -> Result<Vec<Record>, ProviderError> {
        if finished.truncated {
            return Err(self.wrong(&format!("it is longer than {MAX_ANSWER} bytes")));
        }
        let answer: Answer =
            serde_json::from_slice(&finished.stdout).map_err(|e| self.wrong(&e.to_string()))?;
        let mut records = Vec::new();
        for shown in answer.rrsets {
            let name = Name::parse(shown.name.as_bytes(), Some(&Name::root()))
                .map_err(|e| self.wrong(&format!("`{}`: {e}", shown.name)))?;
            let rtype: Rtype = shown
                .r#type
                .parse()
                .map_err(|_| self.wrong(&format!("`{}` is not a type", shown.r#type)))?;
            for text in &shown.records {
                let rdata = Rdata::from_text(rtype, text.as_bytes(), Some(&Name::root()))
                    .map_err(|e| self.wrong(&format!("{name} {rtype} `{text}`: {e}")))?;
                records.push(Record {
                    owner: name.clone(),
                    ttl: Ttl(shown.ttl),
                    rtype,
                    rdata,
                });
            }
        }
        Ok(records)
    }

    fn wrong(&self, why: &str) -> ProviderError {
        ProviderError::Answer {
            program: self.command.first().cloned().unwrap_or_default(),
            why: secret::shown(why),
        }
    }
}

fn of_rrset(records: &[Record], change: &RrsetChange) -> Vec<Rdata> {
    let of_rrset = |record: &&Record| record.owner == change.owner && record.rtype == change.rtype;
    let records = records.iter().filter(of_rrset);
    records.map(|record| record.rdata.clone()).collect()
}

/// The change that leads from `held` to what was there before `change`.
fn back(change: &RrsetChange, held: Vec<Rdata>) -> RrsetChange {
    let missing = change.before.iter().filter(|one| !held.contains(one));
    let surplus = held.iter().filter(|one| !change.before.contains(one));
    RrsetChange {
        added: missing.map(|one| (change.ttl, one.clone())).collect(),
        removed: surplus.cloned().collect(),
        before: held,
        ..change.clone()
    }
}

fn to_change(change: &RrsetChange) -> Change {
    let text = |rdata: &Rdata| rdata.to_text(change.rtype);
    let stays = change
        .before
        .iter()
        .filter(|rdata| !change.removed.contains(rdata));
    let comes = change.added.iter().map(|(_, rdata)| rdata);
    Change {
        name: change.owner.to_string(),
        r#type: change.rtype.to_string(),
        before: change.before.iter().map(text).collect(),
        ttl: change.ttl.0,
        after: stays.chain(comes).map(text).collect(),
    }
}
