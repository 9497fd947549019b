//! Several answers to one request.
//!
//! Separate calls, so that a decided outcome can cancel the rest; one call with `n` when nothing
//! can stop early or the prompt is long; and separate calls for what an upstream that ignores `n`
//! left out. Partial failure is survived. No candidate is ever a copy of another.

use std::num::NonZero;
use std::ops::Range;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::call::Reply;
use super::candidate::{Candidate, Candidates};
use super::handle::Run;
use super::manner::{Ballot, Pace, Sampling, WAVE};
use super::sub_call::SubCall;
use crate::chat::{Usage, written_tokens};
use crate::error::StrategyError;
use crate::model::{Fact, ModelError};
use crate::non_empty::NonEmpty;

impl Run {
    /// `k` answers, ordered by number; fewer where calls fail, the budget ends or `ballot` is over,
    /// as `stop_confidence` and `stop_window` say; at least one.
    ///
    /// # Errors
    ///
    /// The last error if every call of the first wave failed.
    pub(crate) async fn sample(
        &self,
        call: &SubCall,
        k: u32,
        ballot: Option<&mut (dyn Ballot + '_)>,
    ) -> Result<Candidates, StrategyError> {
        let may_stop = ballot.is_some() && self.shared.manner.stopping.is_possible();
        let at_once = k > 1 && (!may_stop || self.is_long(call));
        let calls = std::slice::from_ref(call);
        let mut sampler = Sampler {
            run: self,
            calls,
            ballot,
            may_stop,
            candidates: Vec::new(),
            last_error: None,
        };
        let model = call.request.model();
        let mut together = Together::Answered;
        if at_once && self.shared.model.knows(model, Fact::HonoursN) != Some(false) {
            together = sampler.at_once(call, k).await?;
        }
        if together == Together::MaybeRefused {
            // Only where one alone is answered are the others asked for.
            sampler.separately(0..1).await;
        }
        let missing = u32::try_from(sampler.candidates.len()).unwrap_or(k)..k;
        sampler.separately(missing).await;
        if together != Together::Answered && !sampler.candidates.is_empty() {
            // The same is answered without `n`, so `n` was the reason.
            self.shared.model.learn(model, Fact::HonoursN, false);
        }
        sampler.finish(k)
    }

    /// One answer to each of `calls`, ordered by number; fewer where [`Self::sample`] would give
    /// fewer.
    ///
    /// # Errors
    ///
    /// Those of [`Self::sample`].
    pub(crate) async fn sample_each(
        &self,
        calls: &[SubCall],
        ballot: Option<&mut (dyn Ballot + '_)>,
    ) -> Result<Candidates, StrategyError> {
        let may_stop = ballot.is_some() && self.shared.manner.stopping.is_possible();
        let mut sampler = Sampler {
            run: self,
            calls,
            ballot,
            may_stop,
            candidates: Vec::new(),
            last_error: None,
        };
        let k = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        sampler.separately(0..k).await;
        sampler.finish(k)
    }

    fn is_long(&self, call: &SubCall) -> bool {
        call.request.estimated_prompt_tokens() > self.shared.manner.sample_n_above
    }
}

/// What became of one call for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Together {
    /// It was answered, or never sent.
    Answered,
    /// It was refused for its `n`.
    Refused,
    /// It was refused, and nothing says what for.
    MaybeRefused,
}

struct Sampler<'a, 'b, 'c> {
    run: &'a Run,
    /// What is asked for each number; the last for those beyond.
    calls: &'a [SubCall],
    ballot: Option<&'b mut (dyn Ballot + 'c)>,
    /// Whether the ballot may end before all have voted.
    may_stop: bool,
    candidates: Vec<Candidate>,
    last_error: Option<StrategyError>,
}

