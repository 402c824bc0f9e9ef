//! The commit message of a zone change: everything a reviewer needs to say yes or no (which step, what changes, why it is
//! safe now, what happens next, how to undo).

use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, TlsaName};
use crate::rotation::policy::Policy;
use crate::rotation::step::{Requirement, Rotation, Step};
use crate::rotation::wait;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

/// Why a zone is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Step 3: the incoming associations join the old ones.
    Publish,
    /// Step 7: the old associations leave.
    Retire,
    /// An abort: the incoming associations leave again.
    Withdraw,
    /// An emergency that puts security first: the incoming associations take the place of the old ones.
    Replace,
    /// The way back from step 7: the old associations join the incoming ones again.
    Reinstate,
    /// Beside rotations: records leave that no host needs.
    Prune,
    /// Beside rotations: a key joins that a host presents already.
    Adopt,
    /// The first records of names: those of the keys in use.
    Enable,
    /// All records leave: the names leave DANE.
    Disable,
}

/// What the message is about.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The rotation's name, such as `mail.1`.
    pub rotation: String,
    /// Its state.
    pub state: &'a Rotation,
    /// What the state demands.
    pub requirement: &'a Requirement,
    /// The zones that change: their names without a final dot, and their serials before and after where those are ours.
    pub zones: Vec<(String, Option<(u32, u32)>)>,
    /// Those of them with a digest (ZONEMD) that is not ours to make anew.
    pub digests: BTreeSet<String>,
    /// The RRsets as they stand in the zone now.
    pub now: BTreeMap<TlsaName, BTreeSet<Association>>,
    /// The operator's patience, for what comes next.
    pub policy: &'a Policy,
}

impl Purpose {
    /// What a change in this step is for; `None` where the step wants no change.
    pub fn of(step: Step) -> Option<Self> {
        match step {
            Step::Prepublishing
            | Step::Waiting
            | Step::SwapOpen
            | Step::Deployed
            | Step::Verified
            | Step::RollingBack => Some(Self::Publish),
            Step::Retiring | Step::Retired => Some(Self::Retire),
            Step::Withdrawing | Step::Aborted => Some(Self::Withdraw),
            Step::Replacing | Step::Replaced => Some(Self::Replace),
            Step::Reinstating | Step::Reinstated => Some(Self::Reinstate),
            Step::Started | Step::Generated | Step::Hashed => None,
        }
    }

    pub(super) fn headline(self) -> &'static str {
        match self {
            Self::Publish => "publish the next key beside the old one (step 3 of 7)",
            Self::Retire => "retire the old key (step 7 of 7)",
            Self::Withdraw => "withdraw the next key (the rotation was aborted)",
            Self::Replace => "EMERGENCY: replace the old key at once (security first)",
            Self::Reinstate => "publish the old key beside the next one again",
            Self::Prune => "take out records that no host needs (prune)",
            Self::Adopt => "publish a key that hosts present already (adopt)",
            Self::Enable => "publish the first records, of the key in use (enable)",
            Self::Disable => "take every record out and leave DANE (disable)",
        }
    }

    pub(super) fn safe_because(self) -> &'static str {
        match self {
            Self::Publish => {
                "It only adds: every record of the key in use stays, so whatever a sender has cached\n\
                 keeps matching. No host changes its key yet."
            }
            Self::Retire => {
                "In the run that proposed it every host presented the next key on every address, the\n\
                 soak has passed, and every cache holds the old and the new record or the new one alone."
            }
            Self::Withdraw => {
                "In the run that proposed it every host presented the old key on every address, and the\n\
                 old record stays; no sender has been given a reason to expect the incoming key."
            }
            Self::Replace => {
                "It is NOT safe for delivery, and was chosen so: senders that hold the old RRset refuse the incoming\n\
                 key, and defer mail, until that RRset has run out of their caches."
            }
            Self::Reinstate => {
                "It only adds: the record of the key that hosts present stays. No host changes its key yet."
            }
            Self::Prune => {
                "In the run that proposed it every host was seen on every address, for RSA and for ECDSA, with a key\n\
                 that another record lists, every server answered alike, and no rotation needs what leaves. It is looked\n\
                 at again before any server gets it."
            }
            Self::Adopt => {
                "It only adds: every record that is there stays. The certificate in use here, a file, or a\n\
                 person who looked on the host says that the key is ours: that it was seen on the network did not count."
            }
            Self::Enable => {
                "In the run that proposed it every host was seen on every address, for RSA and for ECDSA, with the key\n\
                 of this record, the zone was signed, and the parent had its DS. It is looked at again before any\n\
                 server gets it."
            }
            Self::Disable => {
                "No record at all is no DANE: senders deliver without it. Until caches have run out they still ask for\n\
                 the keys of before: those stay on the hosts."
            }
        }
    }

    pub(super) fn next(self, subject: &Subject<'_>) -> String {
        match self {
            Self::Publish => {
                let wait = wait::two_ttls(subject.state);
                format!(
                    "Once this is merged and every authoritative server serves it, the wait begins:\n\
                     {} (policy) or {wait} (2 × TTL), the longer of them, and {} of margin. Then the swap opens.",
                    subject.policy.min_wait, subject.policy.safety_margin
                )
            }
            Self::Retire => {
                "Once this is merged and every authoritative server serves it, the rotation is over.".into()
            }
            Self::Withdraw => {
                "Once this is merged and every authoritative server serves it, the abort is complete.".into()
            }
            Self::Replace => format!(
                "Once this is merged and every authoritative server serves it, mail is deferred for {} more at most.",
                wait::ttl_old(subject.state).span()
            ),
            Self::Reinstate => {
                "Once this is merged, served by every authoritative server, and a whole wait has passed, hosts may go\n\
                 back to the old key.".into()
            }
            Self::Prune => {
                "Once this is merged, and every host is seen again without what leaves, the servers get it. Then it is\n\
                 done.".into()
            }
            Self::Adopt => format!(
                "Once this is merged and every authoritative server serves it, senders that hold the RRset of before go\n\
                 on refusing that key for {} at most.",
                wait::ttl_old(subject.state).span()
            ),
            Self::Enable => {
                "Once this is merged and every authoritative server serves it, senders hold the hosts to this key. From\n\
                 then on a new key comes by a rotation: `tlsa-rotate start`.".into()
            }
            Self::Disable => format!(
                "Once this is merged and no authoritative server answers with a record any more, caches may hold the\n\
                 records for {} at most; `tlsa-rotate status` says until when.",
                wait::ttl_old(subject.state).span()
            ),
        }
    }

    pub(super) fn undo(self) -> &'static str {
        match self {
            Self::Publish => {
                "`tlsa-rotate abort` proposes the removal. Do not revert this commit once hosts may have\n\
                 the incoming key: senders would refuse it."
            }
            Self::Retire => {
                "Not by reverting: the old key may return to the hosts only after a whole new rotation."
            }
            Self::Withdraw => "`tlsa-rotate start` begins a new rotation.",
            Self::Replace => "Not by reverting: the old key is compromised.",
            Self::Reinstate => "Reverting it is safe while every host presents the next key.",
            Self::Prune => "Reverting it is safe at any time: it only adds.",
            Self::Adopt => "`tlsa-rotate prune`, once no host presents the key any more.",
            Self::Enable => "`tlsa-rotate disable`; reverting it is as safe.",
            Self::Disable => "`tlsa-rotate enable`, which looks at every host first.",
        }
    }
}

