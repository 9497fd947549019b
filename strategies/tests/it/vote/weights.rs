//! What votes weigh by how sure the model was: what that gains by theory, and what becomes of
//! models that do not say.
#![expect(
    clippy::print_stdout,
    reason = "the figures are worth reading: cargo test weights -- --nocapture"
)]

use hone_strategies::answer::{AnswerValue, Scale, Scheme, Votes};
use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::model::{Fact, Model, ModelError};
use hone_strategies::simulation::{Confidence, TaskModel};
use hone_strategies::testing::SimulatedModel;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::statistics::{assert_near, binomial, measure_seeded, task};
use crate::support::{Fake, Reply, Seen, Trial, rejected};

/// Votes of a simulated election, without models and calls.
const ELECTIONS: u32 = 12_000;
/// By how many deviations right answers lie above wrong ones, so that of a right and a wrong one
/// the right is surer in 74 of 100 pairs: √2 Φ⁻¹(0.74).
const APART: f64 = 0.909_8;

/// From the standard normal distribution (Box and Muller).
fn normal(rng: &mut SmallRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Which wrong answer is given.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    Scattered,
    Half,
    Favourite,
}

impl Wrong {
    fn draw(self, rng: &mut SmallRng) -> u32 {
        let agrees = match self {
            Self::Scattered => 0.0,
            Self::Half => 0.5,
            Self::Favourite => 1.0,
        };
        if rng.random_bool(agrees) {
            1
        } else {
            rng.random_range(2..9_000)
        }
    }
}

fn elected(ballots: &[(u32, Option<f64>)], scheme: Scheme) -> Option<u32> {
    let mut votes = Votes::by(scheme);
    for (candidate, (answer, sure)) in ballots.iter().enumerate() {
        let value = AnswerValue::parse(&answer.to_string());
        votes.add_sure(candidate, value, 1.0, *sure);
    }
    let winner = votes.leader()?.candidates.first().copied()?;
    Some(ballots.get(winner)?.0)
}

/// How often votes of `n` are right, of a model that is right with a probability that `share` draws
/// for each question, and whose right answers lie `apart` above its wrong ones.
fn accuracy(
    n: usize,
    share: impl Fn(&mut SmallRng) -> f64,
    (wrong, apart): (Wrong, f64),
    scheme: impl Fn() -> Scheme,
) -> f64 {
    let mut rng = SmallRng::seed_from_u64(n as u64);
    // Votes that are counted know nothing else; a tie goes to the first.
    let is_told = !matches!(scheme(), Scheme::Count);
    let mut right = 0;
    for _ in 0..ELECTIONS {
        let p = share(&mut rng);
        let ballot = |_| {
            let is_right = rng.random_bool(p);
            let answer = if is_right { 0 } else { wrong.draw(&mut rng) };
            let level = normal(&mut rng) + if is_right { apart } else { 0.0 };
            (answer, is_told.then_some(level))
        };
        let ballots: Vec<_> = (0..n).map(ballot).collect();
        right += u32::from(elected(&ballots, scheme()) == Some(0));
    }
    f64::from(right) / f64::from(ELECTIONS)
}

fn tie() -> Scheme {
    Scheme::Tie(Scale::new(None))
}

fn weighted(temperature: f64) -> impl Fn() -> Scheme {
    move || Scheme::Weighted {
        scale: Scale::new(Some(1.0)),
        temperature,
    }
}

#[track_caller]
fn assert_close(what: &str, measured: f64, expected: f64) {
    println!("{what}: measured {measured:.3}, expected {expected:.3}");
    // Three and a half standard deviations.
    assert!(
        (measured - expected).abs() < 0.016,
        "{what}: {measured:.3}, not {expected:.3}"
    );
}

/// How often a tie among n is won by the one right answer: the integral of φ(x − d) Φ(x)^(n − 1).
fn surest_of(n: i32, apart: f64) -> f64 {
    const STEP: f64 = 0.001;
    let (mut below, mut all, mut x) = (0.0, 0.0, -9.0);
    while x < 9.0 {
        let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
        below += STEP * density(x);
        all += STEP * density(x - apart) * below.powi(n - 1);
        x += STEP;
    }
    all
}

