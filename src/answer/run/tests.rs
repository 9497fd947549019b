use hone_strategies::chat::{Reported, Usage};
use hone_strategies::{Event, StrategyError, Trace};
use http_body_util::BodyExt;

use super::*;
use crate::request::headers::Detail;

/// A run that sends these events, each after so many seconds, and ends after `seconds`.
fn run(
    events: Vec<(u64, Event)>,
    seconds: u64,
    end: Result<(), ProxyError>,
) -> (Running, EventStream) {
    let (sink, receiver) = event_channel(EVENTS);
    let began = Instant::now();
    let at = move |seconds| tokio::time::sleep_until(began + Duration::from_secs(seconds));
    let running = async move {
        for (seconds, event) in events {
            at(seconds).await;
            sink.send(event).await.expect("somebody listens");
        }
        at(seconds).await;
        end.map(|()| outcome())
    };
    (Box::pin(running), receiver)
}

fn outcome() -> Outcome {
    Outcome {
        choices: Vec::new(),
        usage: Usage::default(),
        reported: Reported::default(),
        final_usage: Usage::default(),
        calls: 1,
        degraded: Vec::new(),
        trace: Trace::default(),
    }
}

fn failure() -> Result<(), ProxyError> {
    Err(ProxyError::Strategy(StrategyError::Deadline))
}

/// The answer to a client that asked for a stream, and after how many seconds it began.
async fn begin((running, events): (Running, EventStream)) -> (u64, Result<EventBody, ProxyError>) {
    let asked = Instant::now();
    let writer = Writer::Chat(Box::new(ChatWriter {
        identity: Identity::new("r", "m"),
        include_usage: false,
        detail: Detail::None,
        shown: ShownUsage::Sum,
        beside: Map::new(),
    }));
    let how = (writer, Arc::default());
    let reply = stream(running, Account::default(), events, how).await;
    let reply = reply.map(|reply| match reply {
        Reply::Events { body, .. } => body,
        other => panic!("a stream: {other:?}"),
    });
    (asked.elapsed().as_secs(), reply)
}

/// What follows, each with the second in which it comes.
async fn rest(mut body: EventBody, asked: Instant) -> Vec<(u64, String)> {
    let mut told = Vec::new();
    while let Some(frame) = body.frame().await {
        let bytes = frame.expect("a frame").into_data().expect("data");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        told.push((asked.elapsed().as_secs(), text));
    }
    told
}

#[tokio::test(start_paused = true)]
async fn a_stream_begins_after_ten_seconds_though_nothing_has_been_answered() {
    let asked = Instant::now();
    let (began, body) = begin(run(Vec::new(), 35, Ok(()))).await;
    assert_eq!(began, 10);
    let told = rest(body.expect("a stream"), asked).await;
    let (comments, end) = told.split_at(2);
    let working = |seconds| (seconds, ": working\n\n".to_owned());
    assert_eq!(comments, [working(20), working(30)]);
    assert!(end.iter().all(|(seconds, _)| *seconds == 35), "{end:?}");
    assert_eq!(end.last().expect("an end").1, "data: [DONE]\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_stream_begins_with_the_first_answer_if_that_comes_sooner() {
    let started = vec![(3, Event::Started)];
    let (began, body) = begin(run(started, 35, Ok(()))).await;
    assert_eq!(began, 3);
    body.expect("a stream");
    let (began, body) = begin(run(Vec::new(), 4, Ok(()))).await;
    assert_eq!(began, 4);
    body.expect("a stream");
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_its_status_until_the_stream_begins() {
    let (began, refused) = begin(run(Vec::new(), 9, failure())).await;
    assert_eq!(began, 9);
    refused.expect_err("a status of its own");
    let asked = Instant::now();
    let (began, body) = begin(run(Vec::new(), 11, failure())).await;
    assert_eq!(began, 10);
    let told = rest(body.expect("a stream"), asked).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let (seconds, event) = &told[0];
    assert_eq!(*seconds, 11);
    assert!(event.starts_with("data: {\"error\":"), "{event}");
}
