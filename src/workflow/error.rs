//! Why a use case could not be carried out: one type; the ways out are in `ways_out`.

use super::handing_on::NotHandedOn;
use super::job::{Kind, Refusal, Waits};
use super::keeper_error::KeeperError;
use super::refused::Refused;
use super::signers::Unvouched;
use crate::change::proposal::Unsealed;
use crate::dnssec::dnskey::KeyId;
use crate::dnssec::succession::Gone;
use crate::files::guard::Unkept;
use crate::observe::addresses::list;
use crate::publish::command::CommandError;
use crate::publish::git::GitError;
use crate::publish::primary::PrimaryError;
use crate::publish::provider::ProviderError;
use crate::publish::ssh_sign::SigningError;
use crate::publish::tsig::KeyFileError;
use crate::rotation::association::Association;
use crate::rotation::blocker::Blocker;
use crate::rotation::doubt::Doubt;
use crate::rotation::observation::TlsaName;
use crate::rotation::promise::Breach;
use crate::rotation::step::{IllegalEvent, Step};
use crate::rotation::timing::Instant;
use crate::workspace::durable::WriteError;
use crate::workspace::journal::{JournalError, RotationId};
use crate::workspace::lock::LockError;
use crate::workspace::tls_key::TlsKeyError;
use crate::zone::answers::Difference;
use crate::zone::name::Name;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// A file that a server reads, and that is not the one that was judged.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} was not handed to the servers of {zone}: it is not as {} has it, {how}",
    path.display(),
    branch.as_ref().map_or_else(|| "it was when it was judged".to_owned(), |branch| format!("branch {branch}"))
)]
pub struct NotAsJudged {
    /// The zone.
    pub zone: Name,
    /// The file.
    pub path: PathBuf,
    /// In what it differs.
    pub how: String,
    /// The repository, if it lies in one.
    pub root: Option<PathBuf>,
    /// The branch that counts.
    pub branch: Option<String>,
    /// Whether another branch, or none, is checked out.
    pub elsewhere: bool,
}

