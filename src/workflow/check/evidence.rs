//! What `check` judges: the zones as git holds them, as their servers serve them and as senders see them, and what the
//! hosts present. Values only; `Unknown` is never a yes.

use crate::dane::certificate::Certificate;
use crate::observe::addresses::AuthorityAddress;
use crate::observe::authorities::Served;
use crate::observe::chain::{NoAnswer, Security};
use crate::observe::delegation::Delegation;
use crate::observe::mta_sts::policy::{Policy, Signal};
use crate::observe::nonterminals::Existence;
use crate::rotation::association::Association;
use crate::rotation::observation::{Authority, Endpoint, KeyAlgorithm, Seen};
use crate::rotation::timing::{Instant, Span, Ttl};
use crate::workflow::vantages::Aside;
use crate::workflow::verify::Verification;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::Rdata;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Everything.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) now: Instant,
    pub(super) zones: Vec<ZoneEvidence>,
    pub(super) domains: Vec<DomainEvidence>,
    pub(super) hosts: Vec<HostEvidence>,
    /// Hosts as senders see them that no domain's verification holds.
    pub(super) others: Vec<Verification>,
    /// Vantages that did not help.
    pub(super) aside: Vec<Aside>,
}

/// One zone.
#[derive(Debug)]
pub(super) struct ZoneEvidence {
    pub(super) apex: Name,
    /// On the branch that counts.
    pub(super) content: Seen<Zone>,
    /// What can be done about content that cannot be read.
    pub(super) way_out: String,
    /// TLSA RRsets and serials by server.
    pub(super) served: Served,
    /// Whether the names above TLSA records exist, by server.
    pub(super) existence: Existence,
    /// Whom resolvers are led to; otherwise why that cannot be told.
    pub(super) delegation: Result<Delegation, NoAnswer>,
    /// Where a rotation asks.
    pub(super) asked: Vec<SocketAddr>,
    /// Why no server could be asked, if none could, and what to do about it.
    pub(super) unasked: Option<(String, &'static str)>,
    /// Its SOA, validated from the trust anchor.
    pub(super) chain: Result<Security, NoAnswer>,
    /// The DS records at the parent; empty if there is none.
    pub(super) ds: Seen<Vec<Rdata>>,
    /// The zone's keys.
    pub(super) dnskeys: Seen<Vec<Rdata>>,
    /// Where this program signs: the least time that a signature has left before it is made anew.
    pub(super) refresh: Option<Span>,
}

/// Who keeps the MX records of a domain, and where they lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// A zone of ours holds them, and they lead to a host of ours.
    Here,
    /// Somebody else; they lead to a host of ours, or it cannot be told where.
    Elsewhere,
    /// Somebody else, and they lead to none of our hosts.
    Astray,
}

/// One domain that takes mail through our hosts.
#[derive(Debug)]
pub(super) struct DomainEvidence {
    /// Lower case, without a final dot.
    pub(super) name: String,
    /// Who keeps it.
    pub(super) kept: Kept,
    /// Its MX hosts, in the same form.
    pub(super) exchanges: Vec<String>,
    /// The TXT records at `_smtp._tls`; `None` if the name is an alias here, or it cannot be told.
    pub(super) tlsrpt: Option<Vec<String>>,
    /// What `_mta-sts` says; `None` if the name is an alias here, or it cannot be told.
    pub(super) sts: Option<Signal>,
    /// The MTA-STS policy, where one is signalled.
    pub(super) policy: Option<Seen<Policy>>,
    /// How a validating sender fares.
    pub(super) verification: Option<Verification>,
}

/// One host and port of ours.
#[derive(Debug)]
pub(super) struct HostEvidence {
    pub(super) endpoint: Endpoint,
    /// Whether its TLSA records lie in a zone of ours and could be seen.
    pub(super) is_ours: bool,
    /// The TLSA records on the branch that counts, or as served where that cannot be read; empty if there is none.
    pub(super) published: Vec<Association>,
    /// Those of them that rotations own, and a certificate in use or on offer.
    pub(super) owned: BTreeSet<Association>,
    /// The certificate of ours that it presents.
    pub(super) certificate: Option<String>,
    /// Their TTL.
    pub(super) ttl: Option<Ttl>,
    /// Whether the TLSA owner name is an alias.
    pub(super) is_alias: bool,
    /// What each address presents.
    pub(super) chains: Vec<Presented>,
    /// Its addresses that nobody reaches, each with the reason.
    pub(super) unreached: Vec<(SocketAddr, String)>,
}

/// A chain that was presented.
#[derive(Debug)]
pub(super) struct Presented {
    pub(super) address: SocketAddr,
    pub(super) algorithm: KeyAlgorithm,
    pub(super) chain: Vec<Certificate>,
    /// Why the Web PKI would refuse it for this host; `None` if it would not, or was not asked.
    pub(super) web_refusal: Option<String>,
}

impl ZoneEvidence {
    /// Whether somebody else is to sign the zone, and nobody does: it has no DNSKEY, and no DS says that it should.
    pub(super) fn is_never_signed(&self) -> bool {
        let none =
            |seen: &Seen<Vec<Rdata>>| matches!(seen, Seen::Known(rdatas) if rdatas.is_empty());
        let insecure = matches!(self.chain, Ok(Security::Insecure(_)));
        insecure && self.refresh.is_none() && none(&self.dnskeys) && none(&self.ds)
    }

    /// The servers that resolvers are led to and no rotation asks. Only what the parent says leads anybody anywhere.
    pub(super) fn unasked_of(&self, delegation: &Delegation) -> Vec<Authority> {
        if delegation.parent_unknown.is_some() || self.asked.is_empty() {
            return Vec::new();
        }
        let asked: Vec<IpAddr> = self.asked.iter().map(SocketAddr::ip).collect();
        let servers = delegation.servers.iter();
        servers
            .filter(|server| !asked.contains(&server.address.ip()))
            .map(AuthorityAddress::authority)
            .collect()
    }
}

impl DomainEvidence {
    /// The policy, if it was fetched.
    pub(super) fn known_policy(&self) -> Option<&Policy> {
        match &self.policy {
            Some(Seen::Known(policy)) => Some(policy),
            _ => None,
        }
    }
}
