//! What real servers write where OpenAI writes something else: refusals, counts, lists, dates, and
//! answers that came out compressed.

use std::time::{Duration, SystemTime};

use http::Method;
use serde_json::{Value, json};

use crate::support::head::answer;
use crate::support::raw::{RawUpstream, Then};
use crate::support::{Client, chat_with, hone};

fn completion(text: &str) -> Value {
    let message = json!({"role": "assistant", "content": text});
    json!({"id": "c", "object": "chat.completion", "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}})
}

fn document(status: &str, body: &Value) -> Vec<u8> {
    answer(status).json().close().body(body.to_string())
}

/// An upstream whose requests with `field` in their body are refused.
async fn refusing(field: &'static str, status: &'static str, refusal: Value) -> RawUpstream {
    let quoted = format!("\"{field}\"");
    RawUpstream::answering(move |request| {
        if request.contains(&quoted) {
            document(status, &refusal)
        } else {
            document("200 OK", &completion("4"))
        }
    })
    .await
}

#[tokio::test]
async fn what_hone_added_is_taken_back_whoever_refuses_it_and_in_whatever_form() {
    let refusals = |field: &str| {
        [
            // SGLang, LM Studio, FastAPI, Bedrock, TGI, Azure, and a text alone.
            (
                "400 Bad Request",
                json!({"object": "error", "code": 400, "type": "BadRequestError",
                "message": format!("Extra inputs are not permitted: {field}")}),
            ),
            (
                "400 Bad Request",
                json!({"error": format!("Unrecognized key(s) in object: '{field}'")}),
            ),
            (
                "422 Unprocessable Entity",
                json!({"detail": [{"type": "extra_forbidden",
                "loc": ["body", field], "msg": "Extra inputs are not permitted"}]}),
            ),
            (
                "400 Bad Request",
                json!({"message":
                format!("Malformed input request: extraneous key [{field}] is not permitted")}),
            ),
            (
                "422 Unprocessable Entity",
                json!({"error": format!("Input validation error: `{field}` \
                is not supported"), "error_type": "validation"}),
            ),
            (
                "400 Bad Request",
                json!({"error": {"code": "unsupported_parameter", "param": field,
                "message": "Unsupported parameter", "innererror": null}}),
            ),
            ("400 Bad Request", json!(format!("unknown field `{field}`"))),
        ]
    };
    for (status, refusal) in refusals("max_completion_tokens") {
        let upstream = refusing("max_completion_tokens", status, refusal.clone()).await;
        let hone = hone().upstream(&upstream).start();
        let answer = hone.client("k").ask("cepo-m").await;
        answer.assert_ok();
        assert!(upstream.heard().len() > 1, "{refusal}");
    }
    // What the client itself sent is its own affair.
    let upstream = refusing("top_k", "400 Bad Request", json!({"error": "`top_k`: no"})).await;
    let hone = hone().upstream(&upstream).start();
    let refused = hone
        .client("k")
        .ask_with("re2-m", json!({"top_k": 3}))
        .await;
    refused.assert_status(400).assert_says("`top_k`: no");
}

#[tokio::test]
async fn a_text_beside_a_count_of_nothing_is_counted() {
    let text = "word ".repeat(2000);
    let zeros = [
        json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        json!({"total_tokens": 0}),
        json!({"prompt_tokens": null, "completion_tokens": null, "total_tokens": null}),
        json!({"prompt_tokens": 12, "completion_tokens": 0, "total_tokens": 12}),
        json!({"prompt_tokens": "0", "completion_tokens": 0.0}),
        json!({}),
        json!(null),
    ];
    for usage in zeros {
        let mut body = completion(&text);
        body["usage"] = usage.clone();
        let upstream = RawUpstream::start(document("200 OK", &body), Then::Close).await;
        let hone = hone()
            .upstream(&upstream)
            .limit("tokens_per_minute", 9000)
            .start();
        for model in ["m", "re2-m"] {
            let client = hone.client(model);
            let mut served = 0;
            while served < 12 && client.ask(model).await.status == 200 {
                served += 1;
            }
            assert!(
                (1..6).contains(&served),
                "{usage} of {model}: {served} answers"
            );
        }
    }
}

#[tokio::test]
async fn the_costs_that_a_provider_tells_are_added_up_over_all_calls() {
    let mut body = completion("The answer is 4.");
    for (name, more) in [
        ("cost", json!(0.25)),
        ("cost_details", json!({"upstream_inference_cost": 0.5})),
        (
            "prompt_tokens_details",
            json!({"cached_tokens": 1, "audio_tokens": 2}),
        ),
        ("is_byok", json!(false)),
    ] {
        body["usage"][name] = more;
    }
    let upstream = RawUpstream::start(document("200 OK", &body), Then::Close).await;
    let hone = hone().upstream(&upstream).start();
    let stream = json!({"stream": true, "stream_options": {"include_usage": true}});
    for (fields, model) in [
        (json!({}), "moa-m"),
        (stream, "moa-m"),
        (json!({}), "re2-m"),
    ] {
        let before = upstream.heard().len();
        let answer = hone.client("k").ask_with(model, fields).await;
        answer.assert_ok();
        let calls = f64::from(u32::try_from(upstream.heard().len() - before).expect("few"));
        let text = answer.text();
        let last = text.lines().rev().find_map(|line| {
            let data = line.strip_prefix("data: ").unwrap_or(line);
            let told: Value = serde_json::from_str(data).ok()?;
            told.get("usage").filter(|usage| usage.is_object()).cloned()
        });
        let usage = last.expect("a usage");
        assert_eq!(usage["cost"].as_f64(), Some(0.25 * calls), "{answer}");
        let inner = &usage["cost_details"]["upstream_inference_cost"];
        assert_eq!(inner.as_f64(), Some(0.5 * calls), "{answer}");
        let audio = &usage["prompt_tokens_details"]["audio_tokens"];
        assert_eq!(audio.as_f64(), Some(2.0 * calls), "{answer}");
        assert_eq!(usage["is_byok"], false, "{answer}");
        assert_eq!(
            usage["total_tokens"].as_f64(),
            Some(18.0 * calls),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_list_of_models_is_read_in_every_form_for_everybody() {
    for list in [
        json!([{"id": "m1"}, {"id": "m2"}]),
        json!({"data": [{"id": "m1"}, {"id": "m2"}]}),
        json!({"models": [{"name": "m1", "model": "m1", "size": 1}, {"name": "m2"}]}),
        json!(["m1", "m2"]),
        json!({"object": "list", "data": [{"id": "m1", "meta": {"n_ctx": 1}}, {"id": "m2"}],
            "has_more": false}),
        json!([{"name": "m1", "publisher": "x"}, {"id": "m2", "name": "Model 2"}]),
    ] {
        let upstream = RawUpstream::start(document("200 OK", &list), Then::Close).await;
        let setup = hone().upstream(&upstream).model("careful", "m1", "re2");
        let alice = |tenant: crate::support::setup::Tenant| {
            tenant.provider_key("alice").models(&["m2", "careful"])
        };
        let hone = setup.tenant("alice", alice).start();
        let seen = async |client: Client| client.get("/v1/models").await.model_ids();
        let mut all = seen(hone.client("k")).await;
        all.sort_unstable();
        assert_eq!(all, ["careful", "m1", "m2"], "{list}");
        let mut hers = seen(hone.client("alice")).await;
        hers.sort_unstable();
        assert_eq!(hers, ["careful", "m2"], "{list}");
    }
}

#[tokio::test]
async fn a_provider_that_hangs_does_not_hold_the_list_for_more_than_five_seconds() {
    let list = json!({"data": [{"id": "m1"}]});
    let first = RawUpstream::start(document("200 OK", &list), Then::Close).await;
    let hangs = RawUpstream::start("", Then::Hang).await;
    let hone = hone()
        .upstream(&first)
        .upstream_with(&hangs, |hangs| {
            hangs.named("hangs").keyless().models(&["x"])
        })
        .start();
    let client = hone.client("k");
    let listed = tokio::time::timeout(Duration::from_secs(9), client.get("/v1/models")).await;
    let listed = listed.expect("before a picker gives up");
    assert_eq!(listed.assert_ok().model_ids(), ["m1"]);
}

#[tokio::test]
async fn a_strategy_waits_as_long_as_a_provider_asks_in_any_form_or_not_at_all() {
    let date = |seconds| httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds));
    for (name, value, calls) in [
        ("retry-after", date(40), 1),
        ("retry-after", "40".to_owned(), 1),
        ("retry-after-ms", "40000".to_owned(), 1),
        ("retry-after", "40.5".to_owned(), 1),
        ("retry-after", date(0), 3),
        ("retry-after", "0".to_owned(), 3),
    ] {
        let refusal = answer("429 Too Many Requests")
            .json()
            .close()
            .header(name, &value)
            .body(
                r#"{"error":{"message":"slower","type":"requests","code":"rate_limit_exceeded"}}"#,
            );
        let upstream = RawUpstream::start(refusal, Then::Close).await;
        let hone = hone().upstream(&upstream).start();
        hone.client("k")
            .ask("re2-m")
            .await
            .assert_status(429)
            .assert_says("slower");
        assert_eq!(upstream.heard().len(), calls, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_post_without_a_body_says_so_to_the_provider() {
    let upstream = RawUpstream::start(document("200 OK", &json!({})), Then::Close).await;
    let hone = hone().upstream(&upstream).start();
    for (method, path) in [
        (Method::POST, "/v1/responses/r/cancel"),
        (Method::POST, "/v1/fine_tuning/jobs/j/cancel"),
        (Method::PUT, "/v1/unknown"),
        (Method::PATCH, "/v1/unknown"),
    ] {
        for client in [hone.client("k"), hone.http2().key("k")] {
            client.send(method.clone(), path, "").await.assert_ok();
            let heard = upstream.heard().pop().expect("a request").to_lowercase();
            assert!(heard.contains("\r\ncontent-length: 0\r\n"), "{heard}");
        }
    }
    hone.client("k").get("/v1/files").await.assert_ok();
    let heard = upstream.heard().pop().expect("a request").to_lowercase();
    assert!(!heard.contains("content-length"), "{heard}");
}

#[tokio::test]
async fn a_model_whose_vendor_is_named_like_the_upstream_keeps_its_name() {
    for (name, models, asked, heard) in [
        ("openrouter", "*", "openrouter/auto", "openrouter/auto"),
        ("groq", "*", "groq/compound", "groq/compound"),
        (
            "nvidia",
            "nvidia/*",
            "nvidia/llama-3.1-nemotron",
            "nvidia/llama-3.1-nemotron",
        ),
        (
            "mistralai",
            "mistralai/Mixtral-8x7B",
            "mistralai/Mixtral-8x7B",
            "mistralai/Mixtral-8x7B",
        ),
        ("openrouter", "*", "none-openrouter/auto", "openrouter/auto"),
    ] {
        let body = document("200 OK", &completion("4"));
        let upstream = RawUpstream::start(body, Then::Close).await;
        let hone = hone()
            .upstream_with(&upstream, |upstream| upstream.named(name).models(&[models]))
            .start();
        for prefix in ["", "re2-"] {
            let asked = format!("{prefix}{}", asked.trim_start_matches("none-"));
            hone.client("k").ask(&asked).await.assert_ok();
            let last = upstream.heard().pop().expect("a request");
            assert!(
                last.contains(&format!("\"model\":\"{heard}\"")),
                "{asked}: {last}"
            );
        }
        hone.client("k").ask(asked).await.assert_ok();
    }
}

/// The tokens that all callers were charged, on whatever grounds.
fn charged(metrics: &str) -> f64 {
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("hone_charged_tokens_total"));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum()
}

/// A body that no reader takes for JSON or events.
const PACKED: &[u8] = b"\x1f\x8b\x08\x00\n\n\ndata: {\"usage\"\xff\x00";

#[tokio::test]
async fn an_answer_that_came_out_compressed_passes_untouched_and_costs_what_was_expected() {
    for (coding, kind) in [
        ("gzip", "application/json"),
        ("br", "text/event-stream"),
        ("identity, zstd", "application/json"),
        ("DEFLATE", "text/event-stream"),
    ] {
        let given = answer("200 OK")
            .header("content-type", kind)
            .header("content-encoding", coding)
            .close()
            .body(PACKED);
        let upstream = RawUpstream::start(given, Then::Close).await;
        let setup = hone()
            .upstream(&upstream)
            .limit("tokens_per_minute", 100_000);
        let hone = setup.admin().start();
        let stream = kind == "text/event-stream";
        for (path, client) in [("/v1/chat/completions", "a"), ("/v1/unknown", "b")] {
            let client = hone.client(client);
            let body = chat_with("m", json!({"stream": stream, "max_tokens": 5000}));
            let answer = client.post(path, body.to_string()).await;
            answer.assert_ok().assert_header("content-encoding", coding);
            assert_eq!(answer.body, PACKED, "{coding} at {path}");
            let charged = charged(&hone.metrics().await);
            let least = if path == "/v1/unknown" {
                5500.0
            } else {
                5000.0
            };
            assert!(charged >= least, "{coding} at {path}: {charged}");
        }
        let heard = upstream.heard().concat().to_lowercase();
        assert!(!heard.contains("accept-encoding: gzip"), "{heard}");
        let refused = hone.client("c").ask("re2-m").await;
        refused
            .assert_refused(502, "upstream_malformed")
            .assert_says("compressed");
    }
}

#[tokio::test]
async fn a_compressed_request_passes_where_hone_need_not_read_it_and_is_refused_by_name_elsewhere()
{
    let upstream = RawUpstream::start(document("200 OK", &json!({})), Then::Close).await;
    let setup = hone().upstream(&upstream);
    let post = async |client: Client, path: &str, coding: &str| {
        let client = client.header("content-type", "application/json");
        let client = client.header("content-encoding", coding);
        client.send(Method::POST, path, PACKED).await
    };
    let plain = setup.start();
    for coding in ["gzip", "br", "zstd", "Deflate", "gzip, gzip"] {
        for path in ["/v1/batches", "/v1/images/generations", "/v1/unknown"] {
            post(plain.client("k"), path, coding).await.assert_ok();
            let heard = upstream.heard().pop().expect("a request");
            assert!(
                heard.contains(&format!("content-encoding: {coding}")),
                "{heard}"
            );
        }
        for path in ["/v1/chat/completions", "/v1/embeddings", "/v1/responses"] {
            let refused = post(plain.client("k"), path, coding).await;
            refused
                .assert_refused(415, "unsupported_encoding")
                .assert_says(&format!("`content-encoding: {coding}`"))
                .assert_says("uncompressed");
        }
    }
    let identity = plain.client("k").header("content-encoding", "Identity");
    identity.ask("m").await.assert_ok();
    let limited = setup.clone().limit("tokens_per_minute", 1000).start();
    post(limited.client("k"), "/v1/batches", "gzip")
        .await
        .assert_ok();
    let refused = post(limited.client("k"), "/v1/unknown", "gzip").await;
    refused.assert_refused(415, "unsupported_encoding");
}

#[tokio::test]
async fn an_instruction_of_hones_goes_into_the_question_where_no_system_has_a_say() {
    for (status, refusal) in [
        (
            "400 Bad Request",
            json!({"object": "error", "message": "System role not supported", "code": 400}),
        ),
        (
            "422 Unprocessable Entity",
            json!({"error": "Template error: Conversation roles must alternate user/assistant/\
                user/assistant/...", "error_type": "template_error"}),
        ),
        (
            "400 Bad Request",
            json!([{"error": {"code": 400, "status": "INVALID_ARGUMENT",
                "message": "Developer instruction is not enabled for models/gemma-3-27b-it"}}]),
        ),
    ] {
        let told = refusal.to_string();
        let upstream = RawUpstream::answering(move |request| {
            let is_told =
                request.contains(r#""role":"system""#) || request.contains(r#""role":"developer""#);
            if is_told {
                document(status, &refusal)
            } else {
                document("200 OK", &completion("Final answer: 4"))
            }
        })
        .await;
        let hone = hone().upstream(&upstream).start();
        for model in ["self_consistency-m", "cot_reflection-m"] {
            let answer = hone.client("k").ask(model).await;
            assert_eq!(answer.status, 200, "{told}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_strategys_stream_tells_the_proxies_on_its_way_to_pass_it_at_once() {
    let body = document("200 OK", &completion("4"));
    let upstream = RawUpstream::start(body, Then::Close).await;
    let hone = hone().upstream(&upstream).start();
    for model in ["re2-m", "bon-m", "cot_reflection-m"] {
        let answer = hone
            .client("k")
            .ask_with(model, json!({"stream": true}))
            .await;
        answer
            .assert_done()
            .assert_header("x-accel-buffering", "no")
            .assert_header("cache-control", "no-cache")
            .assert_header("content-type", "text/event-stream");
    }
}
