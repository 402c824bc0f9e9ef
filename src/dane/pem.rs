//! PEM: labelled base64 blocks between lines of explanation (RFC 7468; headers of RFC 1421 where old keys have them).

use data_encoding::BASE64;

/// One block.
pub(super) struct Block<'a> {
    /// What stands between `-----BEGIN ` and `-----`.
    pub(super) label: &'a str,
    /// The line of its `BEGIN`, counted from 1.
    pub(super) line: usize,
    /// The decoded octets.
    pub(super) octets: Vec<u8>,
    /// Whether a header says that the contents are encrypted (RFC 1421 §4.6.1.1).
    pub(super) encrypted: bool,
}

/// Why a text is not PEM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// A block whose `END` line never comes, or another `BEGIN` in front of it.
    #[error("line {line}: the block `{label}` has no END line (truncated?)")]
    NoEnd {
        /// Where the block begins.
        line: usize,
        /// Its label.
        label: String,
    },
    /// `BEGIN` and `END` do not name the same thing.
    #[error("line {line}: the block `{label}` ends as `{end}`")]
    OtherEnd {
        /// Where the block ends.
        line: usize,
        /// The label it begins with.
        label: String,
        /// The label it ends with.
        end: String,
    },
    /// Characters or padding that are not base64.
    #[error("line {line}: the base64 of the block `{label}` is damaged")]
    BadBase64 {
        /// Where the block begins.
        line: usize,
        /// Its label.
        label: String,
    },
}

/// Whether a line of `text` opens a PEM block.
pub(super) fn is_pem(text: &[u8]) -> bool {
    lines(text).any(|line| boundary(line, b"-----BEGIN ").is_some())
}

/// Every block of `text`, in order.
pub(super) fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>, PemError> {
    let mut found = Vec::new();
    let mut numbered = lines(text).zip(1_usize..);
    while let Some((line, number)) = numbered.next() {
        if let Some(label) = boundary(line, b"-----BEGIN ") {
            found.push(block(label, number, &mut numbered)?);
        }
    }
    Ok(found)
}

fn block<'a>(
    label: &'a str,
    line: usize,
    rest: &mut impl Iterator<Item = (&'a [u8], usize)>,
) -> Result<Block<'a>, PemError> {
    let no_end = || PemError::NoEnd {
        line,
        label: label.to_owned(),
    };
    let mut base64 = Vec::new();
    let mut encrypted = false;
    let mut in_headers = false;
    loop {
        let (text, number) = rest.next().ok_or_else(no_end)?;
        if let Some(end) = boundary(text, b"-----END ") {
            if end != label {
                return Err(PemError::OtherEnd {
                    line: number,
                    label: label.to_owned(),
                    end: end.to_owned(),
                });
            }
            break;
        }
        if boundary(text, b"-----BEGIN ").is_some() {
            return Err(no_end());
        }
        if text.contains(&b':') {
            in_headers = true;
            encrypted |= text.starts_with(b"Proc-Type:") && text.ends_with(b"ENCRYPTED");
        } else if in_headers {
            // Headers end with an empty line; a folded header line begins with a blank and is no base64 either.
            in_headers = !text.is_empty();
        } else {
            base64.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    let octets = BASE64.decode(&base64).map_err(|_| PemError::BadBase64 {
        line,
        label: label.to_owned(),
    })?;
    Ok(Block {
        label,
        line,
        octets,
        encrypted,
    })
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)
}

fn boundary<'a>(line: &'a [u8], opening: &[u8]) -> Option<&'a str> {
    // Longer than any label: lines that end in CR alone make one of a whole file, and what is in it may be a key.
    const LONGEST: usize = 64;
    let label = line.strip_prefix(opening)?.strip_suffix(b"-----")?;
    let is_label = label.len() <= LONGEST && !label.contains(&b'\r');
    std::str::from_utf8(label).ok().filter(|_| is_label)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_among_other_text() {
        let text = b"\xef\xbb\xbfsubject=x\r\n-----BEGIN A B-----\r\nAQ\r\nID\r\n-----END A B-----\r\n\xff\n\
                     -----BEGIN K-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X\n\nBA==\n-----END K-----";
        let found = blocks(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].label, found[0].line), ("A B", 2));
        assert_eq!(found[0].octets, [1, 2, 3]);
        assert_eq!(
            (found[1].octets.as_slice(), found[1].encrypted),
            (&[4][..], true)
        );
        let clear = b"-----BEGIN K-----\nProc-Type: 4,MIC-CLEAR\n\nBA==\n-----END K-----";
        assert!(!blocks(clear).unwrap()[0].encrypted);
    }

    /// A key whose lines end in CR alone is one line to us, and no part of it is a label.
    #[test]
    fn no_label_is_made_of_what_may_be_a_key() {
        let text = "-----BEGIN PRIVATE KEY-----\rMIGHAgEA\r-----END PRIVATE KEY-----\r";
        assert!(blocks(text.as_bytes()).unwrap().is_empty());
        let long = format!("-----BEGIN {}-----\n", "A".repeat(65));
        assert!(blocks(long.as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn damaged_blocks_are_refused_with_their_line() {
        let table = [
            (
                "x\n-----BEGIN A-----\nAQID\n",
                "line 2: the block `A` has no END line (truncated?)",
            ),
            (
                "-----BEGIN A-----\n-----BEGIN A-----\n-----END A-----",
                "line 1: the block `A` has no END line (truncated?)",
            ),
            (
                "-----BEGIN A-----\nAQID\n-----END B-----",
                "line 3: the block `A` ends as `B`",
            ),
            (
                "-----BEGIN A-----\nAQI\n-----END A-----",
                "line 1: the base64 of the block `A` is damaged",
            ),
            (
                "-----BEGIN A-----\nA*==\n-----END A-----",
                "line 1: the base64 of the block `A` is damaged",
            ),
        ];
        for (text, expected) in table {
            let error = blocks(text.as_bytes()).err().unwrap();
            assert_eq!(error.to_string(), expected);
        }
    }
}
