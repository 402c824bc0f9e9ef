//! What senders are answered after the merge, for every configured host, rotating or not (RFC 7671 §6, §8, RFC 7672 §2.2).

use super::answer_finding::AnswerFinding;
use super::finding::Finding;
use super::presented::{self, Associations, Seen};
use super::way::{self, End, Side, Way};
use super::whole_zones;
use super::{Request, Verdict};
use crate::rotation::observation::Endpoint;
use crate::rotation::step::Rotation;
use crate::workflow::known::plain;
use crate::workspace::config::CertificateConfig;
use crate::workspace::journal::RotationId;
use crate::zone::mail;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};

/// What is held against each other: the zones of the base, and those after the merge.
#[derive(Clone, Copy)]
pub(super) struct Both<'s> {
    pub(super) before: Side<'s>,
    pub(super) after: Side<'s>,
}

/// Judges the answers for every host and port.
pub(super) fn judge(request: &Request<'_>, both: Both<'_>, verdict: &mut Verdict) {
    let mut without_address = BTreeSet::new();
    for certificate in presented::configured(request) {
        let state = state_of(verdict, &certificate.name);
        let (mut changed, mut led) = (Vec::new(), Vec::new());
        for endpoint in certificate.endpoints() {
            let (Some(was), Some(becomes)) =
                (both.before.tlsa(&endpoint), both.after.tlsa(&endpoint))
            else {
                continue;
            };
            let place = Place {
                certificate: &certificate.name,
                endpoint: &endpoint,
                state: state.as_ref(),
            };
            if place.judge_address(both, verdict, &mut without_address) {
                continue;
            }
            place.judge(both, (&was, &becomes), verdict);
            place.judge_move(request, both, (&certificate, &becomes), verdict);
            if !becomes.leads_away() && was.associations() != becomes.associations() {
                let all = if was.at == becomes.at {
                    &mut changed
                } else {
                    &mut led
                };
                all.push((endpoint, was.associations(), becomes.associations()));
            }
        }
        changed.extend(of_those_that_left(
            both,
            state.as_ref().map(|(_, state)| state),
        ));
        // Those that are led to other records are looked at, whether the latest rotation has them or not.
        for changed in [(&*changed, Seen::AsConfigured), (&*led, Seen::OtherRecords)] {
            presented::judge_at_rest(request, both.after.zones, &certificate, changed, verdict);
        }
    }
    judge_strangers(request, both, verdict);
    whole_zones::judge(request, both, verdict);
}

/// Judges the answers for the hosts of one certificate alone, whatever they present.
pub(super) fn judge_answers(
    certificate: &CertificateConfig,
    both: Both<'_>,
    verdict: &mut Verdict,
) {
    let mut without_address = BTreeSet::new();
    for endpoint in certificate.endpoints() {
        let (Some(was), Some(becomes)) = (both.before.tlsa(&endpoint), both.after.tlsa(&endpoint))
        else {
            continue;
        };
        let place = Place {
            certificate: &certificate.name,
            endpoint: &endpoint,
            state: None,
        };
        if !place.judge_address(both, verdict, &mut without_address) {
            place.judge(both, (&was, &becomes), verdict);
        }
    }
}

/// What changes for hosts that left a rotation by the configuration: mail may come to them still, and `at_rest` knows to which.
fn of_those_that_left(
    both: Both<'_>,
    state: Option<&Rotation>,
) -> Vec<(Endpoint, Associations, Associations)> {
    let left = state.into_iter().flat_map(|state| &state.left);
    let by_configuration = left.filter(|(_, left)| !left.asked);
    by_configuration
        .filter_map(|(endpoint, _)| {
            let (was, becomes) = (both.before.tlsa(endpoint)?, both.after.tlsa(endpoint)?);
            let (was, becomes) = (was.associations(), becomes.associations());
            (was != becomes).then(|| (endpoint.clone(), was, becomes))
        })
        .collect()
}

/// The latest rotation of a certificate.
fn state_of(verdict: &Verdict, certificate: &str) -> Option<(RotationId, Rotation)> {
    let mut rotations = verdict.upheld.iter();
    rotations
        .find(|(id, _)| *id.certificate == *certificate)
        .cloned()
}

