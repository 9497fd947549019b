//! `pdr`: drafts side by side, distilled into short notes, from which the next drafts and at last
//! the answer are written.
//!
//! Paper: Madaan et al., *Rethinking Thinking Tokens: LLMs as Improvement Operators* (2025, arXiv
//! 2510.01123), parallel-distill-refine; with one draft per round it is the paper's sequential
//! refinement.
//!
//! For `pdr_rounds` (R) rounds:
//! 1. `pdr_drafts` (M) drafts, from the second round on with the notes in their instructions.
//!    Earlier drafts are not shown again.
//! 2. One call distils the drafts into a workspace of at most `pdr_workspace_tokens`: results, what
//!    supports them, contradictions, open points.
//!
//! Then one call writes the answer from the conversation and the last workspace. The context of a
//! call is bounded by the workspace, however many drafts are spent: that is the point of the
//! method.
//!
//! The paper's rounds, the workspace that does not outlive its round, and the single last draft are
//! kept; the numbers and the prompts are ours, and of the paper's ways to distil this is the
//! summary of all drafts. Notes that are too long lose their middle, since they end with the
//! result. Drafts that fail are missing. Where the notes fail, the drafts themselves, cut
//! to the same room, take their place (`distillation`); where the answer cannot, the last drafts
//! vote, else the first sound one is given (`synthesis`).
//!
//! Calls 2R + 1 (R(M + 1) + 1 where the upstream ignores `n`), depth 2R + 1. The answer streams.

use crate::chat::{ChatRequest, view};
use crate::contract::WORKSPACE;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::worthy;
use crate::kit::choosing::voting::{self, Poll};
use crate::kit::reading::folding::BYTES_PER_TOKEN;
use crate::model::Purpose;
use crate::params::Params;
use crate::reasoning;
use crate::run::{Candidate, Candidates, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const EDITOR: &str = include_str!("parallel_distill_refine/editor.txt");
const DISTILL: &str = include_str!("parallel_distill_refine/distill.txt");
const REFINE: &str = include_str!("parallel_distill_refine/refine.txt");

/// What stands for the middle of a text that is too long.
const GAP: &str = "\n[…]\n";

const ROUNDS: ParamSpec = ParamSpec {
    name: "pdr_rounds",
    kind: ParamKind::Integer {
        default: 2,
        min: 1,
        max: 6,
    },
    help: "rounds of drafts before the answer",
};
const DRAFTS: ParamSpec = ParamSpec {
    name: "pdr_drafts",
    kind: ParamKind::Integer {
        default: 4,
        min: 1,
        max: 16,
    },
    help: "drafts in each round",
};
const WORKSPACE_TOKENS: ParamSpec = ParamSpec {
    name: "pdr_workspace_tokens",
    kind: ParamKind::Integer {
        default: 1024,
        min: 64,
        max: 16_384,
    },
    help: "most tokens of the notes that a round leaves to the next",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "pdr",
    name: "parallel-distill-refine",
    summary: "rounds of drafts side by side, each distilled into short notes from which the next \
        are written",
    paper: "Rethinking Thinking Tokens: LLMs as Improvement Operators, arXiv 2510.01123",
    params: &[&[ROUNDS, DRAFTS, WORKSPACE_TOKENS]],
    cost: "2 × pdr_rounds + 1 calls (pdr_drafts - 1 more per round where n is ignored), depth 2 × \
        pdr_rounds + 1",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(ParallelDistillRefine::new(params)?)),
};

struct ParallelDistillRefine {
    rounds: u32,
    drafts: u32,
    workspace_tokens: u32,
}

