//! The pre-merge gate before many kinds of requests that change zones, each a row: what it does, what the gate must say, and
//! what the zones would answer a resolver after the merge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // tables
    missing_docs
)]

mod gate_support;
mod rotation_support;

use gate_support::{Row, config, estate, judge_all};
use rotation_support::aliased::{OTHER, aliased};
use rotation_support::{BEGIN, Publish, World, hours};

/// Requests that change a zone, before hosts of which some rotate and some rest.
#[test]
fn what_a_request_makes_of_the_answers() {
    let (world, hour) = estate(Publish::Branch);
    let net = "example.net.zone";
    let com = "example.com.zone";
    let typo = "ab".repeat(32);
    let rows = vec![
        Row::zone("an address more", com, "ftp IN A 192.0.2.77", 0, ""),
        Row::zone(
            "a record more for a host at rest",
            net,
            &format!("_25._tcp.mx IN TLSA 3 1 1 {typo}"),
            0,
            "",
        ),
        Row::edit(
            "a typo in the only digest",
            net,
            gate_support::typo,
            4,
            "mx.example.net:25 presents",
        ),
        Row::edit(
            "every TLSA record of a host at rest deleted",
            net,
            |z| gate_support::without(z, "TLSA"),
            3,
            "without DANE",
        ),
        Row::edit(
            "a host at rest taken out whole",
            net,
            |z| {
                gate_support::without(
                    &gate_support::without(&gate_support::without(z, "\n_25._tcp.mx"), "\nmx "),
                    " MX ",
                )
            },
            0,
            "",
        ),
        Row::edit(
            "an alias at the TLSA name to nowhere",
            net,
            |z| gate_support::without(z, "TLSA") + "_25._tcp.mx IN CNAME _25._tcp.nowhere\n",
            3,
            "_25._tcp.mx.example.net.",
        ),
        Row::edit(
            "an alias at the TLSA name to another operator",
            net,
            |z| {
                gate_support::without(z, "TLSA") + "_25._tcp.mx IN CNAME _25._tcp.mx.example.org.\n"
            },
            4,
            "example.org.",
        ),
        Row::edit(
            "an alias at the host",
            net,
            |z| gate_support::without(z, "\nmx ") + "mx IN CNAME mx1.example.com.\n",
            3,
            "alias",
        ),
        Row::edit(
            "a delegation at _tcp",
            net,
            |z| z.to_owned() + "_tcp.mx IN NS ns1.example.com.\n",
            4,
            "_25._tcp.mx.example.net.",
        ),
        Row::edit(
            "a delegation at the host",
            net,
            |z| z.to_owned() + "mx IN NS ns1.example.com.\n",
            4,
            "_25._tcp.mx.example.net.",
        ),
        Row::edit(
            "a DNAME at _tcp",
            net,
            |z| gate_support::without(z, "TLSA") + "_tcp.mx IN DNAME _tcp.nowhere\n",
            3,
            "_25._tcp.mx.example.net.",
        ),
        Row::edit(
            "a DNAME above the TLSA name that stays",
            net,
            |z| z.to_owned() + "_tcp.mx IN DNAME _tcp.nowhere\n",
            3,
            "_25._tcp.mx.example.net.",
        ),
        Row::edit(
            "an alias loop",
            net,
            |z| {
                gate_support::without(z, "TLSA")
                    + "_25._tcp.mx IN CNAME a\na IN CNAME _25._tcp.mx\n"
            },
            4,
            "loop",
        ),
        Row::zone(
            "an empty non-terminal before a wildcard",
            net,
            "x._25._tcp.wild IN TXT \"hello\"",
            3,
            "_25._tcp.wild.example.net.",
        ),
        Row::zone(
            "a CNAME beside other data",
            net,
            "mx IN CNAME mx1.example.com.",
            1,
            "CNAME",
        ),
        Row::zone(
            "a file that is not there",
            net,
            "$INCLUDE nowhere.inc",
            1,
            "nowhere.inc",
        ),
        Row::edit(
            "an $ORIGIN on top",
            net,
            |z| {
                z.replacen("$TTL", "$ORIGIN www.example.net.\n$TTL", 1)
                    .replacen("@ IN SOA", "example.net. IN SOA", 1)
            },
            1,
            "",
        ),
        Row::edit(
            "an $ORIGIN before the hosts",
            net,
            |z| z.replacen("_25._tcp.mx ", "$ORIGIN www.example.net.\n_25._tcp.mx ", 1),
            3,
            "_25._tcp.mx.example.net.",
        ),
        Row::edit("CRLF", net, |z| z.replace('\n', "\r\n"), 0, ""),
        Row::zone(
            "a stranger on a rotating RRset",
            com,
            "foo IN A 192.0.2.99\n@ IN MX 30 foo\n_25._tcp.foo IN CNAME _25._tcp.mx1",
            3,
            "foo.example.com",
        ),
        Row::zone(
            "a stranger in another zone",
            net,
            "foo IN A 192.0.2.99\n@ IN MX 30 foo\n_25._tcp.foo IN CNAME _25._tcp.mx1.example.com.",
            3,
            "foo.example.net",
        ),
        Row::zone(
            "a stranger with any port",
            com,
            "foo IN A 192.0.2.99\n@ IN MX 30 foo\n*._tcp.foo IN CNAME _25._tcp.mx1",
            3,
            "foo.example.com",
        ),
        Row::zone(
            "a stranger by a DNAME",
            com,
            "foo IN A 192.0.2.99\n@ IN MX 30 foo\n_tcp.foo IN DNAME _tcp.mx1",
            3,
            "foo.example.com",
        ),
        Row::zone(
            "a stranger by a wildcard",
            com,
            "foo IN A 192.0.2.99\n*.foo IN CNAME _25._tcp.mx1",
            3,
            "foo.example.com",
        ),
        Row::zone(
            "a stranger by a DNAME at the host",
            com,
            "foo IN A 192.0.2.99\nfoo IN DNAME mx1",
            3,
            "foo.example.com",
        ),
        Row::zone(
            "an alias for other names",
            com,
            "foo IN A 192.0.2.99\nbar IN CNAME foo\n*.pool IN CNAME foo",
            0,
            "",
        ),
        Row::zone(
            "a stranger on an RRset at rest",
            net,
            "foo IN A 192.0.2.99\n@ IN MX 30 foo\n_25._tcp.foo IN CNAME _25._tcp.mx",
            3,
            "foo.example.net",
        ),
        Row::zone(
            "CDS that asks to delete",
            com,
            "@ IN CDS 0 0 0 00",
            0,
            "CDS",
        ),
        Row::zone(
            "a foreign DNSKEY",
            com,
            "@ IN DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
            0,
            "DNSKEY",
        ),
        Row::edit("SOA timers", net, |z| z.replace("604800", "60"), 0, "SOA"),
        Row::edit(
            "one name server left",
            net,
            |z| gate_support::without(z, "NS ns2"),
            0,
            "name server",
        ),
        Row::edit(
            "a serial far ahead",
            net,
            |z| z.replace("2026120105", "4000000000"),
            0,
            "serial",
        ),
        Row::zone(
            "a record outside of the zone",
            net,
            "www.example.org. IN A 192.0.2.80",
            3,
            "has a new finding",
        ),
        Row::zone(
            "a name that BIND refuses, where anything may run",
            com,
            "_ftp IN A 192.0.2.77",
            3,
            "has a new finding: BIND as a primary does not load",
        ),
        Row::zone(
            "the same where Knot alone runs",
            net,
            "_ftp IN A 192.0.2.77",
            0,
            "",
        ),
        Row::zone(
            "a tag that NSD refuses, where Knot alone runs",
            net,
            "@ IN CAA 0 ISSUE \"ca.example\"",
            0,
            "",
        ),
        Row::work(
            "a request that says itself that Knot alone runs",
            |world| {
                let config = world.read("tlsa-rotate.toml");
                let name = "name = \"example.com\"\n";
                let said = config.replacen(name, &format!("{name}servers_run = [\"knot\"]\n"), 1);
                assert_ne!(said, config);
                world.write("tlsa-rotate.toml", &said);
                let zone = world.read("example.com.zone");
                let zone = gate_support::with_lines(&zone, "_ftp IN A 192.0.2.77");
                world.write("example.com.zone", &gate_support::next_serial(&zone));
            },
            3,
            "has a new finding: BIND as a primary does not load",
        ),
        Row::zone(
            "DS records where nothing is delegated",
            net,
            &format!("www IN A 192.0.2.80\nwww IN DS 12345 13 2 {typo}"),
            3,
            "is not a delegation",
        ),
        Row::zone(
            "a DNSKEY with which nothing can be signed",
            net,
            "@ IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
            3,
            "algorithm 15",
        ),
        Row::edit(
            "a TTL raised in a rotation",
            com,
            |z| gate_support::with_ttl(z, "_25._tcp.mx1", "604800"),
            3,
            "TTL",
        ),
        Row::edit(
            "a TTL lowered in a rotation",
            com,
            |z| gate_support::with_ttl(z, "_25._tcp.mx1", "600"),
            0,
            "",
        ),
        Row::edit(
            "a required record of one that rotates",
            com,
            |z| rotation_support::without_tlsa(z, "_25._tcp.mx2"),
            4,
            "mail.1",
        ),
        Row::edit(
            "another address of a host at rest",
            net,
            |z| z.replace("192.0.2.26", "192.0.2.77"),
            0,
            "192.0.2.77",
        ),
        Row::edit(
            "no address of a host at rest",
            net,
            |z| gate_support::without(z, "\nmx "),
            3,
            "address",
        ),
        Row::edit(
            "another address of a host that is found by its name",
            net,
            |z| z.replace("127.0.0.1", "127.0.0.2"),
            3,
            "nobody has seen whether the hosts of net present",
        ),
        Row::edit(
            "a typo in the only digest of a host that is not seen",
            net,
            |z| {
                let (front, back) = z.split_at(z.find("_25._tcp.far").unwrap());
                front.to_owned() + &gate_support::typo(back)
            },
            3,
            "nobody has seen whether the hosts of net present",
        ),
        Row::zone(
            "a record more for a host that is not seen",
            net,
            &format!("_25._tcp.far IN TLSA 3 1 1 {typo}"),
            0,
            "",
        ),
        Row::zone(
            "another host that takes mail",
            net,
            "foo IN A 192.0.2.99\n@ IN MX 30 foo",
            0,
            "foo.example.net. comes to take mail",
        ),
    ];
    judge_all(&world, hours(hour + 1), rows);
}