struct Place<'p> {
    certificate: &'p str,
    endpoint: &'p Endpoint,
    state: Option<&'p (RotationId, Rotation)>,
}

impl Place<'_> {
    /// The rotation that is under way with this host.
    fn rotating(&self) -> Option<&(RotationId, Rotation)> {
        self.state
            .filter(|(_, state)| !state.is_over() && state.endpoints.contains(self.endpoint))
    }

    fn judge(&self, both: Both<'_>, (was, becomes): (&Way, &Way), verdict: &mut Verdict) {
        let (certificate, endpoint) = (self.certificate.to_owned(), self.endpoint.clone());
        if let (End::Away(how), true) = (&becomes.end, was.end != becomes.end) {
            let how = how.clone();
            return verdict.object(AnswerFinding::LedAway {
                certificate,
                endpoint,
                how,
            });
        }
        if becomes.end == End::Unread {
            return;
        }
        if was.has_dane() && !becomes.has_dane() {
            let name = was.at.clone();
            if self.is_gone(both.after) {
                verdict.notes.push(format!(
                    "{endpoint} has no address and no TLSA record any more: it is taken for given up"
                ));
            } else if !has_lost(verdict, &name) && !becomes.leads_away() {
                verdict.object(AnswerFinding::DaneLost {
                    certificate,
                    endpoint,
                    name,
                });
            }
            return;
        }
        if was.at != becomes.at
            && !was.leads_away()
            && let Some((id, _)) = self.rotating()
        {
            return verdict.object(AnswerFinding::OtherWay {
                id: id.clone(),
                endpoint,
                from: was.at.clone(),
                to: becomes.at.clone(),
            });
        }
        if was.has_dane()
            && becomes.ttl > was.ttl
            && let Some((id, state)) = self.rotating()
        {
            let finding = AnswerFinding::TtlRaised {
                id: id.clone(),
                name: state.name_of(self.endpoint),
                from: was.ttl,
                to: becomes.ttl,
            };
            let finding = Finding::Answers(Box::new(finding));
            if !verdict.findings.contains(&finding) {
                verdict.findings.push(finding);
            }
        }
    }

    /// Judges where the host itself is; whether nothing else need be said of it.
    fn judge_address(
        &self,
        both: Both<'_>,
        verdict: &mut Verdict,
        known: &mut BTreeSet<String>,
    ) -> bool {
        let Some(name) = way::host(self.endpoint) else {
            return false;
        };
        let (was, becomes) = (both.before.host(&name), both.after.host(&name));
        let (certificate, host) = (self.certificate.to_owned(), self.endpoint.host.clone());
        if was.links != becomes.links && !becomes.links.is_empty() && !becomes.leads_away() {
            verdict.object(AnswerFinding::HostAlias {
                certificate,
                endpoint: self.endpoint.clone(),
                target: becomes.at,
            });
            return true;
        }
        if !known.insert(host.clone()) {
            return false;
        }
        let has = |way: &Way| matches!(way.end, End::Records(_));
        if has(&was) && becomes.end == End::Nothing && takes_mail(both.after, &name) {
            verdict.object(AnswerFinding::NoAddress { certificate, host });
        }
        false
    }

    /// Judges another address of a host: what is presented there is held against the records. Where the configuration says
    /// where the host is found, it is told only.
    fn judge_move(
        &self,
        request: &Request<'_>,
        both: Both<'_>,
        (certificate, becomes): (&CertificateConfig, &Way),
        verdict: &mut Verdict,
    ) {
        let Some(name) = way::host(self.endpoint) else {
            return;
        };
        let (from, to) = (both.before.addresses(&name), both.after.addresses(&name));
        let new: Vec<String> = to.difference(&from).cloned().collect();
        if new.is_empty() || from.is_empty() {
            return;
        }
        let host = &self.endpoint.host;
        let told = format!("{host} gets another address, {}", new.join(", "));
        let is_elsewhere = certificate.addresses.contains_key(host);
        if is_elsewhere || !becomes.has_dane() {
            verdict.notes.push(format!(
                "{told}: nobody has looked at which key is presented there"
            ));
            return;
        }
        verdict.notes.push(told);
        let moved = certificate.only_at(self.endpoint, &new);
        let changed = [(
            self.endpoint.clone(),
            BTreeSet::new(),
            becomes.associations(),
        )];
        presented::judge_at_rest(
            request,
            both.after.zones,
            &moved,
            (&changed, Seen::OtherPlace),
            verdict,
        );
    }

    /// Whether the host takes no mail any more: it has no address, and no MX record names it.
    fn is_gone(&self, after: Side<'_>) -> bool {
        way::host(self.endpoint)
            .is_some_and(|host| after.host(&host).end == End::Nothing && !takes_mail(after, &host))
    }
}

