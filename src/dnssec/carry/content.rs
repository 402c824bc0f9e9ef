//! The digest of what a signed zone was made from: the same for the same records, whoever holds them.

use super::seal::Digest;
use crate::dnssec::sign::is_made;
use crate::rotation::timing::Ttl;
use crate::zone::record::Rtype;
use ring::digest::{Context, SHA256};

/// Octets that are gathered before they are digested: a call for every field would cost more than the digest.
const GATHERED: usize = 4096;

/// A running digest over RRsets in canonical order. Records that signing makes are passed over.
pub(super) struct Content {
    context: Context,
    gathered: Vec<u8>,
}

impl Content {
    pub(super) fn new() -> Self {
        Self {
            context: Context::new(&SHA256),
            gathered: Vec::with_capacity(GATHERED),
        }
    }

    /// Adds an RRset. Names count as they are written: a change of case is a change of the text that will be served.
    pub(super) fn add<'a>(
        &mut self,
        owner: &[u8],
        rtype: Rtype,
        ttl: Ttl,
        rdatas: impl Iterator<Item = &'a [u8]>,
    ) {
        if is_made(rtype) {
            return;
        }
        for rdata in rdatas {
            // Every field says where it ends, so that no two lists of records give the same octets.
            self.gathered.extend_from_slice(owner);
            self.gathered.extend_from_slice(&rtype.0.to_be_bytes());
            self.gathered.extend_from_slice(&ttl.0.to_be_bytes());
            self.gathered.extend_from_slice(&rdata.len().to_be_bytes());
            self.gathered.extend_from_slice(rdata);
        }
        if self.gathered.len() >= GATHERED {
            self.context.update(&self.gathered);
            self.gathered.clear();
        }
    }

    pub(super) fn end(mut self) -> Digest {
        self.context.update(&self.gathered);
        Digest::end(self.context)
    }
}
