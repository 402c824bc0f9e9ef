//! A signed zone written out and cut into blocks, so that a later change has to look at a few of them only.

use super::content::Content;
use super::seal::{Block, Digest};
use crate::dnssec::authority::{Standing, standings};
use crate::dnssec::rrsig::Rrsig;
use crate::rotation::observation::SignatureWindow;
use crate::rotation::timing::Instant;
use crate::zone::content::{Node, Zone, write_node};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use ring::digest::{Context, SHA256};
use std::io::{self, Write};

/// Writes a signed zone as [`Zone`] prints, and returns its blocks. Of a part of a zone likewise, if its first owner is
/// the zone's own. Blocks get `block` octets at least; signature times are those nearest to `now`.
pub(super) fn write_blocks(
    zone: &Zone,
    block: u64,
    now: Instant,
    out: &mut impl Write,
) -> io::Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut open: Option<Open> = None;
    let mut text = String::new();
    for (owner, node, standing) in standings(zone) {
        let full = open.as_ref().is_some_and(|open| open.octets >= block);
        if full && standing != Standing::Occluded {
            blocks.extend(open.take().map(Open::close));
        }
        text.clear();
        write_node(owner, node, &mut text).map_err(io::Error::other)?;
        out.write_all(text.as_bytes())?;
        let open = open.get_or_insert_with(|| Open::at(owner));
        open.add(owner, node, text.as_bytes(), now);
    }
    blocks.extend(open.map(Open::close));
    Ok(blocks)
}

/// A block that is not full yet.
struct Open {
    first: Name,
    octets: u64,
    text: Context,
    content: Content,
    signatures: u64,
    window: SignatureWindow,
}

impl Open {
    fn at(first: &Name) -> Self {
        Self {
            first: first.clone(),
            octets: 0,
            text: Context::new(&SHA256),
            content: Content::new(),
            signatures: 0,
            window: Block::EVER,
        }
    }

    fn add(&mut self, owner: &Name, node: &Node, text: &[u8], now: Instant) {
        self.octets = self.octets.saturating_add(text.len() as u64);
        self.text.update(text);
        for (&rtype, rrset) in node {
            let rdatas = rrset.rdatas.iter().map(|rdata| &*rdata.0);
            self.content.add(owner.wire(), rtype, rrset.ttl, rdatas);
        }
        let rrsigs = node.get(&Rtype::RRSIG).map(|rrset| rrset.rdatas.as_slice());
        for rdata in rrsigs.unwrap_or_default() {
            self.signatures = self.signatures.saturating_add(1);
            if let Ok(rrsig) = Rrsig::parse(rdata) {
                let (from, to) = (rrsig.inception.near(now), rrsig.expiration.near(now));
                self.window.inception = self.window.inception.max(from);
                self.window.expiration = self.window.expiration.min(to);
            }
        }
    }

    fn close(self) -> Block {
        Block {
            first: self.first,
            octets: self.octets,
            signatures: self.signatures,
            text: Digest::end(self.text),
            content: self.content.end(),
            window: self.window,
        }
    }
}
