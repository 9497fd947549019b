//! A reply that begins with its verdict: read as it comes, and cut as soon as the verdict is there.
//!
//! What a judge says behind its verdict is paid for and changes nothing. A model that ignores the
//! order is read all the same, as far as its bound lets it come.

use super::super::watch::{Observer, Watch};
use crate::chat::{Choice, Delta};
use crate::reasoning;

/// Bytes that a token may have, generously: a reply beyond that has no bound at its upstream.
const TOKEN_BYTES: usize = 16;

/// How one kind of verdict line is recognised and read.
pub(super) struct Form<'a, F> {
    /// The line that was asked for.
    pub(super) contract: &'a str,
    pub(super) parse: &'a F,
}

impl<F> Copy for Form<'_, F> {}

impl<F> Clone for Form<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

/// A reply, and whether it came to its own end.
pub(super) struct Heard {
    pub(super) choice: Choice,
    pub(super) is_whole: bool,
}

impl<T, F: Fn(&str) -> Option<T>> Form<'_, F> {
    /// The verdict of one line, if the line is one.
    fn of_line(&self, line: &str) -> Option<T> {
        if self.announces(line) {
            (self.parse)(line)
        } else {
            None
        }
    }

    /// Whether a line begins as it was asked to, apart from markup, or holds nothing but numbers.
    fn announces(&self, line: &str) -> bool {
        let label = self.contract.split(':').next().unwrap_or_default();
        let said = line.trim_start_matches(|c: char| !c.is_alphanumeric());
        let start = said.get(..label.len());
        let is_label = start.is_some_and(|start| start.eq_ignore_ascii_case(label));
        is_label || !line.chars().any(char::is_alphabetic)
    }

    /// The verdict of a reply: its first line that is one and was finished. Of a whole reply
    /// without such a line, what its words say.
    pub(super) fn read(&self, heard: &Heard) -> Option<T> {
        let text = heard.choice.message.text();
        let said = reasoning::strip(&text);
        let finished = if heard.is_whole {
            said.as_ref()
        } else {
            said.rsplit_once('\n').map_or("", |(lines, _)| lines)
        };
        let first = finished.lines().find_map(|line| self.of_line(line));
        first.or_else(|| (self.parse)(&said).filter(|_| heard.is_whole))
    }
}

impl Heard {
    /// A reply that ended by itself unless `was_stopped`.
    pub(super) fn of(choice: Choice, was_stopped: bool) -> Self {
        let is_whole = !was_stopped && !choice.is_truncated();
        Self { choice, is_whole }
    }
}

/// Waits for the verdict.
pub(super) struct FirstLine<'a, F> {
    form: Form<'a, F>,
    said: String,
    /// Where the line begins that is being written.
    line: usize,
    most: usize,
}

impl<'a, F> FirstLine<'a, F> {
    /// For a reply of at most `tokens`.
    pub(super) fn new(form: Form<'a, F>, tokens: u64) -> Self {
        let tokens = usize::try_from(tokens).unwrap_or(usize::MAX);
        Self {
            form,
            said: String::new(),
            line: 0,
            most: tokens.saturating_mul(TOKEN_BYTES),
        }
    }
}

impl<T, F: Fn(&str) -> Option<T>> FirstLine<'_, F> {
    /// Whether a line that was finished just now is the verdict.
    fn is_there(&mut self) -> bool {
        let lines = self.said.get(self.line..).unwrap_or_default();
        let Some(end) = lines.rfind('\n') else {
            return false;
        };
        let mut finished = lines.get(..end).unwrap_or_default().lines();
        let may_be = finished.any(|line| self.form.of_line(&reasoning::strip(line)).is_some());
        self.line += end + 1;
        // It may have been thought, and not said.
        let is_said = || {
            let said = reasoning::strip(self.said.get(..self.line).unwrap_or_default());
            said.lines().any(|line| self.form.of_line(line).is_some())
        };
        may_be && is_said()
    }
}

impl<T, F: Fn(&str) -> Option<T> + Sync> Observer for FirstLine<'_, F> {
    fn see(&mut self, delta: &Delta) -> Watch {
        let content = delta.fields.get("content").and_then(|it| it.as_str());
        self.said.push_str(content.unwrap_or_default());
        if self.is_there() || self.said.len() > self.most {
            Watch::Stop
        } else {
            Watch::GoOn
        }
    }
}
