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

/// A word of these stands in every text that [`whole`] takes for a secret.
pub const WORDS: &[&str] = &[
    "PRIVATE KEY-----",
    "Private-key-format:",
    "PuTTY-User-Key-File",
    "AGE-SECRET-KEY-",
    "\"kty\"",
    "hmac-",
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

/// What secret a whole file is, or has in it. Text that only speaks of one (a manual, a message) is none: a key begins, and its
/// octets follow.
pub fn whole(octets: &[u8]) -> Option<&'static str> {
    if is_der_key(octets) {
        return Some("a private key");
    }
    let what = kind(octets)?;
    let lines = || {
        octets
            .split(|octet| *octet == b'\n')
            .map(<[u8]>::trim_ascii)
    };
    let first = lines().find(|line| !line.is_empty()).unwrap_or_default();
    let begins = |word: &str| {
        let word = word.as_bytes();
        first
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let is_one = is_armoured(lines())
        || (begins("Private-key-format:") && lines().any(is_of_private_key))
        || begins("PuTTY-User-Key-File-")
        || lines().any(|line| line.starts_with(b"AGE-SECRET-KEY-1"))
        || is_private_jwk(octets)
        || is_tsig_file(octets);
    is_one.then_some(what)
}

/// Whether a private key stands there in its armour (RFC 7468): the line that it begins with, perhaps headers (RFC 1421), and a
/// line of its octets.
fn is_armoured<'a>(lines: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut in_key = false;
    for line in lines {
        if line.starts_with(b"-----") {
            in_key = line.starts_with(b"-----BEGIN ") && kind(line).is_some();
        } else if in_key && is_base64_line(line, SHORTEST) {
            return true;
        } else if !line.is_empty() && !line.contains(&b':') {
            in_key = false;
        }
    }
    false
}

/// Whether it is a private key in DER: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2), SEC 1 (RFC 5915) or PKCS#12 (RFC 7292).
fn is_der_key(octets: &[u8]) -> bool {
    let body = match octets {
        [0x30, 0x82, _, _, body @ ..] | [0x30, 0x81, _, body @ ..] => body,
        [0x30, length, body @ ..] if *length < 0x80 => body,
        _ => return false,
    };
    matches!(
        body,
        [0x02, 0x01, 0x00, 0x30 | 0x02, ..]
            | [0x02, 0x01, 0x01, 0x04 | 0x30, ..]
            | [0x02, 0x01, 0x03, 0x30, ..]
    )
}

/// Whether it is JSON with a JSON Web Key and its private half (RFC 7518 §6): the account key of an ACME client.
fn is_private_jwk(octets: &[u8]) -> bool {
    let holds = |member: &[u8]| memchr::memmem::find(octets, member).is_some();
    matches!(octets.trim_ascii().first(), Some(b'{' | b'['))
        && holds(b"\"kty\"")
        && (holds(b"\"d\"") || holds(b"\"k\""))
}

/// Whether a TSIG key stands there: BIND's statement with algorithm and secret, or the one line that `nsupdate -y` takes.
fn is_tsig_file(octets: &[u8]) -> bool {
    let lower = octets.to_ascii_lowercase();
    let is_statement = memchr::memmem::find(&lower, b"algorithm").is_some()
        && memchr::memmem::find(&lower, b"hmac-").is_some()
        && lower.contains(&b'{')
        && is_tsig(octets);
    let mut lines = octets.split(|octet| *octet == b'\n');
    is_statement
        || lines.any(|line| {
            let line = line.trim_ascii();
            let secret = line.rsplit(|octet| *octet == b':').next();
            is_tsig(line)
                && line.split(|octet| *octet == b':').count() == 3
                && !line.contains(&b' ')
                && secret.is_some_and(is_base64)
        })
}

/// A line of a key has at least so many characters, but for the last.
const SHORTEST: usize = 16;

/// The last line of a key is shorter.
const LAST_LINE: usize = 4;

