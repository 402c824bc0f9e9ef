//! The way out of every refusal of the machine, as one sentence: what a person does, or what is waited for.

use super::blocker::Blocker;
use super::combination::Lost;
use super::exposure::{Holder, Presenter};
use super::observation::Source;
use super::promise::Breach;

impl Blocker {
    /// The way out, as one sentence.
    #[allow(clippy::too_many_lines)] // one arm for each refusal
    pub fn way_out(&self) -> String {
        match self {
            Self::KeyMissing => "run `tlsa-rotate advance`; it generates or admits the key".into(),
            Self::NotMerged { source: Source::GitHead, .. } => {
                "review the change that `tlsa-rotate advance` proposes, and merge it".into()
            }
            Self::NotMerged { source, .. } => {
                format!("run `tlsa-rotate advance`; it makes the change {}", source.located())
            }
            Self::DaneGone { certificate, .. } => format!(
                "put the records back; or, if these hosts are to go on without DANE: tlsa-rotate abort {certificate} --leave-dane"
            ),
            Self::MergedUnknown { source: Source::GitHead, .. } => {
                "correct that on the branch that counts (a file that cannot be read, an alias that was led elsewhere, a name that was delegated), then run again".into()
            }
            Self::MergedUnknown { source: Source::File, .. } => {
                "make the zone file readable, then run again".into()
            }
            Self::MergedUnknown { source, .. } => format!("make {source} answer, then run again"),
            Self::NotServed { authority, .. } => {
                format!("wait for {authority} to load the zone; if it does not, look at its transfers")
            }
            Self::ZoneDenied { zone, .. } => format!(
                "load {zone} on its servers again (their logs say why it is not: an expired transfer, a file that was refused, a configuration without it), or correct `servers` of the zone"
            ),
            Self::ServersUnknown { zone, .. } => format!(
                "make the resolver answer, name another one under `resolvers` of the zone {zone}, or, if the parent is never to be asked, all its servers under `servers`"
            ),
            Self::ServerUnknown { authority, .. } => format!(
                "make {authority} answer as the other servers do; if it is gone for good, take its NS record out, here and at the parent: the wait then goes on until every cache has forgotten it"
            ),
            Self::ServerLeaves { authority, until, .. } if !authority.has_address() => {
                format!("nothing to do before {until}: no cache leads to a server of before after that")
            }
            Self::ServerLeaves { authority, until, .. } => format!(
                "make {authority} serve the zone as it is now, or wait until {until}: no cache leads there after that"
            ),
            Self::Joins { gate, .. } => {
                format!("leave the key in use on its hosts until {}", gate.opens)
            }
            Self::AddressLeaves { address, until, .. } => format!(
                "give the machine at {address} the key that the others have, switch it off, or wait: no cache leads there after {until}"
            ),
            Self::SeveralKeys { endpoint, until, .. } => format!(
                "give every server behind {endpoint} the same key; it counts once no other key was seen until {until}"
            ),
            Self::WouldRefuse(breach) => would_refuse(breach),
            Self::SignatureWindow { authority, .. } => {
                format!("make whoever signs renew the signature before it ends, and let {authority} load it")
            }
            Self::NothingObserved { what } => {
                format!("give {what} at least one address in the zone or in the configuration")
            }
            Self::CachesMayLackIt(gate)
            | Self::CachesMayLackOld(gate)
            | Self::OutageRuns(gate)
            | Self::Soaking(gate) => {
                format!("nothing to do before {}", gate.opens)
            }
            Self::Resting { .. } => {
                "nothing to do; `tlsa-rotate deploy` lets the deployment go earlier".into()
            }
            Self::Held { .. } => {
                "once every host presents the previous key: `tlsa-rotate deploy` goes on, `tlsa-rotate abort` gives the rotation up".into()
            }
            Self::DeploymentFailed { again, .. } => format!(
                "run that command by hand to see what is wrong; it is run again on {again}, and at once by `tlsa-rotate deploy`"
            ),
            Self::Paced => "wait until the hosts before it are seen with their new key".into(),
            Self::WrongKey { endpoint, incoming_wanted: true, .. } => {
                format!("install the next certificate and key on {endpoint}")
            }
            Self::WrongKey { endpoint, incoming_wanted: false, .. } => {
                format!(
                    "put the previous certificate and key back on {endpoint}; where they are lost, `tlsa-rotate deploy` goes forward again"
                )
            }
            Self::HostUnknown { endpoint, .. } => format!(
                "make {endpoint} reachable from here or from a [[vantage]]; if only that address is gone for good, take its A or AAAA record out; if the host is gone for good: tlsa-rotate forget {}",
                endpoint.host
            ),
            Self::NoCertificate { endpoint, .. } => format!("configure a certificate on {endpoint}"),
            Self::OnlyStayingKey { endpoint, .. } => format!(
                "install the next certificate and key on {endpoint}, or give that host a certificate entry of its own"
            ),
            Self::OtherCertificate { endpoint, .. } => format!(
                "deploy the very certificate of this rotation on {endpoint}: a record of selector 0 is of no other"
            ),
            Self::CombinationLost(lost) => way_out_of_loss(lost),
            Self::ExpiresTooSoon { .. } => {
                "abort this rotation and start one with a certificate that lasts longer".into()
            }
            Self::Objected(objection) => objection.way_out(),
            Self::Clock(doubt) => doubt.way_out(),
            Self::LooksTooSeldom { apart, .. } => {
                format!("let cron or a timer run `tlsa-rotate advance` at least every {apart}")
            }
            Self::OthersTakeLong { first, .. } => {
                format!("find out what is wrong there: {}", first.way_out())
            }
            Self::Unsafe(_) => {
                "bring zone and hosts back into agreement first; `tlsa-rotate status` names what differs".into()
            }
        }
    }
}

/// A host that would be refused gets a key that the records list; which one that is, the host shows.
fn would_refuse(breach: &Breach) -> String {
    match (&breach.holder, &breach.presenter) {
        (Holder::Server(server), _) => {
            format!("make {server} load the zone as it is now, and run again")
        }
        (_, Presenter::Host { endpoint, .. }) => format!(
            "take the change of the zone back, unless it is {endpoint} that has the wrong key: a key that the change alone lists is safe there only once every server answers with it and caches have nothing else; if the host is gone for good: tlsa-rotate forget {}",
            endpoint.host
        ),
        (_, Presenter::Step(_)) => "bring zone and hosts back into agreement first".to_owned(),
    }
}

/// Records are kept, never pruned by guess: the operator says which way.
fn way_out_of_loss(lost: &Lost) -> String {
    let Lost {
        name, combination, ..
    } = lost;
    let removed =
        format!("take the `{combination}` records out of the zone and wait for their TTL");
    match lost.would_match.as_slice() {
        [] => format!("{removed}, or rotate to a certificate whose chain they match"),
        [one, ..] => format!("add `{name} TLSA {one}` to the zone beside the others, or {removed}"),
    }
}
