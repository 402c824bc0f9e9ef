//! Whether a certificate names a host: DNS identities and wildcards (RFC 6125 §6.4, RFC 7672 §3.2.2 and §3.2.3).

use crate::dane::certificate::Certificate;

/// Whether `certificate` carries one of the reference names.
///
/// The subjectAltName's DNS names decide; the subject's common names count only if there are none.
pub(super) fn carries_any(certificate: &Certificate, references: &[&str]) -> bool {
    let presented: Vec<&str> = if certificate.dns_names().is_empty() {
        certificate
            .common_names()
            .iter()
            .map(String::as_str)
            .collect()
    } else {
        certificate.dns_names().iter().map(String::as_str).collect()
    };
    names_any(presented.into_iter(), references)
}

/// Whether one of the presented DNS names stands for one of the reference names.
pub(super) fn names_any<'n>(
    mut presented: impl Iterator<Item = &'n str>,
    references: &[&str],
) -> bool {
    presented.any(|name| references.iter().any(|reference| is_for(name, reference)))
}

/// Whether the presented name, perhaps with `*` as its whole leftmost label, stands for `reference`.
fn is_for(presented: &str, reference: &str) -> bool {
    let reference = without_dot(reference);
    if presented.is_empty() || !presented.is_ascii() {
        return false;
    }
    let Some(domain) = presented.strip_prefix("*.") else {
        return presented.eq_ignore_ascii_case(reference);
    };
    // `*.com` would name every domain of a registry: a wildcard stands below at least two labels.
    domain.contains('.')
        && !domain.contains('*')
        && reference
            .split_once('.')
            .is_some_and(|(label, rest)| is_label(label) && rest.eq_ignore_ascii_case(domain))
}

/// What a wildcard stands for: letters, digits and hyphens.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::is_for;

    #[test]
    fn names_and_wildcards() {
        let table = [
            ("mx1.example.com", "mx1.example.com", true, "the same"),
            (
                "MX1.Example.com",
                "mx1.example.COM.",
                true,
                "case, and the host with a final dot",
            ),
            (
                "mx1.example.com.",
                "mx1.example.com",
                false,
                "a final dot in the certificate",
            ),
            ("*.example.com", "mx_1.example.com", false, "no host name"),
            ("mx1.example.com", "mx2.example.com", false, "another host"),
            ("*.example.com", "mx1.example.com", true, "one label"),
            ("*.example.com", "example.com", false, "no label"),
            ("*.example.com", "a.mx1.example.com", false, "two labels"),
            (
                "m*.example.com",
                "mx1.example.com",
                false,
                "part of a label",
            ),
            ("mx1.*.com", "mx1.example.com", false, "not leftmost"),
            ("*.com", "example.com", false, "a whole registry"),
            ("*", "com", false, "everything"),
            ("", "", false, "nothing"),
            ("*.example.com", ".example.com", false, "an empty label"),
        ];
        for (presented, reference, expected, why) in table {
            assert_eq!(is_for(presented, reference), expected, "{why}");
        }
    }
}
