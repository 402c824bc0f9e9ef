//! The text of a proposal file, line by line: what may stand in it at all, its fields, and that there is one spelling.

use super::{LONGEST, Label, NO_LABEL, ProposalError};

/// Printable ASCII and line feeds, and not too long.
pub(super) fn plain_text(octets: &[u8]) -> Result<&str, ProposalError> {
    let wrong = |line, what: String| Err(ProposalError { line, what });
    if octets.len() > LONGEST {
        return wrong(
            1,
            format!("longer than {LONGEST} octets: transfer the zone instead"),
        );
    }
    let strange = |octet: &u8| !matches!(octet, b'\n' | b' '..=b'~');
    if let Some(at) = octets.iter().position(strange) {
        let before = octets.get(..at).unwrap_or_default();
        let line = before.split(|octet| *octet == b'\n').count();
        return match octets.get(at) {
            Some(b'\r') => wrong(
                line,
                "a carriage return: something has converted the line ends; take the file as it was made (with git: `*.proposal -text` in .gitattributes)".to_owned(),
            ),
            octet => wrong(
                line,
                format!("the octet {:#04x}; a proposal is printable ASCII", octet.copied().unwrap_or_default()),
            ),
        };
    }
    std::str::from_utf8(octets).or_else(|_| wrong(1, "it is not ASCII".to_owned()))
}

/// The lines of the head, one after the other.
pub(super) struct Lines<'t> {
    rest: std::str::Split<'t, char>,
    /// The line read last, counted from 1.
    number: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self {
            rest: text.split('\n'),
            number: 0,
        }
    }

    pub(super) fn wrong(&self, what: String) -> ProposalError {
        ProposalError {
            line: self.number,
            what,
        }
    }

    fn next(&mut self) -> &'t str {
        self.number = self.number.saturating_add(1);
        self.rest.next().unwrap_or_default()
    }

    pub(super) fn exactly(&mut self, wanted: &str) -> Result<(), ProposalError> {
        match self.next() {
            line if line == wanted => Ok(()),
            line => Err(self.wrong(format!("expected `{wanted}`, found `{}`", shortened(line)))),
        }
    }

    pub(super) fn field<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&'t str) -> Option<T>,
    ) -> Result<T, ProposalError> {
        let line = self.next();
        let value = line
            .strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(": "));
        let Some(value) = value else {
            return Err(self.wrong(format!("expected `{key}: …`, found `{}`", shortened(line))));
        };
        read(value)
            .ok_or_else(|| self.wrong(format!("`{}` is no value of {key}", shortened(value))))
    }

    pub(super) fn label(&mut self, key: &str) -> Result<Option<Label>, ProposalError> {
        let value = self.field(key, Some)?;
        let label = Label::new(value);
        if label.is_none() && value != NO_LABEL {
            return Err(self.wrong(format!("`{}` is no value of {key}", shortened(value))));
        }
        Ok(label)
    }
}

/// Enough of a hostile line to find it by.
fn shortened(line: &str) -> String {
    line.chars().take(80).collect()
}

/// That the text is the one spelling; if not, where it differs first.
pub(super) fn same_text(wanted: &str, found: &str) -> Result<(), ProposalError> {
    if wanted == found {
        return Ok(());
    }
    let (mut wanted, mut found) = (wanted.split('\n'), found.split('\n'));
    for line in 1.. {
        let (expected, there) = (wanted.next(), found.next());
        if expected != there {
            let told = |line: Option<&str>| {
                line.map_or("the end".to_owned(), |l| format!("`{}`", shortened(l)))
            };
            return Err(ProposalError {
                line,
                what: format!(
                    "expected {}, found {}: what people read is not what the records say",
                    told(expected),
                    told(there)
                ),
            });
        }
    }
    Ok(())
}
