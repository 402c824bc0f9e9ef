//! Names in data, in upper case: signatures and digests over them are such as BIND, Knot and ldns make and take (RFC 4034 §6.2
//! with RFC 6840 §5.1).
//!
//! The peers are the real programs (Debian: bind9-dnsutils, bind9-utils, ldnsutils, knot-dnsutils). One that is missing fails
//! the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dnssec_support;

use dnssec_support::{Lab, ZONE};

/// Every type with a name in its data.
const NAMES: &str = "\
a64.example.com. 300 A6 64 ::1 Foo.Example.COM.
a128.example.com. 300 A6 0 2001:db8::1
nsapptr.example.com. 300 NSAP-PTR Foo.Example.COM.
svcb.example.com. 300 SVCB 1 Foo.Example.COM. port=25
https.example.com. 300 HTTPS 0 Foo.Example.COM.
kx.example.com. 300 KX 1 Foo.Example.COM.
naptr.example.com. 300 NAPTR 1 2 \"u\" \"E2U+sip\" \"!^.*$!X!\" Foo.Example.COM.
lp.example.com. 300 LP 10 Foo.Example.COM.
srv.example.com. 300 SRV 1 2 3 Foo.Example.COM.
mx.example.com. 300 MX 1 Foo.Example.COM.
px.example.com. 300 PX 1 Foo.Example.COM. Bar.Example.COM.
rt.example.com. 300 RT 1 Foo.Example.COM.
rp.example.com. 300 RP Foo.Example.COM. Bar.Example.COM.
minfo.example.com. 300 MINFO Foo.Example.COM. Bar.Example.COM.
talink.example.com. 300 TALINK Foo.Example.COM. Bar.Example.COM.
mb.example.com. 300 MB Foo.Example.COM.
dname.example.com. 300 DNAME Foo.Example.COM.
cname.example.com. 300 CNAME Foo.Example.COM.
ptr.example.com. 300 PTR Foo.Example.COM.
afsdb.example.com. 300 AFSDB 1 Foo.Example.COM.
ipseckey.example.com. 300 IPSECKEY 10 3 2 Foo.Example.COM. AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==
amtrelay.example.com. 300 AMTRELAY 10 0 3 Foo.Example.COM.
nxt.example.com. 300 NXT Foo.Example.COM. A NS
Foo.Example.COM. 300 A 192.0.2.77
";

/// Types that ldns reads otherwise than the RFC that defines them.
fn ldns_reads(line: &str) -> bool {
    !line.contains("NSAP-PTR")
}

#[test]
fn names_in_data_are_signed_and_digested_as_peers_do_it() {
    let digest = format!("example.com. 3600 ZONEMD 1 1 1 {}\n", "00".repeat(48));
    let for_ldns: Vec<&str> = NAMES.lines().filter(|line| ldns_reads(line)).collect();
    let for_ldns = for_ldns.join("\n");
    for denial in [&[][..], &["--nsec3"]] {
        let lab = Lab::new();
        lab.generate("ecdsap256sha256", "csk");
        lab.write("zone", &format!("{ZONE}{NAMES}"));
        lab.sign("signed", denial);
        lab.run("dnssec-verify", &["-z", "-o", "example.com", "signed"]);
        lab.run("kzonecheck", &["-d", "on", "-o", "example.com", "signed"]);
        lab.verify("signed", &[]);
        // Nothing but the case differs.
        let none = lab.ours(&["zone", "diff", "zone", "zone", "--origin", "example.com"]);
        assert_eq!(none, "");
        lab.sign("again", &[denial, &["--previous", "signed"]].concat());
        assert_eq!(lab.read("again"), lab.read("signed"), "nothing has changed");

        lab.write("zone", &format!("{ZONE}{for_ldns}\n{digest}"));
        lab.sign("digested", denial);
        lab.peers_accept("digested");
        lab.run("ldns-verify-zone", &["-ZZ", "digested"]);
        lab.verify("digested", &[]);
    }
}

/// BIND puts in lower case what Knot and ldns leave as it is: we take both, and not a third.
#[test]
fn what_peers_sign_of_names_in_data_passes_us() {
    let lab = Lab::new();
    lab.generate("ecdsap256sha256", "ksk");
    lab.generate("ecdsap256sha256", "zsk");
    lab.write("zone", &format!("{ZONE}{NAMES}"));
    let arguments = [
        "-q",
        "-S",
        "-K",
        "keys",
        "-o",
        "example.com",
        "-f",
        "bind",
        "zone",
    ];
    lab.run("dnssec-signzone", &arguments);
    assert!(lab.read("bind").contains("Foo.Example.COM."));
    lab.verify("bind", &[]);
    let shouted = lab.read("bind").replace("SVCB\t1 Foo.", "SVCB\t1 FOO.");
    assert_ne!(shouted, lab.read("bind"));
    lab.write("shouted", &shouted);
    lab.ours_refuses(&["zone", "verify", "shouted", "--origin", "example.com"]);

    let a6 = "a6.example.com. 300 IN TYPE38 \\# 17 00ffff0db8000000000000000000000001\n\
              b6.example.com. 300 IN TYPE38 \\# 22 4000000000000000010346 6f6f074578616d706c6500\n";
    lab.write("zone", &format!("{ZONE}{a6}"));
    let keys = lab.keys(".private");
    let plain = ["-o", "example.com", "-f", "ldns", "zone"];
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    lab.run("ldns-signzone", &[&plain[..], &keys].concat());
    lab.verify("ldns", &[]);
}
