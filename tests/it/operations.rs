//! What an operator does: drain, reload, TLS, probes, metrics, bounds.

use std::time::Duration;

use hone::config::Config;
use hone::sim::{Knobs, Latency};
use hone::transport::drain::Drained;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::raw::{RawUpstream, Then, read_to_end};
use crate::support::tls::Identity;
use crate::support::{Client, chat_body, hone, table, table_at, upstream};

fn config(text: &str) -> Config {
    Config::parse(&format!("listen = \"127.0.0.1:0\"\n{text}"), &|_| None)
        .expect("fixture: the configuration is right")
}

#[tokio::test]
async fn a_drain_finishes_what_runs_and_takes_nothing_new() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 400 },
        ..Knobs::default()
    });
    let hone = hone(&table(&upstream));
    let client = Client::new(hone.address()).key("k");
    let body = chat_body("sim-small");
    let (answer, drained) = tokio::join!(client.chat(&body), async {
        upstream.wait_until(|stats| stats.in_flight > 0).await;
        hone.shutdown().await
    });
    assert_eq!((answer.status.as_u16(), drained), (200, Drained::Clean));
    assert!(
        TcpStream::connect(hone.address()).await.is_err(),
        "nothing listens any more"
    );
}

#[tokio::test]
async fn a_drain_ends_by_force_when_its_grace_period_is_over() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 60_000 },
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}[bounds]\ndrain = \"200ms\"\n",
        table(&upstream)
    ));
    let mut stream = TcpStream::connect(hone.address()).await.expect("connects");
    let body = chat_body("sim-small").to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
            content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sends");
    upstream.wait_until(|stats| stats.in_flight > 0).await;
    assert!(matches!(hone.shutdown().await, Drained::Forced { .. }));
    upstream.wait_until(|stats| stats.in_flight == 0).await;
    let mut rest = Vec::new();
    let _cut = stream.read_to_end(&mut rest).await;
    assert!(
        rest.is_empty(),
        "no success is claimed: {}",
        String::from_utf8_lossy(&rest)
    );
}

#[tokio::test]
async fn readiness_tells_of_a_drain_and_liveness_does_not() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 500 },
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}[admin]\nlisten = \"127.0.0.1:0\"\n",
        table(&upstream)
    ));
    let admin = Client::new(hone.admin_address().expect("an admin listener"));
    assert_eq!(admin.get("/readyz").await.status, 200);
    assert_eq!(admin.get("/livez").await.status, 200);
    assert_eq!(
        Client::new(hone.address()).get("/metrics").await.status,
        404,
        "never on the tenants' port"
    );
    assert_eq!(
        admin.get("/v1/models").await.status,
        404,
        "and the API is not on the operator's"
    );
}

#[tokio::test]
async fn a_reload_swaps_the_configuration_whole_and_keeps_the_counters() {
    let (first, second) = (upstream().await, upstream().await);
    let limits = "[limits]\nrequests_per_minute = 2\n";
    let hone = hone(&format!("{}{limits}", table(&first)));
    let client = Client::new(hone.address()).key("k");
    assert_eq!(client.chat(&chat_body("sim-small")).await.status, 200);
    hone.reload(config(&format!(
        "{}{limits}[[model]]\nname = \"new\"\nmodel = \"sim-small\"\napproach = \"none\"\n",
        table(&second)
    )))
    .expect("reloads");
    assert_eq!(client.chat(&chat_body("new")).await.status, 200);
    assert_eq!(
        (first.stats().total_calls(), second.stats().total_calls()),
        (1, 1)
    );
    assert_eq!(
        client.chat(&chat_body("new")).await.status,
        429,
        "what was spent before counts after"
    );
}

