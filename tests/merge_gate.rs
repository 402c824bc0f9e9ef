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

use gate_support::{Row, append, config, estate, judge_all, proposed};
use rotation_support::{BRANCH, Publish, World, hours};
use std::fs;
use std::os::unix::fs::symlink;

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

/// Requests that change the configuration, or what stands where files of ours lie: the base judges, and what is weaker is told.
#[test]
fn what_a_request_makes_of_the_configuration() {
    let (world, hour) = estate(Publish::Branch);
    let servers = [world.server(0), world.server(1)];
    let hosts = world.hosts();
    let both = format!("[\"{}\", \"{}\"]", servers[0], servers[1]);
    let one = format!("[\"{}\"]", servers[0]);
    let (second, first) = (format!("[\"{}\"]", hosts[1]), format!("[\"{}\"]", hosts[0]));
    let mail = "deploy = { manual = true }\n";
    let net = "net.zone";
    let new_zone = |name: &str, parent: &'static str| {
        let name = name.to_owned();
        move |world: &World| {
            append(
                world,
                "tlsa-rotate.toml",
                &format!(
                    "\n[[zone]]\nname = \"{name}\"\nfile = \"new.zone\"\nsign = {{ keys = \"keys\" }}\n"
                ),
            );
            world.write(
                "new.zone",
                "$TTL 3600\n@ IN SOA ns1.example.com. host.example.com. 1 2 3 4 5\n@ IN NS ns1.example.com.\n",
            );
            let zone = world.read("example.com.zone");
            if !parent.is_empty() {
                let zone = gate_support::with_lines(&zone, parent);
                world.write("example.com.zone", &gate_support::next_serial(&zone));
            }
        }
    };
    let _ = net;
    let rows = vec![
        Row::work(
            "a comment",
            |w| append(w, "tlsa-rotate.toml", "# hello\n"),
            0,
            "it may be merged",
        ),
        config(
            "a shorter wait",
            "min_wait = \"24h\"",
            "min_wait = \"1h\"",
            3,
            "min_wait goes from 1d to 1h",
        ),
        config(
            "a longer wait",
            "min_wait = \"24h\"",
            "min_wait = \"48h\"",
            0,
            "",
        ),
        config(
            "no soak",
            "soak = \"24h\"",
            "soak = \"0s\"",
            3,
            "soak goes from 1d to 0s",
        ),
        config(
            "no margin",
            "safety_margin = \"1h\"",
            "safety_margin = \"0s\"",
            3,
            "safety_margin goes from 1h to 0s",
        ),
        config("fewer servers", &both, &one, 3, "servers lacks"),
        Row::work(
            "one host less that rotates",
            gate_support::less("mx2.example.com"),
            3,
            "hosts lacks mx2.example.com",
        ),
        Row::work(
            "one host less that rests",
            gate_support::less("wild.example.net"),
            0,
            "hosts lacks wild.example.net",
        ),
        config(
            "another address",
            &format!("\"mx2.example.com\" = {second}"),
            &format!("\"mx2.example.com\" = {first}"),
            3,
            "addresses of mx2.example.com",
        ),
        config(
            "another way to deploy",
            mail,
            "deploy = { command = [\"/bin/true\"] }\n",
            3,
            "deploy is another",
        ),
        config(
            "other keys that sign",
            "keys = \"keys\"",
            "keys = \"other\"",
            3,
            "sign.keys",
        ),
        config(
            "a shorter validity",
            "keys = \"keys\" }",
            "keys = \"keys\", validity = \"3d\" }",
            3,
            "sign.validity",
        ),
        config(
            "nobody reviews",
            "publish = { git = { branch = \"tlsa-rotate/{rotation}\" } }",
            "publish = { git = {} }",
            3,
            "publish is another",
        ),
        config(
            "a zone out of git",
            "publish = { git = { branch = \"tlsa-rotate/{rotation}\" } }",
            "publish = { file = true }",
            4,
            "publish is another",
        ),
        config(
            "another branch counts",
            "branch = \"main\"",
            "branch = \"mine\"",
            3,
            "branch is another",
        ),
        config(
            "a larger step",
            "[policy]",
            "[policy]\nconcurrent = 2",
            3,
            "concurrent goes from 1 to 2",
        ),
        config(
            "a later alarm",
            "[policy]",
            "[policy]\npatience = \"30d\"",
            3,
            "patience goes from",
        ),
        Row::work(
            "the configuration gone",
            |w| fs::remove_file(w.path("tlsa-rotate.toml")).unwrap(),
            3,
            "takes the configuration",
        ),
        Row::work(
            "a certificate at rest gone",
            |w| {
                let text = w.read("tlsa-rotate.toml");
                let at = text.find("[[certificate]]\nname = \"net\"").unwrap();
                w.write("tlsa-rotate.toml", &text[..at]);
            },
            0,
            "certificate net is configured no more",
        ),
        Row::work(
            "a zone and its certificate gone",
            |w| {
                let text = w.read("tlsa-rotate.toml");
                let at = text.find("\n[[zone]]\n").unwrap();
                let at = at + 1 + text[at + 1..].find("\n[[zone]]\n").unwrap();
                w.write("tlsa-rotate.toml", &text[..at]);
            },
            4,
            "zone example.net. is configured no more",
        ),
        Row::work(
            "a journal in the request",
            |w| {
                w.write(".tlsa-rotate/journal/other.jsonl", "");
                w.git("add --force .tlsa-rotate/journal/other.jsonl");
            },
            4,
            "a file that only runs write",
        ),
        Row::work(
            "a zone file that is a link",
            |w| {
                fs::remove_file(w.path("example.net.zone")).unwrap();
                symlink("example.com.zone", w.path("example.net.zone")).unwrap();
            },
            3,
            "example.net.zone becomes a symbolic link",
        ),
        Row::work(
            "a zone file that is a directory",
            |w| {
                fs::remove_file(w.path("example.net.zone")).unwrap();
                fs::create_dir(w.path("example.net.zone")).unwrap();
                w.write("example.net.zone/file", "hello\n");
            },
            3,
            "example.net.zone becomes a directory",
        ),
        Row::index(
            "a zone file that is a submodule",
            "160000",
            "example.net.zone",
            3,
            "example.net.zone becomes a submodule",
        ),
        Row::work(
            "the zone file gone",
            |w| fs::remove_file(w.path("example.net.zone")).unwrap(),
            4,
            "would be nowhere after the merge",
        ),
        Row::work(
            "a link among the files for review",
            |w| symlink("/tmp", w.path("changes/there")).unwrap(),
            3,
            "changes/there becomes a symbolic link",
        ),
        Row::index(
            "the state is a link",
            "120000",
            ".tlsa-rotate",
            4,
            "a file that only runs write",
        ),
        Row::index(
            "the directory of keys is a link",
            "120000",
            "keys",
            3,
            "keys becomes a symbolic link",
        ),
        Row::index(
            "the configuration is a link",
            "120000",
            "tlsa-rotate.toml",
            3,
            "tlsa-rotate.toml becomes a symbolic link",
        ),
        Row::work(
            "line ends by attributes",
            |w| w.write(".gitattributes", "*.zone text eol=crlf\n"),
            3,
            "eol=crlf",
        ),
        Row::work(
            "a filter by attributes",
            |w| w.write(".gitattributes", "*.zone filter=mine\n"),
            3,
            "filter=mine",
        ),
        Row::work(
            "attributes of other files",
            |w| w.write(".gitattributes", "*.md text\n"),
            0,
            "",
        ),
        Row::work(
            "a new zone that nobody delegates",
            new_zone("mx1.example.com", ""),
            4,
            "is not delegated by zone example.com.",
        ),
        Row::work(
            "a new zone that is delegated",
            new_zone("new.example.com", "new IN NS ns1\n"),
            0,
            "zone new.example.com. is new",
        ),
        Row::work(
            "a new zone that cannot be read",
            move |w| {
                new_zone("new.example.com", "new IN NS ns1\n")(w);
                w.write("new.zone", "$INCLUDE nowhere\n");
            },
            1,
            "zone new.example.com. cannot be read",
        ),
    ];
    judge_all(&world, hours(hour + 1), rows);
}

