//! Keeps a running server's zones new: reads their files when told to or when they changed, and says what it did.

use super::history::History;
use super::source::{Ready, Source, Stamp, Version, ZoneSource};
use crate::cli::{Failure, Global};
use crate::publish::serve::server::Server;
use crate::rotation::timing::{Instant, Span};
use crate::zone::name::Name;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::{Id, JoinError, JoinSet};

/// How long before the first signature ends this is said, and how often it is said again.
const WARNED: Span = Span::hours(1);

/// One zone, as it is served.
struct Kept {
    source: ZoneSource,
    /// What is served, once something is.
    version: Option<Version>,
    /// The file that was read last, whatever came of it.
    stamp: Option<Stamp>,
    reading: bool,
    /// Asked for while it was being read.
    again: bool,
    warned: Option<Instant>,
}

pub(super) struct Keeper {
    zones: Vec<Kept>,
    key_files: Vec<(PathBuf, Option<Stamp>)>,
    watched: bool,
    server: Arc<Server>,
    global: Global,
    /// Files being read: reading and verifying a large zone takes a while, in which signals must be heard.
    readers: JoinSet<Result<Version, Failure>>,
    /// Which zone each of them reads.
    read_by: HashMap<Id, usize>,
}

impl Keeper {
    pub(super) fn new(source: Source, server: Server, global: Global) -> Self {
        let kept = |source: ZoneSource| Kept {
            stamp: None,
            source,
            version: None,
            reading: false,
            again: false,
            warned: None,
        };
        Self {
            watched: source.watched,
            key_files: source.key_files().to_vec(),
            zones: source.zones.into_iter().map(kept).collect(),
            server: Arc::new(server),
            global,
            readers: JoinSet::new(),
            read_by: HashMap::new(),
        }
    }

    /// Serves the first versions.
    pub(super) fn begin(&mut self, zones: Vec<Ready>) {
        for Ready {
            index,
            stamp,
            version,
        } in zones
        {
            let zone = Arc::clone(&version.zone);
            eprintln!("serving {} serial {}", zone.apex(), zone.serial());
            if let Some(kept) = self.zones.get_mut(index) {
                kept.version = Some(version);
                kept.stamp = stamp;
            }
            let source = self.zones.get(index).map(|kept| &kept.source);
            let history = source.and_then(|source| source.history.as_ref());
            let earlier = history.map(History::read).unwrap_or_default();
            self.server.publish_after(zone, earlier);
        }
    }

    /// The files whose new versions are taken up without being asked to.
    pub(super) fn watched_files(&self) -> impl Iterator<Item = &Path> {
        let watched = self.zones.iter().filter(|_| self.watched);
        watched.map(|kept| &*kept.source.file)
    }

    /// What is served.
    pub(super) fn versions(&self) -> Vec<Version> {
        self.zones
            .iter()
            .filter_map(|kept| kept.version.clone())
            .collect()
    }

    /// Whether it keeps what `source` says.
    pub(super) fn keeps(&self, source: &Source) -> bool {
        source.is_as(self.zones.iter().map(|kept| &kept.source), &self.key_files)
    }

    /// Reads every file again.
    pub(super) fn reload_all(&mut self) {
        for index in 0..self.zones.len() {
            self.read(index);
        }
    }

    /// Reads the file of one zone again.
    pub(super) fn reload(&mut self, apex: &Name) {
        let found = self.zones.iter().position(|zone| zone.source.apex == *apex);
        if let Some(index) = found {
            self.read(index);
        }
    }

    /// Reads the files that have changed, where that is wished, and warns of signatures that end.
    pub(super) fn look(&mut self) {
        let now = self.global.now();
        for index in 0..self.zones.len() {
            let Some(kept) = self.zones.get_mut(index) else {
                continue;
            };
            kept.warn(now);
            if self.watched {
                let present = kept.source.stamp();
                if present.is_some() && present != kept.stamp {
                    self.read(index);
                }
            }
        }
    }

    fn read(&mut self, index: usize) {
        let Some(kept) = self.zones.get_mut(index) else {
            return;
        };
        if kept.reading {
            kept.again = true;
            return;
        }
        kept.reading = true;
        // Taken before it is read: what is written meanwhile is a change.
        kept.stamp = kept.source.stamp();
        let (source, server) = (kept.source.clone(), Arc::clone(&self.server));
        let (earlier, now) = (kept.version.clone(), self.global.now());
        self.start(index, move || {
            let read = source.read(earlier.as_ref(), now);
            // Served first: no disk that is full, or slow, keeps a version from senders. What it costs is a larger transfer.
            if let Ok(version) = &read
                && let Some(delta) = server.publish(Arc::clone(&version.zone))
                && let Some(history) = &source.history
                && let Err(why) = history.keep(&delta)
            {
                eprintln!(
                    "warning: after a restart, secondaries of {} are sent the whole zone: {why}",
                    source.apex
                );
            }
            read
        });
    }

