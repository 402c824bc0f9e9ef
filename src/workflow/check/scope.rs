//! What `check` is about: the certificates named, their hosts, the zones those lie in, and the domains that take mail
//! through them.

use super::WorkflowError;
use crate::observe::addresses;
use crate::observe::mta_sts::fetch::Way;
use crate::observe::mta_sts::policy::{Signal, signal};
use crate::observe::probe::Target;
use crate::observe::senders_view::{Overrides, plain};
use crate::observe::web_roots;
use crate::rotation::association::Association;
use crate::rotation::observation::Endpoint;
use crate::rotation::step::Rotation;
use crate::rotation::timing::Instant;
use crate::workflow::admit;
use crate::workflow::case::Case;
use crate::workflow::elsewhere::lies_in;
use crate::workflow::head::{self, Head};
use crate::workflow::surroundings;
use crate::workflow::verify::Question;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, ZoneConfig};
use crate::workspace::journal::RotationId;
use crate::zone::content::Zone;
use crate::zone::mail;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

pub(super) const SMTP: u16 = 25;
const HTTPS: u16 = 443;
/// How long the fetching of one policy may take.
const POLICY: Duration = Duration::from_secs(30);

/// One zone as git holds it.
pub(super) struct Place<'w> {
    pub(super) zone: &'w ZoneConfig,
    pub(super) head: Result<Head, WorkflowError>,
}

/// What is looked at.
pub(super) struct Scope<'w> {
    workspace: &'w Workspace,
    pub(super) certificates: Vec<&'w CertificateConfig>,
    /// The rotations under way.
    pub(super) rotations: Vec<(RotationId, Rotation)>,
    pub(super) places: Vec<Place<'w>>,
    pub(super) endpoints: BTreeSet<Endpoint>,
    /// Mail domains with a host of ours, and all their MX hosts.
    pub(super) domains: BTreeMap<Name, Vec<Name>>,
    /// Mail domains that are said to use our hosts, and whose MX records no zone of ours holds.
    pub(super) elsewhere: BTreeSet<Name>,
    pub(super) overrides: Overrides,
}

impl<'w> Scope<'w> {
    pub(super) fn of(
        workspace: &'w Workspace,
        names: &[String],
        now: Instant,
    ) -> Result<Self, WorkflowError> {
        let config = &workspace.config;
        let mut certificates = Vec::new();
        for name in config.named_or_all(names) {
            let known = || config.certificates.iter().map(|c| c.name.clone()).collect();
            certificates.push(config.certificate(&name).ok_or_else(|| {
                WorkflowError::NoSuchCertificate {
                    name: name.clone(),
                    known: known(),
                }
            })?);
        }
        let mut rotations = Vec::new();
        for certificate in &certificates {
            // A journal that cannot be read is told where the rotations are looked at; the health of all else is not hidden by it.
            let case = Case::open(workspace, &certificate.name, now).ok();
            rotations.extend(case.and_then(|case| case.under_way().cloned()));
        }
        let mut endpoints: BTreeSet<Endpoint> =
            certificates.iter().flat_map(|c| c.endpoints()).collect();
        let ours: BTreeSet<String> = endpoints.iter().map(|e| e.host.clone()).collect();
        let hosts = ours.iter().filter_map(|host| absolute(host));
        let names: Vec<Name> = hosts.chain(owners(&endpoints, &rotations)).collect();
        let mut places: Vec<Place<'w>> = Vec::new();
        let mut domains = BTreeMap::new();
        for zone in &config.zones {
            let head = head::head(workspace, zone, now);
            let mut concerns = names.iter().any(|name| lies_in(workspace, zone, name));
            if let Ok(head) = &head {
                for (domain, exchanges) in mail::exchanges(&head.content) {
                    let hosts: Vec<Name> = exchanges.into_iter().map(|(_, host)| host).collect();
                    if hosts.iter().any(|host| ours.contains(&plain(host))) {
                        concerns = true;
                        domains.insert(domain, hosts);
                    }
                }
            }
            if concerns {
                places.push(Place { zone, head });
            }
        }
        // The other MX hosts of the domain: mail goes there just as well.
        endpoints.extend(domains.values().flatten().map(|host| Endpoint {
            host: plain(host),
            port: SMTP,
        }));
        let said = certificates.iter().flat_map(|c| &c.domains);
        let elsewhere = said
            .filter_map(|domain| absolute(domain))
            .filter(|domain| !domains.contains_key(domain))
            .collect();
        let overrides = overrides(&certificates);
        Ok(Self {
            workspace,
            certificates,
            rotations,
            places,
            endpoints,
            domains,
            elsewhere,
            overrides,
        })
    }

    /// How MTA-STS policies are fetched: as the first certificate with a say in it says.
    pub(super) fn way(&self) -> Result<Way, String> {
        let settings = self.certificates.iter().map(|c| &c.mta_sts);
        let said = settings
            .clone()
            .find(|s| s.roots.is_some() || !s.addresses.is_empty());
        let settings = said.cloned().unwrap_or_default();
        let roots = web_roots::roots(settings.roots.as_deref()).map_err(|e| e.to_string())?;
        Ok(Way {
            roots,
            addresses: settings.addresses.iter().map(|a| a.socket(HTTPS)).collect(),
            patience: POLICY,
        })
    }

    /// The domains, and the endpoints that no domain's MX leads to.
    pub(super) fn questions(&self) -> Vec<Question> {
        let domains = self.domains.keys().chain(&self.elsewhere);
        let domains = domains.map(|domain| Question {
            name: domain.clone(),
            port: None,
            is_host: false,
        });
        let reached: BTreeSet<String> = self.domains.values().flatten().map(plain).collect();
        let others = self
            .endpoints
            .iter()
            .filter(|e| e.port != SMTP || !reached.contains(&e.host))
            .filter_map(|e| {
                Some(Question {
                    name: absolute(&e.host)?,
                    port: Some(e.port),
                    is_host: true,
                })
            });
        domains.chain(others).collect()
    }

