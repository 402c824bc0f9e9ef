//! Commits into real git repositories: only our files, never a person's work, and every refusal with its way out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tlsa_rotate::publish::command::{CommandError, Invocation};
use tlsa_rotate::publish::git::{Change, GitError, Message, Outcome, Repository, Site, Target};

const BRANCH: &str = "tlsa-rotate/mail.1";
const OLD: &str = "old\n";
const NEW: &str = "new\n";

struct Home {
    directory: TempDir,
}

impl Home {
    /// A repository with one commit: `zones/zone` and `other`.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Self { directory };
        home.git("init -q -b main");
        home.git("config user.name Ada");
        home.git("config user.email ada@example.com");
        fs::create_dir(home.path("zones")).unwrap();
        home.write("zones/zone", OLD);
        home.write("other", "other\n");
        home.git("add .");
        home.git("commit -q -m first");
        home
    }

    fn path(&self, relative: &str) -> PathBuf {
        fs::canonicalize(self.directory.path())
            .unwrap()
            .join(relative)
    }

    fn write(&self, relative: &str, text: &str) {
        fs::write(self.path(relative), text).unwrap();
    }

    fn hook(&self, name: &str, script: &str) {
        let path = self.path(".git/hooks").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn git(&self, arguments: &str) -> String {
        let output = Command::new("git")
            .args(arguments.split(' '))
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    fn repository(&self) -> Repository {
        Repository::discover(&self.path("zones/zone")).unwrap()
    }

    fn change(&self, contents: &str) -> Vec<Change> {
        vec![Change {
            path: self.path("zones/zone"),
            contents: contents.into(),
            generated: false,
        }]
    }

    fn commit_here(&self, contents: &str) -> Result<Outcome, GitError> {
        let repository = self.repository();
        let base = &repository.head()?.commit;
        repository.commit(
            &self.change(contents),
            message("publish"),
            Target::Direct {
                branch: "main",
                base,
                scratch: &self.path(".git/scratch"),
            },
        )
    }

    fn propose(&self, contents: &str, step: &str) -> Result<Outcome, GitError> {
        let scratch = self.path(".git/scratch");
        let target = Target::Branch {
            name: BRANCH,
            base: "HEAD",
            scratch: &scratch,
            site: Site::Here,
        };
        let message = Message {
            text: "Publish the next key",
            step,
            journal: None,
        };
        let outcome = self
            .repository()
            .commit(&self.change(contents), message, target);
        assert!(!scratch.exists(), "the temporary working tree is gone");
        assert_eq!(
            self.git("worktree list --porcelain")
                .matches("worktree ")
                .count(),
            1
        );
        outcome
    }

    fn state(&self) -> String {
        self.git("status --porcelain")
    }
}

fn message(step: &str) -> Message<'_> {
    Message {
        text: "Publish the next key\n\nBecause.\n# not a comment",
        step,
        journal: Some("7 3fa9c1d2e4b5a697"),
    }
}

fn committed(outcome: Result<Outcome, GitError>) -> String {
    match outcome {
        Ok(Outcome::Committed { commit }) => commit,
        other => panic!("a commit was expected: {other:?}"),
    }
}

fn refusal(outcome: Result<Outcome, GitError>) -> GitError {
    let error = outcome.expect_err("a refusal was expected");
    assert!(!error.hints().is_empty(), "{error} has no way out");
    error
}

#[test]
fn a_commit_takes_our_file_and_leaves_the_users_index_and_changes_alone() {
    let home = Home::new();
    home.write("staged", "staged\n");
    home.git("add staged");
    home.write("other", "half way\n");
    home.write("untracked", "untracked\n");
    let before = home.state();
    let commit = committed(home.commit_here(NEW));
    assert_eq!(home.state(), before);
    assert_eq!(home.git("rev-parse main"), commit);
    assert_eq!(home.git("show --format= --name-only HEAD"), "zones/zone");
    assert_eq!(
        home.git("show -s --format=%B HEAD"),
        "Publish the next key\n\nBecause.\n# not a comment\n\nTlsa-Rotate-Step: publish\n\
         Tlsa-Rotate-Journal: 7 3fa9c1d2e4b5a697"
    );
    assert_eq!(
        home.repository()
            .head_file(&home.path("zones/zone"))
            .unwrap(),
        Some(NEW.into())
    );
    assert_eq!(
        home.commit_here(NEW).unwrap(),
        Outcome::Unchanged { commit }
    );
}

