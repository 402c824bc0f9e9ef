//! The client's side of an SMTP conversation up to STARTTLS and over it (RFC 5321 §4, RFC 3207), every read bounded.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

/// No reply is longer: RFC 5321 §4.5.3.1.5 asks for 512 octets a line. Senders read on for as long as they have time.
const MAX_REPLY: usize = 4 * 1024 * 1024;

/// So much of a line, and of a whole reply before its last line, is kept: what Postfix keeps (`line_length_limit`). It does
/// not see a STARTTLS that comes later.
const MAX_KEPT: usize = 2048;

/// What the greeting is the reply to.
const GREETING: &str = "the connection";

/// So much of what a server says is shown to people.
const MAX_SHOWN: usize = 160;

/// How this client calls: its name and its patience.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name given with EHLO.
    pub name: String,
    /// How long one step may take: connecting, one whole reply, the handshake.
    pub step: Duration,
    /// How long one conversation may take altogether.
    pub whole: Duration,
    /// The address it calls from, where it is not the system's choice.
    pub via: Option<IpAddr>,
}

impl Default for Caller {
    /// As patient as senders: they wait five minutes for a greeting or a reply (RFC 5321 §4.5.3.2), and many servers make
    /// them wait, against spam.
    fn default() -> Self {
        Self {
            name: "tlsa-rotate.invalid".to_owned(),
            step: Duration::from_secs(300),
            whole: Self::LARGE,
            via: None,
        }
    }
}

impl Caller {
    /// How long a conversation may take where a gate rests on it and nothing else is said.
    pub const LARGE: Duration = Duration::from_secs(360);

    /// The usual one, within so much time for a conversation, its repetitions included.
    pub fn within(whole: Duration) -> Self {
        let usual = Self::default();
        Self {
            step: usual.step.min(whole),
            whole,
            ..usual
        }
    }

    /// The same, with no more time than is left.
    #[must_use]
    pub fn until(&self, deadline: Option<Instant>) -> Self {
        let left = deadline.map_or(self.whole, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        Self {
            whole: self.whole.min(left),
            ..self.clone()
        }
    }
}

/// A conversation, between replies.
#[derive(Debug)]
pub struct Session<S> {
    stream: S,
    /// What came behind the last reply.
    pending: Vec<u8>,
    step: Duration,
}

/// One reply, its lines without their codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// The texts.
    pub lines: Vec<String>,
}

/// Why a conversation could not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmtpError {
    /// The reply did not come, or did not end, in time.
    #[error("no reply to {to} within {}", seconds(*.within))]
    Silence {
        /// What was said before.
        to: String,
        /// For so long.
        within: Duration,
    },
    /// The server closed the connection.
    #[error("the connection was closed instead of a reply to {to}")]
    Closed {
        /// What was said before.
        to: String,
    },
    /// Something that is no SMTP reply.
    #[error("the reply to {to} is not SMTP: `{line}`")]
    NotSmtp {
        /// What was said before.
        to: String,
        /// What came.
        line: String,
    },
    /// More than is read.
    #[error("the reply to {to} is longer than {} MiB", MAX_REPLY >> 20)]
    Endless {
        /// What was said before.
        to: String,
    },
    /// A reply that does not allow to go on.
    #[error("{to} was answered with `{reply}`")]
    Refused {
        /// What was said before.
        to: String,
        /// The answer.
        reply: Reply,
    },
    /// EHLO was answered without it: a sender could not authenticate this host, nor could anybody in the middle be told
    /// from it.
    #[error("STARTTLS is not offered")]
    NoStarttls,
    /// The connection failed.
    #[error("the connection failed at {to}: {reason}")]
    Lost {
        /// What was said before.
        to: String,
        /// What the system says.
        reason: String,
    },
}

impl SmtpError {
    /// Whether it says that TLS is not to be had for now (454, RFC 3207 §4): senders ask again and defer meanwhile, and if it
    /// lasts it is told as that.
    pub fn has_no_tls_now(&self) -> bool {
        matches!(self, Self::Refused { to, reply } if to == "STARTTLS" && reply.code == 454)
    }

