//! Choosing an approach, and what a client sees of it.

use hone::sim::Knobs;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{Answer, Client, chat_body, hone, hone_before, table, upstream};

fn with(model: &str, fields: &Value) -> Value {
    let mut body = chat_body(model);
    for (name, value) in fields.as_object().expect("fixture: fields") {
        body[name] = value.clone();
    }
    body
}

/// What ran, by the response's own word.
fn ran(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-hone-approach").to_owned()
}

#[tokio::test]
async fn body_and_header_win_over_virtual_model_over_prefix_over_defaults() {
    let upstream = upstream().await;
    let tenant = format!(
        "[[tenant]]\nname = \"alice\"\nprovider_keys = [\"{}\"]\napproach = \"moa\"\n",
        hone::config::KeyDigest::of(b"alice")
    );
    let hone = hone(&format!(
        "approach = \"re2\"\n{}{tenant}[[model]]\nname = \"careful\"\nmodel = \"sim-small\"\n\
            approach = \"genselect\"\n",
        table(&upstream)
    ));
    let anyone = Client::new(hone.address()).key("k");
    let alice = Client::new(hone.address()).key("alice");
    assert_eq!(
        ran(&anyone.chat(&chat_body("sim-small")).await),
        "re2",
        "the server's default"
    );
    assert_eq!(
        ran(&alice.chat(&chat_body("sim-small")).await),
        "moa",
        "the tenant's default"
    );
    assert_eq!(
        ran(&alice.chat(&chat_body("bon-sim-small")).await),
        "bon",
        "a prefix"
    );
    assert_eq!(
        ran(&alice.chat(&chat_body("careful")).await),
        "genselect",
        "a virtual model"
    );
    assert_eq!(
        ran(&alice
            .chat(&with("careful", &json!({"optillm_approach": "none"})))
            .await),
        "none",
        "the body field"
    );
    assert_eq!(
        ran(&alice
            .clone()
            .header("x-hone-approach", "re2|bon")
            .chat(&chat_body("careful"))
            .await),
        "re2|bon",
        "the header"
    );
    assert_eq!(
        ran(&alice.chat(&chat_body("none-sim-small")).await),
        "none",
        "the way around"
    );
    let disagree = alice
        .header("x-hone-approach", "bon")
        .chat(&with("sim-small", &json!({"optillm_approach": "moa"})))
        .await;
    assert_eq!(
        (disagree.status.as_u16(), disagree.code().as_str()),
        (400, "approach_conflict")
    );
}

#[tokio::test]
async fn names_that_only_look_like_an_approach_are_models() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}models = [\"bon-the-model\", \"*\"]\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    for model in [
        "gpt-4o",
        "bonn-x",
        "bon-the-model",
        "sim/bon-x",
        "moa",
        "memoryless-llama-7b",
        "re2-",
    ] {
        assert_eq!(
            ran(&client.chat(&chat_body(model)).await),
            "none",
            "{model}"
        );
    }
    for (model, code) in [
        ("foo&bon-x", "unknown_approach"),
        ("bon&-x", "invalid_approach"),
        ("bon-moa-x", "ambiguous_approach"),
    ] {
        let answer = client.chat(&chat_body(model)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, code),
            "{model}"
        );
    }
    assert!(
        client
            .chat(&with("x", &json!({"optillm_approach": "bonn"})))
            .await
            .text()
            .contains("Did you mean `bon`?")
    );
}

