//! A primary server that keeps a zone itself: asked what it holds, and changed by dynamic updates (RFC 2136, RFC 8945).
//!
//! Over TCP alone, every message signed, every wait bounded. An update names the RRset that it was made for: if that has
//! changed meanwhile, nothing happens. That an update was accepted proves nothing to anybody but this file.

use super::tsig::{Chain, NotAuthentic, TsigKey};
use super::wire::{CLASS_IN, Full, RR, Section, Writer};
use crate::observe::dns::{self, Reply, Silence};
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How long a server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
const OPCODE_QUERY: u16 = 0;
/// UPDATE (RFC 2136 §2.2).
const OPCODE_UPDATE: u16 = 5 << 11;
const CLASS_NONE: u16 = 254;
const SOA: Rtype = Rtype::SOA;

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
    #[error("{server} refused to {what} {zone}: {}", meaning(*.rcode))]
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
    /// No random octets, no message.
    #[error("the system gives no random octets")]
    NoRandomness,
}

impl PrimaryError {
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

/// An RCODE by name (RFC 2136 §2.2).
fn meaning(rcode: u16) -> String {
    let name = match rcode {
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        other => return format!("RCODE {other}"),
    };
    name.to_owned()
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
        let (id, octets) = self.exchange(OPCODE_QUERY, zone, |writer| {
            writer.question(name, rtype, CLASS_IN)
        })?;
        let reply = dns::read_reply(&octets, id, name, rtype)
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
        let (_, octets) = self.exchange(OPCODE_UPDATE, zone, |writer| {
            writer.question(zone, SOA, CLASS_IN)?;
            for change in changes {
                prerequisites(writer, change)?;
            }
            changes
                .iter()
                .try_for_each(|change| updates(writer, change))
        })?;
        let rcode = octets.get(3).map_or(0, |octet| u16::from(*octet & 0x0f));
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
        opcode: u16,
        zone: &Name,
        fill: impl Fn(&mut Writer) -> Result<(), Full>,
    ) -> Result<(u16, Vec<u8>), PrimaryError> {
        let server = self.primary.server;
        let mut tries = 2_u8;
        loop {
            tries = tries.saturating_sub(1);
            let id = super::random_id().ok_or(PrimaryError::NoRandomness)?;
            let mut writer = Writer::new(id, opcode, usize::from(u16::MAX).saturating_sub(1024));
            fill(&mut writer).map_err(|Full| PrimaryError::TooLarge { zone: zone.clone() })?;
            let mut message = writer.finish();
            let chain = Chain::sign(&self.primary.key, &mut message, self.now);
            let octets = self
                .carry(&message)
                .map_err(|source| self.primary.unreachable(source))?;
            let garbage = |why| PrimaryError::Garbage {
                server,
                source: Silence::Garbage(why),
            };
            let header: &[u8; 12] = octets
                .first_chunk()
                .ok_or_else(|| garbage("it is shorter than a DNS header"))?;
            let [a, b, flags, code, ..] = *header;
            if u16::from_be_bytes([a, b]) != id || flags & 0x80 == 0 {
                return Err(garbage("it is not an answer to what was sent"));
            }
            match chain.check(&octets, self.now) {
                Ok(()) => return Ok((id, octets)),
                Err(NotAuthentic::Clocks { theirs, .. }) if tries > 0 => self.now = theirs,
                // Who refuses everything may not sign that: there is nothing in a refusal that could be forged to harm.
                Err(NotAuthentic::Unsigned) if code & 0x0f != 0 => {
                    return Err(PrimaryError::Refused {
                        server,
                        what: if opcode == OPCODE_UPDATE {
                            "change"
                        } else {
                            "answer for"
                        },
                        zone: zone.clone(),
                        rcode: u16::from(code & 0x0f),
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
fn prerequisites(writer: &mut Writer, change: &RrsetChange) -> Result<(), Full> {
    let RrsetChange {
        owner,
        rtype,
        before,
        ..
    } = change;
    if before.is_empty() {
        let absent = RR {
            owner,
            rtype: *rtype,
            class: CLASS_NONE,
            ttl: 0,
        };
        return writer.rr(Section::Answer, absent, &[]);
    }
    let there = RR {
        owner,
        rtype: *rtype,
        class: CLASS_IN,
        ttl: 0,
    };
    before
        .iter()
        .try_for_each(|rdata| writer.rr(Section::Answer, there, &rdata.0))
}

/// What comes first, so that the RRset is never empty in between, then what goes (RFC 2136 §2.5.1, §2.5.4).
fn updates(writer: &mut Writer, change: &RrsetChange) -> Result<(), Full> {
    let RrsetChange {
        owner,
        rtype,
        added,
        removed,
        ..
    } = change;
    for (ttl, rdata) in added {
        let comes = RR {
            owner,
            rtype: *rtype,
            class: CLASS_IN,
            ttl: ttl.0,
        };
        writer.rr(Section::Authority, comes, &rdata.0)?;
    }
    let goes = RR {
        owner,
        rtype: *rtype,
        class: CLASS_NONE,
        ttl: 0,
    };
    removed
        .iter()
        .try_for_each(|rdata| writer.rr(Section::Authority, goes, &rdata.0))
}
