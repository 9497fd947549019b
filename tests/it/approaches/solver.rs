//! The z3 approach with a real z3, and without one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hone_strategies::simulation::TaskModel;
use hone_strategies::smt::Script;
use hone_strategies::{Solver, SolverError};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::support::parts::{SolverPermit, TenantKey, Z3};
use crate::support::sim::calls;
use crate::support::{chat_with, hone, solver, text, upstream};

/// The solver of this machine, for one tenant. A test that needs it ends where there is none.
fn z3() -> Option<SolverPermit> {
    let z3 = solver("scripts of the solver")?;
    Some(Arc::new(z3).seat(&TenantKey::from("t"), 1))
}

async fn solve(z3: &SolverPermit, script: &str, seconds: u64) -> Result<String, SolverError> {
    let script = Script::parse(script).expect("fixture: a script");
    z3.solve(&script, Duration::from_secs(seconds)).await
}

fn asking(accuracy: f64) -> Value {
    let task = TaskModel {
        accuracy,
        ..TaskModel::default()
    };
    let question = task.question(7).text;
    let fields = json!({"optillm_approach": "z3", "sim": {"task": {"accuracy": accuracy}},
        "messages": [{"role": "user", "content": question}]});
    chat_with("sim-small", fields)
}

#[tokio::test]
async fn a_model_that_is_never_right_answers_rightly_with_a_solver() {
    if z3().is_none() {
        return;
    }
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let answer = hone.client("k").chat(&asking(0.0)).await;
    answer
        .assert_ok()
        .assert_header("x-hone-upstream-calls", "3");
    let content = &answer.json()["choices"][0]["message"]["content"];
    let content = content.as_str().expect("a text");
    let question = TaskModel::default().question(7);
    assert!(question.is_answered_by(content), "{content}");
}

#[tokio::test]
async fn a_real_solver_finds_optimises_proves_and_says_what_is_wrong() {
    let Some(z3) = z3() else { return };
    let square = "(declare-const x Int)(assert (= (* x x) 49))(assert (> x 0))";
    let below_ten = "(declare-const x Int)(assert (< x 10))(maximize x)";
    let neither = "(declare-const p Bool)(assert (not (or p (not p))))";
    for (facts, questions, expected) in [
        (square, "(check-sat)(get-value (x))", "sat\n((x 7))\n"),
        (below_ten, "(check-sat)(get-value (x))", "sat\n((x 9))\n"),
        (neither, "(check-sat)(get-model)", "unsat\n"),
        ("(assert (> y 1))", "(check-sat)", "unknown constant y"),
    ] {
        let printed = solve(&z3, &format!("{facts}{questions}"), 10).await;
        let printed = printed.expect("output");
        assert!(printed.contains(expected), "{facts}: {printed}");
    }
}

/// The factors of a number of 80 bits: far out of reach for the solver, in a few lines.
fn factors() -> String {
    let product = 999_999_999_989_u128 * 999_999_000_001;
    let wide = |name: &str| format!("((_ zero_extend 40) {name})");
    let unknowns = "(declare-const x (_ BitVec 40))(declare-const y (_ BitVec 40))";
    let not_one = "(assert (bvugt x (_ bv1 40)))(assert (bvugt y (_ bv1 40)))";
    let (x, y) = (wide("x"), wide("y"));
    let product = format!("(assert (= (bvmul {x} {y}) (_ bv{product} 80)))");
    format!("{unknowns}{not_one}{product}(check-sat)")
}

