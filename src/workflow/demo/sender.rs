//! A validating sender with a cache, as RFC 7672 §2 and §3 describe it: MX, then address, then TLSA, then STARTTLS, then the
//! judgement, and only then the mail.
//!
//! Its resolver asks the zone's servers in turn and keeps what it validated for the TTL, never longer than the signature
//! (RFC 4035 §5.3.3). It knows nothing of the machine.

use super::delivery::{self, Host, Mail, Outcome};
use crate::dnssec::verify::{verify_dnskeys, verify_rrset};
use crate::observe::dns::{self, Transport};
use crate::observe::smtp::Caller;
use crate::rotation::association::Association;
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::content::Rrset;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// The wait for one answer on loopback.
const PATIENCE: Duration = Duration::from_secs(5);

/// One sending mail server and its resolver.
#[derive(Debug)]
pub struct Sender {
    /// Its name in the demo's output.
    pub name: String,
    /// The zone it sends mail to.
    apex: Name,
    /// The parent's DS RRset for that zone: the trust anchor.
    anchor: Vec<Rdata>,
    /// Every authoritative server.
    servers: Vec<SocketAddr>,
    /// Where the hosts are reached, by name.
    hosts: BTreeMap<String, SocketAddr>,
    cache: BTreeMap<(Name, Rtype), Cached>,
    questions: usize,
}

#[derive(Clone, Debug)]
struct Cached {
    rrset: Rrset,
    until: Instant,
}

impl Sender {
    /// A sender with an empty cache whose resolver asks the `first` of the servers first.
    pub fn new(
        name: String,
        apex: Name,
        anchor: Vec<Rdata>,
        servers: Vec<SocketAddr>,
        hosts: BTreeMap<String, SocketAddr>,
        first: usize,
    ) -> Self {
        Self {
            name,
            apex,
            anchor,
            servers,
            hosts,
            cache: BTreeMap::new(),
            questions: first,
        }
    }

    /// Sends one mail to the domain at `now`, to its most preferred host.
    pub async fn send(&mut self, now: Instant) -> Outcome {
        match self.try_to_send(now).await {
            Ok(outcome) => outcome,
            Err(why) => Outcome::Deferred(why),
        }
    }

    async fn try_to_send(&mut self, now: Instant) -> Result<Outcome, String> {
        let apex = self.apex.clone();
        let host = most_preferred(&self.look_up(&apex, Rtype::MX, now).await?)?;
        // Addresses come first: an insecure address would mean that no TLSA is looked up (RFC 7672 §2.2.2).
        self.look_up(&host, Rtype::A, now).await?;
        let owner = tlsa_owner(&host)?;
        let tlsa = self.look_up(&owner, Rtype::TLSA, now).await?;
        let rrset: Vec<Association> = tlsa.rdatas.iter().filter_map(Rdata::association).collect();
        let text = host.to_string();
        let sni = text.trim_end_matches('.');
        let address = *self
            .hosts
            .get(sni)
            .ok_or_else(|| format!("{sni} has no place in the demo"))?;
        let to = format!("postmaster@{}", apex.to_string().trim_end_matches('.'));
        let from = format!("robot@{}", self.name);
        let mail = Mail {
            from: &from,
            to: &to,
            text: "Subject: a mail\n\nIs the key right?\n",
        };
        let host = Host {
            name: sni,
            address,
            rrset: &rrset,
        };
        Ok(delivery::deliver(&host, &mail, now, &Caller::default()).await)
    }

