//! What a verdict may cost: a bound, a second attempt where it cannot be read, and no third.

use hone_strategies::chat::{Choice, Message, Usage};
use hone_strategies::contract::SCORE;
use hone_strategies::model::{Fact, Model, Purpose};

use crate::support::{Fake, Finished, Reply, Seen, Trial, plays, rejected};

/// A judge that says `first` when asked for the first time, and then `second`; each with how it
/// ends. Candidates differ.
fn judging(
    first: (&'static str, &'static str),
    second: (&'static str, &'static str),
) -> impl Fn(&Seen) -> Reply {
    move |seen| {
        let mut completion = plays(seen)?;
        if seen.call.purpose == Purpose::Judge {
            let (text, end) = if is_second(seen) { second } else { first };
            completion.choices = vec![Choice::new(Message::assistant(text), end)];
        }
        Ok(completion)
    }
}

/// Whether a judge has been asked before: by the conversation, or by the room it has.
fn is_second(seen: &Seen) -> bool {
    let roles = seen.request.messages().iter().map(Message::role);
    roles.filter(|role| *role == "assistant").count() == 1 || room(seen) == Some(2000)
}

fn room(seen: &Seen) -> Option<u64> {
    seen.request.token_limit().map(|(_, limit)| limit)
}

fn judges(trial: &Trial) -> Vec<Seen> {
    let requests = trial.model.requests().into_iter();
    let judges = requests.filter(|seen| seen.call.purpose == Purpose::Judge);
    judges.collect()
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cut_is_followed_by_one_that_may_only_write_the_line() {
    let talks = ("The steps are right, because the product", "length");
    let trial = Trial::new(Fake::new(judging(talks, ("Score: 7", "stop"))));
    let finished = trial.with("best_of_n", 2).with("max_tokens", 60);
    let outcome = finished.run("bon").await;
    assert!(outcome.outcome().degraded.is_empty(), "the line was read");
    let judges = judges(&finished);
    assert_eq!(judges.len(), 4, "two candidates, each asked about twice");
    let rooms: Vec<_> = judges.iter().map(|seen| room(seen).unwrap()).collect();
    assert!(rooms[..2].iter().all(|room| *room == 64), "{rooms:?}");
    assert!(rooms[2..].iter().all(|room| *room <= 32), "{rooms:?}");
    let last = judges[3].request.messages().last().unwrap().text();
    assert!(last.ends_with(SCORE), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_verdict_has_64_tokens_and_with_its_reasons_512() {
    for (name, value, most) in [
        ("n", 1.into(), 64),
        ("judge_tokens", 20.into(), 20),
        ("judge_style", serde_json::Value::from("reasoned"), 512),
    ] {
        let judge = judging(("Score: 7", "stop"), ("", "stop"));
        let trial = Trial::new(Fake::new(judge)).with(name, value);
        assert!(trial.run("bon").await.result.is_ok());
        assert_eq!(judges(&trial).len(), 3);
        assert!(judges(&trial).iter().all(|seen| room(seen) == Some(most)));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_a_third_time() {
    let talks = ("The steps are right, because the product", "length");
    for approach in ["bon", "genselect", "usc", "knockout", "pvg", "autothink"] {
        let trial = Trial::new(Fake::new(judging(talks, talks)));
        let finished = trial.run(approach).await;
        assert!(finished.result.is_ok(), "{approach}");
        let judges = judges(&trial);
        let seconds = judges.iter().filter(|seen| is_second(seen)).count();
        assert!(seconds > 0, "{approach}");
        assert_eq!(judges.len(), 2 * seconds, "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_was_finished_before_the_cut_is_read() {
    let talks = ("The steps are right, because the product", "length");
    let line = ("Score: 8\nThe answer follows from", "length");
    let trial = Trial::new(Fake::new(judging(talks, line)));
    let finished = trial.run("bon").await;
    assert!(finished.outcome().degraded.is_empty());
    // "Score: 1" may have been the beginning of "Score: 10".
    let trial = Trial::new(Fake::new(judging(talks, ("Score: 1", "length"))));
    assert_eq!(trial.run("bon").await.outcome().degraded, ["judge"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_thinks_before_it_judges_gets_the_room_for_that() {
    for thought in ["", "<think>The product of"] {
        let script = judging((thought, "length"), ("Score: 7", "stop"));
        let trial = Trial::new(Fake::new(script));
        let finished = trial.run("bon").await;
        assert!(finished.outcome().degraded.is_empty());
        assert_eq!(trial.model.knows("m", Fact::Thinks), Some(true));
        let before = judges(&trial).len();
        assert!(trial.run("bon").await.result.is_ok());
        let learned = &judges(&trial)[before..];
        assert!(learned.iter().all(|seen| room(seen) == Some(2000)));
        let effort = |seen: &Seen| seen.request.get("reasoning_effort").cloned();
        assert!(
            learned
                .iter()
                .all(|seen| effort(seen) == Some("low".into()))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_ceiling_that_an_upstream_does_not_keep_is_said_in_the_other_field() {
    let script = |seen: &Seen| -> Reply {
        let mut completion = plays(seen)?;
        if seen.request.get("max_completion_tokens").is_some() {
            completion.usage = Some(Usage::new(10, 9000));
        }
        Ok(completion)
    };
    let trial = Trial::new(Fake::new(script));
    assert!(trial.run("genselect").await.result.is_ok());
    assert!(trial.run("genselect").await.result.is_ok());
    let judges = judges(&trial);
    let names: Vec<_> = judges
        .iter()
        .map(|seen| seen.request.token_limit().unwrap().0)
        .collect();
    assert_eq!(names, ["max_completion_tokens", "max_tokens"]);
}

/// What the judges of a finished run were charged for what they wrote.
fn billed(finished: &Finished) -> Vec<u64> {
    let calls = finished.outcome().trace.calls.iter();
    let judges = calls.filter(|call| call.purpose == Purpose::Judge);
    judges.map(|call| call.usage.completion).collect()
}

/// A judge's reply of 2,000 words behind `first`.
fn endless(first: &str) -> String {
    format!("{first}{}", "and so the step holds ".repeat(400))
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_would_go_on_is_cut_behind_its_verdict() {
    for first in ["Score: 7\n", "<think>Score: 3\n</think>\n**Score:** 7\n"] {
        let script = move |seen: &Seen| -> Reply {
            let mut completion = plays(seen)?;
            if seen.call.purpose == Purpose::Judge {
                let text = Message::assistant(endless(first));
                completion.choices = vec![Choice::new(text, "stop")];
                completion.usage = Some(Usage::new(10, 2_000));
            }
            Ok(completion)
        };
        let finished = Trial::new(Fake::new(script)).run("bon").await;
        let billed = billed(&finished);
        assert_eq!(billed.len(), 3);
        assert!(billed.iter().all(|tokens| *tokens <= 70), "{billed:?}");
        assert!(finished.outcome().degraded.is_empty());
        let scores = finished.outcome().trace.candidates.iter();
        let scores: Vec<_> = scores.filter_map(|candidate| candidate.score).collect();
        assert_eq!(scores, [7.0; 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_never_comes_to_its_verdict_is_capped_asked_once_more_and_then_the_vote_counts() {
    let script = |seen: &Seen| -> Reply {
        let mut completion = plays(seen)?;
        if seen.call.purpose == Purpose::Judge {
            // It does not even keep to its bound.
            let text = Message::assistant(endless("The product "));
            completion.choices = vec![Choice::new(text, "stop")];
        }
        Ok(completion)
    };
    let trial = Trial::new(Fake::new(script));
    let finished = trial.run("bon").await;
    let billed = billed(&finished);
    assert_eq!(billed.len(), 6, "each is asked once more");
    assert!(billed.iter().all(|tokens| *tokens <= 300), "{billed:?}");
    assert_eq!(finished.outcome().degraded, ["judge"]);
    assert!(finished.text().ends_with("says 0."), "the first of equals");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_puts_its_verdict_last_is_read_all_the_same() {
    let talks = ("Both hold. Score: 3 is too low.\nRating: 7", "stop");
    let trial = Trial::new(Fake::new(judging(talks, talks)));
    let finished = trial.run("bon").await;
    assert_eq!(judges(&trial).len(), 3, "nobody is asked again");
    let scores = finished.outcome().trace.candidates.iter();
    assert!(
        scores
            .filter_map(|it| it.score)
            .all(|score| (score - 7.0).abs() < 1e-9)
    );
}

#[tokio::test(start_paused = true)]
async fn where_there_are_no_streams_a_judge_stops_at_the_end_of_its_line() {
    let script = |seen: &Seen| {
        if seen.request.stream() {
            let error = serde_json::json!({"message": "no streams here", "param": "stream"});
            return Err(rejected(400, &error));
        }
        plays(seen)
    };
    let trial = Trial::new(Fake::new(script));
    assert!(trial.run("bon").await.result.is_ok());
    assert_eq!(trial.model.knows("m", Fact::Accepts("stream")), Some(false));
    let before = judges(&trial).len();
    assert!(trial.run("bon").await.result.is_ok());
    let learned = &judges(&trial)[before..];
    assert_eq!(learned.len(), 3, "no stream is asked for in vain");
    let stop = Some(serde_json::json!(["\n"]));
    assert!(
        learned
            .iter()
            .all(|seen| seen.request.get("stop").cloned() == stop)
    );
}

#[tokio::test(start_paused = true)]
async fn a_judge_whose_stream_breaks_is_heard_whole() {
    let trial = Trial::new(Fake::new(plays).breaking_after(1));
    let finished = trial.run("bon").await;
    assert!(finished.outcome().degraded.is_empty());
    let scores = finished.outcome().trace.candidates.iter();
    assert_eq!(scores.filter_map(|it| it.score).count(), 3);
}
