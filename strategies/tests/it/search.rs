//! Trees of answers: what is rated, what is rewritten, and which answer comes back.

use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::contract::{REVISION, SYNTHESIS, candidates};
use hone_strategies::model::{Fact, Model, Purpose};
use serde_json::json;

use crate::support::{Fake, Reply, Seen, Trial, says};

/// A model whose first answers are `firsts`, whose rewrites say `rewrite`, and whose judge gives what `judge` makes of the text it sees.
fn model(firsts: [&'static str; 3], rewrite: &'static str, judge: fn(&str) -> u32) -> Fake {
    let fake = Fake::new(move |seen: &Seen| -> Reply {
        if seen.call.purpose == Purpose::Judge {
            return says(seen, &format!("Score: {}", judge(candidates(&seen.text())[0].1)));
        }
        let text = if seen.call.index < 3 { firsts[seen.call.index as usize] } else { rewrite };
        Ok(Completion {
            choices: vec![Choice::new(Message::assistant(text), "stop")],
            usage: Some(Usage::new(10, 5)),
            ..Completion::default()
        })
    });
    fake.learn("m", Fact::HonoursN, false);
    fake
}

fn likes_42(text: &str) -> u32 {
    if text.contains("42") { 9 } else { 2 }
}

fn rewrites(trial: &Trial) -> Vec<Seen> {
    trial.model.requests().into_iter().filter(|seen| seen.call.purpose == Purpose::Candidate && seen.call.index >= 3).collect()
}

#[tokio::test(start_paused = true)]
async fn the_judge_decides_from_the_first_simulation_on_whatever_the_order() {
    for right in 0..3 {
        for simulations in 1..4 {
            let mut firsts = ["It is 41.", "It is 43.", "It is 44."];
            firsts[right] = "It is 42.";
            let trial = Trial::new(model(firsts, "Improved answer:\nIt is 45.", likes_42)).with("mcts_simulations", simulations);
            let finished = trial.run("mcts").await;
            assert_eq!(finished.text(), "It is 42.", "{simulations} simulations, place {right}");
            assert!(rewrites(&trial)[0].text().contains("It is 42."), "the best is rewritten first");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_better_rewrite_is_returned_without_the_faults_it_lists() {
    let trial =
        Trial::new(model(["It is 41.", "It is 43.", "It is 44."], "1. The sum is off.\n\n**Improved answer:**\nIt is 42.", likes_42));
    let finished = trial.run("mcts").await;
    assert_eq!(finished.text(), "It is 42.");
    assert_eq!((finished.outcome().calls, finished.outcome().degraded.len()), (10, 0));
    let scores: Vec<_> = finished.outcome().trace.candidates.iter().map(|candidate| candidate.score.unwrap()).collect();
    assert!((scores[0] - 2.0).abs() < 1e-9 && (scores[3] - 9.0).abs() < 1e-9, "{scores:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rewrite_without_its_line_is_no_answer() {
    let likes_faults = |text: &str| if text.contains("fault") { 10 } else { 2 };
    let trial = Trial::new(model(["It is 41.", "It is 43.", "It is 44."], "The fault is in line 2.", likes_faults));
    let finished = trial.run("mcts").await;
    assert_eq!((finished.text().as_str(), finished.outcome().calls), ("It is 41.", 8));
}

#[tokio::test(start_paused = true)]
async fn without_simulations_it_is_one_plain_call() {
    let trial = Trial::new(model(["a", "b", "c"], "", likes_42)).with("mcts_simulations", 0);
    let finished = trial.run("mcts").await;
    assert_eq!((finished.outcome().calls, trial.model.requests()[0].call.purpose), (1, Purpose::Final));
    assert_eq!(trial.model.requests()[0].request.messages().len(), 1, "the conversation is as it was");
}

#[tokio::test(start_paused = true)]
async fn where_the_answer_must_be_json_no_faults_are_asked_for() {
    let trial = Trial::new(model(["{}", "[1]", "[2]"], "{\"a\": 42}", likes_42)).with("response_format", json!({"type": "json_object"}));
    let finished = trial.run("mcts").await;
    assert_eq!(finished.text(), "{\"a\": 42}");
    let rewrites = rewrites(&trial);
    assert!(rewrites.iter().all(|seen| seen.text().contains(SYNTHESIS) && !seen.text().contains(REVISION)));
    assert!(rewrites.iter().all(|seen| seen.request.get("response_format").is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_judge_without_verdicts_leaves_the_choice_to_agreement() {
    let fake = Fake::new(|seen: &Seen| match seen.call.purpose {
        Purpose::Judge => says(seen, "Hard to say."),
        _ => says(seen, ["It is 41.", "It is 42.", "So it is 42."][seen.call.index as usize % 3]),
    });
    fake.learn("m", Fact::HonoursN, false);
    let trial = Trial::new(fake);
    let finished = trial.run("mcts").await;
    assert_eq!((finished.text().as_str(), finished.outcome().degraded.clone()), ("It is 42.", vec!["judge".to_owned()]));
    assert!(rewrites(&trial).is_empty(), "nothing is promising where nothing is rated");
}

#[tokio::test(start_paused = true)]
async fn parameters_of_one_request_do_not_reach_another() {
    let trials: Vec<Trial> = (0..8)
        .map(|at| {
            Trial::new(model(["It is 1.", "It is 2.", "It is 3."], "Improved answer:\nIt is 4.", likes_42)).with("mcts_simulations", at)
        })
        .collect();
    let calls = futures_util::future::join_all(trials.iter().map(|trial| async { trial.run("mcts").await.outcome().calls })).await;
    assert_eq!(calls, [1, 8, 10, 12, 14, 16, 18, 20]);
}
