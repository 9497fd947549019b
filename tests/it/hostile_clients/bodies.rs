//! Malformed, oversized, slow, truncated, duplicated and contradictory requests: each has a stated
//! outcome, and the process serves the next request.

use std::time::Duration;

use hone::app::App;
use hone::sim::{Knobs, SimHandle};
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::PATIENCE;
use crate::support::raw::{exchange, read_to_end};
use crate::support::{Client, chat_body, hone, hone_before, table, upstream};

#[tokio::test]
async fn bodies_that_are_no_chat_request_are_refused_before_anything_is_spent() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let client = Client::new(hone.address()).key("k");
    let deep = format!(
        r#"{{"model":"bon-m","messages":[{{"role":"user","content":"x"}}],"x":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let rows: Vec<(&[u8], u16, &str)> = vec![
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b"\"text\"", 400, "invalid_json"),
        (b"{\"model\":\"m\",}", 400, "invalid_json"),
        (b"{\"model\":\"m\"} trailing", 400, "invalid_json"),
        (b"{\"model\":\"m\xff\"}", 400, "invalid_json"),
        (b"{\"model\":\"a\",\"model\":\"b\"}", 400, "duplicate_field"),
        (
            b"{\"model\":\"a\",\"mod\\u0065l\":\"b\"}",
            400,
            "duplicate_field",
        ),
        (
            b"{\"stream\":true,\"stream\":false,\"model\":\"a\"}",
            400,
            "duplicate_field",
        ),
        (b"{\"model\":5}", 400, "invalid_type"),
        (
            b"{\"model\":\"m\",\"optillm_approach\":7}",
            400,
            "invalid_type",
        ),
        (
            b"{\"model\":\"m\",\"optillm_approach\":\"bon&\"}",
            400,
            "invalid_approach",
        ),
        (
            b"{\"model\":\"m\",\"optillm_approach\":\"bonn\"}",
            400,
            "unknown_approach",
        ),
        (b"{\"model\":\"bon-m\"}", 400, "invalid_request"),
        (
            b"{\"model\":\"bon-m\",\"messages\":5}",
            400,
            "invalid_request",
        ),
        (
            b"{\"model\":\"bon-m\",\"messages\":[5]}",
            400,
            "invalid_request",
        ),
        (
            b"{\"model\":\"bon-m\",\"messages\":[],\"best_of_n\":\"x\"}",
            400,
            "",
        ),
        (deep.as_bytes(), 400, "invalid_request"),
    ];
    for (body, status, code) in rows {
        let answer = client.post("/v1/chat/completions", body.to_vec()).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        assert_eq!(answer.status, status, "{shown}: {}", answer.text());
        assert!(
            code.is_empty() || answer.code() == code,
            "{shown}: {}",
            answer.text()
        );
        assert_eq!(answer.header("x-hone-error"), answer.code(), "{shown}");
    }
    assert_eq!(upstream.stats().total_calls(), 0);
    assert_eq!(client.chat(&chat_body("sim-small")).await.status, 200);
}

#[tokio::test]
async fn what_hone_does_not_read_passes_however_odd() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let client = Client::new(hone.address()).key("k");
    let deep = format!(
        r#"{{"messages":[{{"role":"user","content":"x"}}],"model":"m","deep":{}{},"big":1e400,"a":1,"a":2}}"#,
        "[".repeat(5000),
        "]".repeat(5000)
    );
    client.post("/v1/chat/completions", deep.clone()).await;
    assert_eq!(upstream.requests()[0].body, deep.as_bytes());
}

