//! Validation from the root down: what is secure, insecure, bogus or indeterminate and why; and that no tampering with
//! the answers, one change at a time, makes a lie secure or a secure name look unsigned.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::print_stdout,
    missing_docs
)]

mod dnssec_support;

use dnssec_support::Lab;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tlsa_rotate::observe::anchors::Anchors;
use tlsa_rotate::observe::chain::{Answer, Content, NoAnswer, Security, Source, Validator};
use tlsa_rotate::observe::dns::Reply;
use tlsa_rotate::observe::extended_error::ExtendedError;
use tlsa_rotate::observe::senders_view::{Families, Overrides, Sender, Tlsa};
use tlsa_rotate::observe::wait_for;
use tlsa_rotate::publish::serve::answer::{Rcode, answer};
use tlsa_rotate::publish::serve::served::ServedZone;
use tlsa_rotate::rotation::timing::Instant;
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Record, Rtype};

const NOW: Instant = Instant::from_unix(1_795_435_200); // 2026-11-23T12:00:00Z
const BEFORE: Instant = Instant::from_unix(1_793_000_000); // 2026-10-26
const AFTER: Instant = Instant::from_unix(1_799_000_000); // 2027-01-03

const MAIL: &str = "\
@ 60 SOA ns h 1 2 3 4 60
@ 60 NS ns
ns 60 A 192.0.2.53
@ 60 MX 10 mx
mx 60 A 192.0.2.25
_25._tcp.mx 60 TLSA 3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
alias 60 CNAME mx
away 60 CNAME mx.unsigned.com.
loop 60 CNAME pool
pool 60 CNAME loop
*.w 60 A 192.0.2.26
real.w 60 A 192.0.2.29
*.c 60 CNAME mx
d 60 DNAME t
x.t 60 A 192.0.2.27
a.b.ent 60 A 192.0.2.28
";

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

/// Signed zones, each answering for itself.
struct Internet {
    zones: BTreeMap<Name, ServedZone>,
    anchors: Anchors,
}

/// How one zone is made.
struct Making<'a> {
    apex: &'a str,
    records: String,
    /// Options of `zone sign`; `None` leaves it unsigned.
    signed: Option<&'a [&'a str]>,
}

impl Internet {
    /// `denial` is how the leaves are signed, `com` how com is.
    fn new(denial: &[&str], com: &[&str]) -> Self {
        let lab = Lab::new();
        let mut zones = BTreeMap::new();
        let front = "@ 60 SOA ns h 1 2 3 4 60\n@ 60 NS ns\nns 60 A 192.0.2.53\n";
        let mut delegations = String::new();
        let leaves = [
            Making {
                apex: "example.com.",
                records: MAIL.to_owned(),
                signed: Some(denial),
            },
            Making {
                apex: "unsigned.com.",
                records: MAIL.to_owned(),
                signed: None,
            },
            Making {
                apex: "island.com.",
                records: MAIL.to_owned(),
                signed: Some(denial),
            },
            Making {
                apex: "future.com.",
                records: MAIL.to_owned(),
                signed: Some(denial),
            },
            Making {
                apex: "digest.com.",
                records: MAIL.to_owned(),
                signed: Some(denial),
            },
        ];
        for leaf in &leaves {
            let (zone, ds) = make(&lab, leaf);
            let label = leaf.apex.split('.').next().unwrap();
            delegations.push_str(&format!(
                "{label} 60 NS ns.{label}\nns.{label} 60 A 192.0.2.53\n"
            ));
            match label {
                "example" => delegations.push_str(&ds),
                // Algorithm 16 and digest type 3 are nobody's here.
                "future" => delegations.push_str(&ds.replace(" 13 2 ", " 16 2 ")),
                "digest" => delegations.push_str(&ds.replace(" 13 2 ", " 13 3 ")),
                _ => {}
            }
            zones.insert(name(leaf.apex), zone);
        }
        let (zone, ds) = make(
            &lab,
            &Making {
                apex: "com.",
                records: format!("{front}{delegations}"),
                signed: Some(com),
            },
        );
        zones.insert(name("com."), zone);
        let root = format!(
            "@ 60 SOA ns.com. h.com. 1 2 3 4 60\n@ 60 NS ns.com.\ncom. 60 NS ns.com.\nns.com. 60 A 192.0.2.53\n{ds}"
        );
        let (zone, ds) = make(
            &lab,
            &Making {
                apex: ".",
                records: root,
                signed: Some(&[]),
            },
        );
        zones.insert(Name::root(), zone);
        Self {
            zones,
            anchors: Anchors::read("anchor", ds.as_bytes()).unwrap(),
        }
    }