impl ParallelDistillRefine {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            rounds: ROUNDS.integer(params)?,
            drafts: DRAFTS.integer(params)?,
            workspace_tokens: WORKSPACE_TOKENS.integer(params)?,
        })
    }

    /// Room for the notes, in bytes.
    fn room(&self) -> usize {
        usize::try_from(self.workspace_tokens)
            .unwrap_or(usize::MAX)
            .saturating_mul(BYTES_PER_TOKEN)
    }

    /// The notes on `drafts`.
    async fn distil(&self, run: &Run, case: &Case<'_>, drafts: &Candidates, round: u32) -> String {
        let texts: Vec<String> = worthy(drafts).into_iter().map(Candidate::shown).collect();
        // A word is about 4/3 of a token.
        let wanted = DISTILL.replace("{words}", &(self.workspace_tokens / 4 * 3).to_string());
        let call = case
            .call(Purpose::Plan, EDITOR, &texts, &wanted)
            .default_temperature(0.3);
        let reply = run
            .complete_one(call, round - 1)
            .await
            .inspect_err(|error| run.degrade(error.reason()));
        let notes = reply
            .map(|choice| reasoning::strip(&choice.message.text()).trim().to_owned())
            .unwrap_or_default();
        if !notes.is_empty() {
            return within(&notes, self.room());
        }
        run.degrade("distillation");
        let share = self.room() / texts.len().max(1);
        texts
            .iter()
            .map(|text| within(text, share))
            .collect::<Vec<_>>()
            .join("\n\n")
    }

    /// The last workspace, and the last drafts.
    async fn think(
        &self,
        run: &Run,
        request: &ChatRequest,
    ) -> Result<(String, Candidates), StrategyError> {
        let case = Case::new(run, request);
        let ask = |request: &ChatRequest| SubCall::answer(request, Purpose::Candidate).diverse(1.0);
        let mut drafts = run.sample(&ask(request), self.drafts, None).await?;
        let mut workspace = self.distil(run, &case, &drafts, 1).await;
        for round in 2..=self.rounds {
            match run
                .sample(
                    &ask(&informed(&case, request, &workspace)),
                    self.drafts,
                    None,
                )
                .await
            {
                Ok(better) => drafts = better,
                Err(error @ StrategyError::Gone) => return Err(error),
                Err(error) => {
                    run.degrade(error.reason());
                    break;
                }
            }
            workspace = self.distil(run, &case, &drafts, round).await;
        }
        Ok((workspace, drafts))
    }
}

/// The conversation with the notes, and what to do with them, in its instructions.
fn informed(case: &Case<'_>, request: &ChatRequest, workspace: &str) -> ChatRequest {
    let text = [
        REFINE.trim(),
        &case.rule(),
        &case.fence(WORKSPACE, workspace),
    ]
    .join("\n\n");
    request.with_messages(view::with_instructions(request.messages(), &text))
}

/// `text` in at most `room` bytes: if it is longer, its beginning and its end.
fn within(text: &str, room: usize) -> String {
    if text.len() <= room {
        return text.to_owned();
    }
    let half = room.saturating_sub(GAP.len()) / 2;
    let (head, _) = text.split_at(text.floor_char_boundary(half));
    let (_, tail) = text.split_at(text.ceil_char_boundary(text.len() - half));
    format!("{head}{GAP}{tail}")
}

/// What the drafts elect, after the answer could not be made from them.
async fn settle(
    run: &Run,
    request: &ChatRequest,
    drafts: &Candidates,
    error: StrategyError,
) -> Result<Output, StrategyError> {
    if error.is_final() {
        return Err(error);
    }
    let poll = Poll::of(voting::question(request), drafts);
    let elected = poll.elected(drafts);
    run.degrade("synthesis");
    run.degrade(error.reason());
    poll.record(run, drafts, elected);
    Ok(run.elect(elected).await?.into())
}

impl Strategy for ParallelDistillRefine {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let workspace = u64::from(self.workspace_tokens);
        let reading = Tokens {
            output: workspace,
            ..Tokens::of_reading(request, self.drafts)
        };
        let drafts = Demand::candidates(self.drafts, request);
        let mut whole = drafts.then(Demand::step(1, reading));
        for _ in 2..=self.rounds {
            let later = Demand {
                total_tokens: drafts.total_tokens.saturating_add(workspace),
                ..drafts
            };
            whole = whole.then(later).then(Demand::step(1, reading));
        }
        let Tokens { input, output } = Tokens::of(request);
        whole.then(Demand::step(
            1,
            Tokens {
                input: input.saturating_add(workspace),
                output,
            },
        ))
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let (workspace, drafts) = self.think(run, request).await?;
        run.note("workspace", workspace.as_str());
        let case = Case::new(run, request);
        match run
            .respond(SubCall::answer(
                &informed(&case, request, &workspace),
                Purpose::Synthesis,
            ))
            .await
        {
            Ok(answer) => {
                run.record(
                    drafts.iter().map(|draft| {
                        crate::kit::choosing::selection::record(draft, None, None, None)
                    }),
                );
                Ok(answer.into())
            }
            Err(error) => settle(run, request, &drafts, error).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_too_long_keeps_its_beginning_and_its_end(text in "\\PC{0,80}",
            room in 20_usize..60) {
            let kept = within(&text, room);
            prop_assert!(kept.len() <= room);
            let (head, tail) = kept.split_once(GAP).unwrap_or((kept.as_str(), ""));
            prop_assert!(text.starts_with(head) && text.ends_with(tail));
            prop_assert!(kept == text || text.len() > room);
        }
    }
}
