//! What strategies that vote have in common: which answer a candidate gives, who leads, when
//! further candidates change nothing.
//!
//! **When a vote is over.** As soon as no further candidate can change its outcome, and, at every
//! fourth candidate, as soon as its leader is likely enough to win: `stop_confidence`. The rule is
//! that of Adaptive-Consistency (Aggarwal et al., *Let's Sample Step by Step*, 2023, arXiv
//! 2305.11860) for a vote that has an end: the Beta posterior of the leader against each rival,
//! carried forward over the votes still to come ([`crate::answer::Votes::confidence`]). The paper's
//! threshold is 0.95 for a vote without end; here it loses up to 1.5 points at k = 8 and 4 at k =
//! 64 where most errors agree. The default of 0.99 loses at most half a point against the whole
//! vote for every k, however wrong answers are spread, and nothing measurable where they scatter; 1
//! loses nothing and saves less; 0 asks for every candidate, as OptiLLM does. The figures are in
//! `tests/it/vote/stopping.rs`. `stop_window` is the rule of Early-Stopping Self-Consistency (Li et
//! al., *Escape Sky-high Cost*, 2024, arXiv 2401.10480): so many equal answers in a row. It
//! promises nothing about accuracy, so it is off unless asked for. `stop_guarantee` is the one rule
//! that holds however often one looks: [`crate::answer::Votes::is_certified`]. The posterior's does
//! not: at every fourth candidate it is looked at, and each look is one more chance to be wrong.
//!
//! With `sampling = "parallel"` candidates are counted as they come, so a vote that stops has heard
//! the fastest; with `"waves"` it saves whole calls. What a vote weighs is in
//! [`crate::kit::choosing::weighing`].

use crate::answer::{
    AnswerValue, Question, Rule, Tally, Votes, canonical_tool_calls, equivalent, extract,
};
use crate::chat::{ChatRequest, view};
use crate::demand::{Demand, Tokens};
use crate::kit::choosing::selection::{record, worthy};
use crate::kit::choosing::weighing::{Signal, Weighing};
use crate::model::Fact;
use crate::model::quality::Measured;
use crate::run::{Ballot, Candidate, Candidates, Manner, Run, Sampling, SubCall, WAVE};

/// The temperature of candidates that vote, where the client says nothing: votes that are weighed
/// lose more by answers that are only more different than they gain.
pub(crate) const DIVERSE: f64 = 0.7;

/// What the conversation asks, as far as it tells what an answer looks like.
pub(crate) fn question(request: &ChatRequest) -> Question {
    view::task(request.messages())
        .map(|task| Question::of(&task.text()))
        .unwrap_or_default()
}

/// What a candidate answers: its tool calls, or what its text ends in.
fn answer_of(candidate: &Candidate, question: &Question) -> Option<(AnswerValue, Certainty)> {
    if let Some(calls) = candidate.choice.message.tool_calls() {
        return canonical_tool_calls(calls)
            .map(|calls| (AnswerValue::literal(calls), Certainty::Sure));
    }
    let found = extract(&candidate.choice.message.text(), question)?;
    let is_guess =
        matches!(found.rule, Rule::ShortLine | Rule::LastNumber) && !question.is_closed();
    Some((
        found.value,
        if is_guess {
            Certainty::Guess
        } else {
            Certainty::Sure
        },
    ))
}

/// What a candidate answers, as far as it can be told.
pub(crate) fn answer(candidate: &Candidate, question: &Question) -> Option<AnswerValue> {
    answer_of(candidate, question).map(|(answer, _)| answer)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// A last line that may be anything, such as a poem's.
    Guess,
    Sure,
}

/// Whether all candidates surely give the same answer.
pub(crate) fn agree<'a>(
    candidates: impl IntoIterator<Item = &'a Candidate>,
    question: &Question,
) -> bool {
    let mut first: Option<AnswerValue> = None;
    candidates
        .into_iter()
        .all(|candidate| match answer_of(candidate, question) {
            Some((answer, Certainty::Sure)) => {
                equivalent(first.get_or_insert_with(|| answer.clone()), &answer)
            }
            _ => false,
        })
}

