//! `archive`: rotations that are long over out of the journal.

use super::Global;
use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use crate::workflow::archive::{self, Archived};
use clap::Args;
use serde_json::json;
use std::io::Write as _;

/// Move rotations that are long over out of the journal, into an archive beside it. Nothing is lost: what they used is still known.
#[derive(Debug, Args)]
pub(crate) struct Archive {
    /// Certificates whose journals are archived [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Archive, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let told = archive::archive(
        &workspace,
        &args.names,
        &args.dry.present(global, &workspace),
    )?;
    let dry_run = args.dry.changes_nothing(global, &workspace);
    let mut out = super::stdout();
    if args.format.0 == TextOrJson::Json {
        let document = json!({
            "dry_run": dry_run,
            "journals": told.iter().map(|one| json!({
                "certificate": one.certificate,
                "journal": one.journal,
                "archive": one.archive,
                "rotations": one.rotations,
                "lines": one.moved.lines,
                "bytes": one.moved.bytes,
                "bytes_left": one.moved.left,
                "first_left": one.first,
            })).collect::<Vec<_>>(),
        });
        Schema::Archive.write(&mut out, document)?;
    } else {
        for one in &told {
            writeln!(out, "{}", line(one, dry_run))?;
        }
    }
    out.flush()?;
    args.dry.tell(global, &workspace);
    Ok(Exit::Done)
}

fn line(one: &Archived, rehearsed: bool) -> String {
    let Archived {
        certificate,
        archive,
        rotations,
        first,
        moved,
        ..
    } = one;
    if *rotations == 0 {
        return format!("{certificate}: nothing to archive");
    }
    let verb = if rehearsed { "would move" } else { "moved" };
    let plural = if *rotations == 1 { "" } else { "s" };
    format!(
        "{certificate}: {verb} {rotations} rotation{plural} ({} lines, {} bytes) to {}; the journal begins with {certificate}.{first} now ({} bytes)",
        moved.lines,
        moved.bytes,
        archive.display(),
        moved.left
    )
}
