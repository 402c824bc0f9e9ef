//! The recipes in `scripts/ci`, run as far as one machine can: the shell steps of every recipe against a real origin, with a
//! `curl` that writes down what it is asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::far::{Far, git};
use rotation_support::{BEGIN, BRANCH, PROGRAM, Publish, Run, hours};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tlsa_rotate::rotation::timing::Instant;

const SECRET: &str = "glpat-secret";
const RECIPES: [(&str, &str, &str); 3] = [
    (
        "github.yml",
        "PATCH",
        "https://api.example/repos/me/zones/issues",
    ),
    (
        "forgejo.yml",
        "PATCH",
        "https://api.example/repos/me/zones/issues",
    ),
    (
        "gitlab.yml",
        "PUT",
        "https://api.example/projects/7/merge_requests/9/notes",
    ),
];

fn scripts(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(relative)
}

fn executable(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/bash\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The shell steps of a recipe: every block below a line that ends in `|`, as YAML has it.
fn steps(recipe: &str) -> Vec<String> {
    let text = fs::read_to_string(scripts("ci").join(recipe)).unwrap();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut steps = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.trim_end().ends_with("run: |") && line.trim() != "- |" {
            continue;
        }
        let outer = indent(line);
        let mut block = String::new();
        while let Some(inside) = lines.next_if(|l| l.trim().is_empty() || indent(l) > outer) {
            block.push_str(inside.trim_start_matches(' '));
            block.push('\n');
        }
        steps.push(block);
    }
    assert!(steps.len() >= 4, "{recipe}: {steps:#?}");
    steps
}

