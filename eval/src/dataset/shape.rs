//! From a record to a question and its answer, by what the fields are called.

use hone_strategies::answer::{self, Rule};
use serde_json::{Map, Value};

use super::Format;
use crate::grade::Kind;

/// Names of the question, as [`plain`] writes them.
pub(super) const PROMPTS: &[&str] = &[
    "prompt",
    "question",
    "problem",
    "input",
    "instruction",
    "query",
    "inputs",
];
/// Names of the answer.
pub(super) const ANSWERS: &[&str] = &[
    "answer",
    "answerkey",
    "target",
    "targets",
    "expected",
    "expectedanswer",
    "finalanswer",
    "correctanswer",
    "groundtruth",
    "gold",
    "output",
    "reference",
    "label",
    "solution",
    "answerindex",
    "answeridx",
];
const IDS: &[&str] = &["id", "questionid", "uniqueid", "taskid"];
/// Fields whose misspellings are mistakes: without them a record would mean something else.
const OURS: [&str; 6] = [
    "prompt", "messages", "system", "answer", "grader", "category",
];

/// A question as its record says it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: Option<String>,
    pub(super) system: Option<String>,
    pub(super) prompt: String,
    pub(super) messages: Option<Value>,
    pub(super) expected: Vec<String>,
    pub(super) grader: Option<Kind>,
}

/// An option of a question with its own label.
struct Choice {
    label: String,
    text: String,
}

/// A field's name in one spelling: `Answer Key`, `answer_key` and `answerKey` are one.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Fields by their plain names. What is empty is not there.
struct Fields<'a>(Vec<(String, &'a Value)>);

impl<'a> Fields<'a> {
    fn of(record: &'a Map<String, Value>) -> Self {
        let is_there = |value: &&Value| {
            !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty())
        };
        let fields = record
            .iter()
            .map(|(name, value)| (plain(name), value))
            .filter(|(_, value)| is_there(value));
        Self(fields.collect())
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| *value)
    }

    fn first(&self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| self.get(name))
    }

    fn text(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.get(name)?.as_str())
    }
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

/// The options that a record lists beside its question.
fn choices(fields: &Fields<'_>) -> Result<Vec<Choice>, String> {
    let in_question = fields
        .get("question")
        .and_then(|question| question.get("choices"));
    let list = in_question.or_else(|| fields.first(&["choices", "options"]));
    let choices = match list {
        None => lettered(fields),
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| choice(at, item))
            .collect(),
        Some(Value::Object(columns)) => labelled(columns)?,
        Some(Value::String(text)) => quoted(text),
        Some(_) => return Err("the options must be a list".to_owned()),
    };
    match choices.len() {
        0 if list.is_none() => Ok(choices),
        2..=10 => Ok(choices),
        other => Err(format!("{other} options, where 2 to 10 can be read")),
    }
}

/// An option in a list: its text, or an object with it.
fn choice(at: usize, item: &Value) -> Option<Choice> {
    let member = |name: &str| item.get(name).and_then(scalar);
    let label = member("label").or_else(|| Some(letter(at)?.to_string()))?;
    let text = scalar(item).or_else(|| member("text"))?;
    Some(Choice { label, text })
}

/// `{"text": […], "label": […]}`, or `{"A": …, "B": …}`.
fn labelled(columns: &Map<String, Value>) -> Result<Vec<Choice>, String> {
    let list = |name: &str| columns.get(name).and_then(Value::as_array);
    if let (Some(texts), Some(labels)) = (list("text"), list("label")) {
        let pairs = labels.iter().zip(texts);
        return Ok(pairs
            .filter_map(|(label, text)| {
                Some(Choice {
                    label: scalar(label)?,
                    text: scalar(text)?,
                })
            })
            .collect());
    }
    let choice = |(label, text): (&String, &Value)| {
        Some(Choice {
            label: label.clone(),
            text: scalar(text)?,
        })
    };
    let choices: Option<Vec<Choice>> = columns.iter().map(choice).collect();
    choices.ok_or_else(|| "an option must be a text".to_owned())
}

/// Columns `A`, `B` and so on.
fn lettered(fields: &Fields<'_>) -> Vec<Choice> {
    let choice = |letter: char| {
        let text = scalar(fields.get(&letter.to_ascii_lowercase().to_string())?)?;
        Some(Choice {
            label: letter.to_string(),
            text,
        })
    };
    ('A'..='J').map_while(choice).collect()
}

/// A list as Python prints it, in a table: `['0', '4']`, or NumPy's `['0' '4']`.
fn quoted(text: &str) -> Vec<Choice> {
    let mut texts = Vec::new();
    let mut rest = text.trim().trim_start_matches('[');
    while let Some(at) = rest.find(['\'', '"']) {
        let (quote, behind) = rest.split_at(at).1.split_at(1);
        let end = behind.match_indices(quote).map(|(end, _)| end).find(|end| {
            !behind
                .get(..*end)
                .is_some_and(|before| before.ends_with('\\'))
        });
        let Some((text, behind)) = end.and_then(|end| behind.split_at_checked(end)) else {
            break;
        };
        texts.push(text.replace("\\'", "'"));
        rest = behind.get(1..).unwrap_or_default();
    }
    let labelled = texts.into_iter().enumerate().filter_map(|(at, text)| {
        Some(Choice {
            label: letter(at)?.to_string(),
            text,
        })
    });
    labelled.collect()
}

/// The letter of the option that is right: told by its label, its text or its number from 0.
fn letter_of_right(fields: &Fields<'_>, choices: &[Choice]) -> Result<String, String> {
    let right = fields
        .first(ANSWERS)
        .ok_or("the answer is missing: `answer`, `answerKey` or `label`")?;
    let said = scalar(right).ok_or("the answer must name one option")?;
    let said = said.trim().trim_matches(['(', ')', '.']);
    let by_label = || {
        let mut labels = choices.iter().map(|choice| &choice.label);
        labels.position(|label| label.eq_ignore_ascii_case(said))
    };
    let by_text = || choices.iter().position(|choice| choice.text.trim() == said);
    let by_number = || said.parse().ok().filter(|at| *at < choices.len());
    // A list in a table is Python's, and what tells the right one of it is a number.
    let is_number = right.is_number() || fields.text(&["choices", "options"]).is_some();
    let at = if is_number {
        by_number().or_else(by_label).or_else(by_text)
    } else {
        by_label().or_else(by_text).or_else(by_number)
    };
    at.and_then(letter)
        .map(String::from)
        .ok_or_else(|| format!("`{said}` is none of the options"))
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

/// The question with its options below it.
fn with_options(prompt: String, choices: &[Choice]) -> String {
    let listed = choices.iter().enumerate().filter_map(|(at, choice)| {
        let letter = letter(at)?;
        Some(format!("\n{letter}) {}", choice.text.trim()))
    });
    let listed: String = listed.collect();
    if listed.is_empty() {
        prompt
    } else {
        format!("{prompt}\n{listed}")
    }
}

fn letter(at: usize) -> Option<char> {
    ('A'..='J').nth(at)
}

/// A text, a number, or true or false, as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
