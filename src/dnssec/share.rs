//! Work shared among threads: in blocks, so that all end together, and with results in the order of the work.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `items` in blocks of `size`, on at most `threads` threads; one result for each block, in order.
///
/// `worker` is called once on each thread and makes what works there, with buffers of its own. Where one thread panics, so
/// does the caller: a result is of all the work or there is none.
pub(crate) fn in_blocks<T: Sync, R: Send, W: FnMut(&[T]) -> R>(
    items: &[T],
    size: usize,
    threads: NonZeroUsize,
    worker: impl Fn() -> W + Sync,
) -> Vec<R> {
    let blocks: Vec<&[T]> = items.chunks(size.max(1)).collect();
    let next = AtomicUsize::new(0);
    let take_until_done = || -> Vec<(usize, R)> {
        let mut work = worker();
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = blocks.get(at) else {
                return done;
            };
            done.push((at, work(block)));
        }
    };
    let threads = threads.get().min(blocks.len());
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take_until_done)).collect();
        let mut done = take_until_done();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_nothing_is_left_out_or_done_twice() {
        let items: Vec<usize> = (0..1000).collect();
        for (size, threads) in [(1, 1), (7, 4), (0, 2), (2000, 3)] {
            let threads = NonZeroUsize::new(threads).unwrap();
            let blocks = in_blocks(&items, size, threads, || <[usize]>::to_vec);
            assert_eq!(blocks.concat(), items, "blocks of {size}");
        }
        let none = in_blocks(&[0; 0], 5, NonZeroUsize::MIN, || <[usize]>::to_vec);
        assert!(none.is_empty());
    }

    #[test]
    fn a_panic_in_one_thread_is_the_panic_of_all_of_it() {
        let here = thread::current().id();
        let items = [0; 100];
        let run = std::panic::catch_unwind(|| {
            in_blocks(&items, 1, NonZeroUsize::new(2).unwrap(), || {
                assert!(thread::current().id() == here, "the other thread fails");
                <[i32]>::to_vec
            })
        });
        assert!(run.is_err(), "half of the work passes for the whole");
    }
}
