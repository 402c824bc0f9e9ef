//! An authoritative server for zones that are signed already (RFC 1034 §4.3.2, RFC 4035 §3.1).
//!
//! It holds no key and signs nothing: what a zone does not prove, it cannot serve. `answer` is the logic and touches no
//! socket; `server` is the life of the sockets; what lies between puts the one on the wire of the other.

pub mod answer;
mod denial;
mod handler;
pub mod served;
pub mod server;
mod tcp;
mod transfer;
mod wire;
