//! Stop sequences: what an upstream is told of them.

use hone_dialects::stops::{Guard, part};
use hone_dialects::{Dialect, codec};
use hone_strategies::chat::ChatRequest;
use serde_json::{Value, json};

use crate::support::{decoded, encoded, json_of, target};

/// A client's request with six stop sequences.
fn asked(client: Dialect) -> ChatRequest {
    let stops = json!(["1", "2", "3", "4", "5", "6"]);
    let messages = json!([{"role": "user", "content": "q"}]);
    let body = match client {
        Dialect::Anthropic => json!({"model": "m", "max_tokens": 9, "messages": messages,
            "stop_sequences": stops}),
        Dialect::Gemini => {
            json!({"model": "m", "contents": [{"role": "user", "parts": [{"text": "q"}]}],
            "generationConfig": {"stopSequences": stops}})
        }
        Dialect::OpenAiChat => json!({"model": "m", "messages": messages, "stop": stops}),
        Dialect::OpenAiResponses => json!({"model": "m", "input": "q"}),
    };
    let mut request = decoded(client, &body).unwrap();
    // Responses' clients have none; a strategy may have set some.
    request.set("stop", stops);
    request
}

/// Where an upstream finds them.
fn told(upstream: Dialect, body: &Value) -> Vec<Value> {
    let path = match upstream {
        Dialect::Anthropic => "/stop_sequences",
        Dialect::Gemini => "/generationConfig/stopSequences",
        Dialect::OpenAiChat | Dialect::OpenAiResponses => "/stop",
    };
    let list = body.pointer(path).and_then(Value::as_array);
    list.cloned().unwrap_or_default()
}

#[test]
fn an_upstream_is_told_the_stops_that_it_takes_and_none_of_them_counts_as_lost() {
    for client in Dialect::ALL {
        for upstream in Dialect::ALL {
            let request = asked(client);
            let sent = encoded(upstream, &request);
            let parted = part(&request, upstream).unwrap();
            let names = format!("{} to {}", client.name(), upstream.name());
            assert_eq!(told(upstream, &json_of(&sent)), parted.told, "{names}");
            let all = parted.told.len() + parted.watched.len();
            assert_eq!(all, 6, "{names}");
            let lost = sent.losses.degraded.iter().chain(&sent.losses.quiet);
            let of_stops = lost.filter(|name| name.to_lowercase().contains("stop"));
            assert_eq!(of_stops.count(), 0, "{names}");
        }
    }
}

#[test]
fn hone_watches_for_the_stops_of_a_responses_upstream_whoever_set_them() {
    for client in Dialect::ALL {
        assert!(Guard::of(&asked(client), Dialect::OpenAiResponses).is_some());
    }
}

#[test]
fn stops_that_nobody_watches_for_are_refused_in_the_clients_spelling() {
    let messages = json!([{"role": "user", "content": "q"}]);
    let body = json!({"model": "m", "max_tokens": 9, "messages": messages,
        "stop_sequences": vec!["x"; 100]});
    let request = decoded(Dialect::Anthropic, &body).unwrap();
    let upstreams = [
        Dialect::Gemini,
        Dialect::OpenAiChat,
        Dialect::OpenAiResponses,
    ];
    for upstream in upstreams {
        let refusal = codec(upstream).encode_request(&request, &target());
        let param = refusal.unwrap_err().param;
        assert_eq!(
            param.as_deref(),
            Some("stop_sequences"),
            "{}",
            upstream.name()
        );
    }
}
