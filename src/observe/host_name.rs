//! Which names senders take for those of hosts (RFC 1123 §2.1, as Postfix has it).

use crate::zone::name::Name;

/// Whether Postfix connects to a host of this name, or to where an alias leads: it passes over MX records and aliases whose
/// names have anything but letters, digits, `_` and hyphens within a label, and those of digits alone.
pub(super) fn is_taken(name: &Name) -> bool {
    let is_good = |label: &[u8]| {
        let known = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        let ends = [label.first(), label.last()];
        label.iter().all(known) && !ends.contains(&Some(&b'-'))
    };
    let is_numeric = |label: &[u8]| label.iter().all(u8::is_ascii_digit);
    let is_wildcard = |(place, label): (usize, &[u8])| place == 0 && label == b"*";
    name.labels()
        .enumerate()
        .all(|(place, label)| is_good(label) || is_wildcard((place, label)))
        && !name.labels().all(is_numeric)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// As `posttls-finger` of Postfix 3.7 does.
    #[test]
    fn names_that_postfix_passes_over() {
        let table = [
            ("mx.example.com.", true, "a host"),
            ("mx_1.example.com.", true, "an underscore"),
            (
                "a--b_.example.com.",
                true,
                "hyphens within, an underscore at the end",
            ),
            ("1.2.example.com.", true, "digits and more"),
            ("*.example.com.", true, "a wildcard's own name"),
            ("mx-.example.com.", false, "a hyphen at the end"),
            ("-mx.example.com.", false, "a hyphen in front"),
            ("mx.-example.com.", false, "further up"),
            ("a/b.example.com.", false, "a slash"),
            ("m\\195\\188x.example.com.", false, "UTF-8"),
            ("a\\.b.example.com.", false, "a dot in a label"),
            ("a\\032b.example.com.", false, "a blank"),
            ("mx.*.example.com.", false, "a star within"),
            ("1.2.3.4.", false, "an address"),
        ];
        for (name, expected, why) in table {
            let name = Name::parse(name.as_bytes(), None).unwrap();
            assert_eq!(is_taken(&name), expected, "{name}: {why}");
        }
    }
}
