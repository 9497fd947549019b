//! Whole runs on what models, judges and solvers may reply: line 1 is the approach, line 2 the
//! request's fields, the rest the replies (see `Told`).
//!
//! Every reader of replies inside a strategy is reached this way. No run fails by a panic, asks
//! more often than it said it would, or tells a stream that is not its answer.
#![no_main]

use std::sync::Arc;

use hone_fuzz::first_line;
use hone_fuzz::model::Told;
use hone_fuzz::run::{Asked, Finished, MOST_CALLS, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (approach, rest) = first_line(text);
    let (fields, replies) = first_line(rest);
    let Some(asked) = Asked::read(approach, fields) else {
        return;
    };
    let whole = checked(&asked, replies, false);
    let streamed = checked(&asked, replies, true);
    if let (Ok(whole), Ok(streamed)) = (whole.result, streamed.result)
        && (whole.calls, streamed.calls) == (1, 1)
    {
        let texts = [whole, streamed].map(|outcome| {
            outcome
                .choices
                .into_iter()
                .map(|choice| choice.message.text().into_owned())
                .collect::<Vec<_>>()
        });
        assert_eq!(texts[0], texts[1], "a stream says what a whole answer says");
    }
});

fn checked(asked: &Asked, replies: &str, stream: bool) -> Finished {
    let model = Arc::new(Told::new(replies));
    let finished = run(&asked.plan, asked.streamed(stream), &model);
    assert!(model.calls() <= MOST_CALLS);
    let Ok(outcome) = &finished.result else {
        return finished;
    };
    assert!(!outcome.choices.is_empty());
    assert!(
        outcome
            .choices
            .is_sorted_by(|left, right| left.index < right.index)
    );
    assert!(model.calls() <= outcome.calls && outcome.calls <= MOST_CALLS);
    if model.is_sound() {
        assert!(
            outcome.calls <= asked.demand.max_calls,
            "{} calls, at most {:?} were announced",
            outcome.calls,
            asked.demand
        );
    }
    for choice in outcome.choices.iter().filter(|_| stream) {
        let told = finished
            .told
            .choices
            .iter()
            .find(|told| told.index == choice.index)
            .expect("every choice is told");
        assert_eq!(told.message.text(), choice.message.text());
        assert_eq!(told.finish_reason, choice.finish_reason);
    }
    finished
}
