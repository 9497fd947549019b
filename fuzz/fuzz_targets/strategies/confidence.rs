//! Log probabilities in any shape: what is read is in range, in order, and measures of it are
//! numbers.
#![no_main]

use hone_strategies::confidence::{FLOOR, tokens};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(value) = serde_json::from_slice(body) else {
        return;
    };
    for token in tokens(&value) {
        assert!(
            token
                .logprob
                .is_none_or(|logprob| (FLOOR..=0.0).contains(&logprob))
        );
        assert!(
            token
                .top
                .is_sorted_by(|left, right| left.logprob >= right.logprob)
        );
        assert!(token.confidence().is_none_or(f64::is_finite));
        assert!(
            token
                .margin()
                .is_none_or(|margin| (0.0..=1.0).contains(&margin))
        );
        assert!(
            token
                .spread()
                .is_none_or(|spread| spread.entropy.is_finite() && spread.varentropy.is_finite())
        );
    }
});
