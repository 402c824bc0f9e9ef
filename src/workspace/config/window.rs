//! `deploy_window`: the hours of the week in which a program may put a certificate on hosts: `Tue-Thu 08:00-16:00 +01:00`.
//!
//! The zone is an offset from UTC and always said: what is meant by local time changes twice a year, and between machines.

use crate::rotation::timing::{Instant, Span};
use std::fmt;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY: i64 = 86_400;

/// The hours of the week in which hosts may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployWindow {
    text: String,
    /// From Monday on.
    days: [bool; 7],
    /// Seconds from midnight.
    from: i64,
    /// Seconds from that midnight; past a day where it goes over midnight.
    to: i64,
    /// Seconds east of UTC.
    offset: i64,
}

impl DeployWindow {
    /// Reads days, hours and the offset from UTC.
    ///
    /// ```
    /// use tlsa_rotate::workspace::config::DeployWindow;
    /// assert!(DeployWindow::parse("Tue-Thu 08:00-16:00 UTC").is_ok());
    /// assert!(DeployWindow::parse("Tue-Thu 08:00-16:00").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = || {
            format!(
                "`{text}` is no window such as \"Tue-Thu 08:00-16:00 UTC\" or \"Mon,Sat 22:00-04:00 +01:00\": days, hours, and UTC or an offset from it"
            )
        };
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [days, hours, zone] = *words.as_slice() else {
            return Err(wanted());
        };
        let (from, to) = hours.split_once('-').ok_or_else(wanted)?;
        let (from, to) = (clock(from), clock(to));
        let (Some(from), Some(to)) = (from, to) else {
            return Err(wanted());
        };
        if from == to || from == DAY {
            return Err(wanted());
        }
        Ok(Self {
            text: words.join(" "),
            days: days_of(days).ok_or_else(wanted)?,
            from,
            to: if to > from {
                to
            } else {
                to.saturating_add(DAY)
            },
            offset: offset(zone).ok_or_else(wanted)?,
        })
    }

    /// Whether it is open.
    pub fn is_open(&self, now: Instant) -> bool {
        let here = self.local(now);
        let today = here.div_euclid(DAY);
        // One that goes over midnight is of the day it began.
        [today, today.saturating_sub(1)].into_iter().any(|day| {
            self.begins(day).is_some_and(|begins| {
                let ends = begins.saturating_sub(self.from).saturating_add(self.to);
                (begins..ends).contains(&here)
            })
        })
    }

    /// When it opens next, where it is closed.
    pub fn opens(&self, now: Instant) -> Instant {
        let here = self.local(now);
        let today = here.div_euclid(DAY);
        let days = (0..=7).map(|ahead| today.saturating_add(ahead));
        let opening = days
            .filter_map(|day| self.begins(day))
            .find(|at| *at > here);
        let wait = opening.unwrap_or(here).saturating_sub(here);
        #[allow(clippy::arithmetic_side_effects)] // instants saturate
        let at = now + Span::seconds(u64::try_from(wait).unwrap_or_default());
        at
    }

    fn local(&self, now: Instant) -> i64 {
        let utc = i64::try_from(now.unix()).unwrap_or(i64::MAX);
        utc.saturating_add(self.offset)
    }

    /// When it begins on a day since 1970, which began with a Thursday; in seconds of its own zone.
    fn begins(&self, day: i64) -> Option<i64> {
        let weekday = usize::try_from(day.saturating_add(3).rem_euclid(7)).ok()?;
        let is_open = self.days.get(weekday).copied()?;
        is_open.then(|| day.saturating_mul(DAY).saturating_add(self.from))
    }
}

/// `08:00`, and `24:00` as an end.
fn clock(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = hours
        .saturating_mul(3600)
        .saturating_add(minutes.saturating_mul(60));
    (minutes < 60 && seconds <= DAY).then_some(seconds)
}