#[tokio::test]
async fn an_approach_in_a_parameter_is_asked_for_like_any_other() {
    let upstream = upstream().await;
    let tenant = |name: &str, lines: &str| {
        let digest = hone::config::KeyDigest::of(name.as_bytes());
        format!(
            "[[tenant]]\nname = \"{name}\"\nprovider_keys = [\"{digest}\"]\n\
                approaches = [\"auto\", \"bon\"]\n{lines}"
        )
    };
    let tenants = tenant("alice", "") + &tenant("bob", "params = { auto_heavy = \"fusion\" }\n");
    let careful = "[[model]]\nname = \"careful\"\nmodel = \"sim-small\"\napproach = \"auto\"\n\
        params = { auto_heavy = \"fusion\" }\n";
    let hone = hone(&format!("{}{tenants}{careful}", table(&upstream)));
    let [alice, bob] = ["alice", "bob"].map(|key| Client::new(hone.address()).key(key));
    let asking = |heavy: &str| json!({"optillm_approach": "auto", "auto_heavy": heavy});
    for (model, fields) in [
        ("sim-small", asking("moa")),
        ("careful", json!({"auto_heavy": "moa"})),
        ("auto-sim-small", asking("fusion")),
    ] {
        for client in [&alice, &bob] {
            let refused = client.chat(&with(model, &fields)).await;
            assert_eq!(
                (refused.status.as_u16(), refused.code().as_str()),
                (403, "approach_not_allowed"),
                "{}",
                refused.text()
            );
            assert!(
                refused
                    .text()
                    .contains(fields["auto_heavy"].as_str().expect("fixture")),
                "{}",
                refused.text()
            );
        }
    }
    let mut long = with("sim-small", &asking("moa"));
    long["messages"][0]["content"] = json!("x".repeat(300 * 1024));
    assert_eq!(
        alice.chat(&long).await.status,
        403,
        "a large body is read elsewhere, by the same rule"
    );
    assert_eq!(upstream.stats().total_calls(), 0);
    let unknown = alice.chat(&with("sim-small", &asking("mao"))).await;
    assert_eq!(
        (
            unknown.status.as_u16(),
            unknown.json()["error"]["param"].as_str()
        ),
        (400, Some("auto_heavy"))
    );
    assert_eq!(
        ran(&alice.chat(&with("sim-small", &asking("bon"))).await),
        "auto",
        "she may use it"
    );
    assert_eq!(
        ran(&alice.chat(&chat_body("auto-sim-small")).await),
        "auto",
        "the default is hone's own choice"
    );
    assert_eq!(
        ran(&bob.chat(&chat_body("auto-sim-small")).await),
        "auto",
        "the operator chose it for him"
    );
    assert_eq!(
        ran(&alice.chat(&chat_body("careful")).await),
        "auto",
        "the operator chose it for whoever may use the model"
    );
    let stranger = Client::new(hone.address()).key("k");
    assert_eq!(
        ran(&stranger.chat(&with("sim-small", &asking("moa"))).await),
        "auto",
        "nothing is forbidden to it"
    );
}

#[tokio::test]
async fn a_tenant_uses_the_approaches_and_models_it_may() {
    let upstream = upstream().await;
    let tenant = format!(
        "[[tenant]]\nname = \"alice\"\nprovider_keys = [\"{}\"]\napproaches = [\"re2\"]\n\
            models = [\"sim-*\", \"careful\"]\n",
        hone::config::KeyDigest::of(b"alice")
    );
    let hone = hone(&format!(
        "{}{tenant}[[model]]\nname = \"careful\"\nmodel = \"sim-small\"\napproach = \"bon\"\n",
        table(&upstream)
    ));
    let alice = Client::new(hone.address()).key("alice");
    assert_eq!(ran(&alice.chat(&chat_body("re2-sim-small")).await), "re2");
    assert_eq!(
        ran(&alice.chat(&chat_body("careful")).await),
        "bon",
        "a virtual model that she may use grants its approach"
    );
    for (model, code) in [
        ("bon-sim-small", "approach_not_allowed"),
        ("re2&bon-sim-small", "approach_not_allowed"),
        ("gpt-4o", "model_not_allowed"),
        ("sim/gpt-4o", "model_not_allowed"),
    ] {
        let answer = alice.chat(&chat_body(model)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (403, code),
            "{model}"
        );
    }
}

#[tokio::test]
async fn tags_count_only_when_they_are_on_and_never_reach_the_upstream_then() {
    let upstream = upstream().await;
    let body = with(
        "sim-small",
        &json!({"messages": [{"role": "user",
            "content": "<optillm_approach>bon</optillm_approach>What is 2 + 3?"}]}),
    );
    let off = hone_before(&upstream);
    assert_eq!(
        ran(&Client::new(off.address()).key("k").chat(&body).await),
        "none"
    );
    assert!(
        String::from_utf8_lossy(&upstream.requests()[0].body).contains("optillm_approach"),
        "off: not a byte is touched"
    );
    let on = hone(&format!("tags = true\n{}", table(&upstream)));
    assert_eq!(
        ran(&Client::new(on.address()).key("k").chat(&body).await),
        "bon"
    );
    assert!(
        upstream
            .requests()
            .iter()
            .skip(1)
            .all(|request| !String::from_utf8_lossy(&request.body).contains("optillm_approach"))
    );
}

