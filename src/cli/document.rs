//! The envelope of every JSON document: the schema that it follows, then what the command says.

use super::Failure;
use serde::{Serialize, Serializer};
use std::io::{self, Write};

/// What documents follow. A name is a contract: what a reader of it relies on never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    Abort,
    Adopt,
    Advance,
    Archive,
    ChangeApply,
    ChangeShow,
    ChangeVerify,
    Check,
    CheckMerge,
    CheckSwap,
    DaneVerify,
    Deploy,
    Disable,
    Emergency,
    Enable,
    Forget,
    Init,
    KeyDs,
    KeyGenerate,
    KeyList,
    Look,
    Pause,
    Plan,
    Prune,
    Record,
    Repair,
    Resume,
    Rollback,
    Serve,
    SetAside,
    Simulate,
    Start,
    Status,
    Tlsrpt,
    Verify,
    ZoneCheck,
    ZoneContinue,
    ZoneDiff,
    ZoneNormalize,
    ZoneSign,
    ZoneVerify,
}

impl Schema {
    const fn name(self) -> &'static str {
        match self {
            Self::Abort => "tlsa-rotate/abort/v1",
            Self::Adopt => "tlsa-rotate/adopt/v1",
            Self::Disable => "tlsa-rotate/disable/v1",
            Self::Enable => "tlsa-rotate/enable/v1",
            Self::Advance => "tlsa-rotate/advance/v1",
            Self::Archive => "tlsa-rotate/archive/v1",
            Self::ChangeApply => "tlsa-rotate/change-apply/v1",
            Self::ChangeShow => "tlsa-rotate/change-show/v1",
            Self::ChangeVerify => "tlsa-rotate/change-verify/v1",
            Self::Check => "tlsa-rotate/check/v1",
            Self::CheckMerge => "tlsa-rotate/check-merge/v1",
            Self::CheckSwap => "tlsa-rotate/check-swap/v1",
            Self::DaneVerify => "tlsa-rotate/dane-verify/v1",
            Self::Deploy => "tlsa-rotate/deploy/v1",
            Self::Emergency => "tlsa-rotate/emergency/v1",
            Self::Forget => "tlsa-rotate/forget/v1",
            Self::Init => "tlsa-rotate/init/v1",
            Self::KeyDs => "tlsa-rotate/key-ds/v1",
            Self::KeyGenerate => "tlsa-rotate/key-generate/v1",
            Self::KeyList => "tlsa-rotate/key-list/v1",
            Self::Look => "tlsa-rotate/look/v1",
            Self::Plan => "tlsa-rotate/plan/v1",
            Self::Pause => "tlsa-rotate/pause/v1",
            Self::Resume => "tlsa-rotate/resume/v1",
            Self::Prune => "tlsa-rotate/prune/v1",
            Self::Record => "tlsa-rotate/record/v1",
            Self::Repair => "tlsa-rotate/repair/v1",
            Self::Rollback => "tlsa-rotate/rollback/v1",
            Self::Serve => "tlsa-rotate/serve/v1",
            Self::SetAside => "tlsa-rotate/set-aside/v1",
            Self::Simulate => "tlsa-rotate/simulate/v1",
            Self::Start => "tlsa-rotate/start/v1",
            Self::Status => "tlsa-rotate/status/v1",
            Self::Tlsrpt => "tlsa-rotate/tlsrpt/v1",
            Self::Verify => "tlsa-rotate/verify/v1",
            Self::ZoneCheck => "tlsa-rotate/zone-check/v1",
            Self::ZoneContinue => "tlsa-rotate/zone-continue/v1",
            Self::ZoneDiff => "tlsa-rotate/zone-diff/v1",
            Self::ZoneNormalize => "tlsa-rotate/zone-normalize/v1",
            Self::ZoneSign => "tlsa-rotate/zone-sign/v1",
            Self::ZoneVerify => "tlsa-rotate/zone-verify/v1",
        }
    }

    /// Writes a document of `body`, which is an object.
    pub(crate) fn write(self, out: &mut impl Write, body: impl Serialize) -> Result<(), Failure> {
        let document = Document { schema: self, body };
        serde_json::to_writer_pretty(&mut *out, &document).map_err(io::Error::from)?;
        Ok(writeln!(out)?)
    }

    /// The same in one line, for documents that follow one another.
    pub(crate) fn write_line(
        self,
        out: &mut impl Write,
        body: impl Serialize,
    ) -> Result<(), Failure> {
        let document = Document { schema: self, body };
        serde_json::to_writer(&mut *out, &document).map_err(io::Error::from)?;
        Ok(writeln!(out)?)
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[derive(Serialize)]
struct Document<T> {
    schema: Schema,
    #[serde(flatten)]
    body: T,
}
