//! What each way to vote does with subsamples of a question's samples.
//!
//! A subsample is an order of the samples; a vote of n hears the first n of it. All rules hear the
//! same orders, so that they differ by what they do and not by what they heard.

use hone_strategies::answer::{Scale, Scheme, Votes};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;

use super::cases::{Case, Cases, Drawn};
use crate::compare::count;
use crate::endpoint::Tokens;
use crate::prices::Weights;
use pal::{PROGRAMS, TEXTS, with_programs};

mod pal;

/// Numbers of votes that have rows.
const VOTES: [usize; 4] = [3, 5, 8, 16];
/// Numbers of weighted votes that have rows.
const WEIGHTED: [usize; 3] = [3, 5, 8];
/// After how many votes a vote may stop.
const WAVE: usize = 4;
/// What votes are weighed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Logprob,
    Certainty,
}

impl Signal {
    pub(super) const ALL: [Self; 2] = [Self::Logprob, Self::Certainty];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Logprob => "logprob",
            Self::Certainty => "certainty",
        }
    }

    pub(super) const fn of(self, drawn: &Drawn) -> Option<f64> {
        match self {
            Self::Logprob => drawn.logprob,
            Self::Certainty => drawn.certainty,
        }
    }
}

/// How votes are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Family {
    Plain,
    /// By a signal at a temperature.
    Weighed(Signal, u8),
    /// Only ties are decided by log probabilities.
    Tie,
    /// Right if any is: the oracle.
    Any,
    /// Plainly, until so many percent are sure.
    Stopping(u8),
    /// Programs, and texts where those do not agree.
    Pal,
}

/// A row to compute.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub(super) name: String,
    /// The temperature's place.
    pub(super) group: usize,
    pub(super) family: Family,
    pub(super) votes: usize,
    /// Whether it is a row; else only a point of the plain vote's curve.
    pub(super) is_row: bool,
}

/// What a rule takes and achieves on a question, as a mean over subsamples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) right: f64,
    pub(super) calls: f64,
    pub(super) tokens: f64,
    pub(super) weighted: f64,
    /// By the price table, or weighted tokens.
    pub(super) money: f64,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.calls += other.calls;
        self.tokens += other.tokens;
        self.weighted += other.weighted;
        self.money += other.money;
    }

    fn over(self, subsamples: f64) -> Self {
        Self {
            right: self.right / subsamples,
            calls: self.calls / subsamples,
            tokens: self.tokens / subsamples,
            weighted: self.weighted / subsamples,
            money: self.money / subsamples,
        }
    }
}

/// Every row that the samples allow, rules of one family and temperature side by side.
pub(super) fn all(cases: &Cases) -> Vec<Rule> {
    let Some(first) = cases.all.first() else {
        return Vec::new();
    };
    let mut rules = Vec::new();
    for (group, (temperature, samples)) in cases.temperatures.iter().zip(&first.texts).enumerate() {
        let most = samples.len();
        if temperature.is_greedy() {
            rules.push(rule("greedy".to_owned(), group, Family::Plain, 1));
            continue;
        }
        let name = |what: &str| format!("{what}@{temperature}");
        rules.extend((1..=most).map(|votes| Rule {
            is_row: votes == 1 || VOTES.contains(&votes),
            ..rule(
                name(&if votes == 1 {
                    "single".to_owned()
                } else {
                    format!("vote-{votes}")
                }),
                group,
                Family::Plain,
                votes,
            )
        }));
        for (title, family, counts) in families() {
            let counts = counts.iter().filter(|votes| **votes <= most);
            rules.extend(
                counts.map(|votes| rule(name(&format!("{title}-{votes}")), group, family, *votes)),
            );
        }
    }
    rules.extend(pal(cases));
    rules
}

fn rule(name: String, group: usize, family: Family, votes: usize) -> Rule {
    Rule {
        name,
        group,
        family,
        votes,
        is_row: true,
    }
}

