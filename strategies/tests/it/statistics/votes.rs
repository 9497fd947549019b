//! Votes, and what stopping them early saves.

use std::time::Duration;

use hone_strategies::simulation::{TaskModel, Words};
use hone_strategies::testing::{Pace, SimulatedModel};
use serde_json::Value;

use super::{accuracy, assert_near, favourite, majority, measure, plurality, task, weighted};

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

#[tokio::test(start_paused = true)]
async fn programs_and_texts_gain_what_the_convolution_of_their_votes_says() {
    for (q, p, programs, texts) in [(0.7, 0.3, 3, 2), (0.3, 0.7, 3, 2), (0.3, 0.6, 2, 4)] {
        let model = TaskModel {
            programs: Some(q),
            ..task(p)
        };
        let params = [
            ("pal_programs", programs.into()),
            ("pal_texts", texts.into()),
        ];
        let measured = accuracy(model, "pal", &params).await;
        let expected = weighted((programs, q), (texts, p), 1.5);
        assert_near(
            &format!("pal, {programs} programs right {q}, {texts} texts right {p}"),
            measured,
            expected,
        );
    }
}

#[tokio::test(start_paused = true)]
async fn programs_no_better_than_texts_are_a_vote_of_as_many() {
    let p: f64 = 0.4;
    // Two texts outweigh a program and two programs two texts, so the weights decide nothing here.
    for weight in [1.0, 1.5] {
        assert!((weighted((3, p), (2, p), weight) - plurality(5, p)).abs() < 1e-12);
    }
    let measured = measure(SimulatedModel::new(task(p)), "pal", &[]).await;
    assert_near("pal where q = p", measured.accuracy, plurality(5, p));
    // Two calls where the first programs agree, which only right ones do, else five.
    let calls = 5.0 - 3.0 * p * p;
    assert!((measured.calls - calls).abs() < 0.15, "{measured:?}");
}

#[tokio::test(start_paused = true)]
async fn an_explained_number_is_as_right_as_the_vote() {
    let model = TaskModel {
        programs: Some(0.7),
        ..task(0.3)
    };
    let params = [("pal_answer", "explained".into())];
    let measured = accuracy(model, "pal", &params).await;
    // The explanation takes the number if that is right, else it is a sample of its own.
    let vote = weighted((3, 0.7), (2, 0.3), 1.5);
    assert!(measured > vote - 0.05, "{measured} is not {vote}");
}
