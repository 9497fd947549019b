//! `mars`: agents that answer independently, recombine their solutions, learn from each other,
//! verify and improve.
//!
//! Source: OptiLLM's MARS; there is no paper of its own. Its parts: Huang and Yang, *Gemini 2.5 Pro
//! Capable of Winning Gold at IMO 2025* (2025, arXiv 2507.15855) for verifying and improving by
//! reports; Venkatraman et al., *Recursive Self-Aggregation* (2025, arXiv 2509.26626) for
//! recombining.
//!
//! 1. `num_agents` solutions, at temperatures .3, .6, 1. If all surely agree, steps 2 and 3 are
//!    left out.
//! 2. `aggregation_loops` times: `population_size` new solutions, each from `aggregation_size`
//!    random members of the population before.
//! 3. Meanwhile each agent's strategy is described, and each agent rewrites its solution knowing
//!    two others' strategies.
//! 4. What these made is verified: `verification_passes_required` verdicts in favour, asked for at
//!    once, and none against.
//! 5. While fewer than `min_verified_solutions` are: those with a fault are improved by the report,
//!    and what is new is verified; `max_iterations` times.
//! 6. The answer most verified solutions give; without any, one on which `consensus_threshold`
//!    solutions agree, weighed by their verdicts; else one call that makes an answer of the best
//!    three and the reports on them.
//!
//! Settings are the members of `mars_config`. Departures from OptiLLM: verifiers never know whose
//! solution they read; what is verified stays so; a verdict is a line, not a word in a report; a
//! client's small limit on tokens changes no setting (`lightweight` does); a limit on tokens is
//! sent only if `max_tokens` is set; `reasoning_effort` is the only way in which effort is asked
//! for; problems are not sorted into kinds of mathematics. Where the question asks for a short
//! answer or for code and the solution states it, that stands apart from the solution
//! (`use_thinking_tags`, `answer_extraction_mode`); any other text is returned as it is. The
//! client's temperature is not used.
//!
//! Agents that fail are missing. A step that fails is left out and the run degraded; if every agent
//! of the first step fails, so does the run. What could not be verified for want of verdicts still
//! votes.
//!
//! Calls with defaults 45 (3 + 6·3 + 2·3 + 9·2), depth 5; each iteration up to 9·(1 + 2) calls and
//! 2 depth more; the last synthesis 1. `lightweight`: 4 calls, depth 2. The last synthesis streams
//! if nothing is to be extracted from it; otherwise the answer is replayed.

mod extraction;
mod settings;
mod solutions;
mod team;
mod verdict;
mod verification;

use self::settings::{CONFIG, Settings};
use self::solutions::Solutions;
use self::team::{Learned, Team, manner};
use crate::chat::ChatRequest;
use crate::demand::{Demand, OUTPUT_ESTIMATE, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::voting;
use crate::params::Params;
use crate::run::{Answer, Candidate, Run, SubCall};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

pub(crate) const ENTRY: Entry = Entry {
    slug: "mars",
    name: "multi-agent reasoning (MARS)",
    summary: "agents answer, recombine, learn from each other, verify and improve; a verified \
        answer is returned",
    paper: "verification and refinement, arXiv 2507.15855; Recursive Self-Aggregation, arXiv \
        2509.26626",
    params: &[&[CONFIG]],
    cost: "num_agents × 3 + population_size × aggregation_loops + (population_size + num_agents) × \
        verification_passes_required calls, depth 2 + \
           aggregation_loops; each iteration: up to (population_size + num_agents) × (1 + \
           verification_passes_required) calls and 2 depth more",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(MultiAgentReasoning::new(params)?)),
};

struct MultiAgentReasoning {
    settings: Settings,
}

