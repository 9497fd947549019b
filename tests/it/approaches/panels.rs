//! Strategies that ask several models: each name means what it means alone, and no key goes where
//! it was not given for.

use hone::app::App;
use hone::sim::{Knobs, Latency, SimHandle};
use serde_json::{Value, json};

use crate::support::client::PATIENCE;
use crate::support::{Answer, Client, chat_body, hone, hone_with_env, table, upstream};

/// Two upstreams, the first for `near-*`, the second, `far`, for `far-*`; `lines` belong to the
/// second and may go on with other tables.
async fn two(lines: &str) -> (SimHandle, SimHandle, App) {
    let (near, far) = (upstream().await, upstream().await);
    let second = table(&far).replace("\"sim\"", "\"far\"");
    let config = format!(
        "{}models = [\"near-*\"]\n{second}models = [\"far-*\"]\n{lines}",
        table(&near)
    );
    let hone = hone_with_env(&config, |name| {
        (name == "FAR_KEY").then(|| "sk-operator".to_owned())
    });
    (near, far, hone)
}

fn panel(own: &str, models: &[&str]) -> Value {
    let mut body = chat_body(own);
    body["optillm_approach"] = json!("moa");
    body["moa_models"] = json!(models);
    body
}

/// What each request to `upstream` called its model.
fn models(upstream: &SimHandle) -> Vec<String> {
    let model = |body: &[u8]| {
        serde_json::from_slice::<Value>(body).expect("JSON")["model"]
            .as_str()
            .map(str::to_owned)
    };
    let mut models: Vec<_> = upstream
        .requests()
        .iter()
        .filter_map(|request| model(&request.body))
        .collect();
    models.sort();
    models
}

fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.code())
}

#[tokio::test]
async fn every_model_of_a_panel_is_asked_at_its_own_upstream_under_its_own_name() {
    let (near, far, hone) = two("auth = \"none\"\n[[model]]\nname = \"alias\"\n\
        model = \"far/far-real\"\napproach = \"none\"\n")
    .await;
    let client = Client::new(hone.address()).key("mine");
    let answer = client
        .chat(&panel(
            "near-own",
            &["far-a", "sim/far-a", "alias", "none-near-b"],
        ))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(models(&near), ["far-a", "near-b", "near-own"]);
    assert_eq!(models(&far), ["far-a", "far-real"]);
    assert_eq!(answer.json()["model"], "near-own");
    assert_eq!(
        (
            answer.header("x-hone-upstream"),
            answer.header("x-hone-credential")
        ),
        ("sim, far", "client, none")
    );
    assert_eq!(answer.header("x-hone-upstream-calls"), "5");
}

#[tokio::test]
async fn the_requests_own_model_is_told_from_a_member_that_another_upstream_calls_the_same() {
    let (near, far, hone) = two("auth = \"none\"\n").await;
    let answer = Client::new(hone.address())
        .key("mine")
        .chat(&panel("far/near-x", &["near-x"]))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        (models(&near).len(), models(&far).len()),
        (1, 1),
        "one proposes, the other aggregates"
    );
    assert_eq!(near.stats().calls_with(b"mine"), 1);
}

#[tokio::test]
async fn a_key_goes_to_the_one_upstream_that_it_was_given_for() {
    // Even where both take client keys, the key of the provider slot is for one of them.
    for takes in ["", "accepts_client_keys = true\n"] {
        let (near, far, hone) = two(takes).await;
        let client = Client::new(hone.address()).key("mine");
        let refused = client.chat(&panel("near-own", &["near-b", "far-a"])).await;
        assert_eq!(
            refusal(&refused),
            (401, "invalid_api_key".to_owned()),
            "{}",
            refused.text()
        );
        assert!(
            refused.text().contains("x-hone-key-far"),
            "{}",
            refused.text()
        );
        assert_eq!(
            (near.stats().total_calls(), far.stats().total_calls()),
            (0, 0),
            "nothing is spent"
        );
        let both = client
            .header("x-hone-key-far", "theirs")
            .chat(&panel("near-own", &["near-b", "far-a"]))
            .await;
        assert_eq!(both.status, 200, "{}", both.text());
        assert_eq!(
            (
                near.stats().calls_with(b"mine"),
                near.stats().calls_with(b"theirs")
            ),
            (2, 0)
        );
        assert_eq!(
            (
                far.stats().calls_with(b"mine"),
                far.stats().calls_with(b"theirs")
            ),
            (0, 1)
        );
    }
}

