//! Signed requests to our server from dig and kdig: the right key, a wrong one, a wrong time, a cut signature (RFC 8945).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod engine_support;
mod serve_support;

use engine_support::{OTHER_SECRET, SECRET, key_file};
use serve_support::{APEX, Keys, Ours, ZONE, dig, run, serve};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

struct Stage {
    keys: Keys,
    ours: Ours,
}

/// Our server with a zone of many transfer messages; the zone goes to `xfr` and to `short`.
fn stage() -> Stage {
    let keys = Keys::generate();
    let mut zone = ZONE.to_owned();
    for n in 0..1500 {
        writeln!(zone, "host{n} A 10.0.{}.{}", n / 250, n % 250).unwrap();
    }
    let signed = keys.sign(&zone, &[]);
    let long = key_file(&keys.path("ours"), "xfr", "hmac-sha256", SECRET);
    let more = format!(
        "short:hmac-sha256-128:{SECRET}\nlong:hmac-sha512:{SECRET}\nhmac-sha384:middle:{SECRET}\n"
    );
    let text = fs::read_to_string(&long).unwrap() + &more;
    fs::write(&long, text).unwrap();
    let options = [
        "--keys",
        long.to_str().unwrap(),
        "--allow-transfer",
        "key:xfr",
        "--allow-transfer",
        "key:short",
        "--allow-transfer",
        "127.0.0.0/8,key:long",
        "--allow-transfer",
        "192.0.2.0/24,key:middle",
    ];
    let ours = serve(&signed, &options);
    Stage { keys, ours }
}

#[test]
fn a_request_is_answered_as_its_signature_deserves() {
    let Stage { keys, ours } = stage();
    let client = |name: &str, algorithm: &str, secret: &str| {
        let path = keys.path(&format!("{name}.{algorithm}.{}", &secret[..4]));
        key_file(&path, name, algorithm, secret)
            .display()
            .to_string()
    };
    let right = client("xfr", "hmac-sha256", SECRET);
    let forged = client("xfr", "hmac-sha256", OTHER_SECRET);
    let table: Vec<(&str, String, Vec<&str>, &str)> = vec![
        ("the right key", right.clone(), vec![], "status: NOERROR"),
        ("another secret", forged, vec![], "status: NOTAUTH"),
        (
            "a key that is not known",
            client("nobody", "hmac-sha256", SECRET),
            vec![],
            "status: NOTAUTH",
        ),
        (
            "another algorithm",
            client("xfr", "hmac-sha512", SECRET),
            vec![],
            "status: NOTAUTH",
        ),
        (
            "one that is refused",
            client("xfr", "hmac-sha1", SECRET),
            vec![],
            "status: NOTAUTH",
        ),
        (
            "signed long ago",
            right.clone(),
            vec!["+fuzztime=1700000000"],
            "status: NOTAUTH",
        ),
        (
            "cut, and not meant to be",
            client("xfr", "hmac-sha256-128", SECRET),
            vec![],
            "status: NOTAUTH",
        ),
        (
            "cut as agreed",
            client("short", "hmac-sha256-128", SECRET),
            vec![],
            "status: NOERROR",
        ),
        (
            "not cut, though it may be",
            client("short", "hmac-sha256", SECRET),
            vec![],
            "status: NOERROR",
        ),
        (
            "SHA-512",
            client("long", "hmac-sha512", SECRET),
            vec![],
            "status: NOERROR",
        ),
        (
            "SHA-384",
            client("middle", "hmac-sha384", SECRET),
            vec![],
            "status: NOERROR",
        ),
    ];
    for (situation, key, more, expected) in &table {
        for transport in ["+notcp", "+tcp"] {
            let mut arguments = vec!["-k", key.as_str(), transport];
            arguments.extend(more);
            arguments.extend([APEX, "SOA"]);
            let said = dig(ours.address, &arguments);
            assert!(said.contains(expected), "{situation} {transport}: {said}");
            let error = match *situation {
                "another secret" => "BADSIG",
                "a key that is not known" | "another algorithm" | "one that is refused" => "BADKEY",
                "signed long ago" => "BADTIME",
                "cut, and not meant to be" => "BADTRUNC",
                _ => "NOERROR",
            };
            let tsig = said
                .lines()
                .find(|l| l.contains("TSIG\t") && !l.starts_with(";;"));
            assert!(
                tsig.is_some_and(|t| t.contains(error)),
                "{situation} {transport}: {error}\n{said}"
            );
            // dig says so when the signature of an answer does not hold; those of BADSIG and BADKEY have none.
            let verified = !said.contains("Couldn't verify signature");
            let signed = !matches!(error, "BADSIG" | "BADKEY" | "BADTIME" | "BADTRUNC");
            assert!(verified || !signed, "{situation} {transport}: {said}");
        }
    }
}

