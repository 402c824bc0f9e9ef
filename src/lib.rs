//! `tlsa-rotate` rotates the TLS key of a mail server under DANE without a single refused mail.

pub mod change;
pub mod cli;
pub mod dane;
pub mod dnssec;
pub mod observe;
pub mod publish;
pub mod report;
pub mod rotation;
pub mod workflow;
pub mod workspace;
pub mod zone;
