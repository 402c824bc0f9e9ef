//! The configuration: what it means, and every way to get it wrong with the words that say so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines, // tables
    missing_docs
)]

use std::fs;
use std::path::Path;
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::timing::{Span, Ttl};
use tlsa_rotate::workspace::Workspace;
use tlsa_rotate::workspace::config::{
    Config, ConfigError, Denial, Deploy, GeneratedKey, NextKey, Publication, Signing,
};
use tlsa_rotate::zone::name::Name;

const GOOD: &str = r#"[policy]
min_wait = "2d"
safety_margin = "90m"

[[zone]]
name = "example.com"
file = "zones/example.com.zone"
sign = { keys = "keys" }
servers = ["192.0.2.53", "192.0.2.54:5353", "2001:db8::53", "[2001:db8::54]:5353"]
publish = { git = { branch = "tlsa-rotate/{rotation}" } }
reload = ["rndc", "reload", "example.com"]

[[zone]]
name = "sub.Example.com."
file = "./zones/sub.zone"
sign = "external"
anchor = "keys/sub.ds"
publish = { file = true }

[[certificate]]
name = "mail"
hosts = ["MX1.example.com.", "mx.sub.example.com"]
live = { certificate = "/etc/mail/fullchain.pem", key = "/etc/mail/privkey.pem" }
next = { generate = ["rsa-2048", "ecdsa-p256"] }
deploy = { command = ["/usr/local/sbin/deploy", "mail"] }
addresses = { "mx1.example.com" = ["192.0.2.25", "[2001:db8::25]:2525"] }
policy = { soak = "48h" }

[[certificate]]
name = "submission"
hosts = ["mx1.example.com"]
ports = [465, 587]
live = [{ certificate = "a.pem" }, { certificate = "b.pem" }]
next = { certificate = "next.pem", key = "next.key" }
"#;

fn root() -> &'static Path {
    Path::new("/workspace")
}

#[test]
fn absence_is_proven_by_nsec3_where_the_zone_says_so() {
    let wanted = "{ keys = \"keys\", denial = \"nsec3\", jitter = \"0s\" }";
    let text = GOOD.replace("{ keys = \"keys\" }", wanted);
    let config = Config::parse(&text, root()).unwrap();
    let Signing::Here { denial, jitter, .. } = &config.zones[0].signing else {
        panic!("{:?}", config.zones[0].signing);
    };
    let Denial::Nsec3 { hashing, opt_out } = denial else {
        panic!("{denial:?}");
    };
    // RFC 9276 §3.1, and no opt-out where TLSA records are.
    assert_eq!(
        (hashing.iterations, hashing.salt.len(), *opt_out),
        (0, 0, false)
    );
    assert_eq!(*jitter, Span::ZERO);
}

