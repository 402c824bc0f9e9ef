//! What is written is never a secret, nor what the program or git remembers: `file`, `include` and `signed` of a zone lie in
//! the workspace and apart from all of these.

use super::document::Findings;
use super::{Config, MAX_SIZE, NextKey, Publication, Signing, ZoneConfig};
use crate::files::read;
use crate::workspace::{CONFIG_FILE, ROTATION_KEYS, STATE};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the names of keys end in, wherever they lie: DNSSEC and TLS keys, TSIG keys.
const SECRET: &[&str] = &[".private", ".key", ".key.pem", ".tsig"];

/// What must not be written to, and what it is. Found by path: a fleet has thousands.
type Protected = BTreeMap<PathBuf, &'static str>;

/// Reports each output of a zone that is, or lies in, something that must not be written. `lines` are those that the zones
/// stand on.
pub(super) fn check_together(
    config: &Config,
    root: &Path,
    lines: &[usize],
    findings: &mut Findings<'_>,
) {
    let protected = protected(config, root);
    for (line, zone) in lines.iter().zip(&config.zones) {
        for (key, path) in outputs(zone) {
            let name = path.to_string_lossy();
            if let Some(ending) = SECRET.iter().find(|ending| name.ends_with(**ending)) {
                findings.wrong(
                    *line,
                    format!(
                        "zone {}: `{key}` is {}: what ends in `{ending}` is a key, and it would be overwritten",
                        zone.name,
                        path.display()
                    ),
                );
                continue;
            }
            let mut above = path.ancestors();
            let hit = above.find_map(|above| Some((above, protected.get(above)?)));
            if let Some((other, what)) = hit {
                findings.wrong(
                    *line,
                    format!(
                        "zone {}: `{key}` is {}, and {} is {what}: it would be overwritten",
                        zone.name,
                        path.display(),
                        other.display()
                    ),
                );
            }
        }
    }
}

impl Config {
    /// What the configuration of the workspace at `root` says of `path`, if that must not be written to: the file or directory
    /// named there, and what it is. One that cannot be read says nothing; every command that needs it tells of that.
    pub fn protects(root: &Path, path: &Path) -> Option<(PathBuf, &'static str)> {
        let text = read::read_text(&root.join(CONFIG_FILE), MAX_SIZE).ok()?;
        let config = Self::parse(&text, root).ok()?;
        let mut protected = protected(&config, root);
        for zone in &config.zones {
            // Some keep zones and their keys in one directory.
            if let Signing::Here { keys, .. } = &zone.signing
                && !outputs(zone).iter().any(|(_, file)| file.starts_with(keys))
            {
                protected.insert(keys.clone(), "where the keys of a zone lie");
            }
        }
        let mut above = path.ancestors();
        above.find_map(|above| Some((above.to_owned(), *protected.get(above)?)))
    }
}

fn outputs(zone: &ZoneConfig) -> Vec<(&'static str, &Path)> {
    let mut outputs = Vec::new();
    if !zone.publication.is_elsewhere() {
        outputs.push(("file", zone.file.as_path()));
    }
    outputs.extend(zone.included.as_deref().map(|path| ("include", path)));
    if let Signing::Here { signed, .. } = &zone.signing {
        outputs.push(("signed", signed));
    }
    outputs
}

fn protected(config: &Config, root: &Path) -> Protected {
    let mut all: Vec<(PathBuf, &'static str)> = vec![
        (root.join(".git"), "git's own"),
        (root.join(STATE), "what tlsa-rotate remembers"),
        (root.join(CONFIG_FILE), "this configuration"),
        (root.join(ROTATION_KEYS), "where the keys of rotations lie"),
    ];
    for zone in &config.zones {
        if let Signing::External { anchor } = &zone.signing {
            all.push((anchor.clone(), "the trust anchor"));
        }
        if let Publication::Update { tsig, .. } = &zone.publication {
            all.push((tsig.clone(), "a TSIG key"));
        }
        let served = zone.serve.iter().flat_map(|serve| &serve.keys);
        all.extend(served.map(|key| (key.clone(), "a TSIG key")));
        let signing = zone.proposal_key.iter();
        all.extend(signing.map(|key| (key.clone(), "the key that signs proposals")));
    }
    for certificate in &config.certificates {
        for live in &certificate.live {
            all.push((live.certificate.clone(), "a certificate in use"));
            all.extend(live.key.iter().map(|key| (key.clone(), "a key in use")));
        }
        if let NextKey::Files(pairs) = &certificate.next {
            for pair in pairs {
                let next = pair.certificate.iter();
                all.extend(next.map(|path| (path.clone(), "the next certificate")));
                all.push((pair.key.clone(), "the next key"));
            }
        }
    }
    // The first word on a path counts.
    all.into_iter().rev().collect()
}
