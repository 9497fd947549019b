//! What strategies gain, against what probability theory says: accuracy over many questions with
//! known answers, and tokens saved by stopping early.
#![expect(
    clippy::print_stdout,
    reason = "the figures are worth reading: cargo test statistics -- --nocapture"
)]

use std::sync::Arc;
use std::time::Duration;

use hone_strategies::chat::Message;
use hone_strategies::simulation::{Errors, Reliability, TaskModel, Words};
use hone_strategies::testing::{Pace, SimulatedModel};
use hone_strategies::{
    ChatRequest, Expr, Params, PlanLimits, RunLimits, RunOptions, execute, plan,
};
use serde_json::Value;
use tokio::time::Instant;

/// Questions in one measurement.
const QUESTIONS: u32 = 1_000;

/// What a measurement found.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) accuracy: f64,
    /// Tokens generated for one question, cancelled calls included.
    pub(crate) tokens: f64,
    /// Calls to the model for one question.
    pub(crate) calls: f64,
}

/// Asks every question with `approach`.
async fn measure(model: SimulatedModel, approach: &str, params: &[(&str, Value)]) -> Measured {
    measure_seeded(model, approach, params, None).await
}

/// Like [`measure`], where the requests have seeds so far apart: the same candidates get the same
/// replies in every measurement.
pub(crate) async fn measure_seeded(
    model: SimulatedModel,
    approach: &str,
    params: &[(&str, Value)],
    seeds_apart: Option<i64>,
) -> Measured {
    let params: Params = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let plan = plan(
        &Expr::parse(approach).unwrap(),
        &params,
        &PlanLimits::default(),
    )
    .unwrap();
    let model = Arc::new(model);
    let mut right = 0;
    for id in 0..QUESTIONS {
        let question = model.task().question(u64::from(id));
        let mut request = ChatRequest::new("sim", [Message::user(question.text.clone())]);
        if let Some(apart) = seeds_apart {
            request.set("seed", i64::from(id) * apart);
        }
        let limits = RunLimits {
            calls: 256,
            tokens: 10_000_000,
            deadline: Instant::now() + Duration::from_secs(3_600),
            parallel: 64,
        };
        let options = RunOptions {
            model: Arc::clone(&model) as _,
            solver: None,
            limits,
            seed: u64::from(id),
            sink: None,
        };
        let outcome = execute(&plan, request, options).await.unwrap();
        assert_eq!(outcome.degraded, [""; 0]);
        right += u32::from(question.is_answered_by(&outcome.choices[0].message.text()));
    }
    let each = |count: u64| f64::from(u32::try_from(count).unwrap()) / f64::from(QUESTIONS);
    let ledger = model.ledger();
    Measured {
        accuracy: each(u64::from(right)),
        tokens: each(ledger.tokens()),
        calls: each(ledger.calls().len() as u64),
    }
}

async fn accuracy(task: TaskModel, approach: &str, params: &[(&str, Value)]) -> f64 {
    measure(SimulatedModel::new(task), approach, params)
        .await
        .accuracy
}

/// Four standard deviations.
#[track_caller]
pub(crate) fn assert_near(what: &str, measured: f64, expected: f64) {
    let deviation = (expected * (1.0 - expected) / f64::from(QUESTIONS)).sqrt();
    println!("{what}: measured {measured:.3}, theory {expected:.3}");
    assert!(
        (measured - expected).abs() <= 4.0 * deviation,
        "{what}: measured {measured:.3}, expected {expected:.3} ± {:.3}",
        4.0 * deviation
    );
}

/// The probability of exactly `k` successes in `n`.
pub(crate) fn binomial(n: u32, k: u32, p: f64) -> f64 {
    let ways = (0..k).fold(1.0, |ways, i| ways * f64::from(n - i) / f64::from(i + 1));
    ways * p.powi(k.cast_signed()) * (1.0 - p).powi((n - k).cast_signed())
}

/// How often more than half of `n` are right, for odd `n`: what a vote gives if all errors agree.
fn majority(n: u32, p: f64) -> f64 {
    (n / 2 + 1..=n).map(|k| binomial(n, k, p)).sum()
}

