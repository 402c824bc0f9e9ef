//! The programs that serve zones, where they differ in what they load.

use std::fmt;

/// What a name server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerKind {
    /// BIND.
    Bind,
    /// Knot DNS.
    Knot,
    /// NSD.
    Nsd,
    /// `PowerDNS`.
    PowerDns,
    /// Something else, this program's own server among it.
    Other,
}

impl ServerKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Bind,
        Self::Knot,
        Self::Nsd,
        Self::PowerDns,
        Self::Other,
    ];

    /// The name in configurations.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Knot => "knot",
            Self::Nsd => "nsd",
            Self::PowerDns => "powerdns",
            Self::Other => "other",
        }
    }

    /// The one that a configuration names, in whatever case.
    pub fn parse(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.word().eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
