//! An authoritative server for zones that are signed already (RFC 1034 §4.3.2, RFC 4035 §3.1).
//!
//! It holds no DNSSEC key and signs nothing: what a zone does not prove, it cannot serve. `answer` is the logic and
//! `respond` what surrounds it, octets in and octets out; neither touches a socket. `server` is the life of the sockets.

pub mod answer;
mod denial;
pub mod event;
mod lineage;
mod notify;
mod request;
mod respond;
pub mod served;
pub mod server;
mod tcp;
mod transfer;
mod udp;
pub mod zones;
