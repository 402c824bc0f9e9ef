//! The judge: caches and senders simulated on their own, and the truth of what the machine writes down. It shares no code
//! with `rotation::promise` or `rotation::exposure`.

use crate::world::{FULL, Key, NEW, OLD, SOAK, TTL, VALID, World, listed};
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
pub(crate) fn refusals(world: &World) -> Vec<(u8, usize)> {
    let held = (1..16_u8).filter(|set| {
        world.cached[usize::from(*set)] > 0 || world.servers.iter().any(|v| v.set == *set)
    });
    let mut found = Vec::new();
    for set in held {
        for (number, host) in world.hosts.iter().enumerate() {
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
pub(crate) fn refusal(world: &World) -> Option<String> {
    let (set, host) = *refusals(world).first()?;
    let place = match world.cached[usize::from(set)] {
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
    (signatures_end, hurried): (bool, bool),
) -> Option<String> {
    let everywhere = |fits: &dyn Fn(u8) -> bool| world.all_servers(fits) && fits(world.head.set);
    let lasts = |units: u8| !signatures_end || world.signed >= units.min(VALID);
    let is_so = match event {
        // A signature must outlast the TTL and the wait that begins.
        Event::PrepublishServed { .. } => everywhere(&|set| set == FULL) && lasts(3 * TTL),
        Event::SwapOpened => everywhere(&|set| set == FULL) && lasts(TTL + SOAK),
        Event::HostsPresentedIncoming => {
            world.all_hosts(Key::New) && everywhere(&|set| set == FULL) && lasts(TTL + SOAK)
        }
        Event::SoakPassed | Event::RetireDecided => {
            world.all_hosts(Key::New)
                && everywhere(&|set| set == FULL)
                && (hurried || world.soaked >= SOAK)
                && lasts(TTL)
        }
        Event::RetireServed => everywhere(&|set| set & OLD == 0 && set & NEW == NEW),
        Event::WithdrawalDecided => world.all_hosts(Key::Old),
        Event::WithdrawalServed => everywhere(&|set| set & NEW == 0 && set & OLD == OLD),
        Event::ReinstatementServed { .. } | Event::ReturnOpened => everywhere(&|set| set == FULL),
        Event::ReplacementServed { .. } => everywhere(&|set| set == NEW),
        Event::ReplacementVerified => everywhere(&|set| set == NEW) && world.all_hosts(Key::New),
        _ => true,
    };
    (!is_so).then(|| format!("{} was written down, and is not so", event.name()))
}
