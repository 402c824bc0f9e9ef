//! The master files in the source packages of other name servers, found below one directory a package.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tlsa_rotate::zone::file::ZoneFile;
use tlsa_rotate::zone::include::{Directory, NoFiles};
use tlsa_rotate::zone::name::Name;

/// A master file of the corpus.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// The package: the directory below the root of the corpus.
    pub(crate) package: String,
    /// The path below the package.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    /// The zone it is read as.
    pub(crate) origin: Name,
}

impl Sample {
    /// What we read; included files may lie anywhere, as the peers have it.
    pub(crate) fn read(&self) -> ZoneFile {
        let path = self.path.to_str().unwrap();
        let bytes = self.bytes.clone();
        ZoneFile::read(path, bytes, Some(&self.origin), &Directory::anywhere())
    }
}

/// Where the corpus is: what `TLSA_ROTATE_CORPUS` says, else where `scripts/corpus` puts it.
pub(crate) fn root() -> Option<PathBuf> {
    let named = std::env::var_os("TLSA_ROTATE_CORPUS").map(PathBuf::from);
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/corpus");
    named.or_else(|| fetched.is_dir().then_some(fetched))
}

/// Runs a question on every sample, on all cores; the answers in the order of the samples.
pub(crate) fn on_all<T: Send>(samples: &[Sample], ask: impl Fn(&Sample) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let mut answers: Vec<(usize, T)> = std::thread::scope(|scope| {
        let work = || {
            let mut mine = Vec::new();
            while let Some((at, sample)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                samples.get(at).map(|s| (at, s))
            } {
                mine.push((at, ask(sample)));
            }
            mine
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|w| w.join().unwrap())
            .collect()
    });
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Files that speak of SOA records and are no zones.
const OTHER: &[&str] = &[
    "1",
    "3",
    "5",
    "8",
    "am",
    "bat",
    "c",
    "c3",
    "cc",
    "conf",
    "cpp",
    "crpl",
    "dox",
    "docs",
    "h",
    "html",
    "i",
    "js",
    "json",
    "md",
    "man",
    "pl",
    "pm",
    "po",
    "py",
    "rl",
    "rpl",
    "rst",
    "sh",
    "stim",
    "t",
    "testns",
    "texi",
    "tex",
    "tpl",
    "xml",
    "out",
    "hex",
    "patch",
    "Changelog",
    "test",
    "symbols",
];

/// Longer files take the peers too long.
const LONGEST: u64 = 400_000;

/// Every master file below `root`, in order of package and name.
pub(crate) fn samples(root: &Path) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut packages: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    packages.sort();
    for package in packages.iter().filter(|p| p.is_dir()) {
        let mut found = Vec::new();
        below(package, &mut found);
        found.sort();
        samples.extend(found.into_iter().filter_map(|path| sample(package, path)));
    }
    samples
}

fn below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            below(&entry.path(), found);
        } else if kind.is_file() && entry.metadata().unwrap().len() <= LONGEST {
            found.push(entry.path());
        }
    }
}

fn sample(package: &Path, path: PathBuf) -> Option<Sample> {
    let extension = path.extension().unwrap_or_default().to_str()?;
    if OTHER.contains(&extension) {
        return None;
    }
    let bytes = std::fs::read(&path).unwrap();
    if !has_soa(&bytes) {
        return None;
    }
    let name = path.strip_prefix(package).unwrap().to_str()?.to_owned();
    Some(Sample {
        package: package.file_name()?.to_str()?.to_owned(),
        origin: origin(&path, &bytes),
        name,
        path,
        bytes,
    })
}

/// Whether a line holds the word SOA behind an owner, a TTL, a class or nothing, and something after it.
fn has_soa(bytes: &[u8]) -> bool {
    bytes.split(|b| *b == b'\n').any(|line| {
        let words: Vec<&[u8]> = line
            .split(|b| b.is_ascii_whitespace() || *b == b'(')
            .filter(|w| !w.is_empty())
            .collect();
        let at = words
            .iter()
            .take(5)
            .position(|w| w.eq_ignore_ascii_case(b"SOA"));
        let comment = words
            .first()
            .is_some_and(|w| matches!(w.first(), Some(b';' | b'#' | b'/' | b'*')));
        at.is_some_and(|at| !comment && words.len() >= at + 3)
    })
}

/// The zone's name: what the file says of itself, else its own name without what makes it a file.
fn origin(path: &Path, bytes: &[u8]) -> Name {
    let mut alone = b"$ORIGIN unnamed.\n".to_vec();
    alone.extend(bytes);
    let alone = ZoneFile::read("zone", alone, None, &NoFiles);
    if let Some(apex) = alone
        .apex()
        .filter(|apex| **apex != Name::parse(b"unnamed.", None).unwrap())
    {
        return apex.clone();
    }
    let stem = path.file_name().unwrap().to_str().unwrap();
    let stem = stem
        .split(".db")
        .next()
        .unwrap()
        .trim_end_matches(".zone")
        .trim_end_matches(".in");
    // The name that most files of the root zone have.
    let stem = if stem == "root" { "." } else { stem };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let stem = if stem.chars().all(plain) {
        stem
    } else {
        "example"
    };
    Name::parse(stem.as_bytes(), Some(&Name::root()))
        .unwrap_or_else(|_| Name::parse(b"example.", None).unwrap())
}
