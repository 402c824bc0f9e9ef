//! The little of DER that files are told apart by: one element at a time (X.690 §8.1, §10.1).

/// Tags of the elements this room meets.
pub(super) mod tag {
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const CONTEXT_0: u8 = 0xa0;
    pub(crate) const CONTEXT_1: u8 = 0xa1;
}

/// One element: its tag, its contents, and all its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
    pub(super) octets: &'a [u8],
}

/// Why no element stands at the front of some octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoElement {
    /// Nothing left, or fewer octets than the length says: how many are missing.
    Truncated {
        /// At least so many.
        missing: usize,
    },
    /// A length that DER does not allow, or a tag of more than one octet.
    NotDer,
}

/// The element at the front of `octets`, and what follows it.
pub(super) fn split(octets: &[u8]) -> Result<(Element<'_>, &[u8]), NoElement> {
    let missing = |missing| NoElement::Truncated { missing };
    let (&tag, after_tag) = octets.split_first().ok_or(missing(2))?;
    let (&first, after_first) = after_tag.split_first().ok_or(missing(1))?;
    if tag & 0x1f == 0x1f {
        return Err(NoElement::NotDer);
    }
    let (length, body) = if first < 0x80 {
        (usize::from(first), after_first)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return Err(NoElement::NotDer);
        }
        let (digits, body) = after_first.split_at_checked(count).ok_or(missing(1))?;
        let length = digits
            .iter()
            .fold(0_usize, |sum, &d| (sum << 8) | usize::from(d));
        (length, body)
    };
    let Some((contents, rest)) = body.split_at_checked(length) else {
        return Err(missing(length.saturating_sub(body.len())));
    };
    let whole = octets.len().saturating_sub(rest.len());
    let element = Element {
        tag,
        contents,
        octets: octets.get(..whole).ok_or(NoElement::NotDer)?,
    };
    Ok((element, rest))
}

/// The contents of the element at the front if it has this tag, and what follows it.
pub(super) fn expect(wanted: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (element, rest) = split(octets).ok()?;
    (element.tag == wanted).then_some((element.contents, rest))
}

/// The contents of the one element that `octets` are, if it has this tag and nothing follows it.
pub(super) fn only(wanted: u8, octets: &[u8]) -> Option<&[u8]> {
    expect(wanted, octets).and_then(|(contents, rest)| rest.is_empty().then_some(contents))
}

/// The tags of the elements in `contents`, as far as they can be read, at most eight.
pub(super) fn tags(contents: &[u8]) -> Vec<u8> {
    let mut rest = contents;
    let mut found = Vec::new();
    while let Ok((element, after)) = split(rest) {
        found.push(element.tag);
        rest = after;
        if rest.is_empty() || found.len() == 8 {
            break;
        }
    }
    found
}

/// An element of this tag around `contents`.
pub(super) fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut octets = vec![tag];
    match u8::try_from(contents.len()) {
        Ok(length) if length < 0x80 => octets.push(length),
        _ => {
            let digits = contents.len().to_be_bytes();
            let zeros = digits.iter().take_while(|d| **d == 0).count();
            let digits = digits.get(zeros..).unwrap_or_default();
            octets.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            octets.extend_from_slice(digits);
        }
    }
    octets.extend_from_slice(contents);
    octets
}

/// The magnitude of a non-negative INTEGER's contents, without leading zeros.
pub(super) fn magnitude(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|octet| **octet == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn elements_split_and_wrap() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let contents = vec![7; length];
            let mut octets = wrap(tag::OCTET_STRING, &contents);
            octets.push(9);
            let (element, rest) = split(&octets).unwrap();
            assert_eq!(
                (element.tag, element.contents, rest),
                (tag::OCTET_STRING, contents.as_slice(), &[9_u8][..])
            );
        }
    }

    #[test]
    fn lengths_have_at_most_four_octets_and_tags_are_told_of_eight_elements() {
        let (element, rest) = split(&[0x30, 0x84, 0, 0, 0, 1, 7, 9]).unwrap();
        assert_eq!((element.contents, rest), (&[7][..], &[9][..]));
        assert_eq!(tags(&[tag::NULL, 0].repeat(9)), [tag::NULL; 8]);
        assert_eq!(tags(&[tag::NULL, 0, tag::OID]), [tag::NULL]);
    }

    #[test]
    fn broken_elements_are_refused() {
        let table: [(&[u8], NoElement, &str); 6] = [
            (&[], NoElement::Truncated { missing: 2 }, "nothing"),
            (&[0x30], NoElement::Truncated { missing: 1 }, "no length"),
            (&[0x30, 3, 1], NoElement::Truncated { missing: 2 }, "short"),
            (&[0x30, 0x80, 0, 0], NoElement::NotDer, "indefinite length"),
            (&[0x30, 0x85, 1, 1, 1, 1, 1], NoElement::NotDer, "absurd"),
            (&[0x1f, 1, 1], NoElement::NotDer, "long tag"),
        ];
        for (octets, expected, why) in table {
            assert_eq!(split(octets), Err(expected), "{why}");
        }
    }
}
