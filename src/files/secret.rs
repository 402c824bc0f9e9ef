//! Whether text is, or may be, a secret: a message that quotes its input asks first.

/// What secrets begin with, or hold, as people name them. Patterns are compared without regard to case.
const MARKS: &[(&str, &str)] = &[
    ("PRIVATE KEY-----", "a private key"),
    ("Private-key-format:", "the private half of a DNSSEC key"),
    ("-----BEGIN OPENSSH", "an SSH key"),
    ("PuTTY-User-Key-File", "an SSH key"),
    ("AGE-SECRET-KEY-", "an age key"),
    ("\"kty\"", "an ACME account key"),
];

/// A line of at least so many characters that is nothing but base64 may be a line of a key.
const LINE: usize = 40;

/// What secret the text is, if its form tells.
pub fn kind(text: &[u8]) -> Option<&'static str> {
    let holds = |mark: &str| {
        let mark = mark.as_bytes();
        memchr::memmem::find(text, mark).is_some()
            || memchr::memmem::find(text, &mark.to_ascii_lowercase()).is_some()
    };
    let marked = MARKS.iter().find(|(mark, _)| holds(mark));
    let marked = marked.map(|(_, what)| *what);
    marked.or_else(|| is_tsig(text).then_some("a TSIG key"))
}

/// The last line of a key is shorter.
const LAST_LINE: usize = 4;

/// Whether a line may be part of a key whose beginning is lost: nothing but base64, or a TSIG key.
pub fn may_be_in(line: &[u8]) -> bool {
    is_base64_line(line, LINE) || is_tsig(line.trim_ascii()) || is_of_private_key(line)
}

/// Whether a line may be the last one of such a key, where `text` has others of it.
pub fn may_be_last_in(line: &[u8], text: &[u8]) -> bool {
    let mut lines = text.split(|octet| *octet == b'\n');
    is_base64_line(line, LAST_LINE) && lines.any(|line| is_base64_line(line, LINE))
}

/// A field of a DNSSEC private key as BIND writes it (`PrivateKey: …`, `Prime1: …`).
fn is_of_private_key(line: &[u8]) -> bool {
    const FIELDS: [&[u8]; 11] = [
        b"PrivateKey",
        b"Modulus",
        b"PublicExponent",
        b"PrivateExponent",
        b"Prime1",
        b"Prime2",
        b"Exponent1",
        b"Exponent2",
        b"Coefficient",
        b"Key",
        b"Secret",
    ];
    let line = line.trim_ascii();
    let field = memchr::memchr(b':', line).and_then(|at| line.get(..at));
    field.is_some_and(|field| FIELDS.iter().any(|one| field.eq_ignore_ascii_case(one)))
}

fn is_base64_line(line: &[u8], least: usize) -> bool {
    let line = line.trim_ascii();
    let base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=-_".contains(octet);
    line.len() >= least && line.iter().all(base64)
}

/// Whether a word is base64 of a secret's length, in quotes or not.
fn is_base64(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"\"").unwrap_or(word);
    let word = word.strip_suffix(b"\"").unwrap_or(word);
    let base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
    word.len() >= 16 && word.iter().all(base64)
}

/// BIND's statement (`secret "…"`), or `name:algorithm:secret`.
fn is_tsig(text: &[u8]) -> bool {
    let mut lines = text.split(|octet| matches!(octet, b'\n' | b';' | b'{'));
    lines.any(|line| {
        let line = line.trim_ascii();
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty());
        let named = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case(b"secret"));
        let statement = named && words.next().is_some_and(is_base64) && words.next().is_none();
        let algorithm = |part: &[u8]| {
            part.get(..5)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"hmac-"))
        };
        let in_colons = line.split(|octet| *octet == b':');
        statement || (line.contains(&b':') && in_colons.take(2).any(algorithm))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_form_and_zones_are_none() {
        let table: [(&str, Option<&str>); 9] = [
            ("-----BEGIN PRIVATE KEY-----\nMIIE\n", Some("a private key")),
            (
                "x\n-----BEGIN RSA PRIVATE KEY-----\n",
                Some("a private key"),
            ),
            (
                "Private-key-format: v1.3\nAlgorithm: 13\n",
                Some("the private half of a DNSSEC key"),
            ),
            (
                "key \"xfr\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0IHNlY3JldA==\";\n};\n",
                Some("a TSIG key"),
            ),
            (
                "key x { secret c2VjcmV0IHNlY3JldA==; };",
                Some("a TSIG key"),
            ),
            ("xfr:hmac-sha256:c2VjcmV0", Some("a TSIG key")),
            ("hmac-sha512:xfr:c2VjcmV0", Some("a TSIG key")),
            (
                "{\"kty\":\"RSA\",\"d\":\"AAAA\"}",
                Some("an ACME account key"),
            ),
            (
                "$ORIGIN example.com.\n@ IN SOA ns hostmaster 1 2 3 4 5\nsecret-host A 192.0.2.1\n",
                None,
            ),
        ];
        for (text, expected) in table {
            assert_eq!(kind(text.as_bytes()), expected, "{text}");
        }
        assert!(may_be_in(&[b'A'; 64]));
        assert!(!may_be_in(b"www IN A 192.0.2.1"));
        // A field of a key file without the lines that it is known by.
        assert!(may_be_in(b"PrivateKey: Cjix/41t"));
        assert!(may_be_in(b"  Prime1: AQ=="));
    }
}
