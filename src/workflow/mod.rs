//! One file per use case: observe, decide, record, render.

pub mod demo;
