//! Every bound of the configuration holds, each by a test of its own: here, or where [`TESTS`]
//! says.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::head::{answer, get};
use crate::support::raw::{RawUpstream, Then, send};
use crate::support::sim::{calls, idle, stuck};
use crate::support::{PATIENCE, chat_body, chat_with, hone, in_time, upstream};

/// The keys of `[bounds]`, and a test that fails when the key's bound does not hold.
const TESTS: [(&str, &str); 29] = [
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
        "drain_delay",
        "a_hone_that_will_stop_says_so_while_it_accepts",
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
    // Not in [bounds].
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
    let config = hone()
        .bound("connections", 1)
        .bound("connections_per_address", 1)
        .read();
    let effective = config.effective().expect("fixture: TOML");
    let table: toml::Table = effective.parse().expect("fixture: TOML");
    let bounds = table["bounds"].as_table().expect("a table");
    let bounds: BTreeSet<_> = bounds.keys().map(String::as_str).collect();
    let tested = TESTS.iter().map(|(key, _)| *key);
    let tested: BTreeSet<_> = tested.filter(|key| !key.starts_with('(')).collect();
    assert_eq!(bounds, tested);
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"));
    for (key, test) in TESTS {
        assert!(
            sources.contains(&format!("fn {test}()")),
            "{key}: there is no test {test}"
        );
    }
}

/// A hone with this bound, or the default ones, refuses each body with this code, and nothing is
/// spent.
async fn refused(bound: Option<(&str, u32)>, code: &str, bodies: &[Value]) {
    let upstream = upstream().await;
    let setup = hone().upstream(&upstream);
    let hone = match bound {
        Some((key, value)) => setup.bound(key, value).start(),
        None => setup.start(),
    };
    let client = hone.client("k");
    for body in bodies {
        client.chat(body).await.assert_refused(400, code);
    }
    assert_eq!(calls([&upstream]), [0]);
    client.ask("re2-sim-small").await.assert_ok();
}

#[tokio::test]
async fn more_calls_than_one_request_may_make_are_400_before_any_is_made() {
    // Sixteen choices of sixteen candidates and a rating of each.
    let sixteen = chat_with("bon-sim-small", json!({"n": 16, "best_of_n": 16}));
    let many_at_once = Some(("parallel_calls", 10_000));
    refused(many_at_once, "approach_too_large", &[sixteen]).await;
    let three = chat_with("bon-sim-small", json!({"best_of_n": 3}));
    let few = Some(("calls_per_request", 3));
    refused(few, "approach_too_large", &[three]).await;
}

#[tokio::test]
async fn more_calls_at_once_than_one_request_may_make_are_400_before_any_is_made() {
    let many = chat_with("moa-sim-small", json!({"n": 13, "moa_proposers": 5}));
    refused(None, "approach_too_large", &[many]).await;
    let three = chat_with("moa-sim-small", json!({"moa_proposers": 3}));
    let few = Some(("parallel_calls", 2));
    refused(few, "approach_too_large", &[three]).await;
}

#[tokio::test]
async fn more_choices_than_a_strategy_may_give_are_400() {
    let many = chat_with("re2-sim-small", json!({"n": 17}));
    refused(None, "approach_too_large", &[many]).await;
    let three = chat_with("re2-sim-small", json!({"n": 3}));
    refused(Some(("strategy_n", 2)), "approach_too_large", &[three]).await;
}

#[tokio::test]
async fn an_expression_that_is_too_long_or_too_deep_or_names_too_many_is_400() {
    let asks = |expression: &str| chat_with("sim-small", json!({"optillm_approach": expression}));
    let deep = format!("{}re2{}", "(".repeat(5), ")".repeat(5));
    let many = ["re2"; 9].join("&");
    let long = format!("re2{}", " ".repeat(300));
    let bodies = [asks(&deep), asks(&many), asks(&long)];
    refused(None, "invalid_approach", &bodies).await;
    let bodies = [asks("re2&re2"), chat_body("re2&re2-sim-small")];
    refused(Some(("expression_bytes", 6)), "invalid_approach", &bodies).await;
}

#[tokio::test]
async fn a_head_above_its_bound_is_431() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("header_bytes", 8192)
        .start();
    for (bytes, status) in [(4_000, 200), (10_000, 431)] {
        for client in [hone.keyless(), hone.http2()] {
            let client = client.header("x-large", &"x".repeat(bytes));
            client.get("/livez").await.assert_status(status);
        }
    }
}

