//! Candidates that a judge rates or compares.

use hone_strategies::simulation::{Reliability, TaskModel};

use super::{accuracy, assert_near, selected, task};

#[tokio::test(start_paused = true)]
async fn best_of_n_with_a_perfect_judge_is_right_if_any_candidate_is() {
    for n in [2, 3, 5] {
        let measured = accuracy(task(0.4), "bon", &[("best_of_n", n.into())]).await;
        assert_near(
            &format!("bon of {n}, perfect judge"),
            measured,
            1.0 - 0.6_f64.powi(n),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn best_of_n_is_as_good_as_its_judge() {
    for (true_positive, false_positive) in [(0.9, 0.2), (0.7, 0.4)] {
        let judge = Reliability {
            true_positive,
            false_positive,
        };
        let measured = accuracy(
            TaskModel { judge, ..task(0.5) },
            "bon",
            &[("best_of_n", 3.into())],
        )
        .await;
        assert_near(
            &format!("bon of 3, judge {true_positive}/{false_positive}"),
            measured,
            selected(3, 0.5, judge),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_knows_nothing_gains_nothing() {
    let judge = Reliability {
        true_positive: 0.5,
        false_positive: 0.5,
    };
    for approach in ["bon", "genselect"] {
        let measured = accuracy(TaskModel { judge, ..task(0.5) }, approach, &[]).await;
        assert_near(&format!("{approach}, ignorant judge"), measured, 0.5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_choice_among_candidates_with_a_perfect_chooser_is_right_if_any_is() {
    let measured = accuracy(task(0.4), "genselect", &[("num_candidates", 4.into())]).await;
    assert_near("genselect of 4", measured, 1.0 - 0.6_f64.powi(4));
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
