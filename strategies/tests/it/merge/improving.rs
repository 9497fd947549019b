//! Answers made from other answers: what each step sees, what it gains, what happens when it fails.
#![expect(
    clippy::print_stdout,
    reason = "the figures are worth reading: cargo test improving -- --nocapture"
)]

use std::collections::BTreeSet;

use hone_strategies::contract::{DISTILLATION, WORKSPACE, candidates, fenced};
use hone_strategies::model::{Fact, Model, Purpose};
use hone_strategies::simulation::TaskModel;
use hone_strategies::testing::SimulatedModel;
use hone_strategies::{ModelError, SpecError};

use crate::statistics::{assert_near, binomial, measure_seeded, task};
use crate::support::{Fake, Reply, Seen, Trial, plays, rejected, says};

/// The candidates that a call is shown.
fn shown(seen: &Seen) -> Vec<String> {
    candidates(&seen.text())
        .into_iter()
        .map(|(_, text)| text.to_owned())
        .collect()
}

fn of(trial: &Trial, purpose: Purpose) -> Vec<Seen> {
    trial
        .model
        .requests()
        .into_iter()
        .filter(|seen| seen.call.purpose == purpose)
        .collect()
}

/// Members of a population that tell apart who made them.
fn distinct(seen: &Seen) -> Reply {
    match seen.call.purpose {
        Purpose::Synthesis => says(
            seen,
            &format!(
                "Second hand {}. Final answer: {}",
                seen.number,
                500 + seen.number
            ),
        ),
        _ => plays(seen),
    }
}

#[tokio::test(start_paused = true)]
async fn every_new_member_is_made_from_different_members_of_the_population_before() {
    let trial = Trial::new(Fake::new(distinct))
        .with("rsa_population", 6)
        .with("rsa_subset", 3);
    let finished = trial.run("rsa").await;
    let made = of(&trial, Purpose::Synthesis);
    assert_eq!((made.len(), finished.elapsed.as_secs()), (12, 3));
    for (at, seen) in made.iter().enumerate() {
        let from = shown(seen);
        assert_eq!(
            from.iter().collect::<BTreeSet<_>>().len(),
            3,
            "no copies: {from:?}"
        );
        let before = if at < 6 { "Candidate" } else { "Second hand" };
        assert!(from.iter().all(|text| text.starts_with(before)), "{from:?}");
        assert_eq!(
            seen.request.messages().last(),
            trial.request().messages().last(),
            "the conversation stays as it is"
        );
    }
    let subsets: BTreeSet<Vec<String>> = made.iter().map(shown).collect();
    assert!(subsets.len() > 8, "subsets are drawn anew");
    assert!(finished.text().starts_with("Second hand"));
}

