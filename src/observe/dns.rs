//! One DNS question to one address of one server, with every wait and every size bounded (RFC 1035 §4, RFC 6891, RFC 7766).
//!
//! No cache and no trust: whoever is asked, nothing in the answer is verified here. RDATA come back as octets, uncompressed,
//! whatever their type.

use super::extended_error::Explanation;
use super::message::{self, RawRecord, Reader, Unreadable};
use crate::rotation::timing::Ttl;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use hickory_proto::op::{Edns, Message, MessageType, OpCode};
use std::fmt;
use std::io::{Error as IoError, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// The UDP payload size we offer: what crosses every path unfragmented (RFC 9715 §3.1).
const PAYLOAD: u16 = 1232;
/// How often one question goes out over UDP: a lost datagram is not a silent server.
const SENDS: u32 = 3;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// One datagram each way.
    Udp,
    /// A connection for this question alone.
    Tcp,
}

/// What a server answered. Nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// RCODE with the upper bits of EDNS (RFC 6891 §6.1.3).
    pub rcode: u16,
    /// Whether the server speaks for the zone (AA).
    pub authoritative: bool,
    /// Whether more would have been said over TCP (TC).
    pub truncated: bool,
    /// Answer section.
    pub answers: Vec<Record>,
    /// Authority section.
    pub authorities: Vec<Record>,
    /// Additional section without OPT.
    pub additionals: Vec<Record>,
    /// The first extended error, if the server gave one (RFC 8914).
    pub explanation: Option<Explanation>,
}

/// Why a server gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// Nothing came in time.
    #[error("no answer within {}", Seconds(*.0))]
    TimedOut(Duration),
    /// Nothing listens there.
    #[error("connection refused")]
    ConnectionRefused,
    /// The network said no.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The connection ended before the answer did.
    #[error("the connection was closed before the answer was complete")]
    ClosedEarly,
    /// Octets that do not answer the question that was asked.
    #[error("the answer is not usable: {0}")]
    Garbage(&'static str),
    /// The question itself cannot be put on the wire.
    #[error("the question cannot be encoded: {0}")]
    Unaskable(String),
}

/// Asks `server` for `name` and `rtype`, with DNSSEC records and without recursion, and waits at most `patience` in all.
pub async fn ask(
    server: SocketAddr,
    transport: Transport,
    name: &Name,
    rtype: Rtype,
    patience: Duration,
) -> Result<Reply, Silence> {
    exchange(server, transport, name, rtype, false, patience).await
}

/// Asks a recursive resolver for `name` and `rtype`: recursion desired, DNSSEC records wanted, no checking on its side
/// (RFC 4035 §3.2.2: whoever validates for himself sets CD). A truncated datagram is asked again over TCP.
///
/// Waits at most `patience` over each transport.
pub async fn ask_resolver(
    server: SocketAddr,
    name: &Name,
    rtype: Rtype,
    patience: Duration,
) -> Result<Reply, Silence> {
    let reply = exchange(server, Transport::Udp, name, rtype, true, patience).await?;
    if reply.truncated {
        return exchange(server, Transport::Tcp, name, rtype, true, patience).await;
    }
    Ok(reply)
}

async fn exchange(
    server: SocketAddr,
    transport: Transport,
    name: &Name,
    rtype: Rtype,
    recursive: bool,
    patience: Duration,
) -> Result<Reply, Silence> {
    let id = message::random_id()
        .ok_or_else(|| Silence::Unaskable("the system gives no random octets".to_owned()))?;
    let question = encode(id, name, rtype, recursive)?;
    let expected = Expected { id, name, rtype };
    match transport {
        Transport::Udp => over_udp(server, &question, &expected, patience).await,
        Transport::Tcp => timeout(patience, over_tcp(server, &question, &expected))
            .await
            .unwrap_or(Err(Silence::TimedOut(patience))),
    }
}

