//! Proposals that somebody cut, bent or made up: an error that names the line, never a panic and never a yes.

use crate::lab::{EDITS, Lab, NOW, ZONE, edited};
use proptest::prelude::*;
use tlsa_rotate::change::changes::{Changes, Detail};
use tlsa_rotate::change::proposal::{LONGEST, Signed};
use tlsa_rotate::change::sshsig::{BEGIN, END};
use tlsa_rotate::dnssec::delta::{Delta, Mismatch};
use tlsa_rotate::rotation::timing::Ttl;
use tlsa_rotate::zone::content::{Node, Zone};
use tlsa_rotate::zone::diff::diff;
use tlsa_rotate::zone::name::Name;

fn parsed(text: &str) -> Zone {
    Zone::parse(
        text.as_bytes(),
        Some(&Name::parse(b"example.com.", None).unwrap()),
    )
    .unwrap()
}

fn refused(octets: &[u8]) -> String {
    Signed::parse(octets)
        .expect_err("it must be refused")
        .to_string()
}

#[test]
fn a_proposal_has_one_spelling() {
    let lab = Lab::new();
    let sound = lab.read("proposal");
    assert_eq!(Signed::parse(sound.as_bytes()).unwrap().to_string(), sound);
    for length in 0..sound.len() {
        refused(&sound.as_bytes()[..length]);
    }
    let twice = format!("{sound}{}", &sound[sound.find(BEGIN).unwrap()..]);
    let begin = sound.find(BEGIN).unwrap();
    let one_line = sound[begin..]
        .replace('\n', "")
        .replace(BEGIN, &format!("{BEGIN}\n"));
    let one_line = one_line.replace(END, &format!("\n{END}\n"));
    let table: [(String, &str); 20] = [
        (
            format!("{}{one_line}", &sound[..begin]),
            "lines of Base64 of 70 letters",
        ),
        (sound.replace('\n', "\r\n"), "line 1: a carriage return"),
        (
            sound.replace("mail.1", "m\u{e4}il.1"),
            "line 3: the octet 0xc3",
        ),
        (
            sound.replace("mail.1", "m\u{0}il"),
            "line 3: the octet 0x00",
        ),
        (format!("\u{feff}{sound}"), "line 1: the octet 0xef"),
        (
            sound.replace("proposal 1\n", "proposal 2\n"),
            "line 1: expected `tlsa-rotate proposal 1`",
        ),
        (
            sound.replace(
                "zone: Example.COM.\n",
                "zone: Example.COM.\nzone: Example.COM.\n",
            ),
            "line 3: expected `rotation: ",
        ),
        (
            sound.replace("zone: Example.COM.\n", "zone: example.org.\n"),
            "line 2: expected `zone: Example.COM.`",
        ),
        (sound.replace("zone: Example", "zone:  Example"), "line 2: "),
        (
            sound.replace(
                "rotation: mail.1\nstep: publish\n",
                "step: publish\nrotation: mail.1\n",
            ),
            "line 3: expected `rotation: ",
        ),
        (
            sound.replace("rotation: mail.1", "rotation: mail 1"),
            "line 3: `mail 1` is no value",
        ),
        (
            sound.replace("base-serial: 2026112301", "base-serial: 2026112300"),
            "line 5: expected `base-serial: 2026112301`",
        ),
        (sound.replace("base-digest: ", "base-digest: 0"), "line 6: "),
        (
            sound.replace(
                "created: 2026-11-24T08:00:00Z",
                "created: 2026-11-24T08:00:00+00:00",
            ),
            "line 9: ",
        ),
        (
            sound.replace("expires: 2026-12-01", "expires: 2026-11-01"),
            "line 10: it expires before",
        ),
        (
            sound.replace(
                "; zone Example.COM.\n",
                "; zone Example.COM.\n; and a note\n",
            ),
            "what people read is not what the records say",
        ),
        (
            sound.replace(" not listed: RRSIG 5", " not listed: RRSIG 4"),
            "what people read",
        ),
        (twice, "there are two signatures"),
        (format!("{sound}\n"), "nothing may follow it"),
        (
            sound.replace(END, "-----END SSH-----"),
            "nothing may follow it",
        ),
    ];
    for (text, words) in table {
        assert_ne!(text, sound, "{words}");
        let said = refused(text.as_bytes());
        assert!(said.contains(words), "{words}: {said}");
    }
    let huge = vec![b'a'; LONGEST + 1];
    assert!(refused(&huge).contains("longer than"));
    let long_line = sound.replace("mail.1", &"m".repeat(1 << 20));
    assert!(refused(long_line.as_bytes()).len() < 300);
    assert!(sound.contains(NOW));
}

