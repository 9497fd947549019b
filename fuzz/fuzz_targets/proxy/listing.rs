//! Model lists of two upstreams, the first in line 1: merged, they show a confined tenant what it
//! may use, each name once.
#![no_main]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::LazyLock;

use hone::answer::encode::Reply;
use hone::config::{Config, glob};
use hone::models::{Form, Listed, merge};
use hone::snapshot::Snapshot;
use hone::tenant::{Directory, Peer, Principal, identify};
use hone_fuzz::first_line_of_bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const KEY: &str = "key";

const CONFIG: &str = r#"
[[upstream]]
name = "a"
base_url = "http://127.0.0.1:9/v1"
models = ["gpt-*"]
[[upstream]]
name = "b"
base_url = "http://127.0.0.1:9/v1"
models = ["*"]
[[tenant]]
name = "t"
keys = ["DIGEST"]
models = ["gpt-4*", "virtual"]
[[model]]
name = "virtual"
model = "hidden"
approach = "moa"
"#;

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let digest = hone::config::KeyDigest::of(KEY.as_bytes()).to_string();
    let config = Config::parse(&CONFIG.replace("DIGEST", &digest), &|_| None)
        .expect("the configuration above");
    Snapshot::new(config, None).expect("it names no certificates")
});

static CALLER: LazyLock<Principal> = LazyLock::new(|| {
    let (mut head, ()) = Request::new(()).into_parts();
    head.headers
        .insert("x-hone-key", HeaderValue::from_static(KEY));
    let address = SocketAddr::from(([192, 0, 2, 1], 40_000));
    identify(
        &Directory::new(&SNAPSHOT.config),
        &SNAPSHOT.config,
        &head,
        &Peer {
            address,
            listener: address,
        },
        address.ip(),
    )
    .expect("the tenant")
});

fuzz_target!(|text: &[u8]| {
    let (first, second) = first_line_of_bytes(text);
    let listed = |body: &[u8]| {
        Ok(Listed {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.to_vec().into(),
            form: Form::OpenAi,
            share: None,
        })
    };
    let answers = vec![(0, listed(first)), (1, listed(second))];
    let (upstreams, config) = (&SNAPSHOT.upstreams, &SNAPSHOT.config);
    let merged = merge(answers, Form::OpenAi, upstreams, config, &CALLER).expect("both answered");
    // The caller may see some models only, so that what is no list tells it of none.
    let Reply::Verbatim { body, .. } = merged else {
        unreachable!("a list in memory")
    };
    let list: Value = serde_json::from_slice(&body).expect("JSON");
    let models = list.get("data").and_then(Value::as_array).expect("a list");
    let names: Vec<&str> = models
        .iter()
        .map(|model| {
            model
                .get("id")
                .and_then(Value::as_str)
                .expect("every model has a name")
        })
        .collect();
    assert_eq!(
        names.iter().collect::<HashSet<_>>().len(),
        names.len(),
        "{names:?}"
    );
    assert!(names.contains(&"virtual"));
    for name in names.into_iter().filter(|name| *name != "virtual") {
        let bare = name
            .strip_prefix("a/")
            .or_else(|| name.strip_prefix("b/"))
            .unwrap_or(name);
        assert!(
            [bare, name]
                .iter()
                .any(|name| glob::matches("gpt-4*", name) || *name == "virtual"),
            "{name}"
        );
    }
});
