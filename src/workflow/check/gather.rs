//! Collects the evidence: reads the zones at HEAD, asks their servers, the resolvers, the hosts and the policy hosts, all
//! at once and each within bounds.

use super::evidence::{DomainEvidence, Evidence, HostEvidence, Presented, ZoneEvidence};
use super::{Means, WorkflowError};
use crate::dane::certificate::Certificate;
use crate::dane::{judge, web};
use crate::observe::addresses;
use crate::observe::authorities::{self, Limits, Served};
use crate::observe::chain::{Content, NoAnswer, Source, Validator};
use crate::observe::extended_error::{ExtendedError, Flaw};
use crate::observe::mta_sts::fetch::{self, Way};
use crate::observe::mta_sts::policy::{Policy, Signal, signal};
use crate::observe::nonterminals::{self, Existence};
use crate::observe::probe::{self, Answer, Sighting, Target};
use crate::observe::resolver::Resolvers;
use crate::observe::senders_view::{Families, Overrides, Sender, plain};
use crate::observe::smtp::Caller;
use crate::observe::{wait_for, web_roots};
use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, Seen};
use crate::rotation::timing::Instant;
use crate::workflow::head::{self, Head};
use crate::workflow::look;
use crate::workflow::verify::{self, Bounds, Question, Verification};
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, Signing, ZoneConfig};
use crate::zone::content::Zone;
use crate::zone::mail;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

const SMTP: u16 = 25;
const HTTPS: u16 = 443;
/// How long one resolver may take over one question.
const ANSWER: Duration = Duration::from_secs(6);
/// How long the fetching of one policy may take.
const POLICY: Duration = Duration::from_secs(30);
/// Questions, and conversations, under way at once.
const AT_ONCE: usize = 64;

/// What the certificates named, or all of them, depend on.
pub(super) fn gather(
    workspace: &Workspace,
    names: &[String],
    means: Means,
    now: Instant,
) -> Result<Evidence, WorkflowError> {
    let scope = Scope::of(workspace, names, now)?;
    let way = scope.way();
    let sender = |anchors| Sender {
        validator: Validator::new(
            Resolvers::new(means.resolvers.clone(), ANSWER.min(means.patience), AT_ONCE),
            anchors,
            now,
        ),
        overrides: scope.overrides.clone(),
        families: Families::Both,
    };
    let bounds = Bounds {
        conversations: AT_ONCE,
        overall: means.patience,
    };
    let caller = Caller::default();
    let questions = scope.questions();
    let targets = scope.targets();
    let resolving = sender(means.anchors.clone()).validator;
    let asking = sender(means.anchors);
    let looked = wait_for(async {
        let zones = async {
            let mut zones = Vec::new();
            for place in &scope.places {
                zones.push(place.evidence(&scope, &resolving, now).await);
            }
            zones
        };
        let verified = verify::verify(&questions, asking, &caller, now, bounds);
        let seen = probe::survey(&targets, &caller, probe::Bounds::default());
        let policies = scope.policies(way.as_ref(), now);
        tokio::join!(zones, verified, seen, policies)
    });
    let (zones, verified, seen, policies) = looked.map_err(|source| WorkflowError::Unreadable {
        path: "the network".into(),
        source,
    })?;
    let roots = way.as_ref().map(|way| way.roots.as_slice()).ok();
    let mut verified: Vec<Verification> = verified;
    let domains = scope.domain_evidence(&mut verified, policies);
    Ok(Evidence {
        now,
        domains,
        hosts: scope.host_evidence(&zones, &seen, roots, now),
        others: verified,
        zones,
    })
}

/// One zone as git holds it.
struct Place<'w> {
    zone: &'w ZoneConfig,
    head: Result<Head, String>,
}

/// What is looked at.
struct Scope<'w> {
    certificates: Vec<&'w CertificateConfig>,
    places: Vec<Place<'w>>,
    endpoints: BTreeSet<Endpoint>,
    /// Mail domains with a host of ours, and all their MX hosts.
    domains: BTreeMap<Name, Vec<Name>>,
    overrides: Overrides,
}

