//! Secondaries told of a new version, until they confirm it or it is no longer the newest (RFC 1996 §3).

use super::event::{Event, Events};
use super::respond::Clock;
use super::served::ServedZone;
use crate::observe::message::{self, Unwritable};
use crate::publish::tsig::{Chain, Keyring, TsigKey};
use crate::workspace::config::access::Secondary;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::DNSClass;
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
/// Octets of a datagram that everybody takes (RFC 1035 §4.2.1).
const LONGEST: u16 = 512;

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
        let id = message::random_id().ok_or("the system gives no random octets")?;
        let mut message = self.message(id).map_err(|e| e.to_string())?;
        let chain = self
            .key
            .as_ref()
            .map(|key| Chain::sign(key, &mut message, (self.clock)()));
        socket.send(&message).await.map_err(said)?;
        let mut answer = [0; LONGEST as usize];
        loop {
            let length = socket.recv(&mut answer).await.map_err(said)?;
            let answer = answer.get(..length).unwrap_or_default();
            let Some(header) = message::header(answer).map(|header| header.metadata) else {
                continue;
            };
            let what = (header.id, header.message_type, header.op_code);
            if what != (id, MessageType::Response, OpCode::Notify) {
                continue;
            }
            if let Some(chain) = &chain {
                chain
                    .check(answer, (self.clock)())
                    .map_err(|e| e.to_string())?;
            }
            return match header.response_code.low() {
                0 => Ok(()),
                code => Err(format!("it answers with RCODE {code}")),
            };
        }
    }

    /// The SOA record is a hint that may be left out (RFC 1996 §3.7); a question always fits.
    fn message(&self, id: u16) -> Result<Vec<u8>, Unwritable> {
        let (apex, soa) = (self.zone.apex(), self.zone.soa());
        let mut message = Message::new(id, MessageType::Query, OpCode::Notify);
        message.metadata.authoritative = true;
        message.add_query(message::question(apex, Rtype::SOA)?);
        if let Some(rdata) = soa.rdatas.first() {
            let ttl = soa.ttl.0;
            let hint = message::record(apex, Rtype::SOA, DNSClass::IN, ttl, &rdata.0)?;
            message.answers.push(hint);
        }
        message::octets(&message, LONGEST).or_else(|_| {
            message.answers.clear();
            message::octets(&message, LONGEST)
        })
    }
}
