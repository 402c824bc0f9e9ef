//! `tlsrpt` and `mta_sts` of a `[[certificate]]`: where senders' reports arrive (RFC 8460), and how MTA-STS policies are
//! fetched (RFC 8461 §3.3).

use super::certificate::Destination;
use super::document::{Findings, Section};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeValue;

pub(super) const TLSRPT: &[&str] = &["maildir", "mbox"];
pub(super) const MTA_STS: &[&str] = &["roots", "addresses", "resolvers"];

/// How MTA-STS policies are fetched, where that is not as a sender would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MtaSts {
    /// PEM certificates of the Web PKI's roots; the system's if it is none.
    pub roots: Option<PathBuf>,
    /// Where the policy host is reached, with port 443 unless they say another; empty: as DNS says.
    pub addresses: Vec<Destination>,
    /// The resolvers that are asked for the records of `domains`, at port 53 unless they say another; those of
    /// resolv.conf if it is none.
    pub resolvers: Vec<Destination>,
}

pub(super) fn read_tlsrpt<'t>(
    line: usize,
    value: Spanned<DeValue<'t>>,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<PathBuf> {
    let mut tlsrpt = Section::open("`tlsrpt`", value, TLSRPT, findings)?;
    let maildir = tlsrpt.text("maildir", findings);
    let mbox = tlsrpt.text("mbox", findings);
    let ((Some(place), None) | (None, Some(place))) = (maildir, mbox) else {
        let wanted = "`tlsrpt` must be { maildir = \"/home/tlsrpt/Maildir\" } or { mbox = \"/var/mail/tlsrpt\" }";
        findings.wrong(line, wanted);
        return None;
    };
    Some(root.join(place.value))
}

pub(super) fn read_mta_sts<'t>(
    value: Spanned<DeValue<'t>>,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<MtaSts> {
    let mut section = Section::open("`mta_sts`", value, MTA_STS, findings)?;
    let roots = section.text("roots", findings);
    let addresses = read_destinations(&mut section, "addresses", findings);
    let resolvers = read_destinations(&mut section, "resolvers", findings);
    Some(MtaSts {
        roots: roots.map(|roots| root.join(roots.value)),
        addresses,
        resolvers,
    })
}

fn read_destinations<'t>(
    section: &mut Section<'t>,
    key: &'static str,
    findings: &mut Findings<'t>,
) -> Vec<Destination> {
    let texts = section.texts(key, findings);
    let mut destinations = Vec::new();
    for text in texts.map(|texts| texts.value).unwrap_or_default() {
        match Destination::parse(&text.value) {
            Some(destination) => destinations.push(destination),
            None => findings.wrong(
                text.line,
                format!(
                    "`{key}`: `{}` is not an IP address, such as 192.0.2.80, 2001:db8::80 or 192.0.2.80:8443",
                    text.value
                ),
            ),
        }
    }
    destinations
}
