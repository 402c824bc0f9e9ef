//! The octets of a signed file: checked against its seal, read in part, and copied without passing through the program.

use super::seal::Digest;
use super::{Carried, NotCarried, Sealed};
use ring::digest::{Context, SHA256};
use rustix::fs::copy_file_range;
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

/// A stretch of the new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These octets of the old file.
    Kept(Range<u64>),
    /// New text.
    Made(Vec<u8>),
}

/// Checks that the file is, octet for octet, what was sealed.
pub(super) fn check_text(sealed: Sealed<'_>) -> Result<(), NotCarried> {
    let mut buffer = vec![0; CHUNK];
    let mut at = 0_u64;
    for block in &sealed.seal.blocks {
        let mut context = Context::new(&SHA256);
        let end = at.checked_add(block.octets).ok_or(NotCarried::Foreign)?;
        while at < end {
            let wanted = usize::try_from(end.saturating_sub(at))
                .unwrap_or(CHUNK)
                .min(CHUNK);
            let Some(chunk) = buffer.get_mut(..wanted) else {
                return Err(NotCarried::Foreign);
            };
            let read = sealed.file.read_at(chunk, at)?;
            if read == 0 {
                return Err(NotCarried::Foreign);
            }
            context.update(chunk.get(..read).unwrap_or_default());
            at = at.saturating_add(read as u64);
        }
        if Digest::end(context) != block.text {
            return Err(NotCarried::Foreign);
        }
    }
    ends_at(sealed, at)
}

/// Checks that the file goes no further.
fn ends_at(sealed: Sealed<'_>, at: u64) -> Result<(), NotCarried> {
    match sealed.file.read_at(&mut [0], at)? {
        0 => Ok(()),
        _ => Err(NotCarried::Foreign),
    }
}

/// Checks that the file ends with its last block.
pub(super) fn is_no_longer(sealed: Sealed<'_>) -> Result<(), NotCarried> {
    ends_at(sealed, sealed.seal.blocks.iter().map(|b| b.octets).sum())
}

/// The text of some blocks, checked once more: these octets are going to be used.
pub(super) fn text_of(sealed: Sealed<'_>, blocks: &Range<usize>) -> Result<Vec<u8>, NotCarried> {
    let before = sealed.seal.blocks.get(..blocks.start).unwrap_or_default();
    let mut at: u64 = before.iter().map(|block| block.octets).sum();
    let mut text = Vec::new();
    for block in sealed.seal.blocks.get(blocks.clone()).unwrap_or_default() {
        let length = usize::try_from(block.octets).map_err(|_| NotCarried::Foreign)?;
        let start = text.len();
        text.resize(start.saturating_add(length), 0);
        let slot = text.get_mut(start..).unwrap_or_default();
        match sealed.file.read_exact_at(slot, at) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Err(NotCarried::Foreign),
            read => read?,
        }
        if Digest::of(slot) != block.text {
            return Err(NotCarried::Foreign);
        }
        at = at.saturating_add(block.octets);
    }
    Ok(text)
}

/// When a file was last changed, and which file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    octets: u64,
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            inode: metadata.ino(),
            octets: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Writes the next version to `out`, which is empty. The kernel copies what is kept of `old`, the file that was carried over.
pub fn write_pieces(carried: &Carried, old: &File, out: &File) -> io::Result<()> {
    let mut to = 0_u64;
    for piece in &carried.pieces {
        match piece {
            Piece::Made(text) => {
                out.write_all_at(text, to)?;
                to = to.saturating_add(text.len() as u64);
            }
            Piece::Kept(range) => {
                copy(old, range.clone(), out, to)?;
                to = to.saturating_add(range.end.saturating_sub(range.start));
            }
        }
    }
    // The digests were those of what was read; what was copied must be the same.
    if Stamp::of(old)? == carried.stamp {
        Ok(())
    } else {
        Err(io::Error::other(
            "the signed zone was written to while it was being copied",
        ))
    }
}

fn copy(old: &File, range: Range<u64>, out: &File, mut to: u64) -> io::Result<()> {
    let mut from = range.start;
    while from < range.end {
        let left = usize::try_from(range.end.saturating_sub(from)).unwrap_or(usize::MAX);
        match copy_file_range(old, Some(&mut from), out, Some(&mut to), left) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            // Not between these two file systems, or not on this kernel.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                return copy_through(old, from..range.end, out, to);
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

fn copy_through(old: &File, range: Range<u64>, out: &File, mut to: u64) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut from = range.start;
    while from < range.end {
        let left = range.end.saturating_sub(from);
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let chunk = buffer.get_mut(..wanted).unwrap_or_default();
        old.read_exact_at(chunk, from)?;
        out.write_all_at(chunk, to)?;
        from = from.saturating_add(wanted as u64);
        to = to.saturating_add(wanted as u64);
    }
    Ok(())
}
