//! Confidence that cuts and weighs: which traces vote, what is cut and what that saves, and
//! upstreams that tell no log probabilities.
#![expect(
    clippy::print_stdout,
    reason = "the figures are worth reading: cargo test deepconf -- --nocapture"
)]

use std::sync::Arc;
use std::time::Duration;

use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::model::{Fact, Model, Purpose};
use hone_strategies::simulation::{Confidence, Errors, TaskModel, Words};
use hone_strategies::testing::{Pace, SimulatedModel};
use hone_strategies::{
    CallOutcome, ChatRequest, Expr, Fences, Missing, Params, PlanLimits, RunLimits, RunOptions,
    StrategyError, execute, plan,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Fake, Reply, Seen, Trial, rejected, says};

/// A reply whose tokens, `words` of them before its answer, all have this confidence.
#[expect(clippy::unnecessary_wraps, reason = "scripts return replies")]
fn sure(seen: &Seen, answer: &str, words: usize, confidence: f64) -> Reply {
    let text = format!(
        "{}\n\nFinal answer: {answer}",
        "so ".repeat(words).trim_end()
    );
    let entry = |word: &str| {
        json!({"token": word, "logprob": -0.1, "top_logprobs": [
        {"token": word, "logprob": -0.1}, {"token": "x", "logprob": 0.1 - 2.0 * confidence}]})
    };
    let logprobs = seen.request.get("logprobs").map(|_| {
        json!({"content": text.split_inclusive(' ').map(entry).collect::<Vec<_>>()}).into()
    });
    let choice = Choice {
        logprobs,
        ..Choice::new(Message::assistant(text.clone()), "stop")
    };
    let usage = Usage::new(10, text.split_inclusive(' ').count() as u64);
    Ok(Completion {
        choices: vec![choice],
        usage: Some(usage),
        ..Completion::default()
    })
}

/// Traces by number: answer, words, confidence.
fn traces(all: &'static [(&'static str, usize, f64)]) -> Fake {
    Fake::new(move |seen| {
        let (answer, words, confidence) = all[seen.call.index as usize % all.len()];
        sure(seen, answer, words, confidence)
    })
}

fn note<'a>(finished: &'a crate::support::Finished, name: &str) -> &'a Value {
    &finished
        .outcome()
        .trace
        .notes
        .iter()
        .find(|note| note.name == name)
        .expect("there is such a note")
        .value
}

#[tokio::test(start_paused = true)]
async fn a_confident_minority_outvotes_an_unsure_majority_whole() {
    let model = traces(&[
        ("41", 5, 2.0),
        ("3.14", 5, 9.0),
        ("41", 5, 2.1),
        ("3.14", 5, 8.0),
        ("41", 5, 2.2),
    ]);
    let trial = Trial::new(model)
        .with("deepconf_mode", "offline")
        .with("max_traces", 5)
        .with("warmup_samples", 4)
        .with("variant", "high");
    let finished = trial.run("deepconf").await;
    assert_eq!(
        finished.text(),
        "so so so so so\n\nFinal answer: 3.14",
        "the surest trace of the answer, all of it"
    );
    assert_eq!(
        finished.outcome().trace.candidates[1].answer.as_deref(),
        Some("3.14"),
        "decimals are one answer"
    );
    assert_eq!(
        finished.outcome().choices[0].logprobs,
        None,
        "the client did not ask for them"
    );
}

#[tokio::test(start_paused = true)]
async fn a_few_traces_vote_as_other_candidates_do() {
    let all = [("41", 5, 2.0), ("42", 5, 9.0), ("41", 5, 2.1)];
    let counted = || {
        Trial::new(Fake::new(move |seen| {
            let (answer, words, confidence) = all[seen.call.index as usize % all.len()];
            sure(seen, answer, words, confidence)
        }))
        .with("max_traces", 3)
    };
    let finished = counted().run("deepconf").await;
    assert!(finished.text().ends_with("41"), "two of three");
    let trial = counted().with("vote_weight", "certainty");
    let trial = trial.with("vote_temperature", 0.5);
    let finished = trial.run("deepconf").await;
    assert!(finished.text().ends_with("42"), "the one that is sure");
    assert_eq!(finished.outcome().choices[0].logprobs, None);
}

