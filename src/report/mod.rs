//! The same values as text, markdown, JSON and a calendar.

mod by_hand;
pub mod calendar;
pub mod diagram;
pub mod emergency;
pub mod rehearsal;
pub mod runbook;
pub mod standing;
pub mod ttl_before;
