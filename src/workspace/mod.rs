//! The operator's workspace on disk: configuration, journal, lock, and files that are whole or absent.

pub mod durable;
pub mod journal;
pub mod lock;
pub mod tls_key;
