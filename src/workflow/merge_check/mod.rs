//! Use case `check --merge`: may this pull request be merged? The pre-merge gate of the zone repository (review rule R1).
//!
//! What is required is replayed from the journals, by the machine's own table: no file that a pull request could edit says
//! it. A required association that the base holds must stay (R2), what has left for good must not come back, a proposal
//! must be that of the present step, on the tip of the base, and the same octets that would be proposed again now. Where
//! the journals cannot be had nothing can be told, and that is no yes. What takes a record away is also held against what
//! the hosts present now.

mod finding;
mod journals;
mod presented;
mod proposed;

pub use finding::{Finding, Severity};

use super::WorkflowError;
use super::head::{self, Head};
use crate::publish::git::Repository;
use crate::rotation::association::Association;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::Rotation;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{Config, Publication, ZoneConfig};
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a pull request was found to be.
#[derive(Debug)]
pub struct Verdict {
    /// The commit that it is merged into.
    pub base: String,
    /// Its own last commit.
    pub head: String,
    /// Where the requirements are from, in words.
    pub source: String,
    /// Which rotations require something, in which step, with how many RRsets.
    pub upheld: Vec<(RotationId, Rotation)>,
    /// Why it must not be merged as it is; empty: it may be.
    pub findings: Vec<Finding>,
    /// What a reviewer should know beside it.
    pub notes: Vec<String>,
}

/// One of the two trees: a commit, read by its own configuration.
struct Tree {
    commit: String,
    workspace: Workspace,
}

/// What is judged.
struct Request<'r> {
    repository: &'r Repository,
    base: Tree,
    head: Tree,
    changed: Vec<PathBuf>,
    now: Instant,
}

/// Judges the merge of revision `head` into revision `base`.
pub fn merge_check(
    workspace: &Workspace,
    (base, head): (&str, &str),
    now: Instant,
) -> Result<Verdict, WorkflowError> {
    let repository = Repository::discover(&workspace.config_path)?;
    let told = (repository.resolve(base)?, repository.resolve(head)?);
    let by_base = Tree::of_base(workspace, &repository, (&told.0, &told.1))?;
    // First, because it fetches: the base is then what it is now.
    let journals::Told { rotations, source } =
        journals::rotations(&by_base.workspace, &repository, &told.0)?;
    let (base, head) = (repository.resolve(base)?, repository.resolve(head)?);
    let fork = repository.merge_base(&base, &head)?;
    let request = Request {
        changed: repository.differing(fork.as_deref().unwrap_or(&base), &head)?,
        base: Tree::of_base(workspace, &repository, (&base, &head))?,
        head: Tree::of(workspace, &repository, &head)?,
        repository: &repository,
        now,
    };
    let mut verdict = Verdict {
        base: base.clone(),
        head,
        source,
        upheld: rotations,
        findings: Vec::new(),
        notes: Vec::new(),
    };
    let is_current = fork.as_deref() == Some(&*base);
    request.judge(is_current, &mut verdict)?;
    Ok(verdict)
}

impl Tree {
    /// Reads the configuration by which a request is judged: that of the base. What is checked out may be the request, and
    /// says nothing of where the journals are, nor whom to ask, nor what to run.
    fn of_base(
        workspace: &Workspace,
        repository: &Repository,
        (base, head): (&str, &str),
    ) -> Result<Self, WorkflowError> {
        let path = &workspace.config_path;
        let is_at = |commit| Ok::<_, WorkflowError>(repository.file_at(commit, path)?.is_some());
        if !is_at(base)? && is_at(head)? {
            return Err(WorkflowError::ConfigAt {
                commit: base.to_owned(),
                path: path.clone(),
                reason: "the base does not hold it, and the request brings it along".to_owned(),
            });
        }
        Self::of(workspace, repository, base)
    }

    /// Reads the configuration that `commit` holds; a pull request may have changed it.
    fn of(
        workspace: &Workspace,
        repository: &Repository,
        commit: &str,
    ) -> Result<Self, WorkflowError> {
        let mut workspace = workspace.clone();
        let wrong = |reason: String| WorkflowError::ConfigAt {
            commit: commit.to_owned(),
            path: workspace.config_path.clone(),
            reason,
        };
        // A configuration that is not in git is the operator's own; it holds for every tree.
        if let Some(octets) = repository.file_at(commit, &workspace.config_path)? {
            let text = String::from_utf8(octets).map_err(|e| wrong(e.to_string()))?;
            let told = |problems: Vec<crate::workspace::config::Problem>| {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                wrong(problems.join("; "))
            };
            workspace.config = Config::parse(&text, &workspace.root).map_err(told)?;
        }
        Ok(Self {
            commit: commit.to_owned(),
            workspace,
        })
    }

