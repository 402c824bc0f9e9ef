//! The journals of all runners in the remote: one commit for each time that facts were recorded, on a ref of its own.
//!
//! No branch holds it, so no pull request can change it. It moves only by compare-and-swap: a runner that was overtaken
//! is refused, and decides anew from what the other one has recorded.

use super::remote::Move;
use super::seal::sealed_text;
use super::{GitError, Repository, line_of, succeeded};
use crate::publish::ssh_sign::SigningError;
use std::collections::BTreeMap;

/// The ref, here and in the remote.
pub const LEDGER: &str = "refs/tlsa-rotate/journal";

/// Makes the armoured signature over a text.
pub type Sealer<'s> = &'s dyn Fn(&str) -> Result<String, SigningError>;

/// How many journals one git is asked for: each is at most a few hundred kilobytes, and all of an answer is held.
const AT_ONCE: usize = 256;

/// The first object of `git cat-file --batch`'s answer, which must be this one, and what follows it.
fn batched<'a>(answer: &'a [u8], object: &str) -> Option<(&'a [u8], &'a [u8])> {
    let end = answer.iter().position(|octet| *octet == b'\n')?;
    let (line, rest) = answer.split_at_checked(end)?;
    let size = str::from_utf8(line).ok()?.strip_prefix(object)?;
    let size: usize = size.strip_prefix(" blob ")?.parse().ok()?;
    let (octets, rest) = rest.get(1..)?.split_at_checked(size)?;
    Some((octets, rest.strip_prefix(b"\n")?))
}

impl Repository {
    /// The last commit of the journals, as it was fetched; none before the first fact.
    pub fn ledger(&self) -> Result<Option<String>, GitError> {
        self.commit_of(LEDGER)
    }

    /// The files of the journals in a commit: name and object.
    pub fn ledger_files(&self, commit: &str) -> Result<BTreeMap<String, String>, GitError> {
        let listed = self.ask(["ls-tree", "-z", "--full-tree", commit])?;
        let listed = succeeded("list the journals", listed)?;
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        let mut files = BTreeMap::new();
        for line in text.split('\0') {
            let Some((front, name)) = line.split_once('\t') else {
                continue;
            };
            if let ["100644", "blob", object] = front.split(' ').collect::<Vec<_>>()[..] {
                files.insert(name.to_owned(), object.to_owned());
            }
        }
        Ok(files)
    }

    /// The octets of an object.
    pub fn object(&self, object: &str) -> Result<Vec<u8>, GitError> {
        let read = self.ask(["cat-file", "blob", object])?;
        Ok(succeeded("read a journal", read)?.stdout)
    }

    /// The octets of many objects, in order, read by one git.
    pub fn objects(&self, objects: &[&str]) -> Result<Vec<Vec<u8>>, GitError> {
        let mut all = Vec::with_capacity(objects.len());
        for some in objects.chunks(AT_ONCE) {
            let mut read = self.invocation(["cat-file", "--batch"]);
            read.input = (some.join("\n") + "\n").into_bytes();
            let said = succeeded("read the journals", read.run_to_end()?)?.stdout;
            let mut rest = &*said;
            for object in some {
                let (octets, after) = batched(rest, object).ok_or_else(|| GitError::Corrupt {
                    root: self.root.clone(),
                    said: format!("git does not hand out the journal {object}"),
                })?;
                all.push(octets.to_vec());
                rest = after;
            }
        }
        Ok(all)
    }

    /// Stores contents, and names their objects in order: by one git, however many there are.
    fn store(&self, contents: &[&[u8]]) -> Result<Vec<String>, GitError> {
        if let [alone] = contents {
            let mut hash = self.invocation(["hash-object", "-w", "--stdin"]);
            hash.input = alone.to_vec();
            return Ok(vec![line_of(&succeeded(
                "store a journal",
                hash.run_to_end()?,
            )?)]);
        }
        let mut import = self.invocation(["fast-import", "--quiet"]);
        for (nth, octets) in contents.iter().enumerate() {
            let mark = nth.saturating_add(1);
            let head = format!("blob\nmark :{mark}\ndata {}\n", octets.len());
            import.input.extend(head.into_bytes());
            import.input.extend_from_slice(octets);
            import
                .input
                .extend(format!("\nget-mark :{mark}\n").into_bytes());
        }
        let stored = succeeded("store the journals", import.run_to_end()?)?.stdout;
        let names = String::from_utf8_lossy(&stored).into_owned();
        let names: Vec<String> = names.lines().map(str::to_owned).collect();
        if names.len() == contents.len() {
            return Ok(names);
        }
        Err(GitError::Git {
            doing: "store the journals",
            said: format!("{} of {} were stored", names.len(), contents.len()),
        })
    }

    /// Puts `files` into the journals of `remote`, if their last commit there still is `was`; the new last commit. Where a
    /// `sealer` is given, it signs what the commit holds and what that is built on.
    pub fn push_ledger(
        &self,
        remote: &str,
        was: Option<&str>,
        files: &[(String, Vec<u8>)],
        (what, sealer): (&str, Option<Sealer<'_>>),
    ) -> Result<String, GitError> {
        self.identified()?;
        let mut all = match was {
            Some(commit) => self.ledger_files(commit)?,
            None => BTreeMap::new(),
        };
        let octets: Vec<&[u8]> = files.iter().map(|(_, octets)| &**octets).collect();
        let objects = self.store(&octets)?.into_iter();
        all.extend(files.iter().map(|(name, _)| name.clone()).zip(objects));
        let mut tree = self.invocation(["mktree", "-z"]);
        for (name, object) in &all {
            let line = format!("100644 blob {object}\t{name}\0");
            tree.input.extend(line.into_bytes());
        }
        let tree = line_of(&succeeded("store the journals", tree.run_to_end()?)?);
        let seal = sealer.map(|sealer| sealer(&sealed_text(&tree, was)));
        let seal = seal.transpose().map_err(GitError::NotSigned)?;
        let mut arguments = vec!["commit-tree", &tree];
        arguments.extend(was.into_iter().flat_map(|was| ["-p", was]));
        let mut commit = self.invocation(arguments);
        commit.input = match seal {
            Some(seal) => format!("{what}\n\n{seal}"),
            None => format!("{what}\n"),
        }
        .into_bytes();
        let commit = line_of(&succeeded("commit the journals", commit.run_to_end()?)?);
        self.flush_objects()?;
        let there = Move {
            place: LEDGER.to_owned(),
            from: was.map(str::to_owned),
            to: Some(commit.clone()),
        };
        self.push(remote, &[there])?;
        Ok(commit)
    }
}
