//! Gzip, the form in which reports travel (RFC 8460 §3, RFC 1952), never expanded beyond a bound.

use flate2::bufread::GzDecoder;
use std::io::{ErrorKind, Read as _};

/// Why octets could not be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExpanded {
    /// Damaged or cut short.
    #[error("damaged gzip: {why}")]
    Damaged {
        /// What is wrong.
        why: String,
        /// The octets that came out of it before.
        before: usize,
    },
    /// More comes out than is allowed.
    #[error("it expands to more than {} MiB", .limit / 1024 / 1024)]
    TooLong {
        /// The bound in octets.
        limit: usize,
    },
}

impl NotExpanded {
    /// The octets that came out before it was given up.
    pub fn expanded(&self) -> usize {
        match self {
            Self::Damaged { before, .. } => *before,
            Self::TooLong { limit } => *limit,
        }
    }
}

/// Whether octets begin as gzip does.
pub fn is_gzip(octets: &[u8]) -> bool {
    octets.starts_with(&[0x1f, 0x8b])
}

/// The same, of an archive that a server on the way packed once more, too.
pub fn expand_twice(octets: &[u8], limit: usize) -> Result<Vec<u8>, NotExpanded> {
    let expanded = expand(octets, limit)?;
    if is_gzip(&expanded) {
        return expand(&expanded, limit);
    }
    Ok(expanded)
}

/// What the octets hold, at most `limit` of it. What stands behind an archive that is whole (a line end, zeros to fill a
/// block) is no part of it (RFC 1952 §2.2), and that its last eight octets are missing says nothing of what came out.
pub fn expand(octets: &[u8], limit: usize) -> Result<Vec<u8>, NotExpanded> {
    let mut rest = octets;
    let mut expanded = Vec::new();
    loop {
        let room = limit.saturating_sub(expanded.len()).saturating_add(1);
        let room = u64::try_from(room).unwrap_or(u64::MAX);
        let mut member = GzDecoder::new(rest);
        let done = member.by_ref().take(room).read_to_end(&mut expanded);
        if expanded.len() > limit {
            return Err(NotExpanded::TooLong { limit });
        }
        match done {
            // Whether what came out is all there is to be seen from it.
            Err(e) if e.kind() == ErrorKind::UnexpectedEof && !expanded.is_empty() => break,
            Err(e) => {
                return Err(NotExpanded::Damaged {
                    why: e.to_string(),
                    before: expanded.len(),
                });
            }
            Ok(_) => {}
        }
        // One archive may follow another, and nothing else that counts.
        rest = member.into_inner();
        if !is_gzip(rest) {
            break;
        }
    }
    Ok(expanded)
}
