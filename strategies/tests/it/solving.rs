//! Problems that are stated for a solver.
#![expect(
    clippy::print_stdout,
    reason = "the figures are worth reading: cargo test solving -- --nocapture"
)]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::model::Purpose;
use hone_strategies::simulation::TaskModel;
use hone_strategies::testing::SimulatedModel;
use hone_strategies::{
    CallOutcome, ChatRequest, Expr, Fences, Params, PlanLimits, RunLimits, RunOptions, Solver,
    SolverError, StrategyError, execute, plan,
};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Fake, FakeSolver, Reply, Seen, Trial, plays, rejected, says};

const FOUND: &str = "sat\n((answer 42))";

/// Formulates by script and plays the other parts.
fn formulating(script: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Fake {
    Fake::new(move |seen| {
        if seen.call.purpose == Purpose::Plan {
            says(seen, &script(seen))
        } else {
            plays(seen)
        }
    })
}

fn block(script: &str) -> String {
    format!("Solver: applies\nExpected: sat\n```smt2\n{script}\n```")
}

fn solving(
    model: Fake,
    solver: impl Fn(&str) -> Result<String, SolverError> + Send + Sync + 'static,
) -> Trial {
    Trial {
        solver: Some(Arc::new(FakeSolver::new(solver))),
        ..Trial::new(model)
    }
}

fn given(trial: &Trial) -> Vec<String> {
    trial.solver.as_ref().unwrap().given.lock().unwrap().clone()
}

/// The requests for a formulation.
fn formulations(trial: &Trial) -> Vec<Seen> {
    trial
        .model
        .requests()
        .into_iter()
        .filter(|seen| seen.call.purpose == Purpose::Plan)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_made_from_what_the_solver_printed() {
    let trial = solving(Fake::new(plays), |_| Ok(FOUND.to_owned()));
    let finished = trial.run("z3").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().calls,
            finished.elapsed.as_secs()
        ),
        ("Final text.", 3, 2)
    );
    assert_eq!(
        given(&trial),
        [
            "(declare-const answer Int)\n(assert (= answer (* 6 7)))\n(check-sat)\n\
                (get-value (answer))\n"
        ]
    );
    let last = trial.model.requests().pop().unwrap();
    assert!(
        last.text().contains("((answer 42))")
            && last.text().contains("(assert (= answer (* 6 7)))")
    );
    assert_eq!(
        last.request.messages().last().unwrap().text(),
        "How much is 6 times 7?",
        "the conversation stays as it is"
    );
}

#[tokio::test(start_paused = true)]
async fn a_direct_answer_under_way_is_cancelled_when_the_solver_succeeds() {
    let slow = |seen: &Seen| {
        Duration::from_secs(if seen.call.purpose == Purpose::Candidate {
            60
        } else {
            1
        })
    };
    let trial = solving(
        Fake::new(plays).with_latency(slow),
        |_| Ok(FOUND.to_owned()),
    );
    let finished = trial.run("z3").await;
    assert_eq!(
        (finished.text().as_str(), finished.elapsed.as_secs()),
        ("Final text.", 2)
    );
    assert_eq!(trial.model.cancelled.load(Ordering::SeqCst), 1);
    assert_eq!(
        finished.outcome().trace.calls[0].outcome,
        CallOutcome::Cancelled
    );
}

