//! `rto`: candidates are described, made again from the descriptions alone, and compared with what
//! comes back.
//!
//! Papers: Allamanis et al., *Unsupervised Evaluation of Code LLMs with Round-Trip Correctness*
//! (2024, arXiv 2402.08699); Sharma, *Patched RTC: evaluating LLMs for diverse software development
//! tasks* (2024, arXiv 2407.16557), for text that is not code and for the threshold.
//!
//! 1. `rto_candidates` candidates; those of the same wording count as one.
//! 2. Each is described as an instruction, and 3. the description alone (with the client's
//!    instructions) is carried out.
//! 4. The candidate most like what came back is returned whole, with its prose and all its blocks,
//!    if the likeness is at least `rto_threshold`. Otherwise one call makes the answer from that
//!    candidate and its second version.
//!
//! Likeness: where the question has a short answer, or tools are called, 1 if both give the same
//! and else 0; otherwise the share of neighbouring tokens that both have, over all fenced blocks,
//! or over the whole text where there are none. Nothing is executed.
//!
//! Departures: the papers run tests to compare code, or ask a model whether two texts mean the
//! same; here only text is compared, since a doubtful likeness already leads to a call that sees
//! both versions and makes the answer of them. OptiLLM has one candidate, compares the first block
//! byte by byte, and returns code without its prose.
//!
//! A trip that fails proves nothing: its candidate has no likeness. If no trip succeeds, the answer
//! that most candidates give wins and the run is degraded (`round_trip`); if the last call fails,
//! the candidate most like its second version is given (`synthesis`).
//!
//! Calls 2 + 2k (1 less where a round trip succeeds; k more where the upstream ignores `n`), depth
//! 4 (3 where one succeeds). The last call streams; a candidate is replayed.
//!
//! Measured on a simulated model (docs/approaches.md) a plain vote of equal cost is better at every
//! accuracy where a vote helps at all.

mod similarity;

use self::similarity::similarity;
use crate::answer::Question;
use crate::chat::{ChatRequest, Message, view};
use crate::contract::{ROUND_TRIP, SYNTHESIS};
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::{Group, distinct, record, worthy};
use crate::kit::choosing::voting::{self, agree, most_agreed};
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::reasoning;
use crate::run::{Candidate, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const ROLE: &str = include_str!("round_trip_optimization/role.txt");
const WANTED: &str = include_str!("round_trip_optimization/wanted.txt");
const RECONCILE: &str = include_str!("round_trip_optimization/reconcile.txt");

const CANDIDATES: ParamSpec = ParamSpec {
    name: "rto_candidates",
    kind: ParamKind::Integer {
        default: 2,
        min: 1,
        max: 16,
    },
    help: "candidates that make the trip",
};
const THRESHOLD: ParamSpec = ParamSpec {
    name: "rto_threshold",
    kind: ParamKind::Number {
        default: 0.8,
        min: 0.0,
        max: 1.0,
    },
    help: "least likeness at which a candidate is returned as it is",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "rto",
    name: "round-trip optimisation",
    summary: "candidates are described and made again from the descriptions; the one that survives \
        is returned, else both versions are reconciled; a vote of equal cost did better in \
        simulation",
    paper: "Round-Trip Correctness, arXiv 2402.08699; Patched RTC, arXiv 2407.16557",
    params: &[&[CANDIDATES, THRESHOLD]],
    cost: "2 + 2 × rto_candidates calls (rto_candidates more where n is ignored), depth 4; where a \
        trip succeeds 1 call and 1 depth less",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(RoundTripOptimization::new(params)?)),
};

struct RoundTripOptimization {
    candidates: u32,
    threshold: f64,
}

/// A candidate back from its trip.
struct Trip<'a> {
    group: Group<'a>,
    /// What was made from its description, and how much alike the two are.
    back: Option<(Candidate, f64)>,
}

impl Trip<'_> {
    fn likeness(&self) -> f64 {
        self.back.as_ref().map_or(-1.0, |(_, likeness)| *likeness)
    }
}

