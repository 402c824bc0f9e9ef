//! Whole rotations in which others have a say: senders that report failures, and the Web PKI where MTA-STS asks it.
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
mod tlsrpt_support;

use dane_support::Bench;
use https_support::{PolicyServer, Says, ok};
use rotation_support::{BEGIN, HOSTS, Publish, World, ZONE_FILE, hours};
use std::fs;
use tlsa_rotate::rotation::timing::Span;
use tlsa_rotate::zone::content::Zone;
use tlsrpt_support::{mail, report};

/// A world whose certificate has these lines more in the configuration.
fn world(lines: &str) -> World {
    World::with(Publish::File, |config| {
        let unsaid = config.replace("\nsoak ", "\n# soak ");
        assert_ne!(unsaid, config);
        unsaid.replace("[[certificate]]", &format!("[[certificate]]\n{lines}"))
    })
}

fn serve_both(world: &World) {
    world.start(BEGIN).ends(0);
    world.advance(BEGIN);
    world.load();
    world.advance(hours(1));
    assert_eq!(world.step(hours(1)), "Waiting");
}

#[test]
#[allow(clippy::too_many_lines)] // one rotation from its begin to its end
fn failures_that_senders_report_hold_the_old_record_in_the_zone() {
    let world = world("tlsrpt = { maildir = \"reports\" }");
    for part in ["new", "cur", "tmp"] {
        fs::create_dir_all(world.path("reports").join(part)).unwrap();
    }
    let deliver = |name: &str, text: &str| world.write(&format!("reports/new/{name}"), text);
    let of = |id: &str, day: &str, failures: &[(&str, &str, u64)], saw: &[String]| {
        let report = report("Google Inc.", id, day, 5, failures, saw);
        mail(report.as_bytes(), "Report Domain: example.com")
    };
    let old = format!("3 1 1 {}", world.tlsa(HOSTS[0])[0]);
    serve_both(&world);
    // Of the time before the swap: what the old key's clients saw is no reason now.
    deliver(
        "1",
        &of(
            "g-1",
            "2026-12-01",
            &[("validation-failure", HOSTS[0], 9)],
            &[],
        ),
    );
    deliver(
        "2",
        "From: a@example.net\r\nSubject: not a report\r\n\r\nhello\r\n",
    );
    world.advance(hours(26)).ends(3);
    assert_eq!(world.step(hours(26)), "SwapOpen");
    (0..HOSTS.len()).for_each(|host| world.deploy(host));
    world.advance(hours(27));
    assert_eq!(world.step(hours(27)), "Deployed");
    // Nobody said how long the soak is: it is two days where reports are read.
    world.watch(27, 52);
    let soaking = world.run(hours(52), &["status", "mail"]);
    assert!(
        soaking
            .stdout
            .contains("the soak runs until 2026-12-04T11:00:00Z"),
        "{soaking:#?}"
    );

    // Somebody guessed the name of the next report, and was faster with a better one.
    deliver("20", &of("g-2", "2026-12-03", &[], &[]));
    deliver(
        "3",
        &of(
            "g-2",
            "2026-12-03",
            &[
                ("validation-failure", HOSTS[0], 3),
                ("starttls-not-supported", "mx9.example.net", 1),
            ],
            &[],
        ),
    );
    deliver(
        "4",
        &of(
            "g-3",
            "2026-12-04",
            &[("validation-failure", HOSTS[1], 1)],
            std::slice::from_ref(&old),
        ),
    );
    world.watch(46, 80);
    let held = world.advance(hours(80)).ends(3);
    let told = world.run(hours(80), &["status", "mail"]).stdout;
    for expected in [
        "Google Inc. reports 3 failed sessions with mx1.example.com on 2026-12-03: validation-failure (report g-2)",
        "Google Inc. reports 1 failed session with mx2.example.com on 2026-12-04: validation-failure (report g-3), by a stale RRset in its cache: it saw 3 1 1 ",
        "move the report out of the watched mailbox",
    ] {
        assert!(told.contains(expected), "no `{expected}` in {told}");
    }
    assert!(!told.contains("g-1") && !told.contains("mx9"), "{told}");
    assert!(
        held.stderr.contains("could not be read as TLS reports")
            && held.stderr.contains("a mail without a TLS report"),
        "{held:#?}"
    );
    assert_eq!(world.tlsa(HOSTS[0]).len(), 2, "the old record stays");

    // A mailbox that cannot be read is no good news.
    fs::rename(world.path("reports"), world.path("elsewhere")).unwrap();
    let blind = world.advance(hours(81)).ends(3);
    assert!(
        blind.stdout.contains("what senders report is not known"),
        "{blind:#?}"
    );
    fs::rename(world.path("elsewhere"), world.path("reports")).unwrap();

    // The failures are understood: a person moves the reports away.
    fs::remove_file(world.path("reports/new/3")).unwrap();
    fs::remove_file(world.path("reports/new/4")).unwrap();
    deliver("5", &of("g-4", "2026-12-05", &[], &[]));
    // One that cannot be read may tell of failures: it holds back like silence, wherever it lies, until a person says so.
    let packed = tlsrpt_support::gzip(report("O", "o-1", "2026-12-04", 1, &[], &[]).as_bytes());
    fs::write(world.path("reports/new/6"), &packed[..packed.len() - 60]).unwrap();
    world.watch(81, 90);
    world.advance(hours(90)).ends(3);
    let unread = world.run(hours(90), &["status", "mail"]);
    for expected in [
        "a TLS report cannot be read, and may tell of failures: ",
        "reports/new/6: ",
        "tlsa-rotate tlsrpt --set-aside FILE",
    ] {
        assert!(
            unread.stdout.contains(expected),
            "no `{expected}` in {unread:#?}"
        );
    }
    assert_eq!(world.tlsa(HOSTS[0]).len(), 2, "the old record stays");
    let readable = world
        .run(hours(90), &["tlsrpt", "--set-aside", "reports/new/5"])
        .ends(1);
    assert!(
        readable
            .stderr
            .contains("there is no TLS report in these files that cannot be read"),
        "{readable:#?}"
    );
    world.advance(hours(90)).ends(3);
    let reason = "cut short, its sender was asked";
    let aside = ["tlsrpt", "--set-aside", "--reason", reason, "reports/new/6"];
    let aside = world.run(hours(90), &aside).ends(0);
    assert!(
        aside
            .stdout
            .contains("set aside 1 TLS report that cannot be read"),
        "{aside:#?}"
    );
    fs::rename(world.path("reports/new/6"), world.path("reports/cur/6:2,S")).unwrap();
    world.watch(91, 104);
    world.advance(hours(104));
    world.load();
    world.advance(hours(105));
    assert_eq!(world.step(hours(105)), "Retired");
    assert_eq!(world.tlsa(HOSTS[0]).len(), 1);
}

