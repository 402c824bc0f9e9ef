//! A proposal is applied once, to the zone it was made from, if somebody signed it who may; everything else is refused.

use crate::lab::{EDITS, Lab, edited};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use tlsa_rotate::workspace::held::{HeldFile, HoldError};

const APPLY: [&str; 7] = [
    "change",
    "apply",
    "proposal",
    "--allowed-signers",
    "allowed",
    "--zone",
    "zone.signed",
];

#[test]
fn a_proposal_is_applied_once_and_gives_the_target_octet_for_octet() {
    let lab = Lab::new();
    lab.write("zone.signed", &lab.read("old"));
    let verified = lab.ours(&[
        "change",
        "verify",
        "proposal",
        "--allowed-signers",
        "allowed",
        "--base",
        "old",
    ]);
    assert!(
        verified.starts_with("signed by alice@example.com with SHA256:"),
        "{verified}"
    );
    assert!(verified.contains("\nfits old: "), "{verified}");
    let (code, said) = lab.attempt(&APPLY);
    assert_eq!(
        (code, said.contains("applied to Example.COM.: 1 added")),
        (0, true),
        "{said}"
    );
    assert_eq!(lab.read("zone.signed"), lab.read("new"));
    let (code, said) = lab.attempt(&APPLY);
    assert_eq!(
        (code, said.contains("it is applied already")),
        (1, true),
        "{said}"
    );
    assert!(said.contains("hint: there is nothing to do"), "{said}");
    assert_eq!(lab.read("zone.signed"), lab.read("new"));
}

#[test]
fn a_zone_in_anothers_style_is_never_rewritten_in_place() {
    let lab = Lab::new();
    let commented = format!("; by hand\n{}", lab.read("old"));
    lab.write("zone.signed", &commented);
    let (code, said) = lab.attempt(&APPLY);
    assert_eq!((code, said.contains("--output FILE")), (1, true), "{said}");
    let (code, said) = lab.attempt(&[&APPLY[..], &["--output", "result"]].concat());
    assert_eq!(code, 0, "{said}");
    assert_eq!(
        (lab.read("zone.signed"), lab.read("result")),
        (commented, lab.read("new"))
    );
}

#[test]
fn what_does_not_fit_is_refused_with_a_way_out_and_nothing_is_written() {
    let lab = Lab::new();
    let mut moved = EDITS;
    moved[2].1 = "192.0.2.82";
    lab.write("other2", &edited(&moved));
    lab.sign("other2", "passed", &["--previous", "old"]);
    lab.write("other1", &edited(&EDITS[1..3]));
    lab.sign("other1", "same-serial", &[]);
    lab.write("other0", &edited(&[("2026112301", "2026112201")]));
    lab.sign("other0", "behind", &[]);
    lab.write("zone3", &edited(&[("2026112301", "2026112305")]));
    lab.sign("zone3", "far-ahead", &[]);
    lab.ssh_key("other", &["-t", "ed25519"]);
    lab.allow("others", &format!("bob {}\n", lab.public("other")));
    lab.allow("wrong-list", "alice ssh-ed25519\n");
    lab.write(
        "tampered",
        &lab.read("proposal").replace("192.0.2.81", "192.0.2.83"),
    );
    lab.write(
        "retold",
        &lab.read("proposal")
            .replacen("+   192.0.2.81", "+   192.0.2.80", 1),
    );
    let unsigned = lab.ours(&["zone", "normalize", "zone2", "--origin", "example.com"]);
    lab.write("unsigned", &unsigned);
    lab.make("old", "unsigned", "to-unsigned", &[]);
    let foreign = "example.org. 60 IN SOA a.example.org. b.example.org. 1 2 3 4 5\nexample.org. 60 IN NS ns.example.net.\n";
    lab.write("foreign", foreign);
    let all = [
        (
            "old",
            "allowed",
            "proposal",
            "2026-12-01T08:00:01Z",
            3,
            "it expired at 2026-12-01T08:00:00Z",
        ),
        (
            "old",
            "allowed",
            "proposal",
            "2026-11-24T07:59:59Z",
            1,
            "has not come yet",
        ),
        (
            "old",
            "others",
            "proposal",
            "",
            1,
            "is not in the list of allowed signers",
        ),
        (
            "old",
            "wrong-list",
            "proposal",
            "",
            1,
            "wrong-list: line 1: expected",
        ),
        ("old", "nowhere", "proposal", "", 1, "cannot read nowhere"),
        (
            "old",
            "allowed",
            "tampered",
            "",
            1,
            "the signature does not fit the text",
        ),
        (
            "old",
            "allowed",
            "retold",
            "",
            1,
            "what people read is not what the records say",
        ),
        (
            "old",
            "allowed",
            "to-unsigned",
            "",
            3,
            "is not validly signed",
        ),
        (
            "same-serial",
            "allowed",
            "proposal",
            "",
            3,
            "not the contents that the change was made from",
        ),
        (
            "behind",
            "allowed",
            "proposal",
            "",
            3,
            "it starts from serial 2026112301, the zone is at 2026112201",
        ),
        ("passed", "allowed", "proposal", "", 1, "its time is over"),
        (
            "far-ahead",
            "allowed",
            "proposal",
            "",
            1,
            "its time is over",
        ),
        (
            "foreign",
            "allowed",
            "proposal",
            "",
            1,
            "this is example.org.",
        ),
    ];
    for (zone, list, proposal, now, wanted, words) in all {
        let before = lab.read(zone);
        lab.write("zone.signed", &before);
        let now = if now.is_empty() { crate::lab::NOW } else { now };
        let (code, said) = lab.attempt(&[
            "change",
            "apply",
            proposal,
            "--allowed-signers",
            list,
            "--zone",
            "zone.signed",
            "--now",
            now,
        ]);
        assert_eq!(
            (code, said.contains(words)),
            (wanted, true),
            "{zone} {list} {proposal}: {said}"
        );
        assert!(said.contains("\nhint: ") || list == "wrong-list", "{said}");
        assert_eq!(lab.read("zone.signed"), before, "{proposal}");
        let leftovers = fs::read_dir(lab.directory()).unwrap();
        let temporary = |name: String| name.contains("tmp");
        assert!(
            !leftovers
                .into_iter()
                .any(|e| temporary(e.unwrap().file_name().into_string().unwrap()))
        );
    }
}

