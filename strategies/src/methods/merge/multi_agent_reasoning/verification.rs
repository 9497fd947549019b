//! Having solutions verified: each by several verifiers at once, who know neither its author nor
//! each other, until one finds a fault.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::solutions::{Findings, Id, Solutions};
use super::team::Team;
use super::verdict::{self, Verdict};
use crate::model::Purpose;
use crate::reasoning;
use crate::run::SubCall;

const VERIFIER: &str = include_str!("verifier.txt");
const VERIFY: &str = include_str!("verify.txt");

/// What came of asking one verifier.
enum Heard {
    /// Nothing: the call failed.
    Failed,
    /// A reply without a verdict, or one that was cut off.
    Unclear,
    Verdict(Verdict, String),
}

impl Team<'_> {
    /// Verifies what is unexamined, and stops as soon as enough is verified.
    pub(super) async fn verify(&self, solutions: &mut Solutions) {
        let due = solutions.unexamined().into_iter();
        let mut under_way: FuturesUnordered<_> = due
            .map(|(id, text)| async move { (id, self.examine(id, &text).await) })
            .collect();
        while let Some((id, findings)) = under_way.next().await {
            solutions.examined(id, &findings);
            if self.settings.stops_early
                && self.is_enough(solutions)
                && solutions.has_consensus(self.settings.consensus)
            {
                return;
            }
        }
    }

    pub(super) fn is_enough(&self, solutions: &Solutions) -> bool {
        solutions.verified() >= self.settings.enough
    }

    /// Verified by as many verdicts in favour as are required and none against. An unreadable
    /// verdict is asked for again, as often as allowed.
    async fn examine(&self, id: Id, text: &String) -> Findings {
        let call = self
            .case
            .call(Purpose::Judge, VERIFIER, std::slice::from_ref(text), VERIFY)
            .set("temperature", 0.1);
        let call = &self.tuned(call, "low");
        let first = id.number() * self.settings.attempts;
        let mut asked = self.settings.passes;
        let mut under_way: FuturesUnordered<_> = (0..asked)
            .map(|attempt| self.hear(call, first + attempt))
            .collect();
        let mut findings = Findings::default();
        let mut is_unclear = false;
        while let Some(heard) = under_way.next().await {
            match heard {
                Heard::Verdict(Verdict::Correct, _) => findings.in_favour += 1,
                Heard::Verdict(Verdict::Incomplete | Verdict::Incorrect, report) => {
                    return Findings {
                        against: 1,
                        report: Some(report),
                        ..findings
                    };
                }
                Heard::Unclear if asked < self.settings.attempts => {
                    under_way.push(self.hear(call, first + asked));
                    asked += 1;
                }
                Heard::Unclear => is_unclear = true,
                Heard::Failed => {}
            }
        }
        if is_unclear {
            self.run.degrade("judge");
        }
        findings.is_verified = findings.in_favour >= self.settings.passes;
        findings
    }

    async fn hear(&self, call: &SubCall, index: u32) -> Heard {
        // Verifiers of one text would all say the same with the same seed.
        match self
            .run
            .complete_one(call.numbered(self.run.seed_offset(index)), index)
            .await
        {
            Err(error) => {
                self.run.degrade(error.reason());
                Heard::Failed
            }
            Ok(reply) => {
                let text = reply.message.text();
                let verdict = verdict::parse(&text).filter(|_| !reply.is_truncated());
                verdict.map_or(Heard::Unclear, |verdict| {
                    Heard::Verdict(verdict, reasoning::strip(&text).trim().to_owned())
                })
            }
        }
    }
}
