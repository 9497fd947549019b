//! What `pal` does with a pool's programs and texts.
//!
//! Two departures, both against it: its texts are the pool's plain ones, without the line that asks
//! for a form; and where two programs do not agree all others are billed, though a vote that is
//! decided cancels some.

use hone_strategies::answer::Votes;

use super::{Drawing, Family, Outcome, Poll, bill, leader};
use crate::pool::cases::{Case, Drawn};

/// What `pal` asks for: programs, of which two come first, and texts; what a program's vote weighs.
pub(super) const PROGRAMS: usize = 3;
const FIRST: usize = 2;
pub(super) const TEXTS: usize = 2;
const PROGRAM: f64 = 1.5;
/// Texts that vote where a question asks for no number.
const ELSE: usize = 5;

/// What `pal` does: two programs, and if they do not agree the third and two texts.
pub(super) fn with_programs(
    case: &Case,
    programs: &[&Drawn],
    texts: &[&Drawn],
    drawing: Drawing,
) -> Outcome {
    let [cold_text, cold_program] = case.cold;
    if programs.len() < PROGRAMS {
        let mut poll = Poll::new(Family::Plain);
        let votes = ELSE.min(texts.len());
        for text in texts.iter().take(votes) {
            poll.add(text);
        }
        let right = poll.right(texts, votes);
        return Outcome {
            right,
            ..bill(texts, votes, cold_text, drawing)
        };
    }
    let order: Vec<&Drawn> = programs
        .iter()
        .take(PROGRAMS)
        .chain(texts.iter().take(TEXTS))
        .copied()
        .collect();
    let mut votes = Votes::new();
    for (at, drawn) in order.iter().enumerate() {
        if at == FIRST && leads_alone(&votes) {
            let right = f64::from(u8::from(leader(&votes, &order)));
            return Outcome {
                right,
                ..bill(programs, FIRST, cold_program, drawing)
            };
        }
        let weight = if at < PROGRAMS { PROGRAM } else { 1.0 };
        votes.add(at, drawn.value.clone(), weight);
    }
    // Where nobody gives a number the answer is the first text.
    let fallback = texts.first().is_some_and(|text| text.is_right);
    let right = if votes.cast() == 0 {
        fallback
    } else {
        leader(&votes, &order)
    };
    let mut outcome = bill(programs, PROGRAMS, cold_program, drawing);
    outcome.add(bill(texts, TEXTS, cold_text, drawing));
    outcome.right = f64::from(u8::from(right));
    outcome
}

/// Whether both of the first programs gave one answer.
fn leads_alone(votes: &Votes) -> bool {
    let agreeing = votes.leader().map_or(0, |leader| leader.candidates.len());
    agreeing == FIRST
}