#[test]
fn the_zone_goes_to_those_who_hold_a_key_and_every_message_is_signed() {
    let Stage { keys, ours } = stage();
    let client = |name: &str, algorithm: &str| {
        let path = keys.path(&format!("{name}.{algorithm}"));
        key_file(&path, name, algorithm, SECRET)
            .display()
            .to_string()
    };
    let table = [
        ("no key", None, false),
        ("a key", Some(client("xfr", "hmac-sha256")), true),
        (
            "a cut signature",
            Some(client("short", "hmac-sha256-128")),
            true,
        ),
        (
            "a key and the right address",
            Some(client("long", "hmac-sha512")),
            true,
        ),
        (
            "a key and the wrong address",
            Some(client("middle", "hmac-sha384")),
            false,
        ),
    ];
    for (situation, key, expected) in &table {
        let mut arguments = vec![APEX, "AXFR"];
        arguments.extend(key.iter().flat_map(|key| ["-k", key.as_str()]));
        let said = dig(ours.address, &arguments);
        let came = said
            .lines()
            .any(|l| l.contains("XFR size") && !l.contains("messages 1,"));
        assert_eq!(came, *expected, "{situation}: {said}");
        assert!(!said.contains("Couldn't verify"), "{situation}: {said}");
        assert_eq!(said.contains("; Transfer failed"), !expected, "{situation}");
    }
    let port = ours.address.port().to_string();
    let key = format!("hmac-sha256:xfr:{SECRET}");
    let kdig = ["@127.0.0.1", "-p", &port, "-y", &key, APEX, "AXFR"];
    let said = String::from_utf8_lossy(&run("kdig", &kdig).stdout).into_owned();
    let messages = said.lines().filter(|l| l.contains("Received")).count();
    assert!(
        messages > 0 && said.contains("host1499.example.com"),
        "{said}"
    );
    assert!(
        !said.contains(";; WARNING") && !said.contains(";; ERROR"),
        "{said}"
    );
}

#[test]
fn malformed_signatures_are_errors_of_form_and_the_server_lives_on() {
    let Stage { ours, .. } = stage();
    let question = b"\x07example\x03com\x00\x00\x06\x00\x01";
    let tsig = |mac: &[u8], class: u16| {
        let mut data = b"\x0bhmac-sha256\x00\0\0\0\0\0\0\x01\x2c".to_vec();
        data.extend(u16::try_from(mac.len()).unwrap().to_be_bytes());
        data.extend(mac);
        data.extend(b"\xbe\xef\0\0\0\0");
        let mut record = b"\x03xfr\x00\x00\xfa".to_vec();
        record.extend(class.to_be_bytes());
        record.extend([0; 4]);
        record.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        [record, data].concat()
    };
    let opt = b"\0\0\x29\x04\xd0\0\0\0\0\0\0".to_vec();
    let with = |additionals: &[Vec<u8>]| {
        let count = u8::try_from(additionals.len()).unwrap();
        let header = vec![0xbe, 0xef, 0, 0, 0, 1, 0, 0, 0, 0, 0, count];
        [header, question.to_vec(), additionals.concat()].concat()
    };
    let cut = |message: Vec<u8>| message[..message.len() - 3].to_vec();
    let table = [
        ("a MAC that is too short", with(&[tsig(&[0; 15], 255)]), 1),
        ("a MAC that is too long", with(&[tsig(&[0; 33], 255)]), 1),
        ("no MAC", with(&[tsig(&[], 255)]), 1),
        ("a wrong class", with(&[tsig(&[0; 32], 1)]), 1),
        (
            "not the last record",
            with(&[tsig(&[0; 32], 255), opt.clone()]),
            1,
        ),
        (
            "two of them",
            with(&[tsig(&[0; 32], 255), tsig(&[0; 32], 255)]),
            1,
        ),
        ("cut off", cut(with(&[tsig(&[0; 32], 255)])), 1),
        ("a MAC that is none", with(&[opt, tsig(&[0; 32], 255)]), 9),
    ];
    for (situation, message, expected) in table {
        let mut stream = TcpStream::connect(ours.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        stream
            .write_all(&[&length, message.as_slice()].concat())
            .unwrap();
        let mut answer = [0; 14];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[5] & 0x0f, expected, "{situation}");
    }
    assert!(dig(ours.address, &[APEX, "SOA"]).contains("status: NOERROR"));
}

