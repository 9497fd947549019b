//! The rating of one answer by a judge that sees no other.

use crate::contract::SCORE;
use crate::kit::case::Case;
use crate::kit::reading::verdict::parse_score;
use crate::model::Purpose;
use crate::run::{Run, SubCall};

const ROLE: &str = include_str!("rating/role.txt");
const WANTED: &str = include_str!("rating/wanted.txt");

/// The call that asks for a rating of `text`.
pub(crate) fn call(case: &Case<'_>, text: &str) -> SubCall {
    case.call(Purpose::Judge, ROLE, &[text.to_owned()], WANTED)
}

/// The rating from 0 to 10 that a judge's reply holds.
pub(crate) fn read(reply: &str) -> Option<f64> {
    parse_score(reply, 0.0..=10.0)
}

/// The rating of `text` from 0 to 10, or `None` if the judge gave none; then the run says why.
pub(crate) async fn rate(run: &Run, case: &Case<'_>, text: &str, index: u32) -> Option<f64> {
    run.judge(
        &call(case, text).set("temperature", 0.0),
        index,
        SCORE,
        read,
    )
    .await
}
