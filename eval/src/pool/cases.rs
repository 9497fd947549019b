//! The samples of each question, read and graded once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hone_strategies::answer::AnswerValue;
use hone_strategies::program;
use hone_strategies::quality::Kind;

use super::gather::program_for;
use super::kept::{Draw, Sample, Samples, Temperature};
use crate::dataset::Question;
use crate::endpoint::Tokens;

/// A sample, as votes see it.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    /// What it votes for; nothing abstains.
    pub(super) value: Option<AnswerValue>,
    /// Whether what it says is right.
    pub(super) is_right: bool,
    pub(super) logprob: Option<f64>,
    pub(super) certainty: Option<f64>,
    pub(super) tokens: Tokens,
}

/// A question with its samples.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// What kind of answer the question asks for.
    pub(super) kind: Kind,
    /// In the order of [`Cases::temperatures`].
    pub(super) texts: Vec<Vec<Drawn>>,
    pub(super) programs: Vec<Drawn>,
    /// What the provider had of the prompt before the first call, of texts and of programs.
    pub(super) cold: [u64; 2],
}

/// The questions of which the pool has everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Cases {
    pub(super) temperatures: Vec<Temperature>,
    pub(super) all: Vec<Case>,
    /// The group of each, where categories are drawn together.
    pub(super) groups: Vec<usize>,
    /// Questions that lack samples.
    pub(super) incomplete: usize,
    /// Questions whose answers cannot be compared.
    pub(super) uncountable: usize,
}

/// The samples of one question by kind and temperature, in their order.
type Its<'a> = BTreeMap<(Samples, Temperature), Vec<&'a Sample>>;

/// What the pool has of a model.
pub(super) fn of(
    model: &str,
    questions: &[Question],
    pool: &HashMap<Draw, Sample>,
    by_category: bool,
) -> Cases {
    let mut sorted: Vec<(&Draw, &Sample)> = pool
        .iter()
        .filter(|(draw, sample)| draw.model == model && sample.error.is_none())
        .collect();
    sorted.sort_by_key(|(draw, _)| *draw);
    let mut by_question: HashMap<&str, Its<'_>> = HashMap::new();
    for (draw, sample) in sorted {
        let its = by_question.entry(&draw.question).or_default();
        its.entry((draw.kind, draw.temperature))
            .or_default()
            .push(sample);
    }
    let wanted = wanted(by_question.values());
    let mut cases = Cases {
        temperatures: texts(&wanted).map(|(temperature, _)| temperature).collect(),
        ..Cases::default()
    };
    let mut categories = Vec::new();
    for question in questions {
        let Some(its) = by_question.get(question.id.as_str()) else {
            continue;
        };
        if !question.grader.votes() {
            cases.uncountable += 1;
        } else if is_complete(question, its, &wanted) {
            cases.all.push(case(question, its, &wanted));
            categories.push(
                question
                    .category
                    .clone()
                    .unwrap_or_else(|| question.id.clone()),
            );
        } else {
            cases.incomplete += 1;
        }
    }
    if by_category {
        let known: BTreeSet<&String> = categories.iter().collect();
        let place = |category| known.iter().position(|each| *each == category);
        cases.groups = categories.iter().filter_map(place).collect();
    }
    cases
}

/// How many samples of each kind and temperature the questions have at most.
fn wanted<'a>(all: impl Iterator<Item = &'a Its<'a>>) -> BTreeMap<(Samples, Temperature), usize> {
    let mut wanted = BTreeMap::new();
    for its in all {
        for (group, samples) in its {
            let most = wanted.entry(*group).or_insert(0);
            *most = samples.len().max(*most);
        }
    }
    wanted
}

fn texts(
    wanted: &BTreeMap<(Samples, Temperature), usize>,
) -> impl Iterator<Item = (Temperature, usize)> {
    let is_text = |((kind, _), _): &(&(Samples, Temperature), &usize)| *kind == Samples::Text;
    wanted
        .iter()
        .filter(is_text)
        .map(|((_, temperature), samples)| (*temperature, *samples))
}

fn is_complete(
    question: &Question,
    its: &Its<'_>,
    wanted: &BTreeMap<(Samples, Temperature), usize>,
) -> bool {
    wanted.iter().all(|(group, most)| {
        let has = its.get(group).map_or(0, Vec::len);
        has == *most || (group.0 == Samples::Program && program_for(question).is_none())
    })
}

fn case(
    question: &Question,
    its: &Its<'_>,
    wanted: &BTreeMap<(Samples, Temperature), usize>,
) -> Case {
    let drawn = |kind, temperature| {
        let samples = its.get(&(kind, temperature)).into_iter().flatten();
        samples
            .map(|sample| drawn(question, kind, sample))
            .collect::<Vec<_>>()
    };
    let texts: Vec<Vec<Drawn>> = texts(wanted)
        .map(|(temperature, _)| drawn(Samples::Text, temperature))
        .collect();
    let programs: Vec<Drawn> = wanted
        .keys()
        .filter(|(kind, _)| *kind == Samples::Program)
        .flat_map(|(kind, temperature)| drawn(*kind, *temperature))
        .collect();
    let cold = |samples: &mut dyn Iterator<Item = &Drawn>| {
        samples
            .map(|sample| sample.tokens.cached)
            .min()
            .unwrap_or(0)
    };
    let cold = [
        cold(&mut texts.iter().flatten()),
        cold(&mut programs.iter()),
    ];
    Case {
        kind: question.shape.kind(),
        texts,
        programs,
        cold,
    }
}

fn drawn(question: &Question, kind: Samples, sample: &Sample) -> Drawn {
    let (grader, shape) = (&question.grader, &question.shape);
    let value = match kind {
        Samples::Text => grader.value(&sample.text, shape),
        Samples::Program => program::answer(&sample.text),
    };
    Drawn {
        is_right: value
            .as_ref()
            .is_some_and(|value| grader.accepts(value, shape)),
        value: value.filter(|_| sample.is_sound()),
        logprob: sample.logprob,
        certainty: sample.certainty,
        tokens: sample.tokens(),
    }
}