/// A vote under way. One candidate, one vote; what is cut off, refused or not recognised abstains.
pub(crate) struct Poll {
    question: Question,
    votes: Votes,
    /// What the votes are weighed by.
    signal: Option<Signal>,
    /// How many answers had what the votes are weighed by, and how many had not.
    told: (usize, usize),
    /// The sum of how sure it was of those.
    sure: f64,
    habits: Habits,
}

/// What is known of the model that answers.
#[derive(Debug, Clone, Copy, Default)]
struct Habits {
    /// Above it lie the log probabilities of the surest fifth of its answers.
    high: Option<f64>,
    /// Whether seven votes are right no more often than three.
    gains_nothing: bool,
}

impl Habits {
    fn of(measured: &Measured) -> Self {
        let gained = measured.accuracy_of(7).zip(measured.accuracy_of(3));
        Self {
            high: measured.logprob.map(|told| told.high_value),
            gains_nothing: gained.is_some_and(|(seven, three)| seven <= three),
        }
    }
}

impl Poll {
    pub(crate) fn new(question: Question) -> Self {
        Self {
            question,
            votes: Votes::new(),
            signal: None,
            told: (0, 0),
            sure: 0.0,
            habits: Habits::default(),
        }
    }

    /// A vote of `k` answers to `request`, weighed as the run wants it. The calls for them must be
    /// [`Self::asking`], and in the end it is [`Self::closed`].
    pub(crate) fn weighed(run: &Run, request: &ChatRequest, k: u32) -> Self {
        let question = question(request);
        let Weighing { scheme, signal } = Weighing::of(run, request, &question, k);
        let measured = run.measured(request.model(), question.kind());
        Self {
            votes: Votes::by(scheme).spreading(measured.and_then(|measured| measured.spread)),
            signal,
            habits: measured.map(Habits::of).unwrap_or_default(),
            ..Self::new(question)
        }
    }

    /// The call with what is needed to weigh its answers.
    pub(crate) fn asking(&self, call: SubCall) -> SubCall {
        match self.signal {
            None => call,
            Some(signal) => signal.asked_with(call),
        }
    }

    /// Ends a vote. Where the model did not tell what the votes are weighed by, says so and
    /// remembers it.
    pub(crate) fn closed(&self, run: &Run, request: &ChatRequest) {
        if matches!(self.told, (0, 1..)) {
            run.degrade("logprobs");
            run.learn(request.model(), Fact::Accepts("logprobs"), false);
        }
    }

    /// A finished vote of `candidates`.
    pub(crate) fn of<'a>(
        question: Question,
        candidates: impl IntoIterator<Item = &'a Candidate>,
    ) -> Self {
        let mut poll = Self::new(question);
        for candidate in candidates {
            poll.add(candidate);
        }
        poll
    }

    /// Counts one more, with a vote that weighs `weight`.
    pub(crate) fn weigh(&mut self, candidate: &Candidate, weight: f64) {
        let answer = if candidate.is_sound() {
            answer_of(candidate, &self.question)
        } else {
            None
        };
        let sure = self.signal.unwrap_or(Signal::Logprob).of(&candidate.choice);
        if self.signal.is_some() && answer.is_some() {
            let (told, silent) = &mut self.told;
            *(if sure.is_some() { told } else { silent }) += 1;
            self.sure += sure.unwrap_or_default();
        }
        self.votes.add_sure(
            candidate.index as usize,
            answer.map(|(answer, _)| answer),
            weight,
            sure,
        );
    }

    /// The candidates with the answer that has the greatest weight. Between answers with as many
    /// votes the surer one wins, if the model said of all how sure it was, else the first. Empty if
    /// nobody voted.
    pub(crate) fn winners<'a>(&self, candidates: &'a [Candidate]) -> Vec<&'a Candidate> {
        let leader = self.votes.leader();
        leader.map_or_else(Vec::new, |leader| members(&leader, candidates))
    }

    /// The first of the winners; if nobody voted, the first candidate worth choosing.
    pub(crate) fn elected<'a>(&self, candidates: &'a Candidates) -> &'a Candidate {
        let winners = self.winners(candidates);
        let first = winners.first().copied();
        first.unwrap_or_else(|| worthy(candidates).first())
    }

    /// How many have voted.
    pub(crate) fn cast(&self) -> usize {
        self.votes.cast()
    }

    /// All answers, the leader first.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        self.votes.histogram()
    }

    /// How many give the same answer as `candidate`, itself included; none if it abstained.
    pub(crate) fn votes_with(&self, candidate: &Candidate) -> usize {
        let tallies = self.votes.histogram();
        let tally = tallies
            .iter()
            .find(|tally| tally.candidates.contains(&(candidate.index as usize)));
        tally.map_or(0, |tally| tally.candidates.len())
    }

    /// Shows the candidates, their answers and how many voted for them.
    pub(crate) fn record(&self, run: &Run, candidates: &[Candidate], chosen: &Candidate) {
        let tallies = self.votes.histogram();
        run.record(candidates.iter().map(|candidate| {
            let tally = tallies
                .iter()
                .find(|tally| tally.candidates.contains(&(candidate.index as usize)));
            let answer = answer_of(candidate, &self.question).map(|(answer, _)| answer.to_string());
            record(
                candidate,
                answer,
                tally.map(|tally| tally.weight),
                Some(chosen),
            )
        }));
    }
}