#[tokio::test]
async fn a_reload_changes_bounds_of_what_begins_after_it() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nbody_bytes = 1024\nconnections = 50\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let mut large = chat_body("sim-small");
    large["padding"] = json!("x".repeat(2000));
    assert_eq!(client.chat(&large).await.status, 413);
    let bounds = "[bounds]\nconnections = 20\nheader_read = \"200ms\"\n";
    assert_eq!(
        hone.reload(config(&format!("{}{bounds}", table(&upstream))))
            .expect("reloads"),
        Vec::<&str>::new()
    );
    assert_eq!(
        (
            hone.connections(),
            client.chat(&large).await.status.as_u16()
        ),
        (20, 200)
    );
    let start = tokio::time::Instant::now();
    let silent = TcpStream::connect(hone.address()).await.expect("connects");
    read_to_end(silent).await;
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "a new connection has the new time for its head"
    );
    hone.reload(config(&format!(
        "{}[bounds]\nbuffered_bytes = 1500\nbody_bytes = 1500\n",
        table(&upstream)
    )))
    .expect("reloads");
    assert_eq!(client.chat(&large).await.status, 413);
    hone.reload(config(&format!(
        "{}[bounds]\nconnections_per_minute = 1\n",
        table(&upstream)
    )))
    .expect("reloads");
    assert_eq!(Client::new(hone.address()).get("/livez").await.status, 200);
    let refused = TcpStream::connect(hone.address()).await.expect("connects");
    assert_eq!(
        read_to_end(refused).await,
        "",
        "the second within the minute"
    );
}

#[tokio::test]
async fn a_reload_that_shrinks_the_caps_on_connections_keeps_those_that_are_open() {
    let upstream = upstream().await;
    let hone = hone(&table(&upstream));
    let (first, second) = (Client::new(hone.address()), Client::new(hone.address()));
    for client in [&first, &second] {
        assert_eq!(client.get("/livez").await.status, 200);
    }
    hone.reload(config(&format!(
        "{}[bounds]\nconnections_per_address = 1\n",
        table(&upstream)
    )))
    .expect("reloads");
    for client in [&first, &second] {
        assert_eq!(client.get("/livez").await.status, 200);
    }
    let third = TcpStream::connect(hone.address()).await.expect("connects");
    assert_eq!(read_to_end(third).await, "");
}

#[tokio::test]
async fn a_reload_names_what_takes_a_restart_and_does_the_rest() {
    let upstream = upstream().await;
    let hone = hone(&table(&upstream));
    let text = |upstream: &str| {
        format!(
            "listen = \"127.0.0.1:1\"\n{upstream}[admin]\nlisten = \"127.0.0.1:0\"\n[log]\n\
                format = \"json\"\n[limits]\nrequests_per_minute = 1\n"
        )
    };
    let changed = Config::parse(&text(&table(&upstream)), &|_| None).expect("fixture: right");
    for _ in 0..2 {
        assert_eq!(
            hone.reload(changed.clone()).expect("reloads"),
            ["listen", "admin", "log"],
            "as long as it is so"
        );
    }
    let client = Client::new(hone.address()).key("k");
    assert_eq!(client.chat(&chat_body("sim-small")).await.status, 200);
    assert_eq!(
        client.chat(&chat_body("sim-small")).await.status,
        429,
        "the limits hold"
    );
}