#[test]
fn a_tie_goes_to_the_surer_as_often_as_theory_says() {
    let both = |p: f64| p * p + 2.0 * p * (1.0 - p) * 0.74;
    assert!((both(0.6) - 0.715).abs() < 0.001);
    for n in [2, 3, 5] {
        for p in [0.3, 0.6] {
            let several: f64 = (2..=n).map(|k| binomial(n, k, p)).sum();
            let expected = several + binomial(n, 1, p) * surest_of(n.cast_signed(), APART);
            let measured = accuracy(n as usize, |_| p, (Wrong::Scattered, APART), tie);
            assert_close(&format!("ties, n = {n}, p = {p}"), measured, expected);
        }
    }
    assert!((surest_of(3, APART) - 0.607).abs() < 0.002);
    assert!((surest_of(5, APART) - 0.464).abs() < 0.002);
}

#[test]
fn a_tie_rule_that_knows_nothing_is_a_coin() {
    for p in [0.3, 0.6] {
        let several: f64 = (2..=5).map(|k| binomial(5, k, p)).sum();
        let expected = several + binomial(5, 1, p) / 5.0;
        let measured = accuracy(5, |_| p, (Wrong::Scattered, 0.0), tie);
        assert_close("ties by a blind signal", measured, expected);
    }
}

#[test]
fn weights_gain_most_where_wrong_answers_agree() {
    let any = |rng: &mut SmallRng| rng.random::<f64>();
    for (wrong, plain, sharp) in [
        (Wrong::Scattered, 0.698, 0.719),
        (Wrong::Half, 0.624, 0.682),
        (Wrong::Favourite, 0.505, 0.594),
    ] {
        let counted = accuracy(5, any, (wrong, APART), Scheme::default);
        assert_close(&format!("{wrong:?}, counted"), counted, plain);
        let weighed = accuracy(5, any, (wrong, APART), weighted(2.0));
        assert_close(&format!("{wrong:?}, weighed"), weighed, sharp);
        let untested = accuracy(5, any, (wrong, APART), weighted(4.0));
        println!("{wrong:?}, untested: {untested:.3}");
        assert!(untested > counted + 0.01, "{wrong:?}: {untested} {counted}");
    }
}

#[test]
fn a_useless_signal_costs_little_at_the_temperature_of_what_is_untested() {
    let any = |rng: &mut SmallRng| rng.random::<f64>();
    for n in [5, 16] {
        let counted = accuracy(n, any, (Wrong::Scattered, 0.0), Scheme::default);
        let untested = accuracy(n, any, (Wrong::Scattered, 0.0), weighted(4.0));
        let trusted = accuracy(n, any, (Wrong::Scattered, 0.0), weighted(2.0));
        println!("n = {n}: counted {counted:.3}, at 4 {untested:.3}, at 2 {trusted:.3}");
        assert!(counted - untested < 0.02, "{counted} {untested}");
        assert!(
            counted - trusted > 0.03,
            "full trust would cost {}",
            counted - trusted
        );
    }
}

fn ballots() -> impl Strategy<Value = Vec<(u32, Option<f64>)>> {
    prop::collection::vec((0_u32..4, prop::option::of(-5.0..0.0)), 0..9)
}

fn schemes() -> impl Strategy<Value = Scheme> {
    prop_oneof![
        Just(Scheme::Count),
        Just(tie()),
        (0.1..8.0_f64, prop::option::of(0.0..2.0)).prop_map(|(temperature, usual)| {
            Scheme::Weighted {
                scale: Scale::new(usual),
                temperature,
            }
        }),
    ]
}

proptest! {
    #[test]
    fn where_all_are_equally_sure_votes_are_counted(
        answers in prop::collection::vec(0_u32..4, 0..9), level in -9.0..0.0, scheme in schemes(),
    ) {
        let sure: Vec<_> = answers.iter().map(|answer| (*answer, Some(level))).collect();
        let silent: Vec<_> = answers.iter().map(|answer| (*answer, None)).collect();
        let counted = elected(&silent, Scheme::Count);
        prop_assert_eq!(elected(&sure, scheme.clone()), counted);
        prop_assert_eq!(elected(&silent, scheme), counted);
    }

    #[test]
    fn a_lead_that_cannot_be_lost_is_not_lost(
        first in ballots(), then in ballots(), scheme in schemes(),
    ) {
        let mut votes = Votes::by(scheme);
        let add = |votes: &mut Votes, from: usize, ballots: &[(u32, Option<f64>)]| {
            for (candidate, (answer, sure)) in (from..).zip(ballots) {
                votes.add_sure(candidate, AnswerValue::parse(&answer.to_string()), 1.0, *sure);
            }
        };
        // A model that says nothing at first may say something later: that is no promise of it.
        prop_assume!(first.iter().any(|(_, sure)| sure.is_some())
            || then.iter().all(|(_, sure)| sure.is_none()));
        add(&mut votes, 0, &first);
        prop_assert!((0.0..=1.0).contains(&votes.confidence(then.len())));
        if votes.decided(then.len()) {
            let leader = votes.leader().unwrap();
            add(&mut votes, first.len(), &then);
            let after = votes.leader().unwrap();
            prop_assert!(leader.candidates.iter().all(|own| after.candidates.contains(own)));
        }
    }

    #[test]
    fn in_a_tie_the_order_of_arrival_does_not_matter(
        ballots in ballots(), seed in any::<u64>(),
    ) {
        let ballots = &ballots[..ballots.len().min(3)];
        let mut shuffled: Vec<usize> = (0..ballots.len()).collect();
        shuffled.sort_by_key(|at| (*at as u64 + 1).wrapping_mul(seed | 1));
        let mut votes = Votes::by(tie());
        for candidate in shuffled {
            let (answer, sure) = ballots[candidate];
            votes.add_sure(candidate, AnswerValue::parse(&answer.to_string()), 1.0, sure);
        }
        let winner = votes.leader().and_then(|leader| leader.candidates.first().copied());
        prop_assert_eq!(winner.map(|winner| ballots[winner].0), elected(ballots, tie()));
    }
}