    pub(super) fn targets(&self) -> Vec<Target> {
        let target = |endpoint: &Endpoint| Target {
            endpoint: endpoint.clone(),
            addresses: self.addresses(endpoint),
        };
        self.endpoints.iter().map(target).collect()
    }

    fn addresses(&self, endpoint: &Endpoint) -> Vec<SocketAddr> {
        let configured = self
            .certificates
            .iter()
            .find_map(|c| c.addresses.get(&endpoint.host));
        if let Some(configured) = configured {
            return configured.iter().map(|a| a.socket(endpoint.port)).collect();
        }
        let Some((host, content)) = absolute(&endpoint.host)
            .and_then(|host| Some((host.clone(), self.content_with(&host)?)))
        else {
            return Vec::new();
        };
        addresses::in_zone(content, &host)
            .into_iter()
            .map(|ip| SocketAddr::new(ip, endpoint.port))
            .collect()
    }

    /// The certificate that a host and port is configured with.
    pub(super) fn certificate_of(&self, endpoint: &Endpoint) -> Option<&'w CertificateConfig> {
        let mut certificates = self.certificates.iter().copied();
        certificates.find(|one| one.endpoints().any(|own| own == *endpoint))
    }

    /// Those of the records of a host that somebody has a use for though it does not present their key: a rotation under way,
    /// a certificate in use or on offer.
    pub(super) fn owned(
        &self,
        endpoint: &Endpoint,
        published: Option<&BTreeSet<Association>>,
    ) -> BTreeSet<Association> {
        let rotations = self.rotations.iter().map(|(_, state)| state);
        let of_host = rotations.filter(|state| state.endpoints.contains(endpoint));
        let mut owned: BTreeSet<Association> = of_host
            .flat_map(|state| {
                state
                    .current
                    .iter()
                    .chain(&state.incoming)
                    .chain(&state.staying)
            })
            .cloned()
            .collect();
        let Some(certificate) = self.certificate_of(endpoint) else {
            return owned;
        };
        let mut chains = admit::in_use(certificate).unwrap_or_default();
        chains.extend(admit::on_offer(certificate, None).unwrap_or_default());
        let records = published.into_iter().flatten();
        owned.extend(
            records
                .filter(|one| surroundings::is_of(&chains, one))
                .cloned(),
        );
        owned
    }

    /// Whether a host presents one of the certificates.
    pub(super) fn is_ours(&self, host: &Name) -> bool {
        let host = plain(host);
        self.certificates.iter().any(|c| c.hosts.contains(&host))
    }

    /// The TLSA names that lie in a zone, those behind aliases of the hosts' own among them.
    pub(super) fn owners_in(&self, zone: &ZoneConfig) -> Vec<Name> {
        let owners = owners(&self.endpoints, &self.rotations).into_iter();
        owners
            .filter(|name| lies_in(self.workspace, zone, name))
            .collect()
    }

    /// The zone of ours that a name lies in, as git holds it.
    pub(super) fn content_with(&self, name: &Name) -> Option<&Zone> {
        let places = self
            .places
            .iter()
            .filter(|p| name.is_at_or_below(&p.zone.name));
        let place = places.max_by_key(|p| p.zone.name.label_count())?;
        place.head.as_ref().ok().map(|head| &*head.content)
    }

    /// What `_mta-sts` says; `None` for an alias.
    pub(super) fn sts(&self, domain: &Name) -> Option<Signal> {
        let texts = self.texts(domain, &[b"_mta-sts"])?;
        Some(signal(texts.iter().map(Vec::as_slice)))
    }

    /// The TXT records below a domain; `None` for an alias.
    pub(super) fn texts(&self, domain: &Name, labels: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
        let owner = below(domain, labels);
        let Some(content) = self.content_with(&owner) else {
            return Some(Vec::new());
        };
        let is_alias = content.rrset(&owner, Rtype::CNAME).is_some();
        (!is_alias).then(|| mail::texts(content, &owner))
    }
}

/// The name below a domain that these labels lead to, the one nearest to it first.
pub(super) fn below(domain: &Name, labels: &[&[u8]]) -> Name {
    let below = |owner: Name, label: &&[u8]| owner.child(label).unwrap_or(owner);
    labels.iter().fold(domain.clone(), below)
}

fn overrides(certificates: &[&CertificateConfig]) -> Overrides {
    let mut overrides = Overrides::new();
    for certificate in certificates {
        for (host, addresses) in &certificate.addresses {
            if let Some(name) = absolute(host) {
                let sockets = addresses.iter().map(|a| a.socket(SMTP));
                overrides.insert(name, sockets.collect());
            }
        }
    }
    overrides
}

fn absolute(host: &str) -> Option<Name> {
    Name::parse(host.as_bytes(), Some(&Name::root())).ok()
}

/// Where the TLSA records of the endpoints lie, or seem to, and every name on the way of those that rotations found behind
/// aliases (RFC 7671 §6).
fn owners(endpoints: &BTreeSet<Endpoint>, rotations: &[(RotationId, Rotation)]) -> BTreeSet<Name> {
    let own = endpoints.iter().map(Endpoint::tlsa_name);
    let aliases = rotations.iter().flat_map(|(_, rotation)| &rotation.aliases);
    let behind = aliases.flat_map(|(alias, name)| [alias.clone(), name.clone()]);
    own.chain(behind)
        .filter_map(|name| Name::parse(name.as_str().as_bytes(), None).ok())
        .collect()
}
