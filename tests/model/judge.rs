//! The judge: caches and senders simulated on their own, and the truth of what the machine writes down. It shares no code
//! with `rotation::promise` or `rotation::exposure`.

use crate::around::Change;
use crate::machine::{State, endpoint};
use crate::moves::listed;
use crate::setting::Setting;
use crate::world::{Key, PLACES, REPORTS, Records, WEB, World};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::observation::TlsaName;
use tlsa_rotate::rotation::step::Event;

/// The record that lists a key of an algorithm; a stranger's key has none.
fn record(algorithm: usize, key: Key) -> Option<u8> {
    match key {
        Key::Old => Some(1 << algorithm),
        Key::New => Some(4 << algorithm),
        Key::Strange => None,
    }
}

/// Every pair of a record set that some sender holds or gets now and a host (by number) whose key it lacks.
pub(crate) fn refusals(world: &World, setting: &Setting) -> Vec<(u8, usize)> {
    let mut found = Vec::new();
    for set in 1..16_u8 {
        for (number, host) in world.hosts.iter().enumerate() {
            if !world.takes_mail(number) {
                continue;
            }
            let zone = setting.zone_of(number);
            let servers = (0..PLACES).filter(|server| setting.zone_of(*server) == zone);
            let served = || {
                servers.clone().any(|server| {
                    world.answers_resolvers(server) && world.servers[server].set == set
                })
            };
            if world.cached[zone][usize::from(set)] == 0 && !served() {
                continue;
            }
            let accepted = host.iter().enumerate().all(|(algorithm, key)| {
                record(algorithm, *key).is_some_and(|record| set & record != 0)
            });
            if !accepted {
                found.push((set, number));
            }
        }
    }
    found
}

/// The first refusal, in words.
pub(crate) fn refusal(world: &World, setting: &Setting) -> Option<String> {
    let (set, host) = *refusals(world, setting).first()?;
    let place = match world.cached[setting.zone_of(host)][usize::from(set)] {
        0 => "a server answers with".to_owned(),
        left => format!("for {left} more units a cache may hold"),
    };
    let [rsa, ecdsa] = world.hosts[host];
    Some(format!(
        "mail is refused: {place} {}, and mx{host} presents its {rsa:?} RSA and its {ecdsa:?} ECDSA key",
        listed(set)
    ))
}

/// Why what the machine writes down is not so, if it is not.
pub(crate) fn untrue(
    event: &Event,
    world: &World,
    setting: &Setting,
    state: &State,
) -> Option<String> {
    let emergency = state.rotation.emergency;
    let Records { old, new, staying } = setting.records;
    let full = setting.records.full();
    let at_zones = |zones: u8, fits: &dyn Fn(u8) -> bool| {
        let mut zones = (0..setting.zones).filter(|zone| zones & (1 << zone) != 0);
        zones.all(|zone| {
            let mut servers = (0..PLACES).filter(|server| setting.zone_of(*server) == zone);
            fits(world.heads[zone].set)
                && servers.all(|at| !world.answers_resolvers(at) || fits(world.servers[at].set))
        })
    };
    let everywhere = |fits: &dyn Fn(u8) -> bool| at_zones(state.settled, fits);
    let of_name = |name: &TlsaName| {
        let of = |host: &usize| state.rotation.name_of(&endpoint(*host)) == *name;
        let zones = (0..PLACES)
            .filter(of)
            .map(|host| 1 << setting.zone_of(host));
        zones.fold(0, |all, one| all | one)
    };
    // A signature is made anew by a signer that did so before, or one that has most of its time still; else it must last.
    let lasts = |units: u8| {
        let renews = world.resigned || 2 * world.signed > setting.valid;
        !setting.signatures_end || world.signed >= units || (world.signed > 0 && renews)
    };
    let hosts_have = |key| setting.all_hosts(world, state.hosts, key);
    let objects = |who: usize| world.objected[who] && emergency != Some(Priority::Security);
    let is_so = match event {
        Event::PrepublishServed { .. } => everywhere(&|set| set == full) && lasts(3 * setting.ttl),
        Event::SwapOpened => {
            everywhere(&|set| set == full) && lasts(setting.ttl + setting.soak) && !objects(WEB)
        }
        // What a balancer hides is found out in the soak.
        Event::HostsPresentedIncoming if setting.change == Change::Balanced => true,
        Event::JoinServed { name, .. } | Event::JoinOpened { name } => {
            at_zones(of_name(name), &|set| set == full)
        }
        Event::HostsPresentedIncoming => {
            hosts_have(Key::New)
                && everywhere(&|set| set == full)
                && lasts(setting.ttl + setting.soak)
        }
        Event::SoakPassed | Event::RetireDecided => {
            hosts_have(Key::New)
                && everywhere(&|set| set == full)
                && (emergency.is_some() || world.soaked >= setting.soak)
                && lasts(setting.ttl)
                && !objects(REPORTS)
        }
        Event::RetireServed => everywhere(&|set| set == new | staying) && hosts_have(Key::New),
        Event::WithdrawalDecided => hosts_have(Key::Old),
        Event::WithdrawalServed => everywhere(&|set| set == old | staying) && hosts_have(Key::Old),
        Event::ReinstatementServed { .. } | Event::ReturnOpened => everywhere(&|set| set == full),
        Event::ReplacementServed { .. } => everywhere(&|set| set == new | staying),
        Event::ReplacementVerified => {
            everywhere(&|set| set == new | staying) && hosts_have(Key::New)
        }
        _ => true,
    };
    (!is_so).then(|| format!("{} was written down, and is not so", event.name()))
}