/// A model whose log probabilities tell right from wrong in 74 of 100 pairs.
fn telling(accuracy: f64) -> SimulatedModel {
    let confidence = Confidence {
        right: -0.2,
        wrong: -0.2 * (APART * 0.8).exp(),
        spread: 0.8,
    };
    assert!((confidence.separation().unwrap() - 0.74).abs() < 0.001);
    SimulatedModel::new(TaskModel {
        confidence: Some(confidence),
        ..task(accuracy)
    })
}

#[tokio::test(start_paused = true)]
async fn three_votes_of_a_model_that_says_how_sure_it_is_are_worth_more_than_three() {
    let params = |weight: &str| [("k", json!(3)), ("vote_weight", json!(weight))];
    for approach in ["majority_voting", "self_consistency"] {
        let params = params("auto").map(|(name, value)| {
            let is_k = name == "k" && approach == "self_consistency";
            (if is_k { "num_samples" } else { name }, value)
        });
        let measured = measure_seeded(telling(0.3), approach, &params, Some(1000)).await;
        let several: f64 = (2..=3).map(|k| binomial(3, k, 0.3)).sum();
        let expected = several + binomial(3, 1, 0.3) * surest_of(3, APART);
        assert_near(&format!("{approach} of 3"), measured.accuracy, expected);
    }
    let counted =
        measure_seeded(telling(0.3), "majority_voting", &params("none"), Some(1000)).await;
    let tied = measure_seeded(telling(0.3), "majority_voting", &params("auto"), Some(1000)).await;
    assert!(
        tied.accuracy > counted.accuracy + 0.08,
        "{tied:?} {counted:?}"
    );
    assert!(
        (tied.tokens - counted.tokens).abs() < 1.0,
        "at no extra token"
    );
}

/// A model that answers 1, 2, 2, …, and is surest of its first answer; `logprobs` says in which
/// form.
fn answering(logprobs: impl Fn(&Seen, f64) -> Value + Send + Sync + 'static) -> Fake {
    Fake::new(move |seen: &Seen| -> Reply { Ok(answer(seen, &logprobs)) })
}

fn answer(seen: &Seen, logprobs: &dyn Fn(&Seen, f64) -> Value) -> Completion {
    let choice = |index: u32| {
        let at = seen.call.index + index;
        let (answer, level) = if at == 0 { (1, -0.1) } else { (2, -2.0) };
        let told = logprobs(seen, level);
        Choice {
            index,
            logprobs: (!told.is_null()).then(|| told.into()),
            ..Choice::new(
                Message::assistant(format!("Final answer: {answer}")),
                "stop",
            )
        }
    };
    Completion {
        choices: (0..seen.request.n()).map(choice).collect(),
        usage: Some(Usage::new(10, 5)),
        ..Completion::default()
    }
}

fn asked(seen: &Seen, level: f64) -> Value {
    if seen.request.get("logprobs") != Some(&json!(true)) {
        return Value::Null;
    }
    json!({"content": [{"token": "Final answer", "logprob": level,
        "top_logprobs": [{"token": "Final", "logprob": level}, {"token": "x", "logprob": -9.0}]}]})
}