#[test]
fn a_file_that_git_has_never_seen_is_committed_too_and_forgotten_when_a_hook_refuses() {
    let home = Home::new();
    let change = vec![Change {
        path: home.path("zones/deep/new"),
        contents: NEW.into(),
        generated: false,
    }];
    home.hook("pre-commit", "echo no such zone >&2; exit 1");
    let commit = || {
        let repository = home.repository();
        let base = &repository.head()?.commit;
        repository.commit(
            &change,
            message("publish"),
            Target::Direct {
                branch: "main",
                base,
                scratch: &home.path(".git/scratch"),
            },
        )
    };
    let error = refusal(commit());
    assert!(error.to_string().ends_with("no such zone"), "{error}");
    assert_eq!(home.state(), "");
    home.hook("pre-commit", "exit 0");
    committed(commit());
    assert_eq!(home.git("show HEAD:zones/deep/new"), "new");
    assert_eq!(home.state(), "");
}

#[test]
fn a_refused_commit_puts_the_file_back() {
    let home = Home::new();
    home.hook("commit-msg", "exit 1");
    assert!(matches!(
        refusal(home.commit_here(NEW)),
        GitError::Refused { .. }
    ));
    assert_eq!(fs::read_to_string(home.path("zones/zone")).unwrap(), OLD);
    assert_eq!(home.state(), "");
}

#[test]
fn unfinished_work_in_our_file_is_not_swept_along_but_that_of_a_killed_run_is() {
    let home = Home::new();
    for (stage, then) in [(false, "working tree"), (true, "index")] {
        home.write("zones/zone", "a person's work\n");
        if stage {
            home.git("add zones/zone");
        }
        assert!(
            matches!(refusal(home.commit_here(NEW)), GitError::Dirty { .. }),
            "{then}"
        );
        assert!(matches!(
            home.repository().require_clean(&home.path("zones/zone")),
            Err(GitError::Dirty { .. })
        ));
        assert_eq!(
            fs::read_to_string(home.path("zones/zone")).unwrap(),
            "a person's work\n"
        );
    }
    home.git("reset -q --hard");
    home.repository()
        .require_clean(&home.path("zones/zone"))
        .unwrap();
    home.write("zones/zone", NEW);
    committed(home.commit_here(NEW));
}

#[test]
fn a_proposal_is_a_branch_that_nothing_else_notices() {
    let home = Home::new();
    home.write("other", "half way\n");
    let (before, head) = (home.state(), home.git("rev-parse HEAD"));
    let commit = committed(home.propose(NEW, "mail.1/publish"));
    assert_eq!(
        (home.state(), home.git("rev-parse HEAD")),
        (before, head.clone())
    );
    assert_eq!(home.git(&format!("rev-parse {BRANCH}")), commit);
    assert_eq!(home.git(&format!("rev-parse {BRANCH}^")), head);
    assert_eq!(
        home.git(&format!("diff --name-only main {BRANCH}")),
        "zones/zone"
    );
    assert_eq!(
        home.propose(NEW, "mail.1/publish").unwrap(),
        Outcome::Unchanged {
            commit: commit.clone()
        }
    );
    // Other contents, and another base: made anew in one commit.
    let Outcome::Rebuilt {
        commit: second,
        was,
    } = home.propose("newer\n", "mail.1/publish").unwrap()
    else {
        panic!("it is rebuilt")
    };
    assert_eq!(was, commit);
    home.git("commit -q --allow-empty -m more");
    let Outcome::Rebuilt { commit: third, was } =
        home.propose("newer\n", "mail.1/publish").unwrap()
    else {
        panic!("it is rebuilt")
    };
    assert_eq!(was, second);
    assert_eq!(home.git(&format!("rev-list main..{BRANCH}")), third);
}

#[test]
fn a_merged_proposal_is_done_and_its_branch_serves_the_next_step() {
    let home = Home::new();
    for how in ["merge -q --no-ff --no-edit", "merge -q --ff-only"] {
        let (new, step) = (format!("{how}\n"), format!("mail.1/{}", how.len()));
        committed(home.propose(&new, &step));
        home.git(&format!("{how} {BRANCH}"));
        let head = home.git("rev-parse HEAD");
        assert_eq!(
            home.propose(&new, &step).unwrap(),
            Outcome::Unchanged { commit: head }
        );
    }
    committed(home.propose("retired\n", "mail.1/retire"));
    // Squashed by the forge and deleted there: another step is a new proposal.
    home.git(&format!("merge -q --squash {BRANCH}"));
    home.git("commit -q -m squashed");
    home.git(&format!("branch -q -D {BRANCH}"));
    assert!(matches!(
        home.propose("retired\n", "mail.1/retire"),
        Ok(Outcome::Unchanged { .. })
    ));
    committed(home.propose("other\n", "mail.1/other"));
}

