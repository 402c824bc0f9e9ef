//! What a person can do about each error of a use case.

use super::WorkflowError;
use super::error::NotAsJudged;
use crate::rotation::blocker::Blocker;
use crate::rotation::exposure::{Holder, Presenter};
use crate::rotation::observation::TlsaName;
use crate::rotation::promise::Breach;
use crate::zone::answers::Difference;
use crate::zone::record::Rtype;
use std::io;

impl WorkflowError {
    /// The ways out, one line each.
    #[allow(clippy::too_many_lines)] // one arm for each error
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoSuchCertificate { known, .. } => vec![format!("there is: {}", known.join(", "))],
            Self::NoTimeNamed { path } => vec![
                "name the time to rehearse at, such as --now 2026-12-01T08:00:00Z".to_owned(),
                format!(
                    "or, to rotate for real, take `rehearsal = true` out of {}, and begin with a workspace in which nothing was rehearsed",
                    path.display()
                ),
            ],
            Self::LeftDane { name } => vec![
                format!("to come back, with the key in use: tlsa-rotate enable {name}"),
                format!("if it has not left yet: tlsa-rotate disable {name} --undo"),
            ],
            Self::PauseIsOver { .. } => vec!["name a later time, or none: it then lasts until `tlsa-rotate resume`".to_owned()],
            Self::NotPaused { name } => vec![format!("`tlsa-rotate status {name}` says what it waits for")],
            Self::NotProposed(refusal) => refusal.hints.clone(),
            Self::JobOpen { kind, certificate } => vec![
                format!("`tlsa-rotate status {certificate}` says what it waits for"),
                format!("to take it back: tlsa-rotate {kind} {certificate} --undo"),
            ],
            Self::JobWaits(waits) => waits.hints(),
            Self::InDoubt(doubt) => vec![doubt.way_out()],
            Self::UnderWay { id, .. } => vec![
                format!("`tlsa-rotate status {}` says where it stands", id.certificate),
                format!("`tlsa-rotate deploy {}` lets its deployment go, where that rests or is held", id.certificate),
                format!("`tlsa-rotate abort {}` gives it up safely", id.certificate),
            ],
            Self::NotFromHere { way_out, .. } => vec![way_out.clone()],
            Self::NoSuchHost { configured, .. } if configured.is_empty() => vec![
                "nothing waits for it; `tlsa-rotate status` names the hosts of each rotation".to_owned(),
            ],
            Self::NoSuchHost { host, configured } => vec![format!(
                "nothing waits for it now; to keep it out of the next rotation take {host} out of `hosts` of {}",
                configured.join(" and ")
            )],
            Self::WouldRefuse { id, breach, .. } => vec![
                format!(
                    "put {} back into {} in {}: revert the change that took it out",
                    breach.key.short(),
                    breach.name,
                    breach.holder.place()
                ),
                format!("`tlsa-rotate status {}` says where {id} stands", id.certificate),
                format!(
                    "if {id} is over and its hosts were given another key by hand: point `live` at that, and `tlsa-rotate start {0}`; where no record lists it, first `tlsa-rotate adopt {0}`",
                    id.certificate
                ),
            ],
            Self::NotSeenToBeSafe { certificate, id, is_given_up, reasons, .. } => {
                let way_out = if id.is_some() { Blocker::way_out } else { at_rest };
                let mut hints: Vec<String> = reasons.iter().map(way_out).collect();
                hints.push(if id.is_none() {
                    "or take the change of the zone file back: nothing in it was handed on".to_owned()
                } else if *is_given_up {
                    "or leave the key where it is: what `tlsa-rotate advance` proposes takes the change back".to_owned()
                } else {
                    format!(
                        "or leave the key where it is and take the change back: tlsa-rotate abort {certificate}"
                    )
                });
                hints.dedup();
                hints
            }
            Self::NotHandedOn(not) => not.hints(),
            Self::HeadMoved { .. } => vec!["run it again: it starts from what is there now".to_owned()],
            Self::NothingUnderWay { name } => vec![format!("`tlsa-rotate start {name}` begins one")],
            Self::NoZone { .. } => vec!["add a [[zone]] that the host lies in".to_owned()],
            Self::AliasElsewhere { target, .. } => vec![
                format!("ask whoever runs the zone of {target} to publish there; this rotation cannot go on without them"),
                "or take the alias out and publish TLSA records in your own zone".to_owned(),
                "or, if that zone is yours, add it as a [[zone]]".to_owned(),
            ],
            Self::ServersHidden { zone, .. } => vec![
                format!("add their addresses to `servers` of zone {zone}: every address of every server"),
                "or leave `servers` out: they are then asked where the zone says".to_owned(),
            ],
            Self::ChangesAnswer { difference, .. } => vec![
                its_own(difference),
                "then commit that where the zone is in git, and run again; nothing was changed".to_owned(),
            ],
            Self::NewFinding { .. } => vec![
                "correct the zone so that its TLSA records are served, commit that where it is in git, and run again; nothing was changed".to_owned(),
            ],
            Self::HangsOn { certificate, aliases, .. } => {
                let aliases: Vec<&str> = aliases.keys().map(TlsaName::as_str).collect();
                vec![
                    format!("if the same key is presented there, add the host to `hosts` of {certificate}, and the port to its `ports`: it is then looked at like the others"),
                    format!("or give {} TLSA records of its own in place of the alias", aliases.join(" and ")),
                ]
            }
            Self::AliasLoop { name } => vec![format!("correct the CNAME records from {name} on")],
            Self::SameKey { .. } => vec![
                "put the renewed certificate on the hosts as usual; for a rotation make a new key".to_owned(),
            ],
            Self::SharedKey { certificates: (one, other), .. } => vec![
                format!("make {one} and {other} one [[certificate]] with the hosts of both: their key is rotated as a whole"),
                "or give the hosts of one a key of their own, or TLSA records of their own instead of the alias".to_owned(),
            ],
            Self::RenewalPinned { .. } => vec![
                "make a new key, so that both records are rotated; or publish `3 1 1` beside it, and take it out after its TTL".to_owned(),
            ],
            Self::IllegalHistory { .. } => {
                vec!["the journal was edited or mixed up: restore it from a backup".to_owned()]
            }
            Self::Weak { .. } => vec!["use ECDSA P-256, or RSA with 2048 bits or more".to_owned()],
            Self::KeyUnkept(unkept) => unkept.hints(),
            Self::KeysOfOthers { id, directory, .. } => vec![
                format!("move it away, and a new key is made: mv {0} {0}.found", directory.display()),
                format!(
                    "or, if the key is yours, move it and name it: tlsa-rotate start {} --certificate FILE --key FILE",
                    id.certificate
                ),
            ],
            Self::SecretInGit { root, files } => {
                let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
                let (root, names) = (root.display(), names.join(" "));
                vec![
                    format!("take it out of git, the file stays: git -C {root} rm --cached {names} && git -C {root} commit -m 'Take secrets out of git'"),
                    "see that it stays out: `tlsa-rotate init` writes a .gitignore that names such files".to_owned(),
                    "it stays in the history, and is known: make another (tsig-keygen for TSIG, for both parties; `tlsa-rotate key generate` for DNSSEC; `tlsa-rotate emergency` for a TLS key), and put it in its place".to_owned(),
                ]
            }
            Self::KeyGoneForGood { .. } => vec![
                "make a new key (certbot: --new-key; lego and acme.sh make one unless they are told to keep it)".to_owned(),
            ],
            Self::CertificateNeeded { .. } => vec![
                "order the certificate first, and name it beside the key: next = { certificate = …, key = … }".to_owned(),
                "or publish `3 1 1` beside that record, and take that out after its TTL: then the key is enough".to_owned(),
            ],
            Self::KeyUsedBefore { .. } | Self::KeyTakenOut { .. } => vec![
                "with selector 1 a renewal that keeps its key needs no rotation; for a rotation make a new key".to_owned(),
            ],
            Self::StaleLive { id, .. } => vec![format!(
                "`live` in the configuration names the old certificate still: copy there the one that the hosts present (of {id}), or correct `live`"
            )],
            Self::JournalLost { certificate, path, .. } => vec![
                format!("bring {} back from a backup, or run this where the journal is", path.display()),
                format!(
                    "if it is lost for good: `tlsa-rotate start {certificate} --journal-lost` begins a new rotation, which takes out no record before every host was seen without its key"
                ),
            ],
            Self::JournalGone { rotation, path, .. } => vec![
                format!("bring {} back from a backup, or run this where the journal is", path.display()),
                format!(
                    "if it is lost for good: `tlsa-rotate start {} --journal-lost` begins a new rotation, which takes out no record before every host was seen without its key",
                    rotation.certificate
                ),
            ],
            Self::HistoryCut { certificate, root, path } => vec![
                format!("fetch the whole history: git -C {} fetch --unshallow", root.display()),
                format!(
                    "if {} is lost for good, or there never was one: `tlsa-rotate start {certificate} --journal-lost`",
                    path.display()
                ),
            ],
            Self::JournalOlder { path, rotation, .. } => vec![
                format!("put the newest copy of {} back, or run this where it is", path.display()),
                format!(
                    "if there is no newer one: `tlsa-rotate start {} --journal-lost` gives {rotation} up as it stands and begins a new rotation, which takes out no record before every host was seen without its key",
                    rotation.certificate
                ),
            ],
            Self::OtherKeyThere { path } => vec![format!(
                "if it is not needed any more, move {} and its neighbours away",
                path.display()
            )],
            Self::SignedUnreadable { path, .. } => vec![format!(
                "move {} away; it is signed anew from what is merged, with the serial that the zone file has there",
                path.display()
            )],
            Self::NotCommitted { path } => vec![format!(
                "git add {0} && git commit {0}",
                path.display()
            )],
            Self::Lock(error) => error.hints(),
            Self::Journal(error) => error.hints(),
            Self::Write(error) => error.hints(),
            Self::Git(error) => error.hints(),
            Self::Proposal(error) => error.hints(),
            Self::Unsealed(_) => {
                vec!["see that `sign_with` in tlsa-rotate.toml names your own key, and that `ssh-keygen` is OpenSSH's".to_owned()]
            }
            Self::Command(error) => error.hints(),
            Self::Primary(error) => error.hints(),
            Self::Provider(error) => error.hints(),
            Self::Keeper(error) => error.hints(),
            Self::Orphan { id, .. } => vec![format!(
                "give that certificate its name `{0}` back until its rotation is over, or until `tlsa-rotate abort {0}` has ended it",
                id.certificate
            )],
            Self::StillRefused(refused) => vec![
                format!("allow runners to push refs/heads/tlsa-rotate/* and refs/tlsa-rotate/* at `{}`", refused.remote),
                "then `tlsa-rotate advance`: once a push goes through, nothing is told any more".to_owned(),
            ],
            Self::TooSoon { back: Some(back), .. } => vec![
                "nothing is done by it, and the keys on the hosts stay as they are: find out who wrote that, and who may push there: git log --patch refs/tlsa-rotate/journal".to_owned(),
                format!("put back what was there before: {back}"),
            ],
            Self::TooSoon { path, .. } => vec![
                "nothing is done by it, and the keys on the hosts stay as they are: find out who wrote that".to_owned(),
                format!("restore {} from a backup; without one, move it away and start again: the next run looks at servers and hosts anew", path.display()),
            ],
            Self::Deployment { source, .. } => {
                let mut hints = source.hints();
                hints.push("`tlsa-rotate status` says when it is run again".to_owned());
                hints
            }
            Self::TsigKey(error) => error.hints(),
            Self::SeveralKeys { .. } => {
                vec!["put the key for updates into a file of its own".to_owned()]
            }
            Self::Unreadable { path, source } => vec![match source.kind() {
                io::ErrorKind::NotFound => format!(
                    "put the file back, or correct its path in tlsa-rotate.toml: {}",
                    path.display()
                ),
                io::ErrorKind::InvalidData => format!(
                    "see what is in {0}, and correct it or move it away: what only it knew is told no more",
                    path.display()
                ),
                _ => format!("make it readable: ls -ld {}", path.display()),
            }],
            Self::NotACertificate { .. } => {
                vec!["name a PEM file with the certificate first in tlsa-rotate.toml or with --certificate".to_owned()]
            }
            Self::NotValidNow { .. } => vec![
                "nothing was installed; see that the clock is right (`date --utc`), or have the certificate renewed".to_owned(),
            ],
            Self::NotAKey { .. } | Self::Mismatched { .. } => {
                vec!["name the PEM file of the certificate's own private key".to_owned()]
            }
            Self::NotAsJudged(error) => error.hints(),
            Self::JournalsDiffer { path, remote, .. } => vec![format!(
                "see what both say (git show refs/tlsa-rotate/journal), then move {} away: the one on {remote} is taken over",
                path.display()
            )],
            Self::Unvouched(unvouched) => unvouched.hints(),
            Self::NoSigners { list, .. } => vec![format!(
                "commit {list} there, with a line `runner1 ssh-ed25519 AAAA…` for each runner; or take [journal] out of tlsa-rotate.toml"
            )],
            Self::NotShared { hints, .. } => hints.clone(),
            Self::SharedNotArchived { .. } => vec![
                "leave them as they are: a shared journal is read in one piece by every runner"
                    .to_owned(),
            ],
            Self::NoJournals { .. } => vec![
                "run this where `advance` runs, or share the journals over git: publish = { git = { …, remote = \"origin\" } }".to_owned(),
                "where no rotation has begun yet, the whole history of the branch tells it: git fetch --unshallow".to_owned(),
            ],
            Self::ConfigAt { .. } => {
                vec!["correct the configuration in that commit; nothing was judged".to_owned()]
            }
            Self::NotAnAnchor { .. } => {
                vec![
                    "put there what the parent publishes: dig +noall +answer DS ZONE".to_owned(),
                    "if nobody has signed the zone yet, let its server sign it first (BIND: `dnssec-policy default;`, Knot: `dnssec-signing: on`), and put its keys there: dig +noall +answer DNSKEY ZONE @SERVER; the DS record at the parent follows when that works".to_owned(),
                ]
            }
            Self::Zone(_) => vec![
                "correct the zone file, commit it where it is in git, and run again; `tlsa-rotate zone check` shows every finding".to_owned(),
            ],
            Self::Edit { .. } => {
                vec!["change the zone file as said, commit it where it is in git, and run again".to_owned()]
            }
            Self::Sign { zone, .. } => vec![format!(
                "see which keys there are: tlsa-rotate key list {zone} --keys DIRECTORY; where they are lost, bring them back from your backup, or correct `keys` of the zone; nothing was written"
            )],
            Self::NotSignedHere { .. } => {
                vec!["name the `name` of a [[zone]] that has `sign = { keys = … }`".to_owned()]
            }
            Self::SerialUnknown { zone, .. } => vec![
                "make its servers answer, or name them: servers = [\"192.0.2.53\", …] for the zone in tlsa-rotate.toml".to_owned(),
                format!("or say the latest serial that any server has: `dig +short SOA {zone} @SERVER`, then `tlsa-rotate zone continue {zone} --serial N`"),
                format!("or, if no server ever had the zone signed: `tlsa-rotate zone continue {zone} --new`"),
            ],
            Self::KeysBreak { zone, .. } => vec![
                format!("put the key files that {zone} was signed with back into its directory: `dig DNSKEY {zone}` names them"),
                format!("if they are lost: have the DS at the parent removed, wait until no cache has it (its TTL, usually a day), then `tlsa-rotate zone continue {zone} --keys-anew`"),
            ],
            Self::KeyGone { zone, .. } => vec![
                "put its two files back; `tlsa-rotate advance` takes it out of the zone when no cache needs it any more".to_owned(),
                "if they are lost, and it is a key that the parent's DS names: have that DS removed, and wait until no cache has it (its TTL, usually a day)".to_owned(),
                format!("then, or if validators that still need the key do not count: `tlsa-rotate zone continue {zone} --keys-anew`"),
            ],
            Self::DsWanted { zone, .. } => vec![
                format!("`tlsa-rotate key ds {zone} --keys DIRECTORY` prints the DS for the registrar; give it all of them"),
            ],
            Self::SignaturesEnded { .. } => vec![
                "run `tlsa-rotate advance` now, and find out why it did not run: it belongs into cron or a timer".to_owned(),
            ],
            Self::Unverified { .. } => {
                vec!["the signed zone is as it was; correct the keys or the zone and run again".to_owned()]
            }
            Self::Illegal(_) => {
                vec!["nothing was recorded; `tlsa-rotate status` says where the rotation stands".to_owned()]
            }
            Self::Key(_) => vec![],
        }
    }
}

