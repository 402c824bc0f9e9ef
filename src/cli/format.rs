//! `--format`: every command takes the formats that it prints and no other; clap refuses the rest.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command, ValueEnum};

const ID: &str = "format";

/// The formats of most commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextOrJson {
    /// For people.
    Text,
    /// For programs; carries a `schema` key.
    Json,
}

/// The format of a command whose output is for people, or is a file of its own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextOnly {
    /// For people.
    Text,
}

/// What `--format` says, where `F` lists what the command prints. Each `F` has `text`, the default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format<F>(pub(crate) F);

fn option() -> Arg {
    Arg::new(ID)
        .long(ID)
        .value_name("FORMAT")
        .help("How results are printed")
}

/// `--format` before the name of the command (`tlsa-rotate --format json status`), which alone knows what it prints.
pub(super) fn before_the_command() -> Arg {
    option()
        .global(true)
        .help("How results are printed: text, or what else `--help` of the command offers")
}

fn offered<F: ValueEnum + 'static>() -> impl Iterator<Item = PossibleValue> {
    F::value_variants().iter().filter_map(F::to_possible_value)
}

impl<F: ValueEnum + Copy + 'static> Format<F> {
    /// What an option before the command's name said is judged here; what came after it, clap has judged already.
    fn of(word: &str) -> Result<Self, clap::Error> {
        F::from_str(word, false).map(Self).map_err(|_| {
            let names = offered::<F>().map(|value| value.get_name().to_owned());
            let mut error = clap::Error::new(ErrorKind::InvalidValue);
            for (kind, value) in [
                (
                    ContextKind::InvalidArg,
                    ContextValue::String("--format <FORMAT>".to_owned()),
                ),
                (
                    ContextKind::InvalidValue,
                    ContextValue::String(word.to_owned()),
                ),
                (
                    ContextKind::ValidValue,
                    ContextValue::Strings(names.collect()),
                ),
            ] {
                error.insert(kind, value);
            }
            error
        })
    }
}

impl<F: ValueEnum + Copy + 'static> clap::FromArgMatches for Format<F> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let said = matches.get_one::<String>(ID).map_or("text", String::as_str);
        Self::of(said)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<F: ValueEnum + Copy + 'static> clap::Args for Format<F> {
    fn augment_args(command: Command) -> Command {
        command.arg(
            option()
                .default_value("text")
                .value_parser(PossibleValuesParser::new(offered::<F>())),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
