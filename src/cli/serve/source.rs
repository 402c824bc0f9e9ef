//! Which zones are served, from which files, for whom: as options say, or as the workspace does.

use super::Args;
use super::history::History;
use crate::cli::{Failure, Global};
use crate::dnssec::carry::{Read, Seal};
use crate::files::read;
use crate::publish::serve::served::ServedZone;
use crate::publish::serve::server::{Access, Settings};
use crate::publish::tsig::{Keyring, read_keys};
use crate::rotation::observation::SignatureWindow;
use crate::rotation::timing::{Instant, Span};
use crate::workflow::tracked;
use crate::workspace::config::access::Rule;
use crate::workspace::config::{ServeConfig, Signing};
use crate::workspace::signed::{SignedFile, seal_beside, seal_of};
use crate::zone::content::Zone;
use crate::zone::file::ZoneFile;
use crate::zone::include::Directory;
use crate::zone::name::Name;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A zone as `--zone` names it.
#[derive(Clone, Debug)]
pub(crate) struct ZoneArgument {
    apex: Name,
    file: PathBuf,
}

pub(super) fn zone_argument(text: &str) -> Result<ZoneArgument, String> {
    let (name, file) = text
        .split_once('=')
        .filter(|(name, file)| !name.is_empty() && !file.is_empty())
        .ok_or("expected a zone and a file, such as example.com=example.com.signed")?;
    // On a command line every zone name is absolute.
    let apex = Name::parse(name.as_bytes(), Some(&Name::root())).map_err(|e| e.to_string())?;
    Ok(ZoneArgument {
        apex,
        file: file.into(),
    })
}

/// One zone to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ZoneSource {
    pub(super) apex: Name,
    pub(super) file: PathBuf,
    /// What is known of the file, if it was verified when it was written.
    seal: PathBuf,
    pub(super) serve: ServeConfig,
    /// Served as it is, valid or not.
    unsigned: bool,
    /// Where changes outlive the server.
    pub(super) history: Option<History>,
}

/// What tells one version of a file from another.
pub(super) type Stamp = (u64, u64, u64, i64, i64);

/// A version of a zone that was read.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) zone: Arc<ServedZone>,
    /// What its file was known to hold, if it was verified when it was written: the next version shares what has not
    /// changed.
    seal: Option<Arc<Seal>>,
}

impl Version {
    fn as_read(&self) -> Option<Read<'_>> {
        let zone = self.zone.zone();
        self.seal.as_deref().map(|seal| Read { seal, zone })
    }
}

/// A zone that was read.
pub(super) struct Ready {
    /// The place of its source.
    pub(super) index: usize,
    /// The file that was read, as it was before: what is written meanwhile is a change.
    pub(super) stamp: Option<Stamp>,
    pub(super) version: Version,
}

/// All of them.
pub(super) struct Source {
    pub(super) zones: Vec<ZoneSource>,
    /// Whether new versions are taken up without being asked to.
    pub(super) watched: bool,
    keys: Keyring,
    /// The files of the keys, as they were.
    key_files: Vec<(PathBuf, Option<Stamp>)>,
}

impl Source {
    pub(super) fn of(args: &Args, global: &Global) -> Result<Self, Failure> {
        let (zones, watched) = if args.zones.is_empty() {
            (of_workspace(global)?, true)
        } else {
            (of_options(args), false)
        };
        let mut keys = Keyring::default();
        let mut files: Vec<&PathBuf> = zones.iter().flat_map(|zone| &zone.serve.keys).collect();
        files.sort();
        files.dedup();
        let key_files = files.iter().map(|file| ((*file).clone(), stamp(file)));
        let key_files = key_files.collect();
        for file in files {
            let read = read_keys(file).map_err(|e| Failure::wrong(&e).hints(e.hints()))?;
            for key in read.keys() {
                if keys.get(key.name()).is_some() {
                    let name = key.name();
                    return Err(Failure::wrong(format_args!(
                        "two files have a TSIG key named {name}"
                    ))
                    .hint("give each key a name of its own"));
                }
                keys.insert(key.as_ref().clone());
            }
        }
        let source = Self {
            zones,
            watched,
            keys,
            key_files,
        };
        source.keys_are_known()?;
        Ok(source)
    }

