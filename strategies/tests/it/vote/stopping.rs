//! Votes that stop before all have voted: when, what that saves, and what it costs.
#![expect(
    clippy::print_stdout,
    reason = "the figures are worth reading: cargo test stopping -- --nocapture"
)]

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hone_strategies::answer::{AnswerValue, Votes};
use hone_strategies::simulation::{Errors, TaskModel, Words};
use hone_strategies::testing::{Pace, SimulatedModel};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

use crate::statistics::{favourite, measure_seeded, task};
use crate::support::{Fake, Trial, says};

/// Votes of a simulated election, without models and calls.
const ELECTIONS: u32 = 20_000;
/// Voters at a time.
const WAVE: usize = 4;
/// The default of `stop_confidence`.
const DEFAULT: f64 = 0.99;
/// What the default may cost: half a point of accuracy.
const MOST_LOST: f64 = 0.005;

/// Whether a vote in waves with these votes for the first answer, the second, … goes on; each state
/// is worked out once.
struct Rule {
    confidence: f64,
    known: HashMap<(Vec<usize>, usize), bool>,
}

impl Rule {
    fn new(confidence: f64) -> Self {
        Self {
            confidence,
            known: HashMap::new(),
        }
    }

    fn stops(&mut self, mut tally: Vec<usize>, outstanding: usize) -> bool {
        tally.sort_unstable_by(|left, right| right.cmp(left));
        let confidence = self.confidence;
        *self
            .known
            .entry((tally, outstanding))
            .or_insert_with_key(|(tally, outstanding)| {
                let mut votes = Votes::new();
                let ballots = tally
                    .iter()
                    .enumerate()
                    .flat_map(|(answer, count)| std::iter::repeat_n(answer, *count));
                for (candidate, answer) in ballots.enumerate() {
                    votes.add(
                        candidate,
                        AnswerValue::parse(&(100 + answer).to_string()),
                        1.0,
                    );
                }
                votes.decided(*outstanding) || votes.confidence(*outstanding) >= confidence
            })
    }
}

/// The answer with most votes; of equals the one that was given first.
fn elected(ballots: &[u32]) -> u32 {
    let count = |answer: u32| ballots.iter().filter(|other| **other == answer).count();
    *ballots
        .iter()
        .rev()
        .max_by_key(|answer| count(**answer))
        .unwrap()
}

/// What stopping in waves did to many votes of `k`, against the same votes counted to the end.
struct Effect {
    whole: f64,
    stopped: f64,
    samples: f64,
}

/// Holds elections whose right answer is 0; `wrong` draws another.
fn elections(k: usize, p: f64, wrong: impl Fn(&mut SmallRng) -> u32) -> Effect {
    let mut rng = SmallRng::seed_from_u64(k as u64);
    let mut rule = Rule::new(DEFAULT);
    let (mut whole, mut stopped, mut samples) = (0, 0, 0);
    for _ in 0..ELECTIONS {
        let ballots: Vec<u32> = (0..k)
            .map(|_| {
                if rng.random_bool(p) {
                    0
                } else {
                    wrong(&mut rng)
                }
            })
            .collect();
        let tally = |cast: &[u32]| {
            let mut counts = HashMap::new();
            for answer in cast {
                *counts.entry(*answer).or_default() += 1;
            }
            counts.into_values().collect::<Vec<usize>>()
        };
        let used = (WAVE..k)
            .step_by(WAVE)
            .find(|used| rule.stops(tally(&ballots[..*used]), k - used))
            .unwrap_or(k);
        whole += u32::from(elected(&ballots) == 0);
        stopped += u32::from(elected(&ballots[..used]) == 0);
        samples += u32::try_from(used).unwrap();
    }
    let each = |sum: u32| f64::from(sum) / f64::from(ELECTIONS);
    Effect {
        whole: each(whole),
        stopped: each(stopped),
        samples: each(samples),
    }
}

fn report(what: &str, p: f64, k: usize, effect: &Effect) {
    let Effect {
        whole,
        stopped,
        samples,
    } = effect;
    println!(
        "{what}, p = {p:.2}, k = {k}: {samples:.2} samples, accuracy {stopped:.4} against \
            {whole:.4}"
    );
}

