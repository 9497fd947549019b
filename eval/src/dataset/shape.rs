//! From a record to a question and its answer, by what the fields are called.

use hone_strategies::answer::{self, Rule};
use serde_json::{Map, Value};

use super::Format;
use super::choices::{choices, letter_of_right, with_options};
use super::fields::{ANSWERS, Fields, IDS, PROMPTS, plain, scalar};
use crate::grade::Kind;

/// Fields whose misspellings are mistakes: without them a record would mean something else.
const OURS: [&str; 6] = [
    "prompt", "messages", "system", "answer", "grader", "category",
];

/// A question as its record says it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: Option<String>,
    pub(super) category: Option<String>,
    pub(super) system: Option<String>,
    pub(super) prompt: String,
    pub(super) messages: Option<Value>,
    pub(super) expected: Vec<String>,
    pub(super) grader: Option<Kind>,
}

/// What a record asks.
///
/// # Errors
///
/// What is missing or cannot be understood.
pub(super) fn draft(record: &Map<String, Value>, format: Option<Format>) -> Result<Draft, String> {
    misspelt(record)?;
    let fields = Fields::of(record);
    let choices = choices(&fields)?;
    let messages = messages(&fields)?;
    let prompt = match &messages {
        Some(_) => String::new(),
        None => question(&fields, record)?,
    };
    let expected = if choices.is_empty() {
        open_answer(&fields, format)?
    } else {
        vec![letter_of_right(&fields, &choices)?]
    };
    if matches!(format, Some(Format::Mmlu | Format::Arc)) && choices.is_empty() {
        let listed = answer::Question::of(&prompt).options().count();
        if listed == 0 {
            return Err("there are no options: `choices`, `options`, or A, B, C, D".to_owned());
        }
    }
    let grader = match fields.get("grader") {
        None => None,
        Some(kind) => Some(
            serde_json::from_value(kind.clone()).map_err(|error| format!("`grader`: {error}"))?,
        ),
    };
    Ok(Draft {
        id: fields.first(IDS).and_then(scalar),
        category: fields.first(&["category", "template"]).and_then(scalar),
        system: fields.text(&["system"]).map(str::to_owned),
        prompt: with_options(prompt, &choices),
        messages,
        expected,
        // A letter is an option's, whatever the question's text looks like.
        grader: grader.or((!choices.is_empty()).then_some(Kind::Choice)),
    })
}

/// A field that looks like one of ours and is none.
fn misspelt(record: &Map<String, Value>) -> Result<(), String> {
    for name in record.keys() {
        let lower = name.to_lowercase();
        let near = OURS.into_iter().find(|known| {
            let is_near = strsim::damerau_levenshtein(&lower, known) == 1;
            is_near && lower.len() >= 5 && lower != "grade"
        });
        if let Some(near) = near {
            return Err(format!("`{name}` is no field of a question: `{near}`?"));
        }
    }
    Ok(())
}

fn messages(fields: &Fields<'_>) -> Result<Option<Value>, String> {
    let Some(messages) = fields.get("messages") else {
        return Ok(None);
    };
    if fields.get("prompt").is_some() {
        return Err("give `prompt` or `messages`, not both".to_owned());
    }
    if fields.get("system").is_some() {
        return Err("`system` goes with `prompt`; `messages` has its own".to_owned());
    }
    if messages.is_array() {
        Ok(Some(messages.clone()))
    } else {
        Err("`messages` must be a list".to_owned())
    }
}

fn question(fields: &Fields<'_>, record: &Map<String, Value>) -> Result<String, String> {
    if let Some(stem) = fields
        .get("question")
        .and_then(|question| question.get("stem"))
    {
        return stem
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| "`question.stem` must be a text".to_owned());
    }
    if let Some(text) = fields.text(PROMPTS) {
        return Ok(text.to_owned());
    }
    let is_prompt = |name: &&String| PROMPTS.contains(&plain(name).as_str());
    Err(match record.keys().find(is_prompt) {
        Some(name) => match record.get(name) {
            Some(Value::String(_)) => format!("`{name}` is empty"),
            _ => format!("`{name}` must be a text"),
        },
        None => "`prompt` or `messages` is missing, and so is any other name of a question \
            (`question`, `problem`, `input`, `instruction`)"
            .to_owned(),
    })
}

/// The answers to a question without options, each of which is right.
fn open_answer(fields: &Fields<'_>, format: Option<Format>) -> Result<Vec<String>, String> {
    let Some(said) = fields.first(ANSWERS) else {
        return Err("`answer` is missing".to_owned());
    };
    let is_solution = fields.get("solution") == Some(said) && fields.get("answer").is_none();
    let one = |value: &Value| -> Result<String, String> {
        let text = scalar(value).ok_or(
            "`answer` must be a text, a number, true or false, or a list of these, each of \
            which is right",
        )?;
        if let Some(number) = behind_hashes(&text) {
            return Ok(number.to_owned());
        }
        if format == Some(Format::Gsm8k) {
            return Err("`answer` has no line `#### …` with the result".to_owned());
        }
        if is_solution || format == Some(Format::Math) {
            return match boxed(&text) {
                Some(answer) => Ok(answer),
                None if is_solution => {
                    Err("`solution` has no `\\boxed{…}`, and there is no `answer`".to_owned())
                }
                None => Ok(text),
            };
        }
        Ok(text)
    };
    match said {
        Value::Array(answers) if !answers.is_empty() => answers.iter().map(one).collect(),
        other => Ok(vec![one(other)?]),
    }
}

/// What the last line `#### …` says, as in GSM8K.
fn behind_hashes(text: &str) -> Option<&str> {
    let mut lines = text.lines().rev();
    lines
        .find_map(|line| line.trim().strip_prefix("####"))
        .map(str::trim)
        .filter(|answer| !answer.is_empty())
}

/// What the last box of a solution holds.
fn boxed(text: &str) -> Option<String> {
    answer::extract(text, &answer::Question::default())
        .filter(|found| found.rule == Rule::Boxed)
        .map(|found| found.value.to_string())
}
