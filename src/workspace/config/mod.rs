//! `tlsa-rotate.toml` as values: what is rotated, where its zones lie, who signs them and how they are published.
//!
//! Every key is known or an error; every error names its line; all of them are told at once. Relative paths are
//! relative to the directory of the configuration.

pub mod access;
mod certificate;
mod deploy;
mod document;
pub mod duration;
mod journal;
mod next_key;
mod outputs;
mod policy;
mod publication;
mod serve;
mod servers;
mod vantage;
mod window;
mod witness;
mod zone;

pub use certificate::{CertificateConfig, Destination, LiveFiles};
pub use deploy::Deploy;
pub use document::Problem;
pub use journal::JournalConfig;
pub use next_key::{GeneratedKey, KeyFiles, NextKey};
pub use publication::Publication;
pub use serve::ServeConfig;
pub use vantage::VantageConfig;
pub use window::DeployWindow;
pub use witness::MtaSts;
pub use zone::{Denial, Signing, ZoneConfig};

use crate::files::links::Link;
use crate::rotation::timing::{Span, Ttl};
use crate::zone::name::Name;
use document::{Findings, Located, Section};
use policy::{Patience, read_policy};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};

/// The largest configuration read, in bytes.
pub const MAX_SIZE: u64 = 16 << 20;

/// Every key of every table, as people name the tables: what the reader knows and the template must explain.
pub const KEYS: &[(&str, &[&str])] = &[
    ("this file", DOCUMENT),
    ("[policy]", POLICY),
    ("[[zone]]", zone::ZONE),
    ("`sign`", zone::SIGN),
    ("`publish`", publication::PUBLISH),
    ("`git`", publication::GIT),
    ("`serve`", serve::SERVE),
    ("`update`", publication::UPDATE),
    ("`proposals`", zone::PROPOSALS),
    ("[[certificate]]", certificate::CERTIFICATE),
    ("`live`", certificate::FILES),
    ("`next`", next_key::NEXT),
    ("`deploy`", deploy::DEPLOY),
    ("`tlsrpt`", witness::TLSRPT),
    ("`mta_sts`", witness::MTA_STS),
    ("[[vantage]]", vantage::VANTAGE),
    ("[journal]", journal::JOURNAL),
];

const DOCUMENT: &[&str] = &[
    "branch",
    "rehearsal",
    "conversation",
    "policy",
    "zone",
    "certificate",
    "vantage",
    "journal",
];
const POLICY: &[&str] = &[
    "min_wait",
    "soak",
    "safety_margin",
    "concurrent",
    "standby",
    "max_age",
    "renew_before",
    "assume_ttl",
    "retry_after_abort",
    "patience",
    "deadline_notice",
    "keep_retired_keys",
];

/// A whole configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether the workspace is one to practise in: it acts at the time that `--now` names, and at no other.
    pub rehearsal: bool,
    /// How long a conversation with a mail host may take, with all repetitions that the host asks for.
    pub conversation: Span,
    /// The zones, in the order written.
    pub zones: Vec<ZoneConfig>,
    /// The certificates, in the order written, each with the policy that holds for it.
    pub certificates: Vec<CertificateConfig>,
    /// Where hosts are looked at from beside here, in the order written.
    pub vantages: Vec<VantageConfig>,
    /// The branch that counts as merged, here and at a remote; none where the repository is to tell it.
    pub branch: Option<String>,
    /// How entries of journals that runners share are signed, where they are.
    pub journal: Option<JournalConfig>,
    /// What is allowed and questionable.
    pub warnings: Vec<Problem>,
    /// Where each certificate is among them.
    by_name: HashMap<String, usize>,
    /// Where each zone is among them.
    by_apex: HashMap<Name, usize>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No configuration where one was looked for.
    #[error("no {} in {} or any directory above it", super::CONFIG_FILE, from.display())]
    NotFound {
        /// Where the search began.
        from: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable {
        /// The configuration.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A symbolic link where none is followed.
    #[error(transparent)]
    Link(#[from] Link),
    /// The file says things that cannot be.
    #[error("{}", each_on_a_line(path, problems))]
    Wrong {
        /// The configuration.
        path: PathBuf,
        /// Everything that is wrong with it, by line.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NotFound { .. } => vec![
                "`tlsa-rotate init` writes one with every key explained; --config FILE names one elsewhere".to_owned(),
            ],
            Self::Link(link) => link.hints(),
            Self::Unreadable { .. } | Self::Wrong { .. } => Vec::new(),
        }
    }
}

