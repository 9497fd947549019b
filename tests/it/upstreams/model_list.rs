//! `GET models` over several upstreams: what is listed can be asked for, by this caller, under that
//! name.

use crate::support::parts::{Fault, SimHandle};
use crate::support::setup::{Setup, Tenant, Upstream};
use crate::support::sim::{calls, calls_with, fails, faulty, upstream_of};
use crate::support::{Client, Hone, hone};

/// `a`, which takes what begins with `gpt`, and `b`, which takes everything else.
async fn upstreams() -> (SimHandle, SimHandle) {
    let a = upstream_of(&["gpt-1", "shared"]).await;
    (a, upstream_of(&["gpt-2", "shared", "llama"]).await)
}

fn a_and_b(a: &SimHandle, b: &SimHandle, b_is: impl FnOnce(Upstream) -> Upstream) -> Setup {
    hone()
        .upstream_with(a, |a| a.named("a").models(&["gpt*"]))
        .upstream_with(b, |b| b_is(b.named("b")))
}

/// Both of which take the keys of clients.
fn pair(a: &SimHandle, b: &SimHandle) -> Setup {
    a_and_b(a, b, Upstream::takes_client_keys)
}

/// A caller with a key for each.
fn caller(hone: &Hone) -> Client {
    hone.client("mine").header("x-hone-key-b", "theirs")
}

#[tokio::test]
async fn every_upstream_is_asked_and_each_model_has_the_name_that_leads_to_it() {
    let (a, b) = upstreams().await;
    let hone = pair(&a, &b).model("llama", "gpt-1", "none").start();
    let client = caller(&hone);
    let list = client.get("/v1/models").await;
    assert_eq!(
        list.model_ids(),
        ["gpt-1", "a/shared", "b/gpt-2", "shared", "llama"]
    );
    list.assert_header("x-hone-upstream", "a, b")
        .assert_header("x-hone-credential", "client");
    assert_eq!(calls_with("mine", [&a]), [1]);
    assert_eq!(calls_with("theirs", [&b]), [1]);
    for (listed, at) in [
        ("gpt-1", &a),
        ("a/shared", &a),
        ("b/gpt-2", &b),
        ("shared", &b),
    ] {
        let one = client.get(&format!("/v1/models/{listed}")).await;
        one.assert_ok();
        client.ask(listed).await;
        let seen = at.requests().last().expect("a request").clone();
        assert!(seen.target.ends_with("chat/completions"), "{listed}");
    }
}

#[tokio::test]
async fn only_upstreams_that_the_caller_has_a_key_for_are_asked() {
    let (a, b) = upstreams().await;
    let hone = a_and_b(&a, &b, |b| b).start();
    let plain = hone.client("mine").get("/v1/models").await;
    assert_eq!(plain.model_ids(), ["gpt-1", "a/shared"]);
    assert_eq!(calls([&b]), [0]);
    let second = hone.keyless().header("x-hone-key-b", "other");
    let list = second.get("/v1/models").await;
    assert_eq!(list.model_ids(), ["b/gpt-2", "shared", "llama"]);
    assert_eq!(calls_with("other", [&a, &b]), [0, 1]);
    let nobody_may_be_asked = hone.keyless().get("/v1/models").await;
    nobody_may_be_asked.assert_status(401);
}

#[tokio::test]
async fn the_provider_slots_key_goes_to_one_upstream_even_where_all_take_client_keys() {
    let (a, b) = upstreams().await;
    let hone = pair(&a, &b).start();
    let list = hone.client("mine").get("/v1/models").await;
    list.assert_ok().assert_header("x-hone-upstream", "a");
    assert_eq!(list.model_ids(), ["gpt-1", "a/shared"]);
    assert_eq!(calls_with("mine", [&a]), [1]);
    assert_eq!(calls([&b]), [0]);
    // A key sent for the first by name leaves the provider slot's to the second.
    let named = hone.client("mine").header("x-hone-key-a", "first");
    let list = named.get("/v1/models").await;
    list.assert_header("x-hone-upstream", "a, b");
    assert_eq!(calls_with("first", [&a]), [1]);
    assert_eq!(calls_with("mine", [&a, &b]), [1, 1]);
}

