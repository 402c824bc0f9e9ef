//! Decisions into the world: git commits, signatures of proposals, zone files, an authoritative server.

pub mod command;
pub mod git;
pub mod serve;
pub mod ssh_sign;