fn families() -> Vec<(String, Family, &'static [usize])> {
    let mut families: Vec<(String, Family, &'static [usize])> = Vec::new();
    for signal in Signal::ALL {
        for temperature in [2, 4] {
            let title = format!("{}-t{temperature}", signal.name());
            families.push((title, Family::Weighed(signal, temperature), &WEIGHTED));
        }
    }
    families.push(("tie".to_owned(), Family::Tie, &WEIGHTED));
    for percent in [99, 95] {
        families.push((
            format!("stop-0.{percent}"),
            Family::Stopping(percent),
            &[8, 16],
        ));
    }
    families.push(("any".to_owned(), Family::Any, &WEIGHTED));
    families
}

/// `pal` with the texts of the highest temperature, as it asks for them; nothing without programs.
fn pal(cases: &Cases) -> Option<Rule> {
    let hottest = cases
        .temperatures
        .iter()
        .enumerate()
        .max_by_key(|(_, each)| each.heat());
    let (group, _) = hottest.filter(|(_, temperature)| !temperature.is_greedy())?;
    let has_texts = |case: &Case| case.texts.get(group).is_some_and(|its| its.len() >= TEXTS);
    let has_programs = |case: &Case| case.programs.len() >= PROGRAMS;
    let is_possible = cases.all.iter().all(has_texts) && cases.all.iter().any(has_programs);
    is_possible.then(|| rule("pal".to_owned(), group, Family::Pal, PROGRAMS + TEXTS))
}

/// How subsamples are drawn and priced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawing {
    pub(super) subsamples: u32,
    pub(super) seed: u64,
    pub(super) usual: Weights,
    /// Of a price table, if it has the model.
    pub(super) prices: Option<Weights>,
}

impl Drawing {
    /// The bill of one call.
    fn bill(self, tokens: Tokens) -> Outcome {
        Outcome {
            right: 0.0,
            calls: 1.0,
            tokens: as_float(tokens.all()),
            weighted: self.usual.of(tokens),
            money: self.prices.unwrap_or(self.usual).of(tokens),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "fewer tokens than 2^52")]
const fn as_float(tokens: u64) -> f64 {
    tokens as f64
}

/// What each of `rules` does on a question, in their order.
pub(super) fn outcomes(case: &Case, number: u64, rules: &[Rule], drawing: Drawing) -> Vec<Outcome> {
    let mut chance = SmallRng::seed_from_u64(drawing.seed ^ number.wrapping_mul(0x9E37_79B9_97F4));
    let mut sums = vec![Outcome::default(); rules.len()];
    for _ in 0..drawing.subsamples.max(1) {
        let orders: Vec<Vec<&Drawn>> = case
            .texts
            .iter()
            .map(|group| shuffled(group, &mut chance))
            .collect();
        let programs = shuffled(&case.programs, &mut chance);
        let chunks =
            rules.chunk_by(|one, other| (one.group, one.family) == (other.group, other.family));
        let each = chunks.flat_map(|rules| {
            let Some((first, order)) = rules
                .first()
                .and_then(|first| Some((first, orders.get(first.group)?)))
            else {
                return vec![Outcome::default(); rules.len()];
            };
            match first.family {
                Family::Pal => vec![with_programs(case, &programs, order, drawing)],
                family => heard(case, order, family, rules, drawing),
            }
        });
        for (sum, one) in sums.iter_mut().zip(each) {
            sum.add(one);
        }
    }
    let subsamples = f64::from(drawing.subsamples.max(1));
    sums.into_iter().map(|sum| sum.over(subsamples)).collect()
}

fn shuffled<'a>(samples: &'a [Drawn], chance: &mut SmallRng) -> Vec<&'a Drawn> {
    let mut order: Vec<&Drawn> = samples.iter().collect();
    order.shuffle(chance);
    order
}

