//! `knockout`: candidates meet in pairs, each pair is compared several times, the winner goes on.
//!
//! Paper: Chen et al., *Provable Scaling Laws for the Test-Time Compute of Large Language Models*
//! (2024, arXiv 2411.19477), the knockout algorithm.
//!
//! 1. `knockout_candidates` (N) candidates of one request vote: an answer that more give than any
//!    other is returned. Else one candidate for each of the `judge_top` leading answers plays, in a
//!    random order; with `judge_always` all candidates do, whatever the vote.
//! 2. Neighbours meet; a pair is compared `knockout_comparisons` (K) times at once, and the one
//!    that wins more comparisons goes on. A candidate without a partner goes on alone.
//! 3. So on until one is left, after ⌈log2 N⌉ rounds.
//!
//! **Theorem** (its first). If a candidate is right with probability p_gen > 0, and one comparison
//! of a right with a wrong one names the right one with probability p_comp > ½, all independently,
//! then P(the answer is wrong) ≤ (1 − p_gen)^N + ⌈log2 N⌉ · exp(−2K(p_comp − ½)²). The first term
//! is the chance that no candidate is right; the second, by Hoeffding's inequality, that a right
//! one loses one of its matches. More candidates alone leave the second term, more comparisons
//! alone the first.
//!
//! The theorem is about all N candidates, so it holds with `judge_always`. By default the vote
//! comes first: that most candidates agree says more than most judges do.
//!
//! Departures: which of a pair stands first is drawn anew for the first comparison and alternates
//! with each further one, so that a judge who prefers a place gains nothing by it; two that surely
//! give the same answer are not compared, and the earlier goes on. An even match, which the paper
//! decides by a coin, goes to the answer with more votes, else to the earlier one; of the two
//! comparisons by default it is one in which the judge changed its mind with the order. Candidates
//! cut off or empty compete only if there are no others. A match in which no verdict could be read
//! is even, and the run is degraded (`judge`).
//!
//! Calls 1 + K(t − 1) for t answers, at most `judge_top` (N + K(t − 1) where the upstream ignores
//! `n`; 1 where the vote decides), depth 1 + ⌈log2 t⌉. The winner is replayed as a stream.

use std::cmp::{Ordering, Reverse};

use futures_util::future::join_all;
use rand::Rng;
use rand::seq::SliceRandom;

use crate::answer::Question;
use crate::chat::ChatRequest;
use crate::contract::BEST_CANDIDATE;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::leaders::{clusters, contested, most_contested};
use crate::kit::choosing::selection::{record, worthy};
use crate::kit::choosing::voting::{self, Poll, agree};
use crate::kit::reading::verdict::parse_best;
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::run::{Candidate, Candidates, Judging, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const ROLE: &str = include_str!("knockout/role.txt");
const WANTED: &str = include_str!("knockout/wanted.txt");

const CANDIDATES: ParamSpec = ParamSpec {
    name: "knockout_candidates",
    kind: ParamKind::Integer {
        default: 8,
        min: 2,
        max: 32,
    },
    help: "candidates",
};
const COMPARISONS: ParamSpec = ParamSpec {
    name: "knockout_comparisons",
    kind: ParamKind::Integer {
        default: 2,
        min: 1,
        max: 15,
    },
    help: "comparisons of each pair",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "knockout",
    name: "knockout tournament",
    summary: "candidates meet in pairs, each pair is compared several times, the winner goes on",
    paper: "Provable Scaling Laws for the Test-Time Compute of Large Language Models, arXiv \
        2411.19477",
    params: &[&[CANDIDATES, COMPARISONS]],
    cost: "1 + knockout_comparisons × (judge_top - 1) calls (knockout_candidates - 1 more where n \
        is ignored; 1 where a vote decides), depth 1 + ⌈log2 judge_top⌉; judge_always: \
        knockout_candidates in place of judge_top",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(Knockout::new(params)?)),
};

struct Knockout {
    candidates: u32,
    comparisons: u32,
    judging: Judging,
}

/// Everything that a match needs but its players.
struct Arena<'a> {
    run: &'a Run,
    case: Case<'a>,
    question: Question,
    comparisons: u32,
}

