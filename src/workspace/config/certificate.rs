//! `[[certificate]]`: one key set, the hosts and ports that present it, its files, and how the next one gets there.

use super::deploy::{self, Deploy, Deployment};
use super::document::{Findings, Located, Section};
use super::next_key::{self, GeneratedKey, NextKey};
use super::policy::{Patience, read_policy};
use super::window::DeployWindow;
use super::witness::{MtaSts, read_mta_sts, read_tlsrpt};
use super::{Config, POLICY, domain_name, ttl_of};
use crate::rotation::due::Cadence;
use crate::rotation::observation::Endpoint;
use crate::rotation::policy::Policy;
use crate::rotation::timing::Ttl;
use crate::zone::name::Name;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeValue;

pub(super) const CERTIFICATE: &[&str] = &[
    "name",
    "hosts",
    "ports",
    "domains",
    "live",
    "next",
    "deploy",
    "deploy_window",
    "addresses",
    "tlsrpt",
    "mta_sts",
    "ttl_before",
    "policy",
];
pub(super) const FILES: &[&str] = &["certificate", "key"];

/// The port that mail between servers is taken on (RFC 5321 §4.5.4.2).
const SMTP: u16 = 25;

/// The longest name: it becomes part of file and branch names.
const LONGEST_NAME: usize = 100;

/// One key set that is rotated as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateConfig {
    /// What people call it; rotations are named after it: `mail.1`.
    pub name: String,
    /// The hosts that present it, lower case, without a final dot.
    pub hosts: Vec<String>,
    /// The TCP ports on which each of them does.
    pub ports: Vec<u16>,
    /// Mail domains that nobody here keeps and whose mail these hosts take, in the same form.
    pub domains: Vec<String>,
    /// The files that the mail server uses now; more than one where it holds an RSA and an ECDSA chain.
    pub live: Vec<LiveFiles>,
    /// Where the next keys come from.
    pub next: NextKey,
    /// How the next certificate gets onto the hosts.
    pub deploy: Deploy,
    /// The hours in which a program may do so; any, where there is none.
    pub deploy_window: Option<DeployWindow>,
    /// Variables that are set for the programs that deploy and roll back.
    pub deploy_environment: BTreeMap<String, String>,
    /// Addresses to connect to instead of those in DNS, by host.
    pub addresses: BTreeMap<String, Vec<Destination>>,
    /// What puts the previous certificate back, where a program does.
    pub rollback: Option<Vec<String>>,
    /// The mailbox, file or directory, that senders' TLS reports arrive in, if it is watched.
    pub tlsrpt: Option<PathBuf>,
    /// How MTA-STS policies are fetched.
    pub mta_sts: MtaSts,
    /// What the operator says that the TTL of its TLSA records was at most before a rotation.
    pub ttl_before: Option<Ttl>,
    /// What is taken for that TTL where nothing tells what it was.
    pub assume_ttl: Ttl,
    /// The policy that holds for it.
    pub policy: Policy,
    /// When the machine begins rotations by itself, and whether the next key is kept published.
    pub cadence: Cadence,
}

/// Where a host is reached, when not where DNS says: behind a translated address, in a rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    ip: IpAddr,
    /// The port, if it is not the one in the TLSA owner name.
    port: Option<u16>,
}

impl Destination {
    /// The socket to connect to for the endpoint's `port`.
    pub fn socket(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.unwrap_or(port))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let moved = |socket: SocketAddr| Self {
            ip: socket.ip(),
            port: Some(socket.port()),
        };
        let plain = text.parse().map(|ip| Self { ip, port: None });
        let found = plain.or_else(|_| text.parse().map(moved)).ok();
        found.filter(|destination| destination.port != Some(0))
    }
}

/// The files of a chain in use. The key can lie elsewhere, where this program does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFiles {
    /// PEM, the leaf first.
    pub certificate: PathBuf,
    /// PEM.
    pub key: Option<PathBuf>,
}

impl CertificateConfig {
    /// Every host and port, hosts first.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> + '_ {
        self.places().map(|(host, port)| Endpoint {
            host: host.to_owned(),
            port,
        })
    }

    /// The same for one host and port alone, at these addresses; what is none is left out.
    #[must_use]
    pub fn only_at(&self, endpoint: &Endpoint, addresses: &[String]) -> Self {
        let there = addresses.iter().filter_map(|text| Destination::parse(text));
        Self {
            hosts: vec![endpoint.host.clone()],
            ports: vec![endpoint.port],
            addresses: BTreeMap::from([(endpoint.host.clone(), there.collect())]),
            ..self.clone()
        }
    }

    fn places(&self) -> impl Iterator<Item = (&str, u16)> {
        let ports = |host| self.ports.iter().map(move |port| (host, *port));
        self.hosts.iter().map(String::as_str).flat_map(ports)
    }
}

