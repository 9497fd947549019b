//! One pipeline: plans, carried out side by side, made into one solution and then into an answer.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::json;

use super::settings::{Settings, Step};
use crate::chat::{ChatRequest, Message, view};
use crate::contract::SYNTHESIS;
use crate::error::StrategyError;
use crate::kit::case::Case;
use crate::model::{ModelError, Purpose};
use crate::run::{Candidate, Run, SubCall};

const PLAN: &str = include_str!("plan.txt");
const APPROACH: &str = include_str!("approach.txt");
const EXECUTE: &str = include_str!("execute.txt");
const REFINE: &str = include_str!("refine.txt");
const ANSWER: &str = include_str!("answer.txt");

const EFFORT: &str = "reasoning_effort";

/// What every pipeline of a run works with.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) settings: &'a Settings,
    pub(super) run: &'a Run,
    pub(super) request: &'a ChatRequest,
    pub(super) case: &'a Case<'a>,
    /// Plans that each pipeline carries out.
    pub(super) plans: u32,
}

impl Bench<'_> {
    /// One call, made again with less reasoning where that is configured and the reply is no whole
    /// one. The last reply counts, whole or not.
    pub(super) async fn ask(&self, call: &SubCall, index: u32) -> Result<Candidate, StrategyError> {
        let efforts = self.settings.efforts(self.request);
        let last = efforts.len().saturating_sub(1);
        for effort in efforts.iter().take(last) {
            match self.attempt(with_effort(call, *effort), index).await {
                Ok(reply) if reply.is_sound() => return Ok(reply),
                Err(error) if !matches!(status(&error), Some(400 | 500)) => return Err(error),
                // Less effort would change nothing.
                result if !self.run.may_accept(self.request.model(), EFFORT) => return result,
                _ => {}
            }
        }
        self.attempt(with_effort(call, efforts.last().copied().flatten()), index)
            .await
    }

    async fn attempt(&self, call: SubCall, index: u32) -> Result<Candidate, StrategyError> {
        let call = call.numbered(self.run.seed_offset(index));
        let mut retries = self.settings.retries;
        loop {
            match self.run.complete(call.clone(), index).await {
                Err(error) if retries > 0 && status(&error) == Some(400) => retries -= 1,
                Err(error) => return Err(error),
                Ok(reply) => return Ok(reply.candidate(index)),
            }
        }
    }

    /// A call with the effort that every call begins with.
    pub(super) fn begun(&self, call: SubCall) -> SubCall {
        match self.settings.efforts(self.request).first() {
            Some(Some(effort)) => call.set(EFFORT, *effort),
            _ => call,
        }
    }

    /// A call that stays inside. What the client began to write for the assistant concerns only the
    /// answer.
    pub(super) fn inside(&self, purpose: Purpose, step: Step, messages: Vec<Message>) -> SubCall {
        let messages = match self
            .request
            .get("tools")
            .or_else(|| self.request.get("functions"))
            .filter(|_| self.request.uses_tools())
        {
            Some(tools) => {
                let offered = self.case.verbatim(
                    "tools on offer when the answer is given",
                    &tools.to_string(),
                );
                view::with_instructions(&messages, &offered)
            }
            None => messages,
        };
        SubCall::internal(self.request, purpose, messages, step.max_tokens)
            .set("temperature", step.temperature)
    }

    /// The conversation up to what is asked.
    pub(super) fn asked(&self) -> &[Message] {
        match self.request.messages() {
            [asked @ .., last] if last.role() == "assistant" => asked,
            all => all,
        }
    }

    /// A call whose answer may become the client's. The client's own limit on tokens holds if it is
    /// the lower one.
    fn answering(&self, request: &ChatRequest, step: Step) -> SubCall {
        let purpose = if self.settings.pipelines == 1 {
            Purpose::Final
        } else {
            Purpose::Candidate
        };
        let ceiling = request
            .token_limit()
            .map_or(step.max_tokens, |(_, own)| own.min(step.max_tokens));
        SubCall::answer(request, purpose)
            .set("temperature", step.temperature)
            .with_ceiling(ceiling)
    }

    /// An answer without plans.
    pub(super) fn direct(&self) -> SubCall {
        self.answering(self.request, self.settings.direct)
    }

    fn show(&self, what: &'static str, made: &Candidate) {
        if self.settings.is_shown {
            self.run
                .note(what, json!({ "index": made.index, "text": made.text() }));
        }
    }
}

