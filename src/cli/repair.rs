//! `repair`: a person says that the clock is right now.

use super::Global;
use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use crate::workflow::repair::{self, Repaired};
use clap::Args;
use serde_json::json;
use std::io::{self, Write};

/// Say that the clock is right now: facts that were recorded by one that was not are set aside, and what depended on them begins
/// anew.
///
/// Look at the clock first. Nothing is lost: the journal keeps every line, and a line that says which of them count no more.
#[derive(Debug, Args)]
pub(crate) struct Repair {
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Repair, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let present = args.dry.present(global, &workspace);
    let repaired = repair::repair(&workspace, &present)?;
    let mut out = super::stdout();
    if args.format.0 == TextOrJson::Json {
        let document = json!({
            "now": present.now.to_string(),
            "certificates": repaired.iter().map(|one| json!({
                "certificate": one.certificate,
                "set_aside": one.set_aside.iter().map(|fact| json!({
                    "entry": fact.entry,
                    "at": fact.at.to_string(),
                    "fact": fact.fact,
                    "done": fact.done,
                })).collect::<Vec<_>>(),
                "redated": one.redated,
                "rotation": one.rotation.as_ref().map(|(id, _)| id.to_string()),
                "step": one.rotation.as_ref().map(|(_, state)| state.step.name()),
            })).collect::<Vec<_>>(),
        });
        Schema::Repair.write(&mut out, document)?;
    } else {
        writeln!(out, "the clock is taken to be right: it is {}", present.now)?;
        for one in &repaired {
            text(one, &mut out)?;
        }
    }
    out.flush()?;
    if args.dry.changes_nothing(global, &workspace) {
        args.dry.tell(global, &workspace);
    } else if repaired.iter().any(|one| !one.is_as_it_was()) {
        eprintln!(
            "hint: `tlsa-rotate advance` looks at zone, servers and hosts anew and goes on from what it sees"
        );
    }
    Ok(Exit::Done)
}

fn text(one: &Repaired, out: &mut impl Write) -> io::Result<()> {
    if one.is_as_it_was() {
        return writeln!(out, "{}: every fact stays as it is", one.certificate);
    }
    let stands = match &one.rotation {
        Some((id, state)) => format!("{id} stands at {} again", state.step),
        None => "no rotation is left".to_owned(),
    };
    let counted = |count: usize| match count {
        1 => "1 fact".to_owned(),
        _ => format!("{count} facts"),
    };
    writeln!(
        out,
        "{}: {} set aside, {} with another time; {stands}",
        one.certificate,
        counted(one.set_aside.len()),
        counted(one.redated)
    )?;
    for fact in &one.set_aside {
        write!(out, "  entry {}  {}  {}", fact.entry, fact.at, fact.fact)?;
        match fact.done {
            Some(done) => writeln!(out, ": {done}")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}