/// A host whose rotation is over is led to other records: what it presents must match those.
#[test]
fn a_rotation_that_is_over_protects_its_hosts_still() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Retiring");
    world.merge();
    world.advance(hours(hour + 2)).ends(0);
    world.load();
    world.advance(hours(hour + 3)).ends(0);
    assert_eq!(world.step(hours(hour + 3)), "Retired");
    let com = "example.com.zone";
    let typo = "ab".repeat(32);
    let led = |digest: &str| {
        let lines = format!("_25._tcp.mx2 IN CNAME other\nother IN TLSA 3 1 1 {digest}\n");
        move |zone: &str| {
            let zone = rotation_support::without_tlsa(zone, "_25._tcp.mx2");
            gate_support::with_lines(&zone, &lines)
        }
    };
    let right = world.tlsa("mx2.example.com").remove(0);
    let rows = vec![
        Row::edit(
            "an alias to the record of another key",
            com,
            led(&typo),
            4,
            "mx2.example.com:25 presents",
        ),
        Row::zone(
            "another digest beside it",
            com,
            &format!("_25._tcp.mx2 IN TLSA 3 1 1 {typo}"),
            0,
            "",
        ),
        Row::edit(
            "nothing left",
            com,
            |z| rotation_support::without_tlsa(z, "_25._tcp.mx2"),
            3,
            "without DANE",
        ),
        Row::edit(
            "a larger TTL",
            com,
            |z| gate_support::with_ttl(z, "_25._tcp.mx2", "7200"),
            0,
            "",
        ),
        Row::edit(
            "an alias to the record of the same key",
            com,
            led(&right),
            0,
            "",
        ),
        config(
            "no soak",
            "soak = \"24h\"",
            "soak = \"0s\"",
            0,
            "soak goes from 1d to 0s",
        ),
    ];
    judge_all(&world, hours(hour + 4), rows);
}

