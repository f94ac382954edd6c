//! See `harness::fuzz::import`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::fuzz::import(input));
