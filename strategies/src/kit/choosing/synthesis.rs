//! What strategies have in common whose last call makes one answer from several.

use crate::chat::{ChatRequest, view};
use crate::contract::SYNTHESIS;
use crate::error::StrategyError;
use crate::kit::case::Case;
use crate::kit::choosing::selection::{record, worthy};
use crate::run::{Candidates, Run};
use crate::strategy::Output;

/// The conversation as it is, with `references`, and what to do with them, in its instructions. A
/// remark is a label and a text about the references.
pub(crate) fn with_references(
    case: &Case<'_>,
    request: &ChatRequest,
    instructions: &str,
    references: &[String],
    remarks: &[(String, &str)],
) -> ChatRequest {
    let mut sections = vec![
        instructions.trim().to_owned(),
        case.rule(),
        case.numbered(references),
    ];
    sections.extend(remarks.iter().map(|(label, text)| case.fence(label, text)));
    sections.push(SYNTHESIS.to_owned());
    request.with_messages(view::with_instructions(
        request.messages(),
        &sections.join("\n\n"),
    ))
}

/// Gives the first sound candidate after a failure, if nothing has been told yet.
pub(crate) async fn settle(
    run: &Run,
    candidates: &Candidates,
    error: StrategyError,
) -> Result<Output, StrategyError> {
    if error.is_final() {
        return Err(error);
    }
    let worthy = worthy(candidates);
    let first = *worthy.first();
    run.degrade("synthesis");
    run.degrade(error.reason());
    run.record(
        candidates
            .iter()
            .map(|candidate| record(candidate, None, None, Some(first))),
    );
    Ok(run.elect(first).await?.into())
}
