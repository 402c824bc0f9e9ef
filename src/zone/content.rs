//! What a zone means: its RRsets by absolute owner and type, in canonical order (RFC 2181 §5, RFC 4034 §6).

use crate::rotation::timing::Ttl;
use crate::zone::diagnostic::Diagnostics;
use crate::zone::file::ZoneFile;
use crate::zone::include::NoFiles;
use crate::zone::name::{Name, write_name};
use crate::zone::rdata::Soa;
use crate::zone::record::{Rdata, Record, Rtype, append_line};
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::io;

pub use crate::zone::node::{Node, Rrset};

/// A zone: an apex and what lies at and below it, in canonical order of owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The apex name.
    pub apex: Name,
    /// Owner to RRsets.
    pub nodes: BTreeMap<Name, Node>,
}

impl Zone {
    /// A zone without any record.
    pub fn empty(apex: Name) -> Self {
        Self {
            apex,
            nodes: BTreeMap::new(),
        }
    }

    /// The RRset at `owner` of type `rtype`, if there is one.
    pub fn rrset(&self, owner: &Name, rtype: Rtype) -> Option<&Rrset> {
        self.nodes.get(owner)?.get(&rtype)
    }

    /// Reads a zone from the text of one master file without `$INCLUDE`; for files that include others see [`ZoneFile`].
    ///
    /// `origin` is the zone's name; it may be left out when the text names it. Errors carry every finding of the text.
    ///
    /// ```
    /// use tlsa_rotate::zone::content::Zone;
    /// let text = "$ORIGIN example.com.\n$TTL 1h\n@ SOA ns1 host 1 1d 2h 4w 5m\n NS ns1\nns1 A 192.0.2.1\n";
    /// let zone = Zone::parse(text.as_bytes(), None).unwrap();
    /// assert_eq!(zone.soa().unwrap().serial, 1);
    /// assert_eq!(zone.to_string().lines().last(), Some("ns1.example.com. 3600 IN A 192.0.2.1"));
    /// ```
    pub fn parse(text: &[u8], origin: Option<&Name>) -> Result<Self, Diagnostics> {
        ZoneFile::read("zone", text.to_vec(), origin, &NoFiles).zone()
    }

    /// The SOA data of the apex.
    pub fn soa(&self) -> Option<Soa> {
        let soa = self.rrset(&self.apex, Rtype::SOA)?;
        Soa::from_rdata(soa.rdatas.first()?)
    }

    /// Gives the SOA another serial; a zone without one stays as it is.
    pub fn set_serial(&mut self, serial: u32) {
        let Some(mut soa) = self.soa() else { return };
        soa.serial = serial;
        let apex = self.nodes.get_mut(&self.apex);
        if let Some(rrset) = apex.and_then(|node| node.get_mut(&Rtype::SOA)) {
            rrset.rdatas = vec![soa.to_rdata()];
        }
    }

    /// Adds a record; its TTL becomes that of the whole RRset. Returns whether the data is new.
    pub fn insert(&mut self, record: Record) -> bool {
        let Record {
            owner,
            ttl,
            rtype,
            rdata,
        } = record;
        let node = self.nodes.entry(owner).or_default();
        let rrset = node.get_or_insert_with(rtype, Rrset::default);
        rrset.ttl = ttl;
        let at = rrset.search(rtype, &rdata);
        if let Err(at) = at {
            if rrset.rdatas.is_empty() {
                // Most RRsets stay as small as that.
                rrset.rdatas.reserve_exact(1);
            }
            rrset.rdatas.insert(at, rdata);
        }
        at.is_err()
    }

    /// Removes a record, whatever its TTL; empty RRsets and nodes go with it. Returns whether it was there.
    pub fn remove(&mut self, owner: &Name, rtype: Rtype, rdata: &Rdata) -> bool {
        let Some(node) = self.nodes.get_mut(owner) else {
            return false;
        };
        let Some(rrset) = node.get_mut(&rtype) else {
            return false;
        };
        let Ok(at) = rrset.search(rtype, rdata) else {
            return false;
        };
        rrset.rdatas.remove(at);
        if rrset.rdatas.is_empty() {
            node.remove(&rtype);
        }
        if node.is_empty() {
            self.nodes.remove(owner);
        }
        true
    }

    /// Every record, in canonical order. An RRSIG has the TTL of the RRset it covers (RFC 4034 §3).
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        self.nodes.iter().flat_map(|(owner, node)| {
            node.iter().flat_map(move |(&rtype, rrset)| {
                rrset.rdatas.iter().map(move |rdata| Record {
                    owner: owner.clone(),
                    ttl: covered_ttl(node, rtype, rdata).unwrap_or(rrset.ttl),
                    rtype,
                    rdata: rdata.clone(),
                })
            })
        })
    }
}

/// The TTL of a record of a node: that of its RRset, or for an RRSIG that of the RRset it covers (RFC 4034 §3).
pub(crate) fn ttl_in(node: &Node, rtype: Rtype, rdata: &Rdata) -> Option<Ttl> {
    covered_ttl(node, rtype, rdata).or_else(|| node.get(&rtype).map(|rrset| rrset.ttl))
}

/// The TTL of the RRset that an RRSIG covers.
fn covered_ttl(node: &Node, rtype: Rtype, rdata: &Rdata) -> Option<Ttl> {
    let covered = rdata
        .0
        .first_chunk::<2>()
        .filter(|_| rtype == Rtype::RRSIG)?;
    let covered = node.get(&Rtype(u16::from_be_bytes(*covered)))?;
    Some(covered.ttl)
}

impl fmt::Display for Zone {
    /// One absolute record a line, the SOA first, then in canonical order: what `named-compilezone -s full` means.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The apex is the first of all owners.
        let mut nodes = self.nodes.iter();
        nodes.try_for_each(|(owner, node)| write_node(owner, node, f))
    }
}

impl Zone {
    /// Writes what [`Zone`] prints, an owner at a time.
    pub fn write_to(&self, out: &mut impl io::Write) -> io::Result<()> {
        write_nodes(self.nodes.iter(), out)
    }
}

/// Writes owners, in canonical order, as a [`Zone`] does.
pub(crate) fn write_nodes(
    nodes: impl Iterator<Item = (impl Borrow<Name>, impl Borrow<Node>)>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut text = String::new();
    for (owner, node) in nodes {
        text.clear();
        write_node(owner.borrow(), node.borrow(), &mut text).map_err(io::Error::other)?;
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Prints the records of one owner as a [`Zone`] does.
pub(crate) fn write_node(owner: &Name, node: &Node, out: &mut impl fmt::Write) -> fmt::Result {
    // The type of the SOA is smaller than those of most records at an apex, but not than that of NS.
    let soa = node.iter().find(|(rtype, _)| **rtype == Rtype::SOA);
    let others = node.iter().filter(|(rtype, _)| **rtype != Rtype::SOA);
    let (mut owner_text, mut line) = (String::new(), String::new());
    write_name(owner.wire(), &mut owner_text)?;
    for (&rtype, rrset) in soa.into_iter().chain(others) {
        for rdata in &rrset.rdatas {
            let ttl = covered_ttl(node, rtype, rdata).unwrap_or(rrset.ttl);
            line.clear();
            append_line(&owner_text, ttl, rtype, &rdata.0, &mut line);
            line.push('\n');
            out.write_str(&line)?;
        }
    }
    Ok(())
}