#[tokio::test]
async fn a_dry_run_tells_the_plan_and_spends_nothing() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let plan = Client::new(hone.address())
        .key("k")
        .header("x-hone-dry-run", "1")
        .chat(&with("bon-sim-small", &json!({"best_of_n": 5})))
        .await;
    assert_eq!(plan.status, 200);
    let plan = plan.json();
    assert_eq!(
        (plan["upstream_calls"].as_u64(), plan["depth"].as_u64()),
        (Some(6), Some(2)),
        "{plan}"
    );
    assert_eq!(upstream.stats().total_calls(), 0);
}

#[tokio::test]
async fn usage_is_the_sum_of_all_calls_and_detail_tells_each() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let client = Client::new(hone.address())
        .key("k")
        .header("x-hone-detail", "trace");
    let answer = client
        .chat(&with("moa-sim-small", &json!({"moa_proposers": 3})))
        .await
        .json();
    let calls = answer["hone"]["trace"]["calls"]
        .as_array()
        .unwrap_or_else(|| panic!("calls: {answer}"));
    assert_eq!(answer["hone"]["upstream_calls"], json!(calls.len()));
    assert!(
        answer["usage"]["completion_tokens"].as_u64()
            > answer["hone"]["final_usage"]["completion_tokens"].as_u64(),
        "{answer}"
    );
    let plain = Client::new(hone.address())
        .key("k")
        .chat(&chat_body("moa-sim-small"))
        .await
        .json();
    assert!(plain.get("hone").is_none());
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let client = Client::new(hone.address()).key("k");
    for (fields, param) in [
        (json!({"best_of_n": "three"}), "best_of_n"),
        (json!({"best_of_n": 0}), "best_of_n"),
        (json!({"best_of_n": 100_000}), "best_of_n"),
        (json!({"n": 17}), "n"),
        (json!({"sampling": "never"}), "sampling"),
    ] {
        let answer = client.chat(&with("bon-sim-small", &fields)).await;
        assert_eq!(answer.status, 400, "{fields}");
        assert_eq!(answer.json()["error"]["param"], json!(param), "{fields}");
    }
    assert_eq!(upstream.stats().total_calls(), 0);
}

#[tokio::test]
async fn hones_own_fields_and_the_clients_idempotency_key_do_not_go_into_sub_calls() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let fields = json!({"best_of_n": 2, "optillm_approach": "bon", "store": true,
        "metadata": {"a": "b"}, "top_k": 5, "chat_template_kwargs": {"x": 1}, "temperature": 0.3});
    let answer = Client::new(hone.address())
        .key("k")
        .header("idempotency-key", "i1")
        .chat(&with("sim-small", &fields))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["model"], "sim-small");
    for request in upstream.requests() {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        for gone in [
            "best_of_n",
            "optillm_approach",
            "store",
            "metadata",
            "stream",
        ] {
            assert!(body.get(gone).is_none(), "{gone}: {body}");
        }
        assert_eq!(
            (&body["top_k"], &body["chat_template_kwargs"]),
            (&json!(5), &json!({"x": 1}))
        );
        assert!(!request.headers.contains_key("idempotency-key"));
    }
}