#[test]
fn a_soak_that_was_said_stays_as_it_was_said() {
    for (lines, ends) in [
        (
            "tlsrpt = { mbox = \"reports\" }\npolicy = { soak = \"3h\" }",
            "2026-12-02T14:00:00Z",
        ),
        ("policy = { min_wait = \"24h\" }", "2026-12-03T11:00:00Z"),
    ] {
        let world = world(lines);
        world.write("reports", "");
        serve_both(&world);
        world.advance(hours(26));
        (0..HOSTS.len()).for_each(|host| world.deploy(host));
        world.advance(hours(27));
        let told = world.run(hours(27) + Span::minutes(30), &["status", "mail"]);
        let told = told.ends(0).stdout;
        assert!(
            told.contains(&format!("the soak runs until {ends}")),
            "{lines}: {told}"
        );
    }
}

fn policy(mode: &str) -> Says {
    ok(&format!(
        "version: STSv1\nmode: {mode}\nmx: mx1.example.com\nmx: mx2.example.com\nmax_age: 86400\n"
    ))
}

#[test]
fn the_swap_waits_for_a_certificate_that_senders_without_dane_accept() {
    let bench = Bench::new();
    bench.root("root");
    let leaf = |names: &str| {
        format!("basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName={names}")
    };
    bench.issued("web", "x", "root", &leaf("DNS:mta-sts.example.com"), "60");
    bench.issued("one", "x", "root", &leaf("DNS:mx1.example.com"), "60");
    bench.issued(
        "both",
        "x",
        "root",
        &leaf("DNS:mx1.example.com,DNS:mx2.example.com"),
        "60",
    );
    let server = PolicyServer::start(
        &bench.path("web.pem"),
        &bench.path("web.key"),
        policy("enforce"),
    );
    let lines = format!(
        "mta_sts = {{ roots = \"{}\", addresses = [\"{}\"] }}",
        bench.path("root.pem").display(),
        server.address
    );
    let with_policy = || {
        let world = world(&lines);
        let zone = world.read(ZONE_FILE);
        world.write(
            ZONE_FILE,
            &format!("{zone}\n_mta-sts IN TXT \"v=STSv1; id=1\"\n"),
        );
        world
    };
    let begun = |names: Option<&str>| {
        let world = with_policy();
        if let Some(name) = names {
            let (certificate, key) = (
                bench.path(&format!("{name}.pem")),
                bench.path(&format!("{name}.key")),
            );
            let arguments = [
                "start",
                "mail",
                "--certificate",
                certificate.to_str().unwrap(),
                "--key",
                key.to_str().unwrap(),
            ];
            world.run(BEGIN, &arguments).ends(0);
        } else {
            world.start(BEGIN).ends(0);
        }
        world.advance(BEGIN);
        world.load();
        world.advance(hours(1));
        assert_eq!(world.step(hours(1)), "Waiting");
        world
    };
    let told = |world: &World| world.run(hours(27), &["status", "mail"]).stdout;

    let self_signed = begun(None);
    self_signed.advance(hours(26)).ends(3);
    assert_eq!(self_signed.step(hours(26)), "Waiting");
    let text = told(&self_signed);
    assert!(text.contains("example.com has an MTA-STS policy in `enforce`, by which senders without DANE would refuse the next certificate: ecdsa-p256.cert.pem: "), "{text}");
    assert!(
        text.contains("set the MTA-STS policy of example.com to `testing`"),
        "{text}"
    );
    server.now_says(Says::Octets(b"HTTP/1.1 500 x\r\n\r\n".to_vec()));
    self_signed.advance(hours(27)).ends(0);
    assert_eq!(self_signed.step(hours(27)), "Waiting");
    assert!(
        told(&self_signed).contains("is not known: mta-sts.example.com answers 500"),
        "{}",
        told(&self_signed)
    );
    server.now_says(policy("testing"));
    let testing = self_signed.advance(hours(28)).ends(3);
    assert_eq!(self_signed.step(hours(28)), "SwapOpen", "{testing:#?}");
    assert!(
        testing.stderr.contains("is in mode testing"),
        "{testing:#?}"
    );

    server.now_says(policy("enforce"));
    let one = begun(Some("one"));
    one.advance(hours(26)).ends(3);
    let text = told(&one);
    assert!(
        text.contains("it is issued for mx1.example.com, not for mx2.example.com"),
        "{text}"
    );

    let asked = server.requests().len();
    let both = begun(Some("both"));
    both.advance(hours(26)).ends(3);
    assert_eq!(both.step(hours(26)), "SwapOpen", "{}", told(&both));
    assert_eq!(
        server.requests().len(),
        asked,
        "what passes under any policy is not asked about"
    );
}

