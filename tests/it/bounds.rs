//! Every bound of the configuration holds, each by a test of its own: here, or where [`TESTS`]
//! says.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hone::config::Config;
use hone::sim::{Knobs, Latency};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::client::PATIENCE;
use crate::support::raw::{RawUpstream, Then};
use crate::support::{Client, chat_body, hone, table, table_at, upstream};

/// The keys of `[bounds]`, and a test that fails when the key's bound does not hold.
const TESTS: [(&str, &str); 28] = [
    ("answer_bytes", "an_answer_above_its_bound_is_no_answer"),
    (
        "body_bytes",
        "a_body_above_the_bound_is_413_whether_its_length_is_declared_or_not",
    ),
    (
        "body_idle",
        "a_client_that_stops_sending_is_408_and_costs_no_upstream_call",
    ),
    (
        "body_read",
        "a_body_that_trickles_is_408_though_it_never_stops",
    ),
    ("buffered_bytes", "request_bodies_share_bounded_memory"),
    (
        "calls_per_request",
        "more_calls_than_one_request_may_make_are_400_before_any_is_made",
    ),
    (
        "connect",
        "an_upstream_that_never_finishes_to_connect_is_502_when_that_time_is_over",
    ),
    (
        "connection_idle",
        "an_idle_http2_connection_is_closed_with_goaway_whatever_else_it_says",
    ),
    (
        "connections",
        "connections_come_from_the_limit_on_open_files_and_are_told_at_start",
    ),
    (
        "connections_per_address",
        "a_hostile_address_cannot_use_up_the_connections",
    ),
    (
        "connections_per_minute",
        "an_address_that_connects_too_often_is_refused",
    ),
    (
        "drain",
        "a_drain_ends_by_force_when_its_grace_period_is_over",
    ),
    (
        "expression_bytes",
        "an_expression_that_is_too_long_or_too_deep_or_names_too_many_is_400",
    ),
    ("header_bytes", "a_head_above_its_bound_is_431"),
    ("header_read", "the_time_for_a_head_holds_for_tls_too"),
    (
        "parallel_calls",
        "more_calls_at_once_than_one_request_may_make_are_400_before_any_is_made",
    ),
    (
        "queue_length",
        "a_full_queue_and_a_late_turn_are_503_with_a_time_to_come_back",
    ),
    (
        "queue_wait",
        "a_full_queue_and_a_late_turn_are_503_with_a_time_to_come_back",
    ),
    (
        "rejected_keys_per_minute",
        "addresses_that_keep_presenting_rejected_keys_are_stopped",
    ),
    (
        "sse_event_bytes",
        "an_event_above_its_bound_ends_a_strategys_stream_and_passes_a_relays",
    ),
    ("strategy_deadline", "a_strategy_that_takes_too_long_is_504"),
    (
        "strategy_n",
        "more_choices_than_a_strategy_may_give_are_400",
    ),
    (
        "stream_idle",
        "an_upstream_that_falls_silent_in_mid_stream_is_cut",
    ),
    (
        "tenant_buffered_bytes",
        "one_tenants_slow_bodies_leave_room_for_another",
    ),
    (
        "unknown_tenants",
        "beyond_the_bound_an_unknown_key_is_its_address",
    ),
    (
        "upstream_head",
        "an_upstream_without_an_answer_is_502_or_504",
    ),
    // Not in [bounds]: no key of the configuration sets them.
    (
        "(HTTP/2 resets)",
        "resets_after_a_look_end_the_connection_too",
    ),
    ("(HTTP/2 heads)", "a_head_without_end_ends_the_connection"),
];

/// All files below `folder`, as one text.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let texts = entries.map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            sources(&path)
        } else {
            std::fs::read_to_string(path).expect("a source file")
        }
    });
    texts.collect()
}

#[test]
fn every_bound_has_a_test() {
    // Those without a default are not shown.
    let config = Config::parse(
        "[bounds]\nconnections = 1\nconnections_per_address = 1\n",
        &|_| None,
    )
    .expect("fixture: right");
    let table: toml::Table = config
        .effective()
        .expect("fixture: TOML")
        .parse()
        .expect("fixture: TOML");
    let bounds: BTreeSet<_> = table["bounds"]
        .as_table()
        .expect("a table")
        .keys()
        .map(String::as_str)
        .collect();
    let tested: BTreeSet<_> = TESTS
        .iter()
        .map(|(key, _)| *key)
        .filter(|key| !key.starts_with('('))
        .collect();
    assert_eq!(bounds, tested);
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"));
    for (key, test) in TESTS {
        assert!(
            sources.contains(&format!("fn {test}()")),
            "{key}: there is no test {test}"
        );
    }
}

