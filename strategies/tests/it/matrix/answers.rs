//! What comes back to the client.

use hone_strategies::catalogue::Support;
use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::model::Purpose;
use hone_strategies::{Event, STRATEGIES};
use serde_json::{Value, json};

use super::trial;
use crate::support::{Fake, Seen, Trial, plays};
use crate::table::table;

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