#[tokio::test]
async fn types_and_encodings_that_hone_cannot_read_are_415() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let client = Client::new(hone.address()).key("k");
    let body = chat_body("sim-small").to_string();
    let plain = client
        .clone()
        .header("content-type", "text/plain")
        .send(Method::POST, "/v1/chat/completions", body.clone())
        .await;
    assert_eq!(
        (plain.status.as_u16(), plain.code().as_str()),
        (415, "unsupported_media_type")
    );
    let none = client
        .send(Method::POST, "/v1/chat/completions", body.clone())
        .await;
    assert_eq!(none.status, 415);
    let packed = client
        .clone()
        .header("content-encoding", "gzip")
        .post("/v1/chat/completions", body.clone())
        .await;
    assert_eq!(
        (packed.status.as_u16(), packed.code().as_str()),
        (415, "unsupported_encoding")
    );
    let charset = client
        .header("content-type", "Application/JSON; charset=utf-8")
        .send(Method::POST, "/v1/chat/completions", body)
        .await;
    assert_eq!(charset.status, 200);
}

#[tokio::test]
async fn a_body_above_the_bound_is_413_whether_its_length_is_declared_or_not() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nbody_bytes = 1024\nbuffered_bytes = 65536\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let mut body = chat_body("sim-small");
    body["padding"] = json!("x".repeat(3000));
    let declared = client.chat(&body).await;
    assert_eq!(
        (declared.status.as_u16(), declared.code().as_str()),
        (413, "body_too_large")
    );
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
        content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let answer = exchange(
        hone.address(),
        format!("{head}{chunk}{chunk}{chunk}0\r\n\r\n").as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(upstream.stats().total_calls(), 0);
}

/// Sends the head of a chat request and `sent` bytes of its body, and then nothing.
async fn stuck_body(hone: &App, key: &str, length: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(hone.address()).await.expect("connects");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
            content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sends");
    stream.write_all(&vec![b'{'; sent]).await.expect("sends");
    stream
}

/// Whether `client` is answered with `status` at last, while others come or go.
async fn comes_to(client: &Client, status: u16, code: &str) -> bool {
    for _ in 0..2000 {
        let answer = client.chat(&chat_body("sim-small")).await;
        if answer.status == status && answer.header("x-hone-error") == code {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn request_bodies_share_bounded_memory() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nbody_bytes = 65536\nbuffered_bytes = 131072\n",
        two_tenants(&upstream)
    ));
    let held = [
        stuck_body(&hone, "alice", 65_536, 1).await,
        stuck_body(&hone, "bob", 65_536, 1).await,
    ];
    let client = Client::new(hone.address()).key("k");
    assert!(
        comes_to(&client, 503, "overloaded").await,
        "two held bodies leave no room for a third"
    );
    drop(held);
    assert!(comes_to(&client, 200, "").await, "the memory comes back");
}

fn two_tenants(upstream: &SimHandle) -> String {
    let tenant = |name: &str| {
        format!(
            "[[tenant]]\nname = \"{name}\"\nprovider_keys = [\"{}\"]\n",
            hone::config::KeyDigest::of(name.as_bytes())
        )
    };
    format!("{}{}{}", table(upstream), tenant("alice"), tenant("bob"))
}

#[tokio::test]
async fn one_tenants_slow_bodies_leave_room_for_another() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nbody_bytes = 65536\nbuffered_bytes = 1048576\n",
        two_tenants(&upstream)
    ));
    let held = [
        stuck_body(&hone, "alice", 65_536, 1).await,
        stuck_body(&hone, "alice", 65_536, 1).await,
    ];
    let alice = Client::new(hone.address()).key("alice");
    assert!(
        comes_to(&alice, 429, "concurrency_limit_exceeded").await,
        "an eighth of the memory is hers"
    );
    let refused = alice.chat(&chat_body("sim-small")).await;
    assert_eq!(
        (
            refused.header("x-hone-limit-source"),
            refused.header("retry-after")
        ),
        ("hone", "1")
    );
    assert_eq!(
        Client::new(hone.address())
            .key("bob")
            .chat(&chat_body("sim-small"))
            .await
            .status,
        200
    );
    drop(held);
    assert!(comes_to(&alice, 200, "").await, "her share comes back");
}

