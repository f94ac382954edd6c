//! See `harness::fuzz::scenario`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::fuzz::scenario(input));
