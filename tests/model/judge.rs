//! The judge: caches and senders simulated on their own, and the truth of what the machine writes down. It shares no code
//! with `rotation::promise` or `rotation::exposure`.

use crate::setting::Setting;
use crate::world::{Key, PLACES, REPORTS, Records, SOAK, TTL, VALID, WEB, World, listed};
use tlsa_rotate::rotation::emergency::Priority;
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
            let zone = setting.zone_of(number);
            let servers = (0..PLACES).filter(|server| setting.zone_of(*server) == zone);
            let served = || {
                servers
                    .clone()
                    .any(|server| world.servers[server].set == set)
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
    emergency: Option<Priority>,
) -> Option<String> {
    let Records { old, new, staying } = setting.records;
    let full = setting.records.full();
    let everywhere = |fits: &dyn Fn(u8) -> bool| {
        let zones = 0..setting.zones;
        world.all_servers(fits) && zones.into_iter().all(|zone| fits(world.heads[zone].set))
    };
    // A signature is made anew by a signer that did so before, or one that has most of its time still; else it must last.
    let lasts = |units: u8| {
        let renews = world.resigned || 2 * world.signed > VALID;
        !setting.signatures_end || world.signed >= units.min(VALID) || (world.signed > 0 && renews)
    };
    let hosts_have = |key| setting.all_hosts(world, key);
    let objects = |who: usize| world.objected[who] && emergency != Some(Priority::Security);
    let is_so = match event {
        Event::PrepublishServed { .. } => everywhere(&|set| set == full) && lasts(3 * TTL),
        Event::SwapOpened => everywhere(&|set| set == full) && lasts(TTL + SOAK) && !objects(WEB),
        Event::HostsPresentedIncoming => {
            hosts_have(Key::New) && everywhere(&|set| set == full) && lasts(TTL + SOAK)
        }
        Event::SoakPassed | Event::RetireDecided => {
            hosts_have(Key::New)
                && everywhere(&|set| set == full)
                && (emergency.is_some() || world.soaked >= SOAK)
                && lasts(TTL)
                && !objects(REPORTS)
        }
        Event::RetireServed => everywhere(&|set| set == new | staying),
        Event::WithdrawalDecided => hosts_have(Key::Old),
        Event::WithdrawalServed => everywhere(&|set| set == old | staying),
        Event::ReinstatementServed { .. } | Event::ReturnOpened => everywhere(&|set| set == full),
        Event::ReplacementServed { .. } => everywhere(&|set| set == new | staying),
        Event::ReplacementVerified => {
            everywhere(&|set| set == new | staying) && hosts_have(Key::New)
        }
        _ => true,
    };
    (!is_so).then(|| format!("{} was written down, and is not so", event.name()))
}