/// What the merge makes is judged, not in how many commits and merges it comes, nor what their messages say.
#[test]
fn what_comes_of_a_merge() {
    let world = proposed(Publish::Branch);
    let ftp = |w: &World, zone: &str| {
        let text = gate_support::with_lines(&w.read(zone), "ftp IN A 192.0.2.77\n");
        w.write(zone, &text);
    };
    let commit = |w: &World, message: &str| {
        w.git("add --all");
        let path = w.path(".git/message");
        fs::write(&path, message).unwrap();
        w.git(&format!("commit --quiet --file {}", path.display()));
    };
    let moved = move |w: &World| {
        w.git("checkout --quiet main");
        ftp(w, "example.net.zone");
        commit(w, "another zone");
    };
    let on = |w: &World, from: &str| {
        w.git(&format!("checkout --quiet -B pr {from}"));
    };
    let trailer = "About proposals\n\nTlsa-Rotate-Step: mail.1/publish\n";
    let digest = |w: &World| {
        let zone = w.read("example.com.zone");
        let mut lines = zone.lines();
        let line = lines
            .find(|line| line.ends_with(" )") && line.len() > 20)
            .unwrap();
        let at = line.len() - " )".len() - 1;
        let other = if line[at..].starts_with('0') {
            "1"
        } else {
            "0"
        };
        let changed = format!("{}{other} )", &line[..at]);
        w.write("example.com.zone", &zone.replacen(line, &changed, 1));
    };
    let rows = vec![
        Row::branch("nothing", move |w| on(w, "main"), 0, "it changes nothing"),
        Row::branch("a proposal as it was made", move |w| on(w, BRANCH), 0, ""),
        Row::branch(
            "another zone was merged since",
            move |w| {
                moved(w);
                on(w, BRANCH);
            },
            0,
            "",
        ),
        Row::branch(
            "a comment in the configuration since",
            move |w| {
                append(w, "tlsa-rotate.toml", "# hello\n");
                commit(w, "comment");
                on(w, BRANCH);
            },
            0,
            "",
        ),
        Row::branch(
            "the button that updates the branch",
            move |w| {
                moved(w);
                on(w, BRANCH);
                w.git("merge --quiet --no-edit main");
            },
            0,
            "",
        ),
        Row::branch(
            "a merge by which a digest changes",
            move |w| {
                moved(w);
                on(w, BRANCH);
                w.git("merge --quiet --no-commit --no-ff main");
                digest(w);
                commit(w, "Merge branch 'main'");
            },
            4,
            "is not what mail.1/publish proposes",
        ),
        Row::branch(
            "an octopus",
            move |w| {
                for name in ["one", "two"] {
                    w.git(&format!("checkout --quiet -B {name} main"));
                    w.write(name, "hello\n");
                    commit(w, name);
                }
                on(w, "main");
                w.git(&format!("merge --quiet --no-edit one two {BRANCH}"));
            },
            0,
            "",
        ),
        Row::branch(
            "documents on top of a proposal",
            move |w| {
                on(w, BRANCH);
                w.write("notes", "hello\n");
                commit(w, "notes");
            },
            0,
            "",
        ),
        Row::branch(
            "another record on top of a proposal",
            move |w| {
                on(w, BRANCH);
                ftp(w, "example.com.zone");
                commit(w, "ftp");
            },
            0,
            "changes in more than what mail.1/publish proposes",
        ),
        Row::branch(
            "a record taken out on top of a proposal",
            move |w| {
                on(w, BRANCH);
                let zone = w.read("example.com.zone");
                w.write(
                    "example.com.zone",
                    &rotation_support::without_tlsa(&zone, "_25._tcp.mx2"),
                );
                commit(w, "less");
            },
            4,
            "_25._tcp.mx2.example.com.",
        ),
        Row::branch(
            "another file in the commit of a proposal",
            move |w| {
                on(w, BRANCH);
                w.write("notes", "hello\n");
                w.git("add --all");
                w.git("commit --quiet --amend --no-edit");
            },
            3,
            "also changes notes",
        ),
        Row::branch(
            "a message that quotes a trailer",
            move |w| {
                on(w, "main");
                w.write("notes", "hello\n");
                commit(w, trailer);
            },
            0,
            "",
        ),
        Row::branch(
            "a change of the zone that quotes a trailer",
            move |w| {
                on(w, "main");
                ftp(w, "example.com.zone");
                commit(w, trailer);
            },
            0,
            "",
        ),
        Row::branch(
            "a merge that cannot be made",
            move |w| {
                let text = gate_support::next_serial(&w.read("example.com.zone"));
                w.write("example.com.zone", &text);
                commit(w, "serial");
                on(w, BRANCH);
            },
            3,
            "both changed the same of example.com.zone",
        ),
        Row::branch(
            "another history",
            move |w| {
                w.git("checkout --quiet --orphan pr-orphan");
                commit(w, "anew");
                w.git("branch --quiet --force pr pr-orphan");
                w.git("checkout --quiet --force main");
                w.git("branch --quiet -D pr-orphan");
            },
            3,
            "no history in common",
        ),
        Row::branch(
            "a request of before the last merge",
            move |w| {
                let old = w.git("rev-parse main");
                moved(w);
                on(w, &old);
                ftp(w, "example.com.zone");
                commit(w, "ftp");
            },
            0,
            "",
        ),
        Row::branch(
            "a request of before a proposal was merged",
            move |w| {
                let old = w.git("rev-parse main");
                w.git(&format!("merge --quiet --ff-only {BRANCH}"));
                on(w, &old);
                ftp(w, "example.com.zone");
                commit(w, "ftp");
            },
            0,
            "",
        ),
        Row::branch(
            "a proposal of a step that is none",
            move |w| {
                on(w, "main");
                fs::create_dir_all(w.path("changes/mail.7")).unwrap();
                w.write("changes/mail.7/publish.example.com.diff", "hello\n");
                commit(w, "seven");
            },
            3,
            "mail.7/publish",
        ),
        Row::branch(
            "a base that cannot be read, and other files",
            move |w| {
                append(w, "example.com.zone", "$INCLUDE nowhere\n");
                commit(w, "broken");
                on(w, "main");
                w.write("notes", "hello\n");
                commit(w, "notes");
            },
            0,
            "cannot be read, and could not before",
        ),
        Row::branch(
            "a base that cannot be read, and as bad",
            move |w| {
                append(w, "example.com.zone", "$INCLUDE nowhere\n");
                commit(w, "broken");
                on(w, "main");
                ftp(w, "example.com.zone");
                commit(w, "ftp");
            },
            1,
            "zone example.com. cannot be read",
        ),
        Row::branch(
            "a base that cannot be read, mended",
            move |w| {
                let sound = w.read("example.com.zone");
                append(w, "example.com.zone", "$INCLUDE nowhere\n");
                commit(w, "broken");
                on(w, BRANCH);
                let zone = w.read("example.com.zone");
                w.git("checkout --quiet -B pr main");
                assert_ne!(zone, sound);
                w.write("example.com.zone", &zone);
                commit(w, "sound");
            },
            0,
            "",
        ),
        Row::branch(
            "a base that cannot be read, mended with less",
            move |w| {
                let sound = w.read("example.com.zone");
                append(w, "example.com.zone", "$INCLUDE nowhere\n");
                commit(w, "broken");
                on(w, "main");
                w.write(
                    "example.com.zone",
                    &rotation_support::without_tlsa(&sound, "_25._tcp.mx2"),
                );
                commit(w, "less");
            },
            4,
            "_25._tcp.mx2.example.com.",
        ),
    ];
    judge_all(&world, hours(1), rows);
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

#[test]
fn a_journal_that_holds_nothing_says_nothing_of_what_is_required() {
    let world = proposed(Publish::Branch);
    let journal = world.read(rotation_support::JOURNAL);
    world.write(rotation_support::JOURNAL, "");
    let run = gate_support::judged(&world, hours(1), BRANCH).ends(3);
    assert!(
        run.stdout
            .contains("the journal of mail is there and holds nothing"),
        "{run:#?}"
    );
    world.write(rotation_support::JOURNAL, &journal);
    gate_support::judged(&world, hours(1), BRANCH).ends(0);
}
