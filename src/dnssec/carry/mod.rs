//! One change to a large signed zone: what did not change is carried over as it lies in the file, unread but for a digest.
//!
//! A verified signed file has a [`Seal`] beside it, which knows the file as a row of blocks: runs of whole owners, each
//! with the digest of its text and the digest of the records it was made from. A new version of the unsigned zone is
//! compared with those digests; blocks that differ, or whose signatures fall due, are read, signed and verified again,
//! each as a small zone of its own (`part`); all others are copied (`pieces`). The result is the same, octet for
//! octet, as signing the whole zone with the signatures of the earlier one.
//!
//! Where that does not hold, or is not worth its rules, [`NotCarried`] says why, and the whole zone has to be signed.

mod content;
mod cut;
mod hashed;
mod part;
mod pieces;
mod seal;

pub use pieces::{Piece, write_pieces};
pub use seal::{BadSeal, Block, Digest, Seal, SignerIds};

use crate::dnssec::delta::{Delta, NoDelta};
use crate::dnssec::denial::Denial;
use crate::dnssec::finding::Finding;
use crate::dnssec::keys::SigningKey;
use crate::dnssec::share::in_blocks;
use crate::dnssec::sign::{SignError, SigningPolicy};
use crate::dnssec::signers::Signers;
use crate::rotation::timing::Instant;
use crate::zone::content::{Node, Rrset, Zone};
use crate::zone::file::ZoneFile;
use crate::zone::include::NoFiles;
use crate::zone::name::Name;
use crate::zone::nodes::{NodeView, RrsetView};
use crate::zone::record::Rtype;
use content::Content;
use part::Part;
use pieces::Stamp;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// A signed zone file and its seal.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// The signed zone, open for reading.
    pub file: &'a File,
    /// What it is known to hold.
    pub seal: &'a Seal,
}

/// A signed zone file that has been found to be, octet for octet, what was sealed.
#[derive(Clone, Copy, Debug)]
pub struct Intact<'a> {
    sealed: Sealed<'a>,
    stamp: Stamp,
}

impl<'a> Sealed<'a> {
    /// The zone in the file, if that is, octet for octet, what was sealed. Blocks are read by at most `threads` threads, and
    /// no more of the text is in memory than they read.
    ///
    /// What `earlier` holds of blocks that read the same is taken from there: the two versions share it.
    pub fn zone(
        self,
        earlier: Option<Read<'_>>,
        threads: NonZeroUsize,
    ) -> Result<Zone, NotCarried> {
        let apex = &self.seal.zone;
        let known = earlier.map(Read::by_text).unwrap_or_default();
        let known = |number: &usize| known.get(&self.seal.blocks.get(*number)?.text);
        let numbers: Vec<usize> = (0..self.seal.blocks.len()).collect();
        let parts = in_blocks(&numbers, READ_AT_ONCE, threads, || {
            |numbers: &[usize]| -> Result<Vec<(Name, Node)>, NotCarried> {
                let mut nodes = Vec::new();
                for run in numbers.chunk_by(|a, b| known(a).is_none() && known(b).is_none()) {
                    let start = run.first().copied().unwrap_or(0);
                    let text = pieces::text_of(self, &(start..start.saturating_add(run.len())))?;
                    if let Some(same) = known(&start) {
                        nodes.extend(same.nodes());
                        continue;
                    }
                    let read = ZoneFile::read("signed", text, Some(apex), &NoFiles);
                    let part = read.part_of(apex).ok_or(NotCarried::Foreign)?;
                    nodes.extend(part.nodes);
                }
                Ok(nodes)
            }
        });
        pieces::is_no_longer(self)?;
        let parts: Vec<Vec<(Name, Node)>> = parts.into_iter().collect::<Result<_, _>>()?;
        Ok(Zone {
            apex: apex.clone(),
            nodes: parts.into_iter().flatten().collect(),
        })
    }

    /// Checks the file against its seal. It takes as long as reading it; the unsigned zone can be read meanwhile.
    pub fn intact(self) -> Result<Intact<'a>, NotCarried> {
        let stamp = Stamp::of(self.file)?;
        pieces::check_text(self)?;
        Ok(Intact {
            sealed: self,
            stamp,
        })
    }
}

/// A version of a zone that was read from a sealed file.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// What the file was known to hold.
    pub seal: &'a Seal,
    /// What was read.
    pub zone: &'a Zone,
}

