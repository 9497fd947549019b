//! One account a request: what the limiter charges, the log line, the answer's `usage`, its trace
//! and the metric are the same sum, whatever becomes of the request.

use std::net::SocketAddr;
use std::process::Stdio;

use http_body_util::BodyExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::support::parts::SimHandle;
use crate::support::{Client, chat_with, hone, in_time, upstream};

const APPROACHES: [&str; 10] = [
    "none",
    "bon",
    "moa",
    "self_consistency",
    "majority_voting",
    "re2",
    "genselect",
    "race",
    "rsa",
    "bon|re2",
];
const FAULTS: [&str; 8] = [
    "null",
    "disconnect",
    "cut_mid_body",
    "end_early",
    "error_event",
    "malformed_json",
    "no_choices",
    "empty_content",
];

/// hone as a process of its own, whose metrics are its own too.
struct Served {
    _child: Child,
    log: Lines<BufReader<ChildStderr>>,
    client: Client,
    admin: Client,
    _folder: tempfile::TempDir,
}

impl Served {
    async fn start(sim: &SimHandle) -> Self {
        let folder = tempfile::tempdir().expect("fixture: a folder");
        let file = folder.path().join("hone.toml");
        let log = "[log]\nformat = \"json\"\nfilter = \"info\"";
        let setup = hone().upstream(sim).admin().config(log);
        std::fs::write(
            &file,
            setup.limit("tokens_per_minute", 1_000_000_000).text(),
        )
        .expect("fixture: a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_hone"))
            .args(["serve", "--config"])
            .arg(&file)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("fixture: hone starts");
        let stderr = child.stderr.take().expect("fixture: its log");
        let mut log = BufReader::new(stderr).lines();
        let told = line_with(&mut log, "listening on").await;
        let address = |name: &str| -> SocketAddr {
            let text = told[name].as_str().expect("an address");
            text.parse().expect("an address")
        };
        Self {
            client: Client::new(address("address")).key("k"),
            admin: Client::new(address("admin")),
            _child: child,
            log,
            _folder: folder,
        }
    }

    /// Tokens that all callers together were charged.
    async fn charged(&self) -> u64 {
        let metrics = self.admin.get("/metrics").await.text();
        let sums = metrics
            .lines()
            .filter(|line| line.starts_with("hone_charged_tokens_total"))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        sums.sum()
    }
}

/// The next line of a log that says `what`.
async fn line_with(log: &mut Lines<BufReader<ChildStderr>>, what: &str) -> Value {
    in_time(async {
        loop {
            let line = log.next_line().await.expect("a log");
            let line = line.expect("hone goes on");
            if line.contains(what) {
                return serde_json::from_str(&line).expect("JSON");
            }
        }
    })
    .await
}

/// A request, and how its client behaves.
struct Drawn {
    body: Value,
    leaves: bool,
}

fn draw(rng: &mut StdRng) -> Drawn {
    let pick = |rng: &mut StdRng, words: &[&'static str]| *words.choose(rng).expect("a word");
    let reports = [
        json!(true),
        json!(true),
        json!(false),
        json!("zeros"),
        json!("sum"),
        json!("first_choice"),
    ];
    let mut sim = json!({
        "usage": reports.choose(rng),
        "answer_tokens": rng.random_range(1..60),
        "tool_calls": rng.random_bool(0.2),
    });
    if rng.random_bool(0.2) {
        sim["ignores"] = json!(["n"]);
    }
    let leaves = rng.random_bool(0.2);
    if leaves {
        sim["tokens_per_second"] = json!(200);
    }
    let fault: Value = match pick(rng, &FAULTS) {
        "null" => Value::Null,
        fault => json!(fault),
    };
    if !fault.is_null() && rng.random_bool(0.4) {
        sim["faults"] = json!([{"fault": fault, "rate": 0.5}]);
    }
    let stream = rng.random_bool(0.5);
    let mut fields = json!({
        "optillm_approach": pick(rng, &APPROACHES),
        "best_of_n": rng.random_range(2..5),
        "n": if rng.random_bool(0.2) { 2 } else { 1 },
        "stream": stream,
        "seed": rng.random::<u32>(),
        "sim": sim,
    });
    if stream && rng.random_bool(0.5) {
        fields["stream_options"] = json!({"include_usage": true});
    }
    if rng.random_bool(0.2) {
        let function = json!({"name": "weather", "parameters": {"type": "object"}});
        fields["tools"] = json!([{"type": "function", "function": function}]);
    }
    Drawn {
        body: chat_with("sim-small", fields),
        leaves,
    }
}

/// Every `usage` and every trace that an answer holds.
#[derive(Debug, Default)]
struct Told {
    usage: Option<u64>,
    calls: Option<u64>,
}

fn told(body: &str) -> Told {
    let mut told = Told::default();
    let documents = body.lines().filter_map(|line| {
        let json = line.strip_prefix("data: ").or(line.strip_prefix(": hone "));
        serde_json::from_str::<Value>(json.unwrap_or(line)).ok()
    });
    for document in documents {
        if let Some(usage) = document["usage"]["total_tokens"].as_u64() {
            told.usage = Some(usage);
        }
        let hone = document.get("hone").unwrap_or(&document);
        if let Some(calls) = hone["trace"]["calls"].as_array() {
            let used = calls.iter().map(|call| call["usage"]["total"].as_u64());
            told.calls = used.sum();
        }
    }
    told
}

/// Sends a request and reads its answer, or leaves in the middle of it. Its id, and what it told.
async fn send(client: &Client, drawn: &Drawn) -> (String, Told) {
    let client = client.clone().header("x-hone-detail", "trace");
    let mut answer = client.open_chat(&drawn.body).await;
    let id = answer.headers()["x-hone-request-id"].to_str();
    let id = id.expect("an id").to_owned();
    if drawn.leaves {
        // The first frame, if there is one; the rest is not waited for.
        let _frame = answer.body_mut().frame().await;
        return (id, Told::default());
    }
    let mut body = Vec::new();
    while let Some(Ok(frame)) = answer.body_mut().frame().await {
        body.extend(frame.into_data().unwrap_or_default());
    }
    (id, told(&String::from_utf8_lossy(&body)))
}

#[tokio::test]
async fn limiter_log_usage_trace_and_metric_are_one_sum_whatever_happens() {
    let sim = upstream().await;
    let mut served = Served::start(&sim).await;
    let mut before = 0;
    let (mut answered, mut traced) = (0, 0);
    for seed in 0..100 {
        let drawn = draw(&mut StdRng::seed_from_u64(seed));
        let (id, told) = send(&served.client, &drawn).await;
        let line = line_with(&mut served.log, &id).await;
        let logged = line["total_tokens"].as_u64().expect("a count");
        let after = served.charged().await;
        let request = format!("seed {seed}: {}\n{line}\n{told:?}", drawn.body);
        assert_eq!(after - before, logged, "limiter and log: {request}");
        before = after;
        let is_relay = line["approach"] == "none";
        if let Some(usage) = told.usage.filter(|_| !is_relay) {
            assert_eq!(usage, logged, "usage and log: {request}");
            answered += 1;
        }
        if let Some(calls) = told.calls {
            assert_eq!(calls, logged, "trace and log: {request}");
            traced += 1;
        }
    }
    assert!(answered > 20 && traced > 20, "{answered} {traced}");
}