#[tokio::test]
async fn a_reload_that_fails_keeps_the_old_configuration() {
    let upstream = upstream().await;
    let hone = hone(&table(&upstream));
    let bad = format!("{}ca_file = \"/does/not/exist.pem\"\n", table(&upstream));
    let reloaded = Config::parse(&format!("listen = \"127.0.0.1:0\"\n{bad}"), &|_| None)
        .is_ok_and(|config| hone.reload(config).is_ok());
    assert!(!reloaded);
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
async fn tls_is_served_and_spoken_with_both_versions_of_http() {
    let identity = Identity::new();
    let upstream = upstream().await;
    let outer = hone(&format!("{}{}", table(&upstream), identity.table()));
    // A second hone is the client: it speaks TLS to the first, trusting its certificate by
    // `ca_file`.
    let (port, certificate) = (outer.address().port(), identity.certificate());
    let text = format!(
        "[[upstream]]\nname = \"outer\"\nbase_url = \"https://localhost:{port}/v1\"\n\
            ca_file = \"{certificate}\"\n"
    );
    let inner = hone(&text);
    let answer = Client::new(inner.address())
        .key("k")
        .chat(&chat_body("bon-sim-small"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let untrusted = hone(&text.replace(&format!("ca_file = \"{certificate}\"\n"), ""));
    assert_eq!(
        Client::new(untrusted.address())
            .key("k")
            .chat(&chat_body("sim-small"))
            .await
            .status,
        502,
        "an unknown authority is not trusted"
    );
    for version in ["h2", "http/1.1"] {
        let stream = identity.connect(outer.address(), version).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(version.as_bytes()));
    }
}

#[tokio::test]
async fn metrics_and_logs_never_hold_a_key_or_a_word_of_content() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[admin]\nlisten = \"127.0.0.1:0\"\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("sk-very-secret-key");
    let mut body = chat_body("bon-sim-small");
    body["messages"][0]["content"] = json!("a most private sentence");
    assert_eq!(client.chat(&body).await.status, 200);
    let wrong = client
        .clone()
        .header("x-api-key", "sk-other-secret")
        .chat(&body)
        .await;
    assert_eq!(wrong.status, 400);
    let metrics = Client::new(hone.admin_address().expect("an admin listener"))
        .get("/metrics")
        .await
        .text();
    for text in [
        metrics,
        wrong.text(),
        client.get("/hone/whoami").await.text(),
        format!("{hone:?}"),
        format!("{:?}", hone.proxy().snapshot()),
    ] {
        assert!(!text.contains("sk-") && !text.contains("private"), "{text}");
    }
}

#[tokio::test]
async fn the_deadline_that_a_caller_sets_bounds_a_relay_and_a_strategy() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 60_000 },
        ..Knobs::default()
    });
    let hone = hone(&table(&upstream));
    for model in ["sim-small", "bon-sim-small"] {
        let answer = Client::new(hone.address())
            .key("k")
            .header("x-hone-deadline-ms", "200")
            .chat(&chat_body(model))
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (504, "deadline_exceeded"),
            "{model}"
        );
    }
    upstream.wait_until(|stats| stats.in_flight == 0).await;
}

#[tokio::test]
async fn a_full_queue_and_a_late_turn_are_503_with_a_time_to_come_back() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 1500 },
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}concurrency = 1\n[bounds]\nqueue_wait = \"200ms\"\nqueue_length = 1\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let body = chat_body("sim-small");
    let (first, (second, third)) = tokio::join!(client.chat(&body), async {
        upstream.wait_until(|stats| stats.in_flight > 0).await;
        tokio::join!(client.chat(&body), client.chat(&body))
    });
    assert_eq!(first.status, 200);
    let (first, late) = tokio::join!(client.chat(&body), async {
        upstream.wait_until(|stats| stats.in_flight > 0).await;
        client.chat(&chat_body("re2-sim-small")).await
    });
    assert_eq!(
        (
            first.status.as_u16(),
            late.status.as_u16(),
            late.code().as_str()
        ),
        (200, 503, "overloaded"),
        "a strategy's call too"
    );
    for late in [second, third] {
        assert_eq!(
            (late.status.as_u16(), late.code().as_str()),
            (503, "overloaded")
        );
        assert!(!late.header("retry-after").is_empty());
    }
}

#[tokio::test]
async fn connections_above_the_cap_wait_and_are_served_when_others_leave() {
    let upstream = upstream().await;
    let hone = hone(&format!("{}[bounds]\nconnections = 3\n", table(&upstream)));
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(hone.address()).await.expect("connects");
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .expect("sends");
        let mut buffer = [0; 1024];
        let length = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer))
            .await
            .map_or(0, |read| read.unwrap_or(0));
        held.push((stream, length));
    }
    assert!(
        held.iter().all(|(_, length)| *length > 0),
        "three are served"
    );
    let mut fourth = TcpStream::connect(hone.address())
        .await
        .expect("connects to the system's queue");
    fourth
        .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sends");
    drop(held);
    let mut buffer = [0; 1024];
    let length = tokio::time::timeout(Duration::from_secs(10), fourth.read(&mut buffer))
        .await
        .expect("served in time")
        .expect("an answer");
    assert!(length > 0);
}

