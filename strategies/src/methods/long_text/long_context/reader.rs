//! Reading a text in parts: summaries, records on a question, and what they come to.

use futures_util::stream::{self, StreamExt};

use super::record::{answer, record};
use super::sizes::{AT_ONCE, Sizes};
use crate::error::{Exhausted, StrategyError};
use crate::kit::case::Case;
use crate::kit::reading::folding::BYTES_PER_TOKEN;
use crate::model::Purpose;
use crate::reasoning;
use crate::run::{Run, SubCall};

const ROLE: &str = include_str!("role.txt");
const SUMMARY: &str = include_str!("summary.txt");
const MAP: &str = include_str!("map.txt");
const MERGE: &str = include_str!("merge.txt");
const REDUCE: &str = include_str!("reduce.txt");

/// A text in parts, and who reads it.
pub(super) struct Reader<'a> {
    pub(super) run: &'a Run,
    pub(super) case: Case<'a>,
    pub(super) parts: Vec<&'a str>,
    pub(super) sizes: Sizes,
}

/// What the parts say on one question.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The records, in the order of the parts.
    pub(super) records: Vec<String>,
    /// The numbers, from 1, of the parts that could not be read.
    pub(super) unread: Vec<usize>,
    last_error: Option<StrategyError>,
}

impl Findings {
    /// The error that left nothing to work with, if all parts were left unread.
    pub(super) fn failure(&mut self, parts: usize) -> Option<StrategyError> {
        if self.unread.len() == parts {
            self.last_error.take()
        } else {
            None
        }
    }
}

impl Reader<'_> {
    /// A summary of each part; empty where the call failed. `Err` if all failed.
    pub(super) async fn summaries(&self) -> Result<Vec<String>, StrategyError> {
        let asks: Vec<_> = (0_u32..)
            .zip(&self.parts)
            .map(|(index, part)| self.ask(index, self.part(index, part, ""), SUMMARY))
            .collect();
        let replies: Vec<_> = stream::iter(asks).buffered(AT_ONCE).collect().await;
        let mut summaries = Vec::with_capacity(replies.len());
        let mut last_error = None;
        for reply in replies {
            summaries.push(reply.map_or_else(
                |error| {
                    last_error = Some(error);
                    String::new()
                },
                |text| cut(&text, self.sizes.summary).to_owned(),
            ));
        }
        match last_error {
            Some(error) if summaries.iter().all(String::is_empty) => Err(error),
            Some(error) => {
                self.run.degrade(error.reason());
                Ok(summaries)
            }
            None => Ok(summaries),
        }
    }

    /// What each part says on `question`, given its neighbours' summaries and what is known
    /// already. A call is kept for what comes after.
    pub(super) async fn read(&self, question: &str, known: &str, summaries: &[String]) -> Findings {
        let room = self.run.calls_left().saturating_sub(1) as usize;
        let asks = (0_u32..).zip(&self.parts).take(room).map(|(index, part)| {
            let neighbours = self.case.fence(
                "summaries of neighbouring parts",
                &neighbours(summaries, index as usize, self.sizes.neighbours),
            );
            let material = format!(
                "{neighbours}\n\n{}\n\n{}",
                self.known(known),
                self.part(index, part, question)
            );
            self.ask(index, material, MAP)
        });
        let asks: Vec<_> = asks.collect();
        let mut replies: Vec<_> = stream::iter(asks).buffered(AT_ONCE).collect().await;
        replies.resize_with(self.parts.len(), || {
            Err(StrategyError::Budget(Exhausted::Calls))
        });
        let mut findings = Findings::default();
        for (part, reply) in (1..).zip(replies) {
            match reply {
                Ok(text) => findings.records.extend(
                    record(&text)
                        .map(|text| format!("(part {part})\n{}", cut(&text, self.sizes.record))),
                ),
                Err(error) => {
                    findings.unread.push(part);
                    findings.last_error = Some(error);
                }
            }
        }
        if let Some(error) = &findings.last_error {
            self.run.degrade(error.reason());
        }
        findings
    }

    /// The records, merged as often as it takes until all fit into one call.
    pub(super) async fn collapse(&self, question: &str, mut records: Vec<String>) -> Vec<String> {
        while records.len() > 1 && total(&records) > self.sizes.room {
            let groups = groups(records, self.sizes.room);
            let merges: Vec<_> = (0_u32..)
                .zip(groups)
                .map(|(index, group)| self.merge(index, question, group))
                .collect();
            records = stream::iter(merges)
                .buffered(AT_ONCE)
                .collect::<Vec<_>>()
                .await
                .into_iter()
                .flatten()
                .collect();
        }
        records
    }

    /// One record of several; `None` if they have nothing on the question.
    async fn merge(&self, index: u32, question: &str, group: Vec<String>) -> Option<String> {
        if let [single] = group.as_slice() {
            return Some(single.clone());
        }
        let joined = group.join("\n\n");
        // One call is kept for the answer.
        let merged = if self.run.calls_left() > 1 {
            self.ask(index, self.records(&joined, question), MERGE)
                .await
        } else {
            Err(StrategyError::Budget(Exhausted::Calls))
        };
        match merged {
            Ok(text) => record(&text).map(|text| cut(&text, self.sizes.record).to_owned()),
            Err(error) => {
                self.run.degrade(error.reason());
                Some(cut(&joined, self.sizes.record).to_owned())
            }
        }
    }

    /// The answer to a smaller question; `None` if the records do not give one.
    pub(super) async fn reduce(
        &self,
        index: u32,
        question: &str,
        records: &[String],
    ) -> Option<String> {
        if records.is_empty() || self.run.calls_left() < 2 {
            return None;
        }
        let call = self.call(
            Purpose::Synthesis,
            &self.records(&records.join("\n\n"), question),
            REDUCE,
        );
        let reply = self
            .run
            .complete_one(call, index)
            .await
            .inspect_err(|error| self.run.degrade(error.reason()))
            .ok()?;
        let text = reply.message.text();
        let found = answer(&reasoning::strip(&text));
        (!found.is_empty()).then_some(found)
    }

    async fn ask(
        &self,
        index: u32,
        material: String,
        wanted: &str,
    ) -> Result<String, StrategyError> {
        let reply = self
            .run
            .complete_one(self.call(Purpose::Plan, &material, wanted), index)
            .await?;
        Ok(reasoning::strip(&reply.message.text()).trim().to_owned())
    }

    fn call(&self, purpose: Purpose, material: &str, wanted: &str) -> SubCall {
        let call = self.case.call(
            purpose,
            ROLE,
            &[],
            &format!("{}\n\n{}", material.trim(), wanted.trim()),
        );
        let call = if call.request.get("top_p").is_some() {
            call
        } else {
            call.set("top_p", 0.7)
        };
        call.default_temperature(0.7)
    }

    fn part(&self, index: u32, part: &str, question: &str) -> String {
        let label = format!("part {} of {}", index + 1, self.parts.len());
        let part = self.case.verbatim(&label, part);
        if question.is_empty() {
            part
        } else {
            format!("{part}\n\n{}", self.case.verbatim("question", question))
        }
    }

    fn records(&self, records: &str, question: &str) -> String {
        format!(
            "{}\n\n{}",
            self.case.fence("records", records),
            self.case.verbatim("question", question)
        )
    }

    /// Smaller questions that have been answered.
    fn known(&self, known: &str) -> String {
        if known.is_empty() {
            String::new()
        } else {
            self.case.fence("earlier answers", known)
        }
    }
}

