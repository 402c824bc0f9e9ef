//! What a DANE-validating mail sender makes of a destination before it connects: which hosts, at which addresses, by
//! which TLSA records (RFC 7672 §2 and §3, RFC 7671 §6 and §7, RFC 7505).
//!
//! The order is the sender's: MX, then addresses, then TLSA, and TLSA only below names whose addresses are secure. A
//! lookup that fails is never "no record".

use super::chain::{Alias, Answer, Content, NoAnswer, Security, Source, Validator};
use super::extended_error::{ExtendedError, Flaw};
use super::host_name;
pub use super::no_tlsa::NoTlsa;
use crate::rotation::association::Association;
use crate::rotation::timing::Ttl;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// MX hosts that are looked at; no honest domain has as many.
const EXCHANGES: usize = 64;
/// Addresses of one host that are looked at.
const ADDRESSES: usize = 32;

/// Where mail for a domain goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To these hosts, the preferred first.
    Exchanges {
        /// Preference and host.
        hosts: Vec<(u16, Name)>,
        /// How far the MX RRset can be trusted: only a secure one lets DANE protect the domain (RFC 7672 §2.2.1).
        security: Security,
        /// What the domain is an alias for, if it is one.
        expanded: Option<Name>,
        /// Whether a null MX stands beside them, which it must not (RFC 7505 §3): Postfix goes by that and returns the mail.
        has_null: bool,
    },
    /// To the domain's own addresses: it has no MX (RFC 5321 §5.1).
    Itself,
    /// Nowhere: a null MX says that the domain takes no mail (RFC 7505).
    NullMx,
    /// Nowhere: the domain does not exist.
    NoSuchDomain,
    /// The MX lookup fails: a sender defers.
    Unknown(NoAnswer),
}

/// One mail host as a sender sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name as the MX RRset or the user gives it.
    pub name: Name,
    /// Where it is reached.
    pub addresses: Vec<SocketAddr>,
    /// What went wrong with one of the two address lookups while the other gave addresses.
    pub address_failure: Option<NoAnswer>,
    /// What its name is an alias for, if it is one, and whether every link to there is secure.
    pub aliases: Vec<Alias>,
    /// What DANE asks for there.
    pub tlsa: Tlsa,
}

/// The TLSA records that count for a host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tlsa {
    /// Secure records.
    Published {
        /// The TLSA base domain: what SNI carries and the first name a certificate may be for (RFC 7672 §2.2.3).
        base: Name,
        /// Where the records are: below the base domain, or where an alias leads (RFC 7671 §6).
        owner: Name,
        /// The records, in canonical order.
        records: Vec<Association>,
        /// How long they may be cached.
        ttl: Ttl,
        /// The zone that signed them.
        zone: Option<Name>,
    },
    /// None that count: a sender delivers as if there were no DANE.
    None {
        /// The name SNI carries.
        base: Name,
        /// Why.
        why: NoTlsa,
    },
    /// The host cannot be used: a lookup that DANE depends on fails (RFC 7672 §2.1.2).
    Unreachable(NoAnswer),
    /// The host has no address.
    NoAddress {
        /// Whether its name exists at all.
        exists: bool,
    },
    /// Its name, or one that an alias of it or of its TLSA records leads to, is none that senders on Postfix take.
    NoHostName(Name),
}

/// Addresses given instead of looked up, by host.
pub type Overrides = BTreeMap<Name, Vec<SocketAddr>>;

/// A sender: whom it asks, and what it is told instead.
pub struct Sender<S> {
    /// Who validates.
    pub validator: Validator<S>,
    /// Addresses that need no lookup; they count as secure.
    pub overrides: Overrides,
    /// The kinds of address it can connect to.
    pub families: Families,
}

/// Kinds of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// IPv4 and IPv6.
    Both,
    /// IPv4 alone.
    Four,
    /// IPv6 alone.
    Six,
}

impl<S: Source + Send + Sync> Sender<S> {
    /// Where mail for `domain` goes.
    pub async fn destination(&self, domain: &Name) -> Destination {
        if self.overrides.contains_key(domain) {
            return Destination::Itself;
        }
        let answer = match self.validator.lookup(domain, Rtype::MX).await {
            Ok(answer) => answer,
            Err(failure) => return Destination::Unknown(failure),
        };
        if let Some(odd) = odd_alias(&answer.aliases) {
            let reason = format!(
                "the alias leads to {odd}, which is no host name (RFC 1123 §2.1): Postfix takes the answer for malformed"
            );
            let flaw = Flaw::new(ExtendedError::Other, reason);
            return Destination::Unknown(NoAnswer::Failed(flaw));
        }
        let rrset = match &answer.content {
            Content::Records(rrset) => rrset,
            Content::NoData => return Destination::Itself,
            Content::NoName => return Destination::NoSuchDomain,
        };
        let mut hosts: Vec<(u16, Name)> = rrset.rdatas.iter().filter_map(exchange).collect();
        let all = hosts.len();
        hosts.retain(|(_, host)| *host != Name::root());
        let has_null = hosts.len() < all;
        if has_null && hosts.is_empty() {
            return Destination::NullMx;
        }
        hosts.sort();
        let mut known = Vec::new();
        hosts.retain(|(_, host)| {
            let new = !known.contains(host);
            known.push(host.clone());
            new
        });
        hosts.truncate(EXCHANGES);
        Destination::Exchanges {
            hosts,
            expanded: (!answer.aliases.is_empty()).then(|| answer.name.clone()),
            security: answer.security,
            has_null,
        }
    }

