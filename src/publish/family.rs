//! A program's family: the processes that it started, and those that they did, to be ended together (proc(5)).
//!
//! A process group alone is not enough: whoever begins a group or a session of its own leaves it, and a program that shall
//! be able to ask on the terminal stays in ours.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::BTreeSet;
use std::fs;

/// A process, told from a later one with its number by when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    id: i32,
    began: u64,
}

/// What is known of a process.
#[derive(Clone, Copy, Debug)]
struct Known {
    member: Member,
    parent: i32,
    group: i32,
}

/// The variable by which a program and all it starts are known, whoever their parents are by now.
pub(super) const MARK: &str = "TLSA_ROTATE_FAMILY";

/// How often members are looked for that came meanwhile; each time fewer can.
const ROUNDS: usize = 100;
/// How many looks in a row that find nobody new are the last.
const QUIET: usize = 3;

/// The processes that descend from one, as far as they were seen.
#[derive(Debug)]
pub(super) struct Family {
    head: i32,
    /// Whether the head leads a group of its own.
    leads: bool,
    /// The mark as it stands in an environment: `NAME=value`.
    mark: Vec<u8>,
    members: BTreeSet<Member>,
}

impl Family {
    /// The family of the process `head`, which leads its own group, or does not, and was started with this mark.
    pub(super) fn of(head: Pid, leads: bool, mark: &str) -> Self {
        Self {
            head: head.as_raw_nonzero().get(),
            leads,
            mark: format!("{MARK}={mark}").into_bytes(),
            members: BTreeSet::new(),
        }
    }

    /// Asks every member to end.
    pub(super) fn ask(&mut self) {
        self.look();
        self.signal(Signal::TERM);
    }

    /// Ends every member. They are stopped first: who is stopped starts nobody.
    pub(super) fn end(&mut self) {
        for _ in 0..ROUNDS {
            let before = self.members.len();
            self.look();
            self.signal(Signal::STOP);
            if self.members.len() == before {
                break;
            }
        }
        self.signal(Signal::KILL);
        // A signal is not there at once: one that was still running can have started another, and who becomes another program
        // just now has no environment to be known by.
        let mut quiet = 0_usize;
        for _ in 0..ROUNDS {
            let before = self.members.len();
            self.look();
            quiet = if self.members.len() == before {
                quiet.saturating_add(1)
            } else {
                0
            };
            if quiet == QUIET {
                break;
            }
            self.signal(Signal::KILL);
        }
    }

    fn look(&mut self) {
        let all = processes();
        loop {
            let before = self.members.len();
            for known in &all {
                let has_parent = self.members.iter().any(|m| m.id == known.parent);
                let in_group = self.leads && known.group == self.head;
                let is_one = known.member.id == self.head || has_parent || in_group;
                if !self.members.contains(&known.member)
                    && (is_one || self.is_marked(known.member.id))
                {
                    self.members.insert(known.member);
                }
            }
            if self.members.len() == before {
                return;
            }
        }
    }

    /// Whether a process was started with the mark. That of somebody else cannot be asked, and is none of ours.
    fn is_marked(&self, id: i32) -> bool {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        let mut variables = environment.split(|octet| *octet == 0);
        variables.any(|variable| variable == self.mark)
    }

    /// Sends a signal to every member that is still there.
    fn signal(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.head).filter(|_| self.leads) {
            // Where there is no /proc, this is all that can be done.
            let _ = kill_process_group(group, signal);
        }
        let there: BTreeSet<Member> = processes().iter().map(|known| known.member).collect();
        for member in self.members.intersection(&there) {
            if let Some(pid) = Pid::from_raw(member.id) {
                // One that has ended meanwhile needs no signal.
                let _ = kill_process(pid, signal);
            }
        }
    }
}

/// Every process that can be seen. Where there is no /proc, none: then the group is all that is known.
fn processes() -> Vec<Known> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let id: i32 = entry.file_name().to_str()?.parse().ok()?;
            let text = fs::read_to_string(entry.path().join("stat")).ok()?;
            read(id, &text)
        })
        .collect()
}

/// The fields behind the program's name, which is in parentheses and may hold anything: state, parent, group, … start.
fn read(id: i32, stat: &str) -> Option<Known> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse().ok();
    Some(Known {
        member: Member {
            id,
            began: fields.get(19)?.parse().ok()?,
        },
        parent: number(1)?,
        group: number(2)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_whatever_the_program_is_called() {
        let stat = "7 (a) S 1 (b) S 3 5 5 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let known = read(7, stat).unwrap();
        assert_eq!((known.parent, known.group), (3, 5));
        assert_eq!(known.member, Member { id: 7, began: 4242 });
        assert!(read(7, "nonsense").is_none());
    }
}
