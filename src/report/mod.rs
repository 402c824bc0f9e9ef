//! The same values as text, markdown and JSON.

pub mod diagram;