    /// The host `name` on `port`: addresses first, then the TLSA records.
    pub async fn host(&self, name: &Name, port: u16) -> Host {
        if let Some(addresses) = self.overrides.get(name) {
            return Host {
                name: name.clone(),
                addresses: addresses.clone(),
                address_failure: None,
                aliases: Vec::new(),
                tlsa: self.tlsa(std::slice::from_ref(name), port).await,
            };
        }
        let lookup = |rtype, wanted: bool| async move {
            if wanted {
                Some(self.validator.lookup(name, rtype).await)
            } else {
                None
            }
        };
        let (four, six) = tokio::join!(
            lookup(Rtype::A, self.families != Families::Six),
            lookup(Rtype::AAAA, self.families != Families::Four)
        );
        let mut host = Host {
            name: name.clone(),
            addresses: Vec::new(),
            address_failure: None,
            aliases: Vec::new(),
            tlsa: Tlsa::NoAddress { exists: true },
        };
        let mut answers: Vec<Answer> = Vec::new();
        for looked_up in [four, six].into_iter().flatten() {
            match looked_up {
                Ok(answer) => answers.push(answer),
                Err(failure) => host.address_failure = Some(failure),
            }
        }
        let found = answers.iter().flat_map(Answer::rdatas).filter_map(address);
        host.addresses = found
            .map(|ip| SocketAddr::new(ip, port))
            .take(ADDRESSES)
            .collect();
        if host.addresses.is_empty()
            && let Some(failure) = &host.address_failure
        {
            host.tlsa = Tlsa::Unreachable(failure.clone());
            return host;
        }
        if host.addresses.is_empty() {
            let exists = answers.iter().any(|a| a.content != Content::NoName);
            host.tlsa = Tlsa::NoAddress { exists };
            return host;
        }
        if let Some(first) = with_addresses(&answers).next() {
            host.aliases.clone_from(&first.aliases);
        }
        let own = (!host_name::is_taken(name)).then_some(name);
        if let Some(odd) = own.or(odd_alias(&host.aliases)) {
            host.tlsa = Tlsa::NoHostName(odd.clone());
            return host;
        }
        host.tlsa = match base_domains(name, &answers) {
            Ok(bases) => self.tlsa(&bases, port).await,
            Err(flaw) => Tlsa::None {
                base: name.clone(),
                why: NoTlsa::InsecureAddress(flaw),
            },
        };
        host
    }

    /// A control question tells servers that drop or refuse TLSA alone from a name of which nothing is heard: senders meet
    /// the same, and defer (RFC 7672 §2.1.2).
    async fn control(&self, owner: &Name, failure: NoAnswer) -> NoAnswer {
        let NoAnswer::Failed(flaw) = &failure else {
            return failure;
        };
        if self.validator.lookup(owner, Rtype::A).await.is_err() {
            return failure;
        }
        let reason = format!(
            "{}; another type is answered at the same name: the servers of the zone, or a firewall before them, drop or \
             refuse TLSA alone",
            flaw.reason
        );
        NoAnswer::Failed(Flaw::new(ExtendedError::NoReachableAuthority, reason))
    }

    /// The records at the first of `bases` that has any; a failure at any of them ends the search.
    async fn tlsa(&self, bases: &[Name], port: u16) -> Tlsa {
        let mut none = None;
        for base in bases {
            let Some(owner) = owner(base, port) else {
                continue;
            };
            let answer = match self.validator.lookup(&owner, Rtype::TLSA).await {
                Ok(answer) => answer,
                Err(failure) => return Tlsa::Unreachable(self.control(&owner, failure).await),
            };
            if let Some(odd) = odd_alias(&answer.aliases) {
                return Tlsa::NoHostName(odd.clone());
            }
            match counted(answer, base, owner) {
                Ok(published) => return published,
                Err(why) => none = Some((base.clone(), why)),
            }
        }
        let (base, why) = none.unwrap_or_else(|| {
            let name = bases.first().cloned().unwrap_or_else(Name::root);
            let owner = name.clone();
            (name, NoTlsa::ProvenAbsent { owner })
        });
        Tlsa::None { base, why }
    }
}

