//! See `reference_server::fuzz::http`.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::survive_closed_sockets(), |input: &[u8]| reference_server::fuzz::http(input));
