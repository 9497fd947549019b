//! Answers made from others, and searches.

use hone_strategies::simulation::{Reliability, TaskModel};
use hone_strategies::testing::SimulatedModel;
use serde_json::Value;

use super::{accuracy, assert_near, confirmed, favourite, measure, plurality, task};

#[tokio::test(start_paused = true)]
async fn a_synthesis_is_right_if_a_candidate_is_and_the_aggregator_sees_it() {
    let measured = accuracy(
        TaskModel {
            synthesis: 0.9,
            ..task(0.4)
        },
        "moa",
        &[],
    )
    .await;
    assert_near(
        "moa of 3, aggregator 0.9",
        measured,
        0.9 * (1.0 - 0.6_f64.powi(3)),
    );
}

/// `cepo` with `plans` plans and a synthesis that keeps a right result with probability `keeps` in
/// each of its two steps.
async fn planned(keeps: f64, pipelines: u32, plans: u32, rating: &str) -> f64 {
    let params = [
        ("cepo_bestofn_n", pipelines.into()),
        ("cepo_planning_n", plans.into()),
        ("cepo_bestofn_rating_type", rating.into()),
    ];
    accuracy(
        TaskModel {
            synthesis: keeps,
            ..task(0.4)
        },
        "cepo",
        &params,
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn planning_is_right_if_an_execution_is_and_both_syntheses_keep_it() {
    let keeps = 0.8;
    let pipeline = keeps * keeps * (1.0 - 0.6_f64.powi(2));
    let best = planned(keeps, 2, 2, "absolute").await;
    assert_near(
        "cepo, 2 pipelines of 2 plans, perfect ratings",
        best,
        1.0 - (1.0 - pipeline).powi(2),
    );
    let voted = planned(1.0, 3, 1, "majority").await;
    assert_near(
        "cepo, vote of 3 pipelines of 1 plan",
        voted,
        plurality(3, 0.4),
    );
}

/// Settings of `mars` under which one agent answers, is verified and improves.
fn one_agent(iterations: u32, passes: u32) -> (&'static str, Value) {
    let config = serde_json::json!({
        "num_agents": 1, "enable_aggregation": false, "enable_strategy_network": false,
        "max_iterations": iterations, "verification_passes_required": passes,
    });
    ("mars_config", config)
}

#[tokio::test(start_paused = true)]
async fn every_round_of_improvement_gains() {
    let mut before = 0.0;
    for rounds in [0, 1, 4] {
        let task = TaskModel {
            revision: 0.3,
            ..task(0.4)
        };
        let measured = accuracy(task, "mars", &[one_agent(rounds, 1)]).await;
        assert_near(
            &format!("mars, {rounds} rounds"),
            measured,
            1.0 - 0.6 * 0.7_f64.powi(rounds.cast_signed()),
        );
        assert!(measured > before, "as many rounds, as much gain");
        before = measured;
    }
}

#[tokio::test(start_paused = true)]
async fn a_verifier_is_as_strict_as_its_passes() {
    let judge = Reliability {
        true_positive: 0.9,
        false_positive: 0.2,
    };
    for (right, passes, expected) in [(1.0, 2, 0.81), (0.0, 2, 0.04), (1.0, 1, 0.9), (0.0, 1, 0.2)]
    {
        // An answer that is not verified is given to one last synthesis: one call more.
        let measured = measure(
            SimulatedModel::new(TaskModel {
                judge,
                ..task(right)
            }),
            "mars",
            &[one_agent(0, passes)],
        )
        .await;
        let accepted = 1.0 - (measured.calls - 1.0 - f64::from(passes));
        assert_near(
            &format!("mars, {passes} passes, right in {right}"),
            accepted,
            expected,
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_tree_search_is_right_if_any_first_answer_or_any_rewrite_is() {
    for (revision, simulations) in [(0.0, 2), (0.4, 2), (0.4, 4)] {
        let model = TaskModel {
            revision,
            ..task(0.3)
        };
        let measured = accuracy(model, "mcts", &[("mcts_simulations", simulations.into())]).await;
        let expected = 1.0 - 0.7_f64.powi(3) * (1.0 - revision).powi(simulations);
        assert_near(
            &format!("mcts of {simulations} simulations, rewrites right {revision}"),
            measured,
            expected,
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_tree_search_with_an_ignorant_judge_gains_nothing() {
    let judge = Reliability {
        true_positive: 0.5,
        false_positive: 0.5,
    };
    let model = TaskModel {
        judge,
        revision: 0.0,
        ..task(0.5)
    };
    assert_near(
        "mcts, ignorant judge",
        accuracy(model, "mcts", &[]).await,
        0.5,
    );
}

#[tokio::test(start_paused = true)]
async fn mutual_reasoning_gains_over_a_vote_where_right_answers_are_confirmed_more_often() {
    for p in [0.4, 0.6] {
        let measured = accuracy(favourite(p), "rstar", &[]).await;
        assert_near("rstar, one favourite error", measured, confirmed(p));
    }
    // Scattered errors are never confirmed.
    let (search, vote) = (
        accuracy(task(0.25), "rstar", &[]).await,
        accuracy(task(0.25), "self_consistency", &[]).await,
    );
    assert!(search > vote + 0.05, "rstar {search}, a vote of 5 {vote}");
}
