//! Use case `simulate`: a certificate's rotation rehearsed against random senders and caches, with its own TTLs, servers and
//! policy, beside the ways that people take. Reads only.

use super::WorkflowError;
use super::head;
use super::head::Heads;
use super::look;
use super::start;
use crate::dnssec::share::in_blocks;
use crate::observe::addresses;
use crate::rotation::observation::Endpoint;
use crate::rotation::policy::Policy;
use crate::rotation::simulation::{self, Host, Outcome, Scenario};
use crate::rotation::timing::{Instant, Span, Ttl};
use crate::workspace::Workspace;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::num::NonZeroUsize;
use std::thread;

/// What a rehearsal came to.
#[derive(Debug)]
pub struct Rehearsal {
    /// What was rehearsed.
    pub scenario: Scenario,
    /// In how many worlds.
    pub worlds: u64,
    /// What every way came to; the machine's first.
    pub ways: Vec<Outcome>,
}

/// The scenario of a certificate as the branch that counts and the configuration have it.
pub fn of_certificate(
    workspace: &Workspace,
    name: &str,
    now: Instant,
) -> Result<Scenario, WorkflowError> {
    let certificate = workspace.config.certificate(name);
    let certificate = certificate.ok_or_else(|| WorkflowError::NoSuchCertificate {
        name: name.to_owned(),
        known: workspace.config.named_or_all(&[]),
    })?;
    let (found, _) = start::beginning(&mut Heads::of(workspace, now), certificate)?;
    let hosts = certificate.endpoints().map(|endpoint: Endpoint| {
        let own = endpoint.tlsa_name();
        let name = found.aliases.get(&own).unwrap_or(&own);
        Host {
            name: endpoint.host.clone(),
            ttl: found.ttl.get(name).copied().unwrap_or_default(),
            is_published: found.base.get(name).is_some_and(|rrset| !rrset.is_empty()),
        }
    });
    let (mut servers, mut refresh) = (1, Span::ZERO);
    for zone in head::zones_of(workspace, found.base.keys()) {
        let head = head::head(workspace, zone, now)?;
        servers = servers.max(look::servers(zone, Some(&head)).map_or(1, |all| all.len()));
        refresh = refresh.max(refresh_of(&head.content));
    }
    Ok(Scenario {
        hosts: hosts.collect(),
        servers,
        refresh,
        policy: certificate.policy,
    })
}

/// The scenario of the mail hosts that a zone's own MX records name; `None` where they name none in it.
pub fn of_zone(zone: &Zone, policy: Policy) -> Option<Scenario> {
    let mx = zone.rrset(&zone.apex, Rtype::MX)?;
    let mut targets: Vec<(u16, Name)> = mx
        .rdatas
        .iter()
        .filter_map(|rdata| {
            let (preference, target) = rdata.0.split_first_chunk::<2>()?;
            let (target, _) = Name::split_wire(target).ok()?;
            Some((u16::from_be_bytes(*preference), target))
        })
        .filter(|(_, target)| target.is_at_or_below(&zone.apex))
        .collect();
    targets.sort();
    let soa_ttl = zone
        .rrset(&zone.apex, Rtype::SOA)
        .map_or(Ttl(0), |soa| soa.ttl);
    let negative = zone.soa().map_or(soa_ttl, |soa| soa.minimum.min(soa_ttl));
    let hosts = targets.into_iter().map(|(_, target)| {
        let owner = Name::parse(format!("_25._tcp.{target}").as_bytes(), None).ok();
        let tlsa = owner.and_then(|owner| zone.rrset(&owner, Rtype::TLSA));
        Host {
            name: target.to_string().trim_end_matches('.').to_owned(),
            ttl: tlsa.map_or(negative, |rrset| rrset.ttl),
            is_published: tlsa.is_some(),
        }
    });
    let hosts: Vec<Host> = hosts.collect();
    let servers = addresses::addresses(zone, &[]).map_or_else(
        |_| {
            zone.rrset(&zone.apex, Rtype::NS)
                .map_or(1, |ns| ns.rdatas.len())
        },
        |all| all.len(),
    );
    (!hosts.is_empty()).then(|| Scenario {
        hosts,
        servers,
        refresh: refresh_of(zone),
        policy,
    })
}

fn refresh_of(zone: &Zone) -> Span {
    zone.soa()
        .map_or(Span::ZERO, |soa| Span::seconds(u64::from(soa.refresh)))
}

/// In how many worlds of different luck: which secondary misses a NOTIFY, how long a review takes.
const WORLDS: u64 = 16;

/// Rehearses the machine's way and the others with so many senders, on every processor there is.
pub fn rehearse(scenario: Scenario, senders: u64, seed: u64) -> Result<Rehearsal, WorkflowError> {
    let worlds = WORLDS.min(senders).max(1);
    let in_world = |world: u64| {
        let share = |of: u64| {
            senders
                .saturating_mul(of)
                .checked_div(worlds)
                .unwrap_or_default()
        };
        let (from, to) = (share(world), share(world.saturating_add(1)));
        // Seeds are far apart, so that one seed's worlds are not the next one's.
        let luck = seed.wrapping_mul(WORLDS).wrapping_add(world);
        simulation::rehearse(&scenario, from..to, luck)
    };
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let all: Vec<u64> = (0..worlds).collect();
    let outcomes = in_blocks(&all, 1, threads, || {
        |block: &[u64]| block.iter().copied().map(in_world).collect::<Vec<_>>()
    });
    let mut ways: Vec<Outcome> = Vec::new();
    for outcomes in outcomes.into_iter().flatten() {
        let outcomes = outcomes.map_err(WorkflowError::Illegal)?;
        if ways.is_empty() {
            ways = outcomes;
        } else {
            for (all, outcome) in ways.iter_mut().zip(&outcomes) {
                all.take_in(outcome);
            }
        }
    }
    Ok(Rehearsal {
        scenario,
        worlds,
        ways,
    })
}
