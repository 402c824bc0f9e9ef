//! What the next signed version of a zone has to follow: what was ever handed out of it, and what its servers have now
//! (RFC 1982 §3, RFC 6781 §4.1).
//!
//! What was handed out is remembered in the state directory. Who has lost that goes on from the signed file, and who has
//! lost both from what the servers say; where they say nothing either, a person has to say it.

use super::WorkflowError;
use super::head::Head;
use super::look;
use crate::dnssec::keys::SigningKey;
use crate::dnssec::keystore::load_keys;
use crate::dnssec::next::{Next, later};
use crate::dnssec::signers_of;
use crate::dnssec::succession::{Held, KnownKey, Succession, Waits};
use crate::observe::answer_of_parent;
use crate::observe::apex::{self, Apex};
use crate::rotation::observation::{Authority, Seen};
use crate::rotation::timing::{Instant, Span, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::{Signing, ZoneConfig};
use crate::workspace::durable::WriteError;
use crate::workspace::handed_out::{self, HandedOut};
use crate::zone::content::Zone;
use crate::zone::file::ZoneFile;
use crate::zone::nodes::RrsetView;
use crate::zone::record::{Rdata, Rtype};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long one server is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest that a server counts as behind, whatever the SOA says.
const LONGEST_BEHIND: Span = Span::days(1);

/// What was handed out of a zone before.
pub(super) struct Predecessor {
    pub(super) handed_out: HandedOut,
    remembered: Option<HandedOut>,
    /// Whether anything is known of it: it is remembered, there is a signed file, or the servers were asked.
    pub(super) is_known: bool,
    /// What the servers have.
    served: Option<BTreeMap<Authority, Apex>>,
}

impl Predecessor {
    /// From what is remembered, and the signed zone that lies there; it is read only if nothing is remembered.
    pub(super) fn recall(
        workspace: &Workspace,
        zone: &ZoneConfig,
        signed: impl FnOnce() -> Result<Option<Zone>, WorkflowError>,
        now: Instant,
    ) -> Result<Self, WorkflowError> {
        let state = workspace.state();
        let remembered = HandedOut::read(&state, &zone.name);
        let remembered = remembered.map_err(|source| WorkflowError::Unreadable {
            path: handed_out::path(&state, &zone.name),
            source,
        })?;
        // That the keys may be new tells nothing of the serial.
        let tells = |before: &HandedOut| before.serial.is_some() || !before.keys_anew;
        let mut is_known = remembered.as_ref().is_some_and(tells);
        let mut handed_out = remembered.clone().unwrap_or_default();
        let upcoming = handed_out.upcoming.take();
        if !is_known || upcoming.is_some() {
            let signed = signed()?;
            let there = signed.as_ref().and_then(Zone::soa).map(|soa| soa.serial);
            match &signed {
                // The run before was interrupted before it put its version there.
                Some(_) if is_known && there != upcoming => {}
                Some(signed) => {
                    is_known = true;
                    handed_out.serial = there;
                    follow_signed(&mut handed_out.keys, signed, now);
                }
                None => handed_out.serial = later(handed_out.serial, upcoming),
            }
        }
        Ok(Self {
            handed_out,
            remembered,
            is_known,
            served: None,
        })
    }

    /// Asks the servers, once, where nothing else is known.
    pub(super) fn be_known(
        &mut self,
        zone: &ZoneConfig,
        head: &Head,
        now: Instant,
    ) -> Result<(), WorkflowError> {
        if self.is_known {
            return Ok(());
        }
        let unknown = |why: String| WorkflowError::SerialUnknown {
            zone: zone.name.clone(),
            why,
        };
        let served = self.served(zone, head).map_err(unknown)?;
        // Before its first version a zone needs no server; later a closed port tells nothing of what was handed out.
        let is_first = keys_are_young(zone, now);
        let silent = |(authority, apex): (&Authority, &Apex)| match &apex.serial {
            Seen::Unknown(_) if apex.refuses_connections && is_first => None,
            Seen::Unknown(why) => Some(format!("{}: {why}", authority.0)),
            Seen::Known(_) => None,
        };
        let silent: Vec<String> = served.iter().filter_map(silent).collect();
        // One that is not heard may be the one that has the latest, unless the zone has just begun.
        if silent.len() == served.len() || !(is_first || silent.is_empty()) {
            return Err(unknown(silent.join("; ")));
        }
        // What those keys did is not known: they are taken to have signed what their flags say, until now.
        let keys = self.served_keys();
        if let Some(keys) = keys.first() {
            self.handed_out.keys = assumed(keys, now);
        }
        self.is_known = true;
        Ok(())
    }

    /// The latest serial of all that were handed out or are served.
    pub(super) fn latest(&mut self, zone: &ZoneConfig, head: &Head) -> Option<u32> {
        let served = self.served(zone, head).ok();
        let serials = served.into_iter().flat_map(BTreeMap::values);
        let serials: Vec<u32> = serials
            .filter_map(|apex| match apex.serial {
                Seen::Known(serial) => serial,
                Seen::Unknown(_) => None,
            })
            .collect();
        let latest = serials
            .into_iter()
            .fold(self.handed_out.serial, |latest, serial| {
                later(latest, Some(serial))
            });
        self.handed_out.serial = latest;
        latest
    }

    /// Takes in what the servers were seen with in this run: what they have was handed out, whoever forgot it.
    pub(super) fn was_served(&mut self, serials: &BTreeMap<Authority, Seen<u32>>) {
        for seen in serials.values() {
            if let Seen::Known(serial) = seen {
                self.handed_out.serial = later(self.handed_out.serial, Some(*serial));
            }
        }
    }

    /// Refuses a version whose key set no validator would take that has what is served (RFC 6781 §4.1.2).
    pub(super) fn leads_to(&self, zone: &ZoneConfig, next: &Next) -> Result<(), WorkflowError> {
        let Some(dnskeys) = next.dnskeys().filter(|_| !self.handed_out.keys_anew) else {
            return Ok(());
        };
        let key_set = next.signers().key_set;
        let shares = |others: &[Rdata]| Succession::shares_entry(&dnskeys.rdatas, &key_set, others);
        let served = self.served_keys();
        let remembered: Vec<Rdata> = self
            .handed_out
            .keys
            .keys
            .iter()
            .map(|known| known.dnskey.clone())
            .collect();
        let (follows, before) = match served.as_slice() {
            [] => (
                remembered.is_empty() || shares(&remembered),
                "were handed out last",
            ),
            served => (served.iter().any(|keys| shares(keys)), "its servers have"),
        };
        if follows {
            return Ok(());
        }
        Err(WorkflowError::KeysBreak {
            zone: zone.name.clone(),
            before,
        })
    }

    /// Remembers that a version is about to take the place of what was handed out.
    pub(super) fn announce(
        &mut self,
        workspace: &Workspace,
        zone: &ZoneConfig,
        next: &Next,
    ) -> Result<(), WriteError> {
        self.handed_out.upcoming = Some(next.serial());
        self.keep(workspace, zone)
    }

    /// It has taken it.
    pub(super) fn follow(&mut self, next: &Next, now: Instant) {
        self.handed_out.serial = Some(next.serial());
        self.handed_out.upcoming = None;
        self.handed_out.keys_anew = false;
        if let Some(dnskeys) = next.dnskeys() {
            let by = next.signers();
            let by = (&*by.key_set, &*by.data);
            let keys = &mut self.handed_out.keys;
            keys.follow(&dnskeys.rdatas, dnskeys.ttl, by, now);
        }
    }

    /// Remembers it, where that is something else than before.
    pub(super) fn keep(
        &mut self,
        workspace: &Workspace,
        zone: &ZoneConfig,
    ) -> Result<(), WriteError> {
        if self.remembered.as_ref() == Some(&self.handed_out) {
            return Ok(());
        }
        self.handed_out.write(&workspace.state(), &zone.name)?;
        self.remembered = Some(self.handed_out.clone());
        Ok(())
    }

    fn served(
        &mut self,
        zone: &ZoneConfig,
        head: &Head,
    ) -> Result<&BTreeMap<Authority, Apex>, String> {
        if self.served.is_none() {
            let servers = look::servers(zone, Some(head))?;
            let seen = crate::observe::wait_for(apex::see(&zone.name, &servers, PATIENCE));
            self.served = Some(seen.map_err(|e| e.to_string())?);
        }
        self.served.as_ref().ok_or_else(String::new)
    }

    /// The key sets that servers were seen with.
    fn served_keys(&self) -> Vec<Vec<Rdata>> {
        let seen = self.served.iter().flat_map(BTreeMap::values);
        let keys = seen.filter_map(|apex| match &apex.dnskeys {
            Seen::Known(keys) if !keys.is_empty() => Some(keys.clone()),
            _ => None,
        });
        keys.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Whether every key of a zone was made within a day: then no version of it can be older.
fn keys_are_young(zone: &ZoneConfig, now: Instant) -> bool {
    let Signing::Here { keys, .. } = &zone.signing else {
        return false;
    };
    let Ok(keys) = load_keys(keys, &zone.name) else {
        return false;
    };
    let is_young = |key: &SigningKey| {
        let created = key.timing().created;
        created.is_some_and(|created| now < created + Span::days(1))
    };
    keys.iter().all(is_young)
}

/// A signed zone that lies there has been handed out.
fn follow_signed(keys: &mut Succession, signed: &Zone, now: Instant) {
    if let Some(dnskeys) = signed.rrset(&signed.apex, Rtype::DNSKEY) {
        let by = signers_of(signed);
        let by = (&*by.key_set, &*by.data);
        keys.follow(&dnskeys.rdatas, dnskeys.ttl, by, now);
    }
}

/// Keys that were seen to be served, of which nothing else is known.
fn assumed(dnskeys: &[Rdata], now: Instant) -> Succession {
    use crate::dnssec::dnskey::Dnskey;
    let entry = |rdata: &Rdata| Dnskey::parse(rdata).is_some_and(|key| key.is_secure_entry_point());
    let (has_entry, has_plain) = (dnskeys.iter().any(entry), !dnskeys.iter().all(entry));
    let known = |rdata: &Rdata| KnownKey {
        dnskey: rdata.clone(),
        published: now,
        signs_keys: entry(rdata) || !has_entry,
        signs_data: !entry(rdata) || !has_plain,
        signed: None,
        vouched: None,
    };
    Succession {
        keys: dnskeys.iter().map(known).collect(),
        ttl: Ttl::default(),
    }
}

/// Asks the parent for its DS where a key-signing key follows another; says why it cannot be asked.
pub(super) fn ask_parent(
    past: &mut HandedOut,
    zone: &ZoneConfig,
    keys: &[SigningKey],
    now: Instant,
) -> Option<String> {
    if !past.keys.wants_ds(keys, now) {
        return None;
    }
    match crate::observe::wait_for(answer_of_parent::ds(&zone.name, PATIENCE)) {
        Ok(Ok(ds)) => {
            past.keys.vouch(&zone.name, &ds, now);
            None
        }
        Ok(Err(why)) => Some(why),
        Err(why) => Some(why.to_string()),
    }
}

/// Holds those of `keys` that caches still need; says which.
pub(super) fn hold(
    past: &HandedOut,
    zone: &ZoneConfig,
    keys: &mut [SigningKey],
    file: &ZoneFile,
    now: Instant,
) -> Result<Vec<Held>, WorkflowError> {
    if past.keys_anew || past.keys.is_settled(keys, now) {
        return Ok(Vec::new());
    }
    let waits = waits(file);
    let held = past.keys.hold(keys, waits, now);
    held.map_err(|gone| WorkflowError::KeyGone {
        zone: zone.name.clone(),
        gone,
    })
}

fn waits(file: &ZoneFile) -> Waits {
    let refresh = file
        .zone()
        .ok()
        .and_then(|zone| zone.soa())
        .map(|soa| Span::seconds(soa.refresh.into()));
    let longest = file.nodes().flat_map(|node| {
        let ttls = node.rrsets().map(RrsetView::ttl);
        ttls.collect::<Vec<_>>()
    });
    Waits {
        propagation: LONGEST_BEHIND.min(refresh.unwrap_or(LONGEST_BEHIND)),
        longest: longest.max().unwrap_or_default(),
    }
}
