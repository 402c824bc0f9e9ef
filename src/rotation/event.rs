//! The facts that move a rotation, in the past tense: what the journal holds, and nothing else does.

use super::alarm::Risk;
use super::association::Association;
use super::before::TtlSource;
use super::due::Release;
use super::emergency::Priority;
use super::observation::{Authority, Endpoint, TlsaName, ZoneName};
use super::patience::Delay;
use super::stray::Stray;
use super::timing::{Instant, Ttl};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A fact that moves a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// A rotation was started for these endpoints.
    Started {
        /// Every host and port that presents the certificate.
        endpoints: BTreeSet<Endpoint>,
        /// The associations of the keys in use.
        current: BTreeSet<Association>,
        /// The TLSA RRset of each name as it was found.
        base: BTreeMap<TlsaName, BTreeSet<Association>>,
        /// The largest TTL known of each name's RRset (of its absence: the negative TTL).
        ttl: BTreeMap<TlsaName, Ttl>,
        /// How those of them are known that were not seen.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        ttl_sources: BTreeMap<TlsaName, TtlSource>,
    },
    /// The next key and certificate exist, belong together and are strong enough.
    KeyAdmitted {
        /// The earliest end of validity among the incoming certificates.
        not_after: Instant,
        /// The runner that has them, by the name of its machine, where several share the journal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_by: Option<String>,
    },
    /// The incoming associations were computed.
    AssociationsComputed {
        /// One for each incoming key.
        incoming: BTreeSet<Association>,
    },
    /// There is more to the RRsets than the `3 1 1` records of keys that are all replaced. Recorded only where there is,
    /// and again when it is found to have changed before anything was published.
    SurroundingsFound {
        /// TLSA owner names that are aliases (RFC 7671 §6), each with the name that the RRset lies at.
        aliases: BTreeMap<TlsaName, TlsaName>,
        /// The TLSA RRset of each name as it was found.
        base: BTreeMap<TlsaName, BTreeSet<Association>>,
        /// The associations of keys in use that are not replaced.
        staying: BTreeSet<Association>,
        /// By the `3 1 1` association of each key that is in use or incoming: what else its chain satisfies.
        satisfied: BTreeMap<Association, BTreeSet<Association>>,
    },
    /// It was decided to publish the incoming associations beside the old ones.
    PrepublishDecided,
    /// An RRset was seen under a larger TTL than any before, while associations enter or leave it.
    HigherTtlSeen {
        /// Where.
        name: TlsaName,
        /// The larger TTL.
        ttl: Ttl,
    },
    /// In one run, every authoritative server was seen serving the full set: this is `T_all`.
    PrepublishServed {
        /// The largest TTL under which it was served.
        ttl: Ttl,
    },
    /// The branch that counts no longer holds the full set; the clock starts anew.
    MergeReverted {
        /// Which RRset.
        name: TlsaName,
    },
    /// A server was seen without the full set; the clock starts anew.
    ServerRegressed {
        /// Which RRset.
        name: TlsaName,
        /// Which server.
        authority: Authority,
    },
    /// No cache can lack the incoming associations any more.
    SwapOpened,
    /// In one run, every host presented the next key on every address and for every algorithm.
    HostsPresentedIncoming,
    /// A host was seen with an old key again; the soak starts anew.
    HostRegressed {
        /// Which host and port.
        endpoint: Endpoint,
    },
    /// The soak passed and every host still verified.
    SoakPassed,
    /// It was decided to take the old associations out.
    RetireDecided,
    /// In one run, every authoritative server was seen serving the set without the old associations.
    RetireServed,
    /// A person asked to give the rotation up.
    AbortRequested {
        /// In the person's words.
        reason: String,
    },
    /// In one run, every host presented an old key; it was decided to take the incoming associations out.
    WithdrawalDecided,
    /// In one run, every authoritative server was seen serving the set without the incoming associations.
    WithdrawalServed,
    /// A person asked for the previous key on every host at once; the rotation holds there.
    RollbackRequested {
        /// In the person's words.
        reason: String,
    },
    /// The deployment that rested, or was held, may begin.
    DeploymentReleased {
        /// What let it go.
        why: Release,
    },
    /// Somebody took an old association out of the zone before its time.
    OldWithdrawn {
        /// Which RRset.
        name: TlsaName,
    },
    /// In one run, every authoritative server was seen serving the old associations beside the incoming ones again.
    ReinstatementServed {
        /// The largest TTL under which it was served.
        ttl: Ttl,
    },
    /// No cache can lack the old associations any more.
    ReturnOpened,
    /// A person declared the key in use compromised. With [`Priority::Security`] before the swap is open, the promise
    /// is waived for this rotation.
    EmergencyDeclared {
        /// What goes first.
        priority: Priority,
        /// In the person's words.
        reason: String,
    },
    /// In one run, every authoritative server was seen serving the incoming associations alone.
    ReplacementServed {
        /// The largest TTL under which it was served.
        ttl: Ttl,
    },
    /// No cache lacks the incoming associations any more, and every host presents the next key.
    ReplacementVerified,
    /// A signature over an RRset with a key in use was seen that expires later than any before.
    SignatureSeen {
        /// When it expires, or less than a day after that: signers that sign anew at each answer are told once a day.
        until: Instant,
    },
    /// Every server that a resolver may be referred to now for a zone. One that was there before and is not among these
    /// has left at this moment.
    ServersSeen {
        /// Which zone.
        zone: ZoneName,
        /// Each with the largest TTL of the NS and address records that lead to it.
        servers: BTreeMap<Authority, Ttl>,
    },
    /// Servers that had left a zone before the rotation began: until when a cache may lead to each.
    ServersHadLeft {
        /// Which zone.
        zone: ZoneName,
        /// Each with the end of the last NS or address record that a cache may hold.
        until: BTreeMap<Authority, Instant>,
    },
    /// Every address at which senders may look for a host now. One that was there before and is not among these has left
    /// at this moment.
    AddressesSeen {
        /// Which host.
        host: String,
        /// Each with the largest TTL of the records that lead to it.
        addresses: BTreeMap<String, Ttl>,
    },
    /// Addresses that a host had before the rotation began: until when a cache may lead to each.
    AddressesHadLeft {
        /// Which host.
        host: String,
        /// Each with the end of the last record that a cache may hold.
        until: BTreeMap<String, Instant>,
    },
    /// Hosts or ports came to present the certificate while the rotation runs, or the RRset of some that do lies at another
    /// name now. Each of their names goes through its own publication and wait.
    HostsJoined {
        /// Which.
        endpoints: BTreeSet<Endpoint>,
        /// Those of their TLSA owner names that are aliases, each with the name that the RRset lies at.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        aliases: BTreeMap<TlsaName, TlsaName>,
        /// The TLSA RRset of each name that is new to the rotation, or was corrected before it was published, as it was found.
        base: BTreeMap<TlsaName, BTreeSet<Association>>,
        /// The largest TTL known of each of them.
        ttl: BTreeMap<TlsaName, Ttl>,
        /// How those of them are known that were not seen.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        ttl_sources: BTreeMap<TlsaName, TtlSource>,
    },
    /// Hosts or ports no longer present the certificate, by the configuration or by a person's word.
    HostsLeft {
        /// Which, and until when senders may still come to each.
        endpoints: Vec<(Endpoint, Instant)>,
        /// A person let them go, in the person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<String>,
    },
    /// In one run, every authoritative server was seen serving the full set of a name that joined.
    JoinServed {
        /// Which RRset.
        name: TlsaName,
        /// The largest TTL under which it was served.
        ttl: Ttl,
    },
    /// The RRset of a name that joined was seen without the full set again: its clock starts anew.
    JoinRegressed {
        /// Which RRset.
        name: TlsaName,
    },
    /// No cache can lack the incoming associations of a name that joined.
    JoinOpened {
        /// Which RRset.
        name: TlsaName,
    },
    /// Hosts did not answer when the swap first opened, nor since: whatever ails them, it is not the incoming certificate.
    HostsWereSilent {
        /// Which hosts and ports.
        endpoints: BTreeSet<Endpoint>,
    },
    /// Every place presented the next key and every server served the set, during the soak.
    SoakSeen,
    /// Nobody saw for too long that all is well: the soak starts anew.
    SoakInterrupted,
    /// One address presented several keys of one algorithm: there is more than one server behind it.
    SeveralKeysSeen {
        /// Which host and port.
        endpoint: Endpoint,
        /// Which address.
        address: String,
    },
    /// A signature that ends before the next gate was seen; whether its signer makes new ones is to be seen.
    SignatureBegan {
        /// Over which RRset.
        name: TlsaName,
        /// When the newest began.
        inception: Instant,
    },
    /// A newer signature was seen: its signer makes new ones.
    SignerRenewed {
        /// Over which RRset.
        name: TlsaName,
    },
    /// A person asked to go forward again after giving the rotation up.
    ForwardRequested {
        /// In the person's words.
        reason: String,
    },
    /// A person said that the names leave DANE or DNSSEC: the rotation has no object any more.
    DaneLeft {
        /// In the person's words.
        reason: String,
    },
    /// Every RRset of a name that servers answer with now, though no step asked for it and it refuses a key that hosts have or
    /// may have. One that was there before and is not among these left the servers at this moment; caches may hold it.
    StraysAnswered {
        /// Which name.
        name: TlsaName,
        /// Which RRsets.
        answered: Vec<Stray>,
    },
    /// A command was run to bring hosts to their key, forward or back.
    DeploymentTried {
        /// For which hosts.
        hosts: BTreeSet<String>,
        /// How it ended, where it failed; none of its own words, which may hold a secret.
        failed: Option<String>,
    },
    /// The risks to delivery that were seen, all of them; none when they are over.
    RisksSeen {
        /// Which and where.
        risks: BTreeSet<Risk>,
    },
    /// What others keep the rotation waiting with, where nobody here has anything to do; none when that is over. A change of
    /// step ends it, too.
    DelaySeen {
        /// Which and where.
        by: Option<Delay>,
    },
    /// A person asked that no rotation begins by itself after this one.
    CadenceHeld,
    /// A person looked at TLS reports that could not be read: they hold nothing back any more.
    ReportsSetAside {
        /// The SHA-256 of each, in hexadecimal digits.
        reports: BTreeSet<String>,
        /// In the person's words.
        reason: String,
    },
    /// A person said that the clock is right now, and that it was not when these facts were recorded.
    ClockRepaired {
        /// The numbers of the facts that count for nothing from now on.
        set_aside: BTreeSet<u64>,
        /// Those of the facts that count with another time.
        redated: BTreeMap<u64, Instant>,
    },
}

