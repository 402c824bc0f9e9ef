//! The rooms of the house: imports go down only, and the machine imports nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and how high it lies; a room may use rooms that lie strictly lower, and itself.
const ROOMS: &[(&str, u8)] = &[
    ("rotation", 0),
    ("files", 0),
    ("zone", 1),
    ("dane", 1),
    ("dnssec", 2),
    ("change", 3),
    ("observe", 4),
    ("workspace", 4),
    ("publish", 5),
    ("workflow", 6),
    ("report", 6),
    ("cli", 7),
];

/// What the machine may name from outside: the standard library and serde.
const MACHINE_MAY_USE: &[&str] = &["crate", "super", "self", "std", "core", "serde"];

fn height(room: &str) -> u8 {
    ROOMS
        .iter()
        .find(|(name, _)| *name == room)
        .unwrap_or_else(|| panic!("`{room}` is not a room of the house"))
        .1
}

fn rust_files(below: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// The rooms that a source text names: `crate::room` anywhere in code, and `use crate::{room, …}` groups.
fn rooms_named(source: &str) -> BTreeSet<String> {
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut named = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let after = &code[at + "crate::".len()..];
        let word = |text: &str| {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        if let Some(group) = after.strip_prefix('{') {
            let mut depth = 0;
            let mut top = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    c if depth == 0 => top.push(c),
                    _ => {}
                }
            }
            named.extend(
                top.split(',')
                    .map(|item| word(item.trim()))
                    .filter(|w| !w.is_empty()),
            );
        } else {
            named.insert(word(after));
        }
    }
    named
}

fn breaches(room: &str, source: &str) -> Vec<String> {
    let known = |name: &String| ROOMS.iter().any(|(room, _)| room == name);
    rooms_named(source)
        .into_iter()
        .filter(known)
        .filter(|named| named != room && height(named) >= height(room))
        .collect()
}

#[test]
fn imports_go_down_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (room, _) in ROOMS {
        for file in rust_files(&source.join(room)) {
            let text = fs::read_to_string(&file).unwrap();
            wrong.extend(
                breaches(room, &text)
                    .into_iter()
                    .map(|named| format!("{}: `{room}` may not use `{named}`", file.display())),
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "imports that go up or sideways:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_folder_is_a_room() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            height(entry.file_name().to_str().unwrap());
        }
    }
}

#[test]
fn the_machine_names_nothing_outside_std_and_serde() {
    let machine = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rotation");
    for file in rust_files(&machine) {
        let text = fs::read_to_string(&file).unwrap();
        let pure = text.split("#[cfg(test)]").next().unwrap();
        for line in pure.lines().map(str::trim).filter(|l| !l.starts_with("//")) {
            if let Some(path) = line
                .strip_prefix("use ")
                .or_else(|| line.strip_prefix("pub use "))
            {
                let root = path.split([':', ';', ' ']).next().unwrap();
                assert!(
                    MACHINE_MAY_USE.contains(&root),
                    "{}: `{line}`",
                    file.display()
                );
            }
            for world in [
                "std::fs",
                "std::net",
                "std::env",
                "std::process",
                "std::io",
                "std::thread",
                "SystemTime",
                "std::time",
                "chrono::",
                "thiserror",
            ] {
                assert!(
                    !line.contains(world),
                    "{}: `{line}` reaches out of the machine",
                    file.display()
                );
            }
        }
    }
}

/// What writes to where a symbolic link leads, or reads from there.
const THROUGH_LINKS: [&str; 10] = [
    "durable::replace(",
    "durable::create(",
    "durable::append(",
    "durable::create_directory(",
    "fs::read(",
    "fs::read_to_string(",
    "fs::write(",
    "fs::copy(",
    "File::create(",
    "fs::create_dir",
];

/// Where that is right, and why.
const ALLOWED: [(&str, &str); 8] = [
    ("workflow/demo/", "a directory that the demo has just made"),
    (
        "publish/git/",
        "files below .git, which no change that is merged can bring",
    ),
    ("publish/family.rs", "/proc"),
    ("workspace/held.rs", "a file that a person names"),
    (
        "workspace/signed.rs",
        "a file that a person names; `sign` looks before it writes",
    ),
    (
        "workspace/installed.rs",
        "a file that a person names; `output` looks before it is written",
    ),
    ("workspace/output.rs", "it looks itself; /proc"),
    ("workspace/template.rs", "a workspace that is not there yet"),
];

#[test]
fn nothing_in_a_workspace_is_written_or_read_through_a_link() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut allowed = BTreeSet::new();
    for room in ["workflow", "publish", "workspace"] {
        for file in rust_files(&source.join(room)) {
            let name = file.strip_prefix(&source).unwrap().display().to_string();
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let found = THROUGH_LINKS.iter().filter(|call| code.contains(**call));
            let found: Vec<&&str> = found.collect();
            if found.is_empty()
                || name.starts_with("workspace/durable")
                || name == "workspace/inside.rs"
                || name.ends_with("_tests.rs")
            {
                continue;
            }
            match ALLOWED.iter().find(|(place, _)| name.starts_with(place)) {
                Some((place, _)) => drop(allowed.insert(place)),
                None => wrong.push(format!("{name}: {found:?}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "use `inside` and `read_unlinked`:\n{}",
        wrong.join("\n")
    );
    assert_eq!(
        allowed.len(),
        ALLOWED.len(),
        "none is allowed in vain: {allowed:?}"
    );
}

#[test]
fn the_check_can_fail() {
    assert_eq!(
        breaches("rotation", "use crate::zone::name::Name;"),
        ["zone"]
    );
    assert_eq!(
        breaches("zone", "use crate::{dane, rotation::{timing}};"),
        ["dane"]
    );
    assert_eq!(
        breaches("observe", "let x = crate::workflow::advance();"),
        ["workflow"]
    );
    assert_eq!(
        breaches("cli", "use crate::{workflow::advance, zone};"),
        Vec::<String>::new()
    );
    assert_eq!(
        breaches("rotation", "// as crate::zone does\n"),
        Vec::<String>::new()
    );
}
