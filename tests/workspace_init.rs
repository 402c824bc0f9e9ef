//! `tlsa-rotate init` as its user meets it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tlsa_rotate::workspace::Workspace;
use tlsa_rotate::workspace::config::{Config, KEYS};

fn init(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
        .arg("init")
        .args(arguments)
        .current_dir(directory)
        // As a git hook would leave it: git must look where it is told to, not here.
        .env("GIT_DIR", "/nowhere")
        .output()
        .unwrap()
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_new_workspace_is_valid_as_it_stands_and_nothing_is_ever_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let first = init(home.path(), &["my mail"]);
    assert!(first.status.success());
    assert_eq!(
        String::from_utf8(first.stdout).unwrap(),
        "my mail/tlsa-rotate.toml\nmy mail/zones/example.com.zone\nmy mail/keys/.gitignore\nmy mail/.gitignore\n\
         my mail/scripts/tlsa-rotate.service\nmy mail/scripts/tlsa-rotate.timer\nmy mail/scripts/tlsa-rotate.cron\n"
    );
    assert_eq!(
        String::from_utf8(first.stderr).unwrap(),
        "\nNext:\n  1. cd 'my mail' && ${EDITOR:-vi} tlsa-rotate.toml zones/example.com.zone\n  \
         2. tlsa-rotate key generate example.com --keys keys\n  3. tlsa-rotate plan\n\
         hint: this is no git repository, and changes of zones are reviewed in git: git init --initial-branch=main && git add . && git commit\n"
    );
    let root = home.path().join("my mail");
    let workspace = Workspace::find(&root.join("zones")).unwrap();
    assert_eq!(workspace.warnings().count(), 0);
    assert!(workspace.config.zones[0].file.exists());

    fs::write(root.join("tlsa-rotate.toml"), "mine").unwrap();
    fs::remove_file(root.join("scripts/tlsa-rotate.cron")).unwrap();
    let second = init(home.path(), &["my mail"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stdout.is_empty());
    let root_text = fs::canonicalize(&root).unwrap().display().to_string();
    assert_eq!(
        String::from_utf8(second.stderr).unwrap(),
        format!(
            "error: {root_text} already holds tlsa-rotate.toml, zones/example.com.zone, keys/.gitignore, \
             scripts/tlsa-rotate.service, scripts/tlsa-rotate.timer\n\
             hint: nothing was written; move them away, or name another directory: tlsa-rotate init DIR\n"
        )
    );
    assert_eq!(
        fs::read_to_string(root.join("tlsa-rotate.toml")).unwrap(),
        "mine"
    );
    assert!(!root.join("scripts/tlsa-rotate.cron").exists());
}

#[test]
fn every_key_is_explained_and_every_alternative_is_valid_too() {
    let home = tempfile::tempdir().unwrap();
    assert!(init(home.path(), &[]).status.success());
    let text = fs::read_to_string(home.path().join("tlsa-rotate.toml")).unwrap();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    for (table, keys) in KEYS {
        for key in *keys {
            assert!(words.contains(key), "`{key}` of {table} is not explained");
        }
    }
    // Each commented-out setting, put in the place of the one it is an alternative to.
    let mut alternatives = 0;
    let key_of = |line: &str| {
        let (key, value) = line.split_once('=')?;
        let key = key.trim();
        (!key.is_empty()
            && key.chars().all(|c| c.is_alphanumeric() || c == '_')
            && !value.is_empty())
        .then(|| key.to_owned())
    };
    let (text, vantage) = text.split_once("# [[vantage]]\n").unwrap();
    let (vantage, journal) = vantage
        .split_once("# Who may write into the journals")
        .unwrap();
    let (_, journal) = journal.split_once("# [journal]\n").unwrap();
    let journal: Vec<&str> = journal
        .lines()
        .map(|l| l.trim_start_matches("# "))
        .collect();
    let remote = text.replace("{rotation}\" } }", "{rotation}\", remote = \"origin\" } }");
    let journal = format!("{remote}[journal]\n{}", journal.join("\n"));
    let config = Config::parse(&journal, home.path()).unwrap();
    assert!(config.journal.is_some());
    let vantage: Vec<&str> = vantage
        .lines()
        .map(|l| l.trim_start_matches("# "))
        .collect();
    let vantage = format!("{text}[[vantage]]\n{}", vantage.join("\n"));
    let config = Config::parse(&vantage, home.path()).unwrap();
    assert_eq!(config.vantages[0].name, "probe1");
    for line in text.lines() {
        let Some(alternative) = line.strip_prefix("# ").filter(|l| key_of(l).is_some()) else {
            continue;
        };
        let key = key_of(alternative).unwrap();
        let mut changed: Vec<String> = Vec::new();
        for other in text.lines() {
            if other == line {
                changed.push(alternative.to_owned());
            } else if other.starts_with('#')
                || key_of(other.split('#').next().unwrap_or_default()).as_ref() != Some(&key)
            {
                changed.push(other.to_owned());
            }
        }
        let mut changed = changed.join("\n");
        match key.as_str() {
            "sign" => changed = changed.replace("# anchor", "anchor"),
            "anchor" => continue,
            // Somebody else signs.
            "include" => {
                let lines = changed.lines().filter(|l| !l.starts_with("sign "));
                changed = lines
                    .collect::<Vec<_>>()
                    .join("\n")
                    .replace("# sign ", "sign ")
                    .replace("# anchor", "anchor");
            }
            // The primary signs, and there is no file.
            "publish"
                if alternative.contains("update = ") || alternative.contains("command = ") =>
            {
                let lines = changed
                    .lines()
                    .filter(|l| !l.starts_with("file ") && !l.starts_with("sign "));
                changed = lines
                    .collect::<Vec<_>>()
                    .join("\n")
                    .replace("# sign ", "sign ")
                    .replace("# anchor", "anchor");
            }
            _ => {}
        }
        Config::parse(&changed, home.path()).unwrap_or_else(|e| panic!("{line}: {e:?}"));
        alternatives += 1;
    }
    assert_eq!(alternatives, 30);
}

#[test]
fn the_branch_that_counts_is_named_where_the_repository_tells_it_and_nowhere_guessed() {
    let line = |home: &Path| {
        let text = fs::read_to_string(home.join("tlsa-rotate.toml")).unwrap();
        let line = text.lines().find(|line| line.contains("branch = \"m"));
        line.unwrap().split("   ").next().unwrap().to_owned()
    };
    // Outside of a repository: whatever the first `git init` calls it is found when it is needed.
    for made in ["main", "master", "trunk"] {
        let home = tempfile::tempdir().unwrap();
        assert!(init(home.path(), &[]).status.success());
        assert_eq!(line(home.path()), "# branch = \"main\"");
        git(home.path(), &["init", "-q", "-b", made]);
        let plan = || {
            let mut plan = Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"));
            // Nobody is asked over the network.
            let plan = plan
                .args(["forget", "mx9.example.com"])
                .current_dir(home.path())
                .output();
            String::from_utf8(plan.unwrap().stderr).unwrap()
        };
        let told = format!("branch {made} counts as merged, because");
        assert!(plan().contains(&told), "{}", plan());
        git(home.path(), &["add", "."]);
        let name = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
        let commit = ["commit", "-q", "-m", "first"];
        git(home.path(), &[&name[..], &commit].concat());
        git(home.path(), &["checkout", "-q", "--detach"]);
        assert!(plan().contains(&told), "{}", plan());
    }
    let home = tempfile::tempdir().unwrap();
    git(home.path(), &["init", "-q", "-b", "master"]);
    assert!(init(home.path(), &[]).status.success());
    assert_eq!(line(home.path()), "branch = \"master\"");
}

#[test]
fn private_keys_and_state_stay_out_of_git_and_public_keys_do_not() {
    let home = tempfile::tempdir().unwrap();
    git(home.path(), &["init", "-q"]);
    let first = init(home.path(), &["--format", "json"]);
    let said = String::from_utf8(first.stderr).unwrap();
    assert!(!said.contains("hint"), "{said}");
    let told: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(told["schema"], "tlsa-rotate/init/v1");
    assert_eq!(told["in_git"], true);
    for file in [
        "keys/Kexample.com.+013+12345.private",
        "keys/Kexample.com.+013+12345.key",
        "keys/tls/mail.1/key.pem",
        "privkey1.pem",
        "privkey.roll.pem",
        "keys/xfr.tsig",
        "update.tsig",
        "keys/update.key",
        "acme/private_key.json",
        "accounts/example/account_key.json",
        "mx.key",
    ] {
        fs::create_dir_all(home.path().join(file).parent().unwrap()).unwrap();
        fs::write(home.path().join(file), "").unwrap();
    }
    drop(Workspace::find(home.path()).unwrap().lock().unwrap());
    git(home.path(), &["add", "."]);
    assert_eq!(
        git(home.path(), &["ls-files"]),
        ".gitignore\nkeys/.gitignore\nkeys/Kexample.com.+013+12345.key\nscripts/tlsa-rotate.cron\n\
         scripts/tlsa-rotate.service\nscripts/tlsa-rotate.timer\ntlsa-rotate.toml\nzones/example.com.zone\n"
    );
}

#[test]
fn a_gitignore_that_is_there_is_left_alone_and_its_gaps_are_told() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".gitignore"), "*.private\n/target\n").unwrap();
    let output = init(home.path(), &[]);
    assert!(output.status.success());
    assert_eq!(
        fs::read_to_string(home.path().join(".gitignore")).unwrap(),
        "*.private\n/target\n"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("to keep private keys out of git, add: *.key *.key.pem "),
        "{said}"
    );
}

#[test]
fn the_directory_is_written_as_units_and_crontabs_need_it() {
    let home = tempfile::tempdir().unwrap();
    assert!(init(home.path(), &["50% o'mail"]).status.success());
    let root = fs::canonicalize(home.path().join("50% o'mail")).unwrap();
    let above = root.parent().unwrap().display();
    let read = |name: &str| fs::read_to_string(root.join("scripts").join(name)).unwrap();
    assert!(
        read("tlsa-rotate.service").contains(&format!("WorkingDirectory={above}/50%% o'mail\n"))
    );
    let cron = read("tlsa-rotate.cron");
    assert!(
        cron.contains(&format!(
            "cd '{above}/50\\% o'\\''mail' && tlsa-rotate advance"
        )),
        "{cron}"
    );
}
