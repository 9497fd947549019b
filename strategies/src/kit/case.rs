//! A conversation laid before a judge, a critic or a chooser.
//!
//! They get a conversation of their own: who they are, the client's conversation between fences,
//! the candidates between fences, and what is wanted. Images of the last user message go along.
//! Nothing tells who wrote a candidate, and nothing inside one is taken for an instruction or a
//! verdict.
//!
//! The client's own words always stand there whole. What models wrote has a bound, `shown_bytes`,
//! for an upstream may answer with megabytes: texts that together are longer are shortened to equal
//! shares of it, those first that are longest, and a line says how much of the middle is missing.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::chat::{ChatRequest, Message, view};
use crate::contract::{SYNTHESIS, candidate_label, fence};
use crate::model::Purpose;
use crate::run::{Candidate, Run, SubCall};

const FENCES: &str = include_str!("case/fences.txt");
const BRIEF: &str = include_str!("case/brief.txt");
const REASONED: &str = include_str!("case/reasoned.txt");

/// Bytes of a candidate's fences, about.
const BESIDE: usize = 100;
/// Most tokens that a verdict or critique may have: room for a model that reasons first.
const CEILING: u64 = 4096;
/// Room for a short reasoning and a verdict, however short the client wants its answer.
const LEAST_CEILING: u64 = 512;

/// A client that limits its answers to little has a small model or little patience; its judges are
/// not given eight times as much and more.
pub(crate) fn ceiling(request: &ChatRequest) -> u64 {
    request.token_limit().map_or(CEILING, |(_, limit)| {
        limit.saturating_mul(8).clamp(LEAST_CEILING, CEILING)
    })
}

/// One conversation, ready to be laid before any number of readers.
pub(crate) struct Case<'a> {
    request: &'a ChatRequest,
    nonce: String,
    room: usize,
    is_brief: bool,
    transcript: OnceLock<String>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(run: &Run, request: &'a ChatRequest) -> Self {
        Self {
            request,
            nonce: run.nonce(),
            room: run.shown_bytes(),
            is_brief: run.judging().is_brief,
            transcript: OnceLock::new(),
        }
    }

    fn transcript(&self) -> &str {
        self.transcript.get_or_init(|| {
            let transcript = view::transcript(self.request.messages(), &self.nonce);
            match self
                .request
                .get("tools")
                .or_else(|| self.request.get("functions"))
                .filter(|_| self.request.uses_tools())
            {
                Some(tools) => format!(
                    "{}\n{transcript}",
                    self.verbatim("tools on offer", &tools.to_string())
                ),
                None => transcript,
            }
        })
    }

    /// A reader's call. `role` says who reads, `wanted` what for; candidates are numbered from 1 as
    /// they are given.
    pub(crate) fn call(
        &self,
        purpose: Purpose,
        role: &str,
        candidates: &[String],
        wanted: &str,
    ) -> SubCall {
        let system = format!("{}\n\n{}", role.trim(), self.rule());
        let user = self.laid_out(self.transcript(), candidates, wanted.trim());
        let messages = vec![
            Message::system(system),
            view::attach(self.request.messages(), user),
        ];
        SubCall::internal(self.request, purpose, messages, ceiling(self.request))
    }

    /// A judge's call, whose verdict has the form of the line `contract`. `wanted` says what is to
    /// be judged, and not where the verdict stands.
    pub(crate) fn verdict(
        &self,
        role: &str,
        candidates: &[String],
        wanted: &str,
        contract: &str,
    ) -> SubCall {
        let form = if self.is_brief { BRIEF } else { REASONED };
        let form = form.trim().replace("{line}", contract);
        let wanted = format!("{}\n\n{form}", wanted.trim());
        let call = self.call(Purpose::Judge, role, candidates, &wanted);
        if self.is_brief { call.brief() } else { call }
    }

    /// The same case before judges whose reasons are wanted, too.
    pub(crate) fn reasoned(self) -> Self {
        Self {
            is_brief: false,
            ..self
        }
    }

    /// The conversation itself, with `candidates` and what to do with them in its instructions: its
    /// answer is to be made from them.
    pub(crate) fn synthesis(&self, instructions: &str, candidates: &[String]) -> ChatRequest {
        let before = [instructions.trim(), &self.rule()].join("\n\n");
        let text = self.laid_out(&before, candidates, SYNTHESIS);
        self.request
            .with_messages(view::with_instructions(self.request.messages(), &text))
    }

    /// What the fences mean.
    pub(crate) fn rule(&self) -> String {
        FENCES.trim().replace("{nonce}", &self.nonce)
    }

    /// What a model wrote, between fences of this case.
    pub(crate) fn fence(&self, label: &str, text: &str) -> String {
        fence(label, &within(text, self.room), &self.nonce)
    }

    /// What a model wrote, where no fence may stand around it.
    pub(crate) fn excerpt<'t>(&self, text: &'t str) -> Cow<'t, str> {
        within(text, self.room)
    }

    /// What the client wrote, between fences of this case.
    pub(crate) fn verbatim(&self, label: &str, text: &str) -> String {
        fence(label, text, &self.nonce)
    }

    /// The candidates between fences.
    pub(crate) fn numbered(&self, candidates: &[String]) -> String {
        self.laid_out("", candidates, "")
    }

    /// The same between two texts. It is made in its place: together candidates may have as much as
    /// a prompt may hold, and every copy of them would be so much again.
    fn laid_out(&self, before: &str, candidates: &[String], after: &str) -> String {
        let lengths: Vec<usize> = candidates.iter().map(String::len).collect();
        let most = share(&lengths, self.room);
        let room: usize = lengths
            .iter()
            .map(|length| length.min(&most) + BESIDE)
            .sum();
        let mut text = String::with_capacity(before.len() + room + after.len() + BESIDE);
        text.push_str(before);
        let mut add = |part: &str| {
            text.push_str(if text.is_empty() { "" } else { "\n\n" });
            text.push_str(part);
        };
        for (number, candidate) in (1..).zip(candidates) {
            let shown = within(candidate, most);
            add(&fence(&candidate_label(number), &shown, &self.nonce));
        }
        if candidates.is_empty() && !before.is_empty() {
            add("");
        }
        if !after.is_empty() {
            add(after);
        }
        text
    }
}

