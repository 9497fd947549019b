//! Web pages that call hone from a browser: who may, and what a browser is told.

use http::Method;

use crate::support::sim::calls;
use crate::support::{Answer, Client, chat_body, hone, upstream};

const PAGE: &str = "http://localhost:3000";

/// What a browser asks before a page of `origin` may post JSON with a key.
async fn preflight(client: &Client, path: &str, origin: &str) -> Answer {
    let client = client
        .clone()
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,x-hone-approach",
        );
    client.send(Method::OPTIONS, path, "").await
}

#[track_caller]
fn assert_may_read(answer: &Answer, origin: &str) {
    answer.assert_header("access-control-allow-origin", origin);
    answer.assert_header("access-control-allow-credentials", "");
    let exposed = answer.header("access-control-expose-headers");
    for name in [
        "x-hone-request-id",
        "x-hone-error",
        "x-request-id",
        "retry-after",
        "ratelimit",
    ] {
        let mut names = exposed.split(", ");
        assert!(names.any(|exposed| exposed == name), "{name} of {answer}");
    }
    assert!(
        answer
            .headers
            .get_all("vary")
            .iter()
            .any(|vary| vary == "origin"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_page_of_a_listed_origin_may_ask_and_read_answers_and_errors() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .set("cors_origins", vec![PAGE, "https://app.example"])
        .limit("requests_per_minute", 3)
        .start();
    for client in [hone.keyless(), hone.http2()] {
        for path in [
            "/v1/chat/completions",
            "/v1/files/f",
            "/v1/unknown",
            "/hone/whoami",
        ] {
            let answer = preflight(&client, path, PAGE).await;
            answer
                .assert_status(204)
                .assert_header(
                    "access-control-allow-methods",
                    "GET, HEAD, POST, PUT, PATCH, DELETE",
                )
                .assert_header(
                    "access-control-allow-headers",
                    "authorization,content-type,x-hone-approach",
                )
                .assert_header("access-control-max-age", "7200");
            assert!(answer.body.is_empty());
            assert_may_read(&answer, PAGE);
        }
    }
    assert_eq!(calls([&upstream]), [0]);
    let page = hone.client("k").header("origin", PAGE);
    for (model, status) in [("sim-small", 200), ("bon-sim-small", 200), ("a&b-m", 400)] {
        let answer = page.ask(model).await;
        assert_may_read(answer.assert_status(status), PAGE);
    }
    while page.ask("sim-small").await.status == 200 {}
    assert_may_read(page.ask("sim-small").await.assert_status(429), PAGE);
    let keyless = hone.keyless().header("origin", PAGE);
    assert_may_read(keyless.ask("m").await.assert_status(401), PAGE);
    assert_may_read(&keyless.get("/v1x").await, PAGE);
    let streamed = hone.client("other").header("origin", PAGE);
    let streamed = streamed
        .ask_with("re2-sim-small", serde_json::json!({"stream": true}))
        .await;
    assert_may_read(streamed.assert_done(), PAGE);
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_nothing_that_its_browser_would_accept() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .set("cors_origins", vec![PAGE])
        .start();
    for origin in [
        "http://localhost:3001",
        "http://localhost",
        "https://localhost:3000",
        "null",
    ] {
        let refused = preflight(&hone.keyless(), "/v1/chat/completions", origin).await;
        refused
            .assert_refused(403, "origin_not_allowed")
            .assert_says("cors_origins")
            .assert_header("access-control-allow-origin", "");
        let answer = hone
            .client("k")
            .header("origin", origin)
            .ask("sim-small")
            .await;
        answer
            .assert_ok()
            .assert_header("access-control-allow-origin", "");
        answer.assert_header("vary", "origin");
    }
    let program = hone.client("k").ask("sim-small").await;
    program
        .assert_ok()
        .assert_header("access-control-allow-origin", "");
}

#[tokio::test]
async fn without_origins_a_browser_is_told_what_helps_and_programs_notice_nothing() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let refused = preflight(&hone.keyless(), "/v1/chat/completions", PAGE).await;
    refused
        .assert_refused(403, "origin_not_allowed")
        .assert_says("`cors_origins`")
        .assert_hides("key");
    let answer = hone
        .client("k")
        .header("origin", PAGE)
        .ask("sim-small")
        .await;
    answer
        .assert_ok()
        .assert_header("access-control-allow-origin", "");
    answer.assert_header("vary", "");
}

#[tokio::test]
async fn a_star_is_every_page_and_opens_no_purse() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.fallback_for("loopback"))
        .set("cors_origins", vec!["*"])
        .start();
    let page = |origin: &str| hone.keyless().header("origin", origin);
    for origin in ["https://anything.example", "null"] {
        let answer = preflight(&hone.keyless(), "/v1/models", origin).await;
        assert_may_read(answer.assert_status(204), "*");
        let refused = page(origin).chat(&chat_body("sim-small")).await;
        assert_may_read(refused.assert_refused(401, "invalid_api_key"), "*");
    }
    hone.keyless().ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn what_a_provider_says_of_pages_is_not_said_of_hone() {
    let answer = crate::support::head::answer("200 OK")
        .json()
        .close()
        .header("access-control-allow-origin", "*")
        .header("access-control-allow-credentials", "true")
        .header("vary", "accept-encoding")
        .body("{}");
    let then = crate::support::raw::Then::Close;
    let upstream = crate::support::raw::RawUpstream::start(answer, then).await;
    for origins in [vec![], vec![PAGE]] {
        let hone = hone()
            .upstream(&upstream)
            .set("cors_origins", origins.clone())
            .start();
        let answer = hone.client("k").header("origin", PAGE).ask("m").await;
        let origin = origins.first().copied().unwrap_or_default();
        answer
            .assert_ok()
            .assert_header("access-control-allow-origin", origin);
        answer.assert_header("access-control-allow-credentials", "");
        let lines = answer.headers.get_all("vary").iter().count();
        assert_eq!(lines, 1 + origins.len(), "{answer}");
    }
}
