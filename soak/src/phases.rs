//! What is played, in order.

pub(crate) mod calm;
pub(crate) mod kill;
pub(crate) mod siege;
pub(crate) mod storm;
pub(crate) mod terminate;
pub(crate) mod victim;

use crate::findings::Findings;
use crate::traffic::Tally;

/// Enters what clients saw.
fn enter(findings: &mut Findings, phase: &str, tally: &Tally) {
    let outcomes: Vec<String> = tally
        .outcomes
        .iter()
        .map(|(outcome, times)| format!("{outcome}: {times}"))
        .collect();
    findings.note(format!(
        "{phase}: {} requests ({})",
        tally.requests,
        outcomes.join(", ")
    ));
    findings.all_wrong(&tally.wrong);
}
