//! A disk whose power is cut: the calls of a run, as strace saw them, played up to one of them, and what is left then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a disk keeps of what was not flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// Nothing: neither contents nor names; a name is on disk once its directory was flushed (POSIX).
    Nothing,
    /// Every name, in order, as file systems with a journal do; and no contents.
    Names,
}

/// A call that changes the disk, or flushes it. Paths are relative to the workspace.
#[derive(Clone, Debug)]
enum Call {
    Open {
        path: PathBuf,
        empties: bool,
    },
    Write {
        path: PathBuf,
        octets: Vec<u8>,
    },
    WriteAt {
        path: PathBuf,
        offset: usize,
        octets: Vec<u8>,
    },
    Truncate {
        path: PathBuf,
        length: usize,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink(PathBuf),
    MakeDirectory(PathBuf),
    RemoveDirectory(PathBuf),
    Flush(PathBuf),
}

/// The calls that are traced: all that write, and all that say from where a relative path is meant.
const TRACED: &str = "trace=openat,write,pwrite64,writev,ftruncate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,\
     unlink,unlinkat,rmdir,mkdir,mkdirat,fsync,fdatasync,copy_file_range,sendfile,chdir,clone,clone3,fork,vfork";

/// What is on a disk: names that lead to contents, as programs see them and as they were flushed.
#[derive(Clone)]
struct Disk {
    files: BTreeMap<PathBuf, usize>,
    directories: BTreeSet<PathBuf>,
    flushed_files: BTreeMap<PathBuf, usize>,
    flushed_directories: BTreeSet<PathBuf>,
    contents: Vec<Vec<u8>>,
    flushed: Vec<Vec<u8>>,
}

/// A run that was traced.
pub(crate) struct Traced {
    before: Disk,
    calls: Vec<Call>,
}

/// Runs a command below strace, in the workspace `root`.
pub(crate) fn traced(root: &Path, program: &[&str]) -> Traced {
    let before = Disk::read(root);
    let notes = tempfile::tempdir().unwrap();
    let prefix = notes.path().join("t");
    let status = Command::new("strace")
        .args(["-ff", "-ttt", "-y", "-xx", "-qq", "-s", "100000000"])
        .args(["-e", "signal=none", "-e", TRACED, "-o"])
        .arg(&prefix)
        .args(program)
        .current_dir(root)
        .output()
        .expect("strace");
    assert!(matches!(status.status.code(), Some(0 | 3)), "{status:?}");
    let mut lines = Vec::new();
    for entry in fs::read_dir(notes.path()).unwrap() {
        let path = entry.unwrap().path();
        let process: u32 = path.extension().unwrap().to_str().unwrap().parse().unwrap();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let (at, call) = line.split_once(' ').unwrap();
            lines.push((at.to_owned(), process, call.to_owned()));
        }
    }
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    let mut places: BTreeMap<u32, PathBuf> = BTreeMap::new();
    let mut calls = Vec::new();
    for (_, process, line) in lines {
        let Some((call, result)) = line.rsplit_once(" = ").filter(|(_, r)| !r.starts_with('-'))
        else {
            continue;
        };
        let place = places
            .entry(process)
            .or_insert_with(|| root.to_owned())
            .clone();
        if call.starts_with("clone") || call.contains("fork(") {
            let child = result.split(' ').next().unwrap().parse().unwrap();
            places.insert(child, place);
        } else if call.starts_with("chdir(") {
            let to = place.join(&strings(call)[0]);
            places.insert(process, to);
        } else {
            calls.extend(read(call, result, &place, root));
        }
    }
    Traced { before, calls }
}

/// The strings of a call and of its result, decoded: paths of descriptors and arguments, in order.
fn strings(text: &str) -> Vec<PathBuf> {
    octets_of(text)
        .into_iter()
        .map(|octets| PathBuf::from(String::from_utf8_lossy(&octets).into_owned()))
        .collect()
}

fn octets_of(text: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for piece in text.split(['"', '<', '>']) {
        if let Some(hex) = piece.strip_prefix("\\x") {
            let octets = hex
                .split("\\x")
                .map(|two| u8::from_str_radix(&two[..2], 16).unwrap());
            found.push(octets.collect());
        } else if piece.is_empty() {
            found.push(Vec::new()); // an empty string, or what stands between two
        }
    }
    found
}

