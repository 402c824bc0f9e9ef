//! `publish` of a zone: how a change gets into it.

use super::document::{Findings, Located, Section};
use super::serve::{self, ServeConfig};
use super::zone::{Signing, ZoneConfig};
use super::{access, command_of};
use crate::zone::name::Name;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

pub(super) const PUBLISH: &[&str] = &["git", "file", "update", "command", "serve"];
pub(super) const UPDATE: &[&str] = &["server", "tsig"];
pub(super) const GIT: &[&str] = &["branch", "remote"];

/// What stands in a branch name for that by which proposals are told apart: one for each rotation, for all that is due in a
/// zone, or for all that is due at all.
const PLACEHOLDERS: [&str; 3] = [ROTATION, ZONE, RUN];
const ROTATION: &str = "{rotation}";
const ZONE: &str = "{zone}";
const RUN: &str = "{run}";

/// What is done beside rotations, as its branches are named after the certificate: `mail.prune`.
const JOBS: [&str; 4] = ["adopt", "disable", "enable", "prune"];

/// What stands for `{run}` in a branch name: a later run adds to what an earlier one has proposed.
const ALL_DUE: &str = "due";

/// How a change of a zone file is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publication {
    /// A commit on the branch that counts.
    GitDirect,
    /// A commit on a branch of its own, which a person reviews and merges.
    GitBranch {
        /// The branch name, with `{rotation}`, `{zone}` or `{run}` in it.
        template: String,
    },
    /// The file is written; there is no git, what lies on disk counts as merged.
    File,
    /// The primary is sent dynamic updates; what it answers itself counts as merged. There is no zone file.
    Update {
        /// Where the primary listens.
        server: SocketAddr,
        /// A file with the one TSIG key that it shares with us.
        tsig: PathBuf,
    },
    /// A program is told what the provider shall hold; what it says that the provider holds counts as merged. There is no
    /// zone file.
    Command(Vec<String>),
}

impl Publication {
    /// Whether it goes by commits.
    pub fn is_git(&self) -> bool {
        matches!(self, Self::GitDirect | Self::GitBranch { .. })
    }

    /// Whether the zone is kept by somebody else, and not in a file of ours.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Update { .. } | Self::Command(_))
    }
}

impl Publication {
    /// The branch for changes of `zone` by `rotation` (such as `mail.1`), where changes go to a branch of their own.
    pub fn branch(&self, rotation: &str, zone: &Name) -> Option<String> {
        let Self::GitBranch { template } = self else {
            return None;
        };
        let branch = template.replace(ROTATION, rotation).replace(RUN, ALL_DUE);
        Some(branch.replace(ZONE, &in_a_branch(zone)))
    }

    /// The branch for what is done beside rotations: one of its own also where rotations share one, since those make it anew.
    pub fn job_branch(&self, certificate: &str, job: &str, zone: &Name) -> Option<String> {
        let name = format!("{certificate}.{job}");
        let branch = self.branch(&name, zone)?;
        Some(if self.is_shared() {
            format!("{branch}-{name}")
        } else {
            branch
        })
    }

    /// Whether several rotations share a branch.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::GitBranch { template } if !template.contains(ROTATION))
    }

    /// Whether `branch` is one that changes of `zone`, which is published so, are proposed on.
    pub fn is_proposal(&self, branch: &str, zone: &Name) -> bool {
        let Self::GitBranch { template } = self else {
            return false;
        };
        let Some((front, back)) = template.split_once(ROTATION) else {
            let own = self
                .branch("", zone)
                .and_then(|own| branch.strip_prefix(&own));
            return own.is_some_and(|rest| {
                rest.is_empty() || rest.strip_prefix('-').is_some_and(is_of_a_job)
            });
        };
        let between = branch.strip_prefix(front);
        let rotation = between.and_then(|rest| rest.strip_suffix(back));
        let numbered = rotation.and_then(|rotation| rotation.rsplit_once('.'));
        numbered.is_some_and(|(name, number)| !name.is_empty() && number.parse::<u32>().is_ok())
            || rotation.is_some_and(is_of_a_job)
    }
}

