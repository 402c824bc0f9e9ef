//! A signed zone printed on several threads: the same text as that of one, since every owner's lines are its own.

use crate::dnssec::share::in_blocks;
use crate::zone::content::{Node, Zone, write_node};
use crate::zone::name::Name;
use std::io::{self, Write};
use std::num::NonZeroUsize;

/// Owners whose text is made by one thread at a time.
const BLOCK: usize = 256;
/// Blocks whose text is in memory at once: some megabytes, however large the zone is.
const AT_ONCE: usize = 32;

/// Writes `zone` as [`Zone::write_to`] does, the text being made by at most `threads` threads.
pub fn print(zone: &Zone, threads: NonZeroUsize, out: &mut impl Write) -> io::Result<()> {
    let nodes: Vec<(&Name, &Node)> = zone.nodes.iter().collect();
    for batch in nodes.chunks(BLOCK.saturating_mul(AT_ONCE)) {
        let texts = in_blocks(batch, BLOCK, threads, || {
            |block: &[(&Name, &Node)]| {
                let mut text = String::new();
                let mut nodes = block.iter();
                let written =
                    nodes.try_for_each(|(owner, node)| write_node(owner, node, &mut text));
                written.map(|()| text)
            }
        });
        for text in texts {
            out.write_all(text.map_err(io::Error::other)?.as_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::zone::file::ZoneFile;
    use crate::zone::include::NoFiles;
    use std::fmt::Write as _;

    #[test]
    fn any_number_of_threads_prints_what_one_does() {
        let mut text = "$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns.example.net.\n".to_owned();
        // More owners than are printed at once, the last block of them not full.
        for number in 0..=BLOCK * AT_ONCE + BLOCK {
            writeln!(
                text,
                "h{number} A 192.0.2.{}\nh{number} TXT \"{number}\"",
                number % 256
            )
            .unwrap();
        }
        let apex = Name::parse(b"example.com.", None).unwrap();
        let zone = ZoneFile::read("z", text.into_bytes(), Some(&apex), &NoFiles)
            .zone()
            .unwrap();
        let mut expected = Vec::new();
        zone.write_to(&mut expected).unwrap();
        for threads in [1, 2, 5] {
            let mut printed = Vec::new();
            print(&zone, NonZeroUsize::new(threads).unwrap(), &mut printed).unwrap();
            assert!(printed == expected, "{threads} threads");
        }
    }
}