#[test]
fn where_errors_scatter_sixteen_votes_in_waves_stop_far_earlier_at_no_cost() {
    for (p, most) in [(0.6, 11.0), (0.75, 8.5), (0.9, 6.0)] {
        let effect = elections(16, p, |rng| 1 + rng.random_range(0..9_000));
        report("errors scatter", p, 16, &effect);
        assert!(effect.samples <= most, "{} samples", effect.samples);
        assert!(effect.whole - effect.stopped < MOST_LOST);
    }
}

#[test]
fn where_some_errors_agree_stopping_costs_at_most_half_a_point() {
    // Three standard deviations of a paired difference of which one vote in a hundred is part.
    let noise = 3.0 * (0.01 / f64::from(ELECTIONS)).sqrt();
    let half = |rng: &mut SmallRng| {
        if rng.random_bool(0.5) {
            1
        } else {
            2 + rng.random_range(0..9_000)
        }
    };
    let options = |rng: &mut SmallRng| 1 + rng.random_range(0..3);
    for (k, p) in [(16, 0.35), (16, 0.5), (16, 0.65), (40, 0.5)] {
        for (what, effect) in [
            ("half agree", elections(k, p, half)),
            ("four options", elections(k, p, options)),
        ] {
            report(what, p, k, &effect);
            assert!(effect.whole - effect.stopped < MOST_LOST + noise, "{what}");
        }
    }
}

/// The exact accuracies of a vote between the right and one wrong answer: whole, and stopped; and
/// the samples used. Ties are even.
fn between_two(k: usize, p: f64, rule: &mut Rule) -> (f64, f64, f64) {
    // How likely each number of right votes is, among those that went on.
    let mut open = vec![1.0];
    let (mut stopped, mut samples) = (0.0, 0.0);
    let as_number = |count: usize| f64::from(u32::try_from(count).unwrap());
    let wins = |right: usize, all: usize| {
        [0.0, 0.5, 1.0][1 + usize::from(2 * right > all) - usize::from(2 * right < all)]
    };
    for cast in 1..=k {
        let mut next = vec![0.0; cast + 1];
        for (right, chance) in open.iter().enumerate() {
            next[right + 1] += chance * p;
            next[right] += chance * (1.0 - p);
        }
        for (right, chance) in next.iter_mut().enumerate() {
            let ends = cast == k
                || (cast % WAVE == 0 && rule.stops([right, cast - right].into(), k - cast));
            if ends {
                stopped += *chance * wins(right, cast);
                samples += std::mem::take(chance) * as_number(cast);
            }
        }
        open = next;
    }
    let whole = (0..=k).fold(0.0, |sum, right| {
        let ways = (0..right).fold(1.0, |ways, i| ways * as_number(k - i) / as_number(i + 1));
        sum + ways
            * p.powi(i32::try_from(right).unwrap())
            * (1.0 - p).powi(i32::try_from(k - right).unwrap())
            * wins(right, k)
    });
    (whole, stopped, samples)
}

#[test]
fn where_all_errors_agree_stopping_costs_at_most_half_a_point_whatever_k() {
    let mut rule = Rule::new(DEFAULT);
    let mut worst: f64 = 0.0;
    for k in 2..=64 {
        for percent in (50_u32..=95).step_by(5) {
            let p = f64::from(percent) / 100.0;
            let (whole, stopped, samples) = between_two(k, p, &mut rule);
            worst = worst.max(whole - stopped);
            if k == 16 && [60, 65, 75, 90].contains(&percent) {
                report(
                    "errors agree (exact)",
                    p,
                    k,
                    &Effect {
                        whole,
                        stopped,
                        samples,
                    },
                );
            }
            assert!(
                whole - stopped <= MOST_LOST,
                "k = {k}, p = {p}: {whole:.4} becomes {stopped:.4}"
            );
        }
    }
    println!(
        "errors agree: at most {:.2} points are lost for any k from 2 to 64",
        100.0 * worst
    );
    let (whole, stopped, _) = between_two(64, 0.6, &mut Rule::new(0.95));
    assert!(
        whole - stopped > 0.02,
        "at 0.95 a long vote would lose {whole:.4} - {stopped:.4}"
    );
}

