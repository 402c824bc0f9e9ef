//! What this machine calls itself (uname(2)): a word for people, by which nothing is decided.

use crate::files::read;
use std::path::Path;

/// The longest name of a host (RFC 1035 §2.3.4).
const LONGEST: usize = 253;

/// The machine's name, where it has one that can be shown.
pub fn name() -> Option<String> {
    let text = read::read_text(Path::new("/proc/sys/kernel/hostname"), read::LIST).ok()?;
    let name = text.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let is_one = !name.is_empty() && name.len() <= LONGEST && name.chars().all(is_plain);
    is_one.then(|| name.to_owned())
}
