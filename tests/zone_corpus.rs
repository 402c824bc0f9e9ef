//! Our reading of every master file in the sources of other name servers against the reading of those servers.
//!
//! The sources are never part of this repository: `scripts/corpus` fetches them. Without them there is nothing to compare.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![allow(clippy::format_collect, clippy::format_push_string)]

mod corpus_support;

use corpus_support::files::{Sample, root, samples};
use corpus_support::known::{How, KNOWN, Known};
use corpus_support::peers::{Answer, PEERS, Peer};
use corpus_support::{only, rows};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One difference between a peer and us.
#[derive(Debug)]
struct Difference {
    peer: Peer,
    how: How,
    file: String,
    says: String,
}

/// Runs a question on every sample, on all cores; the answers in the order of the samples.
fn on_all<T: Send>(samples: &[Sample], ask: impl Fn(&Sample) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let mut answers: Vec<(usize, T)> = std::thread::scope(|scope| {
        let work = || {
            let mut mine = Vec::new();
            while let Some((at, sample)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                samples.get(at).map(|s| (at, s))
            } {
                mine.push((at, ask(sample)));
            }
            mine
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|w| w.join().unwrap())
            .collect()
    });
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn differences(sample: &Sample) -> Vec<Difference> {
    let file = sample.read();
    let ours = file.zone().map(|z| rows(&z));
    let compare = |peer: Peer| {
        let (how, says) = match (peer.ask(sample), &ours) {
            (Answer::Refused(_), Err(_)) => return None,
            (Answer::Refused(says), Ok(_)) => (How::PeerRefuses, says),
            (Answer::Zone(_), Err(found)) => (How::PeerAccepts, found.to_string()),
            (Answer::Zone(None), Ok(_)) => return None,
            (Answer::Zone(Some(theirs)), Ok(ours)) => {
                if theirs == *ours {
                    return None;
                }
                let (missing, extra) = (only(&theirs, ours), only(ours, &theirs));
                (
                    How::OtherRecords,
                    format!("only the peer has\n{missing}only we have\n{extra}"),
                )
            }
        };
        let file = format!("{}/{}", sample.package, sample.name);
        Some(Difference {
            peer,
            how,
            file,
            says,
        })
    };
    PEERS.into_iter().filter_map(compare).collect()
}

fn explains(known: &Known, found: &Difference) -> bool {
    known.peer == found.peer
        && known.how == found.how
        && found.says.contains(known.says)
        && found.file.contains(known.files)
}

#[test]
fn every_master_file_means_to_us_what_it_means_to_others() {
    let Some(root) = root() else {
        println!("no corpus: scripts/corpus fetches it");
        return;
    };
    let samples = samples(&root);
    let found: Vec<Difference> = on_all(&samples, differences)
        .into_iter()
        .flatten()
        .collect();
    let mut table: BTreeMap<(&str, Peer), (usize, usize)> = BTreeMap::new();
    for sample in &samples {
        for peer in PEERS {
            table.entry((&sample.package, peer)).or_default().0 += 1;
        }
    }
    for difference in &found {
        let package = difference.file.split('/').next().unwrap();
        table.get_mut(&(package, difference.peer)).unwrap().1 += 1;
    }
    for ((package, peer), (files, differ)) in &table {
        println!(
            "{package:10} {files:5} files  {peer:?}: {} agree, {differ} differ",
            files - differ
        );
    }
    let mut wrong = String::new();
    for known in KNOWN {
        let count = found.iter().filter(|d| explains(known, d)).count();
        println!(
            "{count:5} {:?} {:?} {}: {}",
            known.peer, known.how, known.says, known.why
        );
        if count == 0 {
            wrong.push_str(&format!("no longer differs: {known:?}\n"));
        }
    }
    for new in found
        .iter()
        .filter(|d| !KNOWN.iter().any(|k| explains(k, d)))
    {
        let says: String = new.says.chars().take(600).collect();
        wrong.push_str(&format!(
            "{:?} {:?} {}\n{says}\n\n",
            new.peer, new.how, new.file
        ));
    }
    assert!(wrong.is_empty(), "{wrong}");
}