fn with(model: &str, fields: &Value) -> Value {
    let mut body = chat_body(model);
    for (name, value) in fields.as_object().expect("fixture: fields") {
        body[name] = value.clone();
    }
    body
}

/// Sends each body to a hone with these bounds. All are refused with this code, and nothing is
/// spent.
async fn refused(bounds: &str, code: &str, bodies: &[Value]) {
    let upstream = upstream().await;
    let hone = hone(&format!("{}[bounds]\n{bounds}", table(&upstream)));
    let client = Client::new(hone.address()).key("k");
    for body in bodies {
        let answer = client.chat(body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, code),
            "{body}: {}",
            answer.text()
        );
    }
    assert_eq!(upstream.stats().total_calls(), 0);
    assert_eq!(client.chat(&chat_body("re2-sim-small")).await.status, 200);
}

#[tokio::test]
async fn more_calls_than_one_request_may_make_are_400_before_any_is_made() {
    // Sixteen choices of sixteen candidates and a rating of each.
    refused(
        "parallel_calls = 10000",
        "approach_too_large",
        &[with("bon-sim-small", &json!({"n": 16, "best_of_n": 16}))],
    )
    .await;
    refused(
        "calls_per_request = 3",
        "approach_too_large",
        &[with("bon-sim-small", &json!({"best_of_n": 3}))],
    )
    .await;
}

#[tokio::test]
async fn more_calls_at_once_than_one_request_may_make_are_400_before_any_is_made() {
    refused(
        "",
        "approach_too_large",
        &[with("moa-sim-small", &json!({"n": 13, "moa_proposers": 5}))],
    )
    .await;
    refused(
        "parallel_calls = 2",
        "approach_too_large",
        &[with("moa-sim-small", &json!({"moa_proposers": 3}))],
    )
    .await;
}

#[tokio::test]
async fn more_choices_than_a_strategy_may_give_are_400() {
    refused(
        "",
        "approach_too_large",
        &[with("re2-sim-small", &json!({"n": 17}))],
    )
    .await;
    refused(
        "strategy_n = 2",
        "approach_too_large",
        &[with("re2-sim-small", &json!({"n": 3}))],
    )
    .await;
}

#[tokio::test]
async fn an_expression_that_is_too_long_or_too_deep_or_names_too_many_is_400() {
    let asks = |expression: &str| with("sim-small", &json!({"optillm_approach": expression}));
    let deep = format!("{}re2{}", "(".repeat(5), ")".repeat(5));
    let many = ["re2"; 9].join("&");
    let long = format!("re2{}", " ".repeat(300));
    refused(
        "",
        "invalid_approach",
        &[asks(&deep), asks(&many), asks(&long)],
    )
    .await;
    refused(
        "expression_bytes = 6",
        "invalid_approach",
        &[asks("re2&re2"), chat_body("re2&re2-sim-small")],
    )
    .await;
}

#[tokio::test]
async fn a_head_above_its_bound_is_431() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nheader_bytes = 8192\n",
        table(&upstream)
    ));
    for (bytes, status) in [(4_000, 200), (10_000, 431)] {
        let client = |client: Client| client.header("x-large", &"x".repeat(bytes));
        assert_eq!(
            client(Client::new(hone.address()))
                .get("/livez")
                .await
                .status,
            status,
            "HTTP/1, {bytes}"
        );
        let over = client(Client::http2(hone.address()))
            .get("/livez")
            .await
            .status;
        assert_eq!(over, status, "HTTP/2, {bytes}");
    }
}

#[tokio::test]
async fn an_event_above_its_bound_ends_a_strategys_stream_and_passes_a_relays() {
    let event = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "x".repeat(3000)},
            "finish_reason": "stop"}]});
    let stream = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {event}\n\ndata: [DONE]\n\
            \n"
    );
    let upstream = RawUpstream::start(stream, Then::Close).await;
    for (bound, whole) in [(1024, false), (8192, true)] {
        let hone = hone(&format!(
            "{}[bounds]\nsse_event_bytes = {bound}\n",
            table_at("raw", upstream.address)
        ));
        let client = Client::new(hone.address()).key("k");
        let answer = client.chat(&with("re2-m", &json!({"stream": true}))).await;
        assert_eq!(
            answer.status == 200 && answer.text().contains("[DONE]"),
            whole,
            "{bound}: {}",
            answer.text()
        );
        let relayed = client.chat(&with("m", &json!({"stream": true}))).await;
        assert!(relayed.text().contains("[DONE]"), "{bound}");
    }
}