/// Why a use case could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    /// Not in the configuration.
    #[error("there is no certificate `{name}` in the configuration")]
    NoSuchCertificate {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A workspace for rehearsals, and no time to rehearse at.
    #[error("{} says `rehearsal = true`, and no time was named: nothing is done here by the clock", path.display())]
    NoTimeNamed {
        /// The configuration.
        path: PathBuf,
    },
    /// A rotation that nothing can be begun in.
    #[error("no rotation is begun now: {0}")]
    InDoubt(Doubt),
    /// A second rotation of one certificate.
    #[error("rotation {id} is under way ({step})")]
    UnderWay {
        /// Which.
        id: RotationId,
        /// Where it stands.
        step: Step,
    },
    /// Nothing to act on.
    #[error("no rotation of `{name}` is under way")]
    NothingUnderWay {
        /// The certificate.
        name: String,
    },
    /// No rotation under way has the host.
    #[error("no rotation under way has the host {host}")]
    NoSuchHost {
        /// The host.
        host: String,
        /// The certificates that are configured for it.
        configured: Vec<String>,
    },
    /// What was asked for cannot be done, or is not safe, where the rotation stands.
    #[error("cannot {what} {id}, which is {step}: {why}")]
    NotFromHere {
        /// Which rotation.
        id: RotationId,
        /// Where it stands.
        step: Step,
        /// What was asked for.
        what: &'static str,
        /// Why it cannot be.
        why: &'static str,
        /// The way out.
        way_out: String,
    },
    /// A zone that would make senders refuse mail as it is kept.
    #[error("{zone} as {} has it was not handed to its servers, for {id}: {breach}", breach.holder.place())]
    WouldRefuse {
        /// The zone.
        zone: Name,
        /// Whose rotation it would break.
        id: RotationId,
        /// What it would break.
        breach: Box<Breach>,
    },
    /// `disable` took its names out of DANE.
    #[error("{name} has left DANE, or is about to (`tlsa-rotate disable`): no rotation begins")]
    LeftDane {
        /// The certificate.
        name: String,
    },
    /// A pause that would be over when it begins.
    #[error("the pause would be over on {until}, and it is later")]
    PauseIsOver {
        /// Its end.
        until: Instant,
    },
    /// Nothing to resume.
    #[error("{name} is not paused")]
    NotPaused {
        /// The certificate.
        name: String,
    },
    /// A job beside rotations that changes nothing.
    #[error("{0}")]
    NotProposed(Box<Refusal>),
    /// A job beside rotations that a person is to merge.
    #[error("{0}")]
    JobWaits(Box<Waits>),
    /// A job of the certificate is proposed, and no rotation begins meanwhile.
    #[error(
        "`{kind}` of {certificate} is open: no rotation begins before it is merged and served, or taken back"
    )]
    JobOpen {
        /// Which job.
        kind: Kind,
        /// Of which certificate.
        certificate: String,
    },
    /// A change that takes records out, or brings a name its first, while hosts were not all seen to bear it.
    #[error(
        "zone {zone} was not handed to its name servers, for {}: {}",
        id.as_ref().map_or_else(|| certificate.clone(), ToString::to_string),
        reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    NotSeenToBeSafe {
        /// The zone.
        zone: Name,
        /// Whose hosts.
        certificate: String,
        /// The rotation that they take part in, if they do.
        id: Option<RotationId>,
        /// It is being given up already.
        is_given_up: bool,
        /// What was seen, or not seen.
        reasons: Vec<Blocker>,
    },
    /// A zone that was merged in spite of what the gate says of it.
    #[error("{0}")]
    NotHandedOn(Box<NotHandedOn>),
    /// An edit that would change the answer for a name that is not of the rotation.
    #[error("{zone}: the change would hurt another name: {difference}")]
    ChangesAnswer {
        /// The zone.
        zone: Name,
        /// Whose answer, and how.
        difference: Box<Difference>,
    },
    /// An edit that `zone check` would have something new to say about.
    #[error("{zone}: after the change `tlsa-rotate zone check` would find: {finding}")]
    NewFinding {
        /// The zone.
        zone: Name,
        /// The finding.
        finding: String,
    },
    /// Aliases of the RRset whose hosts nobody would look at.
    #[error(
        "{} of the TLSA RRset at {name}, where the keys of {certificate} come and go, and {certificate} does not have {} among its hosts and ports",
        are_aliases(aliases),
        hosts_and_ports(aliases)
    )]
    HangsOn {
        /// The certificate's name in the configuration.
        certificate: String,
        /// The owner names that are aliases, each with the host and port that it is for.
        aliases: BTreeMap<TlsaName, String>,
        /// Where the RRset lies.
        name: TlsaName,
    },
    /// Somebody committed while a change was being prepared.
    #[error("the branch that counts moved while a change of {zone} was being prepared")]
    HeadMoved {
        /// The zone.
        zone: Name,
    },
    /// Nowhere to publish.
    #[error("{name} lies in no configured zone")]
    NoZone {
        /// The owner name.
        name: TlsaName,
    },
    /// An alias that leads out of the zones that can be changed here.
    #[error(
        "{alias} is an alias of {target}, which lies in no configured zone: whoever runs that zone publishes the TLSA RRset"
    )]
    AliasElsewhere {
        /// The alias.
        alias: TlsaName,
        /// Where it leads.
        target: TlsaName,
    },
    /// `servers` of a zone has fewer addresses than the zone has name servers.
    #[error(
        "zone {zone}: `servers` does not have an address for each of {}; resolvers ask every name server of the zone, so a rotation must see them all",
        list(.servers)
    )]
    ServersHidden {
        /// The zone.
        zone: Name,
        /// The name servers that none of the addresses can stand for.
        servers: Vec<Name>,
    },
    /// Aliases that lead nowhere.
    #[error("the aliases of {name} lead in a circle, or on and on")]
    AliasLoop {
        /// The owner name.
        name: TlsaName,
    },
    /// A renewal under the same key: there is nothing to rotate.
    #[error(
        "{certificate}: nothing to do: the next certificate has the key in use ({}), with selector 1 nothing changes",
        key.short()
    )]
    SameKey {
        /// The certificate's name in the configuration.
        certificate: String,
        /// The key.
        key: Association,
    },
    /// A renewal under the same key where a record is of the old certificate.
    #[error(
        "the next certificate has the key in use, but `{}` is of the present certificate and would not match it",
        record.short()
    )]
    RenewalPinned {
        /// The record of selector 0.
        record: Association,
    },
    /// The journal tells a story that cannot be.
    #[error("{}: entry {entry}: {illegal}", path.display())]
    IllegalHistory {
        /// The journal.
        path: PathBuf,
        /// Which entry.
        entry: u64,
        /// What is wrong.
        illegal: IllegalEvent,
    },
    /// A fact that does not fit the step.
    #[error(transparent)]
    Illegal(IllegalEvent),
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a certificate.
    #[error("{}: {reason}", path.display())]
    NotACertificate {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A certificate that is not valid yet, or not any more.
    #[error("{}: {when}", path.display())]
    NotValidNow {
        /// Which file.
        path: PathBuf,
        /// When it is, or was, valid.
        when: String,
    },
    /// Not a private key.
    #[error("{}: {reason}", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Certificate and key are of two pairs.
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    Mismatched {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// A key that is too weak.
    #[error("{} is too weak: {strength}", path.display())]
    Weak {
        /// Which file.
        path: PathBuf,
        /// What it is.
        strength: String,
    },
    /// A private key that others can read, or put another in the place of.
    #[error(transparent)]
    KeyUnkept(#[from] Unkept),
    /// Keys that this program did not make lie where it would make some.
    #[error(
        "{} already holds {}, which this program did not make for {id}: a key that comes from nobody knows where is not used",
        directory.display(),
        files.iter().filter_map(|f| f.file_name()).map(|f| f.to_string_lossy()).collect::<Vec<_>>().join(", ")
    )]
    KeysOfOthers {
        /// The rotation that was to begin.
        id: RotationId,
        /// Where they lie.
        directory: PathBuf,
        /// What lies there.
        files: Vec<PathBuf>,
    },
    /// Secrets that everybody has who has a clone.
    #[error(
        "git tracks what is secret: {}; whoever has a clone has it, and nothing is done with it",
        files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    SecretInGit {
        /// The workspace.
        root: PathBuf,
        /// The files, relative to it.
        files: Vec<PathBuf>,
    },
    /// A key that was taken out of use for good.
    #[error("the key of {} ({}) was {} in {id}, and never comes back", path.display(), association.short(), if *compromised { "declared compromised" } else { "retired" })]
    KeyGoneForGood {
        /// Its certificate or file.
        path: PathBuf,
        /// Its association.
        association: Association,
        /// The rotation that did.
        id: RotationId,
        /// Whether an emergency named it.
        compromised: bool,
    },
    /// A key without its certificate, where a record of the certificate itself is asked for.
    #[error(
        "`{}` is a record of the whole certificate, and the next one has only its key yet",
        record.short()
    )]
    CertificateNeeded {
        /// The record in use that would need a successor.
        record: Association,
    },
    /// A key that was in use before.
    #[error("the key of {} ({}) has been in use before", path.display(), association.short())]
    KeyUsedBefore {
        /// Its certificate.
        path: PathBuf,
        /// Its association.
        association: Association,
    },
    /// A key whose record was taken out of a zone.
    #[error("the record of the key of {} ({}) stood in the zone and was taken out of it (commit {commit:.12}): it is not used again", path.display(), association.short())]
    KeyTakenOut {
        /// Its certificate.
        path: PathBuf,
        /// Its association.
        association: Association,
        /// The commit that took it out, or touched it last.
        commit: String,
    },
    /// Two certificates present one key by one RRset.
    #[error("the certificates {} and {} have one key ({}) and, by aliases, one TLSA RRset at {name}: a rotation of one would take the key from the other's hosts", certificates.0, certificates.1, key.short())]
    SharedKey {
        /// The one that is to be rotated, and the other.
        certificates: (String, String),
        /// The key.
        key: Association,
        /// Where the RRset lies.
        name: TlsaName,
    },
    /// The live certificate of the configuration is not the one that hosts have.
    #[error("the live certificate has the key {} that {id} retired", association.short())]
    StaleLive {
        /// The key.
        association: Association,
        /// The rotation that retired it.
        id: RotationId,
    },
    /// The journal knows no rotation, and git holds commits of one.
    #[error("the journal of {certificate} is missing ({}), but git knows of {rotation}: commit {commit:.12} is its step `{step}`. What was published and waited for since is not known here", path.display())]
    JournalLost {
        /// The certificate.
        certificate: String,
        /// The last rotation that git knows of.
        rotation: RotationId,
        /// The last step of it that was committed.
        step: String,
        /// That commit.
        commit: String,
        /// Where the journal would lie.
        path: PathBuf,
    },
    /// The journal knows no rotation, no commit of ours tells of one, and what was committed for its review is there.
    #[error("the journal of {} is missing ({}), but {} on the branch that counts is of {rotation}. What was published and waited for since is not known here", rotation.certificate, path.display(), review.display())]
    JournalGone {
        /// The rotation.
        rotation: RotationId,
        /// A file for its review.
        review: PathBuf,
        /// Where the journal would lie.
        path: PathBuf,
    },
    /// There is no journal, and git cannot tell whether there should be one.
    #[error("there is no journal of {certificate} ({}), and the history in {} is cut (a shallow clone, or objects that were replaced): whether a rotation began before is not known here", path.display(), root.display())]
    HistoryCut {
        /// The certificate.
        certificate: String,
        /// The repository.
        root: PathBuf,
        /// Where the journal would lie.
        path: PathBuf,
    },
    /// Git holds commits of ours that the journal knows nothing of.
    #[error("the journal of {} ({}) is older than git: commit {commit:.12} is step `{step}` of {rotation}, and the journal ends before it, with entry {entry} of {at}. What was published and waited for since is not known here", rotation.certificate, path.display())]
    JournalOlder {
        /// The last rotation that git knows of.
        rotation: RotationId,
        /// The last step of it that was committed.
        step: String,
        /// That commit.
        commit: String,
        /// Where the journal lies.
        path: PathBuf,
        /// Its last entry.
        entry: u64,
        /// When that was recorded.
        at: Instant,
    },
    /// Another key is in the place of this one.
    #[error("{} is there already and is another key", path.display())]
    OtherKeyThere {
        /// Which file.
        path: PathBuf,
    },
    /// A proposal that could not be signed.
    #[error("the proposed change cannot be signed: {0}")]
    Proposal(#[from] SigningError),
    /// A signature that does not fit the proposal.
    #[error("the proposed change cannot be signed: {0}")]
    Unsealed(#[from] Unsealed),
    /// A zone file that the branch that counts does not hold.
    #[error("{} is not committed: the branch that counts does not hold it", path.display())]
    NotCommitted {
        /// Which file.
        path: PathBuf,
    },
    /// The file that the server reads is not the one that was judged.
    #[error("{0}")]
    NotAsJudged(Box<NotAsJudged>),
    /// Two runners have recorded different facts.
    #[error("{}:{line}: the journal here and the one on `{remote}` tell different stories from this line on", path.display())]
    JournalsDiffer {
        /// The journal here.
        path: PathBuf,
        /// The remote.
        remote: String,
        /// The first line that differs.
        line: usize,
    },
    /// Entries of journals that runners share, by nobody who may make them.
    #[error("{0}")]
    Unvouched(Box<Unvouched>),
    /// No list of those who may sign where entries must be signed.
    #[error(
        "the branch that counts has no {list} (commit {commit}): who may sign what runners record is not known"
    )]
    NoSigners {
        /// The list.
        list: String,
        /// Where it was looked for.
        commit: String,
    },
    /// Journals that several runners have in common.
    #[error(
        "{place} are not archived: every runner compares its own journal with them, line by line"
    )]
    SharedNotArchived {
        /// Where they are.
        place: String,
    },
    /// What other runners have recorded is not known; nothing was recorded here.
    #[error("{reason}")]
    NotShared {
        /// Why not.
        reason: String,
        /// The ways out.
        hints: Vec<String>,
        /// Whether only a person can change it.
        wants_a_person: bool,
    },
    /// No journals where they should be.
    #[error("there are no journals in {}: what rotations require is not known", path.display())]
    NoJournals {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// A configuration in git that cannot be used.
    #[error("{} in commit {commit}: {reason}", path.display())]
    ConfigAt {
        /// The commit.
        commit: String,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A trust anchor that cannot be used.
    #[error("{}: {reason}", path.display())]
    NotAnAnchor {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A zone file that cannot be used; the findings name their places.
    #[error("{0}")]
    Zone(String),
    /// A zone that cannot be edited without guessing.
    #[error("{zone}: {reason}")]
    Edit {
        /// The zone.
        zone: Name,
        /// Why not.
        reason: String,
    },
    /// A zone that cannot be signed.
    #[error("{zone} cannot be signed: {reason}")]
    Sign {
        /// The zone.
        zone: Name,
        /// Why not.
        reason: String,
    },
    /// Nothing says which serial secondaries have.
    #[error(
        "{zone} was not signed: nothing tells which serial its servers have had ({why}); with a smaller one they would keep what they have until it ends"
    )]
    SerialUnknown {
        /// The zone.
        zone: Name,
        /// Why they could not be asked.
        why: String,
    },
    /// A zone that somebody else signs, or that is not configured.
    #[error("{zone} is no zone of the configuration that is signed here")]
    NotSignedHere {
        /// What was asked for.
        zone: Name,
    },
    /// A key set that no validator would accept.
    #[error(
        "{zone} was not handed on: the keys in its directory share no secure entry point with those that {before}, and every validator would refuse the zone"
    )]
    KeysBreak {
        /// The zone.
        zone: Name,
        /// Whose keys these are.
        before: &'static str,
    },
    /// A key that left too early.
    #[error("{zone} was not signed: {gone}")]
    KeyGone {
        /// The zone.
        zone: Name,
        /// Which, and until when it is needed.
        gone: Gone,
    },
    /// A key that waits for the parent.
    #[error(
        "the parent of {zone} needs the DS of key {key} now: the key before it goes on signing until a day after"
    )]
    DsWanted {
        /// The zone.
        zone: Name,
        /// The key that is to follow.
        key: KeyId,
    },
    /// Signatures that are over.
    #[error(
        "SIGNATURES HAVE ENDED: those of {zone} ended on {ended}, because nothing signed it anew; validating senders defer mail to its hosts"
    )]
    SignaturesEnded {
        /// The zone.
        zone: Name,
        /// When the first of them ended.
        ended: Instant,
    },
    /// The signed zone on disk is damaged.
    #[error("the signed zone {} cannot be read:\n{findings}", path.display())]
    SignedUnreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        findings: String,
    },
    /// The zone as signed does not verify; it was not written.
    #[error("{zone} as signed does not verify, so it was not written:\n{findings}")]
    Unverified {
        /// The zone.
        zone: Name,
        /// What is wrong.
        findings: String,
    },
    /// A lock that was not got.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A journal that cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file that could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A next key that could not be made.
    #[error(transparent)]
    Key(#[from] TlsKeyError),
    /// What git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A primary that could not be asked or changed.
    #[error(transparent)]
    Primary(#[from] PrimaryError),
    /// A provider's program that could not be used.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A rotation is under way, and its certificate is not in the configuration.
    #[error(
        "{id} is under way ({step}), and the configuration has no certificate `{}`: nobody advances it or looks at its hosts",
        id.certificate
    )]
    Orphan {
        /// The rotation.
        id: RotationId,
        /// Where it stands.
        step: Step,
    },
    /// A push that was refused in an earlier run, and has not gone through since.
    #[error("`{}` refused {} at {}, and nothing has gone there since: {}", .0.remote, .0.place, .0.since, .0.said)]
    StillRefused(Box<Refused>),
    /// An entry that time forbids: it was not made by a run of this program.
    #[error("{}: entry {entry} cannot be true: {what}", path.display())]
    TooSoon {
        /// The journal.
        path: PathBuf,
        /// Which entry.
        entry: u64,
        /// Why.
        what: Box<str>,
        /// The command that puts back what was there before, where it is one that runners share.
        back: Option<Box<str>>,
    },
    /// The command that brings hosts to their key failed.
    #[error("the {what} command for {hosts} failed: {source}")]
    Deployment {
        /// `deploy` or `rollback`.
        what: String,
        /// The hosts that it was run for.
        hosts: String,
        /// Why.
        source: Box<CommandError>,
    },
    /// Nothing is asked of whoever keeps a zone.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// A TSIG key that cannot be read.
    #[error(transparent)]
    TsigKey(#[from] KeyFileError),
    /// Which of several keys is meant.
    #[error("{} has several TSIG keys: which one is meant?", path.display())]
    SeveralKeys {
        /// Which file.
        path: PathBuf,
    },
    /// A command that failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

fn are_aliases(aliases: &BTreeMap<TlsaName, String>) -> String {
    let names: Vec<&str> = aliases.keys().map(TlsaName::as_str).collect();
    let are = if names.len() == 1 {
        "is an alias"
    } else {
        "are aliases"
    };
    format!("{} {are}", names.join(" and "))
}

fn hosts_and_ports(aliases: &BTreeMap<TlsaName, String>) -> String {
    let places: Vec<&str> = aliases.values().map(String::as_str).collect();
    places.join(" and ")
}

impl WorkflowError {
    /// Whether somebody was faster, so that looking again is worth while.
    pub const fn is_overtaken(&self) -> bool {
        match self {
            Self::Git(error) => error.is_overtaken(),
            Self::HeadMoved { .. } | Self::Primary(PrimaryError::Changed { .. }) => true,
            _ => false,
        }
    }

    /// Whether it is of a job beside a rotation, which says nothing of that.
    pub const fn is_of_a_job(&self) -> bool {
        matches!(self, Self::JobWaits(_) | Self::JobOpen { .. })
    }

    /// Whether it is why a zone was not handed to its servers as the branch that counts has it.
    pub const fn is_of_handing_on(&self) -> bool {
        matches!(
            self,
            Self::WouldRefuse { .. } | Self::NotSeenToBeSafe { .. } | Self::NotHandedOn(_)
        )
    }

    /// Whether only a person can change it (exit code 3).
    pub const fn wants_a_person(&self) -> bool {
        match self {
            Self::Git(error) => error.wants_a_person(),
            Self::Keeper(error) => error.wants_a_person(),
            Self::NotShared { wants_a_person, .. } => *wants_a_person,
            Self::InDoubt(_)
            | Self::Deployment { .. }
            | Self::Orphan { .. }
            | Self::StillRefused(_)
            | Self::TooSoon { .. }
            | Self::NotHandedOn(_)
            | Self::Unvouched(_)
            | Self::NoSigners { .. }
            | Self::SerialUnknown { .. }
            | Self::KeysBreak { .. }
            | Self::KeyGone { .. }
            | Self::JournalLost { .. }
            | Self::JournalGone { .. }
            | Self::HistoryCut { .. }
            | Self::HangsOn { .. }
            | Self::SharedKey { .. }
            | Self::JournalOlder { .. }
            | Self::NotAsJudged(_)
            | Self::NotProposed(_)
            | Self::JobWaits(_)
            | Self::JobOpen { .. }
            | Self::DsWanted { .. } => true,
            _ => false,
        }
    }
}
