//! The stage of the demo: a workspace in git, two authoritative servers of which one lags, a mail host, all on loopback.

use super::mail_host::{KeyedChain, MailHost};
use super::{DemoError, ZONE};
use crate::dnssec::algorithm::Algorithm;
use crate::dnssec::dnskey::{DigestType, Dnskey};
use crate::dnssec::keystore::{Role, new_key};
use crate::publish::command::Invocation;
use crate::publish::serve::served::ServedZone;
use crate::publish::serve::server::{Server, Settings};
use crate::rotation::association::Association;
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::durable;
use crate::workspace::tls_key::{self, KeyFiles, KeyKind};
use crate::zone::content::Zone;
use crate::zone::edit::{Change, edit};
use crate::zone::file::ZoneFile;
use crate::zone::include::NoFiles;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The zone file and the configuration of the repository's `zones/`: what a reader of the demo can look at.
const ZONE_TEXT: &str = include_str!("../../../zones/example.com.zone");
const CONFIG_TEXT: &str = include_str!("../../../zones/tlsa-rotate.toml");

/// The hosts of the configuration, most preferred first.
pub(super) const HOSTS: [&str; 2] = ["mx1.example.com", "mx2.example.com"];

/// How long a git command may take.
const GIT: Duration = Duration::from_secs(30);

/// One authoritative server and the version of the zone it has loaded.
pub(super) struct Authority {
    /// Its name in the output.
    pub(super) name: &'static str,
    /// How long after the signed file changes it loads it.
    pub(super) lag: Span,
    server: Server,
    loaded: Vec<u8>,
    due: Option<Instant>,
}

/// Everything on the stage; it is gone when this is dropped.
pub(super) struct Stage {
    /// The network.
    pub(super) runtime: Runtime,
    /// The operator's workspace.
    pub(super) workspace: Workspace,
    /// The authoritative servers.
    pub(super) authorities: Vec<Authority>,
    /// The mail hosts, in the order of [`HOSTS`].
    pub(super) hosts: Vec<MailHost>,
    /// The parent's DS RRset.
    pub(super) anchor: Vec<Rdata>,
    /// The zone.
    pub(super) apex: Name,
    // Dropped last: the directory that all of it lies in.
    directory: TempDir,
}

