//! `tlsrpt`: what other senders report about their TLS sessions, by MX host, result type, sender and day (RFC 8460).

use super::document::Schema;
use super::dry_run::DryRun;
use super::format::{Format, TextOrJson};
use super::record::host;
use super::{Exit, Failure, Global, standing};
use crate::observe::tlsrpt::report::Report;
use crate::observe::tlsrpt::tally::{Row, Tally, tally};
use crate::observe::tlsrpt::{Contradicting, Gathered};
use crate::workflow::set_aside;
use crate::zone::name::Name;
use clap::Args;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Arguments of `tlsrpt`.
#[derive(Debug, Args)]
#[command(after_help = "\
A FILE is a report as it arrives: JSON, gzip, a whole mail with reports attached, an mbox, a maildir, or a directory of \
such files. A report that came more than once counts once. What cannot be read is named and left out.

Successful sessions are counted by policy: senders do not say to which MX host they went, unless the policy has only one.

Nobody vouches for a report: the DKIM signature of its mail (RFC 8460 §3) is not checked, and anybody can send one. In a \
watched mailbox a forged report can keep an old record in the zone, never take one out. To set one aside, find its file \
under `reports` of --format json and move it out of the mailbox, or let the mail server refuse reports without a valid \
signature.

Of reports that bear one name and say different things, the table has the first; the others are named, and count as much \
in a watched mailbox.

What may be a report and cannot be read holds a rotation back like silence does, once the key is installed: look at it, then \
set it aside with --set-aside. Other mail in the mailbox, DMARC reports among it, holds \
nothing back.

Exit code 0: all was read. Exit code 1: something could not be read, or contradicts another report; the rest is shown.

Examples:
  tlsa-rotate tlsrpt ~/Maildir/.tlsrpt
  tlsa-rotate tlsrpt --set-aside --reason 'cut short, sender asked' ~/Maildir/.tlsrpt/cur/1796083200.M1.mx1
  tlsa-rotate tlsrpt --domain example.com 'google.com!example.com!1796083200!1796169599!1.json.gz'")]
pub(crate) struct TlsrptArgs {
    /// Reports, mails, mailboxes or directories of them; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only what concerns this domain or a host in it
    #[arg(long, value_name = "NAME", value_parser = host)]
    domain: Option<Name>,
    /// Set aside what cannot be read in these files: in a watched mailbox it holds rotations back until a person looked at
    /// it. The journal keeps what was set aside, by whose word, and why
    #[arg(long, conflicts_with = "domain")]
    set_aside: bool,
    /// Why, in your words
    #[arg(
        long,
        requires = "set_aside",
        default_value = "asked for on the command line"
    )]
    reason: String,
    /// With --set-aside: say what would be noted; change nothing
    #[arg(long, requires = "set_aside")]
    dry_run: bool,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &TlsrptArgs, global: &Global) -> Result<Exit, Failure> {
    let mut gathered = Gathered::default();
    for file in &args.files {
        if file == Path::new("-") {
            gathered.add_from("standard input", io::stdin().lock());
        } else {
            gathered.add_path(file);
        }
    }
    if args.set_aside {
        return set_aside(args, &gathered, global);
    }
    let domain = args.domain.as_ref().map(ToString::to_string);
    let reports = gathered.reports.iter().map(|(_, report)| report);
    let tally = tally(reports, domain.as_deref());
    let mut out = super::stdout();
    if args.format.0 == TextOrJson::Json {
        Schema::Tlsrpt.write(&mut out, document(&gathered, &tally))?;
    } else {
        write_text(&mut out, &gathered, &tally)?;
    }
    out.flush()?;
    for (place, report) in &gathered.reports {
        for oddity in &report.oddities {
            eprintln!("note: {place}: {oddity}");
        }
    }
    if gathered.by_mail > 0 {
        eprintln!("note: {}", unsigned(gathered.by_mail));
    }
    for Contradicting {
        place,
        first,
        report,
    } in &gathered.contradicting
    {
        eprintln!(
            "warning: {place}: it has the report-id `{}` of the report in {first} and says something else: one of both may \
             be forged; the table has the first",
            report.id
        );
    }
    for trouble in &gathered.troubles {
        eprintln!("error: {}: {}", trouble.place, trouble.why);
    }
    if gathered.more_troubles > 0 {
        eprintln!("error: and {} more", gathered.more_troubles);
    }
    Ok(
        if gathered.troubles.is_empty() && gathered.contradicting.is_empty() {
            Exit::Done
        } else {
            Exit::Wrong
        },
    )
}

