//! The search: rollouts through the tree, and the second reading of what they arrive at.

use futures_util::future::join_all;

use super::leaf::Leaf;
use super::tree::{Action, Next, ROOT, Tree};
use crate::answer::Question;
use crate::chat::{ChatRequest, view};
use crate::error::StrategyError;
use crate::kit::case::Case;
use crate::kit::choosing::rating::rate;
use crate::kit::choosing::voting::Poll;
use crate::model::Purpose;
use crate::reasoning;
use crate::run::{Ballot, Candidate, Candidates, Run, SubCall};

const ROLE: &str = include_str!("role.txt");
const ONE_STEP: &str = include_str!("one_step.txt");
const SUBQUESTION: &str = include_str!("subquestion.txt");
const RECONSIDER: &str = include_str!("reconsider.txt");
const REPHRASE: &str = include_str!("rephrase.txt");
const FINISH: &str = include_str!("finish.txt");
const COMPLETE: &str = include_str!("complete.txt");

/// A search under way.
pub(super) struct Search<'a> {
    pub(super) run: &'a Run,
    pub(super) request: &'a ChatRequest,
    pub(super) question: Question,
    pub(super) case: Case<'a>,
    pub(super) votes: u32,
    pub(super) discriminator: Option<&'a str>,
    pub(super) tree: Tree,
    pub(super) leaves: Vec<(usize, Leaf)>,
    pub(super) last_error: Option<StrategyError>,
}

/// What a call made of a node.
enum Made {
    Solutions(Candidates),
    Step(String),
}