#[tokio::test]
async fn an_event_above_its_bound_ends_a_strategys_stream_and_passes_a_relays() {
    let delta = json!({"role": "assistant", "content": "x".repeat(3000)});
    let event = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]});
    let events = format!("data: {event}\n\ndata: [DONE]\n\n");
    let stream = answer("200 OK").event_stream().then(events);
    let upstream = RawUpstream::start(stream, Then::Close).await;
    for (bound, whole) in [(1024, false), (8192, true)] {
        let hone = hone()
            .upstream(&upstream)
            .bound("sse_event_bytes", bound)
            .start();
        let client = hone.client("k");
        let answer = client.ask_with("re2-m", json!({"stream": true})).await;
        let is_whole = answer.status == 200 && answer.text().contains("[DONE]");
        assert_eq!(is_whole, whole, "{bound}: {answer}");
        let relayed = client.ask_with("m", json!({"stream": true})).await;
        relayed.assert_says("[DONE]");
    }
}

#[tokio::test]
async fn an_answer_above_its_bound_is_no_answer() {
    let message = json!({"role": "assistant", "content": "x".repeat(3000)});
    let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    let whole = answer("200 OK").json().body(body.to_string());
    let upstream = RawUpstream::start(whole, Then::Close).await;
    for (bound, status) in [(1024, 502), (8192, 200)] {
        let hone = hone()
            .upstream(&upstream)
            .bound("answer_bytes", bound)
            .start();
        let client = hone.client("k");
        client.ask("re2-m").await.assert_status(status);
        // A relay reads no answer.
        client.ask("m").await.assert_ok();
    }
}

#[tokio::test]
async fn a_strategy_that_takes_too_long_is_504() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let hone = hone()
        .upstream(&upstream)
        .bound("strategy_deadline", "200ms")
        .start();
    let answer = hone.client("k").ask("bon-sim-small").await;
    answer.assert_refused(504, "deadline_exceeded");
    idle(&upstream).await;
}

#[tokio::test]
async fn beyond_the_bound_an_unknown_key_is_its_address() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .config("limits = { requests_per_minute = 5, address.requests_per_minute = 1000 }")
        .bound("unknown_tenants", 1)
        .start();
    let identified_by = async |key: &str| {
        let whoami = hone.client(key).get("/hone/whoami").await.json();
        whoami["identified_by"].as_str().expect("a word").to_owned()
    };
    hone.client("first").ask("sim-small").await.assert_ok();
    assert_eq!(identified_by("first").await, "unregistered_provider_key");
    assert_eq!(identified_by("second").await, "address");
}

/// What a process says when it listens, by its own log.
async fn listening(child: &mut Child) -> Value {
    let log = child.stderr.take().expect("fixture: its log");
    let mut lines = BufReader::new(log).lines();
    loop {
        let line = lines.next_line().await.expect("fixture: a log");
        let line = line.expect("fixture: hone goes on");
        if line.contains("listening on") {
            return serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("JSON ({error}): {line}"));
        }
    }
}

/// `hone serve` in a process that may have this many open files; for how many connections it says
/// that is enough, in all and of one address; where it listens.
async fn serve_with_open_files(limit: u32) -> (Child, [Value; 2], SocketAddr) {
    let serve = r#"exec "$0" serve --listen 127.0.0.1:0 --upstream http://127.0.0.1:1/v1"#;
    let script = format!("ulimit -n {limit} && {serve} --auth none");
    let mut child = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_hone")])
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("fixture: hone starts");
    let told = in_time(listening(&mut child)).await;
    let address = told["address"].as_str().and_then(|text| text.parse().ok());
    let address = address.unwrap_or_else(|| panic!("an address: {told}"));
    let connections = ["connections", "connections_of_one_address"];
    (child, connections.map(|field| told[field].clone()), address)
}

/// A connection from one of this machine's other addresses, after an attempt to be served on it for
/// so long.
async fn visit(last_byte: u8, address: SocketAddr, patience: Duration) -> (TcpStream, bool) {
    let socket = TcpSocket::new_v4().expect("fixture: a socket");
    let bound = socket.bind(SocketAddr::from(([127, 0, 0, last_byte], 0)));
    bound.expect("fixture: binds");
    let mut stream = socket.connect(address).await.expect("connects");
    send(&mut stream, get("/livez")).await;
    let served = timeout(patience, stream.read(&mut [0; 4096])).await;
    let served = served.is_ok_and(|length| length.is_ok_and(|length| length > 0));
    (stream, served)
}

#[tokio::test]
async fn connections_come_from_the_limit_on_open_files_and_are_told_at_start() {
    let (mut child, told, address) = serve_with_open_files(224).await;
    assert_eq!(told[0], 80, "half of those that are not kept back");
    assert_eq!(told[1], 60, "three quarters");
    let mut open = Vec::new();
    for index in 0..80 {
        let (stream, served) = visit(10 + index, address, PATIENCE).await;
        assert!(served, "connection {index}");
        open.push(stream);
    }
    let (mut waits, served) = visit(99, address, Duration::from_millis(300)).await;
    assert!(!served, "one too many waits");
    drop(open);
    let length = in_time(waits.read(&mut [0; 4096])).await;
    assert!(length.expect("an answer") > 0, "until others leave");
    child.kill().await.expect("fixture: hone ends");
}