/// Reads a message that must answer `name` and `rtype` under the message ID `id`.
pub fn read_reply(octets: &[u8], id: u16, name: &Name, rtype: Rtype) -> Result<Reply, Silence> {
    decode(octets, &Expected { id, name, rtype })
}

struct Expected<'a> {
    id: u16,
    name: &'a Name,
    rtype: Rtype,
}

fn encode(id: u16, name: &Name, rtype: Rtype, recursive: bool) -> Result<Vec<u8>, Silence> {
    let unaskable = |why: message::Unwritable| Silence::Unaskable(why.to_string());
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD).set_dnssec_ok(true);
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = recursive;
    message.metadata.checking_disabled = recursive;
    message.add_query(message::question(name, rtype).map_err(unaskable)?);
    message.edns = Some(edns);
    message::octets(&message, u16::MAX).map_err(unaskable)
}

async fn over_udp(
    server: SocketAddr,
    question: &[u8],
    expected: &Expected<'_>,
    patience: Duration,
) -> Result<Reply, Silence> {
    // A fresh socket for each question: the kernel picks a random port, and `connect` drops every other sender.
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await.map_err(|e| network(&e))?;
    socket.connect(server).await.map_err(|e| network(&e))?;
    let mut unusable = None;
    for _ in 0..SENDS {
        socket.send(question).await.map_err(|e| network(&e))?;
        let wait = patience.checked_div(SENDS).unwrap_or(patience);
        match timeout(wait, first_usable(&socket, expected, &mut unusable)).await {
            Ok(done) => return done,
            Err(_elapsed) => {}
        }
    }
    // Something did come, but never what was asked for: that says more than "no answer".
    Err(unusable.unwrap_or(Silence::TimedOut(patience)))
}

/// The first datagram that answers the question; others may be forged or late and are passed over (RFC 5452 §9.1).
async fn first_usable(
    socket: &UdpSocket,
    expected: &Expected<'_>,
    unusable: &mut Option<Silence>,
) -> Result<Reply, Silence> {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(|e| network(&e))?;
        match decode(buffer.get(..length).unwrap_or_default(), expected) {
            Ok(reply) => return Ok(reply),
            Err(why) => *unusable = Some(why),
        }
    }
}

async fn over_tcp(
    server: SocketAddr,
    question: &[u8],
    expected: &Expected<'_>,
) -> Result<Reply, Silence> {
    let mut stream = TcpStream::connect(server).await.map_err(|e| network(&e))?;
    let length = u16::try_from(question.len()).map_err(|e| Silence::Unaskable(e.to_string()))?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(question);
    stream.write_all(&framed).await.map_err(|e| network(&e))?;
    let length = stream.read_u16().await.map_err(|e| network(&e))?;
    let mut message = vec![0; usize::from(length)];
    stream
        .read_exact(&mut message)
        .await
        .map_err(|e| network(&e))?;
    let reply = decode(&message, expected)?;
    if reply.truncated {
        return Err(Silence::Garbage("it says TC (truncated) over TCP"));
    }
    Ok(reply)
}

fn network(error: &IoError) -> Silence {
    match error.kind() {
        ErrorKind::ConnectionRefused => Silence::ConnectionRefused,
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            Silence::ClosedEarly
        }
        _ => Silence::Unreachable(error.to_string()),
    }
}

