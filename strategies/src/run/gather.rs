//! Answers to several calls that are not the same: calls to different models, for example.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::Run;
use super::sample::{Candidate, reason};
use super::sub_call::SubCall;
use crate::error::StrategyError;
use crate::model::ModelError;

impl Run {
    /// The answers to `calls`, all asked at the same time, ordered by number; at least one. Those that fail are missing.
    ///
    /// # Errors
    ///
    /// The last error if nothing answered.
    pub(crate) async fn gather(&self, calls: Vec<SubCall>) -> Result<Vec<Candidate>, StrategyError> {
        let ask = |index: u32, call: SubCall| async move { (index, self.complete(call.numbered(self.seed_offset(index)), index).await) };
        let mut open: FuturesUnordered<_> = (0..).zip(calls).map(|(index, call)| ask(index, call)).collect();
        let mut candidates = Vec::new();
        let mut last_error = ModelError::Malformed { detail: "no choice".to_owned() }.into();
        while let Some((index, result)) = open.next().await {
            match result {
                Ok(completion) => {
                    let usage = completion.usage;
                    candidates.extend(completion.choices.into_iter().next().map(|choice| Candidate { index, choice, usage }));
                }
                Err(error) => {
                    self.degrade(reason(&error));
                    last_error = error;
                }
            }
        }
        if candidates.is_empty() {
            return Err(last_error);
        }
        candidates.sort_by_key(|candidate| candidate.index);
        Ok(candidates)
    }
}
