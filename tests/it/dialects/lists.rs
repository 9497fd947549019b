//! Lists of models: each client reads them in its own form, whatever their upstreams speak.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::speak::{ALL, Speaks};
use crate::support::head::answer;
use crate::support::parts::SimHandle;
use crate::support::raw::RawUpstream;
use crate::support::setup::{Setup, Upstream};
use crate::support::sim::{calls_with, fails, stuck, upstream_of};
use crate::support::{Answer, Client, Hone, hone};

/// `sim` as an upstream of `speaks` that reads its keys where its provider does.
fn speaking(speaks: Speaks, sim: &SimHandle, upstream: Upstream) -> Upstream {
    let upstream = speaks.upstream(sim, upstream);
    match speaks {
        Speaks::Chat | Speaks::Responses => upstream,
        Speaks::Anthropic => upstream.set("auth", "x-api-key"),
        Speaks::Gemini => upstream.set("auth", "x-goog-api-key"),
    }
}

/// Clients that read lists: both of OpenAI's dialects have the same.
const READERS: [Speaks; 3] = [Speaks::Chat, Speaks::Anthropic, Speaks::Gemini];

/// A client that reads lists as those of `speaks` do.
fn reader(hone: &Hone, speaks: Speaks) -> Client {
    match speaks {
        Speaks::Chat | Speaks::Responses => hone.client("k"),
        Speaks::Anthropic => {
            let client = hone.keyless().header("x-api-key", "k");
            client.header("anthropic-version", "2023-06-01")
        }
        Speaks::Gemini => hone.keyless().header("x-goog-api-key", "k"),
    }
}

fn field(speaks: Speaks) -> &'static str {
    if speaks == Speaks::Gemini {
        "models"
    } else {
        "data"
    }
}

/// The name of a model, of which all must be there that such clients read.
fn name(speaks: Speaks, model: &Value) -> String {
    let (field, also) = match speaks {
        Speaks::Chat | Speaks::Responses => ("id", ["object", "created", "owned_by"]),
        Speaks::Anthropic => ("id", ["type", "display_name", "created_at"]),
        Speaks::Gemini => (
            "name",
            ["name", "displayName", "supportedGenerationMethods"],
        ),
    };
    for also in also {
        assert!(!model[also].is_null(), "{speaks:?} reads {also}: {model}");
    }
    let name = model[field].as_str().expect("a name");
    if speaks == Speaks::Gemini {
        assert!(model.get("id").is_none(), "{model}");
        return name.strip_prefix("models/").expect("a path").to_owned();
    }
    name.to_owned()
}

/// The names in a list that a client of `speaks` reads.
fn names(speaks: Speaks, answer: &Answer) -> Vec<String> {
    answer.assert_ok();
    let list = answer.json();
    match speaks {
        Speaks::Chat | Speaks::Responses => assert_eq!(list["object"], "list", "{answer}"),
        Speaks::Anthropic => {
            assert_eq!(list["has_more"], false, "{answer}");
            assert_eq!(
                list["last_id"],
                list["data"]
                    .as_array()
                    .expect("data")
                    .last()
                    .expect("a model")["id"]
            );
            assert!(list.get("object").is_none(), "{answer}");
        }
        Speaks::Gemini => assert!(list.get("data").is_none(), "{answer}"),
    }
    let models = list[field(speaks)].as_array().expect("a list");
    models.iter().map(|model| name(speaks, model)).collect()
}

#[tokio::test]
async fn a_client_of_each_form_reads_the_list_of_an_upstream_of_each() {
    let sim = upstream_of(&["m-1", "m-2"]).await;
    for upstream in ALL {
        let hone = hone()
            .upstream_with(&sim, |sim_| speaking(upstream, &sim, sim_))
            .model("careful", "m-1", "bon")
            .start();
        for client in READERS {
            let asks = reader(&hone, client);
            let list = asks.get("/v1/models").await;
            let case = format!("{client:?} by {upstream:?}: {list}");
            assert_eq!(names(client, &list), ["m-1", "m-2", "careful"], "{case}");
            let seen = sim.requests().pop().expect("a request");
            let place = match (upstream, client) {
                (Speaks::Gemini, Speaks::Gemini) => "/v1/models",
                (Speaks::Gemini, _) => "/v1beta/models?pageSize=1000",
                (Speaks::Anthropic, Speaks::Chat | Speaks::Gemini) => "/v1/models?limit=1000",
                _ => "/v1/models",
            };
            assert_eq!(seen.target, place, "{case}");
            for (asked, called) in [
                ("m-2", "m-2"),
                ("careful", "careful"),
                ("re2-m-1", "re2-m-1"),
            ] {
                let one = asks.get(&format!("/v1/models/{asked}")).await;
                one.assert_ok();
                assert_eq!(
                    name(client, &one.json()),
                    called,
                    "{client:?} by {upstream:?}: {one}"
                );
            }
            let none = asks.get("/v1/models/nothing").await;
            none.assert_status(404).assert_says("nothing");
            assert_eq!(
                none.json()["type"] == "error",
                client == Speaks::Anthropic,
                "{none}"
            );
            let status = &none.json()["error"]["status"];
            assert_eq!(status == "NOT_FOUND", client == Speaks::Gemini, "{none}");
        }
    }
}

