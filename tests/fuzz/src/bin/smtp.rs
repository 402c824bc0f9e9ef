//! The target that libFuzzer drives: any bytes, as what a mail server says.
#![no_main]

#[path = "../evidence.rs"]
#[allow(dead_code)] // each target has its own
mod evidence;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evidence::smtp(bytes));
