//! Strategies that ask several models: each name means what it means alone, and no key goes where
//! it was not given for.

use serde_json::{Value, json};

use crate::support::parts::SimHandle;
use crate::support::setup::{Setup, Tenant, Upstream};
use crate::support::sim::{bodies, calls, calls_with, fails, stuck};
use crate::support::{Answer, Client, Hone, hone, in_time, upstream};

/// Two upstreams: `sim` for `near-*`, which takes the clients' keys, and `far` for `far-*`.
async fn two(
    far_is: impl FnOnce(Upstream) -> Upstream,
    more: impl FnOnce(Setup) -> Setup,
) -> (SimHandle, SimHandle, Hone) {
    let (near, far) = (upstream().await, upstream().await);
    let setup = hone()
        .upstream_with(&near, |near| near.models(&["near-*"]))
        .upstream_with(&far, |far| far_is(far.named("far").models(&["far-*"])));
    let hone = more(setup).start();
    (near, far, hone)
}

/// The same, where `far` takes no key.
async fn two_of_one_key(more: impl FnOnce(Setup) -> Setup) -> (SimHandle, SimHandle, Hone) {
    two(Upstream::keyless, more).await
}

fn nothing_else(setup: Setup) -> Setup {
    setup
}

/// Asks by `moa`: these models propose, and `own` aggregates.
async fn ask_panel(client: &Client, own: &str, models: &[&str]) -> Answer {
    let fields = json!({"optillm_approach": "moa", "moa_models": models});
    client.ask_with(own, fields).await
}

/// What each request to `upstream` called its model.
fn models(upstream: &SimHandle) -> Vec<String> {
    let model = |body: String| {
        let body: Value = serde_json::from_str(&body).expect("JSON");
        body["model"].as_str().map(str::to_owned)
    };
    let mut models: Vec<_> = bodies(upstream).into_iter().filter_map(model).collect();
    models.sort();
    models
}

#[tokio::test]
async fn every_model_of_a_panel_is_asked_at_its_own_upstream_under_its_own_name() {
    let alias = |setup: Setup| setup.model("alias", "far/far-real", "none");
    let (near, far, hone) = two_of_one_key(alias).await;
    let members = ["far-a", "sim/far-a", "alias", "none-near-b"];
    let answer = ask_panel(&hone.client("mine"), "near-own", &members).await;
    answer
        .assert_ok()
        .assert_header("x-hone-upstream", "sim, far")
        .assert_header("x-hone-credential", "client, none")
        .assert_header("x-hone-upstream-calls", "5");
    assert_eq!(models(&near), ["far-a", "near-b", "near-own"]);
    assert_eq!(models(&far), ["far-a", "far-real"]);
    assert_eq!(answer.json()["model"], "near-own");
}

#[tokio::test]
async fn the_own_model_is_told_from_a_member_that_another_upstream_calls_the_same() {
    let (near, far, hone) = two_of_one_key(nothing_else).await;
    let answer = ask_panel(&hone.client("mine"), "far/near-x", &["near-x"]).await;
    answer.assert_ok();
    // One proposes, the other aggregates.
    assert_eq!((models(&near).len(), models(&far).len()), (1, 1));
    assert_eq!(calls_with("mine", [&near]), [1]);
}

#[tokio::test]
async fn a_key_goes_to_the_one_upstream_that_it_was_given_for() {
    // Even where both take client keys, the key of the provider slot is for one of them.
    for far_is in [|far| far, Upstream::takes_client_keys] {
        let (near, far, hone) = two(far_is, nothing_else).await;
        let client = hone.client("mine");
        let members = ["near-b", "far-a"];
        let refused = ask_panel(&client, "near-own", &members).await;
        refused
            .assert_refused(401, "invalid_api_key")
            .assert_says("x-hone-key-far");
        assert_eq!(calls([&near, &far]), [0, 0], "nothing is spent");
        let both = client.header("x-hone-key-far", "theirs");
        ask_panel(&both, "near-own", &members).await.assert_ok();
        assert_eq!(calls_with("mine", [&near, &far]), [2, 0]);
        assert_eq!(calls_with("theirs", [&near, &far]), [0, 1]);
    }
}

