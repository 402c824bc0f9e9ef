//! The target that libFuzzer drives: any bytes, as a certificate, a key or a chain, judged by TLSA records.
#![no_main]

#[path = "../evidence.rs"]
#[allow(dead_code)] // each target has its own
mod evidence;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evidence::chain(bytes));
