//! The same values as text, markdown and JSON.

pub mod diagram;
pub mod emergency;
pub mod runbook;
pub mod standing;
