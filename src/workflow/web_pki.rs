//! What senders that follow MTA-STS instead of DANE will make of the incoming certificates (RFC 8461 §4.2).

use super::admit;
use super::case::Case;
use super::known::{Known, plain};
use crate::dane::certificate::Certificate;
use crate::dane::subject;
use crate::dane::web;
use crate::files::read;
use crate::observe::mta_sts::fetch::{self, Way};
use crate::observe::mta_sts::policy::{Mode, Signal, signal};
use crate::observe::mta_sts::signalled::signalled;
use crate::observe::resolver::{self, Resolvers};
use crate::observe::{wait_for, web_roots};
use crate::rotation::observation::Seen;
use crate::rotation::timing::Instant;
use crate::workspace::config::{CertificateConfig, MtaSts};
use crate::workspace::journal::RotationId;
use crate::zone::content::Zone;
use crate::zone::mail;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// How long the fetching of one policy may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one resolver may take over one question.
const ANSWER: Duration = Duration::from_secs(6);
/// The port of a policy host (RFC 8461 §3.3).
const HTTPS: u16 = 443;
const DNS: u16 = 53;

/// For each mail domain in the configured zones that has an MTA-STS policy and hosts of the certificate, and for each that
/// others keep and that the certificate names: what the Web PKI holds against the rotation's incoming certificates. Empty
/// for a policy that is not enforced, and where there is none.
pub(super) fn objections(
    known: &mut Known<'_>,
    case: &Case<'_>,
    id: &RotationId,
    notes: &mut Vec<String>,
) -> BTreeMap<String, Seen<Vec<String>>> {
    let (workspace, now) = (known.workspace, known.now);
    let domains = domains(known, case.certificate);
    if domains.is_empty() {
        return BTreeMap::new();
    }
    let chains = chains_in(&admit::directory(workspace, id));
    let settings = &case.certificate.mta_sts;
    let way = web_roots::roots(settings.roots.as_deref()).map(|roots| Way {
        roots,
        addresses: settings.addresses.iter().map(|a| a.socket(HTTPS)).collect(),
        patience: PATIENCE,
    });
    let mut found = BTreeMap::new();
    for domain in domains {
        let seen = match (&chains, &way) {
            (Err(why), _) => Seen::Unknown(why.clone()),
            (_, Err(why)) => Seen::Unknown(why.to_string()),
            (Ok(chains), Ok(way)) => {
                let against = refusals(chains, &way.roots, &domain.hosts, now);
                judged(&domain, against, (way, settings), now, notes)
            }
        };
        found.insert(domain.name, seen);
    }
    found
}

/// A mail domain whose senders may know a policy.
struct Domain {
    name: String,
    /// The hosts of the certificate that are its MX, or may be.
    hosts: BTreeSet<String>,
    /// Where others keep it, DNS says whether it has a policy.
    elsewhere: Option<Name>,
}

/// A certificate that passes passes under any policy: nobody is asked then.
fn judged(
    domain: &Domain,
    against: Vec<String>,
    (way, settings): (&Way, &MtaSts),
    now: Instant,
    notes: &mut Vec<String>,
) -> Seen<Vec<String>> {
    if against.is_empty() {
        return Seen::Known(against);
    }
    let asked = wait_for(async {
        if let Some(elsewhere) = &domain.elsewhere
            && signal_of(elsewhere, settings).await? == Signal::Absent
        {
            return Ok(None);
        }
        let fetched = fetch::fetch(&domain.name, way, now).await;
        fetched.map(Some).map_err(|why| why.to_string())
    });
    match asked {
        Ok(Ok(None)) => Seen::Known(Vec::new()),
        Ok(Ok(Some(policy))) if policy.mode == Mode::Enforce => Seen::Known(against),
        Ok(Ok(Some(policy))) => {
            notes.push(format!(
                "the MTA-STS policy of {} is in mode {}: senders without DANE deliver although {}",
                domain.name,
                policy.mode,
                against.join("; ")
            ));
            Seen::Known(Vec::new())
        }
        Ok(Err(why)) => Seen::Unknown(format!("{why}; and {}", against.join("; "))),
        Err(why) => Seen::Unknown(format!("nothing could be asked over the network: {why}")),
    }
}

