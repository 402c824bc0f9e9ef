//! One file per use case: observe, decide, record, render.
//!
//! `start`, `advance`, `abort` and `plan` are the use cases; `case` is a certificate's rotation as the journal tells it,
//! `head` a zone as git holds it, `look` one look at the world; `act`, `admit`, `propose` and `sign` do what a decision
//! asks for. `demo` stages a whole rotation on loopback.

pub mod abort;
mod act;
mod admit;
pub mod advance;
mod case;
pub mod demo;
mod error;
mod head;
mod look;
pub mod plan;
mod propose;
mod sign;
pub mod start;
pub mod verdict;
pub mod verify;
pub mod zone_servers;

pub use error::WorkflowError;
