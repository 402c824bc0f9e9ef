//! Well-known services: an address, a protocol and a bit for each port (RFC 1035 §3.4.2).

use super::RdataError;
use super::read;
use super::words::Words;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Names that zones use for ports; everything else is a number.
const SERVICES: &[(u16, &str)] = &[
    (7, "echo"),
    (9, "discard"),
    (11, "systat"),
    (13, "daytime"),
    (15, "netstat"),
    (17, "qotd"),
    (19, "chargen"),
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (37, "time"),
    (43, "whois"),
    (53, "domain"),
    (69, "tftp"),
    (70, "gopher"),
    (79, "finger"),
    (80, "http"),
    (110, "pop3"),
    (111, "sunrpc"),
    (113, "auth"),
    (119, "nntp"),
    (123, "ntp"),
    (143, "imap2"),
    (161, "snmp"),
    (389, "ldap"),
    (443, "https"),
    (465, "submissions"),
    (587, "submission"),
    (993, "imaps"),
    (995, "pop3s"),
];

/// The address, the protocol and at most 65,536 bits, the last octet of which has one set.
pub(super) fn is_well_formed(octets: &[u8]) -> bool {
    let bits = octets.get(5..);
    bits.is_some_and(|bits| bits.len() <= 8192 && bits.last() != Some(&0))
}

/// Reads `address protocol port…`.
pub(super) fn read(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    out.extend(read::ipv4(words)?.octets());
    let protocol = |text: &[u8]| {
        let named = match text.to_ascii_lowercase().as_slice() {
            b"icmp" => Some(1),
            b"tcp" => Some(6),
            b"udp" => Some(17),
            _ => None,
        };
        named.or_else(|| std::str::from_utf8(text).ok()?.parse::<u8>().ok())
    };
    out.push(read::parsed(
        words,
        "tcp, udp or a protocol number",
        protocol,
    )?);
    let mut bits: Vec<u8> = Vec::new();
    while !words.is_empty() {
        let port = |text: &[u8]| {
            let lower = text.to_ascii_lowercase();
            let named = SERVICES.iter().find(|(_, name)| name.as_bytes() == lower);
            let named = named.map(|(port, _)| *port);
            named.or_else(|| std::str::from_utf8(text).ok()?.parse::<u16>().ok())
        };
        let port = read::parsed(words, "a port number or a service such as smtp", port)?;
        let at = usize::from(port >> 3);
        if bits.len() <= at {
            bits.resize(at.saturating_add(1), 0);
        }
        if let Some(octet) = bits.get_mut(at) {
            *octet |= 0x80 >> (port & 7);
        }
    }
    out.append(&mut bits);
    Ok(())
}

/// Prints numbers only: what a service is called differs between systems.
pub(super) fn write(octets: &[u8], out: &mut String) -> Option<()> {
    let (address, rest) = octets.split_first_chunk::<4>()?;
    let (protocol, bits) = rest.split_first()?;
    let _ = write!(out, "{} {protocol}", Ipv4Addr::from(*address));
    for (octet, first) in bits.iter().zip((0_u32..).step_by(8)) {
        for bit in (0..8_u32).filter(|bit| octet & (0x80 >> bit) != 0) {
            let _ = write!(out, " {}", first | bit);
        }
    }
    Some(())
}
