//! An error says what happened, whatever a model does.

use hone_strategies::chat::Completion;
use hone_strategies::{ModelError, STRATEGIES, StrategyError};
use serde_json::json;

use crate::support::{Fake, Reply, Seen, Trial, plays, rejected, says};

/// A model that misbehaves.
type Misbehaviour = fn(&Seen) -> Reply;

const MISBEHAVIOURS: [(&str, Misbehaviour); 8] = [
    ("says nothing", |seen| says(seen, "")),
    ("is cut off", |seen| finished(seen, "length")),
    ("is filtered", |seen| finished(seen, "content_filter")),
    ("gives no choice", |_| Ok(Completion::default())),
    ("fails at first", |seen| failing(seen, seen.number == 0)),
    ("fails at last", |seen| failing(seen, seen.number > 0)),
    ("fails every second time", |seen| {
        failing(seen, seen.number % 2 == 1)
    }),
    ("fails two times of three", |seen| {
        failing(seen, !seen.number.is_multiple_of(3))
    }),
];

fn finished(seen: &Seen, reason: &str) -> Reply {
    let mut completion = plays(seen)?;
    for choice in &mut completion.choices {
        choice.finish_reason = Some(reason.to_owned());
    }
    Ok(completion)
}

fn failing(seen: &Seen, fails: bool) -> Reply {
    if fails {
        return Err(rejected(400, &json!({"message": "no"})));
    }
    plays(seen)
}

fn is_of_the_model(error: &StrategyError) -> bool {
    match error {
        StrategyError::Model(error) | StrategyError::Interrupted(error) => matches!(
            error,
            ModelError::Rejected(_) | ModelError::Malformed { .. }
        ),
        StrategyError::Unsupported(_) => true,
        _ => false,
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_a_model_did_is_told_where_there_is_time_and_room() {
    for entry in STRATEGIES {
        for (what, misbehaviour) in MISBEHAVIOURS {
            let result = Trial::new(Fake::new(misbehaviour))
                .run(entry.slug)
                .await
                .result;
            let is_told = result.as_ref().err().is_none_or(is_of_the_model);
            assert!(
                is_told,
                "{} with a model that {what}: {result:?}",
                entry.slug
            );
        }
    }
}