#[test]
fn everything_written_is_meant() {
    let config = Config::parse(GOOD, root()).unwrap();
    let (zone, sub) = (&config.zones[0], &config.zones[1]);
    assert_eq!(zone.file, Path::new("/workspace/zones/example.com.zone"));
    assert_eq!(
        zone.signing,
        Signing::Here {
            keys: "/workspace/keys".into(),
            denial: Denial::Nsec,
            signed: "/workspace/zones/example.com.zone.signed".into(),
            validity: Span::days(14),
            refresh: Span::days(8),
            jitter: Span::hours(12),
        }
    );
    let servers: Vec<String> = zone.servers.iter().map(ToString::to_string).collect();
    assert_eq!(
        servers,
        [
            "192.0.2.53:53",
            "192.0.2.54:5353",
            "[2001:db8::53]:53",
            "[2001:db8::54]:5353"
        ]
    );
    assert_eq!(
        zone.publication.branch("mail.1", &zone.name).as_deref(),
        Some("tlsa-rotate/mail.1")
    );
    assert_eq!(zone.reload.as_ref().unwrap().len(), 3);
    assert_eq!(sub.file, Path::new("/workspace/zones/sub.zone"));
    assert_eq!(
        sub.signing,
        Signing::External {
            anchor: "/workspace/keys/sub.ds".into()
        }
    );
    assert_eq!(sub.publication, Publication::File);
    assert!(sub.servers.is_empty());

    let mail = config.certificate("mail").unwrap();
    assert_eq!(mail.hosts, ["mx1.example.com", "mx.sub.example.com"]);
    assert_eq!(mail.ports, [25]);
    assert_eq!(
        mail.live[0].certificate,
        Path::new("/etc/mail/fullchain.pem")
    );
    assert_eq!(
        mail.next,
        NextKey::Generate(vec![GeneratedKey::Rsa2048, GeneratedKey::EcdsaP256])
    );
    assert_eq!(
        mail.deploy,
        Deploy::Command(vec!["/usr/local/sbin/deploy".into(), "mail".into()])
    );
    let sockets = mail.addresses["mx1.example.com"].iter();
    let sockets: Vec<String> = sockets.map(|d| d.socket(25).to_string()).collect();
    assert_eq!(sockets, ["192.0.2.25:25", "[2001:db8::25]:2525"]);
    let policy = Policy {
        min_wait: Span::days(2),
        soak: Span::days(2),
        safety_margin: Span::minutes(90),
        ..Policy::default()
    };
    assert_eq!(mail.policy, policy);
    let submission = config.certificate("submission").unwrap();
    assert_eq!(
        submission.policy,
        Policy {
            soak: Span::days(1),
            ..policy
        }
    );
    assert_eq!(submission.live.len(), 2);
    assert_eq!(submission.deploy, Deploy::Manual);
    assert!(
        matches!(&submission.next, NextKey::Files(files) if files[0].key == Path::new("/workspace/next.key"))
    );
    let endpoints: Vec<String> = submission.endpoints().map(|e| e.to_string()).collect();
    assert_eq!(endpoints, ["mx1.example.com:465", "mx1.example.com:587"]);

    let name = |text: &str| Name::parse(text.as_bytes(), None).unwrap();
    assert_eq!(
        config.zone_of(&name("_25._tcp.mx.sub.example.com.")),
        Some(sub)
    );
    assert_eq!(
        config.zone_of(&name("_25._tcp.mx1.example.com.")),
        Some(zone)
    );
    assert_eq!(config.zone_of(&name("example.org.")), None);
    assert_eq!(config.warnings, []);
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let table: &[(&str, &str, &[&str])] = &[
        (
            "min_wait",
            "min_wiat",
            &["2: unknown key `min_wiat` in [policy]; did you mean `min_wait`?"],
        ),
        (
            "[policy]",
            "[polcy]",
            &["1: unknown key `polcy` in this file; did you mean `policy`?"],
        ),
        (
            "[policy]",
            "color = 1\n[policy]",
            &[
                "1: unknown key `color` in this file; known are branch, rehearsal, conversation, policy, zone, certificate, vantage, journal",
            ],
        ),
        (
            "keys = \"keys\"",
            "key = \"keys\"",
            &[
                "8: unknown key `key` in `sign`; did you mean `keys`?",
                "8: `sign` needs `keys`, such as keys = \"keys\"",
            ],
        ),
        (
            "branch =",
            "brunch =",
            &["10: unknown key `brunch` in `git`; did you mean `branch`?"],
        ),
        (
            "policy = { soak",
            "policy = { sook",
            &["27: unknown key `sook` in [certificate.policy]; did you mean `soak`?"],
        ),
        (
            "\"2d\"",
            "\"2x\"",
            &["2: `min_wait`: `2x` is not a duration such as 24h, 90m, 2d or 1h30m"],
        ),
        (
            "\"2d\"",
            "24",
            &["2: `min_wait` must be text in quotes, this is a TOML integer"],
        ),
        (
            "\"2d\"",
            "\"24\"",
            &[
                "2: `min_wait`: `24` is not a duration such as 24h, 90m, 2d or 1h30m; the unit is missing after `24`",
            ],
        ),
        (
            "\"90m\"",
            "\"400d\"",
            &["3: `safety_margin`: `400d` is longer than a year (366d)"],
        ),
        (
            "[policy]\n",
            "policy = 1\n",
            &[
                "1: [policy] must be a table with min_wait, soak, safety_margin, concurrent, standby, max_age, renew_before, assume_ttl, retry_after_abort, patience, deadline_notice, keep_retired_keys; this is a TOML integer",
                "2: unknown key `min_wait` in this file; known are branch, rehearsal, conversation, policy, zone, certificate, vantage, journal",
                "3: unknown key `safety_margin` in this file; known are branch, rehearsal, conversation, policy, zone, certificate, vantage, journal",
            ],
        ),
        (
            "name = \"example.com\"\n",
            "",
            &["5: [[zone]] needs `name`, such as name = \"example.com\""],
        ),
        (
            "name = \"example.com\"",
            "name = \"*.com\"",
            &["6: `name`: `*.com` cannot be used here, a name such as example.com is expected"],
        ),
        (
            "name = \"example.com\"",
            "name = \"a..com\"",
            &[
                "6: `name`: `a..com` is not a domain name: a label is empty (two dots in a row, or one in front)",
            ],
        ),
        (
            "name = \"sub.Example.com.\"",
            "name = \"EXAMPLE.com\"",
            &["13: zone EXAMPLE.com. is there twice"],
        ),
        (
            "\"zones/example.com.zone\"",
            "\"../example.com.zone\"",
            &[
                "7: `file`: `../example.com.zone` must be a path below the directory of this configuration, without `..`",
            ],
        ),
        (
            "\"zones/example.com.zone\"",
            "\"/etc/bind/example.com\"",
            &[
                "7: `file`: `/etc/bind/example.com` must be a path below the directory of this configuration, without `..`",
            ],
        ),
        (
            "\"zones/example.com.zone\"",
            "\"\"",
            &["7: `file` is empty"],
        ),
        (
            "\"./zones/sub.zone\"",
            "\"zones/example.com.zone\"",
            &[
                "13: zone sub.Example.com.: /workspace/zones/example.com.zone is already the file of another zone",
            ],
        ),
        (
            "\"./zones/sub.zone\"",
            "\"zones/example.com.zone.signed\"",
            &[
                "13: zone sub.Example.com.: /workspace/zones/example.com.zone.signed is already the file of another zone",
            ],
        ),
        (
            "sign = { keys = \"keys\" }\n",
            "",
            &["5: [[zone]] needs `sign`, such as sign = { keys = \"keys\" }"],
        ),
        (
            "sign = { keys = \"keys\" }",
            "sign = \"here\"",
            &["8: `sign` must be { keys = \"keys\" } or \"external\""],
        ),
        (
            "{ keys = \"keys\" }",
            "{ keys = \"keys\", denial = \"nsec5\" }",
            &["8: `denial` must be \"nsec\" or \"nsec3\", not `nsec5`"],
        ),
        (
            "{ keys = \"keys\" }",
            "{ keys = \"keys\", signed = \"zones/example.com.zone\" }",
            &["8: `signed` is the zone file itself: signing would overwrite what people edit"],
        ),
        (
            "{ keys = \"keys\" }",
            "{ keys = \"keys\", validity = \"5d\", refresh = \"8d\" }",
            &[
                "8: `refresh` must be more than nothing and less than `validity`: signatures hold 5d and are made anew when less than 8d is left",
            ],
        ),
        (
            "{ keys = \"keys\" }",
            "{ keys = \"keys\", jitter = \"6d\" }",
            &[
                "8: `jitter` must be less than `validity` without `refresh`: signatures that hold 14d less 6d would be due at once, as 8d or less is left",
            ],
        ),
        (
            "sign = \"external\"\nanchor = \"keys/sub.ds\"",
            "sign = \"external\"",
            &[
                "13: [[zone]] needs `anchor`, such as anchor = \"keys/example.com.ds\" (DS or DNSKEY lines that answers are validated against: what the parent publishes is `dig +noall +answer DS example.com`; where nobody has signed the zone yet, let its server sign it first, and take its keys: `dig +noall +answer DNSKEY example.com @SERVER`)",
            ],
        ),
        (
            "sign = { keys = \"keys\" }",
            "include = \"zones/tlsa.inc\"\nsign = { keys = \"keys\" }",
            &[
                "8: `include` goes with sign = \"external\" and a `file` that somebody else keeps: what is signed here needs a serial raised here",
            ],
        ),
        (
            "sign = \"external\"\n",
            "sign = \"external\"\ninclude = \"../tlsa.inc\"\n",
            &[
                "17: `include`: `../tlsa.inc` must be a path below the directory of this configuration, without `..`",
            ],
        ),
        (
            "sign = \"external\"\n",
            "sign = { keys = \"k\" }\n",
            &[
                "17: `anchor` goes with sign = \"external\"; where this program signs, the keys themselves are the anchor",
            ],
        ),
        (
            "\"192.0.2.54:5353\"",
            "\"192.0.2.54:0\"",
            &[
                "9: `servers`: `192.0.2.54:0`: an IP address is expected, with a port if it is not 53, such as 192.0.2.53 or [2001:db8::53]:5353",
            ],
        ),
        (
            "\"192.0.2.54:5353\"",
            "\"ns1.example.com\"",
            &[
                "9: `servers`: `ns1.example.com`: an IP address is expected, with a port if it is not 53, such as 192.0.2.53 or [2001:db8::53]:5353",
            ],
        ),
        (
            "reload = [",
            "servers_run = [\"Knot\", \"unbound\"]\nreload = [",
            &["11: `servers_run`: `unbound` is none of bind, knot, nsd, powerdns, other"],
        ),
        (
            "servers = [\"192.0.2.53\"",
            "servers = [53",
            &["9: `servers` must be text in quotes, this is a TOML integer"],
        ),
        (
            "{ git = { branch = \"tlsa-rotate/{rotation}\" } }",
            "\"git\"",
            &[
                "10: `publish` must be one of { git = {} }, { git = { branch = \"tlsa-rotate/{rotation}\" } }, { file = true }, each also with serve = { … }, or { update = { server = …, tsig = … } }, or { command = [\"…\"] }",
            ],
        ),
        (
            "publish = { file = true }",
            "publish = { file = true, git = {} }",
            &[
                "18: `publish` must be one of { git = {} }, { git = { branch = \"tlsa-rotate/{rotation}\" } }, { file = true }, each also with serve = { … }, or { update = { server = …, tsig = … } }, or { command = [\"…\"] }",
            ],
        ),
        (
            "tlsa-rotate/{rotation}",
            "tlsa-rotate",
            &[
                "10: `branch` must contain one of {rotation}, {zone} and {run}: a branch for each rotation, for what is due in a zone, or for all that is due; `tlsa-rotate` has none",
            ],
        ),
        (
            "tlsa-rotate/{rotation}",
            "a..b/{rotation}",
            &["10: `branch`: git does not allow `a..b/{rotation}` as the name of a branch"],
        ),
        (
            "tlsa-rotate/{rotation}",
            "{rotation}.lock",
            &["10: `branch`: git does not allow `{rotation}.lock` as the name of a branch"],
        ),
        (
            "tlsa-rotate/{rotation}",
            "{zone}/{rotation}",
            &[
                "10: `branch` must contain one of {rotation}, {zone} and {run}: a branch for each rotation, for what is due in a zone, or for all that is due; `{zone}/{rotation}` has more",
            ],
        ),
        (
            "tlsa-rotate/{rotation}",
            "-{rotation}",
            &["10: `branch`: git does not allow `-{rotation}` as the name of a branch"],
        ),
        (
            "{ git = { branch = \"tlsa-rotate/{rotation}\" } }",
            "{ git = { branch = \"journal/{rotation}\" } }",
            &[
                "10: `branch`: what begins with `journal/` would be in the way of the journals that runners share",
            ],
        ),
        (
            "{ git = { branch = \"tlsa-rotate/{rotation}\" } }",
            "{ git = { remote = \"https://example.com/zones.git\" } }",
            &[
                "10: `remote`: `https://example.com/zones.git` is not the name of a remote as `git remote` lists them, such as origin",
            ],
        ),
        (
            "{ git = { branch = \"tlsa-rotate/{rotation}\" } }",
            "{ git = { remote = \"--upload-pack=evil\" } }",
            &[
                "10: `remote`: `--upload-pack=evil` is not the name of a remote as `git remote` lists them, such as origin",
            ],
        ),
        (
            "[\"rndc\", \"reload\", \"example.com\"]",
            "\"rndc reload\"",
            &["11: `reload` must be an array in square brackets, this is a TOML string"],
        ),
        (
            "[\"rndc\", \"reload\", \"example.com\"]",
            "[]",
            &["11: `reload` is empty: the first element is the program, the others its arguments"],
        ),
        (
            "name = \"mail\"",
            "name = \"../mail\"",
            &[
                "21: `name`: `../mail` must be at most 100 letters, digits, `-`, `_` and single `.`, with a letter or digit at both ends",
            ],
        ),
        (
            "name = \"submission\"",
            "name = \"MAIL\"",
            &["29: certificate MAIL is there twice (case makes no difference)"],
        ),
        (
            "[\"MX1.example.com.\", \"mx.sub.example.com\"]",
            "[]",
            &[
                "22: `hosts` is empty: name the hosts that present this certificate",
                "26: `addresses`: mx1.example.com is not one of `hosts`",
            ],
        ),
        (
            "\"mx.sub.example.com\"",
            "\"mx1.EXAMPLE.com\"",
            &["22: `hosts`: mx1.example.com is there twice"],
        ),
        (
            "hosts = [\"MX1",
            "domains = [\"a.test\", \"A.test.\", \"*.a.test\"]\nhosts = [\"MX1",
            &[
                "22: `domains`: a.test is there twice",
                "22: `domains`: `*.a.test` cannot be used here, a name such as example.com is expected",
            ],
        ),
        (
            "\"mx.sub.example.com\"",
            "\"mx.example.org\"",
            &[
                "20: certificate mail: mx.example.org lies in none of the zones here; its TLSA records need one",
            ],
        ),
        (
            "ports = [465, 587]",
            "ports = [0]",
            &[
                "32: `ports` must be TCP ports from 1 to 65535 in square brackets, such as [25] or [25, 465]",
            ],
        ),
        (
            "ports = [465, 587]",
            "ports = [65536]",
            &[
                "32: `ports` must be TCP ports from 1 to 65535 in square brackets, such as [25] or [25, 465]",
            ],
        ),
        (
            "ports = [465, 587]",
            "ports = []",
            &[
                "32: `ports` must be TCP ports from 1 to 65535 in square brackets, such as [25] or [25, 465]",
            ],
        ),
        (
            "ports = [465, 587]",
            "ports = [465, 465]",
            &["32: `ports`: 465 is there twice"],
        ),
        (
            "ports = [465, 587]",
            "ports = [25]",
            &[
                "29: certificate submission: mx1.example.com:25 belongs to certificate mail already; an RSA and an ECDSA chain of one server are one certificate with two `live` entries",
            ],
        ),
        (
            "{ certificate = \"next.pem\", key = \"next.key\" }",
            "{ certificate = \"next.pem\" }",
            &["34: `next` needs `key`, such as key = \"next/privkey.pem\""],
        ),
        (
            "[\"rsa-2048\", \"ecdsa-p256\"]",
            "\"rsa-1024\"",
            &["24: `generate` must be \"ecdsa-p256\", \"rsa-2048\" or each once, not `rsa-1024`"],
        ),
        (
            "[\"rsa-2048\", \"ecdsa-p256\"]",
            "[]",
            &["24: `generate` names no key: \"ecdsa-p256\", \"rsa-2048\" or both"],
        ),
        (
            "{ generate = [\"rsa-2048\", \"ecdsa-p256\"] }",
            "{ generate = \"rsa-2048\", key = \"k\" }",
            &["24: `next` either generates the key or names its files, not both"],
        ),
        (
            "{ command = [\"/usr/local/sbin/deploy\", \"mail\"] }",
            "{ manual = false }",
            &[
                "25: `deploy` must be { manual = true } or { command = [\"/usr/local/sbin/deploy-mail-cert\"] }",
            ],
        ),
        (
            "\"mx1.example.com\" = [",
            "\"mx9.example.com\" = [",
            &["26: `addresses`: mx9.example.com is not one of `hosts`"],
        ),
        (
            "\"192.0.2.25\"",
            "\"192.0.2\"",
            &[
                "26: `addresses`: mx1.example.com must be followed by IP addresses, such as [\"192.0.2.25\", \"2001:db8::25\", \"192.0.2.25:2525\"]",
            ],
        ),
        (
            "[policy]",
            "conversation = \"2h\"\n[policy]",
            &["1: `conversation` must be from 5s to 1h, this is 2h"],
        ),
        (
            "[policy]",
            "branch = \"main\"\nconversation = \"4s\"\n[policy]",
            &["2: `conversation` must be from 5s to 1h, this is 4s"],
        ),
        (
            "[policy]",
            "[policy",
            &["1: not TOML: unclosed table, expected `]`"],
        ),
        (
            "[policy]",
            "[journal]\nsign_with = \"/etc/runner\"\nsigners = \"/etc/signers\"\n[policy]",
            &[
                "1: [journal] goes with publish = { git = { …, remote = \"origin\" } }: no journal is shared otherwise",
                "3: `signers`: `/etc/signers` must be a path below the directory of this configuration, without `..`",
            ],
        ),
        (
            "[policy]",
            "[journal]\nsign_with = \"/etc/runner\"\n[policy]",
            &[
                "1: [journal] needs `signers`, such as signers = \"allowed_signers\" (a file in git: a line `runner1 ssh-ed25519 AAAA…` for each)",
                "1: [journal] goes with publish = { git = { …, remote = \"origin\" } }: no journal is shared otherwise",
            ],
        ),
    ];
    for (from, to, expected) in table {
        assert_eq!(GOOD.matches(from).count(), 1, "`{from}` must be there once");
        let problems = Config::parse(&GOOD.replace(from, to), root()).expect_err(to);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told, *expected, "{from} -> {to}");
    }
}

