//! A primary server that keeps a zone itself: asked what it holds, and changed by dynamic updates (RFC 2136, RFC 8945).
//!
//! Over TCP alone, every message signed, every wait bounded. An update names the RRset that it was made for: if that has
//! changed meanwhile, nothing happens. That an update was accepted proves nothing to anybody but this file.

use super::tsig::{Chain, NotAuthentic, TsigKey};
use crate::observe::dns::{self, Reply, Silence, rcode_name};
use crate::observe::message::{self, Unwritable};
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use hickory_proto::op::{Message, MessageType, Metadata, OpCode};
use hickory_proto::rr::{DNSClass, Record};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How long a server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets of a message: as many as there can be, with room for its TSIG record.
const LONGEST: u16 = u16::MAX - 1024;

/// The primary of a zone.
#[derive(Clone, Debug)]
pub struct Primary {
    /// Where it listens.
    pub server: SocketAddr,
    /// The key it shares with us.
    pub key: Arc<TsigKey>,
}

/// A change of one RRset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RrsetChange {
    /// The owner.
    pub owner: Name,
    /// The type.
    pub rtype: Rtype,
    /// All data that the RRset held when the change was thought out; none if there was no such RRset.
    pub before: Vec<Rdata>,
    /// The TTL that the RRset has, or shall have.
    pub ttl: Ttl,
    /// What comes, and under which TTL.
    pub added: Vec<(Ttl, Rdata)>,
    /// What goes.
    pub removed: Vec<Rdata>,
}

/// Why a primary could not be asked or changed.
#[derive(Debug, thiserror::Error)]
pub enum PrimaryError {
    /// It cannot be reached, or stopped answering.
    #[error("{server} does not answer: {source}")]
    Unreachable {
        /// The server.
        server: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// What it says is not what was asked for.
    #[error("{server}: {source}")]
    Garbage {
        /// The server.
        server: SocketAddr,
        /// What is wrong.
        source: Silence,
    },
    /// Its answer cannot be believed, or it does not believe us.
    #[error("{server}: {source}")]
    NotAuthentic {
        /// The server.
        server: SocketAddr,
        /// Why not.
        source: NotAuthentic,
    },
    /// An RRset is no longer the one that the change was made for (RFC 2136 §3.2).
    #[error(
        "{server} refused to change {zone}: someone else has changed the records meanwhile ({rcode})"
    )]
    Changed {
        /// The server.
        server: SocketAddr,
        /// The zone.
        zone: Name,
        /// How it said so.
        rcode: &'static str,
    },
    /// It refused for another reason.
    #[error("{server} refused to {what} {zone}: {}", rcode_name(*.rcode))]
    Refused {
        /// The server.
        server: SocketAddr,
        /// What it was asked to do.
        what: &'static str,
        /// The zone.
        zone: Name,
        /// Its RCODE.
        rcode: u16,
    },
    /// More changes than one message holds.
    #[error("the changes of {zone} do not fit into one message")]
    TooLarge {
        /// The zone.
        zone: Name,
    },
    /// Something in a change has no form on the wire.
    #[error("the changes of {zone} cannot be sent: {why}")]
    Unwritable {
        /// The zone.
        zone: Name,
        /// Why not.
        why: String,
    },
    /// No random octets, no message.
    #[error("the system gives no random octets")]
    NoRandomness,
}

impl PrimaryError {
    fn unwritable(why: Unwritable, zone: &Name) -> Self {
        let zone = zone.clone();
        match why {
            Unwritable::TooLarge => Self::TooLarge { zone },
            Unwritable::Other(why) => Self::Unwritable { zone, why },
        }
    }

    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Unreachable { server, .. } => vec![format!(
                "see that the primary listens on {server} over TCP and lets this machine in"
            )],
            Self::NotAuthentic { source, .. } => source.hints(),
            Self::Changed { .. } => vec![
                "nothing was changed; run again: the change is made anew from what the server holds now".to_owned(),
            ],
            Self::Refused { rcode: 5, .. } => vec![
                "let the key ask for and change TLSA records: `update-policy` or `allow-update` in BIND, an `acl` with `action: [update]` in Knot, TSIG-ALLOW-DNSUPDATE in PowerDNS".to_owned(),
            ],
            Self::Refused { rcode: 4, .. } => vec![
                "turn dynamic updates on; in PowerDNS: dnsupdate=yes".to_owned(),
            ],
            Self::Refused { rcode: 9, .. } => vec![
                "name the primary of the zone as `server`, not a secondary".to_owned(),
            ],
            _ => Vec::new(),
        }
    }
}

/// A connection to a primary, with the clock by which messages are signed.
pub struct Conversation<'p> {
    primary: &'p Primary,
    stream: TcpStream,
    now: Instant,
}

impl Primary {
    /// Connects. `now` is taken for the time until the server proves that it has another.
    pub fn converse(&self, now: Instant) -> Result<Conversation<'_>, PrimaryError> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&self.server, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connect().map_err(|source| self.unreachable(source))?;
        Ok(Conversation {
            primary: self,
            stream,
            now,
        })
    }

    fn unreachable(&self, source: io::Error) -> PrimaryError {
        PrimaryError::Unreachable {
            server: self.server,
            source,
        }
    }
}

