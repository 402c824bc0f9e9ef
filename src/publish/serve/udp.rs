//! DNS over UDP: a datagram in, at most one out, in the order they come (RFC 1035 §4.2.1).

use super::respond::{Reply, Responder, Transport};
use std::panic::{AssertUnwindSafe, catch_unwind};
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
        // A mistake of ours in one answer, which the panic hook tells, must not leave all others unanswered.
        let answer = || responder.respond(message, peer, Transport::Udp);
        if let Ok(Reply::Message(answer)) = catch_unwind(AssertUnwindSafe(answer)) {
            let _ = socket.try_send_to(&answer, peer);
        }
        if stop.has_changed().unwrap_or(true) && *stop.borrow_and_update() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::publish::serve::server::{Server, Settings};
    use crate::rotation::timing::Instant;
    use std::net::UdpSocket;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_mistake_in_one_answer_leaves_none_of_the_next_unanswered() {
        const MISTAKES: usize = 8;
        let asked = AtomicUsize::new(0);
        // The clock is read for every request: with it the answer fails.
        let settings = Settings::new(move || {
            assert!(
                asked.fetch_add(1, Ordering::Relaxed) >= MISTAKES,
                "a mistake"
            );
            Instant::from_unix(0)
        });
        let server = Server::start("127.0.0.1:0".parse().unwrap(), settings);
        let server = server.await.unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server.local_addr()).unwrap();
        let question = b"\0\x07\0\0\0\x01\0\0\0\0\0\0\x01e\0\0\x06\0\x01";
        let patience = Some(Duration::from_millis(200));
        socket.set_read_timeout(patience).unwrap();
        let mut answer = [0; 512];
        let answered = (0..100).any(|_| {
            socket.send(question).unwrap();
            socket.recv(&mut answer).is_ok()
        });
        assert!(answered);
        assert_eq!(&answer[..2], b"\0\x07");
    }
}
