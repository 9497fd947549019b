//! Which candidate is elected by comparing candidates with each other: the most consistent one, the
//! winner of a tournament.
#![expect(
    clippy::print_stdout,
    reason = "the figures are worth reading: cargo test electing -- --nocapture"
)]

use std::collections::{BTreeMap, BTreeSet};

use hone_strategies::contract::{BEST_CANDIDATE, candidates};
use hone_strategies::model::{Fact, Model, Purpose};
use hone_strategies::simulation::{Reliability, TaskModel};
use hone_strategies::testing::SimulatedModel;

use super::choosing::{texts, with_candidates};
use crate::statistics::{assert_near, binomial, measure_seeded, picked, task};
use crate::support::{Seen, Trial};

/// Names the candidate at `at`, counted from 0.
fn names(at: usize) -> String {
    format!("They differ.\nBest candidate: {}", at + 1)
}

/// Where the judge of `shown` finds the greatest number.
fn greatest(shown: &[String]) -> usize {
    let worth = |text: &String| {
        text.split(' ')
            .next_back()
            .and_then(|word| word.parse::<u32>().ok())
            .unwrap_or(0)
    };
    (0..shown.len())
        .max_by_key(|at| worth(&shown[*at]))
        .unwrap_or(0)
}

fn judged(trial: &Trial) -> Vec<Seen> {
    trial
        .model
        .requests()
        .into_iter()
        .filter(|seen| seen.call.purpose == Purpose::Judge)
        .collect()
}

