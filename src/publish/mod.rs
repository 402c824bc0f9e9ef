//! Decisions into the world: git commits, zone files, an authoritative server.

pub mod command;
pub mod git;
pub mod serve;
