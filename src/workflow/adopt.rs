//! Use case `adopt`: a key that hosts present already, and that no record lists, gets its record. For a certificate that was
//! renewed early by somebody else.
//!
//! Whoever sits on the way to port 25 can present any key, with any certificate: that a key was seen is no reason to publish
//! it. Somebody who does not look over the network must say that it is ours: the certificate in use in the configuration, a
//! file, or the digest by a person's word. And the certificate with that key must name the host.

use super::WorkflowError;
use super::admit;
use super::case::Case;
use super::head::Heads;
use super::job::sight::{self, Looked};
use super::job::{self, Kind, Outcome, Refusal};
use super::present::Present;
use super::renewed;
use super::run::Run;
use crate::dane::association;
use crate::dane::certificate::Certificate;
use crate::observe::probe::{Answer, Sighting, Target};
use crate::observe::wait_for;
use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, Seen, TlsaName};
use crate::rotation::promise::{self, Mismatch};
use crate::rotation::requirement::Requirement;
use crate::rotation::step::Step;
use crate::workspace::Workspace;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// How often each place is asked again for the certificate: there may be several servers behind it.
const CONNECTIONS: u8 = 3;

/// Who says that a key is ours.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// A person, by the digest: the `3 1 1` record of the key.
    pub digests: Vec<Association>,
    /// Files that hold its certificate.
    pub certificates: Vec<PathBuf>,
}

/// Where a key is presented.
type Places = BTreeMap<Association, BTreeSet<(Endpoint, String)>>;

/// Proposes records for the keys that hosts of the certificate named `name` present, that no record lists, and that somebody
/// says are ours.
pub fn adopt(
    workspace: &Workspace,
    name: &str,
    claims: &Claims,
    present: &Present,
) -> Result<Outcome, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let case = run.open(name)?;
    run.may_begin(&case)?;
    job::command::is_free(workspace, name, Kind::Adopt)?;
    let mut heads = Heads::of(workspace, run.now);
    let looked = sight::look(&mut heads, &case, Kind::Adopt)?;
    let mut outcome = Outcome::of(Kind::Adopt, name);
    outcome.seen = looked.told();
    has_dane(&looked)?;
    let unlisted = unlisted(&looked);
    let claimed = claimed(&case, claims)?;
    is_seen(&looked, claims, &unlisted)?;
    if unlisted.is_empty() {
        return Ok(outcome);
    }
    let ours: BTreeSet<&Association> = unlisted
        .keys()
        .filter(|key| claimed.contains(*key))
        .collect();
    if ours.is_empty() {
        return Err(nobody_says(name, &unlisted).into());
    }
    let leaves = leaves(&heads, &unlisted);
    let mut requirement = Requirement::default();
    for key in &ours {
        let places = unlisted.get(*key).into_iter().flatten();
        let leaf = may_be_adopted(&case, key, places, &leaves)?;
        requirement.present.extend(records(&looked, &leaf));
    }
    for (key, places) in unlisted.iter().filter(|(key, _)| !ours.contains(key)) {
        outcome.seen.push(stranger(key, places));
    }
    for (tlsa, rrset) in looked.rrsets() {
        for record in requirement.missing_in(rrset) {
            let names = outcome.comes.entry(record.clone()).or_default();
            names.push(tlsa.clone());
        }
    }
    if outcome.is_nothing() {
        let waits = "the branch that counts lists it already: let `tlsa-rotate advance` bring it to the servers";
        outcome.seen.push(waits.to_owned());
        return Ok(outcome);
    }
    outcome.seen.extend(of_live(&case, &ours)?);
    job::command::propose(&run, &mut heads, &case, (&looked, requirement), outcome)
}

/// Refuses where no name has a record: senders do not ask for any key there.
fn has_dane(looked: &Looked) -> Result<(), WorkflowError> {
    let name = looked.certificate();
    let mut rrsets = looked.rrsets().values();
    if rrsets.any(|rrset| !rrset.is_empty()) {
        return Ok(());
    }
    Err(Refusal::new(Kind::Adopt, name)
        .because(
            "its hosts have no record at all",
            format!("to begin with DANE: tlsa-rotate enable {name}"),
        )
        .into())
}

