//! Patterns, lines and times as ssh-keygen(1) describes them.
#![allow(clippy::panic, clippy::unwrap_used)]

use super::*;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

#[test]
fn patterns_match_as_in_ssh() {
    for (patterns, subject, expected) in [
        ("alice@example.com", "alice@example.com", true),
        ("alice@example.com", "Alice@example.com", false),
        ("*@example.com", "bob@example.com", true),
        ("*@example.com,!bob@*", "bob@example.com", false),
        ("!bob@*,*@example.com", "alice@example.com", true),
        ("!bob@*", "alice@example.com", false),
        ("b?b", "bob", true),
        ("b?b", "bb", false),
        ("*a*b*c", "xxaxxbxxbxc", true),
        ("*a*b*c", "xxaxxbxxbx", false),
        ("", "", true),
        ("**", "", true),
    ] {
        assert_eq!(
            matches_list(patterns, subject),
            expected,
            "{patterns} {subject}"
        );
    }
}

#[test]
fn lines_that_are_not_understood_allow_nobody_and_are_told_with_their_number() {
    let sound = format!(
        "# who\n\na {KEY} a comment\n\"b,c\" namespaces=\"x,y\",valid-after=\"20260101Z\" {KEY}\r\nd CERT-AUTHORITY {KEY}\n"
    );
    assert_eq!(AllowedSigners::parse(&sound).lines.len(), 3);
    for (line, what) in [
        ("a", "expected `principals"),
        ("a ssh-ed25519", "public key behind"),
        (
            "a ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
            "as in a .pub file",
        ),
        (
            &format!("a valid-before=\"20260101\" {KEY}"),
            "with a Z behind",
        ),
        (
            &format!("a valid-before=\"20261301Z\" {KEY}"),
            "with a Z behind",
        ),
        (
            &format!("a valid-after=\"20260102Z\",valid-before=\"20260101Z\" {KEY}"),
            "not after",
        ),
        (
            &format!("a namespaces=\"x\",namespaces=\"y\" {KEY}"),
            "twice",
        ),
        (&format!("a namespaces=x {KEY}"), "in double quotes"),
        (&format!("a no-touch-required {KEY}"), "unknown option"),
        (&format!("a cert-authority, {KEY}"), "unknown option"),
        (&format!("\"a {KEY}"), "no partner"),
    ] {
        let list = AllowedSigners::parse(&format!("\n{line}\nz {KEY}\n"));
        let [error] = &*list.skipped else {
            panic!("{line}: {list:?}");
        };
        assert!(
            error.line == 2 && error.what.contains(what),
            "{line}: {error}"
        );
        let key = key_in_front(KEY).unwrap();
        let judged = list.judge(&key, ("n", None), None, Instant::from_unix(60));
        assert_eq!(
            judged.map(|line| &*line.principals),
            Ok("z"),
            "the others count"
        );
    }
}

#[test]
fn a_line_allows_its_key_in_its_namespace_and_time() {
    let list = format!(
        "a cert-authority {KEY}\nb namespaces=\"n*\",valid-after=\"197001010000Z\",valid-before=\"19700102Z\" {KEY}\n"
    );
    let list = list.replace("197001010000Z", "19700101000100Z");
    let list = AllowedSigners::parse(&list);
    let key = key_in_front(KEY).unwrap();
    let at = Instant::from_unix;
    let judged = |namespace, who, at| {
        list.judge(&key, (namespace, None), who, at)
            .map(|s| &*s.principals)
    };
    assert_eq!(judged("ns", None, at(60)), Ok("b"));
    assert_eq!(judged("ns", Some("b"), at(86_400)), Ok("b"));
    assert!(matches!(
        judged("ns", Some("a"), at(60)),
        Err(NotAllowed::Unknown { .. })
    ));
    assert!(matches!(
        judged("m", None, at(60)),
        Err(NotAllowed::Namespace(..))
    ));
    assert!(matches!(
        judged("ns", None, at(59)),
        Err(NotAllowed::NotYet(..))
    ));
    assert!(matches!(
        judged("ns", None, at(86_401)),
        Err(NotAllowed::NoLonger(..))
    ));
}

#[test]
fn a_line_with_a_zone_behind_its_namespace_allows_that_zone_alone() {
    let list =
        format!("a namespaces=\"n:example.com,n:*.example.net\" {KEY}\nb namespaces=\"n\" {KEY}\n");
    let list = AllowedSigners::parse(&list);
    let key = key_in_front(KEY).unwrap();
    let judged = |zone, who| {
        let judged = list.judge(&key, ("n", Some(zone)), Some(who), Instant::from_unix(60));
        judged.is_ok()
    };
    for (zone, expected) in [
        ("example.com", true),
        ("a.example.net", true),
        ("example.net", false),
        ("example.org", false),
    ] {
        assert_eq!(judged(zone, "a"), expected, "{zone}");
        assert!(judged(zone, "b"), "a line for all zones");
    }
}