fn with_effort(call: &SubCall, effort: Option<&'static str>) -> SubCall {
    match effort {
        Some(effort) => call.clone().set(EFFORT, effort),
        None => call.clone(),
    }
}

/// The status of an upstream's refusal.
fn status(error: &StrategyError) -> Option<u16> {
    match error {
        StrategyError::Model(ModelError::Rejected(rejection)) => Some(rejection.status),
        _ => None,
    }
}

/// Whether no further call can succeed either.
fn is_over(error: &StrategyError) -> bool {
    match error {
        StrategyError::Budget(_)
        | StrategyError::Deadline
        | StrategyError::Gone
        | StrategyError::NoSolver
        | StrategyError::Unreachable(_) => true,
        StrategyError::Model(error) => matches!(error, ModelError::Limited { .. }),
        StrategyError::Interrupted(_) | StrategyError::Unsupported(_) => false,
    }
}

/// One pipeline.
pub(super) struct Pipeline<'a> {
    pub(super) bench: Bench<'a>,
    pub(super) number: u32,
    /// The approach that its plans must follow.
    pub(super) approach: Option<&'a str>,
}

/// All that is needed for the answer.
pub(super) struct Prepared {
    /// The call that gives it.
    pub(super) call: SubCall,
    /// What is the answer if that call fails.
    pub(super) spare: Option<Candidate>,
}

/// What came of one plan.
struct Attempt {
    /// Whether the upstream answered at all.
    has_answered: bool,
    /// A whole execution, or none.
    result: Result<Option<Candidate>, StrategyError>,
}

