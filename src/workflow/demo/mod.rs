//! The parts of a rotation on loopback: a mail host whose certificates can be swapped, and a sender that validates.

pub mod delivery;
pub mod mail_host;
