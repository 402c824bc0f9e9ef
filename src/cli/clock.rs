//! The clocks of this machine: the one place that reads them.

use crate::rotation::timing::{Instant, Span};
use crate::workspace::clock::Reading;
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The time that the system's clock shows.
pub(super) fn shown() -> Instant {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Instant::from_unix(since_epoch.map_or(0, |d| d.as_secs()))
}

/// A time as this machine's time zone has it, such as `11:00 CET`; none where that is UTC.
pub(super) fn local(at: Instant) -> Option<String> {
    let seconds = i64::try_from(at.unix()).ok()?;
    let utc = chrono::DateTime::<chrono::Utc>::from_timestamp(seconds, 0)?;
    let local = utc.with_timezone(&chrono::Local);
    let offset = local.offset().local_minus_utc();
    if offset == 0 {
        return None;
    }
    let form = if local.date_naive() == utc.date_naive() {
        "%H:%M UTC%:z"
    } else {
        "%a %H:%M UTC%:z"
    };
    Some(local.format(form).to_string())
}

/// What all clocks say, but what the kernel says of them; none where they do not tell which start of the machine they count
/// from.
pub(super) fn reading(shown: Instant) -> Option<Reading> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let since_boot = u64::try_from(clock_gettime(ClockId::Boottime).tv_sec).ok()?;
    Some(Reading {
        shown,
        since_boot: Span::seconds(since_boot),
        boot: boot.trim().to_owned(),
        synchronised: None,
    })
}

/// Whether the kernel says that somebody keeps the clock right (adjtimex(2): not `STA_UNSYNC`), as systemd tells it for any time
/// service; none where nobody can be asked.
pub(super) fn is_synchronised() -> Option<bool> {
    if !Path::new("/run/systemd/system").exists() {
        return None;
    }
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]);
    let told = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    match told.ok()?.stdout.as_slice().trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}
