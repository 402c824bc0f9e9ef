//! Carrying over what did not change gives, octet for octet, what signing the whole zone gives; and nothing foreign is carried.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::num::NonZeroUsize;
use tlsa_rotate::dnssec::Earlier;
use tlsa_rotate::dnssec::algorithm::Algorithm;
use tlsa_rotate::dnssec::audit::verify_zone;
use tlsa_rotate::dnssec::carry::{
    Carried, NotCarried, Piece, Read, Seal, Sealed, Serials, resign, write_pieces, write_sealed,
};
use tlsa_rotate::dnssec::delta::Delta;
use tlsa_rotate::dnssec::denial::Denial;
use tlsa_rotate::dnssec::keys::SigningKey;
use tlsa_rotate::dnssec::keystore::{Role, new_key};
use tlsa_rotate::dnssec::nsec3::Hashing;
use tlsa_rotate::dnssec::sign::{SigningPolicy, sign};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};
use tlsa_rotate::zone::content::{Node, Zone};
use tlsa_rotate::zone::file::ZoneFile;
use tlsa_rotate::zone::include::NoFiles;
use tlsa_rotate::zone::name::Name;

const START: Instant = Instant::from_unix(1_800_000_000);

fn apex() -> Name {
    Name::parse(b"example.com.", None).unwrap()
}

fn key(role: Role) -> SigningKey {
    let made = new_key(&apex(), Algorithm::Ed25519, role, &[], (START, START));
    made.unwrap().key
}

fn policy(now: Instant) -> SigningPolicy {
    denying(now, &Denial::Nsec)
}

fn denying(now: Instant, denial: &Denial) -> SigningPolicy {
    SigningPolicy {
        denial: denial.clone(),
        now,
        inception: now - Span::hours(1),
        expiration: now + Span::days(14),
        refresh: Span::days(5),
        jitter: Span::days(4),
        threads: NonZeroUsize::MIN,
    }
}

/// The unsigned zone with these record lines.
fn master_file(serial: u32, lines: &BTreeSet<String>) -> ZoneFile {
    let mut text = format!(
        "$ORIGIN example.com.\n$TTL 1h\n@ SOA ns.x. host {serial} 1d 2h 4w 5m\n NS ns.x.\n"
    );
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    ZoneFile::read("zone", text.into_bytes(), Some(&apex()), &NoFiles)
}

/// A signed zone on disk.
struct OnDisk {
    file: File,
    seal: Seal,
}

