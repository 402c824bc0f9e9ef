//! Every refusal of the machine in words: what was expected, what was seen, and where.

use super::association::Association;
use super::blocker::Blocker;
use super::exposure::{Holder, Presenter};
use super::wait::Binding;
use std::fmt;

impl fmt::Display for Blocker {
    /// What was expected, what was seen, and where.
    #[allow(clippy::too_many_lines)] // one arm for each refusal
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyMissing => f.write_str("the next key does not exist yet"),
            Self::NotMerged {
                name,
                source,
                missing,
                unwanted,
            } => {
                write!(
                    f,
                    "{name} TLSA {} {}",
                    source.located(),
                    Difference { missing, unwanted }
                )
            }
            Self::DaneGone { name, source, .. } => write!(
                f,
                "{name} has no TLSA record any more {}: senders deliver there without DANE",
                source.located()
            ),
            Self::MergedUnknown { name, source, why } => {
                write!(f, "{name} TLSA {} is not known: {why}", source.located())
            }
            Self::NotServed {
                name,
                authority,
                missing,
                unwanted,
            } => {
                write!(
                    f,
                    "{name} TLSA on {authority} {}",
                    Difference { missing, unwanted }
                )
            }
            Self::ServerUnknown {
                name,
                authority,
                why,
            } => {
                write!(f, "{name} TLSA on {authority} is not known: {why}")
            }
            Self::ServersUnknown { zone, why } => {
                write!(f, "who serves {zone} is not known: {why}")
            }
            Self::ZoneDenied { zone, why } => write!(
                f,
                "no server of {zone} serves it: each refuses it or refers elsewhere ({why}); every name in it is lost to senders once caches have run out"
            ),
            Self::ServerLeaves {
                name,
                authority,
                until,
                ..
            } if !authority.has_address() => write!(
                f,
                "nobody knows who served {name} before: resolvers may ask {authority} until {until}"
            ),
            Self::ServerLeaves {
                name,
                authority,
                until,
                why,
            } => write!(
                f,
                "{authority} no longer is a name server of {name}, and resolvers may ask it until {until}: {why}"
            ),
            Self::Joins { name, gate } => write!(
                f,
                "{name} joined later: caches may lack the next key there until {} ({} binds)",
                gate.opens, gate.binds
            ),
            Self::AddressLeaves {
                endpoint,
                address,
                until,
                why,
            } => write!(
                f,
                "{endpoint} has left {address}, and senders may come there until {until}: {why}"
            ),
            Self::SeveralKeys {
                endpoint,
                address,
                until,
            } => write!(
                f,
                "{endpoint} presented several keys on {address}: there is more than one server behind that address, and the other key counts until {until}"
            ),
            Self::WouldRefuse(breach) => match (&breach.holder, &breach.presenter) {
                (Holder::Server(server), Presenter::Host { endpoint, address }) => write!(
                    f,
                    "{server} would be a name server of the zone, and its records of {} do not list {}, which {endpoint} presents on {address}: mail would be refused",
                    breach.name,
                    breach.key.short()
                ),
                (_, Presenter::Host { endpoint, address }) => write!(
                    f,
                    "{endpoint} presents {} on {address}, which the records of {} would not list: its mail would be refused",
                    breach.key.short(),
                    breach.name
                ),
                (_, Presenter::Step(_)) => write!(f, "the change would refuse mail: {breach}"),
            },
            Self::SignatureWindow {
                name,
                authority,
                inception,
                expiration,
                needed_until,
            } => write!(
                f,
                "the signature over {name} TLSA on {authority} holds from {inception} to {expiration}; it must hold until {needed_until}, or its signer must be seen to renew it"
            ),
            Self::NothingObserved { what } => write!(f, "nothing could be asked about {what}"),
            Self::CachesMayLackIt(gate) => write!(
                f,
                "caches may lack the record of the next key until {} ({} binds; the protocols alone would ask for {})",
                gate.opens, gate.binds, gate.protocol
            ),
            Self::Soaking(gate) => {
                write!(f, "the soak runs until {} ({})", gate.opens, Binding::Soak)
            }
            Self::LooksTooSeldom { from, apart } => write!(
                f,
                "the soak began anew at {from}, and not for the first time: it may go {apart} without a run, and runs are further apart"
            ),
            Self::WrongKey {
                endpoint,
                address,
                algorithm,
                presents,
                incoming_wanted,
            } => write!(
                f,
                "{endpoint} on {address} presents {} ({algorithm}), not {}",
                presents.short(),
                if *incoming_wanted {
                    "the next key"
                } else {
                    "the previous key"
                }
            ),
            Self::HostUnknown {
                endpoint,
                address,
                algorithm,
                why,
            } => {
                write!(
                    f,
                    "which {algorithm} key {endpoint} presents on {address} is not known: {why}"
                )
            }
            Self::NoCertificate { endpoint, address } => {
                write!(
                    f,
                    "{endpoint} on {address} presents no certificate, RSA or ECDSA"
                )
            }
            Self::OnlyStayingKey { endpoint, address } => write!(
                f,
                "{endpoint} on {address} presents only a key that is not replaced, and not the next one"
            ),
            Self::OtherCertificate {
                endpoint,
                address,
                presents,
            } => write!(
                f,
                "{endpoint} on {address} presents the next key {} in another certificate",
                presents.short()
            ),
            Self::CombinationLost(lost) => write!(
                f,
                "{} TLSA: no `{}` record ({}) would match the chain of the next key {} (RFC 7671 §8)",
                lost.name,
                lost.combination,
                short(&lost.records),
                lost.key.short()
            ),
            Self::ExpiresTooSoon {
                not_after,
                needed_until,
            } => write!(
                f,
                "the next certificate ends on {not_after}; the rotation would end on {needed_until} at the earliest"
            ),
            Self::Objected(objection) => write!(f, "{objection}"),
            Self::Clock(doubt) => write!(f, "{doubt}"),
            Self::OthersTakeLong {
                since,
                lasted,
                first,
            } => write!(
                f,
                "others have kept this rotation waiting for {lasted}, since {since}, longer than policy patience: {first}"
            ),
            Self::Unsafe(breach) => write!(f, "the next step would refuse mail: {breach}"),
            Self::Held { reason } => write!(f, "the deployment is held after a rollback: {reason}"),
            Self::Resting { due: None } => {
                f.write_str("the next key is published and rests until a person lets it go")
            }
            Self::Resting { due: Some(due) } => write!(
                f,
                "the next key is published and rests until {}: then {}",
                due.at, due.why
            ),
            Self::DeploymentFailed { host, at, why, .. } => {
                write!(f, "the command for {host} failed on {at}: {why}")
            }
            Self::Paced => {
                f.write_str("other hosts of the same MX set are being deployed (policy concurrent)")
            }
            Self::CachesMayLackOld(gate) => write!(
                f,
                "caches may lack the record of the previous key until {} ({} binds)",
                gate.opens, gate.binds
            ),
            Self::OutageRuns(gate) => write!(
                f,
                "senders that hold the old RRset defer mail until {} ({})",
                gate.opens, gate.binds
            ),
        }
    }
}

fn short(set: &[Association]) -> String {
    let short: Vec<String> = set.iter().map(Association::short).collect();
    short.join(", ")
}

/// How an RRset differs from what is demanded, in words.
struct Difference<'a> {
    missing: &'a [Association],
    unwanted: &'a [Association],
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.missing, self.unwanted) {
            (missing, []) => write!(f, "lacks {}", short(missing)),
            ([], unwanted) => write!(f, "still holds {}", short(unwanted)),
            (missing, unwanted) => write!(
                f,
                "lacks {} and still holds {}",
                short(missing),
                short(unwanted)
            ),
        }
    }
}
