//! Making one call: reserve, ask, recover, settle.

use super::candidate::Candidate;
use super::handle::Run;
use super::meter::Meter;
use super::retry::Effort;
use super::sub_call::SubCall;
use crate::chat::{Choice, Usage};
use crate::error::StrategyError;
use crate::model::{Call, ChunkStream, ModelError};
use crate::non_empty::NonEmpty;

/// What a model answered to one call.
pub(crate) struct Reply {
    pub(crate) choices: NonEmpty<Choice>,
    /// What the call used, all choices together.
    pub(crate) usage: Option<Usage>,
}

impl Reply {
    /// The first choice as the candidate number `index`.
    pub(crate) fn candidate(self, index: u32) -> Candidate {
        Candidate {
            index,
            choice: self.choices.into_first(),
            usage: self.usage,
        }
    }
}

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
    /// One call that the client does not see.
    ///
    /// # Errors
    ///
    /// What no retry could mend. A completion without choices is malformed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call and charges what it is taken to have cost.
    pub(crate) async fn complete(&self, call: SubCall, index: u32) -> Result<Reply, StrategyError> {
        let mut effort = Effort::new(self, call, index);
        loop {
            let meter = self.meter(&effort.call, index).await?;
            let answer = self
                .shared
                .model
                .complete(&effort.call.request, effort.tag(&meter));
            let error = match self.until_deadline(answer).await? {
                Ok(mut completion) if !completion.choices.is_empty() => {
                    // Settled before anybody is told: the call was made even for a client that is
                    // gone by now.
                    meter.answered(&mut completion);
                    effort.succeeded(self);
                    effort.measured(self, completion.usage);
                    self.announce().await?;
                    let choices = NonEmpty::new(completion.choices)
                        .ok_or(StrategyError::Unreachable("choices that are gone"))?;
                    let usage = completion.usage;
                    return Ok(Reply { choices, usage });
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
        Ok(self.complete(call, index).await?.choices.into_first())
    }

    /// One more candidate, number `index`, for strategies that make candidates of different
    /// requests.
    pub(crate) async fn candidate(
        &self,
        call: &SubCall,
        index: u32,
    ) -> Result<Candidate, StrategyError> {
        let call = call.numbered(self.seed_offset(index));
        Ok(self.complete(call, index).await?.candidate(index))
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
                    effort.succeeded(self);
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
