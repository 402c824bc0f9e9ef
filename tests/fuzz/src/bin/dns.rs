//! The target that libFuzzer drives: any bytes, as a DNS answer, read and validated.
#![no_main]

#[path = "../evidence.rs"]
#[allow(dead_code)] // each target has its own
mod evidence;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evidence::dns(bytes));