impl Conversation<'_> {
    /// What the server itself says of `name` and `rtype` in `zone`.
    pub fn ask(&mut self, zone: &Name, name: &Name, rtype: Rtype) -> Result<Reply, PrimaryError> {
        let server = self.primary.server;
        let (header, octets) = self.exchange(OpCode::Query, zone, |message| {
            message.add_query(message::question(name, rtype)?);
            Ok(())
        })?;
        let reply = dns::read_reply(&octets, header.id, name, rtype)
            .map_err(|source| PrimaryError::Garbage { server, source })?;
        match reply.rcode {
            0 | 3 if reply.authoritative => Ok(reply),
            0 | 3 => Err(PrimaryError::Refused {
                server,
                what: "answer for",
                zone: zone.clone(),
                rcode: 9,
            }),
            rcode => Err(PrimaryError::Refused {
                server,
                what: "answer for",
                zone: zone.clone(),
                rcode,
            }),
        }
    }

    /// Changes RRsets of `zone`: all of them or none, and none unless each is as it was before.
    pub fn update(&mut self, zone: &Name, changes: &[RrsetChange]) -> Result<(), PrimaryError> {
        let server = self.primary.server;
        let (header, _) = self.exchange(OpCode::Update, zone, |message| {
            message.add_query(message::question(zone, Rtype::SOA)?);
            for change in changes {
                prerequisites(&mut message.answers, change)?;
                updates(&mut message.authorities, change)?;
            }
            Ok(())
        })?;
        let rcode = u16::from(header.response_code.low());
        let not_as_seen = |rcode| PrimaryError::Changed {
            server,
            zone: zone.clone(),
            rcode,
        };
        match rcode {
            0 => Ok(()),
            6 => Err(not_as_seen("YXDOMAIN")),
            7 => Err(not_as_seen("YXRRSET")),
            8 => Err(not_as_seen("NXRRSET")),
            rcode => Err(PrimaryError::Refused {
                server,
                what: "change",
                zone: zone.clone(),
                rcode,
            }),
        }
    }

    /// Sends one signed message and reads the answer to it, whose signature holds. A server whose clock differs says so
    /// under its signature; then its time counts from there on (RFC 8945 §5.2.3).
    fn exchange(
        &mut self,
        opcode: OpCode,
        zone: &Name,
        fill: impl Fn(&mut Message) -> Result<(), Unwritable>,
    ) -> Result<(Metadata, Vec<u8>), PrimaryError> {
        let server = self.primary.server;
        let mut tries = 2_u8;
        loop {
            tries = tries.saturating_sub(1);
            let id = message::random_id().ok_or(PrimaryError::NoRandomness)?;
            let mut request = Message::new(id, MessageType::Query, opcode);
            let written = fill(&mut request).and_then(|()| message::octets(&request, LONGEST));
            let mut message = written.map_err(|why| PrimaryError::unwritable(why, zone))?;
            // These octets are signed, and these are sent.
            let chain = Chain::sign(&self.primary.key, &mut message, self.now);
            let octets = self
                .carry(&message)
                .map_err(|source| self.primary.unreachable(source))?;
            let garbage = |why| PrimaryError::Garbage {
                server,
                source: Silence::Garbage(why),
            };
            let header = message::header(&octets)
                .ok_or_else(|| garbage("it is shorter than a DNS header"))?
                .metadata;
            if header.id != id || header.message_type != MessageType::Response {
                return Err(garbage("it is not an answer to what was sent"));
            }
            let code = u16::from(header.response_code.low());
            match chain.check(&octets, self.now) {
                Ok(()) => return Ok((header, octets)),
                Err(NotAuthentic::Clocks { theirs, .. }) if tries > 0 => self.now = theirs,
                // Who refuses everything may not sign that: there is nothing in a refusal that could be forged to harm.
                Err(NotAuthentic::Unsigned) if code != 0 => {
                    return Err(PrimaryError::Refused {
                        server,
                        what: if opcode == OpCode::Update {
                            "change"
                        } else {
                            "answer for"
                        },
                        zone: zone.clone(),
                        rcode: code,
                    });
                }
                Err(source) => return Err(PrimaryError::NotAuthentic { server, source }),
            }
        }
    }

    fn carry(&mut self, message: &[u8]) -> io::Result<Vec<u8>> {
        let length = u16::try_from(message.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes(), message].concat();
        self.stream.write_all(&framed)?;
        let mut length = [0; 2];
        self.stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

/// The RRset is exactly what was seen (RFC 2136 §2.4.2), or absent (§2.4.3).
fn prerequisites(section: &mut Vec<Record>, change: &RrsetChange) -> Result<(), Unwritable> {
    let (owner, rtype) = (&change.owner, change.rtype);
    if change.before.is_empty() {
        section.push(message::record(owner, rtype, DNSClass::NONE, 0, &[])?);
    }
    for Rdata(there) in &change.before {
        section.push(message::record(owner, rtype, DNSClass::IN, 0, there)?);
    }
    Ok(())
}

/// What comes first, so that the RRset is never empty in between, then what goes (RFC 2136 §2.5.1, §2.5.4).
fn updates(section: &mut Vec<Record>, change: &RrsetChange) -> Result<(), Unwritable> {
    let (owner, rtype) = (&change.owner, change.rtype);
    for (Ttl(ttl), Rdata(comes)) in &change.added {
        section.push(message::record(owner, rtype, DNSClass::IN, *ttl, comes)?);
    }
    for Rdata(goes) in &change.removed {
        section.push(message::record(owner, rtype, DNSClass::NONE, 0, goes)?);
    }
    Ok(())
}
