//! Final answers: equivalence is reflexive and symmetric, a canonical answer is canonical again,
//! and a vote counts every voter once.
#![no_main]

use hone_strategies::answer::{AnswerValue, Question, Votes, equivalent, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (question, reply) = input;
    if let Some(found) = extract(reply, &Question::of(question)) {
        canonical(&found.value);
    }
    let (left, right) = (AnswerValue::parse(question), AnswerValue::parse(reply));
    if let (Some(left), Some(right)) = (left, right) {
        canonical(&left);
        canonical(&right);
        assert_eq!(equivalent(&left, &right), equivalent(&right, &left));
        vote([left, right]);
    }
});

/// A value is equivalent to itself, and to what is read of it as it was written, unless that is a
/// literal.
fn canonical(value: &AnswerValue) {
    assert!(equivalent(value, value));
    if value.is_number() {
        let again = AnswerValue::parse(&value.to_string()).expect("it was read once");
        assert!(equivalent(value, &again), "{value}");
    }
}

fn vote(values: [AnswerValue; 2]) {
    let mut votes = Votes::new();
    for (candidate, value) in values.iter().cycle().take(5).enumerate() {
        votes.add(candidate, Some(value.clone()), 1.0);
    }
    votes.add(5, None, 1.0);
    let mut voters: Vec<usize> = votes
        .histogram()
        .into_iter()
        .flat_map(|tally| tally.candidates)
        .collect();
    voters.sort_unstable();
    assert_eq!(voters, [0, 1, 2, 3, 4]);
    assert!(
        votes
            .leader()
            .is_some_and(|leader| leader.candidates.len() >= 3)
    );
    assert!((0.0..=1.0).contains(&votes.confidence(3)));
}
