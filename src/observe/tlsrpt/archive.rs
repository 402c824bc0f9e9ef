//! Gzip, the form in which reports travel (RFC 8460 §3, RFC 1952), never expanded beyond a bound.

use flate2::read::MultiGzDecoder;
use std::io::Read as _;

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

/// What the octets hold, at most `limit` of it.
pub fn expand(octets: &[u8], limit: usize) -> Result<Vec<u8>, NotExpanded> {
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut expanded = Vec::new();
    let done = MultiGzDecoder::new(octets)
        .take(one_more)
        .read_to_end(&mut expanded);
    done.map_err(|e| NotExpanded::Damaged {
        why: e.to_string(),
        before: expanded.len(),
    })?;
    if expanded.len() > limit {
        return Err(NotExpanded::TooLong { limit });
    }
    Ok(expanded)
}
