//! How the changes of one rotation get into its zones, and its keys onto hosts, as the configuration has it: what a person who
//! follows a runbook has to type.

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways {
    /// The certificate's name, as commands take it.
    pub certificate: String,
    /// How each zone of the rotation is changed.
    pub zones: Vec<ZoneWay>,
    /// How the next key gets onto the hosts.
    pub install: Install,
    /// Whether a program puts the previous key back.
    pub puts_back: bool,
}

/// How one zone is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneWay {
    /// The zone.
    pub zone: String,
    /// How.
    pub how: How,
}

/// Who changes a zone, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// The program proposes the change on a branch, and a person merges it.
    Review {
        /// The branch of the proposal.
        branch: String,
        /// The branch that counts.
        base: String,
        /// The remote that both are at, if they are.
        remote: Option<String>,
    },
    /// The program commits it.
    Commit {
        /// To this branch.
        base: String,
    },
    /// The program writes the file.
    File,
    /// The program sends it to the primary there.
    Update(String),
    /// A provider's program is called.
    Provider(String),
}

/// How a key gets onto the hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Install {
    /// A person puts these files in place.
    ByHand(Vec<Copied>),
    /// This program is called.
    Command(String),
}

/// A file that is put where the mail server reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// What is copied, as far as it exists.
    pub from: String,
    /// Where it goes; none where that cannot be known.
    pub to: Option<String>,
    /// Whether it is a private key.
    pub is_key: bool,
}
