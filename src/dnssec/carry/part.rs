//! A run of neighbouring blocks as a small zone: signed with the rules of the whole, verified on its own, linked to what stays.

use super::cut::write_blocks;
use super::hashed::keep_hashed;
use super::pieces::{Piece, Stamp, text_of};
use super::{Carried, NotCarried, Seal, Sealed};
use crate::dnssec::audit_passage::{Passage, verify_passage};
use crate::dnssec::authority::occluder_at_end;
use crate::dnssec::delta::Delta;
use crate::dnssec::denial::{self, Denial};
use crate::dnssec::keys::SigningKey;
use crate::dnssec::reuse::Earlier;
use crate::dnssec::sign::{self, Signed, SigningPolicy};
use crate::dnssec::signers::Signers;
use crate::rotation::timing::Ttl;
use crate::zone::content::Zone;
use crate::zone::file::ZoneFile;
use crate::zone::include::NoFiles;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::ops::Range;

/// What was and what is to be in a run of blocks.
pub(super) struct Part {
    /// The numbers of the blocks.
    pub(super) blocks: Range<usize>,
    /// As it is signed now.
    pub(super) old: Zone,
    /// As it is to be, before it is signed.
    pub(super) unsigned: Zone,
}

impl Part {
    pub(super) fn read(
        sealed: Sealed<'_>,
        blocks: Range<usize>,
        unsigned: Zone,
    ) -> Result<Self, NotCarried> {
        let text = text_of(sealed, &blocks)?;
        let apex = &sealed.seal.zone;
        let read = ZoneFile::read("signed", text, Some(apex), &NoFiles);
        let old = read.part_of(apex).ok_or(NotCarried::Foreign)?;
        Ok(Self {
            blocks,
            old,
            unsigned: sign::without_signatures(unsigned)?,
        })
    }

    /// The blocks next to it that change with it, although what they were made from does not.
    pub(super) fn reaches(&self, seal: &Seal) -> Vec<usize> {
        let mut reached = Vec::new();
        // The NSEC before it points at its first owner.
        let first = seal.blocks.get(self.blocks.start).map(|block| &block.first);
        let linked = first.and_then(|first| self.old.rrset(first, Rtype::NSEC));
        if linked.is_some() && self.unsigned.nodes.keys().next() != first {
            reached.extend(self.blocks.start.checked_sub(1));
        }
        // A new delegation at its end may hold sway over what follows.
        let next = seal.blocks.get(self.blocks.end).map(|block| &block.first);
        let above = occluder_at_end(&self.unsigned);
        if above
            .zip(next)
            .is_some_and(|(above, next)| next.is_at_or_below(above))
        {
            reached.push(self.blocks.end);
        }
        reached
    }

    fn is_first(&self) -> bool {
        self.blocks.start == 0
    }
}

/// What all parts are signed with.
pub(super) struct Job<'a> {
    seal: &'a Seal,
    stamp: Stamp,
    keys: &'a [SigningKey],
    policy: &'a SigningPolicy,
}

impl<'a> Job<'a> {
    pub(super) fn new(
        seal: &'a Seal,
        stamp: Stamp,
        keys: &'a [SigningKey],
        policy: &'a SigningPolicy,
    ) -> Self {
        Self {
            seal,
            stamp,
            keys,
            policy,
        }
    }

