//! Tells at once that a file was put where a zone lies (inotify(7)). Best effort: where the system tells nothing, as on
//! some network file systems, files are looked at now and then all the same.

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tokio::net::unix::pipe::Receiver;

/// The directories of some files. What the system tells is read as from a pipe.
pub(super) struct Watch(Option<Receiver>);

impl Watch {
    /// Watches where these files lie now; to be called within a runtime.
    pub(super) fn of<'f>(files: impl Iterator<Item = &'f Path>) -> Self {
        // What a link leads to is written, never the link.
        let real = files.filter_map(|file| fs::canonicalize(file).ok());
        let directories = real.filter_map(|file| file.parent().map(Path::to_owned));
        Self(watched(&directories.collect()).ok())
    }

    /// Waits until something may have changed; for ever if nothing is told.
    pub(super) async fn changed(&self) {
        let Some(told) = &self.0 else {
            return std::future::pending().await;
        };
        // What it was does not matter: whoever is told looks at all files.
        let mut events = [0_u8; 4096];
        loop {
            if told.readable().await.is_err() {
                return std::future::pending().await;
            }
            if told.try_read(&mut events).is_ok() {
                return;
            }
        }
    }
}

fn watched(directories: &BTreeSet<PathBuf>) -> io::Result<Receiver> {
    let told = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    for directory in directories {
        let put = WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE;
        // One that cannot be watched keeps the others from nothing.
        let _ = inotify::add_watch(&told, directory, put);
    }
    Receiver::from_file_unchecked(File::from(told))
}
