//! Files of a commit, and the names that git has for their contents: what is there is compared without being read.

use super::{GitError, Repository, succeeded};
use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The largest file read from git, in bytes.
pub(super) const LARGEST: usize = 256 << 20;

/// The name of a file's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blob(String);

impl Blob {
    /// Whether it is the name of these contents: the digest of their kind, their length and themselves, by SHA-1 or, in
    /// repositories that have it, SHA-256 (git-hash-object(1)).
    fn names(&self, contents: &[u8]) -> bool {
        let algorithm: &'static Algorithm = match self.0.len() {
            40 => &SHA1_FOR_LEGACY_USE_ONLY,
            64 => &SHA256,
            _ => return false,
        };
        let mut context = Context::new(algorithm);
        context.update(format!("blob {}\0", contents.len()).as_bytes());
        context.update(contents);
        data_encoding::HEXLOWER.encode(context.finish().as_ref()) == self.0
    }
}

impl Repository {
    /// The bytes of the file at `path` in a commit or branch; none when it does not hold it.
    pub fn file_at(&self, revision: &str, path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        let Some(Blob(object)) = self.blobs_at(revision, &[path])?.pop().flatten() else {
            return Ok(None);
        };
        let mut read = self.invocation(["cat-file", "blob", &object]);
        read.whole = false; // which file it is says more than which command
        let blob = succeeded("read a file of a commit", read.run_to_end()?)?;
        if blob.truncated {
            return Err(GitError::TooLarge {
                path: path.to_owned(),
                limit: LARGEST,
            });
        }
        Ok(Some(blob.stdout))
    }

    /// Whether a commit or branch holds, of each file, exactly these contents; in order.
    pub fn holds_at<'c>(
        &self,
        revision: &str,
        files: impl IntoIterator<Item = (&'c Path, &'c [u8])>,
    ) -> Result<Vec<bool>, GitError> {
        let files = files.into_iter();
        self.agrees_at(
            revision,
            files.map(|(path, contents)| (path, Some(contents))),
        )
    }

    /// The same where some files shall not be there: those have no contents.
    pub(super) fn agrees_at<'c>(
        &self,
        revision: &str,
        files: impl IntoIterator<Item = (&'c Path, Option<&'c [u8]>)>,
    ) -> Result<Vec<bool>, GitError> {
        let (paths, contents): (Vec<&Path>, Vec<Option<&[u8]>>) = files.into_iter().unzip();
        let blobs = self.blobs_at(revision, &paths)?.into_iter().zip(contents);
        Ok(blobs
            .map(|(blob, contents)| match contents {
                Some(contents) => blob.is_some_and(|blob| blob.names(contents)),
                None => blob.is_none(),
            })
            .collect())
    }

    /// The files below `directory` in a commit or branch, as paths relative to it.
    pub fn files_below(&self, revision: &str, directory: &Path) -> Result<Vec<PathBuf>, GitError> {
        let directory = self.relative(directory)?;
        let arguments = [
            "ls-tree",
            "-r",
            "-z",
            "--name-only",
            "--full-tree",
            revision,
        ];
        let listed = self.ask_about(arguments, &[&directory])?;
        let listed = succeeded("list the files of a commit", listed)?;
        let names = listed.stdout.split(|&b| b == 0);
        let paths = names.map(|name| PathBuf::from(OsStr::from_bytes(name)));
        Ok(paths
            .filter_map(|path| Some(path.strip_prefix(&directory).ok()?.to_owned()))
            .filter(|path| !path.as_os_str().is_empty())
            .collect())
    }

    /// What a commit or branch has at each path, in order; none where it has nothing there.
    fn blobs_at(&self, revision: &str, paths: &[&Path]) -> Result<Vec<Option<Blob>>, GitError> {
        if paths.is_empty() {
            // git would list all there is.
            return Ok(Vec::new());
        }
        let relative: Vec<PathBuf> = paths
            .iter()
            .map(|path| self.relative(path))
            .collect::<Result<_, _>>()?;
        let asked: Vec<&Path> = relative.iter().map(PathBuf::as_path).collect();
        let listed = self.ask_about(["ls-tree", "-z", "--full-tree", revision], &asked)?;
        let listed = succeeded("list the files of a commit", listed)?;
        let mut there = HashMap::new();
        for line in listed.stdout.split(|&b| b == 0) {
            let mut halves = line.splitn(2, |&b| b == b'\t');
            if let (Some(fields), Some(name)) = (halves.next(), halves.next()) {
                let fields = String::from_utf8_lossy(fields).into_owned();
                there.insert(PathBuf::from(OsStr::from_bytes(name)), fields);
            }
        }
        let blob = |(path, relative): (&&Path, &PathBuf)| {
            let fields = there.get(relative);
            fields.map(|fields| blob_of(path, fields)).transpose()
        };
        paths.iter().zip(&relative).map(blob).collect()
    }
}

/// What stands at `path`, from its mode, its kind and its object.
fn blob_of(path: &Path, fields: &str) -> Result<Blob, GitError> {
    let mut fields = fields.split(' ');
    let (mode, object) = (fields.next(), fields.nth(1));
    let what = match mode {
        Some("100644" | "100755") => return Ok(Blob(object.unwrap_or_default().to_owned())),
        Some("120000") => "a symbolic link",
        Some("160000") => "a submodule",
        _ => "a directory",
    };
    let path = path.to_owned();
    Err(GitError::NotAFile { path, what })
}

#[cfg(test)]
mod tests {
    use super::Blob;

    #[test]
    fn contents_have_the_names_that_git_gives_them() {
        // `printf 'text\n' | git hash-object --stdin`, in repositories of either format.
        let sha1 = Blob("8e27be7d6154a1f68ea9160ef0e18691d20560dc".to_owned());
        let sha256 = "b3266f5722b0701cf93ece47c374b0513e8eb55d41b19c767833040319c82187";
        for blob in [sha1, Blob(sha256.to_owned())] {
            for (contents, expected) in
                [(b"text\n".as_slice(), true), (b"text", false), (b"", false)]
            {
                assert_eq!(blob.names(contents), expected, "{blob:?} {contents:?}");
            }
        }
        assert!(!Blob(String::new()).names(b""));
    }
}