/// A domain that somebody else keeps: DNS says whether it has a policy, and what cannot be told holds the swap.
#[test]
fn the_swap_waits_for_the_policies_of_domains_kept_elsewhere() {
    let bench = Bench::new();
    bench.root("root");
    let leaf = "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:mta-sts.customer.test";
    bench.issued("web", "x", "root", leaf, "60");
    let server = PolicyServer::start(
        &bench.path("web.pem"),
        &bench.path("web.key"),
        policy("enforce"),
    );
    let world = world("domains = [\"customer.test\"]");
    let config = world.read("tlsa-rotate.toml");
    let lines = format!(
        "[[certificate]]\nmta_sts = {{ roots = \"{}\", addresses = [\"{}\"], resolvers = [\"{}\"] }}",
        bench.path("root.pem").display(),
        server.address,
        world.server(0)
    );
    world.write(
        "tlsa-rotate.toml",
        &config.replace("[[certificate]]", &lines),
    );
    let keep = |records: &str| {
        let front = "$ORIGIN customer.test.\n$TTL 3600\n@ SOA ns h 1 7200 3600 604800 300\n@ NS ns\nns A 192.0.2.1\n";
        let zone = Zone::parse(format!("{front}{records}").as_bytes(), None).unwrap();
        world.serve(0, zone);
    };
    let told = |hour| world.run(hours(hour), &["status", "mail"]).stdout;
    serve_both(&world);
    world.advance(hours(26)).ends(0);
    assert_eq!(world.step(hours(26)), "Waiting");
    let text = told(26);
    assert!(
        text.contains("is not known: _mta-sts.customer.test. TXT: "),
        "{text}"
    );
    assert!(
        server.requests().is_empty(),
        "nobody knows whether there is a policy"
    );

    for (records, why) in [
        ("_mta-sts TXT \"v=STSv1; id=1\"\n", "a record"),
        (
            "_mta-sts CNAME sts\nsts TXT \"v=STSv1; id=1\"\n",
            "an alias of one",
        ),
    ] {
        keep(records);
        world.advance(hours(27)).ends(3);
        assert_eq!(world.step(hours(27)), "Waiting", "{why}");
        let text = told(27);
        let refused = "customer.test has an MTA-STS policy in `enforce`, by which senders without DANE would refuse the next certificate";
        assert!(text.contains(refused), "{why}: {text}");
    }
    keep("_mta-sts TXT \"v=spf1 -all\"\n");
    let open = world.advance(hours(28)).ends(3);
    assert_eq!(world.step(hours(28)), "SwapOpen", "{open:#?}");
}