impl OnDisk {
    fn write(zone: &Zone, keys: &[SigningKey], block: u64, now: Instant) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        let seal = write_sealed(zone, keys, block, now, &mut file).unwrap();
        // What is read back is what was written.
        let seal = Seal::parse(&seal.to_string()).unwrap();
        Self { file, seal }
    }

    fn resign(
        &self,
        zone: &ZoneFile,
        keys: &[SigningKey],
        now: Instant,
    ) -> Result<Carried, NotCarried> {
        self.resign_by(zone, keys, &policy(now))
    }

    fn resign_by(
        &self,
        zone: &ZoneFile,
        keys: &[SigningKey],
        policy: &SigningPolicy,
    ) -> Result<Carried, NotCarried> {
        resign(
            self.sealed().intact()?,
            zone,
            keys,
            policy,
            Serials::default(),
        )
    }

    fn sealed(&self) -> Sealed<'_> {
        Sealed {
            file: &self.file,
            seal: &self.seal,
        }
    }

    fn next(&self, carried: &Carried) -> Self {
        let file = tempfile::tempfile().unwrap();
        write_pieces(carried, &self.file, &file).unwrap();
        Self {
            file,
            seal: carried.seal.clone(),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut file = &self.file;
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    fn zone(&self) -> Zone {
        Zone::parse(self.text().as_bytes(), Some(&apex())).unwrap()
    }
}

/// Toggle these lines, then let so many hours pass.
type Round = (Vec<usize>, u64);

/// Lines that make and take away hosts, delegations with glue, occluding DNAMEs, wildcards and empty non-terminals.
fn lines() -> Vec<String> {
    let mut lines = Vec::new();
    for owner in ["a", "b", "m", "z", "*.m", "a.b", "x.a.b", "deep.er.z", "B2"] {
        lines.push(format!("{owner} A 192.0.2.1"));
        lines.push(format!("{owner} A 192.0.2.2"));
        lines.push(format!("{owner} TXT \"of {owner}\""));
        lines.push(format!("_25._tcp.{owner} TLSA 3 1 1 {:064x}", owner.len()));
    }
    for owner in ["b", "k", "m", "er.z"] {
        lines.push(format!("{owner} NS ns.{owner}"));
        lines.push(format!("ns.{owner} A 192.0.2.9"));
        lines.push(format!("ns.{owner} AAAA 2001:db8::9"));
    }
    lines.push("t 60 A 192.0.2.1".to_owned());
    lines.push("t 120 A 192.0.2.1".to_owned());
    lines.push("a.b DNAME elsewhere.".to_owned());
    lines.push("@ DNAME elsewhere.".to_owned());
    lines.push("@ MX 10 a".to_owned());
    lines
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn carrying_over_gives_what_signing_the_whole_gives() {
    let keys = [key(Role::Ksk), key(Role::Zsk)];
    let lines = lines();
    let count = lines.len();
    let rounds = proptest::collection::vec(
        (proptest::collection::vec(0..count, 0..4), 0_u64..100),
        1..6,
    );
    let start = proptest::collection::btree_set(0..count, 0..count);
    let (carried_over, whole_only) = (Cell::new(0_u32), Cell::new(0_u32));
    let mut runner = TestRunner::new(Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    });
    let check = |start: BTreeSet<usize>, rounds: Vec<Round>, block: u64, denial: Denial| {
        let mut present: BTreeSet<String> = start.iter().map(|at| lines[*at].clone()).collect();
        let (mut now, mut serial) = (START, 1);
        let Ok(unsigned) = master_file(serial, &present).zone() else {
            return Ok(());
        };
        let first = denying(now, &denial);
        let signed = sign(&unsigned, &keys, Earlier::default(), &first).unwrap();
        let mut disk = OnDisk::write(&signed.zone, &keys, block, now);
        for (toggled, hours) in rounds {
            let mut lines_now = present.clone();
            for at in toggled {
                if !lines_now.remove(&lines[at]) {
                    lines_now.insert(lines[at].clone());
                }
            }
            now = now + Span::hours(hours);
            let policy = denying(now, &denial);
            let file = master_file(serial + 1, &lines_now);
            let Ok(unsigned) = file.zone() else { continue };
            (present, serial) = (lines_now, serial + 1);
            let before = disk.zone();
            let earlier = Earlier {
                zone: Some(&before),
                trusted: true,
                extra: &[],
            };
            let whole = sign(&unsigned, &keys, earlier, &policy).unwrap();
            let carried = match disk.resign_by(&file, &keys, &policy) {
                // A hash has its neighbours elsewhere.
                Err(NotCarried::Whole(_)) if denial != Denial::Nsec => {
                    whole_only.set(whole_only.get() + 1);
                    disk = OnDisk::write(&whole.zone, &keys, block, now);
                    continue;
                }
                carried => carried.unwrap(),
            };
            prop_assert_eq!(&carried.made, &whole.made);
            prop_assert_eq!(carried.kept, whole.kept as u64);
            let delta = Delta::between(&before, &whole.zone).unwrap();
            prop_assert_eq!(&carried.delta, &delta);
            let seal = disk.seal.clone();
            disk = disk.next(&carried);
            prop_assert_eq!(disk.text(), whole.zone.to_string());
            let after = Read {
                seal: &seal,
                zone: &before,
            };
            for earlier in [None, Some(after)] {
                let read = disk
                    .sealed()
                    .zone(earlier, NonZeroUsize::MIN.saturating_add(1));
                prop_assert_eq!(&read.unwrap(), &disk.zone());
            }
            let verified = verify_zone(&disk.zone(), now, Span::ZERO, None);
            prop_assert!(verified.is_ok(), "{:?}", verified);
            let window = verified.ok().map(|summary| summary.window);
            prop_assert_eq!(disk.seal.window(), window);
            let is_kept = |piece: &Piece| matches!(piece, Piece::Kept(_));
            if carried.pieces.iter().any(is_kept) {
                carried_over.set(carried_over.get() + 1);
            }
        }
        Ok(())
    };
    let block = prop_oneof![Just(1_u64), Just(600), Just(5_000)];
    let hashing = Hashing::default();
    let opt_out = false;
    let denial = prop_oneof![Just(Denial::Nsec), Just(Denial::Nsec3 { hashing, opt_out })];
    runner
        .run(
            &(start, rounds, block, denial),
            |(start, rounds, block, denial)| check(start, rounds, block, denial),
        )
        .unwrap();
    let counts = (carried_over.get(), whole_only.get());
    assert!(counts.0 > 100 && counts.1 > 20, "{counts:?}");
}

/// A zone of twenty hosts, signed and sealed in small blocks, its keys, and its next version.
fn sealed() -> (OnDisk, Vec<SigningKey>, ZoneFile) {
    let keys = vec![key(Role::Csk)];
    let mut lines: BTreeSet<String> = (10..30).map(|n| format!("h{n} A 192.0.2.{n}")).collect();
    let unsigned = master_file(1, &lines).zone().unwrap();
    let signed = sign(&unsigned, &keys, Earlier::default(), &policy(START)).unwrap();
    let disk = OnDisk::write(&signed.zone, &keys, 700, START);
    lines.insert("h15 TXT new".to_owned());
    (disk, keys, master_file(2, &lines))
}

#[test]
fn a_file_with_any_octet_changed_is_not_carried_over() {
    let (disk, keys, next) = sealed();
    assert!(disk.resign(&next, &keys, START).is_ok());
    let text = disk.text().into_bytes();
    let mut others = vec![
        text[..text.len() - 1].to_vec(),
        Vec::new(),
        [&text[..], b"\n"].concat(),
    ];
    for at in (0..text.len()).step_by(7) {
        let mut other = text.clone();
        other[at] ^= 1;
        others.push(other);
    }
    for other in others {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&other).unwrap();
        let seal = disk.seal.clone();
        let other = OnDisk { file, seal };
        let refused = other.resign(&next, &keys, START);
        assert!(matches!(refused, Err(NotCarried::Foreign)), "{refused:?}");
        let zone = disk.zone();
        let (seal, zone) = (&disk.seal, &zone);
        for earlier in [None, Some(Read { seal, zone })] {
            let refused = other.sealed().zone(earlier, NonZeroUsize::MIN);
            assert!(matches!(refused, Err(NotCarried::Foreign)), "{refused:?}");
        }
    }
}

