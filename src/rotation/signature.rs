//! Signatures that end: a cache keeps no RRset beyond them (RFC 4035 §5.3.3), and a signer that renews them in time is all
//! that a wait needs. How long they are is the operator's affair: some hold for a day, and are made anew each hour.

use super::observation::{Observation, Seen, ServedRrset, TlsaName};
use super::step::{Event, Rotation, Signer};
use super::timing::{Instant, Span};

/// Whether the signature of an answer serves: it holds now, and either lasts as long as is `needed_until`, or is in the
/// first half of its life, or comes from a signer that was seen to make new ones.
pub(super) fn lasts(
    signer: Option<&Signer>,
    rrset: &ServedRrset,
    now: Instant,
    needed_until: Instant,
) -> bool {
    let window = rrset.signature;
    let holds = window.inception <= now && now < window.expiration;
    let renews = signer.is_some_and(|signer| signer.renews);
    holds && (renews || is_young(rrset, now) || window.expiration >= needed_until)
}

/// More than half of its life lies ahead.
fn is_young(rrset: &ServedRrset, now: Instant) -> bool {
    let window = rrset.signature;
    let life = window.expiration.since(window.inception);
    window.expiration.since(now) > half(life)
}

const fn half(span: Span) -> Span {
    Span::seconds(span.as_seconds() / 2)
}

/// What is worth remembering of the signers: an old signature, to be held against a later one, and then that there was one.
pub(super) fn evidence(rotation: &Rotation, observation: &Observation) -> Vec<Event> {
    let mut facts = Vec::new();
    for name in rotation.names() {
        let signer = rotation.signers.get(name);
        let Some(newest) = newest(name, observation) else {
            continue;
        };
        match signer {
            None if !is_young(newest, observation.at) => facts.push(Event::SignatureBegan {
                name: name.clone(),
                inception: newest.signature.inception,
            }),
            Some(signer) if !signer.renews && newest.signature.inception > signer.inception => {
                facts.push(Event::SignerRenewed { name: name.clone() });
            }
            _ => {}
        }
    }
    facts
}

/// The answer for a name whose signature is the newest.
fn newest<'o>(name: &TlsaName, observation: &'o Observation) -> Option<&'o ServedRrset> {
    let servers = observation.served.get(name)?;
    let known = servers.values().filter_map(|seen| match seen {
        Seen::Known(rrset) => Some(rrset),
        Seen::Unknown(_) => None,
    });
    known.max_by_key(|rrset| rrset.signature.inception)
}
