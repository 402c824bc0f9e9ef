//! Collects the evidence: reads the zones on the branch that counts, asks their servers, the resolvers, the hosts and the
//! policy hosts, all at once and each within bounds.

use super::evidence::{DomainEvidence, Evidence, HostEvidence, Kept, Presented, ZoneEvidence};
use super::scope::{Place, Scope, below};
use super::{Means, WorkflowError, regressed};
use crate::dane::certificate::Certificate;
use crate::dane::{judge, web};
use crate::observe::authorities::{self, Limits, Served};
use crate::observe::chain::{Content, NoAnswer, Source, Validator};
use crate::observe::delegation::delegation;
use crate::observe::extended_error::{ExtendedError, Flaw};
use crate::observe::mta_sts::fetch::{self, Way};
use crate::observe::mta_sts::policy::{Policy, Signal, signal};
use crate::observe::nonterminals::{self, Existence};
use crate::observe::probe::Sighting;
use crate::observe::resolver::Resolvers;
use crate::observe::senders_view::{Destination, Families, Sender, plain};
use crate::observe::side_by_side::side_by_side;
use crate::observe::smtp::Caller;
use crate::observe::survey;
use crate::observe::wait_for;
use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, Seen};
use crate::rotation::timing::Instant;
use crate::workflow::head;
use crate::workflow::look;
use crate::workflow::reach;
use crate::workflow::vantages::Vantages;
use crate::workflow::verify::{self, Bounds, Verification};
use crate::workspace::Workspace;
use crate::workspace::config::Signing;
use crate::zone::answers::{self, Answer};
use crate::zone::mail;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long one resolver may take over one question.
const ANSWER: Duration = Duration::from_secs(6);
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
    let caller = Caller::within(means.patience);
    let questions = scope.questions();
    let targets = scope.targets();
    let vantages = Vantages::of(workspace).within(means.patience);
    let resolving = sender(means.anchors.clone()).validator;
    let asking = Arc::new(sender(means.anchors));
    let limits = Limits::default();
    let looked = wait_for(async {
        let zones = side_by_side(&scope.places, AT_ONCE, |place| {
            place.evidence(&scope, &resolving, &limits, now)
        });
        let verified = verify::verify(&questions, &asking, &caller, now, bounds);
        let seen = vantages.survey(&targets, |_, _| 1);
        let said = async {
            let texts = scope.texts_elsewhere(&resolving).await;
            let policies = scope.policies(way.as_ref(), &texts, now).await;
            (texts, policies)
        };
        tokio::join!(zones, verified, seen, said)
    });
    let (mut zones, verified, (seen, aside), (texts, policies)) =
        looked.map_err(|source| WorkflowError::Unreadable {
            path: "the network".into(),
            source,
        })?;
    regressed::note(&mut zones, &scope.rotations, now);
    let roots = way.as_ref().map(|way| way.roots.as_slice()).ok();
    let mut verified: Vec<Verification> = verified;
    for verification in &mut verified {
        let met = |endpoint: &Endpoint, address, algorithm| {
            survey::met(&seen, endpoint, address, algorithm)
        };
        verification.look_elsewhere(met, now);
    }
    let domains = scope.domain_evidence(&mut verified, texts, policies);
    Ok(Evidence {
        now,
        domains,
        hosts: scope.host_evidence(&zones, &seen, roots, now),
        others: verified,
        zones,
        aside,
    })
}

/// What a domain that somebody else keeps says of itself beside its MX records; `None` for what cannot be told.
#[derive(Default)]
struct Said {
    tlsrpt: Option<Vec<String>>,
    sts: Option<Signal>,
}

