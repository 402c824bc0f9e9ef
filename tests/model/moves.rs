//! What may happen: the moves of people, servers, hosts, time and the machine, and how a story tells them.

use crate::world::{ALL_SERVERS, Key, WEB};

/// The records of a set, in words.
pub(crate) fn listed(set: u8) -> String {
    let names = ["old RSA", "old ECDSA", "new RSA", "new ECDSA"];
    let there = (0..4)
        .filter(|bit| set & (1 << bit) != 0)
        .map(|bit| names[bit]);
    format!("{{{}}}", there.collect::<Vec<_>>().join(", "))
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// A whole run of the machine.
    Run,
    /// A run that is killed after so many writes to its journal.
    RunKilled(u8),
    Time,
    /// A person merges what the machine proposes now for a zone.
    Merge(usize),
    /// A person merges or reverts a zone to any other version that passes the pre-merge check (R1).
    MergeOther(usize, u8),
    SetTtl(usize, u8),
    Load(usize),
    /// A server goes back to the zone before the rotation.
    Regress(usize),
    /// These places are silent from now on, and no other.
    Silent(u8),
    Deploy(usize, usize),
    PutBack(usize, usize),
    /// Somebody else renews a certificate with a key of their own.
    Renew(usize),
    Resign,
    /// The Web PKI, or a sender's report, begins or ceases to speak against the incoming certificate.
    Object(usize),
    /// A whole run whose look meets these of the servers behind the one address, a bit each.
    RunMeets(u8),
    /// A person takes a server into the NS RRset of HEAD, or out of it.
    List(usize),
    /// The parent begins or ceases to refer to a server.
    Refer(usize),
    /// A host joins by MX and configuration, or by its address, as it is.
    Join(usize, Key),
    /// It leaves so.
    Leave(usize),
    /// A host is gone for good.
    Die(usize),
    /// A server is gone for good.
    ServerDies(usize),
    /// A private key is lost: no host that lacks it can get it any more.
    Lose(Key),
    Ask(Wish),
}

/// What a person asks of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Abort,
    Rollback,
    /// Let the deployment go.
    Deploy,
    Emergency,
    /// Go forward again after giving up.
    Forward,
    /// A host is let go.
    Forget(usize),
    LeaveDane,
}

impl Move {
    /// The move as a sentence. Servers and hosts have no names here: those that are alike are one state.
    pub(crate) fn told(self) -> String {
        let chain = |algorithm: usize| ["RSA", "ECDSA"][algorithm];
        match self {
            Self::Run => "the machine runs".into(),
            Self::RunKilled(writes) => {
                format!("the machine runs and is killed after {writes} writes")
            }
            Self::Time => "a unit of time passes".into(),
            Self::Merge(_) => "a person merges what the machine proposes".into(),
            Self::MergeOther(_, set) => format!("a person merges a zone with {}", listed(set)),
            Self::SetTtl(_, ttl) => format!("a person sets the TTL to {ttl} units"),
            Self::Load(_) => "a server loads the zone from git HEAD".into(),
            Self::Regress(_) => "a server goes back to the zone before the rotation".into(),
            Self::Silent(0) => "everyone answers".into(),
            Self::Silent(places) => {
                let servers = (places & ALL_SERVERS).count_ones();
                let hosts = (places & !ALL_SERVERS).count_ones();
                format!("{servers} of the servers and {hosts} of the hosts are silent, no other")
            }
            Self::Deploy(_, algorithm) => {
                format!("a host gets the next key ({})", chain(algorithm))
            }
            Self::PutBack(_, algorithm) => {
                format!("a host gets the old key back ({})", chain(algorithm))
            }
            Self::Renew(_) => "somebody else gives a host a key of their own".into(),
            Self::Resign => "the zone is signed anew".into(),
            Self::Object(WEB) => "the Web PKI changes its mind of the next certificate".into(),
            Self::Object(_) => "a report of failures arrives, or is set aside".into(),
            Self::Ask(wish) => format!("a person asks: {wish:?}"),
            Self::RunMeets(0b11) => {
                "the machine runs; its look meets both servers behind the address".into()
            }
            Self::RunMeets(met) => {
                format!(
                    "the machine runs; its look meets only server {} behind the address",
                    met >> 1
                )
            }
            Self::List(server) => {
                format!("a person takes server {server} into the NS RRset, or out of it")
            }
            Self::Refer(server) => {
                format!("the parent begins, or ceases, to refer to server {server}")
            }
            Self::Join(host, has) => format!("mx{host} joins with its {has:?} key"),
            Self::Leave(host) => format!("mx{host} leaves"),
            Self::Die(host) => format!("mx{host} is gone for good"),
            Self::ServerDies(server) => format!("server {server} is gone for good"),
            Self::Lose(key) => format!("the {key:?} key is lost"),
        }
    }
}