/// The records of hosts that rotate lie behind aliases: whoever re-points one takes them out of the rotation's sight.
#[test]
fn aliases_are_left_alone_while_what_they_lead_to_rotates() {
    let world = aliased();
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    let text = world.read(OTHER);
    let at = text.find("TLSA ").unwrap();
    let record = text[at..].lines().next().unwrap().to_owned();
    let (com, net) = ("example.com.zone", OTHER);
    let link = "_25._tcp.mx2 IN CNAME mail.example.net.";
    let copy = format!("_25._tcp.mx2 IN CNAME copy\ncopy IN {record}");
    let middle = format!("mail IN CNAME copy\ncopy IN {record}");
    let rows = vec![
        Row::edit(
            "an alias to a copy of the records",
            com,
            move |z| z.replace(link, &copy),
            3,
            "and mail.1 rotates those at",
        ),
        Row::edit(
            "a link in the middle to a copy",
            net,
            move |z| z.replace("mail IN CNAME _dane.mail", &middle),
            3,
            "and mail.1 rotates those at",
        ),
        Row::edit(
            "a link that is cached for longer",
            com,
            |z| z.replace("86400", "604800"),
            3,
            "while mail.1 is under way",
        ),
        Row::edit(
            "no alias",
            com,
            move |z| z.replace(link, ""),
            3,
            "without DANE",
        ),
        Row::edit(
            "an alias that leads away",
            com,
            move |z| z.replace(link, "_25._tcp.mx2 IN CNAME mail.example.org."),
            4,
            "mail.example.org. lies in no zone",
        ),
        Row::zone("another link between", com, "www2 IN CNAME www", 0, ""),
    ];
    judge_all(&world, hours(1), rows);
}
