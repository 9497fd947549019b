//! Google's keys in the query: they pay, and nobody sees them.

use serde_json::json;

use crate::support::process::Process;
use crate::support::sim::calls;
use crate::support::{Client, hone, upstream};

const SECRET: &str = "AIza-SECRET";
const GENERATE: &str = "/v1beta/models/sim-small:generateContent";

fn body() -> String {
    json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}).to_string()
}

#[tokio::test]
async fn a_key_in_the_query_pays_and_stands_in_no_target() {
    let sim = upstream().await;
    let hone = hone()
        .upstream_with(&sim, |sim| sim.dialect("gemini"))
        .start();
    for (query, left) in [
        (format!("?key={SECRET}"), ""),
        (format!("?alt=sse&%6Bey={SECRET}&x=%20"), "?alt=sse&x=%20"),
        (format!("?$key={SECRET}&key={SECRET}"), ""),
    ] {
        for key in [None, Some(SECRET), Some("")] {
            let client = hone.keyless();
            let client = match key {
                Some(key) => client.header("x-goog-api-key", key),
                None => client,
            };
            let answer = client.post(&format!("{GENERATE}{query}"), body()).await;
            answer
                .assert_ok()
                .assert_header("x-hone-credential", "client");
            let seen = sim.requests().pop().expect("a request");
            assert_eq!(seen.target, format!("{GENERATE}{left}"));
            assert_eq!(sim.stats().calls_with(SECRET.as_bytes()), calls([&sim])[0]);
        }
    }
    let listed = hone.keyless().header("x-goog-api-client", "x");
    listed.get(&format!("/v1/models?key={SECRET}")).await;
    assert_eq!(
        sim.requests().pop().expect("a request").target,
        "/v1/models"
    );
}

#[tokio::test]
async fn two_keys_and_tokens_are_refused_and_not_repeated() {
    let sim = upstream().await;
    let hone = hone()
        .upstream_with(&sim, |sim| sim.dialect("gemini"))
        .start();
    let other = hone.keyless().header("x-goog-api-key", "other");
    let bearer = hone.client("other");
    for (client, query, code) in [
        (
            hone.keyless(),
            format!("key={SECRET}&key=other"),
            "conflicting_keys",
        ),
        (
            hone.keyless(),
            format!("access_token={SECRET}"),
            "invalid_authorization",
        ),
        (
            hone.keyless(),
            format!("key={SECRET}%0Ax"),
            "invalid_authorization",
        ),
        (other, format!("key={SECRET}"), "repeated_key"),
        (bearer, format!("key={SECRET}"), "conflicting_keys"),
    ] {
        for path in [
            GENERATE,
            "/v1beta/files",
            "/v1beta/models/m:GenerateContent",
        ] {
            let answer = client.post(&format!("{path}?{query}"), body()).await;
            answer.assert_status(400);
            assert_eq!(
                answer.json()["error"]["status"],
                "INVALID_ARGUMENT",
                "{query}"
            );
            assert!(!answer.text().contains("SECRET"), "{query}");
            if path == GENERATE {
                answer.assert_header("x-hone-error", code);
            }
        }
    }
    assert_eq!(calls([&sim]), [0]);
}

#[tokio::test]
async fn no_line_of_the_log_and_no_metric_holds_a_key_of_a_query() {
    let sim = upstream().await;
    let setup = hone()
        .upstream_with(&sim, |sim| sim.dialect("gemini"))
        .config("log.filter = \"trace\"")
        .admin();
    let mut process = Process::serve(&setup).await;
    let client = Client::new(process.address());
    for target in [
        format!("{GENERATE}?key={SECRET}"),
        format!("{GENERATE}?key={SECRET}&key=other"),
        format!("/v1beta/models/m:GenerateContent?key={SECRET}"),
        format!("/v1beta/files?access_token={SECRET}"),
        format!("/upload/v1beta/files?key={SECRET}"),
    ] {
        let answer = client.post(&target, body()).await;
        assert!(
            !format!("{:?}", answer.headers).contains("SECRET"),
            "{target}"
        );
    }
    let metrics = process.admin().get("/metrics").await.text();
    assert!(!metrics.contains("SECRET"), "{metrics}");
    process.logs_times("invalid_path", 1).await;
    process.signal("TERM").await;
    process.ends().await;
    assert_eq!(process.lines("SECRET"), Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn elsewhere_a_key_in_the_query_is_no_key_of_hones() {
    let sim = upstream().await;
    let hone = hone().upstream(&sim).start();
    let target = "/v1/files?x=y&access_token=y";
    hone.client("k").get(target).await;
    assert_eq!(sim.requests().pop().expect("a request").target, target);
    hone.client("k").get("/v1/files?key=other").await;
    let seen = sim.requests().pop().expect("a request").target;
    assert!(seen.starts_with("/v1/files?key="), "{seen}");
}
