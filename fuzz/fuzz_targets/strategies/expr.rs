//! Approach expressions: bounded, and printing is the inverse of parsing.
#![no_main]

use hone_strategies::Expr;
use hone_strategies::expr::MAX_SLUGS;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(expr) = Expr::parse(text) else { return };
    assert!(expr.slugs().len() <= MAX_SLUGS);
    assert_eq!(Expr::parse(&expr.to_string()).as_ref(), Ok(&expr));
});