#[test]
fn a_branch_is_for_a_rotation_a_zone_or_all_that_is_due() {
    for (template, zone, expected, is_shared) in [
        ("t/{rotation}", "example.com.", "t/mail.1", false),
        ("t/{zone}", "Example.com.", "t/example.com", true),
        (
            "t/{zone}",
            "0/25.2.0.192.in-addr.arpa.",
            "t/0%2F25.2.0.192.in-addr.arpa",
            true,
        ),
        ("t/{zone}", ".", "t/root", true),
        ("t/{run}", "example.com.", "t/due", true),
    ] {
        let text = GOOD.replace("tlsa-rotate/{rotation}", template);
        let config = Config::parse(&text, root()).unwrap();
        let publication = &config.zones[0].publication;
        let zone = Name::parse(zone.as_bytes(), None).unwrap();
        assert_eq!(
            publication.branch("mail.1", &zone).as_deref(),
            Some(expected)
        );
        assert_eq!(publication.is_shared(), is_shared);
        assert!(publication.is_proposal(expected, &zone), "{expected}");
        assert!(!publication.is_proposal("main", &zone));
    }
}

#[test]
fn an_empty_file_says_what_is_needed() {
    let told: Vec<String> = Config::parse("", root())
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "1: this file needs `[[zone]]`, such as [[zone]] name = \"example.com\"",
            "1: this file needs `[[certificate]]`, such as [[certificate]] name = \"mail\"",
        ]
    );
}

