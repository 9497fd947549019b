//! Which approaches and models a tenant may choose, by whatever field names them.

use serde_json::{Value, json};

use crate::support::parts::SimHandle;
use crate::support::sim::calls;
use crate::support::{Hone, hone, upstream};

fn auto_by(heavy: &str) -> Value {
    json!({"optillm_approach": "auto", "auto_heavy": heavy})
}

/// Alice and Bob may choose `auto` and `bon`; the operator has set Bob's parameter `auto_heavy`,
/// and that of a virtual model.
fn two_tenants(upstream: &SimHandle) -> Hone {
    let fusion = toml::toml! { auto_heavy = "fusion" };
    let choice = ["auto", "bon"];
    hone()
        .upstream(upstream)
        .tenant("alice", |alice| {
            alice.provider_key("alice").approaches(&choice)
        })
        .tenant("bob", |bob| {
            let bob = bob.provider_key("bob").approaches(&choice);
            bob.set("params", fusion.clone())
        })
        .model_with("careful", "sim-small", "auto", fusion.clone())
        .start()
}

#[tokio::test]
async fn an_approach_in_a_parameter_is_asked_for_like_any_other() {
    let upstream = upstream().await;
    let hone = two_tenants(&upstream);
    let alice = hone.client("alice");
    for (model, fields) in [
        ("sim-small", auto_by("moa")),
        ("careful", json!({"auto_heavy": "moa"})),
        ("auto-sim-small", auto_by("fusion")),
    ] {
        for client in [&alice, &hone.client("bob")] {
            let refused = client.ask_with(model, fields.clone()).await;
            refused
                .assert_refused(403, "approach_not_allowed")
                .assert_says(fields["auto_heavy"].as_str().expect("fixture"));
        }
    }
    // A large body is read elsewhere, by the same rule.
    let mut long = auto_by("moa");
    long["messages"] = json!([{"role": "user", "content": "x".repeat(300 * 1024)}]);
    alice.ask_with("sim-small", long).await.assert_status(403);
    let unknown = alice.ask_with("sim-small", auto_by("mao")).await;
    unknown.assert_status(400);
    assert_eq!(unknown.json()["error"]["param"], "auto_heavy");
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn an_approach_in_a_parameter_runs_where_it_may_or_is_not_the_callers_choice() {
    let upstream = upstream().await;
    let hone = two_tenants(&upstream);
    let (alice, bob) = (hone.client("alice"), hone.client("bob"));
    let may = alice.ask_with("sim-small", auto_by("bon")).await;
    assert_eq!(may.approach(), "auto");
    let hones_own_choice = alice.ask("auto-sim-small").await;
    assert_eq!(hones_own_choice.approach(), "auto");
    let the_operators_for_him = bob.ask("auto-sim-small").await;
    assert_eq!(the_operators_for_him.approach(), "auto");
    let the_operators_for_the_model = alice.ask("careful").await;
    assert_eq!(the_operators_for_the_model.approach(), "auto");
    let nothing_is_forbidden = hone.client("k");
    let stranger = nothing_is_forbidden.ask_with("sim-small", auto_by("moa"));
    assert_eq!(stranger.await.approach(), "auto");
}

#[tokio::test]
async fn a_tenant_uses_the_approaches_and_models_it_may() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .tenant("alice", |alice| {
            let alice = alice.provider_key("alice").approaches(&["re2"]);
            alice.models(&["sim-*", "careful"])
        })
        .model("careful", "sim-small", "bon")
        .start();
    let alice = hone.client("alice");
    assert_eq!(alice.ask("re2-sim-small").await.approach(), "re2");
    // A virtual model that she may use grants its approach.
    assert_eq!(alice.ask("careful").await.approach(), "bon");
    for (model, code) in [
        ("bon-sim-small", "approach_not_allowed"),
        ("re2&bon-sim-small", "approach_not_allowed"),
        ("gpt-4o", "model_not_allowed"),
        ("sim/gpt-4o", "model_not_allowed"),
    ] {
        alice.ask(model).await.assert_refused(403, code);
    }
}