/// Where one of the aliases leads that is no name to senders.
fn odd_alias(aliases: &[Alias]) -> Option<&Name> {
    let mut names = aliases.iter().map(|alias| &alias.to);
    names.find(|name| !host_name::is_taken(name))
}

fn counted(answer: Answer, base: &Name, asked: Name) -> Result<Tlsa, NoTlsa> {
    if let Some(flaw) = answer.security.flaw() {
        return Err(NoTlsa::Insecure {
            owner: asked,
            records: !answer.rdatas().is_empty(),
            flaw: flaw.clone(),
        });
    }
    let Content::Records(rrset) = &answer.content else {
        return Err(NoTlsa::ProvenAbsent { owner: asked });
    };
    // A record too short to have all its fields is as good as one with a wrong length: unusable.
    let read = |rdata: &Rdata| rdata.association().unwrap_or_else(|| truncated(rdata));
    let mut records: Vec<Association> = rrset.rdatas.iter().map(read).collect();
    records.sort();
    Ok(Tlsa::Published {
        base: base.clone(),
        owner: answer.name,
        records,
        ttl: rrset.ttl,
        zone: answer.zone,
    })
}

/// What stands for a record without all its fields: one that no client can use.
fn truncated(rdata: &Rdata) -> Association {
    let field = |at: usize| rdata.0.get(at).copied().unwrap_or(u8::MAX);
    Association {
        usage: field(0),
        selector: field(1),
        matching: u8::MAX,
        data: Vec::new(),
    }
}

/// Only what has addresses counts: an insecure "no AAAA" takes nothing from a secure A.
fn with_addresses(answers: &[Answer]) -> impl Iterator<Item = &Answer> {
    answers.iter().filter(|answer| !answer.rdatas().is_empty())
}

/// Where TLSA records are looked for, in order (RFC 7672 §2.2.2): below the end of a secure chain of aliases first,
/// then below the name itself, if its own record is secure. Insecure addresses of a name that is no alias end it.
fn base_domains(name: &Name, answers: &[Answer]) -> Result<Vec<Name>, Flaw> {
    let mut bases: Option<Vec<Name>> = None;
    for answer in with_addresses(answers) {
        let first_link = answer.aliases.first().map(|alias| &alias.security);
        let candidates = match (answer.security.flaw(), first_link) {
            (None, Some(_)) => vec![answer.name.clone(), name.clone()],
            (None, None) | (Some(_), Some(Security::Secure)) => vec![name.clone()],
            (Some(flaw), _) => return Err(flaw.clone()),
        };
        bases = Some(match bases {
            None => candidates,
            // The two address RRsets end at one name, or the addresses of one of them are less secure.
            Some(bases) => bases
                .into_iter()
                .filter(|b| candidates.contains(b))
                .collect(),
        });
    }
    Ok(bases.unwrap_or_else(|| vec![name.clone()]))
}

/// `_<port>._tcp.<base>`; `None` if that is longer than a name may be.
pub fn owner(base: &Name, port: u16) -> Option<Name> {
    let transport = base.child(b"_tcp").ok()?;
    transport.child(format!("_{port}").as_bytes()).ok()
}

fn exchange(rdata: &Rdata) -> Option<(u16, Name)> {
    let (preference, host) = rdata.0.split_at_checked(2)?;
    let preference = u16::from_be_bytes(preference.try_into().ok()?);
    let (host, rest) = Name::split_wire(host).ok()?;
    rest.is_empty().then_some((preference, host))
}

pub(super) fn address(rdata: &Rdata) -> Option<IpAddr> {
    let octets = &*rdata.0;
    let four = <[u8; 4]>::try_from(octets).map(|v4| Ipv4Addr::from(v4).into());
    let six = <[u8; 16]>::try_from(octets).map(|v6| Ipv6Addr::from(v6).into());
    four.or(six).ok()
}

impl Tlsa {
    /// The name that SNI carries, where the host is to be connected to at all.
    pub fn base(&self) -> Option<&Name> {
        match self {
            Self::Published { base, .. } | Self::None { base, .. } => Some(base),
            Self::Unreachable(_) | Self::NoAddress { .. } | Self::NoHostName(_) => None,
        }
    }
}

/// A name as hosts are written: lower case, without the final dot.
pub fn plain(name: &Name) -> String {
    let text = name.to_string().to_ascii_lowercase();
    match text.strip_suffix('.') {
        Some(plain) if !plain.is_empty() => plain.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
#[path = "senders_view_tests.rs"]
mod tests;
