//! Zone changes as people see, sign and apply them; judged beside ssh-keygen, nsupdate, named and ldns.
//!
//! The peers are the real programs (Debian: openssh-client, bind9, bind9-dnsutils, ldnsutils). One that is missing fails the
//! test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // tables
    missing_docs
)]

mod apply;
mod hostile;
mod lab;
#[path = "../serve_support/mod.rs"]
mod serve_support;
mod signature;
mod told;
mod update;
