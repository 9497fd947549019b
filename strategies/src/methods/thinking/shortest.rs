//! `shortest`: several answers of a model that thinks; those that think least vote, and the others
//! are not waited for.
//!
//! Papers: Hassid et al., *Don't Overthink it: Preferring Shorter Thinking Chains for Improved LLM
//! Reasoning* (2025, arXiv 2505.17813), whose short-m@k this is; Agarwal et al., *First Finish
//! Search* (2025, arXiv 2505.18149), which is `shortest_m = 1`. Of one question's chains of thought
//! the shorter are right more often, and they are there first.
//!
//! 1. `shortest_k` streams of the request begin at once.
//! 2. When `shortest_m` of them have ended their thinking, with the first visible word, the others
//!    are dropped.
//! 3. The answers of those m vote; between answers with as many votes that of the shorter thinking
//!    wins.
//!
//! Who ends first has thought least only where nobody waits in a queue: all streams must have begun
//! before the first has ended its thinking, and none may be more than twice as fast as another.
//! Else all are waited for, and the m with the fewest tokens of reasoning vote: that saves nothing,
//! and the trace says so. A model that does not think is asked to the end, and all its answers vote
//! (degraded `reasoning`). A stream that is dropped counts with what had come of it.
//!
//! Calls `shortest_k`, depth 1. The winner is replayed as a stream.

mod board;

use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use self::board::{Board, Seat};
use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::choosing::selection::worthy;
use crate::kit::choosing::voting::{self, Poll};
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::run::{Ballot, Candidate, Candidates, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const K: ParamSpec = ParamSpec {
    name: "shortest_k",
    kind: ParamKind::Integer {
        default: 5,
        min: 2,
        max: 16,
    },
    help: "streams that begin",
};
const M: ParamSpec = ParamSpec {
    name: "shortest_m",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 16,
    },
    help: "those that have thought least and vote; the others are dropped",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "shortest",
    name: "shortest thinking",
    summary: "several streams of a model that thinks; the first few to end their thinking vote, \
        and the others are dropped",
    paper: "Don't Overthink it, arXiv 2505.17813; First Finish Search, arXiv 2505.18149",
    params: &[&[K, M]],
    cost: "shortest_k calls, depth 1; all but shortest_m of them cut short",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(Shortest::new(params)?)),
};

struct Shortest {
    k: u32,
    m: usize,
}

impl Shortest {
    fn new(params: &Params) -> Result<Self, SpecError> {
        let k = K.integer(params)?;
        let m = M.integer(params)?.min(k);
        Ok(Self {
            k,
            m: usize::try_from(m).unwrap_or(usize::MAX),
        })
    }

    /// All answers that were written to their end.
    async fn stream(
        &self,
        run: &Run,
        request: &ChatRequest,
        board: &Mutex<Board>,
    ) -> Result<Candidates, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate).diverse(voting::DIVERSE);
        let call = &call;
        let write = |index: u32| async move {
            let mut seat = Seat::new(board, index);
            let watched = run.watch(call, index, &mut seat).await;
            (index, watched)
        };
        let mut open: FuturesUnordered<_> = (0..self.k).map(write).collect();
        let (mut whole, mut last_error) = (Vec::new(), None);
        while let Some((index, watched)) = open.next().await {
            match watched {
                Ok(watched) if !watched.was_stopped => {
                    lock(board).has_ended(index, watched.usage.reasoning);
                    whole.push(Candidate {
                        index,
                        choice: watched.choice,
                        usage: Some(watched.usage),
                    });
                }
                Ok(_) => {}
                Err(error) => {
                    lock(board).has_failed(index);
                    last_error = Some(error);
                }
            }
            // One that says nothing is not waited for either.
            if lock(board).is_settled() {
                break;
            }
        }
        if let Some(error) = &last_error {
            run.degrade(error.reason());
        }
        let nothing = StrategyError::Unreachable("no stream was begun");
        let mut candidates = NonEmpty::new(whole).ok_or(last_error.unwrap_or(nothing))?;
        candidates.sort_by_key(|candidate| candidate.index);
        Ok(candidates)
    }
}

fn lock(board: &Mutex<Board>) -> std::sync::MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Strategy for Shortest {
    fn demand(&self, request: &ChatRequest) -> Demand {
        Demand::step(self.k, Tokens::of(request))
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let board = Mutex::new(Board::new(self.k, self.m));
        let candidates = self.stream(run, request, &board).await?;
        let board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !board.has_thought() {
            run.degrade("reasoning");
        }
        run.note("shortest", board.told());
        let voters = board.voters();
        let mut poll = Poll::new(voting::question(request));
        for index in &voters {
            if let Some(voter) = candidates.iter().find(|own| own.index == *index) {
                poll.add(voter);
            }
        }
        let winner = shortest(&poll, &candidates, &voters);
        poll.record(run, &candidates, winner);
        Ok(run.elect(winner).await?.into())
    }
}

/// Of the answers with most votes the one that thought least; where nobody voted, the first voter
/// that is worth choosing. The voters stand in the order of their thinking.
fn shortest<'a>(poll: &Poll, candidates: &'a Candidates, voters: &[u32]) -> &'a Candidate {
    let votes = |index: &u32| {
        let voter = candidates
            .iter()
            .find(|candidate| candidate.index == *index);
        voter.map(|voter| (poll.votes_with(voter), voter))
    };
    let most = voters.iter().rev().filter_map(votes);
    let best = most.max_by_key(|(votes, _)| *votes);
    match best {
        Some((1.., voter)) => voter,
        _ => worthy(candidates).first(),
    }
}
