//! hone's own question for the token use of a chat stream, and what happens where the upstream
//! refuses to be asked.

use bytes::Bytes;
use hone_strategies::model::Rejection;
use http::StatusCode;
use memchr::memmem;

use super::Changes;
use super::meter::Opened;
use crate::request::envelope::EnvelopeError;
use crate::upstream::body::BodyError;
use crate::upstream::facts::{Facts, Subject};

/// The field that hone adds, and what it says there. An upstream may blame either.
const BLAMED: [&str; 2] = ["stream_options", "include_usage"];
/// An error is read up to here to see what it is about. No provider's is longer.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// A question that hone has added to a request, and how to take it back.
#[derive(Debug)]
pub(crate) struct UsageProbe<'a> {
    /// The client's bytes.
    pub(super) body: Bytes,
    /// What else changes in them.
    pub(super) others: Changes,
    /// What is learned from a refusal.
    pub(super) subject: Subject,
    /// Where it is remembered.
    pub(super) facts: &'a Facts,
}

impl UsageProbe<'_> {
    /// Whether `answer` refuses the question, which is then not asked again for a while. What has
    /// been read of another answer stays in it.
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
        let refused = blames_the_question(&answer.beginning(LONGEST_REFUSAL).await?);
        if refused {
            self.facts.learn(self.subject.clone(), false);
        }
        Ok(refused)
    }

    /// The request without it.
    pub(super) async fn withdrawn(&self) -> Result<Bytes, EnvelopeError> {
        self.others.apply(&self.body).await
    }
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
