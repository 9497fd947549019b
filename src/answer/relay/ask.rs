//! Asking the upstream, until so much of its answer is known that the client may hear of it.

use http::response;

use super::opened::Opened;
use super::tries::{Tried, Tries};
use super::{Relay, UsageEvent, UsageProbe};
use crate::answer::error::ProxyError;
use crate::api::headers;
use crate::upstream::Payload;

/// An upstream's answer, not yet metered.
pub(super) struct UpstreamAnswer {
    pub(super) head: response::Parts,
    pub(super) body: Opened,
    /// Whether it is a stream of events.
    pub(super) is_stream: bool,
    pub(super) usage_event: UsageEvent,
    /// A stream whose usage could not be asked for, for a reason that may be the client's.
    pub(super) is_silenced: bool,
}

impl Relay<'_> {
    /// Sends the request, and waits for so much of the answer that one that is none is an error
    /// with a status. Errors about the operator's key are told whatever their bodies are.
    pub(super) async fn begin(
        &self,
        body: Payload,
        question: Option<UsageProbe<'_>>,
        tries: &mut Tries<'_>,
    ) -> Result<UpstreamAnswer, ProxyError> {
        let mut answer = self.ask(body, question, tries).await?;
        let is_told = answer.head.status.is_success() || !self.credential.is_operators();
        if is_told {
            let begun = answer.body.begin(answer.is_stream).await;
            begun.map_err(ProxyError::Cut)?;
        }
        Ok(answer)
    }

    /// Sends the request; if the upstream refuses hone's own question in it, once more without
    /// that.
    async fn ask(
        &self,
        body: Payload,
        question: Option<UsageProbe<'_>>,
        tries: &mut Tries<'_>,
    ) -> Result<UpstreamAnswer, ProxyError> {
        let (head, body) = tries.send(body).await?.into_parts();
        let mut body = Opened::new(body, self.bounds.stream_idle);
        let is_stream = headers::is_event_stream(&head.headers);
        let Some(question) = question else {
            return Ok(UpstreamAnswer {
                head,
                body,
                is_stream,
                usage_event: UsageEvent::Keep,
                is_silenced: false,
            });
        };
        if !question
            .is_refused_by(head.status, &mut body)
            .await
            .map_err(ProxyError::Cut)?
        {
            // An error is no stream, and has nothing in it that was asked for.
            let usage_event = if is_stream {
                UsageEvent::Remove
            } else {
                UsageEvent::Keep
            };
            return Ok(UpstreamAnswer {
                head,
                body,
                is_stream,
                usage_event,
                is_silenced: false,
            });
        }
        tries.another_call(Tried::Unbilled)?;
        let (head, body) = tries
            .send(Payload::Buffered(question.withdrawn().await?))
            .await?
            .into_parts();
        let is_stream = headers::is_event_stream(&head.headers);
        let streams = head.status.is_success() && is_stream;
        Ok(UpstreamAnswer {
            is_silenced: streams && !question.was_the_reason(),
            is_stream,
            head,
            body: Opened::new(body, self.bounds.stream_idle),
            usage_event: UsageEvent::Keep,
        })
    }
}
