//! Files that others can have made or moved: opened so that nothing hangs, read to a bound, kept as secrets are kept.

pub mod guard;
pub mod host;
pub mod links;
pub mod read;
pub mod secret;
