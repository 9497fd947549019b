//! Judges' replies: what is read is in range, and of candidates that exist.
#![no_main]

use hone_strategies::{reasoning, verdict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|reply: &str| {
    assert!(verdict::parse_score(reply, 0.0..=10.0).is_none_or(|score| (0.0..=10.0).contains(&score)));
    assert!(verdict::parse_best(reply, 3).is_none_or(|best| best < 3));
    assert!(reasoning::strip(reply).len() <= reply.len());
});
