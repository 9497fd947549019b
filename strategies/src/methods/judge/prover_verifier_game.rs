//! `pvg`: solutions, and decoys that try the verifier who chooses among the solutions.
//!
//! Paper: Kirchner et al., *Prover-Verifier Games improve legibility of LLM outputs* (2024, arXiv
//! 2407.13692), of which the roles are taken; its training is not.
//!
//! 1. `num_solutions` helpful solutions, which are to be easy to check, and at the same time as
//!    many decoys, which look right and are wrong.
//! 2. A verifier rates every one from 0 to 10, by itself and without knowing what it is
//!    (`pvg_votes` times; the mean counts).
//! 3. If the best solution has at least 9 and more than every decoy, it is the answer.
//! 4. Otherwise, up to `num_rounds` rounds: the best solution is revised in the light of the
//!    verifier's objections, and the revisions are verified. If decoys were rated as high as
//!    solutions, the verifier is not to be believed: from then on it solves the task itself before
//!    it compares, and everything is verified anew.
//! 5. The best rated solution or revision wins; of equals the more frequent wording, then the
//!    first. A verifier who takes decoys for solutions even then decides nothing: the answer that
//!    most solutions give wins.
//!
//! Departures: the paper trains prover and verifier; here one model plays all parts. OptiLLM may
//! return a decoy, and rewrites the user's question between rounds; here decoys are never answers
//! and the question stays.
//!
//! Without decoys the verifier is taken at its word. What cannot be rated is out, unless nothing
//! can: then agreement decides (`judge`). At the end of the budget or at the deadline the best
//! solution so far is given.
//!
//! Calls 2 + 2k·v in the first round, 1 + k·v in each further one, for k solutions and v votes (k −
//! 1 more per wave of solutions where the upstream ignores `n`; all verified anew once if need be);
//! depth 2 per round. The winner is replayed as a stream.

mod verifier;

use futures_util::future::join;

use self::verifier::{Guidance, Solution, Verifier, gap};
use crate::chat::{ChatRequest, view};
use crate::contract::{DECOY, SYNTHESIS};
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::record;
use crate::kit::choosing::voting::most_agreed;
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Candidate, Candidates, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const HELPFUL: &str = include_str!("prover_verifier_game/helpful.txt");
const SNEAKY: &str = include_str!("prover_verifier_game/sneaky.txt");
const REVISE: &str = include_str!("prover_verifier_game/revise.txt");

/// A rating that needs no further round.
const ENOUGH: f64 = 9.0;

const NUM_ROUNDS: ParamSpec = ParamSpec {
    name: "num_rounds",
    kind: ParamKind::Integer {
        default: 2,
        min: 1,
        max: 8,
    },
    help: "most rounds",
};
const NUM_SOLUTIONS: ParamSpec = ParamSpec {
    name: "num_solutions",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 16,
    },
    help: "solutions, and as many decoys; then revisions per round",
};
const VOTES: ParamSpec = ParamSpec {
    name: "pvg_votes",
    kind: ParamKind::Integer {
        default: 1,
        min: 1,
        max: 8,
    },
    help: "verdicts per solution, of which the mean counts",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "pvg",
    name: "prover-verifier game",
    summary: "solutions and decoys are verified blindly, the best solution is revised; decoys only \
        test the verifier",
    paper: "Prover-Verifier Games improve legibility of LLM outputs, arXiv 2407.13692",
    params: &[&[NUM_ROUNDS, NUM_SOLUTIONS, VOTES]],
    cost: "2 + 2 × num_solutions × pvg_votes calls, 1 + num_solutions × pvg_votes in each further \
        round, depth 2 per round; early stop after the \
           first: depth 2",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(ProverVerifierGame::new(params)?)),
};

struct ProverVerifierGame {
    rounds: u32,
    solutions: u32,
    votes: u32,
}

/// A game under way.
struct Game<'a> {
    run: &'a Run,
    request: &'a ChatRequest,
    verifier: Verifier<'a>,
    solutions: Vec<Solution>,
    decoys: Vec<Solution>,
}

impl ProverVerifierGame {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            rounds: NUM_ROUNDS.integer(params)?,
            solutions: NUM_SOLUTIONS.integer(params)?,
            votes: VOTES.integer(params)?,
        })
    }

    /// The first round.
    async fn open<'a>(
        &self,
        run: &'a Run,
        request: &'a ChatRequest,
    ) -> Result<(Game<'a>, Candidates), StrategyError> {
        let ask = |instructions: &str, purpose| {
            let messages = view::with_instructions(request.messages(), instructions.trim());
            SubCall::answer(request, purpose)
                .with_messages(messages)
                .diverse(0.7)
        };
        // A word about form could spoil one that a program reads.
        let is_bare = request.wants_json() || request.uses_tools();
        let plain = SubCall::answer(request, Purpose::Candidate).diverse(0.7);
        let helpful = if is_bare {
            plain
        } else {
            ask(HELPFUL, Purpose::Candidate)
        };
        let sneaky = ask(&format!("{}\n\n{DECOY}", SNEAKY.trim()), Purpose::Adversary);
        let (helpful, sneaky) = join(
            run.sample(&helpful, self.solutions, None),
            run.sample(&sneaky, self.solutions, None),
        )
        .await;
        let helpful = helpful?;
        let decoys = match sneaky {
            Ok(sneaky) => Solution::of(&sneaky),
            Err(error) => {
                run.degrade(error.reason());
                Vec::new()
            }
        };
        let verifier = Verifier {
            run,
            case: Case::new(run, request),
            guidance: Guidance::Plain,
            votes: self.votes,
            next: 0,
        };
        let mut game = Game {
            run,
            request,
            verifier,
            solutions: Solution::of(&helpful),
            decoys,
        };
        game.verifier
            .verify(game.solutions.iter_mut().chain(&mut game.decoys).collect())
            .await;
        Ok((game, helpful))
    }
}

