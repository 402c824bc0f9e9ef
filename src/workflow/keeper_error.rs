//! Why nothing is asked of whoever keeps a zone, and the ways out.

use crate::zone::name::Name;
use crate::zone::record::Rtype;

/// Why a primary or a provider is not asked for a change.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// It did something else than it was asked for.
    #[error("the provider of {zone} is asked for no change any more: {why}")]
    Halted {
        /// The zone.
        zone: Name,
        /// What happened, and when.
        why: String,
    },
    /// No program of a provider changes the zone.
    #[error("{zone} is no zone that a provider's program changes")]
    NotProvided {
        /// What was asked for.
        zone: Name,
    },
    /// It was asked for what was there, and something else is there now.
    #[error(
        "the provider was asked to leave {name} {rtype} as it was, and it is something else now"
    )]
    RehearsalChanged {
        /// The owner.
        name: Name,
        /// The type.
        rtype: Rtype,
    },
}

impl KeeperError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Halted { zone, .. } => vec![
                "mend its program, and see that it shows every record that the hosts need".to_owned(),
                format!("then say so: tlsa-rotate zone continue {zone} --provider"),
            ],
            Self::NotProvided { .. } => Vec::new(),
            Self::RehearsalChanged { .. } => vec![
                "mend the program of `publish = { command = … }`: scripts/provider-powerdns shows what it must do".to_owned(),
            ],
        }
    }

    /// Whether only a person can change it (exit code 3).
    pub const fn wants_a_person(&self) -> bool {
        !matches!(self, Self::NotProvided { .. })
    }
}
