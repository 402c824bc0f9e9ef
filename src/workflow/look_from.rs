//! Use case `look`: what mail hosts present, seen from here, for a person or for a runner elsewhere. Needs no workspace and
//! no keys; nothing is sent but EHLO, STARTTLS and QUIT.

use crate::observe::in_time;
use crate::observe::probe::{self, Bounds, Sighting, Target};
use crate::observe::smtp::Caller;
use crate::observe::vantage::{Place, Request};
use crate::observe::wait_for;
use crate::rotation::observation::{Endpoint, Seen};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::Instant;

/// A place as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The host and port.
    pub endpoint: Endpoint,
    /// Where to connect; as the system's resolver says if it is none.
    pub address: Option<SocketAddr>,
}

/// What was seen, and which hosts could not be looked up, with the reason.
pub type Looked = (Vec<Sighting>, Vec<(Endpoint, String)>);

/// Looks at what a runner asks for.
pub fn answer(request: &Request) -> io::Result<Vec<Sighting>> {
    wait_for(survey(&request.places, request.within()))
}

/// Looks at the places that a person names, each with so many connections for each algorithm.
pub fn look(named: &[Named], connections: u8, within: Duration) -> io::Result<Looked> {
    wait_for(async {
        let deadline = Instant::now().checked_add(within);
        let (mut places, mut lost) = (Vec::new(), Vec::new());
        for one in named {
            match addresses(one, deadline).await {
                Seen::Unknown(why) => lost.push((one.endpoint.clone(), why)),
                Seen::Known(addresses) => {
                    let target = Target {
                        endpoint: one.endpoint.clone(),
                        addresses,
                    };
                    places.extend(Place::of(&[target], |_, _| connections));
                }
            }
        }
        (survey(&places, within).await, lost)
    })
}

async fn addresses(named: &Named, deadline: Option<Instant>) -> Seen<Vec<SocketAddr>> {
    if let Some(address) = named.address {
        return Seen::Known(vec![address]);
    }
    let (host, port) = (named.endpoint.host.as_str(), named.endpoint.port);
    match in_time(deadline, lookup_host((host, port))).await {
        None => Seen::Unknown("its addresses were not found in time".to_owned()),
        Some(Err(error)) => Seen::Unknown(format!("its addresses cannot be found: {error}")),
        Some(Ok(found)) => {
            let mut addresses: Vec<SocketAddr> = found.collect();
            addresses.sort();
            addresses.dedup();
            Seen::Known(addresses)
        }
    }
}

async fn survey(places: &[Place], within: Duration) -> Vec<Sighting> {
    let caller = Caller::within(within);
    let bounds = Bounds {
        overall: within,
        // Whoever asks from afar has no more time than that.
        late: Duration::ZERO,
        ..Bounds::default()
    };
    let times: BTreeMap<(&Endpoint, SocketAddr), u8> = places
        .iter()
        .map(|place| ((&place.endpoint, place.address), place.connections))
        .collect();
    let connections = |endpoint: &Endpoint, address: &SocketAddr| {
        let times = times.get(&(endpoint, *address)).copied();
        times.unwrap_or(1).min(probe::WHERE_KEYS_DIFFER)
    };
    let targets: Vec<Target> = places.iter().map(Place::target).collect();
    probe::survey(&targets, &caller, bounds, connections).await
}
