//! Finds the answer in a reply. The first rule that finds one decides; within a rule the last
//! occurrence does. There is no guessing: what no rule recognises abstains.

use memchr::memmem;
use serde_json::Value;

use super::question::Question;
use super::value::{AnswerValue, Kind, equivalent};
use super::{code, latex, mention, normalize, tools};
use crate::{contract, reasoning};

/// Bytes at the end of a reply that are looked at.
const REACH: usize = 64 << 10;
/// Most words of a last line that is an answer by itself.
const SHORT_LINE: usize = 12;
/// Bytes of the shortest label of an answer, and of the longest with one character behind it.
const MIN_LABEL: usize = "answer".len();
const MAX_LABEL: usize = "solutions".len() + 4;
/// `\boxed` commands, from the last, of which one must be complete.
const BOXES: usize = 8;

/// How an answer was found, from the surest rule to the least sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The reply is JSON: its `answer` field, else all of it.
    Json,
    /// The last code block, where code was asked for.
    Code,
    /// The line that [`contract::FINAL_ANSWER`] asks for.
    Contract,
    /// `\boxed{…}`.
    Boxed,
    /// `the answer is …`, `Answer: …`, `#### …`, `Therefore … = …`.
    Labelled,
    /// A letter that stands for one of the question's options.
    Option,
    /// A short last line.
    ShortLine,
    /// The last number, where a number was asked for.
    LastNumber,
}

/// An answer and the rule that found it.
#[derive(Debug, Clone)]
pub struct Extracted {
    /// The answer.
    pub value: AnswerValue,
    /// How it was found.
    pub rule: Rule,
}

/// The final answer of a reply to `question`, read from the last 64 KiB of what is not reasoning.
///
/// ```
/// use hone_strategies::answer::{Question, extract};
/// let question = Question::of("How many eggs are left?");
/// let reply = "16 - 7 = 9, so she has 9 left.\nFinal answer: **9 eggs**";
/// let found = extract(reply, &question).unwrap();
/// assert_eq!(found.value.to_string(), "9 eggs");
/// ```
pub fn extract(text: &str, question: &Question) -> Option<Extracted> {
    let text = reasoning::strip(text);
    let from = text.ceil_char_boundary(text.len().saturating_sub(REACH));
    let text = text.get(from..)?.trim();
    let rules: [(Rule, Finder); 8] = [
        (Rule::Json, json),
        (Rule::Code, code_block),
        (Rule::Contract, contract_line),
        (Rule::Boxed, boxed),
        (Rule::Labelled, labelled),
        (Rule::Option, option_letter),
        (Rule::ShortLine, short_line),
        (Rule::LastNumber, last_number),
    ];
    rules
        .into_iter()
        .find_map(|(rule, find)| find(text, question).map(|value| Extracted { value, rule }))
}

type Finder = fn(&str, &Question) -> Option<AnswerValue>;

/// A raw answer as a value that fits the question; none where it does not.
fn admit(raw: &str, question: &Question) -> Option<AnswerValue> {
    let raw = last_box(raw).unwrap_or(raw);
    let raw = normalize::unwrap(raw);
    let raw = raw
        .strip_prefix('<')
        .and_then(|inner| inner.strip_suffix('>'))
        .filter(|inner| *inner != "answer")
        .unwrap_or(raw);
    if raw == "<answer>" {
        return None;
    }
    if !question.options.is_empty() {
        return choice(raw, question);
    }
    let value = AnswerValue::parse(raw)?;
    if value.is_formal() {
        return Some(value);
    }
    if question.number
        && let Some(number) = mention::only(raw)
    {
        return Some(number);
    }
    let leads = |word: &str| {
        raw.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
            && is_word_end(raw, word.len())
    };
    match ["yes", "no", "true", "false"]
        .into_iter()
        .find(|word| question.truth && leads(word))
    {
        Some(word) => AnswerValue::parse(word),
        None => Some(value),
    }
}

fn is_word_end(text: &str, at: usize) -> bool {
    !text
        .get(at..)
        .is_some_and(|rest| rest.starts_with(char::is_alphanumeric))
}

/// The option that `raw` names by its letter or by its text.
fn choice(raw: &str, question: &Question) -> Option<AnswerValue> {
    let letter = letter(raw).filter(|letter| question.options().any(|known| known == *letter));
    let letter = letter.or_else(|| {
        let value = AnswerValue::parse(raw)?;
        let mut same = question
            .options
            .iter()
            .filter(|(_, text)| text.as_ref().is_some_and(|text| equivalent(text, &value)));
        let (letter, _) = same.next()?;
        same.next().is_none().then_some(*letter)
    })?;
    Some(AnswerValue::new(letter.to_string(), Kind::Choice(letter)))
}

