//! Verdicts: asked for with a line of known form, read strictly, asked for once more, and never
//! made up.
//!
//! A verdict that is one line has a bound: small models talk on until something ends them, and what
//! they say behind their verdict is paid for and not read. One that is cut off is asked for again
//! with room for the line alone.

use super::handle::Run;
use super::sub_call::SubCall;
use crate::chat::{Choice, Message};
use crate::contract::{BEST_CANDIDATE, DIFFICULTY, SCORE, VERDICT};
use crate::error::StrategyError;
use crate::model::Fact;
use crate::reasoning;

/// How far the seed of a second attempt is from that of the first; more than there are verdicts of
/// one kind.
const SECOND: i64 = 512;

/// Most tokens of a verdict that is one line, with the reasons that stand before it. A client that
/// limits its answers to less has a small model or little patience, and its judges get less, too.
const VERDICT_TOKENS: u64 = 512;
/// Room for a reason, however short the client wants its answer.
const LEAST_TOKENS: u64 = 64;
/// Most tokens of a line alone.
const LINE_TOKENS: u64 = 24;

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
        let model = call.request.model();
        let (is_line, seed) = (is_line(contract), self.seed_offset(index));
        let is_bounded = is_line && !call.has_own_bound;
        let bounded = if is_bounded && self.knows(model, Fact::Thinks) != Some(true) {
            call.clone().at_most(verdict_tokens(call.clients_limit()))
        } else {
            call.clone()
        };
        let first = self.complete_one(bounded.numbered(seed), index).await?;
        if let Some(found) = read(&first, &parse) {
            return Ok(Some(found));
        }
        // What was cut before it said anything reasons first, and within its ceiling: the line
        // alone is nothing that it could write.
        let is_cut = is_line && first.is_truncated();
        let thinks = is_cut && is_silent(&first);
        let again = match (is_cut, thinks) {
            (_, true) => call.clone(),
            (true, false) => reminder(call, &first, contract).at_most(LINE_TOKENS),
            (false, false) => reminder(&bounded, &first, contract),
        };
        let again = self
            .complete_one(again.numbered(seed + SECOND), index)
            .await
            .inspect_err(|error| self.degrade(error.reason()));
        let found = again.ok().and_then(|again| {
            let line = first_line(&again).filter(|_| is_line);
            read(&again, &parse).or_else(|| parse(&line?))
        });
        if thinks && found.is_some() {
            self.learn(model, Fact::Thinks, true);
        }
        Ok(found)
    }
}

/// Whether a contract asks for one line.
fn is_line(contract: &str) -> bool {
    [BEST_CANDIDATE, DIFFICULTY, SCORE, VERDICT].contains(&contract)
}

/// Most tokens of a verdict for a client that allows its answers `limit`.
fn verdict_tokens(limit: Option<u64>) -> u64 {
    limit.map_or(VERDICT_TOKENS, |limit| {
        limit.clamp(LEAST_TOKENS, VERDICT_TOKENS)
    })
}

/// Whether a reply says nothing, whatever was thought.
fn is_silent(reply: &Choice) -> bool {
    reasoning::strip(&reply.message.text()).trim().is_empty()
}

/// The first line of a reply, if it was finished: what comes behind it may be cut.
fn first_line(reply: &Choice) -> Option<String> {
    let text = reply.message.text();
    let said = reasoning::strip(&text);
    let (line, _) = said.trim_start().split_once('\n')?;
    Some(line.to_owned())
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
    let is_cut_short = reply.is_truncated() && !is_line(contract);
    if said.trim().is_empty() || is_cut_short {
        return call.clone();
    }
    let mut messages = call.request.messages().to_vec();
    messages.push(Message::assistant(said.trim()));
    messages.push(Message::user(format!(
        "What was asked for is missing. Reply in this form and with nothing else:\n{contract}"
    )));
    call.with_messages(messages)
}