#[test]
fn a_ttl_from_before_is_stated_for_a_certificate_and_assumed_by_policy() {
    let read = |policy: &str, certificate: &str| {
        let text = GOOD.replace("[policy]\n", &format!("[policy]\n{policy}"));
        let text = text.replacen(
            "name = \"mail\"\n",
            &format!("name = \"mail\"\n{certificate}"),
            1,
        );
        let config = Config::parse(&text, root()).unwrap();
        let mail = config.certificate("mail").unwrap();
        let warned = config
            .warnings
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        (mail.ttl_before, mail.assume_ttl, warned.join("; "))
    };
    assert_eq!(read("", ""), (None, Ttl(86_400), String::new()));
    let stated = read("assume_ttl = \"2d\"\n", "ttl_before = \"1h\"\n");
    assert_eq!(stated, (Some(Ttl(3600)), Ttl(172_800), String::new()));
    let (_, assumed, warned) = read("assume_ttl = \"5m\"\n", "");
    assert_eq!(assumed, Ttl(300));
    assert!(
        warned.contains("`assume_ttl` is less than 1d: ") && !warned.contains("; "),
        "{warned}"
    );
}

#[test]
fn no_soak_is_allowed_and_warned_of() {
    let config = Config::parse(&GOOD.replace("soak = \"48h\"", "soak = \"0s\""), root()).unwrap();
    assert_eq!(config.certificates[0].policy.soak, Span::ZERO);
    assert_eq!(config.warnings.len(), 1);
    assert!(
        config.warnings[0]
            .to_string()
            .starts_with("27: `soak` is 0s: "),
        "{}",
        config.warnings[0]
    );
}