#[test]
fn a_persons_work_on_the_branch_is_never_overwritten() {
    let home = Home::new();
    committed(home.propose(NEW, "mail.1/publish"));
    for work in [
        "commit -q --allow-empty -m mine",
        "commit -q --amend --allow-empty -C HEAD --reset-author --date=2001-01-01T00:00:00",
    ] {
        home.git(&format!("checkout -q {BRANCH}"));
        home.git(work);
        let tip = home.git("rev-parse HEAD");
        home.git("checkout -q main");
        let error = refusal(home.propose("newer\n", "mail.1/publish"));
        assert_eq!(
            error.to_string(),
            format!(
                "branch {BRANCH} holds commits that a person made or changed (its tip is {tip})"
            )
        );
        assert_eq!(home.git(&format!("rev-parse {BRANCH}")), tip);
        home.git(&format!(
            "update-ref refs/heads/{BRANCH} refs/tlsa-rotate/{BRANCH}"
        ));
    }
    // In a clone without the memory of it, the trailers tell whose commits these are.
    home.git(&format!("update-ref -d refs/tlsa-rotate/{BRANCH}"));
    assert!(matches!(
        home.propose("newer\n", "mail.1/publish"),
        Ok(Outcome::Rebuilt { .. })
    ));
    home.git(&format!("update-ref -d refs/tlsa-rotate/{BRANCH}"));
    home.git(&format!("checkout -q {BRANCH}"));
    home.git("commit -q --allow-empty -m mine");
    home.git("checkout -q main");
    assert!(matches!(
        refusal(home.propose(NEW, "mail.1/publish")),
        GitError::BranchEdited { .. }
    ));
}

#[test]
fn a_deleted_or_checked_out_branch_is_left_to_the_person() {
    let home = Home::new();
    committed(home.propose(NEW, "mail.1/publish"));
    home.git(&format!("checkout -q {BRANCH}"));
    let error = refusal(home.repository().commit(
        &home.change("newer\n"),
        message("mail.1/publish"),
        Target::Branch {
            name: BRANCH,
            base: "main",
            scratch: &home.path(".git/scratch"),
            site: Site::Here,
        },
    ));
    assert!(
        matches!(&error, GitError::BranchCheckedOut { place, .. } if Path::new(place) == home.path("")),
        "{error}"
    );
    home.git("checkout -q main");
    home.git(&format!("branch -q -D {BRANCH}"));
    let error = refusal(home.propose(NEW, "mail.1/publish"));
    assert_eq!(
        error.to_string(),
        format!("branch {BRANCH} was deleted before its proposal was merged")
    );
    let way_out = error.hints()[1].clone();
    let command = way_out
        .split("again: git ")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    home.git(command);
    committed(home.propose(NEW, "mail.1/publish"));
}

#[test]
fn a_branch_that_moves_while_the_proposal_is_made_is_not_moved_back() {
    let home = Home::new();
    committed(home.propose(NEW, "mail.1/publish"));
    // The hook is the other person: it works on the branch at the worst moment.
    home.hook(
        "pre-commit",
        &format!("unset GIT_INDEX_FILE; git update-ref refs/heads/{BRANCH} main"),
    );
    let error = refusal(home.propose("newer\n", "mail.1/publish"));
    assert!(matches!(error, GitError::BranchMoved { .. }), "{error}");
    assert_eq!(
        home.git(&format!("rev-parse {BRANCH}")),
        home.git("rev-parse main")
    );
}