impl Event {
    /// Whether it is only kept in mind: it moves no step, and is no news to a person.
    pub fn is_kept_in_mind(&self) -> bool {
        matches!(
            self,
            Self::ServersSeen { .. }
                | Self::ServersHadLeft { .. }
                | Self::AddressesSeen { .. }
                | Self::AddressesHadLeft { .. }
                | Self::HostsWereSilent { .. }
                | Self::SoakSeen
                | Self::SeveralKeysSeen { .. }
                | Self::SignatureBegan { .. }
                | Self::SignerRenewed { .. }
                | Self::SignatureSeen { .. }
                | Self::StraysAnswered { .. }
                | Self::DeploymentTried { .. }
                | Self::RisksSeen { .. }
                | Self::DelaySeen { .. }
                | Self::ClockRepaired { .. }
        )
    }

    /// Whether it is what a person said, not what was seen or follows from that.
    pub fn is_a_persons_word(&self) -> bool {
        match self {
            Self::DeploymentReleased { why } => *why == Release::Asked,
            Self::HostsLeft { asked, .. } => asked.is_some(),
            Self::AbortRequested { .. }
            | Self::RollbackRequested { .. }
            | Self::ForwardRequested { .. }
            | Self::EmergencyDeclared { .. }
            | Self::DaneLeft { .. }
            | Self::CadenceHeld
            | Self::ReportsSetAside { .. }
            | Self::ClockRepaired { .. } => true,
            _ => false,
        }
    }

