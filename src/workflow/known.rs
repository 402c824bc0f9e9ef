//! What one run knows of everything at once: the zones on the branch that counts, what they say about mail, every certificate's
//! rotation, and which zones were handed on. Each is read once, however many certificates there are.
//!
//! What the run itself may have changed is forgotten, and read again by whoever needs it next.

use super::WorkflowError;
use super::at_rest::at_rest;
use super::case::Case;
use super::head::{self, Head, Heads};
use super::job::follow;
use super::look::{self, Sight};
use super::look_ahead::Seen;
use super::moved;
use super::newcomers;
use super::objections::{add_objections, is_first, lies_on_the_way};
use crate::rotation::alarm::publication_breaks;
use crate::rotation::blocker::Blocker;
use crate::rotation::doubt::Doubt;
use crate::rotation::observation::{Observation, TlsaName};
use crate::rotation::promise::Breach;
use crate::rotation::step::Rotation;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, Config, ZoneConfig};
use crate::workspace::journal::RotationId;
use crate::workspace::strays::Kept;
use crate::zone::mail;
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Instant as Tick;

/// A mail domain in a configured zone.
pub(super) struct MailDomain {
    /// Its name.
    pub(super) name: Name,
    /// The hosts of its MX RRset, in lower case and without the final dot.
    pub(super) hosts: BTreeSet<String>,
    /// The zone it lies in.
    pub(super) head: Arc<Head>,
}

/// The mail domains of all zones, found by their hosts.
#[derive(Default)]
struct MailDomains {
    domains: Vec<MailDomain>,
    of_host: BTreeMap<String, Vec<usize>>,
}

/// What one run knows.
pub(super) struct Known<'w> {
    /// The workspace.
    pub(super) workspace: &'w Workspace,
    /// The present.
    pub(super) now: Instant,
    /// Why the clock is not to be relied on, if so.
    pub(super) doubt: Option<Doubt>,
    /// The zones as they were read.
    pub(super) heads: Heads<'w>,
    mail: Option<MailDomains>,
    /// The zones that were held against every rotation, and what they would break.
    judged: BTreeMap<Name, Option<(RotationId, Breach)>>,
    /// The zones that were brought to their servers.
    handed_on: BTreeSet<Name>,
    /// Those that a certificate's turn tried to bring there, whatever came of it.
    tried: BTreeSet<Name>,
    rotations: Option<Rotations>,
    /// What was seen ahead of rotations whose turn has not come.
    pub(super) sights: BTreeMap<String, Seen>,
    /// What was seen in this run of rotations whose turn it was not, and of hosts at rest.
    looked: BTreeMap<String, Seen>,
    /// The answers that caches may still hold against hosts that no rotation looks after, and why those of before are not known.
    pub(super) strays: Kept,
    pub(super) strays_lost: Option<io::Error>,
}

/// Every certificate's latest rotation, found by the zones of its names.
#[derive(Default)]
struct Rotations {
    of: BTreeMap<String, (RotationId, Rotation)>,
    in_zone: BTreeMap<Name, BTreeSet<String>>,
}

impl Rotations {
    fn insert(&mut self, config: &Config, certificate: &str, rotation: (RotationId, Rotation)) {
        for (_, zone) in places(config, &rotation.1) {
            let there = self.in_zone.entry(zone.name.clone()).or_default();
            there.insert(certificate.to_owned());
        }
        self.of.insert(certificate.to_owned(), rotation);
    }
}

