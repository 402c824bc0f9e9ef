//! Serial numbers: their circular order and the next one in the style of the zone (RFC 1982, RFC 1912 §2.2).

use crate::rotation::timing::Instant;
use chrono::{DateTime, Datelike as _, NaiveDate};
use std::cmp::Ordering;
use std::fmt;

/// How a zone counts its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialStyle {
    /// `YYYYMMDDnn` (RFC 1912 §2.2).
    Date,
    /// Seconds since 1970.
    UnixTime,
    /// One more each time.
    Counter,
}

/// A serial and the one that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextSerial {
    /// The present serial.
    pub from: u32,
    /// The next one, later than the present one by RFC 1982.
    pub to: u32,
    /// The style that both are in.
    pub style: SerialStyle,
}

/// Circular order (RFC 1982 §3.2); `None` when the two lie exactly half the circle apart.
pub fn compare(a: u32, b: u32) -> Option<Ordering> {
    match a.wrapping_sub(b) {
        0 => Some(Ordering::Equal),
        0x8000_0000 => None,
        1..0x8000_0000 => Some(Ordering::Greater),
        _ => Some(Ordering::Less),
    }
}

/// The serial that follows `present`, in the style that `present` shows at the time `now`. Never goes back.
pub fn next(present: u32, now: Instant) -> NextSerial {
    let (style, to) = if let Some(day) = dated(present) {
        (SerialStyle::Date, next_dated(present, day, now))
    } else if is_unix_time(present, now) {
        let seconds = u32::try_from(now.unix()).unwrap_or(present);
        (SerialStyle::UnixTime, seconds.max(one_more(present)))
    } else {
        (SerialStyle::Counter, one_more(present))
    };
    // A jump of half the circle or more would be a step back (RFC 1982 §3.2).
    let later = compare(to, present) == Some(Ordering::Greater);
    NextSerial {
        from: present,
        to: if later { to } else { one_more(present) },
        style,
    }
}

/// One more, around the circle; 0 is left out because some software gives it a meaning of its own.
fn one_more(serial: u32) -> u32 {
    serial.wrapping_add(1).max(1)
}

/// The day of a serial in date style.
fn dated(serial: u32) -> Option<NaiveDate> {
    let date = serial / 100;
    let year = i32::try_from(date / 10_000).ok()?;
    let day = NaiveDate::from_ymd_opt(year, date / 100 % 100, date % 100)?;
    // Zones are not older than DNS; beyond 2200 it is more likely a counter.
    (1983..2200).contains(&year).then_some(day)
}

fn next_dated(present: u32, day: NaiveDate, now: Instant) -> u32 {
    let today = i64::try_from(now.unix())
        .ok()
        .and_then(|s| DateTime::from_timestamp(s, 0));
    let first_of_today = today.and_then(|t| numbered(t.date_naive(), 1)).unwrap_or(0);
    if first_of_today > present {
        return first_of_today;
    }
    if present % 100 < 99 {
        return one_more(present);
    }
    // The day's hundred is used up: borrow from the following day, which must be one that exists.
    let following = day.succ_opt().and_then(|day| numbered(day, 0));
    following.unwrap_or_else(|| one_more(present))
}

fn numbered(day: NaiveDate, count: u32) -> Option<u32> {
    let year = u32::try_from(day.year()).ok()?;
    let date = year
        .checked_mul(100)?
        .checked_add(day.month())?
        .checked_mul(100)?
        .checked_add(day.day())?;
    date.checked_mul(100)?.checked_add(count)
}

/// From 2001 on and at most a day ahead of the clock.
fn is_unix_time(serial: u32, now: Instant) -> bool {
    serial >= 1_000_000_000 && u64::from(serial) <= now.unix().saturating_add(86_400)
}

impl fmt::Display for SerialStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Date => "date and count",
            Self::UnixTime => "Unix time",
            Self::Counter => "counter",
        })
    }
}

impl fmt::Display for NextSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} ({})", self.from, self.to, self.style)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-23T12:00:00Z.
    const NOW: Instant = Instant::from_unix(1_795_435_200);

    #[test]
    fn the_next_serial_keeps_the_style() {
        use SerialStyle::{Counter, Date, UnixTime};
        let table = [
            (
                2_026_112_205,
                2_026_112_301,
                Date,
                "yesterday's becomes today's first",
            ),
            (2_026_112_301, 2_026_112_302, Date, "the second of today"),
            (2_026_112_399, 2_026_112_400, Date, "the hundred is used up"),
            (
                2_026_113_099,
                2_026_120_100,
                Date,
                "the following day is one that exists",
            ),
            (
                2_027_010_101,
                2_027_010_102,
                Date,
                "a date ahead never goes back",
            ),
            (1_795_000_000, 1_795_435_200, UnixTime, "the present time"),
            (
                1_795_435_200,
                1_795_435_201,
                UnixTime,
                "twice in one second",
            ),
            (
                1_795_500_000,
                1_795_500_001,
                UnixTime,
                "a clock that was ahead",
            ),
            (1, 2, Counter, "a small number"),
            (
                2_026_134_001,
                2_026_134_002,
                Counter,
                "a date that does not exist",
            ),
            (u32::MAX, 1, Counter, "around the circle, past 0"),
        ];
        for (present, expected, style, why) in table {
            let next = next(present, NOW);
            assert_eq!((next.to, next.style), (expected, style), "{why}");
        }
    }

    #[test]
    fn order_is_that_of_rfc_1982() {
        assert_eq!(compare(1, 1), Some(Ordering::Equal));
        assert_eq!(compare(0, u32::MAX), Some(Ordering::Greater));
        assert_eq!(compare(u32::MAX, 0), Some(Ordering::Less));
        assert_eq!(compare(0, 0x8000_0000), None);
    }

    proptest! {
        #[test]
        fn the_next_serial_is_later(present: u32, now in 0..u64::from(u32::MAX)) {
            let next = next(present, Instant::from_unix(now));
            prop_assert_eq!(compare(next.to, present), Some(Ordering::Greater));
        }
    }
}
