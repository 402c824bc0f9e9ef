//! What each event makes of a rotation: the state that it begins with, what a fact leaves behind in it, and which facts fit
//! what is known. Which step follows is in `table`.

use super::alarm::Risk;
use super::association::Association;
use super::emergency::Priority;
use super::event::Event;
use super::members;
use super::reach;
use super::soak::Soak;
use super::step::{Published, Rotation, Signer, Step};
use super::stray;
use super::timing::Instant;
use super::tried;
use std::collections::{BTreeMap, BTreeSet};

impl Rotation {
    /// What a step leaves behind on arrival, whatever led to it.
    pub(super) fn arrive(&mut self, was: Step) {
        match self.step {
            // The incoming associations leave: what was waited for counts no more.
            Step::Withdrawing => self.published = None,
            Step::SwapOpen => drop(self.opened.get_or_insert(self.since)),
            Step::Replacing => {
                self.opened.get_or_insert(self.since);
                self.strays.clear();
            }
            Step::Deployed => self.soak = Some(Soak::begun(self.since)),
            _ => {}
        }
        if self.step != Step::Deployed {
            self.soak = None;
        }
        if self.step != was {
            self.tried.clear();
        }
        // Elsewhere every name is published, or left, together; on the way back the wait goes on that forward again needs.
        if !self.step.lets_join() {
            self.joining.clear();
        }
        if matches!(was, Step::Withdrawing | Step::Aborted) && !self.is_over() {
            self.published = None;
            self.opened = (self.step == Step::Replacing).then_some(self.since);
            self.silent_at_swap.clear();
        }
    }

    /// What an event leaves behind in the state, beside the step.
    pub(super) fn note(&mut self, at: Instant, event: &Event) {
        match event {
            Event::KeyAdmitted { not_after, made_by } => {
                self.not_after = Some(*not_after);
                self.made_by.clone_from(made_by);
            }
            Event::AssociationsComputed { incoming } => self.incoming.clone_from(incoming),
            Event::SurroundingsFound {
                aliases,
                base,
                staying,
                satisfied,
            } => {
                self.aliases.clone_from(aliases);
                self.base.clone_from(base);
                self.staying.clone_from(staying);
                self.satisfied.clone_from(satisfied);
                self.names = members::names_of(&self.endpoints, &self.aliases);
            }
            Event::HigherTtlSeen { name, ttl } => {
                let mark = self.ttl_old.entry(name.clone()).or_default();
                *mark = (*mark).max(*ttl);
                self.ttl_sources.remove(name);
            }
            Event::PrepublishServed { ttl }
            | Event::ReplacementServed { ttl }
            | Event::ReinstatementServed { ttl } => {
                self.published = Some(Published {
                    t_all: at,
                    ttl_new: *ttl,
                });
            }
            Event::MergeReverted { .. }
            | Event::ServerRegressed { .. }
            | Event::OldWithdrawn { .. } => self.published = None,
            Event::AbortRequested { reason } => {
                self.abort_reason = Some(reason.clone());
                if self.step == Step::Reinstating {
                    self.published = None;
                }
            }
            Event::ForwardRequested { .. } => self.go_forward(),
            Event::DaneLeft { reason } => {
                if !self.is_over() {
                    self.abort_reason = Some(reason.clone());
                }
                self.dane_left = Some(at);
            }
            Event::RollbackRequested { reason } => {
                self.tried.clear();
                self.held = Some(reason.clone());
                self.released = false;
            }
            Event::DeploymentReleased { .. } => {
                self.tried.clear();
                self.held = None;
                self.released = true;
            }
            Event::EmergencyDeclared { priority, .. } => {
                self.emergency = Some(*priority);
                self.go_forward();
                if self.step == Step::Replacing {
                    // What was begun with security first is ended so.
                    self.emergency = Some(Priority::Security);
                    self.published = None;
                }
            }
            Event::HostsJoined {
                endpoints,
                aliases,
                base,
                ttl,
                ttl_sources,
            } => self.join(endpoints, aliases, base, (ttl, ttl_sources)),
            Event::HostsLeft { endpoints, asked } => self.leave(endpoints, asked.is_some()),
            Event::JoinServed { name, ttl } => {
                let published = Published {
                    t_all: at,
                    ttl_new: *ttl,
                };
                self.joining.insert(name.clone(), Some(published));
            }
            Event::JoinRegressed { name } => drop(self.joining.insert(name.clone(), None)),
            Event::JoinOpened { name } => drop(self.joining.remove(name)),
            fact => self.keep_in_mind(at, fact),
        }
    }

