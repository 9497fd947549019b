//! The options of a question, and which of them is right.

use serde_json::{Map, Value};

use super::fields::{ANSWERS, Fields, scalar};

/// An option of a question with its own label.
pub(super) struct Choice {
    label: String,
    text: String,
}

/// The options that a record lists beside its question.
pub(super) fn choices(fields: &Fields<'_>) -> Result<Vec<Choice>, String> {
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
pub(super) fn letter_of_right(fields: &Fields<'_>, choices: &[Choice]) -> Result<String, String> {
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

/// The question with its options below it.
pub(super) fn with_options(prompt: String, choices: &[Choice]) -> String {
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
