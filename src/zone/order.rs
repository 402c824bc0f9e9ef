//! Wire names compared label by label, and a short form that sorts like them (canonical order, RFC 4034 §6.1).

use std::cmp::Ordering;

/// Canonical order of two names in wire form (RFC 4034 §6.1): by labels from the right, absent labels first.
pub(crate) fn compare_wire(mine: &[u8], theirs: &[u8]) -> Ordering {
    if mine == theirs {
        return Ordering::Equal;
    }
    let (my_starts, my_count) = label_starts(mine);
    let (their_starts, their_count) = label_starts(theirs);
    let my_labels = my_starts.get(..my_count).unwrap_or_default();
    let their_labels = their_starts.get(..their_count).unwrap_or_default();
    for (a, b) in my_labels.iter().rev().zip(their_labels.iter().rev()) {
        let (a, b) = (label_at(mine, *a), label_at(theirs, *b));
        // Most labels that are compared are equal, and in the same case.
        if a != b {
            let (a, b) = (a.iter(), b.iter());
            let order = a
                .map(u8::to_ascii_lowercase)
                .cmp(b.map(u8::to_ascii_lowercase));
            if order != Ordering::Equal {
                return order;
            }
        }
    }
    my_count.cmp(&their_count)
}

/// Where the labels of a wire name begin, without an allocation: a name has at most 127, within 255 octets.
fn label_starts(wire: &[u8]) -> ([u8; 128], usize) {
    let mut starts = [0; 128];
    let (mut count, mut at) = (0_usize, 0_u8);
    while let (Some(length @ 1..), Some(slot)) =
        (wire.get(usize::from(at)).copied(), starts.get_mut(count))
    {
        *slot = at;
        count = count.saturating_add(1);
        at = at.saturating_add(length).saturating_add(1);
    }
    (starts, count)
}

/// The label that begins at an offset of a wire name, without its length.
fn label_at(wire: &[u8], at: u8) -> &[u8] {
    let start = usize::from(at).saturating_add(1);
    let length = usize::from(wire.get(usize::from(at)).copied().unwrap_or(0));
    wire.get(start..start.saturating_add(length))
        .unwrap_or_default()
}

/// The first 16 octets of a form of the name whose plain order is the canonical order, `skipped` labels at the top left out.
///
/// Names whose prefixes are equal may still differ. Names are comparable when the labels left out are the same.
pub(crate) fn sort_prefix(wire: &[u8], skipped: usize) -> [u64; 2] {
    let (starts, count) = label_starts(wire);
    let kept = starts.get(..count.saturating_sub(skipped));
    let mut prefix = 0_u128;
    let mut room = 16_u32;
    let mut push = |octet: u8| {
        if room > 0 {
            prefix = prefix << 8 | u128::from(octet);
            room = room.saturating_sub(1);
        }
        room > 0
    };
    'full: for start in kept.unwrap_or_default().iter().rev() {
        for octet in label_at(wire, *start) {
            // 0 ends a label: 0 and 1 within one become two octets each.
            let more = match octet.to_ascii_lowercase() {
                octet @ (0 | 1) => push(1) && push(octet.saturating_add(1)),
                octet => push(octet),
            };
            if !more {
                break 'full;
            }
        }
        if !push(0) {
            break;
        }
    }
    let prefix = prefix.checked_shl(room.saturating_mul(8)).unwrap_or(0);
    match prefix.to_be_bytes().as_chunks() {
        ([high, low], _) => [u64::from_be_bytes(*high), u64::from_be_bytes(*low)],
        _ => [0; 2],
    }
}

/// Walks two ascending sequences side by side: what is equal comes as a pair, what one of them lacks comes alone.
pub(crate) fn side_by_side<T>(
    old: impl Iterator<Item = T>,
    new: impl Iterator<Item = T>,
    compare: impl Fn(&T, &T) -> Ordering,
) -> impl Iterator<Item = (Option<T>, Option<T>)> {
    let (mut old, mut new) = (old.peekable(), new.peekable());
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => compare(a, b),
        };
        let a = old.next_if(|_| order.is_le());
        Some((a, new.next_if(|_| order.is_ge())))
    })
}

/// Whether the wire name `name` is `apex` or lies below it.
pub(crate) fn is_below(name: &[u8], apex: &[u8]) -> bool {
    let mut rest = name;
    while rest.len() > apex.len() {
        let label = usize::from(rest.first().copied().unwrap_or(0)).saturating_add(1);
        rest = rest.get(label..).unwrap_or_default();
    }
    rest.eq_ignore_ascii_case(apex)
}

/// How many labels two wire names share, from the top.
pub(crate) fn shared_labels(mine: &[u8], theirs: &[u8]) -> usize {
    let (my_starts, my_count) = label_starts(mine);
    let (their_starts, their_count) = label_starts(theirs);
    let my_labels = my_starts.get(..my_count).unwrap_or_default().iter().rev();
    let their_labels = their_starts
        .get(..their_count)
        .unwrap_or_default()
        .iter()
        .rev();
    my_labels
        .zip(their_labels)
        .take_while(|(a, b)| label_at(mine, **a).eq_ignore_ascii_case(label_at(theirs, **b)))
        .count()
}

/// How many labels a wire name has, the root not counted.
pub(crate) fn count_labels(wire: &[u8]) -> usize {
    label_starts(wire).1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::zone::name::Name;

    #[test]
    fn sort_prefixes_never_contradict_the_canonical_order() {
        let labels = [
            "",
            "a.",
            "A.",
            "b.",
            "\\000.",
            "\\001.",
            "\\002.",
            "a\\000.",
            "a\\001.",
            "*.",
            "_25._tcp.",
            "\\200.",
            "abcdefghijklmnop.",
            "abcdefghijklmnopq.",
            "z.a.",
            "\\000.a.",
            "a.\\000.",
        ];
        let parse = |text: String| Name::parse(text.as_bytes(), None).unwrap();
        let names: Vec<Name> = labels
            .iter()
            .flat_map(|l| labels.iter().map(move |m| parse(format!("{m}{l}example."))))
            .collect();
        for (a, b) in names.iter().flat_map(|a| names.iter().map(move |b| (a, b))) {
            let prefixes = sort_prefix(a.wire(), 1).cmp(&sort_prefix(b.wire(), 1));
            let full = a.cmp(b);
            assert!(
                prefixes == full || prefixes.is_eq(),
                "{a} {b}: {prefixes:?}, {full:?}"
            );
        }
    }
}