/// Whether an MX record of the zones names a host.
fn takes_mail(side: Side<'_>, host: &Name) -> bool {
    let all = side.zones.values();
    let mut exchanges = all.flat_map(|head| mail::exchanges(&head.content).into_values());
    exchanges.any(|hosts| hosts.iter().any(|(_, named)| named == host))
}

/// Whether a rotation was found to lose a record of this name: that says it already.
fn has_lost(verdict: &Verdict, at: &Name) -> bool {
    let at = at.to_string().to_ascii_lowercase();
    verdict.findings.iter().any(|finding| match finding {
        Finding::Lost { name, .. } => name.as_str().eq_ignore_ascii_case(&at),
        _ => false,
    })
}

/// Hosts that no certificate has, and whose question is led to the records of one that has.
fn judge_strangers(request: &Request<'_>, both: Both<'_>, verdict: &mut Verdict) {
    let (mut ours, mut own) = (BTreeMap::new(), BTreeSet::new());
    for certificate in presented::configured(request) {
        for endpoint in certificate.endpoints() {
            own.extend(way::owner(&endpoint));
            if let Some(way) = both.after.tlsa(&endpoint)
                && way.has_dane()
            {
                ours.insert(way.at, certificate.name.clone());
            }
        }
    }
    for (alias, host) in hangers(both.after) {
        if own.contains(&alias) {
            continue;
        }
        let way = both.after.ask(&alias, Rtype::TLSA);
        let Some(certificate) = ours.get(&way.at).filter(|_| !way.links.is_empty()) else {
            continue;
        };
        let was = both.before.ask(&alias, Rtype::TLSA);
        if was.at == way.at && both.before.host(&host).end == both.after.host(&host).end {
            continue; // it hung there before
        }
        let has_address = both.after.host(&host).end != End::Nothing;
        if has_address || takes_mail(both.after, &host) {
            verdict.object(AnswerFinding::Stranger {
                host: plain(&host),
                name: way.at,
                certificate: certificate.clone(),
                alias,
            });
        }
    }
}

/// The names at which senders would ask for the records of a host and where an alias can send them on, each with the host:
/// those that have an alias, those below a redirection, and those of every host that takes mail.
fn hangers(side: Side<'_>) -> BTreeMap<Name, Name> {
    let mut hangers = BTreeMap::new();
    let smtp = |host: &Name| host.child(b"_tcp").and_then(|name| name.child(b"_25")).ok();
    for head in side.zones.values() {
        for (owner, node) in &head.content.nodes {
            let mut labels = owner.labels();
            let (first, second) = (labels.next(), labels.next());
            let is_tcp = |label: Option<&[u8]>| {
                label.is_some_and(|label| label.eq_ignore_ascii_case(b"_tcp"))
            };
            let host = if node.contains_key(&Rtype::CNAME) && is_tcp(second) {
                let host = owner.parent().and_then(|name| name.parent());
                if first != Some(b"*") {
                    hangers.extend(host.map(|host| (owner.clone(), host)));
                    continue;
                }
                host
            } else if node.contains_key(&Rtype::CNAME) && first == Some(b"*") {
                owner.parent()
            } else if node.contains_key(&Rtype::DNAME) {
                if is_tcp(first) {
                    owner.parent()
                } else {
                    Some(owner.clone())
                }
            } else {
                None
            };
            hangers.extend(host.and_then(|host| Some((smtp(&host)?, host))));
        }
        let exchanges = mail::exchanges(&head.content).into_values().flatten();
        hangers.extend(exchanges.filter_map(|(_, host)| Some((smtp(&host)?, host))));
    }
    hangers
}
