//! The README: its diagram is the machine's own, its demo ends as it says, and every command in it runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{Publish, SIGNED, World, ZONE_FILE};
use std::fs;
use std::path::Path;
use std::process::Command;
use tlsa_rotate::report::diagram;
use tlsa_rotate::zone::content::Zone;

const README: &str = include_str!("../README.md");

/// The text of every block of `language`, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let parts = README.split(fence.as_str()).skip(1);
    parts
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn the_diagram_is_what_apply_accepts() {
    let begin = "<!-- diagram -->\n";
    let end = "<!-- end of diagram -->";
    let (before, rest) = README.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let fresh = format!(
        "{before}{begin}```mermaid\n{}```\n{end}{after}",
        diagram::mermaid()
    );
    if fresh != README {
        if std::env::var_os("UPDATE_README").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
            fs::write(path, fresh).unwrap();
        }
        panic!(
            "README.md is behind the machine; UPDATE_README=1 cargo nextest run --test readme brings it up to date"
        );
    }
}

#[test]
fn the_demo_ends_as_the_readme_says() {
    let demo = Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
        .arg("demo")
        .output()
        .unwrap();
    let out = String::from_utf8(demo.stdout).unwrap();
    let told = blocks("text")[0];
    assert!(
        out.ends_with(told),
        "the README says\n{told}\nand the demo\n{out}"
    );
    assert_eq!(demo.status.code(), Some(0));
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn without_the_wait_mail_is_refused() {
    let demo = Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
        .args(["demo", "--skip-wait"])
        .output()
        .unwrap();
    let out = String::from_utf8(demo.stdout).unwrap();
    let last = out.lines().last().unwrap();
    let (refused, sent) = last
        .split_once(" refused of ")
        .unwrap_or_else(|| panic!("{out}"));
    let (refused, sent): (u64, u64) = (refused.parse().unwrap(), sent.parse().unwrap());
    assert!(refused > 0 && refused < sent, "{last}");
    assert!(out.contains("AT RISK"), "the machine has noticed:\n{out}");
    assert_eq!(demo.status.code(), Some(4));
}

#[test]
fn the_number_of_states_is_the_one_that_the_model_check_asserts() {
    let model = include_str!("model/main.rs");
    let after = model.split("holds(Setting::WHOLE, ").nth(1).unwrap();
    let asserted = after
        .split(|c: char| c != '_' && !c.is_ascii_digit())
        .next()
        .unwrap();
    assert!(
        README.contains(&format!("{} states", asserted.replace('_', ","))),
        "{asserted}"
    );
}

/// Commands that a test runs in another way, and where.
fn runs_elsewhere(line: &str) -> bool {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    match line {
        // Its program is run above, the script by `scripts/test`, which is what runs this.
        "scripts/demo" | "scripts/test" => {
            assert!(repository.join(line).is_file());
            let ci = fs::read_to_string(repository.join(".ci/run")).unwrap();
            let all = fs::read_to_string(repository.join("scripts/test")).unwrap();
            assert!(ci.contains("scripts/test") && all.contains("scripts/demo"));
            true
        }
        "cargo nextest run --test model --run-ignored all" => {
            repository.join("tests/model/main.rs").is_file()
        }
        _ => false,
    }
}

/// What the README asks the reader to do between two blocks: their zone, names and certificate into place.
fn make_it_yours(world: &World, workspace: &Path) {
    fs::write(
        workspace.join("zones/example.com.zone"),
        world.read(ZONE_FILE),
    )
    .unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(world.path("live"))
        .arg(workspace)
        .status();
    assert!(copied.unwrap().success());
    let theirs = world.read("tlsa-rotate.toml");
    let line_of = |key: &str| {
        theirs
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap()
            .to_owned()
    };
    let path = workspace.join("tlsa-rotate.toml");
    let config = fs::read_to_string(&path).unwrap();
    let config = config
        .replace("/etc/mail/tls/", "live/")
        .replace(
            "\n[[zone]]\n",
            &format!("\n[[zone]]\n{}\n", line_of("servers = ")),
        )
        .replace(
            "\n[[certificate]]\n",
            &format!("\n[[certificate]]\n{}\n", line_of("addresses = ")),
        );
    fs::write(path, config).unwrap();
}

/// The servers load what the workspace has signed.
fn load(world: &World, workspace: &Path) {
    if let Ok(signed) = fs::read_to_string(workspace.join("zones/example.com.zone.signed")) {
        world.write(SIGNED, &signed);
        world.load();
    }
}

#[test]
fn every_command_runs() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::new(Publish::Branch);
    // Until the reader signs the zone, its servers have it unsigned.
    for server in 0..2 {
        let unsigned = world.read(ZONE_FILE);
        world.serve(server, Zone::parse(unsigned.as_bytes(), None).unwrap());
    }
    let mut inside = directory.path().to_owned();
    let mut run = 0;
    for line in blocks("sh").into_iter().flat_map(str::lines) {
        let (command, comment) = line.split_once(" # ").unwrap_or((line, ""));
        let command = command.trim();
        if command.is_empty() || command.starts_with("export PATH=") || runs_elsewhere(command) {
            continue;
        }
        if let Some(into) = command.strip_prefix("cd ") {
            inside.push(into);
            make_it_yours(&world, &inside);
            continue;
        }
        let expected = comment
            .trim()
            .strip_prefix("exit ")
            .map_or(0, |rest| rest[..1].parse().unwrap());
        let program = Path::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
            .parent()
            .unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash")
            .args(["-c", command])
            .current_dir(&inside)
            .env("PATH", path)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs([
                ("GIT_AUTHOR_NAME", "A"),
                ("GIT_AUTHOR_EMAIL", "a@example.com"),
            ])
            .envs([
                ("GIT_COMMITTER_NAME", "A"),
                ("GIT_COMMITTER_EMAIL", "a@example.com"),
            ])
            .output()
            .unwrap();
        let (out, error) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{command}\n{out}\n{error}"
        );
        run += 1;
        load(&world, &inside);
        if command == "tlsa-rotate status mail" {
            assert!(out.contains("mail.1: Prepublishing"), "{out}");
            assert!(out.contains("merged     2 of 2"), "{out}");
            let told = "nobody knows who served _25._tcp.mx1.example.com. before";
            assert!(out.contains(told), "{out}");
        }
    }
    assert!(run > 15, "only {run} commands were found");
}