#[test]
fn hostile_bytes_give_problems_and_no_panic() {
    for text in [
        "\0",
        "a = \"\\u0000\"",
        "[[zone]]\n[[zone]]",
        "zone = [1]",
        "certificate = [[]]",
        "[zone]\nx=1",
        "name = \"\u{202e}\"",
    ] {
        assert!(Config::parse(text, root()).is_err(), "{text:?}");
    }
    let deep = "a = ".to_owned() + &"[".repeat(100_000);
    assert!(Config::parse(&deep, root()).is_err());
    for cut in 0..GOOD.len() {
        let _ = Config::parse(&GOOD[..cut], root());
    }
}

#[test]
fn the_workspace_is_found_from_below_and_its_absence_is_told() {
    let home = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(home.path()).unwrap();
    let below = root.join("zones/deeper");
    fs::create_dir_all(&below).unwrap();
    let error = Workspace::find(&below).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "no tlsa-rotate.toml in {} or any directory above it",
            below.display()
        )
    );
    assert!(error.hints()[0].contains("tlsa-rotate init"));
    fs::write(root.join("tlsa-rotate.toml"), GOOD).unwrap();
    let workspace = Workspace::find(&below).unwrap();
    assert_eq!(workspace.root, root);
    assert_eq!(
        workspace.journal("mail"),
        root.join(".tlsa-rotate/journal/mail.jsonl")
    );
    assert_eq!(
        workspace.tls_keys(&"mail.1".parse().unwrap()),
        root.join("keys/tls/mail.1")
    );
    let _lock = workspace.lock().unwrap();

    fs::write(
        root.join("tlsa-rotate.toml"),
        GOOD.replace("min_wait", "min_wiat")
            .replace("\"90m\"", "90"),
    )
    .unwrap();
    let error = Workspace::open(&root.join("tlsa-rotate.toml")).unwrap_err();
    let file = root.join("tlsa-rotate.toml").display().to_string();
    assert_eq!(
        error.to_string(),
        format!(
            "{file}:2: unknown key `min_wiat` in [policy]; did you mean `min_wait`?\n{file}:3: `safety_margin` must be text in quotes, this is a TOML integer"
        )
    );
    fs::write(root.join("tlsa-rotate.toml"), [0xff, 0xfe]).unwrap();
    assert!(matches!(
        Workspace::find(&root),
        Err(ConfigError::Unreadable { .. })
    ));
}

