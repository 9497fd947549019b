//! The z3 approach with a real z3, and without one.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hone::admission::TenantKey;
use hone::solver::{SolverPermit, Z3};
use hone_strategies::smt::Script;
use hone_strategies::{Solver, SolverError};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Client, chat_body, hone_before, upstream};

/// The solver of this machine; a test that needs one says so and ends where there is none.
/// `.ci/run` installs it.
fn z3() -> Option<SolverPermit> {
    let found = Z3::find().map(|z3| Arc::new(z3).seat(&TenantKey::from("t"), 1));
    if found.is_none() {
        let told = writeln!(
            std::io::stderr(),
            "skipped: z3 is not installed (apt-get install z3)"
        );
        told.expect("standard error is open");
    }
    found
}

async fn solve(z3: &SolverPermit, script: &str, limit: Duration) -> Result<String, SolverError> {
    z3.solve(&Script::parse(script).expect("fixture: a script"), limit)
        .await
}

fn asking(accuracy: f64) -> Value {
    let mut body = chat_body("sim-small");
    let task = hone_strategies::simulation::TaskModel {
        accuracy,
        ..Default::default()
    };
    body["messages"] = json!([{"role": "user", "content": task.question(7).text}]);
    body["optillm_approach"] = json!("z3");
    body["sim"] = json!({"task": {"accuracy": accuracy}});
    body
}

#[tokio::test]
async fn a_model_that_is_never_right_answers_rightly_with_a_solver() {
    if z3().is_none() {
        return;
    }
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let answer = Client::new(hone.address())
        .key("k")
        .chat(&asking(0.0))
        .await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.header("x-hone-upstream-calls")
        ),
        (200, "3"),
        "{}",
        answer.text()
    );
    let task = hone_strategies::simulation::TaskModel::default();
    let text = answer.json()["choices"][0]["message"]["content"]
        .as_str()
        .expect("a text")
        .to_owned();
    assert!(task.question(7).is_answered_by(&text), "{text}");
}

#[tokio::test]
async fn a_real_solver_finds_optimises_proves_and_says_what_is_wrong() {
    let Some(z3) = z3() else { return };
    for (script, expected) in [
        (
            "(declare-const x Int)(assert (= (* x x) 49))(assert (> x 0))(check-sat)(get-value \
                (x))",
            "sat\n((x 7))\n",
        ),
        (
            "(declare-const x Int)(assert (< x 10))(maximize x)(check-sat)(get-value (x))",
            "sat\n((x 9))\n",
        ),
        (
            "(declare-const p Bool)(assert (not (or p (not p))))(check-sat)(get-model)",
            "unsat\n",
        ),
        ("(assert (> y 1))(check-sat)", "unknown constant y"),
    ] {
        let printed = solve(&z3, script, Duration::from_secs(10))
            .await
            .expect("output");
        assert!(printed.contains(expected), "{script}: {printed}");
    }
}

/// The factors of a number of 80 bits: far out of reach for the solver, in a few lines.
fn factors() -> String {
    let product = 999_999_999_989_u128 * 999_999_000_001;
    let wide = |name: &str| format!("((_ zero_extend 40) {name})");
    let unknowns = "(declare-const x (_ BitVec 40))(declare-const y (_ BitVec 40))(assert (bvugt x \
        (_ bv1 40)))(assert (bvugt y (_ bv1 40)))";
    format!(
        "{unknowns}(assert (= (bvmul {} {}) (_ bv{product} 80)))(check-sat)",
        wide("x"),
        wide("y")
    )
}

#[tokio::test]
async fn a_script_that_takes_for_ever_ends_in_time_and_one_that_is_dropped_at_once() {
    let Some(z3) = z3() else { return };
    let began = Instant::now();
    let printed = solve(&z3, &factors(), Duration::from_secs(1)).await;
    assert!(
        matches!(
            printed.as_deref(),
            Ok("timeout\n") | Err(SolverError::TimedOut)
        ),
        "{printed:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(6));
    let script = Script::parse(&factors()).expect("fixture: a script");
    let dropped = tokio::time::timeout(
        Duration::from_millis(200),
        z3.solve(&script, Duration::from_secs(100)),
    )
    .await;
    assert!(dropped.is_err());
    let own = std::process::id().to_string();
    for _ in 0..20 {
        let listed = std::process::Command::new("ps")
            .args(["--ppid", &own, "-o", "args="])
            .output()
            .expect("ps runs");
        // z3 takes its own arguments apart, so that the colon of `-T:100` is gone once it runs.
        let listed = String::from_utf8_lossy(&listed.stdout).replace(':', " ");
        if !listed.contains("-T 100") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the solver outlived its request");
}

#[tokio::test]
async fn a_tenant_that_keeps_the_solver_busy_does_not_keep_it_from_another() {
    let Some(z3) = Z3::find().map(Arc::new) else {
        return;
    };
    let (greedy, other) = (
        z3.seat(&TenantKey::from("greedy"), 1),
        z3.seat(&TenantKey::from("other"), 1),
    );
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = Duration::from_secs(3);
    let endless = factors();
    let flood = futures_util::future::join_all(
        (0..processors * 8).map(|_| solve(&greedy, &endless, limit)),
    );
    let small = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        solve(
            &other,
            "(declare-const x Int)(assert (= x 7))(check-sat)",
            limit,
        )
        .await
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
    let many = format!(
        "(declare-const x String)(assert (= x \"{}\"))(check-sat){}",
        "a".repeat(2000),
        "(get-value (x))".repeat(60)
    );
    assert_eq!(
        solve(&z3, &many, Duration::from_secs(10)).await,
        Err(SolverError::TooMuchOutput)
    );
    let huge = "(declare-const x (_ BitVec 60000))(declare-const y (_ BitVec 60000))(assert (= \
        (bvmul x y) (bvadd x y #b1)))(check-sat)";
    let huge = huge.replace("#b1", &format!("#b{}", "1".repeat(60_000)));
    let began = Instant::now();
    let printed = solve(&z3, &huge, Duration::from_secs(20)).await;
    assert!(
        printed
            .as_ref()
            .map_or(true, |printed| !printed.starts_with("sat")),
        "{printed:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(25));
}

#[tokio::test]
async fn a_solver_that_is_no_program_is_unavailable() {
    let nowhere = Arc::new(Z3::at(Path::new("/nonexistent/z3"))).seat(&TenantKey::from("t"), 1);
    let broken = solve(&nowhere, "(check-sat)", Duration::from_secs(1)).await;
    assert!(
        matches!(broken, Err(SolverError::Unavailable { .. })),
        "{broken:?}"
    );
}

#[tokio::test]
async fn without_a_solver_the_approach_is_refused_before_anything_is_spent() {
    let upstream = upstream().await;
    let hone = crate::support::hone_without_solver(&upstream);
    let answer = Client::new(hone.address())
        .key("k")
        .chat(&asking(1.0))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (400, "solver_not_installed")
    );
    assert!(
        answer.text().contains("apt-get install z3"),
        "{}",
        answer.text()
    );
    assert_eq!(upstream.stats().total_calls(), 0);
}
