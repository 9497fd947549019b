//! Which approach a request gets, and which of hone's own words never reach an upstream.

use serde_json::json;

use crate::support::sim::{bodies, calls, fails_with};
use crate::support::{hone, upstream};

#[tokio::test]
async fn body_and_header_win_over_virtual_model_over_prefix_over_defaults() {
    let upstream = upstream().await;
    let hone = hone()
        .set("approach", "re2")
        .upstream(&upstream)
        .tenant("alice", |alice| {
            alice.provider_key("alice").set("approach", "moa")
        })
        .model("careful", "sim-small", "genselect")
        .start();
    let alice = hone.client("alice");
    let servers_default = hone.client("k").ask("sim-small").await;
    assert_eq!(servers_default.approach(), "re2");
    for (model, expected) in [
        ("sim-small", "moa"), // the tenant's default
        ("bon-sim-small", "bon"),
        ("careful", "genselect"),
        ("none-sim-small", "none"), // the way around
    ] {
        assert_eq!(alice.ask(model).await.approach(), expected, "{model}");
    }
    let none = json!({"optillm_approach": "none"});
    let field = alice.ask_with("careful", none).await;
    assert_eq!(field.approach(), "none");
    let header = alice.clone().header("x-hone-approach", "re2|bon");
    assert_eq!(header.ask("careful").await.approach(), "re2|bon");
    let header = alice.header("x-hone-approach", "bon");
    let moa = json!({"optillm_approach": "moa"});
    let disagree = header.ask_with("sim-small", moa).await;
    disagree.assert_refused(400, "approach_conflict");
}

#[tokio::test]
async fn names_that_only_look_like_an_approach_are_models() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, |upstream| {
            upstream.models(&["bon-the-model", "*"])
        })
        .start();
    let client = hone.client("k");
    for model in [
        "gpt-4o",
        "bonn-x",
        "bon-the-model",
        "sim/bon-x",
        "moa",
        "memoryless-llama-7b",
        "re2-",
    ] {
        assert_eq!(client.ask(model).await.approach(), "none", "{model}");
    }
    for (model, code) in [
        ("foo&bon-x", "unknown_approach"),
        ("bon&-x", "invalid_approach"),
        ("bon-moa-x", "ambiguous_approach"),
    ] {
        client.ask(model).await.assert_refused(400, code);
    }
    let bonn = json!({"optillm_approach": "bonn"});
    let unknown = client.ask_with("x", bonn).await;
    unknown.assert_says("Did you mean `bon`?");
}

#[tokio::test]
async fn tags_count_only_when_they_are_on_and_never_reach_the_upstream_then() {
    let upstream = upstream().await;
    let tagged = "<optillm_approach>bon</optillm_approach>What is 2 + 3?";
    let fields = json!({"messages": [{"role": "user", "content": tagged}]});
    let setup = hone().upstream(&upstream);
    let off = setup.start();
    let client = off.client("k");
    let answer = client.ask_with("sim-small", fields.clone()).await;
    assert_eq!(answer.approach(), "none");
    let relayed = &bodies(&upstream)[0];
    assert!(
        relayed.contains("optillm_approach"),
        "not a byte is touched"
    );
    let on = setup.set("tags", true).start();
    let answer = on.client("k").ask_with("sim-small", fields).await;
    assert_eq!(answer.approach(), "bon");
    for body in bodies(&upstream).iter().skip(1) {
        assert!(!body.contains("optillm_approach"), "{body}");
    }
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for (fields, param) in [
        (json!({"best_of_n": "three"}), "best_of_n"),
        (json!({"best_of_n": 0}), "best_of_n"),
        (json!({"best_of_n": 100_000}), "best_of_n"),
        (json!({"n": 17}), "n"),
        (json!({"sampling": "never"}), "sampling"),
    ] {
        let answer = hone.client("k").ask_with("bon-sim-small", fields).await;
        answer.assert_status(400);
        assert_eq!(answer.json()["error"]["param"], param, "{answer}");
    }
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn hones_own_fields_and_the_clients_idempotency_key_do_not_go_into_sub_calls() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    // A judge whose verdict comes first is asked for a stream, whatever the client is.
    let fields = json!({"best_of_n": 2, "judge_style": "reasoned", "optillm_approach": "bon",
        "store": true,
        "metadata": {"a": "b"}, "top_k": 5, "chat_template_kwargs": {"x": 1}, "temperature": 0.3});
    let client = hone.client("k").header("idempotency-key", "i1");
    let answer = client.ask_with("sim-small", fields).await;
    answer.assert_ok();
    assert_eq!(answer.json()["model"], "sim-small");
    for request in upstream.requests() {
        let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
        for gone in [
            "best_of_n",
            "judge_style",
            "optillm_approach",
            "store",
            "metadata",
            "stream",
        ] {
            assert!(body.get(gone).is_none(), "{gone}: {body}");
        }
        assert_eq!(body["top_k"], 5);
        assert_eq!(body["chat_template_kwargs"], json!({"x": 1}));
        assert!(!request.headers.contains_key("idempotency-key"));
    }
}

