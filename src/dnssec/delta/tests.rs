//! The proof of a delta finds what the delta lacks, says too much, or never looked at.
#![allow(clippy::unwrap_used)]

use super::*;

fn zone(serial: u32, rest: &str) -> Zone {
    let text =
        format!("$ORIGIN example.com.\n$TTL 60\n@ SOA ns h {serial} 2 3 4 5\n NS ns.x.\n{rest}");
    Zone::parse(text.as_bytes(), None).unwrap()
}

#[test]
fn a_delta_that_does_not_lead_to_the_target_is_not_proven() {
    let old = zone(1, "a A 192.0.2.1\nb A 192.0.2.2\n");
    let new = zone(2, "a A 192.0.2.1\n A 192.0.2.3\nb A 192.0.2.2\n");
    let delta = Delta::between(&old, &new).unwrap().unwrap();
    assert_eq!(delta.prove(&old, &new), Ok(()));
    for (what, target) in [
        (
            "another record at a touched owner",
            "a A 192.0.2.1\n A 192.0.2.4\nb A 192.0.2.2\n",
        ),
        (
            "another TTL there",
            "a 61 A 192.0.2.1\n 61 A 192.0.2.3\nb A 192.0.2.2\n",
        ),
        (
            "a change elsewhere",
            "a A 192.0.2.1\n A 192.0.2.3\nb A 192.0.2.5\n",
        ),
        (
            "another TTL elsewhere",
            "a A 192.0.2.1\n A 192.0.2.3\nb 61 A 192.0.2.2\n",
        ),
        ("one owner fewer", "a A 192.0.2.1\n A 192.0.2.3\n"),
        (
            "one owner more",
            "a A 192.0.2.1\n A 192.0.2.3\nb A 192.0.2.2\nc A 192.0.2.6\n",
        ),
        (
            "another owner",
            "a A 192.0.2.1\n A 192.0.2.3\nc A 192.0.2.2\n",
        ),
    ] {
        assert_eq!(
            delta.prove(&old, &zone(2, target)),
            Err(Mismatch::Result),
            "{what}"
        );
    }
    let mut lacking = delta.clone();
    lacking.added.pop();
    assert_eq!(lacking.prove(&old, &new), Err(Mismatch::Result));
    let mut too_much = delta;
    too_much.added.push(too_much.added.last().unwrap().clone());
    assert!(matches!(
        too_much.prove(&old, &new),
        Err(Mismatch::Present(_))
    ));
}