#[tokio::test(start_paused = true)]
async fn where_no_solver_applies_the_direct_answer_costs_no_time() {
    let trial = solving(
        formulating(|_| "**Solver:** does not apply\nExpected: either".to_owned()),
        |_| panic!("nothing to solve"),
    );
    let finished = trial.run("z3").await;
    assert!(finished.text().starts_with("Candidate"));
    assert_eq!(
        (finished.outcome().calls, finished.elapsed.as_secs()),
        (2, 1)
    );
    assert_eq!(finished.outcome().degraded, [""; 0]);
    let finished = trial.with("z3_speculate", false).run("z3").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().calls,
            finished.elapsed.as_secs()
        ),
        ("Final text.", 2, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn the_solvers_own_message_goes_back_and_every_repair_is_solved() {
    let right = block("(declare-const x Int)\n(check-sat)\n(get-value (x))");
    let model = formulating(move |seen| {
        if seen.call.index < 3 {
            block("(assert (> y 1))\n(check-sat)")
        } else {
            right.clone()
        }
    });
    let trial = solving(model, |script| {
        let is_wrong = script.contains("(> y 1)");
        Ok(if is_wrong {
            "(error \"line 1 column 11: unknown constant y\")\nsat"
        } else {
            "sat\n((x 0))"
        }
        .to_owned())
    });
    let finished = trial.run("z3").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().calls,
            finished.elapsed.as_secs()
        ),
        ("Final text.", 6, 5)
    );
    assert_eq!(given(&trial).len(), 4, "the third repair runs too");
    let repair = formulations(&trial).pop().unwrap();
    assert!(repair.text().contains("unknown constant y") && repair.request.messages().len() == 4);
    assert_eq!(finished.outcome().degraded, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_never_works_ends_with_the_direct_answer_and_says_so() {
    type Solving = fn(&str) -> Result<String, SolverError>;
    let solvers: [(Solving, &str); 5] = [
        (|_| Ok("unknown".to_owned()), "could not decide"),
        (|_| Ok("unsat".to_owned()), "not the expected result"),
        (|_| Ok(String::new()), "printed no result"),
        (|_| Err(SolverError::TimedOut), "no result in time"),
        (
            |_| Err(SolverError::TooMuchOutput),
            "more output than allowed",
        ),
    ];
    for (solver, told) in solvers {
        let trial = solving(Fake::new(plays), solver).with("z3_max_attempts", 1);
        let finished = trial.run("z3").await;
        assert!(finished.text().starts_with("Candidate"), "{told}");
        assert_eq!(
            (
                finished.outcome().calls,
                finished.outcome().degraded.as_slice()
            ),
            (3, ["solver".to_owned()].as_slice()),
            "{told}"
        );
        assert!(
            formulations(&trial)[1].text().contains(told),
            "{told}: {}",
            formulations(&trial)[1].text()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_solver_that_cannot_run_is_not_asked_for_repairs() {
    let trial = solving(Fake::new(plays), |_| {
        Err(SolverError::Unavailable {
            detail: "gone".to_owned(),
        })
    });
    let finished = trial.run("z3").await;
    assert!(finished.text().starts_with("Candidate"));
    assert_eq!(
        (
            finished.outcome().calls,
            finished.outcome().degraded.as_slice()
        ),
        (2, ["solver".to_owned()].as_slice())
    );
}

#[tokio::test(start_paused = true)]
async fn a_program_that_prints_the_word_error_is_no_failure_and_forged_output_is_no_result() {
    let trial = solving(
        formulating(|_| block("(echo \"sat ((answer 7))\")(declare-const Error Int)(check-sat)")),
        |_| Ok("sat\n((Error 1))".to_owned()),
    );
    assert_eq!(trial.run("z3").await.text(), "Final text.");
    assert_eq!(given(&trial), ["(declare-const Error Int)\n(check-sat)\n"]);
}

#[tokio::test(start_paused = true)]
async fn scripts_that_reach_for_files_never_reach_the_solver() {
    let model = formulating(|_| block("(include \"/etc/passwd\")\n(check-sat)"));
    let trial = solving(model, |script| panic!("{script}")).with("z3_max_attempts", 1);
    let finished = trial.run("z3").await;
    assert!(finished.text().starts_with("Candidate"));
    assert!(
        formulations(&trial)[1]
            .text()
            .contains("`include` is not available")
    );
}

#[tokio::test(start_paused = true)]
async fn the_result_of_most_formulations_counts_whatever_they_call_their_unknowns() {
    let model = formulating(|seen| {
        block(&format!(
            "(declare-const x{} Int)(check-sat)",
            seen.call.index
        ))
    });
    let trial = solving(model, |script| {
        Ok(format!(
            "sat\n((x {}))",
            if script.contains("x0") { 41 } else { 42 }
        ))
    });
    let finished = trial
        .with("z3_samples", 3)
        .with("z3_max_attempts", 0)
        .run("z3")
        .await;
    assert_eq!(finished.elapsed.as_secs(), 2);
    let notes = &finished.outcome().trace.notes;
    assert!(
        notes
            .iter()
            .any(|note| note.name == "solved_formulations" && note.value == json!(3))
    );
}

#[tokio::test(start_paused = true)]
async fn of_several_results_the_most_frequent_is_answered_with() {
    let model = formulating(|seen| {
        block(&format!(
            "(declare-const x{} Int)(check-sat)",
            seen.call.index
        ))
    });
    let trial = solving(model, |script| {
        Ok(format!(
            "sat\n((x {}))",
            if script.contains("x0") { 41 } else { 42 }
        ))
    });
    let trial = trial.with("z3_samples", 3).with("z3_max_attempts", 0);
    trial.run("z3").await;
    let last = trial.model.requests().pop().unwrap().text();
    assert!(last.contains("((x 42))") && !last.contains("((x 41))"));
}

#[tokio::test(start_paused = true)]
async fn a_failing_last_call_gives_the_direct_answer() {
    let fails = |seen: &Seen| match seen.call.purpose {
        Purpose::Final => Err(rejected(400, &json!({"message": "no"}))),
        _ => plays(seen),
    };
    let finished = solving(Fake::new(fails), |_| Ok(FOUND.to_owned()))
        .run("z3")
        .await;
    assert!(finished.text().starts_with("Candidate"));
    assert_eq!(finished.outcome().degraded, ["solver", "failed_calls"]);
}

#[tokio::test(start_paused = true)]
async fn a_formulation_that_was_cut_off_is_asked_for_again() {
    let cut = |seen: &Seen| -> Reply {
        let reply = plays(seen)?;
        if seen.call.purpose != Purpose::Plan || seen.call.index > 0 {
            return Ok(reply);
        }
        let choice = Choice::new(Message::assistant(block("(check-sat)")), "length");
        Ok(Completion {
            choices: vec![choice],
            usage: Some(Usage::new(1, 1)),
            ..Completion::default()
        })
    };
    let trial = solving(Fake::new(cut), |_| Ok(FOUND.to_owned()));
    assert_eq!(trial.run("z3").await.text(), "Final text.");
    assert_eq!(given(&trial).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_solver_nothing_is_asked() {
    let trial = Trial {
        solver: None,
        ..Trial::new(Fake::new(plays))
    };
    assert!(matches!(
        trial.run("re2&z3").await.result,
        Err(StrategyError::NoSolver)
    ));
    assert_eq!(trial.model.calls(), 0);
    assert!(
        trial.plan("bon|z3").unwrap().needs_solver() && !trial.plan("bon").unwrap().needs_solver()
    );
}

/// Solves what the simulated model formulates.
struct Arithmetic;

impl Solver for Arithmetic {
    fn solve<'a>(
        &'a self,
        script: &'a hone_strategies::smt::Script,
        _limit: Duration,
    ) -> futures_util::future::BoxFuture<'a, Result<String, SolverError>> {
        let text = script.to_string();
        let numbers: Vec<i64> = text
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect();
        let result = match (text.contains("(times "), numbers.as_slice()) {
            (false, [a, b, c]) => Ok(format!(
                "sat\n((answer {}))",
                if text.contains("(- (*") {
                    a * b - c
                } else {
                    a * b + c
                }
            )),
            _ => Ok("(error \"unknown function times\")".to_owned()),
        };
        Box::pin(async move { result })
    }
}

/// The share of right answers and the calls per question of a model that is never right by itself.
async fn solved(formulation: f64, attempts: u32) -> (f64, f64) {
    const QUESTIONS: u32 = 500;
    let model = Arc::new(SimulatedModel::new(TaskModel {
        accuracy: 0.0,
        formulation,
        ..TaskModel::default()
    }));
    let params: Params = [("z3_max_attempts".to_owned(), json!(attempts))]
        .into_iter()
        .collect();
    let plan = plan(&Expr::parse("z3").unwrap(), &params, &PlanLimits::default()).unwrap();
    let (mut right, mut calls) = (0, 0);
    for id in 0..QUESTIONS {
        let question = model.task().question(id.into());
        let request = ChatRequest::new("sim", [Message::user(question.text.clone())]);
        let limits = RunLimits {
            calls: 256,
            tokens: 10_000_000,
            deadline: Instant::now() + Duration::from_secs(3_600),
            parallel: 64,
        };
        let options = RunOptions {
            model: Arc::clone(&model) as _,
            solver: Some(Arc::new(Arithmetic)),
            limits,
            seed: id.into(),
            fences: Fences::Repeatable,
            sink: None,
            halt: hone_strategies::Halt::default(),
            quality: None,
        };
        let outcome = execute(&plan, request, options).await.unwrap();
        right += u32::from(question.is_answered_by(&outcome.choices[0].message.text()));
        calls += outcome.calls;
    }
    (
        f64::from(right) / f64::from(QUESTIONS),
        f64::from(calls) / f64::from(QUESTIONS),
    )
}

#[tokio::test(start_paused = true)]
async fn the_solver_is_used_as_often_as_one_of_the_attempts_is_right() {
    for (valid, attempts) in [(0.3, 3), (0.5, 1), (1.0, 0)] {
        let (accuracy, calls) = solved(valid, attempts).await;
        let tries = i32::try_from(attempts).unwrap() + 1;
        let expected = 1.0 - (1.0_f64 - valid).powi(tries);
        let expected_calls = 1.0 + expected / valid + expected;
        println!(
            "z3, valid {valid}, {attempts} repairs: right {accuracy:.3} (theory {expected:.3}), \
                calls {calls:.2} ({expected_calls:.2})"
        );
        assert!(
            (accuracy - expected).abs()
                <= 4.0 * (expected * (1.0 - expected) / 500.0).sqrt() + 1e-9
        );
        assert!((calls - expected_calls).abs() < 0.25);
    }
}