/// The most that each of several texts may have, so that together they have no more than `room`:
/// what the shorter ones leave is the longer ones'.
fn share(lengths: &[usize], room: usize) -> usize {
    let mut lengths = lengths.to_vec();
    lengths.sort_unstable();
    let (mut room, mut others) = (room, lengths.len());
    for length in lengths {
        let share = room / others.max(1);
        if length > share {
            return share;
        }
        (room, others) = (room - length, others - 1);
    }
    usize::MAX
}

/// `text` in at most `room` bytes: if it is longer, its beginning and its end, and between them a
/// line that says what is missing.
fn within(text: &str, room: usize) -> Cow<'_, str> {
    if text.len() <= room {
        return Cow::Borrowed(text);
    }
    let mark = |missing: usize| format!("\n[{missing} bytes left out here]\n");
    let half = room.saturating_sub(mark(text.len()).len()) / 2;
    let (head, rest) = text.split_at(text.floor_char_boundary(half));
    let (middle, tail) = rest.split_at(rest.ceil_char_boundary(rest.len() - half));
    Cow::Owned(format!("{head}{}{tail}", mark(middle.len())))
}

impl Candidate {
    /// What a reader is shown: its text without reasoning, and its tool calls.
    pub(crate) fn shown(&self) -> String {
        let message = self.choice.message.with("content", self.text());
        view::spoken(&message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_shorter_texts_leave_room_to_the_longer_ones() {
        assert_eq!(share(&[10, 20], 30), usize::MAX);
        assert_eq!(share(&[10, 100, 100], 90), 40);
        assert_eq!(share(&[100, 100], 90), 45);
        assert_eq!(share(&[], 0), usize::MAX);
    }

    proptest! {
        #[test]
        fn what_is_left_out_is_the_middle_and_is_told(text in "\\PC{0,80}", room in 40_usize..120) {
            let kept = within(&text, room);
            prop_assert!(kept.len() <= room);
            if text.len() <= room {
                prop_assert_eq!(kept, text.as_str());
            } else {
                let (head, after) = kept.split_once("\n[").unwrap();
                let (missing, tail) = after.split_once(" bytes left out here]\n").unwrap();
                prop_assert!(text.starts_with(head) && text.ends_with(tail));
                prop_assert_eq!(head.len() + missing.parse::<usize>().unwrap() + tail.len(),
                    text.len());
            }
        }

        #[test]
        fn together_texts_never_have_more_than_their_room(
            lengths in prop::collection::vec(0_usize..200, 0..20),
            room in 0_usize..2000,
        ) {
            let most = share(&lengths, room);
            prop_assert!(lengths.iter().map(|length| *length.min(&most)).sum::<usize>() <= room);
        }
    }
}