/// A zone's table with `zone`, and a certificate.
fn with_zone(zone: &str) -> Result<Config, Vec<String>> {
    let text = format!(
        "[[zone]]\nname = \"example.com\"\n{zone}\n[[certificate]]\nname = \"mail\"\nhosts = [\"mx1.example.com\"]\n\
         live = {{ certificate = \"c.pem\" }}\nnext = {{ generate = \"ecdsa-p256\" }}\ndeploy = {{ manual = true }}\n"
    );
    Config::parse(&text, root()).map_err(|all| all.iter().map(ToString::to_string).collect())
}

#[test]
fn a_zone_may_be_served_by_us_or_kept_by_its_primary() {
    let here = "file = \"z\"\nsign = { keys = \"k\" }\npublish = ";
    let served = format!(
        "{here}{{ git = {{}}, serve = {{ keys = [\"x.tsig\"], secondaries = [\"192.0.2.1,key:xfr\"], query = [\"any\"], \
         notify = [\"10.0.0.0/8\"], horizon = \"1d\" }} }}"
    );
    let zone = with_zone(&served).unwrap().zones.remove(0);
    let serve = zone.serve.unwrap();
    assert_eq!(zone.publication, Publication::GitDirect);
    assert_eq!(serve.keys, [root().join("x.tsig")]);
    assert_eq!(serve.horizon, Span::days(1));
    let rule = |text| tlsa_rotate::workspace::config::access::Rule::parse(text).unwrap();
    assert_eq!(
        serve.transfer(),
        [rule("192.0.2.1,key:xfr")],
        "the secondaries, by default"
    );
    let alone = with_zone(&format!("{here}{{ serve = {{}} }}"))
        .unwrap()
        .zones
        .remove(0);
    assert!(
        matches!(alone.publication, Publication::GitBranch { .. }),
        "reviewed, as without `publish`"
    );
    assert_eq!(
        alone.serve.unwrap().transfer(),
        [rule("127.0.0.0/8"), rule("::1")]
    );

    let external = "sign = \"external\"\nanchor = \"a\"\npublish = ";
    let update = "{ update = { server = \"192.0.2.53\", tsig = \"u.tsig\" } }";
    let zone = with_zone(&format!("{external}{update}"))
        .unwrap()
        .zones
        .remove(0);
    let expected = Publication::Update {
        server: "192.0.2.53:53".parse().unwrap(),
        tsig: root().join("u.tsig"),
    };
    assert_eq!(zone.publication, expected);

    let table = [
        (
            format!("{here}{update}"),
            "3: `file` goes with git and file",
        ),
        (
            format!("sign = {{ keys = \"k\" }}\npublish = {update}"),
            "go with sign = \"external\"",
        ),
        (
            format!("file = \"z\"\n{external}{{ file = true, serve = {{}} }}"),
            "what somebody else signs, somebody else serves",
        ),
        (
            format!("{external}{{ update = {{ server = \"here\", tsig = \"u\" }} }}"),
            "`server`: `here`: an IP address",
        ),
        (
            format!("{external}{{ update = {{ server = \"192.0.2.53\" }} }}"),
            "`tsig`",
        ),
        (
            format!(
                "{external}{{ file = true, update = {{ server = \"192.0.2.53\", tsig = \"u\" }} }}"
            ),
            "must be one of",
        ),
        (
            format!("{here}{{ serve = {{ transfer = [\"192.0.2.1/24\"] }} }}"),
            "5: `transfer`: `192.0.2.1/24` has bits set",
        ),
        (
            format!("{here}{{ serve = {{ secondaries = [\"ns1\"] }} }}"),
            "5: `secondaries`: `ns1` is not an address",
        ),
        (
            format!("{here}{{ serve = {{ tranfser = [] }} }}"),
            "tranfser",
        ),
    ];
    for (zone, expected) in table {
        let said = with_zone(&zone).expect_err(&zone).join("\n");
        assert!(said.contains(expected), "{zone}: {said}");
    }
}