#[tokio::test]
async fn a_failure_before_the_first_answer_keeps_its_status_in_a_stream_and_one_after_it_is_an_event()
 {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let client = Client::new(hone.address()).key("k");
    let fault = |fault: Value| json!({"stream": true, "sim": {"faults": [{"fault": fault}]}});
    let early = client
        .chat(&with(
            "moa-sim-small",
            &fault(json!({"status": {"status": 401}})),
        ))
        .await;
    assert_eq!(early.status, 401, "{}", early.text());
    let cut = client
        .open_chat(&with("re2-sim-small", &fault(json!("cut_mid_body"))))
        .await;
    assert_eq!(cut.status(), 200);
    let text =
        String::from_utf8_lossy(&cut.into_body().collect().await.expect("an end").to_bytes())
            .into_owned();
    assert!(text.contains("\"error\""), "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn a_streamed_answer_ends_with_what_it_cost() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let text = Client::new(hone.address())
        .key("k")
        .chat(&with(
            "bon-sim-small",
            &json!({"stream": true, "stream_options": {"include_usage": true}}),
        ))
        .await
        .text();
    let comment = text
        .lines()
        .find(|line| line.starts_with(": hone {"))
        .unwrap_or_else(|| panic!("a comment: {text}"));
    let told: Value = serde_json::from_str(comment.trim_start_matches(": hone ")).expect("JSON");
    assert!(told["upstream_calls"].as_u64() >= Some(2), "{told}");
    let before_done = text.rsplit("data: ").nth(1).expect("a last chunk");
    assert!(before_done.contains("\"usage\":{"), "{before_done}");
    assert!(text.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn auto_says_what_it_picked_and_why_within_the_tenants_limits() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\nupstream_calls_per_minute = 3\n",
        table(&upstream)
    ));
    upstream.set(Knobs {
        content: Some("The answer is 5.".to_owned()),
        ignores: vec!["logprobs".to_owned()],
        ..Knobs::default()
    });
    let client = Client::new(hone.address()).key("k");
    let answer = client.chat(&chat_body("auto-sim-small")).await;
    assert_eq!(
        (ran(&answer).as_str(), answer.header("x-hone-auto").get(..5)),
        ("auto", Some("none:")),
        "{:?}",
        answer.headers
    );
    let other = Client::new(hone.address()).key("another");
    for _ in 0..2 {
        assert_eq!(other.chat(&chat_body("sim-small")).await.status, 200);
    }
    let poor = other.chat(&chat_body("auto-sim-small")).await;
    assert_eq!(
        poor.header("x-hone-auto"),
        "none: the budget has no room for a second call"
    );
    let text = Client::new(hone.address())
        .key("third")
        .chat(&with("auto-sim-small", &json!({"stream": true})))
        .await
        .text();
    assert!(text.contains(r#""auto":["none: "#), "{text}");
}

#[tokio::test]
async fn optillms_field_decoding_names_an_approach_too() {
    let upstream = upstream().await;
    let hone = hone(&table(&upstream));
    let client = Client::new(hone.address()).key("k");
    let few = json!({"decoding": "deepconf", "warmup_samples": 2, "max_traces": 2,
        "confidence_top_k": 3});
    assert_eq!(
        ran(&client.chat(&with("sim-small", &few)).await),
        "deepconf"
    );
    assert_eq!(
        ran(&client
            .chat(&with("sim-small", &json!({"decoding": "greedy"})))
            .await),
        "none",
        "the upstream's own"
    );
    let twice = json!({"decoding": "deepconf", "optillm_approach": "deepconf", "max_traces": 1});
    assert_eq!(
        ran(&client.chat(&with("sim-small", &twice)).await),
        "deepconf"
    );
    for other in ["bon", "none"] {
        let disagree = client
            .chat(&with(
                "sim-small",
                &json!({"decoding": "deepconf", "optillm_approach": other}),
            ))
            .await;
        assert_eq!(
            (disagree.status.as_u16(), disagree.code().as_str()),
            (400, "approach_conflict"),
            "{other}"
        );
    }
}

#[tokio::test]
async fn what_an_upstream_lacks_is_named() {
    let upstream = upstream().await;
    let hone = hone(&table(&upstream));
    let lacking = Client::new(hone.address())
        .key("k")
        .chat(&with(
            "sim-small",
            &json!({"decoding": "cot_decoding", "sim": {"ignores": ["logprobs"]}}),
        ))
        .await;
    assert_eq!(
        (lacking.status.as_u16(), lacking.code().as_str()),
        (400, "capability_missing"),
        "{}",
        lacking.text()
    );
    assert!(lacking.text().contains("log probabilities"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_request_is_answered_beside_the_workers_whole_and_as_it_comes() {
    let upstream = upstream().await;
    let config = hone::config::Config::parse(
        &format!("listen = \"127.0.0.1:0\"\n{}", table(&upstream)),
        &|_| None,
    )
    .expect("a configuration");
    let workers = std::sync::Arc::new(hone::workers::Workers::start().expect("threads"));
    let hone = hone::app::App::start_on(Some(workers), config).expect("hone starts");
    let client = Client::new(hone.address()).key("k");
    let question = format!("{}What is 2 + 3?", "word ".repeat(200_000));
    let fields = |stream: bool| {
        json!({"messages": [{"role": "user", "content": question}],
        "stream": stream})
    };
    let whole = client.chat(&with("bon-sim-small", &fields(false))).await;
    assert_eq!(
        (whole.status.as_u16(), whole.header("x-hone-approach")),
        (200, "bon"),
        "{}",
        whole.text()
    );
    let began = tokio::time::Instant::now();
    let streamed = client.chat(&with("moa-sim-small", &fields(true))).await;
    assert!(
        streamed.text().ends_with("data: [DONE]\n\n"),
        "{}",
        streamed.text()
    );
    assert!(
        !streamed.text().contains(": working"),
        "nothing waits for the heartbeat"
    );
    assert!(began.elapsed().as_secs() < 10);
}
