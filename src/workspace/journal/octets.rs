//! The octets of a journal's file. A run over thousands asks for no memory to read most of them into.

use super::MAX_SIZE;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};

/// How many bytes are read at first.
const AT_ONCE: usize = 4 << 10;

/// What `then` makes of the whole file, or of its beginning where it is larger than any journal may be.
pub(super) fn of<T>(mut file: File, then: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
    let mut first = [0; AT_ONCE];
    let filled = fill(&mut file, &mut first)?;
    let (read, room) = first.split_at(filled);
    if !room.is_empty() {
        return Ok(then(read));
    }
    let mut bytes = read.to_vec();
    let limit = MAX_SIZE.saturating_add(1).saturating_sub(AT_ONCE as u64);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(then(&bytes))
}

/// Reads until the buffer is full or nothing is left; how many bytes there were.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => filled = filled.saturating_add(more),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
