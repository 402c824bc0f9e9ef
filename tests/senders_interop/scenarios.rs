//! Situations a sender may meet: what is in the zone, which host answers, and what must come of it.

use crate::authorities::{EXPIRED, UNSIGNED};
use crate::mail::{self, EXIM, ODDLY, POSTFIX, SPLIT, at};
use crate::pki::Pki;

/// What comes of a destination, for `verify` and for `posttls-finger` alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Delivered to an authenticated host.
    Verified,
    /// Delivered without authentication.
    Unprotected,
    /// Not delivered: refused or deferred.
    AtRisk,
    /// Cannot be told, or nothing to tell.
    Unknown,
}

/// What `posttls-finger` is expected to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The same.
    Same,
    /// It does not judge the case: it looks at one address or algorithm only, or knows no such destination.
    DoesNotJudge,
}

/// One situation, relative to a mail zone.
pub struct Scenario {
    /// Its name, and the label of its domain.
    pub name: &'static str,
    /// What is verified, with `{}` for the zone's apex.
    pub target: String,
    /// The records, relative to the zone.
    pub records: String,
    /// What must come of it.
    pub expected: Verdict,
    /// What the peer says.
    pub peer: Peer,
    /// Why, with the section that says so.
    pub why: &'static str,
}

/// The digest that is in no zone but by forgery.
pub const FORGED: &str = "f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0";

/// The zone of somebody who takes mail for others.
pub const OTHER: &str = "bind.com";

/// In the owner of the record whose digest is too short.
pub const SHORT: &str = "short-digest TLSA";

/// What comes of `2 1 1` of the root of an odd chain, and of `3 1 1` of an odd key.
pub const ODD_VERDICTS: [(&str, Verdict, &str); 17] = [
    ("ta-plain", Verdict::Verified, "RFC 7672 §3.1.2"),
    ("ta-old-root", Verdict::AtRisk, "the anchor's own dates"),
    (
        "ta-no-sign",
        Verdict::AtRisk,
        "RFC 5280 §4.2.1.3: keyCertSign",
    ),
    ("ta-not-ca", Verdict::AtRisk, "RFC 5280 §4.2.1.9"),
    (
        "ta-for-clients",
        Verdict::AtRisk,
        "RFC 5280 §4.2.1.12, of an issuer",
    ),
    ("ta-names", Verdict::AtRisk, "RFC 5280 §4.2.1.10"),
    (
        "ta-critical",
        Verdict::AtRisk,
        "RFC 5280 §4.2: a critical extension that nobody knows",
    ),
    (
        "ta-ca-leaf",
        Verdict::Verified,
        "a leaf may say that it is a CA's",
    ),
    ("ta-sha512", Verdict::Verified, "P-256 with SHA-512"),
    ("ta-sha1", Verdict::AtRisk, "below 80 bits"),
    ("ta-p521", Verdict::Verified, "P-521"),
    ("ta-client-leaf", Verdict::AtRisk, "RFC 5280 §4.2.1.12"),
    ("ed448", Verdict::Verified, "RFC 8446 §4.2.3"),
    ("ed25519", Verdict::Verified, "RFC 8446 §4.2.3"),
    (
        "pss",
        Verdict::Verified,
        "RFC 8446 §4.2.3: rsa_pss_pss_sha256",
    ),
    ("rsa-768", Verdict::AtRisk, "below 80 bits"),
    ("rsa-1024", Verdict::Verified, "80 bits"),
];

fn zeros(octets: usize) -> String {
    "00".repeat(octets)
}

/// `NAME MX 10 mx.NAME`, its addresses, its TLSA records.
fn plain(name: &str, addresses: &[&str], tlsa: &[String]) -> String {
    let mut records = format!("{name} MX 10 mx.{name}\n");
    for address in addresses {
        records.push_str(&format!("mx.{name} A {address}\n"));
    }
    for rdata in tlsa {
        records.push_str(&format!("_25._tcp.mx.{name} TLSA {rdata}\n"));
    }
    records
}

