//! A model that answers questions with known answers, right with a known probability.
//!
//! What a strategy gains can then be computed and measured. What is asked is recognised by the
//! lines of [`crate::contract`] and by the fences around candidates, never by the words of a
//! prompt, so prompts can be reworded without touching this. Every reply is a function of the
//! model's seed, the conversation and the sample's seed; there is no state.

mod chance;
mod confidence;
mod question;
mod reply;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::answer::{self, AnswerValue, equivalent};
use crate::contract;
use chance::Chance;

pub use confidence::Confidence;
pub use question::Question;

/// How a simulated model behaves. Probabilities are between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskModel {
    /// All randomness comes from here, the questions included.
    pub seed: u64,
    /// How often an answer is right, independently for each sample.
    pub accuracy: f64,
    /// What a wrong answer is.
    pub errors: Errors,
    /// How well it judges, criticises and chooses.
    pub judge: Reliability,
    /// How often a synthesis or a distillation that has a right candidate before it is right,
    /// without one it never is; and how often an answer from right notes is taken from them.
    pub synthesis: f64,
    /// How often a revision of a wrong answer is right. One of a right answer always is.
    pub revision: f64,
    /// How often a problem is stated so that a solver finds its answer; else the statement cannot
    /// be read.
    pub formulation: f64,
    /// How often reasoning between tags precedes the text.
    pub thinks: f64,
    /// Length of an answer.
    pub words: Words,
    /// How sure it is of its tokens. Without, its log probabilities tell nothing.
    pub confidence: Option<Confidence>,
}

impl Default for TaskModel {
    fn default() -> Self {
        Self {
            seed: 0,
            accuracy: 0.6,
            errors: Errors::Scattered,
            judge: Reliability::default(),
            synthesis: 1.0,
            revision: 0.25,
            formulation: 1.0,
            thinks: 0.0,
            words: Words::default(),
            confidence: None,
        }
    }
}

/// What a wrong answer is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errors {
    /// Any of thousands: wrong answers rarely agree.
    Scattered,
    /// With probability `share` the same for all samples of a question, else scattered.
    Favourite {
        /// How often.
        share: f64,
    },
}

/// How well a judge tells right from wrong. The defaults are a perfect judge; equal numbers are one
/// that knows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reliability {
    /// How often it takes a right answer for right.
    pub true_positive: f64,
    /// How often it takes a wrong answer for right.
    pub false_positive: f64,
}

impl Default for Reliability {
    fn default() -> Self {
        Self {
            true_positive: 1.0,
            false_positive: 0.0,
        }
    }
}

/// The least and the greatest length of an answer's reasoning, in words. Lengths between them are
/// equally likely on a logarithmic scale; the last sentence is finished, and a closing line
/// follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Words {
    /// The least.
    pub least: u32,
    /// The greatest, at most 10,000.
    pub most: u32,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            least: 30,
            most: 120,
        }
    }
}

/// What a conversation asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// An answer to the question.
    Answer,
    /// How hard the question is.
    Difficulty,
    /// Different ways to go about it.
    Approaches,
    /// The number of the best candidate.
    Choice,
    /// A candidate without the faults that a report names.
    Correction,
    /// What comes after the beginning of an answer.
    Continuation,
    /// A criticism of one candidate, or of several.
    Critique,
    /// Ways of thinking, restated for the question.
    Adaptation,
    /// The numbers of ways of thinking.
    Selection,
    /// A structure to be filled in.
    Structure,
    /// An answer that is wrong.
    Decoy,
    /// The task that a candidate fulfils.
    Description,
    /// The worked examples of a conversation.
    Examples,
    /// A problem stated for a solver.
    Formulation,
    /// What helps in one part of a long text.
    Margin,
    /// What a part of a long text says on a question.
    Record,
    /// An answer made from such records.
    Reduction,
    /// Smaller questions on the way to an answer.
    SubQuestions,
    /// A summary of one part of a long text.
    Summary,
    /// A way to go about it.
    Plan,
    /// What mistakes teach.
    Principles,
    /// A rating of a candidate.
    Rating,
    /// The faults of a candidate and a better answer.
    Revision,
    /// An answer made from what a solver found.
    Solved,
    /// One step towards an answer.
    Step,
    /// One answer made from the candidates.
    Synthesis,
    /// Notes on the candidates, which end like an answer made from them.
    Distillation,
    /// Whether a candidate is right.
    Verdict,
}

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedReply {
    /// Its text.
    pub text: String,
    /// Its length in tokens, one for each word.
    pub tokens: u64,
    /// What it replies to.
    pub asked: Asked,
    /// The level of its tokens' log probabilities, for [`Confidence::entries`], where the model has
    /// a confidence.
    pub level: Option<f64>,
}

