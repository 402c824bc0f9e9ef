//! The machine: pure values and functions that decide when a step of a rotation is safe.
//!
//! This room knows no clock, no file, no socket and no other room of the house.

pub mod association;
pub mod observation;
pub mod timing;
