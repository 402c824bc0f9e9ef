//! `report`: where each rotation stands as a page for a browser, in a file that a web server can hand out or a person print.

use super::exit::{Exit, Failure};
use super::format::{Format, TextOnly};
use super::{Global, standing};
use crate::report::page;
use crate::workflow::advance::{self, Mode};
use crate::workspace::output::Output;
use clap::Args;
use std::path::PathBuf;

/// Write a page that shows where each rotation stands, and what was seen of hosts and servers. Looks, and changes nothing
/// else.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Certificates to show [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Where the page goes; it is replaced at once or not at all
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
    #[command(flatten)]
    format: Format<TextOnly>,
}

pub(crate) fn run(args: &Report, global: &Global) -> Result<Exit, Failure> {
    let Format(TextOnly::Text) = args.format;
    let workspace = global.workspace()?;
    // Refused before anybody is asked anything.
    super::are_configured(&workspace, &args.names)?;
    let output = Output::marked(&args.html, page::TITLE)?;
    let present = global.present(&workspace);
    let ticks = advance::advance(&workspace, &args.names, &present, Mode::Look)?;
    let page = standing::page(&ticks, present.now);
    output.replace(page.as_bytes())?;
    Ok(Exit::Done)
}