#[tokio::test]
async fn googles_clients_ask_below_v1beta_whatever_the_upstream_speaks() {
    let sim = upstream_of(&["m-1"]).await;
    for upstream in ALL {
        let hone = hone()
            .upstream_with(&sim, |sim_| speaking(upstream, &sim, sim_))
            .tenant("t", |tenant| tenant.provider_key("k").models(&["m-1"]))
            .start();
        // Without a header of Google's, too: the path says it.
        let client = hone.client("k");
        let list = client.get("/v1beta/models?pageSize=50").await;
        assert_eq!(
            names(Speaks::Gemini, &list),
            ["m-1"],
            "{upstream:?}: {list}"
        );
        let one = client.get("/v1beta/models/m-1").await;
        assert_eq!(
            name(Speaks::Gemini, &one.json()),
            "m-1",
            "{upstream:?}: {one}"
        );
        if upstream == Speaks::Gemini {
            assert_eq!(sim.requests().pop().unwrap().target, "/v1beta/models/m-1");
        }
        let hidden = client.get("/v1beta/models/m-2").await;
        hidden
            .assert_status(404)
            .assert_header("x-hone-error", "model_not_found");
        assert_eq!(hidden.json()["error"]["status"], "NOT_FOUND", "{hidden}");
    }
}

/// Upstreams `chat`, `anthropic` and `gemini`, of these dialects.
async fn three() -> ([SimHandle; 3], Setup) {
    let sims = [
        upstream_of(&["gpt-1", "shared"]).await,
        upstream_of(&["claude-1", "shared"]).await,
        upstream_of(&["gemini-1"]).await,
    ];
    let mut setup = hone();
    let of = [
        (Speaks::Chat, &["gpt*"] as &[&str]),
        (Speaks::Anthropic, &["claude*", "shared"]),
        (Speaks::Gemini, &["gemini*"]),
    ];
    for (sim, (speaks, models)) in sims.iter().zip(of) {
        setup = setup.upstream_with(sim, |upstream| {
            let upstream = speaking(speaks, sim, upstream).models(models);
            upstream.named(speaks.name()).takes_client_keys()
        });
    }
    (sims, setup)
}

fn with_all_keys(client: Client) -> Client {
    let client = client.header("x-hone-key-openai-chat", "c");
    client
        .header("x-hone-key-anthropic", "a")
        .header("x-hone-key-gemini", "g")
}

