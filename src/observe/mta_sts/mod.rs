//! MTA-STS (RFC 8461): what senders without DANE hold a domain's mail hosts to.
//!
//! Nothing here takes part in a DANE verdict (RFC 8461 §2): it can only add an objection.

pub mod fetch;
pub mod policy;
pub mod signalled;
