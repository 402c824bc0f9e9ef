//! What the program says of itself: man pages that mandoc finds sound, and completions that a shell can use.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tlsa-rotate");

fn run(arguments: &[&str], directory: &Path) -> Output {
    let mut program = Command::new(PROGRAM);
    program.args(arguments).current_dir(directory);
    program.output().unwrap()
}

/// The commands that `--help` lists.
fn commands(directory: &Path) -> BTreeSet<String> {
    let help = String::from_utf8(run(&["--help"], directory).stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' '));
    let mut names: BTreeSet<String> = names
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert!(names.remove("help"));
    names
}

#[test]
fn every_command_has_a_page_that_mandoc_finds_sound() {
    let directory = tempfile::tempdir().unwrap();
    let made = run(&["man", "pages"], directory.path());
    assert!(made.status.success(), "{made:?}");
    let pages = directory.path().join("pages");
    let names = commands(directory.path());
    assert!(names.contains("advance") && names.contains("man"));
    for name in &names {
        assert!(
            pages.join(format!("tlsa-rotate-{name}.1")).exists(),
            "{name}"
        );
    }
    assert!(pages.join("tlsa-rotate-zone-sign.1").exists());
    let program = std::fs::read_to_string(pages.join("tlsa-rotate.1")).unwrap();
    for section in [".SH \"EXIT STATUS\"", ".SH FILES"] {
        assert!(program.contains(section), "{section}: {program}");
    }
    for page in std::fs::read_dir(&pages).unwrap() {
        let page = page.unwrap().path();
        let lint = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .arg(&page)
            .output()
            .expect("mandoc must be installed");
        let said = String::from_utf8_lossy(&lint.stdout);
        assert!(lint.status.success(), "{}: {said}", page.display());
    }
    // Again it comes to the same, and a key is not overwritten.
    assert!(run(&["man", "pages"], directory.path()).status.success());
    assert_eq!(
        std::fs::read_to_string(pages.join("tlsa-rotate.1")).unwrap(),
        program
    );
}

#[test]
fn bash_completes_commands_and_options() {
    let directory = tempfile::tempdir().unwrap();
    let made = run(&["completions", "bash"], directory.path());
    assert!(made.status.success());
    std::fs::write(directory.path().join("completions"), made.stdout).unwrap();
    let complete = |words: &str| {
        let script = format!(
            "source ./completions; with=$(complete -p tlsa-rotate | sed 's/.*-F //; s/ .*//'); COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             \"$with\" tlsa-rotate \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        let shell = Command::new("bash")
            .args(["--norc", "-c", &script])
            .current_dir(directory.path())
            .output();
        String::from_utf8(shell.unwrap().stdout).unwrap()
    };
    assert_eq!(complete("tlsa-rotate adv").trim(), "advance");
    assert!(complete("tlsa-rotate advance --c").contains("--cron"));
    assert!(complete("tlsa-rotate zone sign --out").contains("--output"));
}
