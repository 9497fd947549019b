//! Counting the tokens of a prompt: who counts, what it costs, and what it stands in the way of.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::speak::Speaks;
use crate::support::head::answer;
use crate::support::parts::SimHandle;
use crate::support::raw::RawUpstream;
use crate::support::setup::Setup;
use crate::support::sim::{calls, fails, slow};
use crate::support::{Answer, Client, Hone, hone, text, upstream};

/// Dialects whose clients ask for counts.
const COUNTING: [Speaks; 3] = [Speaks::Responses, Speaks::Anthropic, Speaks::Gemini];

/// hone before `sim`, which speaks this dialect.
fn before(sim: &SimHandle, speaks: Speaks) -> Setup {
    hone().upstream_with(sim, |upstream| speaks.upstream(sim, upstream))
}

fn path(speaks: Speaks, model: &str) -> String {
    match speaks {
        Speaks::Chat => unreachable!("chat has no counter"),
        Speaks::Responses => "/v1/responses/input_tokens".to_owned(),
        Speaks::Anthropic => "/v1/messages/count_tokens?beta=true".to_owned(),
        Speaks::Gemini => format!("/v1beta/models/{model}:countTokens"),
    }
}

/// What a client of `speaks` sends to have `says` counted.
fn body(speaks: Speaks, model: &str, says: &str) -> Value {
    let mut body = speaks.body(model, says, false);
    let fields = body.as_object_mut().expect("an object");
    fields.remove("max_tokens");
    fields.remove("stream");
    body
}

fn client(hone: &Hone, speaks: Speaks) -> Client {
    match speaks {
        Speaks::Chat | Speaks::Responses => hone.client("k"),
        Speaks::Anthropic => {
            let client = hone.keyless().header("x-api-key", "k");
            client.header("anthropic-version", "2023-06-01")
        }
        Speaks::Gemini => hone.keyless().header("x-goog-api-key", "k"),
    }
}

async fn ask(hone: &Hone, speaks: Speaks, model: &str, says: &str) -> Answer {
    let body = body(speaks, model, says).to_string();
    client(hone, speaks).post(&path(speaks, model), body).await
}

/// The count in `answer`, in the form of `speaks`.
fn counted(speaks: Speaks, answer: &Answer) -> u64 {
    answer.assert_ok();
    let told = answer.json();
    let field = match speaks {
        Speaks::Gemini => "totalTokens",
        Speaks::Chat | Speaks::Responses | Speaks::Anthropic => "input_tokens",
    };
    if speaks == Speaks::Responses {
        assert_eq!(told["object"], "response.input_tokens", "{answer}");
    }
    told[field]
        .as_u64()
        .unwrap_or_else(|| panic!("{speaks:?}: {answer}"))
}

#[tokio::test]
async fn each_client_gets_a_count_by_the_counter_of_its_upstream() {
    for counter in COUNTING {
        let sim = upstream().await;
        let hone = before(&sim, counter)
            .model("plain", "sim-small", "bon")
            .start();
        for (client, model) in asked() {
            let told = ask(&hone, client, model, "Count these few words.").await;
            let case = format!("{client:?} by {counter:?}: {told}");
            assert!((1..100).contains(&counted(client, &told)), "{case}");
            assert!(!told.headers.contains_key("x-hone-estimate"), "{case}");
            let seen = sim.requests().pop().expect("a request");
            let place = path(counter, "sim-small");
            let place = place.strip_suffix("?beta=true").unwrap_or(&place);
            assert!(seen.target.starts_with(place), "{} for {case}", seen.target);
            let is_beta = seen.target.ends_with("?beta=true");
            assert_eq!(is_beta, client == counter && client == Speaks::Anthropic);
            let sent = text(&seen.body);
            assert!(!sent.contains("moa-") && !sent.contains("plain"), "{sent}");
        }
        assert_eq!(calls([&sim]), [asked().count() as u64]);
    }
}

/// Every client, with every way to name a model.
fn asked() -> impl Iterator<Item = (Speaks, &'static str)> {
    let names = ["sim-small", "plain", "moa-sim-small"];
    COUNTING
        .into_iter()
        .flat_map(move |client| names.map(|name| (client, name)))
}

#[tokio::test]
async fn count_tokens_with_beta_in_its_query_is_routed_like_without() {
    for speaks in super::speak::ALL {
        let sim = upstream().await;
        let hone = before(&sim, speaks).start();
        let asks = client(&hone, Speaks::Anthropic);
        let body = body(Speaks::Anthropic, "sim-small", "Hi").to_string();
        for query in ["?beta=true", ""] {
            let path = format!("/v1/messages/count_tokens{query}");
            let told = asks.post(&path, body.clone()).await;
            assert!(counted(Speaks::Anthropic, &told) > 0, "{speaks:?}");
        }
    }
}