fn offset(text: &str) -> Option<i64> {
    if text == "UTC" || text == "Z" {
        return Some(0);
    }
    let east = text.strip_prefix('+').and_then(clock);
    let west = || text.strip_prefix('-').and_then(clock);
    let seconds = east.or_else(|| west().map(i64::saturating_neg))?;
    (-14 * 3600..=14 * 3600)
        .contains(&seconds)
        .then_some(seconds)
}

/// `Tue-Thu`, `Mon,Wed`, `daily`.
fn days_of(text: &str) -> Option<[bool; 7]> {
    let mut open = [false; 7];
    if text == "daily" {
        return Some([true; 7]);
    }
    let number = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        // From Sat to Mon goes over the end of the week.
        let length = last.saturating_add(7).saturating_sub(first).rem_euclid(7);
        for ahead in 0..=length {
            *open.get_mut(first.saturating_add(ahead).rem_euclid(7))? = true;
        }
    }
    Some(open)
}

impl fmt::Display for DeployWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-12-01T00:00:00Z, a Tuesday.
    const TUESDAY: u64 = 1_796_083_200;

    #[allow(clippy::arithmetic_side_effects)] // small numbers
    fn at(days: u64, hours: u64, minutes: u64) -> Instant {
        Instant::from_unix(TUESDAY + days * 86_400 + hours * 3600 + minutes * 60)
    }

    #[test]
    fn it_is_open_in_its_hours_of_its_zone() {
        let told = |text: &str, now| {
            let window = DeployWindow::parse(text).unwrap();
            (window.is_open(now), window.opens(now).to_string())
        };
        #[rustfmt::skip]
        let table = [
            ("Tue-Thu 08:00-16:00 UTC", at(0, 7, 59), false, "2026-12-01T08:00:00Z"),
            ("Tue-Thu 08:00-16:00 UTC", at(0, 8, 0), true, "2026-12-02T08:00:00Z"),
            ("Tue-Thu 08:00-16:00 UTC", at(0, 15, 59), true, "2026-12-02T08:00:00Z"),
            ("Tue-Thu 08:00-16:00 UTC", at(2, 16, 0), false, "2026-12-08T08:00:00Z"),
            ("tue-thu 08:00-16:00 +01:00", at(0, 7, 0), true, "2026-12-02T07:00:00Z"),
            ("Tue 08:00-16:00 -05:00", at(0, 12, 59), false, "2026-12-01T13:00:00Z"),
            ("Mon 22:00-04:00 UTC", at(0, 3, 59), true, "2026-12-07T22:00:00Z"),
            ("Mon 22:00-04:00 UTC", at(0, 4, 0), false, "2026-12-07T22:00:00Z"),
            ("Sat-Mon 00:00-24:00 UTC", at(5, 12, 0), true, "2026-12-07T00:00:00Z"),
            ("Sat-Mon 00:00-24:00 UTC", at(1, 12, 0), false, "2026-12-05T00:00:00Z"),
            ("Mon,Wed 09:30-10:00 UTC", at(0, 0, 0), false, "2026-12-02T09:30:00Z"),
            ("daily 02:00-03:00 Z", at(3, 2, 30), true, "2026-12-05T02:00:00Z"),
        ];
        for (text, now, open, opens) in table {
            assert_eq!(told(text, now), (open, opens.to_owned()), "{text} at {now}");
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "Tue-Thu",
            "08:00-16:00 UTC",
            "Tue-Thu 08:00-16:00",
            "Tue-Thu 08:00-16:00 CET",
            "Tue-Thu 8:00-16:00 UTC",
            "Tue-Thu 08:00-08:00 UTC",
            "Tue-Thu 08:60-16:00 UTC",
            "Tue-Thu 08:00-24:01 UTC",
            "Tue-Thu 24:00-01:00 UTC",
            "Xyz 08:00-16:00 UTC",
            "Tue-Thu 08:00-16:00 +15:00",
            "Tue-Thu 08:00-16:00 UTC now",
            "Tue- 08:00-16:00 UTC",
        ] {
            assert!(DeployWindow::parse(text).is_err(), "{text}");
        }
    }
}
