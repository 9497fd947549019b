//! Why an answer ended, in each dialect.
//!
//! In the middle there are four words: `stop`, `tool_calls`, `length` and `content_filter`. Whether
//! an answer ended in calls is told by the calls that it holds, whatever the upstream's word is;
//! only a limit on its length counts for more.

/// What an upstream's word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The answer ended, for this reason.
    Ended(&'static str),
    /// The answer ended like this, and the word itself is worth a note.
    Noted(&'static str),
    /// There is no answer: the model or its provider failed.
    Failed,
    /// There is no answer unless something was said.
    FailedIfEmpty,
}

const ANTHROPIC: [(&str, Meaning); 7] = [
    ("end_turn", Meaning::Ended("stop")),
    ("max_tokens", Meaning::Ended("length")),
    ("model_context_window_exceeded", Meaning::Ended("length")),
    ("pause_turn", Meaning::Noted("stop")),
    ("refusal", Meaning::Ended("content_filter")),
    ("stop_sequence", Meaning::Ended("stop")),
    ("tool_use", Meaning::Ended("tool_calls")),
];

const GEMINI: [(&str, Meaning); 23] = [
    ("BLOCKLIST", Meaning::Ended("content_filter")),
    // The client may ask for the rest.
    ("CONTINUATION", Meaning::Ended("length")),
    ("ESCALATION", Meaning::Ended("content_filter")),
    ("IMAGE_OTHER", Meaning::Ended("content_filter")),
    ("IMAGE_PROHIBITED_CONTENT", Meaning::Ended("content_filter")),
    ("IMAGE_RECITATION", Meaning::Ended("content_filter")),
    ("IMAGE_SAFETY", Meaning::Ended("content_filter")),
    ("LANGUAGE", Meaning::Ended("content_filter")),
    ("MALFORMED_FUNCTION_CALL", Meaning::Failed),
    ("MALFORMED_RESPONSE", Meaning::Failed),
    ("MAX_TOKENS", Meaning::Ended("length")),
    ("MISSING_THOUGHT_SIGNATURE", Meaning::Failed),
    ("MODEL_ARMOR", Meaning::Ended("content_filter")),
    ("NO_IMAGE", Meaning::Ended("content_filter")),
    ("OTHER", Meaning::FailedIfEmpty),
    ("PROHIBITED_CONTENT", Meaning::Ended("content_filter")),
    ("PUP_LIMITED_DISABLED", Meaning::Ended("content_filter")),
    ("RECITATION", Meaning::Ended("content_filter")),
    ("SAFETY", Meaning::Ended("content_filter")),
    ("SPII", Meaning::Ended("content_filter")),
    ("STOP", Meaning::Ended("stop")),
    ("TOO_MANY_TOOL_CALLS", Meaning::Failed),
    ("UNEXPECTED_TOOL_CALL", Meaning::Failed),
];

/// A `status` of a Responses object, with its `incomplete_details.reason`.
const RESPONSES: [(&str, &str, Meaning); 6] = [
    ("completed", "", Meaning::Ended("stop")),
    ("incomplete", "max_output_tokens", Meaning::Ended("length")),
    ("incomplete", "max_tokens", Meaning::Ended("length")),
    (
        "incomplete",
        "content_filter",
        Meaning::Ended("content_filter"),
    ),
    ("failed", "", Meaning::Failed),
    ("cancelled", "", Meaning::Failed),
];

fn looked_up(table: &[(&str, Meaning)], word: &str) -> Meaning {
    let row = table.iter().find(|(known, _)| *known == word);
    row.map_or(Meaning::FailedIfEmpty, |(_, meaning)| *meaning)
}

/// What Anthropic's `stop_reason` means. An unknown word ends an answer that says something.
pub fn from_anthropic(word: &str) -> Meaning {
    looked_up(&ANTHROPIC, word)
}

/// What Google's `finishReason` means.
pub fn from_gemini(word: &str) -> Meaning {
    looked_up(&GEMINI, word)
}

/// What a Responses object's `status` and `incomplete_details.reason` mean.
pub fn from_responses(status: &str, reason: &str) -> Meaning {
    let mut rows = RESPONSES.iter();
    let row = rows.find(|(known, why, _)| *known == status && (why.is_empty() || *why == reason));
    match row {
        Some((_, _, meaning)) => *meaning,
        None if status == "incomplete" => Meaning::Noted("stop"),
        None => Meaning::FailedIfEmpty,
    }
}

impl Meaning {
    /// The middle's word for an answer that says something or not, and calls tools or not. `None`
    /// if there is no answer.
    pub fn reason(self, says_something: bool, calls: bool) -> Option<&'static str> {
        let reason = match self {
            Self::Ended(reason) | Self::Noted(reason) => reason,
            Self::FailedIfEmpty if says_something || calls => "stop",
            Self::Failed | Self::FailedIfEmpty => return None,
        };
        Some(settled(reason, calls))
    }
}

