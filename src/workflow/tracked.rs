//! Secrets that git tracks: whoever has a clone has them. Nothing acts on one before it is out of git, and another made.

use super::WorkflowError;
use crate::files::{guard, read, secret};
use crate::publish::command::Invocation;
use crate::workspace::config::{NextKey, Publication, Signing};
use crate::workspace::{ROTATION_KEYS, Workspace};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long git may take to list the files that it tracks.
const PATIENCE: Duration = Duration::from_secs(30);

/// The names under which secrets lie, as patterns of git.
const NAMES: &[&str] = &[
    ":(glob)**/*.private",
    ":(glob)**/*.tsig",
    ":(glob)**/*.key",
    ":(glob)**/*.key.pem",
    ":(glob)**/privkey*.pem",
    ":(glob)**/private_key.json",
    ":(glob)**/keys/**",
];

/// The longest list of tracked files that is read, in bytes.
const LONGEST_LIST: usize = 64 << 20;

/// The largest file of whatever name that is looked into for a secret, in bytes: keys are small.
const LARGEST_BY_CONTENT: u64 = 64 << 10;

/// The largest file that is looked into for a secret, in bytes.
const LARGEST: u64 = 1 << 20;

/// Refuses to go on while git tracks a secret of the workspace, or others may write to where its keys lie. Secrets to practise
/// with protect nothing: [`of_rehearsal`] tells of them.
pub fn none(workspace: &Workspace) -> Result<(), WorkflowError> {
    match judge(workspace) {
        Err(WorkflowError::SecretInGit { .. }) if workspace.config.rehearsal => Ok(()),
        judged => judged,
    }
}

/// What is to be told of a workspace to practise in, whose secrets git tracks.
pub fn of_rehearsal(workspace: &Workspace) -> Option<String> {
    if !workspace.config.rehearsal {
        return None;
    }
    let files = secrets(workspace).ok().filter(|files| !files.is_empty())?;
    let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    Some(format!(
        "git tracks what is secret: {}; that is let pass in a workspace to practise in (rehearsal = true), and refused in any other",
        names.join(", ")
    ))
}

/// Whether git tracks a secret of the workspace, or others may write to where its keys lie, whatever it is for.
pub(super) fn judge(workspace: &Workspace) -> Result<(), WorkflowError> {
    for zone in &workspace.config.zones {
        if let Signing::Here { keys, .. } = &zone.signing {
            guard::directory(keys)?;
        }
    }
    guard::directory(&workspace.root.join(ROTATION_KEYS))?;
    let files = secrets(workspace)?;
    if files.is_empty() {
        return Ok(());
    }
    Err(WorkflowError::SecretInGit {
        root: workspace.root.clone(),
        files,
    })
}

/// The secrets that git tracks, relative to the workspace; none where there is no git.
pub(super) fn secrets(workspace: &Workspace) -> Result<Vec<PathBuf>, WorkflowError> {
    let root = &workspace.root;
    if !root.ancestors().any(|above| above.join(".git").exists()) {
        return Ok(Vec::new());
    }
    let known = known(workspace);
    let named = NAMES.iter().map(OsString::from);
    // A file outside of the repository is in no repository of ours.
    let inside = known.iter().filter_map(|path| path.strip_prefix(root).ok());
    let inside = inside.map(|path| {
        let mut literal = OsString::from(":(literal)");
        literal.push(path);
        literal
    });
    let mut secrets = listed(root, named.chain(inside))?;
    secrets.retain(|path| known.contains(&root.join(path)) || looks_like_one(&root.join(path)));
    let zones = workspace.config.zones.iter();
    let zones: BTreeSet<&PathBuf> = zones
        .flat_map(|zone| zone.included.iter().chain([&zone.file]))
        .collect();
    let mut others = listed(root, [])?;
    others.retain(|path| {
        let path = root.join(path);
        !zones.contains(&path) && is_one_by_its_content(&path)
    });
    secrets.append(&mut others);
    secrets.sort();
    secrets.dedup();
    Ok(secrets)
}

/// The files below `root` that git tracks, of those that the patterns name, relative to it; none where git cannot tell.
fn listed(
    root: &Path,
    patterns: impl IntoIterator<Item = OsString>,
) -> Result<Vec<PathBuf>, WorkflowError> {
    let words = ["git", "ls-files", "-z", "--cached", "--"];
    let mut arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
    arguments.extend(patterns);
    let mut invocation = Invocation::new(arguments, root, PATIENCE);
    invocation.limit = LONGEST_LIST;
    invocation.whole = true;
    invocation.unset = &[
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
        "GIT_LITERAL_PATHSPECS",
        "GIT_GLOB_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
    ];
    let listed = invocation.run_to_end()?;
    if !listed.status.success() {
        // No repository after all, or one that git does not trust: whoever uses it says so.
        return Ok(Vec::new());
    }
    let paths = listed.stdout.split(|octet| *octet == 0);
    let paths = paths.filter(|path| !path.is_empty());
    let paths = paths.map(|path| PathBuf::from(OsString::from_vec(path.to_vec())));
    Ok(paths.collect())
}

/// Whether a file of another name is a secret: it is small, and it says so itself.
fn is_one_by_its_content(path: &Path) -> bool {
    let is_small = fs::symlink_metadata(path)
        .is_ok_and(|file| file.is_file() && file.len() <= LARGEST_BY_CONTENT);
    is_small
        && read::read(path, LARGEST_BY_CONTENT).is_ok_and(|octets| secret::whole(&octets).is_some())
}

/// The files that the configuration names as secrets.
fn known(workspace: &Workspace) -> Vec<PathBuf> {
    let config = &workspace.config;
    let mut all = Vec::new();
    for zone in &config.zones {
        if let Publication::Update { tsig, .. } = &zone.publication {
            all.push(tsig.clone());
        }
        all.extend(zone.serve.iter().flat_map(|serve| serve.keys.clone()));
        if let Some(key) = &zone.proposal_key
            && key.extension().is_none_or(|ending| ending != "pub")
        {
            all.push(key.clone());
        }
        if let Signing::Here { keys, .. } = &zone.signing {
            let entries = keys.read_dir().into_iter().flatten().flatten();
            let entries = entries.map(|entry| entry.path());
            all.extend(entries.filter(|path| path.extension().is_some_and(|e| e == "private")));
        }
    }
    for certificate in &config.certificates {
        let live = certificate.live.iter();
        all.extend(live.filter_map(|live| live.key.clone()));
        if let NextKey::Files(pairs) = &certificate.next {
            let keys = pairs.iter().map(|pair| pair.key.clone());
            // A public key may be known to everybody.
            all.extend(keys.filter(|key| looks_like_one(key)));
        }
    }
    all
}

/// Whether a file holds a secret, or had one's name and cannot be looked into any more.
fn looks_like_one(path: &Path) -> bool {
    match read::read(path, LARGEST) {
        Ok(octets) => secret::kind(&octets).is_some(),
        Err(_) => path
            .extension()
            .is_some_and(|ending| ["private", "tsig"].iter().any(|secret| ending == *secret)),
    }
}
