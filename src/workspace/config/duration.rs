//! Durations as people write them: `24h`, `90m`, `2d`, `1h30m`.

use crate::rotation::timing::Span;

/// The longest duration that makes sense here: a year.
pub const LONGEST: Span = Span::days(366);

/// Reads numbers with units, largest unit first, each at most once.
///
/// ```
/// use tlsa_rotate::{rotation::timing::Span, workspace::config::duration};
/// assert_eq!(duration::parse("1h30m"), Ok(Span::minutes(90)));
/// ```
pub fn parse(text: &str) -> Result<Span, String> {
    let wanted = || format!("`{text}` is not a duration such as 24h, 90m, 2d or 1h30m");
    let mut units: &[(char, u64)] = &[('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
    let mut rest = text;
    let mut total = Span::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        let Some((digits, after)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return Err(format!("{}; the unit is missing after `{rest}`", wanted()));
        };
        let mut characters = after.chars();
        let unit = characters.next();
        let Some(at) = units.iter().position(|(letter, _)| Some(*letter) == unit) else {
            return Err(wanted());
        };
        let (passed, left) = units
            .split_at_checked(at.saturating_add(1))
            .unwrap_or_default();
        let seconds = passed.last().map_or(1, |(_, seconds)| *seconds);
        // Only an empty or an absurdly long number fails here.
        let count: u64 = digits.parse().map_err(|_| wanted())?;
        #[allow(clippy::arithmetic_side_effects)] // spans saturate
        let longer = total + Span::seconds(seconds) * count;
        total = longer;
        (units, rest) = (left, characters.as_str());
    }
    match total {
        _ if text.is_empty() => Err(wanted()),
        total if total > LONGEST => Err(format!("`{text}` is longer than a year ({LONGEST})")),
        total => Ok(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let table = [
            ("24h", Span::hours(24)),
            ("90m", Span::minutes(90)),
            ("2d", Span::days(2)),
            ("1h30m", Span::minutes(90)),
            ("1d0h5s", Span::days(1) + Span::seconds(5)),
            ("0s", Span::ZERO),
            ("366d", LONGEST),
        ];
        for (text, span) in table {
            assert_eq!(parse(text), Ok(span), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let table = [
            ("", "`` is not a duration such as 24h, 90m, 2d or 1h30m"),
            (
                "24",
                "`24` is not a duration such as 24h, 90m, 2d or 1h30m; the unit is missing after `24`",
            ),
            ("h", "`h` is not a duration such as 24h, 90m, 2d or 1h30m"),
            (
                "1m1h",
                "`1m1h` is not a duration such as 24h, 90m, 2d or 1h30m",
            ),
            (
                "1h1h",
                "`1h1h` is not a duration such as 24h, 90m, 2d or 1h30m",
            ),
            (
                "1 h",
                "`1 h` is not a duration such as 24h, 90m, 2d or 1h30m",
            ),
            (
                "-1h",
                "`-1h` is not a duration such as 24h, 90m, 2d or 1h30m",
            ),
            ("1ä", "`1ä` is not a duration such as 24h, 90m, 2d or 1h30m"),
            (
                "99999999999999999999h",
                "`99999999999999999999h` is not a duration such as 24h, 90m, 2d or 1h30m",
            ),
            (
                "18446744073709551615h",
                "`18446744073709551615h` is longer than a year (366d)",
            ),
            ("367d", "`367d` is longer than a year (366d)"),
        ];
        for (text, error) in table {
            assert_eq!(parse(text), Err(error.to_owned()));
        }
    }
}
