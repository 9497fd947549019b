//! Final answers: a candidate's text is read without panic, and equivalence is reflexive and symmetric.
#![no_main]

use hone_strategies::answer::{AnswerValue, Question, equivalent, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (question, reply) = input;
    let _extracted = extract(reply, &Question::of(question));
    let (left, right) = (AnswerValue::parse(question), AnswerValue::parse(reply));
    if let (Some(left), Some(right)) = (left, right) {
        assert!(equivalent(&left, &left));
        assert_eq!(equivalent(&left, &right), equivalent(&right, &left));
    }
});