#[tokio::test]
async fn a_key_that_the_own_model_does_not_need_goes_to_the_member_that_takes_it() {
    let (near, far, hone) = two("auth = \"none\"\n").await;
    let answer = Client::new(hone.address())
        .key("mine")
        .chat(&panel("far-own", &["near-a"]))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        (
            near.stats().calls_with(b"mine"),
            far.stats().calls_with(b"mine")
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn the_operators_key_pays_only_for_whom_it_is_meant_and_its_rejection_is_hones_own_error() {
    let fallback = "fallback_key = { env = \"FAR_KEY\" }\nfallback_for = \"loopback\"\n";
    let (near, far, hone) = two(fallback).await;
    let client = Client::new(hone.address()).key("mine");
    let answer = client.chat(&panel("near-own", &["far-a"])).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("x-hone-credential")),
        (200, "client, fallback"),
        "{}",
        answer.text()
    );
    assert_eq!(
        (
            far.stats().calls_with(b"sk-operator"),
            far.stats().calls_with(b"mine")
        ),
        (1, 0)
    );
    far.set(
        serde_json::from_value::<Knobs>(
            json!({"faults": [{"fault": {"status": {"status": 401}}}]}),
        )
        .expect("knobs"),
    );
    assert_eq!(
        refusal(&client.chat(&panel("near-own", &["far-a"])).await),
        (502, "fallback_key_rejected".to_owned())
    );
    assert_eq!(near.stats().calls_with(b"sk-operator"), 0);
    let (_near, _far, known) = two(&fallback.replace("loopback", "known")).await;
    let stranger = Client::new(known.address())
        .key("mine")
        .chat(&panel("near-own", &["far-a"]))
        .await;
    assert_eq!(refusal(&stranger), (401, "invalid_api_key".to_owned()));
}

#[tokio::test]
async fn a_tenants_list_of_models_holds_for_every_member() {
    let tenant = |extra: &str| {
        let digest = hone::config::KeyDigest::of(b"alice");
        format!(
            "auth = \"none\"\n[[tenant]]\nname = \"alice\"\nprovider_keys = [\"{digest}\"]\n\
                models = [\"near-*\", \"careful\"]\n{extra}"
        )
    };
    let careful = "[[model]]\nname = \"careful\"\nmodel = \"near-own\"\napproach = \"moa\"\n\
        params = { moa_models = [\"near-a\", \"far-a\"] }\n";
    let (near, far, hone) = two(&tenant(careful)).await;
    let alice = Client::new(hone.address()).key("alice");
    for member in ["far-a", "far/far-a", "far/near-a-no", "none-far-a"] {
        let refused = alice.chat(&panel("near-own", &["near-b", member])).await;
        let expected = if member == "far/near-a-no" { 200 } else { 403 };
        assert_eq!(refused.status, expected, "{member}: {}", refused.text());
    }
    far.set(Knobs::default());
    let before = far.stats().total_calls();
    assert_eq!(
        alice.chat(&chat_body("careful")).await.status,
        200,
        "a virtual model that she may use grants its members"
    );
    assert_eq!(far.stats().total_calls(), before + 1);
    let mut own = chat_body("careful");
    own["moa_models"] = json!(["far-a"]);
    assert_eq!(
        refusal(&alice.chat(&own).await),
        (403, "model_not_allowed".to_owned()),
        "but not those that she asks for herself"
    );
    assert!(near.stats().total_calls() > 0);
}

#[tokio::test]
async fn a_single_name_that_the_operator_gives_is_granted_like_a_list() {
    let digest = hone::config::KeyDigest::of(b"alice");
    let lines = format!(
        "auth = \"none\"\n[[tenant]]\nname = \"alice\"\nprovider_keys = [\"{digest}\"]\n\
            models = [\"near-*\", \"careful\"]\n[[model]]\n\
         name = \"careful\"\nmodel = \"near-own\"\napproach = \"cepo\"\n\
         params = {{ cepo_rating_model = \"far-a\" }}\n"
    );
    let (_near, far, hone) = two(&lines).await;
    let alice = Client::new(hone.address()).key("alice");
    assert_eq!(alice.chat(&chat_body("careful")).await.status, 200);
    let mut own = chat_body("near-own");
    own["optillm_approach"] = json!("cepo");
    own["cepo_rating_model"] = json!("far-a");
    let before = far.stats().total_calls();
    assert_eq!(
        refusal(&alice.chat(&own).await),
        (403, "model_not_allowed".to_owned())
    );
    assert_eq!(far.stats().total_calls(), before, "nothing is spent");
}

#[tokio::test]
async fn bad_names_are_refused_before_anything_is_spent() {
    let careful = "auth = \"none\"\n[[model]]\nname = \"careful\"\nmodel = \"near-own\"\n\
        approach = \"bon\"\n";
    let (near, far, hone) = two(careful).await;
    let client = Client::new(hone.address())
        .key("mine")
        .header("x-hone-detail", "trace");
    for (member, expected) in [
        ("nobody-serves-this", (404, "model_not_found")),
        ("careful", (400, "invalid_parameter")),
        ("bon-near-a", (400, "invalid_parameter")),
        ("", (400, "invalid_parameter")),
    ] {
        let refused = client.chat(&panel("near-own", &["near-b", member])).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            expected,
            "{member}: {}",
            refused.text()
        );
        let dry = client
            .clone()
            .header("x-hone-dry-run", "1")
            .chat(&panel("near-own", &[member]))
            .await;
        assert_eq!(dry.status.as_u16(), expected.0, "a dry run says so, too");
    }
    assert_eq!(
        (near.stats().total_calls(), far.stats().total_calls()),
        (0, 0)
    );
}

