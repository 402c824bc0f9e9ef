//! DNS over TCP: connections that are few, brief, and written no faster than they are read (RFC 7766).

use super::event::Event;
use super::respond::{Reply, Responder, Transport};
use std::collections::HashMap;
use std::io::{Error as IoError, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections held at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 256;
/// Connections held at once from one address; further ones are closed: one that stalls must not keep out the others.
const FROM_ONE: usize = 128;
/// Transfers under way at once, in all and to one address; further ones wait for their turn. One who reads nothing has a
/// turn as long as [`STALLED`] allows, but never those of others.
const TRANSFERS: usize = 64;
const TRANSFERS_TO_ONE: usize = 4;
/// How long a connection may rest between requests, or take for one (RFC 7766 §6.2.3).
const IDLE: Duration = Duration::from_secs(8);
/// How long a reader may take for one message of ours before we give it up.
const STALLED: Duration = Duration::from_secs(20);
/// How long transfers under way may go on after shutdown was asked for.
const FAREWELL: Duration = Duration::from_secs(2);

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    responder: Responder,
    free: Arc<Semaphore>,
    transfers: Arc<Semaphore>,
    guests: Guests,
}

impl Shared {
    pub(super) fn new(responder: Responder) -> Self {
        Self {
            responder,
            free: Arc::new(Semaphore::new(CONNECTIONS)),
            transfers: Arc::new(Semaphore::new(TRANSFERS)),
            guests: Guests::default(),
        }
    }
}

/// Accepts until `stop` turns true, then lets what is under way end.
pub(super) async fn listen(listener: TcpListener, shared: Shared, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = accept(&listener, &shared.free) => accepted,
            _ = stop.wait_for(|stopped| *stopped) => break,
        };
        let Some((stream, peer, permit)) = accepted else {
            continue;
        };
        let Some(visit) = Visit::begin(&shared.guests, peer.ip()) else {
            continue;
        };
        let (shared, stop) = (shared.clone(), stop.clone());
        connections.spawn(async move {
            serve(stream, peer, &visit, &shared, stop).await;
            drop((visit, permit));
        });
    }
    let _ = timeout(FAREWELL, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, free: &Arc<Semaphore>) -> Option<Accepted> {
    let permit = Arc::clone(free).acquire_owned().await.ok()?;
    if let Ok((stream, peer)) = listener.accept().await {
        return Some((stream, peer, permit));
    }
    // Out of file descriptors, or the peer has gone already: the next try must not spin.
    tokio::time::sleep(Duration::from_millis(50)).await;
    None
}

/// Who is connected, by address.
type Guests = Arc<Mutex<HashMap<IpAddr, Guest>>>;

/// What one address has.
struct Guest {
    connections: usize,
    transfers: Arc<Semaphore>,
}

/// One connection of those from one address, while it lasts.
struct Visit {
    guests: Guests,
    from: IpAddr,
    transfers: Arc<Semaphore>,
}

impl Visit {
    fn begin(guests: &Guests, from: IpAddr) -> Option<Self> {
        let mut locked = guests.lock().unwrap_or_else(PoisonError::into_inner);
        let guest = locked.entry(from).or_insert_with(|| Guest {
            connections: 0,
            transfers: Arc::new(Semaphore::new(TRANSFERS_TO_ONE)),
        });
        if guest.connections >= FROM_ONE {
            return None;
        }
        guest.connections = guest.connections.saturating_add(1);
        Some(Self {
            guests: Arc::clone(guests),
            from,
            transfers: Arc::clone(&guest.transfers),
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut locked = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(guest) = locked.get_mut(&self.from) {
            guest.connections = guest.connections.saturating_sub(1);
            if guest.connections == 0 {
                locked.remove(&self.from);
            }
        }
    }
}

/// Requests in turn, each answered before the next is read.
async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    visit: &Visit,
    shared: &Shared,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are written whole: there is nothing to wait for to send along.
    let _ = stream.set_nodelay(true);
    loop {
        let message = tokio::select! {
            message = timeout(IDLE, read(&mut stream)) => message,
            _ = stop.wait_for(|stopped| *stopped) => return,
        };
        let Ok(Some(message)) = message else {
            return;
        };
        if respond(&message, (peer, visit), shared, &mut stream)
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

/// Answers one message; an error where the connection is of no more use.
async fn respond(
    message: &[u8],
    (peer, visit): (SocketAddr, &Visit),
    shared: &Shared,
    stream: &mut TcpStream,
) -> Result<(), IoError> {
    let responder = &shared.responder;
    let mut transfer = match responder.respond(message, peer, Transport::Tcp) {
        Reply::Nothing => return Err(ErrorKind::InvalidData.into()),
        Reply::Message(answer) => return write(stream, answer).await,
        Reply::Transfer(transfer) => transfer,
    };
    let turn = (
        visit.transfers.acquire().await,
        shared.transfers.acquire().await,
    );
    let (zone, serial, since) = (transfer.apex().clone(), transfer.serial(), transfer.since());
    let mut sent = Ok(());
    while let Some(message) = transfer.next((responder.clock)()) {
        sent = write(stream, message).await;
        if sent.is_err() {
            break;
        }
    }
    drop(turn);
    responder.events.tell(match &sent {
        Ok(()) => Event::Transferred {
            zone,
            to: peer,
            serial,
            since,
        },
        Err(why) => Event::TransferBroke {
            zone,
            to: peer,
            why: why.to_string(),
        },
    });
    sent
}

async fn write(stream: &mut TcpStream, mut message: Vec<u8>) -> Result<(), IoError> {
    let length =
        u16::try_from(message.len()).map_err(|_| IoError::other("a message above 64 KiB"))?;
    message.splice(..0, length.to_be_bytes());
    timeout(STALLED, stream.write_all(&message))
        .await
        .map_err(|_| IoError::new(ErrorKind::TimedOut, "the requester does not read"))?
}
