//! Every approach behind every provider that can be simulated: none is lost because the provider
//! lacks something that hone added.

use hone_strategies::STRATEGIES;
use hone_strategies::simulation::{Question, TaskModel, Words};
use serde_json::{Value, json};

use crate::support::parts::{Knobs, Profile, SimHandle};
use crate::support::setup::Upstream;
use crate::support::sim::bodies;
use crate::support::{Answer, Hone, hone, solver, text, upstream};

const LOGPROBS: &str = "log probabilities";
const THINKING: &str = "control of how much the model thinks";

/// What an approach is told to lack behind a provider, where it is defined by what that lacks.
fn lack(profile: Profile, slug: &str) -> Option<&'static str> {
    use Profile::{Azure, Bedrock, Google, Mistral, Ollama};
    match slug {
        "cot_decoding" | "entropy_decoding" | "deepconf" | "self_certainty" => {
            matches!(profile, Azure | Bedrock | Google | Mistral | Ollama).then_some(LOGPROBS)
        }
        "thinkdeeper" if profile == Bedrock => Some(THINKING),
        _ => None,
    }
}

fn model() -> TaskModel {
    TaskModel {
        accuracy: 1.0,
        words: Words { least: 5, most: 20 },
        ..TaskModel::default()
    }
}

async fn behind(profile: Profile) -> (SimHandle, Hone) {
    let upstream = upstream().await;
    upstream.set(Knobs {
        profile: Some(profile),
        task: Some(model()),
        ..Knobs::default()
    });
    let hone = hone().upstream(&upstream).start();
    (upstream, hone)
}

/// The text that a streamed answer spells, and what is told at its end.
fn streamed(answer: &Answer) -> (String, Value) {
    let whole = text(&answer.body);
    let data = whole.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let content = |chunk: Value| {
        let content = &chunk["choices"][0]["delta"]["content"];
        content.as_str().map(str::to_owned)
    };
    let told = whole.lines().find_map(|line| line.strip_prefix(": hone "));
    let told = told.map_or(Value::Null, |told| {
        serde_json::from_str(told).expect("JSON")
    });
    (chunks.filter_map(content).collect(), told)
}

/// Parameters that keep a run short.
fn params(slug: &str) -> Value {
    match slug {
        "cot_decoding" | "majority_voting" => json!({"k": 3}),
        "cepo" => json!({"cepo_bestofn_n": 2}),
        "knockout" => json!({"knockout_candidates": 3, "knockout_comparisons": 2}),
        "rstar" => json!({"rstar_num_rollouts": 2}),
        "deepconf" => json!({"max_traces": 4, "warmup_samples": 2, "confidence_top_k": 3}),
        "self_certainty" => json!({"self_certainty_samples": 2}),
        "thinkdeeper" => json!({"min_thinking_tokens": 8, "max_thinking_tokens": 64}),
        _ => json!({}),
    }
}

fn body(slug: &str, question: &Question, stream: bool) -> Value {
    let mut body = params(slug);
    body["model"] = json!(format!("{slug}-sim-small"));
    body["messages"] = json!([{"role": "user", "content": question.text}]);
    body["stream"] = json!(stream);
    body
}

/// What is wrong with an approach's answer, if anything is.
async fn wrong(
    hone: &Hone,
    (profile, slug): (Profile, &str),
    question: &Question,
    stream: bool,
) -> Option<String> {
    let client = hone.client(&format!("k-{slug}"));
    let answer = client.chat(&body(slug, question, stream)).await;
    let status = answer.status.as_u16();
    if let Some(lack) = lack(profile, slug) {
        // Where the first calls were answered, the stream has begun: it ends with the error.
        let has_begun = stream && status == 200 && !answer.text().contains("[DONE]");
        let is_told = answer.text().contains(lack) && (status == 400 || has_begun);
        return (!is_told).then(|| format!("{slug}: not told that it lacks {lack}: {answer}"));
    }
    if status != 200 {
        return Some(format!("{slug}: {answer}"));
    }
    let (said, degraded) = if stream {
        let (said, told) = streamed(&answer);
        (said, told["degraded"].to_string())
    } else {
        let said = &answer.json()["choices"][0]["message"]["content"];
        let said = said.as_str().unwrap_or_default().to_owned();
        (said, answer.header("x-hone-degraded").to_owned())
    };
    if !question.is_answered_by(&said) {
        return Some(format!("{slug} is wrong: {answer}"));
    }
    let has_lost = degraded.contains("failed_calls") || degraded.contains("judge");
    has_lost.then(|| format!("{slug} lost {degraded}: {answer}"))
}

