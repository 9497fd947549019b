//! `hone check --connect`: what works at each upstream, found by asking it.
//!
//! A list of models, then at most three calls of at most 16 tokens each, in the form in which hone
//! asks. Each upstream gets the key that the operator names for it, and no other.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};

use super::keys::{Key, Keys};
use crate::commands::status::Status;
use crate::config::{AuthSlot, glob};
use crate::snapshot::Snapshot;
use crate::tenant::{Credential, KeyHeader};
use crate::upstream::{Outgoing, Payload, Upstream};

/// Calls of one upstream's models, those included that it refuses.
const MOST_CALLS: u32 = 3;
/// Tokens that each may write.
const MOST_TOKENS: u32 = 16;
/// An upstream that says nothing for so long is not asked on.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer that are read.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Characters of a provider's words that are shown.
const MOST_WORDS: usize = 300;
/// What stands in the names of models that do not chat.
const OTHER_MODELS: [&str; 9] = [
    "audio",
    "dall-e",
    "embed",
    "image",
    "moderation",
    "realtime",
    "rerank",
    "tts",
    "whisper",
];

/// Asks every upstream of `config`, and writes a line for each thing that works or does not.
/// `model` is asked instead of one that the upstream lists.
pub(super) async fn run(
    snapshot: &Snapshot,
    (keys, model): (&Keys, Option<&str>),
    out: &mut impl Write,
) -> io::Result<Status> {
    let mut status = Status::Done;
    for (index, upstream) in snapshot.upstreams.iter().enumerate() {
        let mut trial = Trial::new(upstream, keys.of(index, &upstream.config), out)?;
        trial.all(model).await?;
        if trial.failed {
            status = Status::Failed;
        }
    }
    Ok(status)
}

/// The questions to one upstream.
struct Trial<'a, W> {
    upstream: &'a Upstream,
    headers: HeaderMap,
    key: Option<Key>,
    /// Calls that may still be made.
    left: u32,
    /// The field that bounds an answer here.
    ceiling: &'static str,
    failed: bool,
    out: &'a mut W,
}

/// What came, whole.
struct Answer {
    status: StatusCode,
    kind: String,
    body: Bytes,
}

