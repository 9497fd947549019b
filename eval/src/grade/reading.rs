//! The answers that a reply may be read as, the surest first.

use hone_strategies::answer::{AnswerValue, Extracted, Question, Rule, extract, formulas};

use super::spoken;

/// Bytes at the end of a reply, and at its beginning, that are looked at.
const REACH: usize = 16 << 10;

/// What a reply is searched for: what the expected answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    /// A block of code.
    Code,
    /// A number.
    Number,
    /// The letter of an option.
    Option,
    /// Yes or no.
    Truth,
    /// Anything else.
    Words,
}

impl Sought {
    /// What all of `values` are.
    pub(super) fn of(values: &[AnswerValue]) -> Self {
        let all = |test: fn(&AnswerValue) -> bool| values.iter().all(test);
        if all(AnswerValue::is_number) {
            Self::Number
        } else if all(AnswerValue::is_option) {
            Self::Option
        } else if all(AnswerValue::is_truth) {
            Self::Truth
        } else {
            Self::Words
        }
    }

    /// What `said`, a reply without its reasoning, may be read as. Empty if nothing is found.
    pub(super) fn readings(self, said: &str, shape: &Question) -> Vec<AnswerValue> {
        let said = said.trim();
        let read = self.unfenced(whole_fence(said).unwrap_or(said), shape);
        if !read.is_empty() {
            return read;
        }
        // An answer between fences, with words around it.
        last_fence(said).map_or_else(Vec::new, |block| self.unfenced(block, shape))
    }

    fn unfenced(self, said: &str, shape: &Question) -> Vec<AnswerValue> {
        if said.is_empty() {
            return Vec::new();
        }
        let value = |shape: Question| extract(said, &shape).map(|found| found.value);
        match self {
            Self::Code => vec![AnswerValue::code(said)],
            Self::Number => value(shape.clone().asking_for_number())
                .filter(AnswerValue::is_number)
                .into_iter()
                .collect(),
            Self::Option => {
                let shape = shape.clone().offering('A'..='J');
                let found = extract(said, &shape).map(|found| found.value);
                let spoken = || spoken::letter(tail(said), &shape);
                found.or_else(spoken).into_iter().collect()
            }
            Self::Truth => value(shape.clone().asking_for_truth())
                .filter(AnswerValue::is_truth)
                .or_else(|| spoken::truth(head(said), tail(said)))
                .into_iter()
                .collect(),
            Self::Words => words(said, extract(said, shape)),
        }
    }
}

/// What a reply to an open question may be read as. Where no delimiter says which words are the
/// answer, it may be what the last sentence ends with.
fn words(said: &str, found: Option<Extracted>) -> Vec<AnswerValue> {
    let is_sure = found
        .as_ref()
        .is_some_and(|found| !matches!(found.rule, Rule::ShortLine | Rule::LastNumber));
    let mut readings: Vec<AnswerValue> = found.into_iter().map(|found| found.value).collect();
    if !is_sure {
        let line = tail(said)
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty());
        let line = line.unwrap_or_default();
        let formula = formulas(line).last().map(|(_, formula)| *formula);
        let ends = [spoken::bold(line), formula, spoken::predicate(line)];
        readings.extend(ends.into_iter().flatten().filter_map(AnswerValue::parse));
    }
    readings
}

/// The content of a reply that is one fenced block and nothing else.
fn whole_fence(said: &str) -> Option<&str> {
    let inner = said.strip_prefix("```")?.strip_suffix("```")?;
    let content = inner
        .split_once('\n')
        .map_or(inner, |(_language, content)| content);
    (!content.contains("```")).then_some(content.trim())
}

/// The content of the last fenced block.
fn last_fence(said: &str) -> Option<&str> {
    let end = said.rfind("```")?;
    let start = said.get(..end)?.rfind("```")?;
    let (_language, content) = said.get(start + "```".len()..end)?.split_once('\n')?;
    Some(content.trim()).filter(|content| !content.is_empty())
}

fn tail(said: &str) -> &str {
    let from = said.ceil_char_boundary(said.len().saturating_sub(REACH));
    said.get(from..).unwrap_or_default()
}

fn head(said: &str) -> &str {
    let to = said.floor_char_boundary(REACH);
    said.get(..to).unwrap_or_default()
}
