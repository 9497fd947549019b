//! Strategies that spend more only where a first answer is unsure.

use std::time::Duration;

use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::model::{Allowance, Fact, Model, Purpose};
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Seen, Trial, plays, rejected, says};

/// The text with the same log probability for every token, where the request asks for any.
fn at(seen: &Seen, text: &str, logprob: f64) -> Reply {
    let completion = says(seen, text)?;
    let tokens: Vec<Value> = text
        .split(' ')
        .map(|token| json!({"token": token, "logprob": logprob}))
        .collect();
    let is_asked = seen.request.get("logprobs").is_some();
    let with = |choice: Choice| Choice {
        logprobs: is_asked.then(|| json!({"content": tokens}).into()),
        ..choice
    };
    Ok(Completion {
        choices: completion.choices.into_iter().map(with).collect(),
        ..completion
    })
}

/// Plays every part without log probabilities.
fn mute(seen: &Seen) -> Reply {
    let mut completion = plays(seen)?;
    completion
        .choices
        .iter_mut()
        .for_each(|choice| choice.logprobs = None);
    Ok(completion)
}

fn asked(trial: &Trial) -> Vec<String> {
    trial
        .model
        .requests()
        .into_iter()
        .map(|seen| seen.request.model().to_owned())
        .collect()
}

