//! A conversation laid before a judge, a critic or a chooser.
//!
//! They get a conversation of their own: who they are, the client's conversation between fences, the candidates between fences, and what is wanted.
//! Images of the last user message go along. Nothing tells who wrote a candidate, and nothing inside one is taken for an instruction or a verdict.

use std::sync::OnceLock;

use crate::chat::{ChatRequest, Message, view};
use crate::contract::{SYNTHESIS, candidate_label, fence};
use crate::model::Purpose;
use crate::run::{Candidate, Run, SubCall};

const FENCES: &str = include_str!("case/fences.txt");

/// Most tokens that a verdict or critique may have: room for a model that reasons first.
const CEILING: u64 = 4096;
/// Room for a short reasoning and a verdict, however short the client wants its answer.
const LEAST_CEILING: u64 = 512;

/// A client that limits its answers to little has a small model or little patience; its judges are not given eight times as much and more.
pub(crate) fn ceiling(request: &ChatRequest) -> u64 {
    request.token_limit().map_or(CEILING, |(_, limit)| limit.saturating_mul(8).clamp(LEAST_CEILING, CEILING))
}

/// One conversation, ready to be laid before any number of readers.
pub(crate) struct Case<'a> {
    request: &'a ChatRequest,
    nonce: String,
    transcript: OnceLock<String>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(run: &Run, request: &'a ChatRequest) -> Self {
        Self { request, nonce: run.nonce(), transcript: OnceLock::new() }
    }

    fn transcript(&self) -> &str {
        self.transcript.get_or_init(|| {
            let transcript = view::transcript(self.request.messages(), &self.nonce);
            match self.request.get("tools").or_else(|| self.request.get("functions")).filter(|_| self.request.uses_tools()) {
                Some(tools) => format!("{}\n{transcript}", self.fence("tools on offer", &tools.to_string())),
                None => transcript,
            }
        })
    }

    /// A reader's call. `role` says who reads, `wanted` what for; candidates are numbered from 1 as they are given.
    pub(crate) fn call(&self, purpose: Purpose, role: &str, candidates: &[String], wanted: &str) -> SubCall {
        let system = format!("{}\n\n{}", role.trim(), self.rule());
        let user = format!("{}\n\n{}\n\n{}", self.transcript(), self.numbered(candidates), wanted.trim());
        let messages = vec![Message::system(system), view::attach(self.request.messages(), user)];
        SubCall::internal(self.request, purpose, messages, ceiling(self.request))
    }

    /// The conversation itself, with `candidates` and what to do with them in its instructions: its answer is to be made from them.
    pub(crate) fn synthesis(&self, instructions: &str, candidates: &[String]) -> ChatRequest {
        let text = [instructions.trim(), &self.rule(), &self.numbered(candidates), SYNTHESIS].join("\n\n");
        self.request.with_messages(view::with_instructions(self.request.messages(), &text))
    }

    /// What the fences mean.
    pub(crate) fn rule(&self) -> String {
        FENCES.trim().replace("{nonce}", &self.nonce)
    }

    /// `text` between fences of this case.
    pub(crate) fn fence(&self, label: &str, text: &str) -> String {
        fence(label, text, &self.nonce)
    }

    /// The candidates between fences.
    pub(crate) fn numbered(&self, candidates: &[String]) -> String {
        let fenced = candidates.iter().enumerate().map(|(index, text)| fence(&candidate_label(index + 1), text, &self.nonce));
        fenced.collect::<Vec<_>>().join("\n\n")
    }
}

impl Candidate {
    /// What a reader is shown: its text without reasoning, and its tool calls.
    pub(crate) fn shown(&self) -> String {
        let message = self.choice.message.with("content", self.text());
        view::spoken(&message)
    }
}