    pub(super) fn apex(&self) -> &'a Name {
        &self.seal.zone
    }

    /// The owner that follows a part: that of the next block, in the end the apex.
    fn after(&self, part: &Part) -> &'a Name {
        let next = self.seal.blocks.get(part.blocks.end);
        next.map_or(&self.seal.zone, |block| &block.first)
    }

    /// Signs every part, the apex' with `serial` if one is given.
    pub(super) fn sign(
        &self,
        parts: &[Part],
        serial: Option<u32>,
    ) -> Result<Vec<Signed>, NotCarried> {
        let first = parts.first().filter(|part| part.is_first());
        let first = first.ok_or(NotCarried::Foreign)?;
        sign::check_validity(self.policy)?;
        let mut top = first.unsigned.clone();
        if let Some(serial) = serial {
            top.set_serial(serial);
        }
        let negative_ttl = sign::add_key_records(&mut top, self.keys, self.policy.now)?;
        let signers =
            Signers::choose(&top, self.keys, self.policy.now).map_err(sign::SignError::from)?;
        let present = first.old.rrset(self.apex(), Rtype::DNSKEY);
        let known = |key: &SigningKey| present.is_some_and(|set| set.rdatas.contains(key.dnskey()));
        if signers.ids() != self.seal.signers || !signers.all().all(known) {
            return Err(NotCarried::Whole("other keys sign"));
        }
        if self.policy.denial != self.seal.denial {
            return Err(NotCarried::Whole("absence is to be proven in another way"));
        }
        if sign::negative_ttl(&first.old)? != negative_ttl {
            return Err(NotCarried::Whole("the negative TTL changes"));
        }
        let mut top = Some(top);
        let sign_one = |part: &Part| {
            let zone = top.take().unwrap_or_else(|| part.unsigned.clone());
            self.sign_part(part, zone, &signers, negative_ttl)
        };
        parts.iter().map(sign_one).collect()
    }

    fn sign_part(
        &self,
        part: &Part,
        mut zone: Zone,
        signers: &Signers<'_>,
        negative_ttl: Ttl,
    ) -> Result<Signed, NotCarried> {
        match &self.policy.denial {
            Denial::Nsec => denial::link_nsec(&mut zone, self.after(part), negative_ttl),
            Denial::Nsec3 { .. } => keep_hashed(&part.old, &mut zone).ok_or(NotCarried::Whole(
                "a name or a type comes or goes, and NSEC3 proves absence",
            ))?,
        }
        let earlier = Earlier {
            zone: Some(&part.old),
            trusted: true,
            extra: &[],
        };
        Ok(sign::sign_linked(zone, signers, &earlier, self.policy)?)
    }

    /// Checks what changed with the verifier's own rules.
    pub(super) fn verify(&self, parts: &[Part], signed: &[Signed]) -> Result<(), NotCarried> {
        let Some(top) = signed.first() else {
            return Err(NotCarried::Foreign);
        };
        let mut findings = Vec::new();
        for (part, signed) in parts.iter().zip(signed) {
            let passage = Passage {
                before: &part.old,
                now: &signed.zone,
                next: self.after(part),
                top: &top.zone,
            };
            findings.extend(verify_passage(&passage, self.policy.now));
        }
        if findings.is_empty() {
            Ok(())
        } else {
            Err(NotCarried::Unverified(findings))
        }
    }

    /// The new file: what was kept and what was made, in order.
    pub(super) fn assemble(
        &self,
        parts: &[Part],
        signed: &[Signed],
        delta: Option<Delta>,
    ) -> Result<Carried, NotCarried> {
        let top = signed.first().map(|top| &top.zone);
        let serial = top.and_then(Zone::soa);
        let dnskeys = top.and_then(|top| top.rrset(self.apex(), Rtype::DNSKEY));
        let mut carried = Carried {
            dnskeys: dnskeys.cloned().ok_or(NotCarried::Foreign)?,
            delta,
            made: Vec::new(),
            kept: 0,
            serial: serial.map_or(self.seal.serial, |soa| soa.serial),
            pieces: Vec::new(),
            stamp: self.stamp,
            seal: Seal {
                blocks: Vec::with_capacity(self.seal.blocks.len()),
                ..self.seal.clone()
            },
        };
        carried.seal.serial = carried.serial;
        let mut at = 0_usize;
        for (part, signed) in parts.iter().zip(signed) {
            self.keep(at..part.blocks.start, &mut carried);
            at = part.blocks.end;
            let mut text = Vec::new();
            let blocks = write_blocks(&signed.zone, self.seal.block, self.policy.now, &mut text)?;
            carried.pieces.push(Piece::Made(text));
            carried.seal.blocks.extend(blocks);
            carried.made.extend(signed.made.iter().cloned());
            carried.kept = carried.kept.saturating_add(signed.kept as u64);
        }
        self.keep(at..self.seal.blocks.len(), &mut carried);
        Ok(carried)
    }

    fn keep(&self, blocks: Range<usize>, carried: &mut Carried) {
        let before = self.seal.blocks.get(..blocks.start).unwrap_or_default();
        let kept = self.seal.blocks.get(blocks).unwrap_or_default();
        let octets = |blocks: &[super::Block]| blocks.iter().map(|block| block.octets).sum::<u64>();
        let start = octets(before);
        let end = start.saturating_add(octets(kept));
        if !kept.is_empty() {
            carried.pieces.push(Piece::Kept(start..end));
        }
        let signatures: u64 = kept.iter().map(|block| block.signatures).sum();
        carried.kept = carried.kept.saturating_add(signatures);
        carried.seal.blocks.extend_from_slice(kept);
    }
}
