//! What holds for any bytes that come from a name server, a mail host or a sender of reports: shared by the fuzzer and
//! `tests/evidence_properties.rs`. None may panic, hang, or be taken for more than it proves.

use std::collections::BTreeSet;
use std::time::Duration;
use tlsa_rotate::cli::tlsa_lines;
use tlsa_rotate::dane::certificate::Certificate;
use tlsa_rotate::dane::judge::{Rules, Verdict, judge, presented, satisfied};
use tlsa_rotate::dane::subject;
use tlsa_rotate::observe::anchors::Anchors;
use tlsa_rotate::observe::chain::{NoAnswer, Security, Source, Validator};
use tlsa_rotate::observe::dns::{Reply, read_reply};
use tlsa_rotate::observe::mta_sts::policy::{Policy, signal};
use tlsa_rotate::observe::smtp::{Caller, Session};
use tlsa_rotate::observe::tls::{Ask, handshake};
use tlsa_rotate::observe::tlsrpt::Gathered;
use tlsa_rotate::observe::tlsrpt::tally::tally;
use tlsa_rotate::observe::wait_for;
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::observation::KeyAlgorithm;
use tlsa_rotate::rotation::timing::Instant;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::Rtype;
use tokio::io::AsyncWriteExt as _;

/// 2026-11-23T12:00:00Z.
const NOW: Instant = Instant::from_unix(1_795_435_200);
const HOST: &str = "mx1.example.com";
/// Longer than any answer takes that is there already.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers everything with the same records.
struct Always(Reply);

impl Source for Always {
    async fn ask(&self, _: &Name, _: Rtype) -> Result<Reply, String> {
        Ok(self.0.clone())
    }
}

/// Flags, how many records there are in each section, and the records: behind the header and the question that were asked.
pub(crate) fn dns(bytes: &[u8]) {
    let Some((&[flags, more, rtype, answers, authorities, additionals], records)) =
        bytes.split_first_chunk()
    else {
        return;
    };
    let name = Name::parse(b"_25._tcp.mx1.example.com.", None).unwrap();
    let rtype = Rtype([1, 5, 6, 15, 28, 43, 48, 52][usize::from(rtype % 8)]);
    let counts = [1, answers, authorities, additionals].map(|count| [0, count]);
    let mut message = vec![0x12, 0x34, flags, more];
    message.extend(counts.concat());
    message.extend(name.wire());
    message.extend(rtype.0.to_be_bytes());
    message.extend([0, 1]);
    message.extend(records);
    let Ok(reply) = read_reply(&message, 0x1234, &name, rtype) else {
        return;
    };
    let refuses = reply.rcode == 2;
    let validator = Validator::new(Always(reply), Anchors::root(), NOW);
    let lookup = async {
        let lookup = validator.lookup(&name, rtype);
        tokio::time::timeout(PATIENCE, lookup).await
    };
    match wait_for(lookup).unwrap().expect("the validator hangs") {
        Err(NoAnswer::Bogus(_) | NoAnswer::Failed(_)) => {}
        // Nobody of trust has signed any of it.
        Ok(answer) => assert!(answer.security != Security::Secure && refuses, "{answer:?}"),
    }
}

/// A conversation whose other side says these bytes, whatever is said to it.
pub(crate) fn smtp(bytes: &[u8]) {
    let caller = Caller {
        step: PATIENCE,
        ..Caller::default()
    };
    let talk = async {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let said = async {
            // A pipe that is closed by then has heard enough.
            let _ = theirs.write_all(bytes).await;
            let _ = theirs.shutdown().await;
        };
        let asked = async {
            let mut session = Session::greeted(ours, &caller).await?;
            let extensions = session.ehlo("client.example").await?;
            assert!(extensions.iter().all(|e| !e.contains([' ', '\t', '\n'])));
            session.starttls(&extensions).await
        };
        let ((), outcome) = tokio::join!(said, asked);
        outcome.map(drop)
    };
    if let Err(error) = wait_for(talk).unwrap() {
        let told = error.to_string();
        assert!(!told.is_empty() && told.len() < 2_000, "{told}");
        assert!(!told.contains(|c: char| c.is_control()), "{told:?}");
    }
}

