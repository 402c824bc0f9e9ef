//! The life of a running server: bound sockets, zones exchanged while it runs, an orderly end (RFC 1035 §4.2).

pub use super::event::Event;
use super::event::Events;
use super::notify::Notifier;
use super::respond::{Clock, Responder};
use super::served::ServedZone;
pub use super::zones::Access;
use super::zones::Zones;
use super::{tcp, udp};
use crate::dnssec::delta::Delta;
use crate::publish::tsig::Keyring;
use crate::rotation::timing::Instant;
use crate::workspace::config::access::Secondary;
use crate::zone::name::Name;
use std::collections::HashMap;
use std::io::{Error as IoError, ErrorKind};
use std::net::{SocketAddr, TcpListener as StdTcpListener, UdpSocket as StdUdpSocket};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Tasks that read one UDP socket: as many as answer at once on a small machine.
const READERS: usize = 2;

/// Who may do what, and who is told.
#[derive(Clone)]
pub struct Settings {
    /// Who may ask for a zone, for the zones named.
    pub access: HashMap<Name, Access>,
    /// The same for all others.
    pub otherwise: Access,
    /// Who is told of new versions of a zone.
    pub secondaries: HashMap<Name, Vec<Secondary>>,
    /// The keys that requests may be signed with.
    pub keys: Keyring,
    /// Tells the time, by which signatures of requests are judged.
    pub clock: Clock,
}

impl Settings {
    /// No key, no secondary; `clock` tells the time.
    pub fn new(clock: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self {
            access: HashMap::new(),
            otherwise: Access::default(),
            secondaries: HashMap::new(),
            keys: Keyring::default(),
            clock: Arc::new(clock),
        }
    }
}

impl Default for Settings {
    /// No key, and so nobody who asks for the time.
    fn default() -> Self {
        Self::new(|| Instant::from_unix(0))
    }
}

/// A server that answers until it is shut down or dropped.
pub struct Server {
    local: SocketAddr,
    zones: Arc<Zones>,
    notifier: Notifier,
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    events: Option<mpsc::Receiver<Event>>,
}

/// Sockets that are bound already: ours, or those that a supervisor hands over.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For datagrams.
    pub udp: Vec<StdUdpSocket>,
    /// For connections.
    pub tcp: Vec<StdTcpListener>,
}

/// The sockets could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen}: {source}")]
pub struct CannotListen {
    /// The address asked for, or of the socket that failed.
    pub listen: SocketAddr,
    /// Why not.
    pub source: IoError,
}

impl Sockets {
    /// Binds each address for UDP and TCP; with port 0 one that is free for both.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Self, CannotListen> {
        let mut sockets = Self::default();
        for &listen in addresses {
            let (udp, tcp) = bind(listen).map_err(|source| CannotListen { listen, source })?;
            sockets.udp.push(udp);
            sockets.tcp.push(tcp);
        }
        Ok(sockets)
    }

    /// Other handles of the same sockets, for a server that takes the place of another.
    pub fn try_clone(&self) -> Result<Self, IoError> {
        let udp = self.udp.iter().map(StdUdpSocket::try_clone);
        let tcp = self.tcp.iter().map(StdTcpListener::try_clone);
        Ok(Self {
            udp: udp.collect::<Result<_, _>>()?,
            tcp: tcp.collect::<Result<_, _>>()?,
        })
    }

    /// Where they listen, each address once.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let udp = self
            .udp
            .iter()
            .filter_map(|socket| socket.local_addr().ok());
        let tcp = self
            .tcp
            .iter()
            .filter_map(|socket| socket.local_addr().ok());
        let mut addresses = Vec::new();
        for address in udp.chain(tcp) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }
}

impl Server {
    /// Listens on one port over UDP and TCP; with port 0 on a free one. Serves no zone until one is published.
    pub async fn start(listen: SocketAddr, settings: Settings) -> Result<Self, CannotListen> {
        Self::on(Sockets::bind(&[listen])?, settings).await
    }

    /// Listens on sockets that are bound already. Serves no zone until one is published.
    // Sockets belong to the runtime that this is called in, which only an async function is sure to have.
    #[allow(clippy::unused_async)]
    pub async fn on(sockets: Sockets, settings: Settings) -> Result<Self, CannotListen> {
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let local = sockets.addresses().first().copied().unwrap_or(unspecified);
        let cannot = |source| CannotListen {
            listen: local,
            source,
        };
        let (events, receiver) = Events::channel();
        let keys = Arc::new(settings.keys);
        let zones = Arc::new(Zones::new(settings.access, settings.otherwise));
        let responder = Responder {
            zones: Arc::clone(&zones),
            keys: Arc::clone(&keys),
            clock: Arc::clone(&settings.clock),
            events: events.clone(),
        };
        let notifier = Notifier {
            secondaries: settings.secondaries,
            keys,
            clock: settings.clock,
            events,
            runtime: Handle::current(),
            telling: Mutex::default(),
        };
        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        for socket in sockets.udp {
            socket.set_nonblocking(true).map_err(cannot)?;
            let socket = Arc::new(UdpSocket::from_std(socket).map_err(cannot)?);
            for _ in 0..READERS {
                let serve = udp::serve(Arc::clone(&socket), responder.clone(), stopped.clone());
                tasks.push(tokio::spawn(serve));
            }
        }
        let shared = tcp::Shared::new(responder);
        for listener in sockets.tcp {
            listener.set_nonblocking(true).map_err(cannot)?;
            let listener = TcpListener::from_std(listener).map_err(cannot)?;
            tasks.push(tokio::spawn(tcp::listen(
                listener,
                shared.clone(),
                stopped.clone(),
            )));
        }
        Ok(Self {
            local,
            zones,
            notifier,
            tasks,
            stop,
            events: Some(receiver),
        })
    }

    /// Where it listens: the first of its addresses.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What happens from now on. There is one listener; who asks again gets nothing.
    pub fn events(&mut self) -> Option<mpsc::Receiver<Event>> {
        self.events.take()
    }

    /// Serves `zone` from now on, in place of the one with the same apex, and tells its secondaries. An answer comes from
    /// one of them, never from both; transfers under way end with the version they began with.
    ///
    /// What changed since the version before is returned, if there was one that leads to this.
    pub fn publish(&self, zone: Arc<ServedZone>) -> Option<Arc<Delta>> {
        self.publish_after(zone, Vec::new())
    }

    /// The same; `earlier` are changes that led to this version before the server ran, for who asks for them.
    pub fn publish_after(&self, zone: Arc<ServedZone>, earlier: Vec<Delta>) -> Option<Arc<Delta>> {
        let told = Arc::clone(&zone);
        let delta = self.zones.publish(zone, earlier);
        self.notifier.tell(&told);
        delta
    }

    /// Stops accepting, lets transfers under way end within two seconds, and frees the port.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        self.notifier.stop();
        for task in &mut self.tasks {
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.notifier.stop();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// One port for both: what the kernel picked for UDP may be taken for TCP, so try again.
fn bind(listen: SocketAddr) -> Result<(StdUdpSocket, StdTcpListener), IoError> {
    let mut tries = if listen.port() == 0 { 32_u8 } else { 1 };
    loop {
        let socket = StdUdpSocket::bind(listen)?;
        tries = tries.saturating_sub(1);
        match StdTcpListener::bind(socket.local_addr()?) {
            Ok(listener) => return Ok((socket, listener)),
            Err(taken) if taken.kind() == ErrorKind::AddrInUse && tries > 0 => {}
            Err(error) => return Err(error),
        }
    }
}