impl TaskModel {
    /// The question `id`, the same for every model with this seed.
    pub fn question(&self, id: u64) -> Question {
        Question::generate(self.seed, id)
    }

    /// The question that a conversation carries, by the last marker in it.
    pub fn question_in(&self, conversation: &str) -> Option<Question> {
        Question::id_in(conversation).map(|id| self.question(id))
    }

    /// Replies to a conversation, given as all text of its messages. The same sample of the same
    /// conversation is the same reply. Without a question's marker the reply is prose without an
    /// answer, or a verdict that knows nothing. An answer that was begun is continued by another
    /// sample.
    ///
    /// ```
    /// use hone_strategies::simulation::TaskModel;
    /// let model = TaskModel { accuracy: 1.0, ..TaskModel::default() };
    /// let question = model.question(17);
    /// assert!(question.is_answered_by(&model.reply(&question.text, 1).text));
    /// ```
    pub fn reply(&self, conversation: &str, sample: u64) -> SimulatedReply {
        let candidates = contract::candidates(conversation);
        let asked = asked(conversation, &candidates);
        let question = self.question_in(conversation);
        let mut chance = Chance::new(&[self.seed, chance::digest(conversation), sample]);
        let text = match asked {
            Asked::Rating => self.rating(question.as_ref(), &candidates, &mut chance),
            Asked::Difficulty => self.difficulty(question.as_ref(), &mut chance),
            Asked::Choice => self.choice(question.as_ref(), &candidates, &mut chance),
            Asked::Critique => self.critique(question.as_ref(), &candidates, &mut chance),
            Asked::Decoy => {
                let value = question.as_ref().map(|question| self.wrong(question, &mut chance));
                self.answer(question.as_ref().zip(value), conversation, &mut chance)
            }
            Asked::Description => question.as_ref()
                .map_or_else(|| "Write some prose.".to_owned(), |question| question.text.clone()),
            Asked::Revision => self.revised(question.as_ref(), &candidates, conversation,
                &mut chance),
            Asked::Plan => reply::plan(question.as_ref(), &mut chance),
            Asked::Correction => self.corrected(question.as_ref(), &candidates, conversation,
                &mut chance),
            Asked::Verdict => self.verified(question.as_ref(), &candidates, &mut chance),
            Asked::Approaches => reply::approaches(),
            Asked::Continuation => format!(" {} eight nine ten", contract::NEXT),
            // Its questions stand alone.
            Asked::Examples => "[]".to_owned(),
            Asked::Principles => "1. Check the product by an estimate.".to_owned(),
            Asked::Adaptation => "1. Split the question into the product and the rest.\n\
                2. Write every step down.".to_owned(),
            Asked::Selection => "The parts can be solved one by one.\nModules: 9, 38".to_owned(),
            Asked::Structure => {
                r#"{"product": "the two numbers multiplied", "rest": "what is added or taken away", "answer": "the count"}"#.to_owned()
            }
            Asked::Formulation => self.formulated(question.as_ref(), &mut chance),
            Asked::Margin => margin(conversation),
            Asked::Record => "Information:\nRationale:\nAnswer: [NO INFORMATION]\nConfidence: 0".to_owned(),
            Asked::Reduction => "The records do not settle it.\nAnswer: It is not said.".to_owned(),
            Asked::SubQuestions => "Question: What is asked?".to_owned(),
            Asked::Summary => "The part tells of several things.".to_owned(),
            Asked::Solved => self.solved(question.as_ref(), conversation, &mut chance),
            Asked::Step => self.answer(None, conversation, &mut chance),
            Asked::Distillation | Asked::Synthesis => self.synthesised(question.as_ref(),
                &candidates, conversation, &mut chance),
            Asked::Answer => {
                let notes = contract::fenced(conversation, contract::WORKSPACE);
                let value = question.as_ref().map(|question| self.informed(question, notes,
                    &mut chance));
                self.answer(question.as_ref().zip(value), conversation, &mut chance)
            }
        };
        let tokens = text.split_whitespace().count() as u64;
        let level = self.confidence.map(|confidence| {
            let is_right = question.is_some_and(|question| question.is_answered_by(&text));
            confidence.level(is_right, &mut chance)
        });
        SimulatedReply {
            text,
            tokens,
            asked,
            level,
        }
    }