async fn every_approach_behind(profile: Profile, stream: bool) {
    let (_upstream, hone) = behind(profile).await;
    let question = model().question(17);
    let mut all = Vec::new();
    let has_solver = solver("the approach z3").is_some();
    let asked = STRATEGIES.iter();
    for entry in asked.filter(|entry| entry.slug != "z3" || has_solver) {
        let case = (profile, entry.slug);
        all.extend(wrong(&hone, case, &question, stream).await);
    }
    assert!(
        all.is_empty(),
        "{} of them:\n{}",
        all.len(),
        all.join("\n\n")
    );
}

macro_rules! behind {
    ($($name:ident: $profile:ident,)*) => {
        mod every_approach_answers_behind {
            use super::{Profile, every_approach_behind};
            $(
                #[tokio::test]
                async fn $name() {
                    every_approach_behind(Profile::$profile, false).await;
                }
            )*
        }

        mod every_approach_streams_behind {
            use super::{Profile, every_approach_behind};
            $(
                #[tokio::test]
                async fn $name() {
                    every_approach_behind(Profile::$profile, true).await;
                }
            )*
        }
    };
}

behind! {
    openai: OpenAi,
    vllm: Vllm,
    llama_cpp: LlamaCpp,
    ollama: Ollama,
    gemma: Gemma,
    mistral: Mistral,
    google: Google,
    bedrock: Bedrock,
    azure: Azure,
}

/// Approaches that read a conversation with tool calls in a call of their own.
const READERS: [&str; 8] = [
    "bon",
    "genselect",
    "knockout",
    "mars",
    "moa",
    "pdr",
    "self_consistency",
    "usc",
];

#[tokio::test]
async fn a_conversation_with_tool_calls_keeps_its_tools_behind_bedrock() {
    let (_upstream, hone) = behind(Profile::Bedrock).await;
    let question = model().question(17);
    let call = json!({"id": "t", "type": "function",
        "function": {"name": "add", "arguments": "{}"}});
    let messages = json!([
        {"role": "user", "content": question.text},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t", "content": "noted"},
        {"role": "user", "content": question.text},
    ]);
    let tools = json!([{"type": "function", "function": {"name": "add"}}]);
    for slug in READERS {
        let mut body = body(slug, &question, false);
        body["messages"] = messages.clone();
        body["tools"] = tools.clone();
        let answer = hone.client(slug).chat(&body).await;
        answer.assert_ok();
        let degraded = answer.header("x-hone-degraded");
        assert!(!degraded.contains("failed"), "{slug}: {answer}");
    }
}

/// How many of the calls that reach a llama.cpp are streams, of two runs for one caller.
async fn streamed_calls(setting: Option<bool>) -> [usize; 2] {
    let upstream = upstream().await;
    upstream.set(Knobs {
        profile: Some(Profile::LlamaCpp),
        task: Some(model()),
        ..Knobs::default()
    });
    let set = |upstream: Upstream| match setting {
        None => upstream,
        Some(streams) => upstream.set("stream_calls", streams),
    };
    let hone = hone().upstream_with(&upstream, set).start();
    let question = model().question(17);
    let mut counts = [0; 2];
    for count in &mut counts {
        let before = bodies(&upstream).len();
        let answer = hone.client("k").chat(&body("usc", &question, false)).await;
        let said = &answer.assert_ok().json()["choices"][0]["message"]["content"];
        assert!(question.is_answered_by(said.as_str().unwrap_or_default()));
        assert!(answer.json()["usage"]["completion_tokens"].as_u64() > Some(5));
        let asked = bodies(&upstream);
        let streams = asked[before..].iter();
        *count = streams
            .filter(|body| body.contains("\"stream\":true"))
            .count();
    }
    counts
}

#[tokio::test]
async fn llama_cpp_is_asked_for_streams_once_it_is_known() {
    let [first, second] = streamed_calls(None).await;
    assert!(second >= 3 && first < second, "{first} {second}");
    let [first, second] = streamed_calls(Some(true)).await;
    assert!(first >= 3 && second >= 3, "{first} {second}");
    assert_eq!(streamed_calls(Some(false)).await, [0, 0]);
}
