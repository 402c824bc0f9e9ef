//! The pre-merge gate before many kinds of requests, each a row: what it does, what the gate must say, and what the zones
//! would answer a resolver after the merge.
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

use gate_support::{Row, estate, judge_all};
use rotation_support::{Publish, hours};

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
            |z| gate_support::typo(z),
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
    ];
    judge_all(&world, hours(hour + 1), rows);
}