/// The letter in `B`, `(B)`, `B) text`, `B. text`, `Option B`, `\text{(B)}`.
fn letter(raw: &str) -> Option<char> {
    let cleaned = latex::clean(raw.get(..raw.floor_char_boundary(200))?);
    let mut text = normalize::unwrap(&cleaned);
    for word in ["option", "choice", "answer"] {
        let behind = text
            .get(..word.len())
            .filter(|start| start.eq_ignore_ascii_case(word))
            .and_then(|_| text.get(word.len()..));
        text = behind
            .and_then(|behind| behind.strip_prefix(' '))
            .map_or(text, normalize::unwrap);
    }
    let (open, inner) = text
        .strip_prefix(['(', '['])
        .map_or((false, text), |inner| (true, inner));
    let mut chars = inner.chars();
    let (letter, next) = (chars.next()?, chars.next());
    let alone = next.is_none() || (open && matches!(next, Some(')' | ']')));
    let marks = letter.is_ascii_uppercase()
        && matches!(next, Some(')' | '.' | ':' | '*'))
        && !chars.next().is_some_and(char::is_alphanumeric);
    (letter.is_ascii_alphabetic() && (alone || marks)).then(|| letter.to_ascii_uppercase())
}

fn json(text: &str, question: &Question) -> Option<AnswerValue> {
    let inner = text
        .strip_prefix("```json")
        .and_then(|inner| inner.strip_suffix("```"))
        .unwrap_or(text)
        .trim();
    if !inner.starts_with(['{', '[']) {
        return None;
    }
    // Text that only looks like JSON has no JSON answer; the other rules read it.
    let value: Value = serde_json::from_str(inner).ok()?;
    match value.get("answer").or_else(|| value.get("final_answer")) {
        Some(Value::String(answer)) => admit(answer, question),
        Some(answer @ (Value::Number(_) | Value::Bool(_))) => admit(&answer.to_string(), question),
        Some(answer) => Some(AnswerValue::literal(tools::canonical(answer))),
        None if is_flat(&value) => AnswerValue::parse(inner),
        None => Some(AnswerValue::literal(tools::canonical(&value))),
    }
}

/// Whether a JSON list holds only numbers, and so may be an interval or a vector.
fn is_flat(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().all(Value::is_number))
}

fn code_block(text: &str, question: &Question) -> Option<AnswerValue> {
    let block = question.code.then(|| code::last_block(text)).flatten()?;
    Some(AnswerValue::literal(code::tokens(block)))
}

fn contract_line(text: &str, question: &Question) -> Option<AnswerValue> {
    let mut following = "";
    for line in text.lines().rev() {
        if let Some(value) = behind_contract(line) {
            return admit(if value.is_empty() { following } else { value }, question);
        }
        if !line.trim().is_empty() {
            following = line;
        }
    }
    None
}

/// What a line says behind the label of [`contract::FINAL_ANSWER`].
fn behind_contract(line: &str) -> Option<&str> {
    let label = contract::FINAL_ANSWER
        .split_once(':')
        .map_or(contract::FINAL_ANSWER, |(label, _)| label);
    let start = line.trim_start_matches(['*', '#', '>', '_', '`', ' ']);
    let behind = start.get(label.len()..).filter(|_| {
        start
            .get(..label.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(label))
    })?;
    let value = behind
        .trim_start_matches(['*', '_', ' '])
        .strip_prefix([':', '：'])?;
    Some(value.trim_matches(['*', ' ']))
}

fn boxed(text: &str, question: &Question) -> Option<AnswerValue> {
    admit(last_box(text)?, question)
}

/// The content of the last complete `\boxed{…}` or `\fbox{…}`.
fn last_box(text: &str) -> Option<&str> {
    let starts = memmem::rfind_iter(text.as_bytes(), "box");
    let boxes = starts.filter_map(|at| {
        let behind = text.get(at + "box".len()..)?;
        let named = text.get(..at)?;
        let behind = if named.ends_with('\\') {
            behind.strip_prefix("ed")?
        } else {
            behind.strip_prefix("").filter(|_| named.ends_with("\\f"))?
        };
        Some(behind.trim_start())
    });
    boxes
        .take(BOXES)
        .find_map(|behind| match behind.strip_prefix('{') {
            Some(inner) => latex::balanced(inner).map(|(content, _)| content),
            None => behind
                .split(|c: char| c.is_whitespace() || matches!(c, '$' | '.' | ','))
                .next()
                .filter(|content| !content.is_empty()),
        })
}

fn labelled(text: &str, question: &Question) -> Option<AnswerValue> {
    let lines = || text.lines().rev();
    let by_label = || {
        lines()
            .find_map(|line| behind_label(line))
            .and_then(|raw| admit(raw, question))
    };
    let by_hashes = || {
        let raw = lines().find_map(|line| line.trim().strip_prefix("####"))?;
        admit(raw, question).filter(AnswerValue::is_formal)
    };
    let by_conclusion = || {
        lines()
            .find_map(conclusion)
            .and_then(|raw| admit(raw, question))
            .filter(AnswerValue::is_formal)
    };
    by_label().or_else(by_hashes).or_else(by_conclusion)
}