/// What was read of one block.
struct ReadBlock<'a> {
    zone: &'a Zone,
    first: &'a Name,
    /// The first owner of the next block, if there is one.
    next: Option<&'a Name>,
}

impl<'a> Read<'a> {
    /// Its blocks, by their text.
    fn by_text(self) -> HashMap<Digest, ReadBlock<'a>> {
        let nexts = self.seal.blocks.iter().skip(1).map(|block| &block.first);
        let nexts = nexts.map(Some).chain(std::iter::once(None));
        let read = |(block, next): (&'a Block, Option<&'a Name>)| {
            let (zone, first) = (self.zone, &block.first);
            (block.text, ReadBlock { zone, first, next })
        };
        self.seal.blocks.iter().zip(nexts).map(read).collect()
    }
}

impl ReadBlock<'_> {
    fn nodes(&self) -> impl Iterator<Item = (Name, Node)> {
        let end = self.next.map_or(Unbounded, Excluded);
        let nodes = self.zone.nodes.range((Included(self.first), end));
        nodes.map(|(owner, node)| (owner.clone(), node.clone()))
    }
}

impl Intact<'_> {
    /// What the file is known to hold.
    pub fn seal(&self) -> &Seal {
        self.sealed.seal
    }
}

/// Which serial the signed zone gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serials {
    /// In place of that of the unsigned zone.
    pub instead: Option<u32>,
    /// If something changes and the serial does not advance.
    pub if_stuck: Option<u32>,
}

/// The next version of a signed zone.
#[derive(Clone, Debug)]
pub struct Carried {
    /// What changes; `None` if nothing does.
    pub delta: Option<Delta>,
    /// Owner and covered type of every signature that was made, in canonical order.
    pub made: Vec<(Name, Rtype)>,
    /// How many signatures were carried over.
    pub kept: u64,
    /// The serial.
    pub serial: u32,
    /// Its DNSKEY RRset.
    pub dnskeys: Rrset,
    /// The new file, in order.
    pub pieces: Vec<Piece>,
    /// Its seal.
    pub seal: Seal,
    /// What the old file was when it was read.
    stamp: Stamp,
}

