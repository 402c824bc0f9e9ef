//! `check` of mail domains that somebody else keeps and whose mail our hosts take: looked up and judged as senders do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;
mod https_support;
mod rotation_support;

use dane_support::Bench;
use https_support::{PolicyServer, Says, ok};
use rotation_support::external::keep_by_a_provider;
use rotation_support::{BEGIN, HOSTS, Publish, Run, World, hours};
use tlsa_rotate::zone::content::Zone;

/// Where the customer wants to be told of failures.
const REPORTS: &str = "_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:tls@customer.test\"\n";

/// A world whose certificate's hosts take mail for a domain of a customer's.
fn world() -> World {
    world_with("")
}

/// The same with these lines more for the certificate.
fn world_with(lines: &str) -> World {
    let named = |config: String| {
        config.replace(
            "[[certificate]]",
            &format!("[[certificate]]\ndomains = [\"customer.test\"]\n{lines}"),
        )
    };
    let world = World::with(Publish::File, named);
    for directory in ["theirs", "others"] {
        let key = ["key", "generate", "customer.test", "--keys", directory];
        world.run(BEGIN, &key).ends(0);
    }
    let ds = |zone, keys| {
        let ds = world.run(BEGIN, &["key", "ds", zone, "--keys", keys]);
        ds.ends(0).stdout
    };
    let anchors = ds("example.com", "keys") + &ds("customer.test", "theirs");
    world.write("anchors", &anchors);
    world.write("ours", &ds("example.com", "keys"));
    world
}

/// Makes the customer's zone what these records are, with the keys in a directory or without signatures.
fn keep(world: &World, records: &str, keys: Option<&str>) {
    let front = "$ORIGIN customer.test.\n$TTL 3600\n@ SOA ns h 1 7200 3600 604800 300\n@ NS ns\nns A 192.0.2.1\n";
    world.write("customer", &format!("{front}{records}"));
    let served = if let Some(keys) = keys {
        let sign = [
            "zone", "sign", "customer", "--keys", keys, "--output", "c.signed",
        ];
        world.run(BEGIN, &sign).ends(0);
        "c.signed"
    } else {
        "customer"
    };
    world.serve(0, Zone::parse(world.read(served).as_bytes(), None).unwrap());
}

fn check(world: &World, anchors: &str) -> Run {
    let resolver = world.server(0);
    let arguments = ["check", "--resolver", &resolver, "--trust-anchor", anchors];
    world.run(hours(1), &arguments)
}

/// Records, the keys that sign them, the exit code, what is said, and why.
type Row = (
    &'static str,
    Option<&'static str>,
    i32,
    &'static [&'static str],
    &'static str,
);

#[test]
fn a_domain_kept_elsewhere_is_judged_as_senders_do() {
    let world = world();
    #[rustfmt::skip]
    let table: [Row; 8] = [
        ("@ MX 10 mx1.example.com.\n", Some("theirs"), 0,
            &["nothing to do, 1 to consider (1 zone, 2 mail domains, 2 hosts)"], "all is well"),
        ("@ MX 10 mx1.example.com.\n", None, 0,
            &["advice   customer.test MX: the MX RRset is not secure", "ask whoever keeps the domain to sign it"], "not signed: theirs to do"),
        ("@ MX 10 mx1.example.com.\n", Some("others"), 4,
            &["AT RISK  customer.test MX: "], "a DS of other keys: senders defer"),
        ("@ MX 10 mx.old.test.\n", Some("theirs"), 3,
            &["you      customer.test MX: its mail goes to mx.old.test, and to none of the hosts here",
              "or take it out of `domains`"], "the mail goes elsewhere"),
        ("@ A 192.0.2.9\n", Some("theirs"), 3,
            &["you      customer.test MX: its mail goes to customer.test, and to none"], "no MX"),
        ("@ MX 0 .\n", Some("theirs"), 3,
            &["you      customer.test MX: its mail goes to nobody, and to none"], "a null MX"),
        ("@ MX 0 .\n@ MX 10 mx1.example.com.\n", Some("theirs"), 4,
            &["AT RISK  customer.test MX: a null MX"], "a null MX beside another"),
        ("@ MX 10 mx1.example.com.\n@ MX 20 mx-\nmx- A 127.9.9.9\n", Some("theirs"), 4,
            &["AT RISK  mx-.customer.test:25: mx-.customer.test is no host name"], "no host name"),
    ];
    for (records, keys, code, expected, why) in table {
        keep(&world, &format!("{records}{REPORTS}"), keys);
        // Without an anchor or a DS, what is not signed is nobody's fault.
        let anchors = if keys.is_some() { "anchors" } else { "ours" };
        let run = check(&world, anchors);
        assert_eq!(run.code, Some(code), "{why}: {run:#?}");
        for text in expected {
            assert!(run.stdout.contains(text), "{why}: {text}: {run:#?}");
        }
        // Whose mail does not come here has hosts that are none of our business.
        assert!(!run.stdout.contains("mx.old.test:25"), "{why}: {run:#?}");
        assert_eq!(
            run.stdout.contains("customer.test"),
            code + i32::from(keys.is_none()) > 0,
            "{why}: {run:#?}"
        );
    }
}

