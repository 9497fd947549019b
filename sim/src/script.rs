//! An answer, settled before its first byte leaves: what is sent, and when.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use serde_json::Value;
use tokio::time::Sleep;

use crate::refusal::Refusal;
use crate::stats::InFlight;

pub(crate) mod hints;

use hints::Hints;

/// What happens before the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Wait(Duration),
    /// These tokens are made meanwhile.
    Generate {
        tokens: u32,
        takes: Duration,
    },
    /// An informational response (HTTP/1.1 only).
    EarlyHints,
    Hang,
    Abort,
}

/// What happens after the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Wait(Duration),
    /// These bytes, which carry so many completion tokens.
    Send {
        bytes: Bytes,
        tokens: u32,
    },
    /// Nothing, until the client goes away.
    Hang,
    /// The connection (HTTP/1) or stream (HTTP/2) ends without a proper end.
    Abort,
}

impl Step {
    pub(crate) const fn send(bytes: Bytes) -> Self {
        Self::Send { bytes, tokens: 0 }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) before: Vec<Before>,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) steps: VecDeque<Step>,
    /// Tokens of the prompt that is answered.
    prompt_tokens: u32,
}

impl Script {
    /// `bytes` with their length.
    pub(crate) fn whole(
        status: StatusCode,
        content_type: &'static str,
        bytes: Bytes,
        tokens: u32,
    ) -> Self {
        let mut script = Self::stream(content_type, VecDeque::new());
        script.status = status;
        script
            .headers
            .insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        script.steps.push_back(Step::Send { bytes, tokens });
        script
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::whole(
            StatusCode::OK,
            "application/json",
            Bytes::from(value.to_string()),
            0,
        )
    }

    /// The error that `refusal` is, in a form that some provider gives it.
    pub(crate) fn refusal(refusal: &Refusal, form: &Value) -> Self {
        Self::whole(
            refusal.status,
            "application/json",
            Bytes::from(form.to_string()),
            0,
        )
    }

    /// Steps of a length that the head does not tell.
    pub(crate) fn stream(content_type: &'static str, steps: VecDeque<Step>) -> Self {
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        Self {
            before: Vec::new(),
            status: StatusCode::OK,
            headers,
            steps,
            prompt_tokens: 0,
        }
    }

    pub(crate) fn events(steps: VecDeque<Step>) -> Self {
        let mut script = Self::stream("text/event-stream; charset=utf-8", steps);
        script
            .headers
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        script
    }

    /// The same, as the answer to a prompt of so many tokens.
    pub(crate) fn answering(self, tokens: u32) -> Self {
        Self {
            prompt_tokens: tokens,
            ..self
        }
    }

    /// Plays what comes before the head; the body plays the rest.
    pub(crate) async fn play(
        self,
        mut flight: InFlight,
        hints: &Hints,
    ) -> Result<Response<ScriptBody>, Aborted> {
        for before in self.before {
            match before {
                Before::Wait(time) => tokio::time::sleep(time).await,
                Before::Generate { tokens, takes } => {
                    flight.generate(tokens, takes);
                    tokio::time::sleep(takes).await;
                }
                Before::EarlyHints => hints.send(),
                Before::Hang => std::future::pending().await,
                Before::Abort => {
                    flight.complete();
                    return Err(Aborted::OnPurpose);
                }
            }
        }
        flight.answers(self.prompt_tokens);
        if self.steps.is_empty() {
            flight.complete();
        }
        let mut response = Response::new(ScriptBody {
            steps: self.steps,
            sleep: None,
            flight,
        });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Ok(response)
    }
}

/// Why an exchange ends without a proper end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Aborted {
    /// The request broke off.
    #[error("the client went away")]
    ByClient(#[from] hyper::Error),
    /// A fault says so.
    #[error("the simulated provider aborts")]
    OnPurpose,
}

/// The steps of a script as a body. Dropped before its last step, it counts as cancelled.
#[derive(Debug)]
pub(crate) struct ScriptBody {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    flight: InFlight,
}

impl http_body::Body for ScriptBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(context));
                self.sleep = None;
            }
            match self.steps.pop_front() {
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Send { bytes, tokens }) => {
                    self.flight.sent(tokens);
                    if self.steps.is_empty() {
                        self.flight.complete();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
                Some(Step::Abort) => {
                    self.flight.complete();
                    return Poll::Ready(Some(Err(Aborted::OnPurpose)));
                }
                None => {
                    self.flight.complete();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }
}
