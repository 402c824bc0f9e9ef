//! The machine: pure values and functions that decide when a step of a rotation is safe.
//!
//! Read in this order: `timing` and `association` (the values), `observation` (what was seen), `event` and
//! `step` (the seven steps and their table), `exposure` and `promise` (what must never happen), `gate`, `wait` and `blocker` (why not now),
//! `decide` (the one decision) and `timeline` (the same decision, run ahead).
//!
//! This room knows no clock, no file, no socket and no other room of the house.

pub mod association;
pub mod blocker;
pub mod combination;
pub mod deadline;
pub mod decide;
pub mod event;
pub mod exposure;
pub mod gate;
pub mod guide;
pub mod observation;
pub mod policy;
pub mod promise;
pub mod simulation;
pub mod step;
pub mod timeline;
pub mod timing;
pub mod wait;
