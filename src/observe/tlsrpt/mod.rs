//! What other senders report about their TLS sessions with us, gathered from wherever the reports were put (RFC 8460).
//!
//! Reports come from strangers: each file, message, expansion and count is bounded, and what cannot be read is a
//! [`Trouble`] with its place and reason, never the end of the run. The DKIM signature that a report's mail should bear
//! (RFC 8460 §3) is not checked: anybody may have written any report, so none may take from what another says.

pub mod archive;
mod json;
mod lenient;
pub mod mail;
mod policy_text;
pub mod report;
pub mod tally;
mod wrapping;

use crate::files;
use report::Report;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// No file is larger: a mailbox of reports of a year is a few MiB.
const MAX_FILE: u64 = 256 * 1024 * 1024;
/// Files of one directory that are read.
const MAX_FILES: usize = 100_000;
/// Troubles that are kept one by one.
const MAX_TROUBLES: usize = 1_000;
/// What all expanded archives of one run may come to.
const MAX_EXPANDED: usize = 512 * 1024 * 1024;

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Each report once, in the order found, with the place it was found at.
    pub reports: Vec<(String, Report)>,
    /// Those that bear the name of one of them and say something else. Which of both is true cannot be told here.
    pub contradicting: Vec<Contradicting>,
    /// How many came more than once.
    pub copies: usize,
    /// How many of all these came as mails, whose signatures nobody has checked here.
    pub by_mail: usize,
    /// What could not be read, the first thousand.
    pub troubles: Vec<Trouble>,
    /// How many more there were.
    pub more_troubles: usize,
    seen: BTreeMap<(String, String), usize>,
    expanded: usize,
}

/// A report that bears the name of another and says something else: one of both may be forged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradicting {
    /// Where it was found.
    pub place: String,
    /// Where the one lies that was found first.
    pub first: String,
    /// What it says.
    pub report: Report,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which file, and which message in it.
    pub place: String,
    /// Why.
    pub why: String,
    /// Whether the place could not be read at all, so that nobody knows what lies there.
    pub unreadable: bool,
    /// The SHA-256 of what may be a report, in hexadecimal digits; `None` of mail that holds none.
    pub report: Option<String>,
}