    /// Whether the judge takes `candidate` for right, this time.
    fn approves(&self, question: Option<&Question>, candidate: &str, chance: &mut Chance) -> bool {
        let right = question.is_some_and(|question| question.is_answered_by(candidate));
        chance.happens(if right {
            self.judge.true_positive
        } else {
            self.judge.false_positive
        })
    }

    /// The number that one sample answers with.
    fn sampled(&self, question: &Question, chance: &mut Chance) -> i64 {
        if chance.happens(self.accuracy) {
            question.answer
        } else {
            self.wrong(question, chance)
        }
    }

    /// The number that one sample answers with that has these notes: theirs if it is right and the
    /// sample understands it, else one of its own.
    fn informed(&self, question: &Question, notes: Option<&str>, chance: &mut Chance) -> i64 {
        let helps = notes.is_some_and(|notes| question.is_answered_by(notes))
            && chance.happens(self.synthesis);
        if helps {
            question.answer
        } else {
            self.sampled(question, chance)
        }
    }

    fn wrong(&self, question: &Question, chance: &mut Chance) -> i64 {
        match self.errors {
            Errors::Favourite { share } if chance.happens(share) => question.favourite_error(),
            Errors::Favourite { .. } | Errors::Scattered => {
                question.answer + 20 + i64::from(chance.below(9_000))
            }
        }
    }
}

impl Question {
    /// Whether `reply` ends with the right answer, as far as [`answer::extract`] can find one.
    pub fn is_answered_by(&self, reply: &str) -> bool {
        let found = answer::extract(reply, &answer::Question::of(&self.text));
        let right = AnswerValue::parse(&self.answer.to_string());
        found
            .zip(right)
            .is_some_and(|(found, right)| equivalent(&found.value, &right))
    }
}

/// A reader's reply: the lines of its part that hold a question's marker, since nothing else helps
/// to answer that question.
fn margin(conversation: &str) -> String {
    let part = conversation
        .rsplit_once("\n[part ")
        .and_then(|(_, part)| part.split_once("\n[end of part "))
        .map_or("", |(part, _)| part);
    let marked: Vec<&str> = part
        .lines()
        .filter(|line| Question::id_in(line).is_some())
        .collect();
    if marked.is_empty() {
        "Relevant: no".to_owned()
    } else {
        format!("Relevant: yes\n{}", marked.join("\n"))
    }
}

/// What is asked: by the contract line that stands last in the conversation, candidates apart.
fn asked(conversation: &str, candidates: &[(usize, &str)]) -> Asked {
    if conversation.ends_with(contract::BEGUN) {
        return Asked::Continuation;
    }
    let lines = [
        (contract::SCORE, Asked::Rating),
        (contract::DIFFICULTY, Asked::Difficulty),
        (contract::BEST_CANDIDATE, Asked::Choice),
        (contract::CRITIQUE, Asked::Critique),
        (contract::ADAPTED, Asked::Adaptation),
        (contract::MODULES, Asked::Selection),
        (contract::STRUCTURE, Asked::Structure),
        (contract::DECOY, Asked::Decoy),
        (contract::COMPARISON, Asked::Critique),
        (contract::DESCRIPTION, Asked::Description),
        (contract::REVISION, Asked::Revision),
        (contract::FORMULATION, Asked::Formulation),
        (contract::MARGIN, Asked::Margin),
        (contract::RECORD, Asked::Record),
        (contract::REDUCED, Asked::Reduction),
        (contract::SUB_QUESTION, Asked::SubQuestions),
        (contract::SUMMARY, Asked::Summary),
        (contract::SOLVED, Asked::Solved),
        (contract::STEP, Asked::Step),
        (contract::SYNTHESIS, Asked::Synthesis),
        (contract::DISTILLATION, Asked::Distillation),
        (contract::PLAN, Asked::Plan),
        (contract::STRATEGY, Asked::Plan),
        (contract::APPROACHES, Asked::Approaches),
        (contract::VERDICT, Asked::Verdict),
        (contract::CORRECTION, Asked::Correction),
        (contract::OBSERVATIONS, Asked::Approaches),
        (contract::EXAMPLES, Asked::Examples),
        (contract::PRINCIPLES, Asked::Principles),
    ];
    let last = |line: &str| {
        let quoted: usize = candidates
            .iter()
            .map(|(_, text)| text.matches(line).count())
            .sum();
        let asks = conversation.matches(line).count() > quoted;
        conversation.rfind(line).filter(|_| asks)
    };
    let found = lines
        .into_iter()
        .filter_map(|(line, asked)| Some((last(line)?, asked)));
    found
        .max_by_key(|(at, _)| *at)
        .map_or(Asked::Answer, |(_, asked)| asked)
}
