//! Making one call: reserve, ask, recover, settle.

use super::Run;
use super::meter::Meter;
use super::retry::Effort;
use super::sample::Candidate;
use super::sub_call::SubCall;
use crate::chat::{Choice, Completion};
use crate::error::StrategyError;
use crate::model::{Call, ChunkStream, ModelError};

impl Effort {
    fn tag(&self, meter: &Meter<'_>) -> Call {
        Call {
            purpose: self.call.purpose,
            index: self.index,
            bill: Some(meter.bill()),
        }
    }
}

impl Run {
    /// One call that the client does not see. The completion has at least one choice.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call and charges what it is taken to have cost.
    pub(crate) async fn complete(
        &self,
        call: SubCall,
        index: u32,
    ) -> Result<Completion, StrategyError> {
        let mut effort = Effort::new(self, call, index);
        loop {
            let meter = self.meter(&effort.call, index).await?;
            let answer = self
                .shared
                .model
                .complete(&effort.call.request, effort.tag(&meter));
            let error = match self.until_deadline(answer).await? {
                Ok(mut completion) if !completion.choices.is_empty() => {
                    meter.answered(&mut completion);
                    self.announce().await?;
                    return Ok(completion);
                }
                Ok(_) => ModelError::Malformed {
                    detail: "a completion without choices".to_owned(),
                },
                Err(error) => error,
            };
            meter.failed(&error);
            self.recover(&mut effort, error).await?;
        }
    }

    /// Like [`Self::complete`], for the first choice.
    pub(crate) async fn complete_one(
        &self,
        call: SubCall,
        index: u32,
    ) -> Result<Choice, StrategyError> {
        let completion = self.complete(call, index).await?;
        completion.choices.into_iter().next().ok_or_else(|| {
            ModelError::Malformed {
                detail: "no choice".to_owned(),
            }
            .into()
        })
    }

    /// One more candidate, number `index`, for strategies that make candidates of different
    /// requests.
    pub(crate) async fn candidate(
        &self,
        call: &SubCall,
        index: u32,
    ) -> Result<Candidate, StrategyError> {
        let completion = self
            .complete(call.numbered(self.seed_offset(index)), index)
            .await?;
        let usage = completion.usage;
        let choice =
            completion
                .choices
                .into_iter()
                .next()
                .ok_or_else(|| ModelError::Malformed {
                    detail: "no choice".to_owned(),
                })?;
        Ok(Candidate {
            index,
            choice,
            usage,
        })
    }

    /// Opens a streamed answer; its account stays open with it, and must be dropped after it.
    pub(super) async fn open(
        &self,
        call: SubCall,
        index: u32,
    ) -> Result<(Meter<'_>, ChunkStream), StrategyError> {
        let mut effort = Effort::new(self, call, index);
        loop {
            let meter = self.meter(&effort.call, index).await?;
            let answer = self
                .shared
                .model
                .stream(&effort.call.request, effort.tag(&meter));
            match self.until_deadline(answer).await? {
                Ok(stream) => {
                    self.announce().await?;
                    return Ok((meter, stream));
                }
                Err(error) => {
                    meter.failed(&error);
                    self.recover(&mut effort, error).await?;
                }
            }
        }
    }
}
