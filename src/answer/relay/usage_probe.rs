//! hone's own question for the token use of a stream, and what happens where the upstream refuses
//! to be asked.

use std::sync::Arc;

use bytes::Bytes;
use hone_strategies::model::Rejection;
use http::StatusCode;
use memchr::memmem;

use super::Changes;
use super::opened::Opened;
use crate::request::envelope::EnvelopeError;
use crate::tenant::charged;
use crate::upstream::body::BodyError;
use crate::upstream::facts::{Facts, Subject};

/// The field that hone adds, and what it says there. An upstream may blame either.
const BLAMED: [&str; 2] = ["stream_options", "include_usage"];
/// An error is read up to here to see what it is about. No provider's is longer.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// A question that hone has added to a request, and how to take it back.
#[derive(Debug)]
pub(crate) struct UsageProbe<'a> {
    /// The client's bytes, which hold their memory.
    pub(super) body: Bytes,
    /// What else changes in them.
    pub(super) others: Changes,
    /// What is learned from a refusal.
    pub(super) subject: Subject,
    /// Where it is remembered.
    pub(super) facts: &'a Facts,
}

impl UsageProbe<'_> {
    /// Whether `answer` refuses the question. What has been read of another answer stays in it.
    pub(super) async fn is_refused_by(
        &self,
        status: StatusCode,
        answer: &mut Opened,
    ) -> Result<bool, BodyError> {
        if !matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
        ) {
            return Ok(false);
        }
        Ok(blames_the_question(
            &answer.beginning(LONGEST_REFUSAL).await?,
        ))
    }

    /// Without the question the answer is a stream: so it was the question that was refused, and it
    /// is not asked again for a while. `false` if that is not certain, as the client may have had
    /// the upstream say its name.
    pub(super) fn was_the_reason(&self) -> bool {
        let is_certain = !names_the_question(&self.body);
        if is_certain {
            self.facts.learn(self.subject.clone(), false);
        }
        is_certain
    }

    /// The request without it.
    pub(super) async fn withdrawn(&self) -> Result<Bytes, EnvelopeError> {
        let body = self.others.apply(&self.body).await?;
        Ok(charged(body, &Arc::new(self.body.clone())))
    }
}

/// Whether a client's own text has a name of the question in it, or may have: no serialiser writes
/// letters as escapes.
fn names_the_question(body: &[u8]) -> bool {
    let text = body.to_ascii_lowercase();
    let mut names = BLAMED.iter();
    names.any(|name| memmem::find(&text, name.as_bytes()).is_some())
        || memmem::find_iter(&text, br"\u00")
            .any(|at| matches!(text.get(at + 4), Some(b'4'..=b'7')))
}

fn blames_the_question(error: &Bytes) -> bool {
    let rejection = Rejection::new(400, Vec::new(), error.clone());
    if rejection.param.is_none() && rejection.message.is_none() {
        // Not in OpenAI's shape, as that of some validators.
        return BLAMED
            .iter()
            .any(|name| memmem::find(error, name.as_bytes()).is_some());
    }
    BLAMED.iter().any(|name| rejection.blames(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_spells_the_question_itself_teaches_nothing() {
        for body in [
            r#"{"stream":true,"x stream_options":1}"#,
            r#"{"stream":true,"STREAM_OPTIONS":{}}"#,
            r#"{"stream":true,"temperature":"Include_Usage"}"#,
            r#"{"stream":true,"temperature":"stream\u005foptions"}"#,
            r#"{"stream":true,"temperature":"\u0053tream_option\u0073"}"#,
            r#"{"stream":true,"temperature":"\U006Fptions"}"#,
        ] {
            assert!(names_the_question(body.as_bytes()), "{body}");
        }
        for body in [
            r#"{"stream":true,"messages":[{"role":"user","content":"caf\u00e9 \u003c\u20ac"}]}"#,
            "",
        ] {
            assert!(!names_the_question(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn the_question_is_blamed_by_parameter_by_message_or_by_a_validators_path() {
        for error in [
            r#"{"error":{"message":"no","param":"stream_options"}}"#,
            r#"{"error":{"message":"no","param":"stream_options.include_usage"}}"#,
            r#"{"error":{"message":"Unrecognized request argument supplied: stream_options",
                "param":null}}"#,
            r#"{"error":"unknown field `include_usage`"}"#,
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}"#,
        ] {
            assert!(blames_the_question(&Bytes::from(error)), "{error}");
        }
        for error in [
            r#"{"error":{"message":"stream_options are fine","param":"messages"}}"#,
            r#"{"error":{"message":"no"}}"#,
            "",
            "<html>",
        ] {
            assert!(!blames_the_question(&Bytes::from(error)), "{error}");
        }
    }
}