    /// Whether the same zones are served for the same people as by `zones` and these key files.
    pub(super) fn is_as<'s>(
        &self,
        zones: impl Iterator<Item = &'s ZoneSource>,
        key_files: &[(PathBuf, Option<Stamp>)],
    ) -> bool {
        self.zones.iter().eq(zones) && self.key_files == key_files
    }

    /// The files of the keys, as they were when they were read.
    pub(super) fn key_files(&self) -> &[(PathBuf, Option<Stamp>)] {
        &self.key_files
    }

    /// A rule with a key that nobody has would let nobody in, and a mistake in its name would go unnoticed.
    fn keys_are_known(&self) -> Result<(), Failure> {
        for zone in &self.zones {
            let serve = &zone.serve;
            let rules = [&serve.query, &serve.transfer, &serve.notify];
            let rules = rules.into_iter().flatten().flatten();
            let named = rules
                .filter_map(Rule::key)
                .chain(serve.secondaries.iter().filter_map(|s| s.key.as_ref()));
            for key in named {
                if self.keys.get(key).is_none() {
                    let message = format!(
                        "zone {} names the TSIG key {key}, which no key file has",
                        zone.apex
                    );
                    return Err(Failure::wrong(message).hint(
                        "name its file: `keys = [\"keys/xfr.tsig\"]` in `serve`, or --keys",
                    ));
                }
            }
        }
        Ok(())
    }

    pub(super) fn settings(&self, global: &Global) -> Settings {
        let clock = global.clone();
        let mut settings = Settings::new(move || clock.now());
        settings.keys = self.keys.clone();
        for zone in &self.zones {
            let otherwise = Access::default();
            let serve = &zone.serve;
            let access = Access {
                query: serve.query.clone().unwrap_or(otherwise.query),
                transfer: serve.transfer(),
                notify: serve.notify.clone().unwrap_or(otherwise.notify),
            };
            settings.access.insert(zone.apex.clone(), access);
            settings
                .secondaries
                .insert(zone.apex.clone(), serve.secondaries.clone());
        }
        settings
    }

    /// Reads all of them, each after the version of it among `earlier`.
    pub(super) fn read_all(
        &self,
        earlier: &[Version],
        now: Instant,
    ) -> Result<Vec<Ready>, Failure> {
        let zones = self.zones.iter().enumerate();
        let of = |apex: &Name| earlier.iter().find(|version| version.zone.apex() == apex);
        zones
            .map(|(index, source)| {
                let stamp = source.stamp();
                let version = source.read(of(&source.apex), now)?;
                Ok(Ready {
                    index,
                    stamp,
                    version,
                })
            })
            .collect()
    }
}

fn of_options(args: &Args) -> Vec<ZoneSource> {
    let said = |rules: &Vec<Rule>| (!rules.is_empty()).then(|| rules.clone());
    let serve = ServeConfig {
        keys: args.keys.clone(),
        secondaries: args.notify.clone(),
        query: said(&args.allow_query),
        transfer: said(&args.allow_transfer),
        notify: said(&args.allow_notify),
        horizon: args.horizon.unwrap_or(Span::ZERO),
    };
    let zone = |zone: &ZoneArgument| ZoneSource {
        apex: zone.apex.clone(),
        file: zone.file.clone(),
        seal: seal_beside(&zone.file),
        serve: serve.clone(),
        unsigned: args.unsigned,
        history: None,
    };
    args.zones.iter().map(zone).collect()
}