/// Whether it names what is done beside rotations, such as `mail.prune`.
fn is_of_a_job(name: &str) -> bool {
    let parts = name.rsplit_once('.');
    parts.is_some_and(|(certificate, job)| !certificate.is_empty() && JOBS.contains(&job))
}

/// A zone's name as a part of a branch name: what git might not allow there is written as in addresses of web pages.
fn in_a_branch(zone: &Name) -> String {
    let name = zone.to_string().to_ascii_lowercase();
    let name = name.trim_end_matches('.');
    if name.is_empty() {
        return "root".to_owned();
    }
    let mut text = String::new();
    for octet in name.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.".contains(&octet) {
            text.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{octet:02X}");
        }
    }
    text
}

/// What `publish` says.
pub(super) struct Published {
    /// How a change is made.
    pub(super) how: Publication,
    /// The git remote whose branch counts as merged, and to which changes are pushed, if there is one.
    pub(super) remote: Option<String>,
    /// How our own server serves the signed zone, if it does.
    pub(super) serve: Option<ServeConfig>,
}

impl Published {
    /// As it is where nothing is said: on a branch that a person reviews.
    pub(super) fn reviewed() -> Self {
        Self {
            how: reviewed(),
            remote: None,
            serve: None,
        }
    }
}

/// How changes are made, and how our own server serves the zone, if it does.
pub(super) fn read<'t>(
    line: usize,
    value: toml::Spanned<DeValue<'t>>,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<Published> {
    let wanted = "`publish` must be one of { git = {} }, { git = { branch = \"tlsa-rotate/{rotation}\" } }, { file = true }, each also with serve = { … }, or { update = { server = …, tsig = … } }, or { command = [\"…\"] }";
    if !value.get_ref().is_table() {
        findings.wrong(line, wanted);
        return None;
    }
    let mut publish = Section::open("`publish`", value, PUBLISH, findings)?;
    let serve = match publish.take("serve", findings) {
        None => None,
        Some((_, value)) => Some(serve::read(value, root, findings)?),
    };
    let command = command_of(&mut publish, "command", findings);
    let update = publish.take("update", findings);
    let (how, remote) = match (
        publish.take("git", findings),
        publish.take("file", findings),
    ) {
        (None, None) if update.is_some() && serve.is_none() => {
            (read_update(update?.1, root, findings)?, None)
        }
        (None, None) if command.is_some() && update.is_none() && serve.is_none() => {
            (Publication::Command(command?), None)
        }
        _ if update.is_some() || command.is_some() => {
            findings.wrong(line, wanted);
            return None;
        }
        (Some((_, value)), None) => {
            let mut git = Section::open("`git`", value, GIT, findings)?;
            let how = match git.text("branch", findings) {
                None => Publication::GitDirect,
                Some(text) => branch_template(text, findings)?,
            };
            let remote = match git.text("remote", findings) {
                None => None,
                Some(text) => Some(remote_name(text, findings)?),
            };
            (how, remote)
        }
        (None, Some((_, value))) if value.get_ref().as_bool() == Some(true) => {
            (Publication::File, None)
        }
        // To be served says nothing of how a change is made: that is as usual.
        (None, None) if serve.is_some() => (reviewed(), None),
        _ => {
            findings.wrong(line, wanted);
            return None;
        }
    };
    Some(Published { how, remote, serve })
}

fn read_update<'t>(
    value: toml::Spanned<DeValue<'t>>,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<Publication> {
    let mut update = Section::open("`update`", value, UPDATE, findings)?;
    let server = update
        .required_text("server", "server = \"127.0.0.1:53\"", findings)
        .and_then(|text| {
            let address = access::socket_address(&text.value);
            if address.is_none() {
                let wanted = "an IP address is expected, with a port if it is not 53";
                findings.wrong(text.line, format!("`server`: `{}`: {wanted}", text.value));
            }
            address
        });
    let tsig = update.required_text("tsig", "tsig = \"keys/update.tsig\"", findings);
    Some(Publication::Update {
        server: server?,
        tsig: root.join(tsig?.value),
    })
}

