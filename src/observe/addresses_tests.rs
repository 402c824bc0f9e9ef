//! Where servers are asked, by what a zone lists and what is configured.
#![allow(clippy::unwrap_used)]
use super::*;

fn zone(records: &str) -> Zone {
    let apex = Name::parse(b"e.", None).unwrap();
    let text = format!("$ORIGIN e.\n$TTL 60\n@ SOA n h 1 2 3 4 5\n{records}");
    Zone::parse(text.as_bytes(), Some(&apex)).unwrap()
}

fn shown(found: Result<Vec<AuthorityAddress>, NoAddress>) -> String {
    match found {
        Ok(found) => {
            let shown: Vec<String> = found.iter().map(|a| a.authority().0).collect();
            shown.join(", ")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn servers_are_those_of_the_zone_or_those_configured() {
    let inside = "@ NS n\nn A 192.0.2.53\nn AAAA 2001:db8::53\n";
    let outside = "@ NS n\n@ NS ns.example.net.\nn A 192.0.2.53\n";
    let table: [(&str, &[&str], &str); 4] = [
        (inside, &[], "n.e. 192.0.2.53:53, n.e. [2001:db8::53]:53"),
        (
            inside,
            &["192.0.2.53:5353", "198.51.100.1:53"],
            "n.e. 192.0.2.53:5353, 198.51.100.1:53",
        ),
        (
            outside,
            &["[2001:db8::1]:53", "[2001:db8::3]:54"],
            "[2001:db8::1]:53, [2001:db8::3]:54",
        ),
        (
            outside,
            &[],
            "no address of ns.example.net. is known from the zone e. itself; set `servers",
        ),
    ];
    for (records, configured, expected) in table {
        let configured: Vec<SocketAddr> = configured
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let found = shown(addresses(&zone(records), &configured));
        assert!(found.contains(expected), "{found} instead of {expected}");
    }
}

#[test]
fn a_zone_without_servers_has_no_address() {
    let zone = Zone::empty(Name::parse(b"e.", None).unwrap());
    assert!(shown(addresses(&zone, &[])).contains("has no NS record"));
    assert_eq!(
        shown(addresses(&zone, &["192.0.2.1:53".parse().unwrap()])),
        "192.0.2.1:53"
    );
}