impl<'w> Scope<'w> {
    fn of(workspace: &'w Workspace, names: &[String], now: Instant) -> Result<Self, WorkflowError> {
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
        let mut endpoints: BTreeSet<Endpoint> =
            certificates.iter().flat_map(|c| c.endpoints()).collect();
        let ours: BTreeSet<String> = endpoints.iter().map(|e| e.host.clone()).collect();
        let mut places: Vec<Place<'w>> = Vec::new();
        let mut domains = BTreeMap::new();
        for zone in &config.zones {
            let head = head::head(workspace, zone, now).map_err(|e| e.to_string());
            let mut concerns = ours.iter().any(|host| lies_in(host, zone, workspace));
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
        let overrides = overrides(&certificates);
        Ok(Self {
            certificates,
            places,
            endpoints,
            domains,
            overrides,
        })
    }

    /// How MTA-STS policies are fetched: as the first certificate with a say in it says.
    fn way(&self) -> Result<Way, String> {
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
    fn questions(&self) -> Vec<Question> {
        let domains = self.domains.keys().map(|domain| Question {
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

    fn targets(&self) -> Vec<Target> {
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

    /// The zone of ours that a name lies in, as git holds it.
    fn content_with(&self, name: &Name) -> Option<&Zone> {
        let places = self
            .places
            .iter()
            .filter(|p| name.is_at_or_below(&p.zone.name));
        let place = places.max_by_key(|p| p.zone.name.label_count())?;
        place.head.as_ref().ok().map(|head| &head.content)
    }

    /// The policy of each domain that signals one.
    async fn policies(
        &self,
        way: Result<&Way, &String>,
        now: Instant,
    ) -> BTreeMap<String, Seen<Policy>> {
        let mut policies = BTreeMap::new();
        for domain in self.domains.keys() {
            // An alias leads to a record of somebody who keeps the policy for us.
            if matches!(self.sts(domain), Some(Signal::Absent | Signal::Wrong(_))) {
                continue;
            }
            let name = plain(domain);
            let policy = match way {
                Err(why) => Seen::Unknown(why.clone()),
                Ok(way) => match fetch::fetch(&name, way, now).await {
                    Ok(policy) => Seen::Known(policy),
                    Err(why) => Seen::Unknown(why.to_string()),
                },
            };
            policies.insert(name, policy);
        }
        policies
    }

    /// What `_mta-sts` says; `None` for an alias.
    fn sts(&self, domain: &Name) -> Option<Signal> {
        let texts = self.texts(domain, &[b"_mta-sts"])?;
        Some(signal(texts.iter().map(Vec::as_slice)))
    }

    /// The TXT records below a domain; `None` for an alias.
    fn texts(&self, domain: &Name, labels: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
        let mut owner = domain.clone();
        for label in labels {
            owner = owner.child(label).unwrap_or(owner);
        }
        let Some(content) = self.content_with(&owner) else {
            return Some(Vec::new());
        };
        let is_alias = content.rrset(&owner, Rtype::CNAME).is_some();
        (!is_alias).then(|| mail::texts(content, &owner))
    }

    fn domain_evidence(
        &self,
        verified: &mut Vec<Verification>,
        mut policies: BTreeMap<String, Seen<Policy>>,
    ) -> Vec<DomainEvidence> {
        let mut domains = Vec::new();
        for (domain, exchanges) in &self.domains {
            let name = plain(domain);
            let of_it = |v: &Verification| v.question.name == *domain && !v.question.is_host;
            let at = verified.iter().position(of_it);
            let texts = self.texts(domain, &[b"_tls", b"_smtp"]);
            let lossy = |texts: Vec<Vec<u8>>| {
                let text = |t: &Vec<u8>| String::from_utf8_lossy(t).into_owned();
                texts.iter().map(text).collect()
            };
            domains.push(DomainEvidence {
                exchanges: exchanges.iter().map(plain).collect(),
                tlsrpt: texts.map(lossy),
                sts: self.sts(domain),
                policy: policies.remove(&name),
                verification: at.map(|at| verified.remove(at)),
                name,
            });
        }
        domains
    }

    fn host_evidence(
        &self,
        zones: &[ZoneEvidence],
        seen: &[Sighting],
        roots: Option<&[Certificate]>,
        now: Instant,
    ) -> Vec<HostEvidence> {
        let of_endpoint = |endpoint: &Endpoint| {
            let tlsa = Name::parse(endpoint.tlsa_name().as_str().as_bytes(), None).ok();
            let content = tlsa.as_ref().and_then(|name| self.content_with(name));
            let rrset = |rtype| content?.rrset(tlsa.as_ref()?, rtype);
            let at_head = content.zip(tlsa.as_ref());
            let at_head = at_head.map(|(zone, name)| head::associations(zone, name));
            // A zone file that cannot be read leaves the word to the servers.
            let published = at_head.or_else(|| served(zones, endpoint));
            let chains = seen
                .iter()
                .filter(|sighting| sighting.endpoint == *endpoint);
            HostEvidence {
                is_ours: published.is_some(),
                published: published.unwrap_or_default().into_iter().collect(),
                ttl: rrset(Rtype::TLSA).map(|rrset| rrset.ttl),
                is_alias: rrset(Rtype::CNAME).is_some(),
                chains: chains.filter_map(|s| presented(s, roots, now)).collect(),
                endpoint: endpoint.clone(),
            }
        };
        self.endpoints.iter().map(of_endpoint).collect()
    }
}

/// What any server was seen to serve for an endpoint; `None` if none was.
fn served(zones: &[ZoneEvidence], endpoint: &Endpoint) -> Option<BTreeSet<Association>> {
    let name = endpoint.tlsa_name();
    let servers = zones.iter().find_map(|zone| zone.served.tlsa.get(&name))?;
    let mut known = servers.values().filter_map(|seen| match seen {
        Seen::Known(rrset) => Some(&rrset.associations),
        Seen::Unknown(_) => None,
    });
    let first = known.next()?.clone();
    Some(known.fold(first, |all, more| all.union(more).cloned().collect()))
}

fn presented(
    sighting: &Sighting,
    roots: Option<&[Certificate]>,
    now: Instant,
) -> Option<Presented> {
    let Seen::Known(Answer::Chain(chain)) = &sighting.answer else {
        return None;
    };
    let chain = judge::presented(chain).ok()?;
    let refusal = roots.and_then(|roots| {
        web::judge(&chain, roots, &sighting.endpoint.host, now)
            .err()
            .map(|refusal| refusal.to_string())
    });
    Some(Presented {
        address: sighting.address,
        algorithm: sighting.algorithm,
        chain,
        web_refusal: refusal,
    })
}

impl Place<'_> {
    async fn evidence<S: Source + Send + Sync>(
        &self,
        scope: &Scope<'_>,
        validator: &Validator<S>,
        now: Instant,
    ) -> ZoneEvidence {
        let apex = &self.zone.name;
        let owned = scope
            .endpoints
            .iter()
            .filter_map(|e| Name::parse(e.tlsa_name().as_str().as_bytes(), None).ok())
            .filter(|name| self.holds(name));
        let names: Vec<Name> = owned.collect();
        let above: BTreeSet<Name> = names
            .iter()
            .filter(|name| self.has_tlsa(name))
            .flat_map(|name| std::iter::successors(name.parent(), Name::parent).take(2))
            .collect();
        let above: Vec<Name> = above.into_iter().collect();
        let servers = async {
            match look::servers(self.zone, self.head.as_ref().ok()) {
                Err(why) => (Served::default(), Existence::new(), Some(why)),
                Ok(servers) => match look::trust(self.zone, now) {
                    Err(why) => (Served::default(), Existence::new(), Some(why)),
                    Ok(trust) => {
                        let limits = Limits::default();
                        let served = authorities::see(apex, &servers, &names, &trust, now, limits);
                        let existence = nonterminals::see(&servers, &above, limits);
                        let (served, existence) = tokio::join!(served, existence);
                        (served, existence, None)
                    }
                },
            }
        };
        let chain = validator.lookup(apex, Rtype::SOA);
        let ds = rdatas(validator, apex, Rtype::DS);
        let dnskeys = rdatas(validator, apex, Rtype::DNSKEY);
        let ((served, existence, unasked), chain, ds, dnskeys) =
            tokio::join!(servers, chain, ds, dnskeys);
        ZoneEvidence {
            apex: apex.clone(),
            content: match &self.head {
                Ok(head) => Seen::Known(head.content.clone()),
                Err(why) => Seen::Unknown(why.clone()),
            },
            served,
            existence,
            unasked,
            chain: chain.and_then(|answer| match answer.content {
                Content::Records(_) => Ok(answer.security),
                // Whatever the chain is worth: senders are led to servers that know nothing of the zone.
                Content::NoData | Content::NoName => Err(NoAnswer::Failed(Flaw::new(
                    ExtendedError::NoReachableAuthority,
                    format!("{apex} has no SOA record where the resolvers are led to"),
                ))),
            }),
            ds,
            dnskeys,
            refresh: match &self.zone.signing {
                Signing::Here { refresh, .. } => Some(*refresh),
                Signing::External { .. } => None,
            },
        }
    }

    fn holds(&self, name: &Name) -> bool {
        name.is_at_or_below(&self.zone.name)
    }

    fn has_tlsa(&self, name: &Name) -> bool {
        let head = self.head.as_ref();
        head.is_ok_and(|head| head.content.rrset(name, Rtype::TLSA).is_some())
    }
}

async fn rdatas<S: Source + Send + Sync>(
    validator: &Validator<S>,
    name: &Name,
    rtype: Rtype,
) -> Seen<Vec<Rdata>> {
    match validator.lookup(name, rtype).await {
        Ok(answer) => Seen::Known(answer.rdatas().to_vec()),
        Err(why) => Seen::Unknown(why.to_string()),
    }
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

/// Whether the zone is the one that the host's records lie in.
fn lies_in(host: &str, zone: &ZoneConfig, workspace: &Workspace) -> bool {
    let of = absolute(host).and_then(|host| workspace.config.zone_of(&host));
    of.is_some_and(|of| of.name == zone.name)
}
