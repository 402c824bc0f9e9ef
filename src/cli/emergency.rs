//! `emergency`: the key in use is compromised; and what either priority costs, for `plan --emergency`.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::report::emergency::Warning;
use crate::rotation::emergency::Priority;
use crate::workflow::emergency::{self, Forecast};
use clap::{Args, ValueEnum};

/// The key in use is compromised: replace it as fast as the priority allows. Starts a rotation where none is under way.
#[derive(Debug, Args)]
pub(crate) struct Emergency {
    /// The certificate whose key is compromised
    name: String,
    /// What goes first: no mail refused (delivery), or no sender accepting the old key (security)
    #[arg(long, value_enum)]
    priority: First,
    /// Why, in your words
    #[arg(long, default_value = "the key is compromised")]
    reason: String,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum First {
    /// No mail is refused; the protocol's own minimum of waiting is kept.
    Delivery,
    /// Zone and hosts change at once; senders defer until caches have run out.
    Security,
}

impl From<First> for Priority {
    fn from(first: First) -> Self {
        match first {
            First::Delivery => Self::Delivery,
            First::Security => Self::Security,
        }
    }
}

pub(crate) fn run(args: &Emergency, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let (priority, present) = (args.priority.into(), args.dry.present(global, &workspace));
    // The price is told before anything is done.
    let forecast = emergency::forecast(&workspace, &args.name, priority, present.now)?;
    eprint!("{}", warning(priority, &forecast).text());
    let tick = emergency::declare(&workspace, &args.name, (priority, &args.reason), &present)?;
    let exit = standing::print(
        &[tick],
        standing::Style::paragraph_or(Schema::Emergency, args.format.0),
    )?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}

/// The bounds, ready to be told.
pub(super) fn warning(priority: Priority, forecast: &Forecast) -> Warning<'_> {
    Warning {
        priority,
        state: &forecast.state,
        bounds: forecast.bounds,
    }
}