#[tokio::test]
async fn a_key_that_the_own_model_does_not_need_goes_to_the_member_that_takes_it() {
    let (near, far, hone) = two_of_one_key(nothing_else).await;
    let answer = ask_panel(&hone.client("mine"), "far-own", &["near-a"]).await;
    answer.assert_ok();
    assert_eq!(calls_with("mine", [&near, &far]), [1, 0]);
}

#[tokio::test]
async fn the_operators_key_pays_only_for_whom_it_is_meant_and_its_rejection_is_hones_own_error() {
    let for_loopback = |far: Upstream| far.fallback_for("loopback");
    let (near, far, hone) = two(for_loopback, nothing_else).await;
    let client = hone.client("mine");
    let answer = ask_panel(&client, "near-own", &["far-a"]).await;
    answer
        .assert_ok()
        .assert_header("x-hone-credential", "client, fallback");
    assert_eq!(calls_with("sk-operator", [&near, &far]), [0, 1]);
    assert_eq!(calls_with("mine", [&far]), [0]);
    far.set(fails(401));
    let rejected = ask_panel(&client, "near-own", &["far-a"]).await;
    rejected.assert_refused(502, "fallback_key_rejected");
    assert_eq!(calls_with("sk-operator", [&near]), [0]);
    let for_tenants = |far: Upstream| far.fallback_for("known");
    let (_near, _far, hone) = two(for_tenants, nothing_else).await;
    let stranger = ask_panel(&hone.client("mine"), "near-own", &["far-a"]).await;
    stranger.assert_refused(401, "invalid_api_key");
}

/// May use the models nearby, and a virtual one.
fn near_only(alice: Tenant) -> Tenant {
    alice.provider_key("alice").models(&["near-*", "careful"])
}

#[tokio::test]
async fn a_tenants_list_of_models_holds_for_every_member() {
    let members = toml::toml! { moa_models = ["near-a", "far-a"] };
    let (near, far, hone) = two_of_one_key(|setup| {
        setup
            .tenant("alice", near_only)
            .model_with("careful", "near-own", "moa", members)
    })
    .await;
    let alice = hone.client("alice");
    for (member, status) in [
        ("far-a", 403),
        ("far/far-a", 403),
        ("far/near-a-no", 200),
        ("none-far-a", 403),
    ] {
        let answer = ask_panel(&alice, "near-own", &["near-b", member]).await;
        answer.assert_status(status);
    }
    let before = far.stats().total_calls();
    // A virtual model that she may use grants its members, but not those that she asks for herself.
    alice.ask("careful").await.assert_ok();
    assert_eq!(calls([&far]), [before + 1]);
    let own = json!({"moa_models": ["far-a"]});
    let refused = alice.ask_with("careful", own).await;
    refused.assert_refused(403, "model_not_allowed");
    assert!(calls([&near]) > [0]);
}

#[tokio::test]
async fn a_single_name_that_the_operator_gives_is_granted_like_a_list() {
    let rater = toml::toml! { cepo_rating_model = "far-a" };
    let (_near, far, hone) = two_of_one_key(|setup| {
        setup
            .tenant("alice", near_only)
            .model_with("careful", "near-own", "cepo", rater)
    })
    .await;
    let alice = hone.client("alice");
    alice.ask("careful").await.assert_ok();
    let before = calls([&far]);
    let own = json!({"optillm_approach": "cepo", "cepo_rating_model": "far-a"});
    let refused = alice.ask_with("near-own", own).await;
    refused.assert_refused(403, "model_not_allowed");
    assert_eq!(calls([&far]), before, "nothing is spent");
}

#[tokio::test]
async fn bad_names_are_refused_before_anything_is_spent() {
    let careful = |setup: Setup| setup.model("careful", "near-own", "bon");
    let (near, far, hone) = two_of_one_key(careful).await;
    let client = hone.client("mine").header("x-hone-detail", "trace");
    let dry = client.clone().header("x-hone-dry-run", "1");
    for (member, status, code) in [
        ("nobody-serves-this", 404, "model_not_found"),
        ("careful", 400, "invalid_parameter"),
        ("bon-near-a", 400, "invalid_parameter"),
        ("", 400, "invalid_parameter"),
    ] {
        let refused = ask_panel(&client, "near-own", &["near-b", member]).await;
        refused.assert_refused(status, code);
        let planned = ask_panel(&dry, "near-own", &[member]).await;
        planned.assert_status(status);
    }
    assert_eq!(calls([&near, &far]), [0, 0]);
}