/// What follows the last `answer is`, `answer:` or `solutions are` of a line.
fn behind_label(line: &str) -> Option<&str> {
    let mut at = 0;
    let labels = line
        .split_inclusive(|c: char| !c.is_alphanumeric())
        .filter_map(|piece| {
            let start = at;
            at += piece.len();
            // Of most words their length tells that they are none of these.
            if !(MIN_LABEL..=MAX_LABEL).contains(&piece.len()) {
                return None;
            }
            let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
            let behind = start + word.len();
            let is = |labels: &[&str]| labels.iter().any(|label| word.eq_ignore_ascii_case(label));
            if is(&["answer", "answers"]) {
                return after_link(line.get(behind..)?, true);
            }
            if is(&["solution", "solutions"]) {
                after_link(line.get(behind..)?, false)
            } else {
                None
            }
        });
    let chinese = || {
        // A slow search, which few lines need.
        let foreign = Some(line).filter(|line| !line.is_ascii());
        foreign
            .and_then(|line| line.rsplit_once("答案"))
            .and_then(|(_, behind)| behind.trim_start().strip_prefix(['：', ':', '是', '为']))
    };
    labels
        .last()
        .or_else(chinese)
        .map(first_sentence)
        .filter(|raw| !raw.trim().is_empty())
}

fn after_link(rest: &str, colon: bool) -> Option<&str> {
    let rest = rest.trim_start_matches(['*', '_', '`', '"', ' ']);
    if let Some(value) = rest.strip_prefix([':', '：', '=']).filter(|_| colon) {
        return Some(value);
    }
    let verb = ["is", "are"]
        .into_iter()
        .find(|verb| rest.starts_with(verb) && is_word_end(rest, verb.len()))?;
    let value = rest
        .get(verb.len()..)?
        .trim_start_matches([':', '：', ' ', '*']);
    Some(value)
}

/// The text up to a full stop that ends a sentence rather than an abbreviation or a number.
fn first_sentence(text: &str) -> &str {
    let end = text.match_indices(". ").map(|(at, _)| at).find(|at| {
        let before = text.get(..*at).unwrap_or_default();
        let last_word = before
            .rsplit(|c: char| !c.is_alphabetic())
            .next()
            .unwrap_or_default();
        last_word.is_empty() || last_word.chars().count() > 3
    });
    end.and_then(|at| text.get(..at)).unwrap_or(text)
}

/// The value in a line such as `Therefore, x = 5` or `So the total is 12`.
fn conclusion(line: &str) -> Option<&str> {
    let line = line.trim().trim_start_matches(['*', '∴', ' ']);
    let first = line
        .split(|c: char| !c.is_alphabetic())
        .next()
        .unwrap_or_default();
    let mut conclusions = ["therefore", "thus", "hence", "so"].iter();
    if !conclusions.any(|word| first.eq_ignore_ascii_case(word)) {
        return None;
    }
    let value = line
        .rsplit_once('=')
        .or_else(|| line.rsplit_once(" is "))
        .or_else(|| line.rsplit_once(" are "));
    value.map(|(_, value)| first_sentence(value))
}

fn option_letter(text: &str, question: &Question) -> Option<AnswerValue> {
    if question.options.is_empty() {
        return None;
    }
    let known = |letter: &char| question.options().any(|option| option == *letter);
    let letter = text.lines().rev().find_map(|line| {
        letter(line)
            .filter(known)
            .or_else(|| inline_letter(line).filter(known))
    })?;
    Some(AnswerValue::new(letter.to_string(), Kind::Choice(letter)))
}

/// The last letter in a line that stands as `(B)`, `**B**`, `option B` or `choice B`.
fn inline_letter(line: &str) -> Option<char> {
    let mut marked = line.char_indices().rev().filter_map(|(at, c)| {
        let (before, behind) = (line.get(..at)?, line.get(at + c.len_utf8()..)?);
        let enclosed = [("(", ")"), ("**", "**"), ("**(", ")**")]
            .iter()
            .any(|(open, close)| before.ends_with(open) && behind.starts_with(close));
        let named = || {
            let word = before
                .strip_suffix([' ', '*', '('])?
                .trim_end_matches([' ', '*', '(']);
            let word = word.rsplit(|c: char| !c.is_alphabetic()).next()?;
            (word.eq_ignore_ascii_case("option") || word.eq_ignore_ascii_case("choice"))
                .then_some(())
        };
        let found = c.is_ascii_uppercase()
            && (enclosed || (is_word_end(line, at + 1) && named().is_some()));
        found.then_some(c)
    });
    marked.next()
}

fn short_line(text: &str, question: &Question) -> Option<AnswerValue> {
    let mut lines = text.lines().rev().filter(|line| !line.trim().is_empty());
    let last = lines.next()?;
    if last.split_whitespace().count() > SHORT_LINE || behind_contract(last).is_some() {
        return None;
    }
    let only = lines.next().is_none();
    let value = admit(last, question)?;
    let fits = if question.number {
        value.is_number()
    } else {
        only || (question.is_closed() && value.is_formal())
    };
    fits.then_some(value)
}

fn last_number(text: &str, question: &Question) -> Option<AnswerValue> {
    if question.number {
        mention::last(text)
    } else {
        None
    }
}
