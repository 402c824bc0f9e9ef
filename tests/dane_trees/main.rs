//! Random certificate trees, judged by this program and by the libraries that senders judge with: libssl (Postfix) and
//! libdane of GnuTLS (Exim), over their own interfaces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    missing_docs
)]

mod der;
mod odd;
mod peer;
mod tree;

use odd::Odd;
use peer::Peer;
use std::collections::BTreeMap;
use tlsa_rotate::dane::certificate::Certificate;
use tlsa_rotate::dane::judge::{self, Rules, Verdict};
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::timing::Instant;
use tree::{AT, Tree};

/// Trees in everyday runs and in long ones.
const SAMPLE: u64 = 300;
const MANY: u64 = 10_000;

#[test]
fn a_few_trees_are_judged_as_senders_judge_them() {
    grown(1, SAMPLE);
}

#[test]
#[ignore = "long: some minutes"]
fn many_trees_are_judged_as_senders_judge_them() {
    grown(1_000_000, MANY);
}

/// Each odd thing at the leaf, at its issuer and further up in trees that are good without.
#[test]
fn every_odd_thing_is_judged_as_senders_judge_it() {
    let keys = tree::keys();
    let mut openssl = Peer::start("openssl", &["-lssl", "-lcrypto"]);
    let mut gnutls = Peer::start("gnutls", &["-lgnutls-dane", "-lgnutls"]);
    let mut seeds = (1_u64..).filter(|seed| {
        let tree = Tree::grow_with(*seed, &keys, |_| None);
        tree.chain.len() > 2 && openssl.judge(&tree) == "ok" && gnutls.judge(&tree) == "ok"
    });
    let seeds: Vec<u64> = seeds.by_ref().take(7).collect();
    let mut trees = Vec::new();
    for odd in Odd::all() {
        for place in 0..3 {
            let seed = seeds[trees.len() % seeds.len()];
            trees.push(Tree::grow_with(seed, &keys, |_| Some((place, odd))));
        }
    }
    compare(trees.into_iter());
}

fn grown(first: u64, count: u64) {
    let first = std::env::var("SEED").map_or(first, |seed| seed.parse().unwrap());
    let count = std::env::var("TREES").map_or(count, |trees| trees.parse().unwrap());
    let keys = tree::keys();
    println!("{count} trees from seed {first}");
    compare((first..first + count).map(|seed| Tree::grow(seed, &keys)));
}

fn compare(trees: impl Iterator<Item = Tree>) {
    let mut openssl = Peer::start("openssl", &["-lssl", "-lcrypto"]);
    let mut gnutls = Peer::start("gnutls", &["-lgnutls-dane", "-lgnutls"]);
    let mut pairs: BTreeMap<String, u64> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for tree in trees {
        let (ours, by_gnutls, why) = judged(&tree);
        let theirs = openssl.judge(&tree);
        let theirs_word = word(&theirs);
        let their_gnutls = gnutls.judge(&tree);
        let gnutls_word = if their_gnutls == "ok" {
            "verified"
        } else {
            "refused"
        };
        *pairs
            .entry(format!("openssl {theirs_word:9} ours {ours}"))
            .or_default() += 1;
        if ours != "unusable" {
            *pairs
                .entry(format!("gnutls  {gnutls_word:9} ours {by_gnutls}"))
                .or_default() += 1;
        }
        *pairs
            .entry(format!(
                "senders: openssl {theirs_word}, gnutls {gnutls_word}"
            ))
            .or_default() += 1;
        if ours != theirs_word && ours != "unseen" {
            let kind = format!("openssl {theirs}, ours {ours}: {}", tree.odd);
            *kinds.entry(kind).or_default() += 1;
            unexplained.push(format!(
                "{}  openssl: {theirs}\n  ours: {ours} {why}",
                tree.told
            ));
        }
        let asked = !["unusable", "unseen"].contains(&ours);
        if asked && by_gnutls != gnutls_word {
            let kind = format!("gnutls {their_gnutls}, ours {by_gnutls}: {}", tree.odd);
            *kinds.entry(kind).or_default() += 1;
            unexplained.push(format!(
                "{}  gnutls: {their_gnutls}\n  ours: {by_gnutls} {why}",
                tree.told
            ));
        }
    }
    for (pair, count) in &pairs {
        println!("{count:6}  {pair}");
    }
    for (kind, count) in &kinds {
        println!("{count:6}  {kind}");
    }
    unexplained.sort_by_key(|one| one.contains("  gnutls: "));
    let shown = std::env::var("SHOW").map_or(12, |show| show.parse().unwrap());
    for one in unexplained.iter().take(shown) {
        println!("{one}");
    }
    assert!(
        unexplained.is_empty(),
        "{} trees are judged otherwise",
        unexplained.len()
    );
}

fn word(answer: &str) -> &'static str {
    match answer {
        "ok" => "verified",
        "unusable" => "unusable",
        _ => "refused",
    }
}

fn judged(tree: &Tree) -> (&'static str, &'static str, String) {
    let records: Vec<Association> = tree
        .records
        .iter()
        .map(|(usage, selector, matching, data)| Association {
            usage: *usage,
            selector: *selector,
            matching: *matching,
            data: data.clone(),
        })
        .collect();
    let chain = judge::presented(&tree.chain);
    let unread = tree
        .chain
        .iter()
        .any(|der| Certificate::from_der(der).is_err());
    let Some(chain) = chain.as_ref().ok().filter(|_| !unread) else {
        // No handshake of OpenSSL's takes it in, and so nobody here ever sees it.
        return ("unseen", "unseen", format!("{:?}", chain.err()));
    };
    let judgement = judge::judge(
        &records,
        chain,
        &tree.hosts,
        Instant::from_unix(AT),
        Rules::Smtp,
    );
    let left = openssl::error::ErrorStack::get();
    assert!(
        left.errors().is_empty(),
        "{left}: left for the next TLS conversation"
    );
    let ours = match judgement.verdict {
        Verdict::Verified(_) => "verified",
        Verdict::Refused => "refused",
        Verdict::NoUsableRecords => "unusable",
    };
    let by_gnutls = if matches!(judgement.by_gnutls, Some(Ok(()))) {
        "verified"
    } else {
        "refused"
    };
    let found: Vec<String> = judgement
        .records
        .iter()
        .map(|(_, finding)| finding.to_string())
        .collect();
    (
        ours,
        by_gnutls,
        format!("{found:?} gnutls {:?}", judgement.by_gnutls),
    )
}
