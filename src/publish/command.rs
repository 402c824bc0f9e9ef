//! Runs other programs (git, reload and deploy commands): an argument vector, never a shell; bounded in time and output.

use super::family::{Family, MARK};
use crate::files::secret;
use rustix::process::Pid;
use std::ffi::OsString;
use std::io::{self, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How much of each output stream is kept unless more is asked for, in bytes.
pub const OUTPUT: usize = 64 << 10;

/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// How long to read on after a program ended, when a daemon that it started holds its output open.
const AFTERMATH: Duration = Duration::from_millis(500);

/// A program to be run, with everything it depends on.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The program and its arguments.
    pub arguments: Vec<OsString>,
    /// Where it runs.
    pub directory: PathBuf,
    /// Variables set in its environment.
    pub set: Vec<(String, OsString)>,
    /// Variables taken out of its environment.
    pub unset: &'static [&'static str],
    /// What it reads on its standard input.
    pub input: Vec<u8>,
    /// When it is killed.
    pub deadline: Duration,
    /// How much of each output stream is kept, in bytes; the rest is read and dropped.
    pub limit: usize,
    /// Whether its output is an answer, of which a part says something else than the whole: then what was cut is an error.
    pub whole: bool,
    /// Whether it and all it starts are killed together. Such programs get no Ctrl-C and cannot ask on the terminal.
    pub own_group: bool,
}

/// What a program did before it ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// The beginning of its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of its standard error.
    pub stderr: Vec<u8>,
    /// Whether there was, or may have been, more output than was kept.
    pub truncated: bool,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no program to run.
    #[error("there is no program to run: the command is empty")]
    Empty,
    /// It cannot be run.
    #[error("cannot run `{program}`: {source}")]
    NotStarted {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It took too long and was killed.
    #[error("`{command}` was killed: it did not end within {} seconds{}", after.as_secs(), told(said))]
    TimedOut {
        /// The program and its arguments.
        command: String,
        /// The deadline.
        after: Duration,
        /// What it had written on its standard error (or else output).
        said: String,
    },
    /// It said more than is read, or its output did not end, and a part of the answer is none.
    #[error(
        "`{command}` said more than the {limit} octets that are read of it, or did not finish its answer: nothing is concluded from a part of it"
    )]
    Cut {
        /// The program and its arguments.
        command: String,
        /// How much is read.
        limit: usize,
    },
    /// It could not write: the disk is full, and nothing else is wrong with it.
    #[error("the disk is full: `{command}` could not write:\n{said}")]
    DiskFull {
        /// The program and its arguments.
        command: String,
        /// What it wrote on its standard error (or else output).
        said: String,
    },
    /// It said that it failed.
    #[error("`{command}` failed ({}){}", ended(*status), told(said))]
    Failed {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote on its standard error (or else output).
        said: String,
    },
}

impl CommandError {
    /// How it ended, in a few words and none of its own, which may hold a secret.
    pub fn briefly(&self) -> String {
        match self {
            Self::Empty => "there is no program to run".to_owned(),
            Self::Cut { .. } => "it printed more than is read".to_owned(),
            Self::NotStarted { source, .. } => format!("it could not be run: {source}"),
            Self::TimedOut { after, .. } => {
                format!("it did not end within {} seconds", after.as_secs())
            }
            Self::DiskFull { .. } => "the disk is full".to_owned(),
            Self::Failed { status, .. } => ended(*status),
        }
    }

    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NotStarted { program, source } if source.kind() == io::ErrorKind::NotFound => {
                vec![format!(
                    "install `{program}`, or name it with its full path"
                )]
            }
            Self::DiskFull { .. } => vec![FREE_SOME_SPACE.to_owned()],
            Self::NotStarted { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                vec![FREE_SOME_SPACE.to_owned()]
            }
            Self::Cut { .. } => {
                vec!["run it by hand to see what it says; then run the command again".to_owned()]
            }
            Self::TimedOut { .. } => vec!["run it by hand to see what it waits for".to_owned()],
            _ => Vec::new(),
        }
    }
}

fn told(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(":\n{said}")
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "for no known reason".to_owned(),
    }
}

impl Invocation {
    /// A program and its arguments in `directory`, killed after `deadline` together with all it started.
    pub fn new<A: Into<OsString>>(
        arguments: impl IntoIterator<Item = A>,
        directory: impl Into<PathBuf>,
        deadline: Duration,
    ) -> Self {
        Self {
            arguments: arguments.into_iter().map(Into::into).collect(),
            directory: directory.into(),
            set: Vec::new(),
            unset: &[],
            input: Vec::new(),
            deadline,
            limit: OUTPUT,
            whole: false,
            own_group: true,
        }
    }

    /// Runs it; an exit code other than 0 is an error that carries what the program said.
    pub fn run(&self) -> Result<Finished, CommandError> {
        let finished = self.run_to_end()?;
        if finished.status.success() {
            return Ok(finished);
        }
        Err(CommandError::Failed {
            command: self.as_text(),
            status: finished.status,
            said: said(&finished.stdout, &finished.stderr),
        })
    }

