//! The relay is faithful: what the upstream receives and what the client gets back are the other
//! side's bytes.

use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{Client, chat_body, hone, hone_before, table, upstream};

/// A body with everything that a parser and printer would change.
const ODD: &str = "{ \"seed\":1e400,\n\t\"messages\" : [ \
    {\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\\u00e9\\/\\ud83d\\ude00\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]} ] ,\"zzz\":{\"b\":1,\"a\":[1.0,1.10,-0]},\"model\":\"sim-small\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}],\"x\":1,\"x\":2 }";

#[tokio::test]
async fn the_upstream_receives_the_clients_json_byte_for_byte() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    Client::new(hone.address())
        .key("k")
        .post("/v1/chat/completions", ODD)
        .await;
    assert_eq!(upstream.requests()[0].body, ODD.as_bytes());
}

#[tokio::test]
async fn only_what_stands_for_something_else_is_changed() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[[model]]\nname = \"plain\"\nmodel = \"sim-small\"\napproach = \"none\"\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let rows = [
        (
            ODD.replace("sim-small", "plain"),
            ODD.to_owned(),
            "a virtual model",
        ),
        (
            ODD.replace("sim-small", "none-sim-small"),
            ODD.to_owned(),
            "the prefix `none-`",
        ),
        (
            ODD.replace("sim-small", "sim/sim-small"),
            ODD.to_owned(),
            "an upstream's name",
        ),
        (
            ODD.replace(
                "\"x\":1,\"x\":2 }",
                "\"x\":1,\"x\":2,\"optillm_approach\":\"none\" }",
            ),
            ODD.to_owned(),
            "hone's own field",
        ),
    ];
    for (sent, expected, why) in rows {
        client.post("/v1/chat/completions", sent).await;
        let seen = String::from_utf8(upstream.requests().last().expect("a request").body.to_vec())
            .expect("text");
        assert_eq!(seen.replace(' ', ""), expected.replace(' ', ""), "{why}");
    }
}

#[tokio::test]
async fn a_large_body_arrives_byte_for_byte_but_for_what_must_change() {
    let upstream = upstream().await;
    let limits = "[limits]\ntokens_per_minute = 100000000\n[[model]]\nname = \"plain\"\n\
        model = \"sim-small\"\napproach = \"none\"\n";
    let hone = hone(&format!("{}{limits}", table(&upstream)));
    let client = Client::new(hone.address()).key("k");
    let numbers = json!((0..400_000).collect::<Vec<_>>());
    let large = ODD.replace("\"x\":1,", &format!("\"numbers\":{numbers},"));
    for model in ["sim-small", "plain"] {
        client
            .post("/v1/chat/completions", large.replace("sim-small", model))
            .await;
        let seen = upstream.requests().last().expect("a request").body.clone();
        assert!(
            seen == large,
            "{model}: {} bytes of {}",
            seen.len(),
            large.len()
        );
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_stream_arrives_event_by_event_as_the_upstream_sends_it() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let mut body = chat_body("sim-small");
    body["stream"] = json!(true);
    body["sim"] = json!({"tokens_per_second": 20, "content": "one two three four five"});
    let direct = Client::new(upstream.addr()).chat(&body).await;
    let mut through = Client::new(hone.address()).key("k").open_chat(&body).await;
    let first = through
        .body_mut()
        .frame()
        .await
        .expect("a frame")
        .expect("a frame")
        .into_data()
        .expect("data");
    assert!(
        upstream.stats().in_flight > 0,
        "the first event arrives while the upstream still writes"
    );
    let rest = through
        .into_body()
        .collect()
        .await
        .expect("the rest")
        .to_bytes();
    let shape = |text: &str| text.lines().map(str::len).collect::<Vec<_>>();
    let whole = [first, rest].concat();
    assert_eq!(
        shape(&String::from_utf8_lossy(&whole)),
        shape(&direct.text())
    );
    assert!(whole.ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test]
async fn upstream_statuses_headers_and_error_bodies_arrive_unchanged() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    for status in [400, 401, 403, 404, 409, 422, 429, 500, 503] {
        let mut body = chat_body("sim-small");
        body["sim"] =
            json!({"faults": [{"fault": {"status": {"status": status, "retry_after": "7"}}}]});
        let direct = Client::new(upstream.addr()).chat(&body).await;
        let through = Client::new(hone.address())
            .key(&format!("key-{status}"))
            .chat(&body)
            .await;
        assert_eq!(through.status, direct.status);
        assert_eq!(through.body, direct.body);
        assert_eq!(through.header("retry-after"), "7");
        assert_eq!(
            through.header("content-type"),
            direct.header("content-type")
        );
        assert_eq!(through.header("x-hone-error"), "", "it is not hone's own");
    }
}

#[tokio::test]
async fn every_path_below_v1_is_relayed_with_its_method_query_and_body() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let client = Client::new(hone.address()).key("k");
    let rows = [
        (Method::GET, "/v1/files/abc/content?x=1%20&y", ""),
        (Method::DELETE, "/v1/files/abc", ""),
        (Method::POST, "/v1/batches", "{\"a\":1}"),
        (Method::PUT, "/v1/anything/at/all", "bytes"),
        (Method::PATCH, "/v1/containers/c1", "{}"),
    ];
    for (method, target, body) in rows {
        client.send(method.clone(), target, body).await;
        let seen = upstream.requests().last().expect("a request").clone();
        assert_eq!(
            (seen.method, seen.target.as_str(), seen.body.as_ref()),
            (method, target, body.as_bytes())
        );
    }
}

