#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing
)]

mod year;

use super::*;
use crate::dnssec::algorithm::Algorithm;
use crate::dnssec::carry::{Seal, Sealed, write_pieces, write_sealed};
use crate::dnssec::keystore::{Role, new_key};
use crate::dnssec::sign::usual_refresh;
use crate::zone::include::NoFiles;
use crate::zone::name::Name;
use std::fs::File;
use std::io::{Read as _, Seek as _};

/// 2026-12-01T00:00:00Z.
const DECEMBER: Instant = Instant::from_unix(1_796_083_200);
/// 2026-12-11T00:00:00Z.
const TEN_DAYS_ON: Instant = Instant::from_unix(1_796_947_200);

fn apex() -> Name {
    Name::parse(b"example.com.", None).unwrap()
}

fn keys() -> Vec<SigningKey> {
    let made = new_key(
        &apex(),
        Algorithm::Ed25519,
        Role::Csk,
        &[],
        (DECEMBER, DECEMBER),
    );
    vec![made.unwrap().key]
}

fn file(serial: u32, records: &str) -> ZoneFile {
    let text = format!(
        "$ORIGIN example.com.\n$TTL 1h\n@ SOA ns.x. host {serial} 1d 2h 4w 5m\n NS ns.x.\n{records}"
    );
    ZoneFile::read("zone", text.into_bytes(), Some(&apex()), &NoFiles)
}

fn policy(now: Instant) -> SigningPolicy {
    let refresh = usual_refresh(VALIDITY);
    SigningPolicy {
        now,
        inception: now - BACKDATED,
        expiration: now + VALIDITY,
        refresh,
        jitter: crate::dnssec::sign::usual_jitter(VALIDITY, refresh),
        threads: NonZeroUsize::MIN,
        ..SigningPolicy::default()
    }
}

/// A version on disk.
struct Present {
    file: File,
    seal: Seal,
}

impl Present {
    fn write(zone: &Zone, keys: &[SigningKey], now: Instant) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        // Short blocks, so that there are several.
        let seal = write_sealed(zone, keys, 400, now, &mut file).unwrap();
        Self { file, seal }
    }

    fn sealed(&self) -> Sealed<'_> {
        Sealed {
            file: &self.file,
            seal: &self.seal,
        }
    }

    fn zone(&self) -> Zone {
        let mut text = Vec::new();
        (&self.file).rewind().unwrap();
        (&self.file).read_to_end(&mut text).unwrap();
        Zone::parse(&text, Some(&apex())).unwrap()
    }

    fn take(&mut self, next: &Next, keys: &[SigningKey], now: Instant) {
        *self = match next {
            Next::Whole { signed, .. } => Self::write(&signed.zone, keys, now),
            Next::Carried(carried) => {
                let file = tempfile::tempfile().unwrap();
                write_pieces(carried, &self.file, &file).unwrap();
                Self {
                    file,
                    seal: carried.seal.clone(),
                }
            }
        };
    }
}

fn made(order: &Order<'_>, present: &Present, carries: bool) -> Result<Next, NotNext> {
    let intact = carries.then(|| present.sealed().intact());
    next(order, intact, |why| {
        assert!(!carries, "{why:?}");
        Ok(Some(present.zone()))
    })
}

