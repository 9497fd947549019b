//! Verdicts: asked for with a line of known form, read strictly, asked for once more, and never made up.

use super::sub_call::SubCall;
use super::{Run, reason};
use crate::chat::{Choice, Message};
use crate::error::StrategyError;
use crate::reasoning;

impl Run {
    /// One judge's verdict, or `None` if it could not be had. `contract` is the line whose form `parse` reads.
    ///
    /// A reply that was cut off is no verdict, whatever its last line looks like.
    pub(crate) async fn judge<T>(&self, call: &SubCall, index: u32, contract: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let first = self.heard(self.complete_one(call.clone(), index).await)?;
        if let Some(verdict) = read(&first, &parse) {
            return Some(verdict);
        }
        let again = self.heard(self.complete_one(reminder(call, &first, contract), index).await)?;
        read(&again, &parse)
    }

    /// The reply; without one the run says why.
    fn heard(&self, reply: Result<Choice, StrategyError>) -> Option<Choice> {
        reply.inspect_err(|error| self.degrade(reason(error))).ok()
    }
}

fn read<T>(reply: &Choice, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    if reply.is_truncated() { None } else { parse(&reasoning::strip(&reply.message.text())) }
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
    messages.push(Message::user(format!("Your verdict is missing. Reply with this one line and nothing else:\n{contract}")));
    call.with_messages(messages)
}
