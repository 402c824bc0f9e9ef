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
#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    clippy::print_stdout
)]

mod corpus_support;

use corpus_support::files::{Sample, on_all, root, samples};
use corpus_support::known::{How, KNOWN, Known};
use corpus_support::peers::{Answer, PEERS, Peer};
use corpus_support::{Rows, only, rows};
use std::collections::BTreeMap;
use tlsa_rotate::zone::diagnostic::{Diagnostic, Severity};

/// One difference between a peer and us.
#[derive(Debug)]
struct Difference {
    peer: Peer,
    how: How,
    file: String,
    says: String,
}

/// Every error, one a line, in the order of the text.
fn errors(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|d| d.severity == Severity::Error);
    errors
        .map(|d| format!("{}: {}\n", d.line, d.message))
        .collect()
}

fn differences(sample: &Sample) -> Vec<Difference> {
    let file = sample.read();
    let ours = file.zone().map(|z| rows(&z));
    let compare = |peer: Peer| {
        let (how, says) = match (peer.ask(sample), &ours) {
            (Answer::Refused(_), Err(_)) | (Answer::Zone(None), Ok(_)) => return None,
            (Answer::Refused(says), Ok(_)) => (How::PeerRefuses, says),
            (Answer::Zone(_), Err(found)) => (How::PeerAccepts, errors(&found.0)),
            (Answer::Zone(Some(theirs)), Ok(ours)) => {
                let (theirs, ours) = (peer.sees(&theirs), peer.sees(ours));
                if theirs == ours {
                    return None;
                }
                let (missing, extra) = (only(&theirs, &ours), only(&ours, &theirs));
                let timeless = |rows: &Rows| -> Rows {
                    let rows = rows.iter().cloned();
                    rows.map(|(owner, rtype, _, data)| (owner, rtype, 0, data))
                        .collect()
                };
                let what = if timeless(&theirs) == timeless(&ours) {
                    "only TTLs differ"
                } else {
                    "records differ"
                };
                (
                    How::OtherRecords,
                    format!("{what}\nonly the peer has\n{missing}only we have\n{extra}"),
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

fn explains(Known(peer, how, says, files, _): &Known, found: &Difference) -> bool {
    (*peer, *how) == (found.peer, found.how)
        && found.says.contains(says)
        && found.file.contains(files)
}

#[test]
#[ignore = "long: scripts/test runs it"]
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
        let Known(peer, how, says, files, why) = known;
        let count = found.iter().filter(|d| explains(known, d)).count();
        println!("{count:5} {peer:?} {how:?} `{says}` {files}: {why}");
        if count == 0 {
            wrong.push_str(&format!(
                "no longer differs: {peer:?} {how:?} `{says}` {files}\n"
            ));
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
