//! From a text to records: JSON objects, one a line, in an array or one after the other; or the
//! lines of a table.

use std::fmt;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Format;

/// Members of a document under which its records stand.
const LISTS: [&str; 5] = ["rows", "data", "examples", "questions", "test"];
/// What a table of MMLU has in each line, which has no head.
const MMLU: [&str; 6] = ["question", "A", "B", "C", "D", "answer"];

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    line: usize,
    column: Option<usize>,
}

impl Place {
    pub(super) const fn line(line: usize) -> Self {
        Self { line, column: None }
    }

    /// Its line, from 1.
    #[cfg(test)]
    pub(super) const fn number(self) -> usize {
        self.line
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        match self.column {
            Some(column) => write!(f, ", column {column}"),
            None => Ok(()),
        }
    }
}

/// One record.
#[derive(Debug)]
pub(super) struct Record {
    /// Where it begins.
    pub(super) place: Place,
    /// What names it if it has no name: its line, where each has one of its own, else its number.
    pub(super) number: usize,
    pub(super) fields: Map<String, Value>,
}

type Read = Result<Record, (Place, String)>;

/// The records of a text, or what is wrong instead.
pub(super) fn records(text: &str, format: Option<Format>) -> Vec<Read> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    if text.trim().is_empty() {
        return Vec::new();
    }
    let is_table = match format {
        Some(Format::Csv) => true,
        Some(Format::Jsonl | Format::Gsm8k | Format::Math) => false,
        Some(Format::Mmlu | Format::Arc) => !looks_like_json,
        None => !looks_like_json && is_table(text),
    };
    if is_table { table(text) } else { json(text) }
}

fn json(text: &str) -> Vec<Read> {
    if text.trim_start().starts_with('[') {
        return array(text, text);
    }
    let lines = json_lines(text);
    if lines.iter().all(Result::is_ok) && lines.len() > 1 {
        return lines;
    }
    // One object over many lines, or several.
    let whole: Result<Vec<&RawValue>, _> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect();
    match whole {
        Ok(objects) => match objects.as_slice() {
            [one] => inner_list(text, one).unwrap_or_else(|| each(text, &objects)),
            many if lines.iter().any(Result::is_err) => each(text, many),
            _ => lines,
        },
        Err(_) => lines,
    }
}

fn json_lines(text: &str) -> Vec<Read> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| match serde_json::from_str(line) {
            Ok(fields) => Ok(Record {
                place: Place::line(number),
                number,
                fields,
            }),
            Err(error) => Err(told(&error, number)),
        })
        .collect()
}

/// The records in the array of a document such as `{"rows": [{"row": {…}}]}`.
fn inner_list(text: &str, document: &RawValue) -> Option<Vec<Read>> {
    let members: std::collections::HashMap<String, &RawValue> =
        serde_json::from_str(document.get()).ok()?;
    let list = LISTS.iter().find_map(|name| members.get(*name))?;
    list.get().starts_with('[').then(|| array(text, list.get()))
}

/// The records of `array`, a part of `text`.
fn array(text: &str, array: &str) -> Vec<Read> {
    match serde_json::from_str::<Vec<&RawValue>>(array) {
        Ok(items) => each(text, &items),
        Err(error) => vec![Err(told(&error, error.line()))],
    }
}

fn each(text: &str, items: &[&RawValue]) -> Vec<Read> {
    let (mut line, mut counted) = (1, 0);
    let mut read = Vec::with_capacity(items.len());
    for (number, item) in (1..).zip(items) {
        let at = offset(text, item.get());
        let newlines = text.get(counted..at).unwrap_or_default().matches('\n');
        line += newlines.count();
        counted = at;
        read.push(
            match serde_json::from_str::<Map<String, Value>>(item.get()) {
                Ok(fields) => Ok(Record {
                    place: Place::line(line),
                    number,
                    fields: unwrapped(fields),
                }),
                Err(error) => Err((Place::line(line), message(&error))),
            },
        );
    }
    read
}

/// Where `part`, a slice of `text`, begins in it.
fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// The record in `{"row_idx": 0, "row": {…}}`.
fn unwrapped(fields: Map<String, Value>) -> Map<String, Value> {
    match fields.get("row") {
        Some(Value::Object(row)) => row.clone(),
        _ => fields,
    }
}

/// Where and what is wrong, each once.
fn told(error: &serde_json::Error, line: usize) -> (Place, String) {
    let place = Place {
        line,
        column: Some(error.column()).filter(|column| *column > 0),
    };
    (place, message(error))
}

fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).to_owned()
}

/// Whether the first line is the head of a table of questions, or a line of MMLU.
fn is_table(text: &str) -> bool {
    let Some(Ok(first)) = reader(text).records().next() else {
        return false;
    };
    is_mmlu(&first) || {
        let has = |names: &[&str]| {
            first
                .iter()
                .any(|field| names.contains(&super::fields::plain(field).as_str()))
        };
        has(super::fields::PROMPTS) && has(super::fields::ANSWERS)
    }
}

fn reader(text: &str) -> csv::Reader<&[u8]> {
    let head = text.lines().next().unwrap_or_default();
    let has_tabs = head.contains('\t') && head.matches('\t').count() >= head.matches(',').count();
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(if has_tabs { b'\t' } else { b',' })
        .from_reader(text.as_bytes())
}

/// Whether a line has a question, four options and the letter of one.
fn is_mmlu(record: &csv::StringRecord) -> bool {
    let letter = record.get(5).map(str::trim);
    record.len() == MMLU.len() && matches!(letter, Some("A" | "B" | "C" | "D"))
}

fn table(text: &str) -> Vec<Read> {
    let mut head: Option<Vec<String>> = None;
    let mut read = Vec::new();
    for record in reader(text).records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(1, csv::Position::line);
                let line = usize::try_from(line).unwrap_or(usize::MAX);
                read.push(Err((Place::line(line), error.to_string())));
                continue;
            }
        };
        let line = record.position().map_or(1, csv::Position::line);
        let place = Place::line(usize::try_from(line).unwrap_or(usize::MAX));
        let Some(names) = &head else {
            let has_no_head = is_mmlu(&record);
            head = Some(if has_no_head {
                MMLU.map(str::to_owned).to_vec()
            } else {
                record.iter().map(|name| name.trim().to_owned()).collect()
            });
            if let (true, Some(names)) = (has_no_head, &head) {
                read.push(row(names, &record, place, read.len() + 1));
            }
            continue;
        };
        let number = read.len() + 1;
        read.push(row(names, &record, place, number));
    }
    read
}

fn row(names: &[String], record: &csv::StringRecord, place: Place, number: usize) -> Read {
    if names.len() != record.len() {
        let (has, wants) = (record.len(), names.len());
        return Err((
            place,
            format!("{has} fields, where the first line has {wants}"),
        ));
    }
    let fields = names
        .iter()
        .zip(record)
        .map(|(name, field)| (name.clone(), Value::from(field)))
        .collect();
    Ok(Record {
        place,
        number,
        fields,
    })
}