/// The rules of one family, which hear the same order up to their numbers of votes.
fn heard(
    case: &Case,
    order: &[&Drawn],
    family: Family,
    rules: &[Rule],
    drawing: Drawing,
) -> Vec<Outcome> {
    let [cold, _] = case.cold;
    let mut poll = Poll::new(family);
    let mut outcomes = Vec::new();
    let mut at = 0;
    for rule in rules {
        if let Family::Stopping(percent) = family {
            let (right, calls) = stopped(order, rule.votes, percent);
            outcomes.push(Outcome {
                right,
                ..bill(order, calls, cold, drawing)
            });
            continue;
        }
        for drawn in order.iter().take(rule.votes).skip(at) {
            poll.add(drawn);
        }
        at = at.max(rule.votes);
        let right = poll.right(order, rule.votes);
        outcomes.push(Outcome {
            right,
            ..bill(order, rule.votes, cold, drawing)
        });
    }
    outcomes
}

/// What the first `calls` of an order cost as separate calls: only the first reads what the
/// provider has not read yet.
fn bill(order: &[&Drawn], calls: usize, cold: u64, drawing: Drawing) -> Outcome {
    let mut sum = Outcome::default();
    for (at, drawn) in order.iter().take(calls).enumerate() {
        let cached = if at == 0 { cold } else { drawn.tokens.cached };
        let Tokens {
            read, generated, ..
        } = drawn.tokens;
        sum.add(drawing.bill(Tokens::new(read, cached, generated)));
    }
    sum
}

/// A vote under way.
struct Poll {
    family: Family,
    votes: Votes,
    heard: usize,
}

impl Poll {
    fn new(family: Family) -> Self {
        let scheme = match family {
            Family::Weighed(_, temperature) => Scheme::Weighted {
                scale: Scale::new(None),
                temperature: temperature.into(),
            },
            Family::Tie => Scheme::Tie(Scale::new(None)),
            Family::Plain | Family::Any | Family::Stopping(_) | Family::Pal => Scheme::Count,
        };
        Self {
            family,
            votes: Votes::by(scheme),
            heard: 0,
        }
    }

    fn add(&mut self, drawn: &Drawn) {
        let sure = match self.family {
            Family::Weighed(signal, _) => signal.of(drawn),
            Family::Tie => drawn.logprob,
            // A plain vote knows nothing of it: its ties go to the first.
            Family::Plain | Family::Any | Family::Stopping(_) | Family::Pal => None,
        };
        self.votes
            .add_sure(self.heard, drawn.value.clone(), 1.0, sure);
        self.heard += 1;
    }

    /// 1 if the vote of the first `votes` is right.
    fn right(&self, order: &[&Drawn], votes: usize) -> f64 {
        let is_right = match self.family {
            Family::Any => order.iter().take(votes).any(|drawn| drawn.is_right),
            _ => leader(&self.votes, order),
        };
        f64::from(u8::from(is_right))
    }
}

/// Whether the answer that leads is right; where nobody voted, the first that came.
fn leader(votes: &Votes, order: &[&Drawn]) -> bool {
    let at = votes
        .leader()
        .and_then(|tally| tally.candidates.first().copied());
    order
        .get(at.unwrap_or(0))
        .is_some_and(|drawn| drawn.is_right)
}

/// A plain vote of at most `most` that stops at the end of a wave when so many percent are sure;
/// whether it is right, and how many were heard.
fn stopped(order: &[&Drawn], most: usize, percent: u8) -> (f64, usize) {
    let enough = f64::from(percent) / 100.0;
    let mut poll = Poll::new(Family::Stopping(percent));
    for drawn in order.iter().take(most) {
        poll.add(drawn);
        let left = most.saturating_sub(poll.heard);
        let is_decided = || poll.votes.decided(left) || poll.votes.confidence(left) >= enough;
        if poll.heard.is_multiple_of(WAVE) && is_decided() {
            break;
        }
    }
    (poll.right(order, poll.heard), poll.heard)
}

/// The mean over questions.
pub(super) fn mean(outcomes: &[Outcome]) -> Outcome {
    let mut sum = Outcome::default();
    for outcome in outcomes {
        sum.add(*outcome);
    }
    sum.over(count(outcomes.len().max(1)))
}

#[cfg(test)]
mod tests;
