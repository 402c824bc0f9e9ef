//! The target that libFuzzer drives: any bytes, read as a zone.
#![no_main]

mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::hold(bytes));
