//! IPv4 and IPv6 addresses as text (RFC 3596 §2.2, RFC 4291 §2.2, RFC 6943 §3.1.1): what the standard library reads, from bytes.

use std::net::{Ipv4Addr, Ipv6Addr};

/// `192.0.2.1`: four numbers up to 255, without zeros in front.
pub(super) fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split(|b| *b == b'.');
    for octet in &mut octets {
        let digits = parts.next()?;
        let plain = match digits {
            [] => false,
            [b'0', rest @ ..] => rest.is_empty(),
            _ => true,
        };
        let value = digits.iter().try_fold(0_u8, |sum, digit| {
            let digit = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
            sum.checked_mul(10)?.checked_add(digit)
        });
        *octet = value.filter(|_| plain)?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// `2001:db8::192.0.2.1`: eight groups of at most four hexadecimal digits, `::` for those that are zero and left out, the last
/// two possibly as an IPv4 address.
pub(super) fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let mut groups = Groups::default();
    let mut rest = text;
    if let [b':', b':', after @ ..] = rest {
        groups.gap = Some(0);
        rest = after;
    }
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b':').unwrap_or(rest.len());
        let (group, after) = rest.split_at_checked(end)?;
        if after.is_empty() && group.contains(&b'.') {
            let [a, b, c, d] = ipv4(group)?.octets();
            groups.push(u16::from_be_bytes([a, b]))?;
            groups.push(u16::from_be_bytes([c, d]))?;
            break;
        }
        groups.push(group_of(group)?)?;
        rest = match after {
            [] => break,
            [b':', b':', more @ ..] => {
                if groups.gap.replace(groups.count).is_some() {
                    return None;
                }
                more
            }
            [_, more @ ..] if !more.is_empty() => more,
            _ => return None,
        };
    }
    groups.address()
}

/// One to four hexadecimal digits.
fn group_of(digits: &[u8]) -> Option<u16> {
    if !(1..=4).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0_u16, |sum, digit| {
        let digit = super::codec::hex_digit(*digit)?;
        Some(sum << 4 | u16::from(digit))
    })
}

#[derive(Default)]
struct Groups {
    values: [u16; 8],
    count: usize,
    /// How many groups stand before `::`.
    gap: Option<usize>,
}

impl Groups {
    fn push(&mut self, value: u16) -> Option<()> {
        *self.values.get_mut(self.count)? = value;
        self.count = self.count.saturating_add(1);
        Some(())
    }

    fn address(mut self) -> Option<Ipv6Addr> {
        let missing = 8_usize.checked_sub(self.count)?;
        match self.gap {
            Some(_) if missing == 0 => return None,
            // The groups behind the gap, and the zeros behind them, change places.
            Some(gap) => self.values.get_mut(gap..)?.rotate_right(missing),
            None if missing > 0 => return None,
            None => {}
        }
        Some(self.values.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn std_reads<A: std::str::FromStr>(text: &str) -> Option<A> {
        text.parse().ok()
    }

    #[test]
    fn corners_are_read_as_by_the_standard_library() {
        for text in [
            "",
            ".",
            "1.2.3",
            "1.2.3.4",
            "1.2.3.4.",
            "1.2.3.4.5",
            "01.2.3.4",
            "0.0.0.0",
            "00.0.0.0",
            "256.1.1.1",
            "255.255.255.255",
            "1.2.3.1000",
            " 1.2.3.4",
            "::",
            ":",
            ":::",
            "::1",
            "1::",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::8",
            "1::2::3",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
            "1:2:3:4:5:6:7:1.2.3.4",
            "1.2.3.4::",
            "::1.2.3.4:5",
            "12345::",
            "g::",
            "1:",
            "::1:",
            "0001::",
            "FE80::aBcD",
            "1:2:3:4:5::1.2.3.4",
            "1:2:3:4:5:6::1.2.3.4",
            "::1.2.3",
        ] {
            assert_eq!(ipv4(text.as_bytes()), std_reads(text), "{text:?}");
            assert_eq!(ipv6(text.as_bytes()), std_reads(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_by_the_standard_library(text in "[0-9a-f:.]{0,24}|([0-9a-f]{0,4}:){0,8}[0-9.]{0,9}|([0-9]{1,3}[.]){3}[0-9]{1,3}") {
            prop_assert_eq!(ipv4(text.as_bytes()), std_reads(&text));
            prop_assert_eq!(ipv6(text.as_bytes()), std_reads(&text));
        }

        #[test]
        fn what_is_printed_reads_back(groups in any::<[u16; 8]>(), zeros in any::<u8>()) {
            let mut groups = groups;
            for (at, group) in groups.iter_mut().enumerate() {
                *group = if zeros >> at & 1 == 1 { 0 } else { *group };
            }
            let address = Ipv6Addr::from(groups);
            prop_assert_eq!(ipv6(address.to_string().as_bytes()), Some(address));
        }
    }
}
