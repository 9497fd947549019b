//! Having traces written: the warm-up, the bar, the rest until the vote is decided.

use std::ops::Range;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use super::election::Election;
use super::settings::Settings;
use super::trace::{Gate, ReasoningTrace, TraceTerms};
use crate::answer::Question;
use crate::error::StrategyError;
use crate::kit::choosing::voting;
use crate::kit::tokens::confidence::{median, percentile};
use crate::kit::tokens::decoding::no_alternatives;
use crate::model::ModelError;
use crate::run::{Run, SubCall};

/// The least adaptive window, in tokens.
const LEAST_WINDOW: usize = 64;
/// An adaptive window is this part of the warm-up's median length.
const WINDOWS: f64 = 8.0;
/// Failures in a row after which no further trace is begun.
const FAILURES: u32 = 3;

/// Whether a vote may stop the rest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    All,
    Decided,
}

pub(super) struct Session<'a> {
    settings: &'a Settings,
    run: &'a Run,
    call: &'a SubCall,
    question: Question,
    pub(super) traces: Vec<ReasoningTrace>,
    /// Tokens in a group.
    pub(super) window: usize,
    /// What a trace must reach to vote; nothing if no trace has log probabilities.
    pub(super) bar: Option<f64>,
    begun: u32,
    failures: u32,
    last_error: Option<StrategyError>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        run: &'a Run,
        call: &'a SubCall,
        question: Question,
    ) -> Self {
        let window = usize::try_from(settings.window).unwrap_or(usize::MAX);
        Self {
            settings,
            run,
            call,
            question,
            traces: Vec::new(),
            window,
            bar: None,
            begun: 0,
            failures: 0,
            last_error: None,
        }
    }

    /// Has all traces written that are needed.
    pub(super) async fn run(&mut self) -> Result<(), StrategyError> {
        let Settings {
            is_online,
            warmup,
            traces,
            ..
        } = *self.settings;
        if is_online {
            self.gather(0..warmup, None, Until::All).await?;
            self.adapt_window();
            self.set_bar();
            if !self.is_decided(traces.saturating_sub(warmup)) {
                let gate = self.bar.map(|bar| Gate {
                    bar,
                    window: self.window,
                    least: usize::try_from(self.settings.least).unwrap_or(usize::MAX),
                });
                self.gather(warmup..traces, gate, Until::Decided).await?;
            }
        } else {
            self.gather(0..traces, None, Until::All).await?;
            self.adapt_window();
            self.set_bar();
        }
        match self.last_error.take() {
            Some(error) if self.traces.is_empty() => return Err(error),
            Some(error) => self.run.degrade(error.reason()),
            None => {}
        }
        self.traces.sort_by_key(|trace| trace.candidate.index);
        Ok(())
    }

    async fn gather(
        &mut self,
        indices: Range<u32>,
        gate: Option<Gate>,
        until: Until,
    ) -> Result<(), StrategyError> {
        let (run, call, terms) = (
            self.run,
            self.call,
            TraceTerms {
                gate,
                tolerant: self.settings.fallback,
            },
        );
        let mut waiting = indices;
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.settings.warmup as usize && !self.must_stop() {
                let Some(index) = waiting.next() else { break };
                self.begun += 1;
                under_way.push(ReasoningTrace::write(run, call, index, terms));
            }
            match under_way.next().await {
                None => return Ok(()),
                Some(Ok(trace)) if trace.is_blind && !terms.tolerant => {
                    return Err(no_alternatives(run, &call.request));
                }
                Some(Ok(trace)) => self.add(trace),
                Some(Err(error)) => {
                    self.failures += 1;
                    self.last_error = Some(error);
                }
            }
            let outstanding = under_way.len().saturating_add(waiting.len());
            if until == Until::Decided
                && self.is_decided(u32::try_from(outstanding).unwrap_or(u32::MAX))
            {
                return Ok(());
            }
        }
    }

    fn add(&mut self, mut trace: ReasoningTrace) {
        self.failures = 0;
        if trace.is_whole {
            trace.answer = voting::answer(&trace.candidate, &self.question);
        }
        if self.bar.is_some() {
            self.settings.grade(&mut trace, self.window);
        }
        self.traces.push(trace);
    }

    /// Whether beginning another trace is useless.
    fn must_stop(&self) -> bool {
        match &self.last_error {
            None => false,
            Some(StrategyError::Model(error)) if !matches!(error, ModelError::Limited { .. }) => {
                self.failures >= FAILURES
            }
            Some(_) => true,
        }
    }

    fn adapt_window(&mut self) {
        let lengths: Vec<f64> = self.lengths().collect();
        let Some(median) = median(&lengths) else {
            return;
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a length"
        )]
        let adapted = (median / WINDOWS) as usize;
        self.window = self.window.min(adapted.max(LEAST_WINDOW));
    }

    /// The lengths of the traces that were not cut, in tokens.
    fn lengths(&self) -> impl Iterator<Item = f64> {
        self.traces
            .iter()
            .filter(|trace| !trace.was_cut)
            .map(ReasoningTrace::length)
    }

    fn set_bar(&mut self) {
        for trace in &mut self.traces {
            self.settings.grade(trace, self.window);
        }
        let scores: Vec<f64> = self.traces.iter().filter_map(|trace| trace.score).collect();
        self.bar = percentile(&scores, self.settings.percent);
    }

    pub(super) fn is_blind(&self) -> bool {
        self.traces.iter().any(|trace| trace.is_blind)
    }

    fn is_decided(&self, outstanding: u32) -> bool {
        self.election()
            .is_decided(self.settings.consensus, outstanding)
    }

    pub(super) fn election(&self) -> Election<'_> {
        Election::of(&self.traces, self.bar)
    }

    /// What was done and saved, for the trace and for a client that asks.
    pub(super) fn stats(&self) -> Value {
        let lengths: Vec<f64> = self.lengths().collect();
        let typical = median(&lengths).unwrap_or_default();
        let cut = self.traces.iter().filter(|trace| trace.was_cut);
        let by_cutting: f64 = cut
            .clone()
            .map(|trace| (typical - trace.length()).max(0.0))
            .sum();
        let never_begun = f64::from(self.settings.traces.saturating_sub(self.begun)) * typical;
        let tokens: u64 = self
            .traces
            .iter()
            .filter_map(|trace| trace.candidate.usage)
            .map(|usage| usage.completion)
            .sum();
        json!({
            "mode": if self.settings.is_online { "online" } else { "offline" },
            "traces": self.begun,
            "cut": cut.count(),
            "voted": self.election().votes(),
            "bar": self.bar,
            "window": self.window,
            "tokens": tokens,
            "tokens_saved_by_cutting": by_cutting.round(),
            "tokens_saved_by_consensus": never_begun.round(),
        })
    }
}
