//! What a conversation asks for.

use crate::contract;

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
    /// A program that calculates the answer.
    Program,
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

/// What is asked: by the contract line that stands last in the conversation, candidates apart.
pub(super) fn asked(conversation: &str, candidates: &[(usize, &str)]) -> Asked {
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
        (contract::PROGRAM, Asked::Program),
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