fn each_on_a_line(path: &Path, problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let newline = if text.is_empty() { "" } else { "\n" };
        let _ = write!(text, "{newline}{}:{problem}", path.display());
    }
    text
}

impl Config {
    /// Reads `text`; paths in it are relative to `root`. All problems are returned, in the order of their lines.
    pub fn parse(text: &str, root: &Path) -> Result<Self, Vec<Problem>> {
        let mut findings = Findings::new(text);
        let config = read(root, &mut findings);
        findings.problems.sort_by_key(|p| p.line);
        match config {
            Some(mut config) if findings.problems.is_empty() => {
                findings.warnings.sort_by_key(|p| p.line);
                config.warnings = findings.warnings;
                Ok(config)
            }
            _ => Err(findings.problems),
        }
    }

    /// Whether `text` is of a workspace to practise in, whatever else is right or wrong in it.
    pub fn is_for_rehearsals(text: &str) -> bool {
        let table = toml::de::DeTable::parse(text).ok();
        let said = table
            .as_ref()
            .and_then(|table| table.get_ref().get("rehearsal"));
        said.and_then(|said| said.get_ref().as_bool()) == Some(true)
    }

    /// The certificate named `name`.
    pub fn certificate(&self, name: &str) -> Option<&CertificateConfig> {
        self.certificates.get(*self.by_name.get(name)?)
    }

    /// The certificates that a command is about: those named, or all where none is.
    pub fn named_or_all(&self, names: &[String]) -> Vec<String> {
        if names.is_empty() {
            self.certificates.iter().map(|c| c.name.clone()).collect()
        } else {
            names.to_vec()
        }
    }

    /// Whether a branch is one that changes are proposed on.
    pub fn is_proposal(&self, branch: &str) -> bool {
        let mut zones = self.zones.iter();
        zones.any(|zone| zone.publication.is_proposal(branch, &zone.name))
    }

    /// The zone that `name` lies in: the deepest one at or above it.
    pub fn zone_of(&self, name: &Name) -> Option<&ZoneConfig> {
        let mut above = iter::successors(Some(name.clone()), Name::parent);
        let at = above.find_map(|name| self.by_apex.get(&name).copied())?;
        self.zones.get(at)
    }
}

/// How long a conversation may take where nothing is said: more than the five minutes that senders wait for a greeting
/// (RFC 5321 §4.5.3.2).
const CONVERSATION: Span = Span::minutes(6);
const SHORTEST_CONVERSATION: Span = Span::seconds(5);
const LONGEST_CONVERSATION: Span = Span::hours(1);

fn conversation<'t>(document: &mut Section<'t>, findings: &mut Findings<'t>) -> Span {
    let Some((line, said)) = duration_at(document, "conversation", findings) else {
        return CONVERSATION;
    };
    if !(SHORTEST_CONVERSATION..=LONGEST_CONVERSATION).contains(&said) {
        let (least, most) = (SHORTEST_CONVERSATION, LONGEST_CONVERSATION);
        findings.wrong(
            line,
            format!("`conversation` must be from {least} to {most}, this is {said}"),
        );
    }
    said
}