#[tokio::test]
async fn chat_has_no_counter_and_its_prompts_are_estimated_without_a_call() {
    let sim = upstream().await;
    let hone = before(&sim, Speaks::Chat)
        .model("plain", "sim-small", "bon")
        .start();
    for (client, model) in asked() {
        let told = ask(&hone, client, model, "Count these few words.").await;
        assert!((1..100).contains(&counted(client, &told)), "{told}");
        told.assert_header("x-hone-estimate", "bytes");
    }
    assert_eq!(calls([&sim]), [0]);
}

#[tokio::test]
async fn dozens_of_counts_at_once_are_made_though_few_requests_may_run() {
    for upstream_speaks in [Speaks::Anthropic, Speaks::Gemini] {
        let sim = upstream().await;
        sim.set(slow(30));
        let hone = hone()
            .upstream_with(&sim, |upstream| {
                upstream_speaks
                    .upstream(&sim, upstream)
                    .set("concurrency", 1)
            })
            .limit("concurrent_requests", 4)
            .limit("concurrent_upstream_calls", 1)
            .limit("requests_per_minute", 36)
            .limit("tokens_per_minute", 100)
            .start();
        let long = "words and words ".repeat(200);
        let all = (0..35).map(|_| ask(&hone, Speaks::Anthropic, "sim-small", &long));
        for told in join_all(all).await {
            assert!(counted(Speaks::Anthropic, &told) > 100, "{told}");
        }
        let peak = sim.stats().peak_in_flight;
        assert!((2..=8).contains(&peak), "{peak} at once");
        // They take from the rate of requests like any others, and nothing from that of tokens.
        let chat = hone.client("k").ask("sim-small").await;
        chat.assert_header("x-ratelimit-limit-tokens", "100");
        ask(&hone, Speaks::Anthropic, "sim-small", "x")
            .await
            .assert_status(429);
    }
}

#[tokio::test]
async fn answers_wait_for_no_count_and_counts_for_no_answer() {
    let sim = upstream().await;
    let hone = hone()
        .upstream_with(&sim, |upstream| {
            Speaks::Anthropic
                .upstream(&sim, upstream)
                .set("concurrency", 1)
        })
        .limit("concurrent_requests", 1)
        .start();
    let hang = json!({"faults": [{"fault": "hang_before_head"}]});
    let mut stuck = Speaks::Anthropic.body("sim-small", "Hi", false);
    stuck["sim"] = hang;
    let asks = client(&hone, Speaks::Anthropic);
    let waits = asks.post("/v1/messages", stuck.to_string());
    let count = async {
        while calls([&sim]) == [0] {
            tokio::task::yield_now().await;
        }
        ask(&hone, Speaks::Anthropic, "sim-small", "Hi").await
    };
    tokio::select! {
        told = count => assert!(counted(Speaks::Anthropic, &told) > 0),
        ended = waits => panic!("it hangs: {ended}"),
    }
}

