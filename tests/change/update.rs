//! The script for nsupdate brings a real server from the base to the target, or changes nothing at all.

use crate::lab::{EDITS, Lab, ZONE, edited};
use crate::serve_support::{Peer, dig, free_port, until};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::{fs, io::Write as _};
use tlsa_rotate::change::nsupdate::script;
use tlsa_rotate::dnssec::delta::Delta;
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::Rtype;

fn parsed(text: &str) -> Zone {
    Zone::parse(
        text.as_bytes(),
        Some(&Name::parse(b"example.com.", None).unwrap()),
    )
    .unwrap()
}

/// BIND with the zone, open to updates from this machine.
fn dynamic(lab: &Lab, text: &str) -> (Peer, SocketAddr) {
    let (port, directory) = (free_port(), lab.directory().display());
    lab.write("dynamic", text);
    let config = format!(
        "options {{ directory \"{directory}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
         pid-file \"{directory}/named.pid\"; session-keyfile \"{directory}/session.key\"; recursion no; notify no; \
         allow-transfer {{ any; }}; }};\ncontrols {{ }};\n\
         zone \"example.com\" {{ type primary; file \"dynamic\"; check-names ignore; allow-update {{ 127.0.0.1; }}; }};\n"
    );
    lab.write("named.conf", &config);
    let config = lab.path("named.conf");
    let peer = Peer::start(
        "named",
        &["-g", "-c", config.to_str().unwrap()],
        &lab.path("named.log"),
    );
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let asked = || {
        Command::new("dig")
            .args([
                "@127.0.0.1",
                "-p",
                &port.to_string(),
                "+short",
                "+time=1",
                "+tries=1",
                "example.com",
                "SOA",
            ])
            .output()
            .unwrap()
    };
    until("named answers", || asked().stdout.starts_with(b"ns1."));
    (peer, address)
}

/// Whether nsupdate says that the server took the script.
fn update(server: SocketAddr, script: &str) -> bool {
    let mut nsupdate = Command::new("nsupdate")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let script = format!("server {} {}\n{script}", server.ip(), server.port());
    nsupdate
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    nsupdate.wait().unwrap().success()
}

/// The zone as the server has it.
fn transferred(server: SocketAddr) -> Zone {
    let text = dig(
        server,
        &[
            "+onesoa",
            "+nocomments",
            "+nocmd",
            "+nostats",
            "example.com",
            "AXFR",
        ],
    );
    parsed(&text)
}

#[test]
fn named_takes_the_script_once_and_has_the_target() {
    let tricky = "tricky IN TXT \"a;b\" \"q\\\"uote\" \"\\195\\164\\000\"\nst\\;range IN TXT \"192.0.2.7\"\n";
    let base = format!("{ZONE}{tricky}name IN CNAME www\nhost IN A 192.0.2.90\n");
    // What updates get wrong easily: the last NS goes, a CNAME and an address change places, a TTL alone changes.
    let target = edited(&EDITS).replace(
        "IN NS ns1\n        IN NS NS2.example.net.",
        "600 IN NS ns3.example.net.",
    ) + &tricky
        .replace("192.0.2.7", "192.0.2.8")
        .replace("a;b", "b;c")
        + "name IN A 192.0.2.91\nhost IN CNAME www\n";
    let (before, after) = (parsed(&base), parsed(&target));
    let delta = Delta::between(&before, &after).unwrap().unwrap();
    let lab = Lab::unsigned();
    let (_named, server) = dynamic(&lab, &base);
    assert_eq!(transferred(server), before);
    assert!(
        update(server, &script(&delta)),
        "{}",
        fs::read_to_string(lab.path("named.log")).unwrap()
    );
    let there = transferred(server);
    assert_eq!(
        there.to_string().to_lowercase(),
        after.to_string().to_lowercase()
    );
    // The records of its incremental transfer are ours: old SOA, what goes, new SOA, what comes.
    let sent = dig(
        server,
        &[
            "+onesoa",
            "+nocomments",
            "+nocmd",
            "+nostats",
            "example.com",
            "IXFR=2026112301",
        ],
    );
    let sent: Vec<_> = sent.lines().map(parsed_line).collect();
    let soas: Vec<usize> = (0..sent.len())
        .filter(|i| sent[*i].contains(" SOA "))
        .collect();
    let [_, old, new] = soas[..3] else {
        panic!("{sent:?}")
    };
    let lines = |side: &[tlsa_rotate::zone::record::Record]| -> BTreeSet<String> {
        side.iter().map(|r| r.to_string().to_lowercase()).collect()
    };
    let sides = |range: &[String]| {
        range
            .iter()
            .map(|l| l.to_lowercase())
            .collect::<BTreeSet<String>>()
    };
    assert_eq!(delta.removed()[0].rtype, Rtype::SOA);
    assert_eq!(sides(&sent[old..new]), lines(delta.removed()));
    let end = soas.get(3).copied().unwrap_or(sent.len());
    assert_eq!(sides(&sent[new..end]), lines(delta.added()));
    // And a second time, or on any other version, nothing happens.
    assert!(!update(server, &script(&delta)));
    assert_eq!(transferred(server), there);
}

/// A line of dig as one of ours.
fn parsed_line(line: &str) -> String {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let front = format!("{} {} IN {} ", words[0], words[1], words[3]);
    let rtype: Rtype = words[3].parse().unwrap();
    let data = line.splitn(4, '\t').last().unwrap();
    let data = data
        .trim_start()
        .trim_start_matches("IN")
        .trim_start()
        .trim_start_matches(words[3]);
    let rdata =
        tlsa_rotate::zone::record::Rdata::from_text(rtype, data.trim().as_bytes(), None).unwrap();
    front + &rdata.to_text(rtype)
}