#[test]
fn hooks_run_on_proposals_and_what_a_killed_run_left_is_cleared() {
    let home = Home::new();
    home.hook("pre-commit", "echo rejected >&2; exit 1");
    let error = refusal(home.propose(NEW, "mail.1/publish"));
    assert_eq!(
        error.to_string(),
        "git refused the commit (a hook, or signing):\nrejected"
    );
    home.hook("pre-commit", "echo changed >zones/zone; git add zones/zone");
    assert!(matches!(
        refusal(home.propose(NEW, "mail.1/publish")),
        GitError::CommittedOtherwise { .. }
    ));
    assert_eq!(home.git("branch --list tlsa-rotate/*"), "");
    home.hook("pre-commit", "exit 0");
    home.git("worktree add -q --detach .git/scratch HEAD");
    home.git("worktree lock .git/scratch");
    committed(home.propose(NEW, "mail.1/publish"));
    fs::create_dir_all(home.path(".git/scratch/junk")).unwrap();
    assert!(matches!(
        home.propose("newer\n", "mail.1/publish"),
        Ok(Outcome::Rebuilt { .. })
    ));
}

#[test]
fn repositories_that_cannot_be_committed_to_say_why_and_the_way_out() {
    let home = Home::new();
    let check = |expected: &str| {
        let error = refusal(home.commit_here(NEW));
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(fs::read_to_string(home.path("zones/zone")).unwrap(), OLD);
    };
    home.write(".git/index.lock", "");
    check("index.lock exists: another git is at work");
    fs::remove_file(home.path(".git/index.lock")).unwrap();

    let commit = home.git("rev-parse HEAD");
    home.write(".git/MERGE_HEAD", &format!("{commit}\n"));
    check("a merge is under way");
    fs::remove_file(home.path(".git/MERGE_HEAD")).unwrap();

    home.git("checkout -q --detach");
    assert_eq!(home.repository().head().unwrap().branch, None);
    home.git("checkout -q main");

    // An empty name here outweighs whatever the machine's own configuration says.
    home.git("config user.name ");
    check("git does not know who makes the commit");
}

#[test]
fn a_file_in_a_directory_that_is_not_checked_out_is_read_from_its_branch() {
    let home = Home::new();
    let there = home.path("zones/zone");
    let held = fs::read(&there).unwrap();
    fs::remove_dir_all(home.path("zones")).unwrap();
    let repository = Repository::discover(&there).unwrap();
    assert_eq!(repository.head_file(&there).unwrap(), Some(held));
}

#[test]
fn paths_that_are_no_repository_or_no_file_are_told_apart() {
    let home = Home::new();
    let outside = tempfile::tempdir().unwrap();
    let error = Repository::discover(outside.path()).unwrap_err();
    assert!(matches!(error, GitError::NotARepository { .. }), "{error}");
    home.git("init -q --bare bare.git");
    let error = Repository::discover(&home.path("bare.git")).unwrap_err();
    assert!(matches!(error, GitError::Bare { .. }), "{error}");
    home.git("init -q fresh");
    let fresh = Repository::discover(&home.path("fresh")).unwrap();
    assert!(matches!(fresh.head(), Err(GitError::Unborn { .. })));

    let repository = home.repository();
    symlink("zone", home.path("zones/link")).unwrap();
    home.git("add zones/link");
    home.git("commit -q -m link");
    for (path, expected) in [
        (home.path("zones/link"), "a symbolic link"),
        (home.path("zones"), "a directory"),
        (
            outside.path().join("zone"),
            "lies outside the git repository",
        ),
    ] {
        let error = repository.head_file(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(
        repository.head_file(&home.path("zones/absent")).unwrap(),
        None
    );
    assert_eq!(
        repository.head_file(&home.path("no/such/place")).unwrap(),
        None
    );
    home.write("zones/fresh", "");
    assert!(matches!(
        repository.require_clean(&home.path("zones/fresh")),
        Err(GitError::NotInHead { .. })
    ));
    home.write("zones/[z]one *", "odd\n");
    home.git("add zones");
    home.git("commit -q -m odd");
    assert_eq!(
        repository.head_file(&home.path("zones/[z]one *")).unwrap(),
        Some(b"odd\n".to_vec())
    );
    repository
        .require_clean(&home.path("zones/[z]one *"))
        .unwrap();
}

fn sh(script: &str, deadline: Duration) -> Invocation {
    Invocation::new(["sh", "-c", script], "/", deadline)
}

#[test]
fn commands_are_bounded_in_time_and_output_and_tell_what_they_said() {
    let long = Duration::from_secs(30);
    let error = sh("echo out; echo no >&2; exit 7", long).run().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`sh -c echo out; echo no >&2; exit 7` failed (exit code 7):\nno"
    );
    let error = sh("kill -9 $$", long).run().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`sh -c kill -9 $$` failed (killed by signal 9)"
    );
    let error = Invocation::new(["/no/such/program"], "/", long)
        .run()
        .unwrap_err();
    assert!(matches!(&error, CommandError::NotStarted { .. }) && !error.hints().is_empty());
    assert!(matches!(
        Invocation::new([""; 0], "/", long).run(),
        Err(CommandError::Empty)
    ));

    let mut flood = sh("yes | head -c 1000000", long);
    flood.limit = 10;
    let finished = flood.run().unwrap();
    assert_eq!((finished.stdout.len(), finished.truncated), (10, true));

    let mut variables = sh("printf %s \"$TLSA_ROTATE_STEP$HOME\"; cat", long);
    variables.set = vec![("TLSA_ROTATE_STEP".to_owned(), "deploy".into())];
    variables.unset = &["HOME"];
    variables.input = b" and input".to_vec();
    assert_eq!(variables.run().unwrap().stdout, b"deploy and input");
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children_and_a_daemon_does_not_hold_us_up() {
    let start = Instant::now();
    let error = sh("sleep 1000 & echo $!; wait", Duration::from_millis(200))
        .run()
        .unwrap_err();
    let CommandError::TimedOut { said, .. } = &error else {
        panic!("{error}");
    };
    let child = Path::new("/proc").join(said);
    while child.exists()
        && !fs::read_to_string(child.join("status"))
            .unwrap_or_default()
            .contains("State:\tZ")
    {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the child lives on"
        );
        std::thread::yield_now();
    }
    let finished = sh("sleep 20 & echo started", Duration::from_secs(15))
        .run()
        .unwrap();
    assert_eq!(finished.stdout, b"started\n");
    assert!(start.elapsed() < Duration::from_secs(15));
}