fn note(finished: &crate::support::Finished, name: &str) -> String {
    let notes = &finished.outcome().trace.notes;
    notes
        .iter()
        .filter(|note| note.name == name)
        .map(|note| note.value.to_string())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_cheap_answer_of_high_probability_stands_and_keeps_its_log_probabilities_to_itself() {
    for stream in [false, true] {
        let trial = Trial::new(Fake::new(|seen| at(seen, "It is 42", -0.05)))
            .with("cascade_models", json!(["small", "mid"]));
        let finished = trial.with("stream", stream).run("cascade").await;
        assert_eq!(
            (finished.text().as_str(), finished.outcome().calls),
            ("It is 42", 1)
        );
        assert_eq!(
            finished.outcome().choices[0].logprobs,
            None,
            "the client did not ask for them"
        );
    }
    let wanted = Trial::new(Fake::new(|seen| at(seen, "It is 42", -0.05)))
        .with("logprobs", true)
        .run("cascade")
        .await;
    assert!(wanted.outcome().choices[0].logprobs.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_unsure_model_is_followed_by_the_next_and_in_the_end_by_the_requests_own_live() {
    let script = |seen: &Seen| match (seen.request.model(), seen.call.purpose) {
        (_, Purpose::Final) => says(seen, "The strong answer."),
        (model, _) => at(
            seen,
            &format!("{model} says 42"),
            if model == "mid" { -0.1 } else { -0.5 },
        ),
    };
    let trial = Trial::new(Fake::new(script)).with("cascade_models", json!(["small", "mid"]));
    assert_eq!(
        (trial.run("cascade").await.text().as_str(), asked(&trial)),
        ("mid says 42", vec!["small".to_owned(), "mid".to_owned()])
    );
    let strict = Trial::new(Fake::new(script))
        .with("cascade_models", json!(["small", "mid"]))
        .with("cascade_confidence", 0.95);
    let finished = strict.with("stream", true).run("cascade").await;
    assert_eq!(
        (finished.text().as_str(), finished.elapsed.as_secs()),
        ("The strong answer.", 3)
    );
    assert!(note(&finished, "cascade").contains("mean token probability 0.61"));
}

#[tokio::test(start_paused = true)]
async fn without_log_probabilities_agreement_decides_and_their_absence_is_remembered() {
    let agreeing = |seen: &Seen| {
        says(
            seen,
            if seen.request.model() == "m" {
                "The strong answer."
            } else {
                "The answer is 42."
            },
        )
    };
    let trial = Trial::new(Fake::new(agreeing)).with("cascade_models", json!(["small"]));
    let first = trial.run("cascade").await;
    assert_eq!(
        (
            first.text().as_str(),
            first.elapsed.as_secs(),
            first.outcome().calls
        ),
        ("The answer is 42.", 2, 2)
    );
    let again = trial.run("cascade").await;
    assert_eq!(
        (again.elapsed.as_secs(), again.outcome().calls),
        (1, 1),
        "all samples at once"
    );
    let refusing = |seen: &Seen| match seen.request.get("logprobs") {
        Some(_) => Err(rejected(
            400,
            &json!({"message": "no", "param": "logprobs"}),
        )),
        None => says(seen, "The answer is 42."),
    };
    assert_eq!(
        Trial::new(Fake::new(refusing)).run("cascade").await.text(),
        "The answer is 42."
    );
    let differing = Trial::new(Fake::new(mute))
        .with("cascade_models", json!(["small"]))
        .run("cascade")
        .await;
    assert_eq!(
        (differing.text().as_str(), differing.elapsed.as_secs()),
        ("Final text.", 3)
    );
    let two_of_three = |seen: &Seen| match seen.call.purpose {
        Purpose::Final => says(seen, "The strong answer."),
        _ if seen.number == 0 => says(seen, "The answer is 41."),
        _ => says(seen, "The answer is 42."),
    };
    let lenient = Trial::new(Fake::new(two_of_three))
        .with("cascade_models", json!(["small"]))
        .with("cascade_agreement", 0.6);
    assert_eq!(lenient.run("cascade").await.text(), "The answer is 42.");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_cut_off_is_never_sure() {
    let script = |seen: &Seen| {
        if seen.call.purpose == Purpose::Final {
            return says(seen, "The strong answer.");
        }
        let mut completion = at(seen, "It is", -0.01)?;
        completion.choices[0].finish_reason = Some("length".to_owned());
        Ok(completion)
    };
    assert_eq!(
        Trial::new(Fake::new(script))
            .with("cascade_models", json!(["small"]))
            .run("cascade")
            .await
            .text(),
        "The strong answer."
    );
}

#[tokio::test(start_paused = true)]
async fn a_cheap_model_that_is_down_is_passed_over_and_a_strong_one_that_is_down_is_replaced() {
    let script = |down: &'static str| {
        move |seen: &Seen| match seen.request.model() {
            model if model == down => Err(rejected(400, &json!({"message": "no"}))),
            _ => plays(seen),
        }
    };
    let over = Trial::new(Fake::new(script("small")))
        .with("cascade_models", json!(["small"]))
        .run("cascade")
        .await;
    assert_eq!(
        (over.text().as_str(), over.outcome().degraded.as_slice()),
        ("Final text.", ["failed_calls".to_owned()].as_slice())
    );
    let fallen = Trial::new(Fake::new(script("m")))
        .with("cascade_models", json!(["small"]))
        .run("cascade")
        .await;
    assert!(
        fallen.text().starts_with("Candidate")
            && fallen.outcome().degraded.contains(&"escalation".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn without_cheap_models_an_unsure_answer_is_put_to_a_vote() {
    let script = |seen: &Seen| {
        let answer = if seen.number == 0 { 1 } else { 42 };
        let choices = (0..seen.request.n()).map(|index| Choice {
            index,
            ..Choice::new(
                Message::assistant(format!("The answer is {answer}.")),
                "stop",
            )
        });
        Ok(Completion {
            choices: choices.collect(),
            usage: Some(Usage::new(1, 1)),
            ..Completion::default()
        })
    };
    let finished = Trial::new(Fake::new(script)).run("cascade").await;
    assert_eq!(
        (finished.text().as_str(), finished.outcome().calls),
        ("The answer is 42.", 3)
    );
}

#[tokio::test(start_paused = true)]
async fn seeds_of_further_answers_differ_from_the_first() {
    let trial = Trial::new(Fake::new(mute))
        .with("seed", 5)
        .with("sample_n_above", 0);
    trial.model.learn("m", Fact::HonoursN, false);
    assert!(trial.run("cascade").await.result.is_ok());
    let mut seeds: Vec<i64> = trial
        .model
        .requests()
        .iter()
        .map(|seen| seen.request.get("seed").unwrap().as_i64().unwrap())
        .collect();
    let all = seeds.len();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!((seeds.len(), all), (8, 8));
}

#[tokio::test(start_paused = true)]
async fn auto_lets_requests_be_that_want_no_method() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for (field, value, why) in [
        ("tools", tools, "tools"),
        ("response_format", json!({"type": "json_object"}), "JSON"),
        ("reasoning_effort", json!("minimal"), "little effort"),
        (
            "messages",
            json!([{"role": "user", "content": "Write a haiku."}]),
            "few words",
        ),
    ] {
        let trial = Trial::new(Fake::new(plays)).with(field, value);
        let finished = trial.run("auto").await;
        assert_eq!(
            (finished.text().as_str(), finished.outcome().calls),
            ("Final text.", 1),
            "{why}"
        );
        assert!(
            note(&finished, "auto").starts_with("\"none: ")
                && note(&finished, "auto").contains(why),
            "{}",
            note(&finished, "auto")
        );
        assert_eq!(
            trial.plan("auto").unwrap().demand(&trial.request()).calls,
            1,
            "{why}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn auto_keeps_a_sure_answer() {
    let probable = Trial::new(Fake::new(|seen| at(seen, "It is 42", -0.05)))
        .run("auto")
        .await;
    assert_eq!(
        (probable.text().as_str(), probable.outcome().calls),
        ("It is 42", 1)
    );
    assert_eq!(
        note(&probable, "auto"),
        "\"none: mean token probability 0.95\""
    );
    let agreeing = Trial::new(Fake::new(|seen| says(seen, "The answer is 42.")))
        .run("auto")
        .await;
    assert_eq!(
        (agreeing.outcome().calls, note(&agreeing, "auto").as_str()),
        (2, "\"none: 2 of 2 answers agree\"")
    );
}

/// Answers in turn, whatever is asked; other parts as [`plays`] has them.
fn in_turn(answers: &'static [u32]) -> Fake {
    let next = std::sync::atomic::AtomicUsize::new(0);
    Fake::new(move |seen: &Seen| {
        if seen.call.purpose != Purpose::Candidate {
            return plays(seen);
        }
        let text = |_| {
            answers
                .get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
                .copied()
                .unwrap_or(0)
        };
        let choices = (0..seen.request.n()).map(|index| Choice {
            index,
            ..Choice::new(
                Message::assistant(format!("The answer is {}.", text(index))),
                "stop",
            )
        });
        Ok(Completion {
            choices: choices.collect(),
            usage: Some(Usage::new(1, 1)),
            ..Completion::default()
        })
    })
}

#[tokio::test(start_paused = true)]
async fn auto_votes_where_two_answers_differ_and_runs_a_method_where_the_vote_is_split() {
    let light = Trial::new(in_turn(&[41, 42, 42, 7, 42])).run("auto").await;
    assert_eq!(
        (light.text().as_str(), note(&light, "auto").as_str()),
        ("The answer is 42.", "\"light: 3 of 5 answers agree\"")
    );
    assert_eq!(
        (light.outcome().calls, light.elapsed),
        (3, Duration::from_secs(3))
    );
    let heavy = Trial::new(in_turn(&[1, 2, 3, 1, 4]))
        .with("stream", true)
        .run("auto")
        .await;
    assert_eq!(
        note(&heavy, "auto"),
        "\"heavy: 2 of 5 answers agree, so moa was run\""
    );
    assert!(heavy.text().starts_with("Final text") && heavy.told(0).message.text() == heavy.text());
    let open = "Explain at length, with examples from at least three centuries, why some treaties \
        lasted and others did not, and what that means for those who write them in our time. ";
    let trial = Trial::new(Fake::new(mute))
        .with("messages", json!([{"role": "user", "content": open}]))
        .with("auto_heavy", "fusion");
    let finished = trial.run("auto").await;
    assert!(
        note(&finished, "auto").starts_with("\"heavy: none of 2 answers agree, so fusion"),
        "{}",
        note(&finished, "auto")
    );
    assert_eq!(
        finished.outcome().calls,
        2 + 5,
        "an open question is not put to a vote"
    );
}

#[tokio::test(start_paused = true)]
async fn auto_hands_its_methods_parameters_on() {
    let trial = Trial::new(in_turn(&[1, 2, 3, 4, 5])).with("moa_models", json!(["a", "b"]));
    assert_eq!(trial.plan("auto").unwrap().models(), ["a", "b"]);
    assert!(trial.run("auto").await.result.is_ok());
    assert_eq!(asked(&trial), ["m", "m", "m", "a", "b", "m"]);
    assert!(
        trial
            .model
            .requests()
            .iter()
            .all(|seen| seen.request.get("moa_models").is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn auto_spends_only_what_the_callers_limits_leave() {
    let unlimited = Allowance::UNKNOWN;
    for (left, calls, why) in [
        (
            Allowance {
                calls: 1,
                ..unlimited
            },
            1,
            "none: the budget has no room for a second call",
        ),
        (
            Allowance {
                tokens: 400,
                ..unlimited
            },
            1,
            "none: the budget has no room for a second call",
        ),
        // The scripted allowance does not shrink: a heavy method of two calls needs two.
        (
            Allowance {
                calls: 2,
                tokens: 1_500,
            },
            2,
            "none: none of 2 answers agree, and the budget has no room for moa",
        ),
        (
            unlimited,
            5,
            "heavy: none of 5 answers agree, so moa was run",
        ),
    ] {
        let finished = Trial::new(in_turn(&[1, 2, 3, 4, 5]).leaving(left))
            .run("auto")
            .await;
        assert!(
            note(&finished, "auto").contains(why),
            "{}: {why}",
            note(&finished, "auto")
        );
        assert_eq!(finished.outcome().calls, calls, "{why}");
        assert_eq!(
            finished.outcome().degraded.contains(&"budget".to_owned()),
            left != unlimited
        );
    }
}

#[test]
fn auto_needs_one_call_to_begin() {
    let trial = Trial::new(Fake::new(plays)).with("n", 2);
    let demand = trial.plan("auto").unwrap().demand(&trial.request());
    assert_eq!((demand.least_calls, demand.calls), (2, 8));
}
