//! The agents and what is asked of them.

use futures_util::future::join_all;

use super::settings::{Aggregation, Settings, Sharing};
use super::solutions::Solution;
use crate::answer::Question;
use crate::chat::{ChatRequest, view};
use crate::contract::{CORRECTION, SYNTHESIS};
use crate::error::StrategyError;
use crate::kit::case::Case;
use crate::kit::choosing::voting::agree;
use crate::methods::merge::recursive_aggregation::{Size, recombine};
use crate::model::Purpose;
use crate::reasoning;
use crate::run::{Candidate, Candidates, Run, SubCall};

const EXPLORE: &str = include_str!("explore.txt");
const STRATEGIST: &str = include_str!("strategist.txt");
const STRATEGY: &str = include_str!("strategy.txt");
const ENHANCE: &str = include_str!("enhance.txt");
const IMPROVE: &str = include_str!("improve.txt");
const CONCLUDE: &str = include_str!("conclude.txt");

/// How the agents ask, in turn: temperature and reasoning effort.
const MANNERS: [(f64, &str); 3] = [(0.3, "low"), (0.6, "medium"), (1.0, "high")];
/// Temperature of recombination.
const TOGETHER: f64 = 0.7;
/// Strategies of others that an agent gets to see.
const PEERS: usize = 2;
/// Attempts that the last synthesis sees.
const LAST_ATTEMPTS: usize = 3;

/// What every agent of a run works with.
pub(super) struct Team<'a> {
    pub(super) settings: &'a Settings,
    pub(super) run: &'a Run,
    pub(super) request: &'a ChatRequest,
    pub(super) case: Case<'a>,
    pub(super) question: Question,
}

/// What the agents learned from each other.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// The strategies that were described.
    pub(super) strategies: Vec<String>,
    /// Rewritten solutions with their authors' temperatures.
    pub(super) rewritten: Vec<(Candidate, f64)>,
}

/// Something besides the candidates that a call is shown: a label and its text.
type Material = (String, String);