impl Ballot for Poll {
    fn add(&mut self, candidate: &Candidate) {
        self.weigh(candidate, 1.0);
    }

    fn is_decided(&self, outstanding: usize) -> bool {
        self.votes.decided(outstanding)
    }

    fn confidence(&self, outstanding: usize) -> f64 {
        self.votes.confidence(outstanding)
    }

    fn is_measured(&self) -> bool {
        self.votes.has_prior()
    }

    fn is_idle(&self) -> bool {
        let Habits {
            high,
            gains_nothing,
        } = self.habits;
        match (self.votes.cast(), self.votes.distinct()) {
            (2, 1) => {
                let is_logprob = self.signal == Some(Signal::Logprob) && self.told.0 == 2;
                high.is_some_and(|high| is_logprob && self.sure / 2.0 > high)
            }
            (3, 3) => gains_nothing,
            _ => false,
        }
    }

    fn is_certified(&self, alpha: f64) -> bool {
        self.votes.is_certified(alpha)
    }

    fn row(&self) -> usize {
        self.votes.row()
    }
}

fn members<'a>(tally: &Tally, candidates: &'a [Candidate]) -> Vec<&'a Candidate> {
    candidates
        .iter()
        .filter(|candidate| tally.candidates.contains(&(candidate.index as usize)))
        .collect()
}

/// The first candidate with the answer that most give; where no answer can be read, the first sound
/// one.
pub(crate) fn most_agreed<'a>(request: &ChatRequest, candidates: &'a Candidates) -> &'a Candidate {
    Poll::of(question(request), candidates).elected(candidates)
}

/// What `k` votes need: calls side by side that a vote which is over cancels, or one call where the
/// prompt is long or nothing may stop the vote.
pub(crate) fn demand(k: u32, manner: Manner, request: &ChatRequest) -> Demand {
    if request.estimated_prompt_tokens() > manner.sample_n_above || !manner.stopping.is_possible() {
        return Demand::candidates(k, request);
    }
    demand_each(k, manner, Tokens::of(request))
}

/// What `k` votes need where each is asked for in its own words: calls side by side, or a few at a
/// time.
pub(crate) fn demand_each(k: u32, manner: Manner, tokens: Tokens) -> Demand {
    let whole = Demand::step(k, tokens);
    match manner.sampling {
        Sampling::Waves if manner.stopping.is_possible() => {
            let wave = k.min(WAVE);
            Demand {
                depth: k.div_ceil(WAVE),
                first_wave: wave,
                first_wave_choices: wave,
                parallel: wave,
                ..whole
            }
        }
        Sampling::Parallel | Sampling::Waves => whole,
    }
}