#[tokio::test]
async fn made_up_keys_of_one_address_share_its_part_of_the_memory() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nbody_bytes = 65536\nbuffered_bytes = 1048576\n",
        table(&upstream)
    ));
    let vouched = Client::new(hone.address()).key("sk-real");
    assert_eq!(vouched.chat(&chat_body("sim-small")).await.status, 200);
    let _held = [
        stuck_body(&hone, "made-up-1", 65_536, 1).await,
        stuck_body(&hone, "made-up-2", 65_536, 1).await,
    ];
    assert!(
        comes_to(
            &Client::new(hone.address()).key("made-up-3"),
            429,
            "concurrency_limit_exceeded"
        )
        .await
    );
    assert_eq!(
        vouched.chat(&chat_body("sim-small")).await.status,
        200,
        "a key that the provider knows has a share of its own"
    );
}

#[tokio::test]
async fn a_body_of_the_largest_size_fits_where_it_may_be_all_there_is() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nbody_bytes = 100000\nbuffered_bytes = 100000\n",
        table(&upstream)
    ));
    let mut body = chat_body("sim-small");
    body["padding"] =
        json!("x".repeat(100_000 - body.to_string().len() - r#","padding":"""#.len()));
    assert_eq!(body.to_string().len(), 100_000);
    let client = Client::new(hone.address()).key("k");
    assert_eq!(client.chat(&body).await.status, 200);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
        content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let answer = exchange(
        hone.address(),
        format!("{head}186a0\r\n{body}\r\n0\r\n\r\n").as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_streamed_run_holds_its_body_until_it_ends() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        tokens_per_second: std::num::NonZeroU32::new(20),
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}[bounds]\nbody_bytes = 1024\nbuffered_bytes = 1024\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let mut body = chat_body("re2-sim-small");
    body["stream"] = json!(true);
    body["padding"] = json!("x".repeat(900));
    let stream = client.open_chat(&body).await;
    assert_eq!(stream.status(), 200);
    assert_eq!(
        client.chat(&chat_body("sim-small")).await.status,
        429,
        "while it runs"
    );
    drop(stream);
    assert!(comes_to(&client, 200, "").await);
}

#[tokio::test]
async fn a_body_that_trickles_is_408_though_it_never_stops() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nbody_read = \"300ms\"\n",
        table(&upstream)
    ));
    let (mut reader, mut writer) = stuck_body(&hone, "k", 100_000, 1).await.into_split();
    let trickle = async {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mut answer = [0; 12];
    tokio::select! {
        () = trickle => {}
        read = tokio::time::timeout(PATIENCE,
            reader.read_exact(&mut answer)) => drop(read.expect("in time").expect("an answer")),
    }
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert_eq!(upstream.stats().total_calls(), 0);
}

#[tokio::test]
async fn a_client_that_stops_sending_is_408_and_costs_no_upstream_call() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nbody_idle = \"200ms\"\n",
        table(&upstream)
    ));
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
        content-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let answer = exchange(hone.address(), head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("body_timeout"));
    assert_eq!(upstream.stats().total_calls(), 0);
}

#[tokio::test]
async fn a_client_that_sends_its_head_slowly_is_disconnected() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nheader_read = \"200ms\"\n",
        table(&upstream)
    ));
    for beginning in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n",
    ] {
        let mut stream = TcpStream::connect(hone.address()).await.expect("connects");
        stream.write_all(beginning.as_bytes()).await.expect("sends");
        let answer = read_to_end(stream).await;
        assert!(!answer.contains("200 OK"), "{beginning:?}: {answer}");
    }
    assert_eq!(Client::new(hone.address()).get("/livez").await.status, 200);
}

