use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;

use super::*;
use crate::chat::{Assembler, ChatRequest, Completion, Message};
use crate::model::{Call, Model, ModelError, Purpose};
use crate::simulation::TaskModel;

const CALL: Call = Call {
    purpose: Purpose::Candidate,
    index: 0,
    bill: None,
};

fn request(model: &SimulatedModel, n: u32) -> ChatRequest {
    let mut request = ChatRequest::new("sim", [Message::user(model.task().question(1).text)]);
    request.set("n", n);
    request
}

fn paced() -> SimulatedModel {
    let pace = Pace {
        first: Duration::from_millis(500),
        per_token: Duration::from_millis(10),
    };
    SimulatedModel::new(TaskModel {
        accuracy: 1.0,
        ..TaskModel::default()
    })
    .with_pace(pace)
}

async fn streamed(model: &SimulatedModel, mut request: ChatRequest) -> Completion {
    request.set("stream", true);
    let mut stream = model.stream(&request, CALL).await.unwrap();
    let mut assembler = Assembler::new();
    while let Some(chunk) = stream.next().await {
        assembler.push(chunk.unwrap());
    }
    assembler.finish()
}

#[tokio::test(start_paused = true)]
async fn an_answer_takes_the_time_of_its_longest_choice_and_every_token_is_accounted_for() {
    let model = paced();
    let began = Instant::now();
    let completion = model.complete(&request(&model, 3), CALL).await.unwrap();
    let lengths: Vec<u32> = completion
        .choices
        .iter()
        .map(|choice| u32::try_from(choice.message.text().split_whitespace().count()).unwrap())
        .collect();
    assert_eq!(lengths.len(), 3);
    assert_eq!(
        began.elapsed(),
        Duration::from_millis(500) + Duration::from_millis(10) * *lengths.iter().max().unwrap()
    );
    assert_eq!(
        u64::from(lengths.iter().sum::<u32>()),
        completion.usage.unwrap().completion
    );
    assert_eq!(
        model.ledger().tokens(),
        completion.usage.unwrap().completion
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_is_billed_for_what_was_generated() {
    let model = paced();
    let request = request(&model, 2);
    let cut =
        tokio::time::timeout(Duration::from_millis(600), model.complete(&request, CALL)).await;
    assert!(cut.is_err());
    assert_eq!((model.ledger().cancelled(), model.ledger().open()), (1, 0));
    assert_eq!(model.ledger().tokens(), 20, "two choices of ten tokens");
    let before_the_first =
        tokio::time::timeout(Duration::from_millis(400), model.complete(&request, CALL)).await;
    assert!(before_the_first.is_err());
    assert_eq!(model.ledger().tokens(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_is_cancelled_and_a_finished_one_is_not() {
    let model = paced();
    let mut request = request(&model, 1);
    assert_eq!(streamed(&model, request.clone()).await.choices.len(), 1);
    assert_eq!(model.ledger().cancelled(), 0);
    request.set("stream", true);
    let mut stream = model.stream(&request, CALL).await.unwrap();
    for _ in 0..5 {
        stream.next().await.unwrap().unwrap();
    }
    drop(stream);
    assert_eq!(model.ledger().cancelled(), 1);
    assert_eq!(model.ledger().calls()[1].tokens, 5);
}

#[tokio::test(start_paused = true)]
async fn a_stream_spells_the_same_answer_in_the_same_time() {
    let whole = paced();
    let mut request = request(&whole, 2);
    request.set("seed", 7);
    let began = Instant::now();
    let completion = whole.complete(&request, CALL).await.unwrap();
    let took = began.elapsed();
    let began = Instant::now();
    let spelled = streamed(&whole, request).await;
    assert_eq!(began.elapsed(), took);
    assert_eq!(spelled.choices, completion.choices);
    assert_eq!(spelled.usage, completion.usage);
}

#[tokio::test(start_paused = true)]
async fn several_choices_are_honoured_ignored_or_rejected() {
    let model = |choices| SimulatedModel::new(TaskModel::default()).with_choices(choices);
    let count = async |model: SimulatedModel, n| {
        model
            .complete(&request(&model, n), CALL)
            .await
            .map(|completion| completion.choices.len())
    };
    assert_eq!(count(model(Choices::Honoured), 4).await.unwrap(), 4);
    assert_eq!(count(model(Choices::Ignored), 4).await.unwrap(), 1);
    assert_eq!(count(model(Choices::Rejected), 1).await.unwrap(), 1);
    match count(model(Choices::Rejected), 4).await {
        Err(ModelError::Rejected(rejection)) => {
            assert!(rejection.status == 400 && rejection.blames("n"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn log_probabilities_are_given_where_asked_for() {
    let model = paced().with_confidence(Confidence {
        right: -0.25,
        wrong: -1.0,
        spread: 0.0,
    });
    let mut request = request(&model, 1);
    assert_eq!(
        model.complete(&request, CALL).await.unwrap().choices[0].logprobs,
        None
    );
    request.set("logprobs", true);
    assert_eq!(
        model.complete(&request, CALL).await.unwrap().choices[0].mean_logprob(),
        Some(-0.25)
    );
    assert_eq!(
        streamed(&model, request).await.choices[0].mean_logprob(),
        Some(-0.25)
    );
}

#[tokio::test(start_paused = true)]
async fn a_script_answers_by_its_first_rule_that_applies() {
    let limited = ModelError::Limited {
        reason: "test".to_owned(),
    };
    let model = ScriptedModel::new("other")
        .when(
            |_, call| call.index == 1,
            Script::text("one").after(Duration::from_secs(2)),
        )
        .when(|_, call| call.index < 3, Script::error(limited));
    let request = ChatRequest::new("m", [Message::user("hi")]);
    let ask = async |index| {
        model
            .complete(&request, Call { index, ..CALL })
            .await
            .map(|answer| answer.choices[0].message.text().into_owned())
    };
    let began = Instant::now();
    assert_eq!(ask(1).await.unwrap(), "one");
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert!(matches!(ask(2).await, Err(ModelError::Limited { .. })));
    let (first, second) = tokio::join!(ask(1), ask(1));
    assert_eq!(
        (first.unwrap(), second.unwrap()),
        ("one".to_owned(), "one".to_owned())
    );
    assert_eq!(ask(3).await.unwrap(), "other");
    assert_eq!(model.ledger().most_open(), 2);
    let ends: Vec<Ended> = model
        .ledger()
        .calls()
        .iter()
        .map(|call| call.ended.unwrap().1)
        .collect();
    assert_eq!(
        ends,
        [
            Ended::Answered,
            Ended::Failed,
            Ended::Answered,
            Ended::Answered,
            Ended::Answered
        ]
    );
}
