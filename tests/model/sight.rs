//! What a run sees of the model's world, as a weakened machine may see it.

use crate::machine::{FAR, Machine, endpoint, key, now, rrset, units};
use crate::mutants::Mutant;
use crate::world::{Key, LOW, PLACES, REPORTS, VALID, WEB, World};
use std::collections::{BTreeMap, BTreeSet};
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::observation::{
    Authority, KeyAlgorithm, Observation, Offer, Presented, Seen, ServedRrset, SignatureWindow,
};
use tlsa_rotate::rotation::step::{Rotation, Step};
use tlsa_rotate::rotation::timing::{Instant, Ttl};
use tlsa_rotate::rotation::witness::{ReportedFailure, Witness};

impl Machine {
    /// What a run sees, as the mutant sees it.
    pub(crate) fn look(&self, rotation: &Rotation, world: &World) -> Observation {
        let mutant = self.mutant;
        let both = rrset(self.setting.records.full());
        let wanted = rotation.requirement().applied_to(&both);
        let mut observation = Observation {
            at: now(),
            merged: BTreeMap::new(),
            served: BTreeMap::new(),
            presented: BTreeMap::new(),
            witness: self.heard(world),
            ..Observation::nothing(now())
        };
        let flatters_zone = mutant == Mutant::NoReobservation && rotation.step == Step::Waiting;
        for host in 0..PLACES {
            let zone = self.setting.zone_of(host);
            let head = rrset(world.heads[zone].set);
            let committed = mutant == Mutant::ClockFromTheCommit && head == wanted;
            let merged_is = if flatters_zone || mutant == Mutant::HeadIsNotAsked {
                wanted.clone()
            } else {
                head
            };
            let name = rotation.name_of(&endpoint(host));
            observation
                .merged
                .insert(name.clone(), Seen::Known(merged_is));
            let mut servers = BTreeMap::new();
            for server in (0..PLACES).filter(|s| self.setting.zone_of(*s) == zone) {
                let remembered = mutant == Mutant::SightingsAddUp && world.sighted[server];
                let flatter = flatters_zone
                    || committed
                    || remembered
                    || (mutant == Mutant::SilentServerIsFine && world.server_is_silent(server));
                let seen = self.answer(world, server, flatter.then_some(&wanted));
                servers.insert(Authority(format!("ns{server}")), seen);
            }
            if mutant == Mutant::AnyServerIsEnough {
                let good = |seen: &Seen<ServedRrset>| matches!(seen, Seen::Known(s) if s.associations == wanted);
                if servers.values().any(good) {
                    servers.retain(|_, seen| good(seen));
                }
            }
            observation.served.insert(name, servers);
            if mutant == Mutant::OneZoneIsEnough && host > 0 {
                // Whatever the first name's servers and HEAD say is taken for the second's too.
                let first = rotation.name_of(&endpoint(0));
                let name = rotation.name_of(&endpoint(host));
                let merged = observation.merged[&first].clone();
                observation.merged.insert(name.clone(), merged);
                let served = observation.served[&first].clone();
                observation.served.insert(name, served);
            }
            observation
                .presented
                .insert(endpoint(host), offers(mutant, rotation.step, world, host));
        }
        observation
    }

    /// What others say, as far as somebody listens.
    fn heard(&self, world: &World) -> Witness {
        let mut witness = Witness::default();
        if !self.setting.objections || self.mutant == Mutant::ObjectionsIgnored {
            return witness;
        }
        let against = if world.objected[WEB] {
            vec!["no CA that counts".to_owned()]
        } else {
            Vec::new()
        };
        let domain = "example.com".to_owned();
        witness.web.insert(domain, Seen::Known(against));
        let failure = ReportedFailure {
            begin: now(),
            end: now(),
            sender: "a sender".into(),
            report: "1".into(),
            host: endpoint(0).host,
            result: "validation-failure".into(),
            sessions: 1,
            saw: BTreeSet::new(),
        };
        let failures = if world.objected[REPORTS] {
            vec![failure]
        } else {
            Vec::new()
        };
        witness.reports = Some(Seen::Known(failures));
        witness
    }

    fn answer(
        &self,
        world: &World,
        server: usize,
        flattered: Option<&BTreeSet<Association>>,
    ) -> Seen<ServedRrset> {
        let version = world.servers[server];
        if flattered.is_none() && world.server_is_silent(server) {
            return Seen::Unknown("timed out".into());
        }
        if self.setting.signatures_end
            && world.signed == 0
            && self.mutant != Mutant::SignaturesIgnored
        {
            return Seen::Unknown("its signature has expired".into());
        }
        let left = if self.setting.signatures_end && self.mutant != Mutant::SignaturesIgnored {
            world.signed
        } else {
            100
        };
        let ttl = if self.mutant == Mutant::ClockFromTheCommit && flattered.is_some() {
            LOW
        } else {
            version.ttl
        };
        Seen::Known(ServedRrset {
            associations: flattered.cloned().unwrap_or_else(|| rrset(version.set)),
            ttl: Ttl(ttl.into()),
            signature: SignatureWindow {
                inception: now() - units(VALID.saturating_sub(left)),
                expiration: now() + units(left),
            },
            replayable_until: now() + units(left),
        })
    }
}

fn offers(
    mutant: Mutant,
    step: Step,
    world: &World,
    host: usize,
) -> BTreeMap<String, BTreeMap<KeyAlgorithm, Seen<Offer>>> {
    let forward = matches!(step, Step::SwapOpen | Step::Deployed | Step::Verified);
    let present = |algorithm: usize, key_is: Key| {
        let bit = u8::try_from(algorithm).unwrap();
        let key = match key_is {
            Key::Old => key(bit),
            Key::New => key(bit + 2),
            Key::Strange => key(bit + 8),
        };
        let not_after = Instant::from_unix(FAR);
        Seen::Known(Offer::Key(Presented::of_key(key, not_after)))
    };
    let see = |algorithm: usize| {
        let flattering = present(algorithm, if forward { Key::New } else { Key::Old });
        let truth = world.hosts[host][algorithm];
        match mutant {
            Mutant::SilentHostIsFine if world.host_is_silent(host) => flattering,
            Mutant::OneHostIsEnough => present(algorithm, world.hosts[0][algorithm]),
            Mutant::OneAlgorithmIsEnough => present(algorithm, world.hosts[host][0]),
            Mutant::RetireWithoutLookingAtHosts if step == Step::Verified => flattering,
            Mutant::AbortWithoutLookingAtHosts if step == Step::RollingBack => flattering,
            _ if world.host_is_silent(host) => Seen::Unknown("timed out".into()),
            _ => present(algorithm, truth),
        }
    };
    let by_algorithm = BTreeMap::from([(KeyAlgorithm::Rsa, see(0)), (KeyAlgorithm::Ecdsa, see(1))]);
    BTreeMap::from([("192.0.2.25".to_owned(), by_algorithm)])
}