impl<'a, W: Write> Trial<'a, W> {
    fn new(upstream: &'a Upstream, key: Option<Key>, out: &'a mut W) -> io::Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let slot = upstream.config.auth;
        if let Some(key) = &key
            && let Some(header) = KeyHeader::new(slot, &key.secret)
        {
            Credential::Client(header).apply(&mut headers);
        }
        writeln!(
            out,
            "# {}: asking {} {}",
            upstream.name(),
            upstream.config.base_url,
            match (&key, slot) {
                (_, AuthSlot::None) => "without a key, as it needs none".to_owned(),
                (Some(key), _) => format!("with the key of {}", key.place),
                (None, _) => "without a key; name one with --key-env".to_owned(),
            }
        )?;
        Ok(Self {
            upstream,
            headers,
            key,
            left: MOST_CALLS,
            ceiling: "max_tokens",
            failed: false,
            out,
        })
    }

    async fn all(&mut self, model: Option<&str>) -> io::Result<()> {
        let settings = &self.upstream.config;
        let listed = match self.ask(Method::GET, "models", Bytes::new()).await {
            Ok(listed) => listed,
            Err(why) => return self.fails("URL", &why),
        };
        let tls = if settings.base_url.scheme_str() == Some("https") {
            "it answers, and its certificate is accepted"
        } else {
            "it answers, without TLS"
        };
        self.works("URL", tls)?;
        if self.rejects_the_key(&listed)? {
            return Ok(());
        }
        let names = names(&listed);
        self.tell_models(&listed, names.len())?;
        let named = settings.models.iter().find(|name| !name.contains('*'));
        let fits = |name: &&String| {
            glob::matches_any(&settings.models, name)
                && !OTHER_MODELS.iter().any(|other| name.contains(other))
        };
        let model = model.or_else(|| {
            named
                .or_else(|| names.iter().find(fits))
                .map(|name| &**name)
        });
        let Some(model) = model else {
            return self.lacks("chat", "no model to ask is known; name one with --model");
        };
        if self.streams(model).await? {
            self.takes_n(model).await?;
            self.tells_logprobs(model).await?;
        }
        Ok(())
    }

    fn tell_models(&mut self, listed: &Answer, count: usize) -> io::Result<()> {
        if listed.status.is_success() && count > 0 {
            return self.works("models", &format!("{count} are listed"));
        }
        let words = self.words(listed);
        self.lacks("models", &format!("no list of them ({words})"))
    }

    /// Whether the key is refused, which ends the questions.
    fn rejects_the_key(&mut self, answer: &Answer) -> io::Result<bool> {
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status);
        if refused {
            let words = self.words(answer);
            self.fails("key", &words)?;
        }
        Ok(refused)
    }

    /// Asks for a stream, and tells whether there is an answer at all.
    async fn streams(&mut self, model: &str) -> io::Result<bool> {
        let Some(answer) = self.chat(model, json!({"stream": true})).await? else {
            return Ok(false);
        };
        if self.rejects_the_key(&answer)? {
            return Ok(false);
        }
        if !answer.status.is_success() {
            let mut words = self.words(&answer);
            if answer.status == StatusCode::NOT_FOUND {
                words.push_str("; is the path of base_url right? Most end in /v1");
            }
            self.fails("chat", &format!("{model}: {words}"))?;
            return Ok(false);
        }
        if self.key.is_some() {
            self.works("key", "accepted")?;
        }
        self.works("chat", &format!("{model} answers"))?;
        let text = String::from_utf8_lossy(&answer.body);
        if !answer.kind.starts_with("text/event-stream") {
            self.lacks("streaming", &format!("the answer is {:?}", answer.kind))?;
        } else if text.contains("data: [DONE]") || text.contains("data:[DONE]") {
            self.works("streaming", "events, up to [DONE]")?;
        } else {
            self.lacks("streaming", "events, without [DONE] at their end")?;
        }
        Ok(true)
    }

    async fn takes_n(&mut self, model: &str) -> io::Result<()> {
        let asked = json!({"n": 2, self.ceiling: MOST_TOKENS / 2});
        let Some(answer) = self.chat(model, asked).await? else {
            return Ok(());
        };
        let choices = choices(&answer).map(|choices| choices.len());
        match choices {
            Some(count) if count > 1 => self.works("n", "several answers to one call"),
            Some(_) => self.lacks("n", "ignored; approaches make a call for each answer"),
            None => {
                let words = self.words(&answer);
                self.lacks("n", &words)
            }
        }
    }

    async fn tells_logprobs(&mut self, model: &str) -> io::Result<()> {
        let asked = json!({"logprobs": true, "top_logprobs": 1});
        let Some(answer) = self.chat(model, asked).await? else {
            return Ok(());
        };
        let told = choices(&answer)
            .and_then(|choices| choices.first()?.pointer("/logprobs/content").cloned())
            .is_some_and(|content| content.as_array().is_some_and(|all| !all.is_empty()));
        if told {
            return self.works("logprobs", "with alternatives");
        }
        let words = if answer.status.is_success() {
            "ignored".to_owned()
        } else {
            self.words(&answer)
        };
        let needed = "; approaches that weigh tokens do not work with this model";
        self.lacks("logprobs", &(words + needed))
    }

    /// One call of a model, and a second one if it bounds its answers by another field. `None` if
    /// no call is left, or none was answered.
    async fn chat(&mut self, model: &str, fields: Value) -> io::Result<Option<Answer>> {
        loop {
            let Some(left) = self.left.checked_sub(1) else {
                return Ok(None);
            };
            self.left = left;
            let mut body = json!({"model": model, self.ceiling: MOST_TOKENS,
                "messages": [{"role": "user", "content": "Say yes."}]});
            if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), &fields) {
                body.extend(fields.clone());
            }
            let asked = Bytes::from(body.to_string());
            let answer = match self.ask(Method::POST, "chat/completions", asked).await {
                Ok(answer) => answer,
                Err(why) => {
                    self.fails("chat", &why)?;
                    return Ok(None);
                }
            };
            let refuses_ceiling = answer.status.is_client_error()
                && self.ceiling == "max_tokens"
                && String::from_utf8_lossy(&answer.body).contains("max_tokens");
            if !refuses_ceiling {
                return Ok(Some(answer));
            }
            self.ceiling = "max_completion_tokens";
        }
    }

    /// Asks, and reads the answer whole.
    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, String> {
        let mut headers = self.headers.clone();
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let outgoing = Outgoing {
            method,
            path,
            query: None,
            headers,
            body: Payload::Buffered(body),
            slot: None,
        };
        let asking = async {
            let response = self.upstream.send(outgoing).await;
            let (head, body) = response.map_err(|error| error.to_string())?.into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await;
            let kind = head.headers.get(CONTENT_TYPE);
            Ok(Answer {
                status: head.status,
                kind: kind
                    .and_then(|kind| kind.to_str().ok())
                    .unwrap_or_default()
                    .to_ascii_lowercase(),
                body: body.map_err(|error| error.to_string())?.to_bytes(),
            })
        };
        let answer = tokio::time::timeout(PATIENCE, asking).await;
        answer.unwrap_or_else(|_elapsed| Err(format!("no answer within {PATIENCE:?}")))
    }

    /// The status, and what the provider says to it.
    fn words(&self, answer: &Answer) -> String {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let said = ["/error/message", "/message", "/detail", "/error"]
            .iter()
            .find_map(|place| value.pointer(place)?.as_str().map(str::to_owned));
        let said = said.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
        let said: String = said.chars().filter(|c| !c.is_control()).collect();
        let mut said = self
            .key
            .as_ref()
            .map_or(said.clone(), |key| key.hide(&said));
        if let Some((end, _)) = said.char_indices().nth(MOST_WORDS) {
            said.truncate(end);
        }
        format!("{}: {said}", answer.status)
    }

    fn works(&mut self, what: &str, how: &str) -> io::Result<()> {
        self.say("works", what, how)
    }

    fn lacks(&mut self, what: &str, why: &str) -> io::Result<()> {
        self.say("lacks", what, why)
    }

    fn fails(&mut self, what: &str, why: &str) -> io::Result<()> {
        self.failed = true;
        self.say("FAILS", what, why)
    }

    fn say(&mut self, mark: &str, what: &str, more: &str) -> io::Result<()> {
        let name = self.upstream.name();
        writeln!(self.out, "# {name}: {mark} {what}: {more}")
    }
}

/// The names of models in a list, as OpenAI writes it or as a bare array.
fn names(listed: &Answer) -> Vec<String> {
    let list: Value = serde_json::from_slice(&listed.body).unwrap_or_default();
    let data = list.get("data").unwrap_or(&list);
    let entries = data.as_array().into_iter().flatten();
    let names = entries.filter_map(|entry| entry.get("id")?.as_str());
    names.map(str::to_owned).collect()
}

fn choices(answer: &Answer) -> Option<Vec<Value>> {
    if !answer.status.is_success() {
        return None;
    }
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    value.get("choices")?.as_array().cloned()
}