#[tokio::test]
async fn an_answer_above_its_bound_is_no_answer() {
    let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x".repeat(3000)},
            "finish_reason": "stop"}]});
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    let upstream = RawUpstream::start(head + &answer, Then::Close).await;
    for (bound, status) in [(1024, 502), (8192, 200)] {
        let hone = hone(&format!(
            "{}[bounds]\nanswer_bytes = {bound}\n",
            table_at("raw", upstream.address)
        ));
        let client = Client::new(hone.address()).key("k");
        assert_eq!(
            client.chat(&chat_body("re2-m")).await.status,
            status,
            "{bound}"
        );
        assert_eq!(
            client.chat(&chat_body("m")).await.status,
            200,
            "a relay reads no answer"
        );
    }
}

#[tokio::test]
async fn a_strategy_that_takes_too_long_is_504() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 60_000 },
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}[bounds]\nstrategy_deadline = \"200ms\"\n",
        table(&upstream)
    ));
    let answer = Client::new(hone.address())
        .key("k")
        .chat(&chat_body("bon-sim-small"))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (504, "deadline_exceeded")
    );
    upstream.wait_until(|stats| stats.in_flight == 0).await;
}

#[tokio::test]
async fn beyond_the_bound_an_unknown_key_is_its_address() {
    let upstream = upstream().await;
    let limits =
        "[limits]\nrequests_per_minute = 5\n[limits.address]\nrequests_per_minute = 1000\n";
    let hone = hone(&format!(
        "{}{limits}[bounds]\nunknown_tenants = 1\n",
        table(&upstream)
    ));
    let identified_by = async |key: &str| {
        let whoami = Client::new(hone.address())
            .key(key)
            .get("/hone/whoami")
            .await
            .json();
        whoami["identified_by"].as_str().expect("a word").to_owned()
    };
    assert_eq!(
        Client::new(hone.address())
            .key("first")
            .chat(&chat_body("sim-small"))
            .await
            .status,
        200
    );
    assert_eq!(identified_by("first").await, "unregistered_provider_key");
    assert_eq!(identified_by("second").await, "address");
}

/// `hone serve` in a process that may have this many open files; what it says at its start; where
/// it listens.
async fn serve_with_open_files(limit: u32) -> (Child, String, SocketAddr) {
    let serve =
        "exec \"$0\" serve --listen 127.0.0.1:0 --upstream http://127.0.0.1:1/v1 --auth none";
    let mut child = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -n {limit} && {serve}"),
            env!("CARGO_BIN_EXE_hone"),
        ])
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("fixture: hone starts");
    let mut lines = BufReader::new(child.stderr.take().expect("fixture: its log")).lines();
    let line = async {
        loop {
            let line = lines
                .next_line()
                .await
                .expect("fixture: a log")
                .expect("fixture: hone goes on");
            if line.contains("listening on") {
                return line;
            }
        }
    };
    let line = timeout(PATIENCE, line)
        .await
        .expect("hone says where it listens");
    let told: Value =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("JSON ({error}): {line}"));
    let address = told["address"]
        .as_str()
        .and_then(|address| address.parse().ok())
        .unwrap_or_else(|| panic!("an address: {line}"));
    (child, told["connections"].to_string(), address)
}

/// A connection from one of this machine's other addresses, after an attempt to be served on it for
/// so long.
async fn visit(last_byte: u8, address: SocketAddr, patience: Duration) -> (TcpStream, bool) {
    let socket = TcpSocket::new_v4().expect("fixture: a socket");
    socket
        .bind(SocketAddr::from(([127, 0, 0, last_byte], 0)))
        .expect("fixture: binds");
    let mut stream = socket.connect(address).await.expect("connects");
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sends");
    let served = timeout(patience, stream.read(&mut [0; 4096])).await;
    (
        stream,
        served.is_ok_and(|length| length.is_ok_and(|length| length > 0)),
    )
}

#[tokio::test]
async fn connections_come_from_the_limit_on_open_files_and_are_told_at_start() {
    let (mut child, told, address) = serve_with_open_files(224).await;
    assert_eq!(told, "80", "half of those that are not kept back");
    let mut open = Vec::new();
    for index in 0..80 {
        let (stream, served) = visit(10 + index / 20, address, PATIENCE).await;
        assert!(served, "connection {index}");
        open.push(stream);
    }
    let (mut waits, served) = visit(99, address, Duration::from_millis(300)).await;
    assert!(!served, "one too many waits");
    drop(open);
    let length = timeout(PATIENCE, waits.read(&mut [0; 4096]))
        .await
        .expect("in time")
        .expect("an answer");
    assert!(length > 0, "until others leave");
    child.kill().await.expect("fixture: hone ends");
}
