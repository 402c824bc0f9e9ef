//! Secondaries told of a new version, until they confirm it or it is no longer the newest (RFC 1996 §3).

use super::event::{Event, Events};
use super::respond::Clock;
use super::served::ServedZone;
use crate::publish::tsig::{Chain, Keyring, TsigKey};
use crate::publish::wire::{CLASS_IN, Section, Writer};
use crate::workspace::config::access::Secondary;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long the first try waits; each further one waits twice as long (RFC 1996 §3.6 asks for no more often than this).
const FIRST: Duration = Duration::from_secs(1);
/// How many tries there are: after two minutes a secondary finds out by its own refresh.
const TRIES: u32 = 7;
/// NOTIFY (RFC 1996 §3.1) with AA.
const FLAGS: u16 = 0x2400;
const LONGEST: usize = 512;

/// Who is told of which zone, and who is being told now.
pub(super) struct Notifier {
    pub(super) secondaries: HashMap<Name, Vec<Secondary>>,
    pub(super) keys: Arc<Keyring>,
    pub(super) clock: Clock,
    pub(super) events: Events,
    pub(super) runtime: Handle,
    pub(super) telling: Mutex<HashMap<(Name, SocketAddr), JoinHandle<()>>>,
}

impl Notifier {
    /// Tells all secondaries of `zone`. Who is still being told of an earlier version is told of this one instead.
    pub(super) fn tell(&self, zone: &Arc<ServedZone>) {
        let mut telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        for secondary in self.secondaries.get(zone.apex()).into_iter().flatten() {
            let key = secondary.key.as_ref().and_then(|name| self.keys.get(name));
            let call = Call {
                zone: Arc::clone(zone),
                secondary: secondary.address,
                key: key.cloned(),
                clock: Arc::clone(&self.clock),
                events: self.events.clone(),
            };
            let task = self.runtime.spawn(call.until_heard());
            let earlier = telling.insert((zone.apex().clone(), secondary.address), task);
            if let Some(earlier) = earlier {
                earlier.abort();
            }
        }
    }

    /// Tells nobody any more.
    pub(super) fn stop(&self) {
        let mut telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, task) in telling.drain() {
            task.abort();
        }
    }
}

struct Call {
    zone: Arc<ServedZone>,
    secondary: SocketAddr,
    key: Option<Arc<TsigKey>>,
    clock: Clock,
    events: Events,
}

impl Call {
    async fn until_heard(self) {
        let mut patience = FIRST;
        for tries in 1..=TRIES {
            let began = tokio::time::Instant::now();
            let heard = timeout(patience, self.once()).await;
            let why = match heard {
                Ok(Ok(())) => {
                    self.events.tell(Event::Notified {
                        zone: self.zone.apex().clone(),
                        secondary: self.secondary,
                        serial: self.zone.serial(),
                    });
                    return;
                }
                Ok(Err(why)) => why,
                Err(_) => "no answer".to_owned(),
            };
            let again = tries < TRIES;
            // The first silence may be a lost datagram.
            if tries > 1 || !again {
                self.events.tell(Event::NotNotified {
                    zone: self.zone.apex().clone(),
                    secondary: self.secondary,
                    serial: self.zone.serial(),
                    why,
                    again,
                });
            }
            tokio::time::sleep(patience.saturating_sub(began.elapsed())).await;
            patience = patience.saturating_mul(2);
        }
    }

    /// One datagram, and the first answer to it that can be believed.
    async fn once(&self) -> Result<(), String> {
        let said = |e: std::io::Error| e.to_string();
        let any: SocketAddr = match self.secondary {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await.map_err(said)?;
        socket.connect(self.secondary).await.map_err(said)?;
        let id = crate::publish::random_id().ok_or("the system gives no random octets")?;
        let mut message = self.message(id);
        let chain = self
            .key
            .as_ref()
            .map(|key| Chain::sign(key, &mut message, (self.clock)()));
        socket.send(&message).await.map_err(said)?;
        let mut answer = [0; LONGEST];
        loop {
            let length = socket.recv(&mut answer).await.map_err(said)?;
            let answer = answer.get(..length).unwrap_or_default();
            let Some([a, b, flags, code, ..]) = answer.first_chunk::<12>() else {
                continue;
            };
            if u16::from_be_bytes([*a, *b]) != id || flags & 0xf8 != 0xa0 {
                continue;
            }
            if let Some(chain) = &chain {
                chain
                    .check(answer, (self.clock)())
                    .map_err(|e| e.to_string())?;
            }
            return match code & 0x0f {
                0 => Ok(()),
                code => Err(format!("it answers with RCODE {code}")),
            };
        }
    }

    fn message(&self, id: u16) -> Vec<u8> {
        let mut writer = Writer::new(id, FLAGS, LONGEST);
        let apex = self.zone.apex();
        // A question always fits; the SOA is a hint that may be left out (RFC 1996 §3.7).
        let _ = writer.question(apex, Rtype::SOA, CLASS_IN);
        let soa = self.zone.soa();
        if let Some(rdata) = soa.rdatas.first() {
            let _ = writer.record(Section::Answer, apex, Rtype::SOA, soa.ttl.0, &rdata.0);
        }
        writer.finish()
    }
}
