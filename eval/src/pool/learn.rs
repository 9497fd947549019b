//! What a pool teaches of a model: the numbers by which votes are weighed and ended.
//!
//! All of it is measured and nothing chosen, so there is nothing that would have to be held back.
//! How answers spread is a Dirichlet distribution of the leader's share, the next one's and all
//! others', fitted by moments: of a model with few questions it is drawn towards none.

use std::collections::BTreeMap;

use hone_strategies::answer::Votes;
use hone_strategies::quality::{Kind, Measured, Told};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;

use super::cases::{Cases, Drawn};
use super::kept::Temperature;
use super::rules::Signal;
use crate::compare::{Draws, count, discrimination, mean_discrimination};

/// Orders of a question's samples in which votes are counted.
const ORDERS: usize = 50;
/// Resamples of the questions, for the bounds of a signal.
const RESAMPLES: u32 = 2_000;
/// Longest vote whose accuracy is told.
const MOST_VOTES: usize = 16;
/// The temperature at which hone's own votes sample.
const USUAL: f64 = 0.7;
/// Questions without a spread that every kind begins with.
const PSEUDO: f64 = 20.0;
/// Greatest sum of pseudo-votes: surer is no model.
const SUREST: f64 = 50.0;

/// What was measured of one model, by kind of question. None where nothing was sampled but
/// greedily.
pub(super) fn measured(cases: &Cases, seed: u64) -> BTreeMap<Kind, Measured> {
    let Some(group) = usual(&cases.temperatures) else {
        return BTreeMap::new();
    };
    let mut kinds: BTreeMap<Kind, Vec<&[Drawn]>> = BTreeMap::new();
    for case in &cases.all {
        if let Some(samples) = case.texts.get(group) {
            kinds.entry(case.kind).or_default().push(samples);
        }
    }
    let all = kinds.into_iter();
    all.map(|(kind, questions)| (kind, of(&questions, seed)))
        .collect()
}

/// The place of the temperature that is nearest to that of hone's own votes; a default is as near
/// as any that is not greedy.
fn usual(temperatures: &[Temperature]) -> Option<usize> {
    let distance = |temperature: &Temperature| {
        let known: Option<f64> = temperature.to_string().parse().ok();
        known.map_or(0.5, |known| (known - USUAL).abs())
    };
    let hot = temperatures
        .iter()
        .enumerate()
        .filter(|(_, own)| !own.is_greedy());
    let nearest = hot.min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)));
    nearest.map(|(place, _)| place)
}

fn of(questions: &[&[Drawn]], seed: u64) -> Measured {
    Measured {
        questions: u32::try_from(questions.len()).unwrap_or(u32::MAX),
        accuracy: accuracy(questions, seed),
        logprob: told(questions, Signal::Logprob, seed),
        certainty: told(questions, Signal::Certainty, seed),
        spread: spread(questions),
    }
}

/// How often a vote of one, of two and so on is right, over many orders of the samples.
fn accuracy(questions: &[&[Drawn]], seed: u64) -> Vec<f64> {
    let most = questions
        .iter()
        .map(|samples| samples.len())
        .min()
        .unwrap_or(0);
    let most = most.clamp(1, MOST_VOTES);
    let mut right = vec![0.0; most];
    let mut rng = SmallRng::seed_from_u64(seed);
    for samples in questions {
        let mut order: Vec<usize> = (0..samples.len()).collect();
        for _ in 0..ORDERS {
            order.shuffle(&mut rng);
            let mut votes = Votes::new();
            for (heard, (right, place)) in right.iter_mut().zip(&order).enumerate() {
                let Some(sample) = samples.get(*place) else {
                    continue;
                };
                votes.add(heard, sample.value.clone(), 1.0);
                let leads = votes
                    .leader()
                    .and_then(|leader| leader.candidates.first().copied());
                let leading = leads.and_then(|first| samples.get(*order.get(first)?));
                *right += f64::from(u8::from(leading.is_some_and(|leading| leading.is_right)));
            }
        }
    }
    let all = count(questions.len() * ORDERS).max(1.0);
    right.into_iter().map(|right| right / all).collect()
}

fn told(questions: &[&[Drawn]], signal: Signal, seed: u64) -> Option<Told> {
    let values = |samples: &[Drawn]| -> Vec<(f64, bool)> {
        let voters = samples.iter().filter(|sample| sample.value.is_some());
        voters
            .filter_map(|sample| Some((signal.of(sample)?, sample.is_right)))
            .collect()
    };
    let each: Vec<Vec<(f64, bool)>> = questions.iter().map(|samples| values(samples)).collect();
    let known: Vec<Option<f64>> = each.iter().map(|values| discrimination(values)).collect();
    let draws = Draws {
        groups: &[],
        resamples: RESAMPLES,
        seed,
        width: 0.9,
    };
    let found = mean_discrimination(&known, draws)?;
    let deviations: Vec<f64> = each.iter().filter_map(|values| deviation(values)).collect();
    let mut all: Vec<f64> = each.iter().flatten().map(|(value, _)| *value).collect();
    all.sort_by(f64::total_cmp);
    Some(Told {
        discrimination: found.mean,
        low: found.interval.0,
        high: found.interval.1,
        deviation: mean(&deviations)?,
        high_value: *all.get(all.len() * 4 / 5)?,
    })
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / count(values.len()))
}

fn deviation(values: &[(f64, bool)]) -> Option<f64> {
    let values: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
    variance(&values).map(f64::sqrt)
}

/// The variance of what was drawn, with one less than its number.
fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| squares / (count(values.len()) - 1.0))
}

