//! Asking again where a mail server is busy or defers: one conversation after another at its address, and later ones further
//! apart (RFC 5321 §4.2.1, §4.5.4.1; RFC 6647 §5 for greylisting).

use super::progress::Waiting;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Mutex as Turn;
use tokio::time::{Instant, sleep};

/// How long to wait before a server is asked again.
#[derive(Clone, Copy)]
pub(super) struct Pauses {
    /// The first time; each further pause is twice as long.
    first: Duration,
    /// No pause is longer.
    longest: Duration,
}

/// Some servers have room again after a moment, others want minutes.
pub(super) const USUAL: Pauses = Pauses {
    first: Duration::from_secs(2),
    longest: Duration::from_secs(60),
};

/// Whose turn it is at each address where conversations wait for one another.
static TURNS: LazyLock<Mutex<HashMap<SocketAddr, Weak<Turn<()>>>>> = LazyLock::new(Mutex::default);

fn turn_at(address: SocketAddr) -> Arc<Turn<()>> {
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    turns.retain(|_, turn| turn.strong_count() > 0);
    if let Some(turn) = turns.get(&address).and_then(Weak::upgrade) {
        return turn;
    }
    let turn = Arc::new(Turn::default());
    turns.insert(address, Arc::downgrade(&turn));
    turn
}

/// What became of a conversation, for whoever decides about another.
pub(super) enum Outcome<T> {
    /// It came to its end.
    Done(T),
    /// The server put it off: it is busy, or asks for patience. It is asked again.
    PutOff(T),
}

/// The outcome of the last of the conversations that `converse` begins, the first at once and others while the server puts
/// them off and there is time; and how many there were.
pub(super) async fn again<T, F>(
    address: SocketAddr,
    within: Duration,
    pauses: Pauses,
    mut converse: impl FnMut() -> F,
) -> (T, u32)
where
    F: Future<Output = Outcome<T>>,
{
    let deadline = Instant::now().checked_add(within);
    let left = || deadline.map_or(within, |d| d.saturating_duration_since(Instant::now()));
    let mut put_off = match converse().await {
        Outcome::Done(done) => return (done, 1),
        Outcome::PutOff(put_off) => put_off,
    };
    let _waiting = Waiting::at(address, "the server asks for patience");
    let turn = turn_at(address);
    let mut pause = pauses.first;
    let mut asked = 1_u32;
    while pause < left() {
        let _turn = turn.lock().await;
        if pause >= left() {
            break;
        }
        sleep(pause).await;
        asked = asked.saturating_add(1);
        match converse().await {
            Outcome::Done(done) => return (done, asked),
            Outcome::PutOff(again) => put_off = again,
        }
        pause = pause.saturating_mul(2).min(pauses.longest);
    }
    (put_off, asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const QUICK: Pauses = Pauses {
        first: Duration::from_millis(2),
        longest: Duration::from_millis(8),
    };

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 25))
    }

    /// How often a server is asked that has room after it was asked `busy` times.
    async fn asked(within: Duration, busy: u32) -> (bool, u32) {
        let asked = Cell::new(0_u32);
        let converse = || async {
            asked.set(asked.get().saturating_add(1));
            if asked.get() > busy {
                Outcome::Done(true)
            } else {
                Outcome::PutOff(false)
            }
        };
        again(address(1), within, QUICK, converse).await
    }

    #[tokio::test]
    async fn who_is_put_off_is_asked_again_while_there_is_time() {
        let (long, short) = (Duration::from_secs(60), Duration::from_millis(1));
        assert_eq!(asked(long, 0).await, (true, 1), "at once");
        assert_eq!(asked(long, 12).await, (true, 13), "as often as it takes");
        assert_eq!(asked(short, 9).await, (false, 1), "no time for a pause");
        let (done, times) = asked(Duration::from_millis(100), u32::MAX).await;
        assert!(!done && (2..60).contains(&times), "{times}: it ends");
    }

    #[tokio::test]
    async fn conversations_that_are_put_off_follow_one_another() {
        let (under_way, most) = (Cell::new(0_u32), Cell::new(0_u32));
        let one = || async {
            let first = Cell::new(true);
            let converse = || async {
                if first.replace(false) {
                    return Outcome::PutOff(());
                }
                under_way.set(under_way.get().saturating_add(1));
                most.set(most.get().max(under_way.get()));
                sleep(Duration::from_millis(20)).await;
                under_way.set(under_way.get().saturating_sub(1));
                Outcome::Done(())
            };
            again(address(2), Duration::from_secs(60), QUICK, converse).await
        };
        let (a, b, c) = tokio::join!(one(), one(), one());
        assert_eq!([a.1, b.1, c.1], [2, 2, 2]);
        assert_eq!(most.get(), 1);
    }
}
