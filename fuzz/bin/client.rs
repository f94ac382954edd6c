//! See `harness::fuzz::client`.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::survive_closed_sockets(), |input: &[u8]| harness::fuzz::client(input));