impl Game<'_> {
    /// The best rated solution; of equals the more frequent wording, then the first.
    fn best(&self) -> Option<&Solution> {
        let rated = self
            .solutions
            .iter()
            .filter_map(|solution| Some((solution.score?, solution)));
        let best = rated
            .rev()
            .max_by(|(left, a), (right, b)| left.total_cmp(right).then(a.size.cmp(&b.size)));
        best.map(|(_, solution)| solution)
    }

    fn is_settled(&self) -> bool {
        let Some(score) = self.best().and_then(|best| best.score) else {
            return true;
        };
        score >= ENOUGH
            && self
                .decoys
                .iter()
                .filter_map(|decoy| decoy.score)
                .all(|decoy| decoy < score)
    }

    /// Whether decoys are rated as high as solutions.
    fn is_deceived(&self) -> bool {
        gap(&self.solutions, &self.decoys).is_some_and(|gap| gap <= 0.0)
    }

    /// A further round: `k` revisions of the best solution, numbered from `first`, verified.
    async fn revise(&mut self, k: u32, first: u32) -> Result<(), StrategyError> {
        let Some(best) = self.best() else {
            return Ok(());
        };
        let case = &self.verifier.case;
        let mut sections = vec![
            REVISE.trim().to_owned(),
            case.rule(),
            case.numbered(&[best.candidate.shown()]),
        ];
        if !best.objections.is_empty() {
            sections.push(case.fence("objections", &best.objections));
        }
        sections.push(SYNTHESIS.to_owned());
        let messages = view::with_instructions(self.request.messages(), &sections.join("\n\n"));
        let call = SubCall::answer(self.request, Purpose::Candidate)
            .with_messages(messages)
            .diverse(0.6);
        let mut revised = self.run.sample(&call, k, None).await?;
        for candidate in revised.iter_mut() {
            candidate.index += first;
        }
        let is_deceived = self.verifier.guidance == Guidance::Plain && self.is_deceived();
        let from = self.solutions.len();
        self.solutions.extend(Solution::of(&revised));
        if is_deceived {
            self.run.note(
                "verifier",
                "it rated decoys as high as solutions and now solves the task first",
            );
            self.verifier.guidance = Guidance::Guided;
            self.verifier
                .verify(self.solutions.iter_mut().chain(&mut self.decoys).collect())
                .await;
        } else {
            self.verifier
                .verify(self.solutions.iter_mut().skip(from).collect())
                .await;
        }
        Ok(())
    }

    /// The answer, in the light of how far the verifier can be believed.
    fn winner(&self, first: &Candidates) -> Candidate {
        let believed = self.verifier.guidance == Guidance::Plain || !self.is_deceived();
        if let Some(best) = self.best().filter(|_| believed) {
            return best.candidate.clone();
        }
        if !believed {
            self.run.note(
                "verifier",
                "it cannot tell decoys from solutions; agreement decides",
            );
        }
        most_agreed(self.request, first).clone()
    }
}

impl Strategy for ProverVerifierGame {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let reading = Tokens::of_reading(request, 1);
        let wave = Demand::candidates(self.solutions, request);
        let verdicts = self.solutions.saturating_mul(self.votes);
        let mut whole = wave
            .beside(wave)
            .then(Demand::verdicts(verdicts.saturating_mul(2), reading));
        for _ in 1..self.rounds {
            whole = whole.then(wave).then(Demand::verdicts(verdicts, reading));
        }
        if self.rounds > 1 {
            // Everything verified anew, beside the last round's own.
            let anew = verdicts.saturating_mul(self.rounds);
            whole.max_calls = whole.max_calls.saturating_add(anew.saturating_mul(2));
            whole.parallel = whole.parallel.max(anew.saturating_add(verdicts));
        }
        whole
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let (mut game, candidates) = self.open(run, request).await?;
        for round in 1..self.rounds {
            if game.is_settled() {
                break;
            }
            if let Err(error) = game.revise(self.solutions, self.solutions * round).await {
                run.degrade(error.reason());
                break;
            }
        }
        if game
            .solutions
            .iter()
            .any(|solution| solution.score.is_none())
        {
            run.degrade("judge");
        }
        let winner = game.winner(&candidates);
        run.record(
            game.solutions
                .iter()
                .map(|solution| record(&solution.candidate, None, solution.score, Some(&winner))),
        );
        Ok(run.elect(&winner).await?.into())
    }
}
