//! `man` and `completions`: what the command line says of itself, for man(1) and for shells.

use super::Arguments;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOnly};
use crate::workspace::output::Output;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// When what the pages say last changed.
const DATE: &str = "2026-12-01";
/// What every command ends with.
const EXIT_STATUS: [(&str, &str); 6] = [
    ("0", "Done, or nothing is due."),
    (
        "1",
        "The input or the environment is wrong. Nothing was changed, or what was done is said.",
    ),
    ("2", "The command line is wrong."),
    ("3", "You are needed now: to review, to merge, to deploy."),
    (
        "4",
        "Delivery is at risk: some sender may refuse to deliver mail, now or soon.",
    ),
    ("5", "Another run holds the lock of the workspace."),
];
/// The files of a workspace.
const FILES: [(&str, &str); 4] = [
    (
        "tlsa-rotate.toml",
        "The configuration. `tlsa-rotate init` writes one with every key explained.",
    ),
    (
        ".tlsa-rotate/journal/",
        "The journals: every fact that was established. Keep them in your backups.",
    ),
    (
        "keys/tls/",
        "The next key and certificate of each rotation, readable by their owner alone.",
    ),
    (
        "keys/",
        "DNSSEC keys as BIND keeps them, where the program signs.",
    ),
];
const TRADE: &str = "Rotation of TLS keys under DANE";

/// Write man pages: one of the program and one of each command.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where to; made where it is not there
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    #[command(flatten)]
    format: Format<TextOnly>,
}

/// Print completions for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
    #[command(flatten)]
    format: Format<TextOnly>,
}

pub(crate) fn run_man(args: &Man) -> Result<Exit, Failure> {
    let Format(TextOnly::Text) = args.format;
    let directory = &args.directory;
    std::fs::create_dir_all(directory).map_err(|error| {
        Failure::wrong(format_args!("cannot make {}: {error}", directory.display()))
    })?;
    let mut program = Arguments::command().disable_help_subcommand(true);
    program.build();
    write_pages(&program, directory, true)?;
    Ok(Exit::Done)
}

fn write_pages(command: &clap::Command, directory: &Path, is_program: bool) -> Result<(), Failure> {
    for one in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        write_pages(one, directory, false)?;
    }
    let page = clap_mangen::Man::new(command.clone())
        .date(DATE)
        .source(concat!("tlsa-rotate ", env!("CARGO_PKG_VERSION")))
        .manual(TRADE);
    let mut text = Vec::new();
    page.render(&mut text)?;
    // Two breaks around an empty line are a space, which is what mandoc asks to be said so.
    let text = String::from_utf8_lossy(&text).replace(".br\n\n.br\n", ".sp\n");
    let mut text = text.into_bytes();
    if is_program {
        described("EXIT STATUS", &EXIT_STATUS).to_writer(&mut text)?;
        described("FILES", &FILES).to_writer(&mut text)?;
    }
    let file = directory.join(page.get_filename());
    Output::marked(&file, TRADE)?.replace(&text)?;
    Ok(())
}

fn described(heading: &str, entries: &[(&str, &str)]) -> Roff {
    let mut section = Roff::new();
    section.control("SH", [heading]);
    for (term, what) in entries {
        section.control("TP", []);
        section.text([bold(*term)]);
        section.text([roman(*what)]);
    }
    section
}

pub(crate) fn run_completions(args: &Completions) -> Result<Exit, Failure> {
    let Format(TextOnly::Text) = args.format;
    let mut program = Arguments::command();
    let name = program.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, name, &mut text);
    // For bash, the generator writes a name with a hyphen in two ways, so that no command would be found.
    let text = String::from_utf8_lossy(&text).replace("tlsa__subcmd__rotate", "tlsa__rotate");
    let mut out = super::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}