#[test]
#[allow(clippy::too_many_lines)] // a table
fn every_caller_gets_the_same_serial() {
    const RAISED: Numbering = Numbering::Raised { handed_out: None };
    let out = |serial| Numbering::Raised {
        handed_out: Some(serial),
    };
    let max = u32::MAX;
    // written, present, numbering, whether a record changes, when → serial, or none where it is refused
    let table = [
        (
            1,
            7,
            RAISED,
            false,
            DECEMBER,
            Some(7),
            "nothing changes: it stays",
        ),
        (1, 7, RAISED, true, DECEMBER, Some(8), "one more"),
        (
            9,
            7,
            RAISED,
            true,
            DECEMBER,
            Some(9),
            "the unsigned zone is ahead",
        ),
        (
            9,
            7,
            RAISED,
            false,
            DECEMBER,
            Some(9),
            "which is a change by itself",
        ),
        (1, max, RAISED, true, DECEMBER, Some(1), "past 0"),
        (
            2_026_113_001,
            2_026_113_001,
            RAISED,
            true,
            DECEMBER,
            Some(2_026_120_101),
            "the first of the day",
        ),
        (
            2_026_113_001,
            2_026_113_001,
            RAISED,
            true,
            TEN_DAYS_ON,
            Some(2_026_121_101),
            "the style of the zone",
        ),
        (
            2_026_113_001,
            2_026_113_001,
            RAISED,
            false,
            TEN_DAYS_ON - Span::days(6),
            Some(2_026_113_001),
            "no day of its own",
        ),
        (
            1,
            7,
            out(12),
            false,
            DECEMBER,
            Some(13),
            "servers have had more: it moves by itself",
        ),
        (
            1,
            7,
            out(12),
            true,
            DECEMBER,
            Some(13),
            "likewise with a change",
        ),
        (
            13,
            7,
            out(12),
            true,
            DECEMBER,
            Some(13),
            "the unsigned zone is ahead of all",
        ),
        (
            12,
            7,
            out(12),
            true,
            DECEMBER,
            Some(13),
            "as far as the servers is not ahead",
        ),
        (
            1,
            7,
            out(3),
            true,
            DECEMBER,
            Some(8),
            "what was handed out long ago",
        ),
        (
            1,
            7,
            out(7),
            false,
            DECEMBER,
            Some(7),
            "what lies here was handed out",
        ),
        (
            5,
            3,
            out(max - 2),
            true,
            DECEMBER,
            Some(5),
            "around the circle (RFC 1982)",
        ),
        (
            max - 1,
            max - 3,
            out(3),
            true,
            DECEMBER,
            Some(4),
            "likewise",
        ),
        (
            2_026_120_100,
            2_026_120_100,
            out(2_026_120_103),
            false,
            DECEMBER,
            Some(2_026_120_104),
            "a restored clone",
        ),
        (
            8,
            7,
            Numbering::AsWritten,
            true,
            DECEMBER,
            Some(8),
            "as written",
        ),
        (
            7,
            7,
            Numbering::AsWritten,
            true,
            DECEMBER,
            None,
            "a change that secondaries would not take",
        ),
        (
            7,
            7,
            Numbering::AsWritten,
            false,
            DECEMBER,
            Some(7),
            "nothing changes",
        ),
        (
            6,
            7,
            Numbering::AsWritten,
            false,
            DECEMBER,
            None,
            "a step back",
        ),
    ];
    let keys = keys();
    for (written, present, numbering, changes, now, expected, why) in table {
        let begun = DECEMBER;
        let first = file(present, "a A 192.0.2.1\n");
        let signed = sign(
            &first.zone().unwrap(),
            &keys,
            Earlier::default(),
            &policy(begun),
        );
        let on_disk = Present::write(&signed.unwrap().zone, &keys, begun);
        let records = if changes {
            "a A 192.0.2.2\n"
        } else {
            "a A 192.0.2.1\n"
        };
        let order = Order {
            file: &file(written, records),
            keys: &keys,
            policy: &policy(now),
            numbering,
            unverified: false,
        };
        for carries in [true, false] {
            let next = made(&order, &on_disk, carries);
            let serial = next.as_ref().ok().map(Next::serial);
            assert_eq!(serial, expected, "{why} (carries: {carries}): {next:?}");
            let moved = serial.is_some_and(|serial| serial != present);
            assert_eq!(next.is_ok_and(|next| next.is_new()), moved, "{why}");
        }
    }
}

#[test]
fn the_first_version_begins_after_what_was_handed_out() {
    let keys = keys();
    let table = [
        (1, None, 1, "nothing is known"),
        (1, Some(12), 13, "the servers have had more"),
        (
            2_026_120_100,
            Some(2_026_120_103),
            2_026_120_104,
            "a fresh clone",
        ),
        (20, Some(12), 20, "the unsigned zone is ahead"),
    ];
    for (written, handed_out, expected, why) in table {
        let order = Order {
            file: &file(written, ""),
            keys: &keys,
            policy: &policy(DECEMBER),
            numbering: Numbering::Raised { handed_out },
            unverified: false,
        };
        let next = next::<NotNext>(&order, None, |_| Ok(None)).unwrap();
        assert!(next.is_new() && next.delta().is_none());
        assert_eq!(next.serial(), expected, "{why}");
    }
}

#[test]
fn signatures_are_made_anew_more_than_a_week_before_they_end_or_with_four_parts_of_seven_left() {
    let table = [
        (Span::days(30), Span::days(8)),
        (Span::days(14), Span::days(8)),
        (Span::days(7), Span::days(4)),
        (Span::hours(7), Span::hours(4)),
    ];
    for (validity, expected) in table {
        assert_eq!(usual_refresh(validity), expected, "{validity:?}");
    }
}
