//! `serve`: signed zones from their files, over UDP and TCP, until a signal ends it.

use super::{Exit, Failure, Format, Global};
use crate::publish::serve::served::ServedZone;
use crate::publish::serve::server::{Server, Transfers};
use crate::rotation::timing::Instant;
use crate::zone::file::ZoneFile;
use crate::zone::include::Directory;
use crate::zone::name::Name;
use serde::Serialize;
use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Serves zones that are signed already; SIGHUP reads the files again, SIGTERM and SIGINT end it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A zone and its signed master file; once for each zone
    #[arg(long = "zone", value_name = "NAME=FILE", required = true, value_parser = zone_argument)]
    zones: Vec<ZoneArgument>,
    /// Where to listen, over UDP and TCP; port 0 takes a free one and says which
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5353")]
    listen: SocketAddr,
    /// A secondary that may transfer the zones; this machine always may
    #[arg(long, value_name = "ADDRESS")]
    allow_transfer: Vec<IpAddr>,
    /// Serve zones as they are, signed or not, valid or not
    #[arg(long)]
    unsigned: bool,
}

#[derive(Clone, Debug)]
struct ZoneArgument {
    apex: Name,
    file: PathBuf,
}

fn zone_argument(text: &str) -> Result<ZoneArgument, String> {
    let (name, file) = text
        .split_once('=')
        .filter(|(name, file)| !name.is_empty() && !file.is_empty())
        .ok_or("expected a zone and a file, such as example.com=example.com.signed")?;
    // On a command line every zone name is absolute.
    let apex = Name::parse(name.as_bytes(), Some(&Name::root())).map_err(|e| e.to_string())?;
    Ok(ZoneArgument {
        apex,
        file: file.into(),
    })
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let zones = args
        .zones
        .iter()
        .map(|zone| read(zone, args.unsigned, global.now()))
        .collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::wrong(format_args!("cannot start: {e}")))?;
    runtime.block_on(serve(args, global, zones))
}

/// Reads one zone and makes it ready.
fn read(zone: &ZoneArgument, unsigned: bool, now: Instant) -> Result<Arc<ServedZone>, Failure> {
    let shown = zone.file.display();
    let bytes = std::fs::read(&zone.file)
        .map_err(|e| Failure::wrong(format_args!("cannot read {shown}: {e}")))?;
    let below = zone.file.parent().unwrap_or(Path::new(""));
    let path = shown.to_string();
    let file = ZoneFile::read(&path, bytes, Some(&zone.apex), &Directory::below(below));
    let content = file.zone().map_err(Failure::wrong)?;
    let served = if unsigned {
        ServedZone::unverified(content)
    } else {
        ServedZone::verified(content, now)
    };
    served.map(Arc::new).map_err(|why| {
        let failure = Failure::wrong(format_args!("{shown}: {why}"));
        if why.is_about_signatures() {
            failure
                .hint("sign it first: `tlsa-rotate zone sign`, dnssec-signzone or ldns-signzone")
                .hint("`--unsigned` serves it as it is")
        } else {
            failure
        }
    })
}

async fn serve(args: &Args, global: &Global, zones: Vec<Arc<ServedZone>>) -> Result<Exit, Failure> {
    let mut hang_up = on(SignalKind::hangup())?;
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    let transfers = Transfers {
        to: args.allow_transfer.clone(),
    };
    let server = Server::start(args.listen, transfers).await.map_err(|e| {
        Failure::wrong(e)
            .hint("another server may listen there: `--listen` takes another address or port")
    })?;
    let mut serials = Vec::new();
    for zone in zones {
        eprintln!("serving {} serial {}", zone.apex(), zone.serial());
        serials.push(zone.serial());
        server.publish(zone);
    }
    announce(server.local_addr(), global.format)?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                for (zone, serial) in args.zones.iter().zip(&mut serials) {
                    reload(zone, serial, args.unsigned, global.now(), &server);
                }
            }
        }
    }
    eprintln!("ending");
    server.shutdown().await;
    Ok(Exit::Done)
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|e| Failure::wrong(format_args!("cannot wait for signals: {e}")))
}

/// The address on stdout: with port 0 a script must learn it, and it means that questions are answered from now on.
fn announce(address: SocketAddr, format: Format) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Listening {
        schema: &'static str,
        listening: SocketAddr,
    }
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => {
            let listening = Listening {
                schema: "tlsa-rotate/serve/v1",
                listening: address,
            };
            let line = serde_json::to_string(&listening).map_err(Failure::wrong)?;
            writeln!(out, "{line}")?;
        }
        _ => writeln!(out, "listening on {address}")?,
    }
    Ok(out.flush()?)
}

/// Exchanges one zone for what its file holds now, or keeps it when that is not fit to be served.
fn reload(zone: &ZoneArgument, serial: &mut u32, unsigned: bool, now: Instant, server: &Server) {
    match read(zone, unsigned, now) {
        Ok(new) => {
            let note = Advance(*serial, new.serial());
            eprintln!("serving {} serial {} {note}", new.apex(), new.serial());
            *serial = new.serial();
            server.publish(new);
        }
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            eprintln!("keeping serial {serial} of {}", zone.apex);
        }
    }
}

/// From one serial to another, as secondaries see it (RFC 1982 §3.2).
struct Advance(u32, u32);

impl fmt::Display for Advance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(old, new) = self;
        match new.wrapping_sub(*old) {
            0 => f.write_str("(as before: secondaries will not fetch it)"),
            1..0x8000_0000 => write!(f, "(was {old})"),
            _ => write!(f, "(was {old}: a step back, secondaries will not fetch it)"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_zone_argument_is_a_name_and_a_file() {
        let good = zone_argument("example.com=a=b.zone").unwrap();
        assert_eq!(good.apex.to_string(), "example.com.");
        assert_eq!(good.file, Path::new("a=b.zone"));
        for bad in ["", "example.com", "=file", "example.com=", "a..b=file"] {
            zone_argument(bad).expect_err(bad);
        }
    }

    #[test]
    fn a_serial_that_does_not_advance_is_said() {
        let table = [
            (1, 2, "(was 1)"),
            (7, 7, "(as before: secondaries will not fetch it)"),
            (2, 1, "(was 2: a step back, secondaries will not fetch it)"),
            (u32::MAX, 0, "(was 4294967295)"),
        ];
        for (old, new, expected) in table {
            assert_eq!(Advance(old, new).to_string(), expected);
        }
    }
}
