//! How much each vote weighs: by what the model says, without being asked, of how sure it was.
//!
//! The log probabilities of the tokens that a model chose come with its answer and cost no token.
//! Within a question right answers have greater ones than wrong answers, on weak models far more
//! often than not: three weighted votes of a small model are worth eight plain ones. Where they
//! tell nothing a weight costs a few points, so nothing that has not been measured gets full
//! strength: [`Rule::Auto`].

use crate::answer::{Odds, Question, Scale, Scheme};
use crate::chat::{ChatRequest, Choice};
use crate::kit::tokens::confidence::{self, ScoredToken, mean};
use crate::model::Fact;
use crate::model::quality::{Measured, Told};
use crate::reasoning;
use crate::run::{Rule, Run, SubCall};

/// Votes that are too few to be weighed by default: of those only ties are decided.
const FEW: u32 = 3;
/// The temperature of a signal that nobody has tested on the model: at the default of
/// `vote_temperature` a useless one costs up to seven points, here hardly any.
const UNTESTED: f64 = 4.0;
/// A signal gets full strength whose lower bound is above this share of pairs told apart, …
const USEFUL: f64 = 0.6;
/// … and none whose upper bound is below this one.
const USELESS: f64 = 0.55;
/// Alternatives that servers tell at most.
const ALTERNATIVES: u32 = 20;

/// What tells how sure a model was of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// The mean log probability of its tokens.
    Logprob,
    /// The mean over its tokens of the negative mean log probability of the likeliest alternatives:
    /// `DeepConf`'s confidence (arXiv 2508.15260), and up to a constant `Self-Certainty`
    /// (arXiv 2502.18581).
    Certainty,
}

impl Signal {
    /// The call with what is needed to read it from its answer.
    pub(crate) fn asked_with(self, call: SubCall) -> SubCall {
        match self {
            Self::Logprob => call.set("logprobs", true),
            Self::Certainty => confidence::with_alternatives(call, ALTERNATIVES),
        }
    }

    /// How sure the model was of the visible part of an answer: what was thought before it is about
    /// all that was dropped on the way, too. `None` without log probabilities.
    pub(crate) fn of(self, choice: &Choice) -> Option<f64> {
        let tokens = confidence::scored(choice.logprobs.as_ref()?);
        let shown = visible(&tokens, &choice.message.text());
        match self {
            // What is at the floor is a server's way to say that it does not know.
            Self::Logprob => mean(
                shown
                    .iter()
                    .filter_map(|token| token.logprob)
                    .filter(|logprob| *logprob > confidence::FLOOR),
            ),
            Self::Certainty => mean(shown.iter().filter_map(ScoredToken::confidence)),
        }
    }
}

/// How sure a model was of an answer, by all that a vote can be weighed by: for whoever keeps
/// answers to vote over them later.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sureness {
    /// Tokens of the visible answer whose log probabilities were told.
    pub tokens: usize,
    /// The mean of them.
    pub logprob: Option<f64>,
    /// The mean of what the likeliest alternatives tell (Self-Certainty, `DeepConf`).
    pub certainty: Option<f64>,
}

impl Sureness {
    /// Of the visible part of an answer.
    pub fn of(choice: &Choice) -> Self {
        let tokens = choice.logprobs.as_ref().map(confidence::scored);
        Self {
            tokens: tokens.map_or(0, |tokens| visible(&tokens, &choice.message.text()).len()),
            logprob: Signal::Logprob.of(choice),
            certainty: Signal::Certainty.of(choice),
        }
    }
}

/// The tokens that spell what is left of `text` without its reasoning; all of them where they do
/// not spell it.
pub(crate) fn visible<'a>(tokens: &'a [ScoredToken], text: &str) -> &'a [ScoredToken] {
    let said = reasoning::strip(text);
    let said = said.trim();
    let spelled: usize = tokens.iter().map(|token| token.text.len()).sum();
    if said.is_empty() || spelled <= said.len() {
        return tokens;
    }
    let all: String = tokens.iter().map(|token| token.text.as_str()).collect();
    let Some(start) = all.rfind(said) else {
        return tokens;
    };
    let mut at = 0;
    let first = tokens.iter().position(|token| {
        at += token.text.len();
        at > start
    });
    first
        .and_then(|first| tokens.get(first..))
        .unwrap_or(tokens)
}

/// How the votes of one question are weighed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weighing {
    pub(crate) scheme: Scheme,
    /// What is asked for and read.
    pub(crate) signal: Option<Signal>,
}

/// Whose votes are weighed.
#[derive(Debug, Clone, Copy)]
struct Vote<'a> {
    rule: Rule,
    /// The temperature that was asked for.
    temperature: f64,
    votes: u32,
    measured: Option<&'a Measured>,
    /// Options of the question beside the right one, if it tells them.
    wrong: Option<f64>,
}

impl Weighing {
    /// How the run wants the votes of `k` answers to `request` weighed. Says so if the model is
    /// known not to tell what is needed: then each counts for one.
    pub(crate) fn of(run: &Run, request: &ChatRequest, question: &Question, k: u32) -> Self {
        let manner = run.weighing();
        let others = question.options().count().checked_sub(1);
        let vote = Vote {
            rule: manner.rule,
            temperature: manner.temperature,
            votes: k,
            measured: run.measured(request.model(), question.kind()),
            wrong: others.and_then(|others| u32::try_from(others).ok().map(f64::from)),
        };
        if vote.rule == Rule::Map && vote.measured.and_then(|known| known.logprob).is_none() {
            run.degrade("quality");
        }
        let wanted = vote.weighing();
        if wanted.signal.is_none() || request.uses_tools() {
            return Self::default();
        }
        let needed = [
            Some(Fact::Accepts("logprobs")),
            (wanted.signal == Some(Signal::Certainty)).then_some(Fact::TellsAlternatives),
        ];
        let lacks = |fact| run.knows(request.model(), fact) == Some(false);
        if needed.into_iter().flatten().any(lacks) {
            run.degrade("logprobs");
            return Self::default();
        }
        wanted
    }

