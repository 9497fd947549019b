//! The relay is faithful: what the upstream receives and what the client gets back are the other
//! side's bytes.

use http::Method;
use http_body_util::BodyExt;
use serde_json::json;

use crate::support::client::CHAT;
use crate::support::parts::SimHandle;
use crate::support::sim::{bodies, fails_with, fault};
use crate::support::{Client, chat_with, hone, text, upstream};

/// A body with everything that a parser and printer would change.
const ODD: &str = concat!(
    r#"{ "seed":1e400,"#,
    "\n\t",
    r#""messages" : [ {"role":"user","content":["#,
    r#"{"type":"text","text":"\u00e9\/\ud83d\ude00"},"#,
    r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]} ] ,"#,
    r#""zzz":{"b":1,"a":[1.0,1.10,-0]},"model":"sim-small","#,
    r#""tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"x":1,"x":2 }"#,
);

fn last_body(upstream: &SimHandle) -> String {
    bodies(upstream).pop().expect("a request")
}

#[tokio::test]
async fn the_upstream_receives_the_clients_json_byte_for_byte() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    hone.client("k").post(CHAT, ODD).await;
    assert_eq!(upstream.requests()[0].body, ODD.as_bytes());
}

#[tokio::test]
async fn only_what_stands_for_something_else_is_changed() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, |sim| sim.models(&["sim-*"]))
        .model("plain", "sim-small", "none")
        .start();
    let client = hone.client("k");
    let own_field = (r#""x":2 }"#, r#""x":2,"optillm_approach":"none" }"#);
    for (from, to) in [
        ("sim-small", "plain"),          // a virtual model
        ("sim-small", "none-sim-small"), // the prefix `none-`
        ("sim-small", "sim/sim-small"),  // an upstream's name
        own_field,
    ] {
        client.post(CHAT, ODD.replace(from, to)).await;
        let seen = last_body(&upstream);
        assert_eq!(seen.replace(' ', ""), ODD.replace(' ', ""), "{to}");
    }
}

#[tokio::test]
async fn a_large_body_arrives_byte_for_byte_but_for_what_must_change() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("tokens_per_minute", 100_000_000)
        .model("plain", "sim-small", "none")
        .start();
    let numbers = json!((0..400_000).collect::<Vec<_>>());
    let large = ODD.replace(r#""x":1,"#, &format!(r#""numbers":{numbers},"#));
    for model in ["sim-small", "plain"] {
        let sent = large.replace("sim-small", model);
        hone.client("k").post(CHAT, sent).await;
        let seen = last_body(&upstream);
        let (seen_length, length) = (seen.len(), large.len());
        assert!(seen == large, "{model}: {seen_length} bytes of {length}");
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_stream_arrives_event_by_event_as_the_upstream_sends_it() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let pace = json!({"tokens_per_second": 20, "content": "one two three four five"});
    let body = chat_with("sim-small", json!({"stream": true, "sim": pace}));
    let direct = Client::new(upstream.addr()).chat(&body).await;
    let mut through = hone.client("k").open_chat(&body).await;
    let first = through.body_mut().frame().await.expect("a frame");
    let first = first.expect("a frame").into_data().expect("data");
    assert!(
        upstream.stats().in_flight > 0,
        "the first event arrives while the upstream still writes"
    );
    let rest = through.into_body().collect().await.expect("the rest");
    let whole = [first, rest.to_bytes()].concat();
    let shape = |text: &str| text.lines().map(str::len).collect::<Vec<_>>();
    assert_eq!(shape(&text(&whole)), shape(&direct.text()));
    assert!(whole.ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test]
async fn upstream_statuses_headers_and_error_bodies_arrive_unchanged() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for status in [400, 401, 403, 404, 409, 422, 429, 500, 503] {
        let failure = fault(&json!({"status": {"status": status, "retry_after": "7"}}));
        let body = chat_with("sim-small", json!({"sim": failure}));
        let direct = Client::new(upstream.addr()).chat(&body).await;
        let through = hone.client(&format!("key-{status}")).chat(&body).await;
        through
            .assert_status(direct.status.as_u16())
            .assert_header("retry-after", "7")
            .assert_header("content-type", direct.header("content-type"))
            .assert_header("x-hone-error", ""); // it is not hone's own
        assert_eq!(through.body, direct.body);
    }
}

#[tokio::test]
async fn every_path_below_v1_is_relayed_with_its_method_query_and_body() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for (method, target, body) in [
        (Method::GET, "/v1/files/abc/content?x=1%20&y", ""),
        (Method::DELETE, "/v1/files/abc", ""),
        (Method::POST, "/v1/batches", r#"{"a":1}"#),
        (Method::PUT, "/v1/anything/at/all", "bytes"),
        (Method::PATCH, "/v1/containers/c1", "{}"),
    ] {
        hone.client("k").send(method.clone(), target, body).await;
        let seen = upstream.requests().last().expect("a request").clone();
        assert_eq!(seen.method, method, "{target}");
        assert_eq!(seen.target, target);
        assert_eq!(seen.body, body.as_bytes(), "{target}");
    }
}

#[tokio::test]
async fn the_base_urls_own_path_takes_the_place_of_v1() {
    let upstream = upstream().await;
    let url = format!("http://{}/openai/deployments/x/", upstream.addr());
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.set("base_url", url))
        .start();
    hone.client("k").get("/v1/models?api-version=1").await;
    let target = &upstream.requests()[0].target;
    assert_eq!(target, "/openai/deployments/x/models?api-version=1");
}