    fn lookup(&self, asked: &str, rtype: Rtype, now: Instant) -> Result<Answer, NoAnswer> {
        let straight = |_: &Name, _: Rtype, reply: Reply| Ok(reply);
        self.lookup_through(asked, rtype, now, &straight)
    }

    /// Looks up with every reply in the hands of `meddler`.
    fn lookup_through(
        &self,
        asked: &str,
        rtype: Rtype,
        now: Instant,
        meddler: &(dyn Fn(&Name, Rtype, Reply) -> Result<Reply, String> + Sync),
    ) -> Result<Answer, NoAnswer> {
        let source = Meddled {
            internet: self,
            meddler,
        };
        let validator = Validator::new(source, self.anchors.clone(), now);
        let at = name(asked);
        let bounded = async {
            let lookup = validator.lookup(&at, rtype);
            tokio::time::timeout(Duration::from_secs(30), lookup).await
        };
        let outcome = wait_for(bounded).unwrap();
        outcome.unwrap_or_else(|_| panic!("{asked} {rtype}: the validator waits for itself"))
    }

    fn reply(&self, asked: &Name, rtype: Rtype) -> Reply {
        let speaks =
            |apex: &&Name| asked.is_at_or_below(apex) && !(rtype == Rtype::DS && asked == *apex);
        let apex = self
            .zones
            .keys()
            .filter(speaks)
            .max_by_key(|apex| apex.label_count())
            .unwrap();
        let said = answer(&self.zones[apex], asked, rtype, true);
        Reply {
            rcode: match said.rcode {
                Rcode::NoError => 0,
                Rcode::NxDomain => 3,
                Rcode::Refused => 5,
                Rcode::YxDomain => 6,
            },
            authoritative: false,
            truncated: false,
            answers: said.answers,
            authorities: said.authorities,
            additionals: Vec::new(),
            explanation: None,
        }
    }
}

struct Meddled<'a> {
    internet: &'a Internet,
    meddler: &'a (dyn Fn(&Name, Rtype, Reply) -> Result<Reply, String> + Sync),
}

impl Source for Meddled<'_> {
    async fn ask(&self, asked: &Name, rtype: Rtype) -> Result<Reply, String> {
        (self.meddler)(asked, rtype, self.internet.reply(asked, rtype))
    }
}

/// Signs a zone with our own signer; gives it and its DS lines.
fn make(lab: &Lab, making: &Making<'_>) -> (ServedZone, String) {
    let apex = making.apex;
    let file = format!("zone-{apex}txt");
    lab.write(&file, &format!("$ORIGIN {apex}\n{}", making.records));
    let (text, ds) = match making.signed {
        None => (lab.read(&file), String::new()),
        Some(options) => {
            lab.ours(&[
                "key",
                "generate",
                apex,
                "--keys",
                "keys",
                "--now",
                "2026-10-01T00:00:00Z",
            ]);
            let mut arguments = vec![
                "zone", "sign", &file, "--keys", "keys", "--output", "signed",
            ];
            arguments.extend([
                "--now",
                "2026-11-01T00:00:00Z",
                "--expiration",
                "2027-01-01T00:00:00Z",
                "--jitter",
                "0s",
            ]);
            arguments.extend(options);
            lab.ours(&arguments);
            (
                lab.read("signed"),
                lab.ours(&["key", "ds", apex, "--keys", "keys"]),
            )
        }
    };
    let zone = Zone::parse(text.as_bytes(), Some(&name(apex))).unwrap();
    let ds = ds
        .lines()
        .map(|line| line.replace(" IN DS ", " 60 IN DS ") + "\n")
        .collect();
    (ServedZone::unverified(zone).unwrap(), ds)
}

