//! Whole solutions: what each answers, whether another reader comes to the same, and which of them
//! is the answer.

use std::ops::RangeInclusive;

use rand::Rng;

use crate::answer::Question;
use crate::kit::choosing::voting::{Poll, agree};
use crate::non_empty::NonEmpty;
use crate::run::{Candidate, Candidates};

/// The part of a solution that another reader is shown.
const SHOWN: RangeInclusive<f64> = 0.2..=0.5;

/// What one rollout arrived at.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The steps before the solution.
    pub(super) steps: Vec<String>,
    /// Of the solutions that were made of these steps, the first with the answer that most give.
    pub(super) solution: Candidate,
    /// How many of them give that answer, as a share; 0 where no answer can be read.
    pub(super) reward: f64,
    /// Whether somebody else came to the same answer from the beginning alone; where answers cannot
    /// be compared, a judge's rating from 0 to 1.
    pub(super) approval: Option<f64>,
}

impl Leaf {
    /// Reads the votes of `solutions`.
    pub(super) fn new(steps: Vec<String>, solutions: &Candidates, question: &Question) -> Self {
        let poll = Poll::of(question.clone(), solutions);
        let votes = poll.winners(solutions).len();
        let count = |length: usize| u32::try_from(length).map_or(f64::INFINITY, f64::from);
        Self {
            steps,
            solution: poll.elected(solutions).clone(),
            reward: count(votes) / count(solutions.len().get()),
            approval: None,
        }
    }

    /// The beginning of the solution with its steps, cut off at a random place.
    pub(super) fn beginning(&self, rng: &mut impl Rng) -> String {
        let whole = format!("{}\n\n{}", self.steps.join("\n\n"), self.solution.text());
        let whole = whole.trim();
        let share = rng.random_range(SHOWN);
        // Whole words, and never all of them.
        let words: Vec<&str> = whole.split_inclusive(char::is_whitespace).collect();
        let wanted = u32::try_from(words.len()).map_or(0.0, f64::from) * share;
        let shown = (1_u32..)
            .zip(&words)
            .take_while(|(number, _)| f64::from(*number) <= wanted.max(1.0));
        shown
            .map(|(_, word)| *word)
            .collect::<String>()
            .trim_end()
            .to_owned()
    }

    pub(super) fn agrees(&self, other: &Candidate, question: &Question) -> bool {
        agree([&self.solution, other], question)
    }
}

/// The answer, where answers can be compared: among the solutions that somebody else came to as
/// well (all, if there is none) the answer with the greatest sum of rewards times how often it was
/// arrived at. Of equals the first.
pub(super) fn elect<'a>(leaves: &'a NonEmpty<Leaf>, question: &Question) -> &'a Leaf {
    let is_approved = |leaf: &&Leaf| leaf.approval.is_some_and(|approval| approval > 0.0);
    let approved = NonEmpty::new(leaves.iter().filter(is_approved).collect());
    let pool = approved.unwrap_or_else(|| leaves.map_ref(|leaf| leaf));
    let mut groups = NonEmpty::one(NonEmpty::one(*pool.first()));
    for leaf in pool.iter().skip(1) {
        let agrees = |group: &&mut NonEmpty<&Leaf>| group.first().agrees(&leaf.solution, question);
        match groups.iter_mut().find(agrees) {
            Some(group) => group.push(leaf),
            None => groups.push(NonEmpty::one(leaf)),
        }
    }
    let score = |group: &NonEmpty<&Leaf>| {
        let rewards: f64 = group.iter().map(|leaf| leaf.reward).sum();
        rewards * u32::try_from(group.len().get()).map_or(0.0, f64::from)
    };
    let best = groups.best(|a, b| score(a).total_cmp(&score(b)));
    best.best(|a, b| a.reward.total_cmp(&b.reward))
}

/// The best rated solution; of equals, or where none is rated, the first.
pub(super) fn best_rated(leaves: &NonEmpty<Leaf>) -> &Leaf {
    let rating = |leaf: &Leaf| leaf.approval.unwrap_or(-1.0);
    leaves.best(|a, b| rating(a).total_cmp(&rating(b)))
}
