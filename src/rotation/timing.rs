//! The only time arithmetic of the machine: instants, spans and TTLs with checked or saturating operations.
//!
//! Names follow RFC 7583 §3.2.1 (the pre-publication method) and RFC 7671 §8.1 (two TTLs before a swap).
//! Nothing here asks a clock: the present is always an argument.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Mul, Sub};

/// A point in time: whole seconds since 1970-01-01T00:00:00Z.
///
/// ```
/// use tlsa_rotate::rotation::timing::{Instant, Span};
/// assert_eq!((Instant::from_unix(0) + Span::days(1)).to_string(), "1970-01-02T00:00:00Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(u64);

/// A length of time in whole seconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Span(u64);

/// The time to live of an RRset in seconds (RFC 2181 §8: 0 to 2^31-1).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ttl(pub u32);

impl Instant {
    /// The instant `seconds` after the Unix epoch.
    pub const fn from_unix(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    pub const fn unix(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this instant is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `n` seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(n)
    }

    /// A span of `n` minutes.
    pub const fn minutes(n: u64) -> Self {
        Self(n.saturating_mul(60))
    }

    /// A span of `n` hours.
    pub const fn hours(n: u64) -> Self {
        Self(n.saturating_mul(3_600))
    }

    /// A span of `n` days of 24 hours.
    pub const fn days(n: u64) -> Self {
        Self(n.saturating_mul(86_400))
    }

    /// The length in seconds.
    pub const fn as_seconds(self) -> u64 {
        self.0
    }
}

impl Ttl {
    /// The TTL as a span, so that it can take part in arithmetic.
    pub const fn span(self) -> Span {
        Span(self.0 as u64)
    }
}

// A saturated instant lies further away than any gate: saturation can delay a step, never hasten it.
impl Add<Span> for Instant {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Instant {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Span {
    type Output = Self;
    fn mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl fmt::Display for Instant {
    /// RFC 3339 in UTC, whole seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        let (year, month, day) = civil(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    }
}

/// Gregorian date of a day number counted from 1970-01-01, by 400-year eras that begin on 1 March.
#[allow(clippy::arithmetic_side_effects)] // every operand is bounded by the era it was reduced to
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for Span {
    /// The units a person would use, largest first: `2d`, `49h30m`, `90s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
            if rest >= seconds {
                let whole = rest.checked_div(seconds).unwrap_or_default();
                write!(f, "{whole}{unit}")?;
                rest = rest.saturating_sub(whole.saturating_mul(seconds));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_print_as_rfc_3339() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_478_399, "2026-11-23T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (unix, text) in table {
            assert_eq!(Instant::from_unix(unix).to_string(), text);
        }
    }

    #[test]
    fn spans_print_in_units_people_use() {
        let table = [
            (Span::ZERO, "0s"),
            (Span::hours(24), "1d"),
            (Span::hours(49) + Span::minutes(30), "2d1h30m"),
            (Span::seconds(90), "1m30s"),
        ];
        for (span, text) in table {
            assert_eq!(span.to_string(), text);
        }
    }

    #[test]
    fn arithmetic_saturates_towards_later() {
        assert_eq!(
            Instant::from_unix(u64::MAX) + Span::days(1),
            Instant::from_unix(u64::MAX)
        );
        assert_eq!(
            Instant::from_unix(5).since(Instant::from_unix(9)),
            Span::ZERO
        );
        assert_eq!(Span::hours(u64::MAX) * 2, Span::seconds(u64::MAX));
    }
}
