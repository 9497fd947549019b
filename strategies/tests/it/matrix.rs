//! What every strategy must do, one table over all of them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hone_strategies::catalogue::Support;
use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::contract::ROUND_TRIP;
use hone_strategies::model::{Fact, Model, Purpose};
use hone_strategies::{CallOutcome, Event, ModelError, STRATEGIES, StrategyError};
use serde_json::{Value, json};

use crate::support::{Fake, Seen, Trial, plays, rejected, says};
use crate::table::table;

fn trial(model: Fake, params: &Value) -> Trial {
    model.learn("m", Fact::ContinuesLast, true);
    let fields = params.as_object().unwrap().clone();
    fields
        .into_iter()
        .fold(Trial::new(model), |trial, (name, value)| {
            trial.with(&name, value)
        })
}

#[tokio::test(start_paused = true)]
async fn calls_and_depth_are_as_stated() {
    for (approach, params, calls, depth) in table() {
        let trial = trial(Fake::new(plays), &params);
        let demand = trial
            .plan(approach)
            .unwrap()
            .check(&trial.request())
            .unwrap();
        let finished = trial.run(approach).await;
        // The words of a stream take a little time beside the second of each call.
        assert_eq!(
            (finished.outcome().calls, finished.elapsed.as_secs()),
            (calls, depth),
            "{approach} {params}"
        );
        assert_eq!(
            (demand.calls, u64::from(demand.depth)),
            (calls, depth),
            "demand of {approach} {params}"
        );
        assert_eq!(
            finished.outcome().degraded,
            Vec::<String>::new(),
            "{approach}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn usage_is_the_sum_over_all_calls_and_the_trace_shows_each() {
    for (approach, params, calls, _) in table() {
        let finished = trial(Fake::new(plays), &params).run(approach).await;
        let outcome = finished.outcome();
        let used = outcome.trace.calls.iter().map(|call| call.usage.total);
        let traced: u64 = used.sum();
        assert_eq!(
            (outcome.trace.calls.len(), traced),
            (calls as usize, outcome.usage.total),
            "{approach}"
        );
        assert!(
            outcome
                .trace
                .calls
                .iter()
                .all(|call| matches!(call.outcome, CallOutcome::Answered | CallOutcome::Cancelled))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn where_n_is_ignored_or_refused_the_missing_candidates_are_asked_for_at_once() {
    let ignores = |seen: &Seen| {
        let mut completion = plays(seen)?;
        completion.choices.truncate(1);
        Ok(completion)
    };
    let refuses = |seen: &Seen| match seen.request.get("n") {
        Some(_) => Err(rejected(
            400,
            &json!({"message": "n is not supported", "param": "n"}),
        )),
        None => plays(seen),
    };
    for (model, first, depth) in [
        (Fake::new(ignores), 1 + 2 + 3, 3),
        (Fake::new(refuses), 1 + 3 + 3, 3),
    ] {
        let trial = Trial::new(model);
        let finished = trial.run("bon").await;
        assert_eq!(
            (finished.outcome().calls, finished.elapsed.as_secs()),
            (first, depth)
        );
        assert_eq!(finished.outcome().trace.candidates.len(), 3);
        assert_eq!(trial.model.knows("m", Fact::HonoursN), Some(false));
        let again = trial.run("bon").await;
        assert_eq!(
            (again.outcome().calls, again.elapsed.as_secs()),
            (6, 2),
            "learned"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_failing_candidate_is_survived_and_told() {
    for entry in STRATEGIES {
        let script = |seen: &Seen| match (seen.call.purpose, seen.call.index) {
            (Purpose::Candidate, 1) => Err(rejected(400, &json!({"message": "filtered"}))),
            _ => plays(seen),
        };
        let trial = Trial::new(Fake::new(script));
        trial.model.learn("m", Fact::HonoursN, false);
        let finished = trial.run(entry.slug).await;
        let has_failed = trial
            .model
            .requests()
            .iter()
            .any(|seen| seen.call.purpose == Purpose::Candidate && seen.call.index == 1);
        assert_eq!(
            finished.outcome().degraded.len(),
            usize::from(has_failed),
            "{}: {:?}",
            entry.slug,
            finished.outcome().degraded
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_first_wave_is_relayed_as_it_is_and_nothing_more_is_asked() {
    for entry in STRATEGIES {
        let trial = Trial::new(Fake::new(|_| {
            Err(rejected(
                401,
                &json!({"message": "bad key", "code": "invalid_api_key"}),
            ))
        }));
        trial.model.learn("m", Fact::HonoursN, false);
        let error = trial.run(entry.slug).await.result.unwrap_err();
        let StrategyError::Model(ModelError::Rejected(rejection)) = error else {
            panic!("{}: {error}", entry.slug)
        };
        assert_eq!(
            (rejection.status, rejection.code.as_deref()),
            (401, Some("invalid_api_key")),
            "{}",
            entry.slug
        );
        let demand = trial.plan(entry.slug).unwrap().demand(&trial.request());
        assert!(
            trial.model.calls() <= demand.first_wave_choices as usize,
            "{}",
            entry.slug
        );
    }
}

#[tokio::test(start_paused = true)]
async fn everything_failing_after_the_candidates_still_answers() {
    for (approach, _, calls, _) in table().into_iter().filter(|(.., depth)| *depth > 1) {
        let script = |seen: &Seen| match seen.call.purpose {
            Purpose::Candidate => plays(seen),
            _ => Err(rejected(500, &json!({"message": "down"}))),
        };
        let trial = Trial::new(Fake::new(script));
        let finished = trial.run(approach).await;
        let outcome = match finished.result {
            Ok(outcome) => outcome,
            // Without candidates there is nothing to answer with.
            Err(error) if !trial.model.asked_for(&[Purpose::Candidate]) => {
                assert!(
                    matches!(error, StrategyError::Model(ModelError::Rejected(_))),
                    "{approach}"
                );
                continue;
            }
            Err(error) => panic!("{approach} ({calls} calls): {error}"),
        };
        assert!(
            outcome
                .choices
                .iter()
                .all(|choice| choice.message.text().starts_with("Candidate")),
            "{approach}"
        );
        let has_failed = trial
            .model
            .requests()
            .iter()
            .any(|seen| seen.call.purpose != Purpose::Candidate);
        assert_eq!(!outcome.degraded.is_empty(), has_failed, "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_refuses_later_calls_degrades_the_answer() {
    for approach in ["bon", "genselect", "moa", "bon&moa", "moa&bon"] {
        let script = |seen: &Seen| match seen.number {
            0 => plays(seen),
            _ => Err(ModelError::Limited {
                reason: "tokens_per_minute".to_owned(),
            }),
        };
        let finished = Trial::new(Fake::new(script)).run(approach).await;
        let outcome = finished.outcome();
        assert!(
            outcome.degraded.contains(&"limit".to_owned()),
            "{approach}: {:?}",
            outcome.degraded
        );
        assert_eq!(outcome.calls, 1, "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_ends_early_gives_the_answer_that_there_is() {
    for entry in STRATEGIES {
        let trial = Trial {
            calls: 1,
            ..Trial::new(Fake::new(plays))
        };
        let finished = trial.run(entry.slug).await;
        let wants_more = trial
            .plan(entry.slug)
            .unwrap()
            .demand(&trial.request())
            .calls
            > 1;
        let is_degraded = finished.outcome().degraded.contains(&"budget".to_owned());
        assert_eq!(
            is_degraded,
            wants_more,
            "{}: {:?}",
            entry.slug,
            finished.outcome().degraded
        );
        assert_eq!(trial.model.calls(), 1, "{}", entry.slug);
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_best_answer_so_far_is_given() {
    for entry in STRATEGIES {
        let trial = Trial {
            deadline: Duration::from_millis(1500),
            ..Trial::new(Fake::new(plays))
        };
        let finished = trial.run(entry.slug).await;
        assert!(
            finished.elapsed <= Duration::from_millis(1500),
            "{}",
            entry.slug
        );
        // What only planned until then has nothing to answer with.
        if !trial
            .model
            .asked_for(&[Purpose::Candidate, Purpose::Final, Purpose::Synthesis])
        {
            assert!(
                matches!(finished.result, Err(StrategyError::Deadline)),
                "{}",
                entry.slug
            );
            continue;
        }
        let deeper = trial
            .plan(entry.slug)
            .unwrap()
            .demand(&trial.request())
            .depth
            > 1;
        assert_eq!(
            finished.outcome().degraded.contains(&"deadline".to_owned()),
            deeper,
            "{}",
            entry.slug
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_cancels_what_is_under_way() {
    for entry in STRATEGIES {
        for after in [500, 1500] {
            let trial = Trial::new(Fake::new(plays));
            let ran =
                tokio::time::timeout(Duration::from_millis(after), trial.run(entry.slug)).await;
            assert_eq!(trial.model.open_calls(), 0, "{}", entry.slug);
            assert!(
                ran.is_ok() || trial.model.cancelled.load(Ordering::SeqCst) > 0,
                "{}",
                entry.slug
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_the_same_answer_as_a_whole_one() {
    for (approach, params, ..) in table() {
        let whole = trial(Fake::new(plays), &params).run(approach).await;
        let live = trial(Fake::new(plays), &params)
            .with("stream", true)
            .run(approach)
            .await;
        assert_eq!(live.events.first(), Some(&Event::Started), "{approach}");
        for choice in &whole.outcome().choices {
            let told = live.told(choice.index);
            assert_eq!(
                told.message.text(),
                choice.message.text(),
                "{approach} {params}"
            );
            assert_eq!(told.finish_reason, choice.finish_reason, "{approach}");
        }
        assert_eq!(whole.outcome().choices.len(), live.outcome().choices.len());
    }
}

#[tokio::test(start_paused = true)]
async fn images_history_and_parameters_reach_every_call_that_can_use_them() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:,x"}});
    for (approach, params, ..) in table() {
        let messages = json!([
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "hi"},
            {"role": "user", "content": [{"type": "text", "text": "What is 6 times 7?"}, image]},
        ]);
        let trial = trial(Fake::new(plays), &params)
            .with("messages", messages)
            .with("top_p", 0.5)
            .with("user", "u");
        assert!(trial.run(approach).await.result.is_ok());
        for seen in trial.model.requests() {
            assert!(seen.text().contains("be brief"), "{approach}");
            if seen.text().contains(ROUND_TRIP) {
                assert!(
                    !seen.text().contains("6 times 7"),
                    "{approach}: what is made again is made without the question"
                );
                continue;
            }
            assert!(seen.text().contains("6 times 7"), "{approach}");
            assert_eq!(
                (seen.request.get("top_p"), seen.request.get("user")),
                (Some(&json!(0.5)), Some(&json!("u")))
            );
            let images: Vec<Value> = seen
                .request
                .messages()
                .iter()
                .flat_map(Message::attachments)
                .collect();
            assert_eq!(
                images.iter().collect::<Vec<_>>(),
                [&image],
                "{approach} {:?}",
                seen.call.purpose
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_has_a_shape_that_strict_templates_refuse() {
    for (approach, params, ..) in table() {
        let trial = trial(Fake::new(plays), &params);
        assert!(trial.run(approach).await.result.is_ok());
        for seen in trial.model.requests() {
            let messages = seen.request.messages();
            let roles: Vec<&str> = messages.iter().map(Message::role).collect();
            assert!(
                roles.iter().skip(1).all(|role| *role != "system"),
                "{approach} {roles:?}"
            );
            assert!(
                roles.windows(2).all(|pair| pair[0] != pair[1]),
                "{approach} {roles:?}"
            );
            assert!(
                messages
                    .iter()
                    .all(|message| !message.text().trim().is_empty()),
                "{approach}"
            );
            assert!(
                seen.request.get("max_tokens").is_none()
                    || seen.request.get("max_completion_tokens").is_none()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_of_ours_never_go_upstream() {
    for entry in STRATEGIES {
        let model = Fake::new(plays);
        let trial = entry.params().fold(Trial::new(model), |trial, param| {
            trial.with(param.name, param.default())
        });
        assert!(trial.run(entry.slug).await.result.is_ok());
        for seen in trial.model.requests() {
            assert!(
                entry
                    .params()
                    .all(|param| seen.request.get(param.name).is_none()),
                "{}",
                entry.slug
            );
        }
    }
}

fn tool_call(seen: &Seen) -> crate::support::Reply {
    if matches!(seen.call.purpose, Purpose::Judge | Purpose::Critique)
        || seen.request.get("tools").is_none()
    {
        return plays(seen);
    }
    let call = json!([{"id": format!("c{}", seen.number), "type": "function",
        "function": {"name": "weather", "arguments": "{\"city\":\"Rome\"}"}}]);
    let message = Message::new("assistant", Value::Null).with("tool_calls", call);
    let choice = |index| Choice {
        index,
        ..Choice::new(message.clone(), "tool_calls")
    };
    let n = seen.request.n();
    Ok(Completion {
        choices: (0..n).map(choice).collect(),
        usage: Some(Usage::new(1, 1)),
        ..Completion::default()
    })
}

#[tokio::test(start_paused = true)]
async fn tools_are_offered_where_the_answer_is_made_and_tool_calls_come_back() {
    for entry in STRATEGIES {
        for stream in [false, true] {
            let trial = Trial::new(Fake::new(tool_call)).with(
                "tools",
                json!([{"type": "function", "function": {"name": "weather"}}]),
            );
            let finished = trial.with("stream", stream).run(entry.slug).await;
            let choice = &finished.outcome().choices[0];
            assert!(choice.message.tool_calls().is_some(), "{}", entry.slug);
            assert_eq!(
                choice.finish_reason.as_deref(),
                Some("tool_calls"),
                "{}",
                entry.slug
            );
            let degraded = finished.outcome().degraded.contains(&"tools".to_owned());
            assert_eq!(degraded, entry.tools == Support::Loses, "{}", entry.slug);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn spoken_answers_are_made_by_a_plain_call() {
    for entry in STRATEGIES {
        let trial = Trial::new(Fake::new(plays)).with("modalities", json!(["text", "audio"]));
        let finished = trial.run(entry.slug).await;
        assert_eq!(finished.outcome().calls, 1, "{}", entry.slug);
        assert_eq!(
            finished.outcome().degraded.contains(&"audio".to_owned()),
            entry.audio == Support::Loses,
            "{}",
            entry.slug
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_asks_the_same_and_answers_the_same() {
    for (approach, params, ..) in table() {
        let (first, second) = (
            trial(Fake::new(plays), &params),
            trial(Fake::new(plays), &params),
        );
        let (a, b) = (first.run(approach).await, second.run(approach).await);
        assert_eq!(a.text(), b.text(), "{approach}");
        let requests = |trial: &Trial| {
            trial
                .model
                .requests()
                .iter()
                .map(|seen| seen.request.to_bytes())
                .collect::<Vec<_>>()
        };
        assert_eq!(requests(&first), requests(&second), "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn prompts_that_want_machine_readable_output_hold_the_contracts_line() {
    use hone_strategies::contract::{BEST_CANDIDATE, CRITIQUE, SCORE, SYNTHESIS};
    for (approach, purpose, line) in [
        ("bon", Purpose::Judge, SCORE),
        ("genselect", Purpose::Judge, BEST_CANDIDATE),
        ("moa", Purpose::Synthesis, SYNTHESIS),
        ("moa", Purpose::Critique, CRITIQUE),
    ] {
        let trial = Trial::new(Fake::new(plays)).with("moa_critique", "separate");
        assert!(trial.run(approach).await.result.is_ok());
        let asked: Vec<Seen> = trial
            .model
            .requests()
            .into_iter()
            .filter(|seen| seen.call.purpose == purpose)
            .collect();
        assert!(
            !asked.is_empty() && asked.iter().all(|seen| seen.text().contains(line)),
            "{approach}"
        );
        assert!(
            asked
                .iter()
                .all(|seen| !hone_strategies::contract::candidates(&seen.text()).is_empty()),
            "{approach}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_run_of_a_wordless_model_is_an_answer_too() {
    let finished = Trial::new(Fake::new(|seen| says(seen, "")))
        .run("bon")
        .await;
    assert_eq!(finished.text(), "");
}
