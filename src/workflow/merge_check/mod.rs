//! Use case `check --merge`: may this pull request be merged? The pre-merge gate of the zone repository (review rule R1).
//!
//! The base judges, never the request: its configuration says where the journals are, whom to ask and what is protected. What
//! is judged is what the merge makes of the base, not whether the request stands on its tip. What is required is replayed
//! from the journals, by the machine's own table: a required association that the base holds must stay (R2), what has left for
//! good must not come back, and a proposal must be that of the present step, as it would be proposed again now. Every
//! configured host, rotating or not, is held against what senders would be answered, and against what it presents now. Where
//! the journals cannot be had nothing can be told, and that is no yes.

mod answer_finding;
mod answered;
mod finding;
mod finding_text;
mod journals;
pub(super) mod merged;
mod presented;
mod programs;
mod proposed;
mod remarks;
mod required;
mod serials;
mod setting_finding;
mod settings;
mod signers;
mod tree;
mod way;
mod weaker;
mod whole_zones;

pub use answer_finding::AnswerFinding;
pub use finding::{Finding, Severity};
pub use setting_finding::SettingFinding;

use super::WorkflowError;
use crate::publish::git::{Entry, Merged, Repository};
use crate::rotation::step::Rotation;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;
use answered::Both;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tree::{Tree, Zones};
use way::Side;

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
    /// The rotations whose steps it brings.
    pub at_hand: BTreeSet<RotationId>,
    /// What other requests are to bring, as before.
    pub open: Vec<(RotationId, String)>,
    /// Why it must not be merged as it is; empty: it may be.
    pub findings: Vec<Finding>,
    /// What a reviewer should know beside it.
    pub notes: Vec<String>,
}

impl Verdict {
    fn object(&mut self, finding: AnswerFinding) {
        self.findings.push(Finding::Answers(Box::new(finding)));
    }

    fn refuse(&mut self, finding: SettingFinding) {
        self.findings.push(Finding::Settings(Box::new(finding)));
    }
}

/// What is judged.
struct Request<'r> {
    repository: &'r Repository,
    base: Tree,
    /// What the merge makes of the base.
    head: Tree,
    /// The request's own last commit.
    tip: &'r str,
    /// What differs between the two.
    entries: Vec<Entry>,
    changed: BTreeSet<PathBuf>,
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
    let told = journals::rotations(&by_base.workspace, &repository, (&told.0, now))?;
    let (base, tip) = (repository.resolve(base)?, repository.resolve(head)?);
    let mut verdict = Verdict {
        base: base.clone(),
        head: tip.clone(),
        source: told.source,
        upheld: told.rotations,
        at_hand: BTreeSet::new(),
        open: Vec::new(),
        findings: settings::empty_journals(told.empty),
        notes: Vec::new(),
    };
    let tree = match repository.merge_base(&base, &tip)? {
        Some(_) => repository.merged(&base, &tip)?,
        None => Merged::Conflicts(Vec::new()),
    };
    let tree = match tree {
        Merged::Tree(tree) => tree,
        Merged::Conflicts(paths) => {
            let root = repository.root();
            let shown = paths.iter().map(|path| shown(root, path)).collect();
            verdict.findings.push(Finding::Conflicts { touched: shown });
            return Ok(verdict);
        }
    };
    let entries = repository.entries_changed(&base, &tree)?;
    if entries.is_empty() {
        let note = "it changes nothing that the base does not have already";
        verdict.notes.push(note.to_owned());
    }
    let request = Request {
        changed: entries.iter().map(|entry| entry.path.clone()).collect(),
        entries,
        base: Tree::of_base(workspace, &repository, (&base, &tree))?,
        head: Tree::of_merge(workspace, &repository, (&base, &tree))?,
        tip: &tip,
        repository: &repository,
        now,
    };
    request.judge(&mut verdict)?;
    Ok(verdict)
}

impl Request<'_> {
    fn judge(&self, verdict: &mut Verdict) -> Result<(), WorkflowError> {
        let before = self.base.zones(self.repository, None)?;
        let kept = (&before, &self.changed);
        let after = self.head.zones(self.repository, Some(kept))?;
        self.broken((&before, &after), verdict);
        settings::judge(self, (&before, &after), verdict)?;
        let both = Both {
            before: self.base.side(&before),
            after: self.head.side(&after),
        };
        let (before, after) = (&before.read, &after.read);
        self.serials(before, after, verdict);
        for (id, state) in verdict.upheld.clone() {
            for name in state.names() {
                self.rrset(&id, &state, name, both, verdict);
            }
            presented::judge(self, (&id, &state), (before, after), verdict);
        }
        answered::judge(self, both, verdict);
        verdict.notes.extend(remarks::remarks(both));
        proposed::judge(self, both, verdict)
    }

    /// Zones that cannot be read after the merge; where the base is as bad, and the request leaves them alone, it is told.
    fn broken(&self, (before, after): (&Zones, &Zones), verdict: &mut Verdict) {
        for (zone, findings) in &after.broken {
            let configured = self.head.workspace.config.zones.iter();
            let mut files = configured
                .filter(|one| one.name == *zone)
                .flat_map(|one| std::iter::once(&one.file).chain(&one.included));
            let is_touched = files.any(|file| self.changed.contains(file));
            if is_touched || !before.broken.contains_key(zone) {
                verdict.findings.push(Finding::NotAZone {
                    zone: zone.clone(),
                    findings: findings.clone(),
                });
            } else {
                verdict.notes.push(format!(
                    "zone {zone} cannot be read, and could not before: nothing is said of its hosts"
                ));
            }
        }
    }

    /// A path as people name it.
    fn shown(&self, path: &Path) -> PathBuf {
        shown(self.repository.root(), path)
    }
}

impl Tree {
    fn side<'s>(&'s self, zones: &'s Zones) -> Side<'s> {
        Side {
            zones: &zones.read,
            config: &self.workspace.config,
            broken: &zones.broken,
        }
    }
}

fn shown(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}
