//! `rsa`: a population of answers, recombined again and again from random subsets of itself.
//!
//! Paper: Venkatraman et al., *Recursive Self-Aggregation Unlocks Deep Thinking in Large Language
//! Models* (2025, arXiv 2509.26626).
//!
//! 1. `rsa_population` (N) answers to the conversation.
//! 2. For each further one of `rsa_steps` (T): N new answers, each made from `rsa_subset` (K)
//!    different members of the population, drawn at random and without replacement, in random
//!    order. They are the next population.
//! 3. A vote among the last population; if nobody votes, its first sound member.
//!
//! The paper works with N = 16, K = 4, T = 10 and takes a random member of the last population, or
//! a vote; the defaults here are 8, 4, 3. Departures: members are shown without their hidden
//! reasoning, which the model behind an API does not give; a population whose members all surely
//! answer the same is not recombined. The vote of the last step stops early as every vote does
//! (`stop_confidence`). Members that fail are missing, and the next population is as large as ever.
//! If a whole step fails, the vote is held among the population before it, and the run is degraded.
//!
//! Calls 1 + N(T − 1) (NT where the upstream ignores `n`), depth T (`sampling = "waves"`: T − 1 +
//! ⌈N/4⌉). The winner is replayed as a stream.

use rand::seq::{IndexedRandom, SliceRandom};

use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::worthy;
use crate::kit::choosing::voting::{self, Poll, agree};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Ballot, Candidate, Candidates, Manner, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const AGGREGATE: &str = include_str!("recursive_aggregation/aggregate.txt");

const POPULATION: ParamSpec = ParamSpec {
    name: "rsa_population",
    kind: ParamKind::Integer {
        default: 8,
        min: 2,
        max: 32,
    },
    help: "answers in every step",
};
const SUBSET: ParamSpec = ParamSpec {
    name: "rsa_subset",
    kind: ParamKind::Integer {
        default: 4,
        min: 1,
        max: 16,
    },
    help: "members of the population that each new answer is made from",
};
const STEPS: ParamSpec = ParamSpec {
    name: "rsa_steps",
    kind: ParamKind::Integer {
        default: 3,
        min: 2,
        max: 10,
    },
    help: "populations, the first included",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "rsa",
    name: "recursive self-aggregation",
    summary: "a population of answers, recombined step by step from random subsets of itself; then \
        a vote",
    paper: "Recursive Self-Aggregation Unlocks Deep Thinking in Large Language Models, arXiv \
        2509.26626",
    params: &[&[POPULATION, SUBSET, STEPS]],
    cost: "1 + rsa_population × (rsa_steps - 1) calls (rsa_population × rsa_steps where n is \
        ignored), depth rsa_steps",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(RecursiveAggregation::new(params)?)),
};

struct RecursiveAggregation {
    size: Size,
    steps: u32,
    manner: Manner,
}

impl RecursiveAggregation {
    fn new(params: &Params) -> Result<Self, SpecError> {
        let (population, subset) = (POPULATION.integer(params)?, SUBSET.integer(params)?);
        if subset > population {
            let message =
                format!("`rsa_subset` must be at most `rsa_population`, which is {population}.");
            return Err(SpecError::bad_param(SUBSET.name, message));
        }
        Ok(Self {
            size: Size { population, subset },
            steps: STEPS.integer(params)?,
            manner: Manner::read(params)?,
        })
    }
}

/// How large a population is, and how many of its members each new one is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) population: u32,
    pub(crate) subset: u32,
}

/// The requests whose answers are the population of `step`, each with some of `members` before it,
/// drawn at random, in random order.
pub(crate) fn recombine(
    run: &Run,
    case: &Case<'_>,
    step: u32,
    members: &Candidates,
    size: Size,
) -> Vec<ChatRequest> {
    let members = worthy(members);
    let mut rng = run.rng(&format!("subsets of step {step}"));
    let draw = |_| {
        let mut drawn: Vec<&Candidate> = members
            .choose_multiple(&mut rng, size.subset as usize)
            .copied()
            .collect();
        drawn.shuffle(&mut rng);
        let texts: Vec<String> = drawn.into_iter().map(Candidate::shown).collect();
        case.synthesis(AGGREGATE, &texts)
    };
    (0..size.population).map(draw).collect()
}

impl Strategy for RecursiveAggregation {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let Tokens { output, .. } = Tokens::of(request);
        let tokens = Tokens {
            output,
            ..Tokens::of_reading(request, self.size.subset)
        };
        let mut whole = Demand::candidates(self.size.population, request);
        for _ in 2..self.steps {
            whole = whole.then(Demand::step(self.size.population, tokens));
        }
        whole.then(voting::demand_each(
            self.size.population,
            self.manner,
            tokens,
        ))
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let case = Case::new(run, request);
        let question = voting::question(request);
        let mut members = run
            .sample(
                &SubCall::answer(request, Purpose::Candidate).diverse(1.0),
                self.size.population,
                None,
            )
            .await?;
        let mut poll = None;
        for step in 2..=self.steps {
            if agree(&members, &question) {
                break;
            }
            let mut cast = Poll::weighed(run, request, self.size.population);
            let is_last = step == self.steps;
            let requests = recombine(run, &case, step, &members, self.size);
            let calls: Vec<SubCall> = requests
                .iter()
                .map(|request| SubCall::answer(request, Purpose::Synthesis).diverse(1.0))
                .map(|call| if is_last { cast.asking(call) } else { call })
                .collect();
            let ballot = is_last.then_some(&mut cast as &mut dyn Ballot);
            match run.sample_each(&calls, ballot).await {
                Ok(better) => members = better,
                Err(error @ StrategyError::Gone) => return Err(error),
                Err(error) => {
                    run.degrade(error.reason());
                    break;
                }
            }
            poll = is_last.then_some(cast);
        }
        let poll = poll.unwrap_or_else(|| Poll::of(question, &members));
        poll.closed(run, request);
        let winner = poll.elected(&members);
        poll.record(run, &members, winner);
        Ok(run.elect(winner).await?.into())
    }
}