#[tokio::test(start_paused = true)]
async fn a_population_that_agrees_is_not_recombined() {
    let trial = Trial::new(Fake::new(|seen| {
        says(seen, &format!("Way {}. Final answer: 42", seen.number))
    }));
    let finished = trial.run("rsa").await;
    assert_eq!(
        (finished.outcome().calls, finished.text().as_str()),
        (1, "Way 0. Final answer: 42")
    );
    assert_eq!(finished.outcome().degraded, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_leaves_the_population_before_it() {
    let script = |seen: &Seen| match seen.number {
        0 => plays(seen),
        1..=8 => says(
            seen,
            &format!(
                "Second hand. Final answer: {}",
                if seen.number == 2 { 1 } else { seen.number % 3 }
            ),
        ),
        _ => Err(rejected(500, &serde_json::json!({"message": "down"}))),
    };
    let trial = Trial::new(Fake::new(script));
    let finished = trial.run("rsa").await;
    assert_eq!(finished.outcome().degraded, ["failed_calls"]);
    assert!(
        finished.text().starts_with("Second hand. Final answer: 1"),
        "the vote is held where there is one: {}",
        finished.text()
    );
}

#[tokio::test(start_paused = true)]
async fn members_that_fail_are_missing_and_the_next_population_is_whole() {
    let script = |seen: &Seen| match (seen.call.purpose, seen.call.index) {
        (Purpose::Candidate, 0..=4) => Err(ModelError::Malformed {
            detail: "cut".to_owned(),
        }),
        _ => distinct(seen),
    };
    let trial = Trial::new(Fake::new(script)).with("rsa_steps", 2);
    trial.model.learn("m", Fact::HonoursN, false);
    let finished = trial.run("rsa").await;
    let made = of(&trial, Purpose::Synthesis);
    assert_eq!(made.len(), 8);
    assert!(
        made.iter().all(|seen| shown(seen).len() == 3),
        "three are left to choose four from"
    );
    assert_eq!(finished.outcome().degraded, ["failed_calls", "logprobs"]);
}

#[test]
fn a_subset_larger_than_the_population_is_refused() {
    let trial = Trial::new(Fake::new(plays))
        .with("rsa_population", 3)
        .with("rsa_subset", 4);
    let Err(SpecError { param, message, .. }) = trial.plan("rsa") else {
        panic!("planned")
    };
    assert_eq!(param.as_deref(), Some("rsa_subset"));
    assert_eq!(
        message,
        "`rsa_subset` must be at most `rsa_population`, which is 3."
    );
}

/// How often `drawn` of `all` without replacement miss every one of `right`.
fn missed(all: u32, right: u32, drawn: u32) -> f64 {
    (0..drawn)
        .map(|at| f64::from((all - right).saturating_sub(at)) / f64::from(all - at))
        .product()
}

/// The accuracy of `rsa` if a member is right with probability `skill` when it sees a right one,
/// never else, and errors scatter.
fn recombined(population: u32, subset: u32, steps: u32, p: f64, skill: f64) -> f64 {
    let mut right: Vec<f64> = (0..=population)
        .map(|right| binomial(population, right, p))
        .collect();
    for _ in 1..steps {
        let mut next = vec![0.0; right.len()];
        for (count, chance) in (0..=population).zip(&right) {
            // All right: they agree, and are left alone.
            let each = if count == population {
                1.0
            } else {
                skill * (1.0 - missed(population, count, subset))
            };
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
    let model = || {
        SimulatedModel::new(TaskModel {
            synthesis: 0.7,
            ..task(0.2)
        })
    };
    for (population, subset, steps) in [(4_u32, 2_u32, 2_u32), (4, 2, 3)] {
        let params = [
            ("rsa_population", population.into()),
            ("rsa_subset", subset.into()),
            ("rsa_steps", steps.into()),
        ];
        let measured = measure_seeded(model(), "rsa", &params, None).await;
        let expected = recombined(population, subset, steps, 0.2, 0.7);
        assert_near(
            &format!("rsa, N = {population}, K = {subset}, T = {steps}"),
            measured.accuracy,
            expected,
        );
        println!("  {:.1} calls, against 0.200 for one call", measured.calls);
    }
}

/// Drafts, notes and answers that tell where they come from.
fn drafting(seen: &Seen) -> Reply {
    match seen.call.purpose {
        Purpose::Candidate => says(
            seen,
            &format!(
                "Draft {}. Final answer: {}",
                seen.number,
                40 + seen.number % 3
            ),
        ),
        Purpose::Plan => says(seen, &format!("<think>hm</think>Notes {}.", seen.number)),
        _ => plays(seen),
    }
}

#[tokio::test(start_paused = true)]
async fn drafts_see_the_notes_on_those_before_them_and_not_the_drafts() {
    let model = Fake::new(drafting);
    model.learn("m", Fact::HonoursN, false);
    let trial = Trial::new(model).with("pdr_drafts", 3).with("stream", true);
    let finished = trial.run("pdr").await;
    assert_eq!(
        (
            finished.outcome().calls,
            finished.text().starts_with("Final text")
        ),
        (9, true)
    );
    assert!(finished.events.len() > 3, "the answer streams");
    let notes = of(&trial, Purpose::Plan);
    assert_eq!(
        notes
            .iter()
            .map(|seen| shown(seen).len())
            .collect::<Vec<_>>(),
        [3, 3]
    );
    assert!(notes.iter().all(|seen| seen.text().contains(DISTILLATION)));
    let second: Vec<Seen> = of(&trial, Purpose::Candidate).split_off(3);
    for seen in second.iter().chain(&of(&trial, Purpose::Synthesis)) {
        let from = fenced(&seen.text(), WORKSPACE).map(str::to_owned);
        let expected = if seen.call.purpose == Purpose::Synthesis {
            "Notes 7."
        } else {
            "Notes 3."
        };
        assert_eq!(
            from.as_deref(),
            Some(expected),
            "the last notes only, without their reasoning"
        );
        assert!(!seen.text().contains("Draft"));
        assert_eq!(
            seen.request.messages().last(),
            trial.request().messages().last(),
            "the conversation stays as it is"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn notes_are_kept_within_their_room() {
    let script = |seen: &Seen| match seen.call.purpose {
        Purpose::Plan => says(
            seen,
            &format!("Beginning. {} It is 42.", "blah ".repeat(1000)),
        ),
        _ => drafting(seen),
    };
    let trial = Trial::new(Fake::new(script)).with("pdr_workspace_tokens", 64);
    assert!(trial.run("pdr").await.result.is_ok());
    let answer = of(&trial, Purpose::Synthesis).remove(0).text();
    let kept = fenced(&answer, WORKSPACE).unwrap();
    assert!(
        kept.len() <= 256 && kept.starts_with("Beginning.") && kept.ends_with("It is 42."),
        "{kept}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_notes_the_drafts_take_their_place() {
    let script = |seen: &Seen| match seen.call.purpose {
        Purpose::Plan => Err(rejected(500, &serde_json::json!({"message": "down"}))),
        _ => drafting(seen),
    };
    let trial = Trial::new(Fake::new(script))
        .with("pdr_rounds", 1)
        .with("pdr_drafts", 1);
    let finished = trial.run("pdr").await;
    assert_eq!(
        finished.outcome().degraded,
        ["failed_calls", "distillation"]
    );
    assert_eq!(
        fenced(&of(&trial, Purpose::Synthesis)[0].text(), WORKSPACE),
        Some("Draft 0. Final answer: 40")
    );
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_the_last_drafts_vote() {
    let script = |seen: &Seen| match seen.call.purpose {
        Purpose::Synthesis => Err(rejected(500, &serde_json::json!({"message": "down"}))),
        _ => drafting(seen),
    };
    let model = Fake::new(script);
    model.learn("m", Fact::HonoursN, false);
    let finished = Trial::new(model).run("pdr").await;
    assert_eq!(finished.outcome().degraded, ["synthesis", "failed_calls"]);
    // Drafts 5 to 8 of the second round say 42, 40, 41, 42.
    assert_eq!(finished.text(), "Draft 5. Final answer: 42");
}

/// The accuracy of `pdr` if notes and answers are right with probability `skill` when they see what
/// is right, notes never else, and an answer else with probability `p`.
fn refined(rounds: u32, drafts: i32, p: f64, skill: f64) -> f64 {
    let answer = |notes: f64| notes * (skill + (1.0 - skill) * p) + (1.0 - notes) * p;
    let notes_from = |each: f64| skill * (1.0 - (1.0 - each).powi(drafts));
    // Drafts of one round share their notes, so the two cases are told apart.
    let better =
        |notes: f64| notes * notes_from(skill + (1.0 - skill) * p) + (1.0 - notes) * notes_from(p);
    answer((1..rounds).fold(notes_from(p), |notes, _| better(notes)))
}

#[tokio::test(start_paused = true)]
async fn drafting_and_distilling_gain_what_theory_says() {
    for (rounds, drafts) in [(1_u32, 4_u32), (2, 2), (3, 1)] {
        let model = SimulatedModel::new(TaskModel {
            synthesis: 0.8,
            ..task(0.3)
        });
        let measured = measure_seeded(
            model,
            "pdr",
            &[("pdr_rounds", rounds.into()), ("pdr_drafts", drafts.into())],
            None,
        )
        .await;
        let expected = refined(rounds, i32::try_from(drafts).unwrap(), 0.3, 0.8);
        assert_near(
            &format!("pdr, R = {rounds}, M = {drafts}"),
            measured.accuracy,
            expected,
        );
    }
}
