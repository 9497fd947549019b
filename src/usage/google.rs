//! The token use of Google's answers: documents, lists of documents, and events with a document in
//! each.

use hone_dialects::tables::usage::from_gemini;
use hone_strategies::chat::{Usage, Written, tokens_of_bytes};

use super::Observed;
use super::passing::Passing;

/// One document of a stream.
pub(super) struct Document {
    /// The use that it reports.
    pub(super) usage: Option<Usage>,
    /// Bytes of its text.
    pub(super) bytes: u64,
    /// Whether it says that the answer ends.
    pub(super) ends: bool,
}

impl Document {
    pub(super) fn read(json: &[u8]) -> Self {
        let mut passing = Passing::of_google();
        passing.read(json);
        Self::of(&passing)
    }

    fn of(passing: &Passing) -> Self {
        let (report, bytes, ends) = passing.told();
        let report = report.and_then(|report| serde_json::from_slice(report).ok());
        let usage = report.as_ref().and_then(from_gemini);
        Self { usage, bytes, ends }
    }
}

/// What an answer told that is no stream of events, whether it came to its end or not.
pub(super) fn told(passing: &Passing) -> Observed {
    let Document { usage, bytes, ends } = Document::of(passing);
    Observed {
        reported: usage.filter(|_| ends),
        interim: usage.filter(|_| !ends),
        counted: Some(Written::one(tokens_of_bytes(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::usage::{Api, UsageReader};

    const FIRST: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"eight by"},
        {"thoughtSignature":"bm90IHRleHQgYXQgYWxs"}]},"index":0}],
        "usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1},"modelVersion":"m"}"#;
    const LAST: &str = r#"{"candidates":[{"content":{"parts":[{"text":"tes."},
        {"inlineData":{"mimeType":"image/png","data":"AAAAAAAAAAAAAAAAAAAA"}}]},
        "finishReason":"STOP","safetyRatings":[{"category":"HARM"}]}],
        "usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"thoughtsTokenCount":2,
        "toolUsePromptTokenCount":5,"cachedContentTokenCount":4,"totalTokenCount":17}}"#;

    fn observed(mut reader: UsageReader, text: &str, size: usize) -> Observed {
        for piece in text.as_bytes().chunks(size) {
            reader.observe(&Bytes::copy_from_slice(piece));
        }
        reader.finish()
    }

    fn body(text: &str, size: usize) -> Observed {
        observed(UsageReader::body(Api::Gemini, 100, 1), text, size)
    }

    fn events(documents: &[&str], size: usize) -> Observed {
        let event = |document: &&str| format!("data: {}\r\n\r\n", document.replace('\n', ""));
        let text: String = documents.iter().map(event).collect();
        observed(UsageReader::stream(Api::Gemini, 10_000, 1), &text, size)
    }

    #[test]
    fn the_last_report_of_a_whole_answer_counts_in_every_form() {
        let list = format!("[{FIRST}\n,\r\n{LAST}]\n");
        for size in [1, 7, 10_000] {
            let told = [
                body(LAST, size),
                body(&list, size),
                events(&[FIRST, LAST], size),
            ];
            for (observed, tokens) in told.into_iter().zip([1, 3, 3]) {
                let usage = observed.settled(100).expect("a report");
                assert_eq!((usage.prompt, usage.completion, usage.cached), (12, 5, 4));
                assert_eq!(usage.estimated, 0);
                assert_eq!(observed.counted.map(|written| written.all), Some(tokens));
            }
        }
    }

    #[test]
    fn without_a_report_the_text_is_counted_and_zeroes_beside_a_text_are_none() {
        let silent = LAST.replace("usageMetadata", "other");
        let zero = format!(
            r#"{},"usageMetadata":{{"promptTokenCount":0,"candidatesTokenCount":0}}}}"#,
            silent.trim_end_matches('}').to_owned() + "}"
        );
        for text in [silent, zero] {
            for observed in [body(&text, 3), events(&[&text], 3)] {
                let usage = observed.settled(9).expect("a text");
                assert_eq!((usage.prompt, usage.completion), (9, 1), "{text}");
                assert_eq!(usage.estimated, 10);
            }
        }
    }

    #[test]
    fn what_is_cut_off_used_at_least_what_was_seen() {
        let list = format!("[{FIRST}\n,");
        for observed in [body(&list, 5), events(&[FIRST], 5)] {
            assert_eq!(observed.reported, None);
            let usage = observed.settled(9).expect("a text");
            assert_eq!((usage.prompt, usage.completion, usage.estimated), (7, 2, 9));
        }
    }

    #[test]
    fn a_refused_prompt_is_a_whole_answer() {
        let refused = r#"{"promptFeedback":{"blockReason":"SAFETY"},
            "usageMetadata":{"promptTokenCount":7}}"#;
        for observed in [body(refused, 5), events(&[refused], 5)] {
            let usage = observed.settled(100).expect("a report");
            assert_eq!((usage.prompt, usage.completion), (7, 0));
        }
    }

    #[test]
    fn an_element_can_be_put_into_a_list_between_two_others_only() {
        let gap = |text: &str| {
            let mut passing = Passing::of_google();
            passing.read(text.as_bytes());
            passing.gap()
        };
        assert_eq!(gap("["), Some(""));
        assert_eq!(gap(&format!("[{FIRST}\n")), Some(","));
        assert_eq!(gap(&format!("[{FIRST}\n,\r\n")), Some(""));
        for text in ["", "{}", "[{", r#"[{"a":"}"#, "[{}]", r#"[{"a":"[{}"#] {
            assert_eq!(gap(text), None, "{text}");
        }
    }
}