pub(super) fn read<'t>(
    mut section: Section<'t>,
    patience: Patience,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<CertificateConfig> {
    let name = section
        .required_text("name", "name = \"mail\"", findings)
        .and_then(|text| certificate_name(text, findings));
    let hosts = read_hosts(&mut section, findings);
    let ports = read_ports(&mut section, findings);
    let domains = section.texts("domains", findings);
    let domains = domains.map(|texts| read_names("domains", &texts.value, findings));
    let live = if let Some((_, value)) = section.take("live", findings) {
        read_live(value, root, findings)
    } else {
        let example = "live = { certificate = \"/etc/mail/tls/fullchain.pem\" }";
        section.missing("live", example, findings);
        None
    };
    let next = match section.take("next", findings) {
        Some((at, value)) => next_key::read(at, value, root, findings),
        None => Some(NextKey::Generate(vec![GeneratedKey::EcdsaP256])),
    };
    let deploy = match section.take("deploy", findings) {
        Some((at, value)) => deploy::read(at, value, findings),
        None => Some(Deployment::default()),
    };
    let deploy_window = section.text("deploy_window", findings);
    let deploy_window = deploy_window.and_then(|text| {
        let window = DeployWindow::parse(&text.value);
        let wrong = |why| findings.wrong(text.line, format!("`deploy_window`: {why}"));
        window.map_err(wrong).ok()
    });
    let addresses = match section.take("addresses", findings) {
        Some((_, value)) => read_addresses(value, hosts.as_deref().unwrap_or_default(), findings),
        None => BTreeMap::new(),
    };
    let tlsrpt = section
        .take("tlsrpt", findings)
        .and_then(|(line, value)| read_tlsrpt(line, value, root, findings));
    let mta_sts = section
        .take("mta_sts", findings)
        .and_then(|(_, value)| read_mta_sts(value, root, findings))
        .unwrap_or_default();
    let ttl_before = ttl_of(&mut section, "ttl_before", findings);
    let patience = if tlsrpt.is_some() {
        patience.where_reports_are_read()
    } else {
        patience
    };
    let patience = match section.take("policy", findings) {
        Some((_, value)) => Section::open("[certificate.policy]", value, POLICY, findings)
            .map_or(patience, |section| read_policy(section, patience, findings)),
        None => patience,
    };
    let deployment = deploy?;
    Some(CertificateConfig {
        name: name?,
        hosts: hosts?,
        ports: ports?,
        domains: domains.unwrap_or_default(),
        live: live?,
        next: next?,
        deploy: deployment.deploy,
        deploy_window,
        deploy_environment: deployment.environment,
        addresses,
        rollback: deployment.rollback,
        tlsrpt,
        mta_sts,
        ttl_before,
        assume_ttl: patience.assume_ttl,
        policy: patience.policy,
        cadence: patience.cadence,
    })
}

/// A name that can be part of file and branch names on every system.
fn certificate_name(text: Located<String>, findings: &mut Findings<'_>) -> Option<String> {
    let Located { line, value: name } = text;
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let good = name.len() <= LONGEST_NAME
        && ends_well(name.chars().next())
        && ends_well(name.chars().last())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !name.contains("..");
    if !good {
        findings.wrong(line, format!("`name`: `{name}` must be at most {LONGEST_NAME} letters, digits, `-`, `_` and single `.`, with a letter or digit at both ends"));
        return None;
    }
    Some(name)
}

fn read_hosts<'t>(section: &mut Section<'t>, findings: &mut Findings<'t>) -> Option<Vec<String>> {
    let Some(texts) = section.texts("hosts", findings) else {
        section.missing("hosts", "hosts = [\"mx1.example.com\"]", findings);
        return None;
    };
    if texts.value.is_empty() {
        findings.wrong(
            texts.line,
            "`hosts` is empty: name the hosts that present this certificate",
        );
    }
    Some(read_names("hosts", &texts.value, findings))
}

fn read_names(key: &str, texts: &[Located<String>], findings: &mut Findings<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for text in texts {
        if let Some(name) = domain_name(key, text, findings).map(|name| host_text(&name)) {
            if names.contains(&name) {
                findings.wrong(text.line, format!("`{key}`: {name} is there twice"));
            }
            names.push(name);
        }
    }
    names
}

fn host_text(name: &Name) -> String {
    name.to_string().trim_end_matches('.').to_ascii_lowercase()
}