fn read(call: &str, result: &str, place: &Path, root: &Path) -> Option<Call> {
    let (name, arguments) = call.split_once('(').unwrap();
    let strings: Vec<PathBuf> = strings(arguments)
        .into_iter()
        .filter(|s| !s.as_os_str().is_empty())
        .collect();
    let ours = |path: &Path| {
        let whole = place.join(path);
        let mut plain = PathBuf::new();
        for component in whole.components() {
            match component {
                std::path::Component::ParentDir => drop(plain.pop()),
                std::path::Component::CurDir => {}
                other => plain.push(other),
            }
        }
        plain.strip_prefix(root).ok().map(Path::to_owned)
    };
    let below = |directory: &Path, path: &Path| ours(&directory.join(path));
    Some(match (name, &*strings) {
        ("openat", _) if call.contains("O_CREAT") || call.contains("O_TRUNC") => Call::Open {
            path: ours(
                crate::disk_support::strings(result)
                    .iter()
                    .rfind(|s| !s.as_os_str().is_empty())?,
            )?,
            empties: call.contains("O_TRUNC"),
        },
        ("openat", _) => return None,
        ("write", [path, ..]) => Call::Write {
            path: ours(path).filter(|_| path.is_absolute())?,
            octets: octets_of(arguments)
                .into_iter()
                .filter(|o| !o.is_empty())
                .nth(1)?,
        },
        ("pwrite64", [path, ..]) => Call::WriteAt {
            path: ours(path)?,
            offset: last_number(arguments),
            octets: octets_of(arguments)
                .into_iter()
                .filter(|o| !o.is_empty())
                .nth(1)?,
        },
        ("ftruncate", [path]) => Call::Truncate {
            path: ours(path)?,
            length: last_number(arguments),
        },
        ("rename", [from, to]) => Call::Rename {
            from: ours(from)?,
            to: ours(to)?,
        },
        ("renameat" | "renameat2", [a, from, b, to]) => Call::Rename {
            from: below(a, from)?,
            to: below(b, to)?,
        },
        ("link", [from, to]) => Call::Link {
            from: ours(from)?,
            to: ours(to)?,
        },
        ("linkat", [a, from, b, to]) => Call::Link {
            from: below(a, from)?,
            to: below(b, to)?,
        },
        ("unlink", [path]) => Call::Unlink(ours(path)?),
        ("rmdir", [path]) => Call::RemoveDirectory(ours(path)?),
        ("unlinkat", [directory, path]) if call.contains("AT_REMOVEDIR") => {
            Call::RemoveDirectory(below(directory, path)?)
        }
        ("unlinkat", [directory, path]) => Call::Unlink(below(directory, path)?),
        ("mkdir", [path]) => Call::MakeDirectory(ours(path)?),
        ("mkdirat", [directory, path]) => Call::MakeDirectory(below(directory, path)?),
        ("fsync" | "fdatasync", [path]) => Call::Flush(ours(path)?),
        _ if strings
            .iter()
            .all(|path| !path.is_absolute() || ours(path).is_none()) =>
        {
            return None;
        }
        _ => panic!("the disk does not know {name}: {strings:?}"),
    })
}

fn last_number(arguments: &str) -> usize {
    let last = arguments.rsplit_once(", ").unwrap().1;
    last.trim_end_matches(')').parse().unwrap()
}