#[tokio::test]
async fn contradictory_and_broken_framing_never_reaches_the_upstream_twice() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let body = chat_body("sim-small").to_string();
    let smuggled = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\r\n";
    let start = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
        content-type: application/json\r\nconnection: close\r\n";
    let rows = [
        format!(
            "{start}content-length: {}\r\ncontent-length: 5\r\n\r\n{body}",
            body.len()
        ),
        format!(
            "{start}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\
                \r\n{smuggled}",
            body.len()
        ),
        format!(
            "{start}transfer-encoding: chunked, identity\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        ),
        format!(
            "{start}transfer-encoding: xchunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        ),
        format!("{start}content-length: +{}\r\n\r\n{body}", body.len()),
        format!("{start}content-length : {}\r\n\r\n{body}", body.len()),
        format!(
            "{start} folded: x\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
        format!(
            "{start}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{body}\r\n0\r\n\r\n"
        ),
        format!("{start}transfer-encoding: chunked\r\n\r\nzz\r\n{body}\r\n0\r\n\r\n"),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
    ];
    for row in rows {
        let before = upstream.requests().len();
        let answer = exchange(hone.address(), row.as_bytes()).await;
        let reached = upstream.requests().len() - before;
        assert!(reached <= 1, "{row:?}");
        assert!(
            answer.matches("HTTP/1.1 200").count() <= reached,
            "{row:?}: {answer}"
        );
        for request in upstream.requests().iter().skip(before) {
            assert_eq!(
                request.body,
                body.as_bytes(),
                "exactly one framing: {row:?}"
            );
        }
    }
    assert_eq!(
        Client::new(hone.address())
            .key("k")
            .chat(&chat_body("sim-small"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn oversized_heads_are_431() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let big = format!(
        "GET /livez HTTP/1.1\r\nhost: x\r\nx-big: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let answer = exchange(hone.address(), big.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    for (more, status) in [(98, "200"), (99, "431"), (500, "431")] {
        let many = "x-many: 1\r\n".repeat(more);
        let answer = exchange(
            hone.address(),
            format!("GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{many}\r\n").as_bytes(),
        )
        .await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{more}: {answer}"
        );
    }
    assert_eq!(Client::new(hone.address()).get("/livez").await.status, 200);
}

#[tokio::test]
async fn request_targets_that_could_be_read_in_two_ways_are_400() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let rows = [
        "/v1/../x",
        "/v1/%2e%2e/x",
        "/v1/a%2fb",
        "/v1//x",
        "/v1/a\\b",
        "/v1/a%5cb",
        "http://other/v1/models",
    ];
    for target in rows {
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\nconnection: close\r\n\
                \r\n"
        );
        let answer = exchange(hone.address(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{target}: {answer}");
    }
    let options = exchange(
        hone.address(),
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(options.starts_with("HTTP/1.1 400"), "{options}");
    let connect = exchange(
        hone.address(),
        b"CONNECT other:443 HTTP/1.1\r\nhost: other:443\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(connect.starts_with("HTTP/1.1 400"), "{connect}");
    let upgrade = b"GET /v1/realtime HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
            connection: upgrade, close\r\nupgrade: websocket\r\n\r\n";
    let upgrade = exchange(hone.address(), upgrade).await;
    assert!(upgrade.starts_with("HTTP/1.1 501"), "{upgrade}");
    assert_eq!(upstream.stats().total_calls(), 0);
}

#[tokio::test]
async fn a_base_url_without_v1_is_told_the_right_one() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let answer = Client::new(hone.address())
        .key("k")
        .post("/chat/completions", "{}")
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (404, "missing_v1")
    );
    assert!(answer.text().contains("/v1"));
}

#[tokio::test]
async fn hones_own_headers_are_read_strictly() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    for (name, value) in [
        ("x-hone-deadline-ms", "soon"),
        ("x-hone-deadline-ms", "0"),
        ("x-hone-detail", "all"),
        ("x-hone-dry-run", "maybe"),
    ] {
        let answer = Client::new(hone.address())
            .key("k")
            .header(name, value)
            .chat(&chat_body("sim-small"))
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "invalid_header"),
            "{name}: {value}"
        );
    }
}