/// Sets aside what cannot be read, in every rotation that a watched mailbox holds back.
fn set_aside(args: &TlsrptArgs, gathered: &Gathered, global: &Global) -> Result<Exit, Failure> {
    let mut unread = 0_usize;
    for trouble in gathered.troubles.iter().filter(|t| t.report.is_some()) {
        unread = unread.saturating_add(1);
        eprintln!("set aside: {}: {}", trouble.place, trouble.why);
    }
    if unread == 0 {
        let readable = "there is no TLS report in these files that cannot be read";
        let way_out = "a report that can be read and tells of failures is moved out of the mailbox once they are over";
        return Err(Failure::wrong(readable).hint(way_out));
    }
    let workspace = global.workspace()?;
    let dry = DryRun {
        dry_run: args.dry_run,
    };
    let present = dry.present(global, &workspace);
    let ticks = set_aside::set_aside(&workspace, gathered, &args.reason, &present)?;
    if ticks.is_empty() {
        eprintln!("note: no rotation is under way with a watched mailbox: nothing was noted");
    }
    let exit = standing::print(
        &ticks,
        standing::Style::paragraph_or(Schema::SetAside, args.format.0),
    )?;
    dry.tell(global, &workspace);
    Ok(exit)
}

/// What a reader must know of reports that came as mails.
fn unsigned(mails: usize) -> String {
    let came = if mails == 1 {
        "1 report came by mail, whose DKIM signature is".to_owned()
    } else {
        format!("{mails} reports came by mail, whose DKIM signatures are")
    };
    format!("{came} not checked: anybody may have sent such a report")
}

const COLUMNS: [&str; 6] = ["day", "sender", "policy", "MX host", "result", "sessions"];

fn write_text(out: &mut impl Write, gathered: &Gathered, tally: &Tally) -> io::Result<()> {
    let lines: Vec<[String; 6]> = tally
        .rows
        .iter()
        .map(|(row, sessions)| cells(row, *sessions))
        .collect();
    let mut widths = COLUMNS.map(str::len);
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    if !lines.is_empty() {
        write_line(out, &COLUMNS.map(str::to_owned), widths)?;
    }
    for line in &lines {
        write_line(out, line, widths)?;
    }
    let copies = match gathered.copies {
        0 => String::new(),
        copies => format!(" ({copies} more came twice)"),
    };
    writeln!(
        out,
        "{} report{}{copies}: {} sessions went well, {} failed",
        gathered.reports.len(),
        if gathered.reports.len() == 1 { "" } else { "s" },
        tally.successful,
        tally.failed
    )
}

fn write_line(out: &mut impl Write, cells: &[String; 6], widths: [usize; 6]) -> io::Result<()> {
    let [texts @ .., sessions] = cells;
    let [text_widths @ .., width] = widths;
    for (text, width) in texts.iter().zip(text_widths) {
        write!(out, "{text:<width$}  ")?;
    }
    writeln!(out, "{sessions:>width$}")
}

fn cells(row: &Row, sessions: u64) -> [String; 6] {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let sender = match row.sender.as_str() {
        "" => "(unnamed)",
        named => named,
    };
    let policy = match &row.domain {
        Some(domain) => format!("{} {domain}", row.kind),
        None => row.kind.to_string(),
    };
    [
        or_dash(&row.day),
        sender.to_owned(),
        policy,
        or_dash(&row.host),
        row.result.clone().unwrap_or_else(|| "went well".to_owned()),
        sessions.to_string(),
    ]
}

fn document(gathered: &Gathered, tally: &Tally) -> Value {
    let rows = tally.rows.iter().map(|(row, sessions)| {
        json!({
            "day": row.day,
            "sender": row.sender,
            "policy": row.kind.to_string(),
            "domain": row.domain,
            "host": row.host,
            "result": row.result,
            "sessions": sessions,
        })
    });
    json!({
        "successful": tally.successful,
        "failed": tally.failed,
        "sessions": rows.collect::<Vec<_>>(),
        "reports": gathered.reports.iter().map(|(place, it)| report(place, it)).collect::<Vec<_>>(),
        "contradicting": gathered.contradicting.iter().map(contradicting).collect::<Vec<_>>(),
        "copies": gathered.copies,
        "by_mail": gathered.by_mail,
        "more_errors": gathered.more_troubles,
        "errors": gathered.troubles.iter()
            .map(|trouble| json!({"place": trouble.place, "why": trouble.why}))
            .collect::<Vec<_>>(),
    })
}

fn contradicting(found: &Contradicting) -> Value {
    json!({
        "contradicts": found.first,
        "report": report(&found.place, &found.report),
    })
}

fn report(place: &str, report: &Report) -> Value {
    json!({
        "place": place,
        "organisation": report.organisation,
        "id": report.id,
        "begin": report.span.map(|(begin, _)| begin.to_string()),
        "end": report.span.map(|(_, end)| end.to_string()),
        "tlsa_seen": report.policies.iter().flat_map(|policy| &policy.associations).collect::<Vec<_>>(),
        "notes": report.oddities.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