#[tokio::test]
async fn a_list_survives_an_upstream_that_fails_and_without_any_the_first_failure_is_told() {
    let (a, b) = upstreams().await;
    let hone = pair(&a, &b).start();
    let client = caller(&hone);
    a.set(fails(503));
    let list = client.get("/v1/models").await;
    assert_eq!(list.model_ids(), ["b/gpt-2", "shared", "llama"]);
    b.set(fails(500));
    let direct = Client::new(a.addr()).get("/v1/models").await;
    let through = client.get("/v1/models").await;
    through.assert_status(503);
    assert_eq!(through.body, direct.body);
    a.set(faulty(None, Fault::Disconnect));
    let down = client.get("/v1/models").await;
    assert_eq!(down.code(), "upstream_unavailable", "{down}");
}

#[tokio::test]
async fn a_tenant_sees_the_models_that_it_may_use() {
    let (a, b) = upstreams().await;
    let tenant = |tenant: Tenant| tenant.provider_key("mine").models(&["shared", "gpt-1"]);
    let one = hone().upstream(&a).tenant("t", tenant).start();
    let two = pair(&a, &b).tenant("t", tenant).start();
    let both = ["gpt-1", "a/shared", "shared"];
    for (client, expected) in [
        (one.client("mine"), ["gpt-1", "shared"].as_slice()),
        (caller(&two), &both),
    ] {
        let list = client.get("/v1/models").await;
        assert_eq!(list.model_ids(), expected);
        let one = client.get("/v1/models/gpt-1").await;
        assert_eq!(one.json()["id"], "gpt-1", "{one}");
        let hidden = client.get("/v1/models/gpt-2").await;
        hidden
            .assert_status(404)
            .assert_header("x-hone-error", "model_not_found");
    }
}

#[tokio::test]
async fn a_list_of_several_upstreams_costs_a_call_for_each() {
    let (a, b) = upstreams().await;
    let hone = pair(&a, &b).limit("upstream_calls_per_minute", 3).start();
    let client = caller(&hone);
    client.get("/v1/models").await.assert_ok();
    client.get("/v1/models").await.assert_status(429);
    assert_eq!(calls([&a, &b]).iter().sum::<u64>(), 2);
}

#[tokio::test]
async fn a_model_with_an_approach_before_it_is_the_model_under_that_name() {
    let (a, b) = upstreams().await;
    let one = hone().upstream(&b).model("careful", "llama", "bon").start();
    let two = pair(&a, &b).start();
    for (client, asked, at, path) in [
        (one.client("mine"), "bon-llama", &b, "llama"),
        (one.client("mine"), "none-llama", &b, "llama"),
        (one.client("mine"), "re2%26bon-llama", &b, "llama"),
        (caller(&two), "bon-gpt-1", &a, "gpt-1"),
        (caller(&two), "moa-llama", &b, "llama"),
        (caller(&two), "moa-b/shared", &b, "shared"),
        (caller(&two), "moa-b%2Fshared", &b, "shared"),
    ] {
        let told = client.get(&format!("/v1/models/{asked}")).await;
        told.assert_ok();
        let name = asked.replace("%26", "&").replace("%2F", "/");
        let model = told.json();
        assert_eq!(
            (&model["id"], &model["object"]),
            (&name.into(), &"model".into())
        );
        assert_eq!(model["owned_by"], "sim", "the provider's other fields");
        let seen = at.requests().last().expect("a request").clone();
        assert_eq!(seen.target, format!("/v1/models/{path}"));
    }
    let client = one.client("mine");
    // The provider is asked for what it serves, and says what it lacks.
    client
        .get("/v1/models/bon-nothing")
        .await
        .assert_says("'nothing'")
        .assert_status(404);
    client
        .get("/v1/models/bonn-llama")
        .await
        .assert_says("'bonn-llama'")
        .assert_status(404);
    let twice = client.get("/v1/models/moa-careful").await;
    twice.assert_refused(400, "ambiguous_approach");
}

#[tokio::test]
async fn a_model_with_an_approach_before_it_is_shown_to_those_who_may_use_both() {
    let (a, _) = upstreams().await;
    let hone = hone()
        .upstream_with(&a, |a| a.models(&["bon-literal", "*"]))
        .tenant("t", |tenant| {
            tenant
                .provider_key("mine")
                .models(&["gpt-1"])
                .approaches(&["bon"])
        })
        .start();
    let confined = hone.client("mine");
    confined.get("/v1/models/bon-gpt-1").await.assert_ok();
    let other = confined.get("/v1/models/moa-gpt-1").await;
    other.assert_refused(403, "approach_not_allowed");
    let hidden = confined.get("/v1/models/bon-shared").await;
    hidden
        .assert_refused(404, "model_not_found")
        .assert_says("bon-shared");
    // The operator says that it is a model's own name.
    let literal = hone.client("k").get("/v1/models/bon-literal").await;
    literal.assert_status(404).assert_says("'bon-literal'");
}
