//! What may become of a request. Everything else is a mistake.

use serde_json::Value;

use crate::client::{Ending, Exchange};
use crate::kind::Kind;

/// What goes on while requests are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing fails: every answer is 200.
    Fair,
    /// The upstream fails in every way, and limits may refuse.
    Foul,
    /// hone itself is about to end.
    Ending,
}

impl Weather {
    fn faults(self) -> bool {
        matches!(self, Self::Foul | Self::Ending)
    }
}

/// A word for what happened, or what is wrong about it.
pub(crate) fn judge(kind: Kind, weather: Weather, exchange: &Exchange) -> Result<String, String> {
    match &exchange.ending {
        Ending::Left => Err(format!("no answer within {:?}", exchange.took)),
        Ending::NoAnswer(_) if weather == Weather::Ending => {
            Ok("no answer from a hone that ends".to_owned())
        }
        Ending::NoAnswer(error) => Err(format!("no answer: {error}")),
        // A relay adds no bytes: what the upstream cuts is cut.
        Ending::Cut if weather.faults() => Ok("cut".to_owned()),
        Ending::Cut => Err("an answer was cut though the upstream did not cut it".to_owned()),
        Ending::Whole if exchange.status == 200 => whole(kind, exchange),
        Ending::Whole => refused(weather, exchange),
    }
}

fn whole(kind: Kind, exchange: &Exchange) -> Result<String, String> {
    if kind.is_stream() {
        let text = String::from_utf8_lossy(&exchange.body);
        if text.ends_with("data: [DONE]\n\n") {
            return Ok("200".to_owned());
        }
        // A strategy that fails in mid-stream says so in the stream.
        let says_so = text.contains("\"error\":{");
        return if says_so {
            Ok("200, then a stated error".to_owned())
        } else {
            Err("a stream ended early and passed for whole".to_owned())
        };
    }
    let answer: Value = serde_json::from_slice(&exchange.body)
        .map_err(|error| format!("200 without JSON: {error}"))?;
    let filled = match kind {
        Kind::Embeddings => answer.pointer("/data/0/embedding").is_some(),
        Kind::Away => answer.get("results").is_some(),
        _ => answer
            .pointer("/choices/0/message/content")
            .and_then(Value::as_str)
            .is_some_and(|content| !content.is_empty()),
    };
    if filled {
        Ok("200".to_owned())
    } else {
        Err("200 without an answer".to_owned())
    }
}

/// The refusal of a whole answer in one word, or how it does not say what is the matter.
pub(crate) fn stated(exchange: &Exchange) -> Result<String, String> {
    let (status, code) = (exchange.status, exchange.error.as_str());
    let body: Value = serde_json::from_slice(&exchange.body)
        .map_err(|error| format!("{status} without JSON: {error}"))?;
    if body
        .pointer("/error/message")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        return Err(format!("{status} without a reason"));
    }
    if !code.is_empty() && body.pointer("/error/code").and_then(Value::as_str) != Some(code) {
        return Err(format!(
            "{status} with one code in its header and another in its body"
        ));
    }
    Ok(if code.is_empty() {
        format!("{status} from upstream")
    } else {
        format!("{status} {code}")
    })
}

fn refused(weather: Weather, exchange: &Exchange) -> Result<String, String> {
    let outcome = stated(exchange)?;
    let (status, code) = (exchange.status, exchange.error.as_str());
    let allowed = match status {
        // A limit's, or injected by the provider and handed on as they are.
        429 | 500 => weather.faults(),
        502..=504 => weather.faults() && !code.is_empty(),
        _ => false,
    };
    if allowed {
        Ok(outcome)
    } else {
        Err(format!("unexpected: {outcome}"))
    }
}
