#![allow(clippy::unwrap_used)]
use super::*;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

const NONCE: &str = "00ff";

fn endpoint(host: &str) -> Endpoint {
    Endpoint {
        host: host.to_owned(),
        port: 25,
    }
}

fn address() -> SocketAddr {
    "192.0.2.25:25".parse().unwrap()
}

fn chain() -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["mx1".to_owned()]).unwrap();
    leaf.self_signed(&key).unwrap().der().to_vec()
}

fn request(connections: u8) -> Request {
    let place = Place {
        endpoint: endpoint("mx1"),
        address: address(),
        connections,
    };
    Request::new(NONCE.to_owned(), Duration::from_secs(45), vec![place])
}

/// What was met at mx1 for ECDSA and for RSA: `1` and `2` are chains, `-` is none of the algorithm, `?` is a connection that
/// failed.
fn sightings(ecdsa: &str, rsa: &str, chains: &[Vec<u8>; 2]) -> Vec<Sighting> {
    let answer = |c| match c {
        '1' => Seen::Known(Answer::Chain(vec![chains[0].clone()])),
        '2' => Seen::Known(Answer::Chain(vec![chains[1].clone()])),
        '-' => Seen::Known(Answer::NotOffered),
        _ => Seen::Unknown("no connection".to_owned()),
    };
    let sighting = |(algorithm, met): (KeyAlgorithm, &str)| Sighting {
        endpoint: endpoint("mx1"),
        address: address(),
        algorithm,
        answers: met.chars().map(answer).collect(),
    };
    let both = [(KeyAlgorithm::Rsa, rsa), (KeyAlgorithm::Ecdsa, ecdsa)];
    both.into_iter().map(sighting).collect()
}