#[test]
fn a_vantage_is_a_command_with_a_name_and_a_bound() {
    let read = |vantages: &str| {
        let config = Config::parse(&format!("{GOOD}{vantages}"), root());
        let config = config.map_err(|problems| problems[0].message.clone())?;
        let told = config.vantages.iter();
        let told = told.map(|v| format!("{} {:?} {}", v.name, v.command, v.timeout));
        Ok::<_, String>(told.collect::<Vec<String>>().join("; "))
    };
    let wrong = |message: &str| Err(message.to_owned());
    #[rustfmt::skip]
    let table = [
        ("", Ok(String::new())),
        ("[[vantage]]\ncommand = [\"ssh\", \"probe1\"]\n", Ok("ssh probe1 [\"ssh\", \"probe1\"] 1m".to_owned())),
        ("[[vantage]]\nname = \"a\"\ncommand = [\"x\"]\ntimeout = \"2m\"\n[[vantage]]\nname = \"b\"\ncommand = [\"x\"]\n", Ok("a [\"x\"] 2m; b [\"x\"] 1m".to_owned())),
        ("[[vantage]]\nname = \"a\"\n", wrong("[[vantage]] needs `command`, such as command = [\"ssh\", \"probe1\", \"tlsa-rotate\", \"look\"]")),
        ("[[vantage]]\ncommand = []\n", wrong("`command` is empty: the first element is the program, the others its arguments")),
        ("[[vantage]]\ncommand = [\"x\"]\ntimeout = \"4s\"\n", wrong("`timeout` of a vantage must be from 5s to 10m, this is 4s")),
        ("[[vantage]]\ncommand = [\"x\"]\ntimeout = \"11m\"\n", wrong("`timeout` of a vantage must be from 5s to 10m, this is 11m")),
        ("[[vantage]]\ncommand = [\"x\"]\n[[vantage]]\ncommand = [\"x\"]\n", wrong("vantage x is there twice")),
        ("[[vantage]]\ncommand = [\"x\"]\nhost = \"y\"\n", wrong("unknown key `host` in [[vantage]]; known are name, command, timeout")),
    ];
    for (vantages, expected) in table {
        assert_eq!(read(vantages), expected, "{vantages}");
    }
}

#[test]
fn how_long_a_conversation_may_take_is_said_or_longer_than_senders_wait_for_a_greeting() {
    let of = |text: &str| Config::parse(text, root()).unwrap().conversation;
    let minutes = |minutes| Span::minutes(minutes);
    assert!(of(GOOD) > minutes(5), "RFC 5321 §4.5.3.2");
    assert_eq!(of(&format!("conversation = \"20m\"\n{GOOD}")), minutes(20));
}
