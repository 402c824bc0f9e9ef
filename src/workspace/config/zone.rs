//! `[[zone]]`: its file, who signs it, which servers answer for it and how a change gets there.

use super::document::{Findings, Located, Section};
use super::publication::{self, Publication, Published};
use super::serve::ServeConfig;
use super::servers::{read_kinds, read_servers};
use super::{command_of, domain_name, duration_of};
pub use crate::dnssec::denial::Denial;
use crate::dnssec::next::VALIDITY;
use crate::dnssec::nsec3::Hashing;
use crate::dnssec::sign::{usual_jitter, usual_refresh};
use crate::rotation::timing::Span;
use crate::zone::name::Name;
use crate::zone::servers::ServerKind;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use toml::de::DeValue;

pub(super) const ZONE: &[&str] = &[
    "name",
    "file",
    "include",
    "sign",
    "anchor",
    "servers",
    "servers_run",
    "resolvers",
    "publish",
    "proposals",
    "reload",
];
pub(super) const SIGN: &[&str] = &["keys", "denial", "signed", "validity", "refresh", "jitter"];
pub(super) const PROPOSALS: &[&str] = &["sign_with"];

/// One zone that holds TLSA records of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneConfig {
    /// The apex.
    pub name: Name,
    /// The master file, inside the workspace; where a primary is sent updates, the name under which its answers are told.
    pub file: PathBuf,
    /// The one file that is ours to write, where the master file includes it and is kept, serial and all, by somebody else.
    pub included: Option<PathBuf>,
    /// Who signs it.
    pub signing: Signing,
    /// Addresses of authoritative servers, instead of those that the zone gives them; empty: every address of every NS. They
    /// hide nobody: a name server that none of them can stand for is asked at its own address.
    pub servers: Vec<SocketAddr>,
    /// What all of its servers run, where that is said; empty: whatever may be.
    pub servers_run: Vec<ServerKind>,
    /// The resolvers that are asked to whom the parent delegates it, and where servers in other zones are. Empty: those that
    /// the system uses, and nobody about the parent where `servers` are given.
    pub resolvers: Vec<SocketAddr>,
    /// How a change of the file is made.
    pub publication: Publication,
    /// The git remote whose branch counts as merged, and to which changes are pushed, if there is one.
    pub remote: Option<String>,
    /// How our own server serves the signed zone, if it does.
    pub serve: Option<ServeConfig>,
    /// The SSH key that proposals are signed with, if they are.
    pub proposal_key: Option<PathBuf>,
    /// Run after the file that the server reads has changed: the program and its arguments.
    pub reload: Option<Vec<String>>,
}

/// Who signs a zone (RFC 4035 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// This program does.
    Here {
        /// The directory of the DNSSEC keys, in BIND's format.
        keys: PathBuf,
        /// How absence is proven.
        denial: Denial,
        /// The signed zone file, which servers load.
        signed: PathBuf,
        /// How long a new signature holds.
        validity: Span,
        /// A signature with less than this left is made anew.
        refresh: Span,
        /// How much earlier than `validity` says some signatures end, so that not all fall due at once.
        jitter: Span,
    },
    /// BIND, Knot, `PowerDNS` or a provider does.
    External {
        /// A file of DS or DNSKEY lines that answers are validated against.
        anchor: PathBuf,
    },
}

