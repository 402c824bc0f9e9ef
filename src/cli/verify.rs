//! `verify`: a destination as a DANE-validating sender sees it now, one verdict for each host, address and algorithm.

use super::format::Format;
use super::record::{host, read_bounded, shown};
use super::{Exit, Failure, Global, verify_json, verify_nagios, verify_view};
use crate::observe::anchors::Anchors;
use crate::observe::authorities::Limits;
use crate::observe::chain::Validator;
use crate::observe::resolver::{self, Resolvers};
use crate::observe::senders_view::{self, Families, Overrides, Sender, Tlsa};
use crate::observe::smtp::Caller;
use crate::observe::wait_for;
use crate::workflow::verdict::Standing;
use crate::workflow::verify::{self, Bounds, Question, Verification};
use crate::workflow::zone_servers::{self, ZoneServers};
use crate::workspace::config::duration;
use crate::zone::name::Name;
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long one resolver may take over one question.
const PATIENCE: Duration = Duration::from_secs(6);
/// Questions to resolvers, and conversations with mail hosts, under way at once.
const AT_ONCE: usize = 64;
/// Why nothing is verified of an address.
const ADDRESS: &str = "an address has no TLSA records: give the host's name, and its address with --resolve NAME=ADDR";

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
A name without a port is a domain: its MX hosts are verified, or itself if it has none. With a port, or in brackets, it \
is a host. DNSSEC is validated here, from the root's keys down; the resolver is asked and not trusted. Nothing is sent \
to mail hosts but EHLO, STARTTLS and QUIT.

Exit code 0: every host, address and algorithm is verified. 4: delivery is at risk, a validating sender would refuse or \
defer somewhere. 1: not verified, without such a risk: something could not be told, has no TLSA records, or takes no mail. With \
--format nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.")]
pub(crate) struct VerifyArgs {
    /// Domains (`example.com`) and hosts (`mx1.example.com:25`, `[mx1.example.com]`)
    #[arg(value_name = "DOMAIN|HOST[:PORT]", required = true, value_parser = question)]
    targets: Vec<Question>,
    /// The resolver to ask [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = server)]
    resolver: Vec<SocketAddr>,
    /// DS or DNSKEY lines to trust instead of the root's keys
    #[arg(long, value_name = "FILE")]
    trust_anchor: Option<PathBuf>,
    /// An address to take for a host instead of looking it up; repeat it for more
    #[arg(long, value_name = "NAME=ADDR[:PORT]", value_parser = overridden)]
    resolve: Vec<(Name, IpAddr, Option<u16>)>,
    /// Connect from this address
    #[arg(long, value_name = "ADDR")]
    via: Option<IpAddr>,
    /// Ask every authoritative server of the zones that hold the TLSA records, too: who is lame, stale or wrong
    #[arg(long)]
    authorities: bool,
    /// IPv4 addresses only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// IPv6 addresses only
    #[arg(short = '6', long)]
    ipv6: bool,
    /// How long everything may take (`90`, `90s`, `10m`): a server that defers (4yz) is asked again for that long; the time
    /// that greetings took, if they come by then, is added
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = span)]
    timeout: Duration,
    #[command(flatten)]
    format: Format<VerifyFormat>,
}

/// What `verify` prints.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum VerifyFormat {
    /// For people.
    Text,
    /// For programs; carries a `schema` key.
    Json,
    /// One line and an exit code for Nagios and its kin.
    Nagios,
}

pub(crate) fn run(args: &VerifyArgs, global: &Global) -> Result<Exit, Failure> {
    let servers = resolvers(&args.resolver)?;
    let anchors = anchors(args.trust_anchor.as_deref())?;
    let now = global.now();
    let sender = Arc::new(Sender {
        validator: Validator::new(
            Resolvers::new(servers, patience(args.timeout), AT_ONCE),
            anchors,
            now,
        ),
        overrides: overrides(args),
        families: match (args.ipv4, args.ipv6) {
            (true, _) => Families::Four,
            (_, true) => Families::Six,
            _ => Families::Both,
        },
    });
    let caller = Caller {
        via: args.via,
        ..Caller::within(args.timeout)
    };
    let bounds = Bounds {
        conversations: AT_ONCE,
        overall: args.timeout,
    };
    let (found, zones) = wait_for(async {
        let found = verify::verify(&args.targets, &sender, &caller, now, bounds).await;
        let zones = if args.authorities {
            let names = tlsa_names(&found);
            zone_servers::look(
                &sender.validator,
                &names,
                now,
                Limits::default(),
                args.timeout,
            )
            .await
        } else {
            Vec::new()
        };
        (found, zones)
    })
    .map_err(|e| Failure::wrong(format_args!("nothing can be asked over the network: {e}")))?;
    let mut out = super::stdout();
    let standing = found.iter().map(Verification::standing);
    let standing = standing
        .chain(zones.iter().map(ZoneServers::standing))
        .max();
    let standing = standing.unwrap_or(Standing::Unknown);
    match args.format.0 {
        VerifyFormat::Json => verify_json::json(&found, &zones, standing, &mut out)?,
        VerifyFormat::Nagios => verify_nagios::nagios(&found, standing, &mut out)?,
        VerifyFormat::Text => verify_view::text(&found, &zones, &mut out)?,
    }
    Ok(match (args.format.0, standing) {
        (_, Standing::Verified) => Exit::Done,
        (VerifyFormat::Nagios, Standing::AtRisk) => Exit::NagiosCritical,
        (VerifyFormat::Nagios, Standing::Unknown) => Exit::PersonNeeded,
        (_, Standing::AtRisk) => Exit::DeliveryAtRisk,
        (_, Standing::Unknown | Standing::Unprotected | Standing::NoMail) => Exit::Wrong,
    })
}