impl Knockout {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            candidates: CANDIDATES.integer(params)?,
            comparisons: COMPARISONS.integer(params)?,
            judging: Judging::read(params)?,
        })
    }

    /// Those between whom the vote is open; all of them if judges are always asked.
    fn players<'a>(&self, question: &Question, candidates: &'a Candidates) -> NonEmpty<Player<'a>> {
        if self.judging.always {
            return worthy(candidates).map(|candidate| Player {
                candidate,
                votes: 1,
            });
        }
        let poll = Poll::of(question.clone(), candidates);
        let rivals = contested(clusters(question, &poll, candidates), self.judging);
        rivals.map(|cluster| Player {
            candidate: cluster.first,
            votes: cluster.size,
        })
    }
}

/// A candidate, and how many give its answer.
#[derive(Clone, Copy)]
struct Player<'a> {
    candidate: &'a Candidate,
    votes: usize,
}

impl Arena<'_> {
    /// The winners of `round`, in the order of their matches.
    async fn round<'a>(&self, round: u32, players: NonEmpty<Player<'a>>) -> NonEmpty<Player<'a>> {
        let pairs = players.pairs();
        let matches = pairs.map_numbered(|number, (left, right)| async move {
            match right {
                Some(right) => self.winner(round, number, left, right).await,
                None => left,
            }
        });
        matches.joined().await
    }

    async fn winner<'a>(
        &self,
        round: u32,
        number: u32,
        left: Player<'a>,
        right: Player<'a>,
    ) -> Player<'a> {
        let rank = |player: &Player<'_>| (Reverse(player.votes), player.candidate.index);
        let (earlier, later) = if rank(&left) <= rank(&right) {
            (left, right)
        } else {
            (right, left)
        };
        let pair = [earlier.candidate, later.candidate];
        let texts = pair.map(Candidate::shown);
        if texts[0] == texts[1] || agree(pair, &self.question) {
            return earlier;
        }
        let begins = self
            .run
            .rng(&format!("match {number} of round {round}"))
            .random_bool(0.5);
        let asked = (0..self.comparisons).map(|time| {
            let is_turned = begins ^ (time % 2 == 1);
            self.compare(&texts, is_turned, number * self.comparisons + time)
        });
        let wins: Vec<bool> = join_all(asked).await.into_iter().flatten().collect();
        if wins.is_empty() {
            self.run.degrade("judge");
        }
        let for_later = wins.iter().filter(|later_won| **later_won).count();
        match for_later.cmp(&(wins.len() - for_later)) {
            Ordering::Greater => later,
            Ordering::Equal | Ordering::Less => earlier,
        }
    }

    /// Whether the second of `texts` wins a comparison in which it stands first if `is_turned`.
    async fn compare(
        &self,
        [first, second]: &[String; 2],
        is_turned: bool,
        index: u32,
    ) -> Option<bool> {
        let shown = if is_turned {
            [second.clone(), first.clone()]
        } else {
            [first.clone(), second.clone()]
        };
        // The same judge asked the same again must be free to answer differently.
        let temperature = if self.comparisons <= 2 { 0.0 } else { 1.0 };
        let call = self
            .case
            .verdict(ROLE, &shown, WANTED, BEST_CANDIDATE)
            .set("temperature", temperature);
        let call = call.numbered(i64::from(index));
        let choice = self
            .run
            .judge(&call, index, BEST_CANDIDATE, |reply| parse_best(reply, 2))
            .await?;
        Some((choice == 1) != is_turned)
    }
}

impl Strategy for Knockout {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let mut whole = Demand::candidates(self.candidates, request);
        let mut left = if self.judging.always {
            self.candidates
        } else {
            most_contested(self.candidates, self.judging)
        };
        while left > 1 {
            whole = whole.then(Demand::verdicts(
                left / 2 * self.comparisons,
                Tokens::of_reading(request, 2),
            ));
            left = left.div_ceil(2);
        }
        whole
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate).diverse(1.0);
        let candidates = run.sample(&call, self.candidates, None).await?;
        let question = voting::question(request);
        let mut players = self.players(&question, &candidates);
        players.shuffle(&mut run.rng("order"));
        let indices = |players: &NonEmpty<Player<'_>>| {
            let indices = players.iter().map(|player| player.candidate.index);
            indices.collect::<Vec<_>>()
        };
        run.note("order", indices(&players));
        let arena = Arena {
            run,
            case: Case::new(run, request),
            question,
            comparisons: self.comparisons,
        };
        let mut round = 1;
        while players.len().get() > 1 {
            players = arena.round(round, players).await;
            run.note("winners", indices(&players));
            round += 1;
        }
        let winner = players.into_first().candidate;
        run.record(
            candidates
                .iter()
                .map(|candidate| record(candidate, None, None, Some(winner))),
        );
        Ok(run.elect(winner).await?.into())
    }
}