/// Headers that stay behind, and some that go on.
const STAY: [&str; 7] = [
    "cookie",
    "x-forwarded-for",
    "x-real-ip",
    "forwarded",
    "x-secret",
    "x-hone-whatever",
    "te",
];
const GO_ON: [&str; 7] = [
    "openai-beta",
    "x-stainless-lang",
    "idempotency-key",
    "content-type",
    "authorization",
    "host",
    "content-length",
];

#[tokio::test]
async fn headers_go_upstream_by_list() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone
        .client("k")
        .header("openai-beta", "v2")
        .header("x-stainless-lang", "python")
        .header("idempotency-key", "i1")
        .header("connection", "x-secret");
    let with = |client: Client, name: &&str| client.header(name, "trailers");
    let client = STAY.iter().fold(client, with);
    client.ask("sim-small").await;
    let seen = upstream.requests()[0].headers.clone();
    for name in STAY.into_iter().chain(["connection"]) {
        assert!(!seen.contains_key(name), "{name}");
    }
    for name in GO_ON {
        assert!(seen.contains_key(name), "{name}");
    }
    assert_eq!(seen["accept-encoding"], "identity");
}

#[tokio::test]
async fn asking_a_stream_for_its_usage_is_invisible_to_the_client() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("tokens_per_minute", 100_000)
        .start();
    let client = hone.client("k");
    let silent = client.ask_with("sim-small", json!({"stream": true})).await;
    assert!(bodies(&upstream)[0].contains("include_usage"));
    silent.assert_hides(r#""choices":[]"#).assert_done();
    let own = json!({"stream": true, "stream_options": {"include_usage": true}});
    let told = client.ask_with("sim-small", own).await;
    told.assert_says(r#""choices":[]"#);
}

#[tokio::test]
async fn the_model_list_is_the_upstreams_own_with_virtual_models_added() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .model("careful", "sim-small", "bon")
        .start();
    let client = hone.client("mine");
    let list = client.get("/v1/models").await;
    assert_eq!(list.model_ids(), ["sim-small", "sim-large", "careful"]);
    // It is asked with the caller's own key.
    assert_eq!(upstream.stats().calls_with(b"mine"), 1);
    let careful = client.get("/v1/models/careful").await.json();
    assert_eq!(careful["owned_by"], "hone");
    let nothing = client.get("/v1/models/nothing-like-it").await;
    nothing.assert_status(404); // the upstream's own answer
}

#[tokio::test]
async fn approaches_on_other_paths_than_chat_are_refused_and_defaults_do_not_apply_there() {
    let upstream = upstream().await;
    let hone = hone()
        .set("approach", "bon")
        .upstream(&upstream)
        .model("careful", "sim-small", "bon")
        .start();
    let embed = async |model: &str| {
        let body = json!({"model": model, "input": "x"}).to_string();
        hone.client("k").post("/v1/embeddings", body).await
    };
    for model in ["careful", "bon-sim-small"] {
        let answer = embed(model).await;
        answer.assert_refused(400, "approach_not_supported_here");
    }
    embed("sim-small").await;
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn who_asks_for_an_approach_where_none_answers_is_told_where_they_do() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let body = json!({"model": "bon-sim-small", "input": "x"}).to_string();
    let refused = hone.client("k").post("/v1/embeddings", body).await;
    refused.assert_refused(400, "approach_not_supported_here");
    for place in [
        "`/v1/chat/completions`",
        "`/v1/responses`",
        "`/v1/messages`",
    ] {
        refused.assert_says(place);
    }
}

#[tokio::test]
async fn what_hone_answers_itself_has_an_id_where_openais_clients_look_for_one() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .model("careful", "sim-small", "bon")
        .limit("requests_per_minute", 4)
        .start();
    let client = hone.client("k");
    let streamed = chat_with("re2-sim-small", json!({"stream": true}));
    let own = [
        client.get("/livez").await,
        client.get("/nothing").await,
        client.get("/hone/whoami").await,
        client.get("/v1/models/careful").await,
        client.ask("re2-sim-small").await,
        client.ask("bonn&moa-sim-small").await,
        client.chat(&streamed).await,
        client.ask("re2-sim-small").await, // one too many
        hone.keyless().ask("sim-small").await,
    ];
    for answer in &own {
        let id = answer.header("x-hone-request-id");
        assert!(id.starts_with("req_"), "{answer}");
        answer.assert_header("x-request-id", id);
    }
    assert_eq!(
        own.map(|answer| answer.status.as_u16()),
        [200, 404, 200, 200, 200, 400, 200, 429, 401]
    );
}

#[tokio::test]
async fn a_providers_own_id_stays() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    for model in ["sim-small", "re2-sim-small"] {
        let refused = client
            .ask_with(model, json!({"sim": fails_with(400)}))
            .await;
        let (theirs, ours) = (
            refused.header("x-request-id"),
            refused.header("x-hone-request-id"),
        );
        assert!(theirs.starts_with("req_sim") && theirs != ours, "{refused}");
    }
    let list = client.get("/v1/models").await;
    assert!(list.header("x-request-id").starts_with("req_sim"), "{list}");
}

#[tokio::test]
async fn a_head_request_has_the_heads_of_the_answer_and_no_body() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let answer = hone.client("k").send(Method::HEAD, "/livez", "").await;
    answer.assert_ok();
    assert_eq!(answer.body.len(), 0);
}

#[tokio::test]
async fn http2_clients_are_served_without_tls() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let answer = hone.http2().key("k").ask("sim-small").await;
    answer.assert_ok();
    assert!(answer.json()["choices"][0]["message"]["content"].is_string());
}
