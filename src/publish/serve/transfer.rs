//! Zone transfers in as many messages as they need: whole (RFC 5936), or the changes alone (RFC 1995).

use super::respond::{Form, Reply, Transport, code};
use super::served::ServedZone;
use super::zones::Edition;
use crate::dnssec::delta::Delta;
use crate::publish::wire::{Full, Section, Writer};
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::content::ttl_in;
use crate::zone::name::Name;
use crate::zone::record::{Record, Rtype};
use crate::zone::serial;
use std::cmp::Ordering;
use std::sync::Arc;

/// Octets of one message: as far as compression pointers reach.
const MESSAGE: usize = 16_384;

/// A transfer that is to be carried out. It holds on to its version, whatever is published meanwhile.
pub(super) struct Transfer {
    zone: Arc<ServedZone>,
    content: Content,
    form: Form,
    progress: Progress,
}

/// What has been put into messages so far.
struct Progress {
    opened: bool,
    reached: Reached,
    closed: bool,
}

/// A place between the two SOAs.
#[derive(PartialEq, Eq)]
enum Reached {
    Start,
    /// An owner, and how many of its records are behind us.
    Owner(Name, usize),
    /// How many records of the changes are behind us.
    Change(usize),
    End,
}

/// What is sent between the SOA that opens a transfer and the same that closes it.
enum Content {
    Whole,
    Changes(Vec<Arc<Delta>>),
}

/// The reply to a request for the zone, or for what changed since `serial`.
pub(super) fn reply(edition: &Edition, serial: Option<u32>, form: Form, now: Instant) -> Reply {
    let zone = &edition.zone;
    let has = serial.map(|serial| serial::compare(serial, zone.serial()));
    // To one who has this version or a later one, the SOA alone says "nothing new" (RFC 1995 §2).
    if matches!(has, Some(Some(Ordering::Equal | Ordering::Greater))) {
        return soa_alone(zone, form, now);
    }
    let changes = serial.and_then(|serial| edition.since(serial));
    let content = changes.map_or(Content::Whole, |changes| Content::Changes(changes.to_vec()));
    let transfer = Transfer {
        zone: Arc::clone(zone),
        content,
        form,
        progress: Progress {
            opened: false,
            reached: Reached::Start,
            closed: false,
        },
    };
    if transfer.form.transport() == Transport::Udp {
        return transfer.in_a_datagram(now);
    }
    Reply::Transfer(Box::new(transfer))
}

fn soa_alone(zone: &ServedZone, mut form: Form, now: Instant) -> Reply {
    let mut writer = form.begin(code::NOERROR, true, form.room());
    // A SOA record is at most 542 octets long, and one that does not fit leaves an empty answer: "ask over TCP" too.
    let _ = soa(zone, &mut writer);
    Reply::Message(form.finish(writer, code::NOERROR, now))
}

fn soa(zone: &ServedZone, writer: &mut Writer) -> Result<(), Full> {
    let rrset = zone.soa();
    let data = rrset.rdatas.first().map(|rdata| &*rdata.0);
    writer.record(
        Section::Answer,
        zone.apex(),
        Rtype::SOA,
        rrset.ttl.0,
        data.unwrap_or_default(),
    )
}

impl Transfer {
    pub(super) fn apex(&self) -> &Name {
        self.zone.apex()
    }

    pub(super) fn serial(&self) -> u32 {
        self.zone.serial()
    }

    /// The serial that changes are sent from.
    pub(super) fn since(&self) -> Option<u32> {
        match &self.content {
            Content::Whole => None,
            Content::Changes(changes) => changes.first().map(|delta| delta.old_serial()),
        }
    }