/// Where the TLSA RRsets of a rotation lie.
fn places<'c>(
    config: &'c Config,
    rotation: &'c Rotation,
) -> impl Iterator<Item = ((&'c TlsaName, Name), &'c ZoneConfig)> {
    let names = rotation.names().iter();
    names.filter_map(|tlsa| {
        let name = Name::parse(tlsa.as_str().as_bytes(), None).ok()?;
        let zone = config.zone_of(&name)?;
        Some(((tlsa, name), zone))
    })
}

impl<'w> Known<'w> {
    /// Nothing yet.
    pub(super) fn nothing(workspace: &'w Workspace, now: Instant) -> Self {
        let (strays, strays_lost) = match Kept::read(&workspace.state()) {
            Ok(kept) => (kept, None),
            Err(why) => (Kept::default(), Some(why)),
        };
        Self {
            workspace,
            now,
            strays,
            strays_lost,
            doubt: None,
            heads: Heads::of(workspace, now),
            mail: None,
            judged: BTreeMap::new(),
            handed_on: BTreeSet::new(),
            tried: BTreeSet::new(),
            rotations: None,
            sights: BTreeMap::new(),
            looked: BTreeMap::new(),
        }
    }

    /// Why the present cannot be told for a certificate, if so.
    pub(super) fn doubt(&self, case: &Case<'_>) -> Option<Doubt> {
        case.doubt().or_else(|| self.doubt.clone())
    }

    /// The branch that counts may have changed: zones are read, judged and handed on anew.
    pub(super) fn forget_zones(&mut self) {
        self.heads.forget();
        self.mail = None;
        self.judged.clear();
        self.handed_on.clear();
        self.looked.clear();
    }

    /// Other runners have been at work: everything is read anew.
    pub(super) fn forget(&mut self) {
        self.forget_zones();
        self.rotations = None;
    }

    /// The latest rotation of a certificate; one whose journal cannot be read has none, and says so in its own turn.
    pub(super) fn rotation(&mut self, certificate: &str) -> Option<&(RotationId, Rotation)> {
        self.rotations().of.get(certificate)
    }

    /// The latest rotation of every certificate that has one.
    pub(super) fn all_rotations(&mut self) -> BTreeMap<String, (RotationId, Rotation)> {
        self.rotations().of.clone()
    }

    fn rotations(&mut self) -> &Rotations {
        let (workspace, now) = (self.workspace, self.now);
        self.rotations.get_or_insert_with(|| {
            let mut rotations = Rotations::default();
            for certificate in &workspace.config.certificates {
                let case = Case::open(workspace, &certificate.name, now);
                if let Some(rotation) = case.ok().and_then(|case| case.rotation) {
                    rotations.insert(&workspace.config, &certificate.name, rotation);
                }
            }
            rotations
        })
    }

    /// The rotation of a certificate stands so now.
    pub(super) fn note(&mut self, certificate: &str, rotation: Option<&(RotationId, Rotation)>) {
        let (Some(rotations), Some(rotation)) = (&mut self.rotations, rotation) else {
            return; // it is read with the others
        };
        if rotations.of.get(certificate) != Some(rotation) {
            rotations.insert(&self.workspace.config, certificate, rotation.clone());
            self.judged.clear();
        }
    }

    /// The mail domains that any of `hosts` takes mail for, in the zones that can be read.
    pub(super) fn mail_domains(&mut self, hosts: &[String]) -> Vec<&MailDomain> {
        let (heads, workspace) = (&mut self.heads, self.workspace);
        let mail = self
            .mail
            .get_or_insert_with(|| mail_domains(heads, &workspace.config.zones));
        let found: BTreeSet<usize> = hosts
            .iter()
            .filter_map(|host| mail.of_host.get(host))
            .flatten()
            .copied()
            .collect();
        let domain = |at: usize| mail.domains.get(at);
        found.into_iter().filter_map(domain).collect()
    }

    /// Refuses a zone that would make senders refuse mail by any certificate's rotation: one that was restored or edited by
    /// hand must not get out by our own hand.
    pub(super) fn keeps_every_promise(
        &mut self,
        zone: &ZoneConfig,
        head: &Head,
    ) -> Result<(), WorkflowError> {
        if !self.judged.contains_key(&zone.name) {
            let (workspace, now) = (self.workspace, self.now);
            let rotations = self.rotations();
            let there = rotations.in_zone.get(&zone.name).into_iter().flatten();
            let mut there = there.filter_map(|certificate| rotations.of.get(certificate));
            let breach = there.find_map(|(id, rotation)| {
                let mut here = places(&workspace.config, rotation)
                    .filter(|(_, place)| place.name == zone.name);
                let breach = here.find_map(|((tlsa, name), _)| {
                    let rrset = head::associations(&head.content, &name);
                    publication_breaks(rotation, now, (tlsa, &rrset), &head::source(zone))
                })?;
                Some((id.clone(), breach))
            });
            self.judged.insert(zone.name.clone(), breach);
        }
        match self.judged.get(&zone.name) {
            Some(Some((id, breach))) => Err(WorkflowError::WouldRefuse {
                zone: zone.name.clone(),
                id: id.clone(),
                breach: Box::new(breach.clone()),
            }),
            _ => Ok(()),
        }
    }

    /// Refuses to hand a zone on by which a host could come to be refused as it was seen in this run: `own` is what was seen
    /// for the certificate whose turn it is; hosts of the others that have RRsets there are looked at now.
    pub(super) fn is_seen_to_be_safe(
        &mut self,
        (zone, head): (&ZoneConfig, &Head),
        own: Option<(&str, &Observation)>,
    ) -> Result<(), WorkflowError> {
        let rotations = self.rotations();
        let there = rotations.in_zone.get(&zone.name).into_iter().flatten();
        let there: Vec<(String, RotationId, Rotation)> = there
            .filter_map(|name| {
                let (id, state) = rotations.of.get(name)?;
                Some((name.clone(), id.clone(), state.clone()))
            })
            .collect();
        for (certificate, id, state) in there {
            let sight;
            let observation = match own {
                Some((own, observation)) if own == certificate => observation,
                _ => match self.sight_of(&certificate, &state) {
                    Some(seen) => {
                        sight = seen;
                        &sight.observation
                    }
                    None => continue,
                },
            };
            self.is_seen_to_be_safe_for((zone, head), (&id, &state), (observation, true))?;
        }
        self.is_safe_at_rest(zone)
    }

    /// The same for one rotation alone, where something is `demanded` of servers that nobody saw, or not.
    pub(super) fn is_seen_to_be_safe_for(
        &self,
        (zone, head): (&ZoneConfig, &Head),
        (id, state): (&RotationId, &Rotation),
        (observation, demanded): (&Observation, bool),
    ) -> Result<(), WorkflowError> {
        let mut reasons = moved::would_refuse((zone, head), state, observation);
        reasons.extend(newcomers::would_refuse((zone, head), state, observation));
        let mut unsafe_there = self.unsafe_there((zone, head), state, (observation, demanded));
        if state.is_over() {
            // Nothing is waited for any more; what is seen to be refused is.
            let is_seen = |reason: &Blocker| matches!(reason, Blocker::WouldRefuse(_));
            reasons.retain(is_seen);
            if !follow::needs_every_host(self.workspace, &id.certificate) {
                unsafe_there.retain(is_seen);
            }
        }
        unsafe_there.append(&mut reasons);
        let reasons = unsafe_there;
        if reasons.is_empty() {
            return Ok(());
        }
        Err(WorkflowError::NotSeenToBeSafe {
            zone: zone.name.clone(),
            certificate: id.certificate.to_string(),
            id: Some(id.clone()),
            is_given_up: state.abort_reason.is_some(),
            reasons,
        })
    }

    /// The same for the configured hosts that no rotation has taken in. Nothing is waited for there: what is seen to be refused
    /// counts, silence does not.
    fn is_safe_at_rest(&mut self, zone: &ZoneConfig) -> Result<(), WorkflowError> {
        let mut certificates = self.workspace.config.certificates.iter();
        certificates.try_for_each(|one| self.is_safe_at_rest_for(zone, one))
    }

    /// The same for the hosts of one certificate.
    pub(super) fn is_safe_at_rest_for(
        &mut self,
        zone: &ZoneConfig,
        certificate: &'w CertificateConfig,
    ) -> Result<(), WorkflowError> {
        let (config, now) = (&self.workspace.config, self.now);
        let rotation = self.rotations().of.get(&certificate.name).cloned();
        let rotation = rotation.as_ref().map(|(_, state)| state);
        let Some(state) = at_rest(&mut self.heads, certificate, rotation, now) else {
            return Ok(());
        };
        if !lies_on_the_way(config, zone, &state) {
            return Ok(());
        }
        let Some(sight) = self.sight_of(&certificate.name, &state) else {
            return Ok(());
        };
        // Its base is what the zones as they are kept lead to: this one, where it is to be handed on.
        let mut reasons = Vec::new();
        for (tlsa, after) in &state.base {
            let seen = (&sight.observation, false);
            let mut objections = Vec::new();
            add_objections(&mut objections, &state, seen, (tlsa, after));
            // A name's first records need every host to be seen; others are not waited for.
            if !is_first(&sight.observation, tlsa)
                && !follow::needs_every_host(self.workspace, &certificate.name)
            {
                objections.retain(|reason| matches!(reason, Blocker::WouldRefuse(_)));
            }
            reasons.extend(objections);
        }
        if let Ok(head) = self.heads.get(zone) {
            let observation = &sight.observation;
            reasons.extend(moved::would_refuse((zone, &head), &state, observation));
            reasons.extend(newcomers::would_refuse((zone, &head), &state, observation));
        }
        if reasons.is_empty() {
            return Ok(());
        }
        Err(WorkflowError::NotSeenToBeSafe {
            zone: zone.name.clone(),
            certificate: certificate.name.clone(),
            id: None,
            is_given_up: false,
            reasons,
        })
    }

    /// What is seen of the hosts and servers of a certificate whose turn it is not, or that no rotation has taken in.
    pub(super) fn sight_of(&mut self, certificate: &str, state: &Rotation) -> Option<Sight> {
        let configured = self.workspace.config.certificate(certificate)?;
        let began = Tick::now();
        for seen in [self.sights.get(certificate), self.looked.get(certificate)] {
            if let Some(sight) = seen.and_then(|seen| seen.fresh(state, began)) {
                return Some(sight.clone());
            }
        }
        let sight = look::look(&mut self.heads, configured, state, self.now);
        let seen = Seen::now(state.clone(), sight.clone(), began);
        self.looked.insert(certificate.to_owned(), seen);
        Some(sight)
    }

    /// What speaks against answering with the RRsets of `head` in place of what the servers were seen to answer, or, where
    /// none was seen and something is `demanded` of them, of what was.
    fn unsafe_there(
        &self,
        (zone, head): (&ZoneConfig, &Head),
        state: &Rotation,
        (observation, demanded): (&Observation, bool),
    ) -> Vec<Blocker> {
        let mut reasons = Vec::new();
        let here =
            places(&self.workspace.config, state).filter(|(_, place)| place.name == zone.name);
        for ((tlsa, name), _) in here {
            let after = head::associations(&head.content, &name);
            let seen = (observation, demanded);
            add_objections(&mut reasons, state, seen, (tlsa, &after));
        }
        reasons
    }

    /// It is being brought to its servers.
    pub(super) fn tries(&mut self, zone: &ZoneConfig) {
        self.tried.insert(zone.name.clone());
    }

    /// Whether this run tried to bring it to its servers.
    pub(super) fn was_tried(&self, zone: &ZoneConfig) -> bool {
        self.tried.contains(&zone.name)
    }

    /// Whether the zone as it stands on the branch that counts was brought to its servers in this run.
    pub(super) fn was_handed_on(&self, zone: &ZoneConfig) -> bool {
        self.handed_on.contains(&zone.name)
    }

    /// It was.
    pub(super) fn handed_on(&mut self, zone: &ZoneConfig) {
        self.handed_on.insert(zone.name.clone());
    }
}

fn mail_domains(heads: &mut Heads<'_>, zones: &[ZoneConfig]) -> MailDomains {
    let mut mail = MailDomains::default();
    for zone in zones {
        // A zone that cannot be read holds its rotations at their own gates.
        let Ok(head) = heads.get(zone) else { continue };
        for (name, exchanges) in mail::exchanges(&head.content) {
            let hosts: BTreeSet<String> = exchanges.iter().map(|(_, host)| plain(host)).collect();
            for host in &hosts {
                let domains = mail.of_host.entry(host.clone()).or_default();
                domains.push(mail.domains.len());
            }
            mail.domains.push(MailDomain {
                name,
                hosts,
                head: Arc::clone(&head),
            });
        }
    }
    mail
}

/// A name as hosts are configured: lower case, no final dot.
pub(super) fn plain(name: &Name) -> String {
    name.to_string().trim_end_matches('.').to_ascii_lowercase()
}
