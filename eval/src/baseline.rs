//! The honest baseline: what a plain vote would do with as much.
//!
//! An approach that costs as much as r plain answers has to beat self-consistency over r plain
//! samples, or else it is not worth its price. r is seldom whole: the vote's accuracy lies between
//! those of the two whole numbers around it. The samples are drawn once for each question and
//! shared by all approaches; which of them vote is a matter of what each approach has spent.

use std::collections::HashMap;

use hone_strategies::Share;
use hone_strategies::answer::Votes;
use serde::Serialize;

use crate::compare::{between, mean};
use crate::dataset::Question;
use crate::journal::{Answered, SAMPLE, Task};
use crate::results::{Column, Results, Spend};

/// A vote over as many plain samples as an approach's spend would buy.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EqualSpend {
    /// Samples that vote.
    pub(crate) samples: f64,
    /// Whether the approach's spend would buy more than were drawn.
    pub(crate) is_capped: bool,
    /// What they take, by what was compared.
    pub(crate) spend: f64,
    /// Questions with a vote.
    pub(crate) answers: u32,
    /// The share of right votes.
    pub(crate) accuracy: f64,
    /// Its 95 % interval.
    pub(crate) accuracy_interval: (f64, f64),
    /// How right the vote on each question was, by the question's id.
    #[serde(skip)]
    pub(crate) votes: HashMap<String, f64>,
}

/// How many plain samples of `model` are as many as `spend` would buy by one column at least;
/// nothing if no sample is known yet.
pub(crate) fn samples_for(results: Results<'_>, model: &str, spend: Spend) -> Option<u32> {
    let wanted = |column| Some((spend.by(column) / sample_spend(results, model, column)?).ceil());
    let most = Column::ALL
        .into_iter()
        .filter_map(wanted)
        .reduce(f64::max)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest number that fits"
    )]
    Some((most as u32).max(1))
}

/// What one plain sample takes.
fn sample_spend(results: Results<'_>, model: &str, column: Column) -> Option<f64> {
    let plain: Vec<&Answered> = pool(results, model, 0)
        .map(|(_, answered)| answered)
        .collect();
    Some(results.mean(model, &plain).by(column)).filter(|each| *each > 0.0)
}

/// The vote that `spend` would buy, over at most `most` samples; nothing where that is one sample,
/// which is a plain answer.
pub(crate) fn at(
    results: Results<'_>,
    model: &str,
    spend: Spend,
    most: u32,
    column: Column,
) -> Option<EqualSpend> {
    let each = sample_spend(results, model, column)?;
    let spends: Vec<f64> = (1..=most)
        .map(|samples| f64::from(samples) * each)
        .collect();
    let place = between(&spends, spend.by(column))?;
    let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1);
    let (floor, ceiling) = (number(place.floor), number(place.ceiling));
    let samples = Some(place.mix(floor.into(), ceiling.into())).filter(|samples| *samples > 1.0)?;
    let right = |question: &Question, samples| {
        vote(results, model, question, samples).map(|right| f64::from(u8::from(right)))
    };
    let votes: HashMap<String, f64> = results
        .questions
        .iter()
        .filter_map(|question| {
            let right = place.mix(right(question, floor)?, right(question, ceiling)?);
            Some((question.id.clone(), right))
        })
        .collect();
    let answers = u32::try_from(votes.len())
        .ok()
        .filter(|answers| *answers > 0)?;
    let accuracy = mean(votes.values().copied());
    Some(EqualSpend {
        samples,
        is_capped: place.is_capped,
        spend: samples * each,
        answers,
        accuracy,
        accuracy_interval: nearest(accuracy, answers).interval(),
        votes,
    })
}

/// The share of whole answers that is nearest to `accuracy`.
fn nearest(accuracy: f64, trials: u32) -> Share {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a whole number"
    )]
    let successes = (accuracy * f64::from(trials)).round() as u32;
    Share { successes, trials }
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
