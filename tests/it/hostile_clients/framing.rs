//! Heads and bodies that could be read in two ways, or in none.

use crate::support::client::CHAT;
use crate::support::head::{chunks, get, post, post_chat, request};
use crate::support::sim::calls;
use crate::support::{chat_body, hone, text, upstream};

/// Requests with `body` whose end is told twice, or wrongly, or not at all.
fn contradictions(body: &str) -> Vec<Vec<u8>> {
    let (length, chunked) = (body.len(), chunks([body]));
    let smuggled = Vec::from(post(CHAT));
    let begin = || post_chat("k").close();
    let encoded = |encoding| begin().header("transfer-encoding", encoding);
    vec![
        begin().content_length(length).content_length(5).then(body),
        begin()
            .content_length(5)
            .chunked()
            .then([chunked.as_bytes(), &smuggled].concat()),
        encoded("chunked, identity").then(&chunked),
        encoded("xchunked").then(&chunked),
        begin()
            .header("content-length", format!("+{length}"))
            .then(body),
        begin()
            .line(&format!("content-length : {length}"))
            .then(body),
        begin().line(" folded: x").body(body),
        begin()
            .chunked()
            .then(format!("ffffffffffffffffff\r\n{body}\r\n0\r\n\r\n")),
        begin().chunked().then(format!("zz\r\n{body}\r\n0\r\n\r\n")),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"\0\0\0\0\r\n\r\n".to_vec(),
    ]
}

#[tokio::test]
async fn contradictory_and_broken_framing_never_reaches_the_upstream_twice() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let body = chat_body("sim-small").to_string();
    for request in contradictions(&body) {
        let (shown, before) = (text(&request), upstream.requests().len());
        let answer = hone.exchange(request).await;
        let reached = &upstream.requests()[before..];
        assert!(reached.len() <= 1, "{shown:?}");
        assert!(
            answer.matches("HTTP/1.1 200").count() <= reached.len(),
            "{shown:?}: {answer}"
        );
        for seen in reached {
            assert_eq!(seen.body, body.as_bytes(), "exactly one framing: {shown:?}");
        }
    }
    hone.client("k").ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn oversized_heads_are_431() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let big = get("/livez").header("x-big", "x".repeat(100_000));
    let answer = hone.exchange(big).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    for (more, status) in [(98, "200"), (99, "431"), (500, "431")] {
        let begin = get("/livez").close();
        let many = (0..more).fold(begin, |head, _| head.header("x-many", 1));
        let answer = hone.exchange(many).await;
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected), "{more}: {answer}");
    }
    hone.keyless().get("/livez").await.assert_ok();
}

#[tokio::test]
async fn request_targets_that_could_be_read_in_two_ways_are_400() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for target in [
        "/v1/../x",
        "/v1/%2e%2e/x",
        "/v1/a%2fb",
        "/v1//x",
        "/v1/a\\b",
        "/v1/a%5cb",
        "http://other/v1/models",
    ] {
        let answer = hone.exchange(get(target).key("k").close()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{target}: {answer}");
    }
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn options_of_all_is_400_connect_is_405_and_an_upgrade_is_501() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let options = hone.exchange(request("OPTIONS", "*").close()).await;
    assert!(options.starts_with("HTTP/1.1 400"), "{options}");
    let connect = "CONNECT other:443 HTTP/1.1\r\nhost: other:443\r\nconnection: close\r\n\r\n";
    let connect = hone.exchange(connect).await;
    assert!(connect.starts_with("HTTP/1.1 405"), "{connect}");
    let upgrade = get("/v1/realtime")
        .key("k")
        .header("connection", "upgrade, close")
        .header("upgrade", "websocket");
    let upgrade = hone.exchange(upgrade).await;
    assert!(upgrade.starts_with("HTTP/1.1 501"), "{upgrade}");
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn a_base_url_without_v1_is_told_the_right_one() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let answer = hone.client("k").post("/chat/completions", "{}").await;
    answer.assert_refused(404, "missing_v1").assert_says("/v1");
}

#[tokio::test]
async fn two_hosts_or_none_or_one_that_is_none_are_400() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let line = "GET /v1/models HTTP/1.1\r\nauthorization: Bearer k\r\nconnection: close\r\n";
    for hosts in [
        "",
        "host: a\r\nhost: b\r\n",
        "host: a\r\nhost: a\r\n",
        "host: a, b\r\n",
        "host: a b\r\n",
        "host: user@a\r\n",
        "host: a/b\r\n",
    ] {
        let answer = hone.exchange(format!("{line}{hosts}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{hosts:?}: {answer}");
        assert!(answer.contains("invalid_host"), "{hosts:?}: {answer}");
    }
    assert_eq!(calls([&upstream]), [0]);
    for host in ["", "a", "a:80", "[::1]:80", "a_b"] {
        let answer = hone.exchange(format!("{line}host: {host}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host:?}: {answer}");
    }
    let old = "GET /livez HTTP/1.0\r\n\r\n";
    let answer = hone.exchange(old).await;
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}

#[tokio::test]
async fn a_body_of_unknown_length_goes_up_whatever_the_method() {
    for http2 in [false, true] {
        let upstream = upstream().await;
        let hone = hone()
            .upstream_with(&upstream, |upstream| {
                upstream.set("http2_prior_knowledge", http2)
            })
            .start();
        for method in ["GET", "HEAD", "DELETE", "POST", "PUT"] {
            let begin = request(method, "/v1/other").key("k").close();
            hone.exchange(begin.chunked().then(chunks(["one", "two"])))
                .await;
            let requests = upstream.requests();
            let last = requests.last().expect("one");
            assert_eq!(text(&last.body), "onetwo", "{method} {http2}");
        }
    }
}
