//! Subsamples against all orders, and what a vote is billed.

use hone_strategies::answer::AnswerValue;

use super::*;
use crate::prices::USUAL;

fn drawn(value: i64, is_right: bool, logprob: f64) -> Drawn {
    Drawn {
        value: AnswerValue::parse(&value.to_string()),
        is_right,
        logprob: Some(logprob),
        certainty: None,
        tokens: Tokens::new(100, 80, 10),
    }
}

fn case(texts: Vec<Drawn>) -> Case {
    Case {
        kind: hone_strategies::quality::Kind::Number,
        texts: vec![texts],
        programs: Vec::new(),
        cold: [0, 0],
    }
}

fn outcome(case: &Case, family: Family, votes: usize, subsamples: u32) -> Outcome {
    let rule = Rule {
        name: String::new(),
        group: 0,
        family,
        votes,
        is_row: true,
    };
    let drawing = Drawing {
        subsamples,
        seed: 1,
        usual: USUAL,
        prices: None,
    };
    outcomes(case, 0, &[rule], drawing)[0]
}

#[test]
fn subsamples_come_to_what_all_orders_come_to() {
    let samples = vec![
        drawn(7, true, -0.1),
        drawn(7, true, -0.5),
        drawn(8, false, -0.2),
        drawn(9, false, -0.3),
        drawn(8, false, -0.9),
    ];
    let (mut right, mut all) = (0.0, 0.0);
    for one in 0..5 {
        for two in (0..5).filter(|two| *two != one) {
            for three in (0..5).filter(|three| ![one, two].contains(three)) {
                let mut votes = Votes::new();
                for (at, sample) in [one, two, three].into_iter().enumerate() {
                    votes.add(at, samples[sample].value.clone(), 1.0);
                }
                let first = votes.leader().unwrap().candidates[0];
                right += f64::from(u8::from(samples[[one, two, three][first]].is_right));
                all += 1.0;
            }
        }
    }
    let case = case(samples);
    let found = |family, votes| outcome(&case, family, votes, 20_000).right;
    assert!(
        (found(Family::Plain, 3) - right / all).abs() < 0.01,
        "{right} of {all}"
    );
    assert!((found(Family::Plain, 1) - 0.4).abs() < 0.01);
    // All wrong: 1 of the 10 threes. One vote for each of three answers: the surest wins.
    assert!((found(Family::Any, 3) - 0.9).abs() < 0.01);
    assert!(
        (found(Family::Plain, 5) - 0.5).abs() < 0.02,
        "a tie goes to the first"
    );
    assert!(
        (found(Family::Tie, 5) - 1.0).abs() < 1e-9,
        "or to the surer"
    );
}

#[test]
fn only_the_first_call_of_a_vote_reads_what_was_not_cached() {
    let samples = vec![drawn(7, true, -0.1); 3];
    let vote = outcome(&case(samples), Family::Plain, 3, 5);
    assert_eq!((vote.calls, vote.tokens), (3.0, 330.0));
    // 100 + 4 x 10, then twice 20 + 80 / 4 + 4 x 10.
    assert!((vote.money - 300.0).abs() < 1e-9, "{vote:?}");
    assert!((vote.weighted - vote.money).abs() < 1e-9);
}
