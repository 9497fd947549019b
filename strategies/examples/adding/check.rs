//! The strategy that CONTRIBUTING.md shows. It is in no catalogue; here it is shown to compile and
//! to announce what it costs.

mod longest;

use std::sync::Arc;
use std::time::Duration;

use longest::ENTRY;
use serde_json::json;
use tokio::time::Instant;

use crate::chat::{ChatRequest, Message, Shown};
use crate::model::{Fact, Model};
use crate::params::Params;
use crate::run::account::Account;
use crate::run::budget::RunLimits;
use crate::run::halt::Halt;
use crate::run::options::{Fences, RunOptions};
use crate::run::{Manner, Run};
use crate::strategy::Output;
use crate::testing::{Script, ScriptedModel};

#[test]
fn the_strategy_of_the_contributors_guide_announces_its_calls() {
    let request = ChatRequest::new("m", [Message::user("Why?")]);
    let strategy = (ENTRY.build)(&Params::new()).unwrap();
    let demand = strategy.demand(&request);
    assert_eq!((demand.calls, demand.max_calls, demand.depth), (1, 4, 1));
    let wrong = Params::from_iter([("longest_of".to_owned(), json!(0))]);
    assert!((ENTRY.build)(&wrong).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_longest_candidate_is_returned() {
    let model = ScriptedModel::new("Rather long.")
        .when(
            |_, call| call.index == 1,
            Script::text("The longest of all."),
        )
        .when(|_, call| call.index == 2, Script::text("Short."));
    // An upstream that ignores `n` is asked once for each candidate.
    model.learn("m", Fact::HonoursN, false);
    let options = RunOptions {
        model: Arc::new(model),
        solver: None,
        limits: RunLimits {
            calls: 3,
            tokens: 10_000,
            deadline: Instant::now() + Duration::from_secs(60),
            parallel: 3,
        },
        seed: 1,
        fences: Fences::Repeatable,
        sink: None,
        halt: Halt::default(),
        quality: None,
    };
    let params = Params::new();
    let manner = Manner::read(&params).unwrap();
    let request = ChatRequest::new("m", [Message::user("Tell me something.")]);
    let run = Run::new(options, manner, (Shown::of(&request), Account::default()));
    let strategy = (ENTRY.build)(&params).unwrap();
    let Output::Answer(answer) = strategy.execute(&run, &request).await.unwrap() else {
        panic!("an answer")
    };
    assert_eq!(answer.choice.message.text(), "The longest of all.");
}