/// How often two of `n` are right, or one is and a tie among n falls to it: what a vote gives if no
/// errors agree.
fn plurality(n: u32, p: f64) -> f64 {
    (2..=n).map(|k| binomial(n, k, p)).sum::<f64>() + binomial(n, 1, p) / f64::from(n)
}

/// How often the choice among `n` is right if it falls on any approved one, and on any at all if
/// none is approved.
pub(crate) fn selected(n: u32, p: f64, judge: Reliability) -> f64 {
    let mut total = 0.0;
    for right in 0..=n {
        for approved_right in 0..=right {
            for approved_wrong in 0..=(n - right) {
                let chance = binomial(n, right, p)
                    * binomial(right, approved_right, judge.true_positive)
                    * binomial(n - right, approved_wrong, judge.false_positive);
                let approved = approved_right + approved_wrong;
                let hit = if approved == 0 {
                    f64::from(right) / f64::from(n)
                } else {
                    f64::from(approved_right) / f64::from(approved)
                };
                total += chance * hit;
            }
        }
    }
    total
}

pub(crate) fn task(accuracy: f64) -> TaskModel {
    TaskModel {
        accuracy,
        thinks: 0.2,
        words: Words { least: 1, most: 20 },
        ..TaskModel::default()
    }
}

pub(crate) fn favourite(accuracy: f64) -> TaskModel {
    TaskModel {
        errors: Errors::Favourite { share: 1.0 },
        ..task(accuracy)
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_is_as_accurate_as_the_model() {
    assert_near("none", accuracy(task(0.6), "none", &[]).await, 0.6);
    assert_near("re2", accuracy(task(0.6), "re2", &[]).await, 0.6);
}

#[tokio::test(start_paused = true)]
async fn a_vote_gains_what_theory_says_when_errors_scatter() {
    for p in [0.4, 0.6] {
        let measured = accuracy(task(p), "self_consistency", &[("num_samples", 5.into())]).await;
        assert_near(
            "self_consistency of 5, scattered",
            measured,
            plurality(5, p),
        );
    }
    let measured = accuracy(task(0.4), "majority_voting", &[("k", 7.into())]).await;
    assert_near(
        "majority_voting of 7, scattered",
        measured,
        plurality(7, 0.4),
    );
}

#[tokio::test(start_paused = true)]
async fn a_vote_is_binomial_when_errors_agree_and_loses_below_one_half() {
    for p in [0.4, 0.6] {
        let measured = accuracy(favourite(p), "majority_voting", &[("k", 5.into())]).await;
        assert_near(
            "majority_voting of 5, one favourite error",
            measured,
            majority(5, p),
        );
    }
    let control = accuracy(
        favourite(0.4),
        "self_consistency",
        &[("num_samples", 5.into())],
    )
    .await;
    assert!(
        control < 0.4,
        "no vote can gain where most agree on an error, but this is right in {control}"
    );
}

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
async fn deepthink_is_a_vote_below_its_threshold_and_one_answer_above_it() {
    let vote = accuracy(
        task(0.5),
        "deepthink",
        &[("confidence_threshold", 0.into())],
    )
    .await;
    assert_near("deepthink of 3, every vote counts", vote, plurality(3, 0.5));
    let greedy = accuracy(
        task(0.5),
        "deepthink",
        &[("confidence_threshold", 1.into())],
    )
    .await;
    assert_near("deepthink of 3, no vote counts", greedy, 0.5);
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
async fn a_decided_vote_saves_tokens_and_costs_no_accuracy() {
    let model = || {
        let pace = Pace {
            first: Duration::from_millis(200),
            per_token: Duration::from_millis(20),
        };
        let words = Words {
            least: 10,
            most: 200,
        };
        SimulatedModel::new(TaskModel {
            words,
            ..favourite(0.7)
        })
        .with_pace(pace)
    };
    let k = ("k", Value::from(9));
    let whole = measure(
        model(),
        "majority_voting",
        &[k.clone(), ("sample_n_above", 0.into())],
    )
    .await;
    let parallel = measure(model(), "majority_voting", std::slice::from_ref(&k)).await;
    let waves = measure(
        model(),
        "majority_voting",
        &[k, ("sampling", "waves".into())],
    )
    .await;
    for (name, found) in [
        ("one call of 9", &whole),
        ("9 calls, stopped early", &parallel),
        ("waves of 4, stopped early", &waves),
    ] {
        println!(
            "{name}: accuracy {:.3}, {:.0} tokens and {:.2} calls per question",
            found.accuracy, found.tokens, found.calls
        );
        assert_near(name, found.accuracy, majority(9, 0.7));
    }
    assert!(
        parallel.tokens < 0.85 * whole.tokens,
        "{parallel:?} {whole:?}"
    );
    assert!(waves.tokens < 0.85 * whole.tokens, "{waves:?} {whole:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_saved_where_all_answers_come_at_once() {
    let k = ("k", Value::from(5));
    let whole = measure(
        SimulatedModel::new(task(0.7)),
        "majority_voting",
        &[k.clone(), ("sample_n_above", 0.into())],
    )
    .await;
    let parallel = measure(SimulatedModel::new(task(0.7)), "majority_voting", &[k]).await;
    assert!(
        (parallel.tokens / whole.tokens - 1.0).abs() < 0.02,
        "{parallel:?} {whole:?}"
    );
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

/// How often the confirmed answer is right where all errors agree: five solutions, each the
/// majority of three votes, each read again.
fn confirmed(p: f64) -> f64 {
    let q = 1.0 - p;
    // (right, reward, chance) of one solution.
    let solutions = [
        (true, 1.0, p.powi(3)),
        (true, 2.0 / 3.0, 3.0 * p * p * q),
        (false, 1.0, q.powi(3)),
        (false, 2.0 / 3.0, 3.0 * p * q * q),
    ];
    let states: Vec<(bool, f64, bool, f64)> = solutions
        .into_iter()
        .flat_map(|(right, reward, chance)| {
            let same = if right { p } else { q };
            [
                (right, reward, true, chance * same),
                (right, reward, false, chance * (1.0 - same)),
            ]
        })
        .collect();
    (0..states.len().pow(5))
        .map(|code| {
            let leaves: Vec<_> = (0..5)
                .map(|at| states[code / states.len().pow(at) % states.len()])
                .collect();
            let counts =
                |leaf: &&(bool, f64, bool, f64)| leaf.2 || leaves.iter().all(|other| !other.2);
            let pool: Vec<_> = leaves.iter().filter(counts).collect();
            let score = |right: bool| {
                let group = pool.iter().filter(|leaf| leaf.0 == right);
                group.clone().map(|leaf| leaf.1).sum::<f64>()
                    * f64::from(u32::try_from(group.count()).unwrap())
            };
            let lead = score(true) - score(false);
            let wins = if lead.abs() < 1e-9 {
                pool[0].0
            } else {
                lead > 0.0
            };
            if wins {
                leaves.iter().map(|leaf| leaf.3).product()
            } else {
                0.0
            }
        })
        .sum()
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

#[tokio::test(start_paused = true)]
async fn a_cascade_of_one_model_is_right_as_often_as_the_whole_vote_for_fewer_calls() {
    let p: f64 = 0.4;
    let measured = measure(SimulatedModel::new(task(p)), "cascade", &[]).await;
    assert_near(
        "cascade of 3 + 5, scattered",
        measured.accuracy,
        plurality(8, p),
    );
    // One call finds out that there are no log probabilities; then two answers are asked for at
    // once, and five more unless the three agree.
    assert!(
        (measured.calls - (2.0 - p.powi(3))).abs() < 0.05,
        "{measured:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn auto_is_right_as_its_rule_says() {
    let p: f64 = 0.6;
    let (both, any_of_three) = (p.powi(2), 1.0 - (1.0 - p).powi(3));
    let light = majority(5, p) - both * any_of_three;
    let heavy = (1.0 - both - light) * any_of_three;
    let measured = accuracy(task(p), "auto", &[]).await;
    assert_near(
        "auto: two agree, else vote of 5, else moa",
        measured,
        both + light + heavy,
    );
}
