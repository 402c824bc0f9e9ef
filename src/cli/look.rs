//! `look`: what mail hosts present, seen from here; what a runner elsewhere asks by a `[[vantage]]`.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::verify::span;
use crate::dane::certificate::Certificate;
use crate::observe::probe::{Answer, Sighting};
use crate::observe::vantage::{LARGEST_REQUEST, LONGEST, Report, Request};
use crate::rotation::observation::{Endpoint, Seen};
use crate::workflow::look_from::{self, Named};
use clap::Args;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What mail hosts present, seen from here: every chain, for RSA and for ECDSA. Needs no workspace
#[derive(Debug, Args)]
#[command(after_help = "\
Without places, a request is read from standard input and answered in JSON: so a runner elsewhere asks, whose \
configuration has [[vantage]] command = [\"ssh\", \"probe1\", \"tlsa-rotate\", \"look\"]. Nothing is sent to mail hosts but \
EHLO, STARTTLS and QUIT.

Exit code 0: it was looked, whatever was seen. 1: the request cannot be answered.")]
pub(crate) struct Look {
    /// Where to look (`mx1.example.com:25`, `mx1.example.com:25@192.0.2.25`); without an address, at those in DNS
    #[arg(value_name = "HOST:PORT[@ADDRESS]", value_parser = named)]
    places: Vec<Named>,
    /// Connections to each address for each algorithm: there may be several servers behind it
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=12))]
    connections: u8,
    /// How long everything may take (`45`, `45s`, `2m`)
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = span)]
    timeout: Duration,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Look) -> Result<Exit, Failure> {
    let mut out = super::stdout();
    if args.places.is_empty() {
        let mut octets = Vec::new();
        let most = LARGEST_REQUEST.saturating_add(1);
        let read = io::stdin().lock().take(most).read_to_end(&mut octets);
        read.map_err(|e| Failure::wrong(format_args!("standard input: {e}")))?;
        let request = Request::read(&octets).map_err(|error| {
            Failure::wrong(error)
                .hint("name places, such as mx1.example.com:25, to look at them yourself")
        })?;
        let seen = look_from::answer(&request).map_err(|error| no_network(&error))?;
        let report = Report::of(Some(request.nonce), &seen);
        Schema::Look.write_line(&mut out, report)?;
    } else {
        let within = args.timeout.min(LONGEST);
        let looked = look_from::look(&args.places, args.connections, within);
        let (seen, lost) = looked.map_err(|error| no_network(&error))?;
        match args.format.0 {
            TextOrJson::Json => Schema::Look.write(&mut out, Report::of(None, &seen))?,
            TextOrJson::Text => text(&seen, &mut out)?,
        }
        for (endpoint, why) in lost {
            eprintln!("note: {endpoint}: {why}");
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn no_network(error: &io::Error) -> Failure {
    Failure::wrong(format_args!(
        "nothing can be asked over the network: {error}"
    ))
}

/// One line for each place, algorithm, and thing met there, with the connections that met it.
fn text(seen: &[Sighting], out: &mut impl Write) -> io::Result<()> {
    for sighting in seen {
        let mut met: BTreeMap<String, usize> = BTreeMap::new();
        for answer in &sighting.answers {
            let count = met.entry(told(answer)).or_default();
            *count = count.saturating_add(1);
        }
        let (endpoint, address) = (&sighting.endpoint, sighting.address);
        for (what, count) in met {
            let algorithm = sighting.algorithm.to_string();
            writeln!(out, "{endpoint} {address} {algorithm:5} {count} × {what}")?;
        }
    }
    Ok(())
}

fn told(answer: &Seen<Answer>) -> String {
    match answer {
        Seen::Known(Answer::NotOffered) => "not offered".to_owned(),
        Seen::Unknown(why) => format!("unknown: {why}"),
        Seen::Known(Answer::Chain(chain)) => {
            match chain.first().map(|der| Certificate::from_der(der)) {
                Some(Ok(leaf)) => format!("{} until {}", leaf.spki_association(), leaf.not_after()),
                Some(Err(error)) => format!("unknown: the presented leaf: {error}"),
                None => "unknown: no certificate was presented".to_owned(),
            }
        }
    }
}

/// `mx1.example.com:25`, `mx1.example.com:25@192.0.2.25`, `mx1.example.com:25@[2001:db8::25]:2525`.
fn named(text: &str) -> Result<Named, String> {
    let (place, address) = match text.split_once('@') {
        Some((place, address)) => (place, Some(address)),
        None => (text, None),
    };
    let expected = "expected HOST:PORT, such as mx1.example.com:25";
    let (host, port) = place.rsplit_once(':').ok_or(expected)?;
    let port = port.parse::<u16>().ok().filter(|port| *port > 0);
    let port = port.ok_or("the port is not a number from 1 to 65535")?;
    let host = super::record::host(host)?;
    let address = address.map(|address| {
        let ip = address.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port));
        ip.or_else(|_| address.parse::<SocketAddr>())
            .map_err(|_| format!("`{address}` is not an address such as 192.0.2.25, 192.0.2.25:2525 or [2001:db8::25]:2525"))
    });
    Ok(Named {
        endpoint: Endpoint {
            host: host.to_string().trim_end_matches('.').to_ascii_lowercase(),
            port,
        },
        address: address.transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_port_and_perhaps_an_address() {
        #[rustfmt::skip]
        let table = [
            ("MX1.example.com:25", "mx1.example.com:25 None"),
            ("mx1.example.com:25@192.0.2.25", "mx1.example.com:25 Some(192.0.2.25:25)"),
            ("mx1.example.com:25@192.0.2.25:2525", "mx1.example.com:25 Some(192.0.2.25:2525)"),
            ("mx1.example.com:465@2001:db8::1", "mx1.example.com:465 Some([2001:db8::1]:465)"),
            ("mx1.example.com:25@[2001:db8::1]:26", "mx1.example.com:25 Some([2001:db8::1]:26)"),
            ("mx1.example.com", "expected HOST:PORT, such as mx1.example.com:25"),
            ("mx1.example.com:0", "the port is not a number from 1 to 65535"),
            ("mx1.example.com:25@nowhere", "`nowhere` is not an address such as 192.0.2.25, 192.0.2.25:2525 or [2001:db8::25]:2525"),
        ];
        for (text, expected) in table {
            let told = match named(text) {
                Ok(place) => format!("{} {:?}", place.endpoint, place.address),
                Err(why) => why,
            };
            assert_eq!(told, expected, "{text}");
        }
    }
}