/// Why nothing is carried over.
#[derive(Debug, thiserror::Error)]
pub enum NotCarried {
    /// The file is not the one that was sealed, or the seal is of another zone.
    #[error("the signed zone is not as it was when it was verified")]
    Foreign,
    /// Other keys sign, other proofs of absence are wanted, or an answer about the chain needs all of it.
    #[error("{0}")]
    Whole(&'static str),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The zone cannot be signed, whole or in part.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The change cannot be handed on.
    #[error(transparent)]
    Delta(#[from] NoDelta),
    /// What was made does not verify.
    #[error("what was signed does not verify")]
    Unverified(Vec<Finding>),
}

impl NotCarried {
    /// Whether signing the whole zone may still work.
    pub fn wants_the_whole(&self) -> bool {
        matches!(self, Self::Foreign | Self::Whole(_))
    }
}

/// How many blocks are read as one: some megabytes of text.
const READ_AT_ONCE: usize = 16;

/// How long blocks should be. What a change costs grows with it, the length of the seal with its inverse.
pub const BLOCK: u64 = 128 << 10;

/// Writes a signed zone, one record a line in canonical order, in blocks of at least `block` octets; returns the seal
/// that it has once it is verified.
pub fn write_sealed(
    zone: &Zone,
    keys: &[SigningKey],
    block: u64,
    now: Instant,
    out: &mut impl Write,
) -> io::Result<Seal> {
    let signers = Signers::choose(zone, keys, now).map_err(io::Error::other)?;
    Ok(Seal {
        zone: zone.apex.clone(),
        serial: zone.soa().map_or(0, |soa| soa.serial),
        signers: signers.ids(),
        denial: Denial::of(zone),
        block,
        blocks: cut::write_blocks(zone, block, now, out)?,
    })
}

/// Signs what of `zone`, a file without errors, differs from what `intact` was made from.
pub fn resign(
    intact: Intact<'_>,
    zone: &ZoneFile,
    keys: &[SigningKey],
    policy: &SigningPolicy,
    serials: Serials,
) -> Result<Carried, NotCarried> {
    let Intact { sealed, stamp } = intact;
    let seal = sealed.seal;
    if zone.apex() != Some(&seal.zone) || seal.blocks.first().map(|b| &b.first) != zone.apex() {
        return Err(NotCarried::Foreign);
    }
    let mut at_apex = zone.nodes().take(1).flat_map(|node| {
        let types = node.rrsets().map(RrsetView::rtype);
        types.collect::<Vec<_>>()
    });
    if at_apex.any(|rtype| rtype == Rtype::ZONEMD) {
        return Err(NotCarried::Whole(
            "its digest (ZONEMD) is that of all of it",
        ));
    }
    let contents = contents(zone, seal);
    let due = |block: &Block| {
        let left = block.window.expiration.since(policy.now);
        left <= policy.refresh || block.window.inception > policy.now
    };
    // The first block holds the apex: its SOA changes with everything else.
    let mut stale: Vec<bool> = (seal.blocks.iter().zip(&contents).enumerate())
        .map(|(number, (block, content))| number == 0 || block.content != *content || due(block))
        .collect();
    let parts = loop {
        let parts = read_parts(sealed, zone, &stale)?;
        let reached: Vec<usize> = parts.iter().flat_map(|part| part.reaches(seal)).collect();
        if reached.is_empty() {
            break parts;
        }
        for number in reached {
            stale.get_mut(number).into_iter().for_each(|s| *s = true);
        }
    };
    let job = part::Job::new(seal, stamp, keys, policy);
    let attempt = |serial| sign_parts(&job, &parts, serial);
    match attempt(serials.instead) {
        Err(NotCarried::Delta(NoDelta::Serial { .. })) if serials.if_stuck.is_some() => {
            attempt(serials.if_stuck)
        }
        attempted => attempted,
    }
}

/// The digest of what the zone now holds in the place of each block.
fn contents(zone: &ZoneFile, seal: &Seal) -> Vec<Digest> {
    let mut contents = Vec::with_capacity(seal.blocks.len());
    let mut ends = seal.blocks.iter().skip(1).map(|block| &block.first);
    let mut end = ends.next();
    let mut content = Content::new();
    for node in zone.nodes() {
        while end.is_some_and(|end| !node.is_before(end)) {
            contents.push(std::mem::replace(&mut content, Content::new()).end());
            end = ends.next();
        }
        for rrset in node.rrsets() {
            content.add(node.owner(), rrset.rtype(), rrset.ttl(), rrset.rdatas());
        }
    }
    contents.push(content.end());
    let nothing = Content::new().end();
    contents.resize(seal.blocks.len(), nothing);
    contents
}

/// What was, and what is to be, in every run of stale blocks.
fn read_parts(
    sealed: Sealed<'_>,
    zone: &ZoneFile,
    stale: &[bool],
) -> Result<Vec<Part>, NotCarried> {
    let mut parts = Vec::new();
    let mut nodes = zone.nodes().peekable();
    let mut start = 0_usize;
    for run in stale.chunk_by(|a, b| a == b) {
        let blocks = start..start.saturating_add(run.len());
        start = blocks.end;
        let end = sealed.seal.blocks.get(blocks.end).map(|b| &b.first);
        let inside = |node: &_| end.is_none_or(|end| NodeView::is_before(node, end));
        if run.first() == Some(&true) {
            let mut unsigned = Zone::empty(sealed.seal.zone.clone());
            while let Some(node) = nodes.next_if(inside) {
                let owner = Name::from_checked_wire(node.owner());
                unsigned.nodes.insert(owner, node.to_node());
            }
            parts.push(Part::read(sealed, blocks, unsigned)?);
        } else {
            while nodes.next_if(inside).is_some() {}
        }
    }
    Ok(parts)
}

fn sign_parts(
    job: &part::Job<'_>,
    parts: &[Part],
    serial: Option<u32>,
) -> Result<Carried, NotCarried> {
    let signed = job.sign(parts, serial)?;
    let (mut old, mut new) = (
        Zone::empty(job.apex().clone()),
        Zone::empty(job.apex().clone()),
    );
    for (part, signed) in parts.iter().zip(&signed) {
        old.nodes.extend(part.old.nodes.clone());
        new.nodes.extend(signed.zone.nodes.clone());
    }
    let delta = Delta::between(&old, &new)?;
    job.verify(parts, &signed)?;
    job.assemble(parts, &signed, delta)
}