pub(super) fn read<'t>(
    mut section: Section<'t>,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<ZoneConfig> {
    let name = section
        .required_text("name", "name = \"example.com\"", findings)
        .and_then(|text| domain_name("name", &text, findings));
    let published = match section.take("publish", findings) {
        None => Some(Published::reviewed()),
        Some((line, value)) => publication::read(line, value, root, findings),
    };
    let elsewhere = match published.as_ref().map(|p| &p.how) {
        Some(Publication::Update { server, .. }) => Some(server.to_string()),
        Some(Publication::Command(command)) => Some(command.first().cloned().unwrap_or_default()),
        _ => None,
    };
    let file = match (&elsewhere, &name) {
        (Some(place), Some(name)) => {
            if let Some((line, _)) = section.take("file", findings) {
                findings.wrong(line, "`file` goes with git and file: where a primary or a provider keeps the zone, it is what they say");
            }
            let (zone, place) = (name.to_string(), place.replace('/', "_"));
            Some(root.join(format!("{}@{place}", zone.trim_end_matches('.'))))
        }
        _ => section
            .required_text("file", "file = \"zones/example.com.zone\"", findings)
            .and_then(|text| inside(root, "file", &text, findings)),
    };
    // Without a file there is nothing that a default could be made of; that is reported already.
    let signing = read_signing(
        &mut section,
        root,
        file.as_deref().unwrap_or(root),
        findings,
    );
    let included = read_included(
        &mut section,
        root,
        signing.as_ref(),
        elsewhere.is_some(),
        findings,
    );
    publication::check_together(&section, published.as_ref(), signing.as_ref(), findings);
    let servers = read_servers(&mut section, "servers", findings);
    let servers_run = read_kinds(&mut section, findings);
    let resolvers = read_servers(&mut section, "resolvers", findings);
    let proposals = section.take("proposals", findings);
    let proposal_key = proposals.and_then(|(line, value)| {
        let wants_it = matches!(signing, Some(Signing::Here { .. }) | None)
            && !matches!(
                published.as_ref().map(|p| &p.how),
                Some(Publication::File | Publication::Update { .. } | Publication::Command(_))
            );
        if !wants_it {
            findings.wrong(
                line,
                "`proposals` goes with sign = { keys = … } and publish = { git = … }: nothing is proposed, or nothing signed, otherwise",
            );
        }
        let how = published.as_ref().map(|p| &p.how);
        if how.is_some_and(Publication::is_shared) {
            findings.wrong(
                line,
                "`proposals` goes with a `branch` for each {rotation}: of several signed deltas of one zone only the first could be applied",
            );
        }
        read_proposals(line, value, root, findings)
    });
    let reload = command_of(&mut section, "reload", findings);
    let published = published?;
    Some(ZoneConfig {
        name: name?,
        file: file?,
        included,
        signing: signing?,
        servers,
        servers_run,
        resolvers,
        publication: published.how,
        remote: published.remote,
        serve: published.serve,
        proposal_key,
        reload,
    })
}

fn read_included<'t>(
    section: &mut Section<'t>,
    root: &Path,
    signing: Option<&Signing>,
    elsewhere: bool,
    findings: &mut Findings<'t>,
) -> Option<PathBuf> {
    let named = section.text("include", findings)?;
    if elsewhere || matches!(signing, Some(Signing::Here { .. })) {
        findings.wrong(
            named.line,
            "`include` goes with sign = \"external\" and a `file` that somebody else keeps: what is signed here needs a serial raised here",
        );
    }
    inside(root, "include", &named, findings)
}

fn read_proposals<'t>(
    line: usize,
    value: toml::Spanned<DeValue<'t>>,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<PathBuf> {
    if !value.get_ref().is_table() {
        findings.wrong(
            line,
            "`proposals` must be { sign_with = \"/home/me/.ssh/id_ed25519\" }",
        );
        return None;
    }
    let mut proposals = Section::open("`proposals`", value, PROPOSALS, findings)?;
    let example = "sign_with = \"/home/me/.ssh/id_ed25519\"";
    let key = proposals.required_text("sign_with", example, findings)?;
    Some(root.join(key.value))
}

fn read_signing<'t>(
    section: &mut Section<'t>,
    root: &Path,
    file: &Path,
    findings: &mut Findings<'t>,
) -> Option<Signing> {
    let Some((line, value)) = section.take("sign", findings) else {
        section.missing("sign", "sign = { keys = \"keys\" }", findings);
        return None;
    };
    if value.get_ref().as_str() == Some("external") {
        let example = "anchor = \"keys/example.com.ds\" (DS or DNSKEY lines that answers are validated against: what the parent \
                       publishes is `dig +noall +answer DS example.com`; where nobody has signed the zone yet, let its server sign it \
                       first, and take its keys: `dig +noall +answer DNSKEY example.com @SERVER`)";
        let anchor = section.required_text("anchor", example, findings)?;
        return Some(Signing::External {
            anchor: root.join(anchor.value),
        });
    }
    if let Some((line, _)) = section.take("anchor", findings) {
        findings.wrong(line, "`anchor` goes with sign = \"external\"; where this program signs, the keys themselves are the anchor");
    }
    if !value.get_ref().is_table() {
        findings.wrong(line, "`sign` must be { keys = \"keys\" } or \"external\"");
        return None;
    }
    let sign = Section::open("`sign`", value, SIGN, findings)?;
    read_signing_here(line, sign, root, file, findings)
}

