//! Time in the machine's states: the present is always the same instant, and the past moves away from it.

use crate::around::REMEMBERED;
use crate::machine::{Machine, NOW, Number, now};
use tlsa_rotate::rotation::step::{Rotation, Step};
use tlsa_rotate::rotation::timing::Instant;

impl Machine {
    pub(crate) fn longest_ttl(&self) -> u8 {
        let set = self.setting.sets_ttl.iter().copied();
        set.fold(self.setting.ttl.max(self.setting.ttl_before), u8::max)
    }

    /// A state without what changes no decision: old ages are equal, and what a step does not ask for is forgotten.
    pub(crate) fn normal(&self, mut rotation: Rotation) -> Rotation {
        let setting = &self.setting;
        let at = |age: u64| Instant::from_unix(NOW - age);
        let age = |instant: Instant, most: u8| {
            at((NOW - instant.unix()).min(setting.units(most).as_seconds()))
        };
        rotation.since = now();
        // Who was silent counts as it was in the very run that first opened the swap.
        rotation.opened = rotation.opened.map(|opened| age(opened, 1));
        if let Some(soak) = &mut rotation.soak {
            soak.from = age(soak.from, setting.soak);
            // A gap is a gap, however long it is.
            soak.last = age(soak.last, setting.soak + 1);
        }
        if !setting.signatures_end {
            rotation.signers.clear();
        }
        for signer in rotation.signers.values_mut() {
            signer.inception = age(signer.inception, setting.valid);
        }
        rotation.started = now();
        let counts = matches!(
            rotation.step,
            Step::Waiting
                | Step::SwapOpen
                | Step::Deployed
                | Step::Verified
                | Step::RollingBack
                | Step::Reinstated
                | Step::Replaced
        );
        rotation.published = rotation.published.filter(|_| counts);
        // No gate of the model counts longer.
        let longest = 2 * self.longest_ttl();
        let joining = rotation.joining.values_mut().flatten();
        for published in rotation.published.iter_mut().chain(joining) {
            published.t_all = age(published.t_all, longest);
        }
        for last in rotation.several.values_mut() {
            *last = age(*last, REMEMBERED);
        }
        for servers in rotation.servers.values_mut() {
            servers.retain(|_, known| known.is_there(now()));
        }
        for addresses in rotation.addresses.values_mut() {
            addresses.retain(|_, known| known.is_there(now()));
        }
        for strays in rotation.strays.values_mut() {
            strays.retain(|_, known| known.is_there(now()));
        }
        rotation.strays.retain(|_, strays| !strays.is_empty());
        for left in rotation.left.values_mut() {
            left.until = left.until.max(now());
        }
        rotation.released &= setting.standby && rotation.step <= Step::Verified;
        rotation.signed_until = None;
        rotation.risks.clear();
        rotation.delay = None;
        rotation.dane_left = rotation.dane_left.map(|since| age(since, longest));
        rotation
    }

    /// The same a unit of time later.
    pub(crate) fn older(&mut self, number: Number) -> Number {
        if let Some(older) = self.older.get(&number) {
            return *older;
        }
        let mut rotation = self.state(number).rotation.clone();
        let unit = self.setting.units(1);
        let back = |instant: &mut Instant| *instant = *instant - unit;
        rotation.opened.iter_mut().for_each(back);
        if let Some(soak) = &mut rotation.soak {
            back(&mut soak.from);
            back(&mut soak.last);
        }
        for signer in rotation.signers.values_mut() {
            back(&mut signer.inception);
        }
        let joining = rotation.joining.values_mut().flatten();
        for published in rotation.published.iter_mut().chain(joining) {
            back(&mut published.t_all);
        }
        rotation.several.values_mut().for_each(back);
        let servers = rotation
            .servers
            .values_mut()
            .flat_map(|all| all.values_mut());
        servers
            .filter_map(|known| known.until.as_mut())
            .for_each(back);
        let addresses = rotation
            .addresses
            .values_mut()
            .flat_map(|all| all.values_mut());
        addresses
            .filter_map(|known| known.until.as_mut())
            .for_each(back);
        let strays = rotation
            .strays
            .values_mut()
            .flat_map(|all| all.values_mut());
        strays
            .filter_map(|known| known.until.as_mut())
            .for_each(back);
        rotation
            .left
            .values_mut()
            .for_each(|left| back(&mut left.until));
        rotation.dane_left.iter_mut().for_each(back);
        let older = self.number(rotation);
        self.older.insert(number, older);
        older
    }
}
