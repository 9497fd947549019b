//! Who thinks, who has ended it, and whether that order says who thought least.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::chat::Delta;
use crate::reasoning;
use crate::run::{Observer, Watch};

/// Fields in which servers tell what a model thinks.
const THOUGHTS: [&str; 2] = ["reasoning_content", "reasoning"];
/// How many times as fast as another a stream may be.
const TWICE: f64 = 2.0;
/// Bytes of a beginning that may be that of a tag.
const TAG: usize = 16;

/// The streams of one question.
#[derive(Debug)]
pub(super) struct Board {
    seats: Vec<Progress>,
    /// How many are wanted.
    wanted: usize,
    /// Whether some stream had not begun when the first ended its thinking, or was slow.
    is_queued: bool,
    /// Whether some answer came without a thought.
    is_plain: bool,
    /// Those whose thinking has ended, in that order.
    ended: Vec<u32>,
}

/// How far a stream has come.
#[derive(Debug, Clone, Default)]
struct Progress {
    began: Option<Instant>,
    /// Bytes of thought.
    thought: usize,
    /// Tokens of thought, as the provider counts them in the end.
    tokens: Option<u64>,
    is_whole: bool,
    has_failed: bool,
}

impl Board {
    /// A board of `all` streams of which `wanted` are waited for.
    pub(super) fn new(all: u32, wanted: usize) -> Self {
        Self {
            seats: (0..all).map(|_| Progress::default()).collect(),
            wanted,
            is_queued: false,
            is_plain: false,
            ended: Vec::new(),
        }
    }

    fn seat(&mut self, index: u32) -> Option<&mut Progress> {
        self.seats.get_mut(index as usize)
    }

    /// A stream has thought so many bytes more.
    fn thinks(&mut self, index: u32, bytes: usize) {
        if let Some(seat) = self.seat(index) {
            seat.began.get_or_insert_with(Instant::now);
            seat.thought += bytes;
        }
    }

    /// A stream has said its first visible word.
    fn speaks(&mut self, index: u32) {
        if self.ended.contains(&index) {
            return;
        }
        self.thinks(index, 0);
        let has_thought = |seat: &Progress| seat.thought > 0;
        self.is_plain |= !self.seats.get(index as usize).is_some_and(has_thought);
        self.is_queued |= self.ended.is_empty() && self.is_uneven();
        self.ended.push(index);
    }

    /// Whether some stream has not begun, or is more than twice as fast as another.
    fn is_uneven(&self) -> bool {
        let mut open = self.seats.iter().filter(|seat| !seat.has_failed);
        if open.clone().any(|seat| seat.began.is_none()) {
            return true;
        }
        let rate = |seat: &Progress| {
            let seconds = seat
                .began
                .map_or(0.0, |began| began.elapsed().as_secs_f64());
            let bytes = u32::try_from(seat.thought).unwrap_or(u32::MAX);
            (seconds > 0.0).then(|| f64::from(bytes) / seconds)
        };
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        open.by_ref().filter_map(rate).for_each(|rate| {
            least = least.min(rate);
            most = most.max(rate);
        });
        most > TWICE * least
    }

    /// A stream has come to its end.
    pub(super) fn has_ended(&mut self, index: u32, tokens: u64) {
        // An answer of tool calls alone has no visible word.
        self.speaks(index);
        if let Some(seat) = self.seat(index) {
            seat.is_whole = true;
            seat.tokens = Some(tokens).filter(|tokens| *tokens > 0);
        }
    }

    /// A stream has broken off.
    pub(super) fn has_failed(&mut self, index: u32) {
        if let Some(seat) = self.seat(index) {
            seat.has_failed = true;
        }
        self.ended.retain(|ended| *ended != index);
    }

    /// Whether the order in which thinking ends is that of its length.
    fn is_race(&self) -> bool {
        !self.is_queued && !self.is_plain
    }