#[test]
fn what_was_met_anywhere_counts_and_silence_counts_nowhere() {
    let chains = [chain(), chain()];
    #[rustfmt::skip]
    let table: &[(&str, &[&str], &str)] = &[
        // from here, from each vantage, together
        ("111", &[], "111"),
        ("111", &["???"], "111"),
        ("111", &["111"], "111111"),
        ("???", &["111"], "111"),
        ("???", &["???", "111"], "111"),
        ("111", &["222"], "111222"),
        ("???", &["111", "222"], "111222"),
        ("???", &["---"], "---"),
        ("111", &["---"], "111---"),
        ("---", &["111"], "---111"),
        // One connection that failed beside others that did not is kept: there may be another server behind the address.
        ("11?", &["111"], "11?111"),
        ("111", &["1?1"], "1111?1"),
        ("???", &["1??"], "1??"),
        ("???", &["???"], "???"),
        ("???", &[], "???"),
        ("???", &[""], "???"),
    ];
    let mut wrong = Vec::new();
    for (here, elsewhere, expected) in table {
        // The other algorithm is known from nowhere, so that none of this one is no refusal of both.
        let seen: Vec<(String, Vec<Sighting>)> = elsewhere
            .iter()
            .map(|met| ("probe".to_owned(), sightings(met, "???", &chains)))
            .collect();
        let all = together(sightings(here, "???", &chains), &seen);
        let met = all[1].answers.iter().map(|answer| match answer {
            Seen::Known(Answer::Chain(chain)) if chain[0] == chains[0] => '1',
            Seen::Known(Answer::Chain(_)) => '2',
            Seen::Known(Answer::NotOffered) => '-',
            Seen::Unknown(_) => '?',
        });
        let met: String = met.collect();
        if met != *expected || is_reached(&all[0].answers) {
            wrong.push(format!("{here} {elsewhere:?}: {met} {:?}", all[0].answers));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_place_that_nobody_reaches_has_the_reasons_of_all() {
    let chains = [chain(), chain()];
    let seen = ["one", "two"].map(|name| (name.to_owned(), sightings("?", "?", &chains)));
    let all = together(sightings("?", "?", &chains), &seen);
    let expected = "no connection; from one: no connection; from two: no connection";
    assert_eq!(all[1].answers, [Seen::Unknown(expected.to_owned())]);
    // A failure that counts says where it was.
    let seen = [("one".to_owned(), sightings("1?", "?", &chains))];
    let all = together(sightings("1", "?", &chains), &seen);
    let expected = Seen::Unknown("from one: no connection".to_owned());
    assert_eq!(all[1].answers.last(), Some(&expected));
}

#[test]
fn nobody_can_make_a_refusal_of_both_algorithms_a_fact() {
    let chains = [chain(), chain()];
    // One half is told here and one there.
    let seen = [("one".to_owned(), sightings("?", "-", &chains))];
    let all = together(sightings("-", "?", &chains), &seen);
    assert!(all.iter().all(|one| !is_reached(&one.answers)), "{all:?}");
    // All of it, or the half that is told at all, there.
    for told in [
        &sightings("-", "-", &chains)[..],
        &sightings("-", "-", &chains)[1..],
    ] {
        let report = serde_json::to_value(Report::of(Some(NONCE.to_owned()), told)).unwrap();
        let read = read_answer(&enveloped(report), &request(1)).unwrap();
        assert!(read.iter().all(|one| !is_reached(&one.answers)), "{read:?}");
    }
}

fn enveloped(mut report: Value) -> Vec<u8> {
    report["schema"] = json!(ANSWER);
    serde_json::to_vec(&report).unwrap()
}

#[test]
fn an_answer_is_read_as_it_was_given() {
    let chains = [chain(), chain()];
    let seen = sightings("12?", "---", &chains);
    let report = serde_json::to_value(Report::of(Some(NONCE.to_owned()), &seen)).unwrap();
    let mut read = read_answer(&enveloped(report), &request(3)).unwrap();
    read.sort_by_key(|one| one.algorithm);
    assert_eq!(read, seen);
}

type Change = fn(&mut Value);

#[test]
fn an_answer_that_is_not_to_the_request_is_set_aside_whole() {
    let chains = [chain(), chain()];
    let good = Report::of(Some(NONCE.to_owned()), &sightings("111", "---", &chains));
    let good = enveloped(serde_json::to_value(good).unwrap());
    assert!(read_answer(&good, &request(3)).is_ok());
    assert_eq!(read_answer(&good, &request(3)).unwrap().len(), 2);
    #[rustfmt::skip]
    let table: &[(&str, Change)] = &[
        ("its answer has the schema `tlsa-rotate/look/v2` instead of", |v| v["schema"] = json!("tlsa-rotate/look/v2")),
        ("not what `tlsa-rotate look` prints", |v| drop(v.as_object_mut().unwrap().remove("schema"))),
        ("has the nonce of another request", |v| v["nonce"] = json!("00fe")),
        ("has the nonce of another request", |v| v["nonce"] = Value::Null),
        ("tells of mx2:25 at 192.0.2.25:25, which was not asked", |v| v["places"][0]["endpoint"]["host"] = json!("mx2")),
        ("tells of mx1:26 at 192.0.2.25:25, which was not asked", |v| v["places"][0]["endpoint"]["port"] = json!(26)),
        ("tells of mx1:25 at 192.0.2.26:25, which was not asked", |v| v["places"][0]["address"] = json!("192.0.2.26:25")),
        ("tells of a b:25 at", |v| v["places"][0]["endpoint"]["host"] = json!("a\u{1b}\n\tb")),
        ("tells of mx1:25 at 192.0.2.25:25 for ECDSA twice", |v| v["places"][0]["algorithm"] = json!("ecdsa")),
        ("2 connections to mx1:25 at 192.0.2.25:25: 3 were asked for", |v| drop(v["places"][1]["connections"].as_array_mut().unwrap().pop())),
        ("13 connections to mx1:25", |v| v["places"][1]["connections"] = json!(vec!["not-offered"; 13])),
        ("0 connections to mx1:25", |v| v["places"][1]["connections"] = json!([])),
        ("holds no chain as it should be: no certificate", |v| v["places"][1]["connections"][0] = json!({"chain": []})),
        ("holds no chain as it should be: the presented leaf", |v| v["places"][1]["connections"][0] = json!({"chain": ["AAAA"]})),
        ("holds no chain as it should be: ", |v| v["places"][1]["connections"][0] = json!({"chain": ["?"]})),
        ("holds no chain as it should be: asked for RSA, was presented a key of ECDSA", |v| v["places"][0]["connections"] = v["places"][1]["connections"].clone()),
        ("not what `tlsa-rotate look` prints", |v| v["places"][1]["connections"][0] = json!("offered")),
        ("not what `tlsa-rotate look` prints", |v| v["places"] = json!("all")),
    ];
    let mut wrong = Vec::new();
    for (expected, change) in table {
        let mut answer: Value = serde_json::from_slice(&good).unwrap();
        change(&mut answer);
        let octets = serde_json::to_vec(&answer).unwrap();
        let told = match read_answer(&octets, &request(3)) {
            Err(why) => why.to_string(),
            Ok(_) => "taken in".to_owned(),
        };
        if !told.contains(expected) || told.contains(char::is_control) {
            wrong.push(format!("{expected}: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for octets in [
        &b""[..],
        b"{",
        b"hello",
        &good[..good.len() - 1],
        &b"[".repeat(1 << 20),
    ] {
        let why = read_answer(octets, &request(3)).unwrap_err();
        assert!(matches!(why, Misfit::NotRead(_)), "{why}");
    }
}

#[test]
fn a_request_has_bounds() {
    let good = request(3);
    let text = serde_json::to_vec(&good).unwrap();
    assert_eq!(Request::read(&text).unwrap(), good);
    let mut forever = good.clone();
    forever.seconds = u64::MAX;
    assert_eq!(forever.within(), LONGEST);
    let mut many = good.clone();
    many.places = vec![good.places[0].clone(); MOST_PLACES + 1];
    let mut other = good;
    other.schema = "tlsa-rotate/look-request/v9".to_owned();
    let table = [
        (b"{}".to_vec(), "this is no request (missing field"),
        (
            serde_json::to_vec(&many).unwrap(),
            "4097 places are asked for",
        ),
        (
            serde_json::to_vec(&other).unwrap(),
            "this one `tlsa-rotate/look-request/v9`",
        ),
        (vec![b' '; (1 << 20) + 1], "longer than 1048576 octets"),
    ];
    for (octets, expected) in table {
        let read = Request::read(&octets).map(|request| request.places.len());
        let why = read.unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn what_others_wrote_is_shown_in_one_printable_line() {
    assert_eq!(one_line("no\n route\u{1b}[31m\tto"), "no route[31m to");
    assert_eq!(one_line(&"a".repeat(300)).chars().count(), 201);
}
