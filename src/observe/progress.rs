//! What a look at the network waits for, told to whoever looks on after some seconds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Nobody is told of what takes no longer than this.
const QUIET: Duration = Duration::from_secs(5);
/// So often it is said again.
const AGAIN: Duration = Duration::from_secs(15);
/// Places that one line names.
const NAMED: usize = 3;

static TELL: OnceLock<fn(&str)> = OnceLock::new();
static WAITING: Mutex<BTreeMap<(SocketAddr, &'static str), usize>> = Mutex::new(BTreeMap::new());

/// Whom to tell, from now on; the first who is named stays.
pub fn tell_with(tell: fn(&str)) {
    let _ = TELL.set(tell);
}

/// That somebody waits at an address, for as long as this lives.
pub(super) struct Waiting(SocketAddr, &'static str);

impl Waiting {
    /// Waits at `address` for `what`.
    pub(super) fn at(address: SocketAddr, what: &'static str) -> Self {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entry((address, what)).or_default();
        *count = count.saturating_add(1);
        Self(address, what)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&(self.0, self.1)) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                waiting.remove(&(self.0, self.1));
            }
        }
    }
}

/// What is waited for now, in one line; `None` for nothing.
fn line(after: Duration) -> Option<String> {
    let waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    let places: Vec<String> = waiting
        .keys()
        .map(|(address, what)| format!("{address} ({what})"))
        .collect();
    let first = places.get(..NAMED.min(places.len()))?.join(", ");
    let more = match places.len().saturating_sub(NAMED) {
        _ if places.is_empty() => return None,
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "waiting since {} s for {first}{more}",
        after.as_secs()
    ))
}

/// Runs a look, and tells what it waits for while it takes long.
pub(super) async fn telling<T>(look: impl Future<Output = T>) -> T {
    let Some(tell) = TELL.get() else {
        return look.await;
    };
    let began = Instant::now();
    let mut look = std::pin::pin!(look);
    let first = began.checked_add(QUIET).unwrap_or(began);
    let mut ticks = interval_at(first, AGAIN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut look => return done,
            _ = ticks.tick() => {
                if let Some(line) = line(began.elapsed()) {
                    tell(&line);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_named_until_it_is_over() {
        let at = |last| SocketAddr::from(([192, 0, 2, last], 25));
        let line = || line(Duration::from_secs(20)).unwrap_or_default();
        let before = line();
        let (one, same) = (
            Waiting::at(at(1), "its greeting"),
            Waiting::at(at(1), "its greeting"),
        );
        assert_eq!(line(), "waiting since 20 s for 192.0.2.1:25 (its greeting)");
        drop(same);
        let more: Vec<Waiting> = (2..=5)
            .map(|last| Waiting::at(at(last), "its greeting"))
            .collect();
        assert!(
            line().ends_with("192.0.2.3:25 (its greeting) and 2 more"),
            "{}",
            line()
        );
        drop((one, more));
        assert_eq!(line(), before);
    }
}
