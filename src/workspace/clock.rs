//! What runs keep in mind of the clock: how far the time that it shows is from the time since the machine was started. Within
//! one boot both go on alike, so that a clock that was set shows (`clock_gettime(2)`: `CLOCK_REALTIME`, `CLOCK_BOOTTIME`).
//!
//! One small JSON file in the state directory. Whoever loses it loses knowledge, never safety: facts that come to lie in the
//! future are noticed without it. One that is damaged is not taken for one that was never made.

use super::durable::{Operation, WriteError};
use super::inside;
use crate::files::read;
use crate::rotation::doubt::Doubt;
use crate::rotation::timing::{Instant, Span};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The form of the file.
const VERSION: u32 = 1;

/// By how much the clock may be set within one boot without anybody being asked; policy `safety_margin` is for so much.
pub const TOLERANCE: Span = Span::minutes(5);

/// For how long after a start it is waited for somebody to set the clock. After that it is taken as it is: many machines are
/// set by nobody.
pub const SETTLES: Span = Span::minutes(15);

/// Between two notes of the same.
const REFRESHED: Span = Span::hours(1);

/// What the clocks of a machine say at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time.
    pub shown: Instant,
    /// How long ago the machine was started, also while it slept.
    pub since_boot: Span,
    /// Which start that was.
    pub boot: String,
    /// Whether the kernel says that somebody keeps the clock right; none where it cannot be asked.
    pub synchronised: Option<bool>,
}

/// What is kept in mind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    version: u32,
    boot: String,
    /// What the clock showed when it was noted first in this boot, or a person said that it is right.
    shown: Instant,
    since_boot: Span,
    /// What it showed last.
    last: Instant,
    /// That it was set, and nobody has said since that it is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jump: Option<Jump>,
}

/// A clock that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jump {
    /// What it showed when that was noticed.
    pub noticed: Instant,
    /// From when on facts may have been recorded by it before.
    pub from: Instant,
    /// By how much.
    pub by: Span,
    /// Whether it shows later times than it would have.
    pub forward: bool,
}

/// Where it is kept, below the state directory.
pub fn path(state: &Path) -> PathBuf {
    state.join("clock")
}

/// A note that is there, and cannot be read as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

impl Noted {
    /// Reads it; none where nothing was noted.
    pub fn read(state: &Path) -> Result<Option<Self>, Damaged> {
        let text = match read::read_text_unlinked(&path(state), read::LIST) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|_| Damaged)?,
        };
        let noted: Self = serde_json::from_str(&text).map_err(|_| Damaged)?;
        if noted.version == VERSION {
            Ok(Some(noted))
        } else {
            Err(Damaged)
        }
    }

    /// Writes it.
    pub fn write(&self, state: &Path) -> Result<(), WriteError> {
        let path = path(state);
        let mut text = serde_json::to_string(self).map_err(|e| WriteError {
            operation: Operation::Replace,
            path: path.clone(),
            source: e.into(),
        })?;
        text.push('\n');
        inside::create_directory(state, 0o777)?;
        inside::replace(&path, text.as_bytes()).map(|_| ())
    }

    /// A clock that is right now.
    pub fn right(reading: &Reading) -> Self {
        Self {
            version: VERSION,
            boot: reading.boot.clone(),
            shown: reading.shown,
            since_boot: reading.since_boot,
            last: reading.shown,
            jump: None,
        }
    }

    /// That it was set, as far as nobody has said since that it is right.
    pub const fn jump(&self) -> Option<Jump> {
        self.jump
    }
}

/// What is to be kept in mind after a reading, and why it is not to be relied on, if so.
pub fn judge(noted: Option<&Noted>, reading: &Reading) -> (Noted, Option<Doubt>) {
    let Some(noted) = noted else {
        // Nothing was recorded here yet that could rest on another time.
        return (Noted::right(reading), None);
    };
    let mut now = noted.clone();
    if noted.boot != reading.boot {
        // A start is noted once its clock is relied on: until then it may still be set.
        if noted.jump.is_none()
            && let Some(doubt) = not_set_yet(reading)
        {
            return (now, Some(doubt));
        }
        now = Noted {
            jump: noted.jump.or_else(|| went_back(noted, reading)),
            ..Noted::right(reading)
        };
    } else if noted.jump.is_none() {
        now.jump = was_set(noted, reading);
    }
    // What it showed before a start tells whether it went back.
    if now.jump.is_none() && reading.shown.since(now.last) >= REFRESHED {
        now.last = reading.shown;
    }
    let doubt = now.jump.map(|jump| Doubt::Jumped {
        by: jump.by,
        forward: jump.forward,
    });
    (now, doubt)
}

/// Whether it matters what the kernel says of the clock: it is asked only then.
pub fn is_kernel_asked(noted: Option<&Noted>, reading: &Reading) -> bool {
    if noted.is_none() {
        return reading.since_boot < SETTLES;
    }
    let unknown = Reading {
        synchronised: None,
        ..reading.clone()
    };
    judge(noted, &unknown).1.is_some()
}

/// A clock that went on otherwise than the time since the start did.
fn was_set(noted: &Noted, reading: &Reading) -> Option<Jump> {
    let expected = noted.shown + (reading.since_boot - noted.since_boot);
    let by = reading
        .shown
        .since(expected)
        .max(expected.since(reading.shown));
    (by > TOLERANCE).then(|| Jump {
        noticed: reading.shown,
        from: noted.shown - noted.since_boot,
        by,
        forward: reading.shown > expected,
    })
}

/// A clock that shows less after a start than before it, where nobody keeps it right.
fn went_back(noted: &Noted, reading: &Reading) -> Option<Jump> {
    let by = noted.last.since(reading.shown);
    (by > TOLERANCE && reading.synchronised != Some(true)).then_some(Jump {
        noticed: reading.shown,
        from: reading.shown,
        by,
        forward: false,
    })
}

/// A machine that was just started, whose clock nobody has set.
pub fn not_set_yet(reading: &Reading) -> Option<Doubt> {
    let waits = reading.since_boot < SETTLES && reading.synchronised != Some(true);
    waits.then(|| Doubt::NotSetYet {
        until: reading.shown - reading.since_boot + SETTLES,
    })
}