impl MultiAgentReasoning {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            settings: Settings::read(params)?,
        })
    }

    /// Everything up to the first verification, and the strategies that were described.
    async fn gather(&self, team: &Team<'_>) -> Result<(Solutions, Vec<String>), StrategyError> {
        let explored = team.explore().await?;
        let mut solutions = Solutions::new(team.question.clone());
        let (
            aggregated,
            Learned {
                strategies,
                rewritten,
            },
        ) = if team.is_unanimous(&explored) {
            (None, Learned::default())
        } else {
            let (aggregated, learned) =
                tokio::join!(team.aggregate(&explored), team.share(&explored));
            (aggregated?, learned?)
        };
        for candidate in explored {
            let temperature = manner(candidate.index).0;
            // What was recombined is superseded by what came of it.
            solutions.add(candidate, temperature, aggregated.is_none());
        }
        for candidate in aggregated.into_iter().flatten() {
            solutions.add(candidate, manner(1).0, true);
        }
        for (candidate, temperature) in rewritten {
            solutions.add(candidate, temperature, true);
        }
        Ok((solutions, strategies))
    }

    /// Verifies, and improves what is found faulty.
    async fn refine(
        &self,
        team: &Team<'_>,
        solutions: &mut Solutions,
        strategies: &[String],
    ) -> Result<(), StrategyError> {
        team.verify(solutions).await;
        for _ in 0..self.settings.iterations {
            let faulty = solutions.with_complaints();
            if team.is_enough(solutions) || faulty.is_empty() {
                return Ok(());
            }
            let Some(improved) = team.improve(&faulty, strategies).await? else {
                return Ok(());
            };
            for candidate in improved {
                if let Some(old) = faulty.get(candidate.index as usize) {
                    solutions.supersede(old.id, candidate);
                }
            }
            team.verify(solutions).await;
        }
        Ok(())
    }

    /// The answer that the solutions give, or one that is made of them.
    async fn conclude(
        &self,
        team: &Team<'_>,
        solutions: &Solutions,
    ) -> Result<Answer, StrategyError> {
        if let Some(elected) = solutions.elected(self.settings.consensus) {
            solutions.record(team.run, Some(elected));
            return self.hand_over(team, elected).await;
        }
        let ranked = solutions.ranked();
        solutions.record(team.run, None);
        let call = team.conclusion(&ranked);
        let made = if extraction::applies(&self.settings, team.request, &team.question) {
            self.set_apart(team, call).await
        } else {
            team.run.respond(call).await
        };
        match (made, ranked.first()) {
            (Ok(answer), _) => Ok(answer),
            (Err(error), Some(best)) if !error.is_final() => {
                team.run.degrade("synthesis");
                team.run.degrade(error.reason());
                self.hand_over(team, &best.candidate).await
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Makes an answer and sets what it concludes apart.
    async fn set_apart(&self, team: &Team<'_>, call: SubCall) -> Result<Answer, StrategyError> {
        let Candidate { choice, usage, .. } = team.run.candidate(&call, 0).await?;
        let choice = extraction::set_apart(&self.settings, choice, &team.question);
        team.run.emit(choice, usage).await
    }

    async fn hand_over(
        &self,
        team: &Team<'_>,
        candidate: &Candidate,
    ) -> Result<Answer, StrategyError> {
        let mut choice = candidate.choice.clone();
        if extraction::applies(&self.settings, team.request, &team.question) {
            choice = extraction::set_apart(&self.settings, choice, &team.question);
        }
        team.run.emit(choice, candidate.usage).await
    }
}

impl Strategy for MultiAgentReasoning {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let Settings {
            agents,
            iterations,
            passes,
            attempts,
            aggregation,
            sharing,
            ..
        } = self.settings;
        let Tokens { input, output } = Tokens::of(request);
        let making = |seen: u32| Tokens {
            output,
            ..Tokens::of_reading(request, seen)
        };
        let aggregated = aggregation.map_or(Demand::default(), |aggregation| {
            let step = Demand::step(aggregation.population, making(aggregation.subset));
            (0..aggregation.loops).fold(Demand::default(), |whole, _| whole.then(step))
        });
        let shared = sharing
            .filter(|_| agents > 1)
            .map_or(Demand::default(), |sharing| {
                let described = if sharing.describes {
                    Demand::step(agents, Tokens::of_reading(request, 1))
                } else {
                    Demand::default()
                };
                if sharing.rewrites {
                    described.then(Demand::step(agents, making(3)))
                } else {
                    described
                }
            });
        let solutions = self.settings.solutions();
        let verified = |attempts: u32| {
            Demand::step(
                solutions.saturating_mul(attempts),
                Tokens::of_reading(request, 1),
            )
        };
        let explored = Demand::step(
            agents,
            Tokens {
                input: input.saturating_add(OUTPUT_ESTIMATE / 4),
                output,
            },
        );
        let whole = explored
            .then(aggregated.beside(shared))
            .then(verified(passes));
        let verifications = solutions.saturating_mul(attempts);
        let round = solutions.saturating_add(verifications);
        let spare = verifications - solutions.saturating_mul(passes);
        let max_calls = whole
            .calls
            .saturating_add(spare)
            .saturating_add(round.saturating_mul(iterations))
            .saturating_add(1);
        Demand { max_calls, ..whole }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let team = Team {
            settings: &self.settings,
            run,
            request,
            case: Case::new(run, request),
            question: voting::question(request),
        };
        let (mut solutions, strategies) = self.gather(&team).await?;
        self.refine(&team, &mut solutions, &strategies).await?;
        Ok(self.conclude(&team, &solutions).await?.into())
    }
}