#[tokio::test]
async fn every_members_calls_and_tokens_count_on_the_tenant() {
    let (near, far, hone) = two(
        "auth = \"none\"\n[limits]\nupstream_calls_per_minute = 5\ntokens_per_minute = 10000\n",
    )
    .await;
    let client = Client::new(hone.address()).key("mine");
    let used = client
        .chat(&panel("near-own", &["near-a", "far-a", "far-b"]))
        .await;
    assert_eq!(used.status, 200, "{}", used.text());
    assert_eq!(near.stats().total_calls() + far.stats().total_calls(), 4);
    let whoami = client.get("/hone/whoami").await.json();
    let now = whoami["limits"][0]["now"]
        .as_array()
        .expect("rates")
        .clone();
    let left = |name: &str| {
        now.iter()
            .find(|rate| rate["name"] == name)
            .expect("a rate")["remaining"]
            .as_u64()
            .expect("a number")
    };
    assert!(left("upstream-calls") <= 1, "{now:?}");
    assert!(left("tokens") < 10_000, "{now:?}");
    let refused = client
        .chat(&panel("near-own", &["near-a", "far-a", "far-b"]))
        .await;
    assert_eq!(
        refusal(&refused),
        (429, "rate_limit_exceeded".to_owned()),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn an_upstreams_own_limits_hold_for_its_members_and_for_nobody_elses_calls() {
    let (near, far, hone) =
        two("auth = \"none\"\nlimits = { upstream_calls_per_minute = 1 }\n").await;
    let client = Client::new(hone.address()).key("mine");
    let answer = client
        .chat(&panel("near-own", &["near-a", "far-a", "far-b"]))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("x-hone-degraded")),
        (200, "limit"),
        "{}",
        answer.text()
    );
    assert_eq!(
        (near.stats().total_calls(), far.stats().total_calls()),
        (2, 1)
    );
    let alone = client.chat(&panel("near-own", &["far-a"])).await;
    assert_eq!(
        refusal(&alone),
        (429, "rate_limit_exceeded".to_owned()),
        "{}",
        alone.text()
    );
    assert_eq!(
        client.chat(&panel("near-own", &["near-a"])).await.status,
        200
    );
}

#[tokio::test]
async fn a_panel_streams_and_a_member_that_is_down_is_survived() {
    let (_near, far, hone) = two("auth = \"none\"\n").await;
    far.shutdown().await;
    let mut body = panel("near-own", &["near-a", "far-a"]);
    body["stream"] = json!(true);
    let text = Client::new(hone.address())
        .key("mine")
        .chat(&body)
        .await
        .text();
    assert!(
        text.contains("failed_calls") && text.trim_end().ends_with("[DONE]"),
        "{text}"
    );
}

#[tokio::test]
async fn one_upstream_asked_for_several_models_is_one_upstream() {
    let near = upstream().await;
    let hone = hone(&format!(
        "{}limits = {{ concurrent_requests = 1 }}\n",
        table(&near)
    ));
    let answer = Client::new(hone.address())
        .key("mine")
        .chat(&panel("a", &["b", "c"]))
        .await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.header("x-hone-upstream"),
            answer.header("x-hone-credential")
        ),
        (200, "sim", "client")
    );
    assert_eq!(models(&near), ["a", "b", "c"]);
}

#[tokio::test]
async fn the_losers_of_a_race_are_cancelled_at_their_upstream() {
    for stream in [false, true] {
        let (near, far, hone) = two("auth = \"none\"\n").await;
        near.set(Knobs {
            latency: Latency::Constant { ms: 60_000 },
            ..Knobs::default()
        });
        let mut body = chat_body("near-own");
        (
            body["optillm_approach"],
            body["race_models"],
            body["stream"],
        ) = (json!("race"), json!(["far-a"]), json!(stream));
        let answer = Client::new(hone.address()).key("mine").chat(&body).await;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.text().contains("failed_calls")
            ),
            (200, false),
            "{}",
            answer.text()
        );
        let left = near.wait_until(|stats| stats.cancelled == 1 && stats.in_flight == 0);
        tokio::time::timeout(PATIENCE, left)
            .await
            .expect("the loser is cancelled");
        assert_eq!(far.stats().completed, 1);
    }
}

#[tokio::test]
async fn a_fusion_streams_its_last_call() {
    let (near, far, hone) = two("auth = \"none\"\n").await;
    let mut body = chat_body("near-own");
    (
        body["optillm_approach"],
        body["fusion_models"],
        body["stream"],
    ) = (json!("fusion"), json!(["near-a", "far-b"]), json!(true));
    let text = Client::new(hone.address())
        .key("mine")
        .chat(&body)
        .await
        .text();
    assert!(text.trim_end().ends_with("[DONE]"), "{text}");
    assert_eq!(
        (near.stats().total_calls(), far.stats().total_calls()),
        (3, 1)
    );
    let streamed = near
        .requests()
        .iter()
        .filter(|request| String::from_utf8_lossy(&request.body).contains("\"stream\":true"))
        .count();
    assert_eq!(streamed, 1, "the last call, and no other");
}
