//! The steps: observations, plans, and plans that are carried out.

use futures_util::future::join_all;
use serde_json::Value;

use crate::chat::{ChatRequest, view};
use crate::contract::{OBSERVATIONS, PLAN};
use crate::error::StrategyError;
use crate::kit::case::Case;
use crate::kit::choosing::rating::rate;
use crate::kit::choosing::selection::{distinct, record, worthy};
use crate::kit::choosing::voting::{self, agree, most_agreed};
use crate::kit::reading::json_reply;
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::reasoning;
use crate::run::{Candidate, Run, SubCall};
use crate::strategy::Output;

const ROLE: &str = include_str!("role.txt");
const OBSERVE: &str = include_str!("observe.txt");
const DERIVE: &str = include_str!("derive.txt");
const MAKE_PLAN: &str = include_str!("plan.txt");
const CARRY_OUT: &str = include_str!("carry_out.txt");
const CARRY_OUT_ONE: &str = include_str!("carry_out_one.txt");

/// New observations of a combination.
const DERIVED: usize = 2;

/// What the steps of a search have in common.
pub(super) struct Search<'a> {
    pub(super) run: &'a Run,
    pub(super) request: &'a ChatRequest,
    pub(super) case: Case<'a>,
}

impl Search<'_> {
    /// A call about the task, with what is known of it.
    fn thinking(&self, observations: &[String], wanted: &str) -> SubCall {
        let known = match observations {
            [] => String::new(),
            some => format!("{}\n\n", self.case.fence("observations", &numbered(some))),
        };
        self.case
            .call(Purpose::Plan, ROLE, &[], &format!("{known}{wanted}"))
    }

    pub(super) async fn observe(&self, count: u32) -> Result<Vec<String>, StrategyError> {
        let wanted = format!(
            "{}\n\n{OBSERVATIONS}",
            OBSERVE.trim().replace("{count}", &count.to_string())
        );
        let found = self
            .run
            .ask(
                &self.thinking(&[], &wanted),
                0,
                OBSERVATIONS,
                read_observations,
            )
            .await?;
        let mut found = found.unwrap_or_default();
        found.truncate(count as usize);
        Ok(found)
    }

    /// The plan made from `first` observations, if that succeeds.
    pub(super) async fn plan(&self, first: Vec<String>, index: u32) -> Option<String> {
        let wanted = format!(
            "{}\n\n{OBSERVATIONS}",
            DERIVE.trim().replace("{count}", &DERIVED.to_string())
        );
        let call = self.thinking(&first, &wanted).numbered(i64::from(index));
        let derived = self
            .run
            .judge(&call, 2 * index + 1, OBSERVATIONS, read_observations)
            .await;
        let all: Vec<String> = first
            .into_iter()
            .chain(derived.unwrap_or_default().into_iter().take(DERIVED))
            .collect();
        let call = self
            .thinking(&all, &format!("{}\n\n{PLAN}", MAKE_PLAN.trim()))
            .numbered(i64::from(index));
        let plan = self
            .run
            .complete_one(call, 2 * index + 2)
            .await
            .inspect_err(|error| self.run.degrade(error.reason()))
            .ok()?;
        let text = plan.message.text();
        let text = reasoning::strip(&text);
        (!plan.is_truncated() && !text.trim().is_empty()).then(|| text.trim().to_owned())
    }

    /// The client's conversation with `materials` in its instructions.
    fn carrying_out(
        &self,
        instructions: &str,
        materials: &[(String, &str)],
        purpose: Purpose,
    ) -> SubCall {
        if materials.is_empty() {
            return SubCall::answer(self.request, purpose);
        }
        let mut sections = vec![instructions.trim().to_owned(), self.case.rule()];
        sections.extend(
            materials
                .iter()
                .map(|(label, text)| self.case.fence(label, text)),
        );
        SubCall::answer(self.request, purpose).with_messages(view::with_instructions(
            self.request.messages(),
            &sections.join("\n\n"),
        ))
    }

    /// One answer from all plans; without plans from the observations alone.
    pub(super) async fn answer(
        &self,
        plans: &[String],
        observations: &[String],
    ) -> Result<Output, StrategyError> {
        let listed = numbered(observations);
        let materials: Vec<(String, &str)> = match (plans, observations) {
            ([], []) => Vec::new(),
            ([], _) => vec![("observations".to_owned(), &listed)],
            (plans, _) => (1..)
                .zip(plans)
                .map(|(number, plan): (u32, &String)| (format!("plan {number}"), plan.as_str()))
                .collect(),
        };
        let instructions = if materials.len() > 1 {
            CARRY_OUT
        } else {
            CARRY_OUT_ONE
        };
        Ok(self
            .run
            .respond(self.carrying_out(instructions, &materials, Purpose::Synthesis))
            .await?
            .into())
    }

    /// Every plan carried out, and the best of the answers.
    pub(super) async fn best_answer(&self, plans: &[String]) -> Result<Output, StrategyError> {
        let calls = (0_u32..).zip(plans).map(|(index, plan)| async move {
            let call = self.carrying_out(
                CARRY_OUT_ONE,
                &[("plan".to_owned(), plan)],
                Purpose::Candidate,
            );
            self.run.candidate(&call, index).await
        });
        let made = join_all(calls).await;
        let mut last_error = None;
        let mut candidates: Vec<Candidate> = Vec::new();
        for result in made {
            match result {
                Ok(candidate) => candidates.push(candidate),
                Err(error) => {
                    self.run.degrade(error.reason());
                    last_error = Some(error);
                }
            }
        }
        let Some(candidates) = NonEmpty::new(candidates) else {
            let nothing = StrategyError::Unreachable("there was no plan to carry out");
            return Err(last_error.unwrap_or(nothing));
        };
        let groups = distinct(&worthy(&candidates));
        let is_settled = groups.len().get() == 1
            || agree(
                groups.iter().map(|group| group.first),
                &voting::question(self.request),
            );
        let ratings = groups
            .iter()
            .filter(|_| !is_settled)
            .map(|group| rate(self.run, &self.case, &group.text, group.first.index));
        let ratings = join_all(ratings).await;
        let rated = groups
            .iter()
            .zip(&ratings)
            .filter_map(|(group, score)| Some((group, (*score)?)));
        let best = rated
            .clone()
            .rev()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(group, _)| group.first);
        if ratings.iter().any(Option::is_none) {
            self.run.degrade("judge");
        }
        let winner = best.unwrap_or_else(|| most_agreed(self.request, &candidates));
        let score = |candidate: &Candidate| {
            rated
                .clone()
                .find(|(group, _)| group.text == candidate.shown())
                .map(|(_, score)| score)
        };
        self.run.record(
            candidates
                .iter()
                .map(|candidate| record(candidate, None, score(candidate), Some(winner))),
        );
        Ok(self.run.elect(winner).await?.into())
    }
}

fn numbered(observations: &[String]) -> String {
    let lines = (1..)
        .zip(observations)
        .map(|(number, text): (u32, &String)| format!("{number}. {text}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Different texts, at least one.
fn read_observations(reply: &str) -> Option<Vec<String>> {
    let text = |value: &Value| {
        let inner = value
            .as_object()
            .and_then(|fields| fields.values().find_map(Value::as_str));
        Some(value.as_str().or(inner)?.trim().to_owned())
    };
    let mut found: Vec<String> = Vec::new();
    for observation in json_reply::array(reply, text)? {
        if !observation.is_empty() && !found.contains(&observation) {
            found.push(observation);
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_are_texts_that_differ() {
        let two = Some(vec!["a".to_owned(), "b".to_owned()]);
        for reply in [
            r#"["a", " b ", "a", ""]"#,
            r#"[{"observation": "a"}, {"observation": "b"}]"#,
        ] {
            assert_eq!(read_observations(reply), two, "{reply}");
        }
        for reply in ["1. a\n2. b", "[]", "[\"\"]", "[1, 2]"] {
            assert_eq!(read_observations(reply), None, "{reply}");
        }
    }
}
