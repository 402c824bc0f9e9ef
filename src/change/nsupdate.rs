//! A delta as a script for `nsupdate`: a dynamic update of a server that signs by itself (RFC 2136, RFC 3007 §4.3).
//!
//! The update happens as a whole or not at all, and only if the server still has the SOA record that the delta starts
//! from (RFC 2136 §2.4.2). Signatures and denial records are left out: such a server makes its own.
//!
//! `nsupdate` itself refuses addresses at names that no host may have; a line `check-names off` in front lets them pass.

use crate::dnssec::delta::Delta;
use crate::zone::record::{Record, Rtype};
use std::fmt::Write as _;

/// The script. `nsupdate` finds the server by the SOA record's first name unless a `server` line is put in front.
pub fn script(delta: &Delta) -> String {
    let mut script = format!("zone {}\n", delta.apex());
    // Writing to a String cannot fail.
    if let Some(soa) = delta.removed().first() {
        let data = soa.rdata.to_text(soa.rtype);
        let _ = writeln!(script, "prereq yxrrset {} IN SOA {data}", soa.owner);
    }
    let removed = || delta.removed().iter().filter(|record| is_told(record));
    let added = || delta.added().iter().filter(|record| is_told(record));
    // A record that comes again with another TTL takes the place of the old one (RFC 2136 §3.4.2.2).
    let stays = |gone: &Record| added().any(|new| new.owner == gone.owner && same_data(new, gone));
    let apex_ns = |record: &Record| record.rtype == Rtype::NS && record.owner == *delta.apex();
    let delete = |script: &mut String, record: &Record| {
        let (owner, rtype) = (&record.owner, record.rtype);
        let data = record.rdata.to_text(rtype);
        let _ = writeln!(script, "update delete {owner} IN {rtype} {data}");
    };
    // What goes, goes first, or a CNAME could not take its place; but the last NS record of a zone is never deleted
    // (§3.4.2.4), so those go last.
    for record in removed().filter(|r| !apex_ns(r) && !stays(r)) {
        delete(&mut script, record);
    }
    for record in added() {
        let _ = writeln!(script, "update add {record}");
    }
    for record in removed().filter(|r| apex_ns(r) && !stays(r)) {
        delete(&mut script, record);
    }
    if let Some(soa) = delta.added().first() {
        let _ = writeln!(script, "update add {soa}");
    }
    script.push_str("send\n");
    script
}

/// Whether a server that signs by itself is told of the record; the SOA record has its own place.
fn is_told(record: &Record) -> bool {
    !matches!(
        record.rtype,
        Rtype::SOA | Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::NSEC3PARAM
    )
}

fn same_data(a: &Record, b: &Record) -> bool {
    a.rtype == b.rtype && a.rdata.canonical(a.rtype) == b.rdata.canonical(b.rtype)
}