    fn by(signal: Signal, told: Option<Told>, scheme: impl FnOnce(Scale) -> Scheme) -> Self {
        Self {
            scheme: scheme(Scale::new(told.map(|told| told.deviation))),
            signal: Some(signal),
        }
    }

    fn weighted(signal: Signal, told: Option<Told>, temperature: f64) -> Self {
        Self::by(signal, told, |scale| Scheme::Weighted {
            scale,
            temperature,
        })
    }
}

impl Vote<'_> {
    fn weighing(self) -> Weighing {
        let logprob = self.measured.and_then(|measured| measured.logprob);
        let certainty = self.measured.and_then(|measured| measured.certainty);
        match self.rule {
            _ if self.votes < 2 => Weighing::default(),
            Rule::None => Weighing::default(),
            Rule::Tie => Weighing::by(Signal::Logprob, logprob, Scheme::Tie),
            Rule::Logprob => Weighing::weighted(Signal::Logprob, logprob, self.temperature),
            Rule::Certainty => Weighing::weighted(Signal::Certainty, certainty, self.temperature),
            Rule::Map => self.posterior().unwrap_or_else(|| self.automatic()),
            Rule::Auto => self.automatic(),
        }
    }

    /// Full strength for what has been measured to help, none for what has been measured not to,
    /// and a fraction for what has not been measured.
    fn automatic(self) -> Weighing {
        let told = |signal, told: Option<Told>| told.map(|told| (signal, told));
        let logprob = told(
            Signal::Logprob,
            self.measured.and_then(|known| known.logprob),
        );
        let certainty = told(
            Signal::Certainty,
            self.measured.and_then(|known| known.certainty),
        );
        let is_better =
            |(_, told): &(Signal, Told)| logprob.is_none_or(|(_, logprob)| told.low > logprob.high);
        let best = certainty.filter(is_better).or(logprob);
        let (signal, told) = best.unzip();
        let signal = signal.unwrap_or(Signal::Logprob);
        match told {
            Some(told) if told.high < USELESS => Weighing::default(),
            _ if self.votes <= FEW => Weighing::by(signal, told, Scheme::Tie),
            Some(known) if known.low > USEFUL => Weighing::weighted(signal, told, self.temperature),
            _ => Weighing::weighted(signal, told, UNTESTED),
        }
    }

    fn posterior(self) -> Option<Weighing> {
        let measured = self.measured?;
        let told = measured.logprob?;
        let odds = Odds::new(measured.accuracy_of(1)?, told.discrimination, self.wrong);
        Some(Weighing::by(Signal::Logprob, Some(told), |scale| {
            Scheme::Posterior {
                scale,
                odds,
                distinct: 0,
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat::Message;

    fn choice(text: &str, tokens: &[(&str, f64)]) -> Choice {
        let entries: Vec<_> = tokens
            .iter()
            .map(|(token, logprob)| {
                let top = [(*logprob, "x"), (-3.0, "y")];
                let top = top.map(|(logprob, token)| json!({"token": token, "logprob": logprob}));
                json!({"token": token, "logprob": logprob, "top_logprobs": top})
            })
            .collect();
        Choice {
            logprobs: Some(json!({"content": entries}).into()),
            ..Choice::new(Message::assistant(text), "stop")
        }
    }

    #[test]
    fn only_what_the_reader_sees_counts() {
        let thought = choice(
            "<think>5? 6?</think>7.",
            &[
                ("<think>", -9.0),
                ("5? 6?", -9.0),
                ("</think>", -9.0),
                ("7", -1.0),
                (".", -3.0),
            ],
        );
        assert_eq!(Signal::Logprob.of(&thought), Some(-2.0));
        assert_eq!(Signal::Certainty.of(&thought), Some(2.5));
        // Reasoning that has a field of its own may have tokens all the same.
        let apart = choice("7.", &[("5? 6?", -9.0), ("7", -1.0), (".", -3.0)]);
        assert_eq!(Signal::Logprob.of(&apart), Some(-2.0));
        let whole = choice("7.", &[("7", -1.0), (".", -3.0)]);
        assert_eq!(Signal::Logprob.of(&whole), Some(-2.0));
        let other = choice("seven", &[("7", -1.0), (".", -3.0), ("\n\n\n", -2.0)]);
        assert_eq!(Signal::Logprob.of(&other), Some(-2.0));
    }

    #[test]
    fn what_is_kept_of_an_answer_is_what_votes_are_weighed_by() {
        let sure = Sureness::of(&choice("7.", &[("7", -1.0), (".", -3.0)]));
        let expected = Sureness {
            tokens: 2,
            logprob: Some(-2.0),
            certainty: Some(2.5),
        };
        assert_eq!(sure, expected);
        let silent = Choice {
            logprobs: None,
            ..choice("7.", &[])
        };
        assert_eq!(Sureness::of(&silent), Sureness::default());
    }

    #[test]
    fn what_no_server_means_is_no_value() {
        let lies = choice("7.", &[("7", -9999.0), (".", -9999.0)]);
        assert_eq!(Signal::Logprob.of(&lies), None);
        let mut nothing = choice("7.", &[]);
        assert_eq!(Signal::Logprob.of(&nothing), None);
        nothing.logprobs = None;
        assert_eq!(Signal::Certainty.of(&nothing), None);
        assert_eq!(Signal::Logprob.of(&choice("7", &[("7", -0.5)])), Some(-0.5));
    }
}