    /// Whether the server asks to be asked again later (4yz, RFC 5321 §4.2.1), or has no room for one more connection now.
    pub fn puts_off(&self) -> bool {
        match self {
            Self::Refused { reply, .. } => matches!(reply.code, 400..500),
            Self::Closed { to } => to == GREETING,
            _ => false,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Reads the greeting of a server just connected to.
    pub async fn greeted(stream: S, caller: &Caller) -> Result<Self, SmtpError> {
        let mut session = Self::resumed(stream, caller);
        let reply = session.reply(GREETING).await?;
        expect(220, GREETING, reply)?;
        Ok(session)
    }

    /// A conversation that begins without a greeting: over TLS, after STARTTLS.
    pub fn resumed(stream: S, caller: &Caller) -> Self {
        Self {
            stream,
            pending: Vec::new(),
            step: caller.step,
        }
    }

    /// Says EHLO; returns the keywords of the extensions the server has, upper case. A server that knows HELO alone
    /// (RFC 5321 §3.2) has none.
    pub async fn ehlo(&mut self, name: &str) -> Result<Vec<String>, SmtpError> {
        let reply = match self.command(&format!("EHLO {name}"), 250).await {
            Err(SmtpError::Refused { to, reply }) if reply.code >= 500 => {
                // Where HELO is refused as well, it is the caller who is not welcome.
                let greeted = self.command(&format!("HELO {name}"), 250).await;
                greeted.map_err(|_| SmtpError::Refused { to, reply })?;
                return Ok(Vec::new());
            }
            other => other?,
        };
        let keyword = |line: &String| {
            let mut words = line.split([' ', '\t', '=']);
            let word = words.find(|word| !word.is_empty());
            word.map(str::to_ascii_uppercase)
        };
        // The first line greets (RFC 5321 §4.1.1.1); Postfix looks for keywords there, too.
        Ok(reply.lines.iter().filter_map(keyword).collect())
    }

    /// Says STARTTLS and gives back the stream, at the point where the handshake begins.
    pub async fn starttls(mut self, extensions: &[String]) -> Result<S, SmtpError> {
        if !extensions.iter().any(|keyword| keyword == "STARTTLS") {
            return Err(SmtpError::NoStarttls);
        }
        self.command("STARTTLS", 220).await?;
        // What came behind the reply in clear text is thrown away (RFC 3207 §5; anybody may have put it there).
        Ok(self.stream)
    }

    /// Says one command; its reply must have a code that begins as this one.
    pub async fn command(&mut self, line: &str, code: u16) -> Result<Reply, SmtpError> {
        self.write(line, format!("{line}\r\n").as_bytes()).await?;
        let reply = self.reply(line).await?;
        expect(code, line, reply)
    }

    /// Sends a message's lines after DATA, with its dots stuffed (RFC 5321 §4.5.2); the server must take it over.
    pub async fn message(&mut self, text: &str) -> Result<Reply, SmtpError> {
        let mut octets = Vec::with_capacity(text.len());
        for line in text.lines() {
            if line.starts_with('.') {
                octets.push(b'.');
            }
            octets.extend_from_slice(line.as_bytes());
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(b".\r\n");
        self.write("the message", &octets).await?;
        let reply = self.reply("the message").await?;
        expect(250, "the message", reply)
    }

    /// Says QUIT and closes, whatever comes back.
    pub async fn quit(mut self) {
        let goodbye = async {
            self.stream.write_all(b"QUIT\r\n").await?;
            self.stream.shutdown().await
        };
        // Courtesy only: the facts are in, and a server that does not listen any more changes none of them.
        let _ = timeout(self.step, goodbye).await;
    }

    async fn write(&mut self, what: &str, octets: &[u8]) -> Result<(), SmtpError> {
        let sent = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        match timeout(self.step, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(lost(what, &error)),
            Err(_) => Err(SmtpError::Silence {
                to: what.to_owned(),
                within: self.step,
            }),
        }
    }

    /// The next reply, whole, within one step: a server that drips octets is as silent as one that sends none.
    async fn reply(&mut self, to: &str) -> Result<Reply, SmtpError> {
        let step = self.step;
        timeout(step, self.read_reply(to))
            .await
            .unwrap_or_else(|_| {
                Err(SmtpError::Silence {
                    to: to.to_owned(),
                    within: step,
                })
            })
    }

    async fn read_reply(&mut self, to: &str) -> Result<Reply, SmtpError> {
        let (mut read, mut kept): (usize, usize) = (0, 0);
        let mut reply: Option<Reply> = None;
        loop {
            let line = self.read_line(to, &mut read).await?;
            if reply.is_some() && read > MAX_REPLY {
                return Err(SmtpError::Endless { to: to.to_owned() });
            }
            let (code, last, text) = split(&line).ok_or_else(|| SmtpError::NotSmtp {
                to: to.to_owned(),
                line: shown(&String::from_utf8_lossy(&line)),
            })?;
            let so_far = reply.get_or_insert(Reply {
                code,
                lines: Vec::new(),
            });
            // Where lines disagree, which RFC 5321 §4.2.1 does not allow, senders go by the last.
            so_far.code = code;
            if kept < MAX_KEPT {
                kept = kept.saturating_add(text.len()).saturating_add(1);
                so_far.lines.push(text);
            }
            if last {
                return Ok(so_far.clone());
            }
        }
    }

    /// The next line, as much of it as is kept.
    async fn read_line(&mut self, to: &str, read: &mut usize) -> Result<Vec<u8>, SmtpError> {
        let mut line: Vec<u8> = Vec::new();
        loop {
            let end = self.pending.iter().position(|b| *b == b'\n');
            let rest = match end {
                Some(end) => self.pending.split_off(end.saturating_add(1)),
                None => Vec::new(),
            };
            let part = std::mem::replace(&mut self.pending, rest);
            let room = MAX_KEPT.saturating_sub(line.len());
            line.extend(part.into_iter().take(room));
            if end.is_some() {
                return Ok(line.trim_ascii_end().to_vec());
            }
            if *read > MAX_REPLY {
                return Err(SmtpError::Endless { to: to.to_owned() });
            }
            let mut octets = [0; 4096];
            let count = match self.stream.read(&mut octets).await {
                Ok(0) => return Err(SmtpError::Closed { to: to.to_owned() }),
                Ok(count) => count,
                Err(error) => return Err(lost(to, &error)),
            };
            *read = read.saturating_add(count);
            self.pending
                .extend_from_slice(octets.get(..count).unwrap_or_default());
        }
    }
}

/// The first digit says whether to go on (RFC 5321 §4.3.2), as senders take it.
fn expect(code: u16, to: &str, reply: Reply) -> Result<Reply, SmtpError> {
    if reply.code.checked_div(100) == code.checked_div(100) {
        return Ok(reply);
    }
    Err(SmtpError::Refused {
        to: to.to_owned(),
        reply,
    })
}

fn lost(to: &str, error: &io::Error) -> SmtpError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe => SmtpError::Closed { to: to.to_owned() },
        _ => SmtpError::Lost {
            to: to.to_owned(),
            reason: error.to_string(),
        },
    }
}

/// `250-text`, `250 text` or `250`: the code, whether the reply ends with this line, the text. Senders ask for no blank
/// behind the code, and read up to the first NUL octet.
fn split(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = line.split(|octet| *octet == 0).next()?;
    let (digits, rest) = line.split_at_checked(3)?;
    let code: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (last, text) = match rest.split_first() {
        Some((b'-', text)) => (false, text),
        Some((b' ', text)) => (true, text),
        Some((next, _)) if next.is_ascii_digit() => return None,
        _ => (true, rest),
    };
    (200..600)
        .contains(&code)
        .then(|| (code, last, String::from_utf8_lossy(text).into_owned()))
}

/// What a stranger said, safe to print: no control characters, not too much.
fn shown(text: &str) -> String {
    let mut safe: String = text
        .chars()
        .take(MAX_SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        safe.push('…');
    }
    safe
}

fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs_f64())
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, shown(&self.lines.join(" ")))
    }
}