#[tokio::test]
async fn optillms_field_decoding_names_an_approach_too() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    for (fields, expected) in [
        (
            json!({"decoding": "deepconf", "warmup_samples": 2, "max_traces": 2,
                "confidence_top_k": 3}),
            "deepconf",
        ),
        (json!({"decoding": "greedy"}), "none"), // the upstream's own
        (
            json!({"decoding": "deepconf", "optillm_approach": "deepconf", "max_traces": 1}),
            "deepconf",
        ),
    ] {
        let answer = client.ask_with("sim-small", fields).await;
        assert_eq!(answer.approach(), expected, "{answer}");
    }
    for other in ["bon", "none"] {
        let fields = json!({"decoding": "deepconf", "optillm_approach": other});
        let disagree = client.ask_with("sim-small", fields).await;
        disagree.assert_refused(400, "approach_conflict");
    }
}

#[tokio::test]
async fn a_misspelt_parameter_is_told_beside_the_answer() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    let misspelt = json!({"best_of": 4, "top_k": 5, "moa_models": null});
    let answer = client.ask_with("bon-sim-small", misspelt).await;
    let degraded = answer.assert_ok().header("x-hone-degraded");
    assert!(
        degraded.ends_with("parameter best_of (best_of_n?)"),
        "{answer}"
    );
    let streamed = json!({"best-of-n": 4, "stream": true});
    let answer = client.ask_with("bon-sim-small", streamed).await;
    answer.assert_says(r#""parameter best-of-n (best_of_n?)"]"#);
    // Another approach's parameter is none of this one's, and a relay has none.
    for (model, field) in [("re2-sim-small", "best_of_n"), ("sim-small", "best_of")] {
        let answer = client.ask_with(model, json!({field: 4})).await;
        answer.assert_ok().assert_header("x-hone-degraded", "");
    }
}

#[tokio::test]
async fn a_model_that_no_provider_knows_and_that_begins_nearly_like_an_approach_is_told_so() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for (status, model, hint) in [
        (
            404,
            "bonn-sim-small",
            "no approach is called bonn; one is called bon",
        ),
        (404, "readurls-sim-small", ""),
        (404, "sim-small", ""),
        (400, "bonn-sim-small", ""),
    ] {
        let fields = json!({"sim": fails_with(status)});
        let answer = hone.client("k").ask_with(model, fields).await;
        answer
            .assert_status(status)
            .assert_header("x-hone-hint", hint)
            .assert_header("x-hone-error", "");
    }
    let twice = hone.client("k").post("/v1/v1/models", "{}").await;
    let hint = twice.assert_status(404).header("x-hone-hint");
    assert!(hint.contains("/v1 twice"), "{twice}");
}