#[tokio::test]
async fn a_slow_upstream_stream_is_not_cut_while_it_says_something() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        tokens_per_second: std::num::NonZeroU32::new(10),
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}[bounds]\nstream_idle = \"400ms\"\n",
        table_at("sim", upstream.addr())
    ));
    let mut body = chat_body("sim-small");
    body["stream"] = json!(true);
    let whole = Client::new(hone.address())
        .key("k")
        .open_chat(&body)
        .await
        .into_body()
        .collect()
        .await
        .expect("a whole stream");
    assert!(whole.to_bytes().ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_client_that_stops_reading_gives_its_place_at_the_upstream_back() {
    // More than the buffers of two sockets hold.
    let body = "x".repeat(24_000_000);
    let upstream = RawUpstream::start(
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
        Then::Hang,
    )
    .await;
    let hone = hone(&format!(
        "{}concurrency = 1\n[bounds]\nstream_idle = \"500ms\"\n",
        table_at("raw", upstream.address)
    ));
    let socket = tokio::net::TcpSocket::new_v4().expect("fixture: a socket");
    socket
        .set_recv_buffer_size(8192)
        .expect("fixture: a small buffer");
    let mut stalled = socket.connect(hone.address()).await.expect("connects");
    let request = chat_body("m").to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
        content-type: application/json\r\n";
    stalled
        .write_all(format!("{head}content-length: {}\r\n\r\n{request}", request.len()).as_bytes())
        .await
        .expect("sends");
    let mut beginning = [0; 16];
    stalled
        .read_exact(&mut beginning)
        .await
        .expect("the beginning of the answer");
    let next = Client::new(hone.address())
        .key("another")
        .chat(&chat_body("m"))
        .await;
    assert_eq!((next.status.as_u16(), next.body.len()), (200, body.len()));
}

/// What the operator sees of a metric: `name{labels}`, whole.
async fn metric(hone: &hone::app::App, series: &str) -> f64 {
    let text = Client::new(hone.admin_address().expect("an admin listener"))
        .get("/metrics")
        .await
        .text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

#[tokio::test]
async fn what_is_under_way_and_what_a_queue_refuses_is_counted() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 700 },
        tokens_per_second: std::num::NonZeroU32::new(10),
        ..Knobs::default()
    });
    let bounds =
        "[bounds]\nqueue_length = 1\nqueue_wait = \"100ms\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let hone = hone(&format!("{}concurrency = 1\n{bounds}", table(&upstream)));
    let client = Client::new(hone.address()).key("k");
    let mut body = chat_body("sim-small");
    body["stream"] = json!(true);
    let refused = r#"hone_limit_decisions_total{limit="queue",decision="refused"}"#;
    let before = metric(&hone, refused).await;
    let (stream, late) = tokio::join!(client.open_chat(&body), async {
        upstream.wait_until(|stats| stats.in_flight > 0).await;
        let plain = chat_body("sim-small");
        let late = client.chat(&plain);
        tokio::join!(late, async {
            while metric(&hone, r#"hone_inflight{kind="queued"}"#).await < 1.0 {
                tokio::task::yield_now().await;
            }
        })
        .0
    });
    assert_eq!((stream.status().as_u16(), late.status.as_u16()), (200, 503));
    assert!(metric(&hone, refused).await > before);
    for kind in ["connections", "requests", "streams", "upstream_calls"] {
        assert!(
            metric(&hone, &format!("hone_inflight{{kind=\"{kind}\"}}")).await >= 1.0,
            "{kind}"
        );
    }
}
