//! The end of a journal that a killed run left: half a line, or a whole one without its newline.

use std::fmt;

/// The incomplete end of a journal, left by a run that was killed while it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornEnd {
    /// The line number.
    pub line: usize,
    /// How many bytes of it there are.
    pub bytes: usize,
    /// Whether the entry is whole and lacks only its newline; then it is kept.
    pub whole: bool,
}

impl TornEnd {
    /// Of these octets of a line.
    pub(super) fn of(line: usize, piece: &[u8], whole: bool) -> Self {
        Self {
            line,
            bytes: piece.len(),
            whole,
        }
    }
}

impl fmt::Display for TornEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, bytes, whole } = self;
        if *whole {
            write!(
                f,
                "line {line} lacks its newline: a run was killed while writing it; the entry is whole and kept"
            )
        } else {
            write!(
                f,
                "line {line} is incomplete ({bytes} bytes): a run was killed while writing it; it counts for nothing and is cut off"
            )
        }
    }
}