#[tokio::test]
async fn every_members_calls_and_tokens_count_on_the_tenant() {
    let (near, far, hone) = two_of_one_key(|setup| {
        setup
            .limit("upstream_calls_per_minute", 5)
            .limit("tokens_per_minute", 10_000)
    })
    .await;
    let client = hone.client("mine");
    let members = ["near-a", "far-a", "far-b"];
    ask_panel(&client, "near-own", &members).await.assert_ok();
    let [near, far] = calls([&near, &far]);
    assert_eq!(near + far, 4);
    assert!(client.left("upstream-calls").await <= 1);
    assert!(client.left("tokens").await < 10_000);
    let refused = ask_panel(&client, "near-own", &members).await;
    refused.assert_refused(429, "rate_limit_exceeded");
}

#[tokio::test]
async fn an_upstreams_own_limits_hold_for_its_members_and_for_nobody_elses_calls() {
    let limited = |far: Upstream| far.keyless().limit("upstream_calls_per_minute", 1);
    let (near, far, hone) = two(limited, nothing_else).await;
    let client = hone.client("mine");
    let members = ["near-a", "far-a", "far-b"];
    let answer = ask_panel(&client, "near-own", &members).await;
    answer.assert_ok().assert_header("x-hone-degraded", "limit");
    assert_eq!(calls([&near, &far]), [2, 1]);
    let alone = ask_panel(&client, "near-own", &["far-a"]).await;
    alone.assert_refused(429, "rate_limit_exceeded");
    let near_by = ask_panel(&client, "near-own", &["near-a"]).await;
    near_by.assert_ok();
}

#[tokio::test]
async fn a_panel_streams_and_a_member_that_is_down_is_survived() {
    let (_near, far, hone) = two_of_one_key(nothing_else).await;
    far.shutdown().await;
    let fields = json!({"optillm_approach": "moa", "moa_models": ["near-a", "far-a"],
        "stream": true});
    let answer = hone.client("mine").ask_with("near-own", fields).await;
    answer.assert_says("failed_calls").assert_done();
}

#[tokio::test]
async fn one_upstream_asked_for_several_models_is_one_upstream() {
    let near = upstream().await;
    let hone = hone()
        .upstream_with(&near, |near| near.limit("concurrent_requests", 1))
        .start();
    let answer = ask_panel(&hone.client("mine"), "a", &["b", "c"]).await;
    answer
        .assert_ok()
        .assert_header("x-hone-upstream", "sim")
        .assert_header("x-hone-credential", "client");
    assert_eq!(models(&near), ["a", "b", "c"]);
}

#[tokio::test]
async fn the_losers_of_a_race_are_cancelled_at_their_upstream() {
    for stream in [false, true] {
        let (near, far, hone) = two_of_one_key(nothing_else).await;
        near.set(stuck());
        let fields = json!({"optillm_approach": "race", "race_models": ["far-a"],
            "stream": stream});
        let answer = hone.client("mine").ask_with("near-own", fields).await;
        answer.assert_ok().assert_hides("failed_calls");
        // The loser is cancelled.
        in_time(near.wait_until(|stats| stats.cancelled == 1 && stats.in_flight == 0)).await;
        assert_eq!(far.stats().completed, 1);
    }
}

#[tokio::test]
async fn a_fusion_streams_its_last_call() {
    let (near, far, hone) = two_of_one_key(nothing_else).await;
    let fields = json!({"optillm_approach": "fusion", "fusion_models": ["near-a", "far-b"],
        "stream": true});
    let answer = hone.client("mine").ask_with("near-own", fields).await;
    answer.assert_done();
    assert_eq!(calls([&near, &far]), [3, 1]);
    let bodies = bodies(&near);
    let streamed = bodies
        .iter()
        .filter(|body| body.contains(r#""stream":true"#));
    assert_eq!(streamed.count(), 1, "the last call, and no other");
}
