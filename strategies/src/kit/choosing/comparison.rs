//! A choice between several answers by a judge that sees all of them.
//!
//! Judges prefer a place, some the first and some the last (Shi et al., *Judging the Judges*, 2024,
//! arXiv 2406.07791), so two answers are compared in both orders, and a judge who changes its mind
//! with the order has none. More than two are shown in an order that the caller draws.

use futures_util::future::join;

use crate::chat::ChatRequest;
use crate::contract::BEST_CANDIDATE;
use crate::demand::{Demand, Tokens};
use crate::kit::case::Case;
use crate::kit::reading::verdict::parse_best;
use crate::run::Run;

/// A judge, and what it is to compare answers by.
pub(crate) struct Comparison<'a> {
    pub(crate) run: &'a Run,
    pub(crate) case: &'a Case<'a>,
    pub(crate) role: &'a str,
    pub(crate) wanted: &'a str,
    pub(crate) temperature: f64,
}

/// Which answer is best, and what the judge wrote when it said so.
pub(crate) struct Preference {
    pub(crate) at: usize,
    pub(crate) reply: String,
}

impl Comparison<'_> {
    /// The best of `texts`, or `None` if it cannot be told: then the run says so unless the judge
    /// gave every verdict. The number of the comparison is `index`.
    pub(crate) async fn best(&self, texts: &[String], index: u32) -> Option<Preference> {
        let [left, right] = texts else {
            let preference = self.ask(texts, index).await;
            if preference.is_none() {
                self.run.degrade("judge");
            }
            return preference;
        };
        let turned = [right.clone(), left.clone()];
        let (there, back) =
            join(self.ask(texts, 2 * index), self.ask(&turned, 2 * index + 1)).await;
        if there.is_none() || back.is_none() {
            self.run.degrade("judge");
        }
        let (there, back) = (there?, back?);
        (there.at != back.at).then_some(there)
    }

    async fn ask(&self, texts: &[String], index: u32) -> Option<Preference> {
        let call = self
            .case
            .verdict(self.role, texts, self.wanted, BEST_CANDIDATE)
            .set("temperature", self.temperature);
        let read = |reply: &str| {
            parse_best(reply, texts.len()).map(|at| Preference {
                at,
                reply: reply.trim().to_owned(),
            })
        };
        self.run.judge(&call, index, BEST_CANDIDATE, read).await
    }
}

/// What a comparison of `most` answers needs; there may be two only, which are compared twice.
pub(crate) fn demand(most: u32, request: &ChatRequest) -> Demand {
    let tokens = Tokens::of_reading(request, most);
    let (one, pair) = (Demand::verdicts(1, tokens), Demand::verdicts(2, tokens));
    match most {
        0 | 1 => Demand::verdicts(0, tokens),
        2 => pair,
        _ => Demand {
            max_calls: pair.max_calls,
            parallel: pair.parallel,
            ..one
        },
    }
}
