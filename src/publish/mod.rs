//! Decisions into the world: git commits, zone files, an authoritative server.

pub mod serve;
