//! The live world as observations: what servers answer and what hosts present. Bounded and cancellable.

pub mod probe;
pub mod smtp;
pub mod tls;