    /// Runs it; any exit code is an answer, but for a full disk, which is no word of the program.
    pub fn run_to_end(&self) -> Result<Finished, CommandError> {
        let mark = mark();
        let mut child = self.spawn(&mark)?;
        if let Some(mut stdin) = child.stdin.take() {
            let input = self.input.clone();
            // A program may end without reading it all; its exit code tells whether that was a failure.
            thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let stdout = Capture::start(child.stdout.take(), self.limit);
        let stderr = Capture::start(child.stderr.take(), self.limit);
        let (status, in_time) = self.wait(child, &mark)?;
        // What is left in a pipe is read at once, unless the machine is busy: git's answers must be whole, and git
        // leaves no daemon behind that holds its output.
        let patience = if self.own_group || !in_time {
            AFTERMATH
        } else {
            self.deadline
        };
        let (stdout, more_out) = stdout.finish(patience);
        let (stderr, more_err) = stderr.finish(patience);
        if !in_time {
            return Err(CommandError::TimedOut {
                command: self.as_text(),
                after: self.deadline,
                said: said(&stdout, &stderr),
            });
        }
        let said = said(&stdout, &stderr);
        if !status.success() && tells_full_disk(&said) {
            let command = self.as_text();
            return Err(CommandError::DiskFull { command, said });
        }
        if self.whole && (more_out || more_err) {
            return Err(CommandError::Cut {
                command: self.as_text(),
                limit: self.limit,
            });
        }
        Ok(Finished {
            status,
            stdout,
            stderr,
            truncated: more_out || more_err,
        })
    }

    fn spawn(&self, mark: &str) -> Result<Child, CommandError> {
        let (program, arguments) = self.arguments.split_first().ok_or(CommandError::Empty)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.directory)
            .stdin(if self.input.is_empty() {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in self.unset {
            command.env_remove(name);
        }
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
        command.env(MARK, mark);
        if self.own_group {
            command.process_group(0);
        }
        command.spawn().map_err(|source| CommandError::NotStarted {
            program: program.to_string_lossy().into_owned(),
            source,
        })
    }

    /// Waits for the end, and brings it about when the deadline has passed. Whether it came in time is returned too.
    fn wait(&self, mut child: Child, mark: &str) -> Result<(ExitStatus, bool), CommandError> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (tell, end) = mpsc::channel();
        thread::spawn(move || tell.send(child.wait()));
        let mut in_time = true;
        let status = end.recv_timeout(self.deadline).or_else(|_| {
            in_time = false;
            let mut family = pid.map(|pid| Family::of(pid, self.own_group, mark));
            if let Some(family) = &mut family {
                family.ask();
            }
            let status = end.recv_timeout(GRACE);
            // Also when the program itself has ended: what it started may not have.
            if let Some(family) = &mut family {
                family.end();
            }
            status.or_else(|_| end.recv())
        });
        let lost = |source| CommandError::NotStarted {
            program: self.as_text(),
            source,
        };
        match status {
            Ok(status) => Ok((status.map_err(lost)?, in_time)),
            Err(_) => Err(lost(io::Error::other("its end was not noticed"))),
        }
    }

    fn as_text(&self) -> String {
        let words: Vec<_> = self.arguments.iter().map(|a| a.to_string_lossy()).collect();
        let shown = words.iter().map(|word| secret::shown(word));
        shown.collect::<Vec<_>>().join(" ")
    }
}

/// A mark that no other program of this run, and hardly one of another, has.
fn mark() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Where the stack lies differs from process to process: a later one with our number has another mark.
    let place = std::ptr::from_ref(&count).addr();
    format!("{}-{place:x}-{count}", std::process::id())
}

/// What to do where the disk is full.
pub const FREE_SOME_SPACE: &str =
    "free some space (`df -h` and `df -i` say where there is none), then run the command again";

/// Whether a program failed because it could not write: as strerror(3) and errno(3) say it.
pub fn tells_full_disk(said: &str) -> bool {
    let words = [
        "No space left on device",
        "ENOSPC",
        "Disk quota exceeded",
        "EDQUOT",
    ];
    words.iter().any(|word| said.contains(word))
}

/// What people want to read of a failed program: its standard error, or its output when that is empty; without what looks like
/// a key, as logs and mails are read by many.
pub(super) fn said(stdout: &[u8], stderr: &[u8]) -> String {
    let text = |bytes: &[u8]| secret::shown(String::from_utf8_lossy(bytes).trim());
    let stderr = text(stderr);
    if stderr.is_empty() {
        text(stdout)
    } else {
        stderr
    }
}

/// A thread that reads one output stream to its end and keeps the beginning.
struct Capture {
    kept: Arc<Mutex<(Vec<u8>, bool)>>,
    done: Receiver<()>,
}

impl Capture {
    fn start(stream: Option<impl Read + Send + 'static>, limit: usize) -> Self {
        let kept = Arc::new(Mutex::new((Vec::new(), false)));
        let (tell, done) = mpsc::channel::<()>();
        let into = Arc::clone(&kept);
        thread::spawn(move || {
            let _dropped_at_the_end = tell;
            let mut chunk = [0; 8192];
            let Some(mut stream) = stream else { return };
            while let Ok(n) = stream.read(&mut chunk) {
                if n == 0 {
                    return;
                }
                let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
                let room = limit.saturating_sub(kept.0.len());
                kept.0.extend(chunk.iter().take(n.min(room)));
                kept.1 |= n > room;
            }
        });
        Self { kept, done }
    }

    /// What was read, and whether there was or may be more. Waits no longer for the end of the stream than `patience`.
    fn finish(self, patience: Duration) -> (Vec<u8>, bool) {
        // The reader hangs up at the end of the stream.
        let ended = self.done.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes, more) = std::mem::take(&mut *kept);
        (bytes, more || !ended)
    }
}
