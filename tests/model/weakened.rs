//! How a weakened machine differs from the real one, on either side of its decision.

use crate::begun;
use crate::machine::{Machine, now};
use crate::mutants::Mutant;
use crate::world::{PLACES, World};
use tlsa_rotate::rotation::decide::{Action, Decision};
use tlsa_rotate::rotation::observation::{Authority, Endpoint};
use tlsa_rotate::rotation::step::{Event, Published, Rotation, Step};
use tlsa_rotate::rotation::timing::{Instant, Ttl};

impl Machine {
    /// The rotation as a weakened machine takes it to be.
    pub(crate) fn believed(&self, rotation: &Rotation, world: &World) -> Rotation {
        let mut believed = rotation.clone();
        let mut ttl_is = |ttl: u8| {
            for mark in believed.ttl_old.values_mut() {
                *mark = self.setting.ttl_of(ttl);
            }
        };
        match self.mutant {
            Mutant::NewTtlIsUsed => ttl_is(world.servers.iter().map(|v| v.ttl).max().unwrap()),
            Mutant::HighWaterMarkIgnored => ttl_is(world.heads[0].ttl),
            Mutant::HigherTtlIgnored if rotation.step == Step::Waiting => ttl_is(self.setting.ttl),
            Mutant::HeldIsForgotten => believed.held = None,
            _ => {}
        }
        let no_wait = match self.mutant {
            Mutant::NoWait => true,
            Mutant::ReturnWithoutWaiting => rotation.step == Step::Reinstated,
            Mutant::EmergencySkipsTheWait => rotation.emergency.is_some(),
            _ => false,
        };
        if let Some(published) = believed.published.as_mut().filter(|_| no_wait) {
            published.t_all = Instant::from_unix(0);
        }
        self.believed_of_the_rest(&mut believed, world);
        believed
    }

    /// The same of what changes around the rotation.
    fn believed_of_the_rest(&self, believed: &mut Rotation, world: &World) {
        let silent = |server: &Authority| {
            (0..PLACES).any(|at| *server == begun::server(at) && world.server_is_silent(at))
        };
        match self.mutant {
            Mutant::DepartedServerIsForgotten => {
                for servers in believed.servers.values_mut() {
                    servers.retain(|_, known| known.until.is_none());
                }
            }
            Mutant::DarkServerIsFine => {
                for servers in believed.servers.values_mut() {
                    servers.retain(|server, known| known.until.is_none() || !silent(server));
                }
            }
            Mutant::DepartedAddressIsForgotten => {
                for addresses in believed.addresses.values_mut() {
                    addresses.retain(|_, known| known.until.is_none());
                }
            }
            Mutant::JoinWaitIsSkipped => {
                for published in believed.joining.values_mut().flatten() {
                    published.t_all = Instant::from_unix(0);
                }
            }
            Mutant::UnwatchedSoakCounts => {
                if let Some(soak) = &mut believed.soak {
                    soak.last = now();
                }
            }
            Mutant::SilentLeaverIsFine => {
                for left in believed.left.values_mut() {
                    left.until = now();
                }
            }
            _ => {}
        }
    }

    /// Going forward again, it takes what was waited for as if it still counted.
    pub(crate) fn keep_the_clock(rotation: &mut Rotation) {
        if rotation.step == Step::Prepublishing {
            rotation.step = Step::Waiting;
            rotation.published = Some(Published {
                t_all: Instant::from_unix(0),
                ttl_new: Ttl(0),
            });
        }
    }

    pub(crate) fn remembers(&self, fact: &Event) -> bool {
        !matches!(
            (self.mutant, fact),
            (Mutant::SeveralAreForgotten, Event::SeveralKeysSeen { .. })
                | (Mutant::StraysAreForgotten, Event::StraysAnswered { .. })
        )
    }

    /// What a weakened machine leaves out of its decision.
    pub(crate) fn weaken(&self, rotation: &Rotation, decision: &mut Decision) {
        let regressed = matches!(
            decision.event,
            Some(Event::ServerRegressed { .. } | Event::MergeReverted { .. })
        );
        match self.mutant {
            Mutant::RegressionIgnored if regressed => decision.event = None,
            Mutant::RegressionOnTheWayBackIgnored
                if regressed && rotation.step == Step::RollingBack =>
            {
                decision.event = None;
            }
            Mutant::HighWaterMarkIgnored
                if matches!(decision.event, Some(Event::HigherTtlSeen { .. })) =>
            {
                decision.event = None;
            }
            Mutant::AlarmsAreSilent => decision.alarms.clear(),
            Mutant::JoinsWithTheOthers if rotation.step == Step::SwapOpen => {
                let joins = |one: &&Endpoint| rotation.joining.contains_key(&rotation.name_of(one));
                let joining = rotation.endpoints.iter().filter(joins).cloned();
                decision.actions.push(Action::Deploy(joining.collect()));
            }
            Mutant::RetiresOnWhateverHostsDo if rotation.step == Step::Retiring => {
                decision.actions = vec![Action::ChangeZone(rotation.requirement())];
            }
            _ => {}
        }
    }
}
