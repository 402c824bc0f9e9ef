//! `check [NAME…]`: what it found, for people, programs and Nagios.

use super::check::{CheckFormat, cell};
use super::document::Schema;
use super::exit::{Exit, Failure};
use super::{Global, verify};
use crate::workflow::check::{self, Finding, Means, Report, Severity};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Without --merge or --swap: asks every authoritative server, resolvers, mail hosts and policy hosts, and judges chain, \
signatures, records, hosts, TLS-RPT and MTA-STS. DNSSEC is validated here; resolvers are asked and not trusted. Changes \
nothing.

Exit code 0: nothing to do (there may be advice). 3: a person is needed. 4: delivery is at risk. With --format nagios: \
0 OK, 1 WARNING, 2 CRITICAL.";

/// Arguments of the health check.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// Certificates to check [default: all]
    #[arg(value_name = "NAME", conflicts_with = "gate")]
    names: Vec<String>,
    /// The resolver to ask [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = verify::server, conflicts_with = "gate")]
    resolver: Vec<SocketAddr>,
    /// DS or DNSKEY lines to trust instead of the root's keys
    #[arg(long, value_name = "FILE", conflicts_with = "gate")]
    trust_anchor: Option<PathBuf>,
    /// How long everything may take (`90`, `90s`, `5m`)
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = verify::span, conflicts_with = "gate")]
    timeout: Duration,
}

pub(super) fn run(args: &Health, format: CheckFormat, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let means = Means {
        resolvers: verify::resolvers(&args.resolver)?,
        anchors: verify::anchors(args.trust_anchor.as_deref())?,
        patience: args.timeout,
    };
    let report = check::check(&workspace, &args.names, means, &global.present(&workspace))?;
    let mut out = super::stdout();
    match format {
        CheckFormat::Text => text(&report, &mut out)?,
        CheckFormat::Json => Schema::Check.write(&mut out, document(&report))?,
        CheckFormat::Markdown => write!(out, "{}", markdown(&report))?,
        CheckFormat::Nagios => writeln!(out, "{}", nagios(&report))?,
    }
    out.flush()?;
    let worst = report.findings.iter().map(|finding| finding.severity).max();
    Ok(format.exit(match worst {
        None | Some(Severity::Advice) => Exit::Done,
        Some(Severity::PersonNeeded) => Exit::PersonNeeded,
        Some(Severity::DeliveryAtRisk) => Exit::DeliveryAtRisk,
    }))
}

fn text(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for finding in &report.findings {
        let Finding {
            severity,
            place,
            what,
            rfc,
            remedy,
            check,
        } = finding;
        let word = match severity {
            Severity::DeliveryAtRisk => "AT RISK",
            Severity::PersonNeeded => "you",
            Severity::Advice => "advice",
        };
        writeln!(out, "{word:<8} {place}: {what}")?;
        writeln!(out, "         way out: {remedy}")?;
        writeln!(out, "         {check}, {rfc}")?;
    }
    writeln!(out, "{}", summary(report))
}

fn summary(report: &Report) -> String {
    let count = |severity| {
        let findings = report.findings.iter();
        findings
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let risks = count(Severity::DeliveryAtRisk);
    let tasks = count(Severity::PersonNeeded);
    let standing = match (risks, tasks) {
        (0, 0) => "nothing to do".to_owned(),
        (0, tasks) => format!("{tasks} to do"),
        (risks, tasks) => format!("delivery at risk: {risks} to do at once, {tasks} more"),
    };
    let advice = match count(Severity::Advice) {
        0 => String::new(),
        advice => format!(", {advice} to consider"),
    };
    format!(
        "{standing}{advice} ({})",
        [
            of(report.zones.len(), "zone"),
            of(report.domains.len(), "mail domain"),
            of(report.hosts.len(), "host"),
        ]
        .join(", ")
    )
}

fn of(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// One line; the first finding says what to look at.
fn nagios(report: &Report) -> String {
    let first = report.findings.first();
    let exit = match first.map(|finding| finding.severity) {
        None | Some(Severity::Advice) => Exit::Done,
        Some(Severity::PersonNeeded) => Exit::PersonNeeded,
        Some(Severity::DeliveryAtRisk) => Exit::DeliveryAtRisk,
    };
    let pressing = first.filter(|finding| finding.severity > Severity::Advice);
    let what = pressing.map(|finding| format!(": {}: {}", finding.place, finding.what));
    super::nagios::line(
        exit,
        &format!("{}{}", summary(report), what.unwrap_or_default()),
    )
}

/// For a comment: what to do as a table, advice among it.
fn markdown(report: &Report) -> String {
    let mut text = format!("**tlsa-rotate**: {}.\n", summary(report));
    if !report.findings.is_empty() {
        text.push_str("\n| severity | where | what | way out |\n| --- | --- | --- | --- |\n");
    }
    for finding in &report.findings {
        let Finding {
            severity,
            place,
            what,
            remedy,
            ..
        } = finding;
        let [place, what, remedy] = [place, what, remedy].map(|text| cell(text));
        let _ = writeln!(text, "| {severity} | {place} | {what} | {remedy} |");
    }
    text
}

fn document(report: &Report) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "severity": finding.severity.to_string().replace(' ', "-"),
            "check": finding.check,
            "place": finding.place,
            "what": finding.what,
            "rfc": finding.rfc,
            "way_out": finding.remedy,
        })
    };
    json!({
        "zones": report.zones,
        "domains": report.domains,
        "hosts": report.hosts,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
