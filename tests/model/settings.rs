//! The settings: one whole one, and small ones that each add one freedom that it leaves out.

use crate::around::{Change, Hosts, NOBODY};
use crate::setting::Setting;
use crate::world::{HIGH, LOW, Records, SOAK, TTL, VALID};
use tlsa_rotate::rotation::emergency::Priority;

impl Setting {
    /// Everything that people, servers and hosts do under the assumptions.
    pub(crate) const WHOLE: Self = Self {
        name: "whole",
        records: Records::PAIR,
        zones: 1,
        aliased: false,
        halves: true,
        silence: 1,
        may_be_silent: 0b1111,
        sets_ttl: &[LOW],
        sets_ttl_again: false,
        kills: true,
        ways_back: true,
        standby: false,
        signatures_end: false,
        emergency: None,
        objections: false,
        faults: false,
        strays: false,
        ttl: TTL,
        ttl_before: 0,
        server_had_left: false,
        soak: SOAK,
        valid: VALID,
        unit: 1,
        looks_first: false,
        forward: true,
        change: Change::Nothing,
        most_changes: 0,
    };
    const SMALL: Self = Self {
        name: "small",
        halves: false,
        ..Self::WHOLE
    };
    pub(crate) const STANDBY: Self = Self {
        name: "standby",
        standby: true,
        ..Self::SMALL
    };
    pub(crate) const SIGNATURES: Self = Self {
        name: "signatures",
        signatures_end: true,
        silence: 0,
        ways_back: false,
        sets_ttl: &[],
        ..Self::SMALL
    };
    pub(crate) const DELIVERY: Self = Self {
        name: "emergency, delivery first",
        emergency: Some(Priority::Delivery),
        ..Self::SMALL
    };
    pub(crate) const SECURITY: Self = Self {
        name: "emergency, security first",
        emergency: Some(Priority::Security),
        ..Self::SMALL
    };
    pub(crate) const FAULTS: Self = Self {
        name: "faults",
        faults: true,
        // What cannot be seen cannot be said: silence only withholds here.
        silence: 0,
        kills: false,
        sets_ttl: &[],
        ..Self::SMALL
    };
    /// The same on the way forward, with what was answered for a while.
    pub(crate) const STRAYS: Self = Self {
        name: "faults that caches keep",
        strays: true,
        ways_back: false,
        forward: false,
        ..Self::FAULTS
    };
    /// Any number of places fall silent at the same time.
    pub(crate) const SILENCE: Self = Self {
        name: "silence of any places",
        silence: 4,
        ..Self::SMALL
    };
    /// The TTL is raised or lowered at any time.
    pub(crate) const TTLS: Self = Self {
        name: "TTL raised or lowered",
        sets_ttl: &[LOW, HIGH],
        sets_ttl_again: true,
        silence: 0,
        ..Self::SMALL
    };
    /// The ECDSA key stays, and its record with it; the records lie behind aliases.
    pub(crate) const STAYING: Self = Self {
        name: "a key that stays, behind aliases",
        records: Records::RSA_ALONE,
        aliased: true,
        halves: true,
        ..Self::SMALL
    };
    pub(crate) const ZONES: Self = Self {
        name: "two zones",
        zones: 2,
        silence: 0,
        ..Self::SMALL
    };
    pub(crate) const OBJECTIONS: Self = Self {
        name: "objections",
        objections: true,
        silence: 0,
        ..Self::SMALL
    };
    pub(crate) const SMALLEST: Self = Self::SMALL;
    /// What the settings of a changing world have in common: one TTL is one unit, and people only go on.
    const CHANGING: Self = Self {
        name: "changing",
        silence: 0,
        sets_ttl: &[],
        kills: false,
        ways_back: false,
        looks_first: true,
        forward: false,
        ttl: 1,
        ..Self::SMALL
    };
    pub(crate) const SERVERS: Self = Self {
        name: "servers come and go",
        silence: 1,
        may_be_silent: 0b0011,
        change: Change::Servers,
        most_changes: 2,
        ..Self::CHANGING
    };
    /// The same on the ways back.
    pub(crate) const SERVERS_BACK: Self = Self {
        name: "servers come and go on the way back",
        silence: 0,
        ways_back: true,
        forward: true,
        ..Self::SERVERS
    };
    /// The same from a zone that one server has just left.
    pub(crate) const SERVER_HAD_LEFT: Self = Self {
        name: "a server had left before",
        server_had_left: true,
        may_be_silent: 0b0010,
        ..Self::SERVERS
    };
    /// A host with a name in another zone joins.
    pub(crate) const JOINS: Self = Self {
        name: "a host joins and leaves",
        zones: 2,
        ways_back: true,
        forward: true,
        change: Change::Hosts(Hosts {
            join: true,
            leave: true,
            ..NOBODY
        }),
        most_changes: 2,
        ..Self::CHANGING
    };
    /// It has no RRset yet, or the key of somebody else.
    pub(crate) const STRANGERS: Self = Self {
        name: "a stranger joins",
        zones: 2,
        ways_back: true,
        forward: true,
        change: Change::Hosts(Hosts {
            join: true,
            strangers: true,
            ..NOBODY
        }),
        most_changes: 1,
        ..Self::CHANGING
    };
    /// A host that shares the RRset with another leaves, or joins again.
    pub(crate) const SHARED: Self = Self {
        name: "a host that shares an RRset leaves",
        aliased: true,
        silence: 1,
        may_be_silent: 0b1000,
        ways_back: true,
        forward: true,
        change: Change::Hosts(Hosts {
            leave: true,
            ..NOBODY
        }),
        most_changes: 1,
        ..Self::CHANGING
    };
    /// One joins an RRset that others have, at any time.
    pub(crate) const SHARED_JOINS: Self = Self {
        name: "a host joins the RRset of others",
        change: Change::Hosts(Hosts {
            join: true,
            leave: true,
            ..NOBODY
        }),
        most_changes: 2,
        ..Self::SHARED
    };
    /// Mail of another certificate, which this rotation does not deploy, hangs on the RRset: its host is watched as one that
    /// left, and somebody else gives it a key.
    pub(crate) const OTHERS: Self = Self {
        name: "another certificate on the RRset",
        change: Change::Others,
        aliased: true,
        ways_back: true,
        forward: true,
        ..Self::CHANGING
    };
    /// Hosts die and keys are lost, and all the same there is an end.
    pub(crate) const LOSSES: Self = Self {
        name: "hosts die and keys are lost",
        ways_back: true,
        forward: true,
        change: Change::Hosts(Hosts {
            die: true,
            lose: true,
            ..NOBODY
        }),
        most_changes: 2,
        ..Self::CHANGING
    };
    /// The same with a key that is compromised.
    pub(crate) const LOSSES_SECURITY: Self = Self {
        name: "hosts die and keys are lost in an emergency",
        emergency: Some(Priority::Security),
        ..Self::LOSSES
    };
    /// All that hosts do.
    pub(crate) const ALL_HOSTS: Self = Self {
        name: "hosts join, leave and die, and keys are lost",
        change: Change::Hosts(Hosts {
            join: true,
            leave: true,
            die: true,
            lose: true,
            ..NOBODY
        }),
        ..Self::JOINS
    };
    pub(crate) const ADDRESSES: Self = Self {
        name: "addresses move",
        ways_back: true,
        forward: true,
        change: Change::Addresses,
        most_changes: 2,
        ..Self::CHANGING
    };
    /// The same, and machines fall silent.
    pub(crate) const ADDRESSES_SILENT: Self = Self {
        name: "addresses move, and machines are silent",
        silence: 1,
        may_be_silent: 0b1100,
        ..Self::ADDRESSES
    };
    /// Caches hold the RRset under a TTL of before.
    pub(crate) const TTL_BEFORE: Self = Self {
        name: "a TTL from before",
        ttl_before: 4,
        ..Self::CHANGING
    };
    pub(crate) const BALANCED: Self = Self {
        name: "several servers behind an address",
        // What one server presented counts for six hours: two units.
        unit: 3 * 3_600,
        soak: 0,
        change: Change::Balanced,
        most_changes: 1,
        ..Self::CHANGING
    };
    pub(crate) const RESTORES: Self = Self {
        name: "restores at the last moment",
        ways_back: true,
        forward: true,
        change: Change::Restores,
        most_changes: 1,
        ..Self::CHANGING
    };
    /// A soak of four units, which must be looked at in each.
    pub(crate) const LOOKS: Self = Self {
        name: "a soak that is looked at",
        soak: 4,
        silence: 1,
        may_be_silent: 0b1100,
        ways_back: true,
        forward: true,
        change: Change::Looks,
        ..Self::CHANGING
    };
    /// Signatures that do not last for the wait: they must be seen to be made anew.
    pub(crate) const DAY: Self = Self {
        name: "signatures of a day",
        ttl: 1,
        valid: 2,
        ways_back: true,
        ..Self::SIGNATURES
    };
    pub(crate) const LEAVING: Self = Self {
        name: "the names leave DANE",
        ways_back: true,
        forward: true,
        change: Change::LeavesDane,
        ..Self::CHANGING
    };
}
