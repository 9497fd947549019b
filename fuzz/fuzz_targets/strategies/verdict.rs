//! Judges' replies: what is read is in range, and of candidates that exist.
#![no_main]

use hone_strategies::{reasoning, verdict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|reply: &str| {
    assert!(
        verdict::parse_score(reply, 0.0..=10.0).is_none_or(|score| (0.0..=10.0).contains(&score))
    );
    assert!(verdict::parse_best(reply, 3).is_none_or(|best| best < 3));
    assert!(verdict::parse_difficulty(reply).is_none() || !reply.is_empty());
    assert!(reasoning::strip(reply).len() <= reply.len());
    let behind = format!("{reply}\nScore: 3");
    if reasoning::strip(&behind).ends_with("Score: 3") {
        assert_eq!(
            verdict::parse_score(&behind, 0.0..=10.0),
            Some(3.0),
            "the last line decides"
        );
    }
});
