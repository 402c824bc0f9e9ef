//! Host identities: algorithm, tag, public key and rendezvous servers (RFC 8005 §5).

use super::codec;
use super::read;
use super::words::Words;
use super::{RdataError, write::joined};
use crate::zone::name::{split_name, write_name};
use std::fmt::Write as _;

/// Algorithm, host identity tag, public key and rendezvous servers of HIP data.
type Parts<'a> = (u8, &'a [u8], &'a [u8], Vec<&'a [u8]>);

/// Whether lengths and names add up.
pub(super) fn is_well_formed(octets: &[u8]) -> bool {
    parts(octets).is_some()
}

fn parts(octets: &[u8]) -> Option<Parts<'_>> {
    let [tag_length, algorithm, high, low, rest @ ..] = octets else {
        return None;
    };
    let (tag, rest) = rest.split_at_checked(usize::from(*tag_length))?;
    let key_length = usize::from(u16::from_be_bytes([*high, *low]));
    let (key, mut rest) = rest.split_at_checked(key_length)?;
    let mut servers = Vec::new();
    while !rest.is_empty() {
        let (server, after) = split_name(rest).ok()?;
        servers.push(server);
        rest = after;
    }
    let some = !tag.is_empty() && !key.is_empty();
    some.then_some((*algorithm, tag, key, servers))
}

/// Reads `algorithm tag-in-hex key-in-base64 server…`.
pub(super) fn read(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let algorithm = read::u8(words, "an algorithm number")?;
    let (mut tag, mut key) = (Vec::new(), Vec::new());
    let before = words.clone();
    codec::hex(&words.one("a host identity tag in hexadecimal")?, &mut tag)?;
    codec::base64(&words.one("a public key in base64")?, &mut key)?;
    let (Ok(tag_length @ 1..), Ok(key_length @ 1..)) =
        (u8::try_from(tag.len()), u16::try_from(key.len()))
    else {
        return Err(before.whole("the tag or the key is empty or too long"));
    };
    out.extend([tag_length, algorithm]);
    out.extend(key_length.to_be_bytes());
    out.append(&mut tag);
    out.append(&mut key);
    while !words.is_empty() {
        words.name("the name of a rendezvous server", out)?;
    }
    Ok(())
}

/// Prints the parts in the order in which they are read.
pub(super) fn write(octets: &[u8], out: &mut String) -> Option<()> {
    let (algorithm, tag, key, servers) = parts(octets)?;
    let _ = write!(out, "{algorithm} ");
    codec::write_hex(tag, out);
    out.push(' ');
    codec::write_base64(key, out);
    if !servers.is_empty() {
        out.push(' ');
    }
    let text = |server: &&[u8]| {
        let mut text = String::new();
        let _ = write_name(server, &mut text);
        text
    };
    joined(servers.iter().map(text), " ", out);
    Some(())
}