fn of_workspace(global: &Global) -> Result<Vec<ZoneSource>, Failure> {
    let workspace = global.workspace()?;
    tracked::none(&workspace)?;
    let mut zones = Vec::new();
    for zone in &workspace.config.zones {
        if let (Some(serve), Signing::Here { signed, .. }) = (&zone.serve, &zone.signing) {
            zones.push(ZoneSource {
                apex: zone.name.clone(),
                file: signed.clone(),
                seal: seal_of(&workspace.state(), &zone.name),
                serve: serve.clone(),
                unsigned: false,
                history: Some(History::of(&workspace.state(), &zone.name)),
            });
        }
    }
    if zones.is_empty() {
        let path = workspace.config_path.display();
        return Err(Failure::wrong(format_args!("no zone in {path} is to be served"))
            .hint("a zone with `publish = { git = {}, serve = {} }` is; or name zones: --zone NAME=FILE"));
    }
    Ok(zones)
}

fn stamp(file: &Path) -> Option<Stamp> {
    let m = std::fs::metadata(file).ok()?;
    Some((m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec()))
}

impl ZoneSource {
    /// The present version of the file, if there is one.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        stamp(&self.file)
    }

    /// Reads the zone and makes it ready, after an earlier version of it if there is one.
    pub(super) fn read(&self, earlier: Option<&Version>, now: Instant) -> Result<Version, Failure> {
        let shown = self.file.display();
        let horizon = self.serve.horizon;
        let sealed = Some(earlier)
            .filter(|_| !self.unsigned)
            .and_then(|earlier| self.sealed(earlier));
        let (served, seal) = if let Some((zone, seal, window)) = sealed {
            let served = ServedZone::verified_before(zone, window, now, horizon);
            (served, Some(Arc::new(seal)))
        } else {
            let zone = self.text(earlier)?;
            let served = if self.unsigned {
                ServedZone::unverified(zone)
            } else {
                ServedZone::verified(zone, now, horizon)
            };
            (served, None)
        };
        let zone = served.map(Arc::new).map_err(|why| {
            let failure = Failure::wrong(format_args!("{shown}: {why}"));
            if why.is_about_signatures() {
                failure
                    .hint(
                        "sign it first: `tlsa-rotate zone sign`, dnssec-signzone or ldns-signzone",
                    )
                    .hint("`--unsigned` serves it as it is")
            } else {
                failure
            }
        })?;
        Ok(Version { zone, seal })
    }

    /// What the file means, whatever is known of it.
    fn text(&self, earlier: Option<&Version>) -> Result<Zone, Failure> {
        let shown = self.file.display();
        let unreadable = |e| Failure::wrong(format_args!("cannot read {shown}: {e}"));
        let bytes = read::read(&self.file, read::ZONE).map_err(unreadable)?;
        let below = self.file.parent().unwrap_or(Path::new(""));
        let path = shown.to_string();
        let file = ZoneFile::read(&path, bytes, Some(&self.apex), &Directory::below(below));
        let earlier = earlier.map(|version| version.zone.zone());
        file.into_zone(earlier).map_err(Failure::wrong)
    }

    /// The zone and how long its signatures hold, if the file is what was verified when it was written.
    fn sealed(&self, earlier: Option<&Version>) -> Option<(Zone, Seal, SignatureWindow)> {
        let file = SignedFile::open(&self.file, &self.seal).ok()??;
        let sealed = file.sealed();
        let window = sealed
            .seal
            .window()
            .filter(|_| sealed.seal.zone == self.apex)?;
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let zone = sealed.zone(earlier.and_then(Version::as_read), threads);
        Some((zone.ok()?, sealed.seal.clone(), window))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_zone_argument_is_a_name_and_a_file() {
        let good = zone_argument("example.com=a=b.zone").unwrap();
        assert_eq!(good.apex.to_string(), "example.com.");
        assert_eq!(good.file, Path::new("a=b.zone"));
        for bad in ["", "example.com", "=file", "example.com=", "a..b=file"] {
            zone_argument(bad).expect_err(bad);
        }
    }
}
