//! `tlsa-rotate init`: a new workspace, and what to do with it.

use super::document::Schema;
use super::dry_run::DryRun;
use super::format::{Format, TextOrJson};
use super::{Exit, Failure, Global};
use crate::publish::git::{GitError, Repository, Site};
use crate::workspace::template::{self, Written};
use serde_json::json;
use std::io::{BufWriter, Write, stderr, stdout};
use std::path::{Path, PathBuf};

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory; created when missing
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// A workspace to practise in: there, commands act at the time that `--now` names
    #[arg(long)]
    rehearsal: bool,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    global.acts("init")?;
    let repository = repository_around(&args.directory);
    let counting = repository
        .as_ref()
        .ok()
        .and_then(|repository| repository.counting(None, Site::Here, |_| false).ok());
    let branch = counting.map(|counting| counting.name);
    let written = template::write(
        &args.directory,
        branch.as_deref(),
        args.rehearsal,
        args.dry.dry_run,
    );
    let written = written.map_err(|error| {
        let hints = error.hints();
        hints
            .into_iter()
            .fold(Failure::wrong(&error), Failure::hint)
    })?;
    // One that git does not trust or cannot read is there all the same.
    let in_git = !matches!(repository, Err(GitError::NotARepository { .. }));
    let next = next_commands(&args.directory);
    let mut out = BufWriter::new(stdout().lock());
    if args.format.0 == TextOrJson::Json {
        let document = json!({
            "root": written.root,
            "created": written.created,
            "to_ignore": written.to_ignore,
            "in_git": in_git,
            "next": next,
        });
        Schema::Init.write(&mut out, document)?;
    } else {
        for file in &written.created {
            writeln!(out, "{}", args.directory.join(file).display())?;
        }
    }
    out.flush()?;
    drop(out);
    if args.dry.dry_run {
        eprintln!("{}", super::REHEARSED);
        return Ok(Exit::Done);
    }
    tell(&written, (in_git, branch.is_some()), &next)?;
    Ok(Exit::Done)
}

/// The repository that a directory lies in, or will lie in once it is created.
fn repository_around(directory: &Path) -> Result<Repository, GitError> {
    let whole = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let mut above = whole.ancestors();
    let there = above.find(|above| above.is_dir());
    Repository::discover(there.unwrap_or(&whole))
}

/// What to run next, in this order.
fn next_commands(directory: &Path) -> Vec<String> {
    let enter = if directory.as_os_str() == "." {
        String::new()
    } else {
        format!("cd {} && ", shell_word(&directory.display().to_string()))
    };
    vec![
        format!("{enter}${{EDITOR:-vi}} tlsa-rotate.toml zones/example.com.zone"),
        "tlsa-rotate key generate example.com --keys keys".to_owned(),
        "tlsa-rotate plan".to_owned(),
    ]
}

/// `text` as the shell reads it back.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,=@:".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn tell(
    written: &Written,
    (in_git, is_branch_told): (bool, bool),
    next: &[String],
) -> Result<(), Failure> {
    let mut talk = BufWriter::new(stderr().lock());
    writeln!(talk, "\nNext:")?;
    for (number, command) in (1..).zip(next) {
        writeln!(talk, "  {number}. {command}")?;
    }
    if !in_git {
        writeln!(
            talk,
            "hint: this is no git repository, and changes of zones are reviewed in git: git init --initial-branch=main && git add . && git commit"
        )?;
    }
    if in_git && !is_branch_told {
        writeln!(
            talk,
            "hint: nothing tells which branch of the repository counts as merged: name it at the top of tlsa-rotate.toml"
        )?;
    }
    if !written.to_ignore.is_empty() {
        writeln!(
            talk,
            "hint: your .gitignore was left alone; to keep private keys out of git, add: {}",
            written.to_ignore.join(" ")
        )?;
    }
    talk.flush()?;
    Ok(())
}
