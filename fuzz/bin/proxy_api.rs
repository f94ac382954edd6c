//! See `fault_proxy::fuzz::api`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fault_proxy::fuzz::api(input));
