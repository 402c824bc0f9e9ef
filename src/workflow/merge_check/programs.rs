//! Files of the repository that runs execute: what the commands of the configuration name. Who changes one changes what is done
//! with keys and zones, as by a setting.

use super::weaker::{Of, Weaker};
use crate::publish::git::Entry;
use crate::workspace::config::{Config, Deploy, Publication};
use std::path::{Component, Path, PathBuf};

/// Those that a request changes or brings, by what either configuration runs in the workspace at `root`.
pub(super) fn changed(entries: &[Entry], root: &Path, configs: [&Config; 2]) -> Vec<Weaker> {
    let mut all: Vec<Weaker> = Vec::new();
    for command in configs.into_iter().flat_map(commands) {
        for path in named(root, command.words) {
            let Some(entry) = entries.iter().find(|entry| entry.path == path) else {
                continue;
            };
            let shown = path.strip_prefix(root).unwrap_or(&path).display();
            let how = if entry.kind.is_some() {
                "another"
            } else {
                "gone"
            };
            let what = format!("{shown}, which `{}` runs, is {how}", command.key);
            let one = Weaker::of(command.of.clone(), what);
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}

/// A command of the configuration.
struct Command<'c> {
    of: Of,
    key: &'static str,
    words: &'c [String],
}

fn commands(config: &Config) -> Vec<Command<'_>> {
    let mut all = Vec::new();
    for vantage in &config.vantages {
        let (of, key, words) = (Of::Everything, "vantage", &*vantage.command);
        all.push(Command { of, key, words });
    }
    for zone in &config.zones {
        let mut add = |key, words| {
            let of = Of::Zone(zone.name.clone());
            all.push(Command { of, key, words });
        };
        if let Some(words) = &zone.reload {
            add("reload", words);
        }
        if let Publication::Command(words) = &zone.publication {
            add("publish", words);
        }
    }
    for certificate in &config.certificates {
        let mut add = |key, words| {
            let of = Of::Certificate(certificate.name.clone());
            all.push(Command { of, key, words });
        };
        if let Deploy::Command(words) = &certificate.deploy {
            add("deploy", words);
        }
        if let Some(words) = &certificate.rollback {
            add("rollback", words);
        }
    }
    all
}

/// The files that words of a command may name: it runs in the workspace, and a shell's script is a word of words.
fn named<'c>(root: &'c Path, words: &'c [String]) -> impl Iterator<Item = PathBuf> + 'c {
    let apart = |c: char| c.is_whitespace() || "'\"`;&|<>()=".contains(c);
    let words = words.iter();
    let parts = words.flat_map(move |word| word.split(apart).chain([&**word]));
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(|part| {
        let mut path = PathBuf::new();
        for component in root.join(part).components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => drop(path.pop()),
                other => path.push(other),
            }
        }
        path
    })
}
