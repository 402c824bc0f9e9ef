//! Decisions into the world: git commits, signatures of proposals, zone files, dynamic updates, an authoritative server.

pub mod command;
pub mod git;
pub mod primary;
pub mod provider;
pub mod serve;
pub mod ssh_sign;
pub mod tsig;
mod wire;

/// A message ID that nobody can guess (RFC 5452 §9.2).
fn random_id() -> Option<u16> {
    let mut octets = [0; 2];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut octets).ok()?;
    Some(u16::from_be_bytes(octets))
}