impl Pipeline<'_> {
    /// Everything but the last call.
    pub(super) async fn prepare(&self) -> Result<Prepared, StrategyError> {
        let Bench { settings, run, .. } = self.bench;
        if settings.plan.is_skipped() {
            return Ok(Prepared {
                call: self.bench.direct(),
                spare: None,
            });
        }
        let drafts = self.drafts().await?;
        let Some(first) = drafts.first().cloned() else {
            run.degrade("plans");
            return Ok(Prepared {
                call: self.bench.direct(),
                spare: None,
            });
        };
        let texts: Vec<String> = drafts.iter().map(Candidate::text).collect();
        if settings.answer.is_skipped() {
            return Ok(Prepared {
                call: self.final_call(REFINE, &texts, settings.refine),
                spare: Some(first),
            });
        }
        let messages = self.with_material(self.bench.asked(), REFINE, &texts);
        let call = self
            .bench
            .inside(Purpose::Synthesis, settings.refine, messages);
        let solution = match self.bench.ask(&call, self.number).await {
            Ok(solution) if solution.is_sound() => {
                self.bench.show("solution", &solution);
                solution
            }
            Err(StrategyError::Gone) => return Err(StrategyError::Gone),
            result => {
                run.degrade(
                    result
                        .as_ref()
                        .err()
                        .map_or("synthesis", StrategyError::reason),
                );
                first
            }
        };
        Ok(Prepared {
            call: self.final_call(ANSWER, &[solution.text()], settings.answer),
            spare: Some(solution),
        })
    }

    /// One answer. If the last call gives none, what it was to be made from.
    pub(super) async fn run(&self) -> Result<Candidate, StrategyError> {
        let Prepared { call, spare } = self.prepare().await?;
        let answer = self.bench.ask(&call, self.number).await;
        let Some(spare) = spare.map(|spare| Candidate {
            index: self.number,
            ..spare
        }) else {
            return answer;
        };
        match answer {
            Err(StrategyError::Gone) => Err(StrategyError::Gone),
            Err(error) => {
                self.bench.run.degrade(error.reason());
                Ok(spare)
            }
            Ok(answer) if !answer.is_sound() && answer.shown().is_empty() => {
                self.bench.run.degrade("synthesis");
                Ok(spare)
            }
            Ok(answer) => Ok(answer),
        }
    }

    /// Plans that were carried out, in the order in which they were asked for. One that fails or is
    /// cut off is replaced, unless nothing has been answered yet: then the upstream is to blame,
    /// not the plan.
    async fn drafts(&self) -> Result<Vec<Candidate>, StrategyError> {
        let wanted = self.bench.plans;
        let mut next = wanted;
        let mut chains: FuturesUnordered<_> =
            (0..wanted).map(|attempt| self.chain(attempt)).collect();
        let (mut drafts, mut lost, mut has_answered, mut last_error) = (Vec::new(), 0, false, None);
        while let Some(attempt) = chains.next().await {
            has_answered |= attempt.has_answered;
            match attempt.result {
                Ok(Some(draft)) => drafts.push(draft),
                Ok(None) => lost += 1,
                Err(error) => {
                    lost += 1;
                    last_error = Some(error);
                }
            }
            let is_over = last_error.as_ref().is_some_and(is_over);
            while has_answered && !is_over && lost > 0 && next < self.bench.settings.attempts {
                chains.push(self.chain(next));
                next += 1;
                lost -= 1;
            }
        }
        drafts.sort_by_key(|draft: &Candidate| draft.index);
        match last_error {
            Some(error) if drafts.is_empty() && (!has_answered || is_over(&error)) => Err(error),
            Some(error) if lost > 0 => {
                self.bench.run.degrade(error.reason());
                Ok(drafts)
            }
            None if lost > 0 => {
                self.bench.run.degrade("plans");
                Ok(drafts)
            }
            _ => Ok(drafts),
        }
    }

    /// One plan, then its execution.
    async fn chain(&self, attempt: u32) -> Attempt {
        let settings = self.bench.settings;
        let index = self.number * settings.attempts + attempt;
        let plan = match self.bench.ask(&self.plan_call(), index).await {
            Ok(plan) if plan.is_sound() => plan,
            Ok(_) => {
                return Attempt {
                    has_answered: true,
                    result: Ok(None),
                };
            }
            Err(error) => {
                return Attempt {
                    has_answered: false,
                    result: Err(error),
                };
            }
        };
        self.bench.show("plan", &plan);
        let messages = view::with_turn(self.bench.asked(), &plan.text(), EXECUTE.trim());
        let call = self.bench.inside(Purpose::Plan, settings.execute, messages);
        let result = self
            .bench
            .ask(&call, index)
            .await
            .map(|draft| Some(draft).filter(Candidate::is_sound));
        if let Ok(Some(draft)) = &result {
            self.bench.show("execution", draft);
        }
        Attempt {
            has_answered: true,
            result,
        }
    }

    fn plan_call(&self) -> SubCall {
        let mut sections = Vec::new();
        if let Some(approach) = self.approach {
            let case = self.bench.case;
            sections.extend([
                APPROACH.trim().to_owned(),
                case.rule(),
                case.fence("approach", approach),
            ]);
        }
        sections.push(PLAN.trim().to_owned());
        let messages = view::with_instructions(self.bench.asked(), &sections.join("\n\n"));
        self.bench
            .inside(Purpose::Plan, self.bench.settings.plan, messages)
    }

    fn final_call(&self, instructions: &str, material: &[String], step: Step) -> SubCall {
        let request = self.bench.request;
        let informed =
            request.with_messages(self.with_material(request.messages(), instructions, material));
        self.bench.answering(&informed, step)
    }

    /// A conversation with solutions, and what to do with them, in its instructions.
    fn with_material(
        &self,
        messages: &[Message],
        instructions: &str,
        solutions: &[String],
    ) -> Vec<Message> {
        let case = self.bench.case;
        let sections = [
            instructions.trim().to_owned(),
            case.rule(),
            case.numbered(solutions),
            SYNTHESIS.to_owned(),
        ];
        view::with_instructions(messages, &sections.join("\n\n"))
    }
}