/// The summaries of the parts within `reach` of the part `at`, its own left out.
fn neighbours(summaries: &[String], at: usize, reach: usize) -> String {
    let near = summaries
        .iter()
        .enumerate()
        .filter(|(part, summary)| *part != at && part.abs_diff(at) <= reach && !summary.is_empty());
    near.map(|(part, summary)| format!("Part {}: {summary}", part + 1))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Neighbouring records in groups that fit into `room` bytes, but at least two in each while there
/// are two.
fn groups(records: Vec<String>, room: usize) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    for record in records {
        match groups.last_mut() {
            Some(group) if group.len() < 2 || total(group) + record.len() <= room => {
                group.push(record);
            }
            _ => groups.push(vec![record]),
        }
    }
    groups
}

fn total(records: &[String]) -> usize {
    records.iter().map(String::len).sum()
}

/// The beginning of a text, at most `tokens` long.
fn cut(text: &str, tokens: usize) -> &str {
    text.get(..text.floor_char_boundary(tokens.saturating_mul(BYTES_PER_TOKEN)))
        .unwrap_or_default()
}

/// Most calls that merging `records` may take: every group but the last of a round holds at least
/// as many as surely fit.
pub(super) fn most_merges(records: u32, sizes: &Sizes) -> u32 {
    let fitting =
        u32::try_from(sizes.room / (sizes.record * BYTES_PER_TOKEN).max(1)).unwrap_or(u32::MAX);
    let mut left = records;
    let mut merges = 0;
    while left > fitting.max(1) {
        left = left.div_ceil(fitting.max(2));
        merges += left;
    }
    merges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_is_told_of_its_neighbours_and_not_of_itself() {
        let summaries: Vec<String> = (1..=20).map(|part| format!("s{part}")).collect();
        let told = neighbours(&summaries, 9, 5);
        assert!(
            told.starts_with("Part 5: s5\n") && told.ends_with("Part 15: s15"),
            "{told}"
        );
        assert!(!told.contains("Part 10:"));
        assert!(
            neighbours(&summaries, 19, 5).contains("Part 19: s19"),
            "the last ones count too"
        );
    }

    #[test]
    fn two_records_that_do_not_fit_take_a_call() {
        let sizes = |room| Sizes {
            record: 1,
            room,
            summary: 1,
            neighbours: 1,
        };
        assert_eq!(most_merges(2, &sizes(1)), 1);
        assert_eq!(most_merges(2, &sizes(2 * BYTES_PER_TOKEN)), 0);
        assert_eq!(most_merges(1, &sizes(1)), 0);
    }

    proptest! {
        #[test]
        fn merging_ends_and_takes_no_more_calls_than_promised(count in 1..200_u32,
            record in 1..50_usize, room in 1..4000_usize) {
            let sizes = Sizes { record, room, summary: 1, neighbours: 1 };
            let mut records = vec!["x".repeat(record * BYTES_PER_TOKEN); count as usize];
            let mut merges = 0;
            while records.len() > 1 && total(&records) > room {
                let before = records.len();
                let made = groups(records, room);
                merges += made.iter().filter(|group| group.len() > 1).count();
                records = vec!["x".repeat(record * BYTES_PER_TOKEN); made.len()];
                prop_assert!(records.len() < before);
            }
            prop_assert!(merges <= most_merges(count, &sizes) as usize, "{} > {}", merges,
                most_merges(count, &sizes));
        }
    }
}
