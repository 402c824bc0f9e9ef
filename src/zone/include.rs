//! Where `$INCLUDE` finds its files (RFC 1035 §5.1): the reader asks, somebody who may open files answers.

use crate::files::read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A file that `$INCLUDE` asked for.
#[derive(Clone, Debug)]
pub struct Included {
    /// The name of the file; two includes of one file must get the same name.
    pub path: String,
    /// Its bytes.
    pub bytes: Arc<Vec<u8>>,
}

/// Opens the files that a master file includes.
pub trait Files {
    /// The file `wanted`, as written in the file `including`; on failure, the reason as a person should read it.
    fn open(&self, including: &str, wanted: &str) -> Result<Included, String>;
}

/// Refuses every `$INCLUDE`.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn open(&self, _: &str, _: &str) -> Result<Included, String> {
        Err("$INCLUDE is not allowed here".to_owned())
    }
}

/// Files on disk, relative to the including file, at or below a root directory.
///
/// The one place of this room that opens files.
#[derive(Clone, Debug)]
pub struct Directory {
    root: Option<PathBuf>,
}

impl Directory {
    /// Only files below `root`, symbolic links resolved.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self {
            root: Some(root.into()),
        }
    }

    /// Files anywhere.
    pub fn anywhere() -> Self {
        Self { root: None }
    }
}

impl Files for Directory {
    fn open(&self, including: &str, wanted: &str) -> Result<Included, String> {
        let beside = Path::new(including).parent().unwrap_or(Path::new(""));
        let path = tidy(&beside.join(wanted));
        let shown = path.display().to_string();
        let failed = |error: std::io::Error| format!("cannot read {shown}: {error}");
        if let Some(root) = &self.root {
            let root = if root.as_os_str().is_empty() {
                Path::new(".")
            } else {
                root
            };
            let inside = root.canonicalize().map_err(failed)?;
            let real = path.canonicalize().map_err(failed)?;
            if !real.starts_with(&inside) {
                let root = root.display();
                return Err(format!(
                    "{shown} lies outside of {root}, where included files must be"
                ));
            }
        }
        let bytes = read::read(&path, read::ZONE).map_err(failed)?;
        Ok(Included {
            path: shown,
            bytes: Arc::new(bytes),
        })
    }
}

/// The path without `.` and without `name/..`, so that one file has one name.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match (part, tidy.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                tidy.pop();
            }
            _ => tidy.push(part),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_files_below_the_root_are_opened() {
        let directory = tempfile::tempdir().unwrap();
        let zones = directory.path().join("zones");
        std::fs::create_dir_all(zones.join("sub")).unwrap();
        std::fs::write(zones.join("sub/a"), "a").unwrap();
        std::fs::write(directory.path().join("secret"), "s").unwrap();
        let files = Directory::below(&zones);
        let including = zones.join("sub/zone").display().to_string();
        assert_eq!(
            files
                .open(&including, "./../sub/a")
                .unwrap()
                .bytes
                .as_slice(),
            b"a"
        );
        let refused = files.open(&including, "../../secret").unwrap_err();
        assert!(refused.contains("lies outside of"), "{refused}");
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, zones.join(name)).unwrap();
        link("sub/a", "inside");
        link("../secret", "outside");
        link("..", "up");
        assert!(files.open(&including, "../inside").is_ok());
        for wanted in ["../outside", "../up/secret", "/etc/passwd"] {
            let refused = files.open(&including, wanted).unwrap_err();
            assert!(refused.contains("lies outside of"), "{refused}");
        }
        let directory_wanted = files.open(&including, "../sub").unwrap_err();
        assert!(
            directory_wanted.contains("it is a directory"),
            "{directory_wanted}"
        );
        let absent = files.open(&including, "b").unwrap_err();
        assert!(absent.contains("No such file"), "{absent}");
        assert!(
            Directory::anywhere()
                .open(&including, "../../secret")
                .is_ok()
        );
        assert!(NoFiles.open(&including, "a").is_err());
    }
}