/// Runs a recipe in a fresh clone with a branch checked out as pipelines do; the exit code of its last step, what it
/// printed, what `curl` was called with, and the body that it sent.
fn pipeline(
    far: &Far,
    recipe: &str,
    branch: &str,
    now: Instant,
    earlier: &str,
) -> (Run, String, String) {
    let place = tempfile::tempdir().unwrap();
    let (bin, clone) = (place.path().join("bin"), place.path().join("clone"));
    fs::create_dir(&bin).unwrap();
    executable(
        &bin.join("tlsa-rotate"),
        &format!("exec {PROGRAM} --now {now} \"$@\""),
    );
    fs::write(place.path().join("earlier"), earlier).unwrap();
    executable(
        &bin.join("curl"),
        "echo \"$@\" >> \"$PLACE/asked\"\n\
         while [ $# -gt 0 ]; do case $1 in\n\
         --config) cat \"$2\" >> \"$PLACE/headers\"; shift;;\n\
         --data-binary) cp \"${2#@}\" \"$PLACE/body\"; shift;;\n\
         esac; shift; done\n\
         [ -e \"$PLACE/body\" ] || cat \"$PLACE/earlier\"",
    );
    let bare = far.bare().display().to_string();
    git(place.path(), &format!("clone --quiet {bare} clone"));
    let head = git(&clone, &format!("rev-parse origin/{branch}"));
    git(&far.bare(), &format!("update-ref refs/pull/9/head {head}"));
    // The forges that know `pull_request_target` check out what the recipe says, GitLab what the request brings.
    let text = fs::read_to_string(scripts("ci").join(recipe)).unwrap();
    let is_by_base = text.contains("\non: pull_request_target\n")
        && text.contains("ref: ${{ github.event.pull_request.base.ref }}\n");
    let checked_out = if is_by_base { "main" } else { branch };
    git(
        &clone,
        &format!("checkout --quiet --detach origin/{checked_out}"),
    );
    let mut last = None;
    for step in steps(recipe) {
        let output = Command::new("bash")
            .args(["-eo", "pipefail", "-c", &step])
            .current_dir(&clone)
            .env("PLACE", place.path())
            .env(
                "PATH",
                format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()),
            )
            .env("BASE", "main")
            .env("HEAD", &head)
            .env("NUMBER", "9")
            .env("TOKEN", SECRET)
            .env("GITHUB_API_URL", "https://api.example")
            .env("GITHUB_REPOSITORY", "me/zones")
            .env("CI_API_V4_URL", "https://api.example")
            .env("CI_PROJECT_ID", "7")
            .env("CI_MERGE_REQUEST_IID", "9")
            .env("CI_COMMIT_SHA", &head)
            .env("TLSA_ROTATE_TOKEN", SECRET)
            .output()
            .unwrap();
        let run = Run::from(output);
        let ended = run.code != Some(0);
        last = Some(run);
        if ended {
            break;
        }
    }
    assert_eq!(git(&clone, "status --porcelain"), "", "{recipe}");
    let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap_or_default();
    assert!(read("headers").contains(SECRET), "{recipe}: {last:#?}");
    assert!(
        !read("asked").contains(SECRET),
        "a secret on a command line"
    );
    (last.unwrap(), read("asked"), read("body"))
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn every_recipe_judges_a_request_and_keeps_one_comment() {
    let far = Far::new(Publish::Branch);
    far.runner.start(BEGIN).ends(0);
    far.runner.advance(BEGIN).ends(3);
    for (recipe, change, address) in RECIPES {
        let (run, asked, body) = pipeline(&far, recipe, BRANCH, hours(1), "[]");
        assert_eq!(run.code, Some(0), "{recipe}: {run:#?}");
        assert!(
            asked.contains(&format!("-X POST {address}")),
            "{recipe}: {asked}"
        );
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let text = body["body"].as_str().unwrap();
        assert!(
            text.starts_with("<!-- tlsa-rotate -->\n**tlsa-rotate**: "),
            "{recipe}: {text}"
        );
        assert!(text.contains("it may be merged"), "{recipe}: {text}");
        assert!(
            text.contains("The plan of mail</summary>"),
            "{recipe}: {text}"
        );
        assert!(
            text.contains("```diff") || text.contains("| 3 "),
            "{recipe}: {text}"
        );
        assert!(!text.contains("cannot be told here"), "{recipe}: {text}");
        // The second time the same comment is changed.
        let earlier =
            "[{\"id\":1,\"body\":\"other\"},{\"id\":42,\"body\":\"<!-- tlsa-rotate -->\\nold\"}]";
        let (_, asked, _) = pipeline(&far, recipe, BRANCH, hours(1), earlier);
        assert!(
            asked.contains(&format!("-X {change} {address}")),
            "{recipe}: {asked}"
        );
        assert!(asked.contains("/42 "), "{recipe}: {asked}");
    }
    // What a request brings along is not run: neither of its configuration, nor what git or the shell would take from a tree.
    let pwned = far.home.path().join("pwned");
    let touch = format!("\"touch\", \"{}\"", pwned.display());
    let person = far.person();
    git(&person, "fetch --quiet origin");
    git(&person, "checkout --quiet -B attack origin/main");
    let config = fs::read_to_string(person.join("tlsa-rotate.toml")).unwrap();
    let provider = format!("publish = {{ command = [{touch}] }}\nreload = [{touch}]");
    let at = config.find("publish = ").unwrap();
    let end = at + config[at..].find('\n').unwrap();
    let config = format!(
        "{}{provider}{}\n[[vantage]]\nname = \"there\"\ncommand = [{touch}]\n",
        &config[..at],
        &config[end..]
    );
    let config = config.replace(
        "sign = { keys = \"keys\" }",
        "sign = \"external\"\nanchor = \"anchor\"",
    );
    let config = config.replace("file = \"example.com.zone\"\n", "");
    fs::write(person.join("tlsa-rotate.toml"), config).unwrap();
    git(&person, "add --all");
    git(&person, "commit --quiet --message attack");
    git(&person, "push --quiet origin attack");
    for (recipe, ..) in RECIPES {
        let (run, _, body) = pipeline(&far, recipe, "attack", hours(1), "[]");
        assert!(!pwned.exists(), "{recipe}: {run:#?} {body}");
    }
    // A request that takes away what is required fails the pipeline, with the code that says how grave it is.
    far.merge();
    git(&person, "checkout --quiet -B revert origin/main");
    git(&person, "revert --no-edit HEAD");
    git(&person, "push --quiet origin revert");
    for (recipe, ..) in RECIPES {
        let (run, _, body) = pipeline(&far, recipe, "revert", hours(1), "[]");
        assert_eq!(run.code, Some(4), "{recipe}: {run:#?}");
        assert!(
            body.contains("senders could refuse mail"),
            "{recipe}: {body}"
        );
    }
}
