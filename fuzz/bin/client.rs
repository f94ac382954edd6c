//! See `harness::fuzz::client`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::fuzz::client(input));