    /// What looks leave behind, that move no step by themselves.
    fn keep_in_mind(&mut self, at: Instant, event: &Event) {
        match event {
            Event::SignatureSeen { until } => {
                self.signed_until = self.signed_until.max(Some(*until));
            }
            Event::ReportsSetAside { reports, .. } => {
                self.set_aside.extend(reports.iter().cloned());
            }
            Event::DeploymentTried { hosts, failed } => {
                tried::add(&mut self.tried, at, hosts, failed.as_ref());
            }
            Event::HostsWereSilent { endpoints } => self.silent_at_swap.clone_from(endpoints),
            Event::SoakSeen => {
                let soak = Soak::of(self);
                self.soak = Some(Soak { last: at, ..soak });
            }
            Event::SoakInterrupted => self.soak = Some(Soak::begun(at)),
            Event::SeveralKeysSeen { endpoint, address } => {
                self.several.insert((endpoint.clone(), address.clone()), at);
            }
            Event::SignatureBegan { name, inception } => {
                let signer = Signer {
                    inception: *inception,
                    renews: false,
                };
                self.signers.insert(name.clone(), signer);
            }
            Event::SignerRenewed { name } => {
                if let Some(signer) = self.signers.get_mut(name) {
                    signer.renews = true;
                }
            }
            Event::ServersSeen { zone, servers } => {
                reach::see(self.servers.entry(zone.clone()).or_default(), servers, at);
            }
            Event::ServersHadLeft { zone, until } => {
                reach::had_left(self.servers.entry(zone.clone()).or_default(), until, at);
            }
            Event::AddressesSeen { host, addresses } => {
                let reach = self.addresses.entry(host.clone()).or_default();
                reach::see(reach, addresses, at);
            }
            Event::AddressesHadLeft { host, until } => {
                let reach = self.addresses.entry(host.clone()).or_default();
                reach::had_left(reach, until, at);
            }
            Event::StraysAnswered { name, answered } => {
                stray::see(&mut self.strays, name, answered, at);
            }
            Event::RisksSeen { risks } => {
                let since = |risk: &Risk| self.risks.get(risk).copied().unwrap_or(at);
                self.risks = risks.iter().map(|r| (r.clone(), since(r))).collect();
            }
            Event::DelaySeen { by } => self.delay = by.clone().map(|delay| (delay, at)),
            Event::CadenceHeld => self.cadence_held = true,
            _ => {}
        }
    }
}

impl Rotation {
    /// Nothing holds the way forward any more.
    fn go_forward(&mut self) {
        self.abort_reason = None;
        self.held = None;
        self.released = true;
    }
}

/// Whether what an event says of keys fits what is known of others.
pub(super) fn fits(rotation: &Rotation, event: &Event) -> Result<(), &'static str> {
    match event {
        Event::AssociationsComputed { incoming } => fits_as_incoming(rotation, incoming),
        Event::SurroundingsFound { staying, .. } => fits_as_staying(rotation, staying),
        Event::HostsJoined { endpoints, .. } if endpoints.is_empty() => Err("nobody joins"),
        Event::HostsLeft { endpoints, .. } => members::fits_as_leaving(rotation, endpoints),
        Event::JoinServed { name, .. }
        | Event::JoinRegressed { name }
        | Event::JoinOpened { name }
            if !rotation.joining.contains_key(name) =>
        {
            Err("the name does not join")
        }
        _ => Ok(()),
    }
}

pub(super) fn begin(at: Instant, event: &Event) -> Result<Rotation, &'static str> {
    let Event::Started {
        endpoints,
        current,
        base,
        ttl,
        ttl_sources,
    } = event
    else {
        return Err("a rotation begins with its start");
    };
    if endpoints.is_empty() {
        return Err("no host and port present the certificate");
    }
    if current.is_empty() {
        return Err("no key is in use");
    }
    are_of_keys(current)?;
    Ok(Rotation {
        step: Step::Started,
        since: at,
        started: at,
        endpoints: endpoints.clone(),
        names: members::names_of(endpoints, &BTreeMap::new()),
        base: base.clone(),
        ttl_old: ttl.clone(),
        ttl_sources: ttl_sources.clone(),
        current: current.clone(),
        incoming: BTreeSet::new(),
        staying: BTreeSet::new(),
        satisfied: BTreeMap::new(),
        aliases: BTreeMap::new(),
        former_aliases: BTreeMap::new(),
        not_after: None,
        made_by: None,
        published: None,
        abort_reason: None,
        held: None,
        released: false,
        emergency: None,
        signed_until: None,
        risks: BTreeMap::new(),
        delay: None,
        set_aside: BTreeSet::new(),
        cadence_held: false,
        servers: BTreeMap::new(),
        addresses: BTreeMap::new(),
        joining: BTreeMap::new(),
        left: BTreeMap::new(),
        silent_at_swap: BTreeSet::new(),
        tried: BTreeMap::new(),
        soak: None,
        several: BTreeMap::new(),
        signers: BTreeMap::new(),
        strays: BTreeMap::new(),
        opened: None,
        dane_left: None,
    })
}

fn fits_as_incoming(
    rotation: &Rotation,
    incoming: &BTreeSet<Association>,
) -> Result<(), &'static str> {
    if incoming.is_empty() {
        return Err("no next key");
    }
    are_of_keys(incoming)?;
    if !incoming.is_disjoint(&rotation.current) || !incoming.is_disjoint(&rotation.staying) {
        return Err("the next key is already in use: with selector 1 nothing changes");
    }
    Ok(())
}

/// Keys are known by their `3 1 1` association; other forms of usage 3 go with it.
fn are_of_keys(associations: &BTreeSet<Association>) -> Result<(), &'static str> {
    if !associations.iter().all(Association::is_dane_ee) {
        return Err("only records of usage 3 are rotated");
    }
    if !associations.iter().any(Association::is_3_1_1) {
        return Err("there is no `3 1 1` record of a key");
    }
    Ok(())
}

fn fits_as_staying(
    rotation: &Rotation,
    staying: &BTreeSet<Association>,
) -> Result<(), &'static str> {
    if !staying.is_disjoint(&rotation.current) || !staying.is_disjoint(&rotation.incoming) {
        return Err("a key cannot stay and be replaced");
    }
    Ok(())
}