#[test]
fn one_signer_may_be_asked_for() {
    let lab = Lab::new();
    let verify = [
        "change",
        "verify",
        "proposal",
        "--allowed-signers",
        "allowed",
        "--signer",
    ];
    assert_eq!(
        lab.attempt(&[&verify[..], &["alice@example.com"]].concat())
            .0,
        0
    );
    let (code, said) = lab.attempt(&[&verify[..], &["bob@example.com"]].concat());
    assert_eq!(
        (code, said.contains("under the name bob@example.com")),
        (1, true),
        "{said}"
    );
}

#[test]
fn two_runs_never_work_on_one_zone() {
    let lab = Lab::new();
    lab.write("zone.signed", &lab.read("old"));
    let held = File::open(lab.path("zone.signed")).unwrap();
    flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
    let (code, said) = lab.attempt(&APPLY);
    assert_eq!(
        (code, said.contains("another run is working on")),
        (5, true),
        "{said}"
    );
    drop(held);
    assert_eq!(lab.attempt(&APPLY).0, 0);
}

#[test]
fn a_file_that_somebody_changes_meanwhile_is_not_replaced() {
    let lab = Lab::unsigned();
    let cases: [&dyn Fn(); 3] = [
        &|| {
            lab.write("next", "other");
            fs::rename(lab.path("next"), lab.path("held")).unwrap();
        },
        &|| lab.write("held", "longer than before"),
        &|| fs::remove_file(lab.path("held")).unwrap(),
    ];
    for meanwhile in cases {
        lab.write("held", "zone");
        let held = HeldFile::open(&lab.path("held")).unwrap();
        assert_eq!(held.contents(), b"zone");
        meanwhile();
        let refused = held.replace(b"mine");
        assert!(matches!(refused, Err(HoldError::Changed(_))), "{refused:?}");
        assert_ne!(fs::read(lab.path("held")).unwrap_or_default(), b"mine");
    }
}

#[test]
fn a_signer_who_names_another_target_is_found_out() {
    let lab = Lab::new();
    lab.ours(&["change", "make", "old", "new", "--output", "text"]);
    let honest = lab.read("text");
    let digest_of = |key: &str| honest.lines().find_map(|l| l.strip_prefix(key)).unwrap();
    let lie = honest.replace(digest_of("target-digest: "), digest_of("base-digest: "));
    lab.write("text", &lie);
    let key = ["-f", "op", "-n", "tlsa-rotate-change@tlsa-rotate", "text"];
    lab.run("ssh-keygen", &[&["-q", "-Y", "sign"], &key[..]].concat());
    lab.write("proposal", &(lie + &lab.read("text.sig")));
    lab.write("zone.signed", &lab.read("old"));
    let (code, said) = lab.attempt(&APPLY);
    assert_eq!(
        (code, said.contains("its records lead to another zone")),
        (1, true),
        "{said}"
    );
    assert_eq!(lab.read("zone.signed"), lab.read("old"));
}

