//! What every call says.

use std::collections::BTreeSet;

use hone_strategies::chat::Message;
use hone_strategies::contract::ROUND_TRIP;
use hone_strategies::model::Purpose;
use hone_strategies::{Fences, STRATEGIES};
use serde_json::{Value, json};

use super::trial;
use crate::support::{Fake, Seen, Trial, plays};
use crate::table::table;

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

/// The marks of all fences in what was asked.
fn marks(trial: &Trial) -> BTreeSet<String> {
    let mut marks = BTreeSet::new();
    for seen in trial.model.requests() {
        let text = seen.text();
        let ends = text.split("\n[end of ").skip(1);
        let labels = ends.filter_map(|rest| rest.split_once(']'));
        marks.extend(labels.filter_map(|(label, _)| Some(label.rsplit_once(' ')?.1.to_owned())));
    }
    marks
}

#[tokio::test(start_paused = true)]
async fn no_seed_tells_the_marks_of_fences() {
    let run = async |approach: &str, params: &Value, fences| {
        let mut trial = trial(Fake::new(plays), params).with("seed", 42);
        (trial.seed, trial.fences) = (42, fences);
        assert!(trial.run(approach).await.result.is_ok());
        marks(&trial)
    };
    let mut fenced = 0;
    for (approach, params, ..) in table() {
        let known = run(approach, &params, Fences::Repeatable).await;
        let again = run(approach, &params, Fences::Repeatable).await;
        assert_eq!(known, again, "{approach}");
        let secret = run(approach, &params, Fences::Secret).await;
        let other = run(approach, &params, Fences::Secret).await;
        assert_eq!(secret.is_empty(), known.is_empty(), "{approach}");
        assert!(
            secret.is_disjoint(&known),
            "{approach}: {secret:?} {known:?}"
        );
        assert!(
            secret.is_disjoint(&other),
            "{approach}: {secret:?} {other:?}"
        );
        fenced += usize::from(!known.is_empty());
    }
    assert!(fenced > 5, "many approaches have fences");
}