    /// Whether the stream is not wanted any more.
    fn is_late(&self, index: u32) -> bool {
        let first = self.ended.iter().take(self.wanted);
        self.is_race() && self.ended.len() >= self.wanted && !first.clone().any(|own| *own == index)
    }

    /// Whether all answers that are wanted are there.
    pub(super) fn is_settled(&self) -> bool {
        let is_whole = |index: &u32| {
            let seat = self.seats.get(*index as usize);
            seat.is_some_and(|seat| seat.is_whole)
        };
        let first = self.ended.iter().take(self.wanted);
        self.is_race() && self.ended.len() >= self.wanted && first.into_iter().all(is_whole)
    }

    /// Whether the model thinks.
    pub(super) fn has_thought(&self) -> bool {
        !self.is_plain
    }

    /// Those that vote, the one that thought least first.
    pub(super) fn voters(&self) -> Vec<u32> {
        let whole = (0..).zip(&self.seats).filter(|(_, seat)| seat.is_whole);
        let mut whole: Vec<(u32, &Progress)> = whole.collect();
        let are_counted = whole.iter().all(|(_, seat)| seat.tokens.is_some());
        whole.sort_by_key(|(_, seat)| {
            let bytes = u64::try_from(seat.thought).unwrap_or(u64::MAX);
            seat.tokens.filter(|_| are_counted).unwrap_or(bytes)
        });
        let most = if self.is_plain {
            usize::MAX
        } else {
            self.wanted
        };
        whole
            .into_iter()
            .map(|(index, _)| index)
            .take(most)
            .collect()
    }

    /// What the trace says of it.
    pub(super) fn told(&self) -> Value {
        let thought: Vec<usize> = self.seats.iter().map(|seat| seat.thought).collect();
        json!({
            "stopped": self.is_race(),
            "thought_bytes": thought,
            "voters": self.voters(),
        })
    }
}

/// One stream's place at the board.
pub(super) struct Seat<'a> {
    board: &'a Mutex<Board>,
    index: u32,
    /// What of its text may be thought still; nothing once it has spoken.
    text: Option<String>,
    /// Whether a tag that may end a thought has come.
    has_closed: bool,
}

impl<'a> Seat<'a> {
    pub(super) fn new(board: &'a Mutex<Board>, index: u32) -> Self {
        Self {
            board,
            index,
            text: Some(String::new()),
            has_closed: false,
        }
    }

    /// Whether the text so far, which ends in `more`, has a visible word in it.
    fn has_spoken(&mut self, more: &str) -> bool {
        let Some(text) = &mut self.text else {
            return true;
        };
        text.push_str(more);
        let begin = text.trim_start();
        if begin.starts_with('<') && !self.has_closed {
            // Thoughts are long: of one that goes on only its end is looked at.
            let from = text.len().saturating_sub(more.len() + TAG);
            let tail = text
                .get(text.floor_char_boundary(from)..)
                .unwrap_or_default();
            self.has_closed = tail.contains("</");
            let is_other = begin.len() > TAG && !begin.get(..TAG).unwrap_or(begin).contains('>');
            if !self.has_closed && !is_other {
                return false;
            }
        }
        !reasoning::strip(text).trim().is_empty()
    }
}

impl Observer for Seat<'_> {
    fn see(&mut self, delta: &Delta) -> Watch {
        let field = |name: &str| delta.fields.get(name).and_then(Value::as_str);
        let thought = THOUGHTS.into_iter().find_map(field).unwrap_or_default();
        let content = field("content").filter(|_| self.text.is_some());
        let has_spoken = content.is_some_and(|more| self.has_spoken(more));
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        if !thought.is_empty() {
            board.thinks(self.index, thought.len());
        }
        match content {
            Some(_) if has_spoken => {
                self.text = None;
                board.speaks(self.index);
            }
            Some(more) => board.thinks(self.index, more.len()),
            None => {}
        }
        if board.is_late(self.index) {
            Watch::Stop
        } else {
            Watch::GoOn
        }
    }
}
