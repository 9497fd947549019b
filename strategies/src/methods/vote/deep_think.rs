//! `deepthink`: the model designs a way to think about the task; several answers follow it, and
//! only if they agree is one of them the answer.
//!
//! Papers: Zhou et al., *Self-Discover: Large Language Models Self-Compose Reasoning Structures*
//! (2024, arXiv 2402.03620); uncertainty-routed chain of thought as in *Gemini: A Family of Highly
//! Capable Multimodal Models* (2023, arXiv 2312.11805).
//!
//! 1. Three calls: up to `reasoning_modules_limit` of 39 ways of thinking are selected, adapted to
//!    the task, and made into a structure.
//! 2. At the same time `deepthink_samples` answers along the structure, and one with temperature 0.
//! 3. Confidence = 0.6 × share of the most frequent answer + 0.4 × mean similarity of the
//!    reasoning.
//! 4. From `confidence_threshold` on, the answer is the one of the most frequent that reasoned
//!    longest; a greedy call under way is cancelled. Below, it is the greedy one. More than four
//!    samples are a vote that may be over early: those that can change neither which way it goes
//!    nor the most frequent answer are not waited for; at every fourth, those that are not likely
//!    to (`stop_confidence`), if those so far are as similar as all will be. Up to four are asked
//!    for in one call, since nothing would be saved.
//!
//! Departures: the paper discovers a structure once per kind of task, this once per request.
//! OptiLLM calls two almost equal wrong answers of ten a consensus and demotes the system message;
//! here answers are equal if they say the same, and the conversation stays as it is. The work that
//! the answer's call is asked to put between tags is not returned. What cannot be read of the
//! structure is replaced by something general. If the greedy call fails, the most frequent answer
//! is the answer. With a budget too small for the discovery the answers go without (`budget`).
//!
//! Calls 5 (4 + k where the upstream ignores `n`, and up to 4 + k where k > 4), depth 4; without
//! `enable_self_discover` 3 calls and 3 depth less. The answer is replayed.
//!
//! Measured on a simulated model (docs/approaches.md) a plain vote of equal cost is better at every
//! accuracy where a vote helps at all: the discovery costs as much as some twenty-five
//! samples.

mod confidence;
mod discovery;
mod routing;

use std::pin::pin;

use self::confidence::thought;
use self::routing::Routing;
use crate::chat::{ChatRequest, Choice, view};
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::worthy;
use crate::kit::choosing::voting::{self, Poll};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Ballot, Candidate, Candidates, Manner, Run, SubCall, WAVE};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const FOLLOW: &str = include_str!("deep_think/follow.txt");
const CAREFUL: &str = include_str!("deep_think/careful.txt");
const TAGS: &str = include_str!("deep_think/tags.txt");

/// Calls that find a structure.
const DISCOVERY: u32 = 3;

const SAMPLES: ParamSpec = ParamSpec {
    name: "deepthink_samples",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 10,
    },
    help: "answers beside the greedy one",
};
const THRESHOLD: ParamSpec = ParamSpec {
    name: "confidence_threshold",
    kind: ParamKind::Number {
        default: 0.7,
        min: 0.0,
        max: 1.0,
    },
    help: "confidence from which on the most frequent answer counts and not the greedy one",
};
const SELF_DISCOVER: ParamSpec = ParamSpec {
    name: "enable_self_discover",
    kind: ParamKind::Boolean { default: true },
    help: "design a structure first",
};
const MODULES_LIMIT: ParamSpec = ParamSpec {
    name: "reasoning_modules_limit",
    kind: ParamKind::Integer {
        default: 7,
        min: 3,
        max: 15,
    },
    help: "most ways of thinking in a structure",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "deepthink",
    name: "self-discovered structure with uncertainty routing",
    summary: "a way to think is designed first; answers that follow it count if they agree, else \
        the greedy one does; a vote of equal cost did better in simulation",
    paper: "Self-Discover, arXiv 2402.03620; uncertainty-routed chain of thought, arXiv 2312.11805",
    params: &[&[SAMPLES, THRESHOLD, SELF_DISCOVER, MODULES_LIMIT]],
    cost: "5 calls (4 + deepthink_samples where n is ignored, or where they are more than 4), \
        depth 4; without enable_self_discover 3 calls and 3 \
           depth less",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(DeepThink::new(params)?)),
};

struct DeepThink {
    samples: u32,
    threshold: f64,
    discovers: bool,
    modules: usize,
    manner: Manner,
}

