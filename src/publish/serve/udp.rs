//! DNS over UDP: a datagram in, at most one out, in the order they come (RFC 1035 §4.2.1).

use super::respond::{Reply, Responder, Transport};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// Requests are short; what is longer is cut off and then malformed.
const LONGEST: usize = 4096;

/// Answers until `stop` turns true. An answer that the kernel has no room for is lost, as any datagram may be.
pub(super) async fn serve(
    socket: Arc<UdpSocket>,
    responder: Responder,
    mut stop: watch::Receiver<bool>,
) {
    let mut buffer = [0; LONGEST];
    loop {
        let received = tokio::select! {
            biased;
            received = socket.recv_from(&mut buffer) => received,
            _ = stop.wait_for(|stopped| *stopped) => return,
        };
        let Ok((length, peer)) = received else {
            // An answer before this one that nobody wanted comes back as an error here; the next call may do.
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let message = buffer.get(..length).unwrap_or_default();
        if let Reply::Message(answer) = responder.respond(message, peer, Transport::Udp) {
            let _ = socket.try_send_to(&answer, peer);
        }
        if stop.has_changed().unwrap_or(true) && *stop.borrow_and_update() {
            return;
        }
    }
}
