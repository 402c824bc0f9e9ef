//! No symbolic link on the way: what git brings into a workspace can be a link, and a link leads anywhere.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// A symbolic link where none is followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} is a symbolic link: inside the workspace none is followed, because a merged change can bring one",
    .0.display()
)]
pub struct Link(pub PathBuf);

impl Link {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        let link = self.0.display();
        vec![
            format!("look where it leads, and who brought it: ls -l {link}; git log -- {link}"),
            format!("put the file or directory itself in its place: rm {link}"),
        ]
    }
}

/// Refuses a symbolic link at `path` or between it and `root`. What is not there, is no link.
pub fn none_below(root: &Path, path: &Path) -> Result<(), Link> {
    let Ok(below) = path.strip_prefix(root) else {
        return Ok(());
    };
    let mut at = root.to_owned();
    for part in below.components() {
        at.push(part);
        is_none(&at)?;
    }
    Ok(())
}

/// Refuses a symbolic link anywhere on `path`, but for one in the root directory, where systems have theirs (`/home`).
pub fn none_on(path: &Path) -> Result<(), Link> {
    let mut at = PathBuf::new();
    let mut names = 0_usize;
    for part in path.components() {
        at.push(part);
        if matches!(part, Component::Normal(_)) {
            names = names.saturating_add(1);
            if names > 1 || path.is_relative() {
                is_none(&at)?;
            }
        }
    }
    Ok(())
}

fn is_none(at: &Path) -> Result<(), Link> {
    match fs::symlink_metadata(at) {
        Ok(found) if found.is_symlink() => Err(Link(at.to_owned())),
        // What is not there is none; what cannot be looked at cannot be opened either, and whoever opens it tells why.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_is_found_wherever_it_stands() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("zones/deep")).unwrap();
        symlink("zones", root.join("elsewhere")).unwrap();
        symlink("nowhere", root.join("zones/dangling")).unwrap();
        let table = [
            ("zones/deep/file", None),
            ("elsewhere/deep/file", Some("elsewhere")),
            ("zones/dangling", Some("zones/dangling")),
            ("", None),
        ];
        for (path, link) in table {
            let link = link.map(|link| Link(root.join(link)));
            assert_eq!(none_below(&root, &root.join(path)).err(), link, "{path}");
            assert_eq!(none_on(&root.join(path)).err(), link, "{path}");
        }
    }
}