fn branch_template(text: Located<String>, findings: &mut Findings<'_>) -> Option<Publication> {
    let Located {
        line,
        value: template,
    } = text;
    let placeholders = PLACEHOLDERS.iter();
    let placeholders: usize = placeholders.map(|one| template.matches(one).count()).sum();
    if placeholders != 1 {
        let how = if placeholders == 0 { "none" } else { "more" };
        findings.wrong(line, format!("`branch` must contain one of {ROTATION}, {ZONE} and {RUN}: a branch for each rotation, for what is due in a zone, or for all that is due; `{template}` has {how}"));
        return None;
    }
    if template.starts_with("journal/") {
        let message =
            "what begins with `journal/` would be in the way of the journals that runners share";
        findings.wrong(line, format!("`branch`: {message}"));
        return None;
    }
    let mut example = template.clone();
    for one in PLACEHOLDERS {
        example = example.replace(one, "mail.1");
    }
    if !is_branch_name(&example) {
        findings.wrong(
            line,
            format!("`branch`: git does not allow `{template}` as the name of a branch"),
        );
        return None;
    }
    Some(Publication::GitBranch { template })
}

/// The branch that counts: a name that git allows, and none that changes are proposed on.
pub(super) fn branch_that_counts(
    named: Located<String>,
    zones: &[(usize, ZoneConfig)],
    findings: &mut Findings<'_>,
) -> Option<String> {
    let Located { line, value: name } = named;
    if !is_branch_name(&name) {
        let message = format!("`branch`: git does not allow `{name}` as the name of a branch");
        findings.wrong(line, message);
        return None;
    }
    if zones
        .iter()
        .any(|(_, zone)| zone.publication.is_proposal(&name, &zone.name))
    {
        let message = format!(
            "`branch`: `{name}` is a branch that changes are proposed on; what counts is where they are merged, such as main"
        );
        findings.wrong(line, message);
        return None;
    }
    Some(name)
}

/// A remote is named as `git remote` lists it: an address here would be a second place for what git's configuration says.
fn remote_name(text: Located<String>, findings: &mut Findings<'_>) -> Option<String> {
    let Located { line, value } = text;
    if is_branch_name(&value) && !value.contains('/') {
        return Some(value);
    }
    findings.wrong(
        line,
        format!("`remote`: `{value}` is not the name of a remote as `git remote` lists them, such as origin"),
    );
    None
}

/// The rules of git-check-ref-format(1), and no dash in front.
fn is_branch_name(name: &str) -> bool {
    let component = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.to_ascii_lowercase().ends_with(".lock")
    };
    let character = |c: char| !c.is_ascii_control() && !" ~^:?*[\\{}".contains(c);
    name.split('/').all(component)
        && name.chars().all(character)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.starts_with('-')
}

/// What goes together: who signs, how a change is made, and who serves.
pub(super) fn check_together(
    section: &Section<'_>,
    published: Option<&Published>,
    signing: Option<&Signing>,
    findings: &mut Findings<'_>,
) {
    let external = matches!(signing, Some(Signing::External { .. }));
    if published.is_some_and(|p| p.serve.is_some()) && external {
        findings.wrong(section.line, "`publish = { serve = … }` goes with sign = { keys = … }: what somebody else signs, somebody else serves");
    }
    let elsewhere = published.is_some_and(|p| p.how.is_elsewhere());
    if elsewhere && signing.is_some() && !external {
        findings.wrong(section.line, "`publish = { update = … }` and { command = … } go with sign = \"external\": who keeps the zone signs it");
    }
}

/// As it is where nothing is said: on a branch that a person reviews.
fn reviewed() -> Publication {
    Publication::GitBranch {
        template: format!("tlsa-rotate/{ROTATION}"),
    }
}