#[tokio::test]
async fn the_base_urls_own_path_takes_the_place_of_v1() {
    let upstream = upstream().await;
    let table = table(&upstream).replace("/v1\"", "/openai/deployments/x/\"");
    let hone = hone(&table);
    Client::new(hone.address())
        .key("k")
        .get("/v1/models?api-version=1")
        .await;
    assert_eq!(
        upstream.requests()[0].target,
        "/openai/deployments/x/models?api-version=1"
    );
}

#[tokio::test]
async fn headers_cross_by_list_upstream_and_all_but_a_few_cross_back() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let client = [
        "cookie",
        "x-forwarded-for",
        "x-real-ip",
        "forwarded",
        "x-secret",
        "x-hone-whatever",
        "connection",
        "te",
    ];
    let mut talker = Client::new(hone.address())
        .key("k")
        .header("openai-beta", "v2")
        .header("x-stainless-lang", "python")
        .header("idempotency-key", "i1");
    for name in client {
        talker = talker.header(
            name,
            if name == "connection" {
                "x-secret"
            } else {
                "trailers"
            },
        );
    }
    talker.chat(&chat_body("sim-small")).await;
    let seen = upstream.requests()[0].headers.clone();
    for name in client {
        assert!(!seen.contains_key(name), "{name}");
    }
    for name in [
        "openai-beta",
        "x-stainless-lang",
        "idempotency-key",
        "content-type",
        "authorization",
        "host",
        "content-length",
    ] {
        assert!(seen.contains_key(name), "{name}");
    }
    assert_eq!(seen["accept-encoding"], "identity");
}

#[tokio::test]
async fn asking_a_stream_for_its_usage_is_invisible_to_the_client() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\ntokens_per_minute = 100000\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let mut body = chat_body("sim-small");
    body["stream"] = json!(true);
    let silent = client.chat(&body).await;
    assert!(
        upstream.requests()[0]
            .body
            .windows(13)
            .any(|window| window == b"include_usage")
    );
    assert!(
        !silent.text().contains("\"choices\":[]"),
        "{}",
        silent.text()
    );
    assert!(silent.text().ends_with("data: [DONE]\n\n"));
    body["stream_options"] = json!({"include_usage": true});
    let told = client.chat(&body).await;
    assert!(
        told.text().contains("\"choices\":[]"),
        "its own question is answered"
    );
}

#[tokio::test]
async fn the_model_list_is_the_upstreams_own_with_virtual_models_added() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[[model]]\nname = \"careful\"\nmodel = \"sim-small\"\napproach = \"bon\"\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("mine");
    let list = client.get("/v1/models").await.json();
    let names: Vec<&str> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|model| model["id"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["sim-small", "sim-large", "careful"]);
    assert_eq!(
        upstream.stats().calls_with(b"mine"),
        1,
        "asked with the caller's own key"
    );
    assert_eq!(
        client.get("/v1/models/careful").await.json()["owned_by"],
        "hone"
    );
    assert_eq!(
        client.get("/v1/models/nothing-like-it").await.status,
        404,
        "the upstream's own answer"
    );
}

#[tokio::test]
async fn approaches_on_other_paths_than_chat_are_refused_and_defaults_do_not_apply_there() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "approach = \"bon\"\n{}[[model]]\nname = \"careful\"\nmodel = \"sim-small\"\n\
            approach = \"bon\"\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    for model in ["careful", "bon-sim-small"] {
        let answer = client
            .post(
                "/v1/embeddings",
                json!({"model": model, "input": "x"}).to_string(),
            )
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "approach_not_supported_here"),
            "{model}"
        );
    }
    client
        .post(
            "/v1/embeddings",
            json!({"model": "sim-small", "input": "x"}).to_string(),
        )
        .await;
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_head_request_has_the_heads_of_the_answer_and_no_body() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let answer = Client::new(hone.address())
        .key("k")
        .send(Method::HEAD, "/livez", "")
        .await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}

#[tokio::test]
async fn http2_clients_are_served_without_tls() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let answer = Client::http2(hone.address())
        .key("k")
        .chat(&chat_body("sim-small"))
        .await;
    assert_eq!(answer.status, 200);
    let answer: Value = answer.json();
    assert!(answer["choices"][0]["message"]["content"].is_string());
}
