//! Candidates that a judge rates or compares.

use std::time::Duration;

use hone_strategies::simulation::{Reliability, TaskModel, Words};
use hone_strategies::testing::{Pace, SimulatedModel};
use serde_json::Value;

use super::{accuracy, assert_near, binomial, favourite, measure, picked, selected, task};

const BLIND: Reliability = Reliability {
    true_positive: 0.5,
    false_positive: 0.5,
};

/// What makes `bon` best of `n` as it is published: every candidate rated, the best one returned.
fn as_published(n: u32) -> Vec<(&'static str, Value)> {
    vec![
        ("best_of_n", n.into()),
        ("bon_best_of", n.into()),
        ("judge_top", n.into()),
        ("judge_always", true.into()),
    ]
}

/// How often the vote of `n` is right where wrong answers scatter, if a judge chooses among the
/// first `shown` where all differ.
fn voted(n: u32, p: f64, shown: u32, judge: Reliability) -> f64 {
    let decided: f64 = (2..=n).map(|right| binomial(n, right, p)).sum();
    let is_shown = f64::from(shown) / f64::from(n);
    decided + binomial(n, 1, p) * is_shown * picked(shown, 1, judge)
}

#[tokio::test(start_paused = true)]
async fn best_of_n_with_a_perfect_judge_is_right_if_any_candidate_is() {
    for n in [2, 3, 5] {
        let measured = accuracy(task(0.4), "bon", &as_published(n)).await;
        assert_near(
            &format!("bon of {n}, perfect judge, always asked"),
            measured,
            1.0 - 0.6_f64.powi(i32::try_from(n).unwrap()),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn best_of_n_is_as_good_as_its_judge() {
    let good = Reliability {
        true_positive: 0.9,
        false_positive: 0.2,
    };
    // The judge's favourite wins, so answers with the same result must not share their verdict.
    let measured = accuracy(
        TaskModel {
            judge: good,
            ..task(0.5)
        },
        "bon",
        &as_published(2),
    )
    .await;
    assert_near("bon of 2, judge 0.9/0.2", measured, selected(2, 0.5, good));
    for (n, judge) in [(3, good), (5, good), (5, BLIND)] {
        let model = TaskModel { judge, ..task(0.4) };
        let measured = accuracy(model, "bon", &[("best_of_n", n.into())]).await;
        let expected = voted(n, 0.4, 3, judge);
        assert_near(
            &format!("bon of {n}, judge {}", judge.true_positive),
            measured,
            expected,
        );
    }
}

/// What makes each approach choose among five candidates.
const FIVE: [(&str, &str); 3] = [
    ("bon", "best_of_n"),
    ("genselect", "num_candidates"),
    ("knockout", "knockout_candidates"),
];

#[tokio::test(start_paused = true)]
async fn a_judge_that_knows_nothing_leaves_the_vote_as_it_is() {
    let p = 0.3;
    // One right answer of five that differ: the vote takes it once in five times.
    assert!((picked(3, 1, BLIND) - 1.0 / 3.0).abs() < 1e-12);
    let scattered = voted(5, p, 3, BLIND);
    let majority: f64 = (3..=5).map(|right| binomial(5, right, p)).sum();
    for (approach, samples) in FIVE {
        for (kind, task, vote) in [
            ("scatter", task(p), scattered),
            ("agree", favourite(p), majority),
        ] {
            let blind = TaskModel {
                judge: BLIND,
                ..task
            };
            let measured = accuracy(blind, approach, &[(samples, 5.into())]).await;
            assert_near(
                &format!("{approach}, blind judge, errors {kind}"),
                measured,
                vote,
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_judge_gains_over_the_vote() {
    let p = 0.3;
    let perfect = Reliability {
        true_positive: 1.0,
        false_positive: 0.0,
    };
    let (vote, best) = (voted(5, p, 3, BLIND), voted(5, p, 3, perfect));
    assert!(best > vote + 0.1);
    for (approach, samples) in FIVE {
        let measured = accuracy(task(p), approach, &[(samples, 5.into())]).await;
        assert_near(&format!("{approach}, good judge"), measured, best);
    }
}

#[tokio::test(start_paused = true)]
async fn best_of_n_costs_little_more_than_its_candidates() {
    let model = |p| {
        let task = TaskModel {
            words: Words {
                least: 40,
                most: 120,
            },
            ..task(p)
        };
        SimulatedModel::new(task).with_pace(Pace {
            first: Duration::from_millis(100),
            per_token: Duration::from_millis(10),
        })
    };
    for p in [0.1, 0.4] {
        let now = measure(model(p), "bon", &[]).await;
        let mut params = as_published(5);
        params.push(("judge_style", "reasoned".into()));
        let before = measure(model(p), "bon", &params).await;
        println!(
            "bon at {p}: {:.0} tokens ({:.0} generated), {:.0} for its candidates; as published \
                {:.0} ({:.0})",
            now.spent, now.tokens, now.candidates, before.spent, before.tokens
        );
        // What the judges read is much only where nearly no vote decides.
        assert!(p < 0.2 || now.spent <= 2.5 * now.candidates, "{p}");
        assert!(now.tokens <= 1.1 * now.candidates, "{p}");
        assert!(now.spent < before.spent, "{p}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_choice_among_candidates_with_a_perfect_chooser_is_right_if_it_is_shown_a_right_one() {
    let measured = accuracy(task(0.4), "genselect", &[("num_candidates", 4.into())]).await;
    let perfect = Reliability {
        true_positive: 1.0,
        false_positive: 0.0,
    };
    assert_near("genselect of 4", measured, voted(4, 0.4, 3, perfect));
}

#[tokio::test(start_paused = true)]
async fn a_round_trip_prefers_what_comes_back_and_gains_what_theory_says() {
    let (p, synthesis) = (0.5_f64, 0.8);
    let measured = accuracy(
        TaskModel {
            synthesis,
            ..task(p)
        },
        "rto",
        &[],
    )
    .await;
    // A right candidate comes back with p, a wrong one never; without a survivor the first pair is
    // reconciled.
    let lost = 1.0 - p * p;
    let expected = 1.0 - lost.powi(2) + synthesis * lost * 2.0 * p * (1.0 - p);
    assert_near("rto of 2", measured, expected);
}

#[tokio::test(start_paused = true)]
async fn a_verifier_chooses_among_solutions_as_well_as_among_candidates() {
    let judge = Reliability {
        true_positive: 0.9,
        false_positive: 0.2,
    };
    let measured = accuracy(
        TaskModel { judge, ..task(0.5) },
        "pvg",
        &[("num_rounds", 1.into())],
    )
    .await;
    assert_near(
        "pvg of 3, one round, verifier 0.9/0.2",
        measured,
        selected(3, 0.5, judge),
    );
    let measured = accuracy(task(0.4), "pvg", &[]).await;
    assert_near(
        "pvg of 3, perfect verifier",
        measured,
        1.0 - 0.6_f64.powi(3),
    );
}