    /// A validated RRset from the cache or from the next server in turn.
    async fn look_up(&mut self, name: &Name, rtype: Rtype, now: Instant) -> Result<Rrset, String> {
        if let Some(rrset) = self.cached(name, rtype, now) {
            return Ok(rrset);
        }
        let count = self.servers.len().max(1);
        let turn = self.questions.checked_rem(count).unwrap_or_default();
        self.questions = self.questions.wrapping_add(1);
        let server = *self.servers.get(turn).ok_or("the zone has no server")?;
        let dnskeys = self.zone_keys(server, now).await?;
        let (rrset, rrsigs) = ask(server, name, rtype).await?;
        let verified = rrsigs
            .iter()
            .find_map(|rrsig| {
                verify_rrset(name, rtype, &rrset, rrsig, &dnskeys.rdatas, &self.apex, now).ok()
            })
            .ok_or_else(|| format!("{name} {rtype} from {server} is bogus"))?;
        self.keep(name, rtype, &rrset, verified.window.expiration, now);
        Ok(rrset)
    }

    async fn zone_keys(&mut self, server: SocketAddr, now: Instant) -> Result<Rrset, String> {
        let apex = self.apex.clone();
        if let Some(rrset) = self.cached(&apex, Rtype::DNSKEY, now) {
            return Ok(rrset);
        }
        let (rrset, rrsigs) = ask(server, &apex, Rtype::DNSKEY).await?;
        let verified = verify_dnskeys(&apex, &rrset, &rrsigs, &self.anchor, now)
            .map_err(|e| format!("the keys of {apex} from {server} are bogus: {e}"))?;
        self.keep(
            &apex,
            Rtype::DNSKEY,
            &rrset,
            verified.window.expiration,
            now,
        );
        Ok(rrset)
    }

    fn cached(&self, name: &Name, rtype: Rtype, now: Instant) -> Option<Rrset> {
        let cached = self.cache.get(&(name.clone(), rtype))?;
        (now < cached.until).then(|| cached.rrset.clone())
    }

    fn keep(&mut self, name: &Name, rtype: Rtype, rrset: &Rrset, expires: Instant, now: Instant) {
        let until = (now + rrset.ttl.span()).min(expires);
        self.cache.insert(
            (name.clone(), rtype),
            Cached {
                rrset: rrset.clone(),
                until,
            },
        );
    }
}

/// One question; the RRset of the answer and its signatures.
async fn ask(server: SocketAddr, name: &Name, rtype: Rtype) -> Result<(Rrset, Vec<Rdata>), String> {
    let mut reply = dns::ask(server, Transport::Udp, name, rtype, PATIENCE).await;
    if reply.as_ref().is_ok_and(|reply| reply.truncated) {
        reply = dns::ask(server, Transport::Tcp, name, rtype, PATIENCE).await;
    }
    let reply = reply.map_err(|e| format!("{server}: {e}"))?;
    let of_type = |wanted: Rtype| {
        let named = reply.answers.iter().filter(|record| record.owner == *name);
        named
            .filter(move |record| record.rtype == wanted)
            .collect::<Vec<&Record>>()
    };
    let records = of_type(rtype);
    let ttl = records
        .iter()
        .map(|record| record.ttl)
        .min()
        .unwrap_or(Ttl(0));
    let rdatas: Vec<Rdata> = records.iter().map(|record| record.rdata.clone()).collect();
    if rdatas.is_empty() {
        return Err(format!("{server} has no {name} {rtype}"));
    }
    let rrsigs = of_type(Rtype::RRSIG)
        .into_iter()
        .map(|record| record.rdata.clone())
        .collect();
    Ok((Rrset { ttl, rdatas }, rrsigs))
}

fn most_preferred(mx: &Rrset) -> Result<Name, String> {
    let exchanges = mx.rdatas.iter().filter_map(|rdata| {
        let (preference, exchange) = rdata.0.split_at_checked(2)?;
        Some((preference.to_vec(), Name::split_wire(exchange).ok()?.0))
    });
    let best = exchanges.min_by(|a, b| a.0.cmp(&b.0));
    best.map(|(_, exchange)| exchange)
        .ok_or_else(|| "the MX RRset has no exchange".to_owned())
}

fn tlsa_owner(host: &Name) -> Result<Name, String> {
    let below = host.child(b"_tcp").and_then(|name| name.child(b"_25"));
    below.map_err(|e| e.to_string())
}