fn read(root: &Path, findings: &mut Findings<'_>) -> Option<Config> {
    let mut document = findings.document(DOCUMENT)?;
    let branch = document.text("branch", findings);
    let rehearsal = document.flag("rehearsal", findings).unwrap_or_default();
    let conversation = conversation(&mut document, findings);
    let policy = match document.take("policy", findings) {
        None => Patience::default(),
        Some((_, value)) => {
            let section = Section::open("[policy]", value, POLICY, findings);
            section.map_or(Patience::default(), |s| {
                read_policy(s, Patience::default(), findings)
            })
        }
    };
    let mut zones: Vec<(usize, ZoneConfig)> = Vec::new();
    let mut certificates: Vec<(usize, CertificateConfig)> = Vec::new();
    match document.array("zone", findings) {
        None => document.missing("[[zone]]", "[[zone]] name = \"example.com\"", findings),
        Some(tables) => zones.extend(tables.value.into_iter().filter_map(|value| {
            let section = Section::open("[[zone]]", value, zone::ZONE, findings)?;
            Some((section.line, zone::read(section, root, findings)?))
        })),
    }
    match document.array("certificate", findings) {
        None => document.missing(
            "[[certificate]]",
            "[[certificate]] name = \"mail\"",
            findings,
        ),
        Some(tables) => certificates.extend(tables.value.into_iter().filter_map(|value| {
            let section =
                Section::open("[[certificate]]", value, certificate::CERTIFICATE, findings)?;
            Some((
                section.line,
                certificate::read(section, policy, root, findings)?,
            ))
        })),
    }
    let vantages = document.array("vantage", findings);
    let vantages = vantages.map(|tables| tables.value).unwrap_or_default();
    let vantages = vantages.into_iter().filter_map(|value| {
        let section = Section::open("[[vantage]]", value, vantage::VANTAGE, findings)?;
        Some((section.line, vantage::read(section, findings)?))
    });
    let vantages: Vec<(usize, VantageConfig)> = vantages.collect();
    vantage::check_together(&vantages, findings);
    zone::check_together(&zones, findings);
    let journal = document.take("journal", findings).and_then(|(_, value)| {
        let section = Section::open("[journal]", value, journal::JOURNAL, findings)?;
        journal::read(section, root, &zones, findings)
    });
    let branch = branch.and_then(|named| publication::branch_that_counts(named, &zones, findings));
    let zone_lines: Vec<usize> = zones.iter().map(|(line, _)| *line).collect();
    let (lines, certificates): (Vec<usize>, Vec<_>) = certificates.into_iter().unzip();
    let names = certificates.iter().map(|c| c.name.clone());
    let apexes = zones.iter().map(|(_, z)| z.name.clone());
    let config = Config {
        conversation,
        rehearsal,
        by_apex: apexes.zip(0..).collect(),
        by_name: names.zip(0..).collect(),
        zones: zones.into_iter().map(|(_, zone)| zone).collect(),
        certificates,
        vantages: vantages.into_iter().map(|(_, vantage)| vantage).collect(),
        branch,
        journal,
        warnings: Vec::new(),
    };
    // A zone that could not be read would make its hosts look homeless: one mistake, one message.
    if findings.problems.is_empty() {
        certificate::check_together(&config, &lines, findings);
        outputs::check_together(&config, root, &zone_lines, findings);
    }
    Some(config)
}

/// The duration at `key`; none when it is not there, or is none (then that is reported).
fn duration_of<'t>(
    section: &mut Section<'t>,
    key: &str,
    findings: &mut Findings<'t>,
) -> Option<Span> {
    duration_at(section, key, findings).map(|(_, span)| span)
}

/// The same, with its line.
fn duration_at<'t>(
    section: &mut Section<'t>,
    key: &str,
    findings: &mut Findings<'t>,
) -> Option<(usize, Span)> {
    let Located { line, value } = section.text(key, findings)?;
    match duration::parse(&value) {
        Ok(span) => Some((line, span)),
        Err(wrong) => {
            findings.wrong(line, format!("`{key}`: {wrong}"));
            None
        }
    }
}

/// The TTL at `key`, written as a duration.
fn ttl_of<'t>(section: &mut Section<'t>, key: &str, findings: &mut Findings<'t>) -> Option<Ttl> {
    duration_of(section, key, findings).map(ttl)
}

/// A duration as a TTL.
pub fn ttl(span: Span) -> Ttl {
    Ttl(u32::try_from(span.as_seconds()).unwrap_or(u32::MAX))
}

/// The argument vector at `key`.
fn command_of<'t>(
    section: &mut Section<'t>,
    key: &str,
    findings: &mut Findings<'t>,
) -> Option<Vec<String>> {
    let Located { line, value } = section.texts(key, findings)?;
    if value.is_empty() {
        findings.wrong(
            line,
            format!("`{key}` is empty: the first element is the program, the others its arguments"),
        );
        return None;
    }
    Some(value.into_iter().map(|argument| argument.value).collect())
}

/// A domain name written without or with its final dot.
fn domain_name(key: &str, named: &Located<String>, findings: &mut Findings<'_>) -> Option<Name> {
    match Name::parse(named.value.as_bytes(), Some(&Name::root())) {
        Ok(name) if !name.is_wildcard() && name != Name::root() => Some(name),
        Ok(_) => {
            findings.wrong(
                named.line,
                format!(
                    "`{key}`: `{}` cannot be used here, a name such as example.com is expected",
                    named.value
                ),
            );
            None
        }
        Err(error) => {
            findings.wrong(
                named.line,
                format!("`{key}`: `{}` is not a domain name: {error}", named.value),
            );
            None
        }
    }
}
