//! DANE over values (RFC 6698, 7671, 7672): associations of certificates and keys, and the judgement of a chain.

pub mod association;
pub mod certificate;
mod der;
mod gnutls;
pub mod judge;
pub mod key;
mod name_check;
mod parts;
mod path;
mod pem;
mod private_key;
pub mod subject;
pub mod web;
mod web_path;