impl DeepThink {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            samples: SAMPLES.integer(params)?,
            threshold: THRESHOLD.number(params)?,
            discovers: SELF_DISCOVER.boolean(params)?,
            modules: MODULES_LIMIT.integer(params)? as usize,
            manner: Manner::read(params)?,
        })
    }

    /// Whether the samples are a vote that may be over before all have voted.
    fn may_stop(&self) -> bool {
        self.samples > WAVE
    }

    /// The request with the way to think about it in its instructions.
    async fn prepared(
        &self,
        run: &Run,
        request: &ChatRequest,
    ) -> Result<ChatRequest, StrategyError> {
        let mut sections = vec![CAREFUL.trim().to_owned()];
        let has_room = run.calls_left() >= DISCOVERY + 2;
        if self.discovers && has_room {
            let case = Case::new(run, request);
            let structure = discovery::discover(run, &case, self.modules).await?;
            sections = vec![
                FOLLOW.trim().to_owned(),
                case.rule(),
                case.fence("structure", &structure),
            ];
        } else if self.discovers {
            run.degrade("budget");
        }
        // Where tools or JSON are wanted, tags would be in the way.
        if !request.wants_json() && !request.uses_tools() {
            sections.push(TAGS.trim().to_owned());
        }
        Ok(request.with_messages(view::with_instructions(
            request.messages(),
            &sections.join("\n\n"),
        )))
    }
}

/// A call with OptiLLM's `top_p` unless the client set its own.
fn with_top_p(call: SubCall) -> SubCall {
    if call.request.get("top_p").is_some() {
        call
    } else {
        call.set("top_p", 0.95)
    }
}

/// Hands over a candidate without the work that it was asked to show.
async fn hand_over(run: &Run, candidate: &Candidate) -> Result<Output, StrategyError> {
    let mut choice = candidate.choice.clone();
    let text = candidate.text();
    if !text.is_empty() && text.len() < choice.message.text().trim().len() {
        // Their tokens would tell what is left out.
        if choice.logprobs.take().is_some() {
            run.degrade("logprobs");
        }
        choice = Choice {
            message: choice.message.with("content", text),
            ..choice
        };
    }
    Ok(run.emit(choice, candidate.usage).await?.into())
}

/// What the samples came to.
struct Voted<'a> {
    candidates: &'a Candidates,
    deepest: &'a Candidate,
    poll: &'a Poll,
}

impl Voted<'_> {
    async fn hand_over(&self, run: &Run) -> Result<Output, StrategyError> {
        self.poll.record(run, self.candidates, self.deepest);
        hand_over(run, self.deepest).await
    }
}

/// The most frequent answer's candidate that reasoned longest; without an answer the first worthy
/// one.
fn deepest<'a>(poll: &Poll, candidates: &'a Candidates) -> &'a Candidate {
    let winners = poll.winners(candidates);
    let longest = winners
        .into_iter()
        .rev()
        .max_by_key(|candidate| thought(candidate).len());
    longest.unwrap_or_else(|| worthy(candidates).first())
}

impl Strategy for DeepThink {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let samples = if self.may_stop() {
            voting::demand(self.samples, self.manner, request)
        } else {
            Demand::candidates(self.samples, request)
        };
        let answers = samples.beside(Demand::answer(request));
        if !self.discovers {
            return answers;
        }
        let step = Demand::step(1, Tokens::of_reading(request, 0));
        step.then(step).then(step).then(answers)
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        if run.calls_left() < 2 {
            run.degrade("budget");
            return Ok(run
                .respond(SubCall::answer(request, Purpose::Final))
                .await?
                .into());
        }
        let prepared = self.prepared(run, request).await?;
        let poll = Poll::weighed(run, request, self.samples);
        let call = SubCall::answer(&prepared, Purpose::Candidate).diverse(voting::DIVERSE);
        let call = poll.asking(with_top_p(call));
        let greedy_call = SubCall::answer(&prepared, Purpose::Final).set("temperature", 0.0);
        let mut routing = Routing::new(poll, self.threshold);
        let mut answering = pin!(run.sample(&greedy_call, 1, None));
        let mut greedy = None;
        let sampled = {
            let ballot: Option<&mut dyn Ballot> = if self.may_stop() {
                Some(&mut routing)
            } else {
                None
            };
            let mut sampling = pin!(run.sample(&call, self.samples, ballot));
            loop {
                tokio::select! {
                    biased;
                    sampled = &mut sampling => break sampled,
                    answer = &mut answering, if greedy.is_none() => greedy = Some(answer),
                }
            }
        };
        let candidates = sampled
            .inspect_err(|error| run.degrade(error.reason()))
            .ok();
        for candidate in candidates.iter().flatten().filter(|_| !self.may_stop()) {
            routing.add(candidate);
        }
        let confidence = routing.certainty();
        let poll = routing.into_poll();
        poll.closed(run, request);
        run.note("confidence", confidence);
        let voted = candidates.as_ref().map(|candidates| Voted {
            candidates,
            deepest: deepest(&poll, candidates),
            poll: &poll,
        });
        if let Some(voted) = voted.as_ref().filter(|_| confidence >= self.threshold) {
            return voted.hand_over(run).await;
        }
        let greedy = match greedy {
            Some(greedy) => greedy,
            None => answering.await,
        };
        match (greedy.map(Candidates::into_first), voted) {
            (Ok(answer), Some(_)) if answer.is_sound() => hand_over(run, &answer).await,
            (greedy, Some(voted)) => {
                run.degrade(
                    greedy
                        .as_ref()
                        .err()
                        .map_or("greedy", StrategyError::reason),
                );
                voted.hand_over(run).await
            }
            (greedy, None) => hand_over(run, &greedy?).await,
        }
    }
}
