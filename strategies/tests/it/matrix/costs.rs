//! Calls, depth and usage.

use hone_strategies::CallOutcome;
use hone_strategies::model::{Fact, Model};
use serde_json::json;

use super::trial;
use crate::support::{Fake, Seen, Trial, plays, rejected};
use crate::table::table;

#[tokio::test(start_paused = true)]
async fn calls_and_depth_are_as_stated() {
    for (approach, params, calls, depth) in table() {
        let trial = trial(Fake::new(plays), &params);
        let demand = trial
            .plan(approach)
            .unwrap()
            .check(&trial.request())
            .unwrap();
        let finished = trial.run(approach).await;
        // The words of a stream take a little time beside the second of each call.
        assert_eq!(
            (finished.outcome().calls, finished.elapsed.as_secs()),
            (calls, depth),
            "{approach} {params}"
        );
        assert_eq!(
            (demand.calls, u64::from(demand.depth)),
            (calls, depth),
            "demand of {approach} {params}"
        );
        // Whoever plays here does not think.
        let lost: &[&str] = if approach == "shortest" {
            &["reasoning"]
        } else {
            &[]
        };
        assert_eq!(finished.outcome().degraded, lost, "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn usage_is_the_sum_over_all_calls_and_the_trace_shows_each() {
    for (approach, params, calls, _) in table() {
        let finished = trial(Fake::new(plays), &params).run(approach).await;
        let outcome = finished.outcome();
        let used = outcome.trace.calls.iter().map(|call| call.usage.total);
        let traced: u64 = used.sum();
        assert_eq!(
            (outcome.trace.calls.len(), traced),
            (calls as usize, outcome.usage.total),
            "{approach}"
        );
        assert!(
            outcome
                .trace
                .calls
                .iter()
                .all(|call| matches!(call.outcome, CallOutcome::Answered | CallOutcome::Cancelled))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn where_n_is_ignored_or_refused_the_missing_candidates_are_asked_for_at_once() {
    let ignores = |seen: &Seen| {
        let mut completion = plays(seen)?;
        completion.choices.truncate(1);
        Ok(completion)
    };
    let refuses = |seen: &Seen| match seen.request.get("n") {
        Some(_) => Err(rejected(
            400,
            &json!({"message": "n is not supported", "param": "n"}),
        )),
        None => plays(seen),
    };
    for (model, first, depth) in [
        (Fake::new(ignores), 1 + 4 + 3, 3),
        (Fake::new(refuses), 1 + 5 + 3, 3),
    ] {
        let trial = Trial::new(model);
        let finished = trial.run("bon").await;
        assert_eq!(
            (finished.outcome().calls, finished.elapsed.as_secs()),
            (first, depth)
        );
        assert_eq!(finished.outcome().trace.candidates.len(), 5);
        assert_eq!(trial.model.knows("m", Fact::HonoursN), Some(false));
        let again = trial.run("bon").await;
        assert_eq!(
            (again.outcome().calls, again.elapsed.as_secs()),
            (8, 2),
            "learned"
        );
    }
}
