//! What Nagios and its kin read: one line, and an exit code that agrees with its word.

use super::exit::Exit;
use std::ffi::OsString;
use std::io::Write as _;

/// The exit code that stands for one of ours.
pub(super) fn exit(exit: Exit) -> Exit {
    match exit {
        Exit::Done => Exit::Done,
        Exit::PersonNeeded => Exit::Wrong,
        Exit::DeliveryAtRisk => Exit::NagiosCritical,
        // What was not looked at is no warning and no alarm.
        Exit::Wrong | Exit::NagiosCritical | Exit::Locked => Exit::PersonNeeded,
    }
}

/// The line for one of our exit codes.
pub(super) fn line(exit: Exit, what: &str) -> String {
    let word = match exit {
        Exit::Done => "OK",
        Exit::PersonNeeded => "WARNING",
        Exit::DeliveryAtRisk => "CRITICAL",
        Exit::Wrong | Exit::NagiosCritical | Exit::Locked => "UNKNOWN",
    };
    // A bar would begin performance data.
    format!("DANE {word} - {what}")
        .replace('|', "/")
        .replace('\n', " ")
}

/// Prints the line; where nobody reads it, the exit code is all there is.
pub(super) fn say(exit: Exit, what: &str) {
    let _ = writeln!(std::io::stdout(), "{}", line(exit, what));
}

/// The commands that speak to it, and those of which one below has the same name.
const COMMANDS: [&str; 3] = ["check", "status", "verify"];
const GROUPS: [&str; 3] = ["zone", "dane", "change"];

/// Whether these arguments ask for it: also where they are wrong otherwise.
pub(super) fn is_asked_for(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let (mut speaks, mut asks, mut before) = (false, false, OsString::new());
    for argument in arguments {
        let is_below = GROUPS.iter().any(|group| before == *group);
        speaks |= !is_below && COMMANDS.iter().any(|command| argument == *command);
        asks |= argument == "--format=nagios" || before == "--format" && argument == "nagios";
        before = argument;
    }
    speaks && asks
}