#[tokio::test(start_paused = true)]
async fn weights_are_summed_and_not_averaged() {
    let model = traces(&[
        ("41", 5, 5.0),
        ("42", 5, 6.0),
        ("41", 5, 5.0),
        ("41", 5, 5.0),
        ("43", 5, 1.0),
    ]);
    let trial = Trial::new(model)
        .with("deepconf_mode", "offline")
        .with("max_traces", 5)
        .with("warmup_samples", 4)
        .with("variant", "high");
    assert!(
        trial.run("deepconf").await.text().ends_with("41"),
        "one outlier does not win"
    );
}

#[tokio::test(start_paused = true)]
async fn a_weak_trace_is_cut_while_it_streams_and_never_votes() {
    let script = |seen: &Seen| match seen.call.index {
        0..4 => sure(
            seen,
            &format!("{}", 50 + seen.call.index),
            20,
            6.0 + f64::from(seen.call.index),
        ),
        4..8 => sure(seen, "41", 2000, 1.0),
        _ => sure(seen, "42", 20, 12.0),
    };
    let params = [
        ("warmup_samples", 4),
        ("max_traces", 12),
        ("window_size", 8),
        ("min_trace_length", 10),
    ];
    let trial = params
        .into_iter()
        .fold(Trial::new(Fake::new(script)), |trial, (name, value)| {
            trial.with(name, value)
        });
    let finished = trial.with("include_stats", true).run("deepconf").await;
    assert!(finished.text().ends_with("42"), "{}", finished.text());
    let cut: Vec<u64> = finished.outcome().trace.calls[4..8]
        .iter()
        .map(|call| u64::try_from(call.duration.as_millis()).unwrap())
        .collect();
    assert_eq!(
        cut, [1100; 4],
        "tokens until the first window after the least length"
    );
    assert!(
        finished.outcome().trace.calls[4..8]
            .iter()
            .all(|call| call.outcome == CallOutcome::Cancelled)
    );
    let scores: Vec<Option<f64>> = finished.outcome().trace.candidates[4..8]
        .iter()
        .map(|candidate| candidate.score)
        .collect();
    assert_eq!(scores, [None; 4]);
    let stats = note(&finished, "deepconf");
    assert_eq!((&stats["cut"], &stats["window"]), (&json!(4), &json!(8)));
    // 22 tokens are typical, four traces were cut after 10.
    assert_eq!(stats["tokens_saved_by_cutting"], json!(48.0));
    assert_eq!(&finished.outcome().choices[0].rest["deepconf"], stats);
    let calls = finished.outcome().trace.calls.iter();
    let used: u64 = calls.map(|call| call.usage.total).sum();
    assert_eq!(
        finished.outcome().usage.total,
        used,
        "what a cut trace took is counted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_consensus_of_three_ends_it() {
    let finished = Trial::new(traces(&[("42", 5, 5.0)]))
        .with("max_traces", 64)
        .run("deepconf")
        .await;
    assert_eq!(finished.outcome().calls, 16, "the warm-up agrees");
    let stats = note(&finished, "deepconf");
    assert_eq!(stats["tokens_saved_by_consensus"], json!(48.0 * 7.0));
    assert_eq!(stats["bar"], json!(5.0));
}

#[tokio::test(start_paused = true)]
async fn without_log_probabilities_it_is_refused_by_name_and_remembered() {
    let trial = Trial::new(Fake::new(|seen| {
        says(seen, "one two three four Final answer: 42")
    }));
    let first = trial.run("deepconf").await;
    assert!(matches!(
        first.result,
        Err(StrategyError::Unsupported(Missing::Alternatives))
    ));
    let calls = trial.model.calls();
    assert_eq!(
        (calls, trial.model.knows("m", Fact::TellsAlternatives)),
        (16, Some(false))
    );
    assert!(matches!(
        trial.run("deepconf").await.result,
        Err(StrategyError::Unsupported(Missing::Alternatives))
    ));
    assert_eq!(trial.model.calls(), calls, "nothing is spent again");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_refuses_log_probabilities_is_understood() {
    let refuses = |seen: &Seen| match seen.request.get("logprobs") {
        Some(_) => Err(rejected(
            400,
            &json!({"message": "logprobs is not supported with this model"}),
        )),
        None => says(seen, "Final answer: 42"),
    };
    let result = Trial::new(Fake::new(refuses))
        .with("warmup_samples", 1)
        .run("deepconf")
        .await
        .result;
    assert!(matches!(
        result,
        Err(StrategyError::Unsupported(Missing::Alternatives))
    ));
    let refuses_all = |_: &Seen| {
        Err(rejected(
            400,
            &json!({"message": "no", "param": "top_logprobs"}),
        ))
    };
    let result = Trial::new(Fake::new(refuses_all))
        .with("warmup_samples", 1)
        .run("deepconf")
        .await
        .result;
    assert!(matches!(
        result,
        Err(StrategyError::Unsupported(Missing::Alternatives))
    ));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_tells_fewer_alternatives_is_asked_for_fewer() {
    let few = |seen: &Seen| match seen.request.get("top_logprobs").and_then(Value::as_u64) {
        Some(6..) => Err(rejected(
            400,
            &json!({"message": "at most 5", "param": "top_logprobs"}),
        )),
        _ => sure(seen, "42", 5, 5.0),
    };
    let trial = Trial::new(Fake::new(few))
        .with("warmup_samples", 3)
        .with("max_traces", 3);
    assert!(trial.run("deepconf").await.text().ends_with("42"));
    assert_eq!(
        trial
            .model
            .requests()
            .last()
            .unwrap()
            .request
            .get("top_logprobs"),
        Some(&json!(5))
    );
}

#[tokio::test(start_paused = true)]
async fn a_fallback_is_a_plain_vote_that_says_so() {
    let answers = ["41", "42", "42"];
    let model = Fake::new(move |seen| {
        says(
            seen,
            &format!("Final answer: {}", answers[seen.call.index as usize % 3]),
        )
    });
    let trial = Trial::new(model)
        .with("decoding_fallback", true)
        .with("max_traces", 6)
        .with("warmup_samples", 3);
    let finished = trial.run("deepconf").await;
    assert!(finished.text().ends_with("42"));
    assert_eq!(finished.outcome().degraded, ["logprobs"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_wants_log_probabilities_gets_as_many_as_it_asked_for() {
    let trial = Trial::new(traces(&[("42", 5, 5.0)]))
        .with("logprobs", true)
        .with("top_logprobs", 1)
        .with("max_traces", 3);
    let finished = trial.run("deepconf").await;
    let shown = finished.outcome().choices[0].logprobs.as_ref().unwrap();
    let shown = shown.to_value();
    assert_eq!(
        shown["content"][0]["top_logprobs"].as_array().map(Vec::len),
        Some(1)
    );
    assert!(
        trial
            .model
            .requests()
            .iter()
            .all(|seen| seen.call.purpose == Purpose::Candidate)
    );
}

/// Accuracy, and tokens generated for one question, those of cut traces up to their cut.
async fn measure(
    task: &TaskModel,
    questions: u32,
    approach: &str,
    params: &[(&str, Value)],
) -> (f64, f64) {
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
    let pace = Pace {
        first: Duration::from_millis(200),
        per_token: Duration::from_millis(20),
    };
    let model = Arc::new(SimulatedModel::new(task.clone()).with_pace(pace));
    let mut right = 0;
    for id in 0..questions {
        let question = task.question(u64::from(id));
        let request = ChatRequest::new("sim", [Message::user(question.text.clone())]);
        let limits = RunLimits {
            calls: 256,
            tokens: u64::MAX,
            deadline: Instant::now() + Duration::from_secs(3_600),
            parallel: 64,
        };
        let options = RunOptions {
            model: Arc::clone(&model) as _,
            limits,
            seed: u64::from(id),
            fences: Fences::Repeatable,
            sink: None,
            halt: hone_strategies::Halt::default(),
            quality: None,
            solver: None,
        };
        let outcome = execute(&plan, request, options).await.unwrap();
        right += u32::from(question.is_answered_by(&outcome.choices[0].message.text()));
    }
    let tokens = model.ledger().tokens();
    (
        f64::from(right) / f64::from(questions),
        f64::from(u32::try_from(tokens).unwrap()) / f64::from(questions),
    )
}

/// Of wrong answers most agree, so a plain vote loses; confidence tells right from wrong in
/// `separation` of all pairs.
fn task(confidence: Confidence) -> TaskModel {
    let words = Words {
        least: 24,
        most: 48,
    };
    TaskModel {
        accuracy: 0.45,
        errors: Errors::Favourite { share: 0.9 },
        words,
        confidence: Some(confidence),
        ..TaskModel::default()
    }
}

#[tokio::test(start_paused = true)]
async fn confidence_that_tells_right_from_wrong_wins_votes_and_saves_tokens() {
    const QUESTIONS: u32 = 50;
    let confidence = Confidence {
        right: -0.15,
        wrong: -0.35,
        spread: 0.6,
    };
    println!(
        "a right trace is surer than a wrong one in {:.2} of all pairs",
        confidence.separation().unwrap()
    );
    let task = task(confidence);
    let traces = [
        ("max_traces", 24.into()),
        ("warmup_samples", 8.into()),
        ("confidence_top_k", 3.into()),
    ];
    let gated = [
        ("window_size", 16.into()),
        ("min_trace_length", 16.into()),
        ("consensus_threshold", 1.0.into()),
    ];
    let with = |more: &[(&'static str, Value)]| [&traces[..], &gated[..], more].concat();
    let plain = measure(
        &task,
        QUESTIONS,
        "majority_voting",
        &[("k", 24.into()), ("sample_n_above", 0.into())],
    )
    .await;
    let offline = measure(
        &task,
        QUESTIONS,
        "deepconf",
        &with(&[("deepconf_mode", "offline".into())]),
    )
    .await;
    let low = measure(&task, QUESTIONS, "deepconf", &with(&[])).await;
    let high = measure(
        &task,
        QUESTIONS,
        "deepconf",
        &with(&[("variant", "high".into())]),
    )
    .await;
    for (name, (accuracy, tokens)) in [
        ("majority of 24", plain),
        ("deepconf offline, low", offline),
        ("deepconf online, low", low),
        ("deepconf online, high", high),
    ] {
        println!(
            "{name}: accuracy {accuracy:.3}, {tokens:.0} tokens a question, {:.0} % saved",
            100.0 * (1.0 - tokens / plain.1)
        );
    }
    assert!(
        offline.0 > plain.0 + 0.15 && low.0 > plain.0 + 0.15 && high.0 >= plain.0,
        "{plain:?} {offline:?} {low:?} {high:?}"
    );
    assert!(
        low.1 < 0.7 * plain.1 && high.1 < plain.1,
        "{plain:?} {low:?} {high:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn confidence_that_knows_nothing_gains_nothing() {
    const QUESTIONS: u32 = 80;
    let task = task(Confidence {
        right: -0.25,
        wrong: -0.25,
        spread: 0.6,
    });
    let offline = [
        ("max_traces", 9.into()),
        ("confidence_top_k", 2.into()),
        ("deepconf_mode", "offline".into()),
        ("variant", "high".into()),
    ];
    let blind = measure(&task, QUESTIONS, "deepconf", &offline).await;
    let plain = measure(
        &task,
        QUESTIONS,
        "majority_voting",
        &[("k", 9.into()), ("sample_n_above", 0.into())],
    )
    .await;
    println!(
        "confidence without information: {:.3}, majority: {:.3}",
        blind.0, plain.0
    );
    assert!(
        (blind.0 - plain.0).abs() < 4.0 * (2.0 * 0.25 / f64::from(QUESTIONS)).sqrt(),
        "{blind:?} {plain:?}"
    );
}
