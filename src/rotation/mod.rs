//! The machine: pure values and functions that decide when a step of a rotation is safe.
//!
//! Read in this order: `timing`, `association` and `before` (the values), `observation` (what was seen), `event`, `step`, `table`
//! and `fold` (the seven steps, which follows from a fact, and what it leaves behind), `members`, `reach` and `stray` (who takes part, and who
//! and what may still be found after leaving) and `requirement` (what a step demands), `exposure`, `promise` and `alarm` (what must never
//! happen, and how it is said when it does), `gate`, `admissible`, `wait`, `soak`, `joining`, `several`, `signature`, `due`, `witness`
//! `doubt` and `blocker` (why not now), `repair` (facts of a wrong clock), `regress` (what takes a fact back), `decide` and `onward` (the one decision), `settle` (until nothing
//! follows), `deadline`, `act_by`, `patience`, `emergency` and `timeline` (the same decision, run ahead).
//!
//! This room knows no clock, no file, no socket and no other room of the house.

pub mod act_by;
pub mod admissible;
pub mod alarm;
pub mod association;
pub mod before;
pub mod blocker;
mod blocker_text;
mod blocker_way_out;
pub mod combination;
pub mod deadline;
pub mod decide;
mod deployment;
pub mod doubt;
pub mod due;
pub mod emergency;
pub mod event;
pub mod expiry;
pub mod exposure;
mod fold;
pub mod gate;
pub mod guide;
mod joining;
mod members;
pub mod observation;
mod onward;
pub mod patience;
pub mod policy;
pub mod promise;
pub mod reach;
pub mod regress;
pub mod repair;
pub mod requirement;
pub mod settle;
mod several;
mod signature;
pub mod simulation;
pub mod soak;
pub mod step;
pub mod stray;
mod table;
pub mod timeline;
pub mod timing;
pub mod tried;
pub mod wait;
pub mod witness;
