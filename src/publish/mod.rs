//! Decisions into the world: git commits, signatures of proposals, zone files, dynamic updates, an authoritative server.

pub mod command;
mod family;
pub mod git;
pub mod primary;
pub mod provider;
pub mod serve;
pub mod ssh_sign;
pub mod tsig;
mod wire;