#[test]
fn one_changed_octet_is_never_the_same_proposal() {
    let lab = Lab::new();
    let sound = lab.read("proposal").into_bytes();
    let original = Signed::parse(&sound).unwrap();
    for at in 0..sound.len() {
        let mut changed = sound.clone();
        changed[at] ^= 1;
        if let Ok(other) = Signed::parse(&changed) {
            assert_eq!(other.to_string().into_bytes(), changed);
            let text = other.proposal.to_string();
            let holds = other.signature.verify(text.as_bytes()).is_ok();
            let same_namespace = other.signature.namespace == original.signature.namespace;
            assert!(!(holds && same_namespace), "octet {at}");
        }
    }
}

#[test]
fn a_signature_comes_with_the_ttl_of_what_it_covers() {
    let lab = Lab::new();
    let zone = |name: &str| parsed(&lab.read(name));
    let delta = Delta::between(&zone("old"), &zone("new")).unwrap().unwrap();
    let text = delta.to_string();
    let signature = text
        .lines()
        .find(|l| l.starts_with("+web") && l.contains("RRSIG"))
        .unwrap();
    let bent = text.replace(signature, &signature.replacen(" 3600 ", " 3601 ", 1));
    let applied = Delta::parse(&bent).unwrap().apply(&zone("old"));
    assert!(matches!(applied, Err(Mismatch::Ttl(_))), "{applied:?}");
}

#[test]
fn a_delta_never_changes_what_it_does_not_name() {
    let (before, after) = (parsed(ZONE), parsed(&edited(&EDITS)));
    let delta = Delta::between(&before, &after).unwrap().unwrap();
    let text = delta.to_string();
    let apply = |text: &str| Delta::parse(text).unwrap().apply(&before);
    assert_eq!(apply(&text).unwrap().to_string(), after.to_string());
    // One record more in an RRset, under a TTL that the others do not have.
    let bent = text.replace("Example.COM. 300 IN TLSA", "Example.COM. 301 IN TLSA");
    assert!(matches!(apply(&bent), Err(Mismatch::Ttl(_))));
    let gone = text.lines().find(|l| l.starts_with("-web")).unwrap();
    let twice = text.replace(gone, &format!("{gone}\n{gone}"));
    assert!(matches!(apply(&twice), Err(Mismatch::Missing(_))));
    let come = text.lines().find(|l| l.starts_with("+web")).unwrap();
    let twice = text.replace(come, &format!("{come}\n{come}"));
    assert!(matches!(apply(&twice), Err(Mismatch::Present(_))));
    let wrong_ttl = gone.replace(" 3600 ", " 3601 ");
    assert!(matches!(
        apply(&text.replace(gone, &wrong_ttl)),
        Err(Mismatch::Missing(_))
    ));
}

/// A few owners and addresses, so that zones overlap; each RRset with its TTL.
fn zone(serial: u32, sets: &[(usize, u32, Vec<u8>)]) -> Zone {
    let mut text = format!("$ORIGIN example.com.\n@ 60 SOA ns h {serial} 1 2 3 4\n@ 60 NS ns.x.\n");
    let mut seen = std::collections::BTreeSet::new();
    for (owner, ttl, hosts) in sets {
        if seen.insert(*owner) {
            for host in hosts {
                let digest = "ab".repeat(32);
                let records = format!(
                    "h{owner} {ttl} A 192.0.2.{host}\nh{owner} {ttl} DS {host} 13 2 {digest}\n"
                );
                text.push_str(&records);
            }
        }
    }
    parsed(&text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn zones_and_their_delta_tell_the_same_and_lead_there(
        old in prop::collection::vec((0_usize..6, 60_u32..63, prop::collection::vec(0_u8..6, 0..4)), 0..6),
        new in prop::collection::vec((0_usize..6, 60_u32..63, prop::collection::vec(0_u8..6, 0..4)), 0..6),
    ) {
        let (old, new) = (zone(1, &old), zone(2, &new));
        let delta = Delta::between(&old, &new).unwrap().unwrap();
        let read = Delta::parse(&delta.to_string()).unwrap();
        prop_assert_eq!(read.apply(&old).unwrap().to_string(), new.to_string());
        for detail in [Detail::Meaning, Detail::Everything] {
            let told = Changes::of(&diff(&old, &new), detail).to_string();
            prop_assert_eq!(Changes::of_delta(&delta, detail).to_string(), told);
        }
        // A delta that leads elsewhere is never handed out: the same base with another TTL is another zone.
        let mut bent = old.clone();
        for rrset in bent.nodes.values_mut().flat_map(Node::values_mut) {
            rrset.ttl = Ttl(59);
        }
        prop_assert!(read.apply(&bent).is_err());
    }

    #[test]
    fn lines_put_together_at_random_are_an_error(lines in prop::collection::vec("[-+; :a-zA-Z0-9.\n]{0,40}", 0..30)) {
        let text = format!("tlsa-rotate proposal 1\n{}", lines.join("\n"));
        prop_assert!(Signed::parse(text.as_bytes()).is_err());
        let sealed = format!("{text}\n{BEGIN}\nU1NIU0lH\n{END}\n");
        prop_assert!(Signed::parse(sealed.as_bytes()).is_err());
    }
}
