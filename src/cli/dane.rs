//! `dane verify`: a TLSA RRset and a chain, both from files, judged as a sender would (RFC 7671, RFC 7672).

use super::document::Schema;
use super::format::{Format, TextOrJson};
use super::record::{host, read_bounded, shown};
use super::tlsa_lines::{self, TlsaLine};
use super::{Exit, Failure, Global};
use crate::dane::certificate::Certificate;
use crate::dane::judge::{self, Finding, Judgement, Rules, Verdict};
use crate::dane::subject;
use crate::observe::web_roots;
use crate::rotation::association::Association;
use crate::rotation::timing::Instant;
use crate::zone::name::Name;
use clap::{Args, Subcommand};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Arguments of `dane`.
#[derive(Debug, Args)]
pub(crate) struct DaneArgs {
    #[command(subcommand)]
    command: DaneCommand,
}

#[derive(Debug, Subcommand)]
enum DaneCommand {
    /// Judge a chain by a TLSA RRset, as a mail sender would, without any network
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 0: verified. Exit code 1: refused, or no record is usable (a sender then uses TLS without authentication), \
or a file is wrong. That the RRset is DNSSEC-secure is taken for granted.")]
struct VerifyArgs {
    /// TLSA records: bare `3 1 1 …` lines, or lines of a zone file; `-` is standard input
    #[arg(long, value_name = "FILE")]
    tlsa: PathBuf,
    /// The chain the host presents, PEM, leaf first (or one DER certificate)
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,
    /// The host's name; repeat it for other names a sender may know it by
    #[arg(long, value_name = "NAME", required = true, value_parser = host)]
    host: Vec<Name>,
    /// The port, where the records carry owner names of several
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Judge at another time (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    at: Option<Instant>,
    /// Let usages 0 and 1 count too (RFC 6698): for services other than mail between servers
    #[arg(long)]
    pkix: bool,
    /// Trusted root certificates, PEM [default: those the system trusts]
    #[arg(long, value_name = "FILE", requires = "pkix")]
    roots: Option<PathBuf>,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &DaneArgs, global: &Global) -> Result<Exit, Failure> {
    let DaneCommand::Verify(args) = &args.command;
    let names: Vec<String> = args
        .host
        .iter()
        .map(|name| name.to_string().trim_end_matches('.').to_ascii_lowercase())
        .collect();
    let base = names.first().map_or("", String::as_str);
    let rrset = rrset(&args.tlsa, base, args.port)?;
    let chain = certificates(&args.chain)?;
    let roots = match &args.roots {
        Some(file) => Some(certificates(file)?),
        None if args.pkix => {
            let system = web_roots::roots(None);
            Some(system.map_err(|e| Failure::wrong(&e).hint("name a file with --roots"))?)
        }
        None => None,
    };
    let rules = roots
        .as_deref()
        .map_or(Rules::Smtp, |roots| Rules::Pkix { roots });
    let at = args.at.unwrap_or_else(|| global.now());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let judgement = judge::judge(&rrset, &chain, &names, at, rules);
    print(&judgement, args.format.0)?;
    Ok(match judgement.verdict {
        Verdict::Verified(_) => Exit::Done,
        Verdict::Refused | Verdict::NoUsableRecords => Exit::Wrong,
    })
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let wrong =
        |error: &dyn std::fmt::Display| Failure::wrong(format_args!("{}: {error}", shown(file)));
    let octets = read_bounded(file).map_err(|e| wrong(&e))?;
    subject::read_chain(&octets).map_err(|e| wrong(&e))
}

fn rrset(file: &Path, host: &str, port: Option<u16>) -> Result<Vec<Association>, Failure> {
    let wrong =
        |error: &dyn std::fmt::Display| Failure::wrong(format_args!("{}: {error}", shown(file)));
    let octets = read_bounded(file).map_err(|e| wrong(&e))?;
    if octets.len() > subject::MAX_OCTETS {
        return Err(wrong(&"larger than 1 MiB").hint("give the TLSA records of the host only"));
    }
    let lines = tlsa_lines::read(&octets).map_err(|e| wrong(&e))?;
    if lines.is_empty() {
        return Err(wrong(&"no TLSA record in it"));
    }
    let suffix = format!("._tcp.{host}.");
    let wanted = |owner: &str| match port {
        Some(port) => owner == format!("_{port}{suffix}"),
        None => owner
            .strip_suffix(&suffix)
            .is_some_and(|l| l.starts_with('_')),
    };
    let owner = |line: &TlsaLine| {
        line.owner
            .as_ref()
            .map(|o| o.to_string().to_ascii_lowercase())
    };
    let owners: BTreeSet<String> = lines.iter().filter_map(owner).collect();
    let ours: Vec<&str> = owners
        .iter()
        .map(String::as_str)
        .filter(|owner| wanted(owner))
        .collect();
    if ours.len() > 1 {
        return Err(
            wrong(&format_args!("records of {}", ours.join(", "))).hint("say which with --port")
        );
    }
    let kept: Vec<Association> = lines
        .iter()
        .filter(|line| owner(line).is_none_or(|owner| wanted(&owner)))
        .map(|line| line.association.clone())
        .collect();
    if kept.is_empty() {
        let owners: Vec<String> = owners.into_iter().collect();
        return Err(wrong(&format_args!(
            "no TLSA record of {host}; it has those of {}",
            owners.join(", ")
        ))
        .hint("behind a CNAME, give the records as bare `3 1 1 …` lines"));
    }
    Ok(kept)
}

fn print(judgement: &Judgement, format: TextOrJson) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    if format == TextOrJson::Json {
        let (word, by) = match &judgement.verdict {
            Verdict::Verified(by) => ("verified", Some(by)),
            Verdict::Refused => ("refused", None),
            Verdict::NoUsableRecords => ("no-usable-records", None),
        };
        let records: Vec<_> = judgement
            .records
            .iter()
            .map(|(record, finding)| {
                json!({
                    "record": record,
                    "matched": *finding == Finding::Matched,
                    "finding": finding.to_string(),
                })
            })
            .collect();
        let document = json!({
            "verdict": word,
            "by": by,
            "records": records,
            "dissent": judgement.dissent(),
        });
        Schema::DaneVerify.write(&mut out, document)?;
    } else {
        match &judgement.verdict {
            Verdict::Verified(by) => writeln!(out, "verified by {by}")?,
            Verdict::Refused => writeln!(out, "refused: no record matches the chain")?,
            Verdict::NoUsableRecords => writeln!(
                out,
                "not authenticated: no record is usable, a sender uses TLS without authentication"
            )?,
        }
        for (record, finding) in &judgement.records {
            writeln!(out, "  {record}: {finding}")?;
        }
        if let Some(dissent) = judgement.dissent() {
            writeln!(out, "{dissent}")?;
        }
    }
    out.flush()?;
    Ok(())
}