impl Sampler<'_, '_, '_> {
    /// One call for all. What it leaves out is asked for separately afterwards.
    async fn at_once(&mut self, call: &SubCall, k: u32) -> Result<Together, StrategyError> {
        let model = self.run.shared.model.as_ref();
        let mut together = call.numbered(self.run.seed_offset(0));
        together.request.set("n", k);
        match self.run.complete(together, 0).await {
            Ok(reply) => {
                let honoured = reply.choices.len().get() >= k as usize;
                model.learn(call.request.model(), Fact::HonoursN, honoured);
                self.add(0, reply, k);
                Ok(Together::Answered)
            }
            Err(StrategyError::Model(ModelError::Rejected(rejection)))
                if rejection.refuses_choices() =>
            {
                Ok(Together::Refused)
            }
            Err(StrategyError::Model(ModelError::Rejected(rejection)))
                if matches!(rejection.status, 400 | 422) && rejection.param.is_none() =>
            {
                Ok(Together::MaybeRefused)
            }
            // Too much for one reservation: as many single ones as fit.
            Err(StrategyError::Budget(_)) => Ok(Together::Answered),
            Err(error) => Err(error),
        }
    }

    async fn separately(&mut self, indices: Range<u32>) {
        let pace = self.pace();
        let waves = match self.run.shared.manner.sampling {
            Sampling::Waves if self.may_stop => pace,
            Sampling::Parallel | Sampling::Waves => Pace {
                first: u32::MAX,
                then: u32::MAX,
            },
        };
        let mut start = indices.start;
        let mut wave = waves.first;
        while start < indices.end
            && !self.must_stop()
            && !self.is_over((indices.end - start) as usize)
        {
            let end = indices.end.min(start.saturating_add(wave));
            self.wave(start..end, indices.end - end).await;
            start = end;
            wave = waves.then;
        }
    }

    fn pace(&self) -> Pace {
        let usual = Pace {
            first: WAVE,
            then: WAVE,
        };
        let ballot = self.ballot.as_ref();
        ballot.map_or(usual, |ballot| ballot.pace())
    }

    /// Whether asking on is useless: nothing of the first wave came back, or there is no room or
    /// time for more.
    fn must_stop(&self) -> bool {
        match &self.last_error {
            None => false,
            Some(StrategyError::Model(error)) if !matches!(error, ModelError::Limited { .. }) => {
                self.candidates.is_empty()
            }
            Some(_) => true,
        }
    }

    /// Asks for the candidates `indices`; `later` more may follow.
    async fn wave(&mut self, indices: Range<u32>, later: u32) {
        let (run, calls) = (self.run, self.calls);
        let numbered = |index: u32| {
            Some((
                index,
                calls
                    .get(index as usize)
                    .or(calls.last())?
                    .numbered(run.seed_offset(index)),
            ))
        };
        let ask = |(index, call)| async move { (index, run.complete(call, index).await) };
        let mut calls: FuturesUnordered<_> = indices.filter_map(numbered).map(ask).collect();
        while let Some((index, result)) = calls.next().await {
            match result {
                Ok(reply) => self.add(index, reply, 1),
                Err(error) => self.last_error = Some(error),
            }
            if self.is_over(calls.len() + later as usize) {
                return;
            }
        }
    }

    /// Whether the `outstanding` ones are not worth waiting for.
    fn is_over(&self, outstanding: usize) -> bool {
        let Some(ballot) = self
            .ballot
            .as_ref()
            .filter(|_| self.may_stop && !self.candidates.is_empty())
        else {
            return false;
        };
        let is_look = self.pace().is_look(self.candidates.len());
        self.run.stopping().ends(&**ballot, outstanding, is_look)
    }

    fn add(&mut self, first: u32, reply: Reply, wanted: u32) {
        let is_alone = reply.choices.len() == NonZero::<usize>::MIN;
        for (index, choice) in (first..).zip(reply.choices).take(wanted as usize) {
            let share = |usage: Usage| {
                if is_alone {
                    usage
                } else {
                    Usage::new(usage.prompt, written_tokens(&choice))
                }
            };
            let usage = reply.usage.map(share);
            let candidate = Candidate {
                index,
                choice,
                usage,
            };
            if let Some(ballot) = &mut self.ballot {
                ballot.add(&candidate);
            }
            self.candidates.push(candidate);
        }
    }

    fn finish(self, k: u32) -> Result<Candidates, StrategyError> {
        let Some(mut candidates) = NonEmpty::new(self.candidates) else {
            let nothing = StrategyError::Unreachable("no candidate was asked for");
            return Err(self.last_error.unwrap_or(nothing));
        };
        if let Some(error) = self.last_error
            && candidates.len().get() < k as usize
        {
            self.run.degrade(error.reason());
        }
        candidates.sort_by_key(|candidate| candidate.index);
        Ok(candidates)
    }
}