/// The keys that hosts present and that some server, or the branch that counts, does not list.
fn unlisted(looked: &Looked) -> Places {
    let mut unlisted = Places::new();
    let observation = &looked.observation;
    for (endpoint, offers) in &observation.presented {
        let name = looked.state.name_of(endpoint);
        let answered = answered(looked, &name);
        for (address, by_algorithm) in offers {
            for seen in by_algorithm.values() {
                let Seen::Known(offer) = seen else { continue };
                for chain in offer.chains() {
                    let refuses = |rrset: &&BTreeSet<Association>| {
                        promise::mismatches(rrset, &chain.satisfies)
                            .contains(&Mismatch::KeyNotListed)
                    };
                    if answered.iter().any(refuses) {
                        let places = unlisted.entry(chain.key.clone()).or_default();
                        places.insert((endpoint.clone(), address.clone()));
                    }
                }
            }
        }
    }
    unlisted
}

/// What the branch that counts has at a name, and what its servers answer.
fn answered<'l>(looked: &'l Looked, name: &TlsaName) -> Vec<&'l BTreeSet<Association>> {
    let kept = looked.rrsets().get(name);
    let served = looked.observation.served.get(name).into_iter().flatten();
    let served = served.filter_map(|(_, seen)| match seen {
        Seen::Known(rrset) => Some(&rrset.associations),
        Seen::Unknown(_) => None,
    });
    let all = kept.into_iter().chain(served);
    all.filter(|rrset| !rrset.is_empty()).collect()
}

/// The keys that somebody says are ours, without looking over the network.
fn claimed(case: &Case<'_>, claims: &Claims) -> Result<BTreeSet<Association>, WorkflowError> {
    let mut claimed: BTreeSet<Association> = claims.digests.iter().cloned().collect();
    let live = admit::in_use(case.certificate).unwrap_or_default();
    let leaves = live.iter().filter_map(|chain| chain.first());
    claimed.extend(leaves.map(Certificate::spki_association));
    for path in &claims.certificates {
        let chain = admit::chain(path)?;
        claimed.extend(chain.first().map(Certificate::spki_association));
    }
    Ok(claimed)
}

/// Refuses a digest that no host was seen with: a slip of the hand would get into the zone.
fn is_seen(looked: &Looked, claims: &Claims, unlisted: &Places) -> Result<(), WorkflowError> {
    let name = looked.certificate();
    let seen: BTreeSet<&Association> = looked.observation.keys_presented().collect();
    let mut refusal = Refusal::new(Kind::Adopt, name);
    for digest in &claims.digests {
        if !seen.contains(digest) && !unlisted.contains_key(digest) {
            refusal = refusal.because(
                format!("no host presents {digest}"),
                format!("compare it with what is seen: tlsa-rotate adopt {name} --dry-run"),
            );
        }
    }
    refusal.if_any()
}

fn nobody_says(name: &str, unlisted: &Places) -> Refusal {
    let mut refusal = Refusal::new(Kind::Adopt, name);
    for (key, places) in unlisted {
        let digest = key.to_string();
        let digest = digest.rsplit(' ').next().unwrap_or_default().to_owned();
        refusal = refusal
            .because(
                stranger(key, places),
                "look on the host itself, not over the network: tlsa-rotate record FILE, where FILE is the certificate that its mail server reads",
            )
            .because_also(format!(
                "if that prints {digest}: tlsa-rotate adopt {name} --digest {digest}"
            ))
            .because_also(
                "if it prints another key, somebody between here and the host answers on its port: publish nothing, and find out who",
            );
    }
    refusal
}

fn stranger(key: &Association, places: &BTreeSet<(Endpoint, String)>) -> String {
    let places: Vec<String> = places
        .iter()
        .map(|(endpoint, address)| format!("{endpoint} at {address}"))
        .collect();
    format!(
        "{key} is presented by {}, and nothing here says that it is yours",
        places.join(", ")
    )
}

/// The certificates presented at these places, by their key.
fn leaves(heads: &Heads<'_>, unlisted: &Places) -> Vec<(Endpoint, Certificate)> {
    let mut targets: BTreeMap<Endpoint, BTreeSet<SocketAddr>> = BTreeMap::new();
    for (endpoint, address) in unlisted.values().flatten() {
        let ip = address.parse::<IpAddr>();
        let at = ip.map(|ip| SocketAddr::new(ip, endpoint.port));
        if let Ok(at) = at.or_else(|_| address.parse()) {
            targets.entry(endpoint.clone()).or_default().insert(at);
        }
    }
    let targets: Vec<Target> = targets
        .into_iter()
        .map(|(endpoint, addresses)| Target {
            endpoint,
            addresses: addresses.into_iter().collect(),
        })
        .collect();
    let survey = heads.vantages.survey(&targets, |_, _| CONNECTIONS);
    let seen: Vec<Sighting> = wait_for(survey).map(|(seen, _)| seen).unwrap_or_default();
    let mut leaves = Vec::new();
    for sighting in seen {
        for answer in &sighting.answers {
            if let Seen::Known(Answer::Chain(chain)) = answer
                && let Some(Ok(leaf)) = chain.first().map(|der| Certificate::from_der(der))
            {
                leaves.push((sighting.endpoint.clone(), leaf));
            }
        }
    }
    leaves
}

