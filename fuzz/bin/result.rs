//! See `harness::fuzz::result`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::fuzz::result(input));
