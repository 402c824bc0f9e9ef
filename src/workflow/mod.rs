//! One file per use case: observe, decide, record, render.
//!
//! `start`, `advance`, `abort`, `rollback`, `deploy`, `emergency` and `plan` are the use cases; `case` is a certificate's rotation as the journal tells it,
//! `head` a zone as git holds it, `look` one look at the world; `pace` is its policy for now; `act`, `admit`, `propose` and `sign` do what a decision
//! asks for. `demo` stages a whole rotation on loopback.

pub mod abort;
mod act;
mod admit;
pub mod advance;
mod case;
pub mod demo;
pub mod deploy;
pub mod emergency;
mod error;
mod head;
mod look;
mod pace;
pub mod plan;
mod propose;
pub mod rollback;
mod sign;
pub mod start;

pub use error::WorkflowError;
