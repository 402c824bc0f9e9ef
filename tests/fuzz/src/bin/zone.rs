//! The target that libFuzzer drives: any bytes, read as a zone.
#![no_main]

#[path = "../zone.rs"]
mod zone;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zone::hold(bytes));