#[tokio::test]
async fn a_counter_that_is_404_suspends_no_model_and_is_stood_in_for_by_an_estimate() {
    let raw = RawUpstream::answering(|request| {
        if request.contains("count_tokens") || request.contains("input_tokens") {
            return answer("404 Not Found").json().close().body("{}");
        }
        let message = json!({"role": "assistant", "content": "Hi"});
        let body = json!({"id": "c", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
        answer("200 OK").json().close().body(body.to_string())
    })
    .await;
    let hone = hone()
        .upstream(&raw)
        .bound("rejected_keys_per_minute", 1)
        .start();
    // More often than a server may fail to be reached.
    for speaks in [Speaks::Anthropic, Speaks::Responses].repeat(4) {
        let told = ask(&hone, speaks, "m", "Twelve small words.").await;
        told.assert_header("x-hone-estimate", "bytes");
        assert!(counted(speaks, &told) > 4, "{told}");
    }
    let chat = hone.client("k").ask("m").await;
    chat.assert_ok();
}

#[tokio::test]
async fn a_counters_failure_is_told_in_the_clients_form() {
    for upstream_speaks in [Speaks::Responses, Speaks::Anthropic, Speaks::Gemini] {
        let sim = upstream().await;
        let hone = before(&sim, upstream_speaks).start();
        for (status, in_all) in [(404, [404, 404]), (503, [503, 529]), (401, [401, 401])] {
            sim.set(fails(status));
            for client in COUNTING {
                let told = ask(&hone, client, "sim-small", "Hi").await;
                let case = format!("{client:?} by {upstream_speaks:?}: {told}");
                assert!(in_all.contains(&told.status.as_u16()), "{case}");
                let error = &told.json()["error"];
                assert!(error["message"].is_string(), "{case}");
                assert_eq!(
                    told.json()["type"] == "error",
                    client == Speaks::Anthropic,
                    "{case}"
                );
                assert_eq!(
                    error["status"].is_string(),
                    client == Speaks::Gemini,
                    "{case}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused_and_models_that_are_not_allowed() {
    let sim = upstream().await;
    let hone = before(&sim, Speaks::Chat)
        .tenant("t", |tenant| {
            tenant.provider_key("k").models(&["sim-small"])
        })
        .start();
    for client_speaks in COUNTING {
        let told = ask(&hone, client_speaks, "sim-large", "Hi").await;
        told.assert_status(403)
            .assert_header("x-hone-error", "model_not_allowed");
        let asks = client(&hone, client_speaks);
        let broken = json!({"model": "sim-small"}).to_string();
        let told = asks.post(&path(client_speaks, "sim-small"), broken).await;
        told.assert_status(400);
        let keyless = hone.keyless();
        let body = body(client_speaks, "sim-small", "Hi").to_string();
        keyless
            .post(&path(client_speaks, "sim-small"), body)
            .await
            .assert_status(401);
    }
    assert_eq!(calls([&sim]), [0]);
}

/// Texts, and how many tokens the worse of OpenAI's `cl100k_base` and `o200k_base` takes for each.
const CORPUS: [(&str, u64); 7] = [
    (
        "The committee met on Tuesday to discuss the proposed changes to the harbour. Several \
            residents objected that the new wall would block the view, and that nobody had asked \
            them. The chair promised a second hearing before any decision is made, and adjourned \
            the meeting at half past nine.",
        57,
    ),
    (
        "Die Gemeindeverwaltung hat beschlossen, die Straßenbeleuchtung im Ortskern zu erneuern. \
            Anwohnerinnen und Anwohner können ihre Einwände bis Ende des Monats schriftlich \
            einreichen; über die Vergabe der Bauarbeiten entscheidet anschließend der Ausschuss \
            für Stadtentwicklung.",
        78,
    ),
    (
        r"fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(|a, b| a.total_cmp(b));
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        Some(values[middle])
    } else {
        Some((values[middle - 1] + values[middle]) / 2.0)
    }
}
",
        100,
    ),
    (
        r#"import re

def parse(line):
    m = re.match(r"^(\w+)\s*=\s*(.*?)(?:\s*\#.*)?$", line)
    return (m[1], m[2]) if m else None

if __name__ == "__main__":
    for i, x in enumerate(open("a.cfg")):
        print(i, parse(x.rstrip("\n")))
"#,
        84,
    ),
    (
        "委员会星期二开会讨论港口的改建方案。几位居民反对说，新的围墙会挡住风景，而且没有人事先征求过\
            他们的意见。主席答应在作出决定之前再举行一次听证会，并在九点半宣布散会。",
        100,
    ),
    (
        "اجتمعت اللجنة يوم الثلاثاء لمناقشة التغييرات المقترحة في الميناء.",
        44,
    ),
    (
        "3.14159265358979 2718281828 1000000007 0xdeadbeef 192.168.0.1:8080 2026-11-30T18:16:53Z",
        48,
    ),
];

#[tokio::test]
async fn an_estimate_is_no_less_than_the_tokens_that_there_are() {
    let sim = upstream().await;
    let hone = before(&sim, Speaks::Chat).start();
    for speaks in COUNTING {
        for (says, tokens) in CORPUS {
            let told = ask(&hone, speaks, "sim-small", says).await;
            let estimate = counted(speaks, &told);
            assert!(estimate >= tokens, "{estimate} for {tokens}: {says}");
            assert!(estimate <= tokens * 4, "{estimate} for {tokens}: {says}");
        }
    }
}

#[tokio::test]
async fn tools_images_and_documents_count() {
    let sim = upstream().await;
    let hone = before(&sim, Speaks::Chat).start();
    let schema = json!({"type": "object", "properties": {
        "city": {"type": "string", "description": "The name of the city"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 14}},
        "required": ["city"], "additionalProperties": false});
    let tool = json!({"name": "get_weather", "description": "Tells the weather at a place.",
        "input_schema": schema});
    let asks = client(&hone, Speaks::Anthropic);
    let count = async |field: &str, value: Value| {
        let mut body = body(Speaks::Anthropic, "sim-small", "Hi");
        body[field] = value;
        let told = asks
            .post("/v1/messages/count_tokens", body.to_string())
            .await;
        counted(Speaks::Anthropic, &told)
    };
    let plain = count("system", "".into()).await;
    assert!(count("tools", json!([tool])).await >= plain + 80);
    let source = |kind: &str, bytes: usize| {
        let data = "A".repeat(bytes / 3 * 4);
        json!({"type": "base64", "media_type": kind, "data": data})
    };
    let turn = |part: Value| json!([{"role": "user", "content": [part]}]);
    let image = json!({"type": "image", "source": source("image/png", 90_000)});
    let told = count("messages", turn(image)).await;
    assert!((1600..1700).contains(&told), "{told}");
    for (bytes, tokens) in [(3000, 1500), (120_000, 4500)] {
        let document = json!({"type": "document", "source": source("application/pdf", bytes)});
        let told = count("messages", turn(document)).await;
        assert!((tokens..tokens + 100).contains(&told), "{told}");
    }
}
