//! `record`: TLSA data of certificates, requests and keys, one line each (RFC 6698 §2.1, RFC 7671 §5.1).

use super::document::Schema;
use super::format::{Format, TextOrJson};
use super::{Exit, Failure};
use crate::dane::association::Parameters;
use crate::dane::subject::{self, Subject};
use crate::files::read;
use crate::rotation::association::Association;
use crate::rotation::timing::Ttl;
use crate::zone::name::Name;
use clap::Args;
use serde::Serialize;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Arguments of `record`.
#[derive(Debug, Args)]
#[command(after_help = "\
A file is PEM or DER: a certificate, a chain (its first certificate counts; each next one must have issued the one \
before), a PKCS#10 request, a public key or an unencrypted private key, at most 1 MiB. Certificates in one file that \
are no chain give one line each. A private key beside its own certificate gives no line of its own.

The digest is that of the octets as they stand in the certificate.

Examples:
  tlsa-rotate record /etc/mail/tls/fullchain.pem
  tlsa-rotate record next.pem --host mx1.example.com --ttl 3600
  openssl s_client -starttls smtp -connect mx1.example.com:25 </dev/null | tlsa-rotate record -")]
pub(crate) struct RecordArgs {
    /// Certificates, chains, requests or keys; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print whole zone lines for this host
    #[arg(long, value_name = "NAME", value_parser = host)]
    host: Option<Name>,
    /// The port of the owner name
    #[arg(long, value_name = "PORT", default_value_t = 25, requires = "host", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The transport of the owner name
    #[arg(long, value_name = "NAME", default_value = "tcp", requires = "host", value_parser = ["tcp", "udp", "sctp"])]
    proto: String,
    /// The TTL in zone lines, in seconds [default: none, the zone's $TTL counts]
    #[arg(long, value_name = "SECONDS", requires = "host", value_parser = clap::value_parser!(u32).range(..=0x7fff_ffff))]
    ttl: Option<u32>,
    /// Certificate usage: 3 DANE-EE, 2 DANE-TA, 1 PKIX-EE, 0 PKIX-TA
    #[arg(long, value_name = "0-3", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    usage: u8,
    /// Selector: 1 public key, 0 whole certificate
    #[arg(long, value_name = "0-1", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=1))]
    selector: u8,
    /// Matching type: 1 SHA-256, 2 SHA-512, 0 exact
    #[arg(long, value_name = "0-2", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    matching: u8,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

#[derive(Serialize)]
struct Document {
    records: Vec<Entry>,
    errors: Vec<FileError>,
}

#[derive(Serialize)]
struct Entry {
    file: String,
    subject: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<Ttl>,
    record: Association,
    line: String,
}

#[derive(Serialize)]
struct FileError {
    file: String,
    error: String,
}

pub(crate) fn run(args: &RecordArgs) -> Result<Exit, Failure> {
    let parameters =
        Parameters::new(args.usage, args.selector, args.matching).map_err(Failure::wrong)?;
    let owner = owner(args)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut document = Document {
        records: Vec::new(),
        errors: Vec::new(),
    };
    let mut failed = false;
    for file in &args.files {
        match entries(file, parameters, owner.as_ref(), args.ttl) {
            Ok(found) if args.format.0 == TextOrJson::Text => {
                for entry in &found {
                    writeln!(out, "{}", entry.line)?;
                }
            }
            Ok(found) => document.records.extend(found),
            Err(error) => {
                failed = true;
                // What came before goes out before the error does: in a terminal both stand in the order of the files.
                out.flush()?;
                eprintln!("error: {}: {error}", shown(file));
                document.errors.push(FileError {
                    file: shown(file),
                    error,
                });
            }
        }
    }
    if args.format.0 == TextOrJson::Json {
        Schema::Record.write(&mut out, &document)?;
    }
    out.flush()?;
    Ok(if failed { Exit::Wrong } else { Exit::Done })
}

fn entries(
    file: &Path,
    parameters: Parameters,
    owner: Option<&Name>,
    ttl: Option<u32>,
) -> Result<Vec<Entry>, String> {
    let octets = read_bounded(file).map_err(|e| e.to_string())?;
    let subjects = subject::read(&octets).map_err(|e| e.to_string())?;
    let mut found = Vec::with_capacity(subjects.len());
    for subject in &subjects {
        let record = parameters.associate(subject).map_err(|e| e.to_string())?;
        let line = match (owner, ttl) {
            (None, _) => record.to_string(),
            (Some(owner), None) => format!("{owner} IN TLSA {record}"),
            (Some(owner), Some(ttl)) => format!("{owner} {ttl} IN TLSA {record}"),
        };
        found.push(Entry {
            file: shown(file),
            subject: subject.kind(),
            owner: owner.map(ToString::to_string),
            ttl: ttl.map(Ttl),
            record,
            line,
        });
    }
    notes(file, &subjects, parameters);
    Ok(found)
}

fn notes(file: &Path, subjects: &[Subject], parameters: Parameters) {
    if subjects.len() > 1 {
        eprintln!(
            "note: {}: {} subjects that are no chain, one line each",
            shown(file),
            subjects.len()
        );
    }
    for subject in subjects {
        if let Subject::Certificate(certificate) = subject
            && matches!(parameters.usage(), 0 | 2)
            && !certificate.is_ca()
        {
            eprintln!(
                "note: {}: usage {} names an issuer, and `{}` is not a CA's certificate: no host will match",
                shown(file),
                parameters.usage(),
                certificate.subject_text()
            );
        }
    }
}

/// At most one octet more than is allowed, so that endless input is refused and not read.
pub(super) fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return read::beginning(file, subject::MAX_OCTETS);
    }
    let limit = u64::try_from(subject::MAX_OCTETS)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut octets = Vec::new();
    io::stdin().lock().take(limit).read_to_end(&mut octets)?;
    Ok(octets)
}

pub(super) fn shown(file: &Path) -> String {
    if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}

fn owner(args: &RecordArgs) -> Result<Option<Name>, Failure> {
    let Some(host) = &args.host else {
        return Ok(None);
    };
    host.child(format!("_{}", args.proto).as_bytes())
        .and_then(|name| name.child(format!("_{}", args.port).as_bytes()))
        .map(Some)
        .map_err(|e| Failure::wrong(format_args!("--host {host}: {e}")))
}

/// A host name, absolute with or without its final dot, of letters, digits, hyphens and underscores.
pub(super) fn host(text: &str) -> Result<Name, String> {
    let name =
        Name::parse(text.as_bytes(), Some(&Name::root())).map_err(|error| error.to_string())?;
    if !text.is_ascii() {
        return Err("not ASCII: give the name in its `xn--` form".to_owned());
    }
    let plain = |label: &[u8]| {
        label
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if name.label_count() == 0 || !name.labels().all(plain) {
        return Err("not a host name (letters, digits, `-` and `_` between dots)".to_owned());
    }
    Ok(name)
}
