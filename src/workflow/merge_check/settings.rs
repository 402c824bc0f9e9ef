//! What a request makes of the configuration, and of the places where files and journals lie. The base judges: nothing of it
//! holds before it is merged, and whoever merges it is told what then does.

use super::finding::Finding;
use super::programs;
use super::setting_finding::SettingFinding;
use super::signers;
use super::tree::Zones;
use super::weaker::{self, Of, Weaker};
use super::{Request, Verdict};
use crate::files::secret;
use crate::publish::git::{Entry, EntryKind};
use crate::workflow::WorkflowError;
use crate::workspace::ROTATION_KEYS;
use crate::workspace::config::{Signing, ZoneConfig};
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Judges the configuration and the places of files.
pub(super) fn judge(
    request: &Request<'_>,
    (before, after): (&Zones, &Zones),
    verdict: &mut Verdict,
) -> Result<(), WorkflowError> {
    configuration(request, verdict);
    let both = [&request.base.workspace, &request.head.workspace].map(|side| &side.config);
    let root = &request.base.workspace.root;
    tell(
        programs::changed(&request.entries, root, both),
        request,
        verdict,
    );
    verdict.notes.extend(signers::changed(request)?);
    places(request, before, verdict);
    attributes(request, before, verdict)?;
    secrets(request, verdict)?;
    line_ends(request, (before, after), verdict);
    let still_configured = |zone: &Name| {
        let mut zones = request.head.workspace.config.zones.iter();
        zones.any(|other| other.name == *zone && other.publication.is_git())
    };
    let gone = before.read.keys().filter(|zone| {
        !after.read.contains_key(*zone)
            && !after.broken.contains_key(*zone)
            && still_configured(zone)
    });
    for zone in gone {
        verdict.refuse(SettingFinding::ZoneGone { zone: zone.clone() });
    }
    Ok(())
}

fn configuration(request: &Request<'_>, verdict: &mut Verdict) {
    let path = &request.base.workspace.config_path;
    let touched = request.entries.iter().find(|entry| entry.path == *path);
    let Some(entry) = touched else { return };
    if entry.kind.is_none() {
        let path = request.shown(path);
        return verdict.refuse(SettingFinding::ConfigGone { path });
    }
    let (before, after) = (
        &request.base.workspace.config,
        &request.head.workspace.config,
    );
    for zone in &before.zones {
        let Some(remote) = &zone.remote else { continue };
        let mut zones = after.zones.iter();
        let other = zones.find(|other| other.name == zone.name);
        if other.is_some_and(|other| other.remote.as_ref() != Some(remote)) {
            verdict.refuse(SettingFinding::RemoteLost {
                zone: zone.name.clone(),
                remote: remote.clone(),
            });
        }
    }
    let weaker = weaker::all(before, after);
    if before != after {
        verdict.notes.push(format!(
            "it changes the configuration {}, of which nothing holds for this check: that of the base does",
            request.shown(path).display()
        ));
    }
    tell(weaker, request, verdict);
}

/// Refuses what a rotation under way goes by; the rest is for whoever reviews it.
fn tell(all: Vec<Weaker>, request: &Request<'_>, verdict: &mut Verdict) {
    for one in all {
        match concerned(request, verdict, &one) {
            Some(id) => verdict.refuse(SettingFinding::Weaker {
                id,
                what: one.to_string(),
            }),
            None => verdict.notes.push(format!("weaker, or another: {one}")),
        }
    }
}

/// The rotation under way that goes by a setting.
fn concerned(request: &Request<'_>, verdict: &Verdict, weaker: &Weaker) -> Option<RotationId> {
    if !weaker.is_grave {
        return None;
    }
    let mut running = verdict.upheld.iter().filter(|(_, state)| !state.is_over());
    let is_of = |of: &Of, id: &RotationId, names: &BTreeSet<_>| match of {
        Of::Everything => true,
        Of::Certificate(name) => *id.certificate == **name,
        Of::Zone(zone) => names.iter().any(|name| {
            let home = request.base.zone_of(name);
            home.is_some_and(|home| home.name == *zone)
        }),
    };
    let is_meant = |id: &RotationId, names: &BTreeSet<_>| {
        let mut all = weaker.of.iter();
        all.any(|of| is_of(of, id, names))
    };
    let found = running.find(|(id, state)| is_meant(id, state.names()));
    found.map(|(id, _)| id.clone())
}