    fn start(
        &mut self,
        index: usize,
        reader: impl FnOnce() -> Result<Version, Failure> + Send + 'static,
    ) {
        let reader = self.readers.spawn_blocking(reader);
        self.read_by.insert(reader.id(), index);
    }

    /// Waits for a file to be read; for ever if none is.
    pub(super) async fn reloaded(&mut self) {
        let Some(done) = self.readers.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let (id, read) = match done {
            Ok(done) => done,
            // Said, and the zone is read again when its file changes, as after any other failure.
            Err(panic) => (panic.id(), Err(mistake(&panic))),
        };
        let index = self.read_by.remove(&id);
        let Some((index, kept)) = index.and_then(|at| Some((at, self.zones.get_mut(at)?))) else {
            return;
        };
        match read {
            Ok(new) => {
                let (serial, apex) = (new.zone.serial(), new.zone.apex());
                let note = Advance(kept.serial(), serial);
                eprintln!("serving {apex} serial {serial} {note}");
                kept.version = Some(new);
                kept.warned = None;
            }
            Err(failure) => {
                eprintln!("error: {}", failure.message);
                eprintln!("keeping serial {} of {}", kept.serial(), kept.source.apex);
            }
        }
        kept.reading = false;
        if std::mem::take(&mut kept.again) {
            self.read(index);
        }
    }

    /// Lets what is under way end, and the server with it.
    pub(super) async fn end(mut self) {
        while self.readers.join_next().await.is_some() {}
        if let Some(server) = Arc::into_inner(self.server) {
            server.shutdown().await;
        }
    }
}

impl Kept {
    /// The serial of what is served.
    fn serial(&self) -> u32 {
        let version = self.version.as_ref();
        version.map_or(0, |version| version.zone.serial())
    }

    fn warn(&mut self, now: Instant) {
        let expiration = self.version.as_ref().and_then(|v| v.zone.expiration());
        let Some(end) =
            expiration.filter(|end| *end <= now + self.source.serve.horizon.max(WARNED))
        else {
            return;
        };
        if self.warned.is_some_and(|last| now < last + WARNED) {
            return;
        }
        self.warned = Some(now);
        let (apex, serial) = (&self.source.apex, self.serial());
        if end <= now {
            eprintln!(
                "error: signatures of {apex} serial {serial} ended on {end}: validators reject what is served"
            );
        } else {
            eprintln!(
                "warning: the first signature of {apex} serial {serial} ends on {end}: sign the zone anew"
            );
        }
    }
}

/// That a thread of ours did not come to its end.
pub(super) fn mistake(error: &JoinError) -> Failure {
    Failure::wrong(format_args!("this is a mistake in tlsa-rotate: {error}"))
}

/// From one serial to another, as secondaries see it (RFC 1982 §3.2).
struct Advance(u32, u32);

impl fmt::Display for Advance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(old, new) = self;
        match new.wrapping_sub(*old) {
            0 => f.write_str("(as before: secondaries will not fetch it)"),
            1..0x8000_0000 => write!(f, "(was {old})"),
            _ => write!(f, "(was {old}: a step back, secondaries will not fetch it)"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::cli::serve::Args;
    use clap::Parser as _;
    use std::time::Duration;
    use tokio::time::timeout;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_that_fails_for_a_mistake_of_ours_keeps_no_later_version_out() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("zone");
        let write = |serial: u32| {
            let text = format!("e. 60 IN SOA n. h. {serial} 2 3 4 5\ne. 60 IN NS n.\n");
            std::fs::write(&file, text).unwrap();
        };
        write(1);
        let zone = format!("e.={}", file.display());
        let line = Line::parse_from(["serve", "--unsigned", "--zone", &zone]);
        let global = Global {
            config: None,
            now: Some(Instant::from_unix(0)),
        };
        let Ok(source) = Source::of(&line.args, &global) else {
            panic!("these are options")
        };
        let Ok(ready) = source.read_all(&[], global.now()) else {
            panic!("this is a zone")
        };
        let settings = source.settings(&global);
        let server = Server::start("127.0.0.1:0".parse().unwrap(), settings).await;
        let mut keeper = Keeper::new(source, server.unwrap(), global);
        keeper.begin(ready);
        for kept in &mut keeper.zones {
            kept.reading = true;
        }
        keeper.start(0, || panic!("a mistake"));
        let patience = Duration::from_secs(60);
        timeout(patience, keeper.reloaded()).await.unwrap();
        write(2);
        keeper.reload_all();
        timeout(patience, keeper.reloaded()).await.unwrap();
        assert_eq!(keeper.zones.first().map(Kept::serial), Some(2));
    }

    #[test]
    fn a_serial_that_does_not_advance_is_said() {
        let table = [
            (1, 2, "(was 1)"),
            (7, 7, "(as before: secondaries will not fetch it)"),
            (2, 1, "(was 2: a step back, secondaries will not fetch it)"),
            (u32::MAX, 0, "(was 4294967295)"),
        ];
        for (old, new, expected) in table {
            assert_eq!(Advance(old, new).to_string(), expected);
        }
    }
}