/// Where the TLSA records of all hosts are looked for.
fn tlsa_names(found: &[Verification]) -> BTreeSet<Name> {
    let hosts = found.iter().flat_map(|verification| &verification.hosts);
    let owners = hosts.filter_map(|seen| match seen.host.as_ref().map(|host| &host.tlsa) {
        Some(Tlsa::Published { owner, .. }) => Some(owner.clone()),
        _ => senders_view::owner(&seen.name, seen.port),
    });
    // A domain whose MX cannot be told leads to no host: its own zone is what must be looked at.
    let lost = found
        .iter()
        .filter(|verification| verification.hosts.is_empty());
    owners
        .chain(lost.map(|verification| verification.question.name.clone()))
        .collect()
}

/// A resolver must be given up while there is time left to say that it was silent.
fn patience(overall: Duration) -> Duration {
    let third = Duration::from_millis(u64::try_from(overall.as_millis()).unwrap_or(u64::MAX) / 3);
    PATIENCE.min(third)
}

/// The resolvers given, or those of the system.
pub(super) fn resolvers(given: &[SocketAddr]) -> Result<Vec<SocketAddr>, Failure> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    resolver::of_system().map_err(|why| Failure::wrong(why).hint("name one with --resolver ADDR"))
}

/// The anchors of a file, or the root's.
pub(super) fn anchors(file: Option<&Path>) -> Result<Anchors, Failure> {
    let Some(file) = file else {
        return Ok(Anchors::root());
    };
    let octets =
        read_bounded(file).map_err(|e| Failure::wrong(format_args!("{}: {e}", shown(file))))?;
    let name = shown(file);
    Anchors::read(&name, &octets).map_err(|e| Failure::wrong(format_args!("{name}: {e}")))
}

fn overrides(args: &VerifyArgs) -> Overrides {
    let mut overrides = Overrides::new();
    for (name, address, port) in &args.resolve {
        let asked = args.targets.iter().find(|question| question.name == *name);
        let usual = asked.and_then(|question| question.port).unwrap_or(25);
        let address = SocketAddr::new(*address, port.unwrap_or(usual));
        overrides.entry(name.clone()).or_default().push(address);
    }
    overrides
}

/// `example.com`, `mx1.example.com:25`, `[mx1.example.com]`, `[mx1.example.com]:25`.
fn question(text: &str) -> Result<Question, String> {
    if is_address(text) {
        return Err(ADDRESS.to_owned());
    }
    let (bare, port) = match text.rsplit_once(':') {
        Some((bare, port)) => (bare, Some(port)),
        None => (text, None),
    };
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port)) if port > 0 => Some(port),
        Some(_) => return Err("the port is not a number from 1 to 65535".to_owned()),
    };
    if is_address(bare) {
        return Err(ADDRESS.to_owned());
    }
    let bracketed = in_brackets(bare);
    Ok(Question {
        name: host(bracketed.unwrap_or(bare))?,
        port,
        is_host: bracketed.is_some(),
    })
}

fn in_brackets(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.strip_suffix(']')
}

fn is_address(text: &str) -> bool {
    in_brackets(text).unwrap_or(text).parse::<IpAddr>().is_ok()
}

/// `192.0.2.1`, `192.0.2.1:5353`, `::1`, `[::1]:5353`.
pub(super) fn server(text: &str) -> Result<SocketAddr, String> {
    let (address, port) = address(text)?;
    Ok(SocketAddr::new(address, port.unwrap_or(53)))
}

fn address(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok((address, None));
    }
    let socket = text.parse::<SocketAddr>();
    socket
        .map(|socket| (socket.ip(), Some(socket.port())))
        .map_err(|_| {
            "not an address such as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53".to_owned()
        })
}

fn overridden(text: &str) -> Result<(Name, IpAddr, Option<u16>), String> {
    let (name, rest) = text.split_once('=').ok_or("expected NAME=ADDR")?;
    let (address, port) = address(rest)?;
    Ok((host(name)?, address, port))
}

pub(super) fn span(text: &str) -> Result<Duration, String> {
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => duration::parse(text)?.as_seconds(),
    };
    if seconds == 0 {
        return Err("no time at all".to_owned());
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_verified_is_a_domain_or_a_host_and_never_an_address() {
        #[rustfmt::skip]
        let table = [
            ("example.com", "example.com. None false"),
            ("mx.example.com:25", "mx.example.com. Some(25) false"),
            ("[mx.example.com]", "mx.example.com. None true"),
            ("[mx.example.com]:465", "mx.example.com. Some(465) true"),
            ("192.0.2.1", ADDRESS),
            ("192.0.2.1:25", ADDRESS),
            ("[192.0.2.1]", ADDRESS),
            ("2001:db8::1", ADDRESS),
            ("[2001:db8::1]", ADDRESS),
            ("[2001:db8::1]:25", ADDRESS),
            ("example.com:0", "the port is not a number from 1 to 65535"),
        ];
        for (text, expected) in table {
            let told = match question(text) {
                Ok(q) => format!("{} {:?} {}", q.name, q.port, q.is_host),
                Err(why) => why,
            };
            assert_eq!(told, expected, "{text}");
        }
    }
}
