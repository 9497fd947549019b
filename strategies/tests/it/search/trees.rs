//! Trees of answers: what is rated, what is rewritten, and which answer comes back.

use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::contract::{REVISION, SYNTHESIS, candidates};
use hone_strategies::model::{Fact, Model, Purpose};
use serde_json::json;

use crate::support::{Fake, Reply, Seen, Trial, says};

/// A model whose first answers are `firsts`, whose rewrites say `rewrite`, and whose judge gives
/// what `judge` makes of the text it sees.
fn model(firsts: [&'static str; 3], rewrite: &'static str, judge: fn(&str) -> u32) -> Fake {
    let fake = Fake::new(move |seen: &Seen| -> Reply {
        if seen.call.purpose == Purpose::Judge {
            return says(
                seen,
                &format!("Score: {}", judge(candidates(&seen.text())[0].1)),
            );
        }
        let text = if seen.call.index < 3 {
            firsts[seen.call.index as usize]
        } else {
            rewrite
        };
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
    trial
        .model
        .requests()
        .into_iter()
        .filter(|seen| seen.call.purpose == Purpose::Candidate && seen.call.index >= 3)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_judge_decides_from_the_first_simulation_on_whatever_the_order() {
    for right in 0..3 {
        for simulations in 1..4 {
            let mut firsts = ["It is 41.", "It is 43.", "It is 44."];
            firsts[right] = "It is 42.";
            let trial = Trial::new(model(firsts, "Improved answer:\nIt is 45.", likes_42))
                .with("mcts_simulations", simulations);
            let finished = trial.run("mcts").await;
            assert_eq!(
                finished.text(),
                "It is 42.",
                "{simulations} simulations, place {right}"
            );
            assert!(
                rewrites(&trial)[0].text().contains("It is 42."),
                "the best is rewritten first"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rollouts_that_agree_end_the_search() {
    let calls = |texts: &'static [&'static str], stop_confidence: f64| async move {
        let model = Fake::new(move |seen: &Seen| {
            let text = if seen.call.purpose == Purpose::Plan {
                "First, look."
            } else {
                texts[seen.number as usize % texts.len()]
            };
            says(seen, &format!("Final answer: {text}"))
        });
        let trial = Trial::new(model)
            .with("rstar_num_rollouts", 10)
            .with("rstar_c", 10)
            .with("stop_confidence", stop_confidence);
        assert!(trial.run("rstar").await.result.is_ok());
        trial
            .model
            .requests()
            .iter()
            .filter(|seen| seen.call.purpose != Purpose::Judge)
            .count()
    };
    let whole = calls(&["42"], 0.0).await;
    let five = calls(&["42"], 0.9).await;
    assert!(
        five == 13 && whole > five,
        "five that agree are as good as ten: {five} calls of {whole}"
    );
    assert_eq!(
        calls(&["41", "42", "43", "44", "45", "46", "47"], 0.9).await,
        whole,
        "nothing is decided"
    );
}

#[tokio::test(start_paused = true)]
async fn a_better_rewrite_is_returned_without_the_faults_it_lists() {
    let trial = Trial::new(model(
        ["It is 41.", "It is 43.", "It is 44."],
        "1. The sum is off.\n\n**Improved answer:**\nIt is 42.",
        likes_42,
    ));
    let finished = trial.run("mcts").await;
    assert_eq!(finished.text(), "It is 42.");
    assert_eq!(
        (finished.outcome().calls, finished.outcome().degraded.len()),
        (10, 0)
    );
    let scores: Vec<_> = finished
        .outcome()
        .trace
        .candidates
        .iter()
        .map(|candidate| candidate.score.unwrap())
        .collect();
    assert!(
        (scores[0] - 2.0).abs() < 1e-9 && (scores[3] - 9.0).abs() < 1e-9,
        "{scores:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rewrite_without_its_line_is_no_answer() {
    let likes_faults = |text: &str| if text.contains("fault") { 10 } else { 2 };
    let trial = Trial::new(model(
        ["It is 41.", "It is 43.", "It is 44."],
        "The fault is in line 2.",
        likes_faults,
    ));
    let finished = trial.run("mcts").await;
    assert_eq!(
        (finished.text().as_str(), finished.outcome().calls),
        ("It is 41.", 8)
    );
}

#[tokio::test(start_paused = true)]
async fn without_simulations_it_is_one_plain_call() {
    let trial = Trial::new(model(["a", "b", "c"], "", likes_42)).with("mcts_simulations", 0);
    let finished = trial.run("mcts").await;
    assert_eq!(
        (
            finished.outcome().calls,
            trial.model.requests()[0].call.purpose
        ),
        (1, Purpose::Final)
    );
    assert_eq!(
        trial.model.requests()[0].request.messages().len(),
        1,
        "the conversation is as it was"
    );
}

#[tokio::test(start_paused = true)]
async fn where_the_answer_must_be_json_no_faults_are_asked_for() {
    let trial = Trial::new(model(["{}", "[1]", "[2]"], "{\"a\": 42}", likes_42))
        .with("response_format", json!({"type": "json_object"}));
    let finished = trial.run("mcts").await;
    assert_eq!(finished.text(), "{\"a\": 42}");
    let rewrites = rewrites(&trial);
    assert!(
        rewrites
            .iter()
            .all(|seen| seen.text().contains(SYNTHESIS) && !seen.text().contains(REVISION))
    );
    assert!(
        rewrites
            .iter()
            .all(|seen| seen.request.get("response_format").is_some())
    );
}

#[tokio::test(start_paused = true)]
async fn a_judge_without_verdicts_leaves_the_choice_to_agreement() {
    let fake = Fake::new(|seen: &Seen| match seen.call.purpose {
        Purpose::Judge => says(seen, "Hard to say."),
        _ => says(
            seen,
            ["It is 41.", "It is 42.", "So it is 42."][seen.call.index as usize % 3],
        ),
    });
    fake.learn("m", Fact::HonoursN, false);
    let trial = Trial::new(fake);
    let finished = trial.run("mcts").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().degraded.clone()
        ),
        ("It is 42.", vec!["judge".to_owned()])
    );
    assert!(
        rewrites(&trial).is_empty(),
        "nothing is promising where nothing is rated"
    );
}

#[tokio::test(start_paused = true)]
async fn parameters_of_one_request_do_not_reach_another() {
    let trials: Vec<Trial> = (0..8)
        .map(|at| {
            Trial::new(model(
                ["It is 1.", "It is 2.", "It is 3."],
                "Improved answer:\nIt is 4.",
                likes_42,
            ))
            .with("mcts_simulations", at)
        })
        .collect();
    let calls = futures_util::future::join_all(
        trials
            .iter()
            .map(|trial| async { trial.run("mcts").await.outcome().calls }),
    )
    .await;
    assert_eq!(calls, [1, 8, 10, 12, 14, 16, 18, 20]);
}

/// A model whose solutions say what `solve` makes of the text before them, and whose second reader
/// says what `read` does.
fn reasoner(
    solve: impl Fn(&Seen) -> String + Send + Sync + 'static,
    read: impl Fn(&Seen) -> String + Send + Sync + 'static,
) -> Fake {
    Fake::new(move |seen: &Seen| match seen.call.purpose {
        Purpose::Plan => says(seen, &format!("<think>hm</think>Step {}.", seen.number)),
        Purpose::Judge => says(seen, &read(seen)),
        _ => says(seen, &solve(seen)),
    })
}

#[tokio::test(start_paused = true)]
async fn a_whole_solution_comes_back_whatever_kind_of_answer_it_has() {
    for (question, solution) in [
        (
            "What is the value of pi, to two places? Calculate it for 7 terms.",
            "The series gives 3.14 in the end.\nFinal answer: 3.14",
        ),
        ("How much is 2 minus 7?", "Below zero, so \\boxed{-5}."),
        (
            "How many metres are 1 km?",
            "A kilometre has 1,000 metres.\n**Answer: 1,000**",
        ),
        (
            "Solve for x: 3x = 6",
            "Divide both sides.\nThe answer is x = 2.",
        ),
        (
            "Is 7 a prime?",
            "It has no divisors but itself.\nFinal answer: yes",
        ),
    ] {
        let trial = Trial::new(reasoner(move |_| solution.to_owned(), |_| "?".to_owned()));
        let finished = trial
            .with("messages", json!([{"role": "user", "content": question}]))
            .run("rstar")
            .await;
        assert_eq!(
            (finished.text().as_str(), finished.outcome().calls),
            (solution, 13),
            "no second reader where all agree"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_sees_all_steps_before_it() {
    let trial = Trial::new(reasoner(
        |seen| format!("Final answer: {}", seen.number),
        |_| "Final answer: 0".to_owned(),
    ));
    assert!(trial.run("rstar").await.result.is_ok());
    let solving: Vec<Seen> = trial
        .model
        .requests()
        .into_iter()
        .filter(|seen| seen.call.purpose == Purpose::Candidate)
        .collect();
    assert_eq!(
        solving
            .iter()
            .map(|seen| seen.text().matches("Step ").count())
            .collect::<Vec<_>>(),
        [0, 2, 2, 2, 2]
    );
    assert!(
        solving.iter().all(|seen| !seen.text().contains("hm")),
        "and no reasoning of others"
    );
    assert_eq!(
        solving[0].request.messages().len(),
        1,
        "the first is the bare request"
    );
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_answer_beats_a_more_frequent_one() {
    let solve = |seen: &Seen| {
        format!(
            "I am sure.\nFinal answer: {}",
            if seen.text().contains("Step 2.") {
                42
            } else {
                41
            }
        )
    };
    let trial = Trial::new(reasoner(solve, |_| {
        "I find something else.\nFinal answer: 42".to_owned()
    }));
    assert_eq!(
        trial.run("rstar").await.text(),
        "I am sure.\nFinal answer: 42"
    );
    let trial = Trial::new(reasoner(solve, |_| "Final answer: 40".to_owned()));
    assert_eq!(
        trial.run("rstar").await.text(),
        "I am sure.\nFinal answer: 41",
        "where none is confirmed all count"
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_reader_sees_the_beginning_and_not_the_answer() {
    let solve = |seen: &Seen| {
        format!(
            "{}\nFinal answer: 9{}7",
            "So it goes on. ".repeat(30),
            seen.number
        )
    };
    let trial = Trial::new(reasoner(solve, |_| "Final answer: 1".to_owned()));
    assert!(trial.run("rstar").await.result.is_ok());
    let readers: Vec<Seen> = trial
        .model
        .requests()
        .into_iter()
        .filter(|seen| seen.call.purpose == Purpose::Judge)
        .collect();
    assert_eq!(readers.len(), 5);
    assert!(readers.iter().all(|seen| seen.text().contains("goes on") && !seen.text()
        .contains("Final answer: 9")));
}

#[tokio::test(start_paused = true)]
async fn another_model_may_be_the_second_reader() {
    let model = reasoner(
        |seen| format!("Final answer: {}", seen.number),
        |_| "Final answer: 0".to_owned(),
    );
    let trial = Trial::new(model).with("rstar_discriminator_model", "d");
    assert_eq!(trial.plan("rstar").unwrap().models(), ["d"]);
    assert!(trial.run("rstar").await.result.is_ok());
    for seen in trial.model.requests() {
        assert_eq!(
            seen.request.model(),
            if seen.call.purpose == Purpose::Judge {
                "d"
            } else {
                "m"
            }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn digits_of_the_question_are_no_votes() {
    let trial = Trial::new(reasoner(
        |_| "I cannot tell.".to_owned(),
        |_| "Nor can I.".to_owned(),
    ));
    assert_eq!(trial.run("rstar").await.text(), "I cannot tell.");
}

#[tokio::test(start_paused = true)]
async fn solutions_that_cannot_be_compared_are_rated() {
    let solve = |seen: &Seen| {
        format!(
            "A poem of {} lines about the sea, the wind, the gulls and all the other things.",
            seen.number
        )
    };
    let judge = |seen: &Seen| {
        format!(
            "Score: {}",
            if candidates(&seen.text())[0].1.contains("of 10 lines") {
                9
            } else {
                3
            }
        )
    };
    let trial = Trial::new(reasoner(solve, judge)).with(
        "messages",
        json!([{"role": "user", "content": "Write a poem."}]),
    );
    let finished = trial.run("rstar").await;
    assert!(
        finished.text().contains("of 10 lines"),
        "{}",
        finished.text()
    );
    assert_eq!(
        (
            finished.elapsed.as_secs(),
            finished.outcome().degraded.len()
        ),
        (4, 0)
    );
}

/// Whatever begins with the third call ends in agreement; everything else in three different
/// answers.
fn agrees_after_step_2(seen: &Seen) -> Reply {
    if seen.call.purpose != Purpose::Candidate {
        return says(seen, &format!("Step {}.", seen.number));
    }
    let solve = |index: u32| {
        let value = if seen.text().contains("Step 2.") {
            42
        } else {
            100 + 10 * seen.number + index
        };
        Choice {
            index,
            ..Choice::new(Message::assistant(format!("Final answer: {value}")), "stop")
        }
    };
    Ok(Completion {
        choices: (0..seen.request.n()).map(solve).collect(),
        usage: Some(Usage::new(10, 5)),
        ..Completion::default()
    })
}

/// How many of the solutions after the first wave followed the second step, and of how many.
fn late_solutions(trial: &Trial) -> (usize, usize) {
    let late: Vec<Seen> = trial
        .model
        .requests()
        .into_iter()
        .skip(13)
        .filter(|seen| seen.call.purpose == Purpose::Candidate)
        .collect();
    let rewarded = late.iter().filter(|seen| seen.text().contains("Step 2."));
    (rewarded.count(), late.len())
}

#[tokio::test(start_paused = true)]
async fn five_rollouts_are_one_wave() {
    for exploration in [0.0, 10.0] {
        let trial = Trial::new(Fake::new(agrees_after_step_2)).with("rstar_c", exploration);
        assert!(trial.run("rstar").await.result.is_ok());
        assert_eq!(late_solutions(&trial).1, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn further_rollouts_go_where_the_first_ones_were_rewarded() {
    let mut found = Vec::new();
    for exploration in [0.0, 10.0] {
        let trial = Trial::new(Fake::new(agrees_after_step_2))
            .with("rstar_c", exploration)
            .with("rstar_num_rollouts", 15);
        assert!(trial.run("rstar").await.result.is_ok());
        found.push(late_solutions(&trial));
    }
    let [(greedy, all), (curious, others)] = found[..] else {
        panic!("two trials")
    };
    assert!(
        greedy * others > curious * all,
        "{greedy} of {all} with c = 0, {curious} of {others} with c = 10"
    );
}