fn shown(seen: &Seen) -> Vec<String> {
    candidates(&seen.text())
        .into_iter()
        .map(|(_, text)| text.to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_most_consistent_is_chosen_among_all_with_copies_in_sight() {
    let all = texts(&[
        "The sea is blue.",
        "The sea is blue.",
        "The sea is green.",
        "<think>blue?</think>The sea is blue, mostly.",
    ]);
    let trial = Trial::new(with_candidates(all, |_, shown| {
        names(
            shown
                .iter()
                .position(|text| text.ends_with("mostly."))
                .unwrap(),
        )
    }));
    let trial = trial.with("usc_samples", 4);
    let finished = trial.run("usc").await;
    assert!(finished.text().ends_with("mostly."));
    let judged = judged(&trial);
    assert_eq!(judged.len(), 1);
    assert!(judged[0].text().contains(BEST_CANDIDATE) && !judged[0].text().contains("<think>"));
    assert_eq!(
        shown(&judged[0])
            .iter()
            .filter(|text| *text == "The sea is blue.")
            .count(),
        2,
        "how many say it is what counts"
    );
}

#[tokio::test(start_paused = true)]
async fn equal_wordings_need_no_call() {
    let finished = Trial::new(with_candidates(texts(&["Blue."]), |_, _| names(0)))
        .run("usc")
        .await;
    assert_eq!(
        (finished.text().as_str(), finished.outcome().calls),
        ("Blue.", 8)
    );
    assert_eq!(finished.outcome().degraded, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn no_place_is_better_than_another() {
    for (approach, params) in [
        ("usc", ["usc_samples", "n"]),
        ("knockout", ["knockout_candidates", "n"]),
    ] {
        let mut winners = BTreeSet::new();
        for seed in 0..16 {
            let model = with_candidates(texts(&["a 1", "b 2", "c 3", "d 4"]), |_, _| names(0));
            let trial = Trial {
                seed,
                ..Trial::new(model)
            }
            .with(params[0], 4)
            .with(params[1], 1)
            .with("judge_always", true)
            .with("knockout_comparisons", 1);
            winners.insert(trial.run(approach).await.text());
        }
        assert!(
            winners.len() >= 3,
            "a judge that likes the first place elects {winners:?} by {approach}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_verdict_the_earlier_of_two_that_lead_wins() {
    let model = || {
        let all = texts(&[
            "It is 43.",
            "It is 41.",
            "It is 42.",
            "It is 42.",
            "It is 41.",
        ]);
        with_candidates(all, |_, _| "No idea.".to_owned())
    };
    for (approach, text) in [("usc", "It is 41."), ("knockout", "It is 41.")] {
        let finished = Trial::new(model())
            .with("usc_samples", 5)
            .with("knockout_candidates", 5)
            .run(approach)
            .await;
        assert_eq!(
            (
                finished.text().as_str(),
                finished.outcome().degraded.clone()
            ),
            (text, vec!["judge".to_owned()]),
            "{approach}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_choice_is_right_if_the_chooser_approves_of_a_right_one() {
    let judge = Reliability {
        true_positive: 0.8,
        false_positive: 0.3,
    };
    let model = SimulatedModel::new(TaskModel { judge, ..task(0.5) });
    let measured = measure_seeded(model, "usc", &[("usc_samples", 4.into())], None).await;
    // Two right ones win the vote, for wrong ones scatter; one comes before the chooser if it is
    // among the first three.
    let alone = binomial(4, 1, 0.5) * 0.75 * picked(3, 1, judge);
    let voted: f64 = (2..=4).map(|right| binomial(4, right, 0.5)).sum();
    assert_near(
        "usc of 4, chooser 0.8/0.3",
        measured.accuracy,
        voted + alone,
    );
}

#[tokio::test(start_paused = true)]
async fn the_best_candidate_beats_all_others_whatever_the_bracket() {
    for count in 2..=9_u32 {
        for seed in 0..3 {
            let all: Vec<String> = (0..count)
                .map(|worth| format!("Candidate worth {worth}"))
                .collect();
            let all = all.into_iter().map(|text| (text, "stop")).collect();
            let model = with_candidates(all, |_, shown| names(greatest(shown)));
            let trial = Trial {
                seed,
                ..Trial::new(model)
            }
            .with("knockout_candidates", count)
            .with("judge_always", true);
            let finished = trial.run("knockout").await;
            assert_eq!(finished.text(), format!("Candidate worth {}", count - 1));
            assert_eq!(
                finished.outcome().calls,
                count + 2 * (count - 1),
                "every match but the last sends one home"
            );
            assert_eq!(
                finished.elapsed.as_secs(),
                1 + u64::from(count.next_power_of_two().ilog2())
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pair_is_compared_several_times_in_changing_order_and_the_majority_counts() {
    // The second comparison of every match errs.
    let judge = |seen: &Seen, shown: &[String]| {
        let best = greatest(shown);
        names(if seen.call.index % 3 == 1 {
            1 - best
        } else {
            best
        })
    };
    let trial = Trial::new(with_candidates(texts(&["a 1", "b 2", "c 3", "d 4"]), judge))
        .with("knockout_candidates", 4)
        .with("knockout_comparisons", 3)
        .with("judge_always", true);
    assert_eq!(trial.run("knockout").await.text(), "d 4");
    let mut orders: BTreeMap<BTreeSet<String>, Vec<String>> = BTreeMap::new();
    for seen in judged(&trial) {
        let shown = shown(&seen);
        orders
            .entry(shown.iter().cloned().collect())
            .or_default()
            .push(shown[0].clone());
    }
    assert_eq!(orders.len(), 3);
    for firsts in orders.values() {
        assert!(
            firsts[0] == firsts[2] && firsts[0] != firsts[1],
            "{firsts:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_even_match_goes_to_the_earlier_candidate() {
    let judge = |seen: &Seen, shown: &[String]| {
        names(usize::from((shown[0] == "early") == (seen.call.index == 0)))
    };
    for seed in 0..4 {
        let model = with_candidates(texts(&["early", "late"]), judge);
        let trial = Trial {
            seed,
            ..Trial::new(model)
        }
        .with("knockout_candidates", 2)
        .with("knockout_comparisons", 2);
        assert_eq!(trial.run("knockout").await.text(), "early");
    }
}

#[tokio::test(start_paused = true)]
async fn those_with_the_same_answer_are_not_compared() {
    let all = texts(&[
        "Six sevens. Answer: 42",
        "Answer: 42.0",
        "Seven sixes. Answer: 42",
        "So it is \\boxed{42}",
    ]);
    let trial = Trial::new(with_candidates(all, |_, _| names(1))).with("knockout_candidates", 4);
    let finished = trial.run("knockout").await;
    assert_eq!(
        (finished.outcome().calls, finished.text().as_str()),
        (4, "Six sevens. Answer: 42")
    );
}

#[tokio::test(start_paused = true)]
async fn comparisons_of_a_client_with_a_seed_have_seeds_of_their_own() {
    let trial = Trial::new(with_candidates(texts(&["a 1", "b 2"]), |_, _| names(0)));
    trial.model.learn("m", Fact::HonoursN, false);
    let trial = trial
        .with("seed", 7)
        .with("knockout_candidates", 2)
        .with("knockout_comparisons", 3);
    assert!(trial.run("knockout").await.result.is_ok());
    let seeds: BTreeSet<String> = judged(&trial)
        .iter()
        .map(|seen| seen.request.get("seed").unwrap().to_string())
        .collect();
    assert_eq!(seeds.len(), 3);
}

/// How often a right candidate beats a wrong one in one comparison by the simulated judge: it names
/// one that it approves of, else any.
fn comparison(judge: Reliability) -> f64 {
    let (hit, slip) = (judge.true_positive, judge.false_positive);
    hit * (1.0 - slip) + 0.5 * (hit * slip + (1.0 - hit) * (1.0 - slip))
}

/// How often the winner among 2^`rounds` candidates is right, if a match is decided by the majority
/// of `times` (odd) comparisons.
fn champion(rounds: u32, times: u32, p: f64, compared: f64) -> f64 {
    let upheld: f64 = (times / 2 + 1..=times)
        .map(|wins| binomial(times, wins, compared))
        .sum();
    (0..rounds).fold(p, |right, _| {
        right * right + 2.0 * right * (1.0 - right) * upheld
    })
}

/// The theorem's bound on how often the answer is wrong.
fn bound(rounds: u32, times: u32, p: f64, compared: f64) -> f64 {
    let scored = f64::from(rounds) * (-2.0 * f64::from(times) * (compared - 0.5).powi(2)).exp();
    (1.0 - p).powi(2_i32.pow(rounds)) + scored
}

#[tokio::test(start_paused = true)]
async fn a_tournament_gains_what_theory_says_and_fails_no_more_than_the_theorem_allows() {
    let judge = Reliability {
        true_positive: 0.9,
        false_positive: 0.2,
    };
    let compared = comparison(judge);
    for (rounds, times) in [(1_u32, 3_u32), (2, 3), (3, 3), (2, 9)] {
        let model = SimulatedModel::new(TaskModel { judge, ..task(0.4) });
        let params = [
            ("knockout_candidates", 2_u32.pow(rounds).into()),
            ("knockout_comparisons", times.into()),
            ("judge_always", true.into()),
            // The theorem asks nothing of the judge's words, and whole replies are quick.
            ("judge_style", "reasoned".into()),
        ];
        let measured = measure_seeded(model, "knockout", &params, None)
            .await
            .accuracy;
        let expected = champion(rounds, times, 0.4, compared);
        assert_near(
            &format!(
                "knockout of {}, {times} comparisons of {compared:.2}",
                2_u32.pow(rounds)
            ),
            measured,
            expected,
        );
        let most = bound(rounds, times, 0.4, compared);
        println!(
            "  wrong {:.3}, the theorem allows {most:.3}",
            1.0 - measured
        );
        assert!(1.0 - expected <= most && 1.0 - measured <= most + 0.05);
    }
}

#[test]
fn the_theorem_bounds_the_closed_form_everywhere() {
    for rounds in 0..6 {
        for times in [1, 3, 5, 9, 15] {
            for percent in (5..100_u32).step_by(5) {
                let (p, compared) = (f64::from(percent) / 100.0, 0.5 + f64::from(percent) / 200.0);
                assert!(
                    1.0 - champion(rounds, times, p, compared)
                        <= bound(rounds, times, p, compared) + 1e-12
                );
            }
        }
    }
}
