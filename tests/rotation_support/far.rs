//! A world at a distance: a runner's clone, the bare repository that is its origin, and a person who reviews and merges.

use super::{BEGIN, BRANCH, JOURNAL, Publish, Run, World, ZONE_FILE, apex, hours, resealed};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tlsa_rotate::rotation::timing::Instant;

/// The ref of the journals that runners share.
pub(crate) const LEDGER: &str = "refs/tlsa-rotate/journal";

/// A runner's clone, the bare repository that is its origin, and the clone of a person who reviews and merges.
pub(crate) struct Far {
    pub(crate) runner: World,
    pub(crate) home: TempDir,
}

impl Far {
    pub(crate) fn new(publish: Publish) -> Self {
        Self::of(World::new(publish))
    }

    /// The runner is this one.
    pub(crate) fn of(runner: World) -> Self {
        let publish = runner.publish;
        let home = tempfile::Builder::new().prefix("far-").tempdir().unwrap();
        let far = Self { runner, home };
        let config = far.runner.read("tlsa-rotate.toml");
        let (plain, at_a_distance) = match publish {
            Publish::Branch => (
                "branch = \"tlsa-rotate/{rotation}\" }",
                "branch = \"tlsa-rotate/{rotation}\", remote = \"origin\" }",
            ),
            _ => ("git = {}", "git = { remote = \"origin\" }"),
        };
        assert!(config.contains(plain), "{config}");
        far.runner
            .write("tlsa-rotate.toml", &config.replace(plain, at_a_distance));
        far.runner.git("commit --quiet --all --message remote");
        let bare = far.bare().display().to_string();
        git(
            far.home.path(),
            &format!("init --quiet --bare --initial-branch=main {bare}"),
        );
        far.runner.git(&format!("remote add origin {bare}"));
        far.runner.git("push --quiet origin main");
        let person = far.person().display().to_string();
        git(far.home.path(), &format!("clone --quiet {bare} {person}"));
        git(&far.person(), "config user.name Grace");
        git(&far.person(), "config user.email grace@example.com");
        far
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.home.path().join("origin.git")
    }

    pub(crate) fn person(&self) -> PathBuf {
        self.home.path().join("person")
    }

    /// Merges the proposal that waits on the remote, as a person does there; whether there is one.
    pub(crate) fn merge(&self) -> bool {
        let person = self.person();
        git(&person, "fetch --quiet --prune origin");
        if git(&person, &format!("branch --remotes --list origin/{BRANCH}")).is_empty() {
            return false;
        }
        git(&person, "reset --quiet --hard origin/main");
        let before = git(&person, "rev-parse HEAD");
        git(&person, &format!("merge --quiet origin/{BRANCH}"));
        git(&person, "push --quiet origin HEAD:main");
        before != git(&person, "rev-parse HEAD")
    }

    /// A commit of a person's on the remote's main branch: another record, or another file.
    pub(crate) fn work(&self, file: &str, line: &str) {
        let person = self.person();
        git(&person, "fetch --quiet origin");
        git(&person, "reset --quiet --hard origin/main");
        let before = fs::read_to_string(person.join(file)).unwrap_or_default();
        fs::write(person.join(file), before + line).unwrap();
        git(&person, "add --all");
        git(&person, "commit --quiet --message work");
        git(&person, "push --quiet origin HEAD:main");
    }

    pub(crate) fn there(&self, revision: &str, file: &str) -> String {
        git(&self.bare(), &format!("show {revision}:{file}")) + "\n"
    }

    /// The TLSA records of a host on the remote's main branch.
    pub(crate) fn tlsa(&self, host: &str) -> usize {
        let zone = self.there("main", ZONE_FILE);
        let zone = tlsa_rotate::zone::content::Zone::parse(zone.as_bytes(), Some(&apex())).unwrap();
        let owner = format!("_25._tcp.{host}. ");
        let text = zone.to_string().replace('\t', " ");
        text.lines()
            .filter(|line| line.starts_with(&owner) && line.contains(" TLSA "))
            .count()
    }

    /// How many commits of ours are on any branch there.
    pub(crate) fn commits(&self) -> usize {
        let format = "--format=%(trailers:key=Tlsa-Rotate-Step,valueonly)";
        let log = git(&self.bare(), &format!("log --branches {format}"));
        log.lines().filter(|line| !line.trim().is_empty()).count()
    }

    /// Brings a rotation to where it waits for caches: at hour 2.
    pub(crate) fn waits(&self) {
        let world = &self.runner;
        world.start(BEGIN).ends(0);
        world.advance(BEGIN).ends(3);
        assert!(self.merge());
        world.advance(hours(1)).ends(0);
        world.load();
        world.advance(hours(2)).ends(0);
        assert_eq!(world.step(hours(2)), "Waiting");
    }

    /// A stranger with an ordinary clone puts `journal` there for a certificate; the commit.
    pub(crate) fn stranger(&self, journal: &str, more: &[&str]) -> String {
        let clone = self.home.path().join("mallory");
        if !clone.exists() {
            let bare = self.bare().display().to_string();
            git(self.home.path(), &format!("clone --quiet {bare} mallory"));
            git(&clone, "config user.name Mallory");
            git(&clone, "config user.email mallory@example.com");
        }
        git(&clone, &format!("fetch --quiet origin +{LEDGER}:{LEDGER}"));
        fs::write(clone.join("mail.jsonl"), journal).unwrap();
        let blob = git(&clone, "hash-object -w mail.jsonl");
        git(&clone, "read-tree --empty");
        git(
            &clone,
            &format!("update-index --add --cacheinfo 100644,{blob},mail.jsonl"),
        );
        let tree = git(&clone, "write-tree");
        let mut arguments = more.to_vec();
        let parent = format!("{LEDGER}^{{commit}}");
        arguments.extend([
            "commit-tree",
            &tree,
            "-m",
            "mail.1: SwapOpen",
            "-p",
            &parent,
        ]);
        let made = Command::new("git")
            .current_dir(&clone)
            .args(arguments)
            .output();
        let made = Run::from(made.unwrap()).ends(0);
        let commit = made.stdout.trim().to_owned();
        git(&clone, &format!("push --quiet origin {commit}:{LEDGER}"));
        commit
    }

    /// A hook of the bare repository.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        hook(&self.bare().join("hooks"), name, script);
    }
}

/// The journal with one more line: the swap is open.
pub(crate) fn opened(world: &World, at: Instant) -> String {
    let journal = world.read(JOURNAL);
    let last = journal.lines().last().unwrap();
    let value: serde_json::Value = serde_json::from_str(last).unwrap();
    let seq = value["seq"].as_u64().unwrap() + 1;
    let digest = ring::digest::digest(&ring::digest::SHA256, last.as_bytes());
    let digest = data_encoding::HEXLOWER.encode(digest.as_ref());
    let line = format!(
        "{{\"version\":2,\"seq\":{seq},\"at\":\"{at}\",\"rotation\":\"mail.1\",\"event\":\"swap-opened\",\"previous\":\"{digest}\",\"digest\":\"\"}}"
    );
    format!("{journal}{}\n", resealed(&line))
}

pub(crate) fn hook(directory: &Path, name: &str, script: &str) {
    fs::create_dir_all(directory).unwrap();
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[track_caller]
pub(crate) fn git(directory: &Path, arguments: &str) -> String {
    let output = Command::new("git")
        .current_dir(directory)
        .args(arguments.split(' '))
        .output()
        .unwrap();
    let run = Run::from(output);
    assert_eq!(run.code, Some(0), "git {arguments}: {run:#?}");
    run.stdout.trim().to_owned()
}
