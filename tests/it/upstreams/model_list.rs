//! `GET models` over several upstreams: what is listed can be asked for, by this caller, under that
//! name.

use hone::sim::{Fault, Knobs, Sim, SimConfig, SimHandle};

use crate::support::{Answer, Client, chat_body, hone, table_at};

async fn provider(models: &[&str]) -> SimHandle {
    let models = models.iter().map(|&name| name.to_owned()).collect();
    Sim::start(SimConfig {
        record: true,
        models,
        ..SimConfig::default()
    })
    .await
    .expect("fixture: the simulated provider starts")
}

/// Two upstreams: `a` takes what begins with `gpt`, `b` everything else.
async fn pair() -> (SimHandle, SimHandle, String) {
    let a = provider(&["gpt-1", "shared"]).await;
    let b = provider(&["gpt-2", "shared", "llama"]).await;
    let tables = format!(
        "{}models = [\"gpt*\"]\n{}accepts_client_keys = true\n",
        table_at("a", a.addr()),
        table_at("b", b.addr())
    );
    (a, b, tables)
}

/// A caller with a key for each.
fn caller(address: std::net::SocketAddr) -> Client {
    Client::new(address)
        .key("mine")
        .header("x-hone-key-b", "theirs")
}

fn ids(answer: &Answer) -> Vec<String> {
    let list = answer.json();
    list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|model| model["id"].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test]
async fn every_upstream_is_asked_and_each_model_has_the_name_that_leads_to_it() {
    let (a, b, tables) = pair().await;
    let hone = hone(&format!(
        "{tables}[[model]]\nname = \"llama\"\nmodel = \"gpt-1\"\napproach = \"none\"\n"
    ));
    let client = caller(hone.address());
    let answer = client.get("/v1/models").await;
    assert_eq!(
        ids(&answer),
        ["gpt-1", "a/shared", "b/gpt-2", "shared", "llama"]
    );
    assert_eq!(
        (
            answer.header("x-hone-upstream"),
            answer.header("x-hone-credential")
        ),
        ("a, b", "client")
    );
    assert_eq!(
        (
            a.stats().calls_with(b"mine"),
            b.stats().calls_with(b"theirs")
        ),
        (1, 1)
    );
    for (listed, at) in [
        ("gpt-1", &a),
        ("a/shared", &a),
        ("b/gpt-2", &b),
        ("shared", &b),
    ] {
        assert_eq!(
            client.get(&format!("/v1/models/{listed}")).await.status,
            200,
            "{listed}"
        );
        client.chat(&chat_body(listed)).await;
        let seen = at.requests().last().expect("a request").clone();
        assert!(seen.target.ends_with("chat/completions"), "{listed}");
    }
}

#[tokio::test]
async fn only_upstreams_that_the_caller_has_a_key_for_are_asked() {
    let (a, b, tables) = pair().await;
    let hone = hone(&tables.replace("accepts_client_keys = true\n", ""));
    let plain = Client::new(hone.address()).key("mine");
    assert_eq!(ids(&plain.get("/v1/models").await), ["gpt-1", "a/shared"]);
    assert_eq!(b.stats().total_calls(), 0);
    let second = Client::new(hone.address()).header("x-hone-key-b", "other");
    assert_eq!(
        ids(&second.get("/v1/models").await),
        ["b/gpt-2", "shared", "llama"]
    );
    assert_eq!(
        (
            a.stats().calls_with(b"other"),
            b.stats().calls_with(b"other")
        ),
        (0, 1)
    );
    assert_eq!(
        Client::new(hone.address()).get("/v1/models").await.status,
        401,
        "nobody may be asked"
    );
}

#[tokio::test]
async fn the_provider_slots_key_goes_to_one_upstream_even_where_all_take_client_keys() {
    let (a, b, tables) = pair().await;
    let hone = hone(&tables);
    let answer = Client::new(hone.address())
        .key("mine")
        .get("/v1/models")
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("x-hone-upstream")),
        (200, "a")
    );
    assert_eq!(ids(&answer), ["gpt-1", "a/shared"]);
    assert_eq!(
        (a.stats().calls_with(b"mine"), b.stats().total_calls()),
        (1, 0)
    );
    // A key sent for the first by name leaves the provider slot's to the second.
    let named = Client::new(hone.address())
        .key("mine")
        .header("x-hone-key-a", "first")
        .get("/v1/models")
        .await;
    assert_eq!(named.header("x-hone-upstream"), "a, b");
    assert_eq!(
        (
            a.stats().calls_with(b"first"),
            a.stats().calls_with(b"mine"),
            b.stats().calls_with(b"mine")
        ),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn a_list_survives_an_upstream_that_fails_and_without_any_the_first_failure_is_told() {
    let (a, b, tables) = pair().await;
    let hone = hone(&tables);
    let client = caller(hone.address());
    let failing = |status| Knobs {
        faults: vec![
            Fault::Status {
                status,
                retry_after: None,
                code: None,
            }
            .into(),
        ],
        ..Knobs::default()
    };
    a.set(failing(503));
    assert_eq!(
        ids(&client.get("/v1/models").await),
        ["b/gpt-2", "shared", "llama"]
    );
    b.set(failing(500));
    let direct = Client::new(a.addr()).get("/v1/models").await;
    let through = client.get("/v1/models").await;
    assert_eq!((through.status.as_u16(), through.body), (503, direct.body));
    a.set(Knobs {
        faults: vec![Fault::Disconnect.into()],
        ..Knobs::default()
    });
    assert_eq!(
        client.get("/v1/models").await.code(),
        "upstream_unavailable"
    );
}

#[tokio::test]
async fn a_tenant_sees_the_models_that_it_may_use() {
    let (a, _b, tables) = pair().await;
    let tenant = format!(
        "{tables}[[tenant]]\nname = \"t\"\nprovider_keys = [\"{}\"]\n\
            models = [\"shared\", \"gpt-1\"]\n",
        hone::config::KeyDigest::of(b"mine")
    );
    let single = tenant.replace(&tables, &table_at("a", a.addr()));
    for (config, expected) in [
        (tenant, vec!["gpt-1", "a/shared", "shared"]),
        (single, vec!["gpt-1", "shared"]),
    ] {
        let hone = hone(&config);
        let client = if config.contains("\"b\"") {
            caller(hone.address())
        } else {
            Client::new(hone.address()).key("mine")
        };
        assert_eq!(ids(&client.get("/v1/models").await), expected);
        let hidden = client.get("/v1/models/gpt-2").await;
        assert_eq!(
            (hidden.status.as_u16(), hidden.header("x-hone-error")),
            (404, "model_not_found")
        );
    }
}

#[tokio::test]
async fn a_list_of_several_upstreams_costs_a_call_for_each() {
    let (a, b, tables) = pair().await;
    let hone = hone(&format!(
        "{tables}[limits]\nupstream_calls_per_minute = 3\n"
    ));
    let client = caller(hone.address());
    assert_eq!(client.get("/v1/models").await.status, 200);
    assert_eq!(client.get("/v1/models").await.status, 429);
    assert_eq!(a.stats().total_calls() + b.stats().total_calls(), 2);
}
