//! What a branch would hold if another were merged into it, before anybody merges it, and how files there are kept
//! (git-merge-tree(1), gitattributes(5)).

use super::{GitError, Repository, about, said, succeeded};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// What a merge comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// The tree that it makes.
    Tree(String),
    /// The files that a person has to put together.
    Conflicts(Vec<PathBuf>),
}

/// A path that differs between two trees, and what the later one has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path.
    pub path: PathBuf,
    /// What stands there; none: nothing any more.
    pub kind: Option<EntryKind>,
}

/// What git keeps at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A symbolic link.
    Link,
    /// A commit of another repository.
    Submodule,
}

/// The attributes by which the octets of a file differ between what is committed and what is checked out, or by which it is
/// merged otherwise than line by line.
const ATTRIBUTES: [&str; 7] = [
    "text",
    "eol",
    "crlf",
    "filter",
    "ident",
    "working-tree-encoding",
    "merge",
];

impl Repository {
    /// What merging `head` into `base` comes to. Nothing that is checked out moves.
    pub fn merged(&self, base: &str, head: &str) -> Result<Merged, GitError> {
        let asked = [
            "merge-tree",
            "--write-tree",
            "-z",
            "--name-only",
            "--no-messages",
            base,
            head,
        ];
        let told = self.ask(asked)?;
        let mut lines = told.stdout.split(|octet| *octet == 0);
        let tree = lines.next().unwrap_or_default();
        let tree = String::from_utf8_lossy(tree.trim_ascii()).into_owned();
        match told.status.code() {
            Some(0) => Ok(Merged::Tree(tree)),
            Some(1) => {
                let paths = lines.take_while(|path| !path.is_empty());
                let paths = paths.map(|path| self.root.join(OsStr::from_bytes(path)));
                Ok(Merged::Conflicts(paths.collect()))
            }
            _ => Err(GitError::Git {
                doing: "put the two sides of a merge together",
                said: said(&told.stdout, &told.stderr),
            }),
        }
    }

    /// The paths that differ between two commits or trees, with what the later one has there; a renamed file counts twice.
    pub fn entries_changed(&self, a: &str, b: &str) -> Result<Vec<Entry>, GitError> {
        let asked = ["diff-tree", "-r", "--no-renames", "--raw", "-z", a, b];
        let told = succeeded("compare two trees", self.ask(asked)?)?.stdout;
        let mut fields = told.split(|octet| *octet == 0);
        let mut entries = Vec::new();
        while let (Some(how), Some(path)) = (fields.next(), fields.next()) {
            let mode = how.split(|octet| *octet == b' ').nth(1).unwrap_or_default();
            let kind = match mode {
                b"000000" => None,
                b"120000" => Some(EntryKind::Link),
                b"160000" => Some(EntryKind::Submodule),
                _ => Some(EntryKind::File),
            };
            let path = self.root.join(OsStr::from_bytes(path));
            entries.push(Entry { path, kind });
        }
        Ok(entries)
    }

    /// The attributes of files that change what is committed or merged of them, as the `.gitattributes` of a tree say.
    pub fn attributes_at(
        &self,
        tree: &str,
        files: &[&Path],
    ) -> Result<BTreeMap<PathBuf, Vec<(String, String)>>, GitError> {
        let relative: Vec<PathBuf> = files
            .iter()
            .map(|path| self.relative(path))
            .collect::<Result<_, _>>()?;
        let relative: Vec<&Path> = relative.iter().map(PathBuf::as_path).collect();
        let source = format!("--source={tree}");
        let asked = ["check-attr", "-z", &source].into_iter().chain(ATTRIBUTES);
        let told = about(self.invocation(asked), &relative).run_to_end()?;
        let told = succeeded("tell the attributes of files", told)?.stdout;
        let mut fields = told.split(|octet| *octet == 0);
        let mut attributes: BTreeMap<PathBuf, Vec<(String, String)>> = BTreeMap::new();
        while let (Some(path), Some(name), Some(value)) =
            (fields.next(), fields.next(), fields.next())
        {
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            if value != b"unspecified" {
                let path = self.root.join(OsStr::from_bytes(path));
                let of_path = attributes.entry(path).or_default();
                of_path.push((text(name), text(value)));
            }
        }
        Ok(attributes)
    }
}