impl Scope<'_> {
    /// What the domains kept elsewhere say in TXT records, as DNS has them.
    async fn texts_elsewhere<S: Source + Send + Sync>(
        &self,
        validator: &Validator<S>,
    ) -> BTreeMap<Name, Said> {
        let said = side_by_side(&self.elsewhere, AT_ONCE, |domain| async move {
            let (tlsrpt, sts) = tokio::join!(
                texts_at(validator, below(domain, &[b"_tls", b"_smtp"])),
                texts_at(validator, below(domain, &[b"_mta-sts"])),
            );
            let said = Said {
                tlsrpt: tlsrpt.map(lossy),
                sts: sts.map(|texts| signal(texts.iter().map(Vec::as_slice))),
            };
            (domain.clone(), said)
        });
        said.await.into_iter().collect()
    }

    /// The policy of each domain that signals one.
    async fn policies(
        &self,
        way: Result<&Way, &String>,
        elsewhere: &BTreeMap<Name, Said>,
        now: Instant,
    ) -> BTreeMap<String, Seen<Policy>> {
        // An alias leads to a record of somebody who keeps the policy for us.
        let signals =
            |domain: &&Name| !matches!(self.sts(domain), Some(Signal::Absent | Signal::Wrong(_)));
        let theirs = elsewhere.iter();
        let theirs = theirs.filter(|(_, said)| matches!(said.sts, Some(Signal::Policy(_))));
        let here = self.domains.keys().filter(signals);
        let signalling = here.chain(theirs.map(|(domain, _)| domain));
        let policies = side_by_side(signalling, AT_ONCE, |domain| async move {
            let name = plain(domain);
            let policy = match way {
                Err(why) => Seen::Unknown(why.clone()),
                Ok(way) => match fetch::fetch(&name, way, now).await {
                    Ok(policy) => Seen::Known(policy),
                    Err(why) => Seen::Unknown(why.to_string()),
                },
            };
            (name, policy)
        });
        policies.await.into_iter().collect()
    }

    fn domain_evidence(
        &self,
        verified: &mut Vec<Verification>,
        mut elsewhere: BTreeMap<Name, Said>,
        mut policies: BTreeMap<String, Seen<Policy>>,
    ) -> Vec<DomainEvidence> {
        let mut take = |domain: &Name| {
            let of_it = |v: &Verification| v.question.name == *domain && !v.question.is_host;
            let at = verified.iter().position(of_it);
            at.map(|at| verified.remove(at))
        };
        let mut domains = Vec::new();
        for domain in &self.elsewhere {
            let mut seen = self.as_seen(domain, take(domain));
            // Whose mail does not come here has policies that are none of our business.
            if seen.kept == Kept::Elsewhere {
                let said = elsewhere.remove(domain).unwrap_or_default();
                (seen.tlsrpt, seen.sts) = (said.tlsrpt, said.sts);
                seen.policy = policies.remove(&seen.name);
            }
            domains.push(seen);
        }
        for (domain, exchanges) in &self.domains {
            let name = plain(domain);
            let texts = self.texts(domain, &[b"_tls", b"_smtp"]);
            domains.push(DomainEvidence {
                exchanges: exchanges.iter().map(plain).collect(),
                tlsrpt: texts.map(lossy),
                sts: self.sts(domain),
                policy: policies.remove(&name),
                verification: take(domain),
                kept: Kept::Here,
                name,
            });
        }
        domains
    }

    /// A domain that somebody else keeps: what senders see of it, and no more.
    fn as_seen(&self, domain: &Name, verification: Option<Verification>) -> DomainEvidence {
        let destination = verification.as_ref().and_then(|v| v.destination.as_ref());
        let exchanges: Option<Vec<&Name>> = destination.and_then(|destination| match destination {
            Destination::Exchanges { hosts, .. } => {
                Some(hosts.iter().map(|(_, host)| host).collect())
            }
            Destination::Itself => Some(vec![domain]),
            Destination::NullMx => Some(Vec::new()),
            Destination::NoSuchDomain | Destination::Unknown(_) => None,
        });
        let leads_here = |hosts: &Vec<&Name>| hosts.iter().any(|host| self.is_ours(host));
        DomainEvidence {
            name: plain(domain),
            kept: match &exchanges {
                Some(hosts) if !leads_here(hosts) => Kept::Astray,
                _ => Kept::Elsewhere,
            },
            exchanges: exchanges.into_iter().flatten().map(plain).collect(),
            tlsrpt: None,
            sts: None,
            policy: None,
            verification,
        }
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
            let answered = content.zip(tlsa.as_ref());
            let answered = answered.map(|(zone, name)| answers::answer(zone, name, Rtype::TLSA));
            let at_head = content.zip(tlsa.as_ref());
            let at_head = at_head.map(|(zone, name)| head::associations(zone, name));
            // A zone file that cannot be read leaves the word to the servers.
            let published = at_head.or_else(|| served(zones, endpoint));
            let chains = seen
                .iter()
                .filter(|sighting| sighting.endpoint == *endpoint);
            HostEvidence {
                is_ours: published.is_some(),
                owned: self.owned(endpoint, published.as_ref()),
                certificate: self.certificate_of(endpoint).map(|one| one.name.clone()),
                published: published.unwrap_or_default().into_iter().collect(),
                ttl: match &answered {
                    Some(Answer::Records(rrset)) => Some(rrset.ttl),
                    _ => None,
                },
                is_alias: matches!(answered, Some(Answer::Alias(_))),
                chains: chains.filter_map(|s| presented(s, roots, now)).collect(),
                unreached: reach::dark(endpoint, seen),
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
    let chain = judge::presented(sighting.chains().next()?).ok()?;
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
        limits: &Limits,
        now: Instant,
    ) -> ZoneEvidence {
        let apex = &self.zone.name;
        let names = scope.owners_in(self.zone);
        let above: BTreeSet<Name> = names
            .iter()
            .filter(|name| self.has_tlsa(name))
            .flat_map(|name| std::iter::successors(name.parent(), Name::parent).take(2))
            .filter(|above| above.is_at_or_below(apex))
            .collect();
        let above: Vec<Name> = above.into_iter().collect();
        let servers = look::servers(self.zone, self.head.as_ref().ok());
        let asked = servers.iter().flatten().map(|server| server.address);
        let asked = asked.collect();
        let servers = async {
            match servers {
                Err(why) => {
                    let way_out = "set `servers` in the configuration";
                    (Served::default(), Existence::new(), Some((why, way_out)))
                }
                Ok(servers) => match look::trust(self.zone, now) {
                    Err(why) => {
                        let way_out = "bring back the keys of the zone, or the trust anchor, that `sign` names in the configuration";
                        (Served::default(), Existence::new(), Some((why, way_out)))
                    }
                    Ok(trust) => {
                        let existence = nonterminals::see(&servers, &above, limits);
                        let limits = limits.clone();
                        let served = authorities::see(apex, &servers, &names, &trust, now, limits);
                        let (served, existence) = tokio::join!(served, existence);
                        (served, existence, None)
                    }
                },
            }
        };
        let chain = validator.lookup(apex, Rtype::SOA);
        let ds = rdatas(validator, apex, Rtype::DS);
        let dnskeys = rdatas(validator, apex, Rtype::DNSKEY);
        let delegation = delegation(validator, apex, limits.answer);
        let ((served, existence, unasked), chain, ds, dnskeys, delegation) =
            tokio::join!(servers, chain, ds, dnskeys, delegation);
        ZoneEvidence {
            apex: apex.clone(),
            content: match &self.head {
                Ok(head) => Seen::Known(head.content.as_ref().clone()),
                Err(why) => Seen::Unknown(why.to_string()),
            },
            way_out: match &self.head {
                Ok(_) => String::new(),
                Err(why) => why.hints().join("; "),
            },
            served,
            existence,
            delegation,
            asked,
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

    fn has_tlsa(&self, name: &Name) -> bool {
        let head = self.head.as_ref();
        head.is_ok_and(|head| head.content.rrset(name, Rtype::TLSA).is_some())
    }
}

fn lossy(texts: Vec<Vec<u8>>) -> Vec<String> {
    let text = |text: Vec<u8>| String::from_utf8_lossy(&text).into_owned();
    texts.into_iter().map(text).collect()
}

/// The TXT records at a name, or at what it is an alias for; `None` if that cannot be told.
async fn texts_at<S: Source + Send + Sync>(
    validator: &Validator<S>,
    owner: Name,
) -> Option<Vec<Vec<u8>>> {
    let answer = validator.lookup(&owner, Rtype::TXT).await.ok()?;
    Some(answer.rdatas().iter().map(mail::joined).collect())
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