impl Gathered {
    /// Reads a file (report, gzip, mail, mbox) or a directory (a maildir, or one of such files) into it.
    pub fn add_path(&mut self, path: &Path) {
        let place = path.display().to_string();
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => self.add_directory(path),
            Ok(found) if found.len() > MAX_FILE => {
                self.unreadable(&place, &io::Error::other("larger than 256 MiB"));
            }
            Ok(_) => match files::read::open(path).and_then(read_bounded) {
                Ok(octets) => self.add(&place, &octets),
                Err(error) => self.unreadable(&place, &error),
            },
            Err(error) => self.unreadable(&place, &error),
        }
    }

    /// The same for what comes from a reader, such as standard input.
    pub fn add_from(&mut self, place: &str, reader: impl Read) {
        match read_bounded(reader) {
            Ok(octets) => self.add(place, &octets),
            Err(error) => self.unreadable(place, &error),
        }
    }

    fn add_directory(&mut self, path: &Path) {
        // A maildir keeps messages in `new` and `cur`; what lies in `tmp` is not delivered yet.
        let parts: Vec<PathBuf> = ["new", "cur"].iter().map(|p| path.join(p)).collect();
        let is_maildir = parts.iter().all(|part| part.is_dir());
        let directories = if is_maildir {
            parts
        } else {
            vec![path.to_owned()]
        };
        for directory in directories {
            match files_in(&directory) {
                Ok(files) => files.iter().for_each(|file| self.add_path(file)),
                Err(error) => self.unreadable(&directory.display().to_string(), &error),
            }
        }
    }

    fn add(&mut self, place: &str, octets: &[u8]) {
        if octets.trim_ascii().is_empty() {
            return self.trouble(place, "empty");
        }
        let octets = mail::without_blank_lines(octets);
        if mail::is_mbox(octets) {
            for (message, number) in mail::mbox(octets).zip(1_u64..) {
                self.add_mail(&format!("{place}, message {number}"), &message);
            }
        } else if wrapping::may_be_report(octets) {
            self.add_report(place, octets, false);
        } else {
            self.add_mail(place, octets);
        }
    }

    fn add_mail(&mut self, place: &str, octets: &[u8]) {
        if octets.len() > mail::MAX_OCTETS {
            return self.trouble(place, "a message longer than 16 MiB holds no TLS report");
        }
        match mail::attachments(octets) {
            None => {
                self.no_report(
                    place,
                    "neither a TLS report (JSON, gzip) nor a mail",
                    octets,
                );
            }
            Some(parts) if parts.is_empty() => {
                self.trouble(place, "a mail without a TLS report in it");
            }
            Some(parts) => {
                let before = self.came();
                for part in &parts {
                    if part.octets.is_empty() {
                        let why = "it says that it is a TLS report, and there is none in it";
                        self.no_report(place, why, octets);
                    } else {
                        self.add_report(place, &part.octets, part.is_named);
                    }
                }
                let new = self.came().saturating_sub(before);
                self.by_mail = self.by_mail.saturating_add(new);
            }
        }
    }

    /// How many reports came, copies included.
    fn came(&self) -> usize {
        let different = self.reports.len().saturating_add(self.contradicting.len());
        different.saturating_add(self.copies)
    }

    /// What may be a report; `is_named` if it says that it is one.
    fn add_report(&mut self, place: &str, octets: &[u8], is_named: bool) {
        let whole = octets;
        let octets = &*wrapping::unwrapped(octets);
        let expanded = if archive::is_gzip(octets) {
            if self.expanded > MAX_EXPANDED {
                let why = "not looked into: the archives before it came to 512 MiB already";
                return self.keep(place, why.to_owned(), true, None);
            }
            match archive::expand_twice(octets, report::MAX_OCTETS) {
                Ok(expanded) => expanded,
                Err(why) => {
                    // It took as long as a good one: those that come to nothing are bounded, too.
                    self.expanded = self.expanded.saturating_add(why.expanded());
                    return self.no_report(place, why.to_string(), whole);
                }
            }
        } else {
            octets.to_vec()
        };
        self.expanded = self.expanded.saturating_add(expanded.len());
        if !is_named && wrapping::is_markup(&expanded) {
            return self.trouble(place, "XML, as DMARC reports are, and no TLS report");
        }
        for report in Report::parse_all(&expanded) {
            match report {
                Ok(report) => self.add_one(place, report),
                Err(why) => self.no_report(place, why.to_string(), whole),
            }
        }
    }

    fn add_one(&mut self, place: &str, report: Report) {
        let name = (report.organisation.to_lowercase(), report.id.clone());
        let known = self.seen.get(&name).and_then(|at| self.reports.get(*at));
        match known {
            Some((_, first)) if *first == report => self.copies = self.copies.saturating_add(1),
            // The same name for something else: without a name it is simply another report.
            Some((first_place, _)) if !report.id.is_empty() => {
                let first = first_place.clone();
                self.contradicting.push(Contradicting {
                    place: place.to_owned(),
                    first,
                    report,
                });
            }
            _ => {
                self.seen.entry(name).or_insert(self.reports.len());
                self.reports.push((place.to_owned(), report));
            }
        }
    }

    fn trouble(&mut self, place: &str, why: impl Into<String>) {
        self.keep(place, why.into(), false, None);
    }

    /// What may be a report, and cannot be read as one.
    fn no_report(&mut self, place: &str, why: impl Into<String>, octets: &[u8]) {
        let digest = ring::digest::digest(&ring::digest::SHA256, octets);
        let digest = data_encoding::HEXLOWER.encode(digest.as_ref());
        self.keep(place, why.into(), false, Some(digest));
    }

    fn unreadable(&mut self, place: &str, error: &io::Error) {
        self.keep(place, error.to_string(), true, None);
    }

    /// What could not be read at all is kept whatever came before it: it decides whether anything is known.
    fn keep(&mut self, place: &str, why: String, unreadable: bool, report: Option<String>) {
        if self.troubles.len() >= MAX_TROUBLES && !unreadable {
            self.more_troubles = self.more_troubles.saturating_add(1);
            return;
        }
        self.troubles.push(Trouble {
            place: place.to_owned(),
            why,
            unreadable,
            report,
        });
    }
}

/// The regular files of a directory by name, so that every run reads them in the same order.
fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // Links are not followed: a mailbox is written to by others.
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
        if files.len() > MAX_FILES {
            return Err(io::Error::other("more than 100,000 files"));
        }
    }
    files.sort();
    Ok(files)
}

fn read_bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    reader
        .take(MAX_FILE.saturating_add(1))
        .read_to_end(&mut octets)?;
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) > MAX_FILE {
        return Err(io::Error::other("larger than 256 MiB"));
    }
    Ok(octets)
}