const STAGE: &str = "TLSA_ROTATE_TEST_STAGE";
const PLACE: &str = "TLSA_ROTATE_TEST_PLACE";

/// Does in a process of its own what the next test has killed.
#[test]
#[ignore = "run by another test in a process of its own"]
fn stage() {
    let root = PathBuf::from(std::env::var_os(PLACE).expect("run by another test"));
    let repository = Repository::discover(&root).unwrap();
    let change = [Change {
        path: root.join("zones/zone"),
        contents: NEW.into(),
        generated: false,
    }];
    let scratch = root.join(".git/scratch");
    let base = repository.head().unwrap().commit;
    let target = match std::env::var(STAGE).unwrap().as_str() {
        "current" => Target::Direct {
            branch: "main",
            base: &base,
            scratch: &scratch,
        },
        _ => Target::Branch {
            name: BRANCH,
            base: "HEAD",
            scratch: &scratch,
            site: Site::Here,
        },
    };
    repository
        .commit(&change, message("mail.1/publish"), target)
        .unwrap();
}

/// Kills a commit before each git that it starts, runs it again, and looks at what came of it.
fn killed_and_run_again(
    stage: &str,
    branch: &str,
    again: &dyn Fn(&Home) -> Result<Outcome, GitError>,
) {
    let mut killed = 0;
    // At least two pipes are made for every git, and nothing else makes any.
    for at in (1..).step_by(2) {
        assert!(at < 400, "{stage} never ends");
        let home = Home::new();
        let status = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=pipe2", "-e"])
            .arg(format!("inject=pipe2:signal=KILL:when={at}"))
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--test-threads=1", "stage"])
            .env(STAGE, stage)
            .env(PLACE, home.path(""))
            .stdout(std::process::Stdio::null())
            .status()
            .expect("strace");
        if status.success() {
            break;
        }
        killed += 1;
        if let Err(error) = again(&home) {
            panic!("{stage} {at}: {error}");
        }
        assert_eq!(
            home.git(&format!("rev-list --count {branch}")),
            "2",
            "{stage} {at}"
        );
        assert_eq!(home.git(&format!("show {branch}:zones/zone")), "new");
        assert_eq!(home.state(), "", "{stage} {at}");
    }
    assert!(killed >= 8, "{stage}: only {killed} places");
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_commit_killed_before_any_git_is_made_once_by_the_next_run() {
    killed_and_run_again("current", "main", &|home| home.commit_here(NEW));
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_proposal_killed_before_any_git_is_made_once_by_the_next_run() {
    killed_and_run_again("branch", BRANCH, &|home| {
        home.propose(NEW, "mail.1/publish")
    });
}
