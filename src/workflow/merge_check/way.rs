//! Where a question leads in the zones of one side of a request: aliases, redirections and delegations are followed as a
//! resolver follows them (RFC 1034 §4.3.2, RFC 6672 §3.2), and a host's aliases as a sender does (RFC 7672 §2.2).

use crate::rotation::association::Association;
use crate::rotation::observation::Endpoint;
use crate::rotation::timing::Ttl;
use crate::workflow::head::Head;
use crate::workspace::config::Config;
use crate::zone::answers::{self, Answer};
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::collections::{BTreeMap, BTreeSet};

/// More links than any name needs; resolvers follow about as many.
const MOST_LINKS: usize = 8;

/// The zones of one side that could be read, and what it says of others.
#[derive(Clone, Copy)]
pub(super) struct Side<'s> {
    pub(super) zones: &'s BTreeMap<Name, Head>,
    pub(super) config: &'s Config,
    /// The zones that cannot be read.
    pub(super) broken: &'s BTreeMap<Name, String>,
}

/// Where a question leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The names that sent it on, in order.
    pub(super) links: Vec<Name>,
    /// The last name that it was asked for.
    pub(super) at: Name,
    /// What is there.
    pub(super) end: End,
    /// The largest TTL of what is there and of the links.
    pub(super) ttl: Ttl,
}

/// What is at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Records of the type.
    Records(Vec<Rdata>),
    /// None of the type.
    Nothing,
    /// It lies in a zone that cannot be read: that is said of the zone.
    Unread,
    /// It leaves the zones at hand, or goes round in circles; why, in words.
    Away(String),
}

impl Way {
    /// The associations that are found; none where it leads to nothing, or away.
    pub(super) fn associations(&self) -> BTreeSet<Association> {
        let End::Records(rdatas) = &self.end else {
            return BTreeSet::new();
        };
        rdatas.iter().filter_map(Rdata::association).collect()
    }

    /// Whether senders find an association that they look at.
    pub(super) fn has_dane(&self) -> bool {
        let found = self.associations();
        found.iter().any(Association::is_usable_for_smtp)
    }

    /// Whether it leads away.
    pub(super) fn leads_away(&self) -> bool {
        matches!(self.end, End::Away(_) | End::Unread)
    }
}

impl Side<'_> {
    /// Where a question for a name and a type leads.
    pub(super) fn ask(&self, name: &Name, rtype: Rtype) -> Way {
        let (mut links, mut at, mut ttl) = (Vec::new(), name.clone(), Ttl(0));
        let end = loop {
            let head = match self.home(&at) {
                Ok(head) => head,
                Err(end) => break end,
            };
            let target = match answers::answer(&head.content, &at, rtype) {
                Answer::Records(rrset) => {
                    ttl = ttl.max(rrset.ttl);
                    break End::Records(rrset.rdatas.clone());
                }
                Answer::NoData | Answer::NoName => {
                    ttl = ttl.max(head.negative_ttl());
                    break End::Nothing;
                }
                Answer::Referral(cut, _) => {
                    break End::Away(format!("{at} is referred to the servers of {cut}"));
                }
                Answer::Alias(rrset) => {
                    ttl = ttl.max(rrset.ttl);
                    rrset.rdatas.first().and_then(target)
                }
                Answer::Redirection(owner, rrset) => {
                    ttl = ttl.max(rrset.ttl);
                    let target = rrset.rdatas.first().and_then(target);
                    target.and_then(|target| at.redirected(&owner, &target))
                }
            };
            let Some(target) = target else {
                break End::Away(format!("the alias {at} leads to no name that can be"));
            };
            links.push(at);
            at = target;
            if links.contains(&at) || links.len() > MOST_LINKS {
                break End::Away(format!(
                    "the aliases of {name} form a loop or too long a chain"
                ));
            }
        };
        Way {
            links,
            at,
            end,
            ttl,
        }
    }

    /// The zone that a name lies in, as it was read.
    fn home(&self, name: &Name) -> Result<&Head, End> {
        let Some(zone) = self.config.zone_of(name) else {
            let why = format!("{name} lies in no zone of the configuration");
            return Err(End::Away(why));
        };
        match self.zones.get(&zone.name) {
            Some(read) => Ok(read),
            None if self.broken.contains_key(&zone.name) => Err(End::Unread),
            None => Err(End::Away(format!(
                "the file of zone {} is not in git",
                zone.name
            ))),
        }
    }

    /// Where the host itself leads: its addresses.
    pub(super) fn host(&self, host: &Name) -> Way {
        let v4 = self.ask(host, Rtype::A);
        match v4.end {
            End::Nothing => self.ask(host, Rtype::AAAA),
            _ => v4,
        }
    }

    /// All addresses that a host's name leads to.
    pub(super) fn addresses(&self, host: &Name) -> BTreeSet<String> {
        let of = |rtype| match self.ask(host, rtype).end {
            End::Records(rdatas) => rdatas.iter().map(|rdata| rdata.to_text(rtype)).collect(),
            _ => Vec::new(),
        };
        let mut all: BTreeSet<String> = of(Rtype::A).into_iter().collect();
        all.extend(of(Rtype::AAAA));
        all
    }

    /// The TLSA records that a sender is led to for a host and port: first those of the name that the host's aliases lead to,
    /// then those of its own (RFC 7672 §2.2.2).
    pub(super) fn tlsa(&self, endpoint: &Endpoint) -> Option<Way> {
        let own = owner(endpoint)?;
        let host = host(endpoint)?;
        let there = self.host(&host);
        if !there.links.is_empty() && !there.leads_away() {
            let labels = own.labels().take(2).collect::<Vec<_>>();
            let mut expanded = there.at.clone();
            for label in labels.into_iter().rev() {
                expanded = expanded.child(label).ok()?;
            }
            let way = self.ask(&expanded, Rtype::TLSA);
            if way.end != End::Nothing {
                return Some(way);
            }
        }
        Some(self.ask(&own, Rtype::TLSA))
    }
}

/// The owner name of an endpoint's TLSA records.
pub(super) fn owner(endpoint: &Endpoint) -> Option<Name> {
    Name::parse(endpoint.tlsa_name().as_str().as_bytes(), None).ok()
}

/// The name of its host.
pub(super) fn host(endpoint: &Endpoint) -> Option<Name> {
    Name::parse(format!("{}.", endpoint.host).as_bytes(), None).ok()
}

fn target(rdata: &Rdata) -> Option<Name> {
    Name::split_wire(&rdata.0).ok().map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_redirection_keeps_the_labels_below_it() {
        let name = |text: &str| Name::parse(text.as_bytes(), None).unwrap();
        let moved = |a: &str, b: &str, c: &str| name(a).redirected(&name(b), &name(c));
        assert_eq!(moved("a.b.c.", "c.", "d.e."), Some(name("a.b.d.e.")));
        assert_eq!(
            moved("_25._tcp.m.", "_tcp.m.", "_tcp.n."),
            Some(name("_25._tcp.n."))
        );
        assert_eq!(moved("c.", "b.c.", "d."), None);
        let long = format!("{}.", "a.".repeat(100).trim_end_matches('.'));
        assert_eq!(
            moved(&long, "a.", &format!("{0}.{0}.", "b".repeat(60))),
            None
        );
    }
}