#[tokio::test]
async fn lists_of_several_dialects_become_one_in_the_form_of_whoever_asks() {
    let (sims, setup) = three().await;
    let all = setup.model("careful", "gpt-1", "bon").start();
    let (_others, setup) = three().await;
    let confined = setup
        .tenant("t", |tenant| {
            tenant.provider_key("k").models(&["shared", "gemini-1"])
        })
        .start();
    for client in READERS {
        let list = with_all_keys(reader(&all, client)).get("/v1/models").await;
        let expected = [
            "gpt-1",
            "openai-chat/shared",
            "claude-1",
            "shared",
            "gemini-1",
            "careful",
        ];
        assert_eq!(names(client, &list), expected, "{client:?}");
        let native = &list.json()[field(client)];
        let told = match client {
            Speaks::Chat | Speaks::Responses => native[0]["owned_by"] == "sim",
            Speaks::Anthropic => native[2]["created_at"] == "2026-01-01T00:00:00Z",
            Speaks::Gemini => native[4]["inputTokenLimit"] == 1_048_576,
        };
        assert!(told, "what is in the client's own form stays whole: {list}");
        let list = with_all_keys(reader(&confined, client))
            .get("/v1/models")
            .await;
        let expected = ["openai-chat/shared", "shared", "gemini-1"];
        assert_eq!(names(client, &list), expected, "{client:?}");
        for (asked, is_shown) in [("shared", true), ("gemini-1", true), ("claude-1", false)] {
            let client = with_all_keys(reader(&confined, client));
            let one = client.get(&format!("/v1/models/{asked}")).await;
            one.assert_status(if is_shown { 200 } else { 404 });
        }
    }
    let seen: Vec<String> = sims
        .iter()
        .flat_map(SimHandle::requests)
        .map(|r| r.target)
        .collect();
    assert!(
        seen.contains(&"/v1/models?limit=1000".to_owned()),
        "{seen:?}"
    );
    assert!(
        seen.contains(&"/v1beta/models?pageSize=1000".to_owned()),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_plain_key_goes_to_the_upstream_that_speaks_as_its_client_does() {
    for (client, asked) in [
        (Speaks::Chat, [1, 0, 0]),
        (Speaks::Anthropic, [0, 1, 0]),
        (Speaks::Gemini, [0, 0, 1]),
    ] {
        let (sims, setup) = three().await;
        let hone = setup.start();
        reader(&hone, client).get("/v1/models").await.assert_ok();
        let [chat, anthropic, gemini] = &sims;
        assert_eq!(
            calls_with("k", [chat, anthropic, gemini]),
            asked,
            "{client:?}"
        );
    }
}

#[tokio::test]
async fn a_failure_is_told_in_the_clients_form_where_there_is_no_list() {
    for upstream in [Speaks::Chat, Speaks::Anthropic, Speaks::Gemini] {
        let sim = upstream_of(&["m"]).await;
        let hone = hone()
            .upstream_with(&sim, |sim_| speaking(upstream, &sim, sim_))
            .start();
        sim.set(fails(503));
        for client in READERS {
            for path in ["/v1/models", "/v1/models/m"] {
                let failed = reader(&hone, client).get(path).await;
                let case = format!("{client:?} by {upstream:?}: {failed}");
                assert!(matches!(failed.status.as_u16(), 503 | 529), "{case}");
                let body = failed.json();
                assert!(is_told(client, &body), "{case}");
            }
        }
    }
}

/// Whether an error that asks to come back has the form that a client of `speaks` reads.
fn is_told(speaks: Speaks, body: &Value) -> bool {
    let error = &body["error"];
    match speaks {
        Speaks::Anthropic => body["type"] == "error",
        Speaks::Gemini => error["status"] == "UNAVAILABLE",
        Speaks::Chat | Speaks::Responses => {
            error["message"].is_string() && error.get("status").is_none()
        }
    }
}

#[tokio::test]
async fn claude_code_has_its_list_in_time_without_the_upstream_that_says_nothing() {
    let (sims, setup) = three().await;
    let hone = setup.start();
    sims[2].set(stuck());
    let client = with_all_keys(reader(&hone, Speaks::Anthropic));
    let began = Instant::now();
    let list = client.get("/v1/models?limit=1000").await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    let expected = [
        "openai-chat/gpt-1",
        "openai-chat/shared",
        "claude-1",
        "shared",
    ];
    let names = names(Speaks::Anthropic, &list);
    assert_eq!(names.len(), expected.len(), "{names:?}");
    assert!(!names.contains(&"gemini-1".to_owned()));
}

#[tokio::test]
async fn the_only_upstreams_own_bytes_pass_to_those_who_read_them() {
    for upstream in ALL {
        let sim = upstream_of(&["m"]).await;
        let hone = hone()
            .upstream_with(&sim, |sim_| speaking(upstream, &sim, sim_))
            .start();
        let client = if upstream == Speaks::Responses {
            Speaks::Chat
        } else {
            upstream
        };
        let asks = reader(&hone, client);
        let own = reader(&hone, client).header("x-hone-deadline-ms", "20000");
        for path in ["/v1/models?limit=7&after_id=x", "/v1/models/m"] {
            let through = asks.get(path).await;
            assert_eq!(sim.requests().pop().unwrap().target, path);
            let again = own.get(path).await;
            assert_eq!(through.body, again.body);
            let direct = match client {
                Speaks::Anthropic => {
                    Client::new(sim.addr()).header("anthropic-version", "2023-06-01")
                }
                Speaks::Gemini => Client::new(sim.addr()).header("x-goog-api-key", "k"),
                Speaks::Chat | Speaks::Responses => Client::new(sim.addr()),
            };
            assert_eq!(
                through.body,
                direct.get(path).await.body,
                "{upstream:?} {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_server_that_looks_at_no_header_lists_for_anthropics_clients_all_the_same() {
    let raw = RawUpstream::answering(|request| {
        let model = json!({"id": "local", "object": "model", "created": 1_700_000_000});
        let body = if request.starts_with("GET /v1/models/") {
            model
        } else {
            json!({"object": "list", "data": [model]})
        };
        answer("200 OK").json().close().body(body.to_string())
    })
    .await;
    let hone = hone().upstream(&raw).start();
    let client = reader(&hone, Speaks::Anthropic);
    let list = client.get("/v1/models?limit=1000").await;
    assert_eq!(names(Speaks::Anthropic, &list), ["local"]);
    assert_eq!(list.json()["data"][0]["created_at"], "2023-11-14T22:13:20Z");
    let one = client.get("/v1/models/local").await;
    assert_eq!(name(Speaks::Anthropic, &one.json()), "local");
    let openai = hone.client("k").get("/v1/models").await;
    assert_eq!(openai.model_ids(), ["local"]);
}