/// A handshake in which the server says these bytes.
pub(crate) fn tls(bytes: &[u8]) {
    let algorithm = match bytes.first() {
        Some(odd) if odd % 2 == 1 => KeyAlgorithm::Rsa,
        _ => KeyAlgorithm::Ecdsa,
    };
    let talk = async {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let said = async {
            let _ = theirs.write_all(bytes).await;
            let _ = theirs.shutdown().await;
        };
        let ((), outcome) = tokio::join!(said, handshake(ours, HOST, Ask::Only(algorithm)));
        outcome.is_ok()
    };
    assert!(!wait_for(talk).unwrap(), "no handshake ends without a key");
}

/// A file with keys or certificates, and the same as a chain that a host presents.
pub(crate) fn chain(bytes: &[u8]) {
    if let Ok(subjects) = subject::read(bytes) {
        assert!(!subjects.is_empty());
        for subject in &subjects {
            assert!(!subject.spki().is_empty() && !subject.kind().is_empty());
            let _ = subject.public_key();
        }
    }
    let chain = match subject::read_chain(bytes) {
        Ok(chain) => chain,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            // Pieces of DER, each with its length before it.
            let mut pieces = Vec::new();
            let mut rest = bytes;
            while let Some((length, more)) = rest.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*length)).min(more.len());
                let (piece, behind) = more.split_at(length);
                pieces.push(piece.to_vec());
                rest = behind;
            }
            presented(&pieces).unwrap_or_default()
        }
    };
    let Some(leaf) = chain.first() else { return };
    judged(&chain, leaf);
}

fn judged(chain: &[Certificate], leaf: &Certificate) {
    let digest = leaf.spki_association();
    let other = Association::dane_ee_spki_sha256([7; 32]);
    let accepts = |records: &[Association], rules| {
        let judgement = judge(records, chain, &[HOST, "example.com"], NOW, rules);
        assert_eq!(judgement.records.len(), records.len());
        judgement.verdict
    };
    let of_leaf = accepts(std::slice::from_ref(&digest), Rules::Smtp);
    let of_other = accepts(std::slice::from_ref(&other), Rules::Smtp);
    assert!(
        !matches!(of_other, Verdict::Verified { .. }),
        "verified by a key that is not there"
    );
    let both = accepts(&[other.clone(), digest.clone()], Rules::Smtp);
    assert_eq!(
        matches!(of_leaf, Verdict::Verified { .. }),
        matches!(both, Verdict::Verified { .. }),
        "another record beside it changes nothing"
    );
    for usage in 0..4 {
        for selector in 0..2 {
            let record = format!("{usage} {selector} 0 {}", "ab".repeat(40));
            if let Ok(record) = record.parse::<Association>() {
                let roots = Rules::Pkix { roots: chain };
                assert!(!matches!(
                    accepts(&[record], roots),
                    Verdict::Verified { .. }
                ));
            }
        }
    }
    let candidates = BTreeSet::from([digest, other.clone()]);
    assert!(!satisfied(&candidates, chain, &[HOST], NOW).contains(&other));
    let _ = (leaf.dns_names(), leaf.common_name(), leaf.subject_text());
    let _ = (leaf.not_before(), leaf.not_after(), leaf.is_ca());
}

/// TLSA records as `dane verify --tlsa` takes them.
pub(crate) fn tlsa(bytes: &[u8]) {
    match tlsa_lines::read(bytes) {
        Err(error) => assert!(error.to_string().starts_with("line ")),
        Ok(lines) => {
            let ends = bytes.split(|byte| *byte == b'\n').count();
            for line in lines {
                assert!((1..=ends).contains(&line.number));
                let printed = line.association.to_string();
                assert_eq!(printed.parse().as_ref(), Ok(&line.association), "{printed}");
            }
        }
    }
}

/// What lies in a mailbox of TLS reports, or is served as a policy.
pub(crate) fn report(bytes: &[u8]) {
    let mut gathered = Gathered::default();
    gathered.add_from("x", bytes);
    assert!(!gathered.reports.is_empty() || !gathered.troubles.is_empty());
    let tally = tally(gathered.reports.iter().map(|(_, report)| report), None);
    let rows = tally
        .rows
        .values()
        .fold(0_u64, |sum, row| sum.saturating_add(*row));
    assert_eq!(rows, tally.successful.saturating_add(tally.failed));
    for trouble in &gathered.troubles {
        assert!(!trouble.why.contains(char::is_control), "{trouble:?}");
    }
    if let Ok(policy) = Policy::parse(bytes) {
        assert!(!policy.lists(""));
    }
    signal([bytes]);
}