#[test]
fn a_key_file_that_others_can_read_is_refused_and_no_secret_is_ever_shown() {
    let keys = Keys::generate();
    let signed = keys.sign(ZONE, &[]);
    let zone = format!("{APEX}={}", signed.display());
    let open = key_file(&keys.path("open"), "xfr", "hmac-sha256", SECRET);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o640)).unwrap();
    let good = key_file(&keys.path("good"), "xfr", "hmac-sha256", SECRET);
    let weak = key_file(&keys.path("weak"), "xfr", "hmac-md5", SECRET);
    let table: Vec<(Vec<&str>, &str)> = vec![
        (
            vec!["--keys", open.to_str().unwrap()],
            "can be read by others (mode 0640)",
        ),
        (
            vec!["--keys", weak.to_str().unwrap()],
            "hmac-md5 is not accepted",
        ),
        (vec!["--keys", "/nonexistent"], "cannot read the TSIG keys"),
        (
            vec![
                "--keys",
                good.to_str().unwrap(),
                "--allow-transfer",
                "key:xfer",
            ],
            "names the TSIG key xfer., which no key file has",
        ),
    ];
    for (options, expected) in table {
        let arguments = [
            &["serve", "--listen", "127.0.0.1:0", "--zone", &zone],
            options.as_slice(),
        ]
        .concat();
        let output = run(env!("CARGO_BIN_EXE_tlsa-rotate"), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{options:?}: {said}");
        assert!(
            said.contains(expected) && said.contains("hint: "),
            "{options:?}: {said}"
        );
        assert!(!said.contains(SECRET), "{said}");
    }
}

/// What comes of a NOTIFY from an address of this machine.
fn notify(server: std::net::SocketAddr, from: &str) -> u8 {
    let message =
        b"\xbe\xef\x24\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x06\x00\x01";
    let socket = std::net::UdpSocket::bind((from, 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    socket.send_to(message, server).unwrap();
    let mut answer = [0; 512];
    socket.recv(&mut answer).unwrap();
    answer[3] & 0x0f
}

#[test]
fn each_operation_is_for_those_its_list_names() {
    let keys = Keys::generate();
    let signed = keys.sign(ZONE, &[]);
    let options = [
        "--allow-query",
        "127.0.0.2",
        "--allow-query",
        "127.0.0.4/30",
        "--allow-transfer",
        "127.0.0.3",
        "--allow-notify",
        "127.0.0.9",
    ];
    let ours = serve(&signed, &options);
    for (from, query, transfer, told) in [
        ("127.0.0.1", false, false, false),
        ("127.0.0.2", true, false, false),
        ("127.0.0.3", false, true, false),
        ("127.0.0.6", true, false, false),
        ("127.0.0.9", false, false, true),
    ] {
        let asked = dig(ours.address, &["-b", from, APEX, "SOA"]);
        assert_eq!(asked.contains("status: NOERROR"), query, "{from}: {asked}");
        assert_eq!(asked.contains("status: REFUSED"), !query, "{from}: {asked}");
        let sent = dig(ours.address, &["-b", from, APEX, "AXFR"]);
        assert_eq!(sent.contains("XFR size"), transfer, "{from}: {sent}");
        assert_eq!(
            notify(ours.address, from),
            if told { 0 } else { 5 },
            "{from}"
        );
    }
    serve_support::until("who may say so makes it read the zone again", || {
        fs::read_to_string(&ours.log)
            .unwrap()
            .contains("(as before: secondaries will not fetch it)")
    });
}
