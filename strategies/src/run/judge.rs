//! Verdicts: asked for with a line of known form, read strictly, asked for once more, and never
//! made up.

use super::handle::Run;
use super::sub_call::SubCall;
use crate::chat::{Choice, Message};
use crate::error::StrategyError;
use crate::reasoning;

/// How far the seed of a second attempt is from that of the first; more than there are verdicts of
/// one kind.
const SECOND: i64 = 512;

impl Run {
    /// One judge's verdict, or `None` if there was none; then the run says why. `contract` is
    /// the line whose form `parse` reads.
    ///
    /// A reply that was cut off is no verdict, whatever its last line looks like.
    pub(crate) async fn judge<T>(
        &self,
        call: &SubCall,
        index: u32,
        contract: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.ask(call, index, contract, parse)
            .await
            .inspect_err(|error| self.degrade(error.reason()))
            .ok()
            .flatten()
    }

    /// A reply of known form, or `None` if neither the first reply nor a second one has it. A
    /// client's seed makes every attempt another one.
    ///
    /// # Errors
    ///
    /// The first call's. If only the second one fails the run says why.
    pub(crate) async fn ask<T>(
        &self,
        call: &SubCall,
        index: u32,
        contract: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StrategyError> {
        let seed = self.seed_offset(index);
        let first = self.complete_one(call.numbered(seed), index).await?;
        if let Some(found) = read(&first, &parse) {
            return Ok(Some(found));
        }
        let again = reminder(call, &first, contract).numbered(seed + SECOND);
        let again = self
            .complete_one(again, index)
            .await
            .inspect_err(|error| self.degrade(error.reason()));
        Ok(again.ok().and_then(|again| read(&again, &parse)))
    }
}

fn read<T>(reply: &Choice, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    if reply.is_truncated() {
        None
    } else {
        parse(&reasoning::strip(&reply.message.text()))
    }
}

/// The same question, followed by the reply and a request for the line that was missing.
fn reminder(call: &SubCall, reply: &Choice, contract: &str) -> SubCall {
    let text = reply.message.text();
    let said = reasoning::strip(&text);
    if said.trim().is_empty() || reply.is_truncated() {
        return call.clone();
    }
    let mut messages = call.request.messages().to_vec();
    messages.push(Message::assistant(said.trim()));
    messages.push(Message::user(format!(
        "What was asked for is missing. Reply in this form and with nothing else:\n{contract}"
    )));
    call.with_messages(messages)
}
