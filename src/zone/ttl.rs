//! Times to live as text: seconds, or numbers with the units w, d, h, m, s (`1h30m`; RFC 2308 §4 names `$TTL`).

/// Reads seconds from `3600` or `1w2d3h4m5s` in any case; `None` when it is neither or does not fit 32 bits.
pub(crate) fn seconds(text: &[u8]) -> Option<u32> {
    if !text.first()?.is_ascii_digit() {
        return None;
    }
    let mut total = 0_u32;
    let mut number: Option<u32> = None;
    let mut units = false;
    for byte in text {
        if byte.is_ascii_digit() {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
            continue;
        }
        let unit = match byte.to_ascii_lowercase() {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
        units = true;
    }
    match number {
        None => Some(total),
        Some(plain) if !units => Some(plain),
        // A number without a unit behind one with a unit: `1h30` means nothing.
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up_and_nonsense_is_refused() {
        let table: &[(&str, Option<u32>)] = &[
            ("3600", Some(3600)),
            ("0", Some(0)),
            ("1h30m", Some(5400)),
            ("1W2D", Some(777_600)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("7102w", None),
            ("1h30", None),
            ("h", None),
            ("", None),
            ("1x", None),
            ("-1", None),
        ];
        for (text, expected) in table {
            assert_eq!(seconds(text.as_bytes()), *expected, "{text}");
        }
    }
}
