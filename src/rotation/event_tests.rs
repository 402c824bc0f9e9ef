//! The text of each fact in a journal.

use super::super::alarm::Trouble;
use super::super::patience::Awaited;
use super::super::stray::Stray;
use super::*;

/// The journal's text is read by later versions: a change here is a change of the format.
#[test]
#[allow(clippy::too_many_lines)] // a table of every fact
fn facts_are_written_as_they_always_were() {
    let endpoint = Endpoint {
        host: "mx.example.com".into(),
        port: 25,
    };
    let key = Association::dane_ee_spki_sha256([0xab; 32]);
    let name = endpoint.tlsa_name();
    let hex = "ab".repeat(32);
    let table = [
        (
            Event::Started {
                endpoints: BTreeSet::from([endpoint.clone()]),
                current: BTreeSet::from([key.clone()]),
                base: BTreeMap::from([(name.clone(), BTreeSet::from([key.clone()]))]),
                ttl: BTreeMap::from([(name.clone(), Ttl(3600))]),
                ttl_sources: BTreeMap::new(),
            },
            format!(r#"{{"started":{{"endpoints":[{{"host":"mx.example.com","port":25}}],"current":["3 1 1 {hex}"],"base":{{"_25._tcp.mx.example.com.":["3 1 1 {hex}"]}},"ttl":{{"_25._tcp.mx.example.com.":3600}}}}}}"#),
        ),
        (
            Event::Started {
                endpoints: BTreeSet::from([endpoint.clone()]),
                current: BTreeSet::from([key.clone()]),
                base: BTreeMap::new(),
                ttl: BTreeMap::from([(name.clone(), Ttl(86_400))]),
                ttl_sources: BTreeMap::from([(name.clone(), TtlSource::Assumed)]),
            },
            format!(r#"{{"started":{{"endpoints":[{{"host":"mx.example.com","port":25}}],"current":["3 1 1 {hex}"],"base":{{}},"ttl":{{"_25._tcp.mx.example.com.":86400}},"ttl_sources":{{"_25._tcp.mx.example.com.":"assumed"}}}}}}"#),
        ),
        (
            Event::KeyAdmitted { not_after: Instant::from_unix(7), made_by: None },
            r#"{"key-admitted":{"not_after":7}}"#.to_owned(),
        ),
        (
            Event::AssociationsComputed { incoming: BTreeSet::from([key.clone()]) },
            format!(r#"{{"associations-computed":{{"incoming":["3 1 1 {hex}"]}}}}"#),
        ),
        (
            Event::SurroundingsFound {
                aliases: BTreeMap::from([(name.clone(), TlsaName::new("tlsa.example.net."))]),
                base: BTreeMap::from([(TlsaName::new("tlsa.example.net."), BTreeSet::from([key.clone()]))]),
                staying: BTreeSet::from([key.clone()]),
                satisfied: BTreeMap::from([(key.clone(), BTreeSet::from([key]))]),
            },
            format!(r#"{{"surroundings-found":{{"aliases":{{"_25._tcp.mx.example.com.":"tlsa.example.net."}},"base":{{"tlsa.example.net.":["3 1 1 {hex}"]}},"staying":["3 1 1 {hex}"],"satisfied":{{"3 1 1 {hex}":["3 1 1 {hex}"]}}}}}}"#),
        ),
        (Event::PrepublishDecided, r#""prepublish-decided""#.to_owned()),
        (
            Event::HigherTtlSeen { name: name.clone(), ttl: Ttl(9) },
            r#"{"higher-ttl-seen":{"name":"_25._tcp.mx.example.com.","ttl":9}}"#.to_owned(),
        ),
        (Event::PrepublishServed { ttl: Ttl(9) }, r#"{"prepublish-served":{"ttl":9}}"#.to_owned()),
        (
            Event::ServerRegressed { name, authority: Authority("ns1 192.0.2.1:53".into()) },
            r#"{"server-regressed":{"name":"_25._tcp.mx.example.com.","authority":"ns1 192.0.2.1:53"}}"#.to_owned(),
        ),
        (
            Event::RollbackRequested { reason: "clients fail".into() },
            r#"{"rollback-requested":{"reason":"clients fail"}}"#.to_owned(),
        ),
        (
            Event::DeploymentReleased { why: Release::Expiry },
            r#"{"deployment-released":{"why":"expiry"}}"#.to_owned(),
        ),
        (
            Event::OldWithdrawn { name: endpoint.tlsa_name() },
            r#"{"old-withdrawn":{"name":"_25._tcp.mx.example.com."}}"#.to_owned(),
        ),
        (
            Event::ReinstatementServed { ttl: Ttl(9) },
            r#"{"reinstatement-served":{"ttl":9}}"#.to_owned(),
        ),
        (Event::ReturnOpened, r#""return-opened""#.to_owned()),
        (
            Event::EmergencyDeclared { priority: Priority::Security, reason: "stolen".into() },
            r#"{"emergency-declared":{"priority":"security","reason":"stolen"}}"#.to_owned(),
        ),
        (
            Event::ReplacementServed { ttl: Ttl(9) },
            r#"{"replacement-served":{"ttl":9}}"#.to_owned(),
        ),
        (Event::ReplacementVerified, r#""replacement-verified""#.to_owned()),
        (
            Event::SignatureSeen { until: Instant::from_unix(7) },
            r#"{"signature-seen":{"until":7}}"#.to_owned(),
        ),
        (
            Event::StraysAnswered {
                name: endpoint.tlsa_name(),
                answered: vec![Stray { rrset: BTreeSet::new(), ttl: Ttl(9) }],
            },
            r#"{"strays-answered":{"name":"_25._tcp.mx.example.com.","answered":[{"rrset":[],"ttl":9}]}}"#.to_owned(),
        ),
        (
            Event::RisksSeen {
                risks: BTreeSet::from([Risk { trouble: Trouble::EarlyKey, place: "mx".into() }]),
            },
            r#"{"risks-seen":{"risks":[{"trouble":"early-key","place":"mx"}]}}"#.to_owned(),
        ),
        (
            Event::ServersSeen {
                zone: ZoneName::new("example.com."),
                servers: BTreeMap::from([(Authority("ns1 192.0.2.1:53".into()), Ttl(9))]),
            },
            r#"{"servers-seen":{"zone":"example.com.","servers":{"ns1 192.0.2.1:53":9}}}"#.to_owned(),
        ),
        (
            Event::AddressesHadLeft {
                host: "mx.example.com".into(),
                until: BTreeMap::from([("192.0.2.25".to_owned(), Instant::from_unix(7))]),
            },
            r#"{"addresses-had-left":{"host":"mx.example.com","until":{"192.0.2.25":7}}}"#.to_owned(),
        ),
        (
            Event::HostsJoined {
                endpoints: BTreeSet::from([endpoint.clone()]),
                aliases: BTreeMap::new(),
                base: BTreeMap::from([(endpoint.tlsa_name(), BTreeSet::new())]),
                ttl: BTreeMap::from([(endpoint.tlsa_name(), Ttl(9))]), ttl_sources: BTreeMap::new() },
            r#"{"hosts-joined":{"endpoints":[{"host":"mx.example.com","port":25}],"base":{"_25._tcp.mx.example.com.":[]},"ttl":{"_25._tcp.mx.example.com.":9}}}"#.to_owned(),
        ),
        (
            Event::HostsLeft {
                endpoints: vec![(endpoint.clone(), Instant::from_unix(7))],
                asked: Some("it died".into()),
            },
            r#"{"hosts-left":{"endpoints":[[{"host":"mx.example.com","port":25},7]],"asked":"it died"}}"#.to_owned(),
        ),
        (
            Event::JoinServed { name: endpoint.tlsa_name(), ttl: Ttl(9) },
            r#"{"join-served":{"name":"_25._tcp.mx.example.com.","ttl":9}}"#.to_owned(),
        ),
        (
            Event::HostsWereSilent { endpoints: BTreeSet::from([endpoint.clone()]) },
            r#"{"hosts-were-silent":{"endpoints":[{"host":"mx.example.com","port":25}]}}"#.to_owned(),
        ),
        (Event::SoakSeen, r#""soak-seen""#.to_owned()),
        (
            Event::SeveralKeysSeen { endpoint: endpoint.clone(), address: "192.0.2.25".into() },
            r#"{"several-keys-seen":{"endpoint":{"host":"mx.example.com","port":25},"address":"192.0.2.25"}}"#.to_owned(),
        ),
        (
            Event::ForwardRequested { reason: "lost".into() },
            r#"{"forward-requested":{"reason":"lost"}}"#.to_owned(),
        ),
        (
            Event::DaneLeft { reason: "given up".into() },
            r#"{"dane-left":{"reason":"given up"}}"#.to_owned(),
        ),
        (
            Event::DelaySeen {
                by: Some(Delay {
                    what: Awaited::Load,
                    place: "ns1".into(),
                }),
            },
            r#"{"delay-seen":{"by":{"what":"load","place":"ns1"}}}"#.to_owned(),
        ),
        (
            Event::DelaySeen { by: None },
            r#"{"delay-seen":{"by":null}}"#.to_owned(),
        ),
        (Event::CadenceHeld, r#""cadence-held""#.to_owned()),
        (
            Event::DeploymentTried {
                hosts: BTreeSet::from(["mx".into()]),
                failed: Some("exit code 1".into()),
            },
            r#"{"deployment-tried":{"hosts":["mx"],"failed":"exit code 1"}}"#.to_owned(),
        ),
        (
            Event::ReportsSetAside { reports: BTreeSet::from(["00ff".into()]), reason: "spam".into() },
            r#"{"reports-set-aside":{"reports":["00ff"],"reason":"spam"}}"#.to_owned(),
        ),
        (
            Event::ClockRepaired {
                set_aside: BTreeSet::from([5, 6]),
                redated: BTreeMap::from([(3, Instant::from_unix(7))]),
            },
            r#"{"clock-repaired":{"set_aside":[5,6],"redated":{"3":7}}}"#.to_owned(),
        ),
        (
            Event::HostRegressed { endpoint },
            r#"{"host-regressed":{"endpoint":{"host":"mx.example.com","port":25}}}"#.to_owned(),
        ),
    ];
    for (event, text) in table {
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
    let stranger = r#"{"prepublish-served":{"ttl":9,"by":"nobody"}}"#;
    assert!(
        serde_json::from_str::<Event>(stranger).is_err(),
        "unknown fields are refused"
    );
}