/// A host that only the customer's domain leads to is spoken to as well.
#[test]
fn the_other_hosts_of_the_domain_are_looked_at() {
    let world = world();
    let records = "@ MX 10 mx1.example.com.\n@ MX 20 spare\nspare A 127.9.9.9\n";
    keep(&world, &format!("{records}{REPORTS}"), Some("theirs"));
    let run = check(&world, "anchors").ends(3);
    let bare = "you      spare.customer.test:25";
    assert!(run.stdout.contains(bare), "{run:#?}");
}

/// Its records and its policy are somebody else's, but it is our hosts and certificates that senders hold them against.
#[test]
fn what_the_domain_says_of_reports_and_policies_is_compared() {
    let bench = Bench::new();
    bench.root("root");
    let leaf = "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:mta-sts.customer.test";
    bench.issued("web", "x", "root", leaf, "60");
    let policy = |mode: &str, mx: &str| {
        ok(&format!(
            "version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 604800\n"
        ))
    };
    let server = PolicyServer::start(
        &bench.path("web.pem"),
        &bench.path("web.key"),
        policy("enforce", "mx1.example.com"),
    );
    let world = world_with(&format!(
        "mta_sts = {{ roots = \"{}\", addresses = [\"{}\"] }}",
        bench.path("root.pem").display(),
        server.address
    ));
    let mx = "@ MX 10 mx1.example.com.\n";
    let signal = "_mta-sts TXT \"v=STSv1; id=1\"\n";
    let certificate = "mx1.example.com:25 127.";
    let at_risk = |run: &Run, texts: &[&str]| {
        for text in texts {
            assert!(run.stdout.contains(text), "{text}: {run:#?}");
        }
    };
    keep(&world, mx, Some("theirs"));
    let run = check(&world, "anchors").ends(0);
    at_risk(
        &run,
        &[
            "advice   _smtp._tls.customer.test: no TLS-RPT record",
            "way out: ask whoever keeps the domain: publish: _smtp._tls.customer.test. IN TXT",
        ],
    );
    assert!(server.requests().is_empty(), "no policy is signalled");

    keep(&world, &format!("{mx}{REPORTS}{signal}"), Some("theirs"));
    let run = check(&world, "anchors").ends(4);
    let refused = "senders that follow the MTA-STS policy of customer.test do not deliver there";
    at_risk(&run, &["AT RISK", certificate, refused]);
    assert!(!run.stdout.contains("does not list"), "{run:#?}");
    assert!(!run.stdout.contains("_smtp._tls.customer.test"), "{run:#?}");

    server.now_says(policy("testing", "mx.old.test"));
    let run = check(&world, "anchors").ends(3);
    at_risk(
        &run,
        &[
            "customer.test/.well-known/mta-sts.txt: the policy does not list the MX host mx1.example.com",
        ],
    );

    // An alias is followed to whoever keeps the policy for them.
    let alias = "_mta-sts CNAME sts\nsts TXT \"v=STSv1; id=1\"\n";
    keep(&world, &format!("{mx}{REPORTS}{alias}"), Some("theirs"));
    check(&world, "anchors").ends(3);

    let nothing = Says::Octets(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    server.now_says(nothing);
    let run = check(&world, "anchors").ends(3);
    at_risk(
        &run,
        &["you      _mta-sts.customer.test: mta-sts.customer.test answers 404"],
    );
    let asked = server.requests().len();
    keep(
        &world,
        &format!("@ MX 10 mx.old.test.\n{signal}"),
        Some("theirs"),
    );
    let run = check(&world, "anchors").ends(3);
    assert!(
        !run.stdout.contains("mta-sts") && !run.stdout.contains("_smtp._tls.c"),
        "{run:#?}"
    );
    assert!(
        server.requests().len() > asked,
        "looked at before it is known where the mail goes"
    );
}

/// A zone without a file: who takes mail for it is asked of whoever keeps it.
#[test]
fn the_mail_of_a_zone_kept_elsewhere_is_looked_at() {
    let world = World::new(Publish::File);
    let zone = world.read("example.com.zone");
    world.write(
        "example.com.zone",
        &format!(
            "{zone}\n@ MX 30 mx9\nmx9 A 127.9.9.9\n_25._tcp.mx9 TLSA 3 1 1 {}\n",
            "ab".repeat(32)
        ),
    );
    world.advance(BEGIN);
    world.load();
    let canonical = world
        .run(BEGIN, &["zone", "normalize", "example.com.zone"])
        .ends(0);
    world.write("held", &canonical.stdout);
    world.write(
        "provider",
        "import json, sys\n\
         wanted = {(w['name'].lower(), w['type']) for w in json.load(sys.stdin)['rrsets']}\n\
         found = {}\n\
         for line in open('held'):\n    \
             name, ttl, _, kind, data = line.split(None, 4)\n    \
             if (name.lower(), kind) in wanted:\n        \
                 found.setdefault((name, kind, int(ttl)), []).append(data.strip())\n\
         print(json.dumps({'rrsets': [dict(zip(('name', 'type', 'ttl'), k), records=r) for k, r in found.items()]}))\n",
    );
    keep_by_a_provider(&world);
    let run = check(&world, "anchors").ends(3);
    assert!(run.stdout.contains("1 mail domain, 3 hosts"), "{run:#?}");
    // Its records are known, and it is spoken to.
    assert!(
        run.stdout.contains("mx9.example.com:25 127.9.9.9:25"),
        "{run:#?}"
    );
    assert!(!run.stdout.contains("without TLSA records"), "{run:#?}");
    for host in HOSTS {
        assert!(!run.stdout.contains(&format!("{host}:25")), "{run:#?}");
    }
}
