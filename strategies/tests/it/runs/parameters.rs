//! What becomes of a client's parameters in every strategy: each call is either one whose answer
//! may be the client's, or one that stays inside.

use hone_strategies::CallOutcome;
use hone_strategies::chat::{Choice, Completion, Message};
use hone_strategies::model::{Fact, Model, Purpose};
use serde_json::{Value, json};

use crate::support::{Fake, Finished, Reply, Seen, Trial, plays};
use crate::table::table;

/// What a client may send to shape its answer. No strategy has a reason to change these.
fn shape() -> Vec<(&'static str, Value)> {
    vec![
        ("frequency_penalty", json!(0.25)),
        ("logit_bias", json!({"7": 1})),
        ("presence_penalty", json!(0.5)),
        ("service_tier", json!("flex")),
        ("stop", json!(["###"])),
        ("top_k", json!(40)),
        ("top_p", json!(0.75)),
        ("user", json!("u")),
        ("verbosity", json!("low")),
    ]
}

/// What of these would deform a verdict or a plan.
const ANSWER_ONLY: [&str; 2] = ["stop", "verbosity"];

fn trial(model: Fake, params: &Value) -> Trial {
    model.learn("m", Fact::ContinuesLast, true);
    let fields = params.as_object().unwrap().clone();
    fields
        .into_iter()
        .fold(Trial::new(model), |trial, (name, value)| {
            trial.with(&name, value)
        })
}

/// The calls whose replies the answer is made of: those that say what it says.
fn makers(trial: &Trial, finished: &Finished, script: fn(&Seen) -> Reply) -> Vec<Seen> {
    let answers: Vec<String> = finished
        .outcome()
        .choices
        .iter()
        .map(|choice| choice.message.text().trim().to_owned())
        .collect();
    let says_it = |seen: &Seen| {
        let replies = script(seen)
            .unwrap()
            .choices
            .into_iter()
            .map(|choice| choice.message.text().trim().to_owned());
        replies.into_iter().any(|text| {
            answers
                .iter()
                .any(|answer| text.contains(answer) || (!text.is_empty() && answer.contains(&text)))
        })
    };
    let makers: Vec<Seen> = trial.model.requests().into_iter().filter(says_it).collect();
    assert!(!makers.is_empty(), "nobody said {answers:?}");
    makers
}