fn read_ports<'t>(section: &mut Section<'t>, findings: &mut Findings<'t>) -> Option<Vec<u16>> {
    let Some((line, value)) = section.take("ports", findings) else {
        return Some(vec![SMTP]);
    };
    let number = |value: &Spanned<DeValue<'_>>| {
        let integer = value.get_ref().as_integer()?;
        u16::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|&port| port != 0)
    };
    let ports: Option<Vec<u16>> = value
        .get_ref()
        .as_array()
        .and_then(|array| array.iter().map(number).collect());
    match ports {
        Some(ports) if !ports.is_empty() => {
            let twice = ports
                .iter()
                .enumerate()
                .find(|(at, port)| ports.iter().take(*at).any(|p| p == *port));
            if let Some((_, port)) = twice {
                findings.wrong(line, format!("`ports`: {port} is there twice"));
            }
            Some(ports)
        }
        _ => {
            findings.wrong(line, "`ports` must be TCP ports from 1 to 65535 in square brackets, such as [25] or [25, 465]");
            None
        }
    }
}

/// One table, or an array of tables.
pub(super) fn tables(value: Spanned<DeValue<'_>>) -> Vec<Spanned<DeValue<'_>>> {
    match value.get_ref().as_array() {
        Some(array) if !array.is_empty() => array.iter().cloned().collect(),
        _ => vec![value],
    }
}

fn read_live<'t>(
    value: Spanned<DeValue<'t>>,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<Vec<LiveFiles>> {
    let read = |value| {
        let mut files = Section::open("`live`", value, FILES, findings)?;
        let certificate =
            files.required_text("certificate", "certificate = \"fullchain.pem\"", findings);
        let key = files.text("key", findings);
        Some(LiveFiles {
            certificate: root.join(certificate?.value),
            key: key.map(|key| root.join(key.value)),
        })
    };
    tables(value).into_iter().map(read).collect()
}

fn read_addresses<'t>(
    value: Spanned<DeValue<'t>>,
    hosts: &[String],
    findings: &mut Findings<'t>,
) -> BTreeMap<String, Vec<Destination>> {
    let mut addresses = BTreeMap::new();
    for (named, value) in Section::entries(value, "addresses", findings) {
        let Some(host) = domain_name("addresses", &named, findings).map(|name| host_text(&name))
        else {
            continue;
        };
        if !hosts.contains(&host) {
            findings.wrong(
                named.line,
                format!("`addresses`: {host} is not one of `hosts`"),
            );
        }
        let texts = value
            .get_ref()
            .as_array()
            .map(|array| array.iter().map(|v| v.get_ref().as_str()));
        let parsed: Option<Vec<Destination>> = texts.and_then(|mut texts| {
            texts.try_fold(Vec::new(), |mut all, text| {
                all.push(Destination::parse(text?)?);
                Some(all)
            })
        });
        match parsed {
            Some(parsed) if !parsed.is_empty() => drop(addresses.insert(host, parsed)),
            _ => findings.wrong(named.line, format!("`addresses`: {host} must be followed by IP addresses, such as [\"192.0.2.25\", \"2001:db8::25\", \"192.0.2.25:2525\"]")),
        }
    }
    addresses
}

/// What no certificate can see alone: names, hosts and ports that two of them claim, and hosts in no zone. `lines` are those
/// that the certificates stand on.
pub(super) fn check_together(config: &Config, lines: &[usize], findings: &mut Findings<'_>) {
    let certificates = &config.certificates;
    let mut names = HashSet::new();
    let mut owners: HashMap<(&str, u16), usize> = HashMap::new();
    for (at, (line, certificate)) in lines.iter().zip(certificates).enumerate() {
        let name = &certificate.name;
        if !names.insert(name.to_ascii_lowercase()) {
            findings.wrong(
                *line,
                format!("certificate {name} is there twice (case makes no difference)"),
            );
        }
        for (host, port) in certificate.places() {
            let first = *owners.entry((host, port)).or_insert(at);
            if first != at {
                let owner = certificates.get(first).map_or("", |other| &other.name);
                findings.wrong(*line, format!("certificate {name}: {host}:{port} belongs to certificate {owner} already; an RSA and an ECDSA chain of one server are one certificate with two `live` entries"));
            }
        }
        for host in &certificate.hosts {
            let owner = Name::parse(host.as_bytes(), Some(&Name::root())).ok();
            if owner.and_then(|owner| config.zone_of(&owner)).is_none() {
                findings.wrong(*line, format!("certificate {name}: {host} lies in none of the zones here; its TLSA records need one"));
            }
        }
    }
}