async fn signal_of(domain: &Name, settings: &MtaSts) -> Result<Signal, String> {
    let configured = settings.resolvers.iter().map(|r| r.socket(DNS));
    let mut servers: Vec<SocketAddr> = configured.collect();
    if servers.is_empty() {
        servers = resolver::of_system()?;
    }
    signalled(domain, &Resolvers::new(servers, ANSWER, 1)).await
}

/// Mail domains whose senders may know a policy, by name: those of our zones that signal one, and those of others.
fn domains(known: &mut Known<'_>, certificate: &CertificateConfig) -> Vec<Domain> {
    let mut domains = BTreeMap::new();
    let here: BTreeSet<Name> = {
        let found = known.mail_domains(&certificate.hosts);
        for domain in &found {
            if signals_policy(&domain.head.content, &domain.name) {
                let ours = |host: &&String| certificate.hosts.contains(host);
                let name = plain(&domain.name);
                let hosts = domain.hosts.iter().filter(ours).cloned().collect();
                let elsewhere = None;
                domains.insert(
                    name.clone(),
                    Domain {
                        name,
                        hosts,
                        elsewhere,
                    },
                );
            }
        }
        found.iter().map(|domain| domain.name.clone()).collect()
    };
    for name in &certificate.domains {
        let absolute = Name::parse(name.as_bytes(), Some(&Name::root())).ok();
        // Which of the hosts they use is theirs to say at any time.
        if let Some(elsewhere) = absolute.filter(|absolute| !here.contains(absolute)) {
            let domain = Domain {
                name: name.clone(),
                hosts: certificate.hosts.iter().cloned().collect(),
                elsewhere: Some(elsewhere),
            };
            domains.insert(name.clone(), domain);
        }
    }
    domains.into_values().collect()
}

/// An alias leads to somebody else's record, which senders follow: that is as good as a record here.
fn signals_policy(zone: &Zone, domain: &Name) -> bool {
    let Ok(owner) = domain.child(b"_mta-sts") else {
        return false;
    };
    let texts = mail::texts(zone, &owner);
    let is_alias = zone.rrset(&owner, Rtype::CNAME).is_some();
    is_alias || signal(texts.iter().map(Vec::as_slice)) != Signal::Absent
}

/// The chains that are to be deployed, with the files they lie in.
fn chains_in(directory: &Path) -> Result<Vec<(String, Vec<Certificate>)>, String> {
    let wrong = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let entries = directory.read_dir().map_err(|e| wrong(directory, &e))?;
    let mut chains = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| wrong(directory, &e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.ends_with(".cert.pem") {
            continue;
        }
        let octets = read::beginning(&path, subject::MAX_OCTETS).map_err(|e| wrong(&path, &e))?;
        let chain = subject::read_chain(&octets).map_err(|e| wrong(&path, &e))?;
        chains.push((name.into_owned(), chain));
    }
    chains.sort_by(|(one, _), (other, _)| one.cmp(other));
    if chains.is_empty() {
        return Err(wrong(directory, &"no certificate lies there"));
    }
    Ok(chains)
}

fn refusals(
    chains: &[(String, Vec<Certificate>)],
    roots: &[Certificate],
    hosts: &BTreeSet<String>,
    now: Instant,
) -> Vec<String> {
    let mut against: Vec<String> = Vec::new();
    for (file, chain) in chains {
        for host in hosts {
            if let Err(refusal) = web::judge(chain, roots, host, now) {
                let why = format!("{file}: {refusal}");
                if !against.contains(&why) {
                    against.push(why);
                }
            }
        }
    }
    against
}