impl RoundTripOptimization {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            candidates: CANDIDATES.integer(params)?,
            threshold: THRESHOLD.number(params)?,
        })
    }

    /// Carries `description` out under the client's instructions, without the conversation.
    async fn carry_out(
        &self,
        run: &Run,
        request: &ChatRequest,
        description: &str,
        index: u32,
    ) -> Result<Candidate, StrategyError> {
        let leading = request
            .messages()
            .first()
            .filter(|message| matches!(message.role(), "system" | "developer"));
        let task = Message::user(format!("{description}\n\n{ROUND_TRIP}"));
        let messages: Vec<Message> = leading.cloned().into_iter().chain([task]).collect();
        let call = SubCall::answer(request, Purpose::Candidate)
            .with_messages(messages)
            .default_temperature(0.1);
        run.candidate(&call, self.candidates + index).await
    }

    async fn travel(
        &self,
        run: &Run,
        request: &ChatRequest,
        case: &Case<'_>,
        group: &Group<'_>,
    ) -> Result<Option<Candidate>, StrategyError> {
        let index = group.first.index;
        let asked = case
            .call(
                Purpose::Plan,
                ROLE,
                std::slice::from_ref(&group.text),
                WANTED,
            )
            .default_temperature(0.1);
        let told = run.complete_one(asked, index).await?;
        let text = told.message.text();
        let description = reasoning::strip(&text);
        if told.is_truncated() || description.trim().is_empty() {
            return Ok(None);
        }
        let back = self
            .carry_out(run, request, &case.excerpt(description.trim()), index)
            .await?;
        Ok(Some(back).filter(Candidate::is_sound))
    }

    async fn trips<'a>(
        &self,
        run: &Run,
        request: &ChatRequest,
        groups: NonEmpty<Group<'a>>,
    ) -> NonEmpty<Trip<'a>> {
        let case = Case::new(run, request);
        let question = voting::question(request);
        let (case, question) = (&case, &question);
        let trips = groups.map(|group| async move {
            let back = self
                .travel(run, request, case, &group)
                .await
                .inspect_err(|error| run.degrade(error.reason()));
            let back = back.ok().flatten().map(|back| {
                let likeness = likeness(group.first, &back, question);
                (back, likeness)
            });
            Trip { group, back }
        });
        trips.joined().await
    }
}

fn likeness(candidate: &Candidate, back: &Candidate, question: &Question) -> f64 {
    let calls = |candidate: &Candidate| candidate.choice.message.tool_calls().is_some();
    if question.is_closed() || calls(candidate) || calls(back) {
        return f64::from(u8::from(agree([candidate, back], question)));
    }
    similarity(&candidate.text(), &back.text())
}

/// The most alike; among equals the one that more candidates are, then the first.
fn best<'a, 'b>(trips: &'b NonEmpty<Trip<'a>>) -> &'b Trip<'a> {
    trips.best(|a, b| {
        a.likeness()
            .total_cmp(&b.likeness())
            .then(a.group.size.cmp(&b.group.size))
    })
}

/// The call that makes one answer from a candidate and its second version.
fn reconciling(run: &Run, request: &ChatRequest, candidate: &str, back: &Candidate) -> SubCall {
    let case = Case::new(run, request);
    let versions = case.numbered(&[candidate.to_owned(), back.shown()]);
    let text = [RECONCILE.trim(), &case.rule(), &versions, SYNTHESIS].join("\n\n");
    SubCall::answer(request, Purpose::Synthesis)
        .with_messages(view::with_instructions(request.messages(), &text))
}

impl Strategy for RoundTripOptimization {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let Tokens { output, .. } = Tokens::of(request);
        let describing = Demand::step(self.candidates, Tokens::of_reading(request, 1));
        let again = Demand::step(self.candidates, Tokens::of(request));
        let last = Demand::step(
            1,
            Tokens {
                output,
                ..Tokens::of_reading(request, 2)
            },
        );
        Demand::candidates(self.candidates, request)
            .then(describing)
            .then(again)
            .then(last)
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate).diverse(1.0);
        let candidates = run.sample(&call, self.candidates, None).await?;
        let trips = self
            .trips(run, request, distinct(&worthy(&candidates)))
            .await;
        let show = |winner: Option<&Candidate>| {
            let score = |candidate: &Candidate| {
                trips
                    .iter()
                    .find(|trip| trip.group.text == candidate.shown())?
                    .back
                    .as_ref()
                    .map(|back| back.1)
            };
            run.record(
                candidates
                    .iter()
                    .map(|candidate| record(candidate, None, score(candidate), winner)),
            );
        };
        let survivor = best(&trips);
        let (candidate, text) = (survivor.group.first, &survivor.group.text);
        let Some((back, likeness)) = &survivor.back else {
            run.degrade("round_trip");
            let winner = most_agreed(request, &candidates);
            show(Some(winner));
            return Ok(run.elect(winner).await?.into());
        };
        if *likeness >= self.threshold {
            show(Some(candidate));
            return Ok(run.elect(candidate).await?.into());
        }
        match run.respond(reconciling(run, request, text, back)).await {
            Ok(answer) => {
                show(None);
                Ok(answer.into())
            }
            Err(error) if error.is_final() => Err(error),
            Err(error) => {
                run.degrade("synthesis");
                run.degrade(error.reason());
                show(Some(candidate));
                Ok(run.elect(candidate).await?.into())
            }
        }
    }
}
