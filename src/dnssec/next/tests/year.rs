//! How many versions a year of runs makes, and that what falls due together is made anew together.

use super::*;
use std::collections::BTreeSet;

/// What became of a zone in a year.
struct Year {
    versions: usize,
    /// The least that was left of any signature after a run.
    least: Span,
}

/// A year of runs every hour, with `edits` spread over it at uneven times.
fn year(edits: u64, carries: bool) -> Year {
    const HOURS: u64 = 365 * 24;
    let keys = keys();
    let mut hosts = vec![1_u64; 10];
    let zone = |hosts: &[u64]| {
        let line = |(at, value): (usize, &u64)| format!("host{at} A 192.0.2.{}\n", value % 250);
        file(1, &hosts.iter().enumerate().map(line).collect::<String>())
    };
    let signed = sign(
        &zone(&hosts).zone().unwrap(),
        &keys,
        Earlier::default(),
        &policy(DECEMBER),
    );
    let mut present = Present::write(&signed.unwrap().zone, &keys, DECEMBER);
    let (mut versions, mut least) = (0, Span::days(14));
    let edited_at: BTreeSet<u64> = (0..edits).map(|n| n * 7_919 % HOURS).collect();
    for hour in 1..HOURS {
        let now = DECEMBER + Span::hours(hour);
        if edited_at.contains(&hour) {
            let at = usize::try_from(hour * 31 % 10).unwrap();
            hosts[at] += 1;
        }
        let order = Order {
            file: &zone(&hosts),
            keys: &keys,
            policy: &policy(now),
            numbering: Numbering::Raised { handed_out: None },
            unverified: false,
        };
        let next = made(&order, &present, carries).unwrap();
        if next.is_new() {
            versions += 1;
            present.take(&next, &keys, now);
        }
        least = least.min(present.seal.window().unwrap().expiration.since(now));
    }
    Year { versions, least }
}

#[test]
fn a_year_of_hourly_runs_makes_few_versions_and_lets_no_signature_run_low() {
    // (edits, at most so many versions, why)
    let table = [
        (0, 70, "every 5.5 days, all at once"),
        (
            80,
            80 + 250,
            "edits begin signatures of their own, which end in groups a day or more apart",
        ),
    ];
    for (edits, most, why) in table {
        let year = year(edits, true);
        assert!(year.versions >= usize::try_from(edits).unwrap());
        assert!(year.versions <= most, "{} versions: {why}", year.versions);
        assert!(year.least > Span::days(7), "{:?}: {why}", year.least);
    }
}

#[test]
fn what_falls_due_within_a_day_is_made_anew_together_whichever_way_it_is_signed() {
    let keys = keys();
    let hosts = (0..40).map(|n| format!("host{n} A 192.0.2.1\n"));
    let hosts = hosts.collect::<Vec<_>>().concat();
    let first = file(1, &hosts);
    let signed = sign(
        &first.zone().unwrap(),
        &keys,
        Earlier::default(),
        &policy(DECEMBER),
    );
    let present = Present::write(&signed.unwrap().zone, &keys, DECEMBER);
    let all = present
        .zone()
        .records()
        .filter(|r| r.rtype == Rtype::RRSIG)
        .count();
    // The first ends 13.5 days after it was made, and is due when 8 are left.
    for (hours, edited, wanted) in [
        (5 * 24, false, 0),
        (4 * 24, true, 2),
        (6 * 24, false, all),
        (5 * 24, true, all),
    ] {
        let now = DECEMBER + Span::hours(hours);
        let file = if edited {
            file(1, &hosts.replace("host7 A 192.0.2.1", "host7 A 192.0.2.7"))
        } else {
            file(1, &hosts)
        };
        let order = Order {
            file: &file,
            keys: &keys,
            policy: &policy(now),
            numbering: Numbering::Raised { handed_out: None },
            unverified: false,
        };
        for carries in [true, false] {
            let next = made(&order, &present, carries).unwrap();
            assert_eq!(next.is_new(), wanted > 0);
            if next.is_new() {
                let kept = usize::try_from(next.kept()).unwrap();
                assert_eq!(
                    (next.made(), kept),
                    (wanted, all - wanted),
                    "{hours} {edited}"
                );
            }
        }
    }
}