impl Disk {
    fn read(root: &Path) -> Self {
        let (mut files, mut directories, mut contents) =
            (BTreeMap::new(), BTreeSet::new(), Vec::new());
        let mut open = vec![root.to_owned()];
        while let Some(directory) = open.pop() {
            directories.insert(directory.strip_prefix(root).unwrap().to_owned());
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                } else {
                    files.insert(path.strip_prefix(root).unwrap().to_owned(), contents.len());
                    contents.push(fs::read(&path).unwrap_or_default());
                }
            }
        }
        Self {
            flushed_files: files.clone(),
            flushed_directories: directories.clone(),
            flushed: contents.clone(),
            files,
            directories,
            contents,
        }
    }

    fn play(&mut self, call: &Call) {
        match call {
            Call::Open { path, empties } => match self.files.get(path) {
                Some(at) if *empties => self.contents[*at].clear(),
                Some(_) => {}
                None => {
                    self.files.insert(path.clone(), self.contents.len());
                    self.contents.push(Vec::new());
                    self.flushed.push(Vec::new());
                }
            },
            // What this program and git write goes to the end of a file.
            Call::Write { path, octets } => {
                if let Some(at) = self.files.get(path) {
                    self.contents[*at].extend(octets);
                }
            }
            Call::WriteAt {
                path,
                offset,
                octets,
            } => {
                if let Some(at) = self.files.get(path) {
                    let contents = &mut self.contents[*at];
                    let end = offset + octets.len();
                    contents.resize(contents.len().max(end), 0);
                    contents[*offset..end].copy_from_slice(octets);
                }
            }
            Call::Truncate { path, length } => {
                if let Some(at) = self.files.get(path) {
                    self.contents[*at].truncate(*length);
                }
            }
            Call::Rename { from, to } => {
                let at = self
                    .files
                    .remove(from)
                    .unwrap_or_else(|| panic!("no {} to rename", from.display()));
                self.files.insert(to.clone(), at);
            }
            Call::Link { from, to } => {
                let at = self.files[from];
                self.files.insert(to.clone(), at);
            }
            Call::Unlink(path) => drop(self.files.remove(path)),
            Call::MakeDirectory(path) => drop(self.directories.insert(path.clone())),
            Call::RemoveDirectory(path) => drop(self.directories.remove(path)),
            Call::Flush(path) => self.flush(path),
        }
    }

    fn flush(&mut self, path: &Path) {
        if let Some(at) = self.files.get(path) {
            self.flushed[*at] = self.contents[*at].clone();
            return;
        }
        let is_in = |name: &Path| name.parent() == Some(path) && name != path;
        self.flushed_files.retain(|name, _| !is_in(name));
        let now = self.files.iter().filter(|(name, _)| is_in(name));
        self.flushed_files
            .extend(now.map(|(name, at)| (name.clone(), *at)));
        self.flushed_directories.retain(|name| !is_in(name));
        let now = self.directories.iter().filter(|name| is_in(name));
        self.flushed_directories.extend(now.cloned());
    }

    /// What is there when the power is back.
    fn left(&self, keeps: Keeps) -> (BTreeSet<PathBuf>, BTreeMap<PathBuf, &[u8]>) {
        let (files, directories) = match keeps {
            Keeps::Nothing => (&self.flushed_files, &self.flushed_directories),
            Keeps::Names => (&self.files, &self.directories),
        };
        let is_there = |path: &Path| {
            path.ancestors()
                .skip(1)
                .all(|above| directories.contains(above))
        };
        let contents = files.iter().filter(|(path, _)| is_there(path));
        let contents = contents.map(|(path, at)| (path.clone(), &*self.flushed[*at]));
        let directories = directories.iter().filter(|path| is_there(path));
        (directories.cloned().collect(), contents.collect())
    }
}

impl Traced {
    /// After how many calls there is something else on the disk than before, if its power is cut; and after all.
    pub(crate) fn cuts(&self, keeps: Keeps) -> Vec<usize> {
        let mut disk = self.before.clone();
        let mut cuts = Vec::new();
        for (number, call) in self.calls.iter().enumerate() {
            disk.play(call);
            let counts = match keeps {
                Keeps::Nothing => matches!(call, Call::Flush(_)),
                Keeps::Names => !matches!(
                    call,
                    Call::Write { .. } | Call::WriteAt { .. } | Call::Truncate { .. }
                ),
            };
            if counts {
                cuts.push(number + 1);
            }
        }
        cuts
    }

    /// Makes `root`, which is as the workspace was before the run, what the disk holds when the power is cut after so many
    /// calls. Everything is older than the system, as after its start.
    pub(crate) fn cut(&self, root: &Path, after: usize, keeps: Keeps) {
        let mut disk = self.before.clone();
        self.calls[..after].iter().for_each(|call| disk.play(call));
        let (directories, files) = disk.left(keeps);
        let (_, before) = self.before.left(Keeps::Names);
        for gone in before.keys().filter(|path| !files.contains_key(*path)) {
            fs::remove_file(root.join(gone)).unwrap();
        }
        for directory in &directories {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for (path, contents) in files {
            if before.get(&path) != Some(&contents) {
                fs::write(root.join(path), contents).unwrap();
            }
        }
        for gone in self
            .before
            .directories
            .difference(&directories)
            .collect::<Vec<_>>()
            .iter()
            .rev()
        {
            let _ = fs::remove_dir_all(root.join(gone));
        }
        let mut find = Command::new("find");
        find.arg(root)
            .args(["-exec", "touch", "-h", "-d", "@1000000000", "{}", "+"]);
        assert!(find.status().unwrap().success());
    }
}
