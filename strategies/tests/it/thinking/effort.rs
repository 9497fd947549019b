//! Thinking of a wanted length, and effort by difficulty.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::contract::DIFFICULTY;
use hone_strategies::model::{Fact, Model, Purpose};
use hone_strategies::{Event, Missing, SpecErrorKind, StrategyError};
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Seen, Trial, rejected, says};

/// What the conversation makes the model continue.
fn begun(seen: &Seen) -> String {
    seen.request
        .messages()
        .last()
        .filter(|last| last.role() == "assistant")
        .map(|last| last.text().into_owned())
        .unwrap_or_default()
}

#[expect(clippy::unnecessary_wraps, reason = "scripts return replies")]
fn ends(text: &str, finish: &str, tokens: usize) -> Reply {
    let choices = vec![Choice::new(Message::assistant(text), finish)];
    Ok(Completion {
        choices,
        usage: Some(Usage::new(10, tokens as u64)),
        ..Completion::default()
    })
}

/// Thinks so many words a turn, up to the limit of the call; then answers.
fn thinks(seen: &Seen, words: usize, echoes: bool) -> Reply {
    let echo = if echoes { begun(seen) } else { String::new() };
    match seen.call.purpose {
        Purpose::Probe => says(
            seen,
            if echoes {
                "three four five six seven"
            } else {
                " seven"
            },
        ),
        Purpose::Plan => {
            let limit = usize::try_from(seen.request.token_limit().unwrap().1).unwrap();
            let text = "hm ".repeat(words.min(limit));
            ends(
                &format!("{echo}{text}"),
                if words >= limit { "length" } else { "stop" },
                words.min(limit),
            )
        }
        _ => ends(&format!("{echo}It is 42."), "stop", 3),
    }
}

fn bounded(model: Fake, min: u32, max: u32) -> Trial {
    model.learn("m", Fact::ContinuesLast, true);
    Trial::new(model)
        .with("min_thinking_tokens", min)
        .with("max_thinking_tokens", max)
}

#[tokio::test(start_paused = true)]
async fn what_is_moved_out_of_the_text_counts_as_reasoning() {
    let trial = bounded(Fake::new(|seen| thinks(seen, 20, false)), 5, 50);
    let finished = trial.run("thinkdeeper").await;
    let usage = finished.outcome().usage;
    assert_eq!((usage.reasoning, usage.completion), (20, 23));
}

fn thought(finished: &crate::support::Finished) -> Value {
    finished
        .outcome()
        .trace
        .notes
        .iter()
        .find(|note| note.name == "thinking")
        .unwrap()
        .value
        .clone()
}