impl NotAsJudged {
    fn hints(&self) -> Vec<String> {
        let (Some(root), Some(branch)) = (&self.root, &self.branch) else {
            return vec!["run again: it is judged as it is now".to_owned()];
        };
        let (at, path) = (root.display(), self.path.display());
        vec![
            format!("see what is changed: git -C {at} status"),
            if self.elsewhere {
                format!("check out the branch that counts: git -C {at} switch {branch}")
            } else {
                format!(
                    "commit it as you want it, or put it back: git -C {at} checkout {branch} -- {path}"
                )
            },
        ]
    }
}

/// What else is asked for at or below a name keeps its answer only by records of its own.
fn its_own(difference: &Difference) -> String {
    let Difference { name, rtype, .. } = difference;
    let first = name.labels().next().unwrap_or_default();
    // Nobody asks for TLSA records at `_tcp` itself.
    if *rtype == Rtype::TLSA && first.eq_ignore_ascii_case(b"_tcp") {
        return format!(
            "give every port below {name} that takes mail TLSA records of its own first, such as _465.{name}: a wildcard answers no longer for any name below {name} once one of them has records (RFC 4592 §2.2.2)"
        );
    }
    format!(
        "give {name} {rtype} records of its own first: a wildcard answers no longer for a name once there are records at it or below it (RFC 4592 §2.2.2)"
    )
}

/// The way out where no rotation waits for a host: there is none to let it go.
fn at_rest(reason: &Blocker) -> String {
    match reason {
        Blocker::WouldRefuse(Breach {
            holder: Holder::Change,
            presenter: Presenter::Host { endpoint, .. },
            ..
        }) => format!(
            "take the change of the zone back, unless it is {endpoint} that has the wrong key: a key that the change alone lists is safe there only once every server answers with it and caches have nothing else; if the host is gone for good, take it out of the MX records and of `hosts`"
        ),
        reason => reason.way_out(),
    }
}
