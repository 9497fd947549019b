//! Votes that are weighed and ended by what was measured of their model.
#![expect(
    clippy::print_stdout,
    reason = "the figures are worth reading: cargo test measured -- --nocapture"
)]

use std::collections::HashMap;
use std::sync::Arc;

use hone_strategies::answer::{AnswerValue, Prior, Votes};
use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::quality::Quality;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Seen, Trial};

/// Measurements of the model of all trials, on questions for numbers.
fn quality(measured: &Value) -> Arc<Quality> {
    let file = json!({"version": 1, "models": {"m": {"number": measured, "open": measured}}});
    Arc::new(Quality::parse(&file.to_string()).unwrap())
}

fn told(low: f64, high: f64) -> Value {
    json!({"discrimination": f64::midpoint(low, high), "low": low, "high": high,
        "deviation": 0.5, "high_value": -0.2})
}

/// A model whose candidates give these answers, as sure as this.
fn answering(all: &'static [(&'static str, f64)]) -> Fake {
    Fake::new(move |seen: &Seen| -> Reply {
        let choice = |index: u32| {
            let at = (seen.call.index + index) as usize % all.len();
            let (answer, level) = all[at];
            let token = json!({"token": "Final", "logprob": level});
            Choice {
                index,
                logprobs: Some(json!({"content": [token]}).into()),
                ..Choice::new(
                    Message::assistant(format!("Final answer: {answer}")),
                    "stop",
                )
            }
        };
        Ok(Completion {
            choices: (0..seen.request.n()).map(choice).collect(),
            usage: Some(Usage::new(10, 5)),
            ..Completion::default()
        })
    })
}

