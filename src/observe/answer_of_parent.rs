//! The DS records that a zone's parent answers with, through the resolvers of this system (RFC 4034 §5, RFC 4035 §2.4).
//!
//! Nothing is verified: it is asked so that a key does not sign alone before the parent has it, and whoever lies about it
//! could only delay that, or would have to do so for days.

use super::answer::Source as _;
use super::proof;
use super::resolver::{self, Resolvers};
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::time::Duration;

const NO_ERROR: u16 = 0;

/// The DS RRset of `zone`; empty if the parent has none.
pub async fn ds(zone: &Name, patience: Duration) -> Result<Vec<Rdata>, String> {
    let resolvers = Resolvers::new(resolver::of_system()?, patience, 1);
    let reply = resolvers.ask(zone, Rtype::DS).await?;
    if reply.rcode != NO_ERROR {
        return Err(format!(
            "the resolver answers {}",
            super::dns::rcode_name(reply.rcode)
        ));
    }
    let ds = proof::rrset(&reply.answers, zone, Rtype::DS);
    Ok(ds.map_or(Vec::new(), |ds| ds.rdatas))
}