/// Candidates of one question have seeds of their own, so a vote that goes on hears the same
/// answers.
const APART: Option<i64> = Some(1000);

fn params(stop_confidence: f64, sampling: &str) -> [(&'static str, Value); 3] {
    [
        ("k", 16.into()),
        ("stop_confidence", stop_confidence.into()),
        ("sampling", sampling.into()),
    ]
}

#[tokio::test(start_paused = true)]
async fn whole_runs_in_waves_save_what_the_rule_promises() {
    for (what, model, most) in [
        ("errors scatter", task(0.75), 8.5),
        ("errors agree", favourite(0.75), 10.5),
    ] {
        let certain = measure_seeded(
            SimulatedModel::new(model.clone()),
            "majority_voting",
            &params(1.0, "waves"),
            APART,
        )
        .await;
        let likely = measure_seeded(
            SimulatedModel::new(model),
            "majority_voting",
            &params(DEFAULT, "waves"),
            APART,
        )
        .await;
        println!(
            "runs, {what}, p = 0.75, k = 16: {:.2} calls instead of {:.2}, accuracy {:.3} against \
                {:.3}",
            likely.calls, certain.calls, likely.accuracy, certain.accuracy
        );
        assert!(
            likely.calls <= most && likely.calls < certain.calls,
            "{likely:?}"
        );
        // Of a thousand questions five may be lost, and a few more by chance.
        assert!(
            certain.accuracy - likely.accuracy <= MOST_LOST + 0.005,
            "{likely:?} {certain:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn side_by_side_the_answers_that_are_not_waited_for_save_tokens() {
    let model = |model: TaskModel| {
        let pace = Pace {
            first: Duration::from_millis(200),
            per_token: Duration::from_millis(20),
        };
        SimulatedModel::new(TaskModel {
            words: Words {
                least: 10,
                most: 200,
            },
            ..model
        })
        .with_pace(pace)
    };
    for (what, errors, most) in [
        ("errors scatter", Errors::Scattered, 0.65),
        ("errors agree", Errors::Favourite { share: 1.0 }, 0.75),
    ] {
        let model = || {
            model(TaskModel {
                errors,
                ..task(0.75)
            })
        };
        let whole =
            measure_seeded(model(), "majority_voting", &params(0.0, "parallel"), APART).await;
        let likely = measure_seeded(
            model(),
            "majority_voting",
            &params(DEFAULT, "parallel"),
            APART,
        )
        .await;
        println!(
            "side by side, {what}, p = 0.75, k = 16: {:.0} tokens instead of {:.0}, accuracy {:.3} \
                against {:.3}",
            likely.tokens, whole.tokens, likely.accuracy, whole.accuracy
        );
        assert!(likely.tokens < most * whole.tokens, "{likely:?} {whole:?}");
        // The candidates are others in one call than in sixteen: half a point and four standard
        // deviations.
        assert!(
            whole.accuracy - likely.accuracy <= MOST_LOST + 0.02,
            "{likely:?} {whole:?}"
        );
    }
}

/// A model whose candidate number i says `answers[i]`, one after the other.
fn saying(answers: &'static [u32]) -> Trial {
    let model = Fake::new(move |seen| {
        says(
            seen,
            &format!(
                "Final answer: {}",
                answers[seen.call.index as usize % answers.len()]
            ),
        )
    });
    let model = model.with_latency(|seen| Duration::from_millis(1000 + u64::from(seen.call.index)));
    Trial::new(model)
        .with("k", answers.len())
        .with("vote_weight", "none")
}

const LONG: [u32; 16] = [7; 16];

#[tokio::test(start_paused = true)]
async fn a_vote_as_good_as_won_stops_and_the_rest_is_cancelled() {
    let trial = saying(&LONG);
    let finished = trial.run("majority_voting").await;
    assert_eq!(
        (
            finished.elapsed.as_millis(),
            trial.model.cancelled.load(Ordering::SeqCst)
        ),
        (1003, 12)
    );
    assert!(
        finished.outcome().degraded.is_empty(),
        "it is no degradation"
    );
    let demand = trial
        .plan("majority_voting")
        .unwrap()
        .demand(&trial.request());
    assert_eq!(
        (demand.calls, demand.max_calls),
        (16, 16),
        "admission reckons with the whole vote"
    );
}

#[tokio::test(start_paused = true)]
async fn with_certainty_asked_for_it_goes_on_until_nothing_can_change() {
    let trial = saying(&LONG).with("stop_confidence", 1);
    assert_eq!(trial.run("majority_voting").await.elapsed.as_millis(), 1008);
}

#[tokio::test(start_paused = true)]
async fn without_stopping_every_candidate_is_asked_for_in_one_call() {
    for sampling in ["parallel", "waves"] {
        let trial = saying(&LONG)
            .with("stop_confidence", 0)
            .with("sampling", sampling);
        let demand = trial
            .plan("majority_voting")
            .unwrap()
            .check(&trial.request())
            .unwrap();
        let finished = trial.run("majority_voting").await;
        assert_eq!(
            (finished.outcome().calls, demand.calls, demand.depth),
            (1, 1, 1)
        );
        assert_eq!(finished.outcome().trace.candidates.len(), 16);
        assert_eq!(finished.outcome().trace.candidates[0].score, Some(16.0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_vote_is_counted_to_the_end() {
    let trial = saying(&[1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
    assert_eq!(
        trial
            .run("majority_voting")
            .await
            .outcome()
            .trace
            .candidates
            .len(),
        12
    );
}

#[tokio::test(start_paused = true)]
async fn a_row_of_equal_answers_stops_a_vote_that_asks_for_it() {
    let answers = &[1, 2, 3, 3, 3, 1, 1, 1, 1];
    let trial = saying(answers)
        .with("stop_window", 3)
        .with("stop_confidence", 0);
    let finished = trial.run("majority_voting").await;
    assert_eq!(
        (finished.elapsed.as_millis(), finished.text().as_str()),
        (1004, "Final answer: 3")
    );
    let trial = saying(answers)
        .with("stop_window", 4)
        .with("stop_confidence", 0);
    assert_eq!(trial.run("majority_voting").await.elapsed.as_millis(), 1008);
}

#[tokio::test(start_paused = true)]
async fn with_a_guarantee_a_vote_goes_on_until_its_leader_is_proved() {
    // Nine equal votes prove it at one in twenty; sixteen are asked for at once.
    let finished = saying(&LONG)
        .with("stop_guarantee", 0.05)
        .run("majority_voting")
        .await;
    assert_eq!(finished.elapsed.as_millis(), 1008);
    let long = saying(&[7; 64]).with("stop_guarantee", 0.05).with("k", 64);
    assert_eq!(long.run("majority_voting").await.elapsed.as_millis(), 1008);
    let strict = saying(&[7; 64])
        .with("stop_guarantee", 0.0001)
        .with("k", 64);
    assert!(strict.run("majority_voting").await.elapsed.as_millis() > 1008);
}

/// How often a vote that ends by the guarantee elects another answer than the model gives most
/// often, of two that are all but equally frequent; it is looked at after each vote.
fn false_ends(alpha: f64, streams: u32, p: f64) -> f64 {
    let mut rng = SmallRng::seed_from_u64(7);
    let values = ["0", "1"].map(AnswerValue::parse);
    let mut wrong = 0;
    for _ in 0..streams {
        let mut votes = Votes::new();
        for candidate in 0..40 {
            let answer = usize::from(rng.random_bool(p));
            votes.add(candidate, values[answer].clone(), 1.0);
            if votes.is_certified(alpha) {
                wrong += u32::from(
                    votes
                        .leader()
                        .is_some_and(|leader| leader.value.to_string() == "0"),
                );
                break;
            }
        }
    }
    f64::from(wrong) / f64::from(streams)
}

#[test]
fn a_guarantee_holds_however_often_one_looks() {
    // Answers that are equally frequent are the hardest case: whichever is elected, the other one
    // is as frequent; so the leader at the end is wrong whenever it is the one that we call so.
    let share = false_ends(0.05, 10_000, 0.5);
    println!("of equally frequent answers the wrong one is certified in {share:.4}");
    assert!(share <= 0.05, "{share}");
    let share = false_ends(0.2, 2_000, 0.55);
    println!("at 0.2, of 55 to 45, in {share:.4}");
    assert!(share <= 0.2, "{share}");
}