/// `secure records`, `insecure 0 no data`, `bogus 7`: what came of a lookup, and the extended error.
fn told(outcome: &Result<Answer, NoAnswer>) -> String {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(NoAnswer::Bogus(flaw)) => return format!("bogus {}", flaw.error.code()),
        Err(NoAnswer::Failed(flaw)) => return format!("failed {}", flaw.error.code()),
    };
    let content = match &answer.content {
        Content::Records(_) => "records",
        Content::NoData => "no data",
        Content::NoName => "no name",
    };
    match &answer.security {
        Security::Secure => format!("secure {content}"),
        Security::Insecure(flaw) => format!("insecure {} {content}", flaw.error.code()),
        Security::Indeterminate(flaw) => format!("indeterminate {} {content}", flaw.error.code()),
    }
}

/// The situations, with NSEC, NSEC3, and a com that leaves unsigned delegations out (opt-out).
const SITUATIONS: [(&str, Rtype, &str, &str); 22] = [
    (
        "example.com.",
        Rtype::MX,
        "secure records",
        "a positive answer",
    ),
    (
        "_25._tcp.mx.example.com.",
        Rtype::TLSA,
        "secure records",
        "deeper",
    ),
    (
        "MX.Example.COM.",
        Rtype::A,
        "secure records",
        "case does not matter",
    ),
    ("com.", Rtype::NS, "secure records", "a zone above"),
    (".", Rtype::SOA, "secure records", "the root"),
    ("alias.example.com.", Rtype::A, "secure records", "CNAME"),
    (
        "away.example.com.",
        Rtype::A,
        "insecure 0 records",
        "a CNAME into an unsigned zone",
    ),
    ("loop.example.com.", Rtype::A, "failed 0", "a loop"),
    (
        "a.w.example.com.",
        Rtype::A,
        "secure records",
        "from a wildcard",
    ),
    (
        "a.w.example.com.",
        Rtype::TLSA,
        "secure no data",
        "a wildcard without the type",
    ),
    (
        "a.c.example.com.",
        Rtype::A,
        "secure records",
        "a CNAME from a wildcard",
    ),
    ("x.d.example.com.", Rtype::A, "secure records", "DNAME"),
    (
        "y.d.example.com.",
        Rtype::A,
        "secure no name",
        "DNAME to no such name",
    ),
    ("mx.example.com.", Rtype::TLSA, "secure no data", "NODATA"),
    (
        "_tcp.mx.example.com.",
        Rtype::TLSA,
        "secure no data",
        "an empty non-terminal",
    ),
    (
        "_26._tcp.mx.example.com.",
        Rtype::TLSA,
        "secure no name",
        "NXDOMAIN",
    ),
    (
        "a.b.c.nothing.example.com.",
        Rtype::A,
        "secure no name",
        "NXDOMAIN, several labels down",
    ),
    (
        "mx.unsigned.com.",
        Rtype::A,
        "insecure 0 records",
        "a delegation without DS",
    ),
    (
        "no.unsigned.com.",
        Rtype::A,
        "insecure 0 no name",
        "and what is not in it",
    ),
    (
        "mx.island.com.",
        Rtype::A,
        "insecure 0 records",
        "signed, but without DS",
    ),
    (
        "mx.future.com.",
        Rtype::A,
        "insecure 1 records",
        "an unknown algorithm: RFC 6840 §5.2",
    ),
    (
        "mx.digest.com.",
        Rtype::A,
        "insecure 2 records",
        "an unknown digest type",
    ),
];