fn keeps(seen: &Seen, fields: impl IntoIterator<Item = (&'static str, Value)>, approach: &str) {
    for (name, value) in fields {
        assert_eq!(
            seen.request.get(name),
            Some(&value),
            "{approach}: {name} of a {:?}",
            seen.call.purpose
        );
    }
}

fn limit(seen: &Seen) -> Option<u64> {
    seen.request.token_limit().map(|(_, limit)| limit)
}

#[tokio::test(start_paused = true)]
async fn what_shapes_an_answer_reaches_whoever_makes_it_and_deforms_no_verdict() {
    for (approach, params, ..) in table() {
        for n in [1, 2] {
            let trial = shape()
                .into_iter()
                .fold(trial(Fake::new(plays), &params), |trial, (name, value)| {
                    trial.with(name, value)
                });
            let trial = trial.with("n", n);
            let finished = trial.run(approach).await;
            for seen in makers(&trial, &finished, plays) {
                keeps(&seen, shape(), &format!("{approach} {params}"));
            }
            for seen in trial.model.requests() {
                let kept = ANSWER_ONLY
                    .iter()
                    .filter(|name| seen.request.get(name).is_some())
                    .count();
                assert!(
                    kept == 0 || kept == ANSWER_ONLY.len(),
                    "{approach} {params}: neither an answer nor internal: {:?}",
                    seen.call
                );
                let always = shape()
                    .into_iter()
                    .filter(|(name, _)| !ANSWER_ONLY.contains(name));
                keeps(&seen, always, &format!("{approach} {params}"));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clients_limit_on_tokens_holds_for_its_answer_and_leaves_room_for_verdicts() {
    for name in ["max_tokens", "max_completion_tokens"] {
        for (approach, params, ..) in table() {
            let trial = trial(Fake::new(plays), &params)
                .with(name, 40)
                .with("stop", "###");
            let finished = trial.run(approach).await;
            for seen in makers(&trial, &finished, plays) {
                let field = seen.request.token_limit().map(|(field, _)| field);
                assert_eq!(field, Some(name), "{approach} {params}: another field");
                assert!(
                    limit(&seen).is_some_and(|limit| limit <= 40),
                    "{approach} {params}: {:?}",
                    limit(&seen)
                );
            }
            // Whoever has not got what shapes answers makes none.
            let judges = |seen: &&Seen| {
                matches!(seen.call.purpose, Purpose::Judge | Purpose::Critique)
                    && seen.request.get("stop").is_none()
            };
            for seen in trial.model.requests().iter().filter(judges) {
                assert!(
                    limit(seen).is_none_or(|limit| limit >= 64),
                    "{approach} {params}: {:?}",
                    limit(seen)
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clients_form_of_answer_reaches_whoever_makes_it() {
    for (approach, params, ..) in table() {
        let form = json!({"type": "json_object"});
        let trial = trial(Fake::new(plays), &params).with("response_format", form.clone());
        let finished = trial.run(approach).await;
        for seen in makers(&trial, &finished, plays) {
            assert_eq!(
                seen.request.get("response_format"),
                Some(&form),
                "{approach} {params}: {:?}",
                seen.call.purpose
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_seed_no_two_calls_are_the_same() {
    let mut repeated = Vec::new();
    for (approach, params, ..) in table() {
        for honours_n in [true, false] {
            let trial = trial(Fake::new(plays), &params)
                .with("seed", 7)
                .with("temperature", 0.8)
                .with("n", 2);
            trial.model.learn("m", Fact::HonoursN, honours_n);
            let finished = trial.run(approach).await;
            let calls = &finished.outcome().trace.calls;
            // Whoever races sends the same to several, of which one answers.
            let answered = calls
                .iter()
                .filter(|call| call.outcome == CallOutcome::Answered)
                .count();
            let mut asked: Vec<Vec<u8>> = trial
                .model
                .requests()
                .iter()
                .map(|seen| seen.request.to_bytes().to_vec())
                .collect();
            asked.sort();
            let all = asked.len();
            asked.dedup();
            if asked.len() < answered {
                repeated.push(format!(
                    "{approach} {params}: {} of {all} calls repeat another",
                    all - asked.len()
                ));
            }
        }
    }
    assert_eq!(repeated, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn log_probabilities_come_with_the_answer_or_their_loss_is_told() {
    for (approach, params, ..) in table() {
        let trial = trial(Fake::new(plays), &params)
            .with("logprobs", true)
            .with("top_logprobs", 2);
        let finished = trial.run(approach).await;
        let is_told = finished.outcome().degraded.contains(&"logprobs".to_owned());
        for choice in &finished.outcome().choices {
            assert!(choice.logprobs.is_some() || is_told, "{approach} {params}");
        }
    }
}

/// Like [`plays`], but everything that is said is long.
fn rambles(seen: &Seen) -> Reply {
    let mut completion: Completion = plays(seen)?;
    for choice in &mut completion.choices {
        let text = format!("{}{}", "so it is. ".repeat(1_500), choice.message.text());
        *choice = Choice {
            message: Message::assistant(text),
            ..choice.clone()
        };
    }
    Ok(completion)
}

#[tokio::test(start_paused = true)]
async fn however_much_models_write_no_prompt_grows_beyond_its_bound() {
    let mut grown = Vec::new();
    // A draft that one strategy leaves to the next is a part of the conversation, and stays whole.
    for (approach, params, ..) in table()
        .into_iter()
        .filter(|(approach, ..)| !approach.contains('&'))
    {
        let trial = trial(Fake::new(rambles), &params).with("shown_bytes", 1024);
        let own = trial.request().to_bytes().len();
        assert!(trial.run(approach).await.result.is_ok(), "{approach}");
        for seen in trial.model.requests() {
            // What a model began and goes on with has to stand there whole.
            let said = seen
                .request
                .messages()
                .iter()
                .filter(|message| message.role() != "assistant");
            let length: usize = said.map(|message| message.text().len()).sum();
            if length >= own + 12_000 {
                grown.push(format!(
                    "{approach} {params}: {length} bytes for a {:?}",
                    seen.call.purpose
                ));
            }
        }
    }
    assert_eq!(grown, Vec::<String>::new());
}