#[tokio::test(start_paused = true)]
async fn thinking_is_at_least_and_at_most_as_long_as_wanted() {
    // Words a turn, least, greatest: tokens thought, turns.
    for (words, min, max, tokens, turns) in [
        (50, 40, 100, 50, 1),
        (10, 40, 100, 40, 4),
        (30, 40, 100, 60, 2),
        (500, 40, 100, 100, 1),
        (30, 95, 100, 100, 4),
    ] {
        let trial = bounded(Fake::new(move |seen| thinks(seen, words, false)), min, max);
        let finished = trial.run("thinkdeeper").await;
        assert_eq!(
            (&thought(&finished)["tokens"], &thought(&finished)["turns"]),
            (&json!(tokens), &json!(turns)),
            "{words} {min} {max}"
        );
        assert_eq!(
            (finished.text().as_str(), finished.outcome().calls),
            ("It is 42.", turns + 1)
        );
        let reasoning = finished.outcome().choices[0]
            .message
            .get("reasoning_content")
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned();
        let switches =
            reasoning.matches("Wait,").count() + reasoning.matches("Alternatively,").count();
        assert_eq!(u32::try_from(switches).unwrap(), turns - 1, "{reasoning}");
        assert!(begun(trial.model.requests().last().unwrap()).ends_with("\n</think>\n\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_clients_limit_bounds_thinking_and_answer_together() {
    for (effort, max) in [
        (Value::Null, 330),
        (json!("medium"), 660),
        (json!("high"), 900),
    ] {
        let model = Fake::new(|seen| thinks(seen, 5000, false));
        model.learn("m", Fact::ContinuesLast, true);
        let trial = Trial::new(model)
            .with("max_tokens", 1000)
            .with("reasoning_effort", effort);
        let finished = trial.run("thinkdeeper").await;
        assert_eq!(thought(&finished)["tokens"], json!(max));
        assert_eq!(
            trial
                .model
                .requests()
                .last()
                .unwrap()
                .request
                .get("max_tokens"),
            Some(&json!(1000 - max))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_mind_that_changes_too_often_is_made_up() {
    let wavers = |seen: &Seen| match seen.call.purpose {
        Purpose::Plan => ends(&"Wait, no ".repeat(50), "stop", 100),
        _ => thinks(seen, 0, false),
    };
    let finished = bounded(Fake::new(wavers), 10, 1000)
        .with("max_thoughts", 3)
        .run("thinkdeeper")
        .await;
    assert_eq!(
        (
            &thought(&finished)["changes_of_mind"],
            finished.outcome().calls
        ),
        (&json!(3), 2)
    );
    let reasoning = finished.outcome().choices[0]
        .message
        .get("reasoning_content")
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        reasoning.matches("Wait,").count(),
        3,
        "cut while it streamed"
    );
    let says_nothing = |seen: &Seen| {
        if seen.call.purpose == Purpose::Plan {
            ends(" ", "stop", 0)
        } else {
            thinks(seen, 0, false)
        }
    };
    assert_eq!(
        bounded(Fake::new(says_nothing), 10, 1000)
            .run("thinkdeeper")
            .await
            .outcome()
            .calls,
        4,
        "three turns of nothing are enough"
    );
}

#[tokio::test(start_paused = true)]
async fn neither_tags_nor_echoes_leak() {
    for stream in [false, true] {
        let leaks = |seen: &Seen| match seen.call.purpose {
            Purpose::Plan => ends(
                &format!("{}so so </think> It is 41.", begun(seen)),
                "stop",
                60,
            ),
            _ => thinks(seen, 0, true),
        };
        let model = Fake::new(leaks);
        let trial = Trial::new(model)
            .with("min_thinking_tokens", 1)
            .with("stream", stream);
        let finished = trial.run("thinkdeeper").await;
        let choice = if stream {
            finished.told(0)
        } else {
            finished.outcome().choices[0].clone()
        };
        assert_eq!(choice.message.text(), "It is 42.", "stream: {stream}");
        assert_eq!(
            choice
                .message
                .get("reasoning_content")
                .unwrap()
                .as_str()
                .unwrap()
                .trim(),
            "so so"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn thinking_streams_while_it_comes_and_the_role_is_told_once() {
    let finished = bounded(Fake::new(|seen| thinks(seen, 50, false)), 10, 100)
        .with("stream", true)
        .run("thinkdeeper")
        .await;
    let deltas: Vec<_> = finished
        .events
        .iter()
        .filter_map(|event| {
            if let Event::Delta { delta, .. } = event {
                Some(delta)
            } else {
                None
            }
        })
        .collect();
    let thoughts = deltas
        .iter()
        .filter(|delta| delta.fields.contains_key("reasoning_content"))
        .count();
    assert!(thoughts >= 50, "{thoughts}");
    assert_eq!(
        deltas
            .iter()
            .filter(|delta| delta.fields.contains_key("role"))
            .count(),
        1
    );
    assert_eq!(finished.told(0).message.text(), "It is 42.");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_fails_after_thinking_was_told_is_an_interruption() {
    let fails = |seen: &Seen| {
        if seen.call.purpose == Purpose::Final {
            Err(rejected(403, &json!({"message": "no"})))
        } else {
            thinks(seen, 50, false)
        }
    };
    let run = async |stream: bool| {
        bounded(Fake::new(fails), 10, 100)
            .with("stream", stream)
            .run("thinkdeeper")
            .await
            .result
    };
    assert!(matches!(
        run(true).await,
        Err(StrategyError::Interrupted(_))
    ));
    assert!(
        matches!(run(false).await, Err(StrategyError::Model(_))),
        "nothing was told"
    );
}

/// Answers anew whatever it is to continue.
fn anew(seen: &Seen, reasons: bool) -> Reply {
    if seen.call.purpose == Purpose::Probe {
        return says(seen, "one two");
    }
    let mut completion = says(seen, "It is 42.")?;
    if reasons {
        completion.usage = Some(Usage {
            reasoning: 7,
            ..Usage::new(10, 10)
        });
    }
    Ok(completion)
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_continued_an_effort_is_asked_for() {
    for (max, effort) in [(500, "low"), (4196, "medium"), (9000, "high")] {
        let trial = Trial::new(Fake::new(|seen| anew(seen, true))).with("max_thinking_tokens", max);
        let finished = trial.run("thinkdeeper").await;
        assert_eq!(
            (
                finished.text().as_str(),
                finished.outcome().degraded.clone()
            ),
            ("It is 42.", vec!["prefill".to_owned()])
        );
        assert_eq!(
            trial
                .model
                .requests()
                .last()
                .unwrap()
                .request
                .get("reasoning_effort"),
            Some(&json!(effort))
        );
    }
    let finished = Trial::new(Fake::new(|seen| anew(seen, false)))
        .run("thinkdeeper")
        .await;
    assert_eq!(
        finished.outcome().degraded,
        ["prefill", "reasoning"],
        "an answer that shows no reasoning is told"
    );
}

#[tokio::test(start_paused = true)]
async fn where_no_effort_can_be_asked_for_it_is_refused_or_falls_back() {
    for approach in ["thinkdeeper", "autothink"] {
        let refuses = |seen: &Seen| {
            if seen.call.purpose == Purpose::Judge {
                return says(seen, "Difficulty: hard");
            }
            match seen.request.get("reasoning_effort") {
                Some(_) => Err(rejected(
                    400,
                    &json!({"message": "Unrecognized request argument supplied: reasoning_effort"}),
                )),
                None => anew(seen, false),
            }
        };
        let trial = Trial::new(Fake::new(refuses));
        assert!(
            matches!(
                trial.run(approach).await.result,
                Err(StrategyError::Unsupported(Missing::Thinking))
            ),
            "{approach}"
        );
        let finished = trial.with("decoding_fallback", true).run(approach).await;
        assert_eq!(finished.text(), "It is 42.", "{approach}");
        assert!(
            finished.outcome().degraded.contains(&"effort".to_owned()),
            "{approach}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn bounds_that_contradict_each_other_are_refused() {
    let error = Trial::new(Fake::new(|seen| thinks(seen, 1, false)))
        .with("min_thinking_tokens", 5000)
        .plan("thinkdeeper")
        .unwrap_err();
    assert_eq!(
        (error.param.as_deref(), error.kind),
        (Some("min_thinking_tokens"), SpecErrorKind::BadParam)
    );
    let least =
        Trial::new(Fake::new(|seen| thinks(seen, 1, false))).with("max_thinking_tokens", 100);
    assert!(least.plan("thinkdeeper").is_ok(), "a default gives way");
}

/// Says how hard it is; answers slowly, with reasoning at high effort.
fn sorts(verdict: &'static str) -> Fake {
    let script = move |seen: &Seen| match (
        seen.call.purpose,
        seen.request.get("reasoning_effort").and_then(Value::as_str),
    ) {
        (Purpose::Judge, _) => says(seen, verdict),
        (_, Some("high")) => {
            let mut completion = says(seen, "A careful answer.")?;
            completion.usage = Some(Usage {
                reasoning: 90,
                ..Usage::new(10, 100)
            });
            Ok(completion)
        }
        _ => says(seen, "A quick answer."),
    };
    Fake::new(script).with_latency(|seen| {
        Duration::from_secs(if seen.call.purpose == Purpose::Judge {
            1
        } else {
            3
        })
    })
}

#[tokio::test(start_paused = true)]
async fn an_easy_question_gets_the_quick_answer_and_a_hard_one_more_thought() {
    let easy = Trial::new(sorts("It is a fact.\nDifficulty: easy"));
    let finished = easy.run("autothink").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().calls,
            finished.elapsed.as_secs()
        ),
        ("A quick answer.", 2, 3)
    );
    let hard = Trial::new(sorts("**Difficulty:** hard"));
    let finished = hard.run("autothink").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().calls,
            finished.elapsed.as_secs()
        ),
        ("A careful answer.", 3, 4)
    );
    assert_eq!(
        hard.model.cancelled.load(Ordering::SeqCst),
        1,
        "the quick answer is not waited for"
    );
    assert!(
        hard.model
            .requests()
            .iter()
            .filter(|seen| seen.call.purpose == Purpose::Judge)
            .all(|seen| seen.text().contains(DIFFICULTY))
    );
    let unclear = Trial::new(sorts("It depends: easy or hard."));
    let finished = unclear.run("autothink").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().degraded.clone()
        ),
        ("A quick answer.", vec!["judge".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_that_takes_an_effort_and_shows_none_is_made_to_think() {
    let script = |seen: &Seen| match seen.call.purpose {
        Purpose::Judge => says(seen, "Difficulty: hard"),
        Purpose::Plan | Purpose::Probe => thinks(seen, 2000, false),
        _ => says(seen, "It is 42."),
    };
    let trial = Trial::new(Fake::new(script));
    assert_eq!(
        trial.run("autothink").await.outcome().degraded,
        ["reasoning"],
        "it is found out"
    );
    let finished = trial.run("autothink").await;
    assert_eq!(
        (
            &thought(&finished)["tokens"],
            finished.outcome().degraded.len()
        ),
        (&json!(2000), 0),
        "and remembered"
    );
}