#[test]
fn a_proposal_can_be_signed_elsewhere() {
    let lab = Lab::new();
    lab.ours(&["change", "make", "old", "new", "--output", "text"]);
    let (code, said) = lab.attempt(&["change", "show", "text"]);
    assert_eq!(
        (code, said.contains("nobody has signed it yet")),
        (1, true),
        "{said}"
    );
    lab.run(
        "ssh-keygen",
        &[
            "-q",
            "-Y",
            "sign",
            "-f",
            "op",
            "-n",
            "tlsa-rotate-change@tlsa-rotate",
            "text",
        ],
    );
    lab.write("by-hand", &(lab.read("text") + &lab.read("text.sig")));
    lab.ours(&[
        "change",
        "verify",
        "by-hand",
        "--allowed-signers",
        "allowed",
        "--base",
        "old",
    ]);
    let (code, said) = lab.attempt(&["change", "make", "old", "old"]);
    assert_eq!(
        (code, said.contains("nothing changes")),
        (1, true),
        "{said}"
    );
    let (code, said) = lab.attempt(&["change", "make", "old", "new", "--sign-with", "absent"]);
    assert_eq!(
        (code, said.contains("there is no key absent")),
        (1, true),
        "{said}"
    );
    let (code, said) = lab.attempt(&["change", "make", "old", "new", "--sign-with", "zone"]);
    assert_eq!((code, said.contains("ssh-keygen")), (1, true), "{said}");
}

#[test]
fn what_was_applied_once_is_not_applied_to_a_zone_that_was_put_back() {
    let lab = Lab::new();
    lab.write("zone.signed", &lab.read("old"));
    assert_eq!(lab.attempt(&APPLY).0, 0);
    lab.write("zone.signed", &lab.read("old"));
    let (code, said) = lab.attempt(&APPLY);
    assert_eq!(
        (
            code,
            said.contains("it was applied to zone.signed before, which has been put back since")
        ),
        (1, true),
        "{said}"
    );
    assert_eq!(lab.read("zone.signed"), lab.read("old"));
    fs::remove_file(lab.path("zone.signed.applied")).unwrap();
    assert_eq!(lab.attempt(&APPLY).0, 0, "a person says so");
}

#[test]
fn a_zone_signed_by_other_keys_altogether_is_not_what_comes_out() {
    let lab = Lab::new();
    lab.ours(&["key", "generate", "example.com", "--keys", "theirs"]);
    let sign = [
        "zone",
        "sign",
        "zone2",
        "--origin",
        "example.com",
        "--keys",
        "theirs",
        "--output",
        "taken",
    ];
    lab.ours(&sign);
    lab.make("old", "taken", "takeover", &[]);
    lab.write("zone.signed", &lab.read("old"));
    let apply = |proposal: &str| {
        let mut arguments = APPLY;
        arguments[2] = proposal;
        lab.attempt(&arguments)
    };
    let (code, said) = apply("takeover");
    assert_eq!(
        (
            code,
            said.contains("no key of the zone as it is signs the keys of the zone that comes out")
        ),
        (1, true),
        "{said}"
    );
    assert_eq!(lab.read("zone.signed"), lab.read("old"));
}

#[test]
fn a_revoked_key_and_a_proposal_for_ever_count_for_nothing() {
    let lab = Lab::new();
    lab.write("revoked.txt", &lab.read("op.pub"));
    lab.write("none.txt", "# nobody\n");
    lab.write("broken.txt", "ssh-ed25519\n");
    lab.run("ssh-keygen", &["-k", "-q", "-f", "revoked.krl", "op.pub"]);
    lab.write("hash", &format!("sha256: {}\n", lab.read("op.pub").trim()));
    lab.run("ssh-keygen", &["-k", "-q", "-f", "hashed.krl", "hash"]);
    lab.make(
        "old",
        "new",
        "for-ever",
        &["--expires", "2027-06-01T00:00:00Z"],
    );
    for (proposal, list, code, words) in [
        ("proposal", "none.txt", 0, ""),
        ("proposal", "revoked.txt", 1, "is revoked"),
        ("proposal", "revoked.krl", 1, "is revoked"),
        ("proposal", "hashed.krl", 1, "is revoked"),
        ("proposal", "broken.txt", 1, "line 1: expected a public key"),
        ("proposal", "nowhere", 1, "cannot read nowhere"),
        (
            "for-ever",
            "none.txt",
            3,
            "and no proposal may for more than 31d",
        ),
    ] {
        let verify = [
            "change",
            "verify",
            proposal,
            "--allowed-signers",
            "allowed",
            "--revoked",
            list,
        ];
        let (ended, said) = lab.attempt(&verify);
        assert_eq!(
            (ended, said.contains(words)),
            (code, true),
            "{list}: {said}"
        );
    }
    let longer = [
        "change",
        "verify",
        "for-ever",
        "--allowed-signers",
        "allowed",
        "--longest",
        "365d",
    ];
    assert_eq!(lab.attempt(&longer).0, 0);
}
