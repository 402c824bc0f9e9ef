//! The live world as observations: what servers answer and what hosts present. Bounded and cancellable.

pub mod addresses;
pub mod authorities;
mod denial;
pub mod dns;
mod proof;