    /// Where a fact of one time is taken for one of another, what it says of times after it goes along.
    pub fn move_times(&mut self, from: Instant, to: Instant) {
        let moved = |until: &mut Instant| *until = to + until.since(from);
        match self {
            Self::ServersHadLeft { until, .. } => until.values_mut().for_each(moved),
            Self::AddressesHadLeft { until, .. } => until.values_mut().for_each(moved),
            Self::HostsLeft { endpoints, .. } => {
                endpoints.iter_mut().map(|(_, until)| until).for_each(moved);
            }
            _ => {}
        }
    }

    /// The event's name in one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "Started",
            Self::KeyAdmitted { .. } => "KeyAdmitted",
            Self::AssociationsComputed { .. } => "AssociationsComputed",
            Self::SurroundingsFound { .. } => "SurroundingsFound",
            Self::PrepublishDecided => "PrepublishDecided",
            Self::HigherTtlSeen { .. } => "HigherTtlSeen",
            Self::PrepublishServed { .. } => "PrepublishServed",
            Self::MergeReverted { .. } => "MergeReverted",
            Self::ServerRegressed { .. } => "ServerRegressed",
            Self::SwapOpened => "SwapOpened",
            Self::HostsPresentedIncoming => "HostsPresentedIncoming",
            Self::HostRegressed { .. } => "HostRegressed",
            Self::SoakPassed => "SoakPassed",
            Self::RetireDecided => "RetireDecided",
            Self::RetireServed => "RetireServed",
            Self::AbortRequested { .. } => "AbortRequested",
            Self::WithdrawalDecided => "WithdrawalDecided",
            Self::WithdrawalServed => "WithdrawalServed",
            Self::RollbackRequested { .. } => "RollbackRequested",
            Self::DeploymentReleased { .. } => "DeploymentReleased",
            Self::OldWithdrawn { .. } => "OldWithdrawn",
            Self::ReinstatementServed { .. } => "ReinstatementServed",
            Self::ReturnOpened => "ReturnOpened",
            Self::EmergencyDeclared { .. } => "EmergencyDeclared",
            Self::ReplacementServed { .. } => "ReplacementServed",
            Self::ReplacementVerified => "ReplacementVerified",
            Self::SignatureSeen { .. } => "SignatureSeen",
            Self::ServersSeen { .. } => "ServersSeen",
            Self::ServersHadLeft { .. } => "ServersHadLeft",
            Self::AddressesSeen { .. } => "AddressesSeen",
            Self::AddressesHadLeft { .. } => "AddressesHadLeft",
            Self::HostsJoined { .. } => "HostsJoined",
            Self::HostsLeft { .. } => "HostsLeft",
            Self::JoinServed { .. } => "JoinServed",
            Self::JoinRegressed { .. } => "JoinRegressed",
            Self::JoinOpened { .. } => "JoinOpened",
            Self::HostsWereSilent { .. } => "HostsWereSilent",
            Self::SoakSeen => "SoakSeen",
            Self::SoakInterrupted => "SoakInterrupted",
            Self::SeveralKeysSeen { .. } => "SeveralKeysSeen",
            Self::SignatureBegan { .. } => "SignatureBegan",
            Self::SignerRenewed { .. } => "SignerRenewed",
            Self::ForwardRequested { .. } => "ForwardRequested",
            Self::DaneLeft { .. } => "DaneLeft",
            Self::StraysAnswered { .. } => "StraysAnswered",
            Self::DeploymentTried { .. } => "DeploymentTried",
            Self::RisksSeen { .. } => "RisksSeen",
            Self::DelaySeen { .. } => "DelaySeen",
            Self::CadenceHeld => "CadenceHeld",
            Self::ReportsSetAside { .. } => "ReportsSetAside",
            Self::ClockRepaired { .. } => "ClockRepaired",
        }
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
