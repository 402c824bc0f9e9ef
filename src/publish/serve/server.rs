//! The life of a running server: bound sockets, zones exchanged while it runs, an orderly end (RFC 1035 §4.2).

pub use super::handler::Transfers;
use super::handler::{Handler, Zones};
use super::served::ServedZone;
use super::tcp;
use hickory_server::Server as UdpServer;
use std::io::{Error as IoError, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A server that answers until it is shut down or dropped.
pub struct Server {
    local: SocketAddr,
    zones: Arc<Zones>,
    udp: UdpServer<Handler>,
    tcp: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

/// The sockets could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen}: {source}")]
pub struct CannotListen {
    /// The address asked for.
    pub listen: SocketAddr,
    /// Why not.
    pub source: IoError,
}

impl Server {
    /// Listens on one port over UDP and TCP; with port 0 on a free one. Serves no zone until one is published.
    pub async fn start(listen: SocketAddr, transfers: Transfers) -> Result<Self, CannotListen> {
        let (socket, listener) = bind(listen)
            .await
            .map_err(|source| CannotListen { listen, source })?;
        let local = socket
            .local_addr()
            .map_err(|source| CannotListen { listen, source })?;
        let zones = Arc::new(Zones::default());
        let handler = Handler {
            zones: Arc::clone(&zones),
            transfers: Arc::new(transfers),
        };
        let (stop, stopped) = watch::channel(false);
        let mut udp = UdpServer::new(handler.clone());
        udp.register_socket(socket);
        let tcp = tokio::spawn(tcp::listen(listener, handler, stopped));
        Ok(Self {
            local,
            zones,
            udp,
            tcp,
            stop,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves `zone` from now on, in place of the one with the same apex. An answer comes from one of them, never from both.
    pub fn publish(&self, zone: Arc<ServedZone>) {
        self.zones.publish(zone);
    }

    /// Stops accepting, lets transfers under way end within two seconds, and frees the port.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        // A socket that has failed already has nothing left to end.
        let _ = self.udp.shutdown_gracefully().await;
        let _ = (&mut self.tcp).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tcp.abort();
    }
}

/// One port for both: what the kernel picked for UDP may be taken for TCP, so try again.
async fn bind(listen: SocketAddr) -> Result<(UdpSocket, TcpListener), IoError> {
    let mut tries = if listen.port() == 0 { 32_u8 } else { 1 };
    loop {
        let socket = UdpSocket::bind(listen).await?;
        tries = tries.saturating_sub(1);
        match TcpListener::bind(socket.local_addr()?).await {
            Ok(listener) => return Ok((socket, listener)),
            Err(taken) if taken.kind() == ErrorKind::AddrInUse && tries > 0 => {}
            Err(error) => return Err(error),
        }
    }
}