#[test]
fn every_kind_of_answer_is_worth_what_its_chain_is_worth() {
    let worlds: [(&[&str], &[&str]); 3] = [
        (&[], &[]),
        (&["--nsec3"], &["--nsec3"]),
        (
            &["--nsec3", "--salt", "aabb", "--iterations", "5"],
            &["--nsec3", "--opt-out"],
        ),
    ];
    for (denial, com) in worlds {
        let internet = Internet::new(denial, com);
        for (asked, rtype, expected, why) in SITUATIONS {
            let outcome = internet.lookup(asked, rtype, NOW);
            assert_eq!(
                told(&outcome),
                expected,
                "{asked} {rtype} {denial:?} {com:?} ({why}): {outcome:?}"
            );
        }
        let open = com.contains(&"--opt-out");
        let outcome = internet.lookup("nothing.com.", Rtype::A, NOW);
        let expected = if open {
            "insecure 6 no name"
        } else {
            "secure no name"
        };
        assert_eq!(
            told(&outcome),
            expected,
            "RFC 5155 §9.2: opt-out proves nothing: {outcome:?}"
        );
    }
}

#[test]
fn signatures_count_from_inception_to_expiration() {
    let internet = Internet::new(&[], &[]);
    for (now, expected) in [
        (BEFORE, "bogus 8"),
        (NOW, "secure records"),
        (AFTER, "bogus 7"),
    ] {
        for (asked, rtype) in [("example.com.", Rtype::MX), (".", Rtype::SOA)] {
            assert_eq!(
                told(&internet.lookup(asked, rtype, now)),
                expected,
                "{asked} at {now}"
            );
        }
    }
}

#[test]
fn an_anchor_speaks_for_what_lies_below_it_and_for_nothing_else() {
    let internet = Internet::new(&[], &[]);
    let key = internet.reply(&name("example.com."), Rtype::DNSKEY);
    let anchor: String = key
        .answers
        .iter()
        .filter(|record| record.rtype == Rtype::DNSKEY)
        .map(|record| format!("{record}\n"))
        .collect();
    let below = Internet {
        anchors: Anchors::read("anchor", anchor.as_bytes()).unwrap(),
        ..internet
    };
    for (asked, expected) in [
        ("mx.example.com.", "secure records"),
        ("away.example.com.", "indeterminate 5 records"),
        ("mx.unsigned.com.", "indeterminate 5 records"),
        ("com.", "indeterminate 5 no data"),
    ] {
        let outcome = below.lookup(asked, Rtype::A, NOW);
        assert_eq!(told(&outcome), expected, "{asked}: {outcome:?}");
    }
}

/// One change to one reply.
type Change = Box<dyn Fn(&mut Reply) + Sync>;

/// Every change that is tried on a reply: records gone, altered, moved, added; sections empty; another RCODE.
fn changes(reply: &Reply, strangers: &[Reply]) -> Vec<(String, Change)> {
    let mut changes: Vec<(String, Change)> = Vec::new();
    let rcode = reply.rcode;
    changes.push((
        "rcode".to_owned(),
        Box::new(move |r| r.rcode = 3 - rcode.min(3)),
    ));
    changes.push(("servfail".to_owned(), Box::new(|r| r.rcode = 2)));
    changes.push((
        "no answer section".to_owned(),
        Box::new(|r| r.answers.clear()),
    ));
    changes.push((
        "no authority section".to_owned(),
        Box::new(|r| r.authorities.clear()),
    ));
    for gone in [
        Rtype::RRSIG,
        Rtype::NSEC,
        Rtype::NSEC3,
        Rtype::DS,
        Rtype::DNSKEY,
        Rtype::SOA,
    ] {
        changes.push((
            format!("no {gone}"),
            Box::new(move |r| {
                r.answers.retain(|record| record.rtype != gone);
                r.authorities.retain(|record| record.rtype != gone);
            }),
        ));
    }
    for section in [0, 1] {
        let records = |r: &Reply| {
            if section == 0 {
                r.answers.clone()
            } else {
                r.authorities.clone()
            }
        };
        for (at, record) in records(reply).into_iter().enumerate() {
            changes.push((
                format!("without {record}"),
                Box::new(move |r| {
                    let list = if section == 0 {
                        &mut r.answers
                    } else {
                        &mut r.authorities
                    };
                    list.remove(at);
                }),
            ));
            for octet in (0..record.rdata.0.len()).step_by(record.rdata.0.len().div_ceil(8).max(1))
            {
                changes.push((
                    format!("octet {octet} of {record}"),
                    Box::new(move |r| {
                        let list = if section == 0 {
                            &mut r.answers
                        } else {
                            &mut r.authorities
                        };
                        list[at].rdata.0[octet] ^= 0x55;
                    }),
                ));
            }
        }
    }
    for (number, stranger) in strangers.iter().enumerate() {
        let (answers, authorities) = (stranger.answers.clone(), stranger.authorities.clone());
        let rcode = stranger.rcode;
        changes.push((
            format!("the negative answer {number}"),
            Box::new(move |r| {
                r.answers.clear();
                r.authorities.clone_from(&authorities);
                r.rcode = rcode;
            }),
        ));
        let authorities = stranger.authorities.clone();
        changes.push((
            format!("the proof of {number}"),
            Box::new(move |r| r.authorities.clone_from(&authorities)),
        ));
        changes.push((
            format!("the records of {number} too"),
            Box::new(move |r| r.answers.extend(answers.clone())),
        ));
    }
    changes
}

