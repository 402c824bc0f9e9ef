//! Whether what a host presents is listed by the records of its name, as far as servers answered (RFC 7671 §8.1).

use crate::rotation::observation::{Endpoint, Observation, Presented, Seen};
use crate::rotation::promise;
use crate::rotation::step::Rotation;
use std::collections::BTreeMap;

/// Whether every server that answered with records lists the chain; nothing where none did: silence is no yes, and without
/// records nobody is refused.
pub(super) fn is_listed(
    seen: &Observation,
    state: Option<&Rotation>,
    endpoint: &Endpoint,
    chain: &Presented,
) -> Option<bool> {
    let name = state.map_or_else(|| endpoint.tlsa_name(), |state| state.name_of(endpoint));
    let servers = seen.served.get(&name);
    let answers = servers.into_iter().flat_map(BTreeMap::values);
    let rrsets = answers.filter_map(|answer| match answer {
        Seen::Known(rrset) => Some(&rrset.associations),
        Seen::Unknown(_) => None,
    });
    let rrsets = rrsets.filter(|rrset| !rrset.is_empty());
    let lists = rrsets.map(|rrset| promise::mismatches(rrset, &chain.satisfies).is_empty());
    lists.reduce(|all, one| all && one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotation::association::Association;
    use crate::rotation::observation::{Authority, ServedRrset, SignatureWindow};
    use crate::rotation::timing::{Instant, Ttl};
    use std::collections::BTreeSet;

    #[test]
    fn silence_and_absence_are_no_yes_and_one_server_is_enough_for_a_no() {
        let key = |byte: u8| Association::dane_ee_spki_sha256([byte; 32]);
        let endpoint = Endpoint {
            host: "mx.example.com".to_owned(),
            port: 25,
        };
        let now = Instant::from_unix(0);
        let answer = |keys: &[u8]| {
            let associations: BTreeSet<Association> = keys.iter().map(|byte| key(*byte)).collect();
            Seen::Known(ServedRrset {
                associations,
                ttl: Ttl(60),
                signature: SignatureWindow {
                    inception: now,
                    expiration: now,
                },
                replayable_until: now,
            })
        };
        let chain = Presented::of_key(key(1), now);
        let silent = || Seen::Unknown("no answer".to_owned());
        for (answers, listed) in [
            (vec![], None),
            (vec![silent(), answer(&[])], None),
            (vec![silent(), answer(&[1, 2])], Some(true)),
            (vec![answer(&[1]), answer(&[2])], Some(false)),
        ] {
            let mut seen = Observation::nothing(now);
            let servers = answers.into_iter().enumerate();
            let servers = servers.map(|(at, answer)| (Authority(format!("ns{at}")), answer));
            seen.served.insert(endpoint.tlsa_name(), servers.collect());
            assert_eq!(is_listed(&seen, None, &endpoint, &chain), listed);
        }
    }
}