/// Reads a message and checks that it answers the question that was asked (RFC 5452 §9.1).
fn decode(octets: &[u8], expected: &Expected<'_>) -> Result<Reply, Silence> {
    let header = message::header(octets);
    let header = header.ok_or(Silence::Garbage("it is shorter than a DNS header"))?;
    let (metadata, counts) = (header.metadata, header.counts);
    let mut reader = Reader::new(octets);
    if metadata.id != expected.id {
        return Err(Silence::Garbage("it carries another message id"));
    }
    if metadata.message_type != MessageType::Response || metadata.op_code != OpCode::Query {
        return Err(Silence::Garbage("it is not a response to a query"));
    }
    match counts.queries {
        1 => check_question(&mut reader, expected)?,
        // A server that could not read the question cannot repeat it; its RCODE still counts.
        0 if metadata.response_code.low() != 0 => {}
        _ => return Err(Silence::Garbage("it does not repeat the question")),
    }
    let mut options = None;
    let answers = section(&mut reader, counts.answers, &mut options)?;
    let authorities = section(&mut reader, counts.authorities, &mut options)?;
    let additionals = section(&mut reader, counts.additionals, &mut options)?;
    let (high, explanation) = options.map_or((0, None), |(ttl, rdata): (u32, Vec<u8>)| {
        (
            u16::from(ttl.to_be_bytes().first().copied().unwrap_or(0)),
            Explanation::first_of(&rdata),
        )
    });
    Ok(Reply {
        rcode: (high << 4) | u16::from(metadata.response_code.low()),
        authoritative: metadata.authoritative,
        truncated: metadata.truncation,
        answers,
        authorities,
        additionals,
        explanation,
    })
}

impl From<Unreadable> for Silence {
    fn from(why: Unreadable) -> Self {
        Self::Garbage(match why {
            Unreadable::Name => "a name cannot be read",
            Unreadable::CutShort => "it ends within a record",
        })
    }
}

fn check_question(reader: &mut Reader<'_>, expected: &Expected<'_>) -> Result<(), Silence> {
    let name = reader.name()?;
    let (rtype, class) = (reader.u16()?, reader.u16()?);
    if name == *expected.name && rtype == expected.rtype.0 && class == CLASS_IN {
        Ok(())
    } else {
        Err(Silence::Garbage("it repeats another question"))
    }
}

/// Reads `count` records of class IN; what an OPT record holds goes to `options`.
fn section(
    reader: &mut Reader<'_>,
    count: u16,
    options: &mut Option<(u32, Vec<u8>)>,
) -> Result<Vec<Record>, Silence> {
    // The count is the sender's claim: memory grows with the octets read, never with it.
    let mut records = Vec::new();
    for _ in 0..count {
        let mut record = reader.record()?;
        if record.rtype.0 == TYPE_OPT {
            *options = Some((record.ttl, record.data.take(record.length)?.to_vec()));
        } else if record.class == CLASS_IN {
            let rdata = uncompressed(&mut record)?;
            let RawRecord {
                owner, ttl, rtype, ..
            } = record;
            records.push(Record {
                owner,
                // RFC 2181 §8: the top bit set means zero.
                ttl: Ttl(if ttl > u32::MAX >> 1 { 0 } else { ttl }),
                rtype,
                rdata,
            });
        }
    }
    Ok(records)
}

/// RDATA without compression pointers; only the types of RFC 1035 may hold any (RFC 3597 §4).
fn uncompressed(record: &mut RawRecord<'_>) -> Result<Rdata, Silence> {
    let (before, names) = match record.rtype.0 {
        2..=5 | 7..=9 | 12 => (0, 1), // NS MD MF CNAME MB MG MR PTR
        6 | 14 => (0, 2),             // SOA MINFO
        15 => (2, 1),                 // MX
        _ => (0, 0),
    };
    let bad = || Silence::Garbage("a name within a record cannot be read");
    let data = &mut record.data;
    let end = data.at().saturating_add(record.length);
    if before > record.length {
        return Err(bad());
    }
    let mut plain = data.take(before)?.to_vec();
    for _ in 0..names {
        plain.extend_from_slice(data.name()?.wire());
    }
    let rest = end.checked_sub(data.at()).ok_or_else(bad)?;
    plain.extend_from_slice(data.take(rest)?);
    Ok(Rdata(plain.into()))
}

/// The name of an RCODE as people know it.
pub fn rcode_name(rcode: u16) -> String {
    let known = match rcode {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        16 => "BADVERS",
        _ => return format!("RCODE {rcode}"),
    };
    known.to_owned()
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
