//! The supervisor that started us: sockets it hands over, and what it is told (`sd_listen_fds(3)`, `sd_notify(3)`).

use crate::cli::Failure;
use crate::publish::serve::server::Sockets;
use listenfd::ListenFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The sockets that were handed over; none if nobody handed over any.
pub(super) fn sockets() -> Result<Option<Sockets>, Failure> {
    let mut given = ListenFd::from_env();
    if given.len() == 0 {
        return Ok(None);
    }
    let mut sockets = Sockets::default();
    for index in 0..given.len() {
        if let Ok(Some(socket)) = given.take_udp_socket(index) {
            sockets.udp.push(socket);
        } else if let Ok(Some(listener)) = given.take_tcp_listener(index) {
            sockets.tcp.push(listener);
        } else {
            let message =
                format!("socket {index} of those handed over is neither UDP nor listening TCP");
            return Err(Failure::wrong(message).hint(
                "in the .socket unit: ListenDatagram= and ListenStream=, of the same address",
            ));
        }
    }
    if sockets.udp.is_empty() || sockets.tcp.is_empty() {
        return Err(Failure::wrong(
            "DNS is served over UDP and TCP; only one of them was handed over",
        )
        .hint("in the .socket unit: ListenDatagram= and ListenStream=, of the same address"));
    }
    Ok(Some(sockets))
}

/// Tells the supervisor how we stand, if there is one that wants to know; that it cannot be told is no reason to stop.
pub(super) fn tell(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let path = path.to_string_lossy();
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&*path),
    };
    if let (Ok(socket), Ok(address)) = (UnixDatagram::unbound(), address) {
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}
