//! Every question with its replies, to be opened; and what failed, by cause.

use std::cell::Cell;
use std::collections::HashMap;

use maud::{Markup, html};

use super::Report;
use crate::dataset::Question;
use crate::journal::{Answered, SAMPLE, Task};
use crate::summary::causes;

/// Bytes of one reply that are shown, and of all replies on a page. The journal has the rest.
const REPLY: usize = 20 << 10;
const PAGE: usize = 24 << 20;
/// Letters of a question in its line.
const TITLE: usize = 110;

/// An answer with its task.
type Entry<'a> = (&'a Task, &'a Answered);

/// Every question that was asked.
pub(super) fn all(report: &Report<'_>) -> Markup {
    let left = Cell::new(PAGE);
    let order: Vec<(&str, &str)> = report
        .rows
        .iter()
        .map(|row| (row.model.as_str(), row.approach.as_str()))
        .collect();
    let place = |task: &Task| {
        let is_its = |pair: &(&str, &str)| *pair == (task.model.as_str(), task.approach.as_str());
        (
            order.iter().position(is_its).unwrap_or(usize::MAX),
            task.repeat,
        )
    };
    let mut entries: Vec<Entry<'_>> = report.results.journal.answers().collect();
    entries.sort_by_key(|(task, _)| place(task));
    let mut by_question: HashMap<&str, Vec<Entry<'_>>> = HashMap::new();
    for (task, answered) in entries {
        let its = by_question.entry(task.question.as_str()).or_default();
        its.push((task, answered));
    }
    html! {
        h2 #questions { "Questions and replies" }
        p.dim {
            "A mark for each answer, in the order of the table: " b.right { "✓" } " right, "
            b.wrong { "✗" } " wrong, " b.unread { "?" } " unread, " b.failed { "!" } " failed."
        }
        @for question in report.results.questions {
            @if let Some(entries) = by_question.get(question.id.as_str()) {
                (one(question, entries, &left))
            }
        }
    }
}

fn one(question: &Question, entries: &[Entry<'_>], left: &Cell<usize>) -> Markup {
    let (samples, contest): (Vec<&Entry<'_>>, Vec<&Entry<'_>>) = entries
        .iter()
        .partition(|(task, _)| task.approach == SAMPLE);
    let title: String = question.text.chars().take(TITLE).collect();
    html! {
        details.question {
            summary {
                span.marks { @for (_, answered) in &contest { (mark(answered)) } }
                span.dim { (question.id) " " } (title)
            }
            pre.asked { (question.text) }
            p { "Right: " b { (question.expected.join(" or ")) } }
            @for (task, answered) in contest { (reply(task, answered, left)) }
            @if !samples.is_empty() {
                p.dim {
                    "Plain samples: "
                    @for (at, (_, answered)) in samples.iter().enumerate() {
                        @if at > 0 { ", " }
                        (answered.answer.as_deref().unwrap_or("–")) " " (mark(answered))
                    }
                }
            }
        }
    }
}

fn reply(task: &Task, answered: &Answered, left: &Cell<usize>) -> Markup {
    html! {
        details.reply {
            summary {
                (mark(answered)) " " b { (task.approach) } " "
                span.dim { (task.model) @if task.repeat > 0 { ", again: " (task.repeat) } }
                @if let Some(answer) = &answered.answer { " " (shortened(answer)) }
                @if !answered.degraded.is_empty() {
                    span.dim { " without " (answered.degraded) }
                }
            }
            @if let Some(error) = &answered.error { p.failed { (error) } }
            @if !answered.reply.is_empty() { pre { (shown(&answered.reply, left)) } }
        }
    }
}

fn shortened(answer: &str) -> String {
    const MOST: usize = 80;
    match answer.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", answer.get(..end).unwrap_or_default()),
        None => answer.to_owned(),
    }
}

/// As much of a reply as fits.
fn shown(reply: &str, left: &Cell<usize>) -> String {
    let most = reply.floor_char_boundary(REPLY.min(left.get()));
    left.set(left.get().saturating_sub(most));
    match reply.get(..most) {
        Some(start) if start.len() < reply.len() => {
            format!("{start}\n… (the rest is in answers.jsonl)")
        }
        _ => reply.to_owned(),
    }
}

fn mark(answered: &Answered) -> Markup {
    let (class, mark) = match answered.right {
        Some(true) => ("right", "✓"),
        Some(false) if answered.unread => ("unread", "?"),
        Some(false) => ("wrong", "✗"),
        None => ("failed", "!"),
    };
    html! { b class=(class) { (mark) } }
}

/// What failed, by cause.
pub(super) fn failures(report: &Report<'_>) -> Markup {
    if report.causes.is_empty() {
        return html! {};
    }
    let failed = |message: &str| {
        let mut tasks: Vec<&Task> = report
            .results
            .journal
            .answers()
            .filter(|(_, answered)| {
                let error = answered.error.as_ref();
                error.is_some_and(|error| causes::common(error) == message)
            })
            .map(|(task, _)| task)
            .collect();
        tasks.sort();
        tasks
    };
    html! {
        h2 { "What failed" }
        @for cause in &report.causes {
            details.cause {
                summary { b { (cause.count) } " × " (cause.message) }
                ul {
                    @for task in failed(&cause.message) {
                        li { (task.model) ", " (task.approach) ", question " (task.question) }
                    }
                }
            }
        }
    }
}
