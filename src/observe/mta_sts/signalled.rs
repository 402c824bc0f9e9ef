//! Whether a domain that somebody else keeps has an MTA-STS policy: its `_mta-sts` record, as DNS has it (RFC 8461 §3.1).
//!
//! As little validated as senders do: a policy is worth what its HTTPS certificate is worth.

use super::policy::{Signal, signal};
use crate::observe::answer::Source;
use crate::observe::dns::rcode_name;
use crate::zone::mail;
use crate::zone::name::Name;
use crate::zone::record::Rtype;

/// What the record of `domain` says, aliases followed; otherwise why that cannot be told.
pub async fn signalled(domain: &Name, source: &impl Source) -> Result<Signal, String> {
    let owner = domain.child(b"_mta-sts").map_err(|e| e.to_string())?;
    let cannot = |why: String| format!("{owner} TXT: {why}");
    let reply = source.ask(&owner, Rtype::TXT).await.map_err(cannot)?;
    if !matches!(reply.rcode, 0 | 3) {
        return Err(cannot(format!(
            "the resolver answers {}",
            rcode_name(reply.rcode)
        )));
    }
    // Whoever was asked has followed the aliases: the records at their end are in the answer.
    let texts = reply
        .answers
        .iter()
        .filter(|record| record.rtype == Rtype::TXT);
    let texts: Vec<Vec<u8>> = texts.map(|record| mail::joined(&record.rdata)).collect();
    Ok(signal(texts.iter().map(Vec::as_slice)))
}
