//! What a verdict may cost: a bound, a second attempt where it cannot be read, and no third.

use hone_strategies::chat::{Choice, Message, Usage};
use hone_strategies::contract::SCORE;
use hone_strategies::model::{Fact, Model, Purpose};

use crate::support::{Fake, Reply, Seen, Trial, plays};

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
    roles.filter(|role| *role == "assistant").count() == 1 || room(seen) == Some(4096)
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
async fn without_a_limit_of_the_clients_a_verdict_has_512_tokens() {
    let trial = Trial::new(Fake::new(judging(("Score: 7", "stop"), ("", "stop"))));
    assert!(trial.run("bon").await.result.is_ok());
    assert!(judges(&trial).iter().all(|seen| room(seen) == Some(512)));
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
        assert!(learned.iter().all(|seen| room(seen) == Some(4096)));
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