/// All of them.
#[allow(clippy::too_many_lines)] // a table
pub fn all(pki: &Pki) -> Vec<Scenario> {
    use Peer::{DoesNotJudge, Same};
    use Verdict::{AtRisk, Unknown, Unprotected, Verified};
    let Pki {
        a,
        b,
        n,
        r,
        ca,
        a_cert_512,
        ca_whole,
        odd,
        ..
    } = pki;
    let ee = |digest: &String| format!("3 1 1 {digest}");
    let postfix = |chain| at(&POSTFIX, chain);
    let exim = |chain| at(&EXIM, chain);
    let oddly = |manner| at(&ODDLY, manner);
    let mut all: Vec<Scenario> = Vec::new();
    let mut simple =
        |name: &'static str, addresses: &[&str], tlsa: &[String], expected, peer, why| {
            all.push(Scenario {
                name,
                target: format!("{name}.{{}}"),
                records: plain(name, addresses, tlsa),
                expected,
                peer,
                why,
            });
        };
    let ta = format!("2 1 1 {ca}");
    simple(
        "right",
        &[postfix("A")],
        &[ee(a)],
        Verified,
        Same,
        "RFC 7672 §3.1.1",
    );
    simple(
        "wrong",
        &[postfix("A")],
        &[ee(&zeros(32))],
        AtRisk,
        Same,
        "RFC 7672 §2.2",
    );
    simple(
        "full-512",
        &[postfix("A")],
        &[format!("3 0 2 {a_cert_512}")],
        Verified,
        Same,
        "RFC 6698 §2.1",
    );
    simple(
        "issuer",
        &[postfix("A")],
        std::slice::from_ref(&ta),
        Verified,
        Same,
        "RFC 7672 §3.1.2",
    );
    simple(
        "issuer-not-sent",
        &[postfix("ANOCA")],
        std::slice::from_ref(&ta),
        AtRisk,
        Same,
        "RFC 7672 §3.1.2: it must be in the chain",
    );
    simple(
        "issuer-whole",
        &[postfix("ANOCA")],
        &[format!("2 0 0 {ca_whole}")],
        Verified,
        Same,
        "RFC 7671 §5.2.2: the record brings it",
    );
    simple(
        "issuer-other-name",
        &[postfix("N")],
        std::slice::from_ref(&ta),
        AtRisk,
        Same,
        "RFC 7672 §3.2.2",
    );
    simple(
        "issuer-expired",
        &[postfix("X")],
        std::slice::from_ref(&ta),
        AtRisk,
        Same,
        "RFC 7671 §5.2: path validation",
    );
    for (name, expected, why) in ODD_VERDICTS {
        let digest = &odd[name.trim_start_matches("ta-")];
        let usage = if name.starts_with("ta-") { 2 } else { 3 };
        simple(
            name,
            &[&mail::odd(name.trim_start_matches("ta-"))],
            &[format!("{usage} 1 1 {digest}")],
            expected,
            Same,
            why,
        );
    }
    simple(
        "other-name",
        &[postfix("N")],
        &[ee(n)],
        Verified,
        Same,
        "RFC 7672 §3.1.1: names do not matter",
    );
    simple(
        "expired",
        &[postfix("X")],
        &[ee(a)],
        Verified,
        Same,
        "RFC 7671 §5.1: expiry does not matter",
    );
    simple(
        "roll-1-published",
        &[postfix("A")],
        &[ee(a), ee(b)],
        Verified,
        Same,
        "RFC 7671 §8.1",
    );
    simple(
        "roll-2-swapped",
        &[postfix("B")],
        &[ee(a), ee(b)],
        Verified,
        Same,
        "RFC 7671 §8.1",
    );
    simple(
        "roll-3-retired",
        &[postfix("B")],
        &[ee(b)],
        Verified,
        Same,
        "RFC 7671 §8.1",
    );
    simple(
        "roll-too-early",
        &[postfix("B")],
        &[ee(a)],
        AtRisk,
        Same,
        "RFC 7671 §8.1",
    );
    simple(
        "pkix-only",
        &[postfix("A")],
        &[format!("1 1 1 {a}")],
        Unprotected,
        Same,
        "RFC 7672 §3.1.3: unusable",
    );
    simple(
        "pkix-beside",
        &[postfix("A")],
        &[format!("0 0 1 {}", zeros(32)), ee(a)],
        Verified,
        Same,
        "RFC 7672 §3.1.3",
    );
    simple(
        "short-digest",
        &[postfix("A")],
        &[format!("3 1 1 {}", zeros(31))],
        Unprotected,
        Same,
        "RFC 7671 §4.1: unusable",
    );
    simple(
        "agility",
        &[postfix("A")],
        &[ee(a), format!("3 1 2 {}", zeros(64))],
        AtRisk,
        Same,
        "RFC 7671 §9: the stronger counts",
    );
    simple(
        "no-tlsa",
        &[postfix("A")],
        &[],
        Unprotected,
        Same,
        "RFC 7672 §2.2",
    );
    simple(
        "bogus",
        &[postfix("A")],
        &[ee(&FORGED.replace("f0", "e1"))],
        AtRisk,
        Same,
        "RFC 7672 §2.1.2: a failed lookup is no absence",
    );
    simple(
        "no-starttls",
        &[postfix("none")],
        &[ee(a)],
        AtRisk,
        Same,
        "RFC 7672 §2.2: TLS is mandatory",
    );
    for (name, host, expected, peer, why) in [
        (
            "anonymous",
            postfix("anonymous"),
            AtRisk,
            Same,
            "nothing is presented to anybody",
        ),
        (
            "tls-1-0",
            postfix("TLSv1"),
            AtRisk,
            Same,
            "a TLS that no sender speaks",
        ),
        (
            "talkative",
            oddly("talkative"),
            Verified,
            Same,
            "RFC 5321 §4.2.1: a greeting of several lines",
        ),
        (
            "helo-only",
            oddly("helo-only"),
            AtRisk,
            Same,
            "RFC 5321 §3.2: no extensions, so no STARTTLS",
        ),
        (
            "unwelcome",
            oddly("unwelcome"),
            Unknown,
            DoesNotJudge,
            "it may be the caller alone whom it refuses",
        ),
        (
            "tls-not-now",
            oddly("tls-not-now"),
            AtRisk,
            Same,
            "RFC 3207 §4: 454",
        ),
        (
            "tls-refused",
            oddly("tls-refused"),
            AtRisk,
            Same,
            "RFC 3207 §4: 554",
        ),
        (
            "alert",
            oddly("alert"),
            AtRisk,
            Same,
            "each handshake is ended by an alert",
        ),
        (
            "later",
            oddly("later"),
            Verified,
            DoesNotJudge,
            "RFC 5321 §4.2.1: 421 is asked again, by senders later",
        ),
    ] {
        simple(name, &[host], &[ee(a)], expected, peer, why);
    }
    simple(
        "both-algorithms",
        &[postfix("RSA+A")],
        &[ee(a), ee(r)],
        Verified,
        Same,
        "RFC 7672 §8.1",
    );
    simple(
        "rsa-wrong",
        &[postfix("RSA+A")],
        &[ee(a)],
        AtRisk,
        DoesNotJudge,
        "RFC 7671 §8: every chain that may be presented must match",
    );
    simple(
        "ecdsa-wrong",
        &[postfix("RSA+A")],
        &[ee(r)],
        AtRisk,
        Same,
        "the same, the other way round",
    );
    simple(
        "rsa-only",
        &[postfix("RSA")],
        &[ee(r)],
        Verified,
        Same,
        "one algorithm is enough",
    );
    simple(
        "one-address-wrong",
        &[postfix("A"), postfix("B")],
        &[ee(a)],
        AtRisk,
        DoesNotJudge,
        "RFC 7671 §8: the peer picks one of the two",
    );
    simple(
        "one-address-no-starttls",
        &[postfix("A"), postfix("none")],
        &[ee(a)],
        AtRisk,
        DoesNotJudge,
        "RFC 7672 §2.2: the peer picks one of the two",
    );
    simple(
        "older-wrong",
        &[SPLIT],
        &[ee(a)],
        AtRisk,
        DoesNotJudge,
        "RFC 7671 §8: in TLS 1.2 another chain, which the peer does not ask for",
    );
    simple(
        "exim-right",
        &[exim("A")],
        &[ee(a)],
        Verified,
        Same,
        "RFC 7672 §3.1.1",
    );
    simple(
        "exim-wrong",
        &[exim("B")],
        &[ee(a)],
        AtRisk,
        Same,
        "RFC 7672 §2.2",
    );
    simple(
        "exim-issuer",
        &[exim("A")],
        std::slice::from_ref(&ta),
        Verified,
        Same,
        "RFC 7672 §3.1.2",
    );
    simple(
        "exim-issuer-not-sent",
        &[exim("ANOCA")],
        std::slice::from_ref(&ta),
        AtRisk,
        Same,
        "RFC 7672 §3.1.2",
    );
    simple(
        "exim-other-name",
        &[exim("N")],
        std::slice::from_ref(&ta),
        AtRisk,
        Same,
        "RFC 7672 §3.2.2",
    );
    simple(
        "exim-both",
        &[exim("RSA+A")],
        &[ee(a), ee(r)],
        Verified,
        Same,
        "RFC 7672 §8.1",
    );
    simple(
        "exim-rsa-wrong",
        &[exim("RSA+A")],
        &[ee(a)],
        AtRisk,
        DoesNotJudge,
        "RFC 7671 §8",
    );
    let one = postfix("A");
    let mut special = |name: &'static str, target: &str, records: String, expected, peer, why| {
        all.push(Scenario {
            name,
            target: target.to_owned(),
            records,
            expected,
            peer,
            why,
        });
    };
    special(
        "tlsa-cname",
        "tlsa-cname.{}",
        format!(
            "tlsa-cname MX 10 mx.tlsa-cname\nmx.tlsa-cname A {one}\n_25._tcp.mx.tlsa-cname CNAME tlsa.tlsa-cname\ntlsa.tlsa-cname TLSA 3 1 1 {a}\n"
        ),
        Verified,
        Same,
        "RFC 7671 §6",
    );
    special(
        "mx-cname",
        "mx-cname.{}",
        format!(
            "mx-cname MX 10 alias.mx-cname\nalias.mx-cname CNAME mx.mx-cname\nmx.mx-cname A {one}\n_25._tcp.mx.mx-cname TLSA 3 1 1 {a}\n"
        ),
        Verified,
        Same,
        "RFC 7672 §2.2.2: the expansion is the base domain",
    );
    special(
        "mx-cname-first",
        "mx-cname-first.{}",
        format!(
            "mx-cname-first MX 10 alias.mx-cname-first\nalias.mx-cname-first CNAME mx.mx-cname-first\nmx.mx-cname-first A {one}\n_25._tcp.alias.mx-cname-first TLSA 3 1 1 {a}\n"
        ),
        Verified,
        Same,
        "RFC 7672 §2.2.2: without TLSA at the expansion, the name itself",
    );
    special(
        "cname-to-unsigned",
        "cname-to-unsigned.{}",
        format!(
            "cname-to-unsigned MX 10 mx.cname-to-unsigned\nmx.cname-to-unsigned CNAME mx.{UNSIGNED}.\n_25._tcp.mx.cname-to-unsigned TLSA 3 1 1 {a}\n"
        ),
        Verified,
        Same,
        "RFC 7672 §2.2.2: the first alias is secure, so its own name is the base domain",
    );
    special(
        "dname",
        "x.dname.{}",
        format!(
            "dname DNAME to.dname-target\nx.to.dname-target MX 10 mx.to.dname-target\nmx.to.dname-target A {one}\n_25._tcp.mx.to.dname-target TLSA 3 1 1 {a}\n"
        ),
        Verified,
        Same,
        "RFC 6672 §5.3",
    );
    special(
        "wildcard-tlsa",
        "wildcard-tlsa.{}",
        format!(
            "wildcard-tlsa MX 10 mx.wildcard-tlsa\nmx.wildcard-tlsa A {one}\n*._tcp.mx.wildcard-tlsa TLSA 3 1 1 {a}\n"
        ),
        Verified,
        Same,
        "RFC 4035 §5.3.4",
    );
    special(
        "wildcard-host",
        "wildcard-host.{}",
        format!("wildcard-host MX 10 any.w.wildcard-host\n*.w.wildcard-host A {one}\n"),
        Unprotected,
        Same,
        "RFC 4035 §5.4: no TLSA below a wildcard",
    );
    special(
        "empty-non-terminal",
        "empty-non-terminal.{}",
        format!(
            "empty-non-terminal MX 10 mx.empty-non-terminal\nmx.empty-non-terminal A {one}\n_465._tcp.mx.empty-non-terminal TLSA 3 1 1 {a}\n"
        ),
        Unprotected,
        Same,
        "RFC 5155 §7.2.8: `_tcp.…` exists, `_25._tcp.…` does not",
    );
    special(
        "unsigned-host",
        "unsigned-host.{}",
        format!("unsigned-host MX 10 mx.{UNSIGNED}.\n"),
        Unprotected,
        Same,
        "RFC 7672 §2.2.2: no TLSA lookup below insecure addresses",
    );
    special(
        "unsigned-domain",
        &format!("to-{{}}.{UNSIGNED}"),
        String::new(),
        Unprotected,
        Same,
        "RFC 7672 §2.2.1: an insecure MX protects nothing",
    );
    special(
        "expired-signatures",
        &format!("domain.{EXPIRED}"),
        String::new(),
        AtRisk,
        Same,
        "RFC 4035 §5.3.1",
    );
    special(
        "null-mx",
        "null-mx.{}",
        "null-mx MX 0 .\n".to_owned(),
        Unknown,
        DoesNotJudge,
        "RFC 7505",
    );
    special(
        "no-such-domain",
        "no-such-domain.{}",
        String::new(),
        Unknown,
        DoesNotJudge,
        "RFC 5321 §5.1",
    );
    special(
        "no-mx",
        "no-mx.{}",
        format!("no-mx A {one}\n_25._tcp.no-mx TLSA 3 1 1 {a}\n"),
        Verified,
        Same,
        "RFC 5321 §5.1, RFC 7672 §2.2.2",
    );
    special(
        "second-mx-wrong",
        "second-mx-wrong.{}",
        plain("second-mx-wrong", &[one], &[ee(a)])
            + &format!(
                "second-mx-wrong MX 20 mx2.second-mx-wrong\nmx2.second-mx-wrong A {}\n_25._tcp.mx2.second-mx-wrong TLSA 3 1 1 {a}\n",
                postfix("B")
            ),
        AtRisk,
        DoesNotJudge,
        "each MX host has to be right: the peer stops at the first",
    );
    special(
        "other-operator",
        "other-operator.{}",
        format!("other-operator MX 10 mx.right.{OTHER}.\n"),
        Verified,
        Same,
        "RFC 7672 §2.2.3: the MX host's operator publishes its TLSA records",
    );
    special(
        "domain-in-certificate",
        "domain-in-certificate.{}",
        format!(
            "domain-in-certificate MX 10 mx.host-of-domain\nmx.host-of-domain A {one}\n_25._tcp.mx.host-of-domain TLSA 2 1 1 {ca}\n"
        ),
        Verified,
        Same,
        "RFC 7672 §3.2.2: a certificate may be for the next-hop domain",
    );
    special(
        "null-mx-beside",
        "null-mx-beside.{}",
        plain("null-mx-beside", &[one], &[ee(a)]) + "null-mx-beside MX 20 .\n",
        AtRisk,
        Same,
        "RFC 7505 §3: it must stand alone, and the peer goes by it",
    );
    special(
        "alias-in-certificate",
        "alias-in-certificate.{}",
        format!(
            "alias-in-certificate MX 10 mx.alias-in-certificate\nmx.alias-in-certificate CNAME end.alias-in-certificate\nend.alias-in-certificate A {one}\n_25._tcp.end.alias-in-certificate TLSA 2 1 1 {ca}\n"
        ),
        AtRisk,
        Same,
        "RFC 7672 §3.2.2: a certificate for the alias alone",
    );
    special(
        "no-host-name",
        "no-host-name.{}",
        format!(
            "no-host-name MX 10 mx.no-host-name\nmx.no-host-name CNAME mx-.w.no-host-name\n*.w.no-host-name A {one}\n_25._tcp.mx.no-host-name TLSA 3 1 1 {a}\n"
        ),
        AtRisk,
        Same,
        "RFC 1123 §2.1: the peer follows no alias to such a name",
    );
    special(
        "longer-key",
        "longer-key.{}",
        plain("longer-key", &[one], &[format!("3 1 0 {}00", pki.a_key)]),
        Unprotected,
        Same,
        "RFC 7672 §2.2: a key with more behind it is unusable",
    );
    special(
        "smtps",
        "mx.smtps.{}:465",
        format!("mx.smtps A {one}\n_465._tcp.mx.smtps TLSA 3 1 1 {a}\n"),
        Verified,
        Same,
        "RFC 8314 §3.3: TLS from the first octet",
    );
    all
}

/// The domain names that the leaves A, B, R and X are for, in a zone.
pub fn certified(apex: &str) -> Vec<String> {
    let hosts = [
        "issuer",
        "issuer-not-sent",
        "issuer-whole",
        "issuer-expired",
        "exim-issuer",
        "exim-issuer-not-sent",
        "alias-in-certificate",
    ];
    let mut names: Vec<String> = hosts
        .iter()
        .map(|host| format!("mx.{host}.{apex}"))
        .collect();
    let odd = ODD_VERDICTS
        .iter()
        .filter(|(name, ..)| name.starts_with("ta-"));
    names.extend(odd.map(|(name, ..)| format!("mx.{name}.{apex}")));
    names.push(format!("domain-in-certificate.{apex}"));
    names
}
