//! Words that stand for numbers in RDATA (IANA: DNSSEC algorithm numbers, DS digests, CERT types).

/// DNSSEC algorithms.
pub(super) const ALGORITHMS: &[(u8, &str)] = &[
    (1, "RSAMD5"),
    (2, "DH"),
    (3, "DSA"),
    (4, "ECC"),
    (5, "RSASHA1"),
    (6, "NSEC3DSA"),
    (7, "NSEC3RSASHA1"),
    (8, "RSASHA256"),
    (10, "RSASHA512"),
    (12, "ECCGOST"),
    (13, "ECDSAP256SHA256"),
    (14, "ECDSAP384SHA384"),
    (15, "ED25519"),
    (16, "ED448"),
    (252, "INDIRECT"),
    (253, "PRIVATEDNS"),
    (254, "PRIVATEOID"),
];

/// Digest types of DS.
pub(super) const DIGESTS: &[(u8, &str)] = &[
    (1, "SHA-1"),
    (1, "SHA1"),
    (2, "SHA-256"),
    (2, "SHA256"),
    (3, "GOST"),
    (4, "SHA-384"),
    (4, "SHA384"),
];

/// Certificate types of CERT (RFC 4398 §2.1).
pub(super) const CERTIFICATES: &[(u16, &str)] = &[
    (1, "PKIX"),
    (2, "SPKI"),
    (3, "PGP"),
    (4, "IPKIX"),
    (5, "ISPKI"),
    (6, "IPGP"),
    (7, "ACPKIX"),
    (8, "IACPKIX"),
    (253, "URI"),
    (254, "OID"),
];

/// Schemes of DSYNC (RFC 9859 §6.2).
pub(super) const SCHEMES: &[(u8, &str)] = &[(1, "NOTIFY")];

/// The number behind a word, in any case.
pub(super) fn number<N: Copy>(table: &[(N, &str)], word: &[u8]) -> Option<N> {
    let found = table
        .iter()
        .find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(word));
    found.map(|(number, _)| *number)
}
