//! The honest baseline: what a plain vote would do with as much.
//!
//! An approach that costs as much as r plain answers has to beat self-consistency over r plain
//! samples, or else it is not worth its price. The samples are drawn once for each question and
//! shared by all approaches; which of them vote is a matter of what each approach has spent.

use std::collections::HashMap;

use hone_strategies::answer::Votes;
use serde::Serialize;

use crate::dataset::Question;
use crate::journal::{Answered, SAMPLE, Task};
use crate::results::{Results, Spend};
use hone_strategies::Share;

/// A vote over as many plain samples as an approach's spend would buy.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EqualSpend {
    /// Samples that vote.
    pub(crate) samples: u32,
    /// Whether the approach's spend would buy more than were drawn.
    pub(crate) is_capped: bool,
    /// What they take: cost if prices are known, else tokens.
    pub(crate) spend: f64,
    /// Questions with a vote.
    pub(crate) answers: u32,
    /// The share of right votes.
    pub(crate) accuracy: f64,
    /// Its 95 % interval.
    pub(crate) accuracy_interval: (f64, f64),
    /// Whether the vote on each question was right, by the question's id.
    #[serde(skip)]
    pub(crate) votes: HashMap<String, bool>,
}

/// How many plain samples `spend` would buy of `model`, at least one; nothing if no sample is known
/// yet.
pub(crate) fn samples_for(results: Results<'_>, model: &str, spend: Spend) -> Option<u32> {
    let each = sample_spend(results, model)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest number that fits"
    )]
    Some(((spend.amount() / each).round() as u32).max(1))
}

/// What one plain sample takes.
fn sample_spend(results: Results<'_>, model: &str) -> Option<f64> {
    let plain: Vec<&Answered> = pool(results, model, 0)
        .map(|(_, answered)| answered)
        .collect();
    Some(results.mean(model, &plain).amount()).filter(|each| *each > 0.0)
}

/// The vote that `spend` would buy, over at most `most` samples; nothing where that is one sample,
/// which is a plain answer.
pub(crate) fn at(results: Results<'_>, model: &str, spend: Spend, most: u32) -> Option<EqualSpend> {
    let wanted = samples_for(results, model, spend)?;
    let samples = Some(wanted.min(most)).filter(|samples| *samples > 1)?;
    let votes: HashMap<String, bool> = results
        .questions
        .iter()
        .filter_map(|question| {
            let right = vote(results, model, question, samples)?;
            Some((question.id.clone(), right))
        })
        .collect();
    let share = Share {
        successes: u32::try_from(votes.values().filter(|right| **right).count()).ok()?,
        trials: u32::try_from(votes.len()).ok()?,
    };
    (share.trials > 0).then_some(())?;
    Some(EqualSpend {
        samples,
        is_capped: wanted > most,
        spend: f64::from(samples) * sample_spend(results, model)?,
        answers: share.trials,
        accuracy: share.value(),
        accuracy_interval: share.interval(),
        votes,
    })
}

/// The first `samples` samples' vote on a question; nothing unless all of them are there.
fn vote(results: Results<'_>, model: &str, question: &Question, samples: u32) -> Option<bool> {
    let drawn: Vec<&Answered> = (0..samples)
        .map(|sample| {
            results
                .journal
                .get(&task(model, question, sample))
                .filter(|answered| answered.right.is_some())
        })
        .collect::<Option<_>>()?;
    if !question.grader.votes() {
        // Free text does not vote: as many samples are as good as the first.
        return drawn.first()?.right;
    }
    let mut votes = Votes::new();
    for (at, answered) in drawn.iter().enumerate() {
        votes.add(
            at,
            question.grader.value(&answered.reply, &question.shape),
            1.0,
        );
    }
    let leader = votes.leader().map(|tally| tally.value);
    Some(leader.is_some_and(|leader| question.grader.accepts(&leader, &question.shape)))
}

/// The samples number `sample` of every question.
fn pool<'a>(
    results: Results<'a>,
    model: &str,
    sample: u32,
) -> impl Iterator<Item = (&'a Question, &'a Answered)> {
    results.questions.iter().filter_map(move |question| {
        Some((
            question,
            results.journal.get(&task(model, question, sample))?,
        ))
    })
}

fn task(model: &str, question: &Question, sample: u32) -> Task {
    Task {
        model: model.to_owned(),
        approach: SAMPLE.to_owned(),
        question: question.id.clone(),
        repeat: sample,
    }
}