#[tokio::test(start_paused = true)]
async fn a_client_does_not_see_what_only_hone_asked_for() {
    for stream in [false, true] {
        let trial = Trial::new(answering(asked))
            .with("k", 2)
            .with("stream", stream);
        let finished = trial.run("majority_voting").await;
        assert_eq!(finished.text(), "Final answer: 1", "the surer one");
        let choice = &finished.outcome().choices[0];
        assert_eq!(choice.logprobs, None);
        assert_eq!(finished.outcome().degraded, [""; 0]);
    }
    let own = Trial::new(answering(asked))
        .with("k", 2)
        .with("logprobs", true);
    let finished = own.run("majority_voting").await;
    let told = finished.outcome().choices[0]
        .logprobs
        .clone()
        .unwrap()
        .to_value();
    assert_eq!(told["content"][0]["logprob"], -0.1);
    assert_eq!(told["content"][0]["top_logprobs"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_tells_nothing_is_asked_once_and_then_no_more() {
    let null = |_: &Seen, _: f64| Value::Null;
    let lies = |_: &Seen, _: f64| json!({"content": [{"token": "Final", "logprob": -9999.0}]});
    for model in [answering(null), answering(lies)] {
        let trial = Trial::new(model).with("k", 3).with("stop_confidence", 0);
        trial.model.learn("m", Fact::HonoursN, false);
        for times in 1..=2 {
            let finished = trial.run("majority_voting").await;
            assert_eq!(finished.text(), "Final answer: 2", "the plain vote");
            assert_eq!(finished.outcome().degraded, ["logprobs"]);
            assert_eq!(trial.model.calls(), 3 * times, "it costs no call");
        }
        let seen = trial.model.seen.lock().unwrap();
        let asks = seen
            .iter()
            .map(|seen| seen.request.get("logprobs").is_some());
        assert!(asks.eq([true, true, true, false, false, false]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_forbids_them_costs_one_refusal() {
    let refusing = |status: u16, words: &'static str| {
        Fake::new(move |seen: &Seen| -> Reply {
            if seen.request.get("logprobs").is_some() {
                return Err(rejected(status, &json!({"message": words})));
            }
            Ok(answer(seen, &asked))
        })
    };
    for (status, words) in [
        (
            403,
            "You are not allowed to request logprobs from this model.",
        ),
        (400, "Logprobs is not enabled for this model."),
        (
            400,
            "Unsupported parameter: 'logprobs' is not supported with this model.",
        ),
    ] {
        let trial = Trial::new(refusing(status, words))
            .with("k", 4)
            .with("sampling", "waves");
        let first = trial.run("majority_voting").await;
        assert_eq!(first.text(), "Final answer: 2", "{words}");
        assert_eq!(first.outcome().degraded, ["logprobs"], "{words}");
        let refused = trial.model.calls() - 4;
        assert!(refused <= 4, "each of the first wave, at most: {refused}");
        let second = trial.run("majority_voting").await;
        assert_eq!(trial.model.calls(), 4 + refused + 4, "{words}");
        assert_eq!(second.outcome().degraded, ["logprobs"]);
    }
}

#[tokio::test(start_paused = true)]
async fn another_refusal_is_still_one() {
    let model = Fake::new(|_: &Seen| -> Reply {
        Err(rejected(
            403,
            &json!({"message": "Your key may not use this model."}),
        ))
    });
    let finished = Trial::new(model).run("majority_voting").await;
    let error = finished.result.unwrap_err();
    assert!(error.to_string().contains("403"), "{error}");
    assert!(matches!(
        error,
        hone_strategies::StrategyError::Model(ModelError::Rejected(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn one_silent_answer_among_others_is_an_ordinary_vote() {
    let some = |seen: &Seen, level: f64| match seen.call.index {
        1 => Value::Null,
        _ => asked(seen, level),
    };
    let trial = Trial::new(answering(some))
        .with("k", 3)
        .with("stop_confidence", 0);
    trial.model.learn("m", Fact::HonoursN, false);
    let finished = trial.run("majority_voting").await;
    assert_eq!(finished.text(), "Final answer: 2");
    assert_eq!(finished.outcome().degraded, [""; 0]);
    assert_eq!(trial.model.knows("m", Fact::Accepts("logprobs")), None);
}

#[tokio::test(start_paused = true)]
async fn the_alternatives_are_asked_for_only_where_they_count() {
    for (weight, top) in [("logprob", None), ("certainty", Some(20)), ("none", None)] {
        let trial = Trial::new(answering(asked))
            .with("k", 5)
            .with("vote_weight", weight);
        trial.run("majority_voting").await;
        let seen = trial.model.seen.lock().unwrap();
        let request = &seen[0].request;
        assert_eq!(request.get("logprobs").is_some(), weight != "none");
        assert_eq!(
            request.get("top_logprobs").and_then(Value::as_u64),
            top,
            "{weight}"
        );
    }
}
