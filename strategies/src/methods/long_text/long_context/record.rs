//! What readers and planners reply.

/// What a reader says of a part that has nothing on the question.
const NOTHING: &str = "[no information]";

/// What is asked about a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Questions {
    /// The question itself.
    pub(super) main: Option<String>,
    /// Smaller ones on the way to it.
    pub(super) smaller: Vec<String>,
}

impl Questions {
    /// Reads a plan: at most `limit` smaller questions, each once.
    pub(super) fn read(reply: &str, limit: usize) -> Self {
        let mut found = Self::default();
        for line in reply.lines() {
            if let Some(question) = labelled(line, "sub-question") {
                if found.smaller.len() < limit && !found.smaller.contains(&question) {
                    found.smaller.push(question);
                }
            } else if let Some(question) =
                labelled(line, "question").filter(|_| found.main.is_none())
            {
                found.main = Some(question);
            }
        }
        found
    }
}

/// A reader's record; `None` if its part has nothing on the question.
pub(super) fn record(reply: &str) -> Option<String> {
    let text = reply.trim();
    let is_empty = text.is_empty() || text.to_lowercase().contains(NOTHING);
    (!is_empty).then(|| text.to_owned())
}

/// What stands behind the last `Answer:`, else the whole reply.
pub(super) fn answer(reply: &str) -> String {
    let lines: Vec<&str> = reply.lines().collect();
    let last = lines.iter().rposition(|line| {
        labelled(line, "answer").is_some() || plain(line).to_lowercase() == "answer:"
    });
    let Some(at) = last else {
        return reply.trim().to_owned();
    };
    let first = lines
        .get(at)
        .and_then(|line| labelled(line, "answer"))
        .unwrap_or_default();
    let rest = lines.get(at + 1..).unwrap_or_default().join("\n");
    format!("{first}\n{}", rest.trim()).trim().to_owned()
}

/// What stands behind `label`, a number and a colon.
fn labelled(line: &str, label: &str) -> Option<String> {
    let line = plain(line);
    let (head, text) = line.split_once(':')?;
    let head = head.trim().to_lowercase();
    let is_label = head.trim_end_matches(|c: char| c.is_ascii_digit()).trim() == label;
    (is_label && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// The line without marks of emphasis and enumeration.
fn plain(line: &str) -> String {
    let line = line.replace("**", "").replace('`', "");
    line.trim_start_matches(|c: char| {
        c.is_whitespace() || c.is_ascii_digit() || "-*#.)".contains(c)
    })
    .trim()
    .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn questions_are_read_in_every_form_that_models_write() {
        let reply = "Question: Who built it?\n**Sub-question:** What is it?\n\
            2. Sub-question 2: When?\n- Sub-Question: When?\nSub-question:\nQuestion: Why?";
        let expected = ["What is it?", "When?"].map(str::to_owned).to_vec();
        assert_eq!(
            Questions::read(reply, 5),
            Questions {
                main: Some("Who built it?".to_owned()),
                smaller: expected
            }
        );
        assert_eq!(Questions::read(reply, 1).smaller.len(), 1);
        assert_eq!(Questions::read("I cannot.", 5), Questions::default());
    }

    #[test]
    fn a_part_without_information_has_no_record() {
        assert_eq!(
            record("Information:\nAnswer: [No Information]\nConfidence: 0"),
            None
        );
        assert_eq!(record("  "), None);
        assert_eq!(record("Answer: 7\n").as_deref(), Some("Answer: 7"));
    }

    #[test]
    fn the_last_answer_counts() {
        assert_eq!(
            answer("Answer: 1\nRationale: no\n**Answer:** In Rome,\nin 1889."),
            "In Rome,\nin 1889."
        );
        assert_eq!(answer("Answer:\nRome"), "Rome");
        assert_eq!(answer(" Rome "), "Rome");
    }

    proptest! {
        #[test]
        fn no_reply_makes_reading_panic(reply in "(Answer:|Question:|Sub-question|[0-9]|:|\\*\\*|\n\
            |\\PC){0,30}") {
            prop_assert!(Questions::read(&reply, 3).smaller.len() <= 3);
            let _read = (record(&reply), answer(&reply));
        }
    }
}
