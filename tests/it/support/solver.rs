//! The solver of the `z3` approach, where this machine has one.

use std::io::Write;

use super::parts::Z3;

/// Set where a solver was installed: then a test that finds none fails.
const EXPECTED: &str = "HONE_TESTS_EXPECT_Z3";

/// The solver of this machine. Where there is none, the test says that it skips `what`, past the
/// capture of its output.
pub fn solver(what: &str) -> Option<Z3> {
    let found = Z3::find();
    if found.is_none() {
        let note = format!("skipped: {what}: z3 is not installed (apt-get install z3)");
        assert!(std::env::var_os(EXPECTED).is_none(), "{note}");
        let told = writeln!(std::io::stderr(), "{note}");
        told.expect("standard error is open");
    }
    found
}
