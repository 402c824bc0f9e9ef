//! Where a peer and we differ, and why.

use super::peers::Peer;

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The peer accepts a file that we refuse.
    PeerAccepts,
    /// The peer refuses a file that we accept.
    PeerRefuses,
    /// Both accept it and read other records.
    OtherRecords,
}

/// A difference that is known, with its reason.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) peer: Peer,
    pub(crate) how: How,
    /// Part of what whoever refuses says, or of the records that differ.
    pub(crate) says: &'static str,
    /// Part of the path of the files.
    pub(crate) files: &'static str,
    pub(crate) why: &'static str,
}

pub(crate) const KNOWN: &[Known] = &[];