/// The certificate of a key that may be published: it was never taken out of use for good, and names every host that presents it.
fn may_be_adopted<'p>(
    case: &Case<'_>,
    key: &Association,
    places: impl Iterator<Item = &'p (Endpoint, String)>,
    leaves: &[(Endpoint, Certificate)],
) -> Result<Certificate, WorkflowError> {
    let name = case.certificate.name.as_str();
    let mut refusal = Refusal::new(Kind::Adopt, name);
    if let Some((id, compromised)) = case.gone_for_good(key)? {
        let (why, way) = if compromised {
            (
                "was declared compromised in",
                format!(
                    "put another key on the hosts: `tlsa-rotate status {name}` says which is listed"
                ),
            )
        } else {
            (
                "was retired by",
                format!(
                    "put the key in use back on the hosts; if {id} is to be taken back, its record comes back by: tlsa-rotate abort {name}"
                ),
            )
        };
        refusal = refusal.because(format!("{} {why} {id}", key.short()), way);
    }
    if let Some((id, state)) = &case.rotation
        && state.dane_left.is_none()
        && state.requirement().absent.contains(key)
        && refusal.is_empty()
    {
        let way = match state.step {
            Step::Withdrawing | Step::Aborted => format!(
                "put the key in use back on the hosts, or go forward with that key: tlsa-rotate deploy {name}"
            ),
            _ => format!("its record comes back by: tlsa-rotate abort {name}"),
        };
        let why = format!("{id} ({}) takes {} out", state.step, key.short());
        refusal = refusal.because(why, way);
    }
    let mut found = None;
    for (endpoint, _) in places {
        let mut here = leaves
            .iter()
            .filter(|(at, leaf)| at == endpoint && leaf.spki_association() == *key);
        let Some((_, leaf)) = here.next() else {
            refusal = refusal.because(
                format!("{endpoint} did not present {} again", key.short()),
                "run this again: the host may be about to change its certificate",
            );
            continue;
        };
        if !renewed::names(leaf, &endpoint.host) {
            refusal = refusal.because(
                format!(
                    "the certificate with {} is for {}, and not for {}",
                    key.short(),
                    listed(leaf.dns_names()),
                    endpoint.host
                ),
                format!("give {} a certificate that names it", endpoint.host),
            );
        }
        found = Some(leaf.clone());
    }
    refusal.if_any()?;
    found.ok_or_else(|| {
        Refusal::new(Kind::Adopt, name)
            .because("its certificate was not seen", "run this again")
            .into()
    })
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "no DNS name".to_owned();
    }
    names.join(", ")
}

/// The records of a certificate: of its key, and in every form of usage 3 that there is: senders that know a stronger digest
/// look at that alone (RFC 7671 §9).
fn records(looked: &Looked, leaf: &Certificate) -> BTreeSet<Association> {
    let there = looked.rrsets().values().flatten();
    let forms = there.filter(|record| record.is_dane_ee() && record.is_usable_for_smtp());
    let mut records: BTreeSet<Association> = forms
        .filter_map(|form| association::of_certificate(form.parameters(), leaf))
        .collect();
    records.insert(leaf.spki_association());
    records
}

/// What to do with the configuration, where it names another certificate as the one in use.
fn of_live(
    case: &Case<'_>,
    ours: &BTreeSet<&Association>,
) -> Result<Option<String>, WorkflowError> {
    let live = admit::in_use(case.certificate)?;
    let leaves = live.iter().filter_map(|chain| chain.first());
    let keys: BTreeSet<Association> = leaves.map(Certificate::spki_association).collect();
    let is_other = ours.iter().any(|key| !keys.contains(*key));
    Ok(is_other.then(|| {
        "point `live` in the configuration at that certificate: the next rotation begins from its key".to_owned()
    }))
}