#[test]
fn what_reads_as_before_is_taken_from_the_version_before_and_the_rest_is_read() {
    let (disk, keys, next) = sealed();
    let mut before = disk.zone();
    let carried = disk.resign(&next, &keys, START).unwrap();
    let seal = disk.seal.clone();
    let disk = disk.next(&carried);
    let after = disk.zone();
    // A mark at every owner, as no file has it, shows where each came from.
    for node in before.nodes.values_mut() {
        node.values_mut().for_each(|rrset| rrset.ttl = Ttl(77));
    }
    let earlier = Read {
        seal: &seal,
        zone: &before,
    };
    let read = disk
        .sealed()
        .zone(Some(earlier), NonZeroUsize::MIN)
        .unwrap();
    assert!(read.nodes.keys().eq(after.nodes.keys()));
    let is_taken = |(owner, node): (&Name, &Node)| {
        if before.nodes.get(owner) == Some(node) {
            return true;
        }
        assert_eq!(after.nodes.get(owner), Some(node), "{owner}");
        false
    };
    let taken = read.nodes.iter().filter(|node| is_taken(*node)).count();
    let all = after.nodes.len();
    assert!(taken > all / 2 && taken < all, "{taken} of {all}");
    let apex = read.nodes.first_key_value();
    assert!(!is_taken(apex.unwrap()), "the SOA changes");
}

#[test]
fn a_file_written_to_while_it_is_copied_is_noticed() {
    let (disk, keys, next) = sealed();
    let carried = disk.resign(&next, &keys, START).unwrap();
    let out = tempfile::tempfile().unwrap();
    let mut file = &disk.file;
    file.write_all(b"x").unwrap();
    assert!(write_pieces(&carried, &disk.file, &out).is_err());
}

#[test]
fn the_whole_is_signed_when_keys_or_negative_ttl_change_and_never_under_a_used_serial() {
    let (disk, keys, next) = sealed();
    let whole = |refused| matches!(refused, Err(NotCarried::Whole(_)));
    assert!(whole(disk.resign(&next, &[key(Role::Csk)], START)));
    let both: Vec<SigningKey> = keys.into_iter().chain([key(Role::Zsk)]).collect();
    assert!(whole(disk.resign(&next, &both, START)));
    // Both keys are in the DNSKEY RRset, but one of them signs no longer.
    let unsigned = next.zone().unwrap();
    let signed = sign(&unsigned, &both, Earlier::default(), &policy(START)).unwrap();
    let by_both = OnDisk::write(&signed.zone, &both, 700, START);
    assert!(by_both.resign(&next, &both, START).is_ok());
    assert!(whole(by_both.resign(&next, &both[..1], START)));
    let text = "$ORIGIN example.com.\n$TTL 1h\n@ SOA ns.x. host 2 1d 2h 4w 9m\n NS ns.x.\n";
    let other = ZoneFile::read("zone", text.into(), Some(&apex()), &NoFiles);
    assert!(whole(disk.resign(&other, &both[..1], START)));
    let stuck = text.replace("9m", "5m").replace("host 2", "host 1");
    let stuck = ZoneFile::read("zone", stuck.into(), Some(&apex()), &NoFiles);
    let refused = disk.resign(&stuck, &both[..1], START);
    assert!(matches!(refused, Err(NotCarried::Delta(_))), "{refused:?}");
    let sealed = Sealed {
        file: &disk.file,
        seal: &disk.seal,
    };
    let serials = Serials {
        instead: None,
        if_stuck: Some(9),
    };
    let intact = sealed.intact().unwrap();
    let raised = resign(intact, &stuck, &both[..1], &policy(START), serials).unwrap();
    assert_eq!((raised.serial, raised.seal.serial), (9, 9));
}
