//! Verdicts: asked for with a line of known form, read strictly, asked for once more, and never
//! made up.
//!
//! A verdict comes first, in a line of its own, and the call ends with that line: reasons are paid
//! for and change little. A judge's stream is dropped as soon as the line is finished; where there
//! is no stream, the call is to stop at the line's end. Models that put the verdict last are read
//! as far as `judge_tokens` reach.
//!
//! A reply with its reasons before the verdict has a bound, too: small models talk on until
//! something ends them. One that is cut off is asked for again with room for the line alone.

mod first_line;

use self::first_line::{FirstLine, Form, Heard};
use super::handle::Run;
use super::sub_call::SubCall;
use super::watch::Watched;
use crate::chat::{Choice, Message};
use crate::contract::{BEST_CANDIDATE, DIFFICULTY, SCORE, VERDICT};
use crate::error::StrategyError;
use crate::model::{Fact, ModelError};
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
/// Most tokens of a verdict by a model that thinks before it.
const THOUGHT_TOKENS: u64 = 2000;
/// How hard such a model is to think about it.
const EFFORT: (&str, &str) = ("reasoning_effort", "low");

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
        parse: impl Fn(&str) -> Option<T> + Sync,
    ) -> Option<T> {
        let found = self.judged(call, index, contract, parse).await;
        found.map(|(verdict, _)| verdict)
    }

    /// The same, with the reply that it was read from.
    pub(crate) async fn judged<T>(
        &self,
        call: &SubCall,
        index: u32,
        contract: &str,
        parse: impl Fn(&str) -> Option<T> + Sync,
    ) -> Option<(T, Choice)> {
        let found = if call.is_brief {
            let parse = &parse;
            self.brief(call, index, Form { contract, parse }).await
        } else {
            self.with_reasons(call, index, contract, parse).await
        };
        found
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
        let found = self.with_reasons(call, index, contract, parse).await?;
        Ok(found.map(|(found, _)| found))
    }

    /// A verdict that comes first.
    async fn brief<T, F: Fn(&str) -> Option<T> + Sync>(
        &self,
        call: &SubCall,
        index: u32,
        form: Form<'_, F>,
    ) -> Result<Option<(T, Choice)>, StrategyError> {
        let model = call.request.model();
        let bounded = if call.has_own_bound {
            call.clone()
        } else if self.knows(model, Fact::Thinks) == Some(true) {
            thoughtful(call)
        } else {
            call.clone().at_most(self.judging().tokens)
        };
        let first = self.hear(&bounded, index, form, true).await?;
        if let Some(found) = form.read(&first) {
            return Ok(Some((found, first.choice)));
        }
        // What was cut before it said anything reasons first, and within its ceiling: the line
        // alone is nothing that it could write.
        let thinks = !first.is_whole && is_silent(&first.choice);
        let again = if thinks {
            thoughtful(call)
        } else {
            reminder(call, &first.choice, form.contract).at_most(LINE_TOKENS)
        };
        let again = self
            .hear(&again.numbered(SECOND), index, form, false)
            .await
            .inspect_err(|error| self.degrade(error.reason()));
        let found = again
            .ok()
            .and_then(|again| Some((form.read(&again)?, again.choice)));
        if thinks && found.is_some() {
            self.learn(model, Fact::Thinks, true);
        }
        Ok(found)
    }

    /// A reply as far as it is wanted. Where there are no streams, it stops at the end of a line if
    /// it `may_stop`.
    async fn hear<T, F: Fn(&str) -> Option<T> + Sync>(
        &self,
        call: &SubCall,
        index: u32,
        form: Form<'_, F>,
        may_stop: bool,
    ) -> Result<Heard, StrategyError> {
        let model = call.request.model();
        let live = if self.may_accept(model, STREAM) {
            self.live(call, index, form).await?
        } else {
            Live::Broken
        };
        if let Live::Heard(heard) = live {
            return Ok(*heard);
        }
        let whole = call.numbered(self.seed_offset(index));
        let whole = if may_stop && self.knows(model, Fact::Thinks) != Some(true) {
            whole.set("stop", vec!["\n"])
        } else {
            whole
        };
        let choice = self.complete_one(whole, index).await?;
        if matches!(live, Live::Refused) {
            // The same is answered whole, so the stream was the reason.
            self.learn(model, Fact::Accepts(STREAM), false);
        }
        Ok(Heard::of(choice, false))
    }

    /// A reply that is heard as it comes, and no further than to its verdict.
    async fn live<T, F: Fn(&str) -> Option<T> + Sync>(
        &self,
        call: &SubCall,
        index: u32,
        form: Form<'_, F>,
    ) -> Result<Live, StrategyError> {
        let most = call
            .request
            .token_limit()
            .map_or(u64::MAX, |(_, most)| most);
        let opened = call.numbered(self.seed_offset(index)).streamed();
        let (meter, stream) = match self.open(opened, index).await {
            Ok(opened) => opened,
            Err(StrategyError::Model(ModelError::Rejected(refusal))) if refusal.blames(STREAM) => {
                return Ok(Live::Refused);
            }
            Err(error) => return Err(error),
        };
        let mut line = FirstLine::new(form, most);
        match self.observe(meter, stream, &mut line).await {
            Ok(watched) => {
                self.outran(call, &watched);
                let heard = Heard::of(watched.choice, watched.was_stopped);
                Ok(Live::Heard(Box::new(heard)))
            }
            Err(StrategyError::Model(error)) if is_broken(&error) => Ok(Live::Broken),
            Err(error) => Err(error),
        }
    }

    /// Remembers that the upstream does not keep to hone's ceiling.
    fn outran(&self, call: &SubCall, watched: &Watched) {
        let usage = watched.usage;
        let is_told = !watched.was_stopped && usage.estimated == 0;
        let ignored = call.ignored_ceiling(usage.completion).filter(|_| is_told);
        if let Some(name) = ignored {
            self.learn(call.request.model(), Fact::Accepts(name), false);
        }
    }

    /// A verdict with its reasons before it, or another reply of known form.
    async fn with_reasons<T>(
        &self,
        call: &SubCall,
        index: u32,
        contract: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<(T, Choice)>, StrategyError> {
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
            return Ok(Some((found, first)));
        }
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
            let found = read(&again, &parse).or_else(|| parse(&line?));
            Some((found?, again))
        });
        if thinks && found.is_some() {
            self.learn(model, Fact::Thinks, true);
        }
        Ok(found)
    }
}

/// What came of a stream.
enum Live {
    Heard(Box<Heard>),
    /// It broke, or there was none.
    Broken,
    /// The upstream does not stream.
    Refused,
}

/// The field by which a stream is asked for.
const STREAM: &str = "stream";

/// Room to think about a verdict, and not for long.
fn thoughtful(call: &SubCall) -> SubCall {
    let (field, effort) = EFFORT;
    let call = call.clone().at_most(THOUGHT_TOKENS);
    if call.request.get(field).is_some() {
        call
    } else {
        call.set(field, effort)
    }
}

/// Whether a stream failed in a way that says nothing against a whole answer.
fn is_broken(error: &ModelError) -> bool {
    matches!(
        error,
        ModelError::Malformed { .. } | ModelError::Unavailable { .. }
    )
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
