//! The proposal file: one zone change in one text file that a person can read, sign and hand on.
//!
//! # The form
//!
//! ```text
//! tlsa-rotate proposal 1                          the form; another form has another number
//! zone: example.com.
//! rotation: mail.1                                `-` where the change belongs to no rotation
//! step: publish
//! base-serial: 2026112301                         the zone that it applies to, and only that one
//! base-digest: 9f12…                              what that zone means: RFC 8976, scheme SIMPLE, SHA-384
//! target-serial: 2026112302                       the zone that comes out
//! target-digest: 04c7…
//! created: 2026-11-24T08:00:00Z
//! expires: 2026-12-01T08:00:00Z
//!
//! What changes: 1 added, serial 2026112301 -> 2026112302
//! ~ SOA serial 2026112301 -> 2026112302
//! + add     _25._tcp.mx1.example.com. 3600 IN TLSA
//! +   3 1 1  0c72ac70b745ac19 998811b131d662c9  ac69dbdbe7cb23e5 b514b56664c5d3d6
//!   not listed: RRSIG 2 removed, 2 added
//!
//! ; tlsa-rotate delta 1                           record by record (crate::dnssec::delta)
//! ; zone example.com.
//! ; serial 2026112301 to 2026112302
//! -example.com. 3600 IN SOA …
//! +example.com. 3600 IN SOA …
//! +_25._tcp.mx1.example.com. 3600 IN TLSA 3 1 1 0c72…
//!
//! -----BEGIN SSH SIGNATURE-----                   over every octet above this line
//! …
//! -----END SSH SIGNATURE-----
//! ```
//!
//! Lines end in LF, letters are printable ASCII, and there is one spelling: whoever reads a proposal prints it again and
//! refuses it unless every octet is the same. So the lines for people cannot say anything else than the records below
//! them, nothing can hide in blanks or comments, and nothing can be there twice.
//!
//! # Who signed it
//!
//! The signature is one of OpenSSH's (SSHSIG) in the namespace [`NAMESPACE`]. The program that made a key checks it too:
//!
//! ```sh
//! sed '/^-----BEGIN SSH SIGNATURE-----$/,$d' FILE > text
//! sed -n '/^-----BEGIN SSH SIGNATURE-----$/,$p' FILE > text.sig
//! ssh-keygen -Y verify -f allowed_signers -I alice@example.com -n tlsa-rotate-change@tlsa-rotate -s text.sig < text
//! ```
//!
//! # Once only
//!
//! No nonce is needed: a change applies to one serial and one digest, and once it is applied the zone has another. How a
//! proposal is judged is in [`crate::change::judgement`].

mod lines;

use crate::change::changes::{Changes, Detail};
use crate::change::digest::ZoneDigest;
use crate::change::ssh_key::BadSignature;
use crate::change::sshsig::{BEGIN, NotASignature, Signature};
use crate::dnssec::delta::{Delta, Mismatch, NoDelta};
use crate::rotation::timing::Instant;
use crate::zone::content::Zone;
use lines::{Lines, plain_text, same_text};
use std::fmt;

/// What signatures of proposals are made for; a signature for anything else does not count.
pub const NAMESPACE: &str = "tlsa-rotate-change@tlsa-rotate";

/// The longest file that is read, in octets: a change of some hundred thousand records.
pub const LONGEST: usize = 64 << 20;

/// The first line.
const HEADER: &str = "tlsa-rotate proposal 1";
/// What stands where there is no label.
const NO_LABEL: &str = "-";
/// The first line of the records.
const DELTA: &str = "; tlsa-rotate delta 1\n";

/// A zone change, complete but for the signature. Prints as the text that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The rotation, such as `mail.1`, if it belongs to one.
    pub rotation: Option<Label>,
    /// The step, such as `publish`.
    pub step: Option<Label>,
    /// What the zone means before.
    pub base: ZoneDigest,
    /// What it means after.
    pub target: ZoneDigest,
    /// When it was made.
    pub created: Instant,
    /// Until when it may be applied.
    pub expires: Instant,
    /// The zone, both serials and the records.
    pub delta: Delta,
}

/// A short name: letters, digits, `.`, `_` and `-`, at most 64, no dash in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

/// A proposal and the signature over its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The proposal.
    pub proposal: Proposal,
    /// The signature. Whether it holds, and whose it is, is judged elsewhere.
    pub signature: Signature,
}

/// Why a file is not a proposal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ProposalError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and what is expected.
    pub what: String,
}

/// Why a signature cannot be put under a proposal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// It is none.
    #[error("what came back is not a signature: {0}")]
    NotOne(NotASignature),
    /// It was made for something else.
    #[error("the signature was made for `{0}`, not for `{NAMESPACE}`")]
    Namespace(String),
    /// It does not hold.
    #[error("the signature just made does not hold: {0}")]
    Bad(BadSignature),
}

impl Proposal {
    /// The change from one zone to another; `None` if nothing changes.
    pub fn between(
        old: &Zone,
        new: &Zone,
        (rotation, step): (Option<Label>, Option<Label>),
        (created, expires): (Instant, Instant),
    ) -> Result<Option<Self>, NoDelta> {
        let delta = Delta::between(old, new)?;
        Ok(delta.map(|delta| Self {
            rotation,
            step,
            base: ZoneDigest::of(old),
            target: ZoneDigest::of(new),
            created,
            expires,
            delta,
        }))
    }