impl Search<'_> {
    /// `size` rollouts side by side.
    pub(super) async fn wave(&mut self, size: u32) {
        let mut rollouts = vec![ROOT; size as usize];
        while !rollouts.is_empty() {
            let next: Vec<Next> = rollouts.drain(..).map(|at| self.tree.next(at)).collect();
            for known in next.iter().filter_map(|next| {
                if let Next::Known(id) = next {
                    Some(*id)
                } else {
                    None
                }
            }) {
                let reward = self
                    .leaves
                    .iter()
                    .find(|(id, _)| *id == known)
                    .map_or(0.0, |(_, leaf)| leaf.reward);
                self.tree.reward(known, reward);
            }
            let this = &*self;
            let new = next.iter().filter_map(|next| {
                if let Next::Make(id, action) = next {
                    Some((*id, *action))
                } else {
                    None
                }
            });
            let made =
                join_all(new.map(|(id, action)| async move { (id, this.make(id, action).await) }))
                    .await;
            for (id, made) in made {
                rollouts.extend(self.place(id, made));
            }
        }
    }

    async fn make(&self, id: usize, action: Action) -> Result<Made, StrategyError> {
        let wanted = match action {
            Action::Finish => return self.finish(id).await,
            Action::OneStep => ONE_STEP,
            Action::Subquestion => SUBQUESTION,
            Action::Reconsider => RECONSIDER,
            Action::Rephrase => REPHRASE,
        };
        let steps = self.tree.steps(id);
        let so_far = if steps.is_empty() {
            "Nothing was done so far.".to_owned()
        } else {
            self.case.fence("steps so far", &steps.join("\n\n"))
        };
        let call = self
            .case
            .call(
                Purpose::Plan,
                ROLE,
                &[],
                &format!("{so_far}\n\n{}", wanted.trim()),
            )
            .diverse(0.8);
        let index = u32::try_from(id).unwrap_or(u32::MAX);
        let step = self
            .run
            .complete_one(call.numbered(i64::from(index)), index)
            .await?;
        let text = step.message.text();
        let text = reasoning::strip(&text).trim().to_owned();
        Ok(Made::Step(if step.is_truncated() {
            String::new()
        } else {
            text
        }))
    }

    /// Whole solutions from the steps above `id`; from the bare request if there are none.
    async fn finish(&self, id: usize) -> Result<Made, StrategyError> {
        let mut call = SubCall::answer(self.request, Purpose::Candidate).diverse(0.8);
        let steps = self.tree.steps(id);
        if !steps.is_empty() {
            let beginning = self.case.fence("beginning", &steps.join("\n\n"));
            let text = format!("{}\n\n{}\n\n{beginning}", FINISH.trim(), self.case.rule());
            call = call.with_messages(view::with_instructions(self.request.messages(), &text));
        }
        Ok(Made::Solutions(
            self.run.sample(&call, self.votes, None).await?,
        ))
    }

    /// Puts what was made into the tree. The rollout goes on from what is returned.
    fn place(&mut self, id: usize, made: Result<Made, StrategyError>) -> Option<usize> {
        match made {
            Ok(Made::Step(text)) if !text.is_empty() => {
                self.tree.open(id, text);
                return Some(id);
            }
            Ok(Made::Step(_)) => self.tree.give_up(id),
            Ok(Made::Solutions(solutions)) => {
                let steps = self.tree.steps(id).into_iter().map(str::to_owned).collect();
                let leaf = Leaf::new(steps, &solutions, &self.question);
                self.tree.reward(id, leaf.reward);
                self.leaves.push((id, leaf));
            }
            Err(error) => {
                self.run.degrade(error.reason());
                self.tree.give_up(id);
                self.last_error = Some(error);
            }
        }
        None
    }

    /// Has every solution confirmed, or rated where answers cannot be compared.
    pub(super) async fn confirm(&mut self) {
        let this = &*self;
        let approvals = (0_u32..)
            .zip(&self.leaves)
            .map(|(index, (_, leaf))| async move {
                if this.question.is_closed() {
                    this.second_reader(leaf, index).await
                } else {
                    this.rating(leaf, index).await
                }
            });
        let approvals = join_all(approvals).await;
        for ((_, leaf), approval) in self.leaves.iter_mut().zip(approvals) {
            leaf.approval = approval;
        }
    }

    async fn second_reader(&self, leaf: &Leaf, index: u32) -> Option<f64> {
        let beginning = leaf.beginning(&mut self.run.rng(&format!("cut {index}")));
        let text = format!(
            "{}\n\n{}\n\n{}",
            COMPLETE.trim(),
            self.case.rule(),
            self.case.fence("first part", &beginning)
        );
        let messages = view::with_instructions(self.request.messages(), &text);
        let call = SubCall::answer(self.request, Purpose::Judge)
            .with_messages(messages)
            .diverse(0.8);
        let call = match self.discriminator {
            Some(model) => call.asking(model),
            None => call,
        };
        let read = self
            .run
            .candidate(&call, index)
            .await
            .inspect_err(|error| self.run.degrade(error.reason()))
            .ok()?;
        Some(if read.is_sound() && leaf.agrees(&read, &self.question) {
            1.0
        } else {
            0.0
        })
    }

    async fn rating(&self, leaf: &Leaf, index: u32) -> Option<f64> {
        let score = rate(self.run, &self.case, &leaf.solution.shown(), index).await;
        if score.is_none() {
            self.run.degrade("judge");
        }
        score.map(|score| score / 10.0)
    }

    /// Whether `outstanding` further rollouts are not worth making. Each one's answer is a vote.
    pub(super) fn is_settled(&self, outstanding: u32) -> bool {
        if outstanding == 0 || !self.question.is_closed() {
            return false;
        }
        let mut poll = Poll::new(self.question.clone());
        for (index, (_, leaf)) in (0..).zip(&self.leaves) {
            poll.add(&Candidate {
                index,
                ..leaf.solution.clone()
            });
        }
        self.run.stopping().ends(&poll, outstanding as usize, true)
    }

    pub(super) fn is_unanimous(&self) -> bool {
        let Some(((_, first), others)) = self.leaves.split_first() else {
            return true;
        };
        others
            .iter()
            .all(|(_, leaf)| first.agrees(&leaf.solution, &self.question))
    }
}