/// Links, submodules and directories where files of ours lie, and files where only runs write.
fn places(request: &Request<'_>, before: &Zones, verdict: &mut Verdict) {
    let workspace = &request.base.workspace;
    let state = workspace.state();
    let files = watched(request, before);
    let mut directories: BTreeSet<PathBuf> = BTreeSet::new();
    directories.insert(state.clone());
    directories.insert(workspace.root.join("changes"));
    directories.insert(workspace.root.join(ROTATION_KEYS));
    let configured = workspace.config.zones.iter();
    let configured = configured.chain(&request.head.workspace.config.zones);
    for zone in configured {
        if let Signing::Here { keys, signed, .. } = &zone.signing {
            directories.insert(keys.clone());
            directories.insert(signed.clone());
        }
    }
    let mut told = BTreeSet::new();
    for Entry { path, kind } in &request.entries {
        let Some(kind) = kind else { continue };
        if path.starts_with(&state) {
            let path = request.shown(path);
            verdict.refuse(SettingFinding::StateTracked { path });
            continue;
        }
        let what = match kind {
            EntryKind::Link => "a symbolic link",
            EntryKind::Submodule => "a submodule",
            EntryKind::File => {
                // A file below a path that was one makes that a directory.
                let was = files
                    .iter()
                    .find(|file| path != *file && path.starts_with(file));
                if let Some(was) = was
                    && told.insert(was.clone())
                {
                    let path = request.shown(was);
                    let what = "a directory";
                    verdict.refuse(SettingFinding::Replaced { path, what });
                }
                continue;
            }
        };
        let on_the_way = |ours: &PathBuf| ours.starts_with(path);
        let inside = |ours: &PathBuf| path.starts_with(ours);
        if files.iter().any(on_the_way)
            || directories
                .iter()
                .any(|ours| on_the_way(ours) || inside(ours))
        {
            let path = request.shown(path);
            verdict.refuse(SettingFinding::Replaced { path, what });
        }
    }
}

/// The files that zones and the configuration are made of, on either side.
fn watched(request: &Request<'_>, before: &Zones) -> BTreeSet<PathBuf> {
    let sources = before.read.values().flat_map(|head| head.file.sources());
    let mut files: BTreeSet<PathBuf> = sources.map(|one| PathBuf::from(&*one.path)).collect();
    files.insert(request.base.workspace.config_path.clone());
    for side in [&request.base, &request.head] {
        let zones = side.workspace.config.zones.iter();
        let zones = zones.filter(|zone| !zone.publication.is_elsewhere());
        files.extend(zones.flat_map(|zone: &ZoneConfig| {
            std::iter::once(&zone.file).chain(&zone.included).cloned()
        }));
    }
    files
}

/// What `.gitattributes` make of zone files.
fn attributes(
    request: &Request<'_>,
    before: &Zones,
    verdict: &mut Verdict,
) -> Result<(), WorkflowError> {
    let is_one = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name == ".gitattributes")
    };
    if !request.entries.iter().any(|entry| is_one(&entry.path)) {
        return Ok(());
    }
    let root = request.repository.root();
    let files = watched(request, before);
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let files: Vec<&Path> = files
        .into_iter()
        .filter(|file| file.starts_with(root))
        .collect();
    let at = |tree: &str| request.repository.attributes_at(tree, &files);
    let (was, becomes) = (at(&request.base.commit)?, at(&request.head.commit)?);
    for (path, attributes) in becomes {
        if was.get(&path) != Some(&attributes) {
            let told = attributes
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            let how = told.collect::<Vec<_>>().join(" ");
            let path = request.shown(&path);
            verdict.refuse(SettingFinding::Attributes { path, how });
        }
    }
    Ok(())
}

/// Secrets that the request brings or changes: known by what is in them, whatever they are called.
fn secrets(request: &Request<'_>, verdict: &mut Verdict) -> Result<(), WorkflowError> {
    let is_file = |entry: &&Entry| entry.kind == Some(EntryKind::File);
    let changed = request.entries.iter().filter(is_file);
    let changed: Vec<&Path> = changed.map(|entry| &*entry.path).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let (repository, head) = (request.repository, &request.head.commit);
    for path in repository.files_with(head, &changed, secret::WORDS)? {
        let text = repository.file_at(head, &path)?.unwrap_or_default();
        if let Some(what) = secret::whole(&text) {
            let path = request.shown(&path);
            verdict.refuse(SettingFinding::Secret { path, what });
        }
    }
    Ok(())
}

/// Lines that end otherwise than before.
fn line_ends(request: &Request<'_>, (before, after): (&Zones, &Zones), verdict: &mut Verdict) {
    let ends = |head: &crate::workflow::head::Head| {
        let mut sources = head.file.sources().iter();
        sources.any(|source| source.bytes.windows(2).any(|pair| pair == b"\r\n"))
    };
    for (zone, head) in &after.read {
        let was = before.read.get(zone);
        if was.is_some_and(|was| !ends(was)) && ends(head) {
            let paths = head
                .file
                .sources()
                .iter()
                .map(|source| Path::new(&source.path));
            let paths = paths.map(|path| request.shown(path).display().to_string());
            verdict.notes.push(format!(
                "zone {zone} gets lines that end in CR and LF ({})",
                paths.collect::<Vec<_>>().join(", ")
            ));
        }
    }
}

/// Journals that are there and hold nothing.
pub(super) fn empty_journals(empty: Vec<String>) -> Vec<Finding> {
    let empty = empty.into_iter().map(|certificate| {
        let finding = SettingFinding::EmptyJournal { certificate };
        Finding::Settings(Box::new(finding))
    });
    empty.collect()
}