#[tokio::test]
async fn a_script_that_takes_for_ever_ends_in_time() {
    let Some(z3) = z3() else { return };
    let began = Instant::now();
    let printed = solve(&z3, &factors(), 1).await;
    assert!(
        matches!(
            printed.as_deref(),
            Ok("timeout\n") | Err(SolverError::TimedOut)
        ),
        "{printed:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(6));
}

/// The command lines of this process's children.
fn children() -> String {
    let own = std::process::id().to_string();
    let listed = std::process::Command::new("ps")
        .args(["--ppid", &own, "-o", "args="])
        .output();
    text(listed.expect("ps runs").stdout)
}

#[tokio::test]
async fn a_script_that_is_dropped_ends_at_once() {
    let Some(z3) = z3() else { return };
    let dropped = timeout(Duration::from_millis(200), solve(&z3, &factors(), 100)).await;
    assert!(dropped.is_err());
    for _ in 0..20 {
        // z3 takes its own arguments apart, so that the colon of `-T:100` is gone once it runs.
        if !children().replace(':', " ").contains("-T 100") {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("the solver outlived its request");
}

/// How far this process's children stand back.
fn niceness() -> Vec<i32> {
    let own = std::process::id().to_string();
    let listed = std::process::Command::new("ps")
        .args(["--ppid", &own, "-o", "ni="])
        .output();
    let listed = text(listed.expect("ps runs").stdout);
    listed
        .lines()
        .filter_map(|line| line.trim().parse().ok())
        .collect()
}

#[tokio::test]
async fn a_solver_stands_back_behind_hone() {
    let Some(z3) = z3() else { return };
    let endless = factors();
    let looking = async {
        // `ps` is a child, too, and stands where this process does.
        while niceness().into_iter().all(|nice| nice < 10) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        printed = solve(&z3, &endless, 5) => panic!("no solver stood back: {printed:?}"),
        () = looking => {}
    }
}

#[tokio::test]
async fn a_tenant_that_keeps_the_solver_busy_does_not_keep_it_from_another() {
    let Some(z3) = solver("turns at the solver").map(Arc::new) else {
        return;
    };
    let greedy = z3.seat(&TenantKey::from("greedy"), 1);
    let other = z3.seat(&TenantKey::from("other"), 1);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let endless = factors();
    let flood = join_all((0..processors * 8).map(|_| solve(&greedy, &endless, 3)));
    let small = async {
        sleep(Duration::from_millis(200)).await;
        let script = "(declare-const x Int)(assert (= x 7))(check-sat)";
        solve(&other, script, 3).await
    };
    // The next turn after the running ones is the other's: in the order of arrival it would have
    // been the last, and too late.
    tokio::select! {
        _ = flood => panic!("the other was to be served first"),
        answer = small => assert_eq!(answer.as_deref(), Ok("sat\n")),
    }
}

#[tokio::test]
async fn output_and_memory_are_bounded() {
    let Some(z3) = z3() else { return };
    let long = format!(r#"(assert (= x "{}"))"#, "a".repeat(2000));
    let many = "(get-value (x))".repeat(60);
    let script = format!("(declare-const x String){long}(check-sat){many}");
    let printed = solve(&z3, &script, 10).await;
    assert_eq!(printed, Err(SolverError::TooMuchOutput));
    let unknowns = "(declare-const x (_ BitVec 60000))(declare-const y (_ BitVec 60000))";
    let ones = format!("#b{}", "1".repeat(60_000));
    let huge = format!("{unknowns}(assert (= (bvmul x y) (bvadd x y {ones})))(check-sat)");
    let began = Instant::now();
    let printed = solve(&z3, &huge, 20).await;
    let is_solved = printed.as_ref().is_ok_and(|text| text.starts_with("sat"));
    assert!(!is_solved, "{printed:?}");
    assert!(began.elapsed() < Duration::from_secs(25));
}

#[tokio::test]
async fn a_solver_that_is_no_program_is_unavailable() {
    let nowhere = Arc::new(Z3::at(Path::new("/nonexistent/z3"))).seat(&TenantKey::from("t"), 1);
    let broken = solve(&nowhere, "(check-sat)", 1).await;
    assert!(
        matches!(broken, Err(SolverError::Unavailable { .. })),
        "{broken:?}"
    );
}

#[tokio::test]
async fn without_a_solver_the_approach_is_refused_before_anything_is_spent() {
    let upstream = upstream().await;
    let hone = hone().set("solver", "off").upstream(&upstream).start();
    let answer = hone.client("k").chat(&asking(1.0)).await;
    answer
        .assert_refused(400, "solver_not_installed")
        .assert_says("apt-get install z3");
    assert_eq!(calls([&upstream]), [0]);
}