/// A forger's records for a question, unsigned.
fn forged(asked: &Name, rtype: Rtype) -> Record {
    let rdata: Vec<u8> = match rtype {
        Rtype::A => vec![192, 0, 2, 66],
        Rtype::MX => b"\x00\x01\x04evil\x00".to_vec(),
        _ => [vec![3, 1, 1], vec![0x66; 32]].concat(),
    };
    Record {
        owner: asked.clone(),
        ttl: tlsa_rotate::rotation::timing::Ttl(60),
        rtype,
        rdata: Rdata(rdata.into()),
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn no_change_to_any_answer_makes_a_lie_secure_or_a_secure_name_unsigned() {
    let mut tried = 0_u32;
    let mut bogus = 0_u32;
    for (denial, com) in [
        (&[][..], &["--nsec3"][..]),
        (&["--nsec3"][..], &["--nsec3", "--opt-out"][..]),
    ] {
        let internet = Internet::new(denial, com);
        let stranger = |asked: &str, rtype| internet.reply(&name(asked), rtype);
        let strangers = [
            stranger("mx.example.com.", Rtype::TLSA),
            stranger("no.example.com.", Rtype::A),
            stranger("unsigned.com.", Rtype::DS),
            stranger("no.com.", Rtype::DS),
            stranger("a.w.example.com.", Rtype::A),
            stranger("a.w.example.com.", Rtype::TLSA),
            stranger("_tcp.mx.example.com.", Rtype::TLSA),
            stranger("mx.island.com.", Rtype::A),
            stranger("no.island.com.", Rtype::A),
        ];
        for (asked, rtype, _, _) in SITUATIONS {
            let truth = internet.lookup(asked, rtype, NOW);
            let secure = truth
                .as_ref()
                .is_ok_and(|answer| answer.security.is_secure());
            if !secure {
                continue;
            }
            let questions = Mutex::new(Vec::new());
            let recorder = |asked: &Name, rtype: Rtype, reply: Reply| {
                questions
                    .lock()
                    .unwrap()
                    .push((asked.clone(), rtype, reply.clone()));
                Ok(reply)
            };
            let _ = internet.lookup_through(asked, rtype, NOW, &recorder);
            for (at, at_rtype, reply) in questions.into_inner().unwrap() {
                let lie = forged(&at, at_rtype);
                let mut all = changes(&reply, &strangers);
                let (one, two) = (lie.clone(), lie);
                all.push((
                    "a forged record instead".to_owned(),
                    Box::new(move |r| {
                        r.answers = vec![one.clone()];
                        r.authorities.clear();
                        r.rcode = 0;
                    }),
                ));
                all.push((
                    "a forged record too".to_owned(),
                    Box::new(move |r| r.answers.insert(0, two.clone())),
                ));
                for (what, change) in all {
                    let meddler = |question: &Name, rtype: Rtype, mut reply: Reply| {
                        if *question == at && rtype == at_rtype {
                            change(&mut reply);
                        }
                        Ok(reply)
                    };
                    let outcome = internet.lookup_through(asked, rtype, NOW, &meddler);
                    tried += 1;
                    match (&truth, &outcome) {
                        (_, Err(_)) => bogus += 1,
                        (Ok(truth), Ok(got)) => assert!(
                            got.security.is_secure() && same(truth, got),
                            "{asked} {rtype}, {what} in the answer to {at} {at_rtype}: {got:?} instead of {truth:?}"
                        ),
                        (Err(_), Ok(_)) => unreachable!(),
                    }
                }
            }
        }
    }
    println!("{tried} changes tried, {bogus} found out, the others without effect");
    assert!(tried > 5_000 && bogus * 2 > tried, "{bogus} of {tried}");
}

/// Whether both say the same of the name; a proof that fits both "no such name" and "no such type" may say either.
fn same(truth: &Answer, got: &Answer) -> bool {
    let absent = |answer: &Answer| !matches!(answer.content, Content::Records(_));
    truth.name == got.name && (truth.rdatas() == got.rdatas()) && (absent(truth) == absent(got))
}

#[test]
fn silence_and_refusals_are_failures_and_name_what_was_asked() {
    let internet = Internet::new(&[], &[]);
    let silent = |_: &Name, rtype: Rtype, reply: Reply| match rtype {
        Rtype::DNSKEY => Err("192.0.2.1:53: no answer within 6 s".to_owned()),
        _ => Ok(reply),
    };
    let Err(NoAnswer::Failed(flaw)) =
        internet.lookup_through("example.com.", Rtype::MX, NOW, &silent)
    else {
        panic!("silence is a failure");
    };
    assert_eq!(flaw.error, ExtendedError::NetworkError);
    assert!(
        flaw.reason.contains("DNSKEY") && flaw.reason.contains("192.0.2.1"),
        "{flaw}"
    );
}

#[test]
fn a_resolver_that_passes_no_dnssec_records_on_is_told_from_a_broken_zone() {
    let internet = Internet::new(&[], &[]);
    let strips = |of: &'static str, what: &'static [Rtype]| {
        let without = move |asked: &Name, rtype: Rtype, mut reply: Reply| {
            if rtype == Rtype::DNSKEY && *asked == name(of) {
                reply.answers.retain(|record| !what.contains(&record.rtype));
            }
            Ok(reply)
        };
        internet.lookup_through("example.com.", Rtype::MX, NOW, &without)
    };
    for what in [&[Rtype::RRSIG][..], &[Rtype::DNSKEY, Rtype::RRSIG][..]] {
        let Err(NoAnswer::Failed(flaw)) = strips(".", what) else {
            panic!("the root has keys, and signs them: {what:?}");
        };
        assert_eq!(flaw.error, ExtendedError::NetworkError);
        assert!(flaw.reason.contains("no DNSSEC records"), "{flaw}");
        let broken = strips("example.com.", what);
        assert!(matches!(broken, Err(NoAnswer::Bogus(_))), "{broken:?}");
    }
}

/// A server may say of a zone cut that it is an alias and sign that by the name itself: whose keys hang on the answer.
#[test]
fn a_cut_that_is_said_to_vouch_for_itself_is_bogus() {
    let internet = Internet::new(&[], &[]);
    let alias = internet.reply(&name("alias.example.com."), Rtype::CNAME);
    let selfish = |asked: &Name, rtype: Rtype, mut reply: Reply| {
        if rtype == Rtype::DS && *asked == name("example.com.") {
            reply.answers.clone_from(&alias.answers);
            for record in &mut reply.answers {
                record.owner = asked.clone();
            }
            reply.authorities.clear();
        }
        Ok(reply)
    };
    let outcome = internet.lookup_through("example.com.", Rtype::MX, NOW, &selfish);
    assert_eq!(told(&outcome), "bogus 10", "{outcome:?}");
}

/// The signature over a wildcard fits every name below it; that no closer name exists must be proven (RFC 4035 §5.3.4).
#[test]
fn a_wildcard_does_not_stand_in_for_a_name_that_exists() {
    for denial in [&[][..], &["--nsec3"]] {
        let internet = Internet::new(denial, &[]);
        let wildcard = internet.reply(&name("a.w.example.com."), Rtype::A);
        let replayed = |proof: bool| {
            let wildcard = wildcard.clone();
            move |asked: &Name, rtype: Rtype, reply: Reply| {
                if rtype != Rtype::A || *asked != name("real.w.example.com.") {
                    return Ok(reply);
                }
                let mut reply = wildcard.clone();
                for record in &mut reply.answers {
                    record.owner = asked.clone();
                }
                if !proof {
                    reply.authorities.clear();
                }
                Ok(reply)
            }
        };
        for (proof, expected) in [(true, "bogus 12"), (false, "bogus 12")] {
            let outcome =
                internet.lookup_through("real.w.example.com.", Rtype::A, NOW, &replayed(proof));
            assert_eq!(
                told(&outcome),
                expected,
                "{denial:?}, with its proof: {proof}: {outcome:?}"
            );
        }
    }
}

/// RFC 7672 §2.1.2: servers that drop or refuse TLSA make senders defer; a resolver of ours that says nothing does not.
#[test]
fn a_control_question_tells_servers_that_drop_tlsa_from_silence() {
    type Meddler = dyn Fn(&Name, Rtype, Reply) -> Result<Reply, String> + Sync;
    fn below(asked: &Name) -> bool {
        asked.to_string().starts_with("_25.")
    }
    let internet = Internet::new(&[], &[]);
    let dropped: &Meddler = &|_, rtype, reply| match rtype {
        Rtype::TLSA => Err("no answer within 2 s".to_owned()),
        _ => Ok(reply),
    };
    let failed: &Meddler = &|_, rtype, reply| match rtype {
        Rtype::TLSA => Ok(Reply { rcode: 2, ..reply }),
        _ => Ok(reply),
    };
    let silent: &Meddler = &|asked, _, reply| {
        let silent = || Err("no answer within 2 s".to_owned());
        if below(asked) { silent() } else { Ok(reply) }
    };
    let refused: &Meddler = &|asked, _, reply| {
        let rcode = if below(asked) { 5 } else { reply.rcode };
        Ok(Reply { rcode, ..reply })
    };
    let alone = "drop or refuse TLSA alone";
    for (meddler, error, told, what) in [
        (
            dropped,
            ExtendedError::NoReachableAuthority,
            alone,
            "no answer",
        ),
        (
            failed,
            ExtendedError::NoReachableAuthority,
            alone,
            "SERVFAIL",
        ),
        (
            silent,
            ExtendedError::NetworkError,
            "no answer within 2 s",
            "silence",
        ),
        (
            refused,
            ExtendedError::NetworkError,
            "REFUSED",
            "a resolver that is not for us",
        ),
    ] {
        let source = Meddled {
            internet: &internet,
            meddler,
        };
        let sender = Sender {
            validator: Validator::new(source, internet.anchors.clone(), NOW),
            overrides: Overrides::new(),
            families: Families::Four,
        };
        let host = wait_for(sender.host(&name("mx.example.com."), 25)).unwrap();
        let Tlsa::Unreachable(NoAnswer::Failed(flaw)) = host.tlsa else {
            panic!("{what}: {:?}", host.tlsa);
        };
        assert_eq!(flaw.error, error, "{what}: {flaw}");
        assert!(flaw.reason.contains(told), "{what}: {flaw}");
        assert_eq!(flaw.reason.contains(alone), told == alone, "{what}: {flaw}");
    }
}
