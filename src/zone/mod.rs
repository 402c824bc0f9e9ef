//! Master files and what they mean (RFC 1035 §5), pure over bytes.

pub mod answers;
mod check;
pub mod content;
pub mod diagnostic;
pub mod diff;
pub mod edit;
pub mod file;
mod form;
mod generate;
pub mod include;
pub mod lexer;
pub mod mail;
pub mod name;
mod node;
pub(crate) mod nodes;
mod order;
mod parent;
pub mod rdata;
mod reader;
pub mod record;
mod records;
mod rtype;
pub mod serial;
mod sorted;
mod targets;
mod ttl;
