//! What a run sees of the model's world, as a weakened machine may see it.

use crate::around::{Change, WAY_TTL};
use crate::begun::{address, server, zone};
use crate::machine::{FAR, Machine, endpoint, key, now, rrset};
use crate::mutants::Mutant;
use crate::world::{Key, LOW, PLACES, REPORTS, WEB, World};
use std::collections::{BTreeMap, BTreeSet};
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::observation::{
    KeyAlgorithm, Observation, Offer, Offers, Presented, Seen, ServedRrset, SignatureWindow,
};
use tlsa_rotate::rotation::step::{Rotation, Step};
use tlsa_rotate::rotation::timing::Instant;
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
        self.see_servers(&mut observation, world);
        self.see_addresses(&mut observation, rotation, world);
        for host in (0..PLACES).filter(|host| self.is_looked_at(rotation, *host)) {
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
            let asked =
                |at: &usize| self.setting.zone_of(*at) == zone && self.asks(*at, rotation, world);
            for at in (0..PLACES).filter(asked) {
                let remembered = mutant == Mutant::SightingsAddUp && world.sighted[at];
                let flatter = flatters_zone
                    || committed
                    || remembered
                    || (mutant == Mutant::SilentServerIsFine && world.server_is_silent(at));
                let seen = self.answer(world, at, flatter.then_some(&wanted));
                servers.insert(server(at), seen);
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
                .insert(endpoint(host), self.offers(rotation, world, host));
        }
        observation
    }

    /// The servers that a resolver may be referred to now, if nobody who may name others is silent.
    fn see_servers(&self, observation: &mut Observation, world: &World) {
        if self.setting.change != Change::Servers {
            return;
        }
        let listed = self.listed_servers(world);
        let present = || (0..PLACES).filter(|at| listed & (1 << at) != 0);
        let seen = if present().any(|at| world.server_is_silent(at)) {
            Seen::Unknown("a server does not say who else serves the zone".to_owned())
        } else {
            let ttl = self.setting.ttl_of(WAY_TTL);
            Seen::Known(present().map(|at| (server(at), ttl)).collect())
        };
        observation.servers.insert(zone(), seen);
    }

    /// By the zone as it is kept, by the parent, and by those that these name and that answer.
    fn listed_servers(&self, world: &World) -> u8 {
        let parent = match self.mutant {
            Mutant::ParentIsNotAsked => 0,
            _ => world.around.parent,
        };
        let mut listed = world.heads[0].ns | parent;
        for _ in 0..PLACES {
            for at in 0..PLACES {
                if listed & (1 << at) != 0 && !world.server_is_silent(at) {
                    listed |= world.servers[at].ns;
                }
            }
        }
        listed
    }

    /// Whether a run asks a server: one that is listed, or that a cache may still lead to.
    fn asks(&self, at: usize, rotation: &Rotation, world: &World) -> bool {
        if self.setting.change != Change::Servers {
            return true;
        }
        let known = rotation
            .servers
            .get(&zone())
            .and_then(|all| all.get(&server(at)));
        let may_be_asked = known.is_some_and(|known| known.is_there(now()));
        let has_left = known.is_some_and(|known| known.until.is_some());
        let is_fine = match self.mutant {
            Mutant::DepartedServerIsForgotten => has_left,
            Mutant::DarkServerIsFine => has_left && world.server_is_silent(at),
            _ => false,
        };
        self.listed_servers(world) & (1 << at) != 0 || (may_be_asked && !is_fine)
    }

    /// Whether a host takes part, or did.
    fn is_looked_at(&self, rotation: &Rotation, host: usize) -> bool {
        let one = endpoint(host);
        let is_watched = self.mutant != Mutant::OthersAreNotLookedAt;
        rotation.endpoints.contains(&one) || (is_watched && rotation.left.contains_key(&one))
    }

    fn see_addresses(&self, observation: &mut Observation, rotation: &Rotation, world: &World) {
        if self.setting.change == Change::Addresses {
            let listed = (0..PLACES).filter(|machine| world.is_listed(*machine));
            let ttl = self.setting.ttl_of(WAY_TTL);
            let addresses = listed.map(|machine| (address(machine), ttl)).collect();
            let hosts = rotation.endpoints.iter().map(|one| one.host.clone());
            let all = hosts.map(|host| (host, Seen::Known(BTreeMap::clone(&addresses))));
            observation.addresses = all.collect();
        }
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
        at: usize,
        flattered: Option<&BTreeSet<Association>>,
    ) -> Seen<ServedRrset> {
        let version = world.servers[at];
        if flattered.is_none() && world.server_is_silent(at) {
            return Seen::Unknown("timed out".into());
        }
        if self.setting.signatures_end
            && world.signed == 0
            && self.mutant != Mutant::SignaturesIgnored
        {
            return Seen::Unknown("its signature has expired".into());
        }
        let ignores = matches!(
            self.mutant,
            Mutant::SignaturesIgnored | Mutant::OldSignaturesAreFine
        );
        let left = if self.setting.signatures_end && !ignores {
            world.signed
        } else {
            100
        };
        let units = |count: u8| self.setting.units(count);
        let ttl = if self.mutant == Mutant::ClockFromTheCommit && flattered.is_some() {
            LOW
        } else {
            version.ttl
        };
        Seen::Known(ServedRrset {
            associations: flattered.cloned().unwrap_or_else(|| rrset(version.set)),
            ttl: self.setting.ttl_of(ttl),
            signature: SignatureWindow {
                inception: now() - units(self.setting.valid.saturating_sub(left)),
                expiration: now() + units(left),
            },
            replayable_until: now() + units(left),
        })
    }

    /// What a host presents at each of its addresses.
    fn offers(&self, rotation: &Rotation, world: &World, host: usize) -> Offers {
        let seen = |machine: usize| {
            let by_algorithm =
                [(KeyAlgorithm::Rsa, 0), (KeyAlgorithm::Ecdsa, 1)].map(|(name, algorithm)| {
                    (name, self.offer(rotation.step, world, machine, algorithm))
                });
            (address(machine), BTreeMap::from(by_algorithm))
        };
        match self.setting.change {
            Change::Addresses => {
                let known = rotation.addresses.get(&endpoint(host).host);
                let has_left = |machine: usize| {
                    let known = known.and_then(|all| all.get(&address(machine)));
                    self.mutant != Mutant::DepartedAddressIsForgotten
                        && known.is_some_and(|known| known.is_there(now()))
                };
                let there = |machine: &usize| world.is_listed(*machine) || has_left(*machine);
                (0..PLACES).filter(there).map(seen).collect()
            }
            Change::Balanced => {
                let met: Vec<usize> = (0..PLACES)
                    .filter(|one| world.around.meets & (1 << one) != 0)
                    .collect();
                let (place, mut first) = seen(met[0]);
                for other in &met[1..] {
                    for (algorithm, offer) in seen(*other).1 {
                        let before = &first[&algorithm];
                        let both = several(self.mutant, before, &offer);
                        first.insert(algorithm, both);
                    }
                }
                let _ = place;
                BTreeMap::from([(address(0), first)])
            }
            _ => BTreeMap::from([(address(0), seen(host).1)]),
        }
    }

    fn offer(&self, step: Step, world: &World, host: usize, algorithm: usize) -> Seen<Offer> {
        let forward = matches!(
            step,
            Step::SwapOpen | Step::Deployed | Step::Verified | Step::Retiring
        );
        let flattering = present(algorithm, if forward { Key::New } else { Key::Old });
        let truth = world.hosts[host][algorithm];
        let ends = matches!(step, Step::Retiring | Step::Withdrawing);
        match self.mutant {
            Mutant::SilentHostIsFine if world.host_is_silent(host) => flattering,
            Mutant::OneHostIsEnough => present(algorithm, world.hosts[0][algorithm]),
            Mutant::OneAlgorithmIsEnough => present(algorithm, world.hosts[host][0]),
            Mutant::RetireWithoutLookingAtHosts if step == Step::Verified => flattering,
            Mutant::AbortWithoutLookingAtHosts if step == Step::RollingBack => flattering,
            Mutant::EndsUnseen if ends => flattering,
            _ if world.host_is_silent(host) => Seen::Unknown("timed out".into()),
            _ => present(algorithm, truth),
        }
    }
}

fn present(algorithm: usize, key_is: Key) -> Seen<Offer> {
    let bit = u8::try_from(algorithm).unwrap();
    let key = match key_is {
        Key::Old => key(bit),
        Key::New => key(bit + 2),
        Key::Strange => key(bit + 8),
    };
    Seen::Known(Offer::Key(Presented::of_key(key, Instant::from_unix(FAR))))
}

/// What several connections to one address meet.
fn several(mutant: Mutant, one: &Seen<Offer>, other: &Seen<Offer>) -> Seen<Offer> {
    match (one, other) {
        (Seen::Known(Offer::Key(one)), Seen::Known(Offer::Key(other))) if one != other => {
            let chains = [one.clone(), other.clone()];
            match mutant {
                Mutant::LastHandshakeCounts => Seen::Known(Offer::Key(chains[1].clone())),
                _ => Seen::Known(Offer::Several(chains.to_vec())),
            }
        }
        _ => one.clone(),
    }
}