/// Pseudo-votes for the leading answer, for the next one and for all others.
fn spread(questions: &[&[Drawn]]) -> Option<[f64; 3]> {
    let shares: Vec<[f64; 3]> = questions
        .iter()
        .filter_map(|samples| share(samples))
        .collect();
    let part = |at: usize| -> Vec<f64> {
        shares
            .iter()
            .filter_map(|share| share.get(at).copied())
            .collect()
    };
    let leader = part(0);
    let (mean_leader, variance) = (mean(&leader)?, variance(&leader)?);
    let samples = mean(
        &questions
            .iter()
            .map(|samples| count(samples.len()))
            .collect::<Vec<_>>(),
    )?;
    // Of n votes a share of mean m varies by m (1 − m) (n + s) / (n (1 + s)), where s is the sum of
    // the pseudo-votes.
    let ratio = variance / (mean_leader * (1.0 - mean_leader));
    let sum = samples * (1.0 - ratio) / (samples * ratio - 1.0);
    let sum = if sum.is_finite() && sum > 0.0 {
        sum.min(SUREST)
    } else {
        SUREST
    };
    let questions = count(shares.len());
    let drawn = |own: f64| (questions * own + PSEUDO) / (questions + PSEUDO);
    let of = |at: usize| Some(drawn(sum * mean(&part(at))?));
    Some([of(0)?, of(1)?, of(2)?])
}

/// The shares of the votes for the leading answer, for the next one and for all others.
fn share(samples: &[Drawn]) -> Option<[f64; 3]> {
    let mut votes = Votes::new();
    for (candidate, sample) in samples.iter().enumerate() {
        votes.add(candidate, sample.value.clone(), 1.0);
    }
    let all = count(votes.cast());
    let tallies = votes.histogram();
    let heads = |at: usize| {
        tallies
            .get(at)
            .map_or(0.0, |tally| count(tally.candidates.len()))
    };
    let (leader, next) = (heads(0), heads(1));
    (all > 0.0).then(|| [leader / all, next / all, (all - leader - next) / all])
}

#[cfg(test)]
mod tests {
    use hone_strategies::answer::AnswerValue;

    use super::*;
    use crate::endpoint::Tokens;
    use crate::pool::cases::Case;

    /// Samples of one question: the answer, whether it is right, and how sure the model was.
    fn samples(all: &[(&str, bool, f64)]) -> Vec<Drawn> {
        let drawn = |(answer, is_right, sure): &(&str, bool, f64)| Drawn {
            value: AnswerValue::parse(answer),
            is_right: *is_right,
            logprob: Some(*sure),
            certainty: None,
            tokens: Tokens::default(),
        };
        all.iter().map(drawn).collect()
    }

    fn cases(questions: &[Vec<Drawn>]) -> Cases {
        let case = |samples: &Vec<Drawn>| Case {
            kind: Kind::Number,
            texts: vec![Vec::new(), samples.clone()],
            programs: Vec::new(),
            cold: [0, 0],
        };
        Cases {
            temperatures: ["0", "0.7"].map(|text| text.parse().unwrap()).to_vec(),
            all: questions.iter().map(case).collect(),
            ..Cases::default()
        }
    }

    #[test]
    fn what_is_learned_is_what_the_samples_say() {
        let right = samples(&[("7", true, -0.1), ("7", true, -0.2), ("8", false, -0.9)]);
        let wrong = samples(&[("7", true, -0.5), ("8", false, -0.1), ("8", false, -0.3)]);
        let questions: Vec<_> = (0..60)
            .flat_map(|_| [right.clone(), wrong.clone()])
            .collect();
        let learned = measured(&cases(&questions), 1);
        let number = &learned[&Kind::Number];
        assert_eq!(number.questions, 120);
        assert_eq!(number.accuracy.len(), 3);
        assert!(
            (number.accuracy[0] - 0.5).abs() < 0.02,
            "{:?}",
            number.accuracy
        );
        assert!(
            (number.accuracy[2] - 0.5).abs() < 1e-9,
            "{:?}",
            number.accuracy
        );
        let told = number.logprob.unwrap();
        assert!(
            (told.discrimination - 0.5).abs() < 1e-9,
            "one way and the other"
        );
        assert!(told.low < 0.5 && told.high > 0.5 && told.deviation > 0.1);
        assert_eq!(number.certainty, None);
        let [leader, next, others] = number.spread.unwrap();
        assert!(
            (leader / next - 2.0).abs() < 0.2 && others < 0.2,
            "two to one, always"
        );
    }

    #[test]
    fn answers_that_differ_from_question_to_question_are_a_weaker_prior() {
        let sure = samples(&[("7", true, -0.1); 4]);
        let torn = samples(&[
            ("1", true, -0.1),
            ("2", false, -0.1),
            ("3", false, -0.1),
            ("4", false, -0.1),
        ]);
        let sum = |questions: &[Vec<Drawn>]| {
            let learned = measured(&cases(questions), 1);
            learned[&Kind::Number].spread.unwrap().iter().sum::<f64>()
        };
        let mixed: Vec<_> = (0..60).flat_map(|_| [sure.clone(), torn.clone()]).collect();
        let even: Vec<_> = (0..120)
            .map(|_| samples(&[("7", true, -0.1), ("7", true, -0.1), ("8", false, -0.1)]))
            .collect();
        assert!(sum(&mixed) < 2.5, "{}", sum(&mixed));
        assert!(sum(&even) > 20.0, "{}", sum(&even));
    }

    #[test]
    fn greedy_samples_teach_nothing_of_votes() {
        let mut only = cases(&[samples(&[("7", true, -0.1)])]);
        only.temperatures.truncate(1);
        assert!(measured(&only, 1).is_empty());
    }
}
