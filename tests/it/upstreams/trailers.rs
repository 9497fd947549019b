//! Fields behind a body: nothing has filtered them, so nobody gets any.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::TokioExecutor;

use crate::support::head::{chunk, post};
use crate::support::multiplexed::{Multiplexed, TRAILERS};
use crate::support::{chat_body, hone, in_time};

fn secrets() -> HeaderMap {
    let fields = [
        ("authorization", "Bearer sk-another"),
        ("x-hone-key", "hone-another"),
        ("x-forwarded-for", "127.0.0.1"),
    ];
    fields
        .into_iter()
        .map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, http::HeaderValue::from_static(value))
        })
        .collect()
}

#[tokio::test]
async fn trailers_of_a_client_reach_no_upstream() {
    let upstream = Multiplexed::start(None, 10).await;
    let hone = hone()
        .upstream_with(&upstream, |upstream_of| upstream.spoken(upstream_of))
        .start();
    let pool = Pool::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    for (path, kind) in [
        ("files", "text/plain"),
        ("chat/completions", "application/json"),
    ] {
        let body = Full::new(Bytes::from(chat_body("m").to_string()));
        let request = Request::post(format!("http://{}/v1/{path}", hone.address()))
            .header("authorization", "Bearer k")
            .header("content-type", kind)
            .body(body.with_trailers(std::future::ready(Some(Ok(secrets())))))
            .expect("fixture: a request");
        let answer = in_time(pool.request(request)).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
    }
    let chunked = post("/v1/files").key("k").chunked().close();
    let fields = "0\r\nauthorization: Bearer sk-another\r\n\r\n";
    let chunked = chunked.header("trailer", "authorization");
    let answer = hone.exchange(chunked.then(chunk("x") + fields)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let seen = upstream.seen();
    assert_eq!((seen.requests, seen.with_trailers), (3, 0));
}

#[tokio::test]
async fn trailers_of_an_upstream_reach_no_client() {
    let upstream = Multiplexed::start(None, 10).await;
    let hone = hone()
        .upstream_with(&upstream, |upstream_of| upstream.spoken(upstream_of))
        .start();
    for client in [hone.client("k"), hone.http2().key("k")] {
        let answer = client.open_chat(&chat_body(TRAILERS)).await;
        let body = in_time(answer.into_body().collect()).await;
        let body = body.expect("a whole answer");
        assert_eq!(body.trailers(), None);
        assert_eq!(body.to_bytes(), "ok");
    }
}
