//! See `reference_server::fuzz::http`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| reference_server::fuzz::http(input));