impl Team<'_> {
    /// One solution from each agent that succeeds, with its temperature.
    pub(super) async fn explore(&self) -> Result<Candidates, StrategyError> {
        let request = self.request.with_messages(view::with_instructions(
            self.request.messages(),
            EXPLORE.trim(),
        ));
        let calls: Vec<SubCall> = (0..self.settings.agents)
            .map(|agent| {
                let (temperature, effort) = manner(agent);
                self.answering(&request, Purpose::Candidate, temperature, effort)
            })
            .collect();
        self.run.sample_each(&calls, None).await
    }

    /// Whether so many solutions surely give the same answer that nothing is to be gained by more
    /// of them.
    pub(super) fn is_unanimous(&self, solutions: &[Candidate]) -> bool {
        let enough = self.settings.consensus.max(2) as usize;
        self.settings.stops_early && solutions.len() >= enough && agree(solutions, &self.question)
    }

    /// The population after all loops of recombination; the solutions themselves if none succeeds.
    pub(super) async fn aggregate(
        &self,
        explored: &Candidates,
    ) -> Result<Option<Candidates>, StrategyError> {
        let Some(Aggregation {
            population,
            subset,
            loops,
        }) = self.settings.aggregation
        else {
            return Ok(None);
        };
        let mut members: Option<Candidates> = None;
        for step in 0..loops {
            let before = members.as_ref().unwrap_or(explored);
            if self.is_unanimous(before) {
                break;
            }
            let requests = recombine(
                self.run,
                &self.case,
                step,
                before,
                Size { population, subset },
            );
            let calls: Vec<SubCall> = requests
                .iter()
                .map(|request| self.answering(request, Purpose::Synthesis, TOGETHER, "high"))
                .collect();
            match self.run.sample_each(&calls, None).await {
                Ok(better) => members = Some(better),
                Err(error) => {
                    self.lost(error)?;
                    break;
                }
            }
        }
        Ok(members)
    }

    /// What the agents learn from each other's solutions.
    pub(super) async fn share(&self, explored: &[Candidate]) -> Result<Learned, StrategyError> {
        let Some(Sharing {
            describes,
            rewrites,
        }) = self.settings.sharing.filter(|_| explored.len() > 1)
        else {
            return Ok(Learned::default());
        };
        let shown: Vec<String> = explored.iter().map(Candidate::shown).collect();
        let described = if describes {
            self.strategies(&shown).await
        } else {
            vec![None; shown.len()]
        };
        let strategies = described.iter().flatten().cloned().collect();
        if !rewrites {
            return Ok(Learned {
                strategies,
                rewritten: Vec::new(),
            });
        }
        let mut calls = Vec::new();
        for (at, (own, text)) in explored.iter().zip(&shown).enumerate() {
            let peers = (1..shown.len())
                .map(|step| (at + step) % shown.len())
                .take(PEERS);
            let material = peers.filter_map(|peer| {
                peer_material(
                    peer,
                    describes,
                    described.get(peer)?.as_deref(),
                    shown.get(peer)?,
                )
            });
            let material: Vec<Material> = material.collect();
            let request = self.informed(ENHANCE, std::slice::from_ref(text), &material, SYNTHESIS);
            calls.push(self.answering(
                &request,
                Purpose::Synthesis,
                0.9 * manner(own.index).0,
                "high",
            ));
        }
        let rewritten = match self.run.sample_each(&calls, None).await {
            Ok(rewritten) => Some(rewritten),
            Err(error) => {
                self.lost(error)?;
                None
            }
        };
        let author = |candidate: &Candidate| {
            explored
                .get(candidate.index as usize)
                .map_or(0, |own| own.index)
        };
        let rewritten = rewritten
            .into_iter()
            .flatten()
            .map(|candidate| (author(&candidate), candidate));
        Ok(Learned {
            strategies,
            rewritten: rewritten
                .map(|(author, candidate)| (candidate, manner(author).0))
                .collect(),
        })
    }

    /// How each solution was found; none where that could not be told.
    async fn strategies(&self, solutions: &[String]) -> Vec<Option<String>> {
        let calls = (0..).zip(solutions).map(|(index, solution)| async move {
            let call = self
                .case
                .call(
                    Purpose::Plan,
                    STRATEGIST,
                    std::slice::from_ref(solution),
                    STRATEGY,
                )
                .set("temperature", 0.3);
            let reply = self
                .run
                .complete_one(self.tuned(call, "medium"), index)
                .await;
            let reply = reply
                .inspect_err(|error| self.run.degrade(error.reason()))
                .ok()?;
            Some(reasoning::strip(&reply.message.text()).trim().to_owned())
                .filter(|text| !text.is_empty())
        });
        join_all(calls).await
    }

    /// A better version of each solution that a verifier found fault with, next to the old one;
    /// none if nothing came of it.
    pub(super) async fn improve(
        &self,
        faulty: &[Solution],
        strategies: &[String],
    ) -> Result<Option<Candidates>, StrategyError> {
        let hints = strategies
            .iter()
            .take(PEERS)
            .enumerate()
            .map(|(at, text)| (format!("strategy {}", at + 1), text.clone()));
        let hints: Vec<Material> = hints.collect();
        let calls: Vec<SubCall> = faulty
            .iter()
            .map(|solution| {
                let mut material = vec![(
                    "report".to_owned(),
                    solution.complaint().unwrap_or_default().to_owned(),
                )];
                material.extend(hints.iter().cloned());
                let request = self.informed(
                    IMPROVE,
                    &[solution.candidate.shown()],
                    &material,
                    CORRECTION,
                );
                self.answering(
                    &request,
                    Purpose::Synthesis,
                    0.8 * solution.temperature,
                    "high",
                )
            })
            .collect();
        match self.run.sample_each(&calls, None).await {
            Ok(improved) => Ok(Some(improved)),
            Err(error) => self.lost(error).map(|()| None),
        }
    }

    /// The call that makes one answer of what could not be verified.
    pub(super) fn conclusion(&self, ranked: &[&Solution]) -> SubCall {
        let best: Vec<&&Solution> = ranked.iter().take(LAST_ATTEMPTS).collect();
        let shown: Vec<String> = best
            .iter()
            .map(|solution| solution.candidate.shown())
            .collect();
        let reports = best.iter().enumerate().filter_map(|(at, solution)| {
            let report = solution.findings.as_ref()?.report.clone()?;
            Some((format!("report on candidate {}", at + 1), report))
        });
        let request = self.informed(CONCLUDE, &shown, &reports.collect::<Vec<_>>(), SYNTHESIS);
        self.answering(&request, Purpose::Synthesis, 0.3, "high")
    }

    /// The conversation with candidates and other material, and what to do with them, in its
    /// instructions.
    fn informed(
        &self,
        instructions: &str,
        candidates: &[String],
        material: &[Material],
        contract: &str,
    ) -> ChatRequest {
        let mut sections = vec![
            instructions.trim().to_owned(),
            self.case.rule(),
            self.case.numbered(candidates),
        ];
        sections.extend(
            material
                .iter()
                .map(|(label, text)| self.case.fence(label, text)),
        );
        sections.push(contract.to_owned());
        self.request.with_messages(view::with_instructions(
            self.request.messages(),
            &sections.join("\n\n"),
        ))
    }

    /// A call whose answer may become the client's.
    fn answering(
        &self,
        request: &ChatRequest,
        purpose: Purpose,
        temperature: f64,
        effort: &'static str,
    ) -> SubCall {
        let call = SubCall::answer(request, purpose).set("temperature", temperature);
        let own = request.token_limit().map(|(_, limit)| limit);
        let call = match self.settings.max_tokens {
            Some(ceiling) if own.is_none_or(|own| own > ceiling) => call.with_ceiling(ceiling),
            _ => call,
        };
        self.with_effort(call, effort)
    }

    /// A call whose answer stays inside.
    pub(super) fn tuned(&self, call: SubCall, effort: &'static str) -> SubCall {
        let call = match self.settings.max_tokens {
            Some(ceiling) => call.with_ceiling(ceiling),
            None => call,
        };
        self.with_effort(call, effort)
    }

    fn with_effort(&self, call: SubCall, effort: &'static str) -> SubCall {
        let is_free = self.settings.sets_effort && self.request.get("reasoning_effort").is_none();
        if is_free {
            call.set("reasoning_effort", effort)
        } else {
            call
        }
    }

    /// A step failed that can be done without.
    fn lost(&self, error: StrategyError) -> Result<(), StrategyError> {
        if matches!(error, StrategyError::Gone) {
            return Err(error);
        }
        self.run.degrade(error.reason());
        Ok(())
    }
}

/// The temperature and the effort of an agent.
pub(super) fn manner(agent: u32) -> (f64, &'static str) {
    let [first, second, third] = MANNERS;
    match agent % 3 {
        0 => first,
        1 => second,
        _ => third,
    }
}

/// What an agent sees of another: its strategy if strategies are described, else its solution.
fn peer_material(
    peer: usize,
    describes: bool,
    strategy: Option<&str>,
    solution: &str,
) -> Option<Material> {
    match (describes, strategy) {
        (true, strategy) => Some((format!("strategy {}", peer + 1), strategy?.to_owned())),
        (false, _) => Some((format!("solution {}", peer + 1), solution.to_owned())),
    }
}