/// Whether a line may be part of a key whose beginning is lost: nothing but base64, or a TSIG key.
pub fn may_be_in(line: &[u8]) -> bool {
    is_base64_line(line, LINE) || is_tsig(line.trim_ascii()) || is_of_private_key(line)
}

/// What stands for lines that are not shown.
const LEFT_OUT: &str = "[left out: it looks like a part of a key]";

/// What another program said, without the lines that are, or may be, parts of a key.
pub fn shown(said: &str) -> String {
    let (mut in_key, mut shown) = (false, Vec::<&str>::new());
    for line in said.lines() {
        let octets = line.as_bytes();
        let begins = line.contains("-----BEGIN ") && kind(octets).is_some();
        let is_one = in_key
            || begins
            || kind(octets).is_some()
            || may_be_in(octets)
            || may_be_last_in(octets, said.as_bytes())
            || octets
                .split(u8::is_ascii_whitespace)
                .any(|word| is_tsig(word) || holds_long_base64(word));
        in_key = (in_key || begins) && !line.contains("-----END ");
        if !is_one {
            shown.push(line);
        } else if shown.last() != Some(&LEFT_OUT) {
            shown.push(LEFT_OUT);
        }
    }
    shown.join("\n")
}

/// Whether octets of a key's length stand in a word, in base64: letters of both cases and digits, and no path and no digest in
/// hex, which have none of these.
fn holds_long_base64(word: &[u8]) -> bool {
    let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
    let mut parts = word.split(|octet| !is_base64(octet));
    parts.any(|part| {
        let has = |is: fn(&u8) -> bool| part.iter().any(is);
        part.len() >= LINE
            && !part.starts_with(b"/")
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_digit)
    })
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
        // A whole file is one only where its octets are there, too.
        let files: [(&[u8], bool); 12] = [
            (b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n", true),
            (
                b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEvQIBADANBgkqhkiG9w0B\n",
                true,
            ),
            (b"A key begins with -----BEGIN PRIVATE KEY-----\nand goes on\n", false),
            (b"-----BEGIN PRIVATE KEY-----\n\xe2\x80\xa6\n", false),
            (b"Private-key-format: v1.3\nPrivateKey: Cjix\n", true),
            (b"The first line is\nPrivate-key-format: v1.3\n", false),
            (b"key x {\n algorithm hmac-sha256;\n secret \"c2VjcmV0IHNlY3JldA==\";\n};\n", true),
            (b"xfr:hmac-sha256:c2VjcmV0IHNlY3JldA==\n", true),
            (b"use xfr:hmac-sha256:SECRET here\n", false),
            (b"{\"kty\":\"RSA\",\"d\":\"AAAA\"}", true),
            (b"{\"kty\":\"RSA\",\"n\":\"AAAA\"}", false),
            (&[0x30, 0x82, 1, 0, 0x02, 0x01, 0x00, 0x30, 0x0d], true),
        ];
        for (file, is_one) in files {
            let shown = String::from_utf8_lossy(file);
            assert_eq!(whole(file).is_some(), is_one, "{shown}");
        }
        // What is said beside them is shown.
        let said = "deploying\n-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nat /srv/mail/keys/tls/mail1/ecdsa/P256/live/of/mx1\nPrivateKey: Cj==\n+ use q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=\ndig -y hmac-sha256:xfr:c2VjcmV0\nof 3fa9c1d2e4b5a6973fa9c1d2e4b5a6973fa9c1d2 it\ndone";
        let expected = format!(
            "deploying\n{LEFT_OUT}\nat /srv/mail/keys/tls/mail1/ecdsa/P256/live/of/mx1\n{LEFT_OUT}\nof 3fa9c1d2e4b5a6973fa9c1d2e4b5a6973fa9c1d2 it\ndone"
        );
        assert_eq!(shown(said), expected);
        assert!(may_be_in(&[b'A'; 64]));
        assert!(!may_be_in(b"www IN A 192.0.2.1"));
        // A field of a key file without the lines that it is known by.
        assert!(may_be_in(b"PrivateKey: Cjix/41t"));
        assert!(may_be_in(b"  Prime1: AQ=="));
    }
}
