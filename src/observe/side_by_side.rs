//! Many looks at once, no more than so many under way: nobody waits for another's silence, and what was seen stands in the
//! order in which it was asked for.
//!
//! For looks that borrow; those that own what they need are tasks of their own.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Looks at each of `places`, at most `at_once` of them at a time.
pub async fn side_by_side<P, L: Future>(
    places: impl IntoIterator<Item = P>,
    at_once: usize,
    look: impl Fn(P) -> L,
) -> Vec<L::Output> {
    let mut waiting = places.into_iter().map(look).enumerate();
    let mut under_way: Vec<(usize, Pin<Box<L>>)> = Vec::new();
    let mut seen: Vec<(usize, L::Output)> = Vec::new();
    poll_fn(|context| {
        loop {
            let free = at_once.max(1).saturating_sub(under_way.len());
            let begun = waiting.by_ref().take(free);
            under_way.extend(begun.map(|(number, look)| (number, Box::pin(look))));
            if under_way.is_empty() {
                return Poll::Ready(());
            }
            let before = seen.len();
            under_way.retain_mut(|(number, look)| match look.as_mut().poll(context) {
                Poll::Ready(it) => {
                    seen.push((*number, it));
                    false
                }
                Poll::Pending => true,
            });
            // Whatever ended made room: those that come into it must be polled, or nobody would wake us for them.
            if seen.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
    seen.sort_by_key(|(number, _)| *number);
    seen.into_iter().map(|(_, it)| it).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::observe::wait_for;
    use std::cell::Cell;
    use tokio::task::yield_now;

    #[test]
    fn as_many_as_may_are_under_way_and_the_order_is_that_of_the_places() {
        #[rustfmt::skip]
        let table = [
            (0, 3, 0, "nothing to look at"),
            (1, 3, 1, "one"),
            (3, 3, 3, "all at once"),
            (10, 3, 3, "no more than may"),
            (4, 0, 1, "no turn at all is one"),
        ];
        for (places, at_once, expected, why) in table {
            let (now, most) = (Cell::new(0), Cell::new(0));
            let (now, most) = (&now, &most);
            let seen = wait_for(side_by_side(
                0..places,
                at_once,
                |place: usize| async move {
                    now.set(now.get() + 1);
                    most.set(most.get().max(now.get()));
                    // The first of all takes longest.
                    for _ in place..places {
                        yield_now().await;
                    }
                    now.set(now.get() - 1);
                    place
                },
            ));
            assert_eq!(seen.unwrap(), (0..places).collect::<Vec<_>>(), "{why}");
            assert_eq!(most.get(), expected, "{why}");
        }
    }

    #[test]
    fn one_that_is_silent_keeps_no_other_from_its_turn() {
        let left = Cell::new(9);
        let left = &left;
        let seen = wait_for(side_by_side(0..10, 2, |place| async move {
            // The first answers only when all others have.
            while place == 0 && left.get() > 0 {
                yield_now().await;
            }
            left.set(left.get() - 1);
            place
        }));
        assert_eq!(seen.unwrap(), (0..10).collect::<Vec<_>>());
    }
}