    fn zone_of(&self, tlsa: &TlsaName) -> Option<&ZoneConfig> {
        let name = Name::parse(tlsa.as_str().as_bytes(), None).ok()?;
        self.workspace.config.zone_of(&name)
    }

    /// The TLSA RRset at a name, as the zones of this tree hold it.
    fn rrset(
        &self,
        zones: &BTreeMap<Name, Head>,
        tlsa: &TlsaName,
    ) -> Option<BTreeSet<Association>> {
        let zone = self.zone_of(tlsa)?;
        let owner = Name::parse(tlsa.as_str().as_bytes(), None).ok()?;
        let head = zones.get(&zone.name)?;
        Some(head::associations(&head.content, &owner))
    }

    fn read(&self, repository: &Repository, zone: &ZoneConfig) -> Result<Head, WorkflowError> {
        head::at_commit(&self.workspace, zone, repository, &self.commit)
    }
}

impl Request<'_> {
    fn judge(&self, is_current: bool, verdict: &mut Verdict) -> Result<(), WorkflowError> {
        let before = self.zones(&self.base, verdict)?;
        if !is_current {
            return self.judge_behind(&before, verdict);
        }
        let after = self.zones(&self.head, verdict)?;
        self.serials(&before, &after, verdict);
        for (id, state) in verdict.upheld.clone() {
            for name in state.names() {
                self.rrset(&id, &state, name, (&before, &after), verdict);
            }
            presented::judge(self, (&id, &state), (&before, &after), verdict);
        }
        presented::judge_at_rest(self, (&before, &after), verdict);
        proposed::judge(self, &before, verdict)
    }

    /// The tree that would be merged is known only on the tip of the base. What touches no zone changes none.
    fn judge_behind(
        &self,
        before: &BTreeMap<Name, Head>,
        verdict: &mut Verdict,
    ) -> Result<(), WorkflowError> {
        let sources = before.values().flat_map(|head| head.file.sources());
        let mut watched: BTreeSet<PathBuf> =
            sources.map(|source| PathBuf::from(&*source.path)).collect();
        watched.insert(self.base.workspace.config_path.clone());
        let zones = &self.head.workspace.config.zones;
        let files = zones
            .iter()
            .flat_map(|zone| std::iter::once(&zone.file).chain(&zone.included));
        watched.extend(files.cloned());
        let touched: Vec<PathBuf> = self
            .changed
            .iter()
            .filter(|path| watched.contains(*path))
            .map(|path| self.shown(path))
            .collect();
        proposed::judge_step(self, verdict)?;
        if touched.is_empty() {
            let note =
                "it is not based on the tip of the base, and changes no zone: nothing to compare";
            verdict.notes.push(note.to_owned());
        } else {
            verdict.findings.push(Finding::BaseMoved { touched });
        }
        Ok(())
    }

    /// The zones that rotations are in, and those that the request changes, as one of the trees holds them.
    fn zones(
        &self,
        tree: &Tree,
        verdict: &mut Verdict,
    ) -> Result<BTreeMap<Name, Head>, WorkflowError> {
        let names: Vec<&TlsaName> = verdict
            .upheld
            .iter()
            .flat_map(|(_, state)| state.names())
            .collect();
        let needed = |zone: &&ZoneConfig| {
            let of_rotation = |name: &&TlsaName| {
                tree.zone_of(name)
                    .is_some_and(|home| home.name == zone.name)
            };
            let mut files = std::iter::once(&zone.file).chain(&zone.included);
            zone.publication != Publication::File
                && (files.any(|file| self.changed.contains(file)) || names.iter().any(of_rotation))
        };
        let mut zones = BTreeMap::new();
        for zone in tree.workspace.config.zones.iter().filter(needed) {
            match tree.read(self.repository, zone) {
                Ok(head) => {
                    zones.insert(zone.name.clone(), head);
                }
                Err(WorkflowError::NotCommitted { .. }) => {}
                Err(WorkflowError::Zone(findings)) if tree.commit == self.head.commit => {
                    let zone = zone.name.clone();
                    verdict.findings.push(Finding::NotAZone { zone, findings });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(zones)
    }

    /// A serial never goes back (RFC 1982), or no secondary would fetch the zone.
    fn serials(
        &self,
        before: &BTreeMap<Name, Head>,
        after: &BTreeMap<Name, Head>,
        verdict: &mut Verdict,
    ) {
        for (zone, after) in after {
            let Some(before) = before.get(zone) else {
                continue;
            };
            let serial = |head: &Head| head.content.soa().map_or(0, |soa| soa.serial);
            let (from, to) = (serial(before), serial(after));
            match crate::zone::serial::compare(to, from) {
                Some(Ordering::Greater) => {}
                Some(Ordering::Equal) if before.content == after.content => {}
                // The serial stands in a file that is not ours, and whoever signs the zone counts for himself.
                Some(Ordering::Equal) if self.only_ours_changes(zone, before, after) => {}
                Some(Ordering::Equal) => verdict.notes.push(format!(
                    "zone {zone} changes under the same serial {from}: secondaries fetch it only when it has moved"
                )),
                _ => verdict.findings.push(Finding::SerialBack {
                    zone: zone.clone(),
                    from,
                    to,
                }),
            }
        }
    }

    /// Whether the text of a zone differs in the included file alone that is ours.
    fn only_ours_changes(&self, zone: &Name, before: &Head, after: &Head) -> bool {
        let mut zones = self.head.workspace.config.zones.iter();
        let ours = zones.find(|configured| configured.name == *zone);
        let Some(ours) = ours.and_then(|zone| zone.included.as_ref()) else {
            return false;
        };
        let others = |head: &Head| -> Vec<(String, Arc<Vec<u8>>)> {
            let sources = head.file.sources().iter();
            let others = sources.filter(|source| Path::new(&source.path) != ours.as_path());
            others
                .map(|source| (source.path.clone(), Arc::clone(&source.bytes)))
                .collect()
        };
        others(before) == others(after)
    }

    /// What a rotation requires of one RRset (R2): what the base holds of it must stay, what is to leave must not come.
    fn rrset(
        &self,
        id: &RotationId,
        state: &Rotation,
        name: &TlsaName,
        (before, after): (&BTreeMap<Name, Head>, &BTreeMap<Name, Head>),
        verdict: &mut Verdict,
    ) {
        let Some(was) = self.base.rrset(before, name) else {
            verdict.notes.push(format!(
                "{name}, which {id} rotates, is in no zone of the base"
            ));
            return;
        };
        let Some(becomes) = self.head.rrset(after, name) else {
            // A zone that cannot be read is a finding of its own.
            let unreadable = |finding: &Finding| matches!(finding, Finding::NotAZone { .. });
            if !verdict.findings.iter().any(unreadable) {
                verdict.findings.push(Finding::ZoneLeft {
                    id: id.clone(),
                    name: name.clone(),
                });
            }
            return;
        };
        let requirement = state.requirement();
        if state.is_over() && becomes.is_empty() && !was.is_empty() {
            let note =
                format!("{name} has no TLSA record any more: mail to it is sent without DANE");
            verdict.notes.push(note);
            return;
        }
        for association in requirement.missing_in(&becomes) {
            if was.contains(association) {
                verdict.findings.push(Finding::Lost {
                    id: id.clone(),
                    step: state.step,
                    name: name.clone(),
                    association: association.clone(),
                });
            } else {
                verdict
                    .notes
                    .push(open(id, state, name, "lacks", association));
            }
        }
        for association in requirement.unwanted_in(&becomes) {
            if was.contains(association) {
                verdict
                    .notes
                    .push(open(id, state, name, "still holds", association));
            } else {
                verdict.findings.push(Finding::Unwanted {
                    id: id.clone(),
                    step: state.step,
                    name: name.clone(),
                    association: association.clone(),
                });
            }
        }
    }

    /// A path as people name it.
    fn shown(&self, path: &Path) -> PathBuf {
        let root = self.repository.root();
        path.strip_prefix(root).unwrap_or(path).to_owned()
    }
}

/// What neither tree has yet: another request brings it.
fn open(
    id: &RotationId,
    state: &Rotation,
    name: &TlsaName,
    how: &str,
    association: &Association,
) -> String {
    format!(
        "{name} {how} {}, as it did before: {id} ({}) proposes it in a request of its own",
        association.short(),
        state.step
    )
}