/// `reason`, unless the calls of the answer say otherwise.
pub fn settled(reason: &str, calls: bool) -> &'static str {
    match (reason, calls) {
        ("length", _) => "length",
        (_, true) => "tool_calls",
        ("content_filter", false) => "content_filter",
        // A word that promises calls where there are none would have a client wait for them.
        _ => "stop",
    }
}

/// Anthropic's `stop_reason`. `matched` tells whether one of the client's stop sequences ended it.
pub fn to_anthropic(reason: &str, calls: bool, matched: bool) -> &'static str {
    match settled(reason, calls) {
        "content_filter" => "refusal",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        _ if matched => "stop_sequence",
        _ => "end_turn",
    }
}

/// Google's `finishReason`.
pub fn to_gemini(reason: &str, calls: bool) -> &'static str {
    match settled(reason, calls) {
        "content_filter" => "SAFETY",
        "length" => "MAX_TOKENS",
        _ => "STOP",
    }
}

/// A Responses object's `status`, and its `incomplete_details.reason` if it has one. A refusal that
/// is told as one is a complete answer.
pub fn to_responses(
    reason: &str,
    calls: bool,
    is_refusal: bool,
) -> (&'static str, Option<&'static str>) {
    match settled(reason, calls) {
        "content_filter" if !is_refusal => ("incomplete", Some("content_filter")),
        "length" => ("incomplete", Some("max_output_tokens")),
        _ => ("completed", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASONS: [&str; 4] = ["stop", "tool_calls", "length", "content_filter"];

    #[test]
    fn every_reason_comes_back_from_every_dialect() {
        for reason in REASONS {
            let calls = reason == "tool_calls";
            let back = |meaning: Meaning| meaning.reason(true, calls);
            let anthropic = to_anthropic(reason, calls, false);
            assert_eq!(back(from_anthropic(anthropic)), Some(reason));
            let gemini = to_gemini(reason, calls);
            assert_eq!(back(from_gemini(gemini)), Some(reason));
            let (status, why) = to_responses(reason, calls, false);
            assert_eq!(
                back(from_responses(status, why.unwrap_or_default())),
                Some(reason)
            );
        }
    }

    #[test]
    fn every_end_of_a_responses_object_has_its_reason() {
        for (status, why, reason) in [
            ("completed", "", Some("stop")),
            ("completed", "odd", Some("stop")),
            ("incomplete", "max_output_tokens", Some("length")),
            ("incomplete", "max_tokens", Some("length")),
            ("incomplete", "content_filter", Some("content_filter")),
            ("incomplete", "", Some("stop")),
            ("failed", "", None),
            ("cancelled", "", None),
        ] {
            let found = from_responses(status, why).reason(true, false);
            assert_eq!(found, reason, "{status} {why}");
        }
    }

    #[test]
    fn calls_decide_whether_an_answer_ended_in_calls() {
        assert_eq!(from_gemini("STOP").reason(true, true), Some("tool_calls"));
        let no_calls = from_anthropic("tool_use").reason(true, false);
        assert_eq!(no_calls, Some("stop"));
        let cut = from_anthropic("max_tokens").reason(true, true);
        assert_eq!(cut, Some("length"));
        assert_eq!(to_anthropic("stop", true, false), "tool_use");
    }

    #[test]
    fn a_malformed_call_is_no_answer_and_an_unknown_word_is_one_if_something_was_said() {
        let malformed = from_gemini("MALFORMED_FUNCTION_CALL");
        assert_eq!(malformed.reason(true, true), None);
        for unknown in [from_gemini("OTHER"), from_anthropic("new_word")] {
            assert_eq!(unknown.reason(false, false), None);
            assert_eq!(unknown.reason(true, false), Some("stop"));
        }
        assert_eq!(from_responses("failed", "").reason(true, false), None);
    }
}
