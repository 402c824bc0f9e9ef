//! Signs a text with an operator's SSH key by running `ssh-keygen -Y sign` (ssh-keygen(1)).
//!
//! The program that keeps the key uses it: agents, passphrases, smart cards and FIDO tokens work as they do for `ssh`
//! and `git`, and no private key ever enters this process.

use crate::publish::command::{CommandError, Invocation};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Long enough to find a token, type a PIN and touch it.
const DEADLINE: Duration = Duration::from_secs(120);

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// There is no such key file.
    #[error("there is no key {}", .0.display())]
    NoKey(PathBuf),
    /// `ssh-keygen` did not sign.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The list of those who may sign does not allow the key.
    #[error("{} is not allowed by {list}: {why}", key.display())]
    NotAllowed {
        /// The key.
        key: PathBuf,
        /// The list.
        list: String,
        /// Why.
        why: String,
    },
    /// What it wrote is not text.
    #[error("`ssh-keygen` wrote something that is not a signature")]
    NotText,
}

impl SigningError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoKey(_) => vec![
                "name the private key, or the .pub file of a key that your agent holds; `ssh-keygen -t ed25519` makes one"
                    .to_owned(),
            ],
            Self::Command(CommandError::NotStarted { .. }) => {
                vec!["install OpenSSH's client programs (Debian: openssh-client)".to_owned()]
            }
            Self::Command(CommandError::Failed { .. }) => vec![
                "see that it is your key, that its mode is 600, and that the agent (`ssh-add -l`) or the token is there"
                    .to_owned(),
            ],
            Self::Command(error) => error.hints(),
            Self::NotAllowed { key, list, .. } => vec![format!(
                "have a line of {list} with the public key of {} merged into the branch that counts, such as `runner1 ssh-ed25519 AAAA…`",
                key.display()
            )],
            Self::NotText => Vec::new(),
        }
    }
}

/// The armoured signature over `text`, made with the key at `key`, for `namespace`.
///
/// `key` is a private key, or a public one whose private half is in the agent or on a token. A question for a
/// passphrase goes to the terminal.
pub fn sign(text: &str, key: &Path, namespace: &str) -> Result<String, SigningError> {
    if !key.exists() {
        return Err(SigningError::NoKey(key.to_owned()));
    }
    let arguments: [OsString; 7] = [
        "ssh-keygen".into(),
        "-Y".into(),
        "sign".into(),
        "-f".into(),
        key.into(),
        "-n".into(),
        namespace.into(),
    ];
    let mut invocation = Invocation::new(arguments, ".", DEADLINE);
    invocation.input = text.as_bytes().to_vec();
    // A passphrase must be askable, and Ctrl-C must reach the question.
    invocation.own_group = false;
    let finished = invocation.run()?;
    String::from_utf8(finished.stdout).map_err(|_| SigningError::NotText)
}
