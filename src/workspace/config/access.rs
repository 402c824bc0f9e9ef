//! Who may ask what: `192.0.2.0/24`, `key:NAME`, or both at once; and who is told of new versions.

use crate::zone::name::Name;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The port of a server that names none (RFC 1035 §4.2).
const DNS: u16 = 53;

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix {
    address: IpAddr,
    bits: u8,
}

/// Whom a rule lets in: who comes from there and signs with that key, where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    from: Option<Prefix>,
    key: Option<Name>,
}

/// Where a secondary listens, and the key it shares with us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secondary {
    /// Its address.
    pub address: SocketAddr,
    /// The name of the key.
    pub key: Option<Name>,
}

impl Rule {
    /// This machine itself, by its two loopback prefixes.
    pub fn loopback() -> [Self; 2] {
        [
            (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
            (IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 128),
        ]
        .map(|(address, bits)| Self {
            from: Some(Prefix { address, bits }),
            key: None,
        })
    }

    /// Everybody.
    pub fn any() -> Self {
        Self {
            from: None,
            key: None,
        }
    }

    /// A secondary at its address, with its key.
    pub fn of(secondary: &Secondary) -> Self {
        let address = secondary.address.ip();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self {
            from: Some(Prefix { address, bits }),
            key: secondary.key.clone(),
        }
    }

    /// Reads `any`, an address, a prefix, `key:NAME`, or an address or prefix and a key with a comma between them.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "any" {
            return Ok(Self::any());
        }
        let mut rule = Self::any();
        for part in text.split(',').map(str::trim) {
            let twice = match part.strip_prefix("key:") {
                Some(name) => rule.key.replace(key_name(name)?).is_some(),
                None => rule.from.replace(Prefix::parse(part)?).is_some(),
            };
            if twice {
                return Err(format!("`{text}` names two keys or two prefixes"));
            }
        }
        Ok(rule)
    }

    /// Whether it lets in who comes from `from` and has proven to hold the key named `key`.
    pub fn allows(&self, from: IpAddr, key: Option<&Name>) -> bool {
        self.from.is_none_or(|prefix| prefix.holds(from))
            && self.key.as_ref().is_none_or(|wanted| key == Some(wanted))
    }

    /// The key it asks for.
    pub fn key(&self) -> Option<&Name> {
        self.key.as_ref()
    }
}

fn key_name(text: &str) -> Result<Name, String> {
    Name::parse(text.as_bytes(), Some(&Name::root())).map_err(|e| format!("`key:{text}`: {e}"))
}

impl Prefix {
    fn parse(text: &str) -> Result<Self, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let wrong = || {
            format!(
                "`{text}` is neither an address, nor a prefix such as 192.0.2.0/24, nor key:NAME"
            )
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        let prefix = Self { address, bits };
        if bits > most {
            return Err(wrong());
        }
        if prefix.masked(address) != number(address) {
            return Err(format!("`{text}` has bits set behind its first {bits}"));
        }
        Ok(prefix)
    }

    fn masked(&self, address: IpAddr) -> u128 {
        let width = if self.address.is_ipv4() { 32_u32 } else { 128 };
        let dropped = width.saturating_sub(self.bits.into());
        number(address)
            .checked_shr(dropped)
            .and_then(|kept| kept.checked_shl(dropped))
            .unwrap_or(0)
    }

    fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.masked(address) == number(self.address)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

impl Secondary {
    /// Reads `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`, each with `,key:NAME` behind it if it has one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, key) = match text.split_once(',') {
            Some((address, key)) => (address, Some(key.trim())),
            None => (text, None),
        };
        let key = match key.map(|key| key.strip_prefix("key:")) {
            None => None,
            Some(Some(name)) => Some(key_name(name)?),
            Some(None) => return Err(format!("`{text}`: behind the comma, key:NAME is expected")),
        };
        let address = socket_address(address).ok_or_else(|| {
            format!("`{address}` is not an address such as 192.0.2.53 or [2001:db8::53]:5353")
        })?;
        Ok(Self { address, key })
    }
}

impl fmt::Display for Secondary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
}

/// The address of a server: with a port, or without one for port 53.
pub(super) fn socket_address(text: &str) -> Option<SocketAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address: Option<SocketAddr> = text.parse().ok().or_else(|| {
        let address: IpAddr = bare.parse().ok()?;
        Some(SocketAddr::new(address, DNS))
    });
    address.filter(|address| address.port() != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rules_let_in_whom_they_say() {
        let table = [
            ("any", "203.0.113.9", None, true),
            ("192.0.2.1", "192.0.2.1", None, true),
            ("192.0.2.1", "192.0.2.2", None, false),
            ("192.0.2.1", "::ffff:192.0.2.1", None, true),
            ("192.0.2.0/24", "192.0.2.255", None, true),
            ("192.0.2.0/24", "192.0.3.0", None, false),
            ("0.0.0.0/0", "203.0.113.9", None, true),
            ("0.0.0.0/0", "2001:db8::1", None, false),
            ("::/0", "2001:db8::1", None, true),
            ("::/0", "192.0.2.1", None, false),
            ("2001:db8::/33", "2001:db8:7fff::1", None, true),
            ("2001:db8::/33", "2001:db8:8000::1", None, false),
            ("key:xfr", "192.0.2.1", None, false),
            ("key:xfr", "192.0.2.1", Some("XFR."), true),
            ("key:xfr", "192.0.2.1", Some("other."), false),
            ("192.0.2.0/24,key:xfr", "192.0.2.9", Some("xfr."), true),
            ("192.0.2.0/24,key:xfr", "192.0.2.9", None, false),
            ("192.0.2.0/24, key:xfr", "192.0.3.9", Some("xfr."), false),
        ];
        for (rule, from, key, expected) in table {
            let key = key.map(|key| Name::parse(key.as_bytes(), None).unwrap());
            let allowed = Rule::parse(rule)
                .unwrap()
                .allows(from.parse().unwrap(), key.as_ref());
            assert_eq!(allowed, expected, "{rule}: {from} {key:?}");
        }
        let here = |from: &str| {
            Rule::loopback()
                .iter()
                .any(|rule| rule.allows(from.parse().unwrap(), None))
        };
        assert!(here("127.0.0.1") && here("127.9.9.9") && here("::1") && here("::ffff:127.0.0.1"));
        assert!(!here("128.0.0.1") && !here("::2"));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "192.0.2.0/33",
            "192.0.2.1/24",
            "::/129",
            "host",
            "key:",
            "key:a,key:b",
            "192.0.2.1,192.0.2.2",
            "/8",
            "10.0.0.0/+8x",
        ] {
            assert!(Rule::parse(text).is_err(), "{text}");
        }
        for text in ["", "host", "192.0.2.1:0", "192.0.2.1,xfr", "192.0.2.1,key:"] {
            assert!(Secondary::parse(text).is_err(), "{text}");
        }
        let secondary = Secondary::parse("[2001:db8::1]:5353,key:xfr").unwrap();
        assert_eq!(secondary.address, "[2001:db8::1]:5353".parse().unwrap());
        assert_eq!(Secondary::parse("192.0.2.1").unwrap().address.port(), 53);
    }
}