fn trial(all: &'static [(&'static str, f64)], measured: Option<&Value>) -> Trial {
    let trial = Trial::new(answering(all)).with("k", all.len());
    match measured {
        Some(measured) => trial.measured(quality(measured)),
        None => trial,
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_counts_as_far_as_it_was_measured_to_tell_right_from_wrong() {
    // Three unsure votes against two sure ones.
    const ALL: [(&str, f64); 5] = [
        ("1", -2.0),
        ("2", -0.1),
        ("1", -2.1),
        ("2", -0.2),
        ("1", -2.2),
    ];
    let measured =
        |low, high| json!({"questions": 200, "accuracy": [0.5], "logprob": told(low, high)});
    for (low, high, elected) in [(0.7, 0.8, "2"), (0.4, 0.54, "1")] {
        let finished = trial(&ALL, Some(&measured(low, high)))
            .with("vote_temperature", 1.0)
            .with("stop_confidence", 0)
            .run("majority_voting")
            .await;
        assert_eq!(
            finished.text(),
            format!("Final answer: {elected}"),
            "{low} to {high}"
        );
    }
    // Useless ones are not asked for.
    let trial = trial(&ALL, Some(&measured(0.4, 0.54)));
    let finished = trial.run("majority_voting").await;
    assert!(finished.outcome().degraded.is_empty());
    let asked = |seen: &Seen| seen.request.get("logprobs").is_some();
    assert!(!trial.model.seen.lock().unwrap().iter().any(asked));
}

#[tokio::test(start_paused = true)]
async fn the_posterior_of_an_answer_needs_measurements() {
    const ALL: [(&str, f64); 5] = [
        ("1", -2.0),
        ("2", -0.1),
        ("1", -2.1),
        ("2", -0.2),
        ("1", -2.2),
    ];
    let measured = json!({"questions": 200, "accuracy": [0.5], "logprob": told(0.9, 0.95)});
    let map = |measured| trial(&ALL, measured).with("vote_weight", "map");
    let finished = map(Some(&measured)).run("majority_voting").await;
    assert_eq!(finished.text(), "Final answer: 2");
    assert_eq!(finished.outcome().degraded, [""; 0]);
    let finished = map(None).run("majority_voting").await;
    assert_eq!(finished.outcome().degraded, ["quality"]);
}

const SURE: [(&str, f64); 8] = [("7", -0.1); 8];
const UNSURE: [(&str, f64); 8] = [("7", -0.4); 8];
const SCATTERED: [(&str, f64); 8] = [
    ("1", -0.5),
    ("2", -0.6),
    ("3", -0.7),
    ("4", -0.8),
    ("5", -0.5),
    ("6", -0.6),
    ("7", -0.7),
    ("8", -0.8),
];

#[tokio::test(start_paused = true)]
async fn a_vote_ends_where_more_of_it_is_known_not_to_help() {
    let measured = json!({"questions": 200, "accuracy": [0.3, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4],
        "logprob": told(0.7, 0.8)});
    for (all, known, cast) in [
        (&SURE, Some(&measured), 2),
        (&UNSURE, Some(&measured), 4),
        (&SCATTERED, Some(&measured), 3),
        (&SURE, None, 4),
        (&SCATTERED, None, 8),
    ] {
        let finished = trial(all, known).run("majority_voting").await;
        let heard = finished.outcome().trace.candidates.len();
        assert_eq!(heard, cast, "{} {known:?}", all[0].0);
    }
}

/// Votes of a simulated election, without models and calls.
const ELECTIONS: u32 = 4_000;

/// What stopping did: calls for each vote, and how often the answer was the right one.
#[derive(Debug)]
struct Effect {
    calls: f64,
    accuracy: f64,
}

/// Holds votes of 16, looked at as hone does with such a prior and without. The shares of the right
/// answer, a wrong one and all others are drawn from a Dirichlet distribution.
fn elections(shares: [f64; 3], prior: Option<Prior>) -> Effect {
    let mut rng = SmallRng::seed_from_u64(16);
    let mut known: HashMap<(Vec<usize>, usize), bool> = HashMap::new();
    let (mut calls, mut right) = (0, 0);
    let looks: &[usize] = match prior {
        None => &[4, 8, 12],
        Some(_) => &[3, 5, 7, 9, 11, 13, 15],
    };
    for _ in 0..ELECTIONS {
        let gammas = shares.map(|shape| gamma(&mut rng, shape));
        let all: f64 = gammas.iter().sum();
        let ballot = |_| {
            let at = rng.random::<f64>() * all;
            if at < gammas[0] {
                0
            } else if at < gammas[0] + gammas[1] {
                1
            } else {
                rng.random_range(2..9_000_u32)
            }
        };
        let ballots: Vec<u32> = (0..16).map(ballot).collect();
        let ends = |used: &usize| {
            let mut counts: HashMap<u32, usize> = HashMap::new();
            for answer in &ballots[..*used] {
                *counts.entry(*answer).or_default() += 1;
            }
            let mut tally: Vec<usize> = counts.into_values().collect();
            tally.sort_unstable_by(|left, right| right.cmp(left));
            let key = (tally, 16 - used);
            *known
                .entry(key.clone())
                .or_insert_with(|| is_over(&key.0, key.1, prior))
        };
        let used = looks.iter().copied().find(ends).unwrap_or(16);
        calls += u32::try_from(used).unwrap();
        let count = |answer: u32| ballots[..used].iter().filter(|own| **own == answer).count();
        let best = ballots[..used]
            .iter()
            .rev()
            .max_by_key(|answer| count(**answer))
            .unwrap();
        right += u32::from(*best == 0);
    }
    let each = |sum: u32| f64::from(sum) / f64::from(ELECTIONS);
    Effect {
        calls: each(calls),
        accuracy: each(right),
    }
}

fn is_over(tally: &[usize], outstanding: usize, prior: Option<Prior>) -> bool {
    let mut votes = Votes::new().spreading(prior);
    let ballots = tally.iter().enumerate();
    let ballots = ballots.flat_map(|(answer, count)| std::iter::repeat_n(answer, *count));
    for (candidate, answer) in ballots.enumerate() {
        votes.add(
            candidate,
            AnswerValue::parse(&(100 + answer).to_string()),
            1.0,
        );
    }
    let wanted = if prior.is_some() { 0.97 } else { 0.99 };
    votes.decided(outstanding) || votes.confidence(outstanding) >= wanted
}

/// From a gamma distribution of this shape: sums of exponential ones, and for the rest of the shape
/// Ahrens and Dieter's rejection (1974).
fn gamma(rng: &mut SmallRng, shape: f64) -> f64 {
    let mut whole = 0.0;
    let mut left = shape;
    while left >= 1.0 {
        whole -= (1.0 - rng.random::<f64>()).ln();
        left -= 1.0;
    }
    if left < 1e-9 {
        return whole;
    }
    loop {
        let limit = 1.0 + left / std::f64::consts::E;
        let p = limit * rng.random::<f64>();
        let (x, keep) = if p <= 1.0 {
            let x = p.powf(1.0 / left);
            (x, (-x).exp())
        } else {
            let x = -((limit - p) / left).ln();
            (x, x.powf(left - 1.0))
        };
        if rng.random::<f64>() <= keep {
            return whole + x;
        }
    }
}

#[test]
fn a_prior_that_was_learned_saves_calls_and_a_wrong_one_costs_little() {
    let shares = [6.0, 1.0, 1.5];
    let today = elections(shares, None);
    let learned = elections(shares, Some(shares));
    let wrong = elections(shares, Some(shares.map(|part| 5.0 * part)));
    println!("today {today:?}, learned {learned:?}, five times too sure {wrong:?}");
    assert!(learned.calls <= 0.75 * today.calls, "{learned:?} {today:?}");
    assert!(
        today.accuracy - learned.accuracy < 0.005,
        "{learned:?} {today:?}"
    );
    assert!(
        today.accuracy - wrong.accuracy <= 0.01,
        "{wrong:?} {today:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_vote_whose_spread_was_measured_is_asked_for_in_smaller_waves() {
    const SAME: [(&str, f64); 16] = [("7", -0.5); 16];
    let measured = json!({"questions": 200, "accuracy": [0.6], "spread": [6.0, 1.0, 1.5]});
    for (known, calls) in [(None, 4), (Some(&measured), 3)] {
        let finished = trial(&SAME, known)
            .with("sampling", "waves")
            .run("majority_voting")
            .await;
        assert_eq!(finished.outcome().calls, calls, "{known:?}");
    }
}

#[test]
fn equal_pseudo_votes_are_no_prior() {
    let confidence = |prior| {
        let mut votes = Votes::new().spreading(prior);
        for (candidate, answer) in ["1", "1", "2", "1", "3"].iter().enumerate() {
            votes.add(candidate, AnswerValue::parse(answer), 1.0);
        }
        votes.confidence(6)
    };
    assert!((confidence(None) - confidence(Some([1.0; 3]))).abs() < 1e-12);
    assert!(confidence(Some([6.0, 1.0, 1.5])) > confidence(None));
}
