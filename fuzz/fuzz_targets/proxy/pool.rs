//! Pools of samples of `hone eval`.
#![no_main]

use hone_eval::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| fuzzing::pool(text));