    /// Over UDP all changes go into one datagram, or the SOA says "ask over TCP" (RFC 1995 §2, §4).
    fn in_a_datagram(self, now: Instant) -> Reply {
        let Content::Changes(changes) = &self.content else {
            return soa_alone(&self.zone, self.form, now);
        };
        let mut form = self.form;
        let mut writer = form.begin(code::NOERROR, true, form.room());
        let mut records = changes.iter().flat_map(|delta| delta.in_transfer_order());
        let all = soa(&self.zone, &mut writer)
            .and_then(|()| {
                records.try_for_each(|record| {
                    let Record {
                        owner,
                        ttl,
                        rtype,
                        rdata,
                    } = record;
                    writer.record(Section::Answer, owner, *rtype, ttl.0, &rdata.0)
                })
            })
            .and_then(|()| soa(&self.zone, &mut writer));
        if all.is_err() {
            return soa_alone(&self.zone, form, now);
        }
        Reply::Message(form.finish(writer, code::NOERROR, now))
    }

    /// The next message, or nothing when all have been made. They are made one at a time, as they are sent.
    pub(super) fn next(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.progress.closed {
            return None;
        }
        let mut writer = self.form.begin(code::NOERROR, true, MESSAGE);
        if !self.progress.opened {
            self.progress.opened = true;
            let _ = soa(&self.zone, &mut writer);
        }
        self.progress.reached = match &self.content {
            Content::Whole => {
                fill_whole(&mut writer, &self.zone, &self.progress.reached, &self.form)
            }
            Content::Changes(changes) => {
                fill_changes(&mut writer, changes, &self.progress.reached, &self.form)
            }
        };
        if self.progress.reached == Reached::End {
            self.progress.closed = soa(&self.zone, &mut writer).is_ok();
        }
        Some(self.form.finish(writer, code::NOERROR, now))
    }
}

/// Puts records of the zone into a message from `from` on; how far it came.
fn fill_whole(writer: &mut Writer, zone: &ServedZone, from: &Reached, form: &Form) -> Reached {
    let (from, mut skip) = match from {
        Reached::Start => (zone.apex(), 0),
        Reached::Owner(owner, records) => (owner, *records),
        Reached::Change(_) | Reached::End => return Reached::End,
    };
    let empty = writer.len();
    for (owner, node) in zone.zone().nodes.range::<Name, _>(from..) {
        let is_apex = owner == zone.apex();
        let records = node
            .iter()
            .filter(|(rtype, _)| !is_apex || **rtype != Rtype::SOA)
            .flat_map(|(rtype, rrset)| {
                rrset
                    .rdatas
                    .iter()
                    .map(move |rdata| (*rtype, rrset.ttl, rdata))
            });
        for (index, (rtype, ttl, rdata)) in records.enumerate().skip(skip) {
            let ttl = ttl_in(node, rtype, rdata).unwrap_or(ttl);
            if put(writer, owner, rtype, ttl, &rdata.0, (empty, form)).is_err() {
                return Reached::Owner(owner.clone(), index);
            }
        }
        skip = 0;
    }
    Reached::End
}

/// The same with records of the changes.
fn fill_changes(
    writer: &mut Writer,
    changes: &[Arc<Delta>],
    from: &Reached,
    form: &Form,
) -> Reached {
    let skip = match from {
        Reached::Change(records) => *records,
        _ => 0,
    };
    let empty = writer.len();
    let records = changes.iter().flat_map(|delta| delta.in_transfer_order());
    for (index, record) in records.enumerate().skip(skip) {
        let Record {
            owner,
            ttl,
            rtype,
            rdata,
        } = record;
        if put(writer, owner, *rtype, *ttl, &rdata.0, (empty, form)).is_err() {
            return Reached::Change(index);
        }
    }
    Reached::End
}

/// A record that fits into no message of the usual size has one of its own, as long as messages can be.
fn put(
    writer: &mut Writer,
    owner: &Name,
    rtype: Rtype,
    ttl: Ttl,
    data: &[u8],
    (empty, form): (usize, &Form),
) -> Result<(), Full> {
    let written = writer.record(Section::Answer, owner, rtype, ttl.0, data);
    if written.is_ok() || writer.len() != empty {
        return written;
    }
    writer.set_limit(form.room());
    let written = writer.record(Section::Answer, owner, rtype, ttl.0, data);
    writer.set_limit(MESSAGE);
    // What fits into no message at all cannot be a record of a zone: it came in one.
    written.or(Ok(()))
}
