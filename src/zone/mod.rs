//! Master files and what they mean (RFC 1035 §5), pure over bytes.

pub mod content;
pub mod name;
pub mod record;