    /// The change that a delta makes of a zone.
    pub fn of(
        base: Zone,
        delta: Delta,
        (rotation, step): (Option<Label>, Option<Label>),
        (created, expires): (Instant, Instant),
    ) -> Result<Self, Mismatch> {
        let mut zone = base;
        let base = ZoneDigest::of(&zone);
        delta.apply_to(&mut zone)?;
        Ok(Self {
            rotation,
            step,
            base,
            target: ZoneDigest::of(&zone),
            created,
            expires,
            delta,
        })
    }

    /// What changes, for people.
    pub fn changes(&self) -> Changes {
        Changes::of_delta(&self.delta, Detail::Meaning)
    }

    /// Puts a signature, in its armour, under the proposal; one that does not hold is refused at once.
    pub fn sealed(self, armoured: &str) -> Result<Signed, Unsealed> {
        let signature = Signature::parse(armoured).map_err(Unsealed::NotOne)?;
        if signature.namespace != NAMESPACE {
            return Err(Unsealed::Namespace(signature.namespace));
        }
        let text = self.to_string();
        signature.verify(text.as_bytes()).map_err(Unsealed::Bad)?;
        Ok(Signed {
            proposal: self,
            signature,
        })
    }

    /// Reads the text without the signature.
    fn parse(text: &str) -> Result<Self, ProposalError> {
        let mut lines = Lines::of(text);
        lines.exactly(HEADER)?;
        // Zone and serials stand in the delta too, where they are read; that both agree is seen when it is printed again.
        lines.field("zone", |_| Some(()))?;
        let rotation = lines.label("rotation")?;
        let step = lines.label("step")?;
        lines.field("base-serial", |_| Some(()))?;
        let base = lines.field("base-digest", ZoneDigest::parse)?;
        lines.field("target-serial", |_| Some(()))?;
        let target = lines.field("target-digest", ZoneDigest::parse)?;
        let created = lines.field("created", instant)?;
        let expires = lines.field("expires", instant)?;
        if expires <= created {
            return Err(lines.wrong("it expires before it was created".to_owned()));
        }
        let at = text.find(&format!("\n{DELTA}")).ok_or_else(|| {
            lines.wrong(format!(
                "the records are missing: no line `{}`",
                DELTA.trim_end()
            ))
        })?;
        let (front, rest) = text.split_at(at.saturating_add(1));
        let before = front.lines().count();
        let records = rest.strip_suffix('\n').unwrap_or(rest);
        let delta = Delta::parse(records).map_err(|e| ProposalError {
            line: before.saturating_add(e.line),
            what: e.what,
        })?;
        let proposal = Self {
            rotation,
            step,
            base,
            target,
            created,
            expires,
            delta,
        };
        same_text(&proposal.to_string(), text)?;
        Ok(proposal)
    }
}

impl Signed {
    /// Reads a file. That it is well-formed says nothing of who made it.
    pub fn parse(octets: &[u8]) -> Result<Self, ProposalError> {
        let text = plain_text(octets)?;
        let wrong = |line, what: String| ProposalError { line, what };
        let lines_of = |text: &str| text.lines().count();
        if text.lines().next() != Some(HEADER) {
            return Err(wrong(
                1,
                format!("expected `{HEADER}`: this is no proposal, or one of another version"),
            ));
        }
        let Some(at) = text.find(&format!("\n{BEGIN}")) else {
            let what = "the signature is missing: the file is cut off, or nobody has signed it yet";
            return Err(wrong(lines_of(text), what.to_owned()));
        };
        let (body, armoured) = text.split_at(at.saturating_add(1));
        let line = lines_of(body).saturating_add(1);
        let signature = Signature::parse(armoured).map_err(|error| {
            if armoured.matches(BEGIN).count() > 1 {
                wrong(
                    line,
                    "there are two signatures; a proposal has one".to_owned(),
                )
            } else {
                wrong(line, format!("{error}; nothing may follow it"))
            }
        })?;
        let proposal = Proposal::parse(body)?;
        Ok(Self {
            proposal,
            signature,
        })
    }
}

fn instant(text: &str) -> Option<Instant> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(parsed.timestamp())
        .ok()
        .map(Instant::from_unix)
}

impl Label {
    /// A label, if the text is one.
    pub fn new(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let sound =
            (1..=64).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-');
        sound.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label =
            |label: &Option<Label>| label.as_ref().map_or(NO_LABEL.to_owned(), Label::to_string);
        let delta = &self.delta;
        let changes = self.changes();
        writeln!(f, "{HEADER}")?;
        writeln!(f, "zone: {}", delta.apex())?;
        writeln!(f, "rotation: {}", label(&self.rotation))?;
        writeln!(f, "step: {}", label(&self.step))?;
        writeln!(f, "base-serial: {}", delta.old_serial())?;
        writeln!(f, "base-digest: {}", self.base)?;
        writeln!(f, "target-serial: {}", delta.new_serial())?;
        writeln!(f, "target-digest: {}", self.target)?;
        writeln!(f, "created: {}", self.created)?;
        writeln!(f, "expires: {}", self.expires)?;
        writeln!(
            f,
            "\nWhat changes: {}\n{changes}\n{delta}",
            changes.summary()
        )
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.proposal, self.signature.armoured())
    }
}
