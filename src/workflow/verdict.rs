//! What a sender makes of one address: a presented chain, or none, judged by the TLSA records of its host (RFC 7672 §2.2).

use crate::dane::certificate::Certificate;
use crate::dane::judge::{self, Finding, Rules};
use crate::observe::chain::NoAnswer;
use crate::observe::extended_error::ExtendedError;
use crate::observe::probe::{Answer, Obstacle};
use crate::observe::senders_view::Tlsa;
use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, KeyAlgorithm};
use crate::rotation::timing::Instant;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// One address asked for one algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where.
    pub address: SocketAddr,
    /// For what.
    pub algorithm: KeyAlgorithm,
    /// In TLS 1.2, where that shows something else than TLS 1.3.
    pub tls12_only: bool,
    /// The `3 1 1` association of the leaf presented and the end of its validity, if one was.
    pub presented: Option<(Association, Instant)>,
    /// What a sender makes of it.
    pub verdict: Verdict,
    /// What some senders make of it that are of another mind.
    pub dissent: Option<String>,
    /// Why nothing is known of what TLS 1.2 shows there, where that was not answered.
    pub unanswered: Option<String>,
}

/// What a sender makes of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It delivers, to a host that this record authenticates.
    Verified(Association),
    /// It delivers, but DANE does not protect the way there.
    Unprotected(String),
    /// It does not deliver to this address: nothing published matches what is presented.
    Refused(Vec<(Association, Finding)>),
    /// It does not deliver to this address: DANE asks for TLS, and there is none.
    NoTls(String),
    /// The server has no chain of this algorithm: nothing to verify.
    NotOffered,
    /// It could not be told.
    Unknown(String),
}

/// The whole in a word; later ones outweigh earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Everything that can be presented is authenticated.
    Verified,
    /// The domain says that it takes no mail (RFC 7505): there is nothing to authenticate.
    NoMail,
    /// Mail is delivered, somewhere without authentication.
    Unprotected,
    /// Something could not be told.
    Unknown,
    /// A validating sender refuses or defers somewhere.
    AtRisk,
}

/// What everything presented by one host is judged by.
pub(super) struct Case {
    /// Base domain and port.
    pub(super) endpoint: Endpoint,
    /// The names a certificate may be for.
    pub(super) names: Vec<String>,
    pub(super) tlsa: Tlsa,
}

impl Case {
    pub(super) fn line(
        &self,
        address: SocketAddr,
        algorithm: KeyAlgorithm,
        tls12_only: bool,
        answer: &Result<Answer, Obstacle>,
        now: Instant,
    ) -> Line {
        let (verdict, presented, dissent) = self.judge(answer, now);
        Line {
            address,
            algorithm,
            tls12_only,
            presented,
            verdict,
            dissent,
            unanswered: None,
        }
    }

    fn judge(
        &self,
        answer: &Result<Answer, Obstacle>,
        now: Instant,
    ) -> (Verdict, Option<(Association, Instant)>, Option<String>) {
        let records: &[Association] = match &self.tlsa {
            Tlsa::Published { records, .. } => records,
            _ => &[],
        };
        let chain = match answer {
            Ok(Answer::NotOffered) => return (Verdict::NotOffered, None, None),
            Ok(Answer::Chain(chain)) => chain,
            Err(obstacle @ (Obstacle::NoStarttls(_) | Obstacle::NoHandshake(_))) => {
                return (self.without_tls(obstacle.to_string()), None, None);
            }
            Err(obstacle) => return (Verdict::Unknown(obstacle.to_string()), None, None),
        };
        let chain: Vec<Certificate> = match judge::presented(chain) {
            Ok(chain) => chain,
            Err(error) => {
                return (
                    Verdict::Unknown(format!("the presented leaf: {error}")),
                    None,
                    None,
                );
            }
        };
        let leaf = chain
            .first()
            .map(|leaf| (leaf.spki_association(), leaf.not_after()));
        if let Tlsa::None { why, .. } = &self.tlsa {
            return (Verdict::Unprotected(why.to_string()), leaf, None);
        }
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let judgement = judge::judge(records, &chain, &names, now, Rules::Smtp);
        let dissent = judgement.dissent();
        let verdict = match judgement.verdict {
            judge::Verdict::Verified(by) => Verdict::Verified(by),
            judge::Verdict::Refused => Verdict::Refused(judgement.records),
            judge::Verdict::NoUsableRecords => Verdict::Unprotected(unusable(&judgement.records)),
        };
        (verdict, leaf, dissent)
    }
}

impl Case {
    /// What senders do where no TLS is to be had, for this reason. Even records of which none is usable make TLS mandatory
    /// (RFC 7672 §2.2).
    fn without_tls(&self, why: String) -> Verdict {
        match &self.tlsa {
            Tlsa::Published { records, .. } if !records.is_empty() => Verdict::NoTls(why),
            _ => Verdict::Unprotected(format!("{why}: mail goes there in clear text")),
        }
    }

    /// The addresses that refuse both algorithms.
    pub(super) fn refusing_everything(lines: &[Line]) -> BTreeSet<SocketAddr> {
        let all: BTreeSet<SocketAddr> = lines.iter().map(|line| line.address).collect();
        let refuses = |address: &SocketAddr| {
            let mut here = lines.iter().filter(|line| line.address == *address);
            here.all(|line| line.verdict == Verdict::NotOffered)
        };
        all.into_iter().filter(refuses).collect()
    }

    /// Judges an address that refuses both algorithms by what it said to whoever takes anything, if that was asked: it may
    /// end all TLS, or present what no sender knows.
    pub(super) fn settle(
        &self,
        lines: &mut [Line],
        address: SocketAddr,
        anything: Option<&Result<Vec<Vec<u8>>, Obstacle>>,
    ) {
        let both = "the server refuses RSA and ECDSA alike";
        for line in lines.iter_mut().filter(|line| line.address == address) {
            line.verdict = match anything {
                Some(Err(Obstacle::NoHandshake(why) | Obstacle::Unfit(why))) => {
                    self.without_tls(format!("{both}: {why}"))
                }
                Some(Err(why)) => Verdict::Unknown(format!("{both}; asked for anything: {why}")),
                Some(Ok(_)) => {
                    Verdict::Unknown(format!("{both} and presents a key of another kind"))
                }
                None => Verdict::Unknown(format!("{both}: no sender can speak TLS with it")),
            };
        }
    }
}

fn unusable(records: &[(Association, Finding)]) -> String {
    let said: Vec<String> = records
        .iter()
        .map(|(record, finding)| format!("{}: {finding}", record.short()))
        .collect();
    format!(
        "no TLSA record is usable, so senders use TLS without authentication ({})",
        said.join("; ")
    )
}

impl Verdict {
    /// What it does to the whole; `None` if nothing.
    pub fn standing(&self) -> Option<Standing> {
        match self {
            Self::Verified(_) => Some(Standing::Verified),
            Self::Unprotected(_) => Some(Standing::Unprotected),
            Self::Unknown(_) => Some(Standing::Unknown),
            Self::Refused(_) | Self::NoTls(_) => Some(Standing::AtRisk),
            Self::NotOffered => None,
        }
    }
}

/// A sender defers where validation fails or no authority answers; that our own resolver cannot be reached says nothing
/// about senders.
pub fn of_failure(failure: &NoAnswer) -> Standing {
    match failure {
        NoAnswer::Failed(flaw) if flaw.error == ExtendedError::NetworkError => Standing::Unknown,
        NoAnswer::Bogus(_) | NoAnswer::Failed(_) => Standing::AtRisk,
    }
}
