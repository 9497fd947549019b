//! Answers made from other answers: what each step sees, what it gains, what happens when it fails.
#![expect(clippy::print_stdout, reason = "the figures are worth reading: cargo test improving -- --nocapture")]

use std::collections::BTreeSet;

use hone_strategies::contract::candidates;
use hone_strategies::model::{Fact, Model, Purpose};
use hone_strategies::simulation::TaskModel;
use hone_strategies::testing::SimulatedModel;
use hone_strategies::{ModelError, SpecError};

use crate::statistics::{assert_near, binomial, measure_seeded, task};
use crate::support::{Fake, Reply, Seen, Trial, plays, rejected, says};

/// The candidates that a call is shown.
fn shown(seen: &Seen) -> Vec<String> {
    candidates(&seen.text()).into_iter().map(|(_, text)| text.to_owned()).collect()
}

fn of(trial: &Trial, purpose: Purpose) -> Vec<Seen> {
    trial.model.requests().into_iter().filter(|seen| seen.call.purpose == purpose).collect()
}

/// Members of a population that tell apart who made them.
fn distinct(seen: &Seen) -> Reply {
    match seen.call.purpose {
        Purpose::Synthesis => says(seen, &format!("Second hand {}. Final answer: {}", seen.number, 500 + seen.number)),
        _ => plays(seen),
    }
}

#[tokio::test(start_paused = true)]
async fn every_new_member_is_made_from_different_members_of_the_population_before() {
    let trial = Trial::new(Fake::new(distinct)).with("rsa_population", 6).with("rsa_subset", 3);
    let finished = trial.run("rsa").await;
    let made = of(&trial, Purpose::Synthesis);
    assert_eq!((made.len(), finished.elapsed.as_secs()), (12, 3));
    for (at, seen) in made.iter().enumerate() {
        let from = shown(seen);
        assert_eq!(from.iter().collect::<BTreeSet<_>>().len(), 3, "no copies: {from:?}");
        let before = if at < 6 { "Candidate" } else { "Second hand" };
        assert!(from.iter().all(|text| text.starts_with(before)), "{from:?}");
        assert_eq!(seen.request.messages().last(), trial.request().messages().last(), "the conversation stays as it is");
    }
    let subsets: BTreeSet<Vec<String>> = made.iter().map(shown).collect();
    assert!(subsets.len() > 8, "subsets are drawn anew");
    assert!(finished.text().starts_with("Second hand"));
}

#[tokio::test(start_paused = true)]
async fn a_population_that_agrees_is_not_recombined() {
    let trial = Trial::new(Fake::new(|seen| says(seen, &format!("Way {}. Final answer: 42", seen.number))));
    let finished = trial.run("rsa").await;
    assert_eq!((finished.outcome().calls, finished.text().as_str()), (1, "Way 0. Final answer: 42"));
    assert_eq!(finished.outcome().degraded, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_leaves_the_population_before_it() {
    let script = |seen: &Seen| match seen.number {
        0 => plays(seen),
        1..=8 => says(seen, &format!("Second hand. Final answer: {}", if seen.number == 2 { 1 } else { seen.number % 3 })),
        _ => Err(rejected(500, &serde_json::json!({"message": "down"}))),
    };
    let trial = Trial::new(Fake::new(script));
    let finished = trial.run("rsa").await;
    assert_eq!(finished.outcome().degraded, ["failed_calls"]);
    assert!(finished.text().starts_with("Second hand. Final answer: 1"), "the vote is held where there is one: {}", finished.text());
}

#[tokio::test(start_paused = true)]
async fn members_that_fail_are_missing_and_the_next_population_is_whole() {
    let script = |seen: &Seen| match (seen.call.purpose, seen.call.index) {
        (Purpose::Candidate, 0..=4) => Err(ModelError::Malformed { detail: "cut".to_owned() }),
        _ => distinct(seen),
    };
    let trial = Trial::new(Fake::new(script)).with("rsa_steps", 2);
    trial.model.learn("m", Fact::HonoursN, false);
    let finished = trial.run("rsa").await;
    let made = of(&trial, Purpose::Synthesis);
    assert_eq!(made.len(), 8);
    assert!(made.iter().all(|seen| shown(seen).len() == 3), "three are left to choose four from");
    assert_eq!(finished.outcome().degraded, ["failed_calls"]);
}

#[test]
fn a_subset_larger_than_the_population_is_refused() {
    let trial = Trial::new(Fake::new(plays)).with("rsa_population", 3).with("rsa_subset", 4);
    let Err(SpecError { param, message, .. }) = trial.plan("rsa") else { panic!("planned") };
    assert_eq!(param.as_deref(), Some("rsa_subset"));
    assert_eq!(message, "`rsa_subset` must be at most `rsa_population`, which is 3.");
}

/// How often `drawn` of `all` without replacement miss every one of `right`.
fn missed(all: u32, right: u32, drawn: u32) -> f64 {
    (0..drawn).map(|at| f64::from((all - right).saturating_sub(at)) / f64::from(all - at)).product()
}

/// The accuracy of `rsa` if a member is right with probability `skill` when it sees a right one, never else, and errors scatter.
fn recombined(population: u32, subset: u32, steps: u32, p: f64, skill: f64) -> f64 {
    let mut right: Vec<f64> = (0..=population).map(|right| binomial(population, right, p)).collect();
    for _ in 1..steps {
        let mut next = vec![0.0; right.len()];
        for (count, chance) in (0..=population).zip(&right) {
            // All right: they agree, and are left alone.
            let each = if count == population { 1.0 } else { skill * (1.0 - missed(population, count, subset)) };
            for (after, slot) in (0..=population).zip(&mut next) {
                *slot += chance * binomial(population, after, each);
            }
        }
        right = next;
    }
    // Two outvote scattered errors; one wins if it is the first of as many answers.
    right.iter().skip(2).sum::<f64>() + right[1] / f64::from(population)
}

#[tokio::test(start_paused = true)]
async fn recombination_gains_what_theory_says() {
    let model = || SimulatedModel::new(TaskModel { synthesis: 0.7, ..task(0.2) });
    for (population, subset, steps) in [(4_u32, 2_u32, 2_u32), (4, 2, 3)] {
        let params = [("rsa_population", population.into()), ("rsa_subset", subset.into()), ("rsa_steps", steps.into())];
        let measured = measure_seeded(model(), "rsa", &params, None).await;
        let expected = recombined(population, subset, steps, 0.2, 0.7);
        assert_near(&format!("rsa, N = {population}, K = {subset}, T = {steps}"), measured.accuracy, expected);
        println!("  {:.1} calls, against 0.200 for one call", measured.calls);
    }
}
