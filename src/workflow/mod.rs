//! One file per use case: observe, decide, record, render.
//!
//! `start`, `advance`, `abort`, `plan` and `simulate` are the use cases; `case` is a certificate's rotation as the journal tells it,
//! `head` a zone as git holds it, `look` one look at the world; `act`, `admit`, `propose` and `sign` do what a decision
//! asks for. `demo` stages a whole rotation on loopback.

pub mod abort;
mod act;
mod admit;
pub mod advance;
mod behind_aliases;
mod case;
mod deadlines;
pub mod demo;
mod error;
mod head;
mod history;
mod look;
pub mod plan;
mod propose;
mod sign;
pub mod simulate;
pub mod start;
mod surroundings;

pub use error::WorkflowError;
