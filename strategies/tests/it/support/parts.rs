//! Replies, and a script that plays every part of every strategy.

use hone_strategies::ChatRequest;
use hone_strategies::chat::{Choice, Completion, Logprobs, Message, Usage};
use hone_strategies::contract;
use hone_strategies::model::{ModelError, Purpose, Rejection};
use serde_json::{Value, json};

use super::fake::{Reply, Seen};

/// A reply of `n` choices of the same text, where the request asks for `n`.
#[expect(clippy::unnecessary_wraps, reason = "scripts return replies")]
pub(crate) fn says(seen: &Seen, text: &str) -> Reply {
    let mut completion = Completion::of_text(text, Usage::new(10, 5 * u64::from(seen.request.n())));
    let choice = completion.choices.remove(0);
    completion.choices = (0..seen.request.n())
        .map(|index| Choice {
            index,
            ..choice.clone()
        })
        .collect();
    Ok(completion)
}

/// A reply of one choice that ended as `finish` says.
#[expect(clippy::unnecessary_wraps, reason = "scripts return replies")]
pub(crate) fn reply(text: &str, finish: &str) -> Reply {
    let choices = vec![Choice::new(Message::assistant(text), finish)];
    Ok(Completion {
        choices,
        usage: Some(Usage::new(10, 5)),
        ..Completion::default()
    })
}

pub(crate) fn rejected(status: u16, error: &Value) -> ModelError {
    let body = json!({ "error": error }).to_string();
    ModelError::Rejected(Box::new(Rejection::new(status, Vec::new(), body.into())))
}

/// A problem that a solver applies to.
const FORMULATION: &str = "Solver: applies\nExpected: sat\n```smt2\n(declare-const answer Int)\n\
    (assert (= answer (* 6 7)))\n(check-sat)\n(get-value (answer))\n```";

/// What a planner replies whose prompt holds this line of the contract.
const PLANS: [(&str, &str); 10] = [
    (contract::FORMULATION, FORMULATION),
    (contract::MODULES, "They fit.\nModules: 9, 38"),
    (
        contract::ADAPTED,
        "1. Split it.\n2. Write down the product.",
    ),
    (
        contract::STRUCTURE,
        r#"{"product": "6 times 7", "answer": ""}"#,
    ),
    (contract::SUB_QUESTION, QUESTIONS),
    (
        contract::RECORD,
        "Information: calm\nAnswer: 42\nConfidence: 5",
    ),
    (contract::MARGIN, "Relevant: yes\nThe product is asked for."),
    (contract::EXAMPLES, EXAMPLES),
    (
        contract::OBSERVATIONS,
        r#"["One thing.", "Another.", "A third."]"#,
    ),
    (contract::APPROACHES, r#"["One way.", "Another way."]"#),
];

const QUESTIONS: &str = "Question: How much?\nSub-question: What is 6?\nSub-question: What is 7?\n\
    Sub-question: What is times?";

const EXAMPLES: &str = r#"[{"question": "How much is 2 plus 2?", "answer": 4},
    {"question": "How much is 3 plus 3?", "answer": "6"}]"#;

/// The choice number `index` of every part: candidates that all differ, judges, critics,
/// aggregators.
fn part(seen: &Seen, index: u32) -> String {
    let (text, number) = (seen.text(), seen.number);
    let says = 1000 * number + index;
    match seen.call.purpose {
        Purpose::Candidate if text.contains(contract::REVISION) => {
            let line = contract::REVISION;
            format!("It is vague.\n{line}\nCandidate {number} says {says}.")
        }
        Purpose::Candidate => format!("Candidate {number} says {says}."),
        Purpose::Adversary => format!("Decoy {number} says {says}."),
        Purpose::Judge => verdict(&text).to_owned(),
        Purpose::Critique => "The proof is missing.".to_owned(),
        Purpose::Final => "Final text.".to_owned(),
        Purpose::Synthesis => format!("Final text, made by {number}."),
        Purpose::Plan => {
            let known = PLANS.iter().find(|(line, _)| text.contains(line));
            known.map_or_else(
                || format!("Plan number {number}."),
                |(_, plan)| (*plan).to_owned(),
            )
        }
        Purpose::Probe => "seven eight".to_owned(),
    }
}

fn verdict(prompt: &str) -> &'static str {
    let mut shown = contract::candidates(prompt).into_iter();
    if shown.any(|(_, text)| text.starts_with("Decoy")) {
        "No.\nScore: 2"
    } else if prompt.contains(contract::SCORE) {
        "It is fine.\nScore: 7"
    } else if prompt.contains(contract::VERDICT) {
        "No incorrect step.\nVERDICT: CORRECT"
    } else if prompt.contains(contract::DIFFICULTY) {
        "Difficulty: easy"
    } else {
        "They differ.\nBest candidate: 1"
    }
}

/// Plays every part.
#[expect(clippy::unnecessary_wraps, reason = "scripts return replies")]
pub(crate) fn plays(seen: &Seen) -> Reply {
    // Thinking that is bounded goes on to its bound.
    let finish = if seen.call.purpose == Purpose::Plan && seen.request.get("stop").is_some() {
        "length"
    } else {
        "stop"
    };
    let n = seen.request.n();
    let choice = |index| {
        let text = part(seen, index);
        Choice {
            index,
            logprobs: logprobs(&seen.request, &text).map(Logprobs::from),
            ..Choice::new(Message::assistant(text), finish)
        }
    };
    let choices = (0..n).map(choice).collect();
    Ok(Completion {
        choices,
        usage: Some(Usage::new(10, 5 * u64::from(n))),
        ..Completion::default()
    })
}

/// Log probabilities of the words of `text`, if `request` asks for them: many words could have
/// stood first, few anywhere else.
pub(crate) fn logprobs(request: &ChatRequest, text: &str) -> Option<Value> {
    request
        .get("logprobs")
        .and_then(Value::as_bool)
        .filter(|wanted| *wanted)?;
    let top = request
        .get("top_logprobs")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    let entry = |(at, word): (usize, &str)| {
        let own: f64 = if at == 0 { 0.4 } else { 0.95 };
        let rest = (1.0 - own) / f64::from(u32::try_from(top.max(2) - 1).unwrap());
        let other = |rank: u64| json!({"token": format!("Candidate{rank}"), "logprob": rest.ln()});
        let shown: Vec<Value> = std::iter::once(json!({"token": word, "logprob": own.ln()}))
            .chain((1..top).map(other))
            .collect();
        json!({"token": word, "logprob": own.ln(), "top_logprobs": shown.into_iter()
            .take(usize::try_from(top).unwrap()).collect::<Vec<_>>()})
    };
    Some(json!({"content": text.split_inclusive(' ').enumerate().map(entry).collect::<Vec<_>>()}))
}