fn read_signing_here<'t>(
    line: usize,
    mut sign: Section<'t>,
    root: &Path,
    file: &Path,
    findings: &mut Findings<'t>,
) -> Option<Signing> {
    let keys = sign.required_text("keys", "keys = \"keys\"", findings);
    let denial = match sign.text("denial", findings) {
        None => Denial::Nsec,
        Some(text) => match text.value.as_str() {
            "nsec" => Denial::Nsec,
            // Zones that hold TLSA records want no opt-out, and nobody wants iterations or a salt (RFC 9276).
            "nsec3" => Denial::Nsec3 {
                hashing: Hashing::default(),
                opt_out: false,
            },
            other => {
                findings.wrong(
                    text.line,
                    format!("`denial` must be \"nsec\" or \"nsec3\", not `{other}`"),
                );
                return None;
            }
        },
    };
    let signed = if let Some(text) = sign.text("signed", findings) {
        inside(root, "signed", &text, findings)?
    } else {
        let mut name = file.as_os_str().to_owned();
        name.push(".signed");
        name.into()
    };
    if signed == file {
        findings.wrong(
            line,
            "`signed` is the zone file itself: signing would overwrite what people edit",
        );
    }
    let validity = duration_of(&mut sign, "validity", findings).unwrap_or(VALIDITY);
    let refresh = duration_of(&mut sign, "refresh", findings).unwrap_or(usual_refresh(validity));
    if refresh == Span::ZERO || refresh >= validity {
        let message = "`refresh` must be more than nothing and less than `validity`";
        findings.wrong(line, format!("{message}: signatures hold {validity} and are made anew when less than {refresh} is left"));
    }
    let usual = usual_jitter(validity, refresh);
    let jitter = duration_of(&mut sign, "jitter", findings).unwrap_or(usual);
    let until_due = validity.as_seconds().saturating_sub(refresh.as_seconds());
    if jitter > Span::ZERO && jitter.as_seconds() >= until_due {
        let message = "`jitter` must be less than `validity` without `refresh`";
        findings.wrong(line, format!("{message}: signatures that hold {validity} less {jitter} would be due at once, as {refresh} or less is left"));
    }
    Some(Signing::Here {
        keys: root.join(keys?.value),
        denial,
        signed,
        validity,
        refresh,
        jitter,
    })
}

/// A file that must lie inside the workspace, because it is read, edited and committed.
pub(super) fn inside(
    root: &Path,
    key: &str,
    text: &Located<String>,
    findings: &mut Findings<'_>,
) -> Option<PathBuf> {
    let named = Path::new(&text.value);
    let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    if named.components().all(plain) && named.file_name().is_some() {
        return Some(
            root.join(
                named
                    .components()
                    .filter(|c| *c != Component::CurDir)
                    .collect::<PathBuf>(),
            ),
        );
    }
    findings.wrong(
        text.line,
        format!(
            "`{key}`: `{}` must be a path below the directory of this configuration, without `..`",
            text.value
        ),
    );
    None
}

/// What no zone can see alone: two of one name, or two that write one file.
pub(super) fn check_together(zones: &[(usize, ZoneConfig)], findings: &mut Findings<'_>) {
    // The journals of all certificates are shared over one.
    let mut remotes = zones
        .iter()
        .filter_map(|(line, zone)| Some((*line, zone.remote.as_ref()?)));
    if let Some((_, first)) = remotes.next() {
        for (line, _) in remotes.filter(|(_, other)| *other != first) {
            findings.wrong(
                line,
                format!("`remote`: another zone names `{first}`; runners share their journals over one remote"),
            );
        }
    }
    let mut names: HashSet<&Name> = HashSet::new();
    let mut files: HashSet<&Path> = HashSet::new();
    for (line, zone) in zones {
        if !names.insert(&zone.name) {
            findings.wrong(*line, format!("zone {} is there twice", zone.name));
        }
        let signed = match &zone.signing {
            Signing::Here { signed, .. } => Some(signed.as_path()),
            Signing::External { .. } => None,
        };
        for file in [Some(zone.file.as_path()), signed].into_iter().flatten() {
            if files.contains(file) {
                findings.wrong(
                    *line,
                    format!(
                        "zone {}: {} is already the file of another zone",
                        zone.name,
                        file.display()
                    ),
                );
            }
        }
        files.insert(&zone.file);
        files.extend(signed);
    }
}