/// The word that names the step in branch names, file names and trailers.
impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish",
            Self::Retire => "retire",
            Self::Withdraw => "withdraw",
            Self::Replace => "replace",
            Self::Reinstate => "reinstate",
            Self::Prune => "prune",
            Self::Adopt => "adopt",
            Self::Enable => "enable",
            Self::Disable => "disable",
        })
    }
}

/// What follows for a digest where somebody else raises the serial and signs (RFC 8976 §3.1).
pub const OUTDATED_DIGEST: &str = "the digest is of the zone before; whoever raises the serial makes it anew, or servers that check it refuse the zone";

/// The whole message, without trailers.
pub fn message(purpose: Purpose, subject: &Subject<'_>) -> String {
    let hosts = subject
        .state
        .endpoints
        .iter()
        .map(Endpoint::to_string)
        .collect::<Vec<_>>();
    let zones: Vec<&str> = subject.zones.iter().map(|(zone, _)| &**zone).collect();
    let mut text = format!("{}: {}\n\n", subject.rotation, purpose.headline());
    let _ = writeln!(
        text,
        "Zone{} {}, presented by {}.\n",
        if zones.len() == 1 { "" } else { "s" },
        zones.join(" and "),
        hosts.join(", ")
    );
    text.push_str("What changes:\n");
    for (name, rrset) in &subject.now {
        for association in subject.requirement.missing_in(rrset) {
            let _ = writeln!(text, "  + {name} TLSA {association}");
        }
        for association in rrset {
            let sign = if subject.requirement.absent.contains(association) {
                '-'
            } else {
                ' '
            };
            let _ = writeln!(text, "  {sign} {name} TLSA {association}");
        }
    }
    for (zone, serials) in &subject.zones {
        if let Some((before, after)) = serials {
            let _ = writeln!(text, "  ~ {zone}. SOA serial {before} -> {after}");
        }
    }
    for zone in &subject.digests {
        let _ = writeln!(text, "  ! {zone}. ZONEMD: {OUTDATED_DIGEST}");
    }
    text.push('\n');
    let _ = writeln!(
        text,
        "Why it is safe now:\n{}\n",
        indented(purpose.safe_because())
    );
    let _ = writeln!(
        text,
        "What happens next:\n{}\n",
        indented(&purpose.next(subject))
    );
    let _ = writeln!(text, "How to undo:\n{}", indented(purpose.undo()));
    text
}

pub(super) fn indented(paragraph: &str) -> String {
    paragraph
        .lines()
        .map(|line| format!("  {}", line.trim_start()))
        .collect::<Vec<_>>()
        .join("\n")
}