impl Stage {
    /// Sets the stage: keys made, the zone holding the live key's records, committed, and served by nobody yet.
    pub(super) fn set(now: Instant) -> Result<Self, DemoError> {
        let broken = |what: &str, why: &dyn std::fmt::Display| DemoError::new(what, why);
        let directory = tempfile::Builder::new()
            .prefix("tlsa-rotate-demo-")
            .tempdir()
            .map_err(|e| broken("make a temporary directory", &e))?;
        let root = directory.path().to_owned();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|e| broken("start the network", &e))?;
        let apex = Name::parse(ZONE.as_bytes(), None).map_err(|e| broken("name the zone", &e))?;
        let live = live_key(&root, now)?;
        let anchor = zone_key(&root, &apex, now)?;
        let chain = keyed_chain(&live)?;
        let (authorities, hosts) = runtime.block_on(async {
            let mut authorities = Vec::new();
            for (name, lag) in [("ns1", Span::ZERO), ("ns2", Span::hours(3))] {
                let server = Server::start(loopback(), Settings::default())
                    .await
                    .map_err(|e| broken("start an authoritative server", &e))?;
                authorities.push(Authority {
                    name,
                    lag,
                    server,
                    loaded: Vec::new(),
                    due: None,
                });
            }
            let mut hosts = Vec::new();
            for name in HOSTS {
                let host = MailHost::start(name, loopback(), vec![chain.clone()]).await;
                hosts.push(host.map_err(|e| broken("start a mail host", &e))?);
            }
            Ok::<_, DemoError>((authorities, hosts))
        })?;
        write_workspace(&root, &live, &authorities, &hosts, now)?;
        let workspace = Workspace::open(&root.join("tlsa-rotate.toml"))
            .map_err(|e| broken("open the workspace", &e))?;
        Ok(Self {
            runtime,
            workspace,
            authorities,
            hosts,
            anchor,
            apex,
            directory,
        })
    }

    /// Loads the signed zone into every server whose time has come; says which did.
    pub(super) fn load(&mut self, now: Instant) -> Result<Vec<String>, DemoError> {
        let signed = self.directory.path().join("example.com.zone.signed");
        let Ok(bytes) = fs::read(&signed) else {
            return Ok(vec![]);
        };
        let mut loaded = Vec::new();
        for authority in &mut self.authorities {
            if authority.loaded == bytes {
                continue;
            }
            // A server that has nothing yet loads at once: the lag is that of a transfer, not of a start.
            let lag = if authority.loaded.is_empty() {
                Span::ZERO
            } else {
                authority.lag
            };
            let due = *authority.due.get_or_insert(now + lag);
            if now < due {
                continue;
            }
            let wrong = |why: &dyn std::fmt::Display| DemoError::new("load the signed zone", why);
            let zone = Zone::parse(&bytes, Some(&self.apex)).map_err(|e| wrong(&e))?;
            let zone = ServedZone::unverified(zone).map_err(|e| wrong(&e))?;
            let serial = zone.serial();
            authority.server.publish(Arc::new(zone));
            authority.loaded.clone_from(&bytes);
            authority.due = None;
            loaded.push(format!("{} serves serial {serial}", authority.name));
        }
        Ok(loaded)
    }

    /// Whether the first server, the one that a naive operator asks, serves these associations.
    pub(super) fn is_served_by_first(&self, associations: &BTreeSet<Association>) -> bool {
        let text = self
            .authorities
            .first()
            .map(|first| String::from_utf8_lossy(&first.loaded));
        let text = text.unwrap_or_default().to_ascii_lowercase();
        associations
            .iter()
            .all(|association| text.contains(&association.to_string()))
    }

    /// Where the servers answer.
    pub(super) fn servers(&self) -> Vec<SocketAddr> {
        self.authorities
            .iter()
            .map(|authority| authority.server.local_addr())
            .collect()
    }

    /// Puts the certificate and key that lie in `directory` on a mail host.
    pub(super) fn deploy(&self, host: usize, directory: &Path) -> Result<(), DemoError> {
        let files = KeyFiles {
            key: directory.join("ecdsa-p256.key.pem"),
            certificate: directory.join("ecdsa-p256.cert.pem"),
            request: directory.join("ecdsa-p256.csr.pem"),
        };
        if let Some(host) = self.hosts.get(host) {
            host.present(vec![keyed_chain(&files)?]);
        }
        Ok(())
    }

    /// Runs git in the workspace, as a person would; what it printed.
    pub(super) fn git(&self, arguments: &[&str]) -> Result<String, DemoError> {
        git(self.directory.path(), arguments)
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn live_key(root: &Path, now: Instant) -> Result<KeyFiles, DemoError> {
    let live = root.join("live");
    let files = KeyFiles {
        key: live.join("privkey.pem"),
        certificate: live.join("fullchain.pem"),
        request: live.join("request.pem"),
    };
    let wrong = |why: &dyn std::fmt::Display| DemoError::new("make the key in use", why);
    durable::create_directory(&live, 0o700).map_err(|e| wrong(&e))?;
    let random = ring::rand::SystemRandom::new();
    let hosts = HOSTS.map(str::to_owned);
    tls_key::ensure(&files, KeyKind::EcdsaP256, &hosts, now, &random).map_err(|e| wrong(&e))?;
    Ok(files)
}

/// Makes the zone's signing key; the parent's DS for it.
fn zone_key(root: &Path, apex: &Name, now: Instant) -> Result<Vec<Rdata>, DemoError> {
    let wrong = |why: &dyn std::fmt::Display| DemoError::new("make the zone's key", why);
    let keys = root.join("keys");
    durable::create_directory(&keys, 0o700).map_err(|e| wrong(&e))?;
    let made = new_key(apex, Algorithm::EcdsaP256Sha256, Role::Csk, &[], (now, now))
        .map_err(|e| wrong(&e))?;
    for file in &made.files {
        durable::create(&keys.join(&file.name), file.contents.as_bytes(), file.mode)
            .map_err(|e| wrong(&e))?;
    }
    let dnskey = Dnskey::parse(made.key.dnskey()).ok_or_else(|| wrong(&"it is truncated"))?;
    Ok(vec![dnskey.ds(apex, DigestType::Sha256)])
}

fn keyed_chain(files: &KeyFiles) -> Result<KeyedChain, DemoError> {
    let wrong = |why: &dyn std::fmt::Display| DemoError::new("read a certificate and its key", why);
    let chain = fs::read(&files.certificate).map_err(|e| wrong(&e))?;
    let key = fs::read(&files.key).map_err(|e| wrong(&e))?;
    KeyedChain::from_pem(&chain, &key).map_err(|e| wrong(&e))
}

fn write_workspace(
    root: &Path,
    live: &KeyFiles,
    authorities: &[Authority],
    hosts: &[MailHost],
    now: Instant,
) -> Result<(), DemoError> {
    let wrong = |why: &dyn std::fmt::Display| DemoError::new("write the workspace", why);
    let servers: Vec<String> = authorities
        .iter()
        .map(|a| format!("\"{}\"", a.server.local_addr()))
        .collect();
    let places: Vec<String> = HOSTS
        .iter()
        .zip(hosts)
        .map(|(name, host)| format!("\"{name}\" = [\"{}\"]", host.address()))
        .collect();
    // On loopback servers and hosts are not where the zone says.
    let config = CONFIG_TEXT
        .replace(
            "[[zone]]",
            &format!("[[zone]]\nservers = [{}]", servers.join(", ")),
        )
        .replace(
            "[[certificate]]",
            &format!("[[certificate]]\naddresses = {{ {} }}", places.join(", ")),
        );
    let certificate = fs::read(&live.certificate).map_err(|e| wrong(&e))?;
    let zone = zone_with(&certificate, now).map_err(|e| wrong(&e))?;
    let ignored = "*.private\nkeys/tls/\nlive/\n.tlsa-rotate/\n*.signed\n";
    for (name, bytes) in [
        ("tlsa-rotate.toml", config.as_bytes()),
        ("example.com.zone", &zone),
        (".gitignore", ignored.as_bytes()),
    ] {
        durable::replace(&root.join(name), bytes).map_err(|e| wrong(&e))?;
    }
    git(root, &["init", "--quiet", "--initial-branch=main"])?;
    for (key, value) in [
        ("user.name", "A mail administrator"),
        ("user.email", "hostmaster@example.com"),
    ] {
        git(root, &["config", key, value])?;
    }
    git(root, &["add", "--all"])?;
    // Long enough ago for git to tell what the TTLs were before.
    let date = format!("@{} +0000", (now - Span::days(30)).unix());
    let commit = ["git", "commit", "--quiet", "--message", "The zone as it is"];
    let mut commit = Invocation::new(commit, root, GIT);
    let dates = ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"];
    let dates = dates.map(|name| (name.to_owned(), date.clone().into()));
    commit.set.extend(dates);
    commit.run().map_err(|e| DemoError::new("run git", &e))?;
    Ok(())
}

/// The zone of the repository with the TLSA records of the live certificate in place of those in it.
fn zone_with(certificate: &[u8], now: Instant) -> Result<Vec<u8>, String> {
    let subjects = crate::dane::subject::read_chain(certificate).map_err(|e| e.to_string())?;
    let live: Association = subjects
        .first()
        .map(crate::dane::certificate::Certificate::spki_association)
        .ok_or("there is no live certificate")?;
    let apex = Name::parse(ZONE.as_bytes(), None).map_err(|e| e.to_string())?;
    let file = ZoneFile::read("example.com.zone", ZONE_TEXT.into(), Some(&apex), &NoFiles);
    let zone = file.zone().map_err(|e| e.to_string())?;
    let mut changes = Vec::new();
    for (owner, node) in &zone.nodes {
        let Some(rrset) = node.get(&Rtype::TLSA) else {
            continue;
        };
        let rdata = Rdata::from(&live);
        changes.push(Change::Add(Record {
            owner: owner.clone(),
            ttl: rrset.ttl,
            rtype: Rtype::TLSA,
            rdata,
        }));
        changes.extend(rrset.rdatas.iter().map(|rdata| Change::Remove {
            owner: owner.clone(),
            rtype: Rtype::TLSA,
            rdata: rdata.clone(),
        }));
    }
    let edited = edit(&file, &changes, now).map_err(|e| e.to_string())?;
    let source = edited
        .file
        .sources()
        .first()
        .ok_or("the zone file is gone")?;
    Ok(source.bytes.to_vec())
}

fn git(root: &Path, arguments: &[&str]) -> Result<String, DemoError> {
    let command = std::iter::once("git").chain(arguments.iter().copied());
    let finished = Invocation::new(command, PathBuf::from(root), GIT)
        .run()
        .map_err(|e| DemoError::new("run git", &e))?;
    Ok(String::from_utf8_lossy(&finished.stdout).trim().to_owned())
}
